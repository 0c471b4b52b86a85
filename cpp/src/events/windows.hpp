#pragma once

#include <hepml/events.hpp>

#include "constants.hpp"

namespace hepml {

/// `index` counted from `first` on a ring of n cells: 0 to n - 1. Both arguments lie in [-n, n).
inline int steps_on_ring(int index, int first, int n) noexcept {
  int steps = index - first;
  if (steps < 0) steps += n;
  if (steps < 0) steps += n;
  return steps >= n ? steps - n : steps;
}

/// Grid::eta_index and Grid::phi_index without a division: the same cells, since what rounding could put on
/// either side of an edge is left to the grid.
class Cells {
 public:
  explicit Cells(const Grid& grid) noexcept
      : grid_(grid),
        cells_per_eta_(grid.n_eta / (grid.eta_max - grid.eta_min)),
        cells_per_phi_(grid.n_phi / (2 * pi)) {}

  int eta(double eta) const noexcept {
    const double x = (eta - grid_.eta_min) * cells_per_eta_;
    if (!(x > -1 && x < grid_.n_eta + 1.0)) return -1;
    const int index = static_cast<int>(x);
    if (on_edge(x - index)) return grid_.eta_index(eta);
    return index < grid_.n_eta ? index : -1;
  }
  int phi(double phi) const noexcept {
    const double x = (phi + pi) * cells_per_phi_;
    if (!(x > 0 && x < grid_.n_phi)) return grid_.phi_index(phi);
    const int index = static_cast<int>(x);
    return on_edge(x - index) ? grid_.phi_index(phi) : index;
  }

 private:
  static bool on_edge(double rest) noexcept {
    constexpr double close = 1e-9;  // a grid has at most 30,000 cells, so x is good to 1e-11
    return !(rest > close && rest < 1 - close);
  }

  Grid grid_;
  double cells_per_eta_, cells_per_phi_;
};

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
