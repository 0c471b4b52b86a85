#include <algorithm>
#include <cstring>

#include "layers/strided.hpp"
#include "parse/text.hpp"

// Layers that move numbers and leave them as they are.
namespace hepml::layers {
namespace {

/// output[i, j, ...] = input[start + i * step_0 + j * step_1 ...]: axes are permuted, cut, reversed or
/// repeated. The axes of the output that stem from no axis of the input repeat it.
class Rearrange : public Operation {
 public:
  struct Axis {
    std::size_t source;  // of the input, or none
    std::size_t begin;
    std::ptrdiff_t step;
  };
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  Rearrange(Shape shape, Shape input, std::vector<Axis> axes)
      : Operation(std::move(shape)), input_(std::move(input)), axes_(std::move(axes)) {}
  void run(const View* inputs, const View& output, float*) const noexcept override {
    const Strided x = strided(input_, *inputs);
    const Strided y = strided(shape(), output);
    Strided from = y;
    const float* data = inputs->data;
    for (std::size_t i = 0; i < y.rank; ++i) {
      const Axis& axis = axes_[i];
      from.stride[i] = axis.source == none ? 0 : x.stride[axis.source] * axis.step;
      if (axis.source != none) data += x.stride[axis.source] * static_cast<std::ptrdiff_t>(axis.begin);
    }
    copy(data, from, output.data, y);
  }

 private:
  Shape input_;
  std::vector<Axis> axes_;
};

/// The same numbers in the same order under another shape.
class Reshape : public Operation {
 public:
  Reshape(Shape shape, std::size_t n) : Operation(std::move(shape)), n_(n) {}
  void run(const View* inputs, const View& output, float*) const noexcept override {
    const View& x = *inputs;
    const std::size_t in = x.columns * x.channels;
    const std::size_t out = output.columns * output.channels;
    for (std::size_t at = 0; at < n_;) {
      const std::size_t left = std::min(in - at % in, out - at % out);
      std::memcpy(output.data + at / out * output.row_stride + at % out,
                  x.data + at / in * x.row_stride + at % in, left * sizeof(float));
      at += left;
    }
  }

 private:
  std::size_t n_;
};

class Stack : public Operation {
 public:
  Stack(Shape shape, Shapes inputs, std::size_t axis)
      : Operation(std::move(shape)), inputs_(std::move(inputs)), axis_(axis) {}
  void run(const View* inputs, const View& output, float*) const noexcept override {
    Strided y = strided(shape(), output);
    float* to = output.data;
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const Strided x = strided(inputs_[i], inputs[i]);
      y.size[axis_] = x.size[axis_];
      copy(inputs[i].data, x, to, y);
      to += y.stride[axis_] * static_cast<std::ptrdiff_t>(x.size[axis_]);
    }
  }

 private:
  Shapes inputs_;
  std::size_t axis_;
};

}  // namespace

// `axes`: which axis of the input each axis of the output is.
Made make_transpose(const At& layer, const Shapes& inputs, const Kernels&) {
  const Shape& input = need_one(layer, inputs);
  need_fixed(layer, input);
  const At list = layer.member("axes");
  const std::vector<std::size_t> order = list.counts(0, input.size() - 1);
  std::vector<std::size_t> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 0; i < input.size(); ++i) {
    if (sorted.size() != input.size() || sorted[i] != i) {
      list.wrong("not an order of the axes", "each of 0 to " + std::to_string(input.size() - 1) + " once",
                 "[" + text::times(order) + "]");
    }
  }
  Shape shape;
  std::vector<Rearrange::Axis> axes;
  for (const std::size_t axis : order) {
    shape.push_back(input[axis]);
    axes.push_back({axis, 0, 1});
  }
  return {std::make_shared<Rearrange>(std::move(shape), input, std::move(axes)), {}};
}

// For each axis its first index `begin`, the `step` from one to the next, and how many: `shape`. In a
// sequence of any length the steps are all taken: begin 0, step 1 and any size.
Made make_slice(const At& layer, const Shapes& inputs, const Kernels&) {
  const Shape& input = need_one(layer, inputs);
  need_axes(layer, input);
  Shape shape = read_shape(layer);
  const std::vector<std::size_t> begin = layer.member("begin").counts(0, most_elements);
  const At steps = layer.member("step");
  if (shape.size() != input.size() || begin.size() != input.size() || steps.size() != input.size()) {
    layer.wrong("a slice of another rank than its input", std::to_string(input.size()) + " axes",
                std::to_string(shape.size()) + " axes");
  }
  std::vector<Rearrange::Axis> axes;
  for (std::size_t i = 0; i < input.size(); ++i) {
    const double step = steps.item(i).number();
    const double last = static_cast<double>(begin[i]) + step * static_cast<double>(shape[i] - 1);
    const bool whole = input[i] == any_steps && begin[i] == 0 && step == 1.0;
    if (whole) shape[i] = any_steps;
    if (!whole && (begin[i] >= input[i] || input[i] == any_steps ||
                   !(last >= 0 && last < static_cast<double>(input[i])) ||
                   step != static_cast<double>(static_cast<int>(std::clamp(step, -1e9, 1e9))))) {
      layer.wrong("a slice beyond its input", "indices inside of " + describe(input),
                  "from " + std::to_string(begin[i]) + " to " + text::number(last) + " along axis " +
                      std::to_string(i));
    }
    axes.push_back({i, begin[i], static_cast<std::ptrdiff_t>(step)});
  }
  return {std::make_shared<Rearrange>(std::move(shape), input, std::move(axes)), {}};
}

// The input repeated along axes of length 1, or new ones in front, up to `shape`.
Made make_broadcast(const At& layer, const Shapes& inputs, const Kernels&) {
  const Shape& input = need_one(layer, inputs);
  need_fixed(layer, input);
  Shape shape = read_shape(layer);
  std::vector<Rearrange::Axis> axes(shape.size(), Rearrange::Axis{Rearrange::none, 0, 0});
  for (std::size_t i = 0; i < input.size(); ++i) {
    const std::size_t at = shape.size() - input.size() + i;
    if (input.size() > shape.size() || (input[i] != 1 && input[i] != shape[at]))
      layer.wrong("a shape that the input does not repeat to", describe(input), describe(shape));
    if (input[i] != 1) axes[at] = {i, 0, 1};
  }
  return {std::make_shared<Rearrange>(std::move(shape), input, std::move(axes)), {}};
}

Made make_reshape(const At& layer, const Shapes& inputs, const Kernels&) {
  const Shape& input = need_one(layer, inputs);
  need_fixed(layer, input);
  Shape shape = read_shape(layer);
  const std::size_t n = elements(input, layer);
  if (elements(shape, layer) != n)
    layer.wrong("a shape of another size than the input", describe(input), describe(shape));
  return {std::make_shared<Reshape>(std::move(shape), n), {}};
}

// Along one axis; all others are the same.
Made make_stack(const At& layer, const Shapes& inputs, const Kernels&) {
  Shape shape = inputs[0];
  need_axes(layer, shape);
  const std::size_t axis = layer.member("axis").count(0, shape.size() - 1);
  if (axis == 0 && is_dynamic(shape)) need_fixed(layer, shape);
  shape[axis] = 0;
  for (const Shape& input : inputs) {
    Shape other = input;
    if (axis < other.size()) other[axis] = 0;
    Shape same = shape;
    same[axis] = 0;
    if (other != same || input[axis] == any_steps) {
      layer.wrong("inputs that cannot be concatenated",
                  "equal shapes but for axis " + std::to_string(axis) + ": " + describe(inputs[0]),
                  describe(input));
    }
    shape[axis] += input[axis];
    elements(shape, layer);
  }
  return {std::make_shared<Stack>(std::move(shape), inputs, axis), {}};
}

}  // namespace hepml::layers
