#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/tuple.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <tuple>
#include <vector>

#include "../src/events/batch.hpp"

namespace nb = nanobind;
using namespace hepml;

namespace {

template <class T>
using Vector = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Matrix = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Out = nb::ndarray<nb::numpy, T>;

void require(bool holds, const char* sentence) {
  if (!holds) throw std::invalid_argument(sentence);
}

template <class T>
Out<T> own(std::unique_ptr<T[]> data, std::size_t rows, std::size_t columns = 0) {
  T* raw = data.get();
  nb::capsule owner(raw, [](void* p) noexcept { delete[] static_cast<T*>(p); });
  data.release();
  const std::size_t shape[2] = {rows, columns};
  return Out<T>(raw, columns == 0 ? 1 : 2, shape, owner);
}

template <class T>
Out<T> own(std::vector<T> values) {
  auto kept = std::make_unique<std::vector<T>>(std::move(values));
  const std::size_t shape[1] = {kept->size()};
  T* raw = kept->data();
  nb::capsule owner(kept.get(), [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  kept.release();
  return Out<T>(raw, 1, shape, owner);
}

template <class T>
std::unique_ptr<T[]> buffer(std::size_t size) {
  return std::unique_ptr<T[]>(new T[size]);
}

using GridTuple = std::tuple<int, int, double, double>;

Grid make_grid(const GridTuple& numbers) {
  const auto [n_eta, n_phi, eta_min, eta_max] = numbers;
  return {n_eta, n_phi, eta_min, eta_max};
}

/// Towers as Python has them: (offsets, et, e, eta, phi), int64 and float64.
using TowerTuple =
    std::tuple<Vector<std::int64_t>, Vector<double>, Vector<double>, Vector<double>, Vector<double>>;

TowerArrays view(const TowerTuple& tuple) {
  const auto& [offsets, et, e, eta, phi] = tuple;
  require(offsets.size() >= 1 && offsets.data()[0] == 0, "offsets begin with 0");
  for (std::size_t i = 1; i < offsets.size(); ++i) {
    require(offsets.data()[i] >= offsets.data()[i - 1], "offsets do not decrease");
  }
  const auto n = static_cast<std::size_t>(offsets.data()[offsets.size() - 1]);
  require(et.size() == n && e.size() == n && eta.size() == n && phi.size() == n,
          "et, e, eta and phi have as many values as the last offset says");
  return {offsets.data(), offsets.size() - 1, et.data(), e.data(), eta.data(), phi.data()};
}

void check_rows(const Vector<std::int64_t>& row, const TowerArrays& towers) {
  for (std::size_t k = 0; k < row.size(); ++k) {
    require(row.data()[k] >= 0 && row.data()[k] < static_cast<std::int64_t>(towers.n_events),
            "a row is the number of an event");
  }
}

/// The cells (eta, phi) of towers, for tests: what makes images finds them as it goes.
nb::tuple located(const GridTuple& grid, const Vector<double>& eta, const Vector<double>& phi) {
  const std::size_t n = eta.size();
  require(phi.size() == n, "eta and phi have as many values");
  auto cell_eta = buffer<std::int16_t>(n), cell_phi = buffer<std::int16_t>(n);
  locate(make_grid(grid), n, eta.data(), phi.data(), cell_eta.get(), cell_phi.get());
  return nb::make_tuple(own(std::move(cell_eta), n), own(std::move(cell_phi), n));
}

/// Sparse images as Python has them: (counts, index, value).
using SparseTuple = std::tuple<Vector<std::uint16_t>, Vector<std::uint16_t>, Vector<float>>;

SparseView view(const SparseTuple& tuple, std::size_t n, int pixels) {
  const auto& [counts, index, value] = tuple;
  std::size_t entries = 0;
  for (std::size_t k = 0; k < counts.size(); ++k) entries += counts.data()[k];
  require(counts.size() == n, "there are as many images as candidates");
  require(index.size() == entries && value.size() == entries,
          "index and value have as many values as counts say");
  for (std::size_t i = 0; i < entries; ++i)
    require(index.data()[i] < pixels, "a pixel number lies in its image");
  return {counts.data(), index.data(), value.data()};
}

nb::tuple release(SparseBuffer&& buffer) {
  const std::size_t entries = buffer.entries;
  // What lies behind the entries was never written and takes no memory of the machine.
  return nb::make_tuple(own(std::move(buffer.counts), buffer.images), own(std::move(buffer.index), entries),
                        own(std::move(buffer.value), entries));
}

using Images = std::tuple<SparseTuple, SparseTuple, SparseTuple, SparseTuple>;

struct Views {
  SparseView views[4];
  std::size_t n;
  Views(const Geometry& g, const Images& images) : n(std::get<0>(std::get<0>(images)).size()) {
    views[0] = view(std::get<0>(images), n, g.ecal_pixels());
    views[1] = view(std::get<1>(images), n, g.ecal_pixels());
    views[2] = view(std::get<2>(images), n, g.hcal_cells());
    views[3] = view(std::get<3>(images), n, g.hcal_cells());
  }
};

Geometry checked(Geometry geometry) {
  if (const char* problem = geometry.problem()) throw std::invalid_argument(problem);
  return geometry;
}

nb::tuple outside(const GridTuple& grid, const TowerTuple& towers) {
  const TowerArrays arrays = view(towers);
  const Outside outside = outside_of(make_grid(grid), arrays);
  return nb::make_tuple(outside.towers, outside.et);
}

nb::tuple place(const GridTuple& grid, const TowerTuple& towers, const Matrix<double>& edges) {
  const TowerArrays arrays = view(towers);
  require(edges.shape(0) == std::get<1>(towers).size() && edges.shape(1) == 4, "edges are (towers, 4)");
  Placed placed;
  {
    nb::gil_scoped_release release;
    placed = place_towers(make_grid(grid), arrays, edges.data());
  }
  const nb::tuple placed_towers =
      nb::make_tuple(own(std::move(placed.offsets)), own(std::move(placed.et)), own(std::move(placed.e)),
                     own(std::move(placed.eta)), own(std::move(placed.phi)));
  return nb::make_tuple(placed_towers, placed.shared, placed.outside.towers, placed.outside.et);
}

nb::tuple chosen(std::size_t most, bool skip_not_finite, const TowerTuple& ecal, const TowerTuple& hcal) {
  const TowerArrays ecal_arrays = view(ecal), hcal_arrays = view(hcal);
  require(ecal_arrays.n_events == hcal_arrays.n_events, "both calorimeters hold as many events");
  const std::size_t n_ecal = std::get<1>(ecal).size(), n_hcal = std::get<1>(hcal).size();
  auto chosen_ecal = buffer<std::uint8_t>(n_ecal), chosen_hcal = buffer<std::uint8_t>(n_hcal);
  {
    nb::gil_scoped_release release;
    // no event needs more room than all towers
    const TowerSelection selection{std::min(most, n_ecal + n_hcal + 1), skip_not_finite};
    select_batch(selection, ecal_arrays, hcal_arrays, chosen_ecal.get(), chosen_hcal.get());
  }
  return nb::make_tuple(own(std::move(chosen_ecal), n_ecal), own(std::move(chosen_hcal), n_hcal));
}

nb::tuple find(const Geometry& geometry, int convention, const TowerTuple& ecal, const TowerTuple& hcal,
               const Vector<std::int64_t>& row, const Vector<double>& eta, const Vector<double>& phi) {
  const TowerArrays ecal_arrays = view(ecal), hcal_arrays = view(hcal);
  const std::size_t n = row.size();
  require(eta.size() == n && phi.size() == n, "row, eta and phi have as many values");
  require(ecal_arrays.n_events == hcal_arrays.n_events, "both calorimeters hold as many events");
  check_rows(row, ecal_arrays);
  auto status = buffer<std::uint8_t>(n);
  auto cell = buffer<std::int32_t>(2 * n), hcal_first = buffer<std::int32_t>(2 * n);
  auto hcal_offset = buffer<double>(2 * n);
  {
    nb::gil_scoped_release release;
    ImageMaker maker(geometry, static_cast<Convention>(convention));
    find_batch(maker, ecal_arrays, hcal_arrays, n, row.data(), eta.data(), phi.data(), status.get(),
               cell.get(), hcal_first.get(), hcal_offset.get());
  }
  return nb::make_tuple(own(std::move(status), n), own(std::move(cell), n, 2),
                        own(std::move(hcal_first), n, 2), own(std::move(hcal_offset), n, 2));
}

nb::tuple fill(const Geometry& geometry, int convention, bool is_ecal, const TowerTuple& towers,
               const Vector<std::int64_t>& row, const Matrix<std::int32_t>& cell,
               const Matrix<std::int32_t>& hcal_first, bool energy) {
  const TowerArrays arrays = view(towers);
  const std::size_t n = row.size();
  require(cell.shape(0) == n && cell.shape(1) == 2 && hcal_first.shape(0) == n && hcal_first.shape(1) == 2,
          "cell and hcal_first are (candidates, 2)");
  check_rows(row, arrays);
  const auto inside = [](std::int32_t index, int cells) { return index >= 0 && index < cells; };
  for (std::size_t k = 0; k < n; ++k) {
    require(inside(cell.data()[2 * k], geometry.ecal.n_eta) &&
                inside(cell.data()[2 * k + 1], geometry.ecal.n_phi) &&
                inside(hcal_first.data()[2 * k] + geometry.hcal_window,
                       geometry.hcal.n_eta + geometry.hcal_window) &&
                inside(hcal_first.data()[2 * k + 1], geometry.hcal.n_phi),
            "the cells of a candidate lie in the grids");
  }
  SparseBuffers images;
  {
    nb::gil_scoped_release release;
    ImageMaker maker(geometry, static_cast<Convention>(convention));
    images = fill_batch(maker, is_ecal ? Calorimeter::ecal : Calorimeter::hcal, arrays, n, row.data(),
                        cell.data(), hcal_first.data(), energy);
  }
  const nb::tuple et = release(std::move(images.et));
  return energy ? nb::make_tuple(et, release(std::move(images.e))) : nb::make_tuple(et);
}

Out<float> expand(const Matrix<float>& cells, int side, int factor) {
  require(side >= 1 && side < 255 && factor >= 1 && factor <= 64, "cells and factor are within reason");
  Geometry geometry;
  geometry.hcal_window = side;
  geometry.hcal_expand = factor;
  const auto n = cells.shape(0), n_cells = static_cast<std::size_t>(geometry.hcal_cells()),
             n_pixels = static_cast<std::size_t>(geometry.hcal_pixels());
  require(cells.shape(1) == n_cells, "there are side x side cells an image");
  auto pixels = buffer<float>(n * n_pixels);
  for (std::size_t k = 0; k < n; ++k) {
    expand_hcal(geometry, {cells.data() + k * n_cells, n_cells}, {pixels.get() + k * n_pixels, n_pixels});
  }
  return own(std::move(pixels), n, n_pixels);
}

Out<double> features(const Geometry& geometry, int convention, const Images& images) {
  const Views views(geometry, images);
  auto values = buffer<double>(n_features * views.n);
  {
    nb::gil_scoped_release release;
    high_level_batch(geometry, static_cast<Convention>(convention), views.n, views.views, values.get());
  }
  return own(std::move(values), views.n, n_features);
}

Out<double> masses(const Geometry& geometry, int kind, const Images& images,
                   const Matrix<double>& hcal_offset) {
  const Views views(geometry, images);
  require(hcal_offset.shape(0) == views.n && hcal_offset.shape(1) == 2, "hcal_offset is (candidates, 2)");
  auto values = buffer<double>(views.n);
  {
    nb::gil_scoped_release release;
    mass_batch(geometry, static_cast<MassKind>(kind), views.n, views.views, hcal_offset.data(), values.get());
  }
  return own(std::move(values), views.n);
}

Out<double> all_masses(const Geometry& geometry, const Images& images, const Matrix<double>& hcal_offset) {
  const Views views(geometry, images);
  require(hcal_offset.shape(0) == views.n && hcal_offset.shape(1) == 2, "hcal_offset is (candidates, 2)");
  auto values = buffer<double>(n_masses * views.n);
  {
    nb::gil_scoped_release release;
    masses_batch(geometry, views.n, views.views, hcal_offset.data(), values.get());
  }
  return own(std::move(values), views.n, n_masses);
}

Out<double> log_widths(const Geometry& geometry, const Images& images) {
  const Views views(geometry, images);
  auto values = buffer<double>(views.n);
  {
    nb::gil_scoped_release release;
    sigma_etaeta_log_batch(geometry, views.n, views.views, values.get());
  }
  return own(std::move(values), views.n);
}

Out<bool> hard(const Geometry& geometry, const Images& images) {
  const Views views(geometry, images);
  auto values = buffer<bool>(views.n);
  {
    nb::gil_scoped_release release;
    hard_selection_batch(geometry, views.n, views.views, values.get());
  }
  return own(std::move(values), views.n);
}

Out<double> cones(const Geometry& geometry, const TowerTuple& ecal, const TowerTuple& hcal,
                  const Vector<std::int64_t>& row, const Matrix<std::int32_t>& cell, const Vector<double>& pt,
                  int core, const Vector<double>& radii) {
  const TowerArrays ecal_arrays = view(ecal), hcal_arrays = view(hcal);
  const std::size_t n = row.size();
  require(cell.shape(0) == n && cell.shape(1) == 2 && pt.size() == n, "row, cell and pt have as many values");
  check_rows(row, ecal_arrays);
  check_rows(row, hcal_arrays);
  auto values = buffer<double>(n * radii.size());
  {
    nb::gil_scoped_release release;
    isolation_batch(geometry, ecal_arrays, hcal_arrays, n, row.data(), cell.data(), pt.data(), core,
                    {radii.data(), radii.size()}, values.get());
  }
  const std::size_t columns = radii.size();
  require(columns > 0, "there is a radius at least");
  return own(std::move(values), n, columns);
}

}  // namespace

void bind_events(nb::module_& m) {
  nb::class_<Geometry>(m, "EventGeometry")
      .def(
          "__init__",
          [](Geometry* self, const GridTuple& ecal, const GridTuple& hcal, int ecal_window, int hcal_window,
             int hcal_expand, int search) {
            new (self) Geometry(
                checked({make_grid(ecal), make_grid(hcal), ecal_window, hcal_window, hcal_expand, search}));
          },
          nb::arg("ecal"), nb::arg("hcal"), nb::arg("ecal_window"), nb::arg("hcal_window"),
          nb::arg("hcal_expand"), nb::arg("search"));
  m.def("status_name", [](int status) { return name(static_cast<Status>(status)); });
  m.def("place_towers", &place, nb::arg("grid"), nb::arg("towers"), nb::arg("edges"));
  m.def("locate_towers", &located, nb::arg("grid"), nb::arg("eta"), nb::arg("phi"));
  m.def("towers_outside", &outside, nb::arg("grid"), nb::arg("towers"));
  m.def("select_towers", &chosen, nb::arg("most"), nb::arg("skip_not_finite"), nb::arg("ecal"),
        nb::arg("hcal"), "What becomes of every tower: 0 it counts, 1 not finite, 2 over the limit.");
  m.def("find_candidates", &find, nb::arg("geometry"), nb::arg("convention"), nb::arg("ecal"),
        nb::arg("hcal"), nb::arg("row"), nb::arg("eta"), nb::arg("phi"));
  m.def("fill_images", &fill, nb::arg("geometry"), nb::arg("convention"), nb::arg("is_ecal"),
        nb::arg("towers"), nb::arg("row"), nb::arg("cell"), nb::arg("hcal_first"), nb::arg("energy") = true);
  m.def("expand_hcal", &expand, nb::arg("cells"), nb::arg("side"), nb::arg("factor"));
  m.def("high_level", &features, nb::arg("geometry"), nb::arg("convention"), nb::arg("images"));
  m.def("mass", &masses, nb::arg("geometry"), nb::arg("kind"), nb::arg("images"), nb::arg("hcal_offset"));
  m.def("masses", &all_masses, nb::arg("geometry"), nb::arg("images"), nb::arg("hcal_offset"));
  m.def("sigma_etaeta_log", &log_widths, nb::arg("geometry"), nb::arg("images"));
  m.def("hard_selection", &hard, nb::arg("geometry"), nb::arg("images"));
  m.def("isolation", &cones, nb::arg("geometry"), nb::arg("ecal"), nb::arg("hcal"), nb::arg("row"),
        nb::arg("cell"), nb::arg("pt"), nb::arg("core"), nb::arg("radii"));
}
