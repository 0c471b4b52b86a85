#include "batch.hpp"

#include <algorithm>
#include <vector>

#include "sparse.hpp"
#include "towers.hpp"

namespace hepml {

namespace {

/// The towers of one event at a time; asked again for the same event it does nothing.
class EventTowers {
 public:
  explicit EventTowers(const TowerArrays& arrays) : arrays_(arrays) {
    std::size_t most = 0;
    for (std::size_t i = 0; i < arrays.n_events; ++i) most = std::max(most, arrays.size(i));
    towers_.resize(most);
  }
  void move_to(std::int64_t event) {
    if (event == event_) return;
    event_ = event;
    const auto first = static_cast<std::size_t>(arrays_.offsets[event]);
    size_ = arrays_.size(static_cast<std::size_t>(event));
    for (std::size_t i = 0; i < size_; ++i) {
      const std::size_t k = first + i;
      towers_[i] = {arrays_.et[k], arrays_.eta[k], arrays_.phi[k], arrays_.e[k]};
    }
  }
  span<const Tower> towers() const { return {towers_.data(), size_}; }

 private:
  const TowerArrays& arrays_;
  std::vector<Tower> towers_;
  std::size_t size_ = 0;
  std::int64_t event_ = -1;
};

/// Calls use(k, images) with the images of each of n candidates: ecal_et, ecal_e, hcal_et, hcal_e.
template <class Use>
void for_each_image(std::size_t n, const SparseView (&views)[4], Use use) {
  SparseImage images[4];
  for (std::size_t i = 0; i < 4; ++i) images[i] = {views[i].index, views[i].value, 0};
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t i = 0; i < 4; ++i) {
      if (views[i].counts == nullptr) continue;
      images[i].index += images[i].size;
      images[i].value += images[i].size;
      images[i].size = views[i].counts[k];
    }
    use(k, images);
  }
}

}  // namespace

/// ImageMaker on columns.
struct ColumnsMaker {
  ImageMaker& maker;

  Candidate find(const TowerColumns& ecal, double eta, double phi) const noexcept {
    return maker.find_in(ecal, eta, phi);
  }
  void fill(bool is_ecal, const Candidate& candidate, const TowerColumns& towers, ImageMaker::Sparse& et,
            ImageMaker::Sparse& e) const noexcept {
    is_ecal ? maker.fill_ecal_of(candidate, towers, et, e) : maker.fill_hcal_of(candidate, towers, et, e);
  }
};

SparseBuffer::SparseBuffer(std::size_t n_images, std::size_t most_entries)
    : counts(new std::uint16_t[n_images]),
      index(new std::uint16_t[most_entries]),
      value(new float[most_entries]),
      images(n_images) {}

void find_batch(ImageMaker& maker, const TowerArrays& ecal, const TowerArrays& hcal, std::size_t n,
                const std::int64_t* row, const double* eta, const double* phi, std::uint8_t* status,
                std::int32_t* cell, std::int32_t* hcal_first, double* hcal_offset) {
  const ColumnsMaker columns{maker};
  for (std::size_t k = 0; k < n; ++k) {
    Candidate candidate;
    candidate.status = Status::not_finite;
    const auto event = static_cast<std::size_t>(row[k]);
    if (ecal.finite[event] && hcal.finite[event])
      candidate = columns.find(TowerColumns(ecal, event), eta[k], phi[k]);
    status[k] = static_cast<std::uint8_t>(candidate.status);
    cell[2 * k] = candidate.cell_eta;
    cell[2 * k + 1] = candidate.cell_phi;
    hcal_first[2 * k] = candidate.hcal_eta;
    hcal_first[2 * k + 1] = candidate.hcal_phi;
    hcal_offset[2 * k] = candidate.hcal_deta;
    hcal_offset[2 * k + 1] = candidate.hcal_dphi;
  }
}

SparseBuffers fill_batch(ImageMaker& maker, Calorimeter calorimeter, const TowerArrays& towers, std::size_t n,
                         const std::int64_t* row, const std::int32_t* cell, const std::int32_t* hcal_first) {
  const bool is_ecal = calorimeter == Calorimeter::ecal;
  const auto pixels =
      static_cast<std::size_t>(is_ecal ? maker.geometry().ecal_pixels() : maker.geometry().hcal_cells());
  std::size_t most = 0;
  for (std::size_t k = 0; k < n; ++k) most += std::min(pixels, towers.size(static_cast<std::size_t>(row[k])));
  SparseBuffers images{SparseBuffer(n, most), SparseBuffer(n, most)};
  const ColumnsMaker columns{maker};
  for (std::size_t k = 0; k < n; ++k) {
    Candidate candidate;
    candidate.cell_eta = cell[2 * k];
    candidate.cell_phi = cell[2 * k + 1];
    candidate.hcal_eta = hcal_first[2 * k];
    candidate.hcal_phi = hcal_first[2 * k + 1];
    ImageMaker::Sparse et{images.et.index.get() + images.et.entries,
                          images.et.value.get() + images.et.entries, 0};
    ImageMaker::Sparse e{images.e.index.get() + images.e.entries, images.e.value.get() + images.e.entries, 0};
    columns.fill(is_ecal, candidate, TowerColumns(towers, static_cast<std::size_t>(row[k])), et, e);
    images.et.counts[k] = static_cast<std::uint16_t>(et.count);
    images.e.counts[k] = static_cast<std::uint16_t>(e.count);
    images.et.entries += et.count;
    images.e.entries += e.count;
  }
  return images;
}

void high_level_batch(const Geometry& geometry, Convention convention, std::size_t n,
                      const SparseView (&views)[4], double* features) {
  for_each_image(n, views, [&](std::size_t k, const SparseImage(&images)[4]) {
    high_level(geometry, convention, images, features + n_features * k);
  });
}

void mass_batch(const Geometry& geometry, MassKind kind, std::size_t n, const SparseView (&views)[4],
                const double* hcal_offset, double* masses) {
  const MassOf mass(geometry, kind);
  for_each_image(n, views, [&](std::size_t k, const SparseImage(&images)[4]) {
    masses[k] = mass(images, hcal_offset[2 * k], hcal_offset[2 * k + 1]);
  });
}

void sigma_etaeta_log_batch(const Geometry& geometry, std::size_t n, const SparseView (&views)[4],
                            double* widths) {
  for_each_image(n, views, [&](std::size_t k, const SparseImage(&images)[4]) {
    widths[k] = sigma_etaeta_log(geometry, images[1]);
  });
}

void hard_selection_batch(const Geometry& geometry, std::size_t n, const SparseView (&views)[4],
                          bool* passed) {
  for_each_image(n, views, [&](std::size_t k, const SparseImage(&images)[4]) {
    passed[k] = hard_selection(geometry, images);
  });
}

void isolation_batch(const Geometry& geometry, const TowerArrays& ecal, const TowerArrays& hcal,
                     std::size_t n, const std::int64_t* row, const std::int32_t* cell, const double* pt,
                     int core, span<const double> radii, double* cones) {
  EventTowers ecal_event(ecal), hcal_event(hcal);
  for (std::size_t k = 0; k < n; ++k) {
    ecal_event.move_to(row[k]);
    hcal_event.move_to(row[k]);
    Candidate candidate;
    candidate.cell_eta = cell[2 * k];
    candidate.cell_phi = cell[2 * k + 1];
    isolation(geometry, candidate, ecal_event.towers(), hcal_event.towers(), core, pt[k], radii,
              {cones + radii.size() * k, radii.size()});
  }
}

}  // namespace hepml
