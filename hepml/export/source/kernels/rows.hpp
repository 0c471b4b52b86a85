// Functions of whole rows: softmax and its sums.

/// A sum in blocks, so that its rounding does not grow with n.
template <class F>
HEPML_SOURCE_INLINE float total(const float* x, std::size_t n, F term) {
  float all = 0.0F;
  for (std::size_t start = 0; start < n; start += 16 * width) {
    const std::size_t stop = smaller(start + 16 * width, n);
    V part{};
    std::size_t i = start;
    for (; i + width <= stop; i += width) part += term(load(x + i));
    if (i < stop) {
      float buffer[width];
      store(buffer, term(load_some(x + i, stop - i, 0.0F)));
      for (std::size_t k = 0; k < stop - i; ++k) all += buffer[k];
    }
    all += sum(part);
  }
  return all;
}

/// The largest, or with the sign -1 the smallest; NaN wins.
HEPML_SOURCE_INLINE float extreme(const float* x, std::size_t n, float sign) {
  float top = x[0];
  for (std::size_t i = 1; i < n; ++i) top = sign * x[i] > sign * top || x[i] != x[i] ? x[i] : top;
  return top;
}

struct Softmax {
  HEPML_SOURCE_INLINE void operator()(const float* x, float* y, std::size_t n) const {
    if (n == 0) return;
    const float top = extreme(x, n, 1.0F);
    each(x, y, n, [top](V v) { return exponential(v - set(top)); });
    const float all = total(y, n, [](V v) { return v; });
    each(y, y, n, [all](V v) { return v / set(all); });
  }
};
