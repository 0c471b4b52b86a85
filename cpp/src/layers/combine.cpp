#include <algorithm>

#include "layers/strided.hpp"
#include "parse/text.hpp"

// Tensors combined element by element: Add, Multiply, Maximum ... The shapes are matched from the last axis;
// an axis of length 1 is repeated, as in NumPy.
namespace hepml::layers {
namespace {

using kernels::Combination;

struct Row {
  const char* name;
  Combination combination;
  std::size_t most;  // operands
  bool mean;
};

constexpr std::size_t many = static_cast<std::size_t>(-1);
constexpr Row table[] = {
    {"add", Combination::add, many, false},
    {"arctan2", Combination::arctan2, 2, false},
    {"average", Combination::add, many, true},
    {"divide", Combination::divide, 2, false},
    {"drop", Combination::drop, 2, false},
    {"equal", Combination::equal, 2, false},
    {"greater", Combination::greater, 2, false},
    {"greater_equal", Combination::greater_equal, 2, false},
    {"keep", Combination::keep, 2, false},
    {"maximum", Combination::maximum, many, false},
    {"minimum", Combination::minimum, many, false},
    {"multiply", Combination::multiply, many, false},
    {"not_equal", Combination::not_equal, 2, false},
    {"power", Combination::power, 2, false},
    {"prelu", Combination::prelu, 2, false},
    {"squared_difference", Combination::squared_difference, 2, false},
    {"subtract", Combination::subtract, 2, false},
};

class Combine : public Operation {
 public:
  Combine(const Row& row, Shape shape, Shapes operands, std::vector<float> constant, bool first,
          const Kernels& kernels)
      : Operation(std::move(shape)),
        row_(row),
        operands_(std::move(operands)),
        constant_(std::move(constant)),
        constant_at_(constant_.empty() ? many
                     : first           ? 0
                                       : operands_.size() - 1),
        kernels_(kernels) {}

  void run(const View* inputs, const View& output, float*) const noexcept override {
    const Strided y = strided(shape(), output);
    const Operand first = operand(0, inputs, y);
    if (operands_.size() == 1) copy(first.data, first.places, output.data, y);
    for (std::size_t i = 1; i < operands_.size(); ++i) {
      const Operand next = operand(i, inputs, y);
      combine(row_.combination, i == 1 ? first : Operand{output.data, y}, next, output.data, y);
    }
    if (!row_.mean) return;
    const auto n = static_cast<float>(operands_.size());
    combine(Combination::divide, {output.data, y}, {&n, spread(packed({1}), y)}, output.data, y);
  }
  double work(std::size_t steps) const noexcept override {
    return places(shape(), steps) * static_cast<double>(operands_.size());
  }

 private:
  struct Operand {
    const float* data;
    Strided places;
  };

  Operand operand(std::size_t i, const View* inputs, const Strided& y) const noexcept {
    const Shape& shape = operands_[i];
    if (i == constant_at_) return {constant_.data(), spread(packed(shape), y)};
    const View& view = inputs[constant_at_ < i ? i - 1 : i];
    return {view.data, spread(strided(shape, view), y)};
  }

  void combine(Combination combination, const Operand& a, const Operand& b, float* to,
               const Strided& y) const noexcept {
    Walk<3> walk;
    for (std::size_t i = 0; i < y.rank; ++i)
      walk.axis(y.size[i], y.stride[i], a.places.stride[i], b.places.stride[i]);
    std::ptrdiff_t steps[3] = {1, 1, 1};
    const std::ptrdiff_t* inner = walk.innermost_steps();
    const bool together = inner != nullptr && inner[0] == 1 && (inner[1] == 0 || inner[1] == 1) &&
                          (inner[2] == 0 || inner[2] == 1);
    const std::size_t n = together ? walk.innermost(steps) : 1;
    walk.run([&](const std::ptrdiff_t* at) {
      kernels_.combine(combination, a.data + at[1], static_cast<std::size_t>(steps[1]), b.data + at[2],
                       static_cast<std::size_t>(steps[2]), to + at[0], n);
    });
  }

  const Row& row_;
  Shapes operands_;
  std::vector<float> constant_;
  std::size_t constant_at_;
  const Kernels& kernels_;
};

/// The common shape of the operands.
Shape common(const At& layer, const Shapes& operands) {
  Shape shape;
  for (const Shape& operand : operands) shape.resize(std::max(shape.size(), operand.size()), 1);
  for (const Shape& operand : operands) {
    for (std::size_t i = 0; i < operand.size(); ++i) {
      std::size_t& size = shape[shape.size() - operand.size() + i];
      if (operand[i] == 1 || operand[i] == size) continue;
      if (size != 1)
        layer.wrong("inputs whose shapes do not match", describe(operands[0]), describe(operand));
      size = operand[i];
    }
  }
  need_axes(layer, shape);
  elements(shape, layer);
  return shape;
}

}  // namespace

std::vector<std::string> combinations() {
  std::vector<std::string> names;
  for (const Row& row : table) names.emplace_back(row.name);
  return names;
}

// With `weights` of `shape` one operand is constant: the last, or with `first` the first.
Made make_combine(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  const std::string& name = layer.member("architecture").string();
  const Row& row =
      *std::find_if(std::begin(table), std::end(table), [&](const Row& r) { return name == r.name; });
  Shapes operands = inputs;
  std::vector<float> constant;
  const bool first = layer.has("first") && layer.member("first").boolean();
  if (layer.has("weights")) {
    Shape shape = read_shape(layer);
    constant = layer.member("weights").floats();
    if (constant.size() != elements(shape, layer)) {
      layer.member("weights").wrong("the weights do not fit their shape",
                                    std::to_string(elements(shape, layer)) + " values",
                                    std::to_string(constant.size()));
    }
    operands.insert(first ? operands.begin() : operands.end(), std::move(shape));
  }
  if (operands.size() < 2 || operands.size() > row.most) {
    layer.wrong("a wrong number of inputs of the layer", row.most == 2 ? "2" : "at least 2",
                std::to_string(operands.size()));
  }
  Shape shape = common(layer, operands);
  if (is_dynamic(shape) && !is_dynamic(inputs[0])) {
    layer.wrong("the first input has to be the sequence of any length", describe(shape), describe(inputs[0]));
  }
  return {std::make_shared<Combine>(row, std::move(shape), std::move(operands), std::move(constant), first,
                                    kernels),
          {}};
}

}  // namespace hepml::layers
