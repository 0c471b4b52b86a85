// Ensembles of decision trees.

/// Siblings lie side by side and parents before children; a leaf is its own child and sends every number to
/// it, so that a walk needs no branch.
struct TreeNode {
  float threshold;        // x <= threshold goes to `child`, else to the node behind it
  std::uint32_t feature;  // of a leaf: 0
  std::uint32_t child;
  std::uint32_t leaf;  // of a leaf: its index; else 1 if a missing value goes to `child`
};

constexpr std::size_t abreast = 8;  // trees walked at a time, to hide the latency of memory

/// exp(x) to 1e-15; 0 below -708, infinite above 709.78.
inline double exponential(double x) {
  if (x < -708.0) return 0.0;
  if (x > 709.78) return static_cast<double>(infinity);
  if (x != x) return x;
  const double shifted = x * 1.4426950408889634 + 6755399441055744.0;  // 1.5 * 2^52
  const double n = shifted - 6755399441055744.0;
  const double r = (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10;
  double p = 1.0 / 6227020800.0;
  constexpr double factorials[] = {479001600.0, 39916800.0, 3628800.0, 362880.0, 40320.0, 5040.0, 720.0,
                                   120.0,       24.0,       6.0,       2.0,      1.0,     1.0};
  for (const double factorial : factorials) p = p * r + 1.0 / factorial;
  const auto power = static_cast<std::int64_t>(n);
  const std::int64_t half = power / 2;  // 2^1024 has no number of its own
  const auto scale = [](std::int64_t k) { return reinterpreted<double>((k + 1023) << 52); };
  return p * scale(half) * scale(power - half);
}

struct IdentityLink {};
struct SigmoidLink {};
struct SoftmaxLink {};
struct ExpLink {};

HEPML_SOURCE_INLINE float to_float32(double x) {
  return x > 3.4028234663852886e38 ? infinity : static_cast<float>(x);
}
/// XGBoost's own, in float32.
HEPML_SOURCE_INLINE float margin_sigmoid(float x) {
  const float most = -x < 88.7F ? -x : 88.7F;
  return 1.0F / (to_float32(exponential(static_cast<double>(most))) + 1.0F + 1e-16F);
}
HEPML_SOURCE_INLINE double margin_sigmoid(double x) {
  const double e = exponential(x < 0.0 ? x : -x);
  return (x < 0.0 ? e : 1.0) / (1.0 + e);
}

template <class Sum>
inline void link(IdentityLink, const Sum*, const float* margin, float* y, std::size_t n) {
  copy_floats(margin, y, n);
}
template <class Sum>
inline void link(SigmoidLink, const Sum* x, const float*, float* y, std::size_t n) {
  for (std::size_t k = 0; k < n; ++k) y[k] = static_cast<float>(margin_sigmoid(x[k]));
}
template <class Sum>
inline void link(ExpLink, const Sum* x, const float*, float* y, std::size_t n) {
  for (std::size_t k = 0; k < n; ++k) y[k] = to_float32(exponential(static_cast<double>(x[k])));
}
template <class Sum>
inline void link(SoftmaxLink, Sum* x, const float*, float* y, std::size_t n) {
  Sum top = x[0];
  for (std::size_t k = 1; k < n; ++k) top = x[k] > top ? x[k] : top;
  double all = 0.0;
  for (std::size_t k = 0; k < n; ++k) {
    x[k] = static_cast<Sum>(exponential(static_cast<double>(x[k] - top)));
    all += static_cast<double>(x[k]);
  }
  for (std::size_t k = 0; k < n; ++k) y[k] = static_cast<float>(x[k] / static_cast<Sum>(all));
}

/// The leaves of the trees [first, first + n), n up to `abreast`.
template <bool Missing>
HEPML_SOURCE_INLINE void walk_trees(const TreeNode* nodes, const std::uint32_t* roots, const float* x,
                                    std::size_t first, std::size_t n, std::uint32_t* leaves) {
  std::uint32_t place[abreast];
  for (std::size_t j = 0; j < abreast; ++j) place[j] = roots[first + smaller(j, n - 1)];
  for (std::uint32_t moved = 1; moved != 0;) {
    moved = 0;
    HEPML_SOURCE_UNROLL
    for (std::size_t j = 0; j < abreast; ++j) {
      const TreeNode& node = nodes[place[j]];
      const float value = x[node.feature];
      std::uint32_t next = node.child;
      if (Missing && value != value) {
        next += node.child != place[j] && node.leaf == 0 ? 1U : 0U;
      } else {
        next += value <= node.threshold ? 0U : 1U;
      }
      moved |= next ^ place[j];
      place[j] = next;
    }
  }
  for (std::size_t j = 0; j < n; ++j) leaves[j] = nodes[place[j]].leaf;
}

/// Margins of `Outputs`: base plus the values of the leaves, in the order of the trees, then the link.
/// `outputs` is the output of each tree; null: a leaf has a value for each output.
template <class Sum, bool Missing, std::size_t Outputs, class Link>
inline void trees(const TreeNode* nodes, const std::uint32_t* roots, std::size_t n_trees,
                  const double* values, const std::uint32_t* outputs, const double* base, double divisor,
                  double factor, const float* x, float* y, Link by) {
  Sum sums[Outputs];
  for (std::size_t k = 0; k < Outputs; ++k) sums[k] = static_cast<Sum>(base[k]);
  for (std::size_t first = 0; first < n_trees; first += abreast) {
    const std::size_t n = smaller(abreast, n_trees - first);
    std::uint32_t leaves[abreast];
    walk_trees<Missing>(nodes, roots, x, first, n, leaves);
    for (std::size_t j = 0; j < n; ++j) {
      if constexpr (Outputs == 1) {
        sums[0] += static_cast<Sum>(values[leaves[j]]);
      } else if (outputs != nullptr) {
        sums[outputs[first + j]] += static_cast<Sum>(values[leaves[j]]);
      } else {
        for (std::size_t k = 0; k < Outputs; ++k)
          sums[k] += static_cast<Sum>(values[leaves[j] * Outputs + k]);
      }
    }
  }
  float margins[Outputs];
  for (std::size_t k = 0; k < Outputs; ++k) {
    sums[k] /= static_cast<Sum>(divisor);
    margins[k] = static_cast<float>(sums[k]);
    if (sizeof(Sum) > sizeof(float)) {  // as two floats, the form in which the library keeps it
      const auto low = static_cast<float>(static_cast<double>(sums[k]) - static_cast<double>(margins[k]));
      sums[k] = static_cast<Sum>(factor * (static_cast<double>(margins[k]) + static_cast<double>(low)));
    }
  }
  link(by, sums, margins, y, Outputs);
}
