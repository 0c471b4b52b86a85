// The element-wise part of recurrent layers, for N units. Gates lie behind each other without padding: a
// vector may reach into the next one, and what lies behind N in a state is never looked at.

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
