#pragma once

// Loops over many candidates of exactly the one-event functions of <hepml/events.hpp>, for Python.

#include <hepml/events.hpp>

#include <cstdint>
#include <memory>

#include "place.hpp"

namespace hepml {

/// Images of many candidates: counts[k] pairs of pixel number and value for candidate k, one after the other.
struct SparseView {
  const std::uint16_t* counts = nullptr;
  const std::uint16_t* index = nullptr;
  const float* value = nullptr;
};
struct SparseBuffer {
  std::unique_ptr<std::uint16_t[]> counts, index;
  std::unique_ptr<float[]> value;
  std::size_t images = 0, entries = 0;

  SparseBuffer() = default;
  SparseBuffer(std::size_t n_images, std::size_t most_entries);
};
struct SparseBuffers {
  SparseBuffer et, e;
};

enum class Calorimeter { ecal, hcal };

/// What becomes of every tower (a Chosen each) of all events.
void select_batch(const TowerSelection& selection, const TowerArrays& ecal, const TowerArrays& hcal,
                  std::uint8_t* chosen_ecal, std::uint8_t* chosen_hcal);

/// The candidates of n objects at (eta, phi) in events `row`; cells and hcal_first are (n, 2), hcal_offset is
/// (n, 2).
void find_batch(ImageMaker& maker, const TowerArrays& ecal, const TowerArrays& hcal, std::size_t n,
                const std::int64_t* row, const double* eta, const double* phi, std::uint8_t* status,
                std::int32_t* cell, std::int32_t* hcal_first, double* hcal_offset);

/// Images of ET, and of E if asked for: otherwise those buffers hold no image.
SparseBuffers fill_batch(ImageMaker& maker, Calorimeter calorimeter, const TowerArrays& towers, std::size_t n,
                         const std::int64_t* row, const std::int32_t* cell, const std::int32_t* hcal_first,
                         bool energy = true);

// The four views, here and below: ecal_et, ecal_e, hcal_et, hcal_e; without counts all images of one are
// zero.
void high_level_batch(const Geometry& geometry, Convention convention, std::size_t n,
                      const SparseView (&views)[4], double* features);
void mass_batch(const Geometry& geometry, MassKind kind, std::size_t n, const SparseView (&views)[4],
                const double* hcal_offset, double* masses);
constexpr std::size_t n_masses = 3;  // kinds of MassKind
void masses_batch(const Geometry& geometry, std::size_t n, const SparseView (&views)[4],
                  const double* hcal_offset, double* masses);
void sigma_etaeta_log_batch(const Geometry& geometry, std::size_t n, const SparseView (&views)[4],
                            double* widths);
void hard_selection_batch(const Geometry& geometry, std::size_t n, const SparseView (&views)[4],
                          bool* passed);
void isolation_batch(const Geometry& geometry, const TowerArrays& ecal, const TowerArrays& hcal,
                     std::size_t n, const std::int64_t* row, const std::int32_t* cell, const double* pt,
                     int core, span<const double> radii, double* cones);

}  // namespace hepml
