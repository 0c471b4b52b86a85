#include <algorithm>
#include <limits>

#include "layers/axes.hpp"
#include "parse/text.hpp"

// Poolings but MaxPooling2D, which has a kernel. Places outside of the input do not count.
namespace hepml::layers {
namespace {

class Pooling : public Operation {
 public:
  Pooling(const Axes& axes, const Shape& input, Shape shape, bool maximum)
      : Operation(std::move(shape)),
        axes_(axes),
        in_depth_(input.size() == 4 ? input[0] : 1),
        maximum_(maximum) {}
  void run(const View* inputs, const View& output, float*) const noexcept override {
    const std::size_t n = output.channels;
    float* y = nullptr;
    float count = 0;
    slide(
        axes_, *inputs, in_depth_, output, shape().size() == 4 ? shape()[0] : 1,
        [&](float* out) {
          y = out;
          count = 0;
          std::fill_n(y, n, maximum_ ? -std::numeric_limits<float>::infinity() : 0.0F);
        },
        [&](std::size_t, const float* x) {
          if (x == nullptr) return;
          ++count;
          if (maximum_) {
            for (std::size_t c = 0; c < n; ++c) y[c] = x[c] > y[c] || x[c] != x[c] ? x[c] : y[c];
          } else {
            for (std::size_t c = 0; c < n; ++c) y[c] += x[c];
          }
        },
        [&](float*) {
          if (maximum_) return;
          for (std::size_t c = 0; c < n; ++c) y[c] /= count;
        });
  }
  double work(std::size_t steps) const noexcept override {
    return places(shape(), steps) *
           static_cast<double>(axes_.depth.taps * axes_.rows.taps * axes_.columns.taps);
  }
  std::size_t steps(std::size_t n) const noexcept override { return axes_.columns.output(n); }

 private:
  Axes axes_;
  std::size_t in_depth_;
  bool maximum_;
};

/// Over all places; of no places, zeros.
class GlobalPooling : public Operation {
 public:
  GlobalPooling(std::size_t n, Shape shape, bool maximum)
      : Operation(std::move(shape)), n_(n), maximum_(maximum) {}
  void run(const View* inputs, const View& output, float*) const noexcept override {
    const View& x = *inputs;
    float* y = output.data;
    const bool empty = x.rows * x.columns == 0;
    std::fill_n(y, n_, maximum_ && !empty ? -std::numeric_limits<float>::infinity() : 0.0F);
    for (std::size_t row = 0; row < x.rows; ++row) {
      for (std::size_t column = 0; column < x.columns; ++column) {
        const float* from = x.data + row * x.row_stride + column * n_;
        for (std::size_t c = 0; c < n_; ++c) {
          if (!maximum_) {
            y[c] += from[c];
          } else if (from[c] > y[c] || from[c] != from[c]) {
            y[c] = from[c];
          }
        }
      }
    }
    if (maximum_ || empty) return;
    const auto count = static_cast<float>(x.rows * x.columns);
    for (std::size_t c = 0; c < n_; ++c) y[c] /= count;
  }

 private:
  std::size_t n_;
  bool maximum_;
};

template <std::size_t N, bool maximum>
Made make_pooling(const At& layer, const Shapes& inputs, const Kernels&) {
  const Shape& input = need_one(layer, inputs);
  if (input.size() != N + 1) {
    layer.wrong("the layer works on another kind of tensor", std::to_string(N) + " axes and channels",
                describe(input));
  }
  const Axes axes = read_axes(layer, "pool_size", N);
  Shape shape = output_of(layer, axes, input, input.back());
  return {std::make_shared<Pooling>(axes, input, std::move(shape), maximum), {}};
}

template <bool maximum>
Made make_global(const At& layer, const Shapes& inputs, const Kernels&) {
  const Shape& input = need_one(layer, inputs);
  if (input.size() < 2)
    layer.wrong("a vector has no places to pool", "a sequence, an image or a volume", describe(input));
  Shape shape{input.back()};
  if (layer.has("keepdims") && layer.member("keepdims").boolean())
    shape.insert(shape.begin(), input.size() - 1, 1);
  return {std::make_shared<GlobalPooling>(input.back(), std::move(shape), maximum), {}};
}

}  // namespace

Made make_maxpooling1d(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  return make_pooling<1, true>(layer, inputs, kernels);
}
Made make_maxpooling3d(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  return make_pooling<3, true>(layer, inputs, kernels);
}
Made make_averagepooling1d(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  return make_pooling<1, false>(layer, inputs, kernels);
}
Made make_averagepooling2d(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  return make_pooling<2, false>(layer, inputs, kernels);
}
Made make_averagepooling3d(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  return make_pooling<3, false>(layer, inputs, kernels);
}
Made make_globalmaxpooling(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  return make_global<true>(layer, inputs, kernels);
}
Made make_globalaveragepooling(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  return make_global<false>(layer, inputs, kernels);
}

}  // namespace hepml::layers
