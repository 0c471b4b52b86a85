#include "efp/images.hpp"

#include <hepml/error.hpp>

#include <algorithm>
#include <cfenv>
#include <cmath>
#include <limits>
#include <utility>

namespace hepml::efp {

namespace {

constexpr std::size_t most_bytes = std::size_t{1} << 31;  // of a Memory

constexpr std::size_t index(Source source) noexcept {
  return static_cast<std::size_t>(source);
}

}  // namespace

std::size_t side(const Geometry& geometry, Source source) noexcept {
  return static_cast<std::size_t>(source == Source::ecal ? geometry.ecal_window
                                                         : geometry.hcal_window * geometry.hcal_expand);
}

float rounded(double value) noexcept {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  constexpr double most = static_cast<double>(std::numeric_limits<float>::max());
  if (std::isgreater(value, most)) return infinity;  // a plain comparison of NaN is a trap
  return std::isless(value, -most) ? -infinity : static_cast<float>(value);
}

ImagePolynomials::ImagePolynomials(const Geometry& geometry, const std::vector<Column>& columns,
                                   const std::string& cpu)
    : size_(columns.size()) {
  for (const Source source : {Source::ecal, Source::hcal}) {  // one after the other, as compute() needs them
    for (std::size_t k = 0; k < columns.size(); ++k) {
      const Column& column = columns[k];
      if (column.source != source) continue;
      auto group = std::find_if(groups_.begin(), groups_.end(), [&column](const Group& one) {
        return one.source == column.source && one.kappa == column.kappa && one.beta == column.beta &&
               one.normed == column.normed;
      });
      if (group == groups_.end()) {
        groups_.push_back({column.source, column.kappa, column.beta, column.normed, {}, {}, {}});
        group = groups_.end() - 1;
      }
      group->graphs.push_back(column.graph);
      group->columns.push_back(k);
    }
  }
  for (Group& group : groups_) {
    const std::size_t n = side(geometry, group.source);
    const double parts = group.source == Source::ecal ? 1 : geometry.hcal_expand;
    const Grid& grid = group.source == Source::ecal ? geometry.ecal : geometry.hcal;
    Places& places = places_[index(group.source)];
    places.eta.resize(n);
    places.phi.resize(n);
    for (std::size_t i = 0; i < n; ++i) {
      const double from_centre = static_cast<double>(i) - static_cast<double>(n - 1) / 2;
      places.eta[i] = from_centre * (grid.eta_width() / parts);
      places.phi[i] = -from_centre * (grid.phi_width() / parts);
    }
    group.polynomials.emplace_back(group.graphs, cpu);
    pixels_ = std::max(pixels_, n * n);
    bytes_ = std::max(bytes_, group.polynomials[0].bytes(n * n));
  }
  bytes_ += (3 * pixels_ + 2 * size_) * sizeof(double);
  if (bytes_ > most_bytes) {
    throw Error(Error::Code::unsupported, {"energy-flow polynomials that take too much memory",
                                           {},
                                           "hepml.efps",
                                           "at most " + std::to_string(most_bytes) + " bytes a thread",
                                           std::to_string(bytes_),
                                           {},
                                           "fewer columns, or images of fewer pixels"});
  }
}

bool ImagePolynomials::uses(Source source) const noexcept {
  return !places_[index(source)].eta.empty();
}

ImagePolynomials::Memory::Memory(const ImagePolynomials& polynomials)
    : weight_(polynomials.pixels_),
      eta_(polynomials.pixels_),
      phi_(polynomials.pixels_),
      found_(polynomials.size_),
      values_(polynomials.size_) {
  for (const Group& group : polynomials.groups_) {
    const std::size_t n = polynomials.places_[index(group.source)].eta.size();
    group.polynomials[0].reserve(n * n, scratch_);
  }
}

span<const double> ImagePolynomials::compute(span<const float> ecal_et, span<const float> hcal_et,
                                             Memory& memory) const noexcept {
  std::fenv_t environment;
  std::feholdexcept(&environment);  // a negative weight has no root, and what is large may overflow
  const Group* before = nullptr;
  std::size_t n = 0;
  for (const Group& group : groups_) {
    if (before == nullptr || before->source != group.source) {
      const Places& places = places_[index(group.source)];
      const float* pixel = (group.source == Source::ecal ? ecal_et : hcal_et).data();
      n = 0;
      for (const double phi : places.phi) {
        for (const double eta : places.eta) {
          const float value = *pixel++;
          if (value == 0) continue;
          memory.weight_[n] = static_cast<double>(value);
          memory.eta_[n] = eta;
          memory.phi_[n++] = phi;
        }
      }
      before = &group;
    }
    const span<double> found{memory.found_.data(), group.columns.size()};
    group.polynomials[0].compute({memory.weight_.data(), n}, {memory.eta_.data(), n}, {memory.phi_.data(), n},
                                 group.normed, {&group.kappa, 1}, {&group.beta, 1}, found, memory.scratch_);
    for (std::size_t g = 0; g < found.size(); ++g) memory.values_[group.columns[g]] = found[g];
  }
  std::fesetenv(&environment);
  return memory.values_;
}

}  // namespace hepml::efp
