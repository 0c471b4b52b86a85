// Direct convolution, channels last. R pixels of a row times P vectors of filters stay in registers; for
// every tap and channel one broadcast a pixel meets P vectors of weights. Weights are packed
// [panel][tap][channel][filter].

constexpr std::size_t products = 32;  // summed before they join the total: keeps float32 sums exact

struct Pixel {
  std::uint16_t row, column;
};

/// Pixels at once, so that R * P sums, P weights and a broadcast fit the registers.
constexpr std::size_t most_pixels(std::size_t P) {
  return width == 16 ? (P == 3 ? 8 : 12) : (P == 3 ? 4 : P == 2 ? 6 : 12);
}
/// Vectors of filters at once, of `left`.
constexpr std::size_t filter_vectors(std::size_t left) {
  return (left + (left + 2) / 3 - 1) / ((left + 2) / 3);
}

/// x, which the compiler then does not load again for each of its uses: there are R of them.
HEPML_SOURCE_INLINE V in_register(V x) {
#if defined(__GNUC__) && !defined(HEPML_SOURCE_PLAIN) && HEPML_SOURCE_WIDTH == 16 && defined(__AVX512F__)
  __asm__("" : "+v"(x));
#elif defined(__GNUC__) && !defined(HEPML_SOURCE_PLAIN) && HEPML_SOURCE_WIDTH == 8 && defined(__AVX__)
  __asm__("" : "+x"(x));
#elif defined(__GNUC__) && !defined(HEPML_SOURCE_PLAIN) && HEPML_SOURCE_WIDTH == 4 && defined(__SSE__)
  __asm__("" : "+x"(x));
#endif
  return x;
}

/// Where the inputs of a pixel lie: rows and columns of stretches of neighbours.
template <std::size_t Rows, std::size_t Columns, std::size_t Run>
struct Taps {
  static constexpr std::size_t rows = Rows, columns = Columns, run = Run;
  std::size_t row_offset, column_offset;
};

/// P vectors of filters, of which the last has `Lanes`, at R pixels: x(r) is where the inputs of pixel r
/// begin, y(r) where its outputs go; S floats of weights a tap and channel.
template <std::size_t P, std::size_t R, std::size_t S, std::size_t Lanes, class T, class X, class Y, class F>
HEPML_SOURCE_INLINE void convolve_pixels(T taps, const float* weights, const float* bias, X x, Y y,
                                         F function) {
  V totals[R][P];
  HEPML_SOURCE_UNROLL
  for (std::size_t p = 0; p < P; ++p) {
    HEPML_SOURCE_UNROLL
    for (std::size_t r = 0; r < R; ++r) totals[r][p] = load(bias + p * width);
  }
  for (std::size_t row = 0; row < T::rows; ++row) {
    for (std::size_t column = 0; column < T::columns; ++column) {
      const std::size_t at = row * taps.row_offset + column * taps.column_offset;
      for (std::size_t start = 0; start < T::run; start += products) {
        const std::size_t stop = smaller(start + products, T::run);
        V sums[R][P] = {};
        for (std::size_t i = start; i < stop; ++i, weights += S) {
          V w[P];
          HEPML_SOURCE_UNROLL
          for (std::size_t p = 0; p < P; ++p) w[p] = in_register(load(weights + p * width));
          HEPML_SOURCE_UNROLL
          for (std::size_t r = 0; r < R; ++r) {
            const V value = set(x(r)[at + i]);
            HEPML_SOURCE_UNROLL
            for (std::size_t p = 0; p < P; ++p) sums[r][p] = fma(value, w[p], sums[r][p]);
          }
        }
        HEPML_SOURCE_UNROLL
        for (std::size_t r = 0; r < R; ++r) {
          HEPML_SOURCE_UNROLL
          for (std::size_t p = 0; p < P; ++p) totals[r][p] += sums[r][p];
        }
      }
    }
  }
  HEPML_SOURCE_UNROLL
  for (std::size_t r = 0; r < R; ++r) {
    float* out = y(r);
    HEPML_SOURCE_UNROLL
    for (std::size_t p = 0; p + 1 < P; ++p) store(out + p * width, function(totals[r][p]));
    store_some(out + (P - 1) * width, function(totals[r][P - 1]), Lanes);
  }
}

/// R pixels side by side in one row.
template <std::size_t P, std::size_t R, std::size_t S, std::size_t Lanes, class T, class F>
inline void convolve_block(T taps, const float* weights, const float* bias, const float* x,
                           std::size_t x_step, float* y, std::size_t y_step, F function) {
  convolve_pixels<P, R, S, Lanes>(
      taps, weights, bias, [x, x_step](std::size_t r) { return x + r * x_step; },
      [y, y_step](std::size_t r) { return y + r * y_step; }, function);
}

/// `count` rows of `columns` pixels, of which the first begins at x and y; `Columns` is their number, or 0 if
/// it is not known.
template <std::size_t P, std::size_t S, std::size_t Lanes, std::size_t Columns, class T, class F>
inline void convolve_row(T taps, const float* weights, const float* bias, const float* x, std::size_t x_step,
                         float* y, std::size_t y_step, std::size_t columns, F function) {
  constexpr std::size_t most = most_pixels(P);
  std::size_t done = 0;
  if constexpr (Columns != 0) {  // as even as possible
    constexpr std::size_t pieces = (Columns + most - 1) / most;
    constexpr std::size_t large = (Columns + pieces - 1) / pieces;
    constexpr std::size_t n_large = Columns - pieces * (large - 1);
    for (std::size_t i = 0; i < n_large; ++i, done += large)
      convolve_block<P, large, S, Lanes>(taps, weights, bias, x + done * x_step, x_step, y + done * y_step,
                                         y_step, function);
    if constexpr (n_large < pieces) {
      for (std::size_t i = n_large; i < pieces; ++i, done += large - 1)
        convolve_block<P, large - 1, S, Lanes>(taps, weights, bias, x + done * x_step, x_step,
                                               y + done * y_step, y_step, function);
    }
  } else {
    for (; done + most <= columns; done += most)
      convolve_block<P, most, S, Lanes>(taps, weights, bias, x + done * x_step, x_step, y + done * y_step,
                                        y_step, function);
    for (; done < columns; ++done)
      convolve_block<P, 1, S, Lanes>(taps, weights, bias, x + done * x_step, x_step, y + done * y_step,
                                     y_step, function);
  }
}

/// L filters of a panel of S, from its filter `First` on, at every pixel.
template <std::size_t S, std::size_t L, std::size_t Columns, std::size_t First = 0, class T, class F>
inline void convolve(T taps, const float* weights, const float* bias, const float* x, std::size_t x_row,
                     std::size_t x_step, float* y, std::size_t y_row, std::size_t y_step, std::size_t rows,
                     std::size_t columns, F function) {
  constexpr std::size_t P = filter_vectors(vectors(L - First));
  constexpr std::size_t lanes = L - First - (P - 1) * width < width ? L - First - (P - 1) * width : width;
  for (std::size_t row = 0; row < rows; ++row)
    convolve_row<P, S, lanes, Columns>(taps, weights + First, bias + First, x + row * x_row, x_step,
                                       y + First + row * y_row, y_step, columns, function);
  if constexpr (First + P * width < L)
    convolve<S, L, Columns, First + P * width>(taps, weights, bias, x, x_row, x_step, y, y_row, y_step, rows,
                                               columns, function);
}

/// F vectors of pixels, one a filter, to pixels of F filters.
template <std::size_t F>
HEPML_SOURCE_INLINE void store_turned(float* out, const V* v) {
  if constexpr (F == 1) {
    store(out, v[0]);
  } else if constexpr (F == 2) {
    const Zipped both = zip(v[0], v[1]);
    store(out, both.low);
    store(out + width, both.high);
  } else {
    const Zipped even = zip(v[0], v[2]), odd = zip(v[1], v[3]);
    const Zipped low = zip(even.low, odd.low), high = zip(even.high, odd.high);
    store(out, low.low);
    store(out + width, low.high);
    store(out + 2 * width, high.low);
    store(out + 3 * width, high.high);
  }
}

/// As convolve, of images of one channel to 1, 2 or 4 filters without steps and dilation of columns: the
/// lanes are pixels side by side, and are turned at the end.
template <std::size_t S, std::size_t L, std::size_t Columns, class T, class F>
inline void convolve_few(T taps, const float* weights, const float* bias, const float* x, std::size_t x_row,
                         std::size_t x_step, float* y, std::size_t y_row, std::size_t y_step,
                         std::size_t rows, std::size_t columns, F function) {
  if constexpr (2 * L > width || Columns < width) {
    convolve<S, L, Columns>(taps, weights, bias, x, x_row, x_step, y, y_row, y_step, rows, columns, function);
  } else {
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t done = 0; done < Columns; done += width) {
        const std::size_t column = smaller(done, Columns - width);  // the last ones overlap
        V totals[L];
        HEPML_SOURCE_UNROLL
        for (std::size_t f = 0; f < L; ++f) totals[f] = set(bias[f]);
        const float* w = weights;
        for (std::size_t i = 0; i < T::rows; ++i) {
          const float* from = x + row * x_row + i * taps.row_offset + column;
          for (std::size_t start = 0; start < T::run; start += products) {
            const std::size_t stop = smaller(start + products, T::run);
            V sums[L] = {};
            for (std::size_t k = start; k < stop; ++k, w += S) {
              const V value = load(from + k);
              HEPML_SOURCE_UNROLL
              for (std::size_t f = 0; f < L; ++f) sums[f] = fma(value, set(w[f]), sums[f]);
            }
            HEPML_SOURCE_UNROLL
            for (std::size_t f = 0; f < L; ++f) totals[f] += sums[f];
          }
        }
        HEPML_SOURCE_UNROLL
        for (std::size_t f = 0; f < L; ++f) totals[f] = function(totals[f]);
        store_turned<L>(y + row * y_row + column * L, totals);
      }
    }
  }
}
