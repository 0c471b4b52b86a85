#include <hepml/events.hpp>

#include <algorithm>
#include <cmath>

#include "constants.hpp"
#include "sparse.hpp"
#include "windows.hpp"

namespace hepml {

namespace {

/// Calls use(value, columns from the centre, rows above the centre) for each pixel that is not empty.
template <class Image, class Use>
void each_from_centre(const Image& image, int side, Use use) noexcept {
  const int half = side / 2;
  each_pixel(image, side, [&](double value, int column, int row) { use(value, column - half, half - row); });
}

bool within(int column, int row, int eta, int phi) noexcept {
  return column >= -eta && column <= eta && row >= -phi && row <= phi;
}

/// Sum over a window of (2 eta + 1) x (2 phi + 1) pixels.
template <class Image>
double window_sum(const Image& image, int side, int eta, int phi) noexcept {
  double sum = 0;
  each_from_centre(image, side, [&](double value, int column, int row) {
    if (within(column, row, eta, phi)) sum += value;
  });
  return sum;
}

template <class Image>
double total(const Image& image, int side) noexcept {
  double sum = 0;
  each_pixel(image, side, [&sum](double value, int, int) { sum += value; });
  return sum;
}

double ratio(double numerator, double denominator) noexcept {
  return denominator > 0 ? numerator / denominator : 0.0;
}

double root(double square) noexcept {
  return square > 0 ? std::sqrt(square) : 0.0;
}

/// Sums over some pixels of their energy and of its first and second moments in eta.
struct Moments {
  double sum = 0, first = 0, second = 0;

  void add(double e, double eta) noexcept {
    sum += e;
    first += e * eta;
    second += e * eta * eta;
  }
  double width() const noexcept {
    if (!(sum > 0)) return 0;
    const double mean = first / sum;
    return root(second / sum - mean * mean);
  }
};

}  // namespace

template <class Image>
void high_level(const Geometry& g, Convention convention, const Image (&images)[4],
                double* features) noexcept {
  const auto& [ecal_et, ecal_e, hcal_et, hcal_e] = images;
  const bool swapped = convention == Convention::arxiv_2011_01984;  // its axis widths are exchanged
  const double eta_width = swapped ? g.ecal.phi_width() : g.ecal.eta_width();
  const double phi_width = swapped ? g.ecal.eta_width() : g.ecal.phi_width();
  double e_3x3 = 0, e_3x7 = 0, e_7x7 = 0, iso_03 = 0, iso_04 = 0, weights = 0, squares = 0;
  Moments moments;
  each_from_centre(ecal_e, g.ecal_window, [&](double e, int column, int row) {
    const double eta = column * eta_width, phi = row * phi_width;
    const double distance = std::sqrt(eta * eta + phi * phi);
    if (distance < 0.3) iso_03 += e;
    if (distance < 0.4) iso_04 += e;
    if (!within(column, row, 3, 3)) return;
    e_7x7 += e;
    if (within(column, row, 2, 2) && e > 0) {
      const double weight = std::fabs(std::log(e));
      weights += weight;
      squares += weight * column * column;
    }
    if (!within(column, row, 1, 3)) return;
    e_3x7 += e;
    if (within(column, row, 1, 2)) moments.add(e, eta);
    if (within(column, row, 1, 1)) e_3x3 += e;
  });
  features[0] = ratio(total(hcal_et, g.hcal_window), total(ecal_et, g.ecal_window));
  features[1] = moments.width();
  features[2] = ratio(e_3x3, e_3x7);
  features[3] = ratio(e_3x7, e_7x7);
  features[4] = root(ratio(squares, weights));
  features[5] = iso_03;
  features[6] = iso_04;
}
template void high_level(const Geometry&, Convention, const SparseImage (&)[4], double*) noexcept;

void high_level(const Geometry& g, Convention convention, const ImageSpans<const float>& images,
                span<double> features) noexcept {
  high_level(g, convention, {images.ecal_et, images.ecal_e, images.hcal_et, images.hcal_e}, features.data());
}

template <class Image>
double sigma_etaeta_log(const Geometry& g, const Image& ecal_e) noexcept {
  const double e_5x5 = window_sum(ecal_e, g.ecal_window, 2, 2);
  if (!(e_5x5 > 0)) return 0;
  const auto each_weight = [&](auto use) {
    each_from_centre(ecal_e, g.ecal_window, [&](double e, int column, int row) {
      if (e > 0 && within(column, row, 2, 2)) use(std::max(0.0, 4.7 + std::log(e / e_5x5)), column);
    });
  };
  double sum = 0, first = 0, second = 0;
  each_weight([&](double weight, int column) {
    sum += weight;
    first += weight * column;
  });
  if (!(sum > 0)) return 0;
  const double mean = first / sum;
  each_weight([&](double weight, int column) { second += weight * (column - mean) * (column - mean); });
  return root(second / sum);
}
template double sigma_etaeta_log(const Geometry&, const SparseImage&) noexcept;

double sigma_etaeta_log(const Geometry& g, span<const float> ecal_e) noexcept {
  return sigma_etaeta_log<span<const float>>(g, ecal_e);
}

template <class Image>
bool hard_selection(const Geometry& g, const Image (&images)[4]) noexcept {
  const double ecal = total(images[0], g.ecal_window), hcal = total(images[2], g.hcal_window);
  const double cluster = window_sum(images[0], g.ecal_window, 1, 3);
  return cluster > 0 && ratio(hcal, ecal) < 0.15 && (ecal - cluster) / cluster < 0.5;
}
template bool hard_selection(const Geometry&, const SparseImage (&)[4]) noexcept;

bool hard_selection(const Geometry& g, const ImageSpans<const float>& images) noexcept {
  return hard_selection(g, {images.ecal_et, images.ecal_e, images.hcal_et, images.hcal_e});
}

void isolation(const Geometry& g, const Candidate& candidate, span<const Tower> ecal, span<const Tower> hcal,
               int core, double pt, span<const double> radii, span<double> cones) noexcept {
  // Cell centres, which come from float32 edges, lie on cones of whole cells: they are outside.
  constexpr double on_edge = 1e-6;
  std::fill(cones.begin(), cones.end(), 0.0);
  if (!(pt > 0)) return;
  const double eta_0 = g.ecal.eta_center(candidate.cell_eta), phi_0 = g.ecal.phi_center(candidate.cell_phi);
  const int half = core / 2, n_phi = g.ecal.n_phi;
  const int first_phi = steps_on_ring(candidate.cell_phi - half, 0, n_phi);
  const auto add = [&](const Tower& tower) {
    const double eta = tower.eta - eta_0;
    const double phi = std::remainder(tower.phi - phi_0, 2 * pi);
    const double distance = std::sqrt(eta * eta + phi * phi);
    for (std::size_t i = 0; i < radii.size(); ++i) {
      if (distance < radii[i] - on_edge) cones[i] += tower.et;
    }
  };
  for (const Tower& tower : ecal) {
    const int cell_eta = g.ecal.eta_index(tower.eta);
    const bool in_core = core > 0 && cell_eta >= candidate.cell_eta - half &&
                         cell_eta <= candidate.cell_eta + half &&
                         steps_on_ring(g.ecal.phi_index(tower.phi), first_phi, n_phi) <= 2 * half;
    if (!in_core) add(tower);
  }
  for (const Tower& tower : hcal) add(tower);
  for (double& cone : cones) cone /= pt;
}

}  // namespace hepml
