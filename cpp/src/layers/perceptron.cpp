#include <algorithm>
#include <cmath>
#include <new>

#include "layers/choice.hpp"
#include "layers/layer.hpp"
#include "layers/narrowed.hpp"
#include "parse/text.hpp"

// Dense layers one behind the other in double precision, rounded to float32 once.
namespace hepml::layers {
namespace {

constexpr std::size_t most_units = std::size_t{1} << 20;

enum class Join : char { sum, square_sum, absolute_sum };
enum class Unit : char { linear, sigmoid, tanh, rational_tanh, rectified, gaussian, softmax };

constexpr Choice<bool> precisions[] = {{"float64", false}, {"float32", true}};
constexpr Choice<Join> joins[] = {
    {"sum", Join::sum}, {"square_sum", Join::square_sum}, {"absolute_sum", Join::absolute_sum}};
constexpr Choice<Unit> units[] = {{"linear", Unit::linear},       {"sigmoid", Unit::sigmoid},
                                  {"tanh", Unit::tanh},           {"rational_tanh", Unit::rational_tanh},
                                  {"rectified", Unit::rectified}, {"gaussian", Unit::gaussian},
                                  {"softmax", Unit::softmax}};

struct Sublayer {
  std::size_t n_in, n_out;
  std::vector<double> weights;  // [in][out], or none
  std::vector<double> bias;     // n_out
  Join join;
  Unit unit;
};

double logistic(double x) noexcept {
  const double e = std::exp(-std::min(std::abs(x), 700.0));
  return (x < 0 ? e : 1.0) / (1.0 + e);
}

/// A continued fraction of tanh in float32; it grows beyond 5, and far away it is x / 28.
double fraction(double x) noexcept {
  if (std::abs(x) > 1e5) return x / 28;
  const auto square = static_cast<float>(x * x);
  const float inner = 135135.0F + square * (17325.0F + square * (378.0F + square));
  const auto over = static_cast<float>(x * static_cast<double>(inner));
  const float under = 135135.0F + square * (62370.0F + square * (3150.0F + square * 28.0F));
  return static_cast<double>(over / under);
}

void share(double* y, std::size_t n) noexcept {
  double top = -largest_float;
  for (std::size_t i = 0; i < n; ++i) {
    y[i] = static_cast<double>(narrowed(y[i]));
    top = std::max(top, y[i]);
  }
  double total = 0;
  for (std::size_t i = 0; i < n; ++i) {
    y[i] = std::exp(std::max(y[i] - top, -700.0));
    total += y[i];
  }
  for (std::size_t i = 0; i < n; ++i) y[i] /= total;
}

void activate(Unit unit, double* y, std::size_t n) noexcept {
  const auto each = [y, n](auto function) {
    for (std::size_t i = 0; i < n; ++i) y[i] = function(limited(y[i]));
  };
  switch (unit) {
    case Unit::linear:
      return each([](double x) { return x; });
    case Unit::sigmoid:
      return each(logistic);
    case Unit::tanh:
      return each([](double x) { return std::tanh(x); });
    case Unit::rational_tanh:
      return each([](double x) { return fraction(x); });
    case Unit::rectified:
      return each([](double x) { return x < 0 ? 0 : x; });
    case Unit::gaussian:
      return each([](double x) { return std::exp(-std::min(x * x / 2, 700.0)); });
    case Unit::softmax:
      return share(y, n);
  }
}

class Perceptron : public Operation {
 public:
  Perceptron(std::vector<Sublayer> sublayers, bool rounds)
      : Operation({sublayers.back().n_out}), sublayers_(std::move(sublayers)), rounds_(rounds) {
    width_ = sublayers_[0].n_in;
    for (const Sublayer& sublayer : sublayers_) width_ = std::max(width_, sublayer.n_out);
  }
  void run(const View* inputs, const View& output, float* scratch) const noexcept override {
    double* x = ::new (static_cast<void*>(scratch)) double;
    double* y = ::new (static_cast<void*>(scratch + 2 * width_)) double;
    for (std::size_t i = 0; i < width_; ++i) {
      ::new (static_cast<void*>(x + i)) double(i < inputs->channels ? static_cast<double>(inputs->data[i])
                                                                    : 0);
      ::new (static_cast<void*>(y + i)) double;
    }
    for (const Sublayer& sublayer : sublayers_) {
      apply(sublayer, x, y);
      activate(sublayer.unit, y, sublayer.n_out);
      std::swap(x, y);
    }
    for (std::size_t i = 0; i < shape()[0]; ++i) output.data[i] = narrowed(x[i]);
  }
  std::size_t scratch(std::size_t) const noexcept override { return 4 * width_; }
  double work(std::size_t) const noexcept override {
    double total = 0;
    for (const Sublayer& sublayer : sublayers_)
      total += static_cast<double>(sublayer.weights.size()) + 20.0 * static_cast<double>(sublayer.n_out);
    return total;
  }

 private:
  std::vector<Sublayer> sublayers_;
  bool rounds_;  // every partial sum, to float32
  std::size_t width_ = 0;

  /// From the bias on, term by term in the order of the inputs.
  void apply(const Sublayer& sublayer, const double* x, double* y) const noexcept {
    const std::size_t n = sublayer.n_out;
    const auto joined = [](Join join, double term) {
      return join == Join::square_sum ? term * term : join == Join::absolute_sum ? std::abs(term) : term;
    };
    for (std::size_t o = 0; o < n; ++o) {
      y[o] = joined(sublayer.join, sublayer.bias[o]);
      if (sublayer.weights.empty()) y[o] += x[o];
      if (rounds_) y[o] = static_cast<double>(narrowed(y[o]));
    }
    const double* weights = sublayer.weights.data();
    for (std::size_t i = 0; i < sublayer.n_in && !sublayer.weights.empty(); ++i, weights += n) {
      const double value = x[i];
      if (rounds_) {
        for (std::size_t o = 0; o < n; ++o)
          y[o] = static_cast<double>(narrowed(y[o] + joined(sublayer.join, weights[o] * value)));
      } else if (sublayer.join == Join::sum) {
        for (std::size_t o = 0; o < n; ++o) y[o] += weights[o] * value;
      } else {
        for (std::size_t o = 0; o < n; ++o) y[o] += joined(sublayer.join, weights[o] * value);
      }
    }
  }
};

Sublayer read_sublayer(const At& at, std::size_t n_in) {
  const At weights = at.member("weights");
  const At bias = at.member("bias");
  const auto& numbers = weights.numbers();
  weights.floats();  // refuses what is beyond float32
  bias.floats();
  if (numbers.size() % n_in != 0) {
    weights.wrong("the weights do not fit the input", "a multiple of its width " + std::to_string(n_in),
                  std::to_string(numbers.size()));
  }
  const std::size_t n_out = numbers.empty() ? n_in : numbers.size() / n_in;
  if (n_out > most_units)
    weights.wrong("too many units", "at most " + std::to_string(most_units), std::to_string(n_out));
  Sublayer sublayer{n_in,
                    n_out,
                    {},
                    bias.numbers(),
                    choose(at.member("join"), joins),
                    choose(at.member("activation"), units)};
  if (sublayer.bias.empty()) sublayer.bias.assign(n_out, 0);
  if (sublayer.bias.size() != n_out) {
    bias.wrong("the bias does not fit the weights", std::to_string(n_out) + " values, or none",
               std::to_string(sublayer.bias.size()));
  }
  sublayer.weights.resize(numbers.size());
  for (std::size_t o = 0; o < n_out && !numbers.empty(); ++o) {
    for (std::size_t i = 0; i < n_in; ++i) sublayer.weights[i * n_out + o] = numbers[o * n_in + i];
  }
  return sublayer;
}

}  // namespace

Made make_perceptron(const At& layer, const Shapes& inputs, const Kernels&) {
  std::size_t n = need_vector(layer, inputs)[0];
  const At list = layer.member("sublayers");
  if (list.size() == 0) list.wrong("a perceptron without sublayers", "at least one", "none");
  std::vector<Sublayer> sublayers;
  for (std::size_t k = 0; k < list.size(); ++k) {
    sublayers.push_back(read_sublayer(list.item(k), n));
    n = sublayers.back().n_out;
  }
  return {std::make_shared<Perceptron>(std::move(sublayers), choose(layer.member("precision"), precisions)),
          {}};
}

}  // namespace hepml::layers
