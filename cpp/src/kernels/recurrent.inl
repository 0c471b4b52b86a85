// The element-wise part of recurrent layers. Arrays are padded to whole vectors: what lies behind n is
// computed and never looked at.

/// An activation of single elements.
HEPML_INLINE V function_of(Activation activation, V v) {
  switch (activation.function) {
    case Function::linear:
      return v;
    case Function::rectified:
      return at_least(v, V{});
    case Function::sigmoid:
      return sigmoid(v);
    case Function::tanh:
      return hyperbolic_tangent(v);
    case Function::hard_sigmoid:
      return between(0.2F * v + 0.5F, 0.0F, 1.0F);
    default:
      break;
  }
  float buffer[width];
  store(buffer, v);
  activate(activation, buffer, buffer, width);
  return load(buffer);
}

void lstm_cell(const CellArgs& args, const float* gates, float* c, float* h) noexcept {
  for (std::size_t i = 0; i < args.pad; i += width) {
    const V in = function_of(args.inner, load(gates + i));
    const V forget = function_of(args.inner, load(gates + args.pad + i));
    const V candidate = function_of(args.activation, load(gates + 2 * args.pad + i));
    const V out = function_of(args.inner, load(gates + 3 * args.pad + i));
    const V state = fma(forget, load(c + i), in * candidate);
    store(c + i, state);
    store(h + i, out * function_of(args.activation, state));
  }
}

void gru_gates(const CellArgs& args, float* gates, const float* h) noexcept {
  for (std::size_t i = 0; i < args.pad; i += width) {
    store(gates + i, function_of(args.inner, load(gates + i)));
    const V reset = function_of(args.inner, load(gates + args.pad + i));
    store(gates + args.pad + i, reset * load(h + i));
  }
}

void gru_update(const CellArgs& args, const float* z, const float* candidate, float* h) noexcept {
  for (std::size_t i = 0; i < args.pad; i += width) {
    const V keep = load(z + i);
    const V next = function_of(args.activation, load(candidate + i));
    store(h + i, keep * load(h + i) + (1.0F - keep) * next);
  }
}

void gru_cell(const CellArgs& args, const float* input, const float* state, float* h) noexcept {
  for (std::size_t i = 0; i < args.pad; i += width) {
    const V keep = function_of(args.inner, load(input + i) + load(state + i));
    const V reset = function_of(args.inner, load(input + args.pad + i) + load(state + args.pad + i));
    const V next = function_of(args.activation,
                               fma(reset, load(state + 2 * args.pad + i), load(input + 2 * args.pad + i)));
    store(h + i, keep * load(h + i) + (1.0F - keep) * next);
  }
}
