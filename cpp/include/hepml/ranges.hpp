#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace hepml {

/// A number of an event that is monitored: one of a vector's or step's, or one that sums up an input.
enum class Quantity {
  variable,
  sum,      ///< of an image, over all cells
  maximum,  ///< of an image, the largest cell
  cells,    ///< of an image, how many are above zero
  steps     ///< of a sequence, how many the event has
};

/// How one quantity was distributed in training, in raw values. Bin k holds (quantiles[k-1], quantiles[k]].
struct InputRange {
  std::string name;       ///< of the variable, or sum, maximum, cells, steps
  std::size_t input = 0;  ///< index in Model::inputs()
  Quantity quantity = Quantity::variable;
  std::size_t variable = 0;  ///< index in Input::variables, of Quantity::variable
  double minimum = 0, maximum = 0;
  double entries = 0;             ///< values: one an event, or one a step of a sequence
  double not_finite = 0;          ///< of these, NaN or infinite
  std::vector<double> quantiles;  ///< at Ranges::levels; equal ones where many values are equal
  std::vector<double> bins;       ///< entries in each bin, one bin more than quantiles
};

struct Ranges {
  double events = 0;
  std::vector<double> levels;
  std::vector<InputRange> quantities;  ///< in the order of the file; empty if it has none
};

}  // namespace hepml
