#pragma once

// A vector of HEPML_WIDTH floats in terms of the compiler's vector extension: the same code for every
// instruction set. Only AVX-512 has vectors of 16, only AVX2 of 8. Included once by each kernels/<set>.cpp,
// inside its unnamed namespace.

#include <cstddef>
#include <cstdint>
#include <cstring>
#if defined(__SSE__)
#include <immintrin.h>
#endif

#define HEPML_INLINE inline __attribute__((always_inline))

namespace {

constexpr std::size_t width = HEPML_WIDTH;
using V = float __attribute__((vector_size(HEPML_WIDTH * 4)));
using VI = std::int32_t __attribute__((vector_size(HEPML_WIDTH * 4)));
// Not an alias with aligned(4): clang takes that for aligned all the same.
struct __attribute__((packed, may_alias)) Unaligned {
  V vector;
};

HEPML_INLINE V load(const float* p) {
  return reinterpret_cast<const Unaligned*>(p)->vector;
}
HEPML_INLINE void store(float* p, V v) {
  reinterpret_cast<Unaligned*>(p)->vector = v;
}
HEPML_INLINE V set(float x) {
  return x - V{};
}  // one broadcast
HEPML_INLINE V fma(V a, V b, V c) {
  return a * b + c;
}
HEPML_INLINE V max(V a, V b) {
  return a > b ? a : b;
}  // b where either is NaN
HEPML_INLINE V min(V a, V b) {
  return a < b ? a : b;
}

/// The first n < width floats, `fill` behind them.
HEPML_INLINE V load_some(const float* p, std::size_t n, float fill) {
#if HEPML_WIDTH == 16
  return (V)_mm512_mask_loadu_ps((__m512)set(fill), static_cast<__mmask16>((1U << n) - 1U), p);
#elif HEPML_WIDTH == 8 && defined(__AVX2__)
  const VI inside = VI{0, 1, 2, 3, 4, 5, 6, 7} < static_cast<std::int32_t>(n);
  const V read = (V)_mm256_maskload_ps(p, (__m256i)inside);
  return inside ? read : set(fill);
#else
  float buffer[width];
  for (std::size_t i = 0; i < width; ++i) buffer[i] = fill;
  for (std::size_t i = 0; i < n; ++i) buffer[i] = p[i];
  return load(buffer);
#endif
}
/// The first n <= width floats of v.
HEPML_INLINE void store_some(float* p, V v, std::size_t n) {
#if HEPML_WIDTH == 16
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1U << n) - 1U), (__m512)v);
#else
  float buffer[width];
  store(buffer, v);
  std::size_t done = 0;
  for (std::size_t half = width; half > 0; half /= 2) {  // at most one copy of each size, none of them a loop
    if ((n & half) != 0) {
      std::memcpy(p + done, buffer + done, half * sizeof(float));
      done += half;
    }
  }
#endif
}

/// A bit for each element that is not 0; NaN is not.
HEPML_INLINE std::uint32_t filled_lanes(V v) {
#if HEPML_WIDTH == 16 && defined(__AVX512F__)
  return _mm512_cmp_ps_mask((__m512)v, _mm512_setzero_ps(), _CMP_NEQ_UQ);
#elif HEPML_WIDTH == 8 && defined(__AVX__)
  return static_cast<std::uint32_t>(_mm256_movemask_ps((__m256)(v != V{})));
#elif HEPML_WIDTH == 4 && defined(__SSE__)
  return static_cast<std::uint32_t>(_mm_movemask_ps((__m128)(v != V{})));
#else
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < width; ++i) bits |= static_cast<std::uint32_t>(v[i] != 0.0F) << i;
  return bits;
#endif
}

/// 0 1 ... width - 1, for the lanes of a shuffle.
template <std::size_t... I>
struct Lanes {};
template <std::size_t N, std::size_t... I>
struct LanesTo : LanesTo<N - 1, N - 1, I...> {};
template <std::size_t... I>
struct LanesTo<0, I...> {
  using Type = Lanes<I...>;
};
using AllLanes = LanesTo<width>::Type;

template <std::size_t first, std::size_t... I>
HEPML_INLINE V zip_lanes(V a, V b, Lanes<I...>) {
  return __builtin_shufflevector(a, b, static_cast<int>(first + I / 2 + I % 2 * width)...);
}
/// a0 b0 a1 b1 ... of the first and of the second halves.
HEPML_INLINE V zip_low(V a, V b) {
  return zip_lanes<0>(a, b, AllLanes{});
}
HEPML_INLINE V zip_high(V a, V b) {
  return zip_lanes<width / 2>(a, b, AllLanes{});
}

template <std::size_t N, std::size_t odd, std::size_t... I>
HEPML_INLINE V group_lanes(V a, V b, Lanes<I...>) {
  return __builtin_shufflevector(a, b, static_cast<int>((2 * (I / N) + odd) * N + I % N)...);
}
/// Of groups of N lanes in a and b, those with even or odd numbers.
template <std::size_t N>
HEPML_INLINE V even_groups(V a, V b) {
  return group_lanes<N, 0>(a, b, AllLanes{});
}
template <std::size_t N>
HEPML_INLINE V odd_groups(V a, V b) {
  return group_lanes<N, 1>(a, b, AllLanes{});
}

HEPML_INLINE float sum(V v) {
  float buffer[width];
  store(buffer, v);
  for (std::size_t half = width / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) buffer[i] += buffer[i + half];
  }
  return buffer[0];
}
HEPML_INLINE float largest(V v) {
  float buffer[width];
  store(buffer, v);
  float result = buffer[0];
  for (std::size_t i = 1; i < width; ++i)
    result = buffer[i] > result || buffer[i] != buffer[i] ? buffer[i] : result;
  return result;
}

/// Of numbers that are not negative.
HEPML_INLINE V square_root(V x) {
#if HEPML_WIDTH == 16
  return (V)_mm512_maskz_sqrt_ps(static_cast<__mmask16>(0xffff), (__m512)x);
#elif HEPML_WIDTH == 8
  return (V)_mm256_sqrt_ps((__m256)x);
#elif HEPML_WIDTH == 4 && defined(__SSE__)
  return (V)_mm_sqrt_ps((__m128)x);
#else
  for (std::size_t i = 0; i < width; ++i) x[i] = __builtin_sqrtf(x[i]);
  return x;
#endif
}

/// x, but at least `floor`; NaN stays NaN. A layer without activation has the floor -infinity.
HEPML_INLINE V at_least(V x, V floor) {
  return x < floor ? floor : x;
}
HEPML_INLINE V floor_of(bool rectified) {
  return set(rectified ? 0.0F : -__builtin_inff());
}

/// exp(x) to 1e-7 relative, clamped to +-87 so that nothing overflows; NaN stays NaN.
HEPML_INLINE V exponential(V x) {
  x = x < -87.0F ? set(-87.0F) : x;
  x = x > 88.0F ? set(88.0F) : x;
  const V shifted = x * 1.44269504F + 12582912.0F;  // 1.5 * 2^23: the low bits hold round(x / ln 2)
  const V n = shifted - 12582912.0F;
  V r = x - n * 0.693359375F;
  r = r + n * 2.12194440e-4F;
  // Pairs first: the sums wait less for each other.
  const V s = r * r;
  const V high = (1.9875691500e-4F * r + 1.3981999507e-3F) * s + (8.3334519073e-3F * r + 4.1665795894e-2F);
  const V low = 1.6666665459e-1F * r + 5.0000001201e-1F;
  const V p = (high * s + low) * s + r + 1.0F;
  const VI power = ((VI)shifted << 23) + 0x3f800000;
  return p * (V)power;
}

/// Exactly 0 below -87, so that x * sigmoid(x) vanishes there too.
HEPML_INLINE V sigmoid(V x) {
  const V y = 1.0F / (1.0F + exponential(-x));
  return x < -87.0F ? V{} : y;
}

/// tanh(x) = x + x s tanh_polynomial(s) for small s = x^2.
HEPML_INLINE V tanh_polynomial(V s) {
  V p = set(-5.70498872745e-3F);
  p = p * s + 2.06390887954e-2F;
  p = p * s - 5.37397155531e-2F;
  p = p * s + 1.33314422036e-1F;
  p = p * s - 3.33332819422e-1F;
  return p;
}

HEPML_INLINE V hyperbolic_tangent(V x) {
  const V a = x < 0.0F ? -x : x;
  const V most = a > 44.0F ? set(44.0F) : a;  // tanh is 1 there
  const V large = 1.0F - 2.0F / (exponential(most + most) + 1.0F);
  const V near = a < 0.625F ? x : V{};
  const V s = near * near;
  const V small = near + near * s * tanh_polynomial(s);
  const V signed_large = x < 0.0F ? -large : large;
  return a < 0.625F ? small : signed_large;
}

/// tanh(x) to 3.5e-7, in half the time, for cells that wait for it: x P(x^2) / Q(x^2), fitted to 2e-8 up to
/// 9.02, where float32 has 1.
HEPML_INLINE V quick_tangent(V x) {
  const VI sign = (VI)x & INT32_MIN;
  const V magnitude = (V)((VI)x ^ sign);
  const V a = magnitude > 9.02F ? set(9.02F) : magnitude;
  const V s = a * a;
  const V t = s * s;
  const V p =
      (1.33190693e-08F * t + (2.05834794e-05F * s + 3.49403445e-03F)) * t + (1.33797179e-01F * s + 1.0F);
  const V q =
      (7.76201835e-07F * t + (3.28309265e-04F * s + 2.58710728e-02F)) * t + (4.67130331e-01F * s + 1.0F);
  const V n = a * p;
  const V y = (n > q ? q : n) / q;  // never beyond 1
  return (V)((VI)y | sign);
}

/// To 2e-7 of 1: for gates, which multiply. Waits less than sigmoid().
HEPML_INLINE V gate_of(V x) {
  return 0.5F + 0.5F * quick_tangent(0.5F * x);
}

}  // namespace
