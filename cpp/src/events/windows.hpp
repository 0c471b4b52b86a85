#pragma once

#include <hepml/events.hpp>

#include "constants.hpp"
#include "kernels/kernels.hpp"

namespace hepml {

/// `index` counted from `first` on a ring of n cells: 0 to n - 1. Both arguments lie in [-n, n).
inline int steps_on_ring(int index, int first, int n) noexcept {
  int steps = index - first;  // without branches: which way it goes is as good as random
  steps += n & -static_cast<int>(steps < 0);
  steps += n & -static_cast<int>(steps < 0);
  return steps - (n & -static_cast<int>(steps >= n));
}

constexpr double most_finite = 1e30;  // beyond it a sum may leave the range of float32

/// The axes of a grid, for kernels::Kernels::cells.
inline kernels::CellAxis eta_axis(const Grid& grid) noexcept {
  return {grid.eta_min, grid.n_eta / (grid.eta_max - grid.eta_min), static_cast<double>(grid.n_eta), false};
}
inline kernels::CellAxis phi_axis(const Grid& grid) noexcept {
  return {-pi, grid.n_phi / (2 * pi), static_cast<double>(grid.n_phi), true};
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
