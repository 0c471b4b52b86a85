#include "efp/program.hpp"

#include <algorithm>
#include <limits>
#include <optional>

namespace hepml::efp {

namespace {

constexpr double typical = 40;  // constituents, to weigh operations against each other

double cost(const Node& node) {
  const double times = node.inner ? typical : 1;
  switch (node.op) {
    case Op::chain:
      return times * typical * typical * typical;
    case Op::apply:
    case Op::mask:
    case Op::transpose:
    case Op::angle:
      return times * typical * typical;
    default:
      return times * typical;
  }
}

bool is_vector(Op op) {
  return op == Op::weight || op == Op::row || op == Op::times || op == Op::apply;
}
bool is_matrix(Op op) {
  return op == Op::angle || op == Op::mask || op == Op::transpose || op == Op::chain;
}

/// The nodes that a node reads.
std::vector<std::uint32_t> read_by(const Node& node) {
  switch (node.op) {
    case Op::weight:
    case Op::angle:
      return {};
    case Op::row:
    case Op::transpose:
    case Op::sum:
      return {node.a};
    case Op::chain:
      return {node.a, node.b, node.c};
    default:
      return {node.a, node.b};
  }
}

}  // namespace

std::uint32_t Program::node(Op op, std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  Node made{op, a, b, c};
  const auto [found, is_new] = known_.emplace(made.key(), static_cast<std::uint32_t>(nodes.size()));
  if (!is_new) return found->second;
  made.inner = op == Op::row;
  if (op != Op::row && op != Op::gather) {
    for (const std::uint32_t one : read_by(made)) made.inner = made.inner || nodes[one].inner;
  }
  if (op == Op::angle) {
    made.symmetric = true;
  } else if (op == Op::mask) {
    made.symmetric = nodes[a].symmetric && nodes[b].symmetric;
  } else if (op == Op::chain) {
    made.symmetric = nodes[a].symmetric ? a == c : nodes[c].op == Op::transpose && nodes[c].a == a;
  }
  nodes.push_back(made);
  return found->second;
}

std::uint32_t Program::transposed(std::uint32_t matrix) {
  if (nodes[matrix].symmetric) return matrix;
  if (nodes[matrix].op == Op::transpose) return nodes[matrix].a;
  return node(Op::transpose, matrix);
}

std::uint32_t Program::chained(std::uint32_t a, std::uint32_t vector, std::uint32_t b) {
  if (nodes[a].symmetric && nodes[b].symmetric && a > b) return transposed(node(Op::chain, b, vector, a));
  return node(Op::chain, a, vector, b);
}

std::uint32_t Program::masked(std::uint32_t a, std::uint32_t b) {
  return node(Op::mask, std::min(a, b), std::max(a, b));
}

double Program::cost_from(std::size_t first) const {
  double total = 0;
  for (std::size_t k = first; k < nodes.size(); ++k) total += cost(nodes[k]);
  return total;
}

double Program::multiplications(const Node& node, double n) {
  switch (node.op) {
    case Op::chain:
      return (node.symmetric ? n * (n + 1) / 2 : n * n) * n + n * n;
    case Op::apply:
    case Op::mask:
      return n * n;
    case Op::times:
    case Op::dot:
      return n;
    case Op::gather:
    case Op::product:
      return 1;
    case Op::angle: {
      double times = 0;
      for (std::uint32_t power = node.a; power > 1; power /= 2) times += 1 + power % 2;
      return times * n * n;
    }
    default:
      return 0;
  }
}

void Program::forget(std::size_t size) {
  while (nodes.size() > size) {
    known_.erase(nodes.back().key());
    nodes.pop_back();
  }
}

/// A graph whose vertices are summed over one after the other, the cheapest first.
class Elimination {
 public:
  Elimination(Program& program, std::size_t vertices, const std::vector<Edge>& edges)
      : program_(program), factors_(vertices) {
    for (auto& factors : factors_) factors = {program.node(Op::weight)};
    std::map<Edge, std::uint32_t> times;
    for (const auto& [i, j] : edges) ++times[{std::min(i, j), std::max(i, j)}];
    for (const auto& [pair, count] : times) matrices_[pair] = program.node(Op::angle, count);
    for (std::size_t v = 0; v < vertices; ++v) left_.push_back(static_cast<std::uint8_t>(v));
  }

  /// The node of the polynomial; none if a hub within a hub were needed.
  std::optional<std::uint32_t> result(bool inner = false) {
    while (left_.size() > 1) {
      const std::size_t size = program_.nodes.size();
      double least = std::numeric_limits<double>::infinity();
      std::uint8_t chosen = 0;
      std::size_t fewest = 3;
      for (const std::uint8_t v : left_) fewest = std::min(fewest, neighbours(v).size());
      if (fewest > 2) return inner ? std::nullopt : around_a_hub();
      for (const std::uint8_t v : left_) {
        if (neighbours(v).size() != fewest) continue;
        Elimination trial = *this;
        trial.eliminate(v);
        const double price = program_.cost_from(size);
        program_.forget(size);
        if (price < least) {
          least = price;
          chosen = v;
        }
      }
      eliminate(chosen);
    }
    auto factors = factors_[left_[0]];
    if (factors.size() == 1) return program_.node(Op::sum, factors[0]);
    const std::uint32_t last = factors.back();
    factors.pop_back();
    return program_.node(Op::dot, product(factors), last);
  }

 private:
  std::vector<std::uint8_t> neighbours(std::uint8_t v) const {
    std::vector<std::uint8_t> found;
    for (const auto& [pair, matrix] : matrices_) {
      if (pair.first == v) found.push_back(pair.second);
      if (pair.second == v) found.push_back(pair.first);
    }
    return found;
  }

  std::uint32_t matrix(std::uint8_t from, std::uint8_t to) {
    const std::uint32_t found = matrices_.at({std::min(from, to), std::max(from, to)});
    return from < to ? found : program_.transposed(found);
  }

  std::uint32_t product(const std::vector<std::uint32_t>& factors) {
    std::uint32_t found = factors[0];
    for (std::size_t k = 1; k < factors.size(); ++k) found = program_.node(Op::times, found, factors[k]);
    return found;
  }

  void multiply(std::uint8_t v, std::uint32_t vector) {
    auto& factors = factors_[v];
    factors.insert(std::upper_bound(factors.begin(), factors.end(), vector), vector);
  }

  void remove(std::uint8_t v) {
    for (const std::uint8_t w : neighbours(v)) matrices_.erase({std::min(v, w), std::max(v, w)});
    left_.erase(std::find(left_.begin(), left_.end(), v));
  }

  void eliminate(std::uint8_t v) {
    const auto around = neighbours(v);
    const std::uint32_t vector = product(factors_[v]);
    if (around.size() == 1) {
      multiply(around[0], program_.node(Op::apply, matrix(around[0], v), vector));
    } else {
      const Edge pair{std::min(around[0], around[1]), std::max(around[0], around[1])};
      const std::uint32_t made = program_.chained(matrix(pair.first, v), vector, matrix(v, pair.second));
      const auto there = matrices_.find(pair);
      matrices_[pair] = there == matrices_.end() ? made : program_.masked(there->second, made);
    }
    remove(v);
  }

  std::optional<std::uint32_t> around_a_hub() {
    const std::size_t size = program_.nodes.size();
    double least = std::numeric_limits<double>::infinity();
    std::optional<std::uint8_t> chosen;
    for (const std::uint8_t hub : left_) {
      if (!with_hub(hub)) {
        program_.forget(size);
        continue;
      }
      const double price = program_.cost_from(size);
      program_.forget(size);
      if (price < least) {
        least = price;
        chosen = hub;
      }
    }
    return chosen ? with_hub(*chosen) : std::nullopt;
  }

  std::optional<std::uint32_t> with_hub(std::uint8_t hub) {
    Elimination rest = *this;
    for (const std::uint8_t w : neighbours(hub))
      rest.multiply(w, program_.node(Op::row, rest.matrix(hub, w)));
    const std::uint32_t weight = rest.product(factors_[hub]);
    rest.remove(hub);
    const auto inner = rest.result(true);
    if (!inner) return std::nullopt;
    return program_.node(Op::gather, weight, *inner);
  }

  Program& program_;
  std::vector<std::uint8_t> left_;
  std::vector<std::vector<std::uint32_t>> factors_;  // of each vertex, sorted
  std::map<Edge, std::uint32_t> matrices_;
};

bool Program::add(std::size_t vertices, const std::vector<Edge>& edges) {
  std::vector<std::size_t> part(vertices);
  for (std::size_t v = 0; v < vertices; ++v) part[v] = v;
  for (const auto& [i, j] : edges) {
    const std::size_t old = part[j], now = part[i];
    std::replace(part.begin(), part.end(), old, now);
  }
  std::optional<std::uint32_t> result;
  for (std::size_t first = 0; first < vertices; ++first) {
    if (std::find(part.begin(), part.end(), part[first]) != part.begin() + static_cast<std::ptrdiff_t>(first))
      continue;
    std::vector<std::uint8_t> number(vertices);
    std::size_t n = 0;
    for (std::size_t v = 0; v < vertices; ++v) {
      if (part[v] == part[first]) number[v] = static_cast<std::uint8_t>(n++);
    }
    std::vector<Edge> own;
    for (const auto& [i, j] : edges) {
      if (part[i] == part[first]) own.emplace_back(number[i], number[j]);
    }
    const auto found = Elimination(*this, n, own).result();
    if (!found) return false;
    result = result ? node(Op::product, std::min(*result, *found), std::max(*result, *found)) : found;
  }
  results.push_back(*result);
  return true;
}

void Program::finish() {
  std::vector<bool> needed(nodes.size());
  for (const std::uint32_t one : results) needed[one] = true;
  for (std::size_t k = nodes.size(); k-- > 0;) {
    if (!needed[k]) continue;
    for (const std::uint32_t one : read_by(nodes[k])) needed[one] = true;
  }
  // outside the hub first, then inside, then what is gathered
  std::vector<bool> gathered(nodes.size());
  for (std::size_t k = 0; k < nodes.size(); ++k) {
    gathered[k] = nodes[k].op == Op::gather;
    if (nodes[k].op == Op::product) gathered[k] = gathered[nodes[k].a] || gathered[nodes[k].b];
  }
  std::vector<std::uint32_t> order;
  for (const int round : {0, 1, 2}) {
    for (std::uint32_t k = 0; k < nodes.size(); ++k) {
      const int own = gathered[k] ? 2 : nodes[k].inner ? 1 : 0;
      if (needed[k] && own == round) order.push_back(k);
    }
  }
  std::vector<std::uint32_t> now(nodes.size());
  std::vector<Node> kept;
  for (const std::uint32_t old : order) {
    now[old] = static_cast<std::uint32_t>(kept.size());
    Node one = nodes[old];
    const auto reads = read_by(one);
    if (!reads.empty()) one.a = now[one.a];
    if (reads.size() > 1) one.b = now[one.b];
    if (reads.size() > 2) one.c = now[one.c];
    kept.push_back(one);
  }
  for (auto& one : results) one = now[one];
  nodes = std::move(kept);
  known_.clear();

  // memory is used again behind the last reader; what the hub's part reads from outside stays
  std::vector<std::size_t> last(nodes.size());
  const std::size_t end = nodes.size();
  for (std::size_t k = 0; k < end; ++k) {
    for (const std::uint32_t one : read_by(nodes[k]))
      last[one] =
          (nodes[k].inner && !nodes[one].inner) || nodes[k].op == Op::gather ? end : std::max(last[one], k);
  }
  std::vector<std::uint32_t> vectors, matrices;
  place.assign(end, 0);
  for (std::size_t k = 0; k < end; ++k) {
    const bool vector = is_vector(nodes[k].op);
    if (!vector && !is_matrix(nodes[k].op)) {
      place[k] = n_numbers++;
      continue;
    }
    auto& free = vector ? vectors : matrices;
    auto& count = vector ? n_vectors : n_matrices;
    if (free.empty()) {
      place[k] = count++;
    } else {
      place[k] = free.back();
      free.pop_back();
    }
    for (std::size_t one = 0; one < k; ++one) {  // read for the last time by this node
      if (last[one] != k) continue;
      if (is_vector(nodes[one].op)) vectors.push_back(place[one]);
      if (is_matrix(nodes[one].op)) matrices.push_back(place[one]);
    }
  }
}

}  // namespace hepml::efp
