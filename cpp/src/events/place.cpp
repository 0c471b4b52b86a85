#include "place.hpp"

#include <algorithm>
#include <cmath>

#include "constants.hpp"
#include "kernels/select.hpp"
#include "windows.hpp"

namespace hepml {

namespace {

constexpr double tolerance = 1e-3;  // of a cell; edges are stored in float32, good to 1e-5 of a cell

struct Part {
  int cell;
  double fraction;
};

/// The cells between `low` and `high` (in cells; low < high) with their fractions of the length; slivers at
/// both ends go to their neighbours. With n > 0 only cells from 0 to n - 1 count and the others are lost.
void divide(double low, double high, int n, std::vector<Part>& parts) {
  parts.clear();
  const double first_edge = std::floor(low + tolerance), last_edge = std::ceil(high - tolerance);
  const double length = high - low;
  const double begin = n > 0 ? std::max(first_edge, 0.0) : first_edge;
  const double end = n > 0 ? std::min(last_edge, static_cast<double>(n)) : last_edge;
  for (double edge = begin; edge < end; edge += 1) {
    const double from = edge == first_edge ? low : edge, to = edge + 1 == last_edge ? high : edge + 1;
    parts.push_back({static_cast<int>(edge), (to - from) / length});
  }
}

/// Certainly, not only up to rounding, inside of one of n cells.
bool in_one_cell(double low, double high, int n) {
  if (!(low > -1 && high < n && low < high)) return false;
  const double cell = static_cast<int>(0.5 * (low + high)), surely = 0.5 * tolerance;
  return low > cell - surely && high < cell + 1 + surely && high > 2 * tolerance && low < n - 2 * tolerance;
}

}  // namespace

void locate(const Grid& grid, std::size_t n, const double* eta, const double* phi, std::int16_t* cell_eta,
            std::int16_t* cell_phi) {
  const kernels::Kernels& set = kernels::select();
  set.cells(eta_axis(grid), eta, cell_eta, n);
  set.cells(phi_axis(grid), phi, cell_phi, n);
  for (std::size_t i = 0; i < n; ++i) {
    if (cell_eta[i] == kernels::CellAxis::unsure)
      cell_eta[i] = static_cast<std::int16_t>(grid.eta_index(eta[i]));
    if (cell_phi[i] == kernels::CellAxis::unsure)
      cell_phi[i] = static_cast<std::int16_t>(grid.phi_index(phi[i]));
  }
}

Outside outside_of(const Grid& grid, const TowerArrays& towers) {
  constexpr std::int64_t some = 64;  // looked at together, without a branch: mostly all are inside
  Outside outside;
  const std::int64_t n = towers.offsets[towers.n_events];
  const auto inside = [&](std::int64_t i) {
    return (towers.eta[i] >= grid.eta_min) & (towers.eta[i] < grid.eta_max);
  };
  for (std::int64_t first = 0; first < n; first += some) {
    const std::int64_t last = std::min(first + some, n);
    std::int64_t n_inside = 0;
    for (std::int64_t i = first; i < last; ++i) n_inside += inside(i) ? 1 : 0;
    if (n_inside == last - first) continue;
    for (std::int64_t i = first; i < last; ++i) {
      if (inside(i) || !std::isfinite(towers.eta[i])) continue;
      outside.lose(towers.et[i]);
    }
  }
  return outside;
}

Placed place_towers(const Grid& grid, const TowerArrays& towers, const double* edges) {
  Placed placed;
  const auto n = static_cast<std::size_t>(towers.offsets[towers.n_events]);
  placed.offsets.reserve(towers.n_events + 1);
  for (auto* column : {&placed.et, &placed.e, &placed.eta, &placed.phi}) column->reserve(n);
  const auto put = [&placed](double et, double e, double eta, double phi) {
    placed.et.push_back(et);
    placed.e.push_back(e);
    placed.eta.push_back(eta);
    placed.phi.push_back(phi);
  };
  const double columns_per_eta = 1 / grid.eta_width(), rows_per_phi = 1 / grid.phi_width();
  std::vector<Part> columns, rows;
  placed.offsets.push_back(0);
  for (std::size_t event = 0; event < towers.n_events; ++event) {
    for (std::int64_t i = towers.offsets[event]; i < towers.offsets[event + 1]; ++i) {
      const double et = towers.et[i], e = towers.e[i];
      double eta_low = edges[4 * i], eta_high = edges[4 * i + 1], phi_low = edges[4 * i + 2],
             phi_high = edges[4 * i + 3];
      if (eta_high < eta_low) std::swap(eta_low, eta_high);
      if (phi_high < phi_low) phi_high += 2 * pi;  // a tower across -pi
      const double eta = 0.5 * (eta_low + eta_high), phi = 0.5 * (phi_low + phi_high);
      // most towers are one cell: no division for them
      if (in_one_cell((eta_low - grid.eta_min) * columns_per_eta, (eta_high - grid.eta_min) * columns_per_eta,
                      grid.n_eta) &&
          in_one_cell((phi_low + pi) * rows_per_phi, (phi_high + pi) * rows_per_phi, grid.n_phi)) {
        put(et, e, eta, phi);
        continue;
      }
      const double left = (eta_low - grid.eta_min) / grid.eta_width(),
                   right = (eta_high - grid.eta_min) / grid.eta_width();
      const double bottom = (phi_low + pi) / grid.phi_width(), top = (phi_high + pi) / grid.phi_width();
      const bool sane = std::fabs(left) < 1e6 && std::fabs(right) < 1e6 && std::fabs(bottom) < 1e6 &&
                        std::fabs(top) < 1e6 && top - bottom < grid.n_phi + tolerance && left < right &&
                        bottom < top;
      // Edges that are not finite, wider than a turn or, as in a branch that was not filled, all the same
      // give a tower that is not finite: its event is rejected.
      const auto nests = [](double low, double high) {
        const double cell = std::floor(0.5 * (low + high));
        return low > cell - tolerance && high < cell + 1 + tolerance;
      };
      const bool outside = sane && (right < tolerance || left > grid.n_eta - tolerance);
      if (!sane || outside || (nests(left, right) && nests(bottom, top))) {
        put(et, e, sane ? eta : NAN, phi);
        if (outside) placed.outside.lose(et);
        continue;
      }
      ++placed.shared;
      divide(left, right, grid.n_eta, columns);
      divide(bottom, top, 0, rows);
      double inside = 0;
      for (const Part& column : columns) {
        inside += column.fraction;
        for (const Part& row : rows) {
          const double fraction = column.fraction * row.fraction;
          put(et * fraction, e * fraction, grid.eta_center(column.cell), grid.phi_center(row.cell));
        }
      }
      if (inside < 1 - 1e-9) placed.outside.lose(et * (1 - inside));
    }
    placed.offsets.push_back(static_cast<std::int64_t>(placed.et.size()));
  }
  return placed;
}

}  // namespace hepml
