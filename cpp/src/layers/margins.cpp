#include <cstring>

#include "layers/strided.hpp"
#include "parse/text.hpp"

// Layers that give an image other margins, or repeat its pixels.
namespace hepml::layers {
namespace {

/// A block of the input at a place of the output; zeros around it.
class Shifted : public Operation {
 public:
  /// `from` and `to`: the first index of the block along each axis, in the input and in the output.
  Shifted(Shape shape, Shape input, Shape block, Shape from, Shape to)
      : Operation(std::move(shape)),
        input_(std::move(input)),
        block_(std::move(block)),
        from_(std::move(from)),
        to_(std::move(to)) {}
  void run(const View* inputs, const View& output, float*) const noexcept override {
    for (std::size_t row = 0; block_ != shape() && row < output.rows; ++row) {
      std::memset(output.data + row * output.row_stride, 0, output.columns * output.channels * sizeof(float));
    }
    Strided x = strided(input_, *inputs);
    Strided y = strided(shape(), output);
    const float* from = inputs->data;
    float* to = output.data;
    for (std::size_t i = 0; i < y.rank; ++i) {
      x.size[i] = y.size[i] = block_[i];
      from += x.stride[i] * static_cast<std::ptrdiff_t>(from_[i]);
      to += y.stride[i] * static_cast<std::ptrdiff_t>(to_[i]);
    }
    copy(from, x, to, y);
  }

 private:
  Shape input_, block_, from_, to_;
};

/// Each place of the input, so many times along each axis.
class Repeat : public Operation {
 public:
  Repeat(Shape shape, Shape input, std::vector<std::size_t> times)
      : Operation(std::move(shape)), input_(std::move(input)), times_(std::move(times)) {}
  void run(const View* inputs, const View& output, float*) const noexcept override {
    const Strided x = strided(input_, *inputs);
    const Strided y = strided(shape(), output);
    Walk<2> walk;  // two axes for each but the channels
    for (std::size_t i = 0; i < times_.size(); ++i) {
      walk.axis(x.size[i], y.stride[i] * static_cast<std::ptrdiff_t>(times_[i]), x.stride[i]);
      walk.axis(times_[i], y.stride[i], 0);
    }
    const std::size_t n = output.channels * sizeof(float);
    walk.run([&](const std::ptrdiff_t* at) { std::memcpy(output.data + at[0], inputs->data + at[1], n); });
  }

 private:
  Shape input_;
  std::vector<std::size_t> times_;
};

/// A sequence, an image or a volume of fixed size.
const Shape& need_places(const At& layer, const Shapes& inputs) {
  const Shape& input = need_one(layer, inputs);
  need_fixed(layer, input);
  if (input.size() < 2 || input.size() > 4) {
    layer.wrong("the layer works on another kind of tensor", "one to three axes and channels",
                describe(input));
  }
  return input;
}

/// [before, after] of each axis but the channels.
std::vector<std::pair<std::size_t, std::size_t>> read_margins(const At& layer, const char* key,
                                                              const Shape& input) {
  const At list = layer.member(key);
  if (list.size() != input.size() - 1) {
    list.wrong("not a pair for each axis", std::to_string(input.size() - 1) + " pairs",
               std::to_string(list.size()));
  }
  std::vector<std::pair<std::size_t, std::size_t>> margins;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto pair = list.item(i).counts(0, std::size_t{1} << 20);
    if (pair.size() != 2) list.item(i).wrong("not a pair", "[before, after]", text::times(pair));
    margins.emplace_back(pair[0], pair[1]);
  }
  return margins;
}

}  // namespace

Made make_zeropadding(const At& layer, const Shapes& inputs, const Kernels&) {
  const Shape& input = need_places(layer, inputs);
  const auto margins = read_margins(layer, "padding", input);
  Shape shape = input;
  Shape to(input.size(), 0);
  for (std::size_t i = 0; i < margins.size(); ++i) {
    to[i] = margins[i].first;
    shape[i] += margins[i].first + margins[i].second;
  }
  elements(shape, layer);
  return {std::make_shared<Shifted>(std::move(shape), input, input, Shape(input.size(), 0), std::move(to)),
          {}};
}

Made make_cropping(const At& layer, const Shapes& inputs, const Kernels&) {
  const Shape& input = need_places(layer, inputs);
  const auto margins = read_margins(layer, "cropping", input);
  Shape shape = input;
  Shape from(input.size(), 0);
  for (std::size_t i = 0; i < margins.size(); ++i) {
    const std::size_t cut = margins[i].first + margins[i].second;
    if (cut >= input[i]) {
      layer.member("cropping")
          .wrong("nothing is left", "less than " + std::to_string(input[i]), std::to_string(cut));
    }
    from[i] = margins[i].first;
    shape[i] -= cut;
  }
  const Shape block = shape;
  return {std::make_shared<Shifted>(std::move(shape), input, block, std::move(from), Shape(input.size(), 0)),
          {}};
}

Made make_upsampling(const At& layer, const Shapes& inputs, const Kernels&) {
  const Shape& input = need_places(layer, inputs);
  const auto size = layer.member("size").counts(1, 4096);
  if (size.size() != input.size() - 1)
    layer.member("size").wrong("not one number an axis", std::to_string(input.size() - 1), text::times(size));
  Shape shape = input;
  for (std::size_t i = 0; i < size.size(); ++i) shape[i] *= size[i];
  elements(shape, layer);
  return {std::make_shared<Repeat>(std::move(shape), input, size), {}};
}

namespace {

class Reverse : public Operation {
 public:
  explicit Reverse(const Shape& shape) : Operation(shape) {}
  void run(const View* inputs, const View& output, float*) const noexcept override {
    const std::size_t n = output.channels;
    for (std::size_t i = 0; i < output.columns; ++i)
      std::memcpy(output.data + i * n, inputs->data + (output.columns - 1 - i) * n, n * sizeof(float));
  }
};

}  // namespace

// The steps of a sequence from the last to the first.
Made make_reverse(const At& layer, const Shapes& inputs, const Kernels&) {
  return {std::make_shared<Reverse>(need_sequence(layer, inputs)), {}};
}

}  // namespace hepml::layers
