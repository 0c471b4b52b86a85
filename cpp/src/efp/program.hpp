#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

// Energy-flow polynomials of many graphs as one directed acyclic graph of operations on vectors and matrices
// over the constituents. A vertex of one neighbour is a matrix times a vector, one of two neighbours a
// product of matrices; equal operations are one node. Where every vertex has three neighbours, a hub is held
// fixed: what depends on it is done again for each constituent.

namespace hepml::efp {

enum class Op : std::uint8_t {
  weight,     // vector: z^kappa
  angle,      // matrix: theta^(a beta)
  row,        // vector: the hub's row of matrix a
  times,      // vector: a b, element by element
  mask,       // matrix: a b, element by element
  transpose,  // matrix: a transposed
  apply,      // vector: matrix a times vector b
  chain,      // matrix: a diag(b) c
  sum,        // number: of vector a
  dot,        // number: of vectors a and b
  gather,     // number: vector a times, for each hub, the number b
  product,    // number: of numbers a and b
};

struct Node {
  Op op;
  std::uint32_t a = 0, b = 0, c = 0;
  bool symmetric = false;  // of a matrix
  bool inner = false;      // depends on the hub

  std::array<std::uint32_t, 4> key() const { return {static_cast<std::uint32_t>(op), a, b, c}; }
};

using Edge = std::pair<std::uint8_t, std::uint8_t>;

/// The operations, each behind what it reads, and the node of each graph's polynomial.
class Program {
 public:
  /// Adds a graph without isolated vertices, but for the point. False if eliminating more than a hub would be
  /// needed.
  bool add(std::size_t vertices, const std::vector<Edge>& edges);

  /// Drops what no polynomial needs, and numbers the memory of the rest.
  void finish();

  std::vector<Node> nodes;
  std::vector<std::uint32_t> results;  // node of each graph
  std::vector<std::uint32_t> place;    // slot of each node among those of its kind
  /// Of one node, once, with n constituents; half of a symmetric product is enough.
  static double multiplications(const Node& node, double n);

  std::uint32_t n_vectors = 0, n_matrices = 0, n_numbers = 0;

 private:
  friend class Elimination;
  std::uint32_t node(Op op, std::uint32_t a = 0, std::uint32_t b = 0, std::uint32_t c = 0);
  std::uint32_t transposed(std::uint32_t matrix);
  std::uint32_t chained(std::uint32_t a, std::uint32_t vector, std::uint32_t b);
  std::uint32_t masked(std::uint32_t a, std::uint32_t b);
  double cost_from(std::size_t first) const;
  void forget(std::size_t size);

  std::map<std::array<std::uint32_t, 4>, std::uint32_t> known_;
};

}  // namespace hepml::efp
