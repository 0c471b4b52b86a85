// The same convolution at single pixels.

/// R pixels anywhere.
template <class W, std::size_t R, class T, class F>
inline void convolve_some(T taps, const float* weights, const float* bias, const float* const* x,
                          float* const* y, F function) {
  convolve_pixels<W, R>(
      taps, weights, bias, [x](std::size_t r) { return x[r]; }, [y](std::size_t r) { return y[r]; },
      function);
}

/// L filters from `First` on, of which the weights have S, at n pixels of the output. The last pixels of an
/// uneven number are computed twice.
template <std::size_t S, std::size_t L, std::size_t First = 0, class T, class F>
inline void convolve_at(T taps, const float* weights, const float* bias, const float* x,
                        std::size_t x_row_step, std::size_t x_step, float* y, std::size_t y_row,
                        std::size_t y_step, const Pixel* at, std::size_t n, F function) {
  using W = Filters<S, L, First>;
  constexpr std::size_t most = W::most;
  constexpr std::size_t half = most / 2;
  const float* from[most];
  float* to[most];
  for (std::size_t start = 0; start < n; start += most) {
    const std::size_t left = smaller(n - start, most);
    const std::size_t count = left <= half ? half : most;
    for (std::size_t r = 0; r < count; ++r) {
      const Pixel pixel = at[start + smaller(r, left - 1)];
      from[r] = x + pixel.row * x_row_step + pixel.column * x_step;
      to[r] = y + First + pixel.row * y_row + pixel.column * y_step;
    }
    if (count == most) {
      convolve_some<W, most>(taps, weights, bias + First, from, to, function);
    } else {
      convolve_some<W, half>(taps, weights, bias + First, from, to, function);
    }
  }
  if constexpr (W::end < L)
    convolve_at<S, L, W::end>(taps, weights, bias, x, x_row_step, x_step, y, y_row, y_step, at, n, function);
}
