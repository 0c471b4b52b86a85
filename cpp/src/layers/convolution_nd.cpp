#include <algorithm>
#include <cstring>

#include "layers/axes.hpp"
#include "layers/convolution.hpp"
#include "parse/text.hpp"

// Convolutions without a kernel of their own: in groups, in depth, by channel, transposed. The pixels under
// the window are gathered for each output pixel and meet a dense kernel.
namespace hepml::layers {
namespace {

std::size_t depth_of(const Shape& shape) {
  return shape.size() == 4 ? shape[0] : 1;
}

class ConvolutionND : public Operation {
 public:
  ConvolutionND(const Axes& axes, const Shape& input, Shape shape, std::size_t groups,
                const std::vector<float>& weights, const std::vector<float>& bias, const Kernels& kernels)
      : Operation(std::move(shape)),
        kernels_(kernels),
        axes_(axes),
        in_depth_(depth_of(input)),
        groups_(groups),
        taps_(axes.depth.taps * axes.rows.taps * axes.columns.taps),
        n_in_(input.back() / groups),
        n_out_(this->shape().back() / groups) {
    // From [tap][in][filter] to rows [filter][tap][in] of each group.
    const std::size_t filters = groups * n_out_;
    const std::size_t length = taps_ * n_in_;
    std::vector<float> rows(n_out_ * length);
    for (std::size_t g = 0; g < groups; ++g) {
      for (std::size_t o = 0; o < n_out_; ++o) {
        for (std::size_t i = 0; i < length; ++i) rows[o * length + i] = weights[i * filters + g * n_out_ + o];
      }
      weights_.emplace_back(kernels.dense_size(length, n_out_, false));
      kernels.pack_dense(rows.data(), length, n_out_, false, weights_.back().data());
      std::vector<float> part(n_out_, 0.0F);
      if (!bias.empty())
        std::copy_n(bias.begin() + static_cast<std::ptrdiff_t>(g * n_out_), n_out_, part.begin());
      biases_.push_back(padded(part, n_out_, kernels.width));
    }
  }

  void run(const View* inputs, const View& output, float* scratch) const noexcept override {
    const std::size_t length = taps_ * n_in_;
    slide(
        axes_, *inputs, in_depth_, output, depth_of(shape()), [](float*) {},
        [&](std::size_t tap, const float* x) {
          for (std::size_t g = 0; g < groups_; ++g) {
            float* to = scratch + g * length + tap * n_in_;
            if (x == nullptr) {
              std::memset(to, 0, n_in_ * sizeof(float));
            } else {
              std::memcpy(to, x + g * n_in_, n_in_ * sizeof(float));
            }
          }
        },
        [&](float* y) {
          for (std::size_t g = 0; g < groups_; ++g) {
            kernels_.dense({weights_[g].data(), biases_[g].data(), length, n_out_, rectified_, false},
                           scratch + g * length, y + g * n_out_);
          }
        });
  }
  std::size_t scratch(std::size_t) const noexcept override { return groups_ * taps_ * n_in_ + 64; }
  double work(std::size_t steps) const noexcept override {
    return places(shape(), steps) * static_cast<double>(taps_ * n_in_);
  }
  std::size_t steps(std::size_t n) const noexcept override { return axes_.columns.output(n); }
  bool fuse_rectified() noexcept override { return rectified_ = true; }

 private:
  const Kernels& kernels_;
  Axes axes_;
  std::size_t in_depth_, groups_, taps_, n_in_, n_out_;
  bool rectified_ = false;
  std::vector<Floats> weights_, biases_;
};

/// Each channel on its own, times a multiplier: weights [tap][channel * multiplier].
class Depthwise : public Operation {
 public:
  Depthwise(const Axes& axes, Shape shape, std::size_t multiplier, std::vector<float> weights,
            std::vector<float> bias)
      : Operation(std::move(shape)),
        axes_(axes),
        multiplier_(multiplier),
        weights_(std::move(weights)),
        bias_(std::move(bias)) {
    bias_.resize(this->shape().back(), 0.0F);
  }
  void run(const View* inputs, const View& output, float*) const noexcept override {
    const std::size_t channels = inputs->channels;
    float* y = nullptr;
    slide(
        axes_, *inputs, 1, output, 1,
        [&](float* out) {
          y = out;
          std::copy(bias_.begin(), bias_.end(), y);
        },
        [&](std::size_t tap, const float* x) {
          if (x == nullptr) return;
          const float* w = weights_.data() + tap * channels * multiplier_;
          if (multiplier_ == 1) {
            for (std::size_t c = 0; c < channels; ++c) y[c] += x[c] * w[c];
            return;
          }
          for (std::size_t c = 0; c < channels; ++c) {
            for (std::size_t m = 0; m < multiplier_; ++m)
              y[c * multiplier_ + m] += x[c] * w[c * multiplier_ + m];
          }
        },
        [](float*) {});
  }
  double work(std::size_t steps) const noexcept override {
    return places(shape(), steps) * static_cast<double>(weights_.size() / bias_.size());
  }
  std::size_t steps(std::size_t n) const noexcept override { return axes_.columns.output(n); }

 private:
  Axes axes_;
  std::size_t multiplier_;
  std::vector<float> weights_, bias_;
};

const Shape& need_axes(const At& layer, const Shapes& inputs, std::size_t n) {
  const Shape& input = need_one(layer, inputs);
  if (input.size() != n + 1) {
    layer.wrong("the layer works on another kind of tensor", std::to_string(n) + " axes and channels",
                describe(input));
  }
  return input;
}

std::vector<float> read_weights(const At& layer, std::size_t n, const std::string& shape) {
  const At weights = layer.member("weights");
  if (weights.numbers().size() != n) {
    weights.wrong("the weights do not fit the layer", shape + " = " + std::to_string(n),
                  std::to_string(weights.numbers().size()));
  }
  return weights.floats();
}

template <std::size_t N, bool transposed>
Made make_general(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  const Shape& input = need_axes(layer, inputs, N);
  const Axes axes = read_axes(layer, "kernel_size", N, transposed);
  const std::size_t filters = layer.member("filters").count(1, std::size_t{1} << 20);
  const std::size_t groups = layer.has("groups") ? layer.member("groups").count(1, std::size_t{1} << 20) : 1;
  if (input.back() % groups != 0 || filters % groups != 0) {
    layer.member("groups").wrong(
        "the groups do not divide the channels",
        "a divisor of " + std::to_string(input.back()) + " and of " + std::to_string(filters),
        std::to_string(groups));
  }
  Shape shape = output_of(layer, axes, input, filters);
  const std::size_t taps = axes.depth.taps * axes.rows.taps * axes.columns.taps;
  const std::size_t n_in = input.back() / groups;
  const auto weights =
      read_weights(layer, elements({taps, n_in, filters}, layer), text::times({taps, n_in, filters}));
  return {std::make_shared<ConvolutionND>(axes, input, std::move(shape), groups, weights,
                                          read_bias(layer, filters), kernels),
          read_activation(layer)};
}

template <std::size_t N>
Made make_depthwise(const At& layer, const Shapes& inputs, const Kernels&) {
  const Shape& input = need_axes(layer, inputs, N);
  const Axes axes = read_axes(layer, "kernel_size", N);
  const std::size_t multiplier = layer.member("depth_multiplier").count(1, std::size_t{1} << 16);
  const std::size_t channels = input.back() * multiplier;
  Shape shape = output_of(layer, axes, input, channels);
  const std::size_t taps = axes.rows.taps * axes.columns.taps;
  auto weights =
      read_weights(layer, elements({taps, channels}, layer), text::times({taps, input.back(), multiplier}));
  return {std::make_shared<Depthwise>(axes, std::move(shape), multiplier, std::move(weights),
                                      read_bias(layer, channels)),
          read_activation(layer)};
}

}  // namespace

// Weights are [tap][in][filter] in C order, as in Keras.
Made make_groupedconv1d(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  return make_general<1, false>(layer, inputs, kernels);
}
Made make_groupedconv2d(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  return make_general<2, false>(layer, inputs, kernels);
}
Made make_conv3d(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  return make_general<3, false>(layer, inputs, kernels);
}
Made make_conv1dtranspose(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  return make_general<1, true>(layer, inputs, kernels);
}
Made make_conv2dtranspose(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  return make_general<2, true>(layer, inputs, kernels);
}
Made make_conv3dtranspose(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  return make_general<3, true>(layer, inputs, kernels);
}
Made make_depthwiseconv1d(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  return make_depthwise<1>(layer, inputs, kernels);
}
Made make_depthwiseconv2d(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  return make_depthwise<2>(layer, inputs, kernels);
}

}  // namespace hepml::layers
