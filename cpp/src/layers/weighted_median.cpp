#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <new>

#include "layers/layer.hpp"
#include "layers/narrowed.hpp"

namespace hepml::layers {
namespace {

/// Elements in order of their values; the first at which the accumulated weights exceed half of all is the
/// median.
class WeightedMedian : public Operation {
 public:
  WeightedMedian(std::vector<double> weights, std::size_t reach)
      : Operation({1}), weights_(std::move(weights)), reach_(reach) {
    for (const double weight : weights_) half_ += weight;
    half_ /= 2;
  }
  void run(const View* inputs, const View& output, float* scratch) const noexcept override {
    const float* x = inputs->data;
    const std::size_t n = weights_.size();
    std::uint32_t* order = ::new (static_cast<void*>(scratch)) std::uint32_t;
    for (std::size_t i = 0; i < n; ++i) {
      ::new (static_cast<void*>(order + i)) std::uint32_t(static_cast<std::uint32_t>(i));
      if (x[i] != x[i]) {  // has no place in an order
        output.data[0] = x[i];
        return;
      }
    }
    std::sort(order, order + n,
              [x](std::uint32_t a, std::uint32_t b) { return x[a] != x[b] ? x[a] < x[b] : a < b; });
    std::size_t median = 0;
    double reached = 0;
    for (std::size_t i = 0; i < n; ++i) {
      reached += weights_[order[i]];
      if (reached > half_) {
        median = i;
        break;
      }
    }
    const std::size_t low = median > reach_ ? median - reach_ : 0;
    const std::size_t high = std::min(n, median + reach_ + 1);
    double total = 0;
    for (std::size_t i = low; i < high; ++i) total += static_cast<double>(x[order[i]]);
    output.data[0] = narrowed(total / static_cast<double>(high - low));
  }
  std::size_t scratch(std::size_t) const noexcept override { return weights_.size(); }
  double work(std::size_t) const noexcept override {
    const auto n = static_cast<double>(weights_.size());
    return 4 * n * (1 + std::log2(n));
  }

 private:
  std::vector<double> weights_;
  std::size_t reach_;
  double half_ = 0;
};

}  // namespace

// The mean of the weighted median and of the `reach` elements before and behind it, as far as there are some.
Made make_weighted_median(const At& layer, const Shapes& inputs, const Kernels&) {
  const Shape& input = need_vector(layer, inputs);
  const At list = layer.member("weights");
  std::vector<double> weights = list.numbers();
  if (weights.size() != input[0]) {
    list.wrong("the weights do not fit the layer's input", std::to_string(input[0]) + " values",
               std::to_string(weights.size()));
  }
  list.floats();  // refuses what is beyond float32
  const std::size_t reach = layer.member("reach").count(0, most_elements);
  return {std::make_shared<WeightedMedian>(std::move(weights), reach), {}};
}

}  // namespace hepml::layers
