// The element-wise part of recurrent layers, for N units. Gates lie behind each other without padding: a
// vector may reach into the next one, and what lies behind N in a state is never looked at.

/// tanh(x) to 3.5e-7, in half the time, for cells that wait for it: x P(x^2) / Q(x^2), fitted to 2e-8 up to
/// 9.02, where float32 has 1.
HEPML_SOURCE_INLINE V quick_tangent(V x) {
  const I all = bits(x);
  const V size = from_bits(all & 0x7fffffff);
  const V a = select(size > 9.02F, set(9.02F), size);
  const V s = a * a;
  const V t = s * s;
  const V p =
      (1.33190693e-08F * t + (2.05834794e-05F * s + 3.49403445e-03F)) * t + (1.33797179e-01F * s + 1.0F);
  const V q =
      (7.76201835e-07F * t + (3.28309265e-04F * s + 2.58710728e-02F)) * t + (4.67130331e-01F * s + 1.0F);
  const V n = a * p;
  const V y = select(n > q, q, n) / q;  // never beyond 1
  return from_bits(bits(y) | (all ^ bits(size)));
}
struct QuickTanh {
  HEPML_SOURCE_INLINE V operator()(V x) const { return quick_tangent(x); }
};
/// The sigmoid, to 2e-7 of 1.
struct GateSigmoid {
  HEPML_SOURCE_INLINE V operator()(V x) const { return 0.5F + 0.5F * quick_tangent(0.5F * x); }
};

/// c = f c + i act(c~), h = o act(c); gates i f c o.
template <std::size_t N, class A, class G>
HEPML_SOURCE_INLINE void lstm_cell(const float* gates, float* c, float* h, A activation, G inner) {
  for (std::size_t i = 0; i < N; i += width) {
    const V in = inner(load(gates + i));
    const V forget = inner(load(gates + N + i));
    const V candidate = activation(load(gates + 2 * N + i));
    const V out = inner(load(gates + 3 * N + i));
    const V state = fma(forget, load(c + i), in * candidate);
    store(c + i, state);
    store(h + i, out * activation(state));
  }
}

/// Gates z r: r h to where the candidate takes it from.
template <std::size_t N, class G>
HEPML_SOURCE_INLINE void gru_reset(const float* gates, const float* h, float* reset, G inner) {
  for (std::size_t i = 0; i < N; i += width) store(reset + i, inner(load(gates + N + i)) * load(h + i));
}
/// h = z h + (1 - z) act(candidate).
template <std::size_t N, class A, class G>
HEPML_SOURCE_INLINE void gru_update(const float* gates, const float* candidate, float* h, A activation,
                                    G inner) {
  for (std::size_t i = 0; i < N; i += width) {
    const V keep = inner(load(gates + i));
    store(h + i, keep * load(h + i) + (1.0F - keep) * activation(load(candidate + i)));
  }
}
/// The reset behind the matrix: gates z r h of the input and of the state.
template <std::size_t N, class A, class G>
HEPML_SOURCE_INLINE void gru_cell(const float* input, const float* state, float* h, A activation, G inner) {
  for (std::size_t i = 0; i < N; i += width) {
    const V keep = inner(load(input + i) + load(state + i));
    const V reset = inner(load(input + N + i) + load(state + N + i));
    const V next = activation(fma(reset, load(state + 2 * N + i), load(input + 2 * N + i)));
    store(h + i, keep * load(h + i) + (1.0F - keep) * next);
  }
}
/// h = act(sums).
template <std::size_t N, class A>
HEPML_SOURCE_INLINE void rnn_cell(const float* sums, float* h, A activation) {
  for (std::size_t i = 0; i < N; i += width) store(h + i, activation(load(sums + i)));
}
