#pragma once

#include <hepml/events.hpp>

#include <cmath>
#include <cstdint>
#include <vector>

namespace hepml {

/// Towers of many events: event i owns the range offsets[i] to offsets[i + 1].
struct TowerArrays {
  const std::int64_t* offsets = nullptr;
  std::size_t n_events = 0;
  const double* et = nullptr;
  const double* e = nullptr;
  const double* eta = nullptr;
  const double* phi = nullptr;

  std::size_t size(std::size_t event) const noexcept {
    return static_cast<std::size_t>(offsets[event + 1] - offsets[event]);
  }
};

/// The cells of n positions, as Grid::eta_index and Grid::phi_index tell them.
void locate(const Grid& grid, std::size_t n, const double* eta, const double* phi, std::int16_t* cell_eta,
            std::int16_t* cell_phi);

/// Towers that lie, wholly or in part, outside of the grid in eta.
struct Outside {
  std::int64_t towers = 0;
  double et = 0;  ///< GeV lost that way, each to 2^-20: so the sum does not depend on how events are read

  void lose(double lost) noexcept {
    constexpr double steps = 1 << 20;
    ++towers;
    et += std::nearbyint(lost * steps) / steps;
  }
};
Outside outside_of(const Grid& grid, const TowerArrays& towers);

/// Towers put into cells, and what happened on the way.
struct Placed {
  std::vector<std::int64_t> offsets;
  std::vector<double> et, e, eta, phi;
  std::int64_t shared = 0;  ///< towers divided over several cells
  Outside outside;
};

/// Each tower to the centre of its edges (eta_lo, eta_hi, phi_lo, phi_hi) where these nest in one cell,
/// otherwise in parts, by overlap in eta-phi, to the centres of the cells that it covers.
Placed place_towers(const Grid& grid, const TowerArrays& towers, const double* edges);

}  // namespace hepml
