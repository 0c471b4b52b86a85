#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/kernels.hpp"

namespace hepml::ordering {

/// The pairs of an event of class 1 with one of class 0 that h orders otherwise than g, a bit for each, in
/// those words that are not zero. How another function orders them costs a pass over the words: for some ten
/// thousand events a fraction of what counting without them does. Immutable, so that threads can share it.
class Disagreements {
 public:
  Disagreements(std::size_t n, const std::uint8_t* label, const double* g, const double* h);

  /// Pairs.
  std::uint64_t size() const { return size_; }
  std::size_t events() const { return label_.size(); }
  /// The sum of sign(f_s - f_b) sign(g_s - g_b) over the pairs; `order` sorts the events by f.
  /// Throws std::invalid_argument if it does not.
  std::int64_t agreement(const double* f, const std::int64_t* order) const;

 private:
  struct Row {
    std::size_t begin, middle, end;  // words: background with less g, then that with more
  };
  std::int64_t counted(const Row& row, const std::vector<std::uint64_t>& below) const;

  const kernels::Kernels& kernels_;
  std::vector<std::uint8_t> label_;
  std::vector<std::uint32_t> place_;  // of an event in its class; the background by g
  std::vector<Row> rows_;
  std::vector<std::uint64_t> words_;
  std::vector<std::uint32_t> at_;  // where in the background a word is
  std::size_t width_;              // words of the whole background
  std::uint64_t size_ = 0;
  std::int64_t balance_ = 0;  // pairs with more g of the signal minus those with less
};

}  // namespace hepml::ordering
