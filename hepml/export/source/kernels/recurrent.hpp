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

/// P vectors of sums over NX inputs x and NH of the state h, rows of weights S floats apart, added to
/// `total`, of many in blocks; D as for go_on.
template <std::size_t NX, std::size_t NH, std::size_t S, std::size_t D = width, std::size_t P>
HEPML_SOURCE_INLINE void gate_sums(const float* x, const float* h, const float* weights, V (&total)[P]) {
  constexpr std::size_t U = P == 1 ? 8 : P == 2 || (P == 4 && width == 16) ? 4 : P <= 4 ? 2 : 1;
  if constexpr (NX + NH > 2 * sum_block) {
    add_products<P, U, NX, S, D>(x, weights, total);
    add_products<P, U, NH, S, D>(h, weights + NX * S, total);
  } else {
    V sums[U][P];
    HEPML_SOURCE_UNROLL
    for (std::size_t u = 0; u < U; ++u) {
      HEPML_SOURCE_UNROLL
      for (std::size_t p = 0; p < P; ++p) sums[u][p] = u == 0 ? total[p] : V{};
    }
    go_on<P, U, S, D>(x, NX, weights, sums);
    go_on<P, U, S, D>(h, NH, weights + NX * S, sums);
    join(sums);
    HEPML_SOURCE_UNROLL
    for (std::size_t p = 0; p < P; ++p) total[p] = sums[0][p];
  }
}
/// function(bias + the sums of a gate): all P vectors, four at a time, from `First` on.
template <std::size_t NX, std::size_t NH, std::size_t S, std::size_t First = 0, std::size_t P, class F>
HEPML_SOURCE_INLINE void gate(const float* x, const float* h, const float* weights, const float* bias,
                              V (&y)[P], F function) {
  constexpr std::size_t count = P - First < 4 ? P - First : 4;
  V total[count];
  HEPML_SOURCE_UNROLL
  for (std::size_t p = 0; p < count; ++p) total[p] = load(bias + (First + p) * width);
  gate_sums<NX, NH, S>(x, h, weights + First * width, total);
  HEPML_SOURCE_UNROLL
  for (std::size_t p = 0; p < count; ++p) y[First + p] = function(total[p]);
  if constexpr (First + count < P) gate<NX, NH, S, First + count>(x, h, weights, bias, y, function);
}
/// A step of an LSTM of N units. Weights and biases lie in panels of 16 units: of each input their gates
/// i f c o. The functions of a panel fill the time in which weights of the next one arrive. `scratch` is as
/// large as h.
template <std::size_t NX, std::size_t N, class A, class G>
HEPML_SOURCE_INLINE void lstm_step(const float* x, float* h, float* c, float* scratch, const float* weights,
                                   const float* bias, A activation, G inner) {
  constexpr std::size_t S = 16;
  constexpr std::size_t Q = width == 8 && N > width ? 2 : 1;  // vectors of a gate at a time
  constexpr std::size_t used = N < S ? vectors(N) * width : S;
  float* const next = N <= Q * width ? h : scratch;
  for (std::size_t k = 0; k < N; k += S, weights += (NX + N) * 4 * S, bias += 4 * S) {
    HEPML_SOURCE_UNROLL
    for (std::size_t first = 0; first < used; first += Q * width) {
      V gates[4 * Q];
      HEPML_SOURCE_UNROLL
      for (std::size_t g = 0; g < 4 * Q; ++g) gates[g] = load(bias + first + g * (S / Q));
      gate_sums<NX, N, 4 * S, S / Q>(x, h, weights + first, gates);
      HEPML_SOURCE_UNROLL
      for (std::size_t q = 0; q < Q; ++q) {
        const std::size_t at = k + first + q * width;
        const V added = inner(gates[q]) * activation(gates[2 * Q + q]);
        const V state = fma(inner(gates[Q + q]), load(c + at), added);
        store(c + at, state);
        store(next + at, inner(gates[3 * Q + q]) * activation(state));
      }
    }
  }
  if (next == h) return;
  for (std::size_t k = 0; k < N; k += width) store(h + k, load(next + k));
}
/// h = act(W x + b + U h), likewise.
template <std::size_t NX, std::size_t N, std::size_t S, class A>
HEPML_SOURCE_INLINE void rnn_step(const float* x, float* h, const float* weights, const float* bias,
                                  A activation) {
  constexpr std::size_t P = vectors(N);
  V next[P];
  gate<NX, N, S>(x, h, weights, bias, next, activation);
  HEPML_SOURCE_UNROLL
  for (std::size_t p = 0; p < P; ++p) store(h + p * width, next[p]);
}
/// h = z h + (1 - z) act(W x + b + U (r h)), of N units. Gates r z and the candidate behind each other, of S
/// floats; what does not wait for r fills the time that its function takes.
template <std::size_t NX, std::size_t N, std::size_t S, class A, class G>
HEPML_SOURCE_INLINE void gru_step(const float* x, float* h, float* reset, const float* weights,
                                  const float* bias, A activation, G inner) {
  constexpr std::size_t P = vectors(N);
  constexpr std::size_t matrix = (NX + N) * S;
  V state[P], keep[P], next[P];
  HEPML_SOURCE_UNROLL
  for (std::size_t p = 0; p < P; ++p) state[p] = load(h + p * width);
  gate<NX, N, S>(x, h, weights, bias, next, inner);
  HEPML_SOURCE_UNROLL
  for (std::size_t p = 0; p < P; ++p) store(reset + p * width, next[p] * state[p]);
  gate<NX, N, S>(x, h, weights + matrix, bias + S, keep, inner);
  gate<NX, N, S>(x, reset, weights + 2 * matrix, bias + 2 * S, next, activation);
  HEPML_SOURCE_UNROLL
  for (std::size_t p = 0; p < P; ++p) store(h + p * width, keep[p] * state[p] + (1.0F - keep[p]) * next[p]);
}
/// The same with the candidate act(W x + b + r (U h + b')); a bias b' of S floats is the fourth.
template <std::size_t NX, std::size_t N, std::size_t S, class A, class G>
HEPML_SOURCE_INLINE void gru_after_step(const float* x, float* h, const float* weights, const float* bias,
                                        A activation, G inner) {
  constexpr std::size_t P = vectors(N);
  constexpr std::size_t matrix = (NX + N) * S;
  V reset[P], keep[P], given[P], next[P];
  gate<NX, N, S>(x, h, weights, bias, reset, inner);
  gate<NX, 0, S>(x, h, weights + 2 * matrix, bias + 2 * S, given, Linear{});
  gate<0, N, S>(x, h, weights + 2 * matrix + NX * S, bias + 3 * S, next, Linear{});
  gate<NX, N, S>(x, h, weights + matrix, bias + S, keep, inner);
  HEPML_SOURCE_UNROLL
  for (std::size_t p = 0; p < P; ++p) {
    const V candidate = activation(fma(reset[p], next[p], given[p]));
    store(h + p * width, keep[p] * load(h + p * width) + (1.0F - keep[p]) * candidate);
  }
}
/// Gates z r of many units: r h to where the candidate takes it from.
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
