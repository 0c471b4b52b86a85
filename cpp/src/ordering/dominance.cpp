#include "ordering/dominance.hpp"

#include <algorithm>
#include <numeric>

namespace hepml::ordering {
namespace {

using Index = std::uint32_t;

/// Sums of weights of both classes up to a rank, as a Fenwick tree.
class Sums {
 public:
  void clear(std::size_t ranks) {
    nodes_.assign(ranks + 1, Both{});
    total_ = Both{};
  }
  void add(std::size_t rank, std::size_t label, double weight) {
    total_.of[label] += weight;
    for (std::size_t i = rank + 1; i < nodes_.size(); i += i & (~i + 1)) nodes_[i].of[label] += weight;
  }
  double total(std::size_t label) const { return total_.of[label]; }
  /// Weight of a class that lies below a rank minus that above it.
  double difference(std::size_t rank, std::size_t label) const {
    return below(rank, label) + below(rank + 1, label) - total_.of[label];
  }

 private:
  struct Both {
    double of[2] = {0, 0};
  };
  double below(std::size_t rank, std::size_t label) const {
    double sum = 0;
    for (std::size_t i = rank; i != 0; i &= i - 1) sum += nodes_[i].of[label];
    return sum;
  }
  std::vector<Both> nodes_;
  Both total_;
};

std::vector<Index> sorted(const double* values, std::size_t n) {
  std::vector<Index> order(n);
  std::iota(order.begin(), order.end(), Index{0});
  std::sort(order.begin(), order.end(), [&](Index a, Index b) { return values[a] < values[b]; });
  return order;
}

/// Equal values have equal ranks, without gaps; gives the number of ranks.
std::size_t rank(const double* values, const Index* order, std::size_t n, Index* ranks) {
  Index next = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (i != 0 && values[order[i]] != values[order[i - 1]]) ++next;
    ranks[order[i]] = next;
  }
  return n == 0 ? 0 : next + 1;
}

/// Calls each(first, last) for runs of equal values in an order, from the front.
template <class Each>
void runs(const double* values, const Index* order, std::size_t n, Each each) {
  for (std::size_t first = 0; first < n;) {
    std::size_t last = first + 1;
    while (last < n && values[order[last]] == values[order[first]]) ++last;
    each(order + first, order + last);
    first = last;
  }
}

/// Pairs that lie in different halves of the range of g, then each half alone.
class Halving {
 public:
  Halving(const Events& events, const double* f, const double* g, const double* h)
      : events_(events), f_(f), h_(h), group_(events.n), rank_(events.n), scratch_(events.n) {
    found_.agreement.assign(events.n, 0.0);
    found_.weight.assign(events.n, 0.0);
    const std::size_t groups = rank(g, sorted(g, events.n).data(), events.n, group_.data());
    auto by_f = sorted(f, events.n), by_h = sorted(h, events.n);
    halve(by_f.data(), by_h.data(), events.n, 0, static_cast<Index>(groups));
  }
  Within& found() { return found_; }

 private:
  void halve(Index* by_f, Index* by_h, std::size_t n, Index first, Index last) {
    if (last - first < 2 || n < 2) return;
    const Index middle = first + (last - first) / 2;
    const std::size_t ranks = rank(f_, by_f, n, rank_.data());
    // events with less g and more h for those with more g, and the reverse
    std::reverse(by_h, by_h + n);
    across(by_h, n, ranks, middle, true);
    std::reverse(by_h, by_h + n);
    across(by_h, n, ranks, middle, false);
    const std::size_t left = split(by_f, n, middle);
    split(by_h, n, middle);
    halve(by_f, by_h, left, first, middle);
    halve(by_f + left, by_h + left, n - left, middle, last);
  }

  /// Tells the events of one half what of the other comes before them in an order.
  void across(const Index* order, std::size_t n, std::size_t ranks, Index middle, bool to_upper) {
    sums_.clear(ranks);
    runs(h_, order, n, [&](const Index* begin, const Index* end) {
      for (const Index* e = begin; e != end; ++e) {
        if ((group_[*e] >= middle) != to_upper) continue;
        const std::size_t other = 1U - events_.label[*e];
        const double difference = sums_.difference(rank_[*e], other);
        found_.agreement[*e] += to_upper ? difference : -difference;
        found_.weight[*e] += sums_.total(other);
      }
      for (const Index* e = begin; e != end; ++e) {
        if ((group_[*e] >= middle) != to_upper) sums_.add(rank_[*e], events_.label[*e], events_.weight[*e]);
      }
    });
  }

  /// Those of the lower half first; otherwise the order stays.
  std::size_t split(Index* order, std::size_t n, Index middle) {
    std::size_t left = 0, right = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (group_[order[i]] < middle) {
        order[left++] = order[i];
      } else {
        scratch_[right++] = order[i];
      }
    }
    std::copy_n(scratch_.begin(), right, order + left);
    return left;
  }

  const Events& events_;
  const double *f_, *h_;
  std::vector<Index> group_, rank_, scratch_;
  Sums sums_;
  Within found_;
};

}  // namespace

std::vector<double> agreement(const Events& events, const double* f, const double* g) {
  std::vector<double> found(events.n, 0.0);
  std::vector<Index> ranks(events.n);
  Sums sums;
  sums.clear(rank(f, sorted(f, events.n).data(), events.n, ranks.data()));
  const auto difference = [&](Index e) { return sums.difference(ranks[e], 1U - events.label[e]); };
  const auto by_g = sorted(g, events.n);
  // of those with less g, minus those with more: all but those up to g
  runs(g, by_g.data(), events.n, [&](const Index* begin, const Index* end) {
    for (const Index* e = begin; e != end; ++e) found[*e] += difference(*e);
    for (const Index* e = begin; e != end; ++e) sums.add(ranks[*e], events.label[*e], events.weight[*e]);
    for (const Index* e = begin; e != end; ++e) found[*e] += difference(*e);
  });
  for (const Index e : by_g) found[e] -= difference(e);
  return found;
}

Within agreement_within(const Events& events, const double* f, const double* g, const double* h) {
  return Halving(events, f, g, h).found();
}

}  // namespace hepml::ordering
