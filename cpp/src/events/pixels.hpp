#pragma once

// One loop over the pixels of an image that hold something, whether it is dense or sparse: row by row from
// the largest phi, columns upwards. What is added up in it is the same number for both.

#include <hepml/span.hpp>

#include <cstddef>
#include <cstdint>

namespace hepml {

/// An image as ascending pixel numbers and their values.
struct SparseImage {
  const std::uint16_t* index = nullptr;
  const float* value = nullptr;
  std::size_t size = 0;
};

/// Calls use(value, column, row) for each pixel that is not zero, row 0 the topmost.
template <class Use>
void each_pixel(span<const float> image, int side, Use use) noexcept {
  const float* pixel = image.data();
  for (int row = 0; row < side; ++row) {
    for (int column = 0; column < side; ++column, ++pixel) {
      if (*pixel != 0) use(static_cast<double>(*pixel), column, row);
    }
  }
}
template <class Use>
void each_pixel(const SparseImage& image, int side, Use use) noexcept {
  int row = 0, first = 0;
  for (std::size_t i = 0; i < image.size; ++i) {
    const int pixel = image.index[i];
    for (; pixel >= first + side; first += side) ++row;
    if (image.value[i] != 0) use(static_cast<double>(image.value[i]), pixel - first, row);
  }
}

}  // namespace hepml
