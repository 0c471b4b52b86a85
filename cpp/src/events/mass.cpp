#include <hepml/events.hpp>

#include <array>
#include <cmath>

namespace hepml {

namespace {

constexpr std::size_t most = 255 + 254;  // columns of both windows, see Geometry::problem()

// M^2 = sum over ordered pairs ET_a ET_b [(cosh(deta) - 1) + (1 - cos(dphi))]. Each bracket depends on one
// coordinate only, so the deposits are first summed along the other: pairs of columns instead of pairs of
// pixels, no cancellation, and exactly zero for a single cell. cosh(x) - 1 = 2 sinh^2(x/2), 1 - cos(x) = 2
// sin^2(x/2).
struct Projection {
  std::array<double, most> sum, odd, even;  // odd = sinh or sin of half the position, even = cosh or cos
  std::size_t size = 0;

  void add(double deposit, double odd_part, double even_part) noexcept {
    sum[size] = deposit;
    odd[size] = odd_part;
    even[size++] = even_part;
  }
  double pairs() const noexcept {
    double total = 0;
    for (std::size_t a = 0; a < size; ++a) {
      for (std::size_t b = 0; b < a; ++b) {
        const double half_step = odd[a] * even[b] - even[a] * odd[b];
        total += sum[a] * sum[b] * (half_step * half_step);
      }
    }
    return total;
  }
};

struct Projections {
  Projection eta, phi;

  void add(span<const float> image, int side, double eta_width, double phi_width, double deta,
           double dphi) noexcept {
    const double middle = 0.5 * (side - 1);
    std::array<double, 255> columns{}, rows{};
    const float* pixel = image.data();
    for (std::size_t j = 0; j < static_cast<std::size_t>(side); ++j) {
      for (std::size_t i = 0; i < static_cast<std::size_t>(side); ++i, ++pixel) {
        if (*pixel == 0) continue;
        columns[i] += static_cast<double>(*pixel);
        rows[j] += static_cast<double>(*pixel);
      }
    }
    for (int i = 0; i < side; ++i) {
      const double column = columns[static_cast<std::size_t>(i)], row = rows[static_cast<std::size_t>(i)];
      if (column != 0) {
        const double x = 0.5 * ((i - middle) * eta_width + deta);
        eta.add(column, std::sinh(x), std::cosh(x));
      }
      if (row != 0) {
        const double y = 0.5 * ((middle - i) * phi_width + dphi);
        phi.add(row, std::sin(y), std::cos(y));
      }
    }
  }
};

}  // namespace

double mass(const Geometry& g, MassKind kind, const ImageSpans<const float>& images, double hcal_deta,
            double hcal_dphi) noexcept {
  Projections deposits;
  deposits.add(kind == MassKind::ee ? images.ecal_e : images.ecal_et, g.ecal_window, g.ecal.eta_width(),
               g.ecal.phi_width(), 0, 0);
  if (kind == MassKind::all) {
    deposits.add(images.hcal_et, g.hcal_window, g.hcal.eta_width(), g.hcal.phi_width(), hcal_deta, hcal_dphi);
  }
  const double square = 4 * (deposits.eta.pairs() + deposits.phi.pairs());
  return square > 0 ? std::sqrt(square) : 0.0;
}

}  // namespace hepml
