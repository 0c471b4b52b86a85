#include <algorithm>

#include "layers/strided.hpp"
#include "parse/text.hpp"

namespace hepml::layers {
namespace {

/// For every index of the axes in front: rows of a times b, or times b transposed.
class Matmul : public Operation {
 public:
  Matmul(Shape shape, const Shapes& inputs, bool transposed, const Kernels& kernels)
      : Operation(std::move(shape)), inputs_(inputs), transposed_(transposed), kernels_(kernels) {}
  void run(const View* inputs, const View& output, float*) const noexcept override {
    const Strided a = strided(inputs_[0], inputs[0]);
    const Strided b = strided(inputs_[1], inputs[1]);
    const Strided y = strided(shape(), output);
    const std::size_t outer = y.rank - 2;
    Walk<3> walk;
    for (std::size_t i = 0; i < outer; ++i) {
      const auto step = [&](const Strided& of) {
        const std::size_t more = y.rank - of.rank;
        return i < more || of.size[i - more] == 1 ? 0 : of.stride[i - more];
      };
      walk.axis(y.size[i], y.stride[i], step(a), step(b));
    }
    const std::size_t rows = y.size[outer];
    const std::size_t n_out = y.size[outer + 1];
    const std::size_t n_in = a.size[a.rank - 1];
    const auto stride = static_cast<std::size_t>(b.stride[b.rank - 2]);
    walk.run([&](const std::ptrdiff_t* at) {
      for (std::size_t row = 0; row < rows; ++row) {
        const auto k = static_cast<std::ptrdiff_t>(row);
        float* to = output.data + at[0] + k * y.stride[outer];
        const float* x = inputs[0].data + at[1] + k * a.stride[a.rank - 2];
        const float* matrix = inputs[1].data + at[2];
        if (transposed_) {
          for (std::size_t o = 0; o < n_out; ++o) to[o] = kernels_.dot(x, matrix + o * stride, n_in);
        } else {
          kernels_.row_times_matrix(x, n_in, matrix, stride, to, n_out);
        }
      }
    });
  }
  double work(std::size_t steps) const noexcept override {
    return places(shape(), steps) * static_cast<double>(inputs_[0].back());
  }

 private:
  Shapes inputs_;
  bool transposed_;
  const Kernels& kernels_;
};

}  // namespace

// [..., rows, k] times [..., k, columns], or with `transposed` [..., columns, k]; the axes in front are
// matched as in NumPy.
Made make_matmul(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  if (inputs.size() != 2)
    layer.wrong("a wrong number of inputs of the layer", "2", std::to_string(inputs.size()));
  const bool transposed = layer.has("transposed") && layer.member("transposed").boolean();
  const Shape& a = inputs[0];
  const Shape& b = inputs[1];
  need_axes(layer, a);
  need_fixed(layer, b);
  if (a.size() < 2 || b.size() < 2)
    layer.wrong("a product of vectors", "matrices", describe(a.size() < 2 ? a : b));
  const std::size_t inner = b[b.size() - (transposed ? 1 : 2)];
  if (a.back() != inner)
    layer.wrong("matrices that do not fit", "equal inner sizes: " + describe(a), describe(b));
  Shape shape(std::max(a.size(), b.size()), 1);
  for (const Shape* of : {&a, &b}) {
    for (std::size_t i = 0; i + 2 < of->size(); ++i) {
      std::size_t& size = shape[shape.size() - of->size() + i];
      if ((*of)[i] != 1 && size != 1 && (*of)[i] != size)
        layer.wrong("matrices whose axes in front do not match", describe(a), describe(b));
      if ((*of)[i] != 1) size = (*of)[i];
    }
  }
  shape[shape.size() - 2] = a[a.size() - 2];
  shape.back() = b[b.size() - (transposed ? 2 : 1)];
  if (is_dynamic(a) && shape.size() != 2)
    layer.wrong("a sequence of any length times more than a matrix", "a matrix", describe(b));
  need_axes(layer, shape);
  return {std::make_shared<Matmul>(std::move(shape), inputs, transposed, kernels), {}};
}

}  // namespace hepml::layers
