// Activations, of elements and of whole rows, and the sum of a row.

/// A sum in blocks, so that its rounding does not grow with n.
template <class F>
HEPML_INLINE float total(const float* x, std::size_t n, F term) {
  float all = 0.0F;
  for (std::size_t start = 0; start < n; start += 16 * width) {
    const std::size_t stop = smaller(start + 16 * width, n);
    V part{};
    std::size_t i = start;
    for (; i + width <= stop; i += width) part += term(load(x + i));
    if (i < stop) {
      float buffer[width];
      store(buffer, term(load_some(x + i, stop - i, 0.0F)));
      for (std::size_t k = 0; k < stop - i; ++k) all += buffer[k];
    }
    all += sum(part);
  }
  return all;
}

/// NaN wins.
HEPML_INLINE float extreme(const float* x, std::size_t n, float sign) {
  float top = x[0];
  for (std::size_t i = 1; i < n; ++i) top = sign * x[i] > sign * top || x[i] != x[i] ? x[i] : top;
  return top;
}

void softmax(const float* x, float* y, std::size_t n) {
  if (n == 0) return;
  const float top = extreme(x, n, 1.0F);
  each(x, y, n, [top](V v) { return exponential(v - top); });
  const float all = total(y, n, [](V v) { return v; });
  each(y, y, n, [all](V v) { return v / all; });
}

void log_softmax(const float* x, float* y, std::size_t n) {
  if (n == 0) return;
  const float top = extreme(x, n, 1.0F);
  const float all = total(x, n, [top](V v) { return exponential(v - top); });
  float buffer[width];
  store(buffer, logarithm(set(all)));
  const float lost = buffer[0];
  each(x, y, n, [top, lost](V v) { return (v - top) - lost; });
}

/// As Keras computes it: max(x - tau, 0), where tau comes from the k largest elements, those that the
/// projection onto the simplex keeps, and sums all of their cumulative sums.
void sparsemax(const float* x, float* y, std::size_t n) {
  if (n == 0) return;
  float least = -infinity;
  std::size_t k = 0;
  for (;;) {  // drop what the threshold of the others excludes, until nothing is
    float all = 0.0F;
    std::size_t count = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (x[i] > least) {
        all += x[i];
        ++count;
      }
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
  each(x, y, n, [tau](V v) { return v != v ? v : at_least(v - tau, V{}); });
}

HEPML_INLINE V at_most_0(V x) {
  return x > 0.0F ? V{} : x;
}

HEPML_INLINE V relu(V x, Activation a) {
  const V above = a.high < infinity ? between(x, 0.0F, a.high) : x;
  return x > a.low ? above : x != x ? x : a.alpha * (x - a.low);
}

void activate(Activation a, const float* x, float* y, std::size_t n) noexcept {
  const float alpha = a.alpha;
  switch (a.function) {
    case Function::linear:
      return each(x, y, n, [](V v) { return v; });
    case Function::rectified:
      return each(x, y, n, [](V v) { return at_least(v, V{}); });
    case Function::sigmoid:
      return each(x, y, n, [](V v) { return sigmoid(v); });
    case Function::hard_sigmoid:
      return each(x, y, n, [](V v) { return between(0.2F * v + 0.5F, 0.0F, 1.0F); });
    case Function::tanh:
      return each(x, y, n, [](V v) { return hyperbolic_tangent(v); });
    case Function::softmax:
      return softmax(x, y, n);
    case Function::abs:
      return each(x, y, n, [](V v) { return magnitude(v); });
    case Function::elu:
      return each(x, y, n,
                  [alpha](V v) { return v >= 0.0F ? v : alpha * exponential_minus_1(at_most_0(v)); });
    case Function::leakyrelu:
      return each(x, y, n, [alpha](V v) { return v > 0.0F ? v : alpha * v; });
    case Function::swish:
      return each(x, y, n, [alpha](V v) { return v * sigmoid(alpha * v); });
    case Function::relu:
      return each(x, y, n, [a](V v) { return relu(v, a); });
    case Function::clip:
      return each(x, y, n, [a](V v) { return between(v, a.low, a.high); });
    case Function::keras_hard_sigmoid:
      return each(x, y, n, [](V v) { return between(v + 3.0F, 0.0F, 6.0F) / 6.0F; });
    case Function::hard_silu:
      return each(x, y, n, [](V v) { return v * (between(v + 3.0F, 0.0F, 6.0F) / 6.0F); });
    case Function::selu:
      return each(x, y, n, [](V v) {
        return v >= 0.0F ? 1.05070099F * v : 1.75809935F * exponential_minus_1(at_most_0(v));
      });
    case Function::celu:
      return each(x, y, n, [alpha](V v) {
        const V low = between(v, -110.0F * (alpha < 0.0F ? -alpha : alpha), 0.0F);
        return ((v >= 0.0F) | (v != v)) ? v : alpha * exponential_minus_1(low / alpha);
      });
    case Function::gelu:
      return each(x, y, n, [](V v) { return gelu(v); });
    case Function::gelu_tanh:
      return each(x, y, n, [](V v) { return gelu_tanh(v); });
    case Function::mish:
      return each(x, y, n, [](V v) { return mish(v); });
    case Function::softplus:
      return each(x, y, n, [](V v) { return softplus(v); });
    case Function::softsign:
      return each(x, y, n, [](V v) { return v / (1.0F + magnitude(v)); });
    case Function::log_sigmoid:
      return each(x, y, n, [](V v) { return -softplus(-v); });
    case Function::log_softmax:
      return log_softmax(x, y, n);
    case Function::sparsemax:
      return sparsemax(x, y, n);
    case Function::hard_shrink:
      return each(x, y, n, [alpha](V v) { return ((v > alpha) | (v < -alpha) | (v != v)) ? v : V{}; });
    case Function::soft_shrink:
      return each(x, y, n, [alpha](V v) {
        const V low = v < -alpha ? v + alpha : v != v ? v : V{};
        return v > alpha ? v - alpha : low;
      });
    case Function::tanh_shrink:
      return each(x, y, n, [](V v) { return shrunk_by_tanh(v); });
    case Function::squareplus:
      return each(x, y, n, [alpha](V v) { return squareplus(v, alpha); });
    case Function::sparse_plus:
      return each(x, y, n, [](V v) {
        const V s = between(v, -1.0F, 1.0F) + 1.0F;
        return v < 1.0F ? 0.25F * s * s : v;
      });
    case Function::sparse_sigmoid:
      return each(x, y, n, [](V v) { return between(0.5F * (v + 1.0F), 0.0F, 1.0F); });
    case Function::threshold:
      return each(x, y, n, [a](V v) { return ((v > a.low) | (v != v)) ? v : set(a.alpha); });
    case Function::exp:
      return each(x, y, n, [](V v) { return exponential_full(v); });
    case Function::expm1:
      return each(x, y, n, [](V v) { return exponential_minus_1(v); });
    case Function::log:
      return each(x, y, n, [](V v) { return logarithm(v); });
    case Function::log1p:
      return each(x, y, n, [](V v) { return logarithm_of_1_plus(v); });
    case Function::sqrt:
      return each(x, y, n,
                  [](V v) { return v < 0.0F ? set(__builtin_nanf("")) : square_root(magnitude(v)); });
    case Function::rsqrt:
      return each(x, y, n, [](V v) {
        const V root = square_root(v > 0.0F ? v : set(1.0F));
        const V y_ = v == 0.0F ? set(infinity) : 1.0F / root;
        return ((v < 0.0F) | (v != v)) ? set(__builtin_nanf("")) : y_;
      });
    case Function::square:
      return each(x, y, n, [](V v) {
        const V s = between(v, -1.8446743e19F, 1.8446743e19F);
        return v == s ? s * s : v != v ? v : set(infinity);
      });
    case Function::reciprocal:
      return each(x, y, n, [](V v) {
        const V small = magnitude(v) < 2.95e-39F ? set(1.0F) : v;
        const V far = ((VI)v & static_cast<std::int32_t>(0x80000000U)) != 0 ? set(-infinity) : set(infinity);
        return magnitude(v) < 2.95e-39F ? far : 1.0F / small;
      });
    case Function::negative:
      return each(x, y, n, [](V v) { return -v; });
    case Function::sign:
      return each(x, y, n, [](V v) {
        const V s = v < 0.0F ? set(-1.0F) : v;
        return v > 0.0F ? set(1.0F) : s;
      });
    case Function::erf:
      return each(x, y, n, [](V v) { return error_function(v); });
    case Function::sinh:
      return each(x, y, n, [](V v) { return hyperbolic_sine(v); });
    case Function::cosh:
      return each(x, y, n, [](V v) { return hyperbolic_cosine(v); });
    case Function::arcsinh:
      return each(x, y, n, [](V v) { return inverse_sine_hyperbolic(v); });
    case Function::round:
      return each(x, y, n, [](V v) { return nearest_whole(v); });
    case Function::floor:
      return each(x, y, n, [](V v) { return whole_below(v); });
    case Function::ceil:
      return each(x, y, n, [](V v) { return -whole_below(-v); });
    case Function::sin:
      return each_scalar(x, y, n, [](float v) { return __builtin_sinf(v); });
    case Function::cos:
      return each_scalar(x, y, n, [](float v) { return __builtin_cosf(v); });
    case Function::tan:
      return each_scalar(x, y, n, [](float v) { return __builtin_tanf(v); });
    case Function::arctan:
      return each_scalar(x, y, n, [](float v) { return __builtin_atanf(v); });
  }
}
