#include <hepml/events.hpp>

#include <array>
#include <cmath>
#include <memory>

#include "sparse.hpp"

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
  double pair(std::size_t a, std::size_t b) const noexcept {
    const double half_step = odd[a] * even[b] - even[a] * odd[b];
    return sum[a] * sum[b] * (half_step * half_step);
  }
};

/// The odd and the even part of a position.
struct Parts {
  double odd, even;
};

/// The half positions of an image's columns and rows, moved by an offset.
struct HalfPositions {
  double middle, eta_width, phi_width, deta, dphi;

  HalfPositions(const Grid& grid, int side, double eta_offset, double phi_offset) noexcept
      : middle(0.5 * (side - 1)),
        eta_width(grid.eta_width()),
        phi_width(grid.phi_width()),
        deta(eta_offset),
        dphi(phi_offset) {}
  Parts column(int i) const noexcept {
    const double x = 0.5 * ((i - middle) * eta_width + deta);
    return {std::sinh(x), std::cosh(x)};
  }
  Parts row(int i) const noexcept {
    const double y = 0.5 * ((middle - i) * phi_width + dphi);
    return {std::sin(y), std::cos(y)};
  }
};

/// What the pairs of deposits along both axes add up to, of the first deposits of each.
struct Pairs {
  double eta = 0, phi = 0;
  std::size_t n_eta = 0, n_phi = 0;

  double mass() const noexcept {
    const double square = 4 * (eta + phi);
    return square > 0 ? std::sqrt(square) : 0.0;
  }
};

struct Projections {
  Projection eta, phi;

  /// All pairs, those that are in `some` not again. Each sum waits for its last addition, so that both are
  /// made in one loop as far as it goes.
  Pairs pairs(Pairs some = {}) const noexcept {
    while (some.n_eta < eta.size && some.n_phi < phi.size && some.n_eta == some.n_phi) {
      const std::size_t a = some.n_eta++;
      ++some.n_phi;
      for (std::size_t b = 0; b < a; ++b) {
        some.eta += eta.pair(a, b);
        some.phi += phi.pair(a, b);
      }
    }
    for (; some.n_eta < eta.size; ++some.n_eta) {
      for (std::size_t b = 0; b < some.n_eta; ++b) some.eta += eta.pair(some.n_eta, b);
    }
    for (; some.n_phi < phi.size; ++some.n_phi) {
      for (std::size_t b = 0; b < some.n_phi; ++b) some.phi += phi.pair(some.n_phi, b);
    }
    return some;
  }

  template <class Image, class Positions>
  void add(const Image& image, int side, const Positions& positions) noexcept {
    std::array<double, 255> columns{}, rows{};
    each_pixel(image, side, [&](double deposit, int column, int row) {
      columns[static_cast<std::size_t>(column)] += deposit;
      rows[static_cast<std::size_t>(row)] += deposit;
    });
    const auto put = [](Projection& axis, double deposit, Parts parts) {
      axis.add(deposit, parts.odd, parts.even);
    };
    for (int i = 0; i < side; ++i) {
      const auto k = static_cast<std::size_t>(i);
      if (columns[k] != 0) put(eta, columns[k], positions.column(i));
      if (rows[k] != 0) put(phi, rows[k], positions.row(i));
    }
  }
};

template <class Image, class Positions>
double mass_at(const Geometry& g, MassKind kind, const Image (&images)[4], const Positions& ecal,
               double hcal_deta, double hcal_dphi) noexcept {
  Projections deposits;
  deposits.add(images[kind == MassKind::ee ? 1 : 0], g.ecal_window, ecal);
  if (kind == MassKind::all) {
    deposits.add(images[2], g.hcal_window, HalfPositions(g.hcal, g.hcal_window, hcal_deta, hcal_dphi));
  }
  return deposits.pairs().mass();
}

}  // namespace

struct MassOf::Table {
  std::array<Parts, 255> columns, rows;

  Parts column(int i) const noexcept { return columns[static_cast<std::size_t>(i)]; }
  Parts row(int i) const noexcept { return rows[static_cast<std::size_t>(i)]; }
};

MassOf::MassOf(const Geometry& geometry, MassKind kind)
    : geometry_(geometry), kind_(kind), ecal_(std::make_unique<Table>()) {
  const HalfPositions positions(geometry.ecal, geometry.ecal_window, 0, 0);
  for (int i = 0; i < geometry.ecal_window; ++i) {
    ecal_->columns[static_cast<std::size_t>(i)] = positions.column(i);
    ecal_->rows[static_cast<std::size_t>(i)] = positions.row(i);
  }
}
MassOf::~MassOf() = default;

double MassOf::operator()(const SparseImage (&images)[4], double hcal_deta, double hcal_dphi) const noexcept {
  return mass_at(geometry_, kind_, images, *ecal_, hcal_deta, hcal_dphi);
}

void MassOf::all(const SparseImage (&images)[4], double hcal_deta, double hcal_dphi,
                 double* masses) const noexcept {
  Projections deposits;
  deposits.add(images[0], geometry_.ecal_window, *ecal_);
  const Pairs of_ecal = deposits.pairs();
  deposits.add(images[2], geometry_.hcal_window,
               HalfPositions(geometry_.hcal, geometry_.hcal_window, hcal_deta, hcal_dphi));
  masses[0] = deposits.pairs(of_ecal).mass();
  masses[1] = of_ecal.mass();
  masses[2] = mass_at(geometry_, MassKind::ee, images, *ecal_, hcal_deta, hcal_dphi);
}

double mass(const Geometry& g, MassKind kind, const ImageSpans<const float>& images, double hcal_deta,
            double hcal_dphi) noexcept {
  const span<const float> all[] = {images.ecal_et, images.ecal_e, images.hcal_et, images.hcal_e};
  return mass_at(g, kind, all, HalfPositions(g.ecal, g.ecal_window, 0, 0), hcal_deta, hcal_dphi);
}

}  // namespace hepml
