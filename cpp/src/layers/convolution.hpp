#pragma once

#include <vector>

#include "layers/layer.hpp"

namespace hepml::layers {

/// What Conv1D and Conv2D have in common: a sequence is an image of one row.
struct Convolution {
  std::size_t n_in, n_out;
  std::size_t kernel_rows, kernel_columns;
  std::size_t row_dilation, column_dilation;
  Window rows, columns;
};

/// Weights are [row][column][in][out]. Throws Error at `layer` if the window does not fit the input.
std::shared_ptr<Operation> make_convolution(const At& layer, const Shape& input,
                                            const Convolution& convolution, const std::vector<float>& weights,
                                            const std::vector<float>& bias, const Kernels& kernels);

/// The layer's bias: one value a filter, or none. Throws Error.
std::vector<float> read_bias(const At& layer, std::size_t filters);
/// A number for each direction; `absent` without the key, which is then required if that is 0.
std::vector<std::size_t> read_directions(const At& layer, const char* key, std::size_t n, std::size_t absent);
/// Of a pooling: the key dilation_rate is an error.
void refuse_dilation(const At& layer);

}  // namespace hepml::layers
