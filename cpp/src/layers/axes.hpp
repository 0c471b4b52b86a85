#pragma once

#include <cstddef>

#include "layers/layer.hpp"

// Windows that slide over one, two or three axes: what general convolutions and poolings have in common.
namespace hepml::layers {

struct Axis {
  Window window;
  std::size_t taps = 1, dilation = 1;
  bool transposed = false;  // Keras' ...Transpose: the window spreads an input over the output

  std::size_t output(std::size_t size) const noexcept;
  /// The input place under a tap of the window at an output place; no_steps outside of the input.
  std::size_t input(std::size_t place, std::size_t tap, std::size_t size, std::size_t before) const noexcept;
  /// What `input` has to be told: the padding before the input.
  std::size_t before(std::size_t size) const noexcept;
};

/// The axes of a tensor before its channels as depth, rows and columns; those it has not have one place.
struct Axes {
  Axis depth, rows, columns;
};

/// A layer with kernel_size or pool_size (`key`), strides, dilation_rate and padding for `n` axes.
Axes read_axes(const At& layer, const char* key, std::size_t n, bool transposed = false);
/// The shape behind the window, with other channels. Throws Error if it does not fit.
Shape output_of(const At& layer, const Axes& axes, const Shape& input, std::size_t channels);

/// The input under all taps of all output pixels. For each output pixel: begin(y), then tap(index, x or
/// nullptr) for every tap in C order, then end(y). x and y point to channels.
template <class Begin, class Tap, class End>
void slide(const Axes& axes, const View& x, std::size_t x_depth, const View& y, std::size_t y_depth,
           Begin begin, Tap tap, End end) noexcept {
  const std::size_t x_rows = x.rows / x_depth;
  const std::size_t y_rows = y.rows / y_depth;
  const std::size_t before_depth = axes.depth.before(x_depth);
  const std::size_t before_row = axes.rows.before(x_rows);
  const std::size_t before_column = axes.columns.before(x.columns);
  for (std::size_t d = 0; d < y_depth; ++d) {
    for (std::size_t r = 0; r < y_rows; ++r) {
      for (std::size_t c = 0; c < y.columns; ++c) {
        float* out = y.data + (d * y_rows + r) * y.row_stride + c * y.channels;
        begin(out);
        std::size_t index = 0;
        for (std::size_t i = 0; i < axes.depth.taps; ++i) {
          const std::size_t depth = axes.depth.input(d, i, x_depth, before_depth);
          for (std::size_t j = 0; j < axes.rows.taps; ++j) {
            const std::size_t row = axes.rows.input(r, j, x_rows, before_row);
            for (std::size_t k = 0; k < axes.columns.taps; ++k, ++index) {
              const std::size_t column = axes.columns.input(c, k, x.columns, before_column);
              const bool inside = depth != no_steps && row != no_steps && column != no_steps;
              tap(index,
                  inside ? x.data + (depth * x_rows + row) * x.row_stride + column * x.channels : nullptr);
            }
          }
        }
        end(out);
      }
    }
  }
}

}  // namespace hepml::layers
