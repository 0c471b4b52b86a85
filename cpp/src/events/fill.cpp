#include <hepml/events.hpp>

#include <algorithm>
#include <cmath>

#include "constants.hpp"
#include "towers.hpp"
#include "windows.hpp"

namespace hepml {

namespace {

double wrapped(double a, double b) noexcept {
  return std::atan2(std::sin(a - b), std::cos(a - b));
}

int lowest_bit(std::uint64_t word) noexcept {
#if defined(__GNUC__)
  return __builtin_ctzll(word);
#else
  int position = 0;
  for (; !(word & 1); word >>= 1) ++position;
  return position;
#endif
}

}  // namespace

template <class Towers, class Pixel>
void ImageMaker::fill_sparse(const Towers& towers, Pixel pixel_of, Sparse& et, Sparse& e) noexcept {
  e.index != nullptr ? fill_sums<true>(towers, pixel_of, et, e) : fill_sums<false>(towers, pixel_of, et, e);
}

template <bool both, class Towers, class Pixel>
void ImageMaker::fill_sums(const Towers& towers, Pixel pixel_of, Sparse& et, Sparse& e) noexcept {
  // Without branches where they would be guessed: outside of the image a tower goes to one pixel too many,
  // and a pixel that sums to 0 is overwritten by the next.
  const std::size_t elsewhere = et_.size() - 1;
  double *const sum_et = et_.data(), *const sum_e = e_.data();
  std::uint64_t* const filled = filled_.data();
  for (std::size_t i = 0; i < towers.size(); ++i) {
    const int pixel = pixel_of(i);
    const std::size_t p = pixel < 0 ? elsewhere : static_cast<std::size_t>(pixel);
    sum_et[p] += towers.et(i);
    if (both) sum_e[p] += towers.e(i);
    filled[p >> 6] |= std::uint64_t{1} << (p & 63);
  }
  sum_et[elsewhere] = sum_e[elsewhere] = 0;
  filled[elsewhere >> 6] &= ~(std::uint64_t{1} << (elsewhere & 63));
  std::size_t n_et = 0, n_e = 0;
  for (std::size_t word = 0; word < filled_.size(); ++word) {
    for (std::uint64_t bits = filled[word]; bits != 0; bits &= bits - 1) {
      const std::size_t p = word * 64 + static_cast<std::size_t>(lowest_bit(bits));
      const auto put = [p](const Sparse& image, std::size_t& count, double sum) {
        const auto value = static_cast<float>(sum);
        image.index[count] = static_cast<std::uint16_t>(p);
        image.value[count] = value;
        count += value != 0.0f ? 1 : 0;
      };
      put(et, n_et, sum_et[p]);
      if (both) put(e, n_e, sum_e[p]);
      sum_et[p] = sum_e[p] = 0;
    }
    filled[word] = 0;
  }
  et.count = n_et;
  e.count = n_e;
}

template <class Towers>
void ImageMaker::fill_window(const Grid& grid, int side, int first_eta, int first_phi, const Towers& towers,
                             Sparse& et, Sparse& e) noexcept {
  const auto pixel_of = [&](std::size_t i) {
    const int column = towers.cell_eta(i) - first_eta;  // negative outside of the grid
    const int row = steps_on_ring(towers.cell_phi(i), first_phi, grid.n_phi);
    const bool inside = (static_cast<unsigned>(column) < static_cast<unsigned>(side)) & (row < side);
    return ((side - 1 - row) * side + column) |
           (static_cast<int>(inside) - 1);  // -1 outside, without a branch
  };
  fill_sparse(towers, pixel_of, et, e);
}

void ImageMaker::fill_ecal(const Candidate& candidate, span<const Tower> towers, Sparse& et,
                           Sparse& e) noexcept {
  fill_ecal_of(candidate, TowerList(towers, geometry_.ecal), et, e);
}
void ImageMaker::fill_hcal(const Candidate& candidate, span<const Tower> towers, Sparse& et,
                           Sparse& e) noexcept {
  fill_hcal_of(candidate, TowerList(towers, geometry_.hcal), et, e);
}

template <class Towers>
void ImageMaker::fill_ecal_of(const Candidate& candidate, const Towers& towers, Sparse& et,
                              Sparse& e) noexcept {
  const Grid& grid = geometry_.ecal;
  const int side = geometry_.ecal_window, half = side / 2;
  if (convention_ == Convention::standard) {
    return fill_window(grid, side, candidate.cell_eta - half, candidate.cell_phi - half, towers, et, e);
  }
  const double eta_0 = grid.eta_center(candidate.cell_eta), phi_0 = grid.phi_center(candidate.cell_phi);
  const double reach_eta = (half + 0.5) * grid.eta_width(), reach_phi = (half + 0.5) * grid.phi_width();
  const auto pixel_of = [&](std::size_t i) {
    const double deta = towers.eta(i) - eta_0;
    if (!(std::fabs(deta) < reach_eta)) return -1;
    const double dphi = wrapped(towers.phi(i), phi_0);
    if (!(std::fabs(dphi) < reach_phi)) return -1;
    const int column = std::min(static_cast<int>(side * (deta + reach_eta) / (2 * reach_eta)), side - 1);
    const int row = std::min(static_cast<int>(side * (dphi + reach_phi) / (2 * reach_phi)), side - 1);
    return (side - 1 - row) * side + column;
  };
  fill_sparse(towers, pixel_of, et, e);
}

template <class Towers>
void ImageMaker::fill_hcal_of(const Candidate& candidate, const Towers& towers, Sparse& et,
                              Sparse& e) noexcept {
  const Grid& grid = geometry_.hcal;
  const int side = geometry_.hcal_window, half = side / 2;
  if (convention_ == Convention::standard) {
    return fill_window(grid, side, candidate.hcal_eta, candidate.hcal_phi, towers, et, e);
  }
  // As published: towers at their smeared positions, kept within -3.5..+4.5 cells of the HCal cell's centre
  // (or mirrored), then put into a histogram that spans -4..+4.
  const HcalCell below = hcal_cell_below(geometry_, candidate.cell_eta, candidate.cell_phi);
  const double eta_0 = grid.eta_center(below.eta), phi_0 = grid.phi_center(below.phi);
  const double eta_width = grid.eta_width(), phi_width = grid.phi_width();
  const double low_eta = candidate.hcal_eta - below.eta - 0.5;
  const double low_phi = steps_on_ring(candidate.hcal_phi, below.phi - half, grid.n_phi) - half - 0.5;
  const double reach_eta = half * eta_width, reach_phi = half * phi_width;
  const auto pixel_of = [&](std::size_t i) {
    const double deta = towers.eta(i) - eta_0;
    if (!(deta > low_eta * eta_width && deta < (low_eta + side) * eta_width)) return -1;
    const double dphi = wrapped(towers.phi(i), phi_0);
    if (!(dphi > low_phi * phi_width && dphi < (low_phi + side) * phi_width)) return -1;
    const double x = side * (deta + reach_eta) / (2 * reach_eta),
                 y = side * (dphi + reach_phi) / (2 * reach_phi);
    if (!(x >= 0 && x < side && y >= 0 && y < side)) return -1;
    return (side - 1 - static_cast<int>(y)) * side + static_cast<int>(x);
  };
  fill_sparse(towers, pixel_of, et, e);
}

template void ImageMaker::fill_ecal_of(const Candidate&, const TowerColumns&, Sparse&, Sparse&) noexcept;
template void ImageMaker::fill_hcal_of(const Candidate&, const TowerColumns&, Sparse&, Sparse&) noexcept;

void ImageMaker::fill(const Candidate& candidate, span<const Tower> ecal, span<const Tower> hcal,
                      const ImageSpans<float>& images) noexcept {
  const std::size_t half = index_.size() / 2;
  Sparse et{index_.data(), value_.data(), 0}, e{index_.data() + half, value_.data() + half, 0};
  const auto scatter = [](const Sparse& sparse, span<float> image) {
    std::fill(image.begin(), image.end(), 0.0f);
    for (std::size_t i = 0; i < sparse.count; ++i) image[sparse.index[i]] = sparse.value[i];
  };
  const TowerChoice* choice = chosen(ecal, hcal);
  fill_ecal_of(candidate, TowerList(ecal, geometry_.ecal, choice, false), et, e);
  scatter(et, images.ecal_et);
  scatter(e, images.ecal_e);
  fill_hcal_of(candidate, TowerList(hcal, geometry_.hcal, choice, true), et, e);
  scatter(et, images.hcal_et);
  scatter(e, images.hcal_e);
}

void expand_hcal(const Geometry& geometry, span<const float> cells, span<float> pixels) noexcept {
  const auto side = static_cast<std::size_t>(geometry.hcal_window);
  const auto expand = static_cast<std::size_t>(geometry.hcal_expand);
  const auto share = static_cast<float>(expand * expand);
  for (std::size_t row = 0; row < side * expand; ++row) {
    for (std::size_t column = 0; column < side * expand; ++column) {
      pixels[row * side * expand + column] = cells[row / expand * side + column / expand] / share;
    }
  }
}

}  // namespace hepml
