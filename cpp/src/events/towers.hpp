#pragma once

// The towers of one event in the two forms that they come in: a list of Tower, and columns whose cells are
// known.

#include <hepml/events.hpp>

#include <cstddef>
#include <cstdint>

#include "place.hpp"

namespace hepml {

class TowerList {
 public:
  TowerList(span<const Tower> towers, const Grid& grid) noexcept : towers_(towers), grid_(grid) {}
  std::size_t size() const noexcept { return towers_.size(); }
  double et(std::size_t i) const noexcept { return towers_[i].et; }
  double e(std::size_t i) const noexcept { return towers_[i].e; }
  double eta(std::size_t i) const noexcept { return towers_[i].eta; }
  double phi(std::size_t i) const noexcept { return towers_[i].phi; }
  int cell_eta(std::size_t i) const noexcept { return grid_.eta_index(towers_[i].eta); }
  int cell_phi(std::size_t i) const noexcept { return grid_.phi_index(towers_[i].phi); }

 private:
  span<const Tower> towers_;
  const Grid& grid_;
};

class TowerColumns {
 public:
  TowerColumns(const TowerArrays& arrays, std::size_t event) noexcept
      : arrays_(arrays), first_(static_cast<std::size_t>(arrays.offsets[event])), size_(arrays.size(event)) {}
  std::size_t size() const noexcept { return size_; }
  double et(std::size_t i) const noexcept { return arrays_.et[first_ + i]; }
  double e(std::size_t i) const noexcept { return arrays_.e[first_ + i]; }
  double eta(std::size_t i) const noexcept { return arrays_.eta[first_ + i]; }
  double phi(std::size_t i) const noexcept { return arrays_.phi[first_ + i]; }
  int cell_eta(std::size_t i) const noexcept { return arrays_.cell_eta[first_ + i]; }
  int cell_phi(std::size_t i) const noexcept { return arrays_.cell_phi[first_ + i]; }

 private:
  const TowerArrays& arrays_;
  std::size_t first_, size_;
};

}  // namespace hepml
