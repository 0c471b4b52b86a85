#pragma once

#include <hepml/efp.hpp>
#include <hepml/events.hpp>
#include <hepml/span.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// Energy-flow polynomials of the images of a candidate: the input `efp` of a network.

namespace hepml::efp {

enum class Source : std::uint8_t { ecal, hcal };  // the ET image that constituents are pixels of

/// One polynomial: a number of the input.
struct Column {
  Source source = Source::ecal;
  Polynomials::Graph graph;
  double kappa = 1, beta = 1;
  bool normed = true;
};

/// Pixels along an axis of the image; those of the HCal are parts of cells.
std::size_t side(const Geometry& geometry, Source source) noexcept;

/// Rounded once to what networks take; too large is infinity.
float rounded(double value) noexcept;

/// Immutable: share one, give each thread a Memory.
class ImagePolynomials {
 public:
  class Memory {
   public:
    explicit Memory(const ImagePolynomials& polynomials);

   private:
    friend class ImagePolynomials;
    std::vector<double> weight_, eta_, phi_;  // of the pixels that are not 0
    std::vector<double> found_, values_;
    Polynomials::Memory scratch_;
  };

  /// Throws Error (unsupported) where a Memory would be unreasonably large.
  ImagePolynomials(const Geometry& geometry, const std::vector<Column>& columns, const std::string& cpu);

  std::size_t size() const noexcept { return size_; }
  bool uses(Source source) const noexcept;
  /// What a Memory takes, of which events use what their pixels need.
  std::size_t bytes() const noexcept { return bytes_; }

  /// The polynomials of a candidate whose images have side^2 pixels; an image that no column uses is not
  /// read. An empty image gives 0, what no double can hold infinity or NaN. Raises no floating-point trap.
  span<const double> compute(span<const float> ecal_et, span<const float> hcal_et,
                             Memory& memory) const noexcept;

 private:
  struct Places {  // of the pixels
    std::vector<double> eta, phi;
  };
  struct Group {  // columns that share all but the graph
    Source source;
    double kappa, beta;
    bool normed;
    std::vector<Polynomials::Graph> graphs;
    std::vector<std::size_t> columns;
    std::vector<Polynomials> polynomials;  // one
  };

  std::size_t size_, bytes_ = 0, pixels_ = 0;
  Places places_[2];
  std::vector<Group> groups_;
};

}  // namespace hepml::efp
