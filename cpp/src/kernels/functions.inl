// Functions of single elements. Nothing here overflows, divides by
// zero or takes the root of a negative number on finite input: what is infinite or NaN is put there.

template <class F>
HEPML_INLINE void each(const float* x, float* y, std::size_t n, F function) {
  std::size_t i = 0;
  for (; i + width <= n; i += width) store(y + i, function(load(x + i)));
  if (i < n) store_some(y + i, function(load_some(x + i, n - i, 0.0F)), n - i);
}

constexpr float infinity = __builtin_inff();

HEPML_INLINE V magnitude(V x) {
  return x < 0.0F ? -x : x;
}
HEPML_INLINE V between(V x, float low, float high) {
  const V above = x < low ? set(low) : x;
  return above > high ? set(high) : above;
}

/// exp(x) with the infinities and zeros of float32 beyond its range.
HEPML_INLINE V exponential_full(V x) {
  const V half = exponential(0.5F * between(x, -100.0F, 88.72F));
  const V y = half * half;
  const V low = x < -103.0F ? V{} : y;
  return x > 88.72283F ? set(infinity) : low;
}

/// exp(x) - 1, relative to itself; infinite beyond the range.
HEPML_INLINE V exponential_minus_1(V x) {
  const V s = between(x, -1.0F, 1.0F);
  V p = set(1.9849806267e-04F);
  p = p * s + 1.3996177586e-03F;
  p = p * s + 8.3335787058e-03F;
  p = p * s + 4.1665360332e-02F;
  p = p * s + 1.6666664183e-01F;
  p = p * s + 5.0000005960e-01F;
  const V small = s + s * s * p;
  return magnitude(x) < 0.5F ? small : exponential_full(x) - 1.0F;
}

/// Of positive, normal numbers.
HEPML_INLINE V logarithm_normal(V x) {
  const VI bits = (VI)x;
  const VI power = ((bits - 0x3f3504f3) >> 23);  // sqrt(1/2) becomes the smallest mantissa
  const V f = (V)(bits - (power << 23)) - 1.0F;
  V p = set(6.7466013134e-02F);
  p = p * f - 1.1675640941e-01F;
  p = p * f + 1.1888174713e-01F;
  p = p * f - 1.2405591458e-01F;
  p = p * f + 1.4219550788e-01F;
  p = p * f - 1.6667996347e-01F;
  p = p * f + 2.0002119243e-01F;
  p = p * f - 2.5000008941e-01F;
  p = p * f + 3.3333313465e-01F;
  const V s = f * f;
  const V n = __builtin_convertvector(power, V);
  return n * 0.693359375F + (f + (s * f * p - 0.5F * s - n * 2.12194440e-4F));
}

HEPML_INLINE V logarithm(V x) {
  const VI small = magnitude(x) < 1.17549435e-38F;
  const V normal = small ? 8388608.0F * (small ? x : V{}) : x;  // 2^23
  const V safe = ((normal > 0.0F) & (normal < infinity)) ? normal : set(1.0F);
  const V y = logarithm_normal(safe);
  const V shifted = small ? y - 15.9423847F : y;
  const V finite = x == 0.0F ? set(-infinity) : x == infinity ? x : shifted;
  return ((x < 0.0F) | (x != x)) ? set(__builtin_nanf("")) : finite;
}

/// log(1 + x), relative to itself.
HEPML_INLINE V logarithm_of_1_plus(V x) {
  const V u = 1.0F + x;
  const V lost = x - (u - 1.0F);  // by rounding u
  const V safe = ((u > 0.0F) & (u < 1e30F)) ? u : set(1.0F);
  const V y = logarithm_normal(safe) + lost / safe;
  return ((u > 0.0F) & (u < 1e30F)) ? y : logarithm(u);
}

HEPML_INLINE V softplus(V x) {
  return at_least(x, V{}) + logarithm_of_1_plus(exponential(-magnitude(x)));
}

/// Of a root's argument: not beyond what may be squared.
HEPML_INLINE V root_of_square_plus(V x, float more) {
  const V a = magnitude(x);
  const V s = a > 1e15F ? set(1e15F) : a;
  return a > 1e15F ? a : square_root(s * s + more);
}

/// erfc(x) for x >= 0, as exp(-x^2) times a polynomial in 1 / (1 + 0.4 x).
HEPML_INLINE V error_complement(V x) {
  const V s = between(x, 0.0F, 9.3F);
  const V t = 1.0F / (1.0F + 0.4F * s);
  V p = set(-3.8672346622e-02F);
  p = p * t + 2.5027805567e-01F;
  p = p * t - 6.3060826063e-01F;
  p = p * t + 7.3878192902e-01F;
  p = p * t - 4.6116265655e-01F;
  p = p * t + 3.8050067425e-01F;
  p = p * t + 8.5041821003e-02F;
  p = p * t + 2.2708104551e-01F;
  p = p * t + 2.2285512090e-01F;
  p = p * t + 2.2591340542e-01F;
  p = p * t - 8.8199167294e-06F;
  const V y = exponential(-(s * s)) * p;
  return x > 9.3F ? V{} : y;
}

HEPML_INLINE V error_function(V x) {
  const V a = magnitude(x);
  const V small = between(x, -1.0F, 1.0F);
  const V s = small * small;
  V p = set(7.8538578236e-05F);
  p = p * s - 8.0101925414e-04F;
  p = p * s + 5.1883277483e-03F;
  p = p * s - 2.6853810996e-02F;
  p = p * s + 1.1283585429e-01F;
  p = p * s - 3.7612625957e-01F;
  p = p * s + 1.1283791065F;
  const V large = 1.0F - error_complement(a);
  const V far = x < 0.0F ? -large : large;
  return a < 1.0F ? small * p : a >= 1.0F ? far : x;
}

HEPML_INLINE V gelu(V x) {
  const V tail = 0.5F * error_complement(magnitude(x) * 0.70710678F);
  return x * (x < 0.0F ? tail : 1.0F - tail);
}

HEPML_INLINE V gelu_tanh(V x) {  // 0.5 (1 + tanh z) = sigmoid(2 z)
  const V s = between(x, -20.0F, 20.0F);
  return x * sigmoid(1.5957691216F * (s + 0.044715F * s * s * s));
}

HEPML_INLINE V mish(V x) {  // tanh(log(1 + e)) = e (e + 2) / (e (e + 2) + 2)
  const V e = exponential(between(x, -87.0F, 20.0F));
  const V n = e * (e + 2.0F);
  const V y = x * (n / (n + 2.0F));
  const V high = x > 20.0F ? x : y;
  return x < -87.0F ? V{} : high;
}

HEPML_INLINE V shrunk_by_tanh(V x) {
  const V s = between(x, -0.625F, 0.625F);
  return magnitude(x) < 0.625F ? -s * (s * s * tanh_polynomial(s * s)) : x - hyperbolic_tangent(x);
}

HEPML_INLINE V squareplus(V x, float b) {
  const V mean = 0.5F * magnitude(x) + 0.5F * root_of_square_plus(x, b);  // positive: no cancellation
  const V safe = mean == 0.0F ? set(1.0F) : mean;
  return x < 0.0F ? 0.25F * b / safe : mean;
}

HEPML_INLINE V hyperbolic_sine(V x) {
  const V a = magnitude(x);
  const V e = exponential_minus_1(between(a, 0.0F, 44.0F));
  const V near = 0.5F * (e + e / (e + 1.0F));
  const V half = exponential_full(0.5F * a);
  const V far =
      a > 89.415F ? set(infinity) : 0.5F * between(half, 0.0F, 2.6e19F) * between(half, 0.0F, 2.6e19F);
  const V y = a > 44.0F ? far : near;
  return x < 0.0F ? -y : y;
}

HEPML_INLINE V hyperbolic_cosine(V x) {
  const V a = magnitude(x);
  const V e = exponential(between(a, 0.0F, 44.0F));
  const V half = exponential_full(0.5F * a);
  const V far =
      a > 89.415F ? set(infinity) : 0.5F * between(half, 0.0F, 2.6e19F) * between(half, 0.0F, 2.6e19F);
  return a > 44.0F ? far : 0.5F * (e + 1.0F / e);
}

HEPML_INLINE V inverse_sine_hyperbolic(V x) {
  const V a = magnitude(x);
  const V s = between(a, 0.0F, 1e9F);
  const V near = logarithm_of_1_plus(s + s * s / (1.0F + square_root(s * s + 1.0F)));
  const V y = a > 1e9F ? logarithm(a) + 0.69314718F : near;
  return x < 0.0F ? -y : y;
}

/// To the nearest whole number below, above, or nearest (ties to even).
HEPML_INLINE V nearest_whole(V x) {
  const V a = magnitude(x);
  const V rounded = (a + 8388608.0F) - 8388608.0F;
  const V y = x < 0.0F ? -rounded : rounded;
  return a < 8388608.0F ? y : x;
}
HEPML_INLINE V whole_below(V x) {
  const V y = nearest_whole(x);
  return y > x ? y - 1.0F : y;
}

void each_scalar(const float* x, float* y, std::size_t n, float (*function)(float)) {
  for (std::size_t i = 0; i < n; ++i) y[i] = function(x[i]);
}
