// The affine functions of single elements.

inline void normalize(const float* x, const float* scale, const float* shift, float* y, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) y[i] = scale[i] * (x[i] + shift[i]);
}
inline void add_to(float* y, const float* x, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) y[i] += x[i];
}
