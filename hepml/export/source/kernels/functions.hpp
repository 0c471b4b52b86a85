// exp, sigmoid and tanh, and the activations that most networks have.

/// exp(x) to 1e-7 relative, clamped to +-87 so that nothing overflows; NaN stays NaN.
HEPML_SOURCE_INLINE V exponential(V x) {
  x = between(x, -87.0F, 88.0F);
  const V shifted = x * 1.44269504F + 12582912.0F;  // 1.5 * 2^23: the low bits hold round(x / ln 2)
  const V n = shifted - 12582912.0F;
  V r = x - n * 0.693359375F;
  r = r + n * 2.12194440e-4F;
  V p = set(1.9875691500e-4F);
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * (r * r) + r + 1.0F;
  return p * from_bits((bits(shifted) << 23) + 0x3f800000);
}

/// Exactly 0 below -87, so that x * sigmoid(x) vanishes there too.
HEPML_SOURCE_INLINE V sigmoid(V x) {
  const V y = 1.0F / (1.0F + exponential(-x));
  return select(x < -87.0F, V{}, y);
}

/// tanh(x) = x + x s tanh_polynomial(s) for small s = x^2.
HEPML_SOURCE_INLINE V tanh_polynomial(V s) {
  V p = set(-5.70498872745e-3F);
  p = p * s + 2.06390887954e-2F;
  p = p * s - 5.37397155531e-2F;
  p = p * s + 1.33314422036e-1F;
  p = p * s - 3.33332819422e-1F;
  return p;
}
HEPML_SOURCE_INLINE V hyperbolic_tangent(V x) {
  const V a = magnitude(x);
  const V most = select(a > 44.0F, set(44.0F), a);  // tanh is 1 there
  const V large = 1.0F - 2.0F / (exponential(most + most) + 1.0F);
  const V near = select(a < 0.625F, x, V{});
  const V s = near * near;
  const V small = near + near * s * tanh_polynomial(s);
  return select(a < 0.625F, small, select(x < 0.0F, -large, large));
}

struct Linear {
  HEPML_SOURCE_INLINE V operator()(V x) const { return x; }
};
struct Rectified {
  HEPML_SOURCE_INLINE V operator()(V x) const { return at_least(x, 0.0F); }
};
struct Sigmoid {
  HEPML_SOURCE_INLINE V operator()(V x) const { return sigmoid(x); }
};
struct Tanh {
  HEPML_SOURCE_INLINE V operator()(V x) const { return hyperbolic_tangent(x); }
};
struct HardSigmoid {
  HEPML_SOURCE_INLINE V operator()(V x) const { return between(0.2F * x + 0.5F, 0.0F, 1.0F); }
};
struct LeakyRelu {
  float alpha;
  HEPML_SOURCE_INLINE V operator()(V x) const { return select(x > 0.0F, x, alpha * x); }
};
struct Swish {
  float alpha;
  HEPML_SOURCE_INLINE V operator()(V x) const { return x * sigmoid(alpha * x); }
};
struct Absolute {
  HEPML_SOURCE_INLINE V operator()(V x) const { return magnitude(x); }
};
