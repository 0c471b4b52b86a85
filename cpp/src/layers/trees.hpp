#pragma once

#include <cstdint>
#include <vector>

#include "layers/layer.hpp"

namespace hepml::layers {

/// A node of a packed tree. Siblings lie side by side and parents before children; a leaf is its own child
/// and sends every number to it, so that a walk needs no branch.
struct TreeNode {
  float threshold;        // x <= threshold goes to `child`, else to the node behind it
  std::uint32_t feature;  // of a leaf: 0
  std::uint32_t child;
  std::uint32_t leaf;  // of a leaf: its index; else 1 if a missing value goes to `child`
};

struct TreeLeaf {
  double value;          // where leaves have one value
  std::uint32_t number;  // in the file
  std::uint32_t output;  // that the value is added to
};

enum class TreeLink : char { identity, sigmoid, softmax, exp };

/// An ensemble of decision trees, packed: margin[k] = (base[k] + sum of leaf values) / divisor.
struct Ensemble {
  std::size_t n_features = 0;
  std::vector<std::uint32_t> roots;
  std::vector<TreeNode> nodes;
  std::vector<TreeLeaf> leaves;
  std::vector<double> values;  // [leaf][output] where leaves have a value for each output, else empty
  std::vector<double> base;    // one an output
  double divisor = 1;
  bool narrow = false;   // sums in float32, in order, as XGBoost; else in float64
  bool missing = false;  // NaN is a value that the trees know a direction for
  TreeLink link = TreeLink::identity;
  double factor = 1;  // of the margin inside the link
};

/// The packed trees of a layer. Throws Error.
Ensemble read_ensemble(const At& layer, std::size_t n_features);

}  // namespace hepml::layers
