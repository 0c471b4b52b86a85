#include "ordering/disagreements.hpp"

#include <algorithm>
#include <stdexcept>

#include "kernels/select.hpp"

namespace hepml::ordering {
namespace {

using Bits = std::vector<std::uint64_t>;
using Indices = std::vector<std::uint32_t>;

void sort_by(Indices& events, const double* values) {
  std::stable_sort(events.begin(), events.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return values[a] < values[b]; });
}

void set(Bits& bits, std::size_t place) {
  bits[place / 64] |= std::uint64_t{1} << (place % 64);
}

/// Of word `word`, the bits before place `end`.
std::uint64_t before(std::size_t word, std::size_t end) {
  constexpr std::uint64_t all = ~std::uint64_t{0};
  if (end >= 64 * (word + 1)) return all;
  return end <= 64 * word ? 0 : ~(all << (end - 64 * word));
}

}  // namespace

Disagreements::Disagreements(std::size_t n, const std::uint8_t* label, const double* g, const double* h)
    : kernels_(kernels::select()), label_(label, label + n), place_(n) {
  Indices signal, background;
  for (std::uint32_t e = 0; e < n; ++e) (label[e] != 0 ? signal : background).push_back(e);
  width_ = (background.size() + 63) / 64;
  sort_by(background, g);
  for (std::uint32_t k = 0; k < background.size(); ++k) place_[background[k]] = k;
  Indices by_h = background;
  sort_by(by_h, h);
  sort_by(signal, h);
  Bits less(width_), up_to(width_);  // background with less h, and with no more
  auto next_less = by_h.begin(), next_up_to = by_h.begin();
  const auto add = [&](const std::vector<std::uint64_t>& bits, std::size_t from, std::size_t to, bool more) {
    for (std::size_t w = from / 64; w < (to + 63) / 64; ++w) {
      const std::uint64_t word = (more ? ~bits[w] : bits[w]) & before(w, to) & ~before(w, from);
      if (word == 0) continue;
      words_.push_back(word);
      at_.push_back(static_cast<std::uint32_t>(w));
      const auto count = static_cast<std::int64_t>(__builtin_popcountll(word));
      size_ += static_cast<std::uint64_t>(count);
      balance_ += more ? count : -count;
    }
  };
  for (const std::uint32_t s : signal) {
    while (next_less != by_h.end() && h[*next_less] < h[s]) set(less, place_[*next_less++]);
    while (next_up_to != by_h.end() && h[*next_up_to] <= h[s]) set(up_to, place_[*next_up_to++]);
    const auto first = std::lower_bound(background.begin(), background.end(), g[s],
                                        [&](std::uint32_t b, double value) { return g[b] < value; });
    const auto last = std::upper_bound(first, background.end(), g[s],
                                       [&](double value, std::uint32_t b) { return value < g[b]; });
    place_[s] = static_cast<std::uint32_t>(rows_.size());
    Row row{words_.size(), 0, 0};
    add(up_to, 0, static_cast<std::size_t>(first - background.begin()), true);
    row.middle = words_.size();
    add(less, static_cast<std::size_t>(last - background.begin()), background.size(), false);
    row.end = words_.size();
    rows_.push_back(row);
  }
}

std::int64_t Disagreements::counted(const Row& row, const Bits& below) const {
  const auto count = [&](std::size_t begin, std::size_t end) {
    return static_cast<std::int64_t>(
        kernels_.common_at(words_.data() + begin, at_.data() + begin, end - begin, below.data()));
  };
  return count(row.begin, row.middle) - count(row.middle, row.end);
}

std::int64_t Disagreements::agreement(const double* f, const std::int64_t* order) const {
  const std::size_t n = label_.size();
  for (std::size_t i = 0; i < n; ++i) {
    if (order[i] < 0 || static_cast<std::size_t>(order[i]) >= n ||
        (i != 0 && !(f[order[i - 1]] <= f[order[i]])))
      throw std::invalid_argument("the order is none of the function");
  }
  Bits below(width_);
  std::int64_t sum = -balance_;
  for (std::size_t first = 0, last = 0; first < n; first = last) {
    std::int64_t before_equal = 0, with_equal = 0;
    bool equal = false;
    for (last = first; last < n && f[order[last]] == f[order[first]]; ++last) {
      if (label_[static_cast<std::size_t>(order[last])] != 0)
        before_equal += counted(rows_[place_[static_cast<std::size_t>(order[last])]], below);
    }
    for (std::size_t i = first; i < last; ++i) {
      const auto e = static_cast<std::size_t>(order[i]);
      if (label_[e] == 0) set(below, place_[e]), equal = true;
    }
    // what f does not order counts half: the mean of without and with it
    with_equal = before_equal;
    if (equal && last - first > 1) {
      with_equal = 0;
      for (std::size_t i = first; i < last; ++i) {
        const auto e = static_cast<std::size_t>(order[i]);
        if (label_[e] != 0) with_equal += counted(rows_[place_[e]], below);
      }
    }
    sum += before_equal + with_equal;
  }
  return sum;
}

}  // namespace hepml::ordering
