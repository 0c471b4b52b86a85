#pragma once

// Which towers of an event count: TowerSelection, applied to one event at a time.

#include <hepml/events.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "windows.hpp"

namespace hepml {

/// What becomes of a tower.
enum class Chosen : std::uint8_t { kept = 0, not_finite = 1, over_limit = 2 };

template <class Towers>
bool is_finite(const Towers& towers, std::size_t i) noexcept {
  bool finite = true;
  for (const double value : {towers.et(i), towers.e(i), towers.eta(i), towers.phi(i)})
    finite &= std::islessequal(std::fabs(value), most_finite);  // of a NaN: false, and no trap
  return finite;
}

/// Looks at an event, then says of each of its towers whether it counts. Allocates when it is made.
class TowerChoice {
 public:
  explicit TowerChoice(const TowerSelection& selection) : selection_(selection) {
    hottest_.reserve(selection.most);
  }

  /// Does every tower of every event count?
  bool trivial() const noexcept { return selection_.most == 0 && !selection_.skip_not_finite; }

  bool skips_not_finite() const noexcept { return selection_.skip_not_finite; }

  template <class Towers>
  void look(const Towers& ecal, const Towers& hcal) noexcept {
    limited_ = false;
    hottest_.clear();
    n_ecal_ = ecal.size();
    if (selection_.most == 0 || ecal.size() + hcal.size() <= selection_.most) return;
    limited_ = add(ecal, 0) && add(hcal, n_ecal_) && limited_;
  }

  template <class Towers>
  Chosen operator()(const Towers& towers, std::size_t i, bool is_hcal) const noexcept {
    if (selection_.skip_not_finite && !is_finite(towers, i)) return Chosen::not_finite;
    if (limited_ && before(hottest_.front(), {towers.et(i), i + (is_hcal ? n_ecal_ : 0)}))
      return Chosen::over_limit;
    return Chosen::kept;
  }

 private:
  struct Key {
    double et;
    std::size_t place;  // ECal before HCal
  };
  static bool before(const Key& a, const Key& b) noexcept {
    return a.et > b.et || (a.et == b.et && a.place < b.place);
  }

  /// Takes the towers of a calorimeter among the hottest. False where one rejects the event: nothing is cut.
  template <class Towers>
  bool add(const Towers& towers, std::size_t first) noexcept {
    for (std::size_t i = 0; i < towers.size(); ++i) {
      if (!is_finite(towers, i)) {
        if (!selection_.skip_not_finite) return false;
        continue;
      }
      const Key key{towers.et(i), first + i};
      if (hottest_.size() == selection_.most) {
        limited_ = true;
        if (!before(key, hottest_.front())) continue;
        std::pop_heap(hottest_.begin(), hottest_.end(), before);
        hottest_.pop_back();
      }
      hottest_.push_back(key);
      std::push_heap(hottest_.begin(), hottest_.end(), before);
    }
    return true;
  }

  TowerSelection selection_;
  std::vector<Key> hottest_;  // a heap, the last of them first
  std::size_t n_ecal_ = 0;
  bool limited_ = false;
};

}  // namespace hepml
