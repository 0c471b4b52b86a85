#include <algorithm>
#include <cstring>

#include "layers/layer.hpp"

namespace hepml::layers {
namespace {

class Concatenate : public Operation {
 public:
  Concatenate(Shape shape, std::size_t n_inputs) : Operation(std::move(shape)), n_inputs_(n_inputs) {}
  void run(const View* inputs, const View& output, float*) const noexcept override {
    for (std::size_t row = 0; row < output.rows; ++row) {
      float* to = output.data + row * output.row_stride;
      for (std::size_t column = 0; column < output.columns; ++column) {
        for (std::size_t i = 0; i < n_inputs_; ++i) {
          const std::size_t n = inputs[i].channels;
          std::memcpy(to, inputs[i].data + row * inputs[i].row_stride + column * n, n * sizeof(float));
          to += n;
        }
      }
    }
  }
  Missing missing() const noexcept override { return Missing::passed; }

 private:
  std::size_t n_inputs_;
};

}  // namespace

std::shared_ptr<Operation> make_concatenate(const Shapes& inputs, const At& node) {
  Shape shape = inputs[0];
  shape.back() = 0;
  for (const Shape& input : inputs) {
    if (input.size() != shape.size() || !std::equal(input.begin(), input.end() - 1, shape.begin())) {
      node.wrong("inputs that cannot be concatenated",
                 "equal shapes but for the last axis: " + describe(inputs[0]), describe(input));
    }
    shape.back() += input.back();
    elements(shape, node);
  }
  return std::make_shared<Concatenate>(std::move(shape), inputs.size());
}

}  // namespace hepml::layers
