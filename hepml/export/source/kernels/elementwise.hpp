// The affine functions of single elements.

inline void normalize(const float* x, const float* scale, const float* shift, float* y,
                      std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) y[i] = scale[i] * (x[i] + shift[i]);
}
inline void add_to(float* y, const float* x, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) y[i] += x[i];
}
/// y = carry t + (1 - carry) x.
inline void highway(const float* carry, const float* t, const float* x, float* y, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) y[i] = carry[i] * t[i] + (1.0F - carry[i]) * x[i];
}
/// Zeros in the steps whose numbers all are `value`.
inline void mask_steps(const float* x, float* y, std::size_t steps, std::size_t n, float value) noexcept {
  for (std::size_t i = 0; i < steps; ++i, x += n, y += n) {
    bool counts = false;
    for (std::size_t k = 0; k < n; ++k) counts |= x[k] != value;
    for (std::size_t k = 0; k < n; ++k) y[k] = counts ? x[k] : 0.0F;
  }
}
