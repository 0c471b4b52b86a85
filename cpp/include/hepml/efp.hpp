#pragma once

#include <hepml/export.hpp>
#include <hepml/span.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hepml {

/// Energy-flow polynomials of some graphs (arXiv:1712.07124): the sum over all choices of a constituent for
/// each vertex of the product of z^kappa over the vertices and of theta^beta over the edges, where theta^2 =
/// (difference in eta)^2 + (difference in phi, at most pi)^2.
///
/// What the graphs have in common is computed once. Immutable: share one, give each thread a Memory.
class HEPML_API Polynomials {
 public:
  struct Graph {
    std::size_t vertices = 1;
    /// Pairs of different vertices, a pair for each edge; each vertex has one, but for the point.
    std::vector<std::pair<std::uint8_t, std::uint8_t>> edges{};
  };
  /// What an event is computed in. It grows with the largest event, and then allocates no more; with
  /// reserve() it never does. One may serve several Polynomials in turn.
  class HEPML_API Memory {
   public:
    Memory();
    ~Memory();
    Memory(Memory&&) noexcept;
    Memory& operator=(Memory&&) noexcept;

   private:
    friend class Polynomials;
    struct HEPML_LOCAL Numbers;
    std::unique_ptr<Numbers> numbers_;
  };

  /// Throws Error: a vertex that is out of range or without edges, a loop (usage); a graph of which more than
  /// one vertex must be held fixed to sum over the others one after another, as K5 (unsupported). `cpu` as
  /// for Model.
  explicit Polynomials(const std::vector<Graph>& graphs, const std::string& cpu = {});
  ~Polynomials();
  Polynomials(Polynomials&&) noexcept;
  Polynomials& operator=(Polynomials&&) noexcept;

  /// How many graphs.
  std::size_t size() const noexcept;

  /// Multiplications, most of them with an addition, for one kappa and beta of an event of so many
  /// constituents; without the powers of weights and angles.
  double multiplications(std::size_t constituents) const noexcept;

  /// Room for events of so many constituents: compute() then does not allocate. The pages of it that no event
  /// has needed yet take address space only.
  void reserve(std::size_t constituents, Memory& memory) const;
  /// How large that room is.
  std::size_t bytes(std::size_t constituents) const noexcept;

  /// The polynomials of an event for all kappas and betas: values[(graph * kappas + k) * betas + b].
  ///
  /// Constituents are given by weight (an energy or a pT), eta and phi; those of weight 0 are none. With
  /// `normed`, z is the weight over the sum of all weights. No constituents give 0. NaN gives NaN.
  void compute(span<const double> weight, span<const double> eta, span<const double> phi, bool normed,
               span<const double> kappas, span<const double> betas, span<double> values,
               Memory& memory) const;

 private:
  struct HEPML_LOCAL Parts;
  std::unique_ptr<const Parts> parts_;
};

}  // namespace hepml
