#pragma once

#include <vector>

#include "layers/layer.hpp"

// What LSTM, GRU and SimpleRNN have in common.
namespace hepml::layers {

/// The layer's JSON: components with weights, U and bias, checked against the widths.
struct Recurrent {
  std::size_t n_in = 0, n = 0;
  Activation activation, inner;
  std::vector<std::vector<float>> weights, U, bias, recurrent_bias;  // [gate]
  bool sequences = true;  // the output is every step, else the last
  bool backwards = false;
  bool masked = false;          // a second input says which steps count
  bool zeros_for_mask = false;  // what a masked step gives: zeros, else the output before
};
Recurrent read_recurrent(const At& layer, const Shapes& inputs, const std::vector<const char*>& gates,
                         bool inner);

/// The gates' weights on inputs and state, packed for a kernel that makes one step.
class Cell {
 public:
  using Step = void (*)(const kernels::StepArgs& args, const float* x, float* h, float* scratch) noexcept;
  /// `matrices` has the gates that each matrix sums together, of layer.weights; `bias` is [gate][unit].
  Cell(const Recurrent& layer, const std::vector<std::vector<std::size_t>>& matrices,
       const std::vector<std::vector<float>>& bias, Step step, const Kernels& kernels);
  void step(const float* x, float* h, float* scratch) const noexcept { step_(args_, x, h, scratch); }
  std::size_t pad() const noexcept { return args_.pad; }

 private:
  Step step_;
  Floats weights_, bias_;
  kernels::StepArgs args_;
};

/// Runs a cell of `n_states` states, of which the first is the output, over the steps.
std::shared_ptr<Operation> make_recurrent(const Recurrent& layer, const Shape& input, std::size_t n_states,
                                          Cell cell);

}  // namespace hepml::layers
