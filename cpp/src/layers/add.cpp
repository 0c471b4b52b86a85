#include <cstring>

#include "layers/layer.hpp"

namespace hepml::layers {
namespace {

class Add : public Operation {
 public:
  Add(const Shape& shape, std::size_t n_inputs, const Kernels& kernels)
      : Operation(shape), n_inputs_(n_inputs), kernels_(kernels) {}
  void run(const View* inputs, const View& output, float*) const noexcept override {
    const std::size_t n = output.columns * output.channels;
    for (std::size_t row = 0; row < output.rows; ++row) {
      float* y = output.data + row * output.row_stride;
      std::memcpy(y, inputs[0].data + row * inputs[0].row_stride, n * sizeof(float));
      for (std::size_t i = 1; i < n_inputs_; ++i)
        kernels_.add(inputs[i].data + row * inputs[i].row_stride, y, n);
    }
  }

 private:
  std::size_t n_inputs_;
  const Kernels& kernels_;
};

}  // namespace

std::shared_ptr<Operation> make_add(const Shapes& inputs, const At& node, const Kernels& kernels) {
  for (const Shape& shape : inputs) {
    if (shape != inputs[0]) {
      node.wrong("the inputs of a sum differ in shape", describe(inputs[0]), describe(shape));
    }
  }
  return std::make_shared<Add>(inputs[0], inputs.size(), kernels);
}

}  // namespace hepml::layers
