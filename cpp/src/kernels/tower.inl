// A 3x3 convolution where the image is not empty, in tiles of 2x2 outputs, which are also what a 2x2 pooling
// joins. A tile reads 4x4 inputs and costs 16 products an input and output channel instead of 36.
// Source: Lavin, Gray, "Fast algorithms for convolutional neural networks", arXiv:1509.09308, F(2x2, 3x3).

constexpr std::size_t tower_block = 24;  // tiles at once: their 16 transformed planes stay in the L2 cache

/// Floats from one of the 16 planes of a block to the next; never a multiple of 4096 bytes.
HEPML_INLINE std::size_t plane_size(std::size_t stride) {
  return tower_block * stride + 32;
}

std::size_t tower_scratch(const TowerLayer& layer) {
  return 16 * (2 * plane_size(layer.in_stride) + plane_size(layer.out_stride));
}

/// A product of matrices: c[r][j] (+)= sum over k of a[r, k] * b[k][j], j up to whole vectors.
struct Product {
  const float* a;
  std::size_t a_row, a_step;  // from row to row, from k to k + 1
  const float* b;
  std::size_t b_step;
  float* c;
  std::size_t c_row;
  std::size_t n_rows, n_sum, n_columns;
  bool add;
};

template <std::size_t P, std::size_t R>
void product_block(const Product& product, std::size_t row, std::size_t column) {
  V sums[R][P] = {};
  const float* a = product.a + row * product.a_row;
  const float* b = product.b + column;
  for (std::size_t k = 0; k < product.n_sum; ++k, a += product.a_step, b += product.b_step) {
    V w[P];
#pragma GCC unroll 16
    for (std::size_t p = 0; p < P; ++p) w[p] = load(b + p * width);
#pragma GCC unroll 16
    for (std::size_t r = 0; r < R; ++r) {
      const V value = set(a[r * product.a_row]);
#pragma GCC unroll 16
      for (std::size_t p = 0; p < P; ++p) sums[r][p] = fma(value, w[p], sums[r][p]);
    }
  }
#pragma GCC unroll 16
  for (std::size_t r = 0; r < R; ++r) {
    float* c = product.c + (row + r) * product.c_row + column;
#pragma GCC unroll 16
    for (std::size_t p = 0; p < P; ++p) {
      store(c + p * width, product.add ? load(c + p * width) + sums[r][p] : sums[r][p]);
    }
  }
}

using ProductBlock = void (*)(const Product&, std::size_t, std::size_t);

template <std::size_t P, std::size_t R>
HEPML_INLINE void fill_product_table(ProductBlock* table) {
  table[R] = &product_block<P, R>;
  if constexpr (R > 1) fill_product_table<P, R - 1>(table);
}

template <std::size_t P>
void product_panel(const Product& product, std::size_t column) {
  constexpr std::size_t most = most_pixels<P>;
  ProductBlock table[most + 1];
  fill_product_table<P, most>(table);
  for (std::size_t row = 0; row < product.n_rows;) {
    const std::size_t count = piece(product.n_rows, most, row);
    table[count](product, row, column);
    row += count;
  }
}

void multiply(const Product& product) {
  const std::size_t n_vectors = vectors(product.n_columns);
  for (std::size_t start = 0; start < n_vectors;) {
    const std::size_t count = piece(n_vectors, conv_panel, start);
    if (count == 3) product_panel<3>(product, start * width);
    if (count == 2) product_panel<2>(product, start * width);
    if (count == 1) product_panel<1>(product, start * width);
    start += count;
  }
}

/// v[16 planes][tile] = B^T d B of the 4x4 inputs of each tile.
void tile_inputs(const TowerLayer& layer, const float* table, const std::uint32_t* input, std::size_t n,
                 float* v) {
  const std::size_t stride = layer.in_stride, plane = plane_size(stride);
  for (std::size_t tile = 0; tile < n; ++tile, input += 16) {
    for (std::size_t c = 0; c < stride; c += width) {
      V d[16], e[16];
#pragma GCC unroll 16
      for (std::size_t i = 0; i < 16; ++i) d[i] = load(table + input[i] * stride + c);
#pragma GCC unroll 4
      for (std::size_t j = 0; j < 4; ++j) {
        e[j] = d[j] - d[8 + j];
        e[4 + j] = d[4 + j] + d[8 + j];
        e[8 + j] = d[8 + j] - d[4 + j];
        e[12 + j] = d[4 + j] - d[12 + j];
      }
      float* to = v + tile * stride + c;
#pragma GCC unroll 4
      for (std::size_t i = 0; i < 16; i += 4) {
        store(to + i * plane, e[i] - e[i + 2]);
        store(to + (i + 1) * plane, e[i + 1] + e[i + 2]);
        store(to + (i + 2) * plane, e[i + 2] - e[i + 1]);
        store(to + (i + 3) * plane, e[i + 1] - e[i + 3]);
      }
    }
  }
}

/// d of each tile's 4x4 inputs += B v B^T: the transpose of tile_inputs.
void add_to_inputs(const TowerLayer& layer, float* table, const std::uint32_t* input, std::size_t n,
                   const float* v) {
  const std::size_t stride = layer.in_stride, plane = plane_size(stride);
  for (std::size_t tile = 0; tile < n; ++tile, input += 16) {
    for (std::size_t c = 0; c < stride; c += width) {
      const float* from = v + tile * stride + c;
      V d[16], e[16];
#pragma GCC unroll 16
      for (std::size_t i = 0; i < 16; ++i) d[i] = load(from + i * plane);
#pragma GCC unroll 4
      for (std::size_t j = 0; j < 4; ++j) {
        e[j] = d[j];
        e[4 + j] = d[4 + j] - d[8 + j] + d[12 + j];
        e[8 + j] = d[4 + j] + d[8 + j] - d[j];
        e[12 + j] = -d[12 + j];
      }
#pragma GCC unroll 4
      for (std::size_t i = 0; i < 16; i += 4) {
        const V results[4] = {e[i], e[i + 1] - e[i + 2] + e[i + 3], e[i + 1] + e[i + 2] - e[i], -e[i + 3]};
#pragma GCC unroll 4
        for (std::size_t j = 0; j < 4; ++j) {
          float* to = table + input[i + j] * stride + c;
          store(to, load(to) + results[j]);
        }
      }
    }
  }
}

/// The four sums of a tile from its 16 planes: A^T m A.
HEPML_INLINE void tile_sums(const float* m, std::size_t plane, V* y) {
  V f[8];
#pragma GCC unroll 4
  for (std::size_t j = 0; j < 4; ++j) {
    const V m0 = load(m + j * plane), m1 = load(m + (4 + j) * plane), m2 = load(m + (8 + j) * plane),
            m3 = load(m + (12 + j) * plane);
    f[j] = m0 + m1 + m2;
    f[4 + j] = m1 - m2 - m3;
  }
#pragma GCC unroll 2
  for (std::size_t i = 0; i < 2; ++i) {
    y[2 * i] = f[4 * i] + f[4 * i + 1] + f[4 * i + 2];
    y[2 * i + 1] = f[4 * i + 1] - f[4 * i + 2] - f[4 * i + 3];
  }
}

/// The 16 planes of a tile from its four gradients: A y A^T.
HEPML_INLINE void spread_sums(const V* y, std::size_t plane, float* m) {
  V f[8];
#pragma GCC unroll 2
  for (std::size_t j = 0; j < 2; ++j) {
    f[j] = y[j];
    f[2 + j] = y[j] + y[2 + j];
    f[4 + j] = y[j] - y[2 + j];
    f[6 + j] = -y[2 + j];
  }
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) {
    const V a = f[2 * i], b = f[2 * i + 1];
    store(m + 4 * i * plane, a);
    store(m + (4 * i + 1) * plane, a + b);
    store(m + (4 * i + 2) * plane, a - b);
    store(m + (4 * i + 3) * plane, -b);
  }
}

/// Where the four pixels of a tile lie in the (even) grid, and which of them the image has.
struct Places {
  std::size_t site[4];
  bool inside[4];
};

HEPML_INLINE Places places(const TowerLayer& layer, std::size_t tile) {
  const std::size_t row = 2 * (tile / layer.tile_columns), column = 2 * (tile % layer.tile_columns);
  Places result{};
  for (std::size_t k = 0; k < 4; ++k) {
    const std::size_t r = row + k / 2, c = column + k % 2;
    result.site[k] = r * 2 * layer.tile_columns + c;
    result.inside[k] = r < layer.rows && c < layer.columns;
  }
  return result;
}

/// 1 where x > 0, for `width` channels.
HEPML_INLINE V positive(V x) {
  return x > 0.0F ? set(1.0F) : V{};
}

/// What one convolution of the first kind, on single numbers, gives for a tile.
HEPML_INLINE void first_sums(const TowerLayer& layer, const float* table, const std::uint32_t* input,
                             std::size_t c, V* y) {
  for (std::size_t k = 0; k < 4; ++k) {
    y[k] = V{};
    for (std::size_t tap = 0; tap < 9; ++tap) {
      const float x = table[input[(k / 2 + tap / 3) * 4 + k % 2 + tap % 3]];
      if (x != 0.0F) y[k] = fma(set(x), load(layer.weights + tap * layer.out_stride + c), y[k]);
    }
  }
}

/// Rectified outputs of a tile, less what the empty image gives; `alive` keeps where gradients flow.
HEPML_INLINE void finish_tile(const TowerLayer& layer, const TowerTiles& tiles, std::size_t tile,
                              std::size_t c, const V* sums) {
  const Places at = places(layer, tiles.tile[tile]);
  const std::size_t stride = layer.out_stride;
  V y[4];
#pragma GCC unroll 4
  for (std::size_t k = 0; k < 4; ++k) {
    y[k] = at.inside[k] ? at_least(sums[k] + load(layer.empty + at.site[k] * stride + c), V{}) : V{};
  }
  float* alive = tiles.alive + tile * 4 * stride + c;
  if (!layer.pooled) {
#pragma GCC unroll 4
    for (std::size_t k = 0; k < 4; ++k) {
      const V rest = at.inside[k] ? load(layer.empty_out + at.site[k] * stride + c) : V{};
      store(tiles.output + (4 * tile + k) * stride + c, y[k] - rest);
      store(alive + k * stride, positive(y[k]));
    }
    return;
  }
  V best = y[0];
#pragma GCC unroll 3
  for (std::size_t k = 1; k < 4; ++k) best = max(y[k], best);
  V open = positive(best);  // the first of equal pixels takes the gradient
#pragma GCC unroll 4
  for (std::size_t k = 0; k < 4; ++k) {
    const V taken = y[k] == best ? open : V{};
    store(alive + k * stride, taken);
    open = open - taken;
  }
  store(tiles.output + tile * stride + c, best - load(layer.empty_out + tiles.tile[tile] * stride + c));
}

void tower_forward(const TowerLayer& layer, const TowerTiles& tiles, float* scratch) noexcept {
  const std::size_t stride = layer.out_stride, plane = plane_size(stride);
  float* v = scratch;
  float* m = v + 16 * plane_size(layer.in_stride);
  for (std::size_t start = 0; start < tiles.n; start += tower_block) {
    const std::size_t n = smaller(tower_block, tiles.n - start);
    const std::uint32_t* input = tiles.input + 16 * start;
    if (!layer.first) {
      tile_inputs(layer, tiles.table, input, n, v);
      for (std::size_t i = 0; i < 16; ++i) {
        multiply({v + i * plane_size(layer.in_stride), layer.in_stride, 1,
                  layer.weights + i * layer.n_in * stride, stride, m + i * plane, stride, n, layer.n_in,
                  layer.n_out, false});
      }
    }
    for (std::size_t tile = 0; tile < n; ++tile) {
      for (std::size_t c = 0; c < stride; c += width) {
        V sums[4];
        if (layer.first) {
          first_sums(layer, tiles.table, input + 16 * tile, c, sums);
        } else {
          tile_sums(m + tile * stride + c, plane, sums);
        }
        finish_tile(layer, tiles, start + tile, c, sums);
      }
    }
  }
}

/// Gradients of a tile's four sums, from those of its outputs; what the empty image gave takes its share.
HEPML_INLINE void open_tile(const TowerLayer& layer, const TowerTiles& tiles, const TowerGradients& gradients,
                            std::size_t tile, std::size_t c, V* sums) {
  const Places at = places(layer, tiles.tile[tile]);
  const std::size_t stride = layer.out_stride;
  const float* alive = tiles.alive + tile * 4 * stride + c;
  V gradient{};
  if (layer.pooled) {
    gradient = load(gradients.output + tile * stride + c);
    float* rest = gradients.empty_out + tiles.tile[tile] * stride + c;
    store(rest, load(rest) - gradient);
  }
#pragma GCC unroll 4
  for (std::size_t k = 0; k < 4; ++k) {
    sums[k] = V{};
    if (!at.inside[k]) continue;
    if (!layer.pooled) {
      gradient = load(gradients.output + (4 * tile + k) * stride + c);
      float* rest = gradients.empty_out + at.site[k] * stride + c;
      store(rest, load(rest) - gradient);
    }
    sums[k] = gradient * load(alive + k * stride);
    float* empty = gradients.empty + at.site[k] * stride + c;
    store(empty, load(empty) + sums[k]);
  }
}

void tower_backward(const TowerLayer& layer, const TowerTiles& tiles, const TowerGradients& gradients,
                    float* scratch) noexcept {
  const std::size_t in = layer.in_stride, stride = layer.out_stride, plane = plane_size(stride);
  float* v = scratch;
  float* dv = v + 16 * plane_size(in);
  float* dm = dv + 16 * plane_size(in);
  for (std::size_t start = 0; start < tiles.n; start += tower_block) {
    const std::size_t n = smaller(tower_block, tiles.n - start);
    const std::uint32_t* input = tiles.input + 16 * start;
    for (std::size_t tile = 0; tile < n; ++tile) {
      for (std::size_t c = 0; c < stride; c += width) {
        V sums[4];
        open_tile(layer, tiles, gradients, start + tile, c, sums);
        if (!layer.first) {
          spread_sums(sums, plane, dm + tile * stride + c);
          continue;
        }
        for (std::size_t i = 0; i < 36; ++i) {
          const std::size_t k = i / 9, tap = i % 9;
          const float x = tiles.table[input[16 * tile + (k / 2 + tap / 3) * 4 + k % 2 + tap % 3]];
          float* weight = gradients.weights + tap * stride + c;
          if (x != 0.0F) store(weight, fma(set(x), sums[k], load(weight)));
        }
      }
    }
    if (layer.first) continue;
    tile_inputs(layer, tiles.table, input, n, v);
    for (std::size_t i = 0; i < 16; ++i) {
      const float* from = dm + i * plane;
      const std::size_t size = layer.n_in * stride;
      multiply({v + i * plane_size(in), 1, in, from, stride, gradients.weights + i * size, stride, layer.n_in,
                n, layer.n_out, true});
      multiply({from, stride, 1, layer.transposed + i * layer.n_out * in, in, dv + i * plane_size(in), in, n,
                layer.n_out, layer.n_in, false});
    }
    add_to_inputs(layer, gradients.table, input, n, dv);
  }
}
