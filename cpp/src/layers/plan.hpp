#pragma once

#include "layers/network.hpp"

namespace hepml {

/// Where every tensor of a network lies in one arena, for sequences of up to so many steps.
struct Plan {
  struct Place {
    std::size_t whole = 0;   // of the allocation, border included, in floats from the start of the arena
    std::size_t offset = 0;  // of the first element
    std::size_t row_stride = 0;
    std::size_t most_steps = 0;  // of a sequence
    std::size_t background = 0;  // of a sparse tensor: a copy of the whole allocation for an empty image
    std::size_t size = 0;        // of the whole allocation
  };
  std::vector<Place> tensors;
  std::vector<std::size_t> raw;              // what the user fills, an input
  std::vector<std::size_t> results, logits;  // what the user sees, an output
  std::size_t scratch = 0;
  std::size_t size = 0;  // floats
};

/// Throws Error (usage) beyond layers::most_elements in one tensor, or twice as many in all.
Plan make_plan(const Network& network, std::size_t max_steps);

/// A tensor takes the lowest place that no tensor alive at the same time covers.
class FirstFit {
 public:
  explicit FirstFit(std::size_t front) : front_(front), end_(front) {}
  /// In the order of `first`, the step that writes the tensor; `last` reads it last.
  std::size_t place(std::size_t first, std::size_t last, std::size_t size);
  std::size_t end() const noexcept { return end_; }

 private:
  struct Taken {
    std::size_t place, end, last;
  };
  std::size_t front_, end_;
  std::vector<Taken> taken_;  // by place
};

/// Rounded up to 64 bytes.
constexpr std::size_t aligned(std::size_t floats) {
  return (floats + 15) / 16 * 16;
}

/// Multiplications of an event, or what takes as long, where every sequence has the steps of the plan.
double work(const Network& network, const Plan& plan);

/// The shape as an image: rows x columns of channels. A vector is one pixel, a sequence one row.
struct Extent {
  std::size_t rows, columns, channels;
};
Extent extent_of(const layers::Shape& shape, std::size_t steps);

}  // namespace hepml
