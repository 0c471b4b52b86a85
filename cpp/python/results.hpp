#pragma once

#include <hepml/model.hpp>
#include <hepml/span.hpp>

#include <algorithm>
#include <limits>
#include <vector>

#include "arrays.hpp"

/// An output of many events, in blocks. Sequences whose steps differ are padded with NaN to the longest.
class Results {
 public:
  Results(const hepml::Output& output, std::size_t n, std::size_t n_blocks, bool leaves)
      : output_(output), n_(n), blocks_(n_blocks) {
    if (leaves) output_.shape = {output_.size = output.n_trees};
  }
  /// The next event of a block; blocks may be filled at the same time.
  void add(std::size_t block, hepml::span<const float> values, bool has_steps) {
    auto& [all, ends] = blocks_[block];
    if (has_steps) {
      all.insert(all.end(), values.begin(), values.end());
    } else {  // of sequences that do not meet: no steps to give, so one of NaN
      all.resize(all.size() + output_.size, std::numeric_limits<float>::quiet_NaN());
    }
    ends.push_back(all.size());
  }
  Out<float> finish() const {
    std::vector<std::size_t> shape = output_.shape;
    std::size_t longest = output_.size;
    if (shape[0] == hepml::any_steps) {
      longest = 0;
      each([&longest](const float*, std::size_t size) { longest = std::max(longest, size); });
      shape[0] = longest / output_.size;
    }
    shape.insert(shape.begin(), n_);
    auto out = array<float>(shape);
    float* to = out.data();
    each([&to, longest](const float* values, std::size_t size) {
      std::copy_n(values, size, to);
      std::fill(to + size, to + longest, std::numeric_limits<float>::quiet_NaN());
      to += longest;
    });
    return out;
  }

 private:
  struct Block {
    std::vector<float> values;
    std::vector<std::size_t> ends;
  };
  template <class F>
  void each(F f) const {
    for (const Block& block : blocks_) {
      std::size_t start = 0;
      for (const std::size_t end : block.ends) {
        f(block.values.data() + start, end - start);
        start = end;
      }
    }
  }

  hepml::Output output_;
  std::size_t n_;
  std::vector<Block> blocks_;
};
