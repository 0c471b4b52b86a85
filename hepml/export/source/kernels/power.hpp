// a to the power of b, as C's pow: in double precision, a lane after the other.

/// log2 of a number from sqrt(1/2) to sqrt(2).
HEPML_SOURCE_INLINE double near_logarithm(double m) {
  const double t = (m - 1.0) / (m + 1.0), s = t * t;
  const double p = (0.11659853252201455 * s + 0.14275688392646671) * (s * s) +
                   (0.20000056814952305 * s + 0.33333333292368456);
  return 2.8853900817779268 * (t + t * s * p);  // 2 / ln 2
}
/// log2 of a positive number that is finite.
inline double binary_logarithm(float x) {
  const auto all = reinterpreted<std::int64_t>(static_cast<double>(x));  // normal, whatever x is
  const std::int64_t power = (all - 0x3fe6a09e667f3bcd) >> 52;           // sqrt(1/2) is the smallest mantissa
  const auto m = reinterpreted<double>(all - power * (std::int64_t{1} << 52));
  return static_cast<double>(power) + near_logarithm(m);
}
/// 2^x, up to half a power on either side of 1.
HEPML_SOURCE_INLINE double near_exponential(double x) {
  const double s = x * x;
  return ((1.5201919637446287e-5 * x + 1.5469291078292190e-4) * s +
          (1.3333922570686282e-3 * x + 9.6180272538725561e-3)) *
             (s * s) +
         ((5.5504103534406130e-2 * x + 2.4022651198155878e-1) * s +
          (6.9314718072844950e-1 * x + 0.99999999996168032));
}
HEPML_SOURCE_INLINE double whole_of(double x) {
  constexpr double shift = 0x1.8p52;
  return (x + shift) - shift;
}
/// 2^x as a float32, with its infinity and zero.
inline float binary_exponential(double x) {
  if (x > 128.0) return infinity;
  if (x < -150.0) return 0.0F;
  const double n = whole_of(x);
  const double y = near_exponential(x - n) *
                   reinterpreted<double>((static_cast<std::int64_t>(n) + 1023) * (std::int64_t{1} << 52));
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

/// Of positive, normal numbers, to the power of finite ones.
HEPML_SOURCE_INLINE V raised_usual(V a, V b) {
  const I power = (bits(a) - 0x3f3504f3) >> 23;  // sqrt(1/2) is the smallest mantissa
  float powers[width], mantissas[width], exponents[width], wholes[width], rests[width];
  double all[width];
  store(powers, to_float(power));
  store(mantissas, from_bits(bits(a) - (power << 23)));
  store(exponents, b);
  HEPML_SOURCE_LOOP
  for (std::size_t i = 0; i < width; ++i) {
    const double x = static_cast<double>(exponents[i]) *
                     (static_cast<double>(powers[i]) + near_logarithm(static_cast<double>(mantissas[i])));
    const double least = x < -160.0 ? -160.0 : x;
    all[i] = least > 129.0 ? 129.0 : least;
  }
  HEPML_SOURCE_LOOP
  for (std::size_t i = 0; i < width; ++i) {
    const double n = whole_of(all[i]);
    wholes[i] = static_cast<float>(n);
    rests[i] = static_cast<float>(near_exponential(all[i] - n));
  }
  const V whole = load(wholes), rest = load(rests);
  const I large = (whole > 128.0F) | ((whole == 128.0F) & (rest >= 1.0F));
  const I n = bits(select(large, V{}, whole) + 12582912.0F) - 0x4b400000;  // as whole numbers
  const I half = n >> 1;
  const V y = rest * from_bits((half + 127) << 23) * from_bits((n - half + 127) << 23);
  return select(large, set(infinity), y);
}

struct Power {
  HEPML_SOURCE_INLINE V operator()(V p, V q) const {
    if (all_lanes((p >= 1.17549435e-38F) & (p < infinity) & (magnitude(q) < infinity)))
      return raised_usual(p, q);
    return by_lane(p, q, [](float a, float b) { return raised(a, b); });
  }
};
