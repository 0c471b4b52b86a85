#include "layers/axes.hpp"

#include "layers/convolution.hpp"
#include "parse/text.hpp"

namespace hepml::layers {

std::size_t Axis::output(std::size_t size) const noexcept {
  if (!transposed) return window.output(size);
  const bool same = window.padding == Window::Padding::same;
  if (same) return size * window.step;
  return size * window.step + (window.reach > window.step ? window.reach - window.step : 0);
}

std::size_t Axis::before(std::size_t size) const noexcept {
  if (!transposed) return window.before(size);
  if (window.padding != Window::Padding::same) return 0;
  // The padding of the convolution whose gradient this is: from output to input.
  const std::size_t large = output(size);
  const std::size_t covered = (size - 1) * window.step + window.reach;
  return covered > large ? (covered - large) / 2 : 0;
}

std::size_t Axis::input(std::size_t place, std::size_t tap, std::size_t size,
                        std::size_t pad) const noexcept {
  if (!transposed) {
    const std::size_t at = place * window.step + tap * dilation;
    return at < pad || at - pad >= size ? no_steps : at - pad;
  }
  const std::size_t at = place + pad;
  if (at < tap * dilation) return no_steps;
  const std::size_t moved = at - tap * dilation;
  return moved % window.step != 0 || moved / window.step >= size ? no_steps : moved / window.step;
}

Axes read_axes(const At& layer, const char* key, std::size_t n, bool transposed) {
  const auto taps = read_directions(layer, key, n, 0);
  const bool pooling = std::string(key) == "pool_size";
  const auto strides = layer.has("strides") ? read_directions(layer, "strides", n, 0)
                       : pooling            ? taps
                                            : std::vector<std::size_t>(n, 1);
  if (pooling) refuse_dilation(layer);
  const auto dilation = read_directions(layer, "dilation_rate", n, 1);
  std::vector<Axis> found;
  for (std::size_t i = 0; i < n; ++i) {
    Axis axis;
    const bool causal = n == 1 && !transposed && !pooling;
    axis.window = read_window(layer, (taps[i] - 1) * dilation[i] + 1, strides[i], causal);
    axis.taps = taps[i];
    axis.dilation = dilation[i];
    axis.transposed = transposed;
    found.push_back(axis);
  }
  std::size_t total = 1;
  for (const std::size_t count : taps) total *= count;
  constexpr std::size_t most_taps = 65536;  // each costs time at every pixel, inside of the input or not
  if (total > most_taps)
    layer.member(key).wrong("a window that is too large", "at most " + std::to_string(most_taps) + " places",
                            text::times(taps));
  const Axis none{{1, 1, Window::Padding::valid}, 1, 1, false};
  Axes axes{none, none, none};
  Axis* places[] = {&axes.depth, &axes.rows, &axes.columns};
  for (std::size_t i = 0; i < n; ++i) *places[3 - n + i] = found[i];
  return axes;
}

Shape output_of(const At& layer, const Axes& axes, const Shape& input, std::size_t channels) {
  const Axis* places[] = {&axes.depth, &axes.rows, &axes.columns};
  Shape shape;
  const std::size_t n = input.size() - 1;
  for (std::size_t i = 0; i < n; ++i) {
    const Axis& axis = *places[3 - n + i];
    if (input[i] == any_steps) {
      shape.push_back(any_steps);
      continue;
    }
    const std::size_t size = axis.output(input[i]);
    if (size == no_steps || size == 0) {
      layer.wrong("the window is larger than the input", "at most " + std::to_string(input[i]) + " places",
                  std::to_string(axis.window.reach));
    }
    shape.push_back(size);
  }
  shape.push_back(channels);
  elements(shape, layer);
  return shape;
}

}  // namespace hepml::layers
