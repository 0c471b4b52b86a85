#pragma once

// Every kernel, in terms of simd.hpp. Included by each kernels/<set>.cpp after its macros.

#include "kernels/kernels.hpp"
#include "kernels/simd.hpp"

namespace {

using hepml::kernels::Activation;
using hepml::kernels::CellAxis;
using hepml::kernels::Combination;
using hepml::kernels::Conv2DArgs;
using hepml::kernels::DenseArgs;
using hepml::kernels::Function;
using hepml::kernels::Pixel;
using hepml::kernels::PoolArgs;
using hepml::kernels::Reduction;
using hepml::kernels::Standard;
using hepml::kernels::StepArgs;
using hepml::kernels::TowerGradients;
using hepml::kernels::TowerLayer;
using hepml::kernels::TowerTiles;
using hepml::kernels::View;

HEPML_INLINE std::size_t vectors(std::size_t n) {
  return (n + width - 1) / width;
}
HEPML_INLINE std::size_t smaller(std::size_t a, std::size_t b) {
  return a < b ? a : b;
}

/// A number that the compiler knows, as an argument.
template <std::size_t N>
struct Count {
  static constexpr std::size_t value = N;
};

/// `total` things in pieces of at most `most`, as even as possible: the size of the piece that starts at
/// `start`.
HEPML_INLINE std::size_t piece(std::size_t total, std::size_t most, std::size_t start) {
  const std::size_t left = total - start;
  const std::size_t pieces = (left + most - 1) / most;
  return (left + pieces - 1) / pieces;
}

#include "kernels/cells.inl"
#include "kernels/conv2d.inl"
#include "kernels/dense.inl"
#include "kernels/dense_rows.inl"
#include "kernels/efp.inl"
#include "kernels/elementwise.inl"
#include "kernels/functions.inl"
// and what needs them
#include "kernels/activate.inl"
#include "kernels/recurrent.inl"
#include "kernels/tensors.inl"
#include "kernels/tower.inl"

/// A constant expression: a table that were set up at run time would be so with this set's instructions.
constexpr hepml::kernels::Kernels kernels_named(const char* name) {
  return {name,
          width,
          &dense_halves,
          &dense_size,
          &pack_dense,
          &dense,
          &dense_rows,
          &conv2d_size,
          &pack_conv2d,
          &conv2d,
          &conv2d_at,
          &maxpool2d,
          &maxpool2d_at,
          &activate,
          &pack_gates,
          &lstm_step,
          &gru_step,
          &gru_reset_after_step,
          &simplernn_step,
          &normalize,
          &add,
          &prepare,
          &filled,
          &common_at,
          &combine,
          &reduce,
          &standardize,
          &row_times_matrix,
          &dot,
          &cells,
          &within,
          &multiply_doubles,
          &dot_doubles,
          &row_times_doubles,
          &chain_doubles,
          &tower_scratch,
          &tower_forward,
          &tower_backward};
}

}  // namespace
