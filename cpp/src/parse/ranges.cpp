#include <array>
#include <cmath>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "parse/file.hpp"
#include "parse/text.hpp"

namespace hepml::parse {
namespace {

constexpr std::size_t most_levels = 1000;
constexpr std::size_t most_entries = 4096;  // quantities with a range, keys of validity

struct Kind {
  const char* name;
  Quantity quantity;
  bool of_image;  // else of a sequence
};
constexpr std::array<Kind, 4> kinds{{{"sum", Quantity::sum, true},
                                     {"maximum", Quantity::maximum, true},
                                     {"cells", Quantity::cells, true},
                                     {"steps", Quantity::steps, false}}};

template <class Names>
[[noreturn]] void unknown(const At& at, const char* what, const Names& names) {
  at.fail(Error::Code::schema, std::string("no such ") + what, text::joined(names), text::quoted(at.string()),
          text::nearest(at.string(), names));
}

void find_input(const At& at, const File& file, InputRange& range) {
  std::vector<std::string> names;
  for (const InputRecord& record : file.inputs) names.push_back(record.input.name);
  while (range.input < names.size() && names[range.input] != at.string()) ++range.input;
  if (range.input == names.size()) unknown(at, "input", names);
}

/// Places of the variables of each input by name, made when first asked for.
using Places = std::map<std::size_t, std::map<std::string_view, std::size_t>>;

void find_variable(const At& at, const Input& input, Places& all, InputRange& range) {
  auto& places = all[range.input];
  if (places.empty()) {
    for (std::size_t i = 0; i < input.variables.size(); ++i) places.emplace(input.variables[i].name, i);
  }
  const auto found = places.find(at.string());
  if (found == places.end()) {
    std::vector<std::string> names;
    for (const Variable& variable : input.variables) names.push_back(variable.name);
    unknown(at, "variable", names);
  }
  range.variable = found->second;
  range.name = at.string();
}

void find_quantity(const At& at, const Input& input, InputRange& range) {
  std::vector<std::string> names;
  for (const Kind& kind : kinds) {
    if (kind.of_image ? input.shape.size() < 3 : input.shape.size() != 2) continue;
    names.emplace_back(kind.name);
    if (at.string() == kind.name) range.quantity = kind.quantity;
  }
  if (range.quantity == Quantity::variable) unknown(at, "quantity of this input", names);
  range.name = at.string();
}

double positive(const At& at, bool zero) {
  const double value = at.number();
  if (!(zero ? value >= 0 : value > 0)) at.wrong("not a number of entries", {}, text::number(value));
  return value;
}

/// As many numbers as wanted, each not below the one before.
std::vector<double> ascending(const At& at, std::size_t n) {
  const auto& values = at.numbers();
  if (values.size() != n)
    at.wrong("a wrong number of values", std::to_string(n), std::to_string(values.size()));
  for (std::size_t i = 1; i < n; ++i) {
    if (values[i] < values[i - 1])
      at.item(i).wrong("not ascending", "at least " + text::number(values[i - 1]), text::number(values[i]));
  }
  return values;
}

InputRange read_range(const At& at, const File& file, Places& places, std::size_t n_levels) {
  InputRange range;
  find_input(at.member("input"), file, range);
  const Input& input = file.inputs[range.input].input;
  if (at.has("variable") == at.has("quantity"))
    at.wrong("a range needs a variable or a quantity", "one of the keys variable and quantity");
  if (at.has("variable")) {
    find_variable(at.member("variable"), input, places, range);
  } else {
    find_quantity(at.member("quantity"), input, range);
  }
  range.minimum = at.member("minimum").number();
  range.maximum = at.member("maximum").number();
  range.quantiles = ascending(at.member("quantiles"), n_levels);
  if (!(range.minimum <= range.quantiles.front() && range.quantiles.back() <= range.maximum)) {
    at.member("quantiles")
        .wrong("quantiles outside of the range",
               text::number(range.minimum) + " to " + text::number(range.maximum),
               text::number(range.quantiles.front()) + " to " + text::number(range.quantiles.back()));
  }
  range.entries = positive(at.member("entries"), false);
  range.not_finite = positive(at.member("not_finite"), true);
  const At bins = at.member("bins");
  if (bins.size() != n_levels + 1)
    bins.wrong("a wrong number of bins", std::to_string(n_levels + 1), std::to_string(bins.size()));
  double sum = range.not_finite;
  for (std::size_t i = 0; i < bins.size(); ++i) {
    range.bins.push_back(positive(bins.item(i), true));
    sum += range.bins.back();
  }
  if (!(std::abs(sum - range.entries) <= 1e-9 * range.entries && range.not_finite < range.entries)) {
    bins.wrong("the bins do not add up",
               "entries - not_finite: " + text::number(range.entries - range.not_finite),
               text::number(sum - range.not_finite));
  }
  return range;
}

void need_few(const At& at, std::size_t n) {
  if (n > most_entries)
    at.wrong("too many entries", "at most " + std::to_string(most_entries), std::to_string(n));
}

}  // namespace

Ranges read_ranges(const At& at, const File& file) {
  Ranges ranges;
  ranges.events = positive(at.member("events"), false);
  const At levels = at.member("levels");
  if (levels.size() < 1 || levels.size() > most_levels)
    levels.wrong("a wrong number of levels", "1 to 1000", std::to_string(levels.size()));
  ranges.levels = ascending(levels, levels.size());
  if (!(ranges.levels.front() > 0 && ranges.levels.back() < 1))
    levels.wrong("levels that are no probabilities", "between 0 and 1");
  const At quantities = at.member("quantities");
  need_few(quantities, quantities.size());
  Places places;
  std::set<std::tuple<std::size_t, Quantity, std::string>> known;
  for (std::size_t i = 0; i < quantities.size(); ++i) {
    InputRange range = read_range(quantities.item(i), file, places, levels.size());
    if (!known.emplace(range.input, range.quantity, range.name).second)
      quantities.item(i).wrong("a second range of one quantity", {}, text::quoted(range.name));
    ranges.quantities.push_back(std::move(range));
  }
  return ranges;
}

std::vector<std::pair<std::string, std::string>> read_validity(const At& at) {
  std::vector<std::pair<std::string, std::string>> validity;
  need_few(at, at.members().size());
  for (const auto& [key, value] : at.members()) validity.emplace_back(key, at.member(key).string());
  return validity;
}

}  // namespace hepml::parse
