// Energy-flow polynomials, in double precision. Vectors hold `pad` doubles, a multiple of 8, matrices pad
// rows of them; what lies behind the n constituents is 0 and stays 0.

constexpr std::size_t half_width = width / 2;
using VD = double __attribute__((vector_size(HEPML_WIDTH * 4)));
struct __attribute__((packed, may_alias)) UnalignedDoubles {
  VD vector;
};
HEPML_INLINE VD load_doubles(const double* p) {
  return reinterpret_cast<const UnalignedDoubles*>(p)->vector;
}
HEPML_INLINE void store_doubles(double* p, VD v) {
  reinterpret_cast<UnalignedDoubles*>(p)->vector = v;
}

void multiply_doubles(const double* a, const double* b, double* y, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; i += half_width)
    store_doubles(y + i, load_doubles(a + i) * load_doubles(b + i));
}

double dot_doubles(const double* a, const double* b, std::size_t n) noexcept {
  VD sums[2] = {};
  for (std::size_t i = 0; i < n; i += 2 * half_width) {  // n is a multiple of 8 or 16
    sums[0] += load_doubles(a + i) * load_doubles(b + i);
    if (i + half_width < n) sums[1] += load_doubles(a + i + half_width) * load_doubles(b + i + half_width);
  }
  sums[0] += sums[1];
  double total = 0;
  for (std::size_t k = 0; k < half_width; ++k) total += sums[0][k];
  return total;
}

/// C vectors of columns of y = x matrix.
template <std::size_t C>
HEPML_INLINE void columns_of_product(const double* x, const double* matrix, double* y, std::size_t n,
                                     std::size_t pad) {
  VD sums[C] = {};
  for (std::size_t i = 0; i < n; ++i) {
    const VD value = x[i] - VD{};
#pragma GCC unroll 8
    for (std::size_t c = 0; c < C; ++c) sums[c] += value * load_doubles(matrix + i * pad + c * half_width);
  }
#pragma GCC unroll 8
  for (std::size_t c = 0; c < C; ++c) store_doubles(y + c * half_width, sums[c]);
}

void row_times_doubles(const double* x, const double* matrix, double* y, std::size_t n,
                       std::size_t pad) noexcept {
  std::size_t j = 0;
  for (; j + 4 * half_width <= pad; j += 4 * half_width) columns_of_product<4>(x, matrix + j, y + j, n, pad);
  for (; j < pad; j += half_width) columns_of_product<1>(x, matrix + j, y + j, n, pad);
}

/// R rows and C vectors of columns of y = a diag(x) b.
template <std::size_t R, std::size_t C>
HEPML_INLINE void part_of_chain(const double* a, const double* x, const double* b, double* y, std::size_t n,
                                std::size_t pad) {
  VD sums[R][C] = {};
  for (std::size_t k = 0; k < n; ++k) {
    VD row[C];
#pragma GCC unroll 4
    for (std::size_t c = 0; c < C; ++c) row[c] = x[k] * load_doubles(b + k * pad + c * half_width);
#pragma GCC unroll 4
    for (std::size_t r = 0; r < R; ++r) {
      const VD value = a[r * pad + k] - VD{};
#pragma GCC unroll 4
      for (std::size_t c = 0; c < C; ++c) sums[r][c] += value * row[c];
    }
  }
#pragma GCC unroll 4
  for (std::size_t r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (std::size_t c = 0; c < C; ++c) store_doubles(y + r * pad + c * half_width, sums[r][c]);
  }
}

template <std::size_t C>
HEPML_INLINE void columns_of_chain(const double* a, const double* x, const double* b, double* y,
                                   std::size_t n, std::size_t pad) {
  for (std::size_t i = 0; i < pad; i += 4) part_of_chain<4, C>(a + i * pad, x, b, y + i * pad, n, pad);
}

void chain_doubles(const double* a, const double* x, const double* b, double* y, std::size_t n,
                   std::size_t pad) noexcept {
  std::size_t j = 0;
  for (; j + 3 * half_width <= pad; j += 3 * half_width) columns_of_chain<3>(a, x, b + j, y + j, n, pad);
  for (; j < pad; j += half_width) columns_of_chain<1>(a, x, b + j, y + j, n, pad);
}
