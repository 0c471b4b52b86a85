#pragma once

#include <cstddef>

#include "layers/layer.hpp"

// Tensors of any rank as sizes and strides: for layers that move along axes.
namespace hepml::layers {

constexpr std::size_t most_axes = 8;

/// Floats between neighbours along each axis, in the order of the Shape.
struct Strided {
  std::size_t rank = 0;
  std::size_t size[most_axes] = {};
  std::ptrdiff_t stride[most_axes] = {};
};

/// Of a tensor in memory; the steps of a sequence are those of this event.
Strided strided(const Shape& shape, const View& view) noexcept;

/// Of a tensor without gaps.
Strided packed(const Shape& shape) noexcept;

/// `of` with axes of length 1 in front, and no step along those that are repeated to the sizes of `to`.
Strided spread(const Strided& of, const Strided& to) noexcept;

/// Visits the places of N tensors together. Axes that follow each other without a gap become one.
template <std::size_t N>
class Walk {
 public:
  /// The next axis, outermost first; a length of 1 is left out.
  template <class... Step>
  void axis(std::size_t size, Step... steps) noexcept {
    static_assert(sizeof...(steps) == N);
    const std::ptrdiff_t given[N] = {steps...};
    if (size == 0) empty_ = true;
    if (size <= 1) return;
    if (n_ > 0) {
      bool joined = true;
      for (std::size_t i = 0; i < N; ++i)
        joined &= step_[n_ - 1][i] == given[i] * static_cast<std::ptrdiff_t>(size);
      if (joined) {
        size_[n_ - 1] *= size;
        for (std::size_t i = 0; i < N; ++i) step_[n_ - 1][i] = given[i];
        return;
      }
    }
    size_[n_] = size;
    for (std::size_t i = 0; i < N; ++i) step_[n_][i] = given[i];
    ++n_;
  }

  /// Takes the innermost axis away: its length is returned, its steps are put into `steps`.
  std::size_t innermost(std::ptrdiff_t (&steps)[N]) noexcept {
    for (std::ptrdiff_t& step : steps) step = 1;
    if (n_ == 0) return 1;
    --n_;
    for (std::size_t i = 0; i < N; ++i) steps[i] = step_[n_][i];
    return size_[n_];
  }
  const std::ptrdiff_t* innermost_steps() const noexcept { return n_ == 0 ? nullptr : step_[n_ - 1]; }

  /// function(offsets[N]) for every place.
  template <class F>
  void run(F function) const noexcept {
    if (empty_) return;
    std::ptrdiff_t at[N] = {};
    std::size_t index[most_axes] = {};
    for (;;) {
      function(at);
      std::size_t axis = n_;
      for (; axis > 0; --axis) {
        const std::size_t k = axis - 1;
        if (++index[k] < size_[k]) {
          for (std::size_t i = 0; i < N; ++i) at[i] += step_[k][i];
          break;
        }
        for (std::size_t i = 0; i < N; ++i) at[i] -= step_[k][i] * static_cast<std::ptrdiff_t>(size_[k] - 1);
        index[k] = 0;
      }
      if (axis == 0) return;
    }
  }

 private:
  std::size_t n_ = 0;
  bool empty_ = false;
  std::size_t size_[most_axes] = {};
  std::ptrdiff_t step_[most_axes][N] = {};
};

/// to[place] = from[place], where both have the same sizes.
void copy(const float* from, const Strided& x, float* to, const Strided& y) noexcept;

/// Which axes are meant by the key `axes`: a list of different ones, in order.
std::vector<std::size_t> read_axes(const At& layer, const Shape& input);
/// Throws Error (unsupported) beyond most_axes.
void need_axes(const At& layer, const Shape& shape);
/// Throws Error (schema) if the steps differ by event.
void need_fixed(const At& layer, const Shape& shape);
/// The key `shape`: sizes of a tensor.
Shape read_shape(const At& layer);

}  // namespace hepml::layers
