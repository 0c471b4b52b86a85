// Products of two tensors, and attention. Behind a tensor there is memory to read a vector from.

/// Sums of n products are taken in parts, so that their rounding does not grow with n.
constexpr std::size_t product_block = 64;

HEPML_SOURCE_INLINE float dot(const float* a, const float* b, std::size_t n) {
  V sums{};
  std::size_t i = 0;
  for (; i + width <= n; i += width) sums = fma(load(a + i), load(b + i), sums);
  if (i < n) sums = fma(load_first(a + i, n - i), load_first(b + i, n - i), sums);
  return sum(sums);
}

/// P vectors of columns, of which the last has `Lanes`.
template <std::size_t P, std::size_t Lanes>
HEPML_SOURCE_INLINE void row_times_columns(const float* x, std::size_t n, const float* matrix,
                                           std::size_t stride, float* y) {
  V totals[P] = {};
  for (std::size_t start = 0; start < n; start += product_block) {
    const std::size_t stop = smaller(start + product_block, n);
    V sums[P] = {};
    for (std::size_t i = start; i < stop; ++i) {
      const V value = set(x[i]);
      const float* row = matrix + i * stride;
      HEPML_SOURCE_UNROLL
      for (std::size_t p = 0; p < P; ++p) {
        const bool whole = p + 1 < P || Lanes == width;
        const V weights = whole ? load(row + p * width) : load_first(row + p * width, Lanes);
        sums[p] = fma(value, weights, sums[p]);
      }
    }
    HEPML_SOURCE_UNROLL
    for (std::size_t p = 0; p < P; ++p) totals[p] += sums[p];
  }
  HEPML_SOURCE_UNROLL
  for (std::size_t p = 0; p + 1 < P; ++p) store(y + p * width, totals[p]);
  store_some(y + (P - 1) * width, totals[P - 1], Lanes);
}
/// y = x matrix: n rows of `Out` columns, which lie `stride` apart.
template <std::size_t Out>
HEPML_SOURCE_INLINE void row_times_matrix(const float* x, std::size_t n, const float* matrix,
                                          std::size_t stride, float* y) {
  constexpr std::size_t whole = Out / width / 4 * 4, left = Out - whole * width;
  for (std::size_t o = 0; o < whole; o += 4)
    row_times_columns<4, width>(x, n, matrix + o * width, stride, y + o * width);
  if constexpr (left != 0) {
    constexpr std::size_t P = vectors(left), lanes = left - (P - 1) * width;
    row_times_columns<P, lanes>(x, n, matrix + whole * width, stride, y + whole * width);
  }
}

/// `rows` rows of a, of In numbers, times a matrix of Out columns, or, transposed, of Out rows.
template <std::size_t In, std::size_t Out, bool Transposed>
inline void matmul(const float* a, std::size_t a_row, std::size_t rows, const float* b, std::size_t b_row,
                   float* y, std::size_t y_row) {
  for (std::size_t i = 0; i < rows; ++i, a += a_row, y += y_row) {
    if constexpr (Transposed) {
      for (std::size_t o = 0; o < Out; ++o) y[o] = dot(a, b + o * b_row, In);
    } else {
      row_times_matrix<Out>(a, In, b, b_row, y);
    }
  }
}

/// How query and key meet: their product, or what is left of their sum; `weights` are padded with zeros.
template <std::size_t Size>
struct ScaledProduct {
  float scale;
  HEPML_SOURCE_INLINE float operator()(const float* query, const float* key) const {
    return scale * dot(query, key, Size);
  }
};
template <std::size_t Size>
struct AdditiveScore {
  float scale;
  const float* weights;
  HEPML_SOURCE_INLINE float operator()(const float* query, const float* key) const {
    float all = 0.0F;
    for (std::size_t i = 0; i < Size; i += width) {
      const std::size_t n = smaller(width, Size - i);
      const V both = load_first(query + i, n) + load_first(key + i, n);
      all += sum(hyperbolic_tangent(set(scale) * both) * load(weights + i));
    }
    return all;
  }
};

/// Each step of the query takes a mean of the values of Width numbers, weighted by the softmax of its scores.
/// Heads lie next to each other in a step; Shared of them have one key and value. A step sees those up to its
/// own if Causal, and fewer than Reach away; 0 is everything.
template <std::size_t Heads, std::size_t Shared, std::size_t Size, std::size_t Width, bool Causal,
          std::size_t Reach, class Score>
inline void attention(const float* query, std::size_t queries, const float* key, const float* value,
                      std::size_t keys, float* weights, float* y, Score score) {
  constexpr std::size_t groups = Heads / Shared;
  for (std::size_t i = 0; i < queries; ++i) {
    std::size_t first = 0, last = Causal ? smaller(i + 1, keys) : keys;
    if (Reach != 0) {
      first = i + 1 > Reach ? smaller(i + 1 - Reach, last) : 0;
      last = smaller(last, i + Reach);
    }
    for (std::size_t head = 0; head < Heads; ++head) {
      const std::size_t group = head / Shared;
      float* out = y + (i * Heads + head) * Width;
      if (first == last) {
        fill(out, Width, 0.0F);
        continue;
      }
      for (std::size_t j = first; j < last; ++j)
        weights[j - first] = score(query + (i * Heads + head) * Size, key + (j * groups + group) * Size);
      Softmax{}(weights, weights, last - first);
      row_times_matrix<Width>(weights, last - first, value + (first * groups + group) * Width, groups * Width,
                              out);
    }
  }
}
