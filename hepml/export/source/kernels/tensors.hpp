// Two tensors element by element, and one row to a number.

/// p * q, infinite where it is too large.
HEPML_SOURCE_INLINE V bounded_product(V p, V q) {
  const I power = ((bits(p) >> 23) & 255) + ((bits(q) >> 23) & 255) - 127;  // as float32 counts it
  const I large = power > 252;
  const V quarter = select(power > 254, V{}, 0.25F * select(large, p, V{}) * q);
  const V plain = select(large, V{}, p) * q;
  const V sign =
      from_bits(((bits(p) ^ bits(q)) & static_cast<std::int32_t>(0x80000000U)) | bits(set(infinity)));
  const V close = select(magnitude(quarter) < 8.5070592e37F, 4.0F * quarter, sign);
  const V y = select(large, select(power > 254, sign, close), plain);
  return select(p != p, p, select(q != q, q, y));
}
HEPML_SOURCE_INLINE float bounded_product(float p, float q) {
  return first(bounded_product(set(p), set(q)));
}

struct Add {
  HEPML_SOURCE_INLINE V operator()(V p, V q) const { return p + q; }
};
struct Subtract {
  HEPML_SOURCE_INLINE V operator()(V p, V q) const { return p - q; }
};
struct Multiply {
  HEPML_SOURCE_INLINE V operator()(V p, V q) const { return bounded_product(p, q); }
};
struct Divide {  // 1 / 0 is infinite, 0 / 0 is NaN
  HEPML_SOURCE_INLINE V operator()(V p, V q) const {
    const V far = select(p > 0.0F, set(infinity), select(p < 0.0F, set(-infinity), set(nan)));
    const V by_zero = from_bits(bits(far) ^ (bits(q) & static_cast<std::int32_t>(0x80000000U)));
    return select(q == 0.0F, by_zero, p / select(q == 0.0F, set(1.0F), q));
  }
};
struct Maximum {
  HEPML_SOURCE_INLINE V operator()(V p, V q) const { return select((p > q) | (p != p), p, q); }
};
struct Minimum {
  HEPML_SOURCE_INLINE V operator()(V p, V q) const { return select((p < q) | (p != p), p, q); }
};
struct Prelu {
  HEPML_SOURCE_INLINE V operator()(V p, V q) const { return select(p > 0.0F, p, q * p); }
};
struct SquaredDifference {
  HEPML_SOURCE_INLINE V operator()(V p, V q) const { return bounded_product(p - q, p - q); }
};
struct Greater {
  HEPML_SOURCE_INLINE V operator()(V p, V q) const { return select(p > q, set(1.0F), V{}); }
};
struct GreaterEqual {
  HEPML_SOURCE_INLINE V operator()(V p, V q) const { return select(p >= q, set(1.0F), V{}); }
};
struct Equal {
  HEPML_SOURCE_INLINE V operator()(V p, V q) const { return select(p == q, set(1.0F), V{}); }
};
struct NotEqual {
  HEPML_SOURCE_INLINE V operator()(V p, V q) const { return select(p != q, set(1.0F), V{}); }
};
struct Keep {
  HEPML_SOURCE_INLINE V operator()(V p, V q) const { return select(q != 0.0F, p, V{}); }
};
struct Drop {
  HEPML_SOURCE_INLINE V operator()(V p, V q) const { return select(q != 0.0F, V{}, p); }
};

/// y[i] = function(a[i * A], b[i * B]); A and B are 0 or 1.
template <std::size_t A, std::size_t B, class F>
HEPML_SOURCE_INLINE void combine(const float* a, const float* b, float* y, std::size_t n, F function) {
  if (n == 0) return;
  const V whole_a = set(a[0]), whole_b = set(b[0]);
  std::size_t i = 0;
  for (; i + width <= n; i += width)
    store(y + i, function(A == 0 ? whole_a : load(a + i), B == 0 ? whole_b : load(b + i)));
  if (i < n) {  // fill with ones: nothing divides by it
    const V last_a = A == 0 ? whole_a : load_some(a + i, n - i, 1.0F);
    const V last_b = B == 0 ? whole_b : load_some(b + i, n - i, 1.0F);
    store_some(y + i, function(last_a, last_b), n - i);
  }
}

/// What brings a row so far down that squares do not overflow, and 1 where there is no need.
HEPML_SOURCE_INLINE float shrinking(const float* x, std::size_t n) {
  float top = 0.0F;
  for (std::size_t i = 0; i < n; ++i) {
    const float a = x[i] < 0.0F ? -x[i] : x[i];
    top = a > top ? a : top;
  }
  return top > 1e16F ? 5.421010862e-20F : 1.0F;  // 2^-64
}

/// Two passes, as Keras, so that a mean far from zero costs no digits.
HEPML_SOURCE_INLINE float mean_of(const float* x, std::size_t n) {
  return total(x, n, [](V v) { return v; }) / static_cast<float>(n);
}
HEPML_SOURCE_INLINE float mean_square(const float* x, std::size_t n, float middle, float shrink) {
  const auto square = [=](V v) { return (shrink * (v - middle)) * (shrink * (v - middle)); };
  return total(x, n, square) / static_cast<float>(n);
}
HEPML_SOURCE_INLINE float safe_root(float x) {
  return x < 0.0F || x != x ? nan : root(x);
}

struct Sum {  // in double precision: terms of both signs cancel
  float operator()(const float* x, std::size_t n) const {
    double all = 0.0;
    for (std::size_t i = 0; i < n; ++i) all += static_cast<double>(x[i]);
    const double largest = 3.4028234663852886e38;
    return all > largest ? infinity : all < -largest ? -infinity : static_cast<float>(all);
  }
};
struct Mean {
  float operator()(const float* x, std::size_t n) const { return mean_of(x, n); }
};
struct Largest {
  float operator()(const float* x, std::size_t n) const { return extreme(x, n, 1.0F); }
};
struct Smallest {
  float operator()(const float* x, std::size_t n) const { return extreme(x, n, -1.0F); }
};
struct Variance {
  float operator()(const float* x, std::size_t n) const {
    const float shrink = shrinking(x, n);
    return bounded_product(bounded_product(mean_square(x, n, mean_of(x, n), shrink), 1.0F / shrink),
                           1.0F / shrink);
  }
};
struct Deviation {
  float operator()(const float* x, std::size_t n) const {
    const float shrink = shrinking(x, n);
    return safe_root(mean_square(x, n, mean_of(x, n), shrink)) / shrink;
  }
};
struct Norm {
  float operator()(const float* x, std::size_t n) const {
    const float shrink = shrinking(x, n);
    return safe_root(mean_square(x, n, 0.0F, shrink) * static_cast<float>(n)) / shrink;
  }
};
struct Product {
  float operator()(const float* x, std::size_t n) const {
    float all = 1.0F;
    for (std::size_t i = 0; i < n; ++i) all = bounded_product(all, x[i]);
    return all;
  }
};
struct LogSumExp {
  float operator()(const float* x, std::size_t n) const {
    const float top = extreme(x, n, 1.0F);
    return top + first(logarithm(set(total(x, n, [top](V v) { return exponential(v - top); }))));
  }
};

struct LogSoftmax {
  HEPML_SOURCE_INLINE void operator()(const float* x, float* y, std::size_t n) const {
    if (n == 0) return;
    const float top = extreme(x, n, 1.0F);
    const float lost = first(logarithm(set(total(x, n, [top](V v) { return exponential(v - top); }))));
    each(x, y, n, [top, lost](V v) { return (v - top) - lost; });
  }
};
/// As Keras computes it: max(x - tau, 0), where tau comes from the k largest elements, those that the
/// projection onto the simplex keeps, and sums all of their cumulative sums.
struct Sparsemax {
  HEPML_SOURCE_INLINE void operator()(const float* x, float* y, std::size_t n) const {
    if (n == 0) return;
    float least = -infinity;
    std::size_t k = 0;
    for (;;) {  // drop what the threshold of the others excludes, until nothing is
      float all = 0.0F;
      std::size_t count = 0;
      for (std::size_t i = 0; i < n; ++i) {
        all += x[i] > least ? x[i] : 0.0F;
        count += x[i] > least ? 1 : 0;
      }
      if (count == k || count == 0) break;
      k = count;
      least = (all - 1.0F) / static_cast<float>(count);
    }
    float sums = 0.0F;
    for (std::size_t i = 0; i < n; ++i) {
      std::size_t rank = 0;
      if (!(x[i] > least)) continue;
      for (std::size_t j = 0; j < n; ++j) rank += x[j] > x[i] || (j < i && x[j] == x[i]) ? 1 : 0;
      sums += x[i] * static_cast<float>(k - smaller(rank, k));
    }
    const float tau = (sums - 1.0F) / static_cast<float>(k);
    each(x, y, n, [tau](V v) { return select(v != v, v, at_least(v - tau, 0.0F)); });
  }
};

/// (x - mean) / sqrt(variance + epsilon); without the mean; or divided by the root of the sum of squares.
template <bool Centred, bool Unit>
struct Standardize {
  float epsilon;
  HEPML_SOURCE_INLINE void operator()(const float* x, float* y, std::size_t n) const {
    if (n == 0) return;
    const float shrink = shrinking(x, n);
    const float middle = Centred ? mean_of(x, n) : 0.0F;
    float square = mean_square(x, n, middle, shrink);
    const float least = epsilon * shrink * shrink;
    if (Unit) {
      square *= static_cast<float>(n);
      square = square < least ? least : square;
    } else {
      square += least;
    }
    const float size = safe_root(square);
    const float scale = size > 0.0F ? shrink / size : size == 0.0F ? infinity : size;
    each(x, y, n, [middle, scale](V v) { return (v - middle) * scale; });
  }
};
