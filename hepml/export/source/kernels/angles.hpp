// sin, cos, tan and their inverses, of any number.

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

/// Sine and cosine of up to an eighth of a turn, to 1e-8.
template <class T>
HEPML_SOURCE_INLINE T small_sine(T r) {
  const T s = r * r;
  return r + r * s * ((-1.9587117e-4F * s + 8.3327439e-3F) * s - 1.6666665e-1F);
}
template <class T>
HEPML_SOURCE_INLINE T small_cosine(T r) {
  const T s = r * r;
  return 1.0F - 0.5F * s + s * s * ((2.4543267e-5F * s - 1.3888268e-3F) * s + 4.1666664e-2F);
}
/// Of x and `more` quarter turns.
inline float sine(float x, unsigned more) {
  if (!(x - x == 0.0F)) return nan;
  unsigned quarters = 0;
  const double r = less_quarter_turns(x, quarters);
  quarters += more;
  const double y = (quarters & 1U) != 0 ? small_cosine(r) : small_sine(r);
  return static_cast<float>((quarters & 2U) != 0 ? -y : y);
}
HEPML_SOURCE_INLINE V sine(V x, std::int32_t more) {
  if (!all_lanes(magnitude(x) < 8192.0F))
    return by_lane(x, [more](float v) { return sine(v, static_cast<unsigned>(more)); });
  const V shifted = x * 0.63661977F + 12582912.0F;  // 1.5 * 2^23: the low bits hold the quarters
  const V n = shifted - 12582912.0F;
  // the first parts of pi / 2 have few digits, so that their products with n are exact
  const V r = ((x - n * 0x1.92p0F) - n * 0x1.fb4p-12F) - n * 0x1.4442d2p-24F;
  const I quarters = bits(shifted) + more;
  const V y = select((quarters & 1) != 0, small_cosine(r), small_sine(r));
  return from_bits(bits(y) ^ ((quarters & 2) << 30));
}
inline float tangent(float x) {
  if (!(x - x == 0.0F)) return nan;
  unsigned quarters = 0;
  const double r = less_quarter_turns(x, quarters);
  const double s = small_sine(r), c = small_cosine(r);
  return static_cast<float>((quarters & 1U) != 0 ? -c / s : s / c);
}

HEPML_SOURCE_INLINE V tangent(V x) {
  if (!all_lanes(magnitude(x) < 0x1p24F)) return by_lane(x, [](float v) { return tangent(v); });
  constexpr double high = 0x1.921fb54p0, low = 0x1.10b4611a62633p-30, whole = 0x1.8p52;  // as above
  float y[width];
  store(y, x);
  HEPML_SOURCE_LOOP
  for (std::size_t i = 0; i < width; ++i) {
    const auto a = static_cast<double>(y[i]);
    const double n = (a * 0x1.45f306dc9c883p-1 + whole) - whole, half = (0.5 * n + whole) - whole;
    const double r = (a - n * high) - n * low, s = small_sine(r), c = small_cosine(r);
    const bool odd = n != half + half;
    y[i] = static_cast<float>((odd ? -c : s) / (odd ? s : c));
  }
  return load(y);
}

/// Of numbers from 0 to 1.
HEPML_SOURCE_INLINE V small_arctangent(V x) {
  const I far = x > 0.41421356F;  // tan(pi / 8)
  const V t = select(far, (x - 1.0F) / (x + 1.0F), x);
  const V s = t * t;
  V p = set(5.0560743e-2F);
  p = p * s - 8.6282663e-2F;
  p = p * s + 1.1071948e-1F;
  p = p * s - 1.4284192e-1F;
  p = p * s + 1.9999978e-1F;
  p = p * s - 3.3333333e-1F;
  return select(far, set(0.78539816F), V{}) + (t + t * s * p);
}
/// half - x, where half a turn or its half is two numbers.
HEPML_SOURCE_INLINE V turned(float high, float low, V x) {
  return high - (x - low);
}
/// The angle of the point (x, y), as C's atan2.
HEPML_SOURCE_INLINE V arctangent(V y, V x) {
  constexpr std::int32_t sign = static_cast<std::int32_t>(0x80000000U);
  const V a = from_bits(bits(x) & 0x7fffffff), b = from_bits(bits(y) & 0x7fffffff);
  const I steep = b > a;
  const V large = select(steep, b, a), small = select(steep, a, b);
  const I equal = small == large;
  const V ratio =
      select(equal, select(large > 0.0F, set(1.0F), V{}), small / select(equal, set(1.0F), large));
  V angle = small_arctangent(ratio);
  angle = select(steep, turned(1.57079637F, -4.37113883e-8F, angle), angle);
  angle = select((bits(x) & sign) != 0, turned(3.14159274F, -8.74227766e-8F, angle), angle);
  return select((x != x) | (y != y), set(nan), from_bits(bits(angle) | (bits(y) & sign)));
}

struct Sin {
  HEPML_SOURCE_INLINE V operator()(V x) const { return sine(x, 0); }
};
struct Cos {
  HEPML_SOURCE_INLINE V operator()(V x) const { return sine(x, 1); }
};
struct Tan {
  HEPML_SOURCE_INLINE V operator()(V x) const { return tangent(x); }
};
struct Arctan {
  HEPML_SOURCE_INLINE V operator()(V x) const { return arctangent(x, set(1.0F)); }
};
struct Arctan2 {
  HEPML_SOURCE_INLINE V operator()(V p, V q) const { return arctangent(p, q); }
};
