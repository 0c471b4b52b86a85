// Pooling, activations and the other functions of single elements.

/// Rows or columns [first, last) of the image that the window at output `index` covers.
HEPML_INLINE void window(std::size_t index, std::size_t step, std::size_t pad, std::size_t pool,
                         std::size_t size, std::size_t& first, std::size_t& last) {
  const std::size_t start = index * step;  // in padded coordinates
  first = start > pad ? start - pad : 0;
  last = smaller(start + pool - pad, size);
}

void maxpool2d(const PoolArgs& args, const View& x, const View& y) noexcept {
  const std::size_t n = x.channels;
  for (std::size_t row = 0; row < y.rows; ++row) {
    std::size_t row_first = 0;
    std::size_t row_last = 0;
    window(row, args.row_step, args.pad_top, args.pool_rows, x.rows, row_first, row_last);
    for (std::size_t column = 0; column < y.columns; ++column) {
      std::size_t first = 0;
      std::size_t last = 0;
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
  }
}

template <class F>
HEPML_INLINE void each(const float* x, float* y, std::size_t n, F function) {
  std::size_t i = 0;
  for (; i + width <= n; i += width) store(y + i, function(load(x + i)));
  if (i < n) store_some(y + i, function(load_some(x + i, n - i, 0.0F)), n - i);
}

void softmax(const float* x, float* y, std::size_t n) {
  if (n == 0) return;
  float top = x[0];
  for (std::size_t i = 1; i < n; ++i) top = x[i] > top || x[i] != x[i] ? x[i] : top;
  each(x, y, n, [top](V v) { return exponential(v - top); });
  float total = 0.0F;
  for (std::size_t i = 0; i < n; ++i) total += y[i];
  each(y, y, n, [total](V v) { return v / total; });
}

void activate(Activation activation, const float* x, float* y, std::size_t n) noexcept {
  const float alpha = activation.alpha;
  switch (activation.function) {
    case Function::linear:
      each(x, y, n, [](V v) { return v; });
      break;
    case Function::rectified:
      each(x, y, n, [](V v) { return at_least(v, V{}); });
      break;
    case Function::sigmoid:
      each(x, y, n, [](V v) { return sigmoid(v); });
      break;
    case Function::hard_sigmoid:
      each(x, y, n, [](V v) {
        const V line = 0.2F * v + 0.5F;
        const V low = line < 0.0F ? V{} : line;
        return low > 1.0F ? set(1.0F) : low;
      });
      break;
    case Function::tanh:
      each(x, y, n, [](V v) { return hyperbolic_tangent(v); });
      break;
    case Function::softmax:
      softmax(x, y, n);
      break;
    case Function::abs:
      each(x, y, n, [](V v) { return v < 0.0F ? -v : v; });
      break;
    case Function::elu:
      each(x, y, n, [alpha](V v) { return v >= 0.0F ? v : alpha * (exponential(v) - 1.0F); });
      break;
    case Function::leakyrelu:
      each(x, y, n, [alpha](V v) { return v > 0.0F ? v : alpha * v; });
      break;
    case Function::swish:
      each(x, y, n, [alpha](V v) { return v * sigmoid(alpha * v); });
      break;
  }
}

void normalize(const float* x, const float* scale, const float* shift, float* y, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) y[i] = scale[i] * (x[i] + shift[i]);
}

void add(const float* x, float* y, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) y[i] += x[i];
}

bool prepare(const float* x, const double* offset, const double* scale, std::size_t step, float* y,
             std::size_t n) noexcept {
  float bad = 0.0F;
  if (step == 0) {
    const double shift = n > 0 ? offset[0] : 0.0;
    const double factor = n > 0 ? scale[0] : 0.0;
    for (std::size_t i = 0; i < n; ++i) {
      const float value = x[i];
      bad += value - value == 0.0F ? 0.0F : 1.0F;
      const auto moved =
          static_cast<float>(static_cast<double>(value) + shift);  // rounded here, as Keras does
      y[i] = static_cast<float>(static_cast<double>(moved) * factor);
    }
  } else {
    for (std::size_t i = 0; i < n; ++i) {
      const float value = x[i];
      bad += value - value == 0.0F ? 0.0F : 1.0F;
      const auto moved =
          static_cast<float>(static_cast<double>(value) + offset[i]);  // rounded here, as Keras does
      y[i] = static_cast<float>(static_cast<double>(moved) * scale[i]);
    }
  }
  return bad == 0.0F;
}
