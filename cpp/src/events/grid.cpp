#include <hepml/events.hpp>

#include <cmath>

#include "constants.hpp"

namespace hepml {

double Grid::eta_width() const noexcept {
  return (eta_max - eta_min) / n_eta;
}

double Grid::eta_center(int index) const noexcept {
  return eta_min + (index + 0.5) * eta_width();
}

double Grid::phi_width() const noexcept {
  return 2 * pi / n_phi;
}

double Grid::phi_center(int index) const noexcept {
  const int wrapped = ((index % n_phi) + n_phi) % n_phi;
  return -pi + (wrapped + 0.5) * phi_width();
}

int Grid::eta_index(double eta) const noexcept {
  const double x = n_eta * (eta - eta_min) / (eta_max - eta_min);
  return x >= 0 && x < n_eta ? static_cast<int>(x) : -1;
}

int Grid::phi_index(double phi) const noexcept {
  if (!(std::fabs(phi) < 100)) {
    if (!std::isfinite(phi)) return -1;
    phi = std::remainder(phi, 2 * pi);
  }
  const double x = n_phi * (phi + pi) / (2 * pi);
  int index = static_cast<int>(x);
  if (x < index) --index;
  if (index >= 0 && index < n_phi) return index;
  return ((index % n_phi) + n_phi) % n_phi;
}

const char* Geometry::problem() const noexcept {
  for (const Grid* grid : {&ecal, &hcal}) {
    if (grid->n_eta < 1 || grid->n_phi < 1 || grid->n_eta > 30000 || grid->n_phi > 30000) {
      return "a grid has between 1 and 30000 cells along each axis";
    }
    if (!(grid->eta_min < grid->eta_max) || !std::isfinite(grid->eta_max - grid->eta_min)) {
      return "a grid has eta_min < eta_max";
    }
  }
  if (ecal_window < 1 || ecal_window % 2 == 0 || ecal_window > 255) {
    return "the ECal window is an odd number of pixels, at most 255";
  }
  if (hcal_window < 2 || hcal_window % 2 != 0 || hcal_window > 254) {
    return "the HCal window is an even number of cells, at most 254";
  }
  if (hcal_expand < 1 || hcal_expand > 64)
    return "an HCal cell is divided into 1 to 64 pixels along each axis";
  if (search < 0 || search > 255) return "the half width of the search is between 0 and 255 cells";
  if (ecal_window > ecal.n_phi || 2 * search + 1 > ecal.n_phi || hcal_window > hcal.n_phi) {
    return "a window is not wider than the grid in phi";
  }
  if (ecal_window > ecal.n_eta || 2 * search + 1 > ecal.n_eta || hcal_window > hcal.n_eta) {
    return "a window is not wider than the grid in eta";
  }
  return nullptr;
}

const char* name(Status status) noexcept {
  switch (status) {
    case Status::ok:
      return "ok";
    case Status::no_object:
      return "no_object";
    case Status::outside_grid:
      return "outside_grid";
    case Status::search_window:
      return "search_window";
    case Status::image_window:
      return "image_window";
    case Status::not_finite:
      return "not_finite";
    case Status::other_granularity:
      return "other_granularity";
    case Status::below_min_pt:
      return "below_min_pt";
    case Status::above_max_eta:
      return "above_max_eta";
    case Status::preselection:
      return "preselection";
    case Status::own_cell_hottest:
      return "own_cell_hottest";
    case Status::wrong_steps:
      return "wrong_steps";
  }
  return "unknown";
}

}  // namespace hepml
