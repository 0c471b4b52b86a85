// Pooling, and the affine functions of single elements.

/// Rows or columns [first, last) of the image that the window at output `index` covers.
HEPML_INLINE void window(std::size_t index, std::size_t step, std::size_t pad, std::size_t pool,
                         std::size_t size, std::size_t& first, std::size_t& last) {
  const std::size_t start = index * step;  // in padded coordinates
  first = start > pad ? start - pad : 0;
  last = smaller(start + pool - pad, size);
}

HEPML_INLINE void pool_pixel(const PoolArgs& args, const View& x, const View& y, std::size_t row,
                             std::size_t column) {
  const std::size_t n = x.channels;
  std::size_t row_first = 0;
  std::size_t row_last = 0;
  std::size_t first = 0;
  std::size_t last = 0;
  window(row, args.row_step, args.pad_top, args.pool_rows, x.rows, row_first, row_last);
  window(column, args.column_step, args.pad_left, args.pool_columns, x.columns, first, last);
  const float* corner = x.data + row_first * x.row_stride + first * n;
  float* out = y.data + row * y.row_stride + column * n;
  for (std::size_t c = 0; c < n; c += width) {
    const std::size_t lanes = smaller(width, n - c);
    const bool whole = lanes == width;
    V best = whole ? load(corner + c) : load_some(corner + c, lanes, 0.0F);
    for (std::size_t i = 0; i < row_last - row_first; ++i) {
      for (std::size_t j = 0; j < last - first; ++j) {
        const float* at = corner + i * x.row_stride + j * n + c;
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

void maxpool2d(const PoolArgs& args, const View& x, const View& y) noexcept {
  for (std::size_t row = 0; row < y.rows; ++row) {
    for (std::size_t column = 0; column < y.columns; ++column) pool_pixel(args, x, y, row, column);
  }
}

void maxpool2d_at(const PoolArgs& args, const View& x, const View& y, const Pixel* pixels,
                  std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) pool_pixel(args, x, y, pixels[i].row, pixels[i].column);
}

void normalize(const float* x, const float* scale, const float* shift, float* y, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) y[i] = scale[i] * (x[i] + shift[i]);
}

void add(const float* x, float* y, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) y[i] += x[i];
}

/// scaled(value, i) of every value; false if one is not finite.
template <class Scaled>
HEPML_INLINE bool prepare_each(const float* __restrict x, float* __restrict y, std::size_t n, Scaled scaled) {
  std::uint32_t bad = 0;
  for (std::size_t i = 0; i < n; ++i) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, x + i, sizeof bits);
    bad |= static_cast<std::uint32_t>((bits & 0x7f800000U) == 0x7f800000U);
    y[i] = scaled(x[i], i);
  }
  return bad == 0;
}

bool prepare(const float* x, const double* offset, const double* scale, std::size_t step, float* y,
             std::size_t n) noexcept {
  const auto apply = [](float value, double shift, double factor) {
    const auto moved = static_cast<float>(static_cast<double>(value) + shift);  // rounded, as Keras does
    return static_cast<float>(static_cast<double>(moved) * factor);
  };
  if (step != 0) {
    return prepare_each(x, y, n,
                        [&](float value, std::size_t i) { return apply(value, offset[i], scale[i]); });
  }
  const double shift = n > 0 ? offset[0] : 0.0;
  const double factor = n > 0 ? scale[0] : 0.0;
  if (shift == 0.0 && factor == 1.0)
    return prepare_each(x, y, n, [](float value, std::size_t) { return value; });
  return prepare_each(x, y, n, [=](float value, std::size_t) { return apply(value, shift, factor); });
}
