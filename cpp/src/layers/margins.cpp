#include <algorithm>
#include <cstdint>
#include <cstring>

#include "layers/layer.hpp"
#include "parse/text.hpp"

// Layers that move numbers: every element of the output is one of the input, or 0. A table says which.
namespace hepml::layers {
namespace {

constexpr std::uint32_t nothing = static_cast<std::uint32_t>(-1);

class Rearrange : public Operation {
 public:
  Rearrange(Shape shape, std::vector<std::uint32_t> from)
      : Operation(std::move(shape)), from_(std::move(from)) {}
  void run(const View* inputs, const View& output, float* scratch) const noexcept override {
    const std::size_t in_row = inputs->columns * inputs->channels;
    const std::size_t out_row = output.columns * output.channels;
    for (std::size_t row = 0; row < inputs->rows; ++row)
      std::memcpy(scratch + row * in_row, inputs->data + row * inputs->row_stride, in_row * sizeof(float));
    const std::uint32_t* from = from_.data();
    for (std::size_t row = 0; row < output.rows; ++row) {
      float* to = output.data + row * output.row_stride;
      for (std::size_t i = 0; i < out_row; ++i, ++from) to[i] = *from == nothing ? 0.0F : scratch[*from];
    }
  }
  std::size_t scratch(std::size_t) const noexcept override { return n_in; }
  std::size_t n_in = 0;

 private:
  std::vector<std::uint32_t> from_;
};

const Shape& need_fixed(const At& layer, const Shapes& inputs) {
  const Shape& input = need_one(layer, inputs);
  if (is_dynamic(input))
    layer.wrong("the layer needs to know the number of steps", "fixed steps", describe(input));
  return input;
}

/// `source` gives for a place of the output the place of the input, or false for a 0.
template <class Source>
Made rearranged(const At& layer, const Shape& input, Shape shape, Source source) {
  if (shape.size() > 4) layer.wrong("a tensor of too many dimensions", "at most 4", describe(shape));
  const std::size_t n = elements(shape, layer);
  std::vector<std::uint32_t> from(n);
  Shape place(shape.size(), 0), at(input.size(), 0);
  for (std::size_t i = 0; i < n; ++i) {
    std::size_t rest = i;
    for (std::size_t axis = shape.size(); axis-- > 0; rest /= shape[axis]) place[axis] = rest % shape[axis];
    from[i] = nothing;
    if (!source(place, at)) continue;
    std::size_t index = 0;
    for (std::size_t axis = 0; axis < input.size(); ++axis) index = index * input[axis] + at[axis];
    from[i] = static_cast<std::uint32_t>(index);
  }
  auto operation = std::make_shared<Rearrange>(std::move(shape), std::move(from));
  operation->n_in = elements(input, layer);
  return {std::move(operation), {}};
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
  const Shape& input = need_fixed(layer, inputs);
  const auto margins = read_margins(layer, "padding", input);
  Shape shape = input;
  for (std::size_t i = 0; i < margins.size(); ++i) shape[i] += margins[i].first + margins[i].second;
  return rearranged(layer, input, shape, [&](const Shape& place, Shape& at) {
    at = place;
    for (std::size_t i = 0; i < margins.size(); ++i) {
      if (place[i] < margins[i].first || place[i] - margins[i].first >= input[i]) return false;
      at[i] = place[i] - margins[i].first;
    }
    return true;
  });
}

Made make_cropping(const At& layer, const Shapes& inputs, const Kernels&) {
  const Shape& input = need_fixed(layer, inputs);
  const auto margins = read_margins(layer, "cropping", input);
  Shape shape = input;
  for (std::size_t i = 0; i < margins.size(); ++i) {
    const std::size_t cut = margins[i].first + margins[i].second;
    if (cut >= input[i]) {
      layer.member("cropping")
          .wrong("nothing is left", "less than " + std::to_string(input[i]), std::to_string(cut));
    }
    shape[i] -= cut;
  }
  return rearranged(layer, input, shape, [&](const Shape& place, Shape& at) {
    at = place;
    for (std::size_t i = 0; i < margins.size(); ++i) at[i] += margins[i].first;
    return true;
  });
}

Made make_upsampling(const At& layer, const Shapes& inputs, const Kernels&) {
  const Shape& input = need_fixed(layer, inputs);
  const auto size = layer.member("size").counts(1, 4096);
  if (size.size() != input.size() - 1)
    layer.member("size").wrong("not one number an axis", std::to_string(input.size() - 1), text::times(size));
  Shape shape = input;
  for (std::size_t i = 0; i < size.size(); ++i) shape[i] *= size[i];
  return rearranged(layer, input, shape, [&](const Shape& place, Shape& at) {
    at = place;
    for (std::size_t i = 0; i < size.size(); ++i) at[i] /= size[i];
    return true;
  });
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
