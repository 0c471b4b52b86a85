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

/// 1 for the steps that count, 0 for the others.
class Mask : public Operation {
 public:
  Mask(Shape shape, float value) : Operation(std::move(shape)), value_(value) {}
  void run(const View* inputs, const View& output, float*) const noexcept override {
    if (shape().size() == 1) {  // every number of a vector is a step
      for (std::size_t i = 0; i < output.channels; ++i)
        output.data[i] = inputs->data[i] != value_ ? 1.0F : 0.0F;
      return;
    }
    const std::size_t n = inputs->channels;
    for (std::size_t i = 0; i < output.columns; ++i)
      output.data[i] = counts(inputs->data + i * n, n, value_) ? 1.0F : 0.0F;
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

Made make_mask(const At& layer, const Shapes& inputs, const Kernels&) {
  const Shape& input = need_one(layer, inputs);
  if (input.size() > 2)
    layer.wrong("the layer works on another kind of tensor", "a vector or a sequence", describe(input));
  return {std::make_shared<Mask>(input.size() == 1 ? input : Shape{input[0], 1}, read_value(layer)), {}};
}

}  // namespace hepml::layers
