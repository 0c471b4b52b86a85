// Matrix times vector. Wide layers: panels of up to HEPML_DENSE_PANEL vectors of outputs, packed
// [panel][input][lane], so that an input is broadcast once and meets consecutive weights. Narrow layers
// (n_out <= narrow): rows of inputs.

constexpr std::size_t narrow = 4;
constexpr std::size_t dense_panel = HEPML_DENSE_PANEL;
constexpr std::size_t block =
    64;  // inputs summed before the partial sum joins the total: keeps float32 sums exact

std::size_t dense_size(std::size_t n_in, std::size_t n_out) {
  return n_out <= narrow ? n_out * vectors(n_in) * width : n_in * vectors(n_out) * width;
}

void pack_dense(const float* weights, std::size_t n_in, std::size_t n_out, float* packed) {
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
    for (std::size_t i = 0; i < n_in; ++i) {
      for (std::size_t o = start * width; o < (start + count) * width; ++o) {
        *packed++ = o < n_out ? weights[o * n_in + i] : 0.0F;
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

/// P vectors of outputs, added to `total`.
template <std::size_t P, std::size_t U>
HEPML_INLINE void dense_sums(const float* x, std::size_t n_in, const float* weights, V* total) {
  for (std::size_t start = 0; start < n_in; start += block) {
    V sums[U][P] = {};
    go_on<P, U>(x + start, smaller(block, n_in - start), weights + start * P * width, sums);
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

template <std::size_t P>
void dense_sums_of(const float* x, std::size_t n_in, const float* weights, V* total) {
  dense_sums<P, abreast<P>>(x, n_in, weights, total);
}

/// The table of dense_sums_of<1..dense_panel>, without std::index_sequence.
template <std::size_t P>
HEPML_INLINE void fill_dense_table(DenseSums* table) {
  table[P] = &dense_sums_of<P>;
  if constexpr (P > 1) fill_dense_table<P - 1>(table);
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
  fill_dense_table<dense_panel>(table);
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
    weights += args.n_in * count * width;
    start += count;
  }
}

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
#pragma GCC unroll 16
  for (std::size_t b = 0; b < group; ++b) {
#pragma GCC unroll 16
    for (std::size_t p = 0; p < P; ++p) {
      const V total = load(a.from + b * a.from_stride + p * width) + parts[b][p];
      store(a.y + b * a.y_stride + p * width, at_least(total, a.floor));
    }
  }
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

void dense_rows(const DenseArgs& args, const View& x, const View& y) noexcept {
  const std::size_t grouped = args.n_out <= narrow ? 0 : x.rows / group * group;
  const std::size_t n_vectors = grouped == 0 ? 0 : vectors(args.n_out);
  const float* panel = args.weights;
  for (std::size_t start = 0; start < n_vectors;) {
    const std::size_t count = piece(n_vectors, dense_panel, start);
    for (std::size_t first = 0; first < count;) {
      const std::size_t taken = piece(count, tile, first);
      const std::size_t output = (start + first) * width;
      for (std::size_t input = 0; input < args.n_in; input += block) {  // whose weights stay in the cache
        const std::size_t n = smaller(block, args.n_in - input);
        const V floor = floor_of(args.rectified && input + n == args.n_in);
        const float* weights = panel + (input * count + first) * width;
        for (std::size_t row = 0; row < grouped; row += group) {
          float* to = y.data + row * y.row_stride + output;
          dense_tile_of(
              taken, count,
              {x.data + row * x.row_stride + input, x.row_stride, weights, count * width, n,
               input == 0 ? args.bias + output : to, input == 0 ? 0 : y.row_stride, to, y.row_stride, floor});
        }
      }
      first += taken;
    }
    panel += args.n_in * count * width;
    start += count;
  }
  for (std::size_t row = grouped; row < x.rows; ++row)
    dense(args, x.data + row * x.row_stride, y.data + row * y.row_stride);
}
