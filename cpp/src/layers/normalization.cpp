#include "layers/layer.hpp"

namespace hepml::layers {
namespace {

class Normalization : public Operation {
 public:
  Normalization(std::vector<float> scale, std::vector<float> shift, const Kernels& kernels)
      : Operation({scale.size()}), kernels_(kernels), scale_(std::move(scale)), shift_(std::move(shift)) {}
  void run(const View* inputs, const View& output) const noexcept override {
    kernels_.normalize(inputs->data, scale_.data(), shift_.data(), output.data, scale_.size());
  }

 private:
  const Kernels& kernels_;
  std::vector<float> scale_;
  std::vector<float> shift_;
};

}  // namespace

std::shared_ptr<Operation> make_affine(std::vector<float> scale, std::vector<float> shift,
                                       const Kernels& kernels) {
  return std::make_shared<Normalization>(std::move(scale), std::move(shift), kernels);
}

// lwtnn's form: y = weights * (x + bias), the bias before the scale.
Made make_normalization(const At& layer, const Shape& input, const Kernels& kernels) {
  const std::size_t n = need_vector(layer, input)[0];
  for (const char* key : {"weights", "bias"}) {
    const At list = layer.member(key);
    if (list.numbers().size() != n) {
      list.wrong("the normalization does not fit the layer's input", std::to_string(n) + " values",
                 std::to_string(list.numbers().size()));
    }
  }
  return {make_affine(layer.member("weights").floats(), layer.member("bias").floats(), kernels), {}};
}

}  // namespace hepml::layers
