#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

/// How alike two functions order pairs of an event of one class with one of the other, without forming the
/// pairs: counts of who dominates whom. Functions of n events are finite; a pair that a function does not
/// order has the sign 0.
namespace hepml::ordering {

struct Events {
  std::size_t n;
  const std::uint8_t* label;  // 0 or 1
  const double* weight;
};

/// For each event e, the sum of w_o sign(f_e - f_o) sign(g_e - g_o) over the events o of the other class.
/// O(n log n).
std::vector<double> agreement(const Events& events, const double* f, const double* g);

/// The same over those pairs that h orders otherwise than g, (g_e - g_o)(h_e - h_o) < 0, and the sum of their
/// w_o. O(n log^2 n).
struct Within {
  std::vector<double> agreement, weight;
};
Within agreement_within(const Events& events, const double* f, const double* g, const double* h);

}  // namespace hepml::ordering
