#pragma once

#include <vector>

#include "layers/layer.hpp"

// What LSTM, GRU and SimpleRNN have in common.
namespace hepml::layers {

/// Gates side by side: one matrix from inputs and one from the state, each gate padded to whole vectors.
class Gates {
 public:
  /// `input` is [gate][unit][in], `state` [gate][unit][unit]; biases [gate][unit], or none.
  Gates(const std::vector<std::vector<float>>& weights, const std::vector<std::vector<float>>& bias,
        std::size_t n_in, std::size_t n, const Kernels& kernels);
  std::size_t size() const noexcept { return size_; }  ///< floats of a result, all gates
  /// y = W x + b
  void apply(const float* x, float* y) const noexcept { apply(x, bias_.data(), y); }
  /// y = W x + another bias of size()
  void apply(const float* x, const float* bias, float* y) const noexcept;

 private:
  const Kernels& kernels_;
  std::size_t n_in_, size_;
  Floats weights_, bias_;
};

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

/// Runs a cell over the steps. Scratch: what the cell needs, behind state vectors that begin with zeros.
class RecurrentOperation : public Operation {
 public:
  RecurrentOperation(const Recurrent& layer, const Shape& input, std::size_t n_states,
                     const Kernels& kernels);
  void run(const View* inputs, const View& output, float* scratch) const noexcept final;
  double work(std::size_t steps) const noexcept final {
    return work_of_step_ * static_cast<double>(fixed_steps_ == any_steps ? steps : fixed_steps_);
  }
  std::size_t scratch(std::size_t) const noexcept final { return (n_states_ + 1) * pad_ + cell_scratch(); }

 protected:
  /// One step: x to the states, of which the first is the output; every state is `pad()` floats.
  virtual void step(const float* x, float* states, float* scratch) const noexcept = 0;
  virtual std::size_t cell_scratch() const noexcept = 0;
  std::size_t pad() const noexcept { return pad_; }
  const Kernels& kernels() const noexcept { return kernels_; }

 private:
  const Kernels& kernels_;
  std::size_t n_, pad_, n_states_, fixed_steps_;
  double work_of_step_;
  bool sequences_, backwards_, masked_, zeros_for_mask_;
};

/// n rounded up to whole vectors.
std::size_t padded_size(std::size_t n, const Kernels& kernels);

}  // namespace hepml::layers
