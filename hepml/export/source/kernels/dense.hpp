// Matrix times vector. Wide layers: panels of up to 192 outputs, packed [panel][input][output], so that an
// input is broadcast once and meets consecutive weights. Layers of up to 4 outputs: rows of inputs.

constexpr std::size_t most_sums = width == 4 ? 8 : width == 8 ? 10 : 12;  // vectors of outputs at a time
constexpr std::size_t sum_block = 64;  // products summed before they join the total: keeps float32 sums exact

/// P vectors of sums go on over n inputs, U of them at a time in sums of their own, to hide the latency; the
/// weights of an input lie S floats behind those of the one before, and those of its vectors D apart.
template <std::size_t P, std::size_t U, std::size_t S, std::size_t D = width>
HEPML_SOURCE_INLINE void go_on(const float* x, std::size_t n, const float* weights, V (&sums)[U][P]) {
  std::size_t i = 0;
  for (; i + U <= n; i += U) {
    HEPML_SOURCE_UNROLL
    for (std::size_t u = 0; u < U; ++u) {
      const V value = set(x[i + u]);
      HEPML_SOURCE_UNROLL
      for (std::size_t p = 0; p < P; ++p)
        sums[u][p] = fma(value, load(weights + (i + u) * S + p * D), sums[u][p]);
    }
  }
  HEPML_SOURCE_UNROLL
  for (std::size_t u = 0; u + 1 < U; ++u) {
    if (i + u >= n) continue;
    const V value = set(x[i + u]);
    HEPML_SOURCE_UNROLL
    for (std::size_t p = 0; p < P; ++p)
      sums[u][p] = fma(value, load(weights + (i + u) * S + p * D), sums[u][p]);
  }
}
/// Adds the U sums of each vector up in sums[0], in pairs.
template <std::size_t U, std::size_t P>
HEPML_SOURCE_INLINE void join(V (&sums)[U][P]) {
  HEPML_SOURCE_UNROLL
  for (std::size_t half = U / 2; half != 0; half /= 2) {
    HEPML_SOURCE_UNROLL
    for (std::size_t u = 0; u < half; ++u) {
      HEPML_SOURCE_UNROLL
      for (std::size_t p = 0; p < P; ++p) sums[u][p] += sums[u + half][p];
    }
  }
}
/// P vectors of outputs of N inputs, added to `total` in blocks; D as for go_on.
template <std::size_t P, std::size_t U, std::size_t N, std::size_t S, std::size_t D = width>
HEPML_SOURCE_INLINE void add_products(const float* x, const float* weights, V* total) {
  for (std::size_t start = 0; start < N; start += sum_block) {
    V sums[U][P] = {};
    go_on<P, U, S, D>(x + start, smaller(sum_block, N - start), weights + start * S, sums);
    join(sums);
    HEPML_SOURCE_UNROLL
    for (std::size_t p = 0; p < P; ++p) total[p] += sums[0][p];
  }
}

/// L outputs of a panel of S floats, from its output `First` on.
template <std::size_t N, std::size_t S, std::size_t L, std::size_t First = 0, class F>
HEPML_SOURCE_INLINE void dense_panel(const float* x, const float* weights, const float* bias, float* y,
                                     F function) {
  constexpr std::size_t left = vectors(L - First);
  constexpr std::size_t pieces = (left + most_sums - 1) / most_sums;
  constexpr std::size_t P = (left + pieces - 1) / pieces;
  constexpr std::size_t U = P >= (width == 16 ? 8 : 5) ? 1 : P >= 3 ? 2 : P == 2 ? 4 : 8;
  V total[P];
  HEPML_SOURCE_UNROLL
  for (std::size_t p = 0; p < P; ++p) total[p] = load(bias + First + p * width);
  add_products<P, U, N, S>(x, weights + First, total);
  HEPML_SOURCE_UNROLL
  for (std::size_t p = 0; p < P; ++p) {
    const std::size_t at = First + p * width;
    store_some(y + at, function(total[p]), smaller(width, L - at));
  }
  if constexpr (First + P * width < L) dense_panel<N, S, L, First + P * width>(x, weights, bias, y, function);
}

/// `count` panels of S outputs each.
template <std::size_t N, std::size_t S, class F>
void dense_panels(const float* x, const float* weights, const float* bias, float* y, std::size_t count,
                  F function) {
  for (std::size_t k = 0; k < count; ++k)
    dense_panel<N, S, S>(x, weights + k * N * S, bias + k * S, y + k * S, function);
}
/// One panel, not full.
template <std::size_t N, std::size_t S, std::size_t L, class F>
void dense_last(const float* x, const float* weights, const float* bias, float* y, F function) {
  dense_panel<N, S, L>(x, weights, bias, y, function);
}

/// M outputs, of N inputs; rows of weights are padded with zeros to S floats.
template <std::size_t N, std::size_t S, std::size_t M, class F>
void dense_narrow(const float* x, const float* weights, const float* bias, float* y, F function) {
  constexpr std::size_t whole = N / width;
  float results[width] = {};
  for (std::size_t o = 0; o < M; ++o, weights += S) {
    V sums[4] = {};
    std::size_t i = 0;
    for (; i + 4 <= whole; i += 4) {
      HEPML_SOURCE_UNROLL
      for (std::size_t u = 0; u < 4; ++u)
        sums[u] = fma(load(x + (i + u) * width), load(weights + (i + u) * width), sums[u]);
    }
    for (; i < whole; ++i) sums[i % 4] = fma(load(x + i * width), load(weights + i * width), sums[i % 4]);
    if constexpr (N % width != 0)
      sums[3] = fma(load_some(x + whole * width, N % width, 0.0F), load(weights + whole * width), sums[3]);
    results[o] = sum((sums[0] + sums[1]) + (sums[2] + sums[3])) + bias[o];
  }
  store_some(y, function(load(results)), M);
}
