// Windows that move along one, two or three axes: convolutions in groups, in depth, by channel and
// transposed, and poolings of volumes. What other kernels do faster is not here.

/// An axis of the input: `taps` places of the window, and how it moves. Transposed, it spreads an input over
/// the outputs.
struct Axis {
  std::size_t taps, step, dilation, before, size;
  bool transposed;
  /// The input under a tap at an output; `size` or more outside.
  HEPML_SOURCE_INLINE std::size_t input(std::size_t output, std::size_t tap) const {
    if (!transposed) return output * step + tap * dilation - before;
    const std::size_t at = output + before - tap * dilation;
    return at % step == 0 ? at / step : size;
  }
};
/// Depth, rows and columns; floats from row to row and from column to column of the input.
struct Space {
  Axis depth, rows, columns;
  std::size_t row_stride, column_stride;
};

/// tap(index, places of the input) for every tap at R outputs of a row that lie `apart`, `count` of them from
/// column c on; a place is no_place outside.
constexpr std::size_t no_place = static_cast<std::size_t>(-1);
template <std::size_t R, class F>
HEPML_SOURCE_INLINE void each_tap(const Space& x, std::size_t d, std::size_t r, std::size_t c,
                                  std::size_t apart, std::size_t count, F tap) {
  std::size_t index = 0;
  for (std::size_t i = 0; i < x.depth.taps; ++i) {
    const std::size_t depth = x.depth.input(d, i);
    for (std::size_t j = 0; j < x.rows.taps; ++j) {
      const std::size_t row = x.rows.input(r, j);
      if (depth >= x.depth.size || row >= x.rows.size) {
        index += x.columns.taps;
        continue;
      }
      const std::size_t begin = (depth * x.rows.size + row) * x.row_stride;
      for (std::size_t k = 0; k < x.columns.taps; ++k, ++index) {
        std::size_t places[R];
        bool any = false;
        HEPML_SOURCE_UNROLL
        for (std::size_t n = 0; n < R; ++n) {
          const std::size_t column = x.columns.input(c + smaller(n, count - 1) * apart, k);
          const bool inside = column < x.columns.size;
          places[n] = inside ? begin + column * x.column_stride : no_place;
          any |= inside;
        }
        if (any) tap(index, places);
      }
    }
  }
}

constexpr std::size_t abreast_pixels = 4;

/// In inputs to Out filters, from the filter `First` on, at up to `abreast_pixels` outputs. S floats of
/// weights a tap and input; `none` are zeros, for taps outside of the input.
template <std::size_t In, std::size_t Out, std::size_t S, std::size_t First = 0, class F>
inline void window_products(const Space& space, const float* x, const float* none, const float* weights,
                            const float* bias, float* y, std::size_t y_step, std::size_t d, std::size_t r,
                            std::size_t c, std::size_t apart, std::size_t count, F function) {
  constexpr std::size_t R = abreast_pixels, P = vectors(Out - First) < 2 ? 1 : 2, most = 32;
  V totals[R][P];
  HEPML_SOURCE_UNROLL
  for (std::size_t p = 0; p < P; ++p) {
    HEPML_SOURCE_UNROLL
    for (std::size_t k = 0; k < R; ++k) totals[k][p] = load(bias + First + p * width);
  }
  each_tap<R>(space, d, r, c, apart, count, [&](std::size_t index, const std::size_t* places) {
    const float* from[R];
    HEPML_SOURCE_UNROLL
    for (std::size_t n = 0; n < R; ++n) from[n] = places[n] == no_place ? none : x + places[n];
    const float* w = weights + index * In * S + First;
    for (std::size_t start = 0; start < In; start += most) {
      const std::size_t stop = smaller(start + most, In);
      V sums[R][P] = {};
      for (std::size_t at = start; at < stop; ++at, w += S) {
        V values[P];
        HEPML_SOURCE_UNROLL
        for (std::size_t p = 0; p < P; ++p) values[p] = load(w + p * width);
        HEPML_SOURCE_UNROLL
        for (std::size_t n = 0; n < R; ++n) {
          const V input = set(from[n][at]);
          HEPML_SOURCE_UNROLL
          for (std::size_t p = 0; p < P; ++p) sums[n][p] = fma(input, values[p], sums[n][p]);
        }
      }
      HEPML_SOURCE_UNROLL
      for (std::size_t n = 0; n < R; ++n) {
        HEPML_SOURCE_UNROLL
        for (std::size_t p = 0; p < P; ++p) totals[n][p] += sums[n][p];
      }
    }
  });
  for (std::size_t n = 0; n < count; ++n) {
    HEPML_SOURCE_UNROLL
    for (std::size_t p = 0; p < P; ++p) {
      const std::size_t filter = First + p * width;
      store_some(y + n * apart * y_step + filter, function(totals[n][p]), smaller(width, Out - filter));
    }
  }
  if constexpr (First + P * width < Out)
    window_products<In, Out, S, First + P * width>(space, x, none, weights, bias, y, y_step, d, r, c, apart,
                                                   count, function);
}

/// Where the outputs lie.
struct Places {
  std::size_t depth, rows, columns, row_stride, column_stride;
};

/// Groups of In inputs and Out filters each; weights are [group][tap][in][S].
template <std::size_t Groups, std::size_t In, std::size_t Out, std::size_t S, class F>
inline void convolve_windows(const Space& space, const float* x, const float* none, const float* weights,
                             const float* bias, float* y, const Places& to, F function) {
  const std::size_t taps = space.depth.taps * space.rows.taps * space.columns.taps;
  const std::size_t apart = space.columns.transposed ? space.columns.step : 1;  // the same taps are inside
  for (std::size_t g = 0; g < Groups; ++g) {
    for (std::size_t d = 0; d < to.depth; ++d) {
      for (std::size_t r = 0; r < to.rows; ++r) {
        float* row = y + (d * to.rows + r) * to.row_stride + g * Out;
        for (std::size_t phase = 0; phase < smaller(apart, to.columns); ++phase) {
          const std::size_t n = (to.columns - phase + apart - 1) / apart;
          for (std::size_t k = 0; k < n; k += abreast_pixels) {
            const std::size_t c = phase + k * apart;
            window_products<In, Out, S>(space, x + g * In, none, weights + g * taps * In * S, bias + g * S,
                                        row + c * to.column_stride, to.column_stride, d, r, c, apart,
                                        smaller(abreast_pixels, n - k), function);
          }
        }
      }
    }
  }
}

/// body(d, r, c, y) for every output.
template <class F>
HEPML_SOURCE_INLINE void each_place(const Places& to, float* y, F body) {
  for (std::size_t d = 0; d < to.depth; ++d) {
    for (std::size_t r = 0; r < to.rows; ++r) {
      float* row = y + (d * to.rows + r) * to.row_stride;
      for (std::size_t c = 0; c < to.columns; ++c) body(d, r, c, row + c * to.column_stride);
    }
  }
}

/// Each channel on its own, to Multiplier filters; weights are [tap][channel][filter].
template <std::size_t Channels, std::size_t Multiplier, class F>
inline void convolve_channels(const Space& space, const float* x, const float* weights, const float* bias,
                              float* y, const Places& to, F function) {
  constexpr std::size_t n = Channels * Multiplier;
  each_place(to, y, [&](std::size_t d, std::size_t r, std::size_t c, float* out) {
    copy_floats(bias, out, n);
    each_tap<1>(space, d, r, c, 1, 1, [&](std::size_t index, const std::size_t* place) {
      const float* from = x + *place;
      const float* w = weights + index * n;
      for (std::size_t i = 0; i < Channels; ++i) {
        for (std::size_t k = 0; k < Multiplier; ++k)
          out[i * Multiplier + k] += from[i] * w[i * Multiplier + k];
      }
    });
    each(out, out, n, function);
  });
}

/// The largest (NaN wins), or the mean.
template <bool Largest, std::size_t Channels>
inline void pool_windows(const Space& space, const float* x, float* y, const Places& to) {
  each_place(to, y, [&](std::size_t d, std::size_t r, std::size_t c, float* out) {
    float count = 0.0F;
    fill(out, Channels, Largest ? -infinity : 0.0F);
    each_tap<1>(space, d, r, c, 1, 1, [&](std::size_t, const std::size_t* place) {
      const float* from = x + *place;
      count += 1.0F;
      for (std::size_t i = 0; i < Channels; ++i) {
        if (Largest) {
          out[i] = from[i] > out[i] || from[i] != from[i] ? from[i] : out[i];
        } else {
          out[i] += from[i];
        }
      }
    });
    if (Largest) return;
    for (std::size_t i = 0; i < Channels; ++i) out[i] /= count;
  });
}
