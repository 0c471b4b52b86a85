#pragma once

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

/// {n} for a vector, {rows, columns, channels} for an image.
using Shape = std::vector<std::size_t>;

constexpr std::size_t most_elements = std::size_t{1} << 27;  // of one tensor: 512 MiB

/// Product of the dimensions; throws Error (schema) at `where` beyond most_elements.
std::size_t elements(const Shape& shape, const At& where);
/// "a vector of 5", "an image of 31 x 31 x 1".
std::string describe(const Shape& shape);

/// Zeros around an image.
struct Border {
  std::size_t top = 0, left = 0, bottom = 0, right = 0;
};

/// Something that computes one tensor from others; immutable once made, for one shape of input.
class Operation {
 public:
  virtual ~Operation() = default;
  virtual void run(const View* inputs, const View& output) const noexcept = 0;
  const Shape& shape() const noexcept { return shape_; }     ///< of the output
  const Border& border() const noexcept { return border_; }  ///< zeros that it needs around its input
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
  std::shared_ptr<Operation> operation;
  Activation activation;
};

/// The layer that the JSON describes, for one shape of input. Throws Error.
Made make_layer(const At& layer, const Shape& input, const Kernels& kernels);

/// Architectures that make_layer knows.
std::vector<std::string> known_layers();

/// The key `activation`: a lwtnn name, or {"function": name, "alpha": number}.
Activation read_activation(const At& layer);

// The makers, one a file.
Made make_dense(const At& layer, const Shape& input, const Kernels& kernels);
Made make_conv2d(const At& layer, const Shape& input, const Kernels& kernels);
Made make_maxpooling2d(const At& layer, const Shape& input, const Kernels& kernels);
Made make_flatten(const At& layer, const Shape& input, const Kernels& kernels);
Made make_normalization(const At& layer, const Shape& input, const Kernels& kernels);

// Operations of nodes, not of layers.
std::shared_ptr<Operation> make_activate(Activation activation, const Shape& input, const Kernels& kernels);
std::shared_ptr<Operation> make_concatenate(const std::vector<Shape>& inputs, const At& node);
std::shared_ptr<Operation> make_add(const std::vector<Shape>& inputs, const At& node, const Kernels& kernels);

/// y = scale * (x + shift).
std::shared_ptr<Operation> make_affine(std::vector<float> scale, std::vector<float> shift,
                                       const Kernels& kernels);

// What layers share.
const Shape& need_vector(const At& layer, const Shape& input);
const Shape& need_image(const At& layer, const Shape& input);
/// Where a window of `reach` places with a step lies on `size` places.
struct Window {
  std::size_t output, before, after;  // places of output, padding before and after
};
/// TensorFlow's rule: "same" gives ceil(size / step) and pads the smaller half before; "valid" pads nothing.
Window place_window(const At& layer, std::size_t size, std::size_t reach, std::size_t step);

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
