#include "batch.hpp"

#include <algorithm>
#include <vector>

#include "kernels/select.hpp"
#include "sparse.hpp"
#include "towers.hpp"
#include "windows.hpp"

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

/// Of consecutive events: the block that holds the last one asked for. Its columns stay in the cache.
struct EventBlock {
  static constexpr std::size_t most = 32;
  std::size_t first = 0, last = 0;

  bool holds(std::size_t event) const noexcept { return event >= first && event < last; }
  void move_to(std::size_t event, std::size_t n_events) noexcept {
    first = event - event % most;
    last = std::min(first + most, n_events);
  }
};

/// The towers of one event at a time with their cells, which are found for a block of events together.
class LocatedTowers {
 public:
  LocatedTowers(const Grid& grid, const TowerArrays& arrays) : grid_(grid), arrays_(arrays) {}
  TowerColumns of(std::size_t event) {
    if (!block_.holds(event)) move_to(event);
    const auto skipped = static_cast<std::size_t>(arrays_.offsets[event] - arrays_.offsets[block_.first]);
    return {arrays_, event, cell_eta_.data() + skipped, cell_phi_.data() + skipped};
  }

 private:
  void move_to(std::size_t event) {
    block_.move_to(event, arrays_.n_events);
    const std::int64_t first = arrays_.offsets[block_.first];
    const auto n = static_cast<std::size_t>(arrays_.offsets[block_.last] - first);
    if (cell_eta_.size() < n) {
      cell_eta_.resize(n);
      cell_phi_.resize(n);
    }
    locate(grid_, n, arrays_.eta + first, arrays_.phi + first, cell_eta_.data(), cell_phi_.data());
  }

  const Grid& grid_;
  const TowerArrays& arrays_;
  EventBlock block_;
  std::vector<std::int16_t> cell_eta_, cell_phi_;
};

/// Do all_finite() hold for the towers of an event? Asked of a block of events together.
class FiniteTowers {
 public:
  FiniteTowers(const TowerArrays& ecal, const TowerArrays& hcal) : n_events_(ecal.n_events) {
    for (const TowerArrays* arrays : {&ecal, &hcal}) {
      for (const double* values : {arrays->et, arrays->e, arrays->eta, arrays->phi})
        add(arrays->offsets, values);
    }
  }
  bool operator()(std::size_t event) {
    if (!block_.holds(event)) {
      block_.move_to(event, n_events_);
      whole_ = within(block_.first, block_.last);
    }
    return whole_ || within(event, event + 1);
  }

 private:
  struct Column {
    const std::int64_t* offsets;
    const double* values;
  };
  void add(const std::int64_t* offsets, const double* values) {  // both calorimeters may share a column
    for (const Column& known : columns_) {
      if (known.offsets == offsets && known.values == values) return;
    }
    columns_.push_back({offsets, values});
  }
  bool within(std::size_t first, std::size_t last) const noexcept {
    for (const auto& [offsets, values] : columns_) {
      const auto n = static_cast<std::size_t>(offsets[last] - offsets[first]);
      if (!set_.within(values + offsets[first], most_finite, n)) return false;
    }
    return true;
  }

  const kernels::Kernels& set_ = kernels::select();
  std::size_t n_events_;
  std::vector<Column> columns_;
  EventBlock block_;
  bool whole_ = false;
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

void select_batch(const TowerSelection& selection, const TowerArrays& ecal, const TowerArrays& hcal,
                  std::uint8_t* chosen_ecal, std::uint8_t* chosen_hcal) {
  TowerChoice choice(selection);
  for (std::size_t event = 0; event < ecal.n_events; ++event) {
    const TowerColumns in_ecal(ecal, event, nullptr, nullptr), in_hcal(hcal, event, nullptr, nullptr);
    choice.look(in_ecal, in_hcal);
    const auto tell = [&](const TowerColumns& towers, bool is_hcal, std::uint8_t*& to) {
      for (std::size_t i = 0; i < towers.size(); ++i)
        *to++ = static_cast<std::uint8_t>(choice(towers, i, is_hcal));
    };
    tell(in_ecal, false, chosen_ecal);
    tell(in_hcal, true, chosen_hcal);
  }
}

void find_batch(ImageMaker& maker, const TowerArrays& ecal, const TowerArrays& hcal, std::size_t n,
                const std::int64_t* row, const double* eta, const double* phi, std::uint8_t* status,
                std::int32_t* cell, std::int32_t* hcal_first, double* hcal_offset) {
  const ColumnsMaker columns{maker};
  const bool searches = maker.geometry().search > 0;
  LocatedTowers located(maker.geometry().ecal, ecal);
  FiniteTowers finite(ecal, hcal);
  for (std::size_t k = 0; k < n; ++k) {
    Candidate candidate;
    candidate.status = Status::not_finite;
    const auto event = static_cast<std::size_t>(row[k]);
    if (finite(event)) {
      const auto towers = searches ? located.of(event) : TowerColumns(ecal, event, nullptr, nullptr);
      candidate = columns.find(towers, eta[k], phi[k]);
    }
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
                         const std::int64_t* row, const std::int32_t* cell, const std::int32_t* hcal_first,
                         bool energy) {
  const bool is_ecal = calorimeter == Calorimeter::ecal;
  const auto pixels =
      static_cast<std::size_t>(is_ecal ? maker.geometry().ecal_pixels() : maker.geometry().hcal_cells());
  std::size_t most = 0;
  for (std::size_t k = 0; k < n; ++k) most += std::min(pixels, towers.size(static_cast<std::size_t>(row[k])));
  SparseBuffers images{SparseBuffer(n, most), energy ? SparseBuffer(n, most) : SparseBuffer()};
  const ColumnsMaker columns{maker};
  LocatedTowers located(is_ecal ? maker.geometry().ecal : maker.geometry().hcal, towers);
  for (std::size_t k = 0; k < n; ++k) {
    Candidate candidate;
    candidate.cell_eta = cell[2 * k];
    candidate.cell_phi = cell[2 * k + 1];
    candidate.hcal_eta = hcal_first[2 * k];
    candidate.hcal_phi = hcal_first[2 * k + 1];
    ImageMaker::Sparse et{images.et.index.get() + images.et.entries,
                          images.et.value.get() + images.et.entries, 0};
    ImageMaker::Sparse e{nullptr, nullptr, 0};
    if (energy) e = {images.e.index.get() + images.e.entries, images.e.value.get() + images.e.entries, 0};
    columns.fill(is_ecal, candidate, located.of(static_cast<std::size_t>(row[k])), et, e);
    images.et.counts[k] = static_cast<std::uint16_t>(et.count);
    if (energy) images.e.counts[k] = static_cast<std::uint16_t>(e.count);
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

void masses_batch(const Geometry& geometry, std::size_t n, const SparseView (&views)[4],
                  const double* hcal_offset, double* masses) {
  const MassOf mass(geometry, MassKind::all);
  for_each_image(n, views, [&](std::size_t k, const SparseImage(&images)[4]) {
    mass.all(images, hcal_offset[2 * k], hcal_offset[2 * k + 1], masses + n_masses * k);
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
