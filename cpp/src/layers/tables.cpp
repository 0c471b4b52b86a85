#include <algorithm>
#include <cmath>
#include <limits>

#include "layers/choice.hpp"
#include "layers/layer.hpp"
#include "layers/narrowed.hpp"
#include "parse/text.hpp"

// Functions of single variables by their values at some places, and what becomes of the values found.
namespace hepml::layers {
namespace {

constexpr double least_width = 1e-30;  // of what is divided by
constexpr double most_product = 1e250;

enum class Before : char { identity, normal_cdf };
enum class Rule : char { identity, quantile, ratio, logit };

constexpr Choice<bool> forms[] = {{"linear", false}, {"step", true}};
constexpr Choice<Before> befores[] = {{"identity", Before::identity}, {"normal_cdf", Before::normal_cdf}};
constexpr Choice<Rule> rules[] = {{"identity", Rule::identity},
                                  {"quantile", Rule::quantile},
                                  {"ratio", Rule::ratio},
                                  {"logit", Rule::logit}};

/// Either equal bins from `low` to `high`, or what lies between `knots`.
struct Table {
  std::size_t feature;
  bool step;
  double low, high;
  double minimum, maximum;  // of the variable
  std::vector<double> knots;
  std::vector<double> values;  // of equal bins float32

  double at(double x) const noexcept {
    x = x < minimum ? minimum : x > maximum ? maximum : x;
    if (x != x) return x;
    return knots.empty() ? in_bins(x) : between_knots(x);
  }

 private:
  /// Of the bin, or on the line through the centres of the two nearest bins.
  double in_bins(double x) const noexcept {
    const std::size_t last = values.size() - 1;
    const auto n = static_cast<double>(values.size());
    const double place = n * (x - low) / (high - low);
    const std::size_t i = !(place > 0) ? 0 : place >= n ? last : static_cast<std::size_t>(place);
    if (step || last == 0) return values[i];
    const double width = (high - low) / n;
    const auto centre = [&](std::size_t k) { return low + static_cast<double>(k) * width + width / 2; };
    const double here = centre(i);
    const std::size_t other = i == 0 || (x > here && i != last) ? i + 1 : i - 1;
    return values[i] + (x - here) * (values[i] - values[other]) / (here - centre(other));
  }

  /// Of two equal knots the later one holds; beyond the ends the first and the last piece go on.
  double between_knots(double x) const noexcept {
    const auto above =
        static_cast<std::size_t>(std::upper_bound(knots.begin(), knots.end(), x) - knots.begin());
    const std::size_t i = std::min(std::max<std::size_t>(above, 1), knots.size() - 1);
    if (step) return values[i - 1];
    return values[i - 1] + (x - knots[i - 1]) / (knots[i] - knots[i - 1]) * (values[i] - values[i - 1]);
  }
};

/// The x below which a normal variable lies with the probability p, of more than 0 and less than 1.
double normal_quantile(double p) noexcept {
  constexpr double root_two = 1.4142135623730951, root_two_pi = 2.5066282746310002;
  const double tail = std::min(p, 1 - p);
  const double t = std::sqrt(-2 * std::log(tail));
  double z = t - (2.515517 + t * (0.802853 + t * 0.010328)) /
                     (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));  // good to 5e-4
  for (int i = 0; i < 2; ++i) {                                             // Halley's steps: 1e-9, 1e-16
    const double excess = 0.5 * std::erfc(z / root_two) - tail;
    const double u = excess * root_two_pi * std::exp(z * z / 2);
    z += u / (1 - u * z / 2);
  }
  return p < 0.5 ? -z : z;
}

class Tables : public Operation {
 public:
  Tables(std::vector<Table> tables, Before before, Rule rule, double least, double most)
      : Operation({rule == Rule::ratio || rule == Rule::logit ? 1 : tables.size()}),
        tables_(std::move(tables)),
        before_(before),
        rule_(rule),
        least_(least),
        most_(most) {}

  void run(const View* inputs, const View& output, float*) const noexcept override {
    const float* x = inputs->data;
    if (rule_ == Rule::ratio || rule_ == Rule::logit) {
      output.data[0] = narrowed(ratio(x));
      return;
    }
    for (std::size_t k = 0; k < tables_.size(); ++k) {
      const double value = found(tables_[k], x);
      output.data[k] = narrowed(rule_ == Rule::quantile ? normal_quantile(value) : value);
    }
  }
  double work(std::size_t) const noexcept override { return 40.0 * static_cast<double>(tables_.size()); }

 private:
  std::vector<Table> tables_;
  Before before_;
  Rule rule_;
  double least_, most_;

  double found(const Table& table, const float* x) const noexcept {
    auto place = static_cast<double>(x[table.feature]);
    if (before_ == Before::normal_cdf) place = 0.5 * (1 + std::erf(place / 1.4142135623730951));
    const double value = table.at(place);
    return value < least_ ? least_ : value > most_ ? most_ : value;
  }

  /// The product of the first half of the tables over the sum of this and that of the other half.
  double ratio(const float* x) const noexcept {
    double products[2] = {1, 1};
    const std::size_t half = tables_.size() / 2;
    for (std::size_t k = 0; k < tables_.size(); ++k) {
      double& product = products[k < half ? 0 : 1];
      product = std::min(product * found(tables_[k], x), most_product);
    }
    for (double& product : products) product = product < least_ ? least_ : product;
    double share = products[0] / (products[0] + products[1]);
    if (share >= 1) share = 1 - 1e-15;  // where float64 ends: less than what may lie below it
    return rule_ == Rule::ratio ? share : -std::log(1 / (share > 0 ? share : least_) - 1);
  }
};

void check_width(const At& where, double low, double high) {
  if (high - low >= least_width) return;
  where.wrong("no room between two places", "a distance of at least 1e-30", text::number(high - low));
}

void read_knots(const At& at, Table& table) {
  const At list = at.member("knots");
  table.knots = list.numbers();
  list.floats();  // refuses what is beyond float32
  const std::size_t n = table.values.size() + (table.step ? 1 : 0);
  if (table.knots.size() != n || n < 2) {
    list.wrong("the knots do not fit the values", std::to_string(std::max<std::size_t>(n, 2)) + " knots",
               std::to_string(table.knots.size()));
  }
  const auto& knots = table.knots;
  const auto descent = std::is_sorted_until(knots.begin(), knots.end());
  if (descent != knots.end()) {
    list.item(static_cast<std::size_t>(descent - knots.begin()))
        .wrong("knots that do not ascend", "at least " + text::number(descent[-1]), text::number(*descent));
  }
  check_width(list.item(1), knots[0], knots[1]);
  check_width(list.item(n - 1), knots[n - 2], knots[n - 1]);
}

double bounded(const At& at, double low, double high) {
  const double value = at.number();
  if (!(value >= low && value <= high))
    at.wrong("a number out of range", text::number(low) + " to " + text::number(high), text::number(value));
  return value;
}

Table read_table(const At& at, std::size_t n_features) {
  Table table{at.member("feature").count(0, n_features - 1),
              choose(at.member("form"), forms),
              0,
              0,
              -largest_float,
              largest_float,
              {},
              at.member("values").numbers()};
  const auto rounded = at.member("values").floats();  // refuses what is beyond float32
  if (table.values.empty()) at.member("values").wrong("a table without values", "at least one", "none");
  if (at.has("knots")) {
    read_knots(at, table);
  } else {
    table.low = bounded(at.member("low"), -largest_float, largest_float);
    table.high = bounded(at.member("high"), -largest_float, largest_float);
    check_width(at.member("high"), table.low, table.high);
    std::copy(rounded.begin(), rounded.end(), table.values.begin());
  }
  if (at.has("minimum")) table.minimum = bounded(at.member("minimum"), -largest_float, largest_float);
  if (at.has("maximum")) table.maximum = bounded(at.member("maximum"), table.minimum, largest_float);
  return table;
}

}  // namespace

Made make_tables(const At& layer, const Shapes& inputs, const Kernels&) {
  const std::size_t n = need_vector(layer, inputs)[0];
  const At list = layer.member("tables");
  if (list.size() == 0) list.wrong("a layer of no tables", "at least one", "none");
  std::vector<Table> tables;
  for (std::size_t k = 0; k < list.size(); ++k) tables.push_back(read_table(list.item(k), n));
  const Before before = choose(layer.member("before"), befores);
  const Rule rule = choose(layer.member("function"), rules);
  const bool pairs = rule == Rule::ratio || rule == Rule::logit;
  if (pairs && tables.size() % 2 != 0)
    list.wrong("tables that make no ratio", "an even number", std::to_string(tables.size()));
  const double smallest = rule == Rule::identity ? -largest_float : rule == Rule::quantile ? 1e-300 : 1e-305;
  const double least = bounded(layer.member("least"), smallest, largest_float);
  const double most =
      bounded(layer.member("most"), least, rule == Rule::quantile ? 1 - 1e-16 : largest_float);
  return {std::make_shared<Tables>(std::move(tables), before, rule, least, most), {}};
}

}  // namespace hepml::layers
