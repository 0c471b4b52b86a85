#include <hepml/events.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include "constants.hpp"
#include "towers.hpp"
#include "windows.hpp"

namespace hepml {

namespace {

// 2 n_ecal n_hcal times (position of HCal edge or centre minus centre of ECal cell), in units of the common
// range: `twice_hcal` is twice the HCal position in cells.
std::int64_t difference(std::int64_t twice_hcal, std::int64_t n_hcal, std::int64_t ecal_cell,
                        std::int64_t n_ecal) {
  return twice_hcal * n_ecal - (2 * ecal_cell + 1) * n_hcal;
}

/// Of n > 0 finite values. Several at a time: one after the other, each would wait for the one before.
double largest(const double* values, std::size_t n) {
  constexpr std::size_t lanes = 8;
  std::array<double, lanes> most;
  most.fill(values[0]);
  const auto take = [](double& so_far, double value) { so_far = value > so_far ? value : so_far; };
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    for (std::size_t lane = 0; lane < lanes; ++lane) take(most[lane], values[i + lane]);
  }
  for (; i < n; ++i) take(most[0], values[i]);
  for (const double value : most) take(most[0], value);
  return most[0];
}

double offset(std::int64_t twice_hcal, std::int64_t n_hcal, std::int64_t ecal_cell, std::int64_t n_ecal,
              double range) {
  return static_cast<double>(difference(twice_hcal, n_hcal, ecal_cell, n_ecal)) * range /
         static_cast<double>(2 * n_ecal * n_hcal);
}

}  // namespace

HcalCell hcal_cell_below(const Geometry& g, int ecal_eta, int ecal_phi) noexcept {
  const auto below = [](std::int64_t cell, std::int64_t n_ecal, std::int64_t n_hcal) {
    return static_cast<int>((2 * cell + 1) * n_hcal / (2 * n_ecal));
  };
  const int eta = same_eta_range(g) ? below(ecal_eta, g.ecal.n_eta, g.hcal.n_eta)
                                    : g.hcal.eta_index(g.ecal.eta_center(ecal_eta));
  return {eta, below(ecal_phi, g.ecal.n_phi, g.hcal.n_phi)};
}

bool all_finite(span<const Tower> towers) noexcept {
  bool finite = true;
  for (const Tower& t : towers) {
    for (const double value : {t.et, t.e, t.eta, t.phi}) finite &= std::fabs(value) <= most_finite;
  }
  return finite;
}

ImageMaker::ImageMaker(const Geometry& geometry, Convention convention, const TowerSelection& towers)
    : geometry_(geometry), convention_(convention), choice_(std::make_unique<TowerChoice>(towers)) {
  if (const char* problem = geometry_.problem()) throw std::invalid_argument(problem);
  const auto square = [](int side) {
    return static_cast<std::size_t>(side) * static_cast<std::size_t>(side);
  };
  const std::size_t pixels = std::max(square(geometry_.ecal_window), square(geometry_.hcal_window));
  search_.assign(square(2 * geometry_.search + 1) + 1, 0.0);  // the last takes what lies elsewhere
  et_.assign(pixels + 1, 0.0);                                // the last takes what lies outside of an image
  e_.assign(pixels + 1, 0.0);
  filled_.assign(pixels / 64 + 1, 0);
  index_.assign(2 * pixels, 0);
  value_.assign(2 * pixels, 0.0f);
}

ImageMaker::~ImageMaker() = default;
ImageMaker::ImageMaker(ImageMaker&&) noexcept = default;
ImageMaker& ImageMaker::operator=(ImageMaker&&) noexcept = default;

Candidate ImageMaker::find(span<const Tower> ecal, span<const Tower> hcal, double eta, double phi) noexcept {
  if (!choice_->skips_not_finite() && (!all_finite(ecal) || !all_finite(hcal))) {
    Candidate rejected;
    rejected.status = Status::not_finite;
    return rejected;
  }
  return find_in(TowerList(ecal, geometry_.ecal, chosen(ecal, hcal), false), eta, phi);
}

const TowerChoice* ImageMaker::chosen(span<const Tower> ecal, span<const Tower> hcal) noexcept {
  if (choice_->trivial()) return nullptr;
  choice_->look(TowerList(ecal, geometry_.ecal), TowerList(hcal, geometry_.hcal));
  return choice_.get();
}

Candidate ImageMaker::find_in_finite(span<const Tower> ecal, double eta, double phi) noexcept {
  return find_in(TowerList(ecal, geometry_.ecal), eta, phi);
}

template <class Towers>
Candidate ImageMaker::find_in(const Towers& ecal, double eta, double phi) noexcept {
  Candidate candidate;
  const Grid& grid = geometry_.ecal;
  const int search = geometry_.search, side = 2 * search + 1;
  const int lost =
      convention_ == Convention::arxiv_2011_01984 ? 1 : 0;  // its upper bounds are one cell too low
  // beyond 1e6 a float32 phi tells no cells apart
  if (!(std::fabs(eta) <= 1e30) || !(std::fabs(phi) <= 1e6)) {
    candidate.status = Status::not_finite;
    return candidate;
  }
  const int seed_eta = grid.eta_index(eta), seed_phi = grid.phi_index(phi);
  if (seed_eta < 0) {
    candidate.status = Status::outside_grid;
    return candidate;
  }
  if (seed_eta < search || seed_eta > grid.n_eta - 1 - search - lost) {
    candidate.status = Status::search_window;
    return candidate;
  }
  std::fill(search_.begin(), search_.end(), 0.0);
  const int first_phi = seed_phi - search;
  const std::size_t n = search > 0 ? ecal.size() : 0;  // alone, the object's own cell is the hottest
  for (std::size_t i = 0; i < n; ++i) {
    const int column = ecal.cell_eta(i) - (seed_eta - search);
    const int row = steps_on_ring(ecal.cell_phi(i), first_phi, grid.n_phi);
    const bool inside = (static_cast<unsigned>(column) < static_cast<unsigned>(side)) & (row < side);
    const int cell =
        ((column * side + row) & -static_cast<int>(inside)) | (side * side & (static_cast<int>(inside) - 1));
    search_[static_cast<std::size_t>(cell)] += ecal.et(i);
  }
  int hottest =
      search * side + search;  // ties: the object's own cell, then the lowest eta, then the lowest phi
  const double highest = largest(search_.data(), static_cast<std::size_t>(side * side));
  const bool own = search_[static_cast<std::size_t>(hottest)] == highest;
  if (!own) {
    hottest = 0;
    while (hottest < side * side - 1 && search_[static_cast<std::size_t>(hottest)] != highest) ++hottest;
  }
  if (own && convention_ == Convention::arxiv_2011_01984) {
    candidate.status = Status::own_cell_hottest;
    return candidate;
  }
  const int cell_eta = seed_eta - search + hottest / side;
  const int cell_phi = steps_on_ring(first_phi + hottest % side, 0, grid.n_phi);
  const int half = geometry_.ecal_window / 2;
  if (cell_eta < half || cell_eta > grid.n_eta - 1 - half - lost) {
    candidate.status = Status::image_window;
    return candidate;
  }
  return place_windows(seed_eta, seed_phi, cell_eta, cell_phi);
}

template Candidate ImageMaker::find_in(const TowerColumns&, double, double) noexcept;

// The HCal window is even, so the ECal centre lies off its centre: it reaches one cell further to the side of
// the HCal cell on which the ECal centre lies (in convention 2011.01984: on which the object's own cell lies,
// not wrapped).
Candidate ImageMaker::place_windows(int seed_eta, int seed_phi, int cell_eta, int cell_phi) const noexcept {
  const Geometry& g = geometry_;
  const Grid &ecal = g.ecal, &hcal = g.hcal;
  const bool published = convention_ == Convention::arxiv_2011_01984;
  const int half = g.hcal_window / 2;
  Candidate candidate;
  candidate.cell_eta = cell_eta;
  candidate.cell_phi = cell_phi;
  const HcalCell below = hcal_cell_below(g, cell_eta, cell_phi);
  if (below.eta < 0) {
    candidate.status = Status::image_window;
    return candidate;
  }
  const int side_eta = published ? seed_eta : cell_eta, side_phi = published ? seed_phi : cell_phi;
  const bool above_eta = same_eta_range(g)
                             ? difference(2 * below.eta + 1, hcal.n_eta, side_eta, ecal.n_eta) < 0
                             : ecal.eta_center(side_eta) > hcal.eta_center(below.eta);
  const bool above_phi = difference(2 * below.phi + 1, hcal.n_phi, side_phi, ecal.n_phi) < 0;
  const int first_eta = below.eta - half + (above_eta ? 1 : 0);
  const int first_phi = below.phi - half + (above_phi ? 1 : 0);
  if (!published && (first_eta < 0 || first_eta + g.hcal_window > hcal.n_eta)) {
    candidate.status = Status::image_window;
    return candidate;
  }
  candidate.hcal_eta = first_eta;
  candidate.hcal_phi = steps_on_ring(first_phi, 0, hcal.n_phi);
  // The published histogram is centred on the HCal cell itself.
  const int twice_eta = published ? 2 * below.eta + 1 : 2 * (first_eta + half);
  const int twice_phi = published ? 2 * below.phi + 1 : 2 * (first_phi + half);
  candidate.hcal_deta = same_eta_range(g)
                            ? offset(twice_eta, hcal.n_eta, cell_eta, ecal.n_eta, ecal.eta_max - ecal.eta_min)
                            : hcal.eta_min + 0.5 * twice_eta * hcal.eta_width() - ecal.eta_center(cell_eta);
  candidate.hcal_dphi = offset(twice_phi, hcal.n_phi, cell_phi, ecal.n_phi, 2 * pi);
  candidate.status = Status::ok;
  return candidate;
}

}  // namespace hepml
