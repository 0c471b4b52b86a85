#include "layers/recurrent.hpp"

namespace hepml::layers {

// c = f c + i act(c~), h = o act(c)
Made make_lstm(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  const Recurrent record = read_recurrent(layer, inputs, {"i", "f", "c", "o"}, true);
  Cell cell(record, {{0, 1, 2, 3}}, record.bias, kernels.lstm_step, kernels);
  return {make_recurrent(record, inputs[0], 2, std::move(cell)), {}};
}

}  // namespace hepml::layers
