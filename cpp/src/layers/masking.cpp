#include <algorithm>
#include <cstring>

#include "layers/layer.hpp"
#include "parse/text.hpp"

// Which steps of a sequence count.
namespace hepml::layers {
namespace {

bool counts(const float* x, std::size_t n, float value) noexcept {
  return std::any_of(x, x + n, [value](float v) { return v != value; });
}

/// Zeros in place of the steps that do not count.
class Masking : public Operation {
 public:
  Masking(const Shape& shape, float value) : Operation(shape), value_(value) {}
  void run(const View* inputs, const View& output, float*) const noexcept override {
    const std::size_t n = output.channels;
    for (std::size_t i = 0; i < output.columns; ++i) {
      const float* x = inputs->data + i * n;
      float* y = output.data + i * n;
      if (counts(x, n, value_)) {
        std::memcpy(y, x, n * sizeof(float));
      } else {
        std::memset(y, 0, n * sizeof(float));
      }
    }
  }

 private:
  float value_;
};

float read_value(const At& layer) {
  const double value = layer.member("mask_value").number();
  if (!(value >= -1e30 && value <= 1e30))
    layer.member("mask_value").wrong("the value is too large", "at most 1e30");
  return static_cast<float>(value);
}

}  // namespace

Made make_masking(const At& layer, const Shapes& inputs, const Kernels&) {
  return {std::make_shared<Masking>(need_sequence(layer, inputs), read_value(layer)), {}};
}

}  // namespace hepml::layers
