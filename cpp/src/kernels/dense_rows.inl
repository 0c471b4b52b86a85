// Many events at once: each weight that is loaded meets `group` events. A sum has the order that dense()
// gives it, so that its bits are the same.

constexpr std::size_t group = 6;
constexpr std::size_t tile = HEPML_REGISTERS == 32 ? 4 : 2;  // vectors of outputs: group * tile sums at once

/// Adds to P vectors of outputs of each event of a group what n inputs give. `from` is the bias, the same for
/// all, or y. U is that of dense_sums, with the independent sums one behind the other.
struct DenseTile {
  const float* x;
  std::size_t x_stride;
  const float* weights;
  std::size_t weights_stride;  // from an input to the next
  std::size_t n;
  const float* from;
  std::size_t from_stride;
  float* y;
  std::size_t y_stride;
  V floor;
};

/// Adds the products of every `step`th input from `first` on, before `last`.
template <std::size_t P>
HEPML_INLINE void add_products(const DenseTile& a, std::size_t first, std::size_t last, std::size_t step,
                               V (&sums)[group][P]) {
  for (std::size_t i = first; i < last; i += step) {
    V values[P];
#pragma GCC unroll 16
    for (std::size_t p = 0; p < P; ++p) values[p] = load(a.weights + i * a.weights_stride + p * width);
#pragma GCC unroll 16
    for (std::size_t b = 0; b < group; ++b) {
      const V value = set(a.x[b * a.x_stride + i]);
#pragma GCC unroll 16
      for (std::size_t p = 0; p < P; ++p) sums[b][p] = fma(value, values[p], sums[b][p]);
    }
  }
}

template <std::size_t P>
HEPML_INLINE void finish_tile(const DenseTile& a, const V (&parts)[group][P]) {
#pragma GCC unroll 16
  for (std::size_t b = 0; b < group; ++b) {
#pragma GCC unroll 16
    for (std::size_t p = 0; p < P; ++p) {
      const V total = load(a.from + b * a.from_stride + p * width) + parts[b][p];
      store(a.y + b * a.y_stride + p * width, at_least(total, a.floor));
    }
  }
}

template <std::size_t P, std::size_t U>
void dense_tile(const DenseTile& a) {
  const std::size_t whole = a.n / U * U;
  V parts[group][P] = {};
  add_products<P>(a, 0, whole, U, parts);
  if constexpr (U > 1) {
    add_products<P>(a, whole, a.n, 1, parts);
#pragma GCC unroll 1
    for (std::size_t u = 1; u < U; ++u) {
      V sums[group][P] = {};
      add_products<P>(a, u, whole, U, sums);
#pragma GCC unroll 16
      for (std::size_t b = 0; b < group; ++b) {
#pragma GCC unroll 16
        for (std::size_t p = 0; p < P; ++p) parts[b][p] += sums[b][p];
      }
    }
  }
  finish_tile<P>(a, parts);
}

/// The first group of rows: widens halves on the way, for the others. Of panels with U = 1.
template <std::size_t P>
__attribute__((noinline)) void dense_tile_widening(const DenseTile& a, float* wide) {
  V parts[group][P] = {};
  const float* words = a.weights;
  for (std::size_t i = 0; i < a.n; i += 2, words += a.weights_stride) {
    V values[P];
    const auto add = [&](std::size_t input) {
#pragma GCC unroll 16
      for (std::size_t p = 0; p < P; ++p) store(wide + (input * P + p) * width, values[p]);
#pragma GCC unroll 16
      for (std::size_t b = 0; b < group; ++b) {
        const V value = set(a.x[b * a.x_stride + input]);
#pragma GCC unroll 16
        for (std::size_t p = 0; p < P; ++p) parts[b][p] = fma(value, values[p], parts[b][p]);
      }
    };
#pragma GCC unroll 16
    for (std::size_t p = 0; p < P; ++p) values[p] = (V)((VI)load(words + p * width) << 16);
    add(i);
    if (i + 1 == a.n) break;
#pragma GCC unroll 16
    for (std::size_t p = 0; p < P; ++p) values[p] = (V)((VI)load(words + p * width) & -0x10000);
    add(i + 1);
  }
  finish_tile<P>(a, parts);
}

template <std::size_t P>
HEPML_INLINE void dense_tile_of(std::size_t vectors_of_panel, const DenseTile& a) {
  switch (abreast_of(vectors_of_panel)) {
    case 1:
      return dense_tile<P, 1>(a);
    case 2:
      return dense_tile<P, 2>(a);
    case 4:
      return dense_tile<P, 4>(a);
    default:
      return dense_tile<P, 8>(a);
  }
}

HEPML_INLINE void dense_tile_of(std::size_t count, std::size_t vectors_of_panel, const DenseTile& a) {
  if constexpr (tile == 4) {
    if (count == 4) return dense_tile_of<4>(vectors_of_panel, a);
    if (count == 3) return dense_tile_of<3>(vectors_of_panel, a);
  }
  if (count == 2) return dense_tile_of<2>(vectors_of_panel, a);
  dense_tile_of<1>(vectors_of_panel, a);
}

/// Halves of n inputs and P vectors of outputs as floats, [input][vector][lane].
template <std::size_t P>
HEPML_INLINE void widen(const float* words, std::size_t stride, std::size_t n, float* to) {
  for (std::size_t i = 0; i < n; i += 2, words += stride, to += 2 * P * width) {
#pragma GCC unroll 4
    for (std::size_t p = 0; p < P; ++p) {
      const Halves halves(words + p * width);
      store(to + p * width, halves.even());
      store(to + (P + p) * width, halves.odd());
    }
  }
}

/// Widens the weights of `one`, the first group of rows, and gives how many rows that has evaluated.
template <std::size_t P>
HEPML_INLINE std::size_t widen_first(const DenseTile& one, std::size_t vectors_of_panel, float* to) {
  if (abreast_of(vectors_of_panel) != 1) {
    widen<P>(one.weights, one.weights_stride, one.n, to);
    return 0;
  }
  dense_tile_widening<P>(one, to);
  return group;
}

HEPML_INLINE std::size_t widen_first(std::size_t count, const DenseTile& one, std::size_t vectors_of_panel,
                                     float* to) {
  if constexpr (tile == 4) {
    if (count == 4) return widen_first<4>(one, vectors_of_panel, to);
    if (count == 3) return widen_first<3>(one, vectors_of_panel, to);
  }
  if (count == 2) return widen_first<2>(one, vectors_of_panel, to);
  return widen_first<1>(one, vectors_of_panel, to);
}

void dense_rows(const DenseArgs& args, const View& x, const View& y) noexcept {
  const std::size_t grouped = args.n_out <= narrow ? 0 : x.rows / group * group;
  const std::size_t n_vectors = grouped == 0 ? 0 : vectors(args.n_out);
  const float* panel = args.weights;
  alignas(64) float wide[block * tile * width];
  for (std::size_t start = 0; start < n_vectors;) {
    const std::size_t count = piece(n_vectors, dense_panel, start);
    for (std::size_t first = 0; first < count;) {
      const std::size_t taken = piece(count, tile, first);
      const std::size_t output = (start + first) * width;
      for (std::size_t input = 0; input < args.n_in; input += block) {  // whose weights stay in the cache
        const std::size_t n = smaller(block, args.n_in - input);
        const V floor = floor_of(args.rectified && input + n == args.n_in);
        const float* weights = panel + ((args.halves ? input / 2 : input) * count + first) * width;
        std::size_t stride = count * width;
        const auto rows = [&](std::size_t row) -> DenseTile {
          float* to = y.data + row * y.row_stride + output;
          const bool begins = input == 0;
          return {x.data + row * x.row_stride + input,
                  x.row_stride,
                  weights,
                  stride,
                  n,
                  begins ? args.bias + output : to,
                  begins ? 0 : y.row_stride,
                  to,
                  y.row_stride,
                  floor};
        };
        std::size_t row = 0;
        if (args.halves) {
          row = widen_first(taken, rows(0), count, wide);
          weights = wide;
          stride = taken * width;
        }
        for (; row < grouped; row += group) dense_tile_of(taken, count, rows(row));
      }
      first += taken;
    }
    panel += (args.halves ? (args.n_in + 1) / 2 : args.n_in) * count * width;
    start += count;
  }
  for (std::size_t row = grouped; row < x.rows; ++row)
    dense(args, x.data + row * x.row_stride, y.data + row * y.row_stride);
}
