#include <limits>

#include "layers/layer.hpp"
#include "parse/file.hpp"
#include "parse/text.hpp"

namespace hepml::parse {
namespace {

constexpr std::size_t newest_version = 1;
constexpr std::size_t most_cells = 100'000;
constexpr std::size_t most_towers = 1'000'000;

Grid read_grid(const At& at) {
  Grid grid;
  grid.n_eta = static_cast<int>(at.member("n_eta").count(1, most_cells));
  grid.n_phi = static_cast<int>(at.member("n_phi").count(1, most_cells));
  grid.eta_min = at.member("eta_min").number();
  grid.eta_max = at.member("eta_max").number();
  return grid;
}

Geometry read_geometry(const At& at) {
  Geometry geometry;
  geometry.ecal = read_grid(at.member("ecal"));
  geometry.hcal = read_grid(at.member("hcal"));
  geometry.ecal_window = static_cast<int>(at.member("ecal_window").count(1, 1000));
  geometry.hcal_window = static_cast<int>(at.member("hcal_window").count(1, 1000));
  geometry.hcal_expand = static_cast<int>(at.member("hcal_expand").count(1, 100));
  geometry.search = static_cast<int>(at.member("search").count(0, 1000));
  if (const char* problem = geometry.problem()) at.wrong("a geometry without images", {}, problem);
  return geometry;
}

TowerSelection read_towers(const At& at) {
  TowerSelection selection;
  if (at.has("max")) selection.most = at.member("max").count(1, most_towers);
  if (at.has("not_finite")) {
    const At policy = at.member("not_finite");
    if (policy.string() != "drop" && policy.string() != "keep") {
      policy.fail(Error::Code::unsupported, "unknown policy " + text::quoted(policy.string()), "drop or keep",
                  text::quoted(policy.string()));
    }
    selection.skip_not_finite = policy.string() == "keep";
  }
  return selection;
}

/// [low, high); a null edge is open.
std::optional<std::pair<double, double>> read_bin(const At& at, const char* key) {
  if (!at.has(key)) return {};
  const At bin = at.member(key);
  constexpr double infinity = std::numeric_limits<double>::infinity();
  double edges[2] = {-infinity, infinity};
  if (bin.size() != 2) bin.wrong("not a bin", "[low, high]", std::to_string(bin.size()) + " values");
  for (std::size_t i = 0; i < 2; ++i) {
    if (!bin.item(i).is_null()) edges[i] = bin.item(i).number();
  }
  if (!(edges[0] < edges[1])) {
    bin.wrong("not a bin", "[low, high] with low < high",
              text::number(edges[0]) + ", " + text::number(edges[1]));
  }
  return std::make_pair(edges[0], edges[1]);
}

Threshold read_threshold(const At& at) {
  Threshold record;
  record.signal_efficiency = at.member("signal_efficiency").number();
  if (!(record.signal_efficiency >= 0 && record.signal_efficiency <= 1)) {
    at.member("signal_efficiency")
        .wrong("not an efficiency", "0 to 1", text::number(record.signal_efficiency));
  }
  record.threshold = at.member("threshold").number();
  record.pt = read_bin(at, "pt");
  record.eta = read_bin(at, "eta");
  return record;
}

/// [event][element], every event of `size` elements, or of a multiple of them if its steps are its own.
template <class T>
std::vector<std::vector<T>> read_events(const At& at, std::size_t size, bool dynamic) {
  std::vector<std::vector<T>> events;
  for (std::size_t i = 0; i < at.size(); ++i) {
    const At row = at.item(i);
    const auto& values = row.numbers();
    if (dynamic ? values.size() % size != 0 : values.size() != size) {
      row.wrong("a reference event of the wrong size",
                (dynamic ? "a multiple of " : "") + std::to_string(size) + " values",
                std::to_string(values.size()));
    }
    events.emplace_back();
    for (const double value : values) events.back().push_back(static_cast<T>(value));
  }
  return events;
}

Reference read_reference(const At& at, const File& file) {
  Reference reference;
  const At inputs = at.member("inputs");
  for (const InputRecord& record : file.inputs) {
    reference.inputs.push_back(read_events<float>(inputs.member(record.input.name), record.input.size,
                                                  layers::is_dynamic(record.input.shape)));
  }
  const At outputs = at.member("outputs");
  for (const OutputRecord& record : file.outputs) {
    // Whether it fits the output is seen when it is run.
    reference.outputs.push_back(
        read_events<double>(outputs.member(record.output.name), record.output.labels.size(), true));
  }
  reference.n_events = reference.outputs.empty() ? 0 : reference.outputs[0].size();
  const auto check = [&](std::size_t n, const std::string& name) {
    if (n != reference.n_events) {
      at.wrong("reference inputs and outputs differ in length",
               std::to_string(reference.n_events) + " events",
               std::to_string(n) + " for " + text::quoted(name));
    }
  };
  for (std::size_t i = 0; i < file.inputs.size(); ++i)
    check(reference.inputs[i].size(), file.inputs[i].input.name);
  for (std::size_t i = 0; i < file.outputs.size(); ++i)
    check(reference.outputs[i].size(), file.outputs[i].output.name);
  if (at.has("tolerance")) reference.tolerance = at.member("tolerance").number();
  if (!(reference.tolerance >= 0 && reference.tolerance <= 1e-2)) {
    at.member("tolerance")
        .wrong("a tolerance that proves nothing", "0 to 0.01", text::number(reference.tolerance));
  }
  return reference;
}

}  // namespace

Extension read_extension(const At& block, const File& file) {
  Extension extension;
  const At version = block.member("format_version");
  const double number = version.number();
  if (number > static_cast<double>(newest_version)) {
    version.fail(Error::Code::unsupported, "the file is newer than this library",
                 "format_version " + std::to_string(newest_version), text::number(number), {},
                 "update hepml");
  }
  extension.format_version = static_cast<int>(version.count(1, newest_version));
  if (block.has("model_id")) extension.model_id = block.member("model_id").string();
  if (block.has("geometry")) extension.geometry = read_geometry(block.member("geometry"));
  if (block.has("convention")) {
    const At convention = block.member("convention");
    if (convention.string() != "2011.01984") {
      convention.fail(Error::Code::unsupported, "unknown convention " + text::quoted(convention.string()),
                      "null or 2011.01984", text::quoted(convention.string()));
    }
    extension.convention = Convention::arxiv_2011_01984;
  }
  if (block.has("towers")) extension.towers = read_towers(block.member("towers"));
  if (block.has("thresholds")) {
    const At thresholds = block.member("thresholds");
    for (std::size_t i = 0; i < thresholds.size(); ++i)
      extension.thresholds.push_back(read_threshold(thresholds.item(i)));
  }
  if (block.has("efps")) extension.efps = read_efps(block.member("efps"), file, extension.geometry);
  if (block.has("ranges")) extension.ranges = read_ranges(block.member("ranges"), file);
  if (block.has("validity")) extension.validity = read_validity(block.member("validity"));
  if (block.has("reference")) extension.reference = read_reference(block.member("reference"), file);
  Value::Object rest;
  for (const auto& [key, value] : block.members()) {
    if (key != "reference") rest.emplace_back(key, value);
  }
  extension.metadata = to_text(Value{std::move(rest)});
  return extension;
}

}  // namespace hepml::parse
