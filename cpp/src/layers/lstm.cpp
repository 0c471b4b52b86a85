#include "layers/recurrent.hpp"

namespace hepml::layers {
namespace {

// c = f c + i act(c~), h = o act(c)
class LSTM : public RecurrentOperation {
 public:
  LSTM(const Recurrent& layer, const Shape& input, const Kernels& kernels)
      : RecurrentOperation(layer, input, 2, kernels),
        input_(layer.weights, layer.bias, layer.n_in, layer.n, kernels),
        state_(layer.U, {}, layer.n, layer.n, kernels),
        args_{layer.activation, layer.inner, layer.n, pad()} {}

 protected:
  void step(const float* x, float* states, float* scratch) const noexcept override {
    float* gates = scratch;
    float* sums = scratch + input_.size();
    input_.apply(x, gates);
    state_.apply(states, gates, sums);
    kernels().lstm_cell(args_, sums, states + pad(), states);
  }
  std::size_t cell_scratch() const noexcept override { return 2 * input_.size(); }

 private:
  Gates input_, state_;
  kernels::CellArgs args_;
};

}  // namespace

Made make_lstm(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  const Recurrent record = read_recurrent(layer, inputs, {"i", "f", "c", "o"}, true);
  return {std::make_shared<LSTM>(record, inputs[0], kernels), {}};
}

}  // namespace hepml::layers
