#include "layers/layer.hpp"
#include "parse/text.hpp"

namespace hepml::layers {
namespace {

// c = sigmoid(W_c x + b_c), y = c act(W_t x + b_t) + (1 - c) x
class Highway : public Operation {
 public:
  Highway(std::shared_ptr<Operation> transform, std::shared_ptr<Operation> carry, Activation activation,
          const Kernels& kernels)
      : Operation(transform->shape()),
        kernels_(kernels),
        transform_(std::move(transform)),
        carry_(std::move(carry)),
        activation_(activation) {}
  void run(const View* inputs, const View& output, float* scratch) const noexcept override {
    const std::size_t n = output.channels;
    View carry = output;
    carry.data = scratch;
    transform_->run(inputs, output, nullptr);
    carry_->run(inputs, carry, nullptr);
    kernels_.activate(activation_, output.data, output.data, n);
    kernels_.activate({Function::sigmoid}, scratch, scratch, n);
    for (std::size_t i = 0; i < n; ++i)
      output.data[i] = scratch[i] * output.data[i] + (1.0F - scratch[i]) * inputs->data[i];
  }
  double work(std::size_t steps) const noexcept override {
    return transform_->work(steps) + carry_->work(steps);
  }
  std::size_t scratch(std::size_t) const noexcept override { return shape()[0]; }

 private:
  const Kernels& kernels_;
  std::shared_ptr<Operation> transform_, carry_;
  Activation activation_;
};

}  // namespace

// lwtnn's form: components t and carry, each with weights and bias.
Made make_highway(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  const Shape& input = need_vector(layer, inputs);
  std::shared_ptr<Operation> parts[2];
  for (std::size_t i = 0; i < 2; ++i) {
    const At at = layer.member("components").member(i == 0 ? "t" : "carry");
    parts[i] = make_linear(at, input, kernels);
    if (parts[i]->shape() != input) {
      at.wrong("a highway layer that is not as wide as its input", std::to_string(input[0]),
               std::to_string(parts[i]->shape()[0]));
    }
  }
  return {std::make_shared<Highway>(parts[0], parts[1], read_activation(layer), kernels), {}};
}

}  // namespace hepml::layers
