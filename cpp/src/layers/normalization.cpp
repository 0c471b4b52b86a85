#include "layers/layer.hpp"

namespace hepml::layers {
namespace {

class Normalization : public Operation {
 public:
  Normalization(std::vector<float> scale, std::vector<float> shift, const Shape& shape,
                const Kernels& kernels)
      : Operation(shape), kernels_(kernels), scale_(std::move(scale)), shift_(std::move(shift)) {}
  void run(const View* inputs, const View& output, float*) const noexcept override {
    const std::size_t n = scale_.size();
    for (std::size_t row = 0; row < output.rows; ++row) {
      const float* x = inputs->data + row * inputs->row_stride;
      float* y = output.data + row * output.row_stride;
      for (std::size_t i = 0; i < output.columns; ++i)
        kernels_.normalize(x + i * n, scale_.data(), shift_.data(), y + i * n, n);
    }
  }
  bool is_local() const noexcept override { return shape().size() == 3; }
  void run_at(const View& input, const View& output, const kernels::Pixel* pixels,
              std::size_t n) const noexcept override {
    const std::size_t channels = scale_.size();
    for (std::size_t i = 0; i < n; ++i) {
      kernels_.normalize(input.data + pixels[i].row * input.row_stride + pixels[i].column * channels,
                         scale_.data(), shift_.data(),
                         output.data + pixels[i].row * output.row_stride + pixels[i].column * channels,
                         channels);
    }
  }

 private:
  const Kernels& kernels_;
  std::vector<float> scale_;
  std::vector<float> shift_;
};

}  // namespace

std::shared_ptr<Operation> make_affine(std::vector<float> scale, std::vector<float> shift, const Shape& input,
                                       const Kernels& kernels) {
  return std::make_shared<Normalization>(std::move(scale), std::move(shift), input, kernels);
}

// lwtnn's form: y = weights * (x + bias) along the last axis, the bias before the scale.
Made make_normalization(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  const Shape& input = need_one(layer, inputs);
  const std::size_t n = input.back();
  for (const char* key : {"weights", "bias"}) {
    const At list = layer.member(key);
    if (list.numbers().size() != n) {
      list.wrong("the normalization does not fit the layer's input", std::to_string(n) + " values",
                 std::to_string(list.numbers().size()));
    }
  }
  return {make_affine(layer.member("weights").floats(), layer.member("bias").floats(), input, kernels), {}};
}

}  // namespace hepml::layers
