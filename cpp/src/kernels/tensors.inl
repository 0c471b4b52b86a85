// Two tensors element by element, one row to a number, one row times a matrix.

template <class F>
HEPML_INLINE void each_two(const float* a, std::size_t a_step, const float* b, std::size_t b_step, float* y,
                           std::size_t n, F function) {
  const V whole_a = set(n > 0 ? a[0] : 0.0F);
  const V whole_b = set(n > 0 ? b[0] : 0.0F);
  std::size_t i = 0;
  for (; i + width <= n; i += width) {
    store(y + i, function(a_step == 0 ? whole_a : load(a + i), b_step == 0 ? whole_b : load(b + i)));
  }
  if (i < n) {  // fill with ones: nothing divides by it
    const V last_a = a_step == 0 ? whole_a : load_some(a + i, n - i, 1.0F);
    const V last_b = b_step == 0 ? whole_b : load_some(b + i, n - i, 1.0F);
    store_some(y + i, function(last_a, last_b), n - i);
  }
}

/// p * q, infinite where it is too large.
HEPML_INLINE V product(V p, V q) {
  const VI power = (((VI)p >> 23) & 255) + (((VI)q >> 23) & 255) - 127;  // as float32 counts it
  const V quarter = power > 254 ? V{} : 0.25F * (power > 252 ? p : V{}) * q;
  const V plain = (power > 252 ? V{} : p) * q;
  const V sign = (V)((((VI)p ^ (VI)q) & static_cast<std::int32_t>(0x80000000U)) | (VI)set(infinity));
  const V close = magnitude(quarter) < 8.5070592e37F ? 4.0F * quarter : sign;
  const V large = power > 254 ? sign : close;
  const V y = power > 252 ? large : plain;
  return p != p ? p : q != q ? q : y;
}

void combine(Combination combination, const float* a, std::size_t a_step, const float* b, std::size_t b_step,
             float* y, std::size_t n) noexcept {
  const auto all = [&](auto function) { each_two(a, a_step, b, b_step, y, n, function); };
  switch (combination) {
    case Combination::add:
      return all([](V p, V q) { return p + q; });
    case Combination::subtract:
      return all([](V p, V q) { return p - q; });
    case Combination::multiply:
      return all([](V p, V q) { return product(p, q); });
    case Combination::divide:  // 1 / 0 is infinite, 0 / 0 is NaN
      return all([](V p, V q) {
        const V far = p > 0.0F ? set(infinity) : p < 0.0F ? set(-infinity) : set(__builtin_nanf(""));
        const VI negative = ((VI)q & static_cast<std::int32_t>(0x80000000U));
        const V by_zero = (V)((VI)far ^ negative);
        return q == 0.0F ? by_zero : p / (q == 0.0F ? set(1.0F) : q);
      });
    case Combination::maximum:
      return all([](V p, V q) { return ((p > q) | (p != p)) ? p : q; });
    case Combination::minimum:
      return all([](V p, V q) { return ((p < q) | (p != p)) ? p : q; });
    case Combination::prelu:
      return all([](V p, V q) { return p > 0.0F ? p : q * p; });
    case Combination::greater:
      return all([](V p, V q) { return p > q ? set(1.0F) : V{}; });
    case Combination::greater_equal:
      return all([](V p, V q) { return p >= q ? set(1.0F) : V{}; });
    case Combination::equal:
      return all([](V p, V q) { return p == q ? set(1.0F) : V{}; });
    case Combination::not_equal:
      return all([](V p, V q) { return p != q ? set(1.0F) : V{}; });
    case Combination::keep:
      return all([](V p, V q) { return q != 0.0F ? p : V{}; });
    case Combination::drop:
      return all([](V p, V q) { return q != 0.0F ? V{} : p; });
    case Combination::squared_difference:
      return all([](V p, V q) { return product(p - q, p - q); });
    case Combination::power:
      for (std::size_t i = 0; i < n; ++i) y[i] = __builtin_powf(a[i * a_step], b[i * b_step]);
      return;
    case Combination::arctan2:
      for (std::size_t i = 0; i < n; ++i) y[i] = __builtin_atan2f(a[i * a_step], b[i * b_step]);
      return;
  }
}

/// What brings a row so far down that squares do not overflow, and 1 where there is no need.
HEPML_INLINE float shrinking(const float* x, std::size_t n) {
  V top{};
  std::size_t i = 0;
  for (; i + width <= n; i += width) top = max(magnitude(load(x + i)), top);
  if (i < n) top = max(magnitude(load_some(x + i, n - i, 0.0F)), top);
  return largest(top) > 1e16F ? 5.421010862e-20F : 1.0F;  // 2^-64
}

/// Two passes, as Keras, so that a mean far from zero costs no digits.
HEPML_INLINE float mean(const float* x, std::size_t n) {
  return total(x, n, [](V v) { return v; }) / static_cast<float>(n);
}
HEPML_INLINE float mean_square(const float* x, std::size_t n, float middle, float shrink) {
  return total(x, n, [=](V v) { return (shrink * (v - middle)) * (shrink * (v - middle)); }) /
         static_cast<float>(n);
}

HEPML_INLINE float root(float x) {
  float buffer[width];
  store(buffer, square_root(set(x > 0.0F ? x : 0.0F)));
  return x < 0.0F || x != x ? __builtin_nanf("") : buffer[0];
}
HEPML_INLINE float finite_product(float a, float b) {
  float buffer[width];
  store(buffer, product(set(a), set(b)));
  return buffer[0];
}

/// In double precision: terms of both signs cancel.
HEPML_INLINE float exact_sum(const float* x, std::size_t n) {
  double all = 0.0;
  for (std::size_t i = 0; i < n; ++i) all += static_cast<double>(x[i]);
  const double largest = 3.4028234663852886e38;
  return all > largest ? infinity : all < -largest ? -infinity : static_cast<float>(all);
}

float reduce(Reduction reduction, const float* x, std::size_t n) noexcept {
  switch (reduction) {
    case Reduction::sum:
      return exact_sum(x, n);
    case Reduction::mean:
      return mean(x, n);
    case Reduction::maximum:
      return extreme(x, n, 1.0F);
    case Reduction::minimum:
      return extreme(x, n, -1.0F);
    case Reduction::variance: {
      const float shrink = shrinking(x, n);
      return finite_product(finite_product(mean_square(x, n, mean(x, n), shrink), 1.0F / shrink),
                            1.0F / shrink);
    }
    case Reduction::deviation: {
      const float shrink = shrinking(x, n);
      return root(mean_square(x, n, mean(x, n), shrink)) / shrink;
    }
    case Reduction::norm: {
      const float shrink = shrinking(x, n);
      return root(mean_square(x, n, 0.0F, shrink) * static_cast<float>(n)) / shrink;
    }
    case Reduction::log_sum_exp: {
      const float top = extreme(x, n, 1.0F);
      const float all = total(x, n, [top](V v) { return exponential(v - top); });
      float buffer[width];
      store(buffer, logarithm(set(all)));
      return top + buffer[0];
    }
    case Reduction::product: {
      float all = 1.0F;
      for (std::size_t i = 0; i < n; ++i) all = finite_product(all, x[i]);
      return all;
    }
  }
  return 0.0F;
}

void standardize(Standard standard, float epsilon, const float* x, float* y, std::size_t n) noexcept {
  const float shrink = shrinking(x, n);
  const float middle = standard == Standard::layer ? mean(x, n) : 0.0F;
  float square = mean_square(x, n, middle, shrink);
  const float least = epsilon * shrink * shrink;
  if (standard == Standard::unit) {
    square *= static_cast<float>(n);
    square = square < least ? least : square;
  } else {
    square += least;
  }
  const float size = root(square);
  const float scale = size > 0.0F ? shrink / size : size == 0.0F ? infinity : size;
  each(x, y, n, [middle, scale](V v) { return (v - middle) * scale; });
}

/// Sums of P vectors of columns, over the rows of a matrix.
template <std::size_t P>
HEPML_INLINE void row_times_columns(const float* x, std::size_t n_in, const float* matrix, std::size_t stride,
                                    std::size_t last, V* total_) {
  for (std::size_t start = 0; start < n_in; start += block) {
    const std::size_t stop = smaller(start + block, n_in);
    V sums[P] = {};
    for (std::size_t i = start; i < stop; ++i) {
      const float* row = matrix + i * stride;
      const V value = set(x[i]);
#pragma GCC unroll 4
      for (std::size_t p = 0; p < P; ++p) {
        const V weights =
            p + 1 < P || last == width ? load(row + p * width) : load_some(row + p * width, last, 0.0F);
        sums[p] = fma(value, weights, sums[p]);
      }
    }
    for (std::size_t p = 0; p < P; ++p) total_[p] += sums[p];
  }
}

void row_times_matrix(const float* x, std::size_t n_in, const float* matrix, std::size_t stride, float* y,
                      std::size_t n_out) noexcept {
  std::size_t o = 0;
  for (; o + 4 * width <= n_out; o += 4 * width) {
    V sums[4] = {};
    row_times_columns<4>(x, n_in, matrix + o, stride, width, sums);
    for (std::size_t p = 0; p < 4; ++p) store(y + o + p * width, sums[p]);
  }
  for (; o < n_out; o += width) {
    const std::size_t last = smaller(width, n_out - o);
    V sums[1] = {};
    row_times_columns<1>(x, n_in, matrix + o, stride, last, sums);
    store_some(y + o, sums[0], last);
  }
}

float dot(const float* a, const float* b, std::size_t n) noexcept {
  V sums[2] = {};
  std::size_t i = 0;
  for (; i + 2 * width <= n; i += 2 * width) {
    sums[0] = fma(load(a + i), load(b + i), sums[0]);
    sums[1] = fma(load(a + i + width), load(b + i + width), sums[1]);
  }
  for (; i < n; i += width) {
    const std::size_t lanes = smaller(width, n - i);
    if (lanes == width) {
      sums[0] = fma(load(a + i), load(b + i), sums[0]);
    } else {
      sums[1] = fma(load_some(a + i, lanes, 0.0F), load_some(b + i, lanes, 0.0F), sums[1]);
    }
  }
  return sum(sums[0] + sums[1]);
}
