#include "layers/recurrent.hpp"

namespace hepml::layers {
namespace {

// h = act(W x + b + U h)
class SimpleRNN : public RecurrentOperation {
 public:
  SimpleRNN(const Recurrent& layer, const Shape& input, const Kernels& kernels)
      : RecurrentOperation(layer, input, 1, kernels),
        input_(layer.weights, layer.bias, layer.n_in, layer.n, kernels),
        state_(layer.U, {}, layer.n, layer.n, kernels),
        activation_(layer.activation) {}

 protected:
  void step(const float* x, float* h, float* scratch) const noexcept override {
    float* sums = scratch + pad();
    input_.apply(x, scratch);
    state_.apply(h, scratch, sums);
    kernels().activate(activation_, sums, h, pad());
  }
  std::size_t cell_scratch() const noexcept override { return 2 * pad(); }

 private:
  Gates input_, state_;
  Activation activation_;
};

}  // namespace

Made make_simplernn(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  const Recurrent record = read_recurrent(layer, inputs, {"h"}, false);
  return {std::make_shared<SimpleRNN>(record, inputs[0], kernels), {}};
}

}  // namespace hepml::layers
