#pragma once

#include <hepml/events.hpp>

namespace hepml {

/// `index` counted from `first` on a ring of n cells: 0 to n - 1. Both arguments lie in [-n, n).
inline int steps_on_ring(int index, int first, int n) noexcept {
  int steps = index - first;
  if (steps < 0) steps += n;
  if (steps < 0) steps += n;
  return steps >= n ? steps - n : steps;
}

/// The HCal cell that holds the centre of an ECal cell; in phi exact in integers.
struct HcalCell {
  int eta;  ///< -1: outside of the HCal grid
  int phi;
};
HcalCell hcal_cell_below(const Geometry& geometry, int ecal_eta, int ecal_phi) noexcept;

/// Do both grids cover the same range in eta? Then positions compare in integers.
inline bool same_eta_range(const Geometry& g) noexcept {
  return g.ecal.eta_min == g.hcal.eta_min && g.ecal.eta_max == g.hcal.eta_max;
}

}  // namespace hepml
