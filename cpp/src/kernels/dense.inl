// Matrix times vector. Wide layers: panels of up to HEPML_DENSE_PANEL vectors of outputs, packed
// [panel][input][lane], so that an input is broadcast once and meets consecutive weights. Narrow layers
// (n_out <= narrow): rows of inputs.
//
// Weights that all are bfloat16 may be kept so: the words of two inputs, the even one's low, stand in the
// place of a float, and are widened in registers. The products and their order stay what they are.

constexpr std::size_t narrow = 4;
constexpr std::size_t dense_panel = HEPML_DENSE_PANEL;
/// Weights, with padding: fewer are near enough as floats that batches would lose by widening them. Vectors
/// of four wait for arithmetic, not for weights.
constexpr std::size_t halves_from = width == 4 ? SIZE_MAX : 80000;
constexpr std::size_t block =
    64;  // inputs summed before the partial sum joins the total: keeps float32 sums exact

HEPML_INLINE std::uint32_t bits_of(float x) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

bool dense_halves(const float* weights, std::size_t n_in, std::size_t n_out) {
  if (n_out <= narrow || n_in * vectors(n_out) * width < halves_from) return false;
  std::uint32_t low = 0;
  for (std::size_t i = 0; i < n_in * n_out; ++i) low |= bits_of(weights[i]) & 0xFFFFU;
  return low == 0;
}

std::size_t dense_size(std::size_t n_in, std::size_t n_out, bool halves) {
  if (n_out <= narrow) return n_out * vectors(n_in) * width;
  return (halves ? (n_in + 1) / 2 : n_in) * vectors(n_out) * width;
}

void pack_dense(const float* weights, std::size_t n_in, std::size_t n_out, bool halves, float* packed) {
  if (n_out <= narrow) {
    const std::size_t padded = vectors(n_in) * width;
    for (std::size_t o = 0; o < n_out; ++o) {
      for (std::size_t i = 0; i < padded; ++i) *packed++ = i < n_in ? weights[o * n_in + i] : 0.0F;
    }
    return;
  }
  const std::size_t n_vectors = vectors(n_out);
  for (std::size_t start = 0; start < n_vectors;) {
    const std::size_t count = piece(n_vectors, dense_panel, start);
    for (std::size_t i = 0; i < n_in; i += halves ? 2 : 1) {
      for (std::size_t o = start * width; o < (start + count) * width; ++o) {
        const float* row = weights + o * n_in;
        std::uint32_t bits = o < n_out ? bits_of(row[i]) : 0U;
        if (halves) bits = bits >> 16 | (o < n_out && i + 1 < n_in ? bits_of(row[i + 1]) : 0U);
        std::memcpy(packed++, &bits, sizeof bits);
      }
    }
    start += count;
  }
}

/// How many inputs some vectors of outputs take at a time, so that few vectors hide the latency too.
constexpr std::size_t abreast_of(std::size_t vectors_of_outputs) {
  return vectors_of_outputs >= 5 ? 1 : vectors_of_outputs >= 3 ? 2 : vectors_of_outputs == 2 ? 4 : 8;
}
template <std::size_t R>
constexpr std::size_t abreast = abreast_of(R);

/// R sums go on over n inputs, U at a time in independent sums.
template <std::size_t R, std::size_t U>
HEPML_INLINE void go_on(const float* x, std::size_t n, const float* weights, V (&sums)[U][R]) {
  std::size_t i = 0;
  for (; i + U <= n; i += U) {
#pragma GCC unroll 8
    for (std::size_t u = 0; u < U; ++u) {
      const V value = set(x[i + u]);
#pragma GCC unroll 16
      for (std::size_t r = 0; r < R; ++r)
        sums[u][r] = fma(value, load(weights + ((i + u) * R + r) * width), sums[u][r]);
    }
  }
  for (; i < n; ++i) {
    const V value = set(x[i]);
#pragma GCC unroll 16
    for (std::size_t r = 0; r < R; ++r)
      sums[0][r] = fma(value, load(weights + (i * R + r) * width), sums[0][r]);
  }
}

/// The weights of an even and of the next input, for a vector of outputs.
struct Halves {
  explicit HEPML_INLINE Halves(const float* p) : words((VI)load(p)) {
#if defined(__x86_64__)
    asm("" : "+v"(words));  // in a register: both uses would load it, at the cost of a tenth of the time
#endif
  }
  HEPML_INLINE V even() const { return (V)(words << 16); }
  HEPML_INLINE V odd() const { return (V)(words & -0x10000); }
  VI words;
};

/// The same of halves, from an even input on.
template <std::size_t R, std::size_t U>
HEPML_INLINE void go_on_halves(const float* x, std::size_t n, const float* weights, V (&sums)[U][R]) {
  constexpr std::size_t step = U == 1 ? 4 : U;
  std::size_t i = 0;
  for (; i + step <= n; i += step) {
#pragma GCC unroll 8
    for (std::size_t u = 0; u < step; u += 2) {
      const V even = set(x[i + u]);
      const V odd = set(x[i + u + 1]);
#pragma GCC unroll 16
      for (std::size_t r = 0; r < R; ++r) {
        const float* words = weights + ((i + u) / 2 * R + r) * width;
        if constexpr (width == 16) __builtin_prefetch(words + 512);  // a line; by itself it comes late
        const Halves halves(words);
        sums[u % U][r] = fma(even, halves.even(), sums[u % U][r]);
        sums[(u + 1) % U][r] = fma(odd, halves.odd(), sums[(u + 1) % U][r]);
      }
    }
  }
  for (; i < n; ++i) {
    const V value = set(x[i]);
#pragma GCC unroll 16
    for (std::size_t r = 0; r < R; ++r) {
      const Halves halves(weights + (i / 2 * R + r) * width);
      sums[0][r] = fma(value, i % 2 == 0 ? halves.even() : halves.odd(), sums[0][r]);
    }
  }
}

/// P vectors of outputs, added to `total`.
template <std::size_t P, std::size_t U, bool halves = false>
HEPML_INLINE void dense_sums(const float* x, std::size_t n_in, const float* weights, V* total) {
  for (std::size_t start = 0; start < n_in; start += block) {
    V sums[U][P] = {};
    const std::size_t n = smaller(block, n_in - start);
    if constexpr (halves) {
      go_on_halves<P, U>(x + start, n, weights + start / 2 * P * width, sums);
    } else {
      go_on<P, U>(x + start, n, weights + start * P * width, sums);
    }
#pragma GCC unroll 16
    for (std::size_t p = 0; p < P; ++p) {
      V part = sums[0][p];
#pragma GCC unroll 16
      for (std::size_t u = 1; u < U; ++u) part += sums[u][p];
      total[p] += part;
    }
  }
}

using DenseSums = void (*)(const float*, std::size_t, const float*, V*);

template <std::size_t P, bool halves>
void dense_sums_of(const float* x, std::size_t n_in, const float* weights, V* total) {
  dense_sums<P, abreast<P>, halves>(x, n_in, weights, total);
}

/// The table of dense_sums_of<1..dense_panel>, without std::index_sequence.
template <std::size_t P, bool halves>
HEPML_INLINE void fill_dense_table(DenseSums* table) {
  table[P] = &dense_sums_of<P, halves>;
  if constexpr (P > 1) fill_dense_table<P - 1, halves>(table);
}

HEPML_INLINE void dense_narrow(const DenseArgs& args, const float* x, float* y) {
  const std::size_t whole = args.n_in / width;
  const std::size_t rest = args.n_in % width;
  const std::size_t row = vectors(args.n_in) * width;
  for (std::size_t o = 0; o < args.n_out; ++o) {
    const float* weights = args.weights + o * row;
    V sums[4] = {};
    std::size_t i = 0;
    for (; i + 4 <= whole; i += 4) {
#pragma GCC unroll 4
      for (std::size_t u = 0; u < 4; ++u) {
        sums[u] = fma(load(x + (i + u) * width), load(weights + (i + u) * width), sums[u]);
      }
    }
    for (; i < whole; ++i) sums[i % 4] = fma(load(x + i * width), load(weights + i * width), sums[i % 4]);
    if (rest != 0)
      sums[3] = fma(load_some(x + whole * width, rest, 0.0F), load(weights + whole * width), sums[3]);
    const float value = sum((sums[0] + sums[1]) + (sums[2] + sums[3])) + args.bias[o];
    y[o] = args.rectified && value < 0.0F ? 0.0F : value;
  }
}

void dense(const DenseArgs& args, const float* x, float* y) noexcept {
  if (args.n_out <= narrow) {
    dense_narrow(args, x, y);
    return;
  }
  DenseSums table[dense_panel + 1];
  if (args.halves) {
    fill_dense_table<dense_panel, true>(table);
  } else {
    fill_dense_table<dense_panel, false>(table);
  }
  const std::size_t n_words = args.halves ? (args.n_in + 1) / 2 : args.n_in;
  const std::size_t n_vectors = vectors(args.n_out);
  const V floor = floor_of(args.rectified);
  const float* weights = args.weights;
  for (std::size_t start = 0; start < n_vectors;) {
    const std::size_t count = piece(n_vectors, dense_panel, start);
    V total[dense_panel];
    for (std::size_t p = 0; p < count; ++p) total[p] = load(args.bias + (start + p) * width);
    table[count](x, args.n_in, weights, total);
    for (std::size_t p = 0; p < count; ++p) {
      const V value = at_least(total[p], floor);
      const std::size_t first = (start + p) * width;
      if (first + width <= args.n_out) {
        store(y + first, value);
      } else {
        store_some(y + first, value, args.n_out - first);
      }
    }
    weights += n_words * count * width;
    start += count;
  }
}
