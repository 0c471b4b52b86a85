// sin, cos, tan and their inverses, of any number: in double precision, a lane after the other.

/// x less the nearest whole number of quarter turns, which is `quarters` modulo 4.
inline double less_quarter_turns(float x, unsigned& quarters) {
  // 2 / pi behind 32 zeros, and pi / 2 in two parts, of which the first times 2^24 is exact
  constexpr std::uint32_t inverse[] = {0,           0xa2f9836eU, 0x4e441529U, 0xfc2757d1U,
                                       0xf534ddc0U, 0xdb629599U, 0x3c439041U, 0xfe5163abU};
  constexpr double high = 0x1.921fb54p0, low = 0x1.10b4611a62633p-30, whole = 0x1.8p52;
  const auto a = static_cast<double>(x);
  if (a < 0x1p24 && a > -0x1p24) {
    const double n = (a * 0x1.45f306dc9c883p-1 + whole) - whole;
    quarters = static_cast<unsigned>(static_cast<std::int64_t>(n)) & 3U;
    return (a - n * high) - n * low;
  }
  // x is mantissa * 2^e: of 2 / pi only the bits count that do not make whole turns of it
  const auto all = reinterpreted<std::uint32_t>(x);
  const std::uint64_t mantissa = (all & 0x7fffffU) | 0x800000U;
  const std::size_t place = ((all >> 23) & 255U) - 150 + 30;
  const std::size_t word = place / 32, shift = place % 32;
  std::uint32_t part[3];
  for (std::size_t i = 0; i < 3; ++i) {
    const std::uint64_t both = std::uint64_t{inverse[word + i]} << 32 | inverse[word + i + 1];
    part[i] = static_cast<std::uint32_t>(both >> (32 - shift));
  }
  std::uint64_t turns = mantissa * (std::uint64_t{part[0]} << 32 | part[1]) + (mantissa * part[2] >> 32);
  if ((all >> 31) != 0) turns = 0 - turns;  // in units of 2^-62 quarters
  quarters = static_cast<unsigned>((turns + (std::uint64_t{1} << 61)) >> 62) & 3U;
  return static_cast<double>(static_cast<std::int64_t>(turns << 2)) * 0x1.921fb54442d18p-64;
}

/// Sine and cosine of up to an eighth of a turn.
inline double small_sine(double r) {
  const double s = r * r;
  double p = -1.0 / 39916800;
  p = p * s + 1.0 / 362880;
  p = p * s - 1.0 / 5040;
  p = p * s + 1.0 / 120;
  p = p * s - 1.0 / 6;
  return r + r * s * p;
}
inline double small_cosine(double r) {
  const double s = r * r;
  double p = 1.0 / 479001600;
  p = p * s - 1.0 / 3628800;
  p = p * s + 1.0 / 40320;
  p = p * s - 1.0 / 720;
  p = p * s + 1.0 / 24;
  p = p * s - 0.5;
  return 1.0 + s * p;
}
/// Of x, or with `more` 1 of x and a quarter turn.
inline float sine(float x, unsigned more) {
  if (!(x - x == 0.0F)) return nan;
  unsigned quarters = 0;
  const double r = less_quarter_turns(x, quarters);
  quarters += more;
  const double y = (quarters & 1U) != 0 ? small_cosine(r) : small_sine(r);
  return static_cast<float>((quarters & 2U) != 0 ? -y : y);
}
inline float tangent(float x) {
  if (!(x - x == 0.0F)) return nan;
  unsigned quarters = 0;
  const double r = less_quarter_turns(x, quarters);
  const double s = small_sine(r), c = small_cosine(r);
  return static_cast<float>((quarters & 1U) != 0 ? -c / s : s / c);
}

/// Of a number that is not negative.
inline double positive_arctangent(double x) {
  const bool large = x > 1.0;
  const double a = large ? 1.0 / x : x;
  const bool middle = a > 0.41421356237309503;  // tan(pi / 8)
  const double t = middle ? (a - 1.0) / (a + 1.0) : a;
  const double s = t * t;
  double p = 0.0;
  for (int k = 23; k >= 3; k -= 2) p = ((k & 2) == 0 ? 1.0 / k : -1.0 / k) + s * p;
  const double y = (middle ? 0.78539816339744831 : 0.0) + (t + t * s * p);
  return large ? 1.5707963267948966 - y : y;
}
inline float arctangent(float x) {
  const auto a = static_cast<double>(x);
  return static_cast<float>(a < 0.0 ? -positive_arctangent(-a) : a > 0.0 ? positive_arctangent(a) : a);
}
/// The angle of the point (x, y), as C's atan2.
inline float arctangent_of(float y, float x) {
  if (x != x || y != y) return nan;
  const auto a = static_cast<double>(x < 0.0F ? -x : x), b = static_cast<double>(y < 0.0F ? -y : y);
  const bool steep = b > a;
  const double large = steep ? b : a, small = steep ? a : b;
  const double ratio = small == large ? (large > 0.0 ? 1.0 : 0.0) : small / large;
  double angle = positive_arctangent(ratio);
  if (steep) angle = 1.5707963267948966 - angle;
  if (reinterpreted<std::int32_t>(x) < 0) angle = 3.1415926535897932 - angle;
  return static_cast<float>(reinterpreted<std::int32_t>(y) < 0 ? -angle : angle);
}

struct Sin {
  V operator()(V x) const {
    return by_lane(x, [](float v) { return sine(v, 0); });
  }
};
struct Cos {
  V operator()(V x) const {
    return by_lane(x, [](float v) { return sine(v, 1); });
  }
};
struct Tan {
  V operator()(V x) const {
    return by_lane(x, [](float v) { return tangent(v); });
  }
};
struct Arctan {
  V operator()(V x) const {
    return by_lane(x, [](float v) { return arctangent(v); });
  }
};
struct Arctan2 {
  V operator()(V p, V q) const {
    return by_lane(p, q, [](float y, float x) { return arctangent_of(y, x); });
  }
};
