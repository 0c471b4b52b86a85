// a to the power of b, as C's pow: in double precision, a lane after the other.

/// log2 of a positive number that is finite.
inline double binary_logarithm(float x) {
  const auto all = reinterpreted<std::int64_t>(static_cast<double>(x));  // normal, whatever x is
  const std::int64_t power = (all - 0x3fe6a09e667f3bcd) >> 52;           // sqrt(1/2) is the smallest mantissa
  const auto m = reinterpreted<double>(all - power * (std::int64_t{1} << 52));
  const double t = (m - 1.0) / (m + 1.0), s = t * t;
  double p = 0.0;
  for (int k = 19; k >= 3; k -= 2) p = 1.0 / k + s * p;
  return static_cast<double>(power) + 2.8853900817779268 * (t + t * s * p);  // 2 / ln 2
}
/// 2^x as a float32, with its infinity and zero.
inline float binary_exponential(double x) {
  if (x > 128.0) return infinity;
  if (x < -150.0) return 0.0F;
  constexpr double whole = 0x1.8p52;
  const double n = (x + whole) - whole;
  const double r = (x - n) * 0.69314718055994531;
  double p = 1.0;
  for (int k = 12; k >= 1; --k) p = 1.0 + p * r / k;
  const double y = p * reinterpreted<double>((static_cast<std::int64_t>(n) + 1023) * (std::int64_t{1} << 52));
  return y > 3.4028235e38 ? (y < 0x1.ffffffp127 ? 0x1.fffffep127F : infinity) : static_cast<float>(y);
}
/// 0: not a whole number, 1: odd, 2: even.
inline int parity(float x) {
  const float size = x < 0.0F ? -x : x;
  if (!(size < 16777216.0F)) return 2;
  const auto n = static_cast<std::int32_t>(size);
  return static_cast<float>(n) != size ? 0 : (n & 1) != 0 ? 1 : 2;
}
inline float raised(float a, float b) {
  if (b == 0.0F || a == 1.0F) return 1.0F;
  if (a != a || b != b) return nan;
  const float size = a < 0.0F ? -a : a;
  const int kind = parity(b);
  if (a < 0.0F && size < infinity && kind == 0) return nan;
  float y = 0.0F;
  if (b == infinity || b == -infinity) {
    y = size == 1.0F ? 1.0F : (size > 1.0F) == (b > 0.0F) ? infinity : 0.0F;
  } else if (size == 0.0F || size == infinity) {
    y = (size == 0.0F) == (b > 0.0F) ? 0.0F : infinity;
  } else {
    y = binary_exponential(static_cast<double>(b) * binary_logarithm(size));
  }
  return reinterpreted<std::int32_t>(a) < 0 && kind == 1 ? -y : y;
}

struct Power {
  V operator()(V p, V q) const {
    return by_lane(p, q, [](float a, float b) { return raised(a, b); });
  }
};
