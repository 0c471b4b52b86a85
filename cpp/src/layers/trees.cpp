#include "layers/trees.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

namespace hepml::layers {
namespace {

constexpr std::size_t abreast = 8;  // trees walked at a time, to hide the latency of memory
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

bool any_nan(const float* x, std::size_t n) noexcept {
  bool found = false;
  for (std::size_t i = 0; i < n; ++i) found |= x[i] != x[i];
  return found;
}

/// The margins, each as two floats whose sum it is, then the number of the leaf in each tree.
class Trees : public Operation {
 public:
  explicit Trees(Ensemble ensemble)
      : Operation({2 * ensemble.base.size() + ensemble.roots.size()}), e_(std::move(ensemble)) {}

  void run(const View* inputs, const View& output, float* scratch) const noexcept override {
    const float* x = inputs->data;
    float* y = output.data;
    const bool holes = any_nan(x, e_.n_features);
    if (holes && !e_.missing) {
      std::fill_n(y, shape()[0], nan);
    } else if (e_.narrow) {
      holes ? sum<true, float>(x, y, scratch) : sum<false, float>(x, y, scratch);
    } else {
      holes ? sum<true, double>(x, y, scratch) : sum<false, double>(x, y, scratch);
    }
  }
  double work(std::size_t) const noexcept override {  // a walk meets no node twice
    return static_cast<double>(e_.nodes.size()) +
           static_cast<double>(e_.roots.size()) * static_cast<double>(e_.base.size());
  }
  std::size_t scratch(std::size_t) const noexcept override { return 2 * e_.base.size(); }
  Missing missing() const noexcept override { return e_.missing ? Missing::answered : Missing::spoils; }

 private:
  Ensemble e_;

  /// The leaves of up to `abreast` trees; the last one fills up.
  template <bool Missing>
  void walk(const float* x, std::size_t first, std::size_t n, std::uint32_t* at) const noexcept {
    const TreeNode* nodes = e_.nodes.data();
    std::uint32_t place[abreast];
    for (std::size_t j = 0; j < abreast; ++j) place[j] = e_.roots[first + std::min(j, n - 1)];
    for (std::uint32_t moved = 1; moved != 0;) {
      moved = 0;
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
    for (std::size_t j = 0; j < n; ++j) at[j] = nodes[place[j]].leaf;
  }

  template <bool Missing, class Sum>
  void sum(const float* x, float* y, float* scratch) const noexcept {
    const std::size_t n_outputs = e_.base.size();
    Sum* sums = ::new (static_cast<void*>(scratch)) Sum;
    for (std::size_t k = 0; k < n_outputs; ++k)
      ::new (static_cast<void*>(sums + k)) Sum(static_cast<Sum>(e_.base[k]));
    float* numbers = y + 2 * n_outputs;
    Sum single = sums[0];
    for (std::size_t first = 0; first < e_.roots.size(); first += abreast) {
      const std::size_t n = std::min(abreast, e_.roots.size() - first);
      std::uint32_t at[abreast];
      walk<Missing>(x, first, n, at);
      for (std::size_t j = 0; j < n; ++j) {
        const TreeLeaf& leaf = e_.leaves[at[j]];
        numbers[first + j] = static_cast<float>(leaf.number);
        if (n_outputs == 1) {  // in a register
          single += static_cast<Sum>(leaf.value);
        } else if (e_.values.empty()) {
          sums[leaf.output] += static_cast<Sum>(leaf.value);
        } else {
          const double* values = e_.values.data() + at[j] * n_outputs;
          for (std::size_t k = 0; k < n_outputs; ++k) sums[k] += static_cast<Sum>(values[k]);
        }
      }
    }
    if (n_outputs == 1) sums[0] = single;
    for (std::size_t k = 0; k < n_outputs; ++k) {
      Sum total = sums[k];
      total /= static_cast<Sum>(e_.divisor);
      y[k] = static_cast<float>(total);
      y[n_outputs + k] = static_cast<float>(static_cast<double>(total) - static_cast<double>(y[k]));
    }
  }
};

/// The margins, rounded to float32.
class Margin : public Operation {
 public:
  explicit Margin(std::size_t n_outputs) : Operation({n_outputs}) {}
  void run(const View* inputs, const View& output, float*) const noexcept override {
    std::copy_n(inputs->data, shape()[0], output.data);
  }
};

/// What the library makes of the margins, in its own precision.
class Link : public Operation {
 public:
  explicit Link(const Ensemble& e)
      : Operation({e.base.size()}), link_(e.link), factor_(e.factor), narrow_(e.narrow) {}

  void run(const View* inputs, const View& output, float* scratch) const noexcept override {
    const std::size_t n = shape()[0];
    const float* high = inputs->data;
    if (narrow_) {
      apply(high, output.data, ::new (static_cast<void*>(scratch)) float, n);
    } else {
      double* margins = ::new (static_cast<void*>(scratch)) double;
      for (std::size_t k = 0; k < n; ++k)
        margins[k] = factor_ * (static_cast<double>(high[k]) + static_cast<double>(high[n + k]));
      apply(margins, output.data, margins, n);
    }
  }
  std::size_t scratch(std::size_t) const noexcept override { return 2 * shape()[0]; }

 private:
  TreeLink link_;
  double factor_;
  bool narrow_;

  // XGBoost's own, in float32
  static float sigmoid(float x) noexcept { return 1.0F / (std::exp(std::min(-x, 88.7F)) + 1.0F + 1e-16F); }
  static double sigmoid(double x) noexcept {
    const double e = std::exp(-std::abs(x));
    return (x < 0 ? e : 1.0) / (1.0 + e);
  }
  template <class T>
  static T exp(T x) noexcept {  // without the trap of an overflow
    return x > std::log(std::numeric_limits<T>::max()) ? std::numeric_limits<T>::infinity() : std::exp(x);
  }

  template <class T>
  void apply(const T* margins, float* y, T* work, std::size_t n) const noexcept {
    if (link_ == TreeLink::softmax) {
      const T top = *std::max_element(margins, margins + n);
      double total = 0;
      for (std::size_t k = 0; k < n; ++k) {
        work[k] = std::exp(margins[k] - top);
        total += static_cast<double>(work[k]);
      }
      for (std::size_t k = 0; k < n; ++k) y[k] = static_cast<float>(work[k] / static_cast<T>(total));
      return;
    }
    constexpr double largest = static_cast<double>(std::numeric_limits<float>::max());
    for (std::size_t k = 0; k < n; ++k) {
      const T value = link_ == TreeLink::sigmoid ? sigmoid(margins[k]) : exp(margins[k]);
      y[k] = static_cast<double>(value) > largest ? std::numeric_limits<float>::infinity()
                                                  : static_cast<float>(value);
    }
  }
};

}  // namespace

Made make_trees(const At& layer, const Shapes& inputs, const Kernels&) {
  Ensemble ensemble = read_ensemble(layer, need_vector(layer, inputs)[0]);
  Made made;
  made.margin = std::make_shared<Margin>(ensemble.base.size());
  if (ensemble.link != TreeLink::identity) made.link = std::make_shared<Link>(ensemble);
  made.operation = std::make_shared<Trees>(std::move(ensemble));
  return made;
}

}  // namespace hepml::layers
