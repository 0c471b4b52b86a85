// Pooling, and the affine functions of single elements.

/// Rows or columns [first, last) of the image that the window at output `index` covers.
HEPML_INLINE void window(std::size_t index, std::size_t step, std::size_t pad, std::size_t pool,
                         std::size_t size, std::size_t& first, std::size_t& last) {
  const std::size_t start = index * step;  // in padded coordinates
  first = start > pad ? start - pad : 0;
  last = smaller(start + pool - pad, size);
}

/// The largest of rows x columns pixels of n channels, from `corner` on.
HEPML_INLINE void pool_window(const float* corner, std::size_t row_stride, std::size_t rows,
                              std::size_t columns, std::size_t n, float* out) {
  for (std::size_t c = 0; c < n; c += width) {
    const std::size_t lanes = smaller(width, n - c);
    const bool whole = lanes == width;
    V best = whole ? load(corner + c) : load_some(corner + c, lanes, 0.0F);
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < columns; ++j) {
        const float* at = corner + i * row_stride + j * n + c;
        const V value = whole ? load(at) : load_some(at, lanes, 0.0F);
        best = value <= best ? best : value;  // NaN wins
      }
    }
    if (whole) {
      store(out + c, best);
    } else {
      store_some(out + c, best, lanes);
    }
  }
}

/// Of the places that a window covers in its direction, the first and the one behind the last.
struct Covered {
  std::size_t first, last;
};

HEPML_INLINE Covered covered_rows(const PoolArgs& args, const View& x, std::size_t row) {
  Covered covered{};
  window(row, args.row_step, args.pad_top, args.pool_rows, x.rows, covered.first, covered.last);
  return covered;
}

HEPML_INLINE void pool_pixel(const PoolArgs& args, const View& x, const View& y, const Covered& rows,
                             std::size_t row, std::size_t column) {
  const std::size_t n = x.channels;
  Covered columns{};
  window(column, args.column_step, args.pad_left, args.pool_columns, x.columns, columns.first, columns.last);
  const float* corner = x.data + rows.first * x.row_stride + columns.first * n;
  float* out = y.data + row * y.row_stride + column * n;
  if (rows.last - rows.first == 2 && columns.last - columns.first == 2) {  // common, and without loops
    pool_window(corner, x.row_stride, 2, 2, n, out);
  } else {
    pool_window(corner, x.row_stride, rows.last - rows.first, columns.last - columns.first, n, out);
  }
}

void maxpool2d(const PoolArgs& args, const View& x, const View& y) noexcept {
  for (std::size_t row = 0; row < y.rows; ++row) {
    const Covered rows = covered_rows(args, x, row);
    for (std::size_t column = 0; column < y.columns; ++column) pool_pixel(args, x, y, rows, row, column);
  }
}

void maxpool2d_at(const PoolArgs& args, const View& x, const View& y, const Pixel* pixels,
                  std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i)
    pool_pixel(args, x, y, covered_rows(args, x, pixels[i].row), pixels[i].row, pixels[i].column);
}

void normalize(const float* x, const float* scale, const float* shift, float* y, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) y[i] = scale[i] * (x[i] + shift[i]);
}

void add(const float* x, float* y, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) y[i] += x[i];
}

bool prepare(const float* x, const double* offset, const double* scale, std::size_t step, float* y,
             std::size_t n) noexcept {
  std::uint32_t bad = 0;  // not a float, whose sum had to keep its order
  if (step == 0) {
    const double shift = n > 0 ? offset[0] : 0.0;
    const double factor = n > 0 ? scale[0] : 0.0;
    if (shift == 0.0 && factor == 1.0) {  // the same bits: -0 becomes 0
      for (std::size_t i = 0; i < n; ++i) {
        bad |= x[i] - x[i] == 0.0F ? 0U : 1U;
        y[i] = x[i] + 0.0F;
      }
      return bad == 0;
    }
    for (std::size_t i = 0; i < n; ++i) {
      const float value = x[i];
      bad |= value - value == 0.0F ? 0U : 1U;
      const auto moved =
          static_cast<float>(static_cast<double>(value) + shift);  // rounded here, as Keras does
      y[i] = static_cast<float>(static_cast<double>(moved) * factor);
    }
  } else {
    for (std::size_t i = 0; i < n; ++i) {
      const float value = x[i];
      bad |= value - value == 0.0F ? 0U : 1U;
      const auto moved =
          static_cast<float>(static_cast<double>(value) + offset[i]);  // rounded here, as Keras does
      y[i] = static_cast<float>(static_cast<double>(moved) * scale[i]);
    }
  }
  return bad == 0;
}

std::uint64_t filled(const float* x, std::size_t n) noexcept {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < n; i += width) {
    const V v = n - i >= width ? load(x + i) : load_some(x + i, n - i, 0.0F);
    bits |= static_cast<std::uint64_t>(filled_lanes(v)) << i;
  }
  return bits;
}
