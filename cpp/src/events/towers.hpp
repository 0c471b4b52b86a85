#pragma once

// The towers of one event in the two forms that they come in: a list of Tower, and columns whose cells are
// known.

#include <hepml/events.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>

#include "place.hpp"
#include "select.hpp"

namespace hepml {

class TowerList {
 public:
  TowerList(span<const Tower> towers, const Grid& grid) noexcept : towers_(towers), grid_(grid) {}
  /// Towers that do not count lie outside of every cell and window.
  TowerList(span<const Tower> towers, const Grid& grid, const TowerChoice* choice, bool is_hcal) noexcept
      : towers_(towers), grid_(grid), choice_(choice), is_hcal_(is_hcal) {}
  std::size_t size() const noexcept { return towers_.size(); }
  double et(std::size_t i) const noexcept { return at(i).et; }
  double e(std::size_t i) const noexcept { return at(i).e; }
  double eta(std::size_t i) const noexcept { return at(i).eta; }
  double phi(std::size_t i) const noexcept { return at(i).phi; }
  int cell_eta(std::size_t i) const noexcept { return grid_.eta_index(at(i).eta); }
  int cell_phi(std::size_t i) const noexcept { return grid_.phi_index(at(i).phi); }

 private:
  static constexpr Tower nowhere{0, std::numeric_limits<double>::infinity(), 0, 0};
  const Tower& at(std::size_t i) const noexcept {
    if (choice_ == nullptr || (*choice_)(TowerList(towers_, grid_), i, is_hcal_) == Chosen::kept)
      return towers_[i];
    return nowhere;
  }

  span<const Tower> towers_;
  const Grid& grid_;
  const TowerChoice* choice_ = nullptr;
  bool is_hcal_ = false;
};

class TowerColumns {
 public:
  /// The cells are those of this event's towers; they may be absent where nobody asks for them.
  TowerColumns(const TowerArrays& arrays, std::size_t event, const std::int16_t* cell_eta,
               const std::int16_t* cell_phi) noexcept
      : et_(arrays.et + arrays.offsets[event]),
        e_(arrays.e + arrays.offsets[event]),
        eta_(arrays.eta + arrays.offsets[event]),
        phi_(arrays.phi + arrays.offsets[event]),
        cell_eta_(cell_eta),
        cell_phi_(cell_phi),
        size_(arrays.size(event)) {}
  std::size_t size() const noexcept { return size_; }
  double et(std::size_t i) const noexcept { return et_[i]; }
  double e(std::size_t i) const noexcept { return e_[i]; }
  double eta(std::size_t i) const noexcept { return eta_[i]; }
  double phi(std::size_t i) const noexcept { return phi_[i]; }
  int cell_eta(std::size_t i) const noexcept { return cell_eta_[i]; }
  int cell_phi(std::size_t i) const noexcept { return cell_phi_[i]; }

 private:
  const double *et_, *e_, *eta_, *phi_;
  const std::int16_t *cell_eta_, *cell_phi_;
  std::size_t size_;
};

}  // namespace hepml
