#include <algorithm>

#include "layers/strided.hpp"
#include "parse/text.hpp"

// Layers that take all numbers along one or more axes together: softmax over them, their mean, their scale.
namespace hepml::layers {
namespace {

using kernels::Reduction;
using kernels::Standard;

/// The places along the axes (inner), and those of the other axes (outer).
struct Parts {
  Walk<2> outer;
  Walk<2> inner;
  std::size_t n = 1;  // inner places
};

Parts split(const Strided& x, const Strided& y, const std::vector<std::size_t>& axes) noexcept {
  Parts parts;
  for (std::size_t i = 0, next = 0; i < x.rank; ++i) {
    if (next < axes.size() && axes[next] == i) {
      ++next;
      parts.inner.axis(x.size[i], x.stride[i], y.stride[i]);
      parts.n *= x.size[i];
    } else {
      parts.outer.axis(x.size[i], x.stride[i], y.stride[i]);
    }
  }
  return parts;
}

/// Are the inner places neighbours, in both tensors?
bool together(const Parts& parts) noexcept {
  Walk<2> inner = parts.inner;
  std::ptrdiff_t steps[2];
  return inner.innermost(steps) == parts.n && steps[0] == 1 && steps[1] == 1;
}

std::size_t most_places(const Shape& input, const std::vector<std::size_t>& axes, std::size_t most_steps) {
  std::size_t n = 1;
  for (const std::size_t axis : axes) n *= input[axis] == any_steps ? most_steps : input[axis];
  return n;
}

/// A function of rows, over any axes.
template <class Function>
class OnRows : public Operation {
 public:
  OnRows(Function function, const Shape& shape, std::vector<std::size_t> axes)
      : Operation(shape), function_(function), axes_(std::move(axes)) {}
  std::size_t scratch(std::size_t most_steps) const noexcept override {
    return most_places(shape(), axes_, most_steps);
  }
  void run(const View* inputs, const View& output, float* scratch) const noexcept override {
    const Parts parts = split(strided(shape(), *inputs), strided(shape(), output), axes_);
    if (parts.n == 0) return;  // a sequence without steps
    const bool direct = together(parts);
    parts.outer.run([&](const std::ptrdiff_t* at) {
      const float* x = inputs->data + at[0];
      float* y = output.data + at[1];
      if (direct) {
        function_(x, y, parts.n);
        return;
      }
      std::size_t i = 0;
      parts.inner.run([&](const std::ptrdiff_t* k) { scratch[i++] = x[k[0]]; });
      function_(scratch, scratch, parts.n);
      i = 0;
      parts.inner.run([&](const std::ptrdiff_t* k) { y[k[1]] = scratch[i++]; });
    });
  }

 private:
  Function function_;
  std::vector<std::size_t> axes_;
};

template <class Function>
std::shared_ptr<Operation> on_rows(Function function, const Shape& shape, std::vector<std::size_t> axes) {
  return std::make_shared<OnRows<Function>>(function, shape, std::move(axes));
}

class Reduce : public Operation {
 public:
  Reduce(Reduction reduction, Shape shape, Shape kept, Shape input, std::vector<std::size_t> axes,
         const Kernels& kernels)
      : Operation(std::move(shape)),
        reduction_(reduction),
        kept_(std::move(kept)),
        input_(std::move(input)),
        axes_(std::move(axes)),
        kernels_(kernels) {}
  std::size_t scratch(std::size_t most_steps) const noexcept override {
    return most_places(input_, axes_, most_steps);
  }
  void run(const View* inputs, const View& output, float* scratch) const noexcept override {
    const Strided x = strided(input_, *inputs);
    // the places of the output, with its axes of length 1 where the input has those that go
    Strided y = x;
    const Strided places = strided(shape(), output);
    for (std::size_t i = 0, next = 0, out = 0; i < x.rank; ++i) {
      const bool gone = next < axes_.size() && axes_[next] == i;
      next += gone ? 1 : 0;
      y.stride[i] = gone ? 0 : places.stride[out];
      out += gone && shape().size() != kept_.size() ? 0 : 1;
    }
    const Parts parts = split(x, y, axes_);
    Walk<2> inner = parts.inner;
    std::ptrdiff_t steps[2];
    const bool direct = inner.innermost(steps) == parts.n && steps[0] == 1;
    parts.outer.run([&](const std::ptrdiff_t* at) {
      const float* row = inputs->data + at[0];
      if (!direct) {
        std::size_t i = 0;
        parts.inner.run([&](const std::ptrdiff_t* k) { scratch[i++] = row[k[0]]; });
      }
      output.data[at[1]] = parts.n == 0 ? 0.0F : kernels_.reduce(reduction_, direct ? row : scratch, parts.n);
    });
  }

 private:
  Reduction reduction_;
  Shape kept_;
  Shape input_;
  std::vector<std::size_t> axes_;
  const Kernels& kernels_;
};

struct ReductionRow {
  const char* name;
  Reduction reduction;
};
constexpr ReductionRow reductions[] = {
    {"sum", Reduction::sum},
    {"mean", Reduction::mean},
    {"maximum", Reduction::maximum},
    {"minimum", Reduction::minimum},
    {"product", Reduction::product},
    {"variance", Reduction::variance},
    {"deviation", Reduction::deviation},
    {"norm", Reduction::norm},
    {"log_sum_exp", Reduction::log_sum_exp},
};

struct StandardRow {
  const char* name;
  Standard standard;
};
constexpr StandardRow standards[] = {
    {"layer", Standard::layer}, {"rms", Standard::rms}, {"unit", Standard::unit}};

/// The row of a table that the key `function` names.
template <class Row, std::size_t N>
const Row& read_function(const At& layer, const Row (&table)[N]) {
  const At function = layer.member("function");
  std::vector<std::string> names;
  for (const Row& row : table) {
    if (function.string() == row.name) return row;
    names.emplace_back(row.name);
  }
  function.fail(Error::Code::unsupported, "unknown function " + text::quoted(function.string()),
                text::joined(names), text::quoted(function.string()),
                text::nearest(function.string(), names));
}

}  // namespace

// `softmax`, `log_softmax` or `sparsemax` over `axes`.
Made make_softmax(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  const Shape& input = need_one(layer, inputs);
  need_axes(layer, input);
  const Activation activation = read_activation(layer);
  if (!kernels::on_rows(activation.function)) {
    layer.member("activation").wrong("not a function of a row", "softmax, log_softmax or sparsemax");
  }
  return {on_rows([activation, &kernels](const float* x, float* y,
                                         std::size_t n) { kernels.activate(activation, x, y, n); },
                  input, read_axes(layer, input)),
          {},
          true};
}

// `function`: layer, rms or unit; over `axes`.
Made make_standardize(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  const Shape& input = need_one(layer, inputs);
  need_axes(layer, input);
  const Standard standard = read_function(layer, standards).standard;
  const At at = layer.member("epsilon");
  const double epsilon = at.number();
  if (!(epsilon >= 0.0 && epsilon <= 1e30))
    at.wrong("epsilon is out of range", "0 to 1e30", text::number(epsilon));
  return {on_rows([standard, epsilon = static_cast<float>(epsilon), &kernels](
                      const float* x, float* y,
                      std::size_t n) { kernels.standardize(standard, epsilon, x, y, n); },
                  input, read_axes(layer, input)),
          {}};
}

// A `function` of the numbers along `axes`, which go, or with `keepdims` become 1.
Made make_reduce(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  const Shape& input = need_one(layer, inputs);
  need_axes(layer, input);
  const Reduction reduction = read_function(layer, reductions).reduction;
  const std::vector<std::size_t> axes = read_axes(layer, input);
  const bool keep = layer.has("keepdims") && layer.member("keepdims").boolean();
  Shape kept = input;
  for (const std::size_t axis : axes) kept[axis] = 1;
  Shape shape;
  for (std::size_t i = 0; i < input.size(); ++i) {
    if (keep || std::find(axes.begin(), axes.end(), i) == axes.end()) shape.push_back(kept[i]);
  }
  if (shape.empty()) shape.push_back(1);  // of everything: one number
  if (shape == Shape{any_steps})
    layer.wrong("a number a step has no form of its own", "keepdims", describe(input));
  if (shape.size() == 1 && kept.size() == 1 && axes.size() == 1) kept = shape;
  return {std::make_shared<Reduce>(reduction, std::move(shape), std::move(kept), input, axes, kernels), {}};
}

}  // namespace hepml::layers
