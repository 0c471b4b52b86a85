#include "layers/recurrent.hpp"

namespace hepml::layers {
namespace {

// h = z h + (1 - z) act(W x + b + U (r h))
class GRU : public RecurrentOperation {
 public:
  GRU(const Recurrent& layer, const Shape& input, const Kernels& kernels)
      : RecurrentOperation(layer, input, 1, kernels),
        input_(layer.weights, layer.bias, layer.n_in, layer.n, kernels),
        gates_({layer.U[0], layer.U[1]}, {}, layer.n, layer.n, kernels),
        candidate_({layer.U[2]}, {}, layer.n, layer.n, kernels),
        args_{layer.activation, layer.inner, layer.n, pad()} {}

 protected:
  void step(const float* x, float* h, float* scratch) const noexcept override {
    float* from_input = scratch;
    float* gates = from_input + input_.size();
    float* candidate = gates + gates_.size();
    input_.apply(x, from_input);
    gates_.apply(h, from_input, gates);
    kernels().gru_gates(args_, gates, h);
    candidate_.apply(gates + pad(), from_input + 2 * pad(), candidate);
    kernels().gru_update(args_, gates, candidate, h);
  }
  std::size_t cell_scratch() const noexcept override { return 2 * input_.size(); }

 private:
  Gates input_, gates_, candidate_;
  kernels::CellArgs args_;
};

// Keras' reset_after: h = z h + (1 - z) act(W x + b + r (U h + b'))
class GRUResetAfter : public RecurrentOperation {
 public:
  GRUResetAfter(const Recurrent& layer, const Shape& input, const Kernels& kernels)
      : RecurrentOperation(layer, input, 1, kernels),
        input_(layer.weights, layer.bias, layer.n_in, layer.n, kernels),
        state_(layer.U, layer.recurrent_bias, layer.n, layer.n, kernels),
        args_{layer.activation, layer.inner, layer.n, pad()} {}

 protected:
  void step(const float* x, float* h, float* scratch) const noexcept override {
    float* from_input = scratch;
    float* from_state = from_input + input_.size();
    input_.apply(x, from_input);
    state_.apply(h, from_state);
    kernels().gru_cell(args_, from_input, from_state, h);
  }
  std::size_t cell_scratch() const noexcept override { return 2 * input_.size(); }

 private:
  Gates input_, state_;
  kernels::CellArgs args_;
};

}  // namespace

Made make_gru(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  const Recurrent record = read_recurrent(layer, inputs, {"z", "r", "h"}, true);
  if (layer.has("reset_after") && layer.member("reset_after").boolean())
    return {std::make_shared<GRUResetAfter>(record, inputs[0], kernels), {}};
  if (!record.recurrent_bias.empty())
    layer.wrong("a recurrent_bias without its place", "reset_after: true", "reset_after: false");
  return {std::make_shared<GRU>(record, inputs[0], kernels), {}};
}

}  // namespace hepml::layers
