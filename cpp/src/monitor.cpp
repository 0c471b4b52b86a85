#include <hepml/monitor.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include "parse/json.hpp"
#include "parse/text.hpp"

namespace hepml {
namespace {

void add(Monitor::Counts& counts, const InputRange& range, double value, double weight) noexcept {
  counts.entries += weight;
  counts.squares += weight * weight;
  if (!std::isfinite(value)) {
    counts.not_finite += weight;
    return;
  }
  if (value < range.minimum) counts.below += weight;
  if (value > range.maximum) counts.above += weight;
  const auto edge = std::lower_bound(range.quantiles.begin(), range.quantiles.end(), value);
  counts.bins[static_cast<std::size_t>(edge - range.quantiles.begin())] += weight;
}

double of(const ImageSummary& summary, Quantity quantity) noexcept {
  if (!summary.finite) return std::numeric_limits<double>::quiet_NaN();
  if (quantity == Quantity::sum) return summary.sum;
  return quantity == Quantity::maximum ? summary.maximum : summary.cells;
}

std::string quoted(const std::string& text) {
  return parse::to_text(parse::Value{text});
}

std::string list(const std::vector<double>& values) {
  std::string text = "[";
  for (std::size_t i = 0; i < values.size(); ++i) text += (i == 0 ? "" : ",") + text::number(values[i]);
  return text + "]";
}

}  // namespace

ImageSummary summarise(span<const float> image) noexcept {
  ImageSummary out;
  out.maximum = -std::numeric_limits<double>::infinity();
  for (const float cell : image) {
    const double value = static_cast<double>(cell);
    out.finite &= std::isfinite(value);
    out.sum += value;
    out.maximum = std::max(out.maximum, value);
    out.cells += value > 0 ? 1 : 0;
  }
  return out;
}

Monitor::Monitor(const Model& model) : model_(model) {
  if (model.ranges().quantities.empty()) {
    throw Error(Error::Code::usage, {"the network file holds no ranges of its inputs",
                                     {},
                                     "hepml.ranges",
                                     "what the inputs were in training",
                                     {},
                                     {},
                                     "export it from a run folder, or with --ranges DATA"});
  }
  for (const InputRange& range : model.ranges().quantities) {
    counts_.emplace_back();
    counts_.back().bins.resize(range.bins.size());
  }
}

bool Monitor::count(Session& session, double weight) noexcept {
  const auto& ranges = model_.ranges().quantities;
  if (&session.model().ranges() != &model_.ranges() || !std::isfinite(weight)) return false;
  ++events_;
  std::size_t summarised = std::numeric_limits<std::size_t>::max();
  ImageSummary summary;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const InputRange& range = ranges[i];
    const auto values = session.input(range.input);
    const std::size_t n = model_.inputs()[range.input].variables.size();
    if (range.quantity == Quantity::variable) {
      for (std::size_t at = range.variable; at < values.size(); at += n)
        add(counts_[i], range, static_cast<double>(values[at]), weight);
    } else if (range.quantity == Quantity::steps) {
      add(counts_[i], range, static_cast<double>(values.size() / n), weight);
    } else {
      if (summarised != range.input) summary = summarise({values.data(), values.size()});
      summarised = range.input;
      add(counts_[i], range, of(summary, range.quantity), weight);
    }
  }
  return true;
}

void Monitor::merge(const Monitor& other) {
  const auto& mine = model_.ranges().quantities;
  const auto& others = other.model_.ranges().quantities;
  bool same = model_.model_id() == other.model_.model_id() && mine.size() == others.size();
  for (std::size_t i = 0; same && i < mine.size(); ++i) {
    same = mine[i].input == others[i].input && mine[i].name == others[i].name &&
           mine[i].quantiles == others[i].quantiles;
  }
  if (!same) {
    throw Error(Error::Code::usage, {"the counts are of another network",
                                     {},
                                     {},
                                     "model " + model_.model_id() + " and its ranges",
                                     "model " + other.model_.model_id(),
                                     {},
                                     {}});
  }
  events_ += other.events_;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    Counts& to = counts_[i];
    const Counts& from = other.counts_[i];
    to.entries += from.entries;
    to.squares += from.squares;
    to.not_finite += from.not_finite;
    to.below += from.below;
    to.above += from.above;
    for (std::size_t bin = 0; bin < to.bins.size(); ++bin) to.bins[bin] += from.bins[bin];
  }
}

void Monitor::reset() noexcept {
  events_ = 0;
  for (Counts& counts : counts_) {
    counts.entries = counts.squares = counts.not_finite = counts.below = counts.above = 0;
    std::fill(counts.bins.begin(), counts.bins.end(), 0.0);
  }
}

std::string Monitor::to_json() const {
  const auto& ranges = model_.ranges().quantities;
  std::string text = R"({"format": "hepml-counts", "format_version": 1, "model_id": )" +
                     quoted(model_.model_id()) + R"(, "events": )" + std::to_string(events_) +
                     R"(, "quantities": [)";
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const Counts& c = counts_[i];
    text += (i == 0 ? "\n " : ",\n ") + std::string(R"({"input": )") +
            quoted(model_.inputs()[ranges[i].input].name) + R"(, "name": )" + quoted(ranges[i].name) +
            R"(, "entries": )" + text::number(c.entries) + R"(, "squares": )" + text::number(c.squares) +
            R"(, "not_finite": )" + text::number(c.not_finite) + R"(, "below": )" + text::number(c.below) +
            R"(, "above": )" + text::number(c.above) + R"(, "bins": )" + list(c.bins) + "}";
  }
  return text + "\n]}\n";
}

}  // namespace hepml
