// A vector of floats. GCC and clang have them; HEPML_SOURCE_PLAIN, or another compiler, takes arrays.

#if defined(__FAST_MATH__)
#error "compile without -ffast-math: NaN has a meaning here, and rounding is relied on"
#endif

constexpr std::size_t width = HEPML_SOURCE_WIDTH;

/// The same bits as another type.
template <class To, class From>
inline To reinterpreted(From from) {
  To to;
  for (std::size_t i = 0; i < sizeof(To); ++i)
    reinterpret_cast<unsigned char*>(&to)[i] = reinterpret_cast<const unsigned char*>(&from)[i];
  return to;
}
#if defined(__GNUC__) && !defined(HEPML_SOURCE_PLAIN)

using V = float __attribute__((vector_size(HEPML_SOURCE_WIDTH * 4)));
using I = std::int32_t __attribute__((vector_size(HEPML_SOURCE_WIDTH * 4)));

// one instruction each; a type of a smaller alignment is not what clang takes it for
HEPML_SOURCE_INLINE V load(const float* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof(V));
  return v;
}
HEPML_SOURCE_INLINE void store(float* p, V v) {
  __builtin_memcpy(p, &v, sizeof(V));
}
HEPML_SOURCE_INLINE V set(float x) {
  return x - V{};
}
HEPML_SOURCE_INLINE V fma(V a, V b, V c) {
  return a * b + c;
}
HEPML_SOURCE_INLINE V select(I mask, V a, V b) {
  return mask ? a : b;
}
HEPML_SOURCE_INLINE I bits(V x) {
  return (I)x;
}
HEPML_SOURCE_INLINE V from_bits(I x) {
  return (V)x;
}
HEPML_SOURCE_INLINE V to_float(I x) {
  return __builtin_convertvector(x, V);
}
template <std::size_t N>
HEPML_SOURCE_INLINE void copy(const float* from, float* to) {
  __builtin_memcpy(to, from, N * sizeof(float));
}

#else

struct V {
  float v[width];
};
struct I {
  std::int32_t v[width];
};

template <class To, class F>
HEPML_SOURCE_INLINE To lanes(F function) {
  To to{};
  for (std::size_t i = 0; i < width; ++i) to.v[i] = function(i);
  return to;
}
HEPML_SOURCE_INLINE V load(const float* p) {
  return lanes<V>([&](std::size_t i) { return p[i]; });
}
HEPML_SOURCE_INLINE void store(float* p, V v) {
  for (std::size_t i = 0; i < width; ++i) p[i] = v.v[i];
}
HEPML_SOURCE_INLINE V set(float x) {
  return lanes<V>([&](std::size_t) { return x; });
}
#define HEPML_SOURCE_OPERATOR(To, From, Scalar, op, yes, no)                   \
  HEPML_SOURCE_INLINE To operator op(From a, From b) {                         \
    return lanes<To>([&](std::size_t i) { return (a.v[i] op b.v[i])yes no; }); \
  }                                                                            \
  HEPML_SOURCE_INLINE To operator op(From a, Scalar b) {                       \
    return lanes<To>([&](std::size_t i) { return (a.v[i] op b)yes no; });      \
  }                                                                            \
  HEPML_SOURCE_INLINE To operator op(Scalar a, From b) {                       \
    return lanes<To>([&](std::size_t i) { return (a op b.v[i])yes no; });      \
  }
HEPML_SOURCE_OPERATOR(V, V, float, +, , )
HEPML_SOURCE_OPERATOR(V, V, float, -, , )
HEPML_SOURCE_OPERATOR(V, V, float, *, , )
HEPML_SOURCE_OPERATOR(V, V, float, /, , )
HEPML_SOURCE_OPERATOR(I, V, float, <, ? -1, : 0)
HEPML_SOURCE_OPERATOR(I, V, float, >, ? -1, : 0)
HEPML_SOURCE_OPERATOR(I, V, float, <=, ? -1, : 0)
HEPML_SOURCE_OPERATOR(I, V, float, >=, ? -1, : 0)
HEPML_SOURCE_OPERATOR(I, V, float, ==, ? -1, : 0)
HEPML_SOURCE_OPERATOR(I, V, float, !=, ? -1, : 0)
HEPML_SOURCE_OPERATOR(I, I, std::int32_t, +, , )
HEPML_SOURCE_OPERATOR(I, I, std::int32_t, -, , )
HEPML_SOURCE_OPERATOR(I, I, std::int32_t, &, , )
HEPML_SOURCE_OPERATOR(I, I, std::int32_t, |, , )
HEPML_SOURCE_OPERATOR(I, I, std::int32_t, ^, , )
HEPML_SOURCE_OPERATOR(I, I, std::int32_t, >, ? -1, : 0)
HEPML_SOURCE_OPERATOR(I, I, std::int32_t, !=, ? -1, : 0)
HEPML_SOURCE_OPERATOR(I, I, std::int32_t, >>, , )
#undef HEPML_SOURCE_OPERATOR
HEPML_SOURCE_INLINE I operator<<(I a, std::int32_t n) {
  return lanes<I>(
      [&](std::size_t i) { return static_cast<std::int32_t>(static_cast<std::uint32_t>(a.v[i]) << n); });
}
HEPML_SOURCE_INLINE V operator-(V a) {
  return lanes<V>([&](std::size_t i) { return -a.v[i]; });
}
HEPML_SOURCE_INLINE V& operator+=(V& a, V b) {
  return a = a + b;
}
HEPML_SOURCE_INLINE V fma(V a, V b, V c) {
  return lanes<V>([&](std::size_t i) { return a.v[i] * b.v[i] + c.v[i]; });
}
HEPML_SOURCE_INLINE V select(I mask, V a, V b) {
  return lanes<V>([&](std::size_t i) { return mask.v[i] != 0 ? a.v[i] : b.v[i]; });
}
HEPML_SOURCE_INLINE I bits(V x) {
  return reinterpreted<I>(x);
}
HEPML_SOURCE_INLINE V from_bits(I x) {
  return reinterpreted<V>(x);
}
HEPML_SOURCE_INLINE V to_float(I x) {
  return lanes<V>([&](std::size_t i) { return static_cast<float>(x.v[i]); });
}
template <std::size_t N>
HEPML_SOURCE_INLINE void copy(const float* from, float* to) {
  for (std::size_t i = 0; i < N; ++i) to[i] = from[i];
}

#endif

/// a0 b0 a1 b1 ... : `low` of the first halves, `high` of the second.
struct Zipped {
  V low, high;
};
/// Of groups of lanes in two vectors, those with even and with odd numbers.
struct Parted {
  V even, odd;
};
#if defined(__has_builtin) && !defined(HEPML_SOURCE_PLAIN)
#if __has_builtin(__builtin_shufflevector)
#define HEPML_SOURCE_SHUFFLES
#endif
#endif
#if defined(HEPML_SOURCE_SHUFFLES)

template <std::size_t... K>
struct Lanes {};
template <std::size_t N, std::size_t... K>
struct LanesTo : LanesTo<N - 1, N - 1, K...> {};
template <std::size_t... K>
struct LanesTo<0, K...> {
  using Type = Lanes<K...>;
};
template <std::size_t... K>
HEPML_SOURCE_INLINE Zipped zip_lanes(V a, V b, Lanes<K...>) {
  return {__builtin_shufflevector(a, b, static_cast<int>(K / 2 + K % 2 * width)...),
          __builtin_shufflevector(a, b, static_cast<int>(width / 2 + K / 2 + K % 2 * width)...)};
}
HEPML_SOURCE_INLINE Zipped zip(V a, V b) {
  return zip_lanes(a, b, typename LanesTo<width>::Type{});
}
template <std::size_t N, std::size_t... K>
HEPML_SOURCE_INLINE Parted part_lanes(V a, V b, Lanes<K...>) {
  return {__builtin_shufflevector(a, b, static_cast<int>(2 * (K / N) * N + K % N)...),
          __builtin_shufflevector(a, b, static_cast<int>((2 * (K / N) + 1) * N + K % N)...)};
}
template <std::size_t N>
HEPML_SOURCE_INLINE Parted part(V a, V b) {
  return part_lanes<N>(a, b, typename LanesTo<width>::Type{});
}

#else

HEPML_SOURCE_INLINE Zipped zip(V a, V b) {
  float from[2 * width], to[2 * width];
  store(from, a);
  store(from + width, b);
  for (std::size_t i = 0; i < 2 * width; ++i) to[i] = from[i / 2 + i % 2 * width];
  return {load(to), load(to + width)};
}
template <std::size_t N>
HEPML_SOURCE_INLINE Parted part(V a, V b) {
  float from[2 * width], even[width], odd[width];
  store(from, a);
  store(from + width, b);
  for (std::size_t i = 0; i < width; ++i) {
    even[i] = from[2 * (i / N) * N + i % N];
    odd[i] = from[(2 * (i / N) + 1) * N + i % N];
  }
  return {load(even), load(odd)};
}

#endif

#if defined(__GNUC__)
constexpr float infinity = __builtin_inff();
constexpr float nan = __builtin_nanf("");
#else
inline const float infinity = reinterpreted<float>(std::int32_t{0x7f800000});
inline const float nan = reinterpreted<float>(std::int32_t{0x7fc00000});
#endif

HEPML_SOURCE_INLINE std::size_t smaller(std::size_t a, std::size_t b) {
  return a < b ? a : b;
}
constexpr std::size_t vectors(std::size_t n) {
  return (n + width - 1) / width;
}

/// The first n < width floats, `fill` behind them.
HEPML_SOURCE_INLINE V load_some(const float* p, std::size_t n, float fill) {
  float buffer[width];
  for (std::size_t i = 0; i < width; ++i) buffer[i] = fill;
  for (std::size_t i = 0; i < n; ++i) buffer[i] = p[i];
  return load(buffer);
}
/// The same with zeros, where `width` floats may be read.
HEPML_SOURCE_INLINE V load_first(const float* p, std::size_t n) {
  constexpr std::int32_t numbers[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  I lanes;
  for (std::size_t i = 0; i < sizeof(I); ++i)
    reinterpret_cast<unsigned char*>(&lanes)[i] = reinterpret_cast<const unsigned char*>(numbers)[i];
  return select(static_cast<std::int32_t>(n) > lanes, load(p), V{});
}
/// The first n <= width floats of v.
HEPML_SOURCE_INLINE void store_some(float* p, V v, std::size_t n) {
  if (n == width) {
    store(p, v);
    return;
  }
  float buffer[width];
  store(buffer, v);
  const float* from = buffer;
  if constexpr (width > 8) {
    if ((n & 8U) != 0) {
      copy<8>(from, p);
      from += 8;
      p += 8;
    }
  }
  if constexpr (width > 4) {
    if ((n & 4U) != 0) {
      copy<4>(from, p);
      from += 4;
      p += 4;
    }
  }
  if ((n & 2U) != 0) {
    copy<2>(from, p);
    from += 2;
    p += 2;
  }
  if ((n & 1U) != 0) *p = *from;
}

HEPML_SOURCE_INLINE float sum(V v) {
  float buffer[width];
  store(buffer, v);
  for (std::size_t half = width / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) buffer[i] += buffer[i + half];
  }
  return buffer[0];
}
HEPML_SOURCE_INLINE float first(V v) {
  float buffer[width];
  store(buffer, v);
  return buffer[0];
}

/// Whether a comparison holds in every lane.
HEPML_SOURCE_INLINE bool all_lanes(I mask) {
  struct Parts {
    std::uint64_t of[width / 2];
  };
  const auto parts = reinterpreted<Parts>(mask);
  std::uint64_t all = parts.of[0];
  for (std::size_t i = 1; i < width / 2; ++i) all &= parts.of[i];
  return all == ~std::uint64_t{0};
}
/// function(x) of each lane, or function(x, y) of both.
template <class F>
HEPML_SOURCE_INLINE V by_lane(V x, F function) {
  float buffer[width];
  store(buffer, x);
  for (std::size_t i = 0; i < width; ++i) buffer[i] = function(buffer[i]);
  return load(buffer);
}
template <class F>
HEPML_SOURCE_INLINE V by_lane(V x, V y, F function) {
  float left[width], right[width];
  store(left, x);
  store(right, y);
  for (std::size_t i = 0; i < width; ++i) left[i] = function(left[i], right[i]);
  return load(left);
}

/// x, but at least `floor`; NaN stays NaN.
HEPML_SOURCE_INLINE V at_least(V x, float floor) {
  return select(x < floor, set(floor), x);
}
HEPML_SOURCE_INLINE V between(V x, float low, float high) {
  const V above = select(x < low, set(low), x);
  return select(above > high, set(high), above);
}
HEPML_SOURCE_INLINE V magnitude(V x) {
  return select(x < 0.0F, -x, x);
}

/// y = function(x), element by element; x == y is allowed.
template <class F>
HEPML_SOURCE_INLINE void each(const float* x, float* y, std::size_t n, F function) {
  std::size_t i = 0;
  for (; i + width <= n; i += width) store(y + i, function(load(x + i)));
  if (i < n) store_some(y + i, function(load_some(x + i, n - i, 0.0F)), n - i);
}

inline void copy_floats(const float* x, float* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] = x[i];
}
inline void fill(float* y, std::size_t n, float value) {
  for (std::size_t i = 0; i < n; ++i) y[i] = value;
}

/// From raw values to what the network sees; false if one is NaN or infinite. Rounded after each operation,
/// as Keras does. A step of 0 is one offset and scale for all.
inline bool prepare(const float* x, const double* offset, const double* scale, std::size_t step, float* y,
                    std::size_t n) noexcept {
  bool good = true;
  for (std::size_t i = 0; i < n; ++i) {
    const float value = x[i];
    good &= value - value == 0.0F;
    const auto moved = static_cast<float>(static_cast<double>(value) + offset[i * step]);
    y[i] = static_cast<float>(static_cast<double>(moved) * scale[i * step]);
  }
  return good;
}
/// The same without offset and scale; -0 becomes 0 there too.
inline bool prepare(const float* x, float* y, std::size_t n) noexcept {
  bool good = true;
  for (std::size_t i = 0; i < n; ++i) {
    const float value = x[i];
    good &= value - value == 0.0F;
    y[i] = value + 0.0F;
  }
  return good;
}
/// Places of padding before a sequence, of a window that moves by more than one step.
inline std::size_t padding_before(std::size_t n, std::size_t reach, std::size_t step) noexcept {
  const std::size_t covered = n == 0 ? 0 : ((n + step - 1) / step - 1) * step + reach;
  return covered > n ? (covered - n) / 2 : 0;
}
/// No infinity among them.
inline bool no_infinity(const float* x, std::size_t n) noexcept {
  bool good = true;
  for (std::size_t i = 0; i < n; ++i) good &= x[i] != infinity && x[i] != -infinity;
  return good;
}
inline bool any_nan(const float* x, std::size_t n) noexcept {
  bool found = false;
  for (std::size_t i = 0; i < n; ++i) found |= x[i] != x[i];
  return found;
}
/// A result to where the caller wants it; false if one is NaN.
inline bool deliver(const float* x, float* y, std::size_t n) noexcept {
  bool numbers = true;
  for (std::size_t i = 0; i < n; ++i) {
    numbers &= x[i] == x[i];
    y[i] = x[i];
  }
  return numbers;
}
/// Within `tolerance`, of 1 or of the value if that is larger.
inline bool are_near(const float* found, const float* right, std::size_t n, float tolerance) noexcept {
  bool good = true;
  for (std::size_t i = 0; i < n; ++i) {
    const float apart = found[i] < right[i] ? right[i] - found[i] : found[i] - right[i];
    const float size = right[i] < 0.0F ? -right[i] : right[i];
    good &= apart <= tolerance * (size > 1.0F ? size : 1.0F);
  }
  return good;
}
