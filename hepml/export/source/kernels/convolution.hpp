// Direct convolution, channels last. R pixels of a row times P vectors of filters stay in registers; for
// every tap and channel one broadcast a pixel meets P vectors of weights. Weights are packed [block of 16
// filters][tap][channel][filter], the last block of 16 or 8: vectors of every width find those that they
// need side by side, and what a block of pixels reads again and again fits the first cache.

constexpr std::size_t products = 32;  // summed before they join the total: keeps float32 sums exact

struct Pixel {
  std::uint16_t row, column;
};

/// Pixels at once, so that R * P sums, P weights and a broadcast fit the registers.
constexpr std::size_t most_pixels(std::size_t P) {
  return width == 16 ? (P == 3 ? 8 : 12) : (P == 3 ? 4 : P == 2 ? 6 : 12);
}
/// Vectors of filters at once, of `left`: with two vectors a block of filters, whole blocks.
constexpr std::size_t filter_vectors(std::size_t left) {
  if (width == 8) return left <= 3 ? left : 2;
  return (left + (left + 2) / 3 - 1) / ((left + 2) / 3);
}
constexpr std::size_t filter_block = 16;
/// Where the weights of a filter begin, of `taps` taps and channels.
constexpr std::size_t weights_place(std::size_t filter, std::size_t taps) {
  return filter / filter_block * filter_block * taps + filter % filter_block;
}
/// Floats from a tap or channel to the next, of S filters.
constexpr std::size_t weights_step(std::size_t filter, std::size_t S) {
  return filter / filter_block * filter_block + filter_block > S ? S % filter_block : filter_block;
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
  static constexpr std::size_t rows = Rows, columns = Columns, run = Run, all = Rows * Columns * Run;
  std::size_t row_offset, column_offset;
};

/// Some vectors of filters: from the filter `First` on, of L; the weights are those of S.
template <std::size_t S, std::size_t L, std::size_t First>
struct Filters {
  static constexpr std::size_t P = filter_vectors(vectors(L - First)), most = most_pixels(P);
  static constexpr std::size_t end = First + P * width, lanes = end <= L ? width : L + width - end;
  static constexpr std::size_t place(std::size_t p, std::size_t taps) {
    return weights_place(First + p * width, taps);
  }
  static constexpr std::size_t step(std::size_t p) { return weights_step(First + p * width, S); }
};

constexpr std::size_t together = 2;  // products in one turn of the loop

/// Of tap and channel k of `taps`, which lies at x(r)[at].
template <class W, std::size_t R, class X>
HEPML_SOURCE_INLINE void add_product(const float* weights, std::size_t k, std::size_t at, std::size_t taps,
                                     X x, V (&sums)[R][W::P]) {
  V w[W::P];
  HEPML_SOURCE_UNROLL
  for (std::size_t p = 0; p < W::P; ++p)
    w[p] = in_register(load(weights + W::place(p, taps) + k * W::step(p)));
  HEPML_SOURCE_UNROLL
  for (std::size_t r = 0; r < R; ++r) {
    const V value = in_register(set(x(r)[at]));
    HEPML_SOURCE_UNROLL
    for (std::size_t p = 0; p < W::P; ++p) sums[r][p] = fma(value, w[p], sums[r][p]);
  }
}

/// Adds sums to totals, and begins new ones.
template <std::size_t P, std::size_t R>
HEPML_SOURCE_INLINE void join(V (&totals)[R][P], V (&sums)[R][P]) {
  HEPML_SOURCE_UNROLL
  for (std::size_t r = 0; r < R; ++r) {
    HEPML_SOURCE_UNROLL
    for (std::size_t p = 0; p < P; ++p) {
      totals[r][p] += sums[r][p];
      sums[r][p] = V{};
    }
  }
}

/// Some filters at R pixels: x(r) is where the inputs of pixel r begin, y(r) where its outputs go.
template <class W, std::size_t R, class T, class X, class Y, class F>
HEPML_SOURCE_INLINE void convolve_pixels(T taps, const float* weights, const float* bias, X x, Y y,
                                         F function) {
  constexpr std::size_t P = W::P;
  V totals[R][P];
  HEPML_SOURCE_UNROLL
  for (std::size_t p = 0; p < P; ++p) {
    HEPML_SOURCE_UNROLL
    for (std::size_t r = 0; r < R; ++r) totals[r][p] = load(bias + p * width);
  }
  V sums[R][P] = {};
  std::size_t k = 0;
  for (std::size_t row = 0; row < T::rows; ++row) {
    for (std::size_t column = 0; column < T::columns; ++column) {
      const std::size_t at = row * taps.row_offset + column * taps.column_offset;
      for (std::size_t start = 0; start < T::run; start += products) {
        const std::size_t stop = smaller(start + products, T::run);
        std::size_t i = start;
        for (; i + together <= stop; i += together, k += together) {
          HEPML_SOURCE_UNROLL
          for (std::size_t j = 0; j < together; ++j)
            add_product<W, R>(weights, k + j, at + i + j, T::all, x, sums);
        }
        for (; i < stop; ++i, ++k) add_product<W, R>(weights, k, at + i, T::all, x, sums);
        if (T::all > products) join<P, R>(totals, sums);
      }
    }
  }
  if (T::all <= products) join<P, R>(totals, sums);
  HEPML_SOURCE_UNROLL
  for (std::size_t r = 0; r < R; ++r) {
    float* out = y(r);
    HEPML_SOURCE_UNROLL
    for (std::size_t p = 0; p + 1 < P; ++p) store(out + p * width, function(totals[r][p]));
    store_some(out + (P - 1) * width, function(totals[r][P - 1]), W::lanes);
  }
}

/// R pixels side by side in one row.
template <class W, std::size_t R, class T, class F>
inline void convolve_block(T taps, const float* weights, const float* bias, const float* x,
                           std::size_t x_step, float* y, std::size_t y_step, F function) {
  convolve_pixels<W, R>(
      taps, weights, bias, [x, x_step](std::size_t r) { return x + r * x_step; },
      [y, y_step](std::size_t r) { return y + r * y_step; }, function);
}

/// A row of `columns` pixels, of which the first begins at x and y; `Columns` is their number, or 0 if it is
/// not known.
template <class W, std::size_t Columns, class T, class F>
inline void convolve_row(T taps, const float* weights, const float* bias, const float* x, std::size_t x_step,
                         float* y, std::size_t y_step, std::size_t columns, F function) {
  constexpr std::size_t most = W::most;
  std::size_t done = 0;
  if constexpr (Columns != 0) {  // as even as possible
    constexpr std::size_t pieces = (Columns + most - 1) / most;
    constexpr std::size_t large = (Columns + pieces - 1) / pieces;
    constexpr std::size_t n_large = Columns - pieces * (large - 1);
    for (std::size_t i = 0; i < n_large; ++i, done += large)
      convolve_block<W, large>(taps, weights, bias, x + done * x_step, x_step, y + done * y_step, y_step,
                               function);
    if constexpr (n_large < pieces) {
      for (std::size_t i = n_large; i < pieces; ++i, done += large - 1)
        convolve_block<W, large - 1>(taps, weights, bias, x + done * x_step, x_step, y + done * y_step,
                                     y_step, function);
    }
  } else {
    for (; done + most <= columns; done += most)
      convolve_block<W, most>(taps, weights, bias, x + done * x_step, x_step, y + done * y_step, y_step,
                              function);
    for (; done < columns; ++done)
      convolve_block<W, 1>(taps, weights, bias, x + done * x_step, x_step, y + done * y_step, y_step,
                           function);
  }
}

/// L filters from `First` on, of which the weights have S, at every pixel.
template <std::size_t S, std::size_t L, std::size_t Columns, std::size_t First = 0, class T, class F>
inline void convolve(T taps, const float* weights, const float* bias, const float* x, std::size_t x_row,
                     std::size_t x_step, float* y, std::size_t y_row, std::size_t y_step, std::size_t rows,
                     std::size_t columns, F function) {
  using W = Filters<S, L, First>;
  for (std::size_t row = 0; row < rows; ++row)
    convolve_row<W, Columns>(taps, weights, bias + First, x + row * x_row, x_step, y + First + row * y_row,
                             y_step, columns, function);
  if constexpr (W::end < L)
    convolve<S, L, Columns, W::end>(taps, weights, bias, x, x_row, x_step, y, y_row, y_step, rows, columns,
                                    function);
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
