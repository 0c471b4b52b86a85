// Further activations and functions. Nothing here overflows, divides by zero or takes the root of a negative
// number on finite input: what is infinite or NaN is put there.

/// To half a unit in the last place; NaN of a negative number.
inline float root(float x) {
  const auto a = static_cast<double>(x);
  if (a < 0.0) return nan;
  if (!(a > 0.0) || x == infinity) return x;
  double y = reinterpreted<double>(std::int64_t{0x5fe6eb50c7b537a9} - (reinterpreted<std::int64_t>(a) >> 1));
  for (int i = 0; i < 4; ++i) y = y * (1.5 - 0.5 * a * y * y);  // Newton's iteration for 1 / sqrt(a)
  return static_cast<float>(a * y);
}
HEPML_SOURCE_INLINE V square_root(V x) {
  return by_lane(x, [](float v) { return root(v); });
}
HEPML_SOURCE_INLINE V with_sign(V sign, V x) {
  return select(sign < 0.0F, -x, x);
}

/// exp(x) with the infinities and zeros of float32 beyond its range.
HEPML_SOURCE_INLINE V exponential_full(V x) {
  const V half = exponential(0.5F * between(x, -100.0F, 88.72F));
  const V low = select(x < -103.0F, V{}, half * half);
  return select(x > 88.72283F, set(infinity), low);
}

/// exp(x) - 1, relative to itself; infinite beyond the range.
HEPML_SOURCE_INLINE V exponential_minus_1(V x) {
  const V s = between(x, -1.0F, 1.0F);
  V p = set(1.9849806267e-04F);
  p = p * s + 1.3996177586e-03F;
  p = p * s + 8.3335787058e-03F;
  p = p * s + 4.1665360332e-02F;
  p = p * s + 1.6666664183e-01F;
  p = p * s + 5.0000005960e-01F;
  return select(magnitude(x) < 0.5F, s + s * s * p, exponential_full(x) - 1.0F);
}

/// Of positive, normal numbers.
HEPML_SOURCE_INLINE V logarithm_normal(V x) {
  const I power = (bits(x) - 0x3f3504f3) >> 23;  // sqrt(1/2) becomes the smallest mantissa
  const V f = from_bits(bits(x) - (power << 23)) - 1.0F;
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
  const V n = to_float(power);
  return n * 0.693359375F + (f + (s * f * p - 0.5F * s - n * 2.12194440e-4F));
}

HEPML_SOURCE_INLINE V logarithm(V x) {
  const I small = magnitude(x) < 1.17549435e-38F;
  const V normal = select(small, 8388608.0F * select(small, x, V{}), x);  // 2^23
  const V safe = select((normal > 0.0F) & (normal < infinity), normal, set(1.0F));
  const V y = logarithm_normal(safe);
  const V shifted = select(small, y - 15.9423847F, y);
  const V finite = select(x == 0.0F, set(-infinity), select(x == infinity, x, shifted));
  return select((x < 0.0F) | (x != x), set(nan), finite);
}

/// log(1 + x), relative to itself.
HEPML_SOURCE_INLINE V logarithm_of_1_plus(V x) {
  const V u = 1.0F + x;
  const V lost = x - (u - 1.0F);  // by rounding u
  const I usual = (u > 0.0F) & (u < 1e30F);
  const V safe = select(usual, u, set(1.0F));
  return select(usual, logarithm_normal(safe) + lost / safe, logarithm(u));
}

HEPML_SOURCE_INLINE V softplus(V x) {
  return at_least(x, 0.0F) + logarithm_of_1_plus(exponential(-magnitude(x)));
}

/// erfc(x) for x >= 0, as exp(-x^2) times a polynomial in 1 / (1 + 0.4 x).
HEPML_SOURCE_INLINE V error_complement(V x) {
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
  return select(x > 9.3F, V{}, exponential(-(s * s)) * p);
}

/// exp(44 and more), halved, with the infinity of float32.
HEPML_SOURCE_INLINE V half_exponential(V x) {
  const V half = between(exponential_full(0.5F * x), 0.0F, 2.6e19F);
  return select(x > 89.415F, set(infinity), 0.5F * half * half);
}

/// To the nearest whole number (ties to even), and the one below.
HEPML_SOURCE_INLINE V nearest_whole(V x) {
  const V a = magnitude(x);
  const V rounded = (a + 8388608.0F) - 8388608.0F;
  return select(a < 8388608.0F, with_sign(x, rounded), x);
}
HEPML_SOURCE_INLINE V whole_below(V x) {
  const V y = nearest_whole(x);
  return select(y > x, y - 1.0F, y);
}

#define HEPML_SOURCE_FUNCTION(Name, expression)                        \
  struct Name {                                                        \
    HEPML_SOURCE_INLINE V operator()(V x) const { return expression; } \
  };
#define HEPML_SOURCE_FUNCTION_OF(Name, expression)                     \
  struct Name {                                                        \
    float alpha;                                                       \
    HEPML_SOURCE_INLINE V operator()(V x) const { return expression; } \
  };

HEPML_SOURCE_INLINE V at_most_0(V x) {
  return select(x > 0.0F, V{}, x);
}
HEPML_SOURCE_INLINE V sixths(V x) {
  return between(x + 3.0F, 0.0F, 6.0F) / 6.0F;
}

HEPML_SOURCE_FUNCTION_OF(Elu, select(x >= 0.0F, x, alpha* exponential_minus_1(at_most_0(x))))
HEPML_SOURCE_FUNCTION(KerasHardSigmoid, sixths(x))
HEPML_SOURCE_FUNCTION(HardSilu, x* sixths(x))
HEPML_SOURCE_FUNCTION(Selu,
                      select(x >= 0.0F, 1.05070099F * x, 1.75809935F * exponential_minus_1(at_most_0(x))))
HEPML_SOURCE_FUNCTION(Softplus, softplus(x))
HEPML_SOURCE_FUNCTION(Softsign, x / (1.0F + magnitude(x)))
HEPML_SOURCE_FUNCTION(LogSigmoid, -softplus(-x))
HEPML_SOURCE_FUNCTION_OF(HardShrink, select((x > alpha) | (x < -alpha) | (x != x), x, V{}))
HEPML_SOURCE_FUNCTION_OF(SoftShrink,
                         select(x > alpha, x - alpha, select(x < -alpha, x + alpha, select(x != x, x, V{}))))
HEPML_SOURCE_FUNCTION(SparseSigmoid, between(0.5F * (x + 1.0F), 0.0F, 1.0F))
HEPML_SOURCE_FUNCTION(Exp, exponential_full(x))
HEPML_SOURCE_FUNCTION(Expm1, exponential_minus_1(x))
HEPML_SOURCE_FUNCTION(Log, logarithm(x))
HEPML_SOURCE_FUNCTION(Log1p, logarithm_of_1_plus(x))
HEPML_SOURCE_FUNCTION(Sqrt, select(x < 0.0F, set(nan), square_root(magnitude(x))))
HEPML_SOURCE_FUNCTION(Negative, -x)
HEPML_SOURCE_FUNCTION(Sign, select(x > 0.0F, set(1.0F), select(x < 0.0F, set(-1.0F), x)))
HEPML_SOURCE_FUNCTION(Round, nearest_whole(x))
HEPML_SOURCE_FUNCTION(Floor, whole_below(x))
HEPML_SOURCE_FUNCTION(Ceil, -whole_below(-x))

#undef HEPML_SOURCE_FUNCTION
#undef HEPML_SOURCE_FUNCTION_OF

struct Relu {
  float alpha, low, high;
  HEPML_SOURCE_INLINE V operator()(V x) const {
    const V above = high < infinity ? between(x, 0.0F, high) : x;
    return select(x > low, above, select(x != x, x, alpha * (x - low)));
  }
};
struct Clip {
  float low, high;
  HEPML_SOURCE_INLINE V operator()(V x) const { return between(x, low, high); }
};
struct Threshold {
  float alpha, low;
  HEPML_SOURCE_INLINE V operator()(V x) const { return select((x > low) | (x != x), x, set(alpha)); }
};
struct Celu {
  float alpha;
  HEPML_SOURCE_INLINE V operator()(V x) const {
    const V low = between(x, -110.0F * (alpha < 0.0F ? -alpha : alpha), 0.0F);
    return select((x >= 0.0F) | (x != x), x, alpha * exponential_minus_1(low / alpha));
  }
};
struct Gelu {
  HEPML_SOURCE_INLINE V operator()(V x) const {
    const V tail = 0.5F * error_complement(magnitude(x) * 0.70710678F);
    return x * select(x < 0.0F, tail, 1.0F - tail);
  }
};
struct GeluTanh {  // 0.5 (1 + tanh z) = sigmoid(2 z)
  HEPML_SOURCE_INLINE V operator()(V x) const {
    const V s = between(x, -20.0F, 20.0F);
    return x * sigmoid(1.5957691216F * (s + 0.044715F * s * s * s));
  }
};
struct Mish {  // tanh(log(1 + e)) = e (e + 2) / (e (e + 2) + 2)
  HEPML_SOURCE_INLINE V operator()(V x) const {
    const V e = exponential(between(x, -87.0F, 20.0F));
    const V n = e * (e + 2.0F);
    return select(x < -87.0F, V{}, select(x > 20.0F, x, x * (n / (n + 2.0F))));
  }
};
struct TanhShrink {
  HEPML_SOURCE_INLINE V operator()(V x) const {
    const V s = between(x, -0.625F, 0.625F);
    return select(magnitude(x) < 0.625F, -s * (s * s * tanh_polynomial(s * s)), x - hyperbolic_tangent(x));
  }
};
struct Squareplus {
  float alpha;
  HEPML_SOURCE_INLINE V operator()(V x) const {
    const V a = magnitude(x);
    const V s = select(a > 1e15F, set(1e15F), a);
    const V mean = 0.5F * a + 0.5F * select(a > 1e15F, a, square_root(s * s + alpha));  // no cancellation
    return select(x < 0.0F, 0.25F * alpha / select(mean == 0.0F, set(1.0F), mean), mean);
  }
};
struct SparsePlus {
  HEPML_SOURCE_INLINE V operator()(V x) const {
    const V s = between(x, -1.0F, 1.0F) + 1.0F;
    return select(x < 1.0F, 0.25F * s * s, x);
  }
};
struct Rsqrt {
  HEPML_SOURCE_INLINE V operator()(V x) const {
    const V y = 1.0F / square_root(select(x > 0.0F, x, set(1.0F)));
    return select((x < 0.0F) | (x != x), set(nan), select(x == 0.0F, set(infinity), y));
  }
};
struct Square {
  HEPML_SOURCE_INLINE V operator()(V x) const {
    const V s = between(x, -1.8446743e19F, 1.8446743e19F);
    return select(x == s, s * s, select(x != x, x, set(infinity)));
  }
};
struct Reciprocal {
  HEPML_SOURCE_INLINE V operator()(V x) const {
    const I tiny = magnitude(x) < 2.95e-39F;
    const I negative = (bits(x) & static_cast<std::int32_t>(0x80000000U)) != 0;
    return select(tiny, select(negative, set(-infinity), set(infinity)), 1.0F / select(tiny, set(1.0F), x));
  }
};
struct Erf {
  HEPML_SOURCE_INLINE V operator()(V x) const {
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
    const V far = with_sign(x, 1.0F - error_complement(a));
    return select(a < 1.0F, small * p, select(a >= 1.0F, far, x));
  }
};
struct Sinh {
  HEPML_SOURCE_INLINE V operator()(V x) const {
    const V a = magnitude(x);
    const V e = exponential_minus_1(between(a, 0.0F, 44.0F));
    return with_sign(x, select(a > 44.0F, half_exponential(a), 0.5F * (e + e / (e + 1.0F))));
  }
};
struct Cosh {
  HEPML_SOURCE_INLINE V operator()(V x) const {
    const V a = magnitude(x);
    const V e = exponential(between(a, 0.0F, 44.0F));
    return select(a > 44.0F, half_exponential(a), 0.5F * (e + 1.0F / e));
  }
};
struct Arcsinh {
  HEPML_SOURCE_INLINE V operator()(V x) const {
    const V a = magnitude(x);
    const V s = between(a, 0.0F, 1e9F);
    const V near = logarithm_of_1_plus(s + s * s / (1.0F + square_root(s * s + 1.0F)));
    return with_sign(x, select(a > 1e9F, logarithm(a) + 0.69314718F, near));
  }
};
