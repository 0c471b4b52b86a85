#pragma once

#include <cstddef>
#include <cstdint>

/// The arithmetic, written once (body.hpp) and compiled for each instruction set. Plain data in and out:
/// nothing here may pull in a template of the standard library, since the linker could then pick its AVX-512
/// copy for other code.
namespace hepml::kernels {

enum class Function : std::uint8_t {
  linear,
  rectified,
  sigmoid,
  hard_sigmoid,  // clip(0.2 x + 0.5, 0, 1), as in lwtnn
  tanh,
  softmax,
  abs,
  elu,
  leakyrelu,
  swish,
  relu,  // x > low ? min(max(x, 0), high) : alpha (x - low); with high infinite, x > low ? x : ...
  clip,
  keras_hard_sigmoid,  // clip(x + 3, 0, 6) / 6
  hard_silu,
  selu,
  celu,
  gelu,
  gelu_tanh,
  mish,
  softplus,
  softsign,
  log_sigmoid,
  log_softmax,
  sparsemax,
  hard_shrink,
  soft_shrink,
  tanh_shrink,
  squareplus,
  sparse_plus,
  sparse_sigmoid,
  threshold,  // x > low ? x : alpha
  exp,
  expm1,
  log,
  log1p,
  sqrt,
  rsqrt,
  square,
  reciprocal,
  negative,
  sign,
  erf,
  sinh,
  cosh,
  arcsinh,
  round,
  floor,
  ceil,
  sin,
  cos,
  tan,
  arctan,
};

struct Activation {
  Function function = Function::linear;
  float alpha = 1.0F;
  float low = 0.0F, high = 0.0F;  // of relu, clip and threshold
};

/// Of whole rows rather than of single elements.
constexpr bool on_rows(Function function) {
  return function == Function::softmax || function == Function::log_softmax ||
         function == Function::sparsemax;
}

/// Of two elements.
enum class Combination : std::uint8_t {
  add,
  subtract,
  multiply,
  divide,
  maximum,
  minimum,
  power,
  arctan2,
  squared_difference,
  prelu,  // a > 0 ? a : b a
  greater,
  greater_equal,
  equal,
  not_equal,
  keep,  // b != 0 ? a : 0
  drop,  // b != 0 ? 0 : a
};

/// Of a row to a number.
enum class Reduction : std::uint8_t {
  sum,
  mean,
  maximum,
  minimum,
  product,
  variance,
  deviation,
  norm,
  log_sum_exp
};

/// How a row is brought to a common size.
enum class Standard : std::uint8_t {
  layer,  // (x - mean) / sqrt(variance + epsilon)
  rms,    // x / sqrt(mean(x^2) + epsilon)
  unit,   // x / sqrt(max(sum(x^2), epsilon))
};

/// One step of a recurrent layer of n units. `pad` is n rounded up to whole vectors.
struct StepArgs {
  Activation activation, inner;  // of single elements
  std::size_t n_in, n, pad;
  const float* weights[3];  // as packed by pack_gates, on inputs and state
  const float* bias;        // [gate][pad]
};

/// An image in memory: element (row, column, channel) is data[row * row_stride + column * channels +
/// channel]. A vector is one row of one column. Around it lie `border` zeros that a convolution may read.
struct View {
  float* data;
  std::size_t rows, columns, channels;
  std::size_t row_stride;
};

/// A place in an image.
struct Pixel {
  std::uint16_t row, column;
};

struct DenseArgs {
  const float* weights;  // as packed by pack_dense
  const float* bias;     // n_out, padded with zeros to a whole vector
  std::size_t n_in, n_out;
  bool rectified;
  bool halves = false;  // packed so
};

struct Conv2DArgs {
  const float* weights;  // as packed by pack_conv2d
  const float* bias;     // n_out, padded with zeros to a whole vector
  std::size_t kernel_rows, kernel_columns, n_in, n_out;
  std::size_t row_step, column_step;  // strides
  std::size_t row_dilation, column_dilation;
  std::size_t pad_top, pad_left;  // zeros that lie before the first row and column of the input
  bool rectified;
};

struct PoolArgs {
  std::size_t pool_rows, pool_columns;
  std::size_t row_step, column_step;
  std::size_t pad_top, pad_left;  // places before the image, which count as -infinity
};

/// One 3x3 convolution, rectified, of a tower that is trained where its images are not empty. Strides are
/// floats from pixel to pixel: channels padded to whole vectors. Grids of the empty image are even: tiles of
/// 2x2.
struct TowerLayer {
  std::size_t rows, columns;            // pixels, input and output
  std::size_t tile_rows, tile_columns;  // tiles
  std::size_t n_in, n_out, in_stride, out_stride;
  bool first;               // on an image of one channel
  bool pooled;              // followed by a pooling of 2x2
  const float* weights;     // [16][n_in][out_stride], transformed; first: [9][out_stride]
  const float* transposed;  // [16][n_out][in_stride]
  const float* empty;       // [grid][out_stride]: sums that an empty image gives
  const float* empty_out;   // the same rectified, or [tile][out_stride] pooled
};

/// The tiles of one layer that are not empty.
struct TowerTiles {
  std::size_t n;
  const std::uint32_t* tile;   // [n] place among the tiles of an image
  const std::uint32_t* input;  // [n][16] rows of the table
  const float* table;          // [rows][in_stride], the last all zero
  float* output;               // [n or 4 n][out_stride]
  float* alive;                // [n][4][out_stride], 1 where a gradient flows
};

/// Sums that a layer's gradients are added to, but for `output`, which is read.
struct TowerGradients {
  const float* output;
  float* table;
  float* weights;  // as TowerLayer::weights
  float* empty;
  float* empty_out;
};

/// Positions to cells of equal size from `first` on, by a multiplication: what rounding could put on either
/// side of an edge is told as `unsure`. Beyond the ends there is no cell (-1), or on a ring it is unsure.
struct CellAxis {
  static constexpr std::int16_t unsure = -2;
  double first = 0;
  double cells_per_unit = 0;
  double size = 0;  // cells, at most 30,000: positions are good to 1e-11 of one
  bool ring = false;
};

struct Kernels {
  const char* name;   // "generic", "avx2", "avx512"
  std::size_t width;  // floats in a vector

  /// Is it faster to keep the weights in 16 bits? Only where all of them are bfloat16: no result changes.
  bool (*dense_halves)(const float* weights, std::size_t n_in, std::size_t n_out);
  /// Floats that the packed weights need; pack_* writes exactly that many.
  std::size_t (*dense_size)(std::size_t n_in, std::size_t n_out, bool halves);
  void (*pack_dense)(const float* weights, std::size_t n_in, std::size_t n_out, bool halves,
                     float* packed);  // from [out][in]
  void (*dense)(const DenseArgs& args, const float* x, float* y) noexcept;
  /// The same for each row of x, bit for bit. Up to a whole vector behind each row of y is overwritten.
  void (*dense_rows)(const DenseArgs& args, const View& x, const View& y) noexcept;

  std::size_t (*conv2d_size)(std::size_t taps, std::size_t n_in, std::size_t n_out);
  void (*pack_conv2d)(const float* weights, std::size_t taps, std::size_t n_in, std::size_t n_out,
                      float* packed);  // from [row][column][in][out]
  void (*conv2d)(const Conv2DArgs& args, const View& x, const View& y) noexcept;

  /// The same at n pixels of the output.
  void (*conv2d_at)(const Conv2DArgs& args, const View& x, const View& y, const Pixel* pixels,
                    std::size_t n) noexcept;

  void (*maxpool2d)(const PoolArgs& args, const View& x, const View& y) noexcept;
  void (*maxpool2d_at)(const PoolArgs& args, const View& x, const View& y, const Pixel* pixels,
                       std::size_t n) noexcept;

  /// y = function(x); those on_rows over all n. x == y is allowed.
  void (*activate)(Activation activation, const float* x, float* y, std::size_t n) noexcept;
  /// Gates that are summed together, from [gate][unit][in] to gates * pad * n_in floats; n_in counts the
  /// state.
  void (*pack_gates)(const float* weights, std::size_t gates, std::size_t n_in, std::size_t n, float* packed);
  /// A step changes the state h, of pad floats, and has a scratch of 3 * pad.
  /// One matrix, gates i f c o; behind h lies c.
  void (*lstm_step)(const StepArgs& args, const float* x, float* h, float* scratch) noexcept;
  /// The reset before the matrix: matrices of the gates z r h.
  void (*gru_step)(const StepArgs& args, const float* x, float* h, float* scratch) noexcept;
  /// The reset behind the matrix: matrices of the gates z r h, one behind the other; biases z r h and, of the
  /// state alone, h.
  void (*gru_reset_after_step)(const StepArgs& args, const float* x, float* h, float* scratch) noexcept;
  void (*simplernn_step)(const StepArgs& args, const float* x, float* h, float* scratch) noexcept;

  /// y = scale * (x + shift), each of n.
  void (*normalize)(const float* x, const float* scale, const float* shift, float* y, std::size_t n) noexcept;
  /// y += x.
  void (*add)(const float* x, float* y, std::size_t n) noexcept;
  /// y = float((x + offset[i * step]) * scale[i * step]) in double; step is 0 or 1. False if an x is NaN or
  /// infinite.
  bool (*prepare)(const float* x, const double* offset, const double* scale, std::size_t step, float* y,
                  std::size_t n) noexcept;

  /// A bit for each of n <= 64 elements that is not 0.
  std::uint64_t (*filled)(const float* x, std::size_t n) noexcept;
  /// Bits that are set in both of a[i] and b[at[i]], of n words.
  std::uint64_t (*common_at)(const std::uint64_t* a, const std::uint32_t* at, std::size_t n,
                             const std::uint64_t* b) noexcept;

  /// y[i] = combination(a[i * a_step], b[i * b_step]); a step is 0 or 1. y may be a or b.
  void (*combine)(Combination combination, const float* a, std::size_t a_step, const float* b,
                  std::size_t b_step, float* y, std::size_t n) noexcept;
  /// Of n > 0 elements.
  float (*reduce)(Reduction reduction, const float* x, std::size_t n) noexcept;
  void (*standardize)(Standard standard, float epsilon, const float* x, float* y, std::size_t n) noexcept;
  /// y[o] = sum over i of x[i] * matrix[i * stride + o].
  void (*row_times_matrix)(const float* x, std::size_t n_in, const float* matrix, std::size_t stride,
                           float* y, std::size_t n_out) noexcept;
  float (*dot)(const float* a, const float* b, std::size_t n) noexcept;

  /// The cell of each of n positions, or `unsure`; without a branch.
  void (*cells)(const CellAxis& axis, const double* position, std::int16_t* cell, std::size_t n) noexcept;
  /// Are the magnitudes of all n at most `limit`? False for NaN.
  bool (*within)(const double* x, double limit, std::size_t n) noexcept;

  /// In double precision, of vectors of `pad` doubles and matrices of pad rows: pad is a multiple of 8, and
  /// what lies behind the n first is 0. y = a b, element by element, each of so many doubles.
  void (*multiply_doubles)(const double* a, const double* b, double* y, std::size_t pad) noexcept;
  double (*dot_doubles)(const double* a, const double* b, std::size_t pad) noexcept;
  /// y = x matrix.
  void (*row_times_doubles)(const double* x, const double* matrix, double* y, std::size_t n,
                            std::size_t pad) noexcept;
  /// y = a diag(x) b.
  void (*chain_doubles)(const double* a, const double* x, const double* b, double* y, std::size_t n,
                        std::size_t pad) noexcept;

  /// Floats of scratch that the two below need.
  std::size_t (*tower_scratch)(const TowerLayer& layer);
  void (*tower_forward)(const TowerLayer& layer, const TowerTiles& tiles, float* scratch) noexcept;
  void (*tower_backward)(const TowerLayer& layer, const TowerTiles& tiles, const TowerGradients& gradients,
                         float* scratch) noexcept;
};

extern const Kernels generic;
#if defined(HEPML_X86)
extern const Kernels avx2;
extern const Kernels avx512;
#endif

}  // namespace hepml::kernels
