#include <algorithm>
#include <cmath>
#include <limits>

#include "layers/choice.hpp"
#include "layers/trees.hpp"
#include "parse/text.hpp"

namespace hepml::layers {
namespace {

constexpr std::size_t most_outputs = 1U << 16;
constexpr std::size_t most_nodes = std::size_t{1} << 24;  // of a tree: its numbers are exact in float32
constexpr std::size_t most_in_all = std::size_t{1} << 31;
constexpr double largest = static_cast<double>(std::numeric_limits<float>::max());
constexpr float infinity = std::numeric_limits<float>::infinity();

constexpr Choice<bool> comparisons[] = {{"less_equal", false}, {"less", true}};
constexpr Choice<bool> precisions[] = {{"float64", false}, {"float32", true}};
constexpr Choice<TreeLink> links[] = {{"identity", TreeLink::identity},
                                      {"sigmoid", TreeLink::sigmoid},
                                      {"softmax", TreeLink::softmax},
                                      {"exp", TreeLink::exp}};

/// A float32 x is <= (or <, if strict) the number if and only if it is <= this.
float as_limit(double threshold, bool strict) {
  if (threshold > largest) return infinity;
  if (threshold < -largest) return -infinity;
  float limit = static_cast<float>(threshold);
  const double rounded = static_cast<double>(limit);
  if (rounded > threshold || (strict && rounded == threshold)) limit = std::nextafterf(limit, -infinity);
  return limit;
}

class Reader {
 public:
  Reader(const At& layer, std::size_t n_features)
      : layer_(layer),
        feature_(layer.member("feature").numbers()),
        threshold_(layer.member("threshold").numbers()),
        left_(layer.member("left").numbers()),
        right_(layer.member("right").numbers()),
        missing_left_(layer.member("missing_left").numbers()),
        value_(layer.member("value").numbers()) {
    e_.n_features = n_features;
    strict_ = choose(layer.member("comparison"), comparisons);
    e_.narrow = choose(layer.member("precision"), precisions);
    e_.link = choose(layer.member("link"), links);
    e_.missing = flag("missing");
    e_.divisor = bounded("divisor", 1, 1e9);
    e_.factor = bounded("factor", 1e-3, 1e3);
    if (e_.narrow && e_.factor != 1)
      layer.member("factor").wrong("a factor of float32 margins", "1", text::number(e_.factor));
    e_.base = layer.member("base").numbers();
    if (e_.base.empty() || e_.base.size() > most_outputs) {
      layer.member("base").wrong("a wrong number of outputs", "1 to " + std::to_string(most_outputs),
                                 std::to_string(e_.base.size()));
    }
  }

  Ensemble read() {
    const At sizes = layer_.member("sizes");
    const auto counts = sizes.counts(1, most_nodes);
    if (counts.empty()) sizes.wrong("an ensemble without trees", "at least one tree", "none");
    std::size_t total = 0;
    for (const std::size_t n : counts) total += n;
    if (total > most_in_all)
      sizes.wrong("too many nodes", "at most " + std::to_string(most_in_all), std::to_string(total));
    for (const char* key : {"feature", "threshold", "left", "right", "missing_left"}) need(key, total);
    const std::size_t n_outputs = e_.base.size();
    wide_ = !layer_.has("outputs") && n_outputs > 1;
    need("value", wide_ ? n_outputs * total : total);
    if (layer_.has("outputs")) {
      outputs_ = layer_.member("outputs").counts(0, n_outputs - 1);
      if (outputs_.size() != counts.size()) {
        layer_.member("outputs").wrong("the list does not fit the trees",
                                       std::to_string(counts.size()) + " values",
                                       std::to_string(outputs_.size()));
      }
    }
    e_.nodes.reserve(total);
    reach_.assign(n_outputs, 0);
    for (std::size_t k = 0; k < n_outputs; ++k) reach_[k] = std::abs(e_.base[k]);
    std::size_t first = 0;
    for (std::size_t tree = 0; tree < counts.size(); ++tree) {
      pack(tree, first, counts[tree]);
      first += counts[tree];
    }
    for (const double reach : reach_) {
      if (!(reach <= largest))
        layer_.member("value").wrong("margins too large for float32", "sums of at most 3.4e38",
                                     text::number(reach));
    }
    return std::move(e_);
  }

 private:
  using Numbers = parse::Value::Numbers;
  const At& layer_;
  const Numbers &feature_, &threshold_, &left_, &right_, &missing_left_, &value_;
  Ensemble e_{};
  bool strict_ = false;
  bool wide_ = false;                   // leaves have a value for each output
  std::vector<std::size_t> outputs_{};  // of each tree
  std::vector<double> reach_{};         // largest margin that each output may have

  bool flag(const char* key) const {
    const At at = layer_.member(key);
    const auto* value = std::get_if<bool>(&at.value().data);
    if (value == nullptr) at.wrong("a value of the wrong kind", "true or false", at.value().kind());
    return *value;
  }

  double bounded(const char* key, double low, double high) const {
    const double value = layer_.member(key).number();
    if (!(value >= low && value <= high)) {
      layer_.member(key).wrong("a number out of range", text::number(low) + " to " + text::number(high),
                               text::number(value));
    }
    return value;
  }

  void need(const char* key, std::size_t total) const {
    const std::size_t n = layer_.member(key).numbers().size();
    if (n == total) return;
    layer_.member(key).wrong("the list does not fit the sizes of the trees",
                             std::to_string(total) + " values", std::to_string(n));
  }

  [[noreturn]] void bad(const char* key, std::size_t place, const char* problem,
                        const std::string& expected) const {
    const At at = layer_.member(key).item(place);
    at.wrong(problem, expected, text::number(at.number()));
  }

  /// An integer in [low, high]; `place` is the node's in the lists.
  std::size_t index(const Numbers& list, const char* key, std::size_t place, std::size_t low,
                    std::size_t high) const {
    const double value = list[place];
    if (!(value >= static_cast<double>(low) && value <= static_cast<double>(high)) ||
        value != std::floor(value)) {
      bad(key, place, "a number out of range",
          "an integer from " + std::to_string(low) + " to " + std::to_string(high));
    }
    return static_cast<std::size_t>(value);
  }

  /// Breadth first from the root, siblings side by side.
  void pack(std::size_t tree, std::size_t first, std::size_t size) {
    std::vector<std::size_t> order{0};  // numbers in the file, in the order of the packed nodes
    std::vector<bool> met(size, false);
    const std::size_t root = e_.nodes.size();
    e_.roots.push_back(static_cast<std::uint32_t>(root));
    std::vector<double> high(e_.base.size(), 0);
    for (std::size_t i = 0; i < order.size(); ++i) {
      const std::size_t node = order[i];
      const std::size_t place = first + node;
      if (feature_[place] == -1) {
        e_.nodes.push_back({infinity, 0, static_cast<std::uint32_t>(root + i),
                            static_cast<std::uint32_t>(e_.leaves.size())});
        add_leaf(tree, node, place, high);
        continue;
      }
      const std::size_t variable = index(feature_, "feature", place, 0, e_.n_features - 1);
      const std::size_t to_left = index(missing_left_, "missing_left", place, 0, 1);
      // Children lie behind their parent, so a tree has no cycle; each has one parent.
      for (const auto& [list, key] :
           {std::pair<const Numbers&, const char*>{left_, "left"}, {right_, "right"}}) {
        if (node + 1 >= size) bad(key, place, "a node without room for children", "a leaf, feature -1");
        const std::size_t child = index(list, key, place, node + 1, size - 1);
        if (met[child]) bad(key, place, "a node with two parents", "a node that is no other's child");
        met[child] = true;
      }
      e_.nodes.push_back({as_limit(threshold_[place], strict_), static_cast<std::uint32_t>(variable),
                          static_cast<std::uint32_t>(root + order.size()),
                          static_cast<std::uint32_t>(to_left)});
      order.push_back(static_cast<std::size_t>(left_[place]));
      order.push_back(static_cast<std::size_t>(right_[place]));
    }
    for (std::size_t k = 0; k < high.size(); ++k) reach_[k] += high[k];
  }

  void add_leaf(std::size_t tree, std::size_t node, std::size_t place, std::vector<double>& high) {
    const std::size_t n_outputs = e_.base.size();
    const std::size_t output = outputs_.empty() ? 0 : outputs_[tree];
    e_.leaves.push_back(
        {wide_ ? 0.0 : value_[place], static_cast<std::uint32_t>(node), static_cast<std::uint32_t>(output)});
    for (std::size_t k = 0; k < (wide_ ? n_outputs : 1); ++k) {
      const double one = value_[wide_ ? place * n_outputs + k : place];
      if (wide_) e_.values.push_back(one);
      double& most = high[wide_ ? k : output];
      most = std::max(most, std::abs(one));
    }
  }
};

}  // namespace

Ensemble read_ensemble(const At& layer, std::size_t n_features) {
  return Reader(layer, n_features).read();
}

}  // namespace hepml::layers
