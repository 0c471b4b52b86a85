#include <algorithm>

#include "layers/recurrent.hpp"

namespace hepml::layers {
namespace {

/// h = z h + (1 - z) act(W x + b + U (r h))
Cell reset_before(const Recurrent& layer, const Kernels& kernels) {
  return Cell(layer, {{0}, {1}, {2}}, layer.bias, kernels.gru_step, kernels);
}

/// Keras' reset_after: h = z h + (1 - z) act(W x + b + r (U h + b')); z and r have the sum of their biases.
Cell reset_after(const Recurrent& layer, const Kernels& kernels) {
  auto bias = layer.bias;
  bias.emplace_back();
  for (std::size_t gate = 0; gate < layer.recurrent_bias.size(); ++gate) {
    const auto& more = layer.recurrent_bias[gate];
    auto& of = bias[gate < 2 ? gate : 3];
    of.resize(std::max(of.size(), more.size()), 0.0F);
    for (std::size_t i = 0; i < more.size(); ++i) of[i] += more[i];
  }
  return Cell(layer, {{0}, {1}, {2}}, bias, kernels.gru_reset_after_step, kernels);
}

}  // namespace

Made make_gru(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  const Recurrent record = read_recurrent(layer, inputs, {"z", "r", "h"}, true);
  const bool after = layer.has("reset_after") && layer.member("reset_after").boolean();
  if (!after && !record.recurrent_bias.empty())
    layer.wrong("a recurrent_bias without its place", "reset_after: true", "reset_after: false");
  return {make_recurrent(record, inputs[0], 1,
                         after ? reset_after(record, kernels) : reset_before(record, kernels)),
          {}};
}

}  // namespace hepml::layers
