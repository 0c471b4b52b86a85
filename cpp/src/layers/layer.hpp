#pragma once

#include <hepml/model.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "kernels/kernels.hpp"
#include "parse/json.hpp"

// A layer is a file here, named as in Keras, and a row in the table of registry.cpp.
namespace hepml::layers {

using kernels::Activation;
using kernels::Function;
using kernels::Kernels;
using kernels::View;
using parse::At;

/// {n} for a vector, {steps, n} for a sequence, {rows, columns, channels} for an image, more for a volume.
/// The steps of a sequence may be any_steps: each event has its own number.
using Shape = std::vector<std::size_t>;

constexpr std::size_t most_elements = std::size_t{1} << 27;  // of one tensor: 512 MiB

/// Product of the dimensions, any_steps counted as 1; throws Error (schema) at `where` beyond most_elements.
std::size_t elements(const Shape& shape, const At& where);
/// The same without a limit, with `steps` for any_steps.
double places(const Shape& shape, std::size_t steps) noexcept;

/// Only the first axis of a sequence may be any_steps; throws Error (unsupported) at `where`.
void check_shape(const Shape& shape, const At& where);
/// "a vector of 5", "a sequence of any x 3", "an image of 31 x 31 x 1".
std::string describe(const Shape& shape);
bool is_dynamic(const Shape& shape) noexcept;

constexpr std::size_t no_steps = static_cast<std::size_t>(-1);

/// Zeros around an image; a sequence is an image of one row and has them left and right.
struct Border {
  std::size_t top = 0, left = 0, bottom = 0, right = 0;
};

/// Which places of an axis an output place depends on: place * step - before and the `reach` - 1 behind it.
struct Reach {
  std::size_t reach = 1, step = 1, before = 0;
};

/// Something that computes one tensor from others; immutable once made, for fixed shapes of its inputs.
class Operation {
 public:
  virtual ~Operation() = default;
  /// `scratch` is the floats that scratch() asked for, aligned to 64 bytes, with no content kept.
  virtual void run(const View* inputs, const View& output, float* scratch) const noexcept = 0;
  /// Is it faster on many vectors at once? Then run_rows() does that: a row of `input` and of `output` is an
  /// event, a multiple of 16 floats from the next, and gets the bits that run() gives.
  virtual bool has_rows() const noexcept { return false; }
  virtual void run_rows(const View& input, const View& output) const noexcept {
    static_cast<void>(input);
    static_cast<void>(output);
  }
  /// Steps of the output where they depend on the event, given those of the first input; no_steps if there
  /// are too few.
  virtual std::size_t steps(std::size_t n) const noexcept { return n; }
  /// The input whose number of steps an input has to have, of sequences whose steps depend on the event.
  virtual std::size_t steps_like(std::size_t input) const noexcept {
    static_cast<void>(input);
    return 0;
  }
  /// Floats of scratch, given the most steps of any input (1 if none has steps).
  virtual std::size_t scratch(std::size_t most_steps) const noexcept {
    static_cast<void>(most_steps);
    return 0;
  }
  /// Multiplications of an event, or what takes as long, beyond touching inputs and output once; `steps`
  /// are the most of an input or output whose steps depend on the event.
  virtual double work(std::size_t steps) const noexcept {
    static_cast<void>(steps);
    return 0;
  }
  /// Can it compute single pixels of an image from a neighbourhood of one input image? Then run_at() does,
  /// and rows() and columns() say which neighbourhood.
  virtual bool is_local() const noexcept { return false; }
  virtual void run_at(const View& input, const View& output, const kernels::Pixel* pixels,
                      std::size_t n) const noexcept {
    static_cast<void>(input);
    static_cast<void>(output);
    static_cast<void>(pixels);
    static_cast<void>(n);
  }
  /// The share of the pixels from which run() takes no longer than run_at().
  virtual double dense_from() const noexcept { return 0.75; }
  virtual Reach rows() const noexcept { return {}; }
  virtual Reach columns() const noexcept { return {}; }
  const Shape& shape() const noexcept { return shape_; }     ///< of the output
  const Border& border() const noexcept { return border_; }  ///< zeros that it needs around its input
  /// What NaN in its input means: an event without an answer, a missing value that it has an answer for, or
  /// whatever it means to the readers of its output.
  enum class Missing : char { spoils, answered, passed };
  virtual Missing missing() const noexcept { return Missing::spoils; }
  /// Apply the rectifier in the same pass, where the kernel can.
  virtual bool fuse_rectified() noexcept { return false; }

 protected:
  explicit Operation(Shape shape, Border border = {}) : shape_(std::move(shape)), border_(border) {}

 private:
  Shape shape_;
  Border border_;
};

/// A layer of the file is a linear operation (or none) and the activation behind it.
struct Made {
  std::shared_ptr<Operation> operation{};
  Activation activation{};
  bool activates = false;  // the operation is itself an activation: its input are the logits
  /// Of trees, on the tensor that `operation` gives: the margins, and what the link makes of them (if any).
  std::shared_ptr<Operation> margin{}, link{};
};

using Shapes = std::vector<Shape>;

/// The layer that the JSON describes, for the shapes of its inputs. Throws Error.
Made make_layer(const At& layer, const Shapes& inputs, const Kernels& kernels);

/// Architectures that make_layer knows.
std::vector<std::string> known_layers();

/// The key `activation`: a name, or {"function": name, "alpha": number, "low": number, "high": number}.
Activation read_activation(const At& layer, const char* key = "activation");

// The makers, by name; a file has one, or a family of them.
Made make_attention(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_averagepooling1d(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_averagepooling2d(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_averagepooling3d(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_broadcast(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_combine(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_conv1d(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_conv1dtranspose(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_conv2d(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_conv2dtranspose(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_conv3d(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_conv3dtranspose(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_cropping(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_dense(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_depthwiseconv1d(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_depthwiseconv2d(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_embedding(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_flatten(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_gather(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_globalaveragepooling(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_globalmaxpooling(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_groupedconv1d(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_groupedconv2d(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_gru(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_highway(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_lstm(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_masking(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_matmul(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_maxout(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_maxpooling1d(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_maxpooling2d(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_maxpooling3d(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_normalization(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_perceptron(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_reduce(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_reshape(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_reverse(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_simplernn(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_slice(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_softmax(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_stack(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_standardize(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_tables(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_transpose(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_upsampling(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_weighted_median(const At& layer, const Shapes& inputs, const Kernels& kernels);
Made make_zeropadding(const At& layer, const Shapes& inputs, const Kernels& kernels);
/// Architectures of make_combine.
std::vector<std::string> combinations();
Made make_trees(const At& layer, const Shapes& inputs, const Kernels& kernels);

// Operations of nodes, not of layers.
std::shared_ptr<Operation> make_activate(Activation activation, const Shape& input, const Kernels& kernels);
std::shared_ptr<Operation> make_concatenate(const Shapes& inputs, const At& node);
std::shared_ptr<Operation> make_add(const Shapes& inputs, const At& node, const Kernels& kernels);
/// The last step of a sequence; zeros if it has none.
std::shared_ptr<Operation> make_last(const Shape& input);
/// Over the steps of a sequence.
std::shared_ptr<Operation> make_sum(const Shape& input, const Kernels& kernels);
/// An operation on vectors applied to each pixel of an image or step of a sequence.
std::shared_ptr<Operation> make_each(std::shared_ptr<Operation> operation, const Shape& input);

/// W x + b of a component with the keys weights and bias, on a vector. Throws Error.
std::shared_ptr<Operation> make_linear(const At& at, const Shape& input, const Kernels& kernels);

/// y = scale * (x + shift) along the last axis.
std::shared_ptr<Operation> make_affine(std::vector<float> scale, std::vector<float> shift, const Shape& input,
                                       const Kernels& kernels);

// What layers share.
/// The only input of a layer.
const Shape& need_one(const At& layer, const Shapes& inputs);
const Shape& need_vector(const At& layer, const Shapes& inputs);
const Shape& need_sequence(const At& layer, const Shapes& inputs);
const Shape& need_image(const At& layer, const Shapes& inputs);
/// How a window of `reach` places that moves by `step` meets the ends. TensorFlow's rules: "same" gives
/// ceil(size / step) places and pads the smaller half before, "valid" pads nothing, "causal" pads before
/// only.
struct Window {
  enum class Padding : char { valid, same, causal };
  std::size_t reach, step;
  Padding padding;
  /// Places of output on `size` places; no_steps if the window does not fit.
  std::size_t output(std::size_t size) const noexcept;
  std::size_t before(std::size_t size) const noexcept;  ///< padding
  std::size_t after(std::size_t size) const noexcept;
};
/// With the layer's key "padding"; only sequences may be padded causally.
Window read_window(const At& layer, std::size_t reach, std::size_t step, bool causal);
/// output(size), or any_steps where size is; throws Error (schema) if the window does not fit.
std::size_t need_places(const At& layer, const Window& window, std::size_t size);

/// Floats aligned to 64 bytes.
class Floats {
 public:
  Floats() = default;
  explicit Floats(std::size_t size);  // zeros
  float* data() noexcept { return data_.get(); }
  const float* data() const noexcept { return data_.get(); }

 private:
  struct Free {
    void operator()(float* p) const noexcept;
  };
  std::unique_ptr<float[], Free> data_;
};

/// n values and zeros up to a whole number of vectors.
Floats padded(const std::vector<float>& values, std::size_t n, std::size_t width);

}  // namespace hepml::layers
