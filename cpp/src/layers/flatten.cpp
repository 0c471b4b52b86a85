#include <cstring>

#include "layers/layer.hpp"

namespace hepml::layers {
namespace {

class Flatten : public Operation {
 public:
  explicit Flatten(std::size_t n) : Operation({n}) {}
  void run(const View* inputs, const View& output, float*) const noexcept override {
    const std::size_t row = inputs->columns * inputs->channels;
    for (std::size_t i = 0; i < inputs->rows; ++i) {
      std::memcpy(output.data + i * row, inputs->data + i * inputs->row_stride, row * sizeof(float));
    }
  }
};

}  // namespace

// Rows, columns, channels in C order, as Keras does for channels_last.
Made make_flatten(const At& layer, const Shapes& inputs, const Kernels&) {
  const Shape& input = need_one(layer, inputs);
  if (is_dynamic(input))
    layer.wrong("a sequence of any length has no flat form", "fixed steps", describe(input));
  if (input.size() == 1) return {nullptr, {}};
  return {std::make_shared<Flatten>(elements(input, layer)), {}};
}

}  // namespace hepml::layers
