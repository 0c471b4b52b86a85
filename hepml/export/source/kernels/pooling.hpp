// Poolings; places outside of the input do not count.

struct Pool {
  std::size_t reach, step, before;
};

/// Places [first, last) of an axis that the window at output `index` covers.
HEPML_SOURCE_INLINE void window(std::size_t index, Pool pool, std::size_t size, std::size_t& first,
                                std::size_t& last) {
  const std::size_t start = index * pool.step;
  first = start > pool.before ? start - pool.before : 0;
  last = smaller(start + pool.reach - pool.before, size);
}

/// The largest (NaN wins), or the mean.
template <bool Largest, std::size_t Channels>
HEPML_SOURCE_INLINE void pool_pixel(const float* x, std::size_t rows, std::size_t columns, std::size_t x_row,
                                    Pool by_row, Pool by_column, std::size_t row, std::size_t column,
                                    float* y) {
  std::size_t row_first = 0, row_last = 0, first = 0, last = 0;
  window(row, by_row, rows, row_first, row_last);
  window(column, by_column, columns, first, last);
  x += row_first * x_row + first * Channels;
  const auto count = static_cast<float>((row_last - row_first) * (last - first));
  for (std::size_t c = 0; c < Channels; c += width) {
    const bool whole = c + width <= Channels;
    V best = Largest ? set(-infinity) : V{};
    for (std::size_t i = 0; i < row_last - row_first; ++i) {
      for (std::size_t j = 0; j < last - first; ++j) {
        const float* at = x + i * x_row + j * Channels + c;
        const V value = whole ? load(at) : load_some(at, Channels - c, 0.0F);
        best = Largest ? select(value <= best, best, value) : best + value;
      }
    }
    if (!Largest) best = best / set(count);
    if (whole) {
      store(y + c, best);
    } else {
      store_some(y + c, best, Channels - c);
    }
  }
}

HEPML_SOURCE_INLINE V larger(V a, V b) {
  return select(b <= a, a, b);
}

/// Maxima of pairs of columns in one or two rows: whole vectors of outputs, the last ones overlap. Returns
/// the pixels done.
template <std::size_t Channels>
HEPML_SOURCE_INLINE std::size_t pool_pairs(const float* top, const float* bottom, std::size_t n, float* y) {
  constexpr std::size_t pixels = width / Channels;
  if (n < pixels) return 0;
  for (std::size_t next = 0; next < n; next += pixels) {
    const std::size_t first = smaller(next, n - pixels), at = 2 * first * Channels;
    const Parted both = part<Channels>(larger(load(top + at), load(bottom + at)),
                                       larger(load(top + at + width), load(bottom + at + width)));
    store(y + first * Channels, larger(both.even, both.odd));
  }
  return n;
}

template <bool Largest, std::size_t Channels>
inline void pool(const float* x, std::size_t rows, std::size_t columns, std::size_t x_row, Pool by_row,
                 Pool by_column, float* y, std::size_t y_rows, std::size_t y_columns, std::size_t y_row) {
  for (std::size_t row = 0; row < y_rows; ++row) {
    std::size_t column = 0;
    if constexpr (Largest && 2 * Channels <= width && width % Channels == 0) {
      std::size_t top = 0, end = 0;
      window(row, by_row, rows, top, end);
      if (by_column.reach == 2 && by_column.step == 2 && by_column.before == 0 && end - top <= 2)
        column = pool_pairs<Channels>(x + top * x_row, x + (end - 1) * x_row, smaller(columns / 2, y_columns),
                                      y + row * y_row);
    }
    for (; column < y_columns; ++column)
      pool_pixel<Largest, Channels>(x, rows, columns, x_row, by_row, by_column, row, column,
                                    y + row * y_row + column * Channels);
  }
}

/// Over all places; of no places, zeros.
template <bool Largest>
inline void pool_all(const float* x, std::size_t rows, std::size_t columns, std::size_t x_row,
                     std::size_t channels, float* y) {
  const bool empty = rows * columns == 0;
  fill(y, channels, Largest && !empty ? -infinity : 0.0F);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns; ++column) {
      const float* from = x + row * x_row + column * channels;
      for (std::size_t c = 0; c < channels; ++c) {
        if (!Largest) {
          y[c] += from[c];
        } else if (from[c] > y[c] || from[c] != from[c]) {
          y[c] = from[c];
        }
      }
    }
  }
  if (Largest || empty) return;
  const auto count = static_cast<float>(rows * columns);
  for (std::size_t c = 0; c < channels; ++c) y[c] /= count;
}
