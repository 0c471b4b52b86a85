#pragma once

#include <algorithm>
#include <limits>

namespace hepml::layers {

constexpr double largest_float = static_cast<double>(std::numeric_limits<float>::max());

/// In the range of float32; NaN stays.
inline double limited(double x) noexcept {
  return x > largest_float ? largest_float : x < -largest_float ? -largest_float : x;
}

/// Rounded to float32, without the trap of an overflow.
inline float narrowed(double x) noexcept {
  return static_cast<float>(limited(x));
}

}  // namespace hepml::layers
