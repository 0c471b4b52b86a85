// Pooling, and the affine functions of single elements.

/// Rows or columns [first, last) of the image that a window covers.
struct Covered {
  std::size_t first, last;
};

/// Of the window at output `index`.
HEPML_INLINE Covered window(std::size_t index, std::size_t step, std::size_t pad, std::size_t pool,
                            std::size_t size) {
  const std::size_t start = index * step;  // in padded coordinates
  return {start > pad ? start - pad : 0, smaller(start + pool - pad, size)};
}

/// The larger one; b if it is NaN.
HEPML_INLINE V pooled(V a, V b) {
  return b <= a ? a : b;
}

/// Windows of two columns, side by side, of pixels of N channels: whole vectors of outputs. Returns the
/// pixels done.
template <std::size_t N>
HEPML_INLINE std::size_t pool_pairs(const float* top, const float* bottom, std::size_t n, float* out) {
  constexpr std::size_t pixels = width / N;
  std::size_t done = 0;
  for (; done + pixels <= n; done += pixels, top += 2 * width, bottom += 2 * width, out += width) {
    const V left = pooled(load(top), load(bottom));
    const V right = pooled(load(top + width), load(bottom + width));
    store(out, pooled(even_groups<N>(left, right), odd_groups<N>(left, right)));
  }
  return done;
}

/// The pixels of a row of outputs that pool_pairs can do.
HEPML_INLINE std::size_t pool_whole_pairs(const PoolArgs& args, const View& x, const View& y, std::size_t row,
                                          Covered rows) {
  if (args.pool_columns != 2 || args.column_step != 2 || args.pad_left != 0 || rows.last - rows.first > 2)
    return 0;
  const float* top = x.data + rows.first * x.row_stride;
  const float* bottom = x.data + (rows.last - 1) * x.row_stride;
  float* out = y.data + row * y.row_stride;
  const std::size_t n = smaller(x.columns / 2, y.columns);
  if (x.channels == 1) return pool_pairs<1>(top, bottom, n, out);
  if (x.channels == 2) return pool_pairs<2>(top, bottom, n, out);
  if constexpr (width >= 8) {
    if (x.channels == 4) return pool_pairs<4>(top, bottom, n, out);
  }
  if constexpr (width >= 16) {
    if (x.channels == 8) return pool_pairs<8>(top, bottom, n, out);
  }
  return 0;
}

/// One pixel. In order, lanes that are not its own may be written: those are the next pixel's, who comes
/// later.
template <bool in_order>
HEPML_INLINE void pool_pixel(const PoolArgs& args, const View& x, const View& y, std::size_t row,
                             std::size_t column, Covered rows) {
  const std::size_t n = x.channels;
  const Covered columns = window(column, args.column_step, args.pad_left, args.pool_columns, x.columns);
  const float* corner = x.data + rows.first * x.row_stride + columns.first * n;
  const float* last = x.data + (rows.last - 1) * x.row_stride + (columns.last - 1) * n;
  const float* x_end = x.data + (x.rows - 1) * x.row_stride + x.columns * n;
  float* out = y.data + row * y.row_stride + column * n;
  const float* y_end = y.data + row * y.row_stride + y.columns * n;
  for (std::size_t c = 0; c < n; c += width) {
    const std::size_t lanes = smaller(width, n - c);
    const std::size_t end = c + width;
    if (end <= n || (in_order && end <= static_cast<std::size_t>(x_end - last) &&
                     end <= static_cast<std::size_t>(y_end - out))) {
      V best = load(corner + c);
      for (const float* line = corner + c; line <= last + c; line += x.row_stride) {
        for (std::size_t j = 0; j < columns.last - columns.first; ++j) {
          const V value = load(line + j * n);
          best = pooled(best, value);
        }
      }
      store(out + c, best);
      continue;
    }
    V best = load_some(corner + c, lanes, 0.0F);
    for (const float* line = corner + c; line <= last + c; line += x.row_stride) {
      for (std::size_t j = 0; j < columns.last - columns.first; ++j) {
        const V value = load_some(line + j * n, lanes, 0.0F);
        best = pooled(best, value);
      }
    }
    store_some(out + c, best, lanes);
  }
}

HEPML_INLINE Covered pool_rows(const PoolArgs& args, const View& x, std::size_t row) {
  return window(row, args.row_step, args.pad_top, args.pool_rows, x.rows);
}

void maxpool2d(const PoolArgs& args, const View& x, const View& y) noexcept {
  for (std::size_t row = 0; row < y.rows; ++row) {
    const Covered rows = pool_rows(args, x, row);
    for (std::size_t column = pool_whole_pairs(args, x, y, row, rows); column < y.columns; ++column)
      pool_pixel<true>(args, x, y, row, column, rows);
  }
}

void maxpool2d_at(const PoolArgs& args, const View& x, const View& y, const Pixel* pixels,
                  std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t row = pixels[i].row;
    pool_pixel<false>(args, x, y, row, pixels[i].column, pool_rows(args, x, row));
  }
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

std::uint64_t filled(const float* x, std::size_t n) noexcept {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < n; i += width) {
    const V v = n - i >= width ? load(x + i) : load_some(x + i, n - i, 0.0F);
    bits |= static_cast<std::uint64_t>(filled_lanes(v)) << i;
  }
  return bits;
}

std::uint64_t common_at(const std::uint64_t* a, const std::uint32_t* at, std::size_t n,
                        const std::uint64_t* b) noexcept {
  std::uint64_t sums[4] = {};
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (std::size_t k = 0; k < 4; ++k)
      sums[k] += static_cast<std::uint64_t>(__builtin_popcountll(a[i + k] & b[at[i + k]]));
  }
  for (; i < n; ++i) sums[0] += static_cast<std::uint64_t>(__builtin_popcountll(a[i] & b[at[i]]));
  return sums[0] + sums[1] + sums[2] + sums[3];
}
