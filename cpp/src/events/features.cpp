#include <hepml/events.hpp>

#include <algorithm>
#include <cmath>

#include "constants.hpp"
#include "windows.hpp"

namespace hepml {

namespace {

/// The ECal image as seen from its central pixel.
class Centred {
 public:
  Centred(const Geometry& geometry, span<const float> image) noexcept
      : image_(image), side_(geometry.ecal_window), half_(geometry.ecal_window / 2) {}

  /// Calls use(value, columns from the centre, rows above the centre) on a window of (2 eta + 1) x (2 phi +
  /// 1) pixels.
  template <class Use>
  void visit(int eta, int phi, Use use) const noexcept {
    eta = std::min(eta, half_);
    phi = std::min(phi, half_);
    for (int row = phi; row >= -phi; --row) {
      const float* line = image_.data() + (half_ - row) * side_ + half_;
      for (int column = -eta; column <= eta; ++column) use(static_cast<double>(line[column]), column, row);
    }
  }

  double sum(int eta, int phi) const noexcept {
    double total = 0;
    visit(eta, phi, [&](double value, int, int) { total += value; });
    return total;
  }

  int half() const noexcept { return half_; }

 private:
  span<const float> image_;
  int side_, half_;
};

double total(span<const float> image) noexcept {
  double sum = 0;
  for (const float value : image) {
    if (value != 0) sum += static_cast<double>(value);  // most pixels are empty
  }
  return sum;
}

double ratio(double numerator, double denominator) noexcept {
  return denominator > 0 ? numerator / denominator : 0.0;
}

double root(double square) noexcept {
  return square > 0 ? std::sqrt(square) : 0.0;
}

double width_eta2(const Centred& energy, double width) noexcept {
  double sum = 0, first = 0, second = 0;
  energy.visit(1, 2, [&](double e, int column, int) {
    const double eta = column * width;
    sum += e;
    first += e * eta;
    second += e * eta * eta;
  });
  if (!(sum > 0)) return 0;
  const double mean = first / sum;
  return root(second / sum - mean * mean);
}

double sigma_etaeta(const Centred& energy) noexcept {
  double sum = 0, second = 0;
  energy.visit(2, 2, [&](double e, int column, int) {
    if (!(e > 0)) return;
    const double weight = std::fabs(std::log(e));
    sum += weight;
    second += weight * column * column;
  });
  return root(ratio(second, sum));
}

}  // namespace

void high_level(const Geometry& g, Convention convention, const ImageSpans<const float>& images,
                span<double> features) noexcept {
  const Centred energy(g, images.ecal_e);
  const bool swapped = convention == Convention::arxiv_2011_01984;  // its axis widths are exchanged
  const double eta_width = swapped ? g.ecal.phi_width() : g.ecal.eta_width();
  const double phi_width = swapped ? g.ecal.eta_width() : g.ecal.phi_width();
  const double e_3x7 = energy.sum(1, 3);
  double iso_03 = 0, iso_04 = 0;
  energy.visit(energy.half(), energy.half(), [&](double e, int column, int row) {
    if (e == 0) return;
    const double eta = column * eta_width, phi = row * phi_width;
    const double distance = std::sqrt(eta * eta + phi * phi);
    if (distance < 0.3) iso_03 += e;
    if (distance < 0.4) iso_04 += e;
  });
  features[0] = ratio(total(images.hcal_et), total(images.ecal_et));
  features[1] = width_eta2(energy, eta_width);
  features[2] = ratio(energy.sum(1, 1), e_3x7);
  features[3] = ratio(e_3x7, energy.sum(3, 3));
  features[4] = sigma_etaeta(energy);
  features[5] = iso_03;
  features[6] = iso_04;
}

double sigma_etaeta_log(const Geometry& g, span<const float> ecal_e) noexcept {
  const Centred energy(g, ecal_e);
  const double e_5x5 = energy.sum(2, 2);
  if (!(e_5x5 > 0)) return 0;
  const auto weight_of = [e_5x5](double e) { return e > 0 ? std::max(0.0, 4.7 + std::log(e / e_5x5)) : 0.0; };
  double sum = 0, first = 0;
  energy.visit(2, 2, [&](double e, int column, int) {
    const double weight = weight_of(e);
    sum += weight;
    first += weight * column;
  });
  if (!(sum > 0)) return 0;
  const double mean = first / sum;
  double second = 0;
  energy.visit(
      2, 2, [&](double e, int column, int) { second += weight_of(e) * (column - mean) * (column - mean); });
  return root(second / sum);
}

bool hard_selection(const Geometry& g, const ImageSpans<const float>& images) noexcept {
  const double ecal = total(images.ecal_et);
  const double cluster = Centred(g, images.ecal_et).sum(1, 3);
  return cluster > 0 && ratio(total(images.hcal_et), ecal) < 0.15 && (ecal - cluster) / cluster < 0.5;
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
