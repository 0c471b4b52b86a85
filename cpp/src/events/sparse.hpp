#pragma once

// The functions of <hepml/events.hpp> on sparse images: the same sums in the same order, so the same numbers.

#include <hepml/events.hpp>

#include <memory>

#include "pixels.hpp"

namespace hepml {

// Images are those of one candidate: ecal_et, ecal_e, hcal_et, hcal_e.

/// high_level() and the others for SparseImage; instantiated in features.cpp.
template <class Image>
void high_level(const Geometry& geometry, Convention convention, const Image (&images)[4],
                double* features) noexcept;
template <class Image>
double sigma_etaeta_log(const Geometry& geometry, const Image& ecal_e) noexcept;
template <class Image>
bool hard_selection(const Geometry& geometry, const Image (&images)[4]) noexcept;

/// mass() of many candidates, with the positions of the ECal's pixels in a table.
class MassOf {
 public:
  MassOf(const Geometry& geometry, MassKind kind);
  ~MassOf();
  double operator()(const SparseImage (&images)[4], double hcal_deta, double hcal_dphi) const noexcept;
  /// The three kinds in their order, whatever `kind` is: the same numbers in less time.
  void all(const SparseImage (&images)[4], double hcal_deta, double hcal_dphi, double* masses) const noexcept;

 private:
  struct Table;
  Geometry geometry_;
  MassKind kind_;
  std::unique_ptr<Table> ecal_;
};

}  // namespace hepml
