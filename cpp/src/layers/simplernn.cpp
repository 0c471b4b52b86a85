#include "layers/recurrent.hpp"

namespace hepml::layers {

// h = act(W x + b + U h)
Made make_simplernn(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  const Recurrent record = read_recurrent(layer, inputs, {"h"}, false);
  Cell cell(record, {{0}}, record.bias, kernels.simplernn_step, kernels);
  return {make_recurrent(record, inputs[0], 1, std::move(cell)), {}};
}

}  // namespace hepml::layers
