// Recurrent layers, a step at a time. The gates that are summed together lie in one matrix over the inputs
// and the state behind them, packed [panel][input][gate][lane], a panel being a few vectors of units. Arrays
// of units are padded to whole vectors: what lies behind n is computed and never looked at.

/// Vectors of units in a panel of `gates`: their sums and what they wait for fit the registers.
HEPML_INLINE std::size_t units_of_panel(std::size_t gates) {
  return gates == 1 ? 4 : HEPML_REGISTERS / 8;
}

void pack_gates(const float* weights, std::size_t gates, std::size_t n_in, std::size_t n, float* packed) {
  const std::size_t n_vectors = vectors(n);
  for (std::size_t start = 0; start < n_vectors;) {
    const std::size_t count = piece(n_vectors, units_of_panel(gates), start);
    for (std::size_t i = 0; i < n_in; ++i) {
      for (std::size_t g = 0; g < gates; ++g) {
        for (std::size_t o = start * width; o < (start + count) * width; ++o)
          *packed++ = o < n ? weights[(g * n + o) * n_in + i] : 0.0F;
      }
    }
    start += count;
  }
}
__attribute__((noinline)) void apply_any(Activation activation, V* v, std::size_t n) {
  for (std::size_t k = 0; k < n; ++k) {
    float buffer[width];
    store(buffer, v[k]);
    activate(activation, buffer, buffer, width);
    v[k] = load(buffer);
  }
}

/// v = function(v) of single elements, N vectors; `quick` for cells whose gates keep a state.
template <std::size_t N, bool quick = true>
HEPML_INLINE void apply(Activation activation, V* v) {
  const auto each = [v](auto function) {
#pragma GCC unroll 16
    for (std::size_t k = 0; k < N; ++k) v[k] = function(v[k]);
  };
  switch (activation.function) {
    case Function::linear:
      return;
    case Function::rectified:
      return each([](V x) { return at_least(x, V{}); });
    case Function::sigmoid:
      return each([](V x) { return quick ? gate_of(x) : sigmoid(x); });
    case Function::tanh:
      return each([](V x) { return quick ? quick_tangent(x) : hyperbolic_tangent(x); });
    case Function::hard_sigmoid:
      return each([](V x) { return between(0.2F * x + 0.5F, 0.0F, 1.0F); });
    default:
      break;
  }
  V copy[N];  // v itself stays in registers
#pragma GCC unroll 16
  for (std::size_t k = 0; k < N; ++k) copy[k] = v[k];
  apply_any(activation, copy, N);
#pragma GCC unroll 16
  for (std::size_t k = 0; k < N; ++k) v[k] = copy[k];
}

/// The sums of R vectors over the inputs x and the state h, added to `total`; not `quick`, or of many, in
/// parts that keep them exact.
template <std::size_t R, bool quick = true>
HEPML_INLINE void gate_sums(const float* x, std::size_t n_x, const float* h, std::size_t n_h,
                            const float* weights, V* total) {
  constexpr std::size_t U = abreast<R>;
  const float* weights_of_h = weights + n_x * R * width;
  if (!quick || n_x + n_h > 2 * block) {
    V copy[R];  // total itself stays in registers
#pragma GCC unroll 16
    for (std::size_t r = 0; r < R; ++r) copy[r] = total[r];
    dense_sums_of<R, false>(x, n_x, weights, copy);
    dense_sums_of<R, false>(h, n_h, weights_of_h, copy);
#pragma GCC unroll 16
    for (std::size_t r = 0; r < R; ++r) total[r] = copy[r];
    return;
  }
  V sums[U][R];  // set in turn: " = {}" clears memory first, which costs as much as a tenth of the sums
#pragma GCC unroll 8
  for (std::size_t u = 0; u < U; ++u) {
#pragma GCC unroll 16
    for (std::size_t r = 0; r < R; ++r) sums[u][r] = u == 0 ? total[r] : V{};
  }
  go_on<R, U>(x, n_x, weights, sums);
  go_on<R, U>(h, n_h, weights_of_h, sums);
#pragma GCC unroll 4
  for (std::size_t half = U / 2; half != 0; half /= 2) {
#pragma GCC unroll 4
    for (std::size_t u = 0; u < half; ++u) {
#pragma GCC unroll 16
      for (std::size_t r = 0; r < R; ++r) sums[u][r] += sums[u + half][r];
    }
  }
#pragma GCC unroll 16
  for (std::size_t r = 0; r < R; ++r) total[r] = sums[0][r];
}

/// Calls part(Count<vectors>, first unit, weights of the panel) for each panel of `gates`.
template <std::size_t G, class Part>
HEPML_INLINE void panels(const StepArgs& args, const float* weights, Part part) {
  const std::size_t n_vectors = args.pad / width;
  for (std::size_t start = 0; start < n_vectors;) {
    const std::size_t count = piece(n_vectors, units_of_panel(G), start);
    const float* at = weights + start * width * G * (args.n_in + args.n);
    const std::size_t first = start * width;
    switch (count) {
      case 1:
        part(Count<1>{}, first, at);
        break;
      case 2:
        part(Count<2>{}, first, at);
        break;
      case 3:
        part(Count<3>{}, first, at);
        break;
      default:
        part(Count<4>{}, first, at);
        break;
    }
    start += count;
  }
}

HEPML_INLINE V bias_of(const StepArgs& args, std::size_t gate, std::size_t unit) {
  return load(args.bias + gate * args.pad + unit);
}

/// Where a step writes the state that panels behind the first one still read: put_state() moves it.
HEPML_INLINE float* next_state(const StepArgs& args, std::size_t gates, float* h, float* scratch) {
  return args.pad <= units_of_panel(gates) * width ? h : scratch;
}
HEPML_INLINE void put_state(const StepArgs& args, const float* next, float* h) {
  if (next == h) return;
  for (std::size_t i = 0; i < args.pad; i += width) store(h + i, load(next + i));
}

void lstm_step(const StepArgs& args, const float* x, float* h, float* scratch) noexcept {
  float* c = h + args.pad;
  float* next = next_state(args, 4, h, scratch);
  panels<4>(args, args.weights[0], [&](auto count, std::size_t first, const float* weights) {
    constexpr std::size_t P = decltype(count)::value;
    V gates[4 * P];
    for (std::size_t k = 0; k < 4 * P; ++k) gates[k] = bias_of(args, k / P, first + k % P * width);
    gate_sums<4 * P>(x, args.n_in, h, args.n, weights, gates);
    apply<2 * P>(args.inner, gates);
    apply<P>(args.activation, gates + 2 * P);
    apply<P>(args.inner, gates + 3 * P);
    V state[P];
#pragma GCC unroll 4
    for (std::size_t p = 0; p < P; ++p) {
      state[p] = fma(gates[P + p], load(c + first + p * width), gates[p] * gates[2 * P + p]);
      store(c + first + p * width, state[p]);
    }
    apply<P>(args.activation, state);
#pragma GCC unroll 4
    for (std::size_t p = 0; p < P; ++p) store(next + first + p * width, gates[3 * P + p] * state[p]);
  });
  put_state(args, next, h);
}

/// One gate in the registers: function(sum), for each vector of the panel.
template <std::size_t P, bool quick = true, class Use>
HEPML_INLINE void gate(const StepArgs& args, Activation function, std::size_t index, std::size_t first,
                       const float* x, const float* h, const float* weights, Use use) {
  V sums[P];
  for (std::size_t p = 0; p < P; ++p) sums[p] = bias_of(args, index, first + p * width);
  gate_sums<P, quick>(x, args.n_in, h, args.n, weights, sums);
  apply<P, quick>(function, sums);
#pragma GCC unroll 4
  for (std::size_t p = 0; p < P; ++p) use(first + p * width, sums[p]);
}

/// The sums of a gate of few units, all in one panel, and its function.
template <std::size_t P>
HEPML_INLINE void whole_gate(const StepArgs& args, Activation function, std::size_t index, const float* x,
                             const float* h, V* sums) {
#pragma GCC unroll 4
  for (std::size_t p = 0; p < P; ++p) sums[p] = bias_of(args, index, p * width);
  gate_sums<P>(x, args.n_in, h, args.n, args.weights[index], sums);
  apply<P>(function, sums);
}

/// Few units: state and gates stay in registers.
template <std::size_t P>
void gru_step_of(const StepArgs& args, const float* x, float* h, float* reset) {
  V state[P], keep[P], next[P];
#pragma GCC unroll 4
  for (std::size_t p = 0; p < P; ++p) state[p] = load(h + p * width);
  whole_gate<P>(args, args.inner, 1, x, h, next);
#pragma GCC unroll 4
  for (std::size_t p = 0; p < P; ++p) store(reset + p * width, next[p] * state[p]);
  whole_gate<P>(args, args.inner, 0, x, h, keep);
  whole_gate<P>(args, args.activation, 2, x, reset, next);
#pragma GCC unroll 4
  for (std::size_t p = 0; p < P; ++p) store(h + p * width, keep[p] * state[p] + (1.0F - keep[p]) * next[p]);
}

// The reset gate comes first: what does not wait for it fills the time that its function takes.
void gru_step(const StepArgs& args, const float* x, float* h, float* scratch) noexcept {
  switch (args.pad / width) {
    case 1:
      return gru_step_of<1>(args, x, h, scratch);
    case 2:
      return gru_step_of<2>(args, x, h, scratch);
    case 3:
      return gru_step_of<3>(args, x, h, scratch);
    case 4:
      return gru_step_of<4>(args, x, h, scratch);
    default:
      break;
  }
  float* reset = scratch;            // times the state
  float* kept = scratch + args.pad;  // z times the state, and 1 - z behind it
  panels<1>(args, args.weights[1], [&](auto count, std::size_t first, const float* weights) {
    gate<decltype(count)::value>(args, args.inner, 1, first, x, h, weights,
                                 [&](std::size_t at, V v) { store(reset + at, v * load(h + at)); });
  });
  panels<1>(args, args.weights[0], [&](auto count, std::size_t first, const float* weights) {
    gate<decltype(count)::value>(args, args.inner, 0, first, x, h, weights, [&](std::size_t at, V z) {
      store(kept + at, z * load(h + at));
      store(kept + args.pad + at, 1.0F - z);
    });
  });
  panels<1>(args, args.weights[2], [&](auto count, std::size_t first, const float* weights) {
    gate<decltype(count)::value>(args, args.activation, 2, first, x, reset, weights,
                                 [&](std::size_t at, V next) {
                                   store(h + at, fma(load(kept + args.pad + at), next, load(kept + at)));
                                 });
  });
}

void gru_reset_after_step(const StepArgs& args, const float* x, float* h, float* scratch) noexcept {
  float* next = next_state(args, 1, h, scratch);
  const std::size_t matrix = static_cast<std::size_t>(args.weights[1] - args.weights[0]);
  panels<1>(args, args.weights[0], [&](auto count, std::size_t first, const float* weights) {
    constexpr std::size_t P = decltype(count)::value;
    V reset[P], keep[P], input[P], state[P];
    for (std::size_t p = 0; p < P; ++p) {
      keep[p] = bias_of(args, 0, first + p * width);
      reset[p] = bias_of(args, 1, first + p * width);
      input[p] = bias_of(args, 2, first + p * width);
      state[p] = bias_of(args, 3, first + p * width);
    }
    gate_sums<P>(x, args.n_in, h, args.n, weights + matrix, reset);
    gate_sums<P>(x, args.n_in, h, 0, weights + 2 * matrix, input);
    gate_sums<P>(x, 0, h, args.n, weights + 2 * matrix + args.n_in * P * width, state);
    gate_sums<P>(x, args.n_in, h, args.n, weights, keep);
    apply<P>(args.inner, reset);
#pragma GCC unroll 4
    for (std::size_t p = 0; p < P; ++p) input[p] = fma(reset[p], state[p], input[p]);
    apply<P>(args.inner, keep);
    apply<P>(args.activation, input);
#pragma GCC unroll 4
    for (std::size_t p = 0; p < P; ++p) {
      const std::size_t at = first + p * width;
      store(next + at, keep[p] * load(h + at) + (1.0F - keep[p]) * input[p]);
    }
  });
  put_state(args, next, h);
}

void simplernn_step(const StepArgs& args, const float* x, float* h, float* scratch) noexcept {
  float* next = next_state(args, 1, h, scratch);
  panels<1>(args, args.weights[0], [&](auto count, std::size_t first, const float* weights) {
    gate<decltype(count)::value, false>(args, args.activation, 0, first, x, h, weights,
                                        [&](std::size_t at, V v) { store(next + at, v); });
  });
  put_state(args, next, h);
}
