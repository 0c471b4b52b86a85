#pragma once

#include <hepml/events.hpp>

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
  const std::int16_t* cell_eta = nullptr;  ///< these three of locate()
  const std::int16_t* cell_phi = nullptr;
  const bool* finite = nullptr;

  std::size_t size(std::size_t event) const noexcept {
    return static_cast<std::size_t>(offsets[event + 1] - offsets[event]);
  }
};

/// The cells (eta, phi) of all towers, as Grid::eta_index and Grid::phi_index tell them, and which events
/// all_finite() holds for.
void locate(const Grid& grid, const TowerArrays& towers, std::int16_t* cell_eta, std::int16_t* cell_phi,
            bool* finite);

/// Towers that lie, wholly or in part, outside of the grid in eta.
struct Outside {
  std::int64_t towers = 0;
  double et = 0;  ///< GeV lost that way
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
