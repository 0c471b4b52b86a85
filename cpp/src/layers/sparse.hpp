#pragma once

#include <cstdint>
#include <vector>

#include "layers/plan.hpp"

// Images of a calorimeter are mostly empty. What a network answers to an empty image is computed once; an
// event is then computed only at the pixels that its deposits reach, and the others keep that answer from
// event to event. The result is the same bits as without.
namespace hepml {

/// The state of one Session.
class Sparse {
 public:
  /// `tensors` are the Session's views; the responses to the empty image have been computed in them.
  Sparse(const Network& network, const Plan& plan, float* arena, const std::vector<layers::View>& tensors);

  /// Is there anything to do?
  explicit operator bool() const noexcept { return !images_.empty(); }
  /// Finds the pixels of an input that are not empty, from its raw values.
  void start(std::size_t tensor, const float* raw) noexcept;
  /// Runs a step whose target is sparse.
  void run(const layers::Operation& operation, std::size_t source, std::size_t target) noexcept;
  bool holds(std::size_t tensor) const noexcept { return place_[tensor] != nothing; }

 private:
  static constexpr std::size_t nothing = static_cast<std::size_t>(-1);
  struct Image {
    layers::View view, background;
    std::size_t words = 0;                      // of bits a row, a bit a pixel
    std::vector<std::uint64_t> active, before;  // pixels of this event, and of the one before
    bool full = false;                          // every pixel is active
  };
  void restore(Image& image) noexcept;

  const layers::Kernels* kernels_;
  std::vector<Image> images_;
  std::vector<std::size_t> place_;  // of each tensor, in images_
  std::vector<kernels::Pixel> pixels_;
  std::vector<std::uint64_t> row_;
};

}  // namespace hepml
