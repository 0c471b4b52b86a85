#include "layers/convolution.hpp"
#include "parse/text.hpp"

namespace hepml::layers {

// Keras' Conv2D, channels last: weights [row][column][in][out] in C order.
Made make_conv2d(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  const Shape& input = need_image(layer, inputs);
  const auto kernel = read_directions(layer, "kernel_size", 2, 0);
  const auto strides = read_directions(layer, "strides", 2, 1);
  const auto dilation = read_directions(layer, "dilation_rate", 2, 1);
  if (layer.has("groups") && layer.member("groups").count(1, std::size_t{1} << 20) != 1)
    return make_groupedconv2d(layer, inputs, kernels);
  const std::size_t filters = layer.member("filters").count(1, std::size_t{1} << 20);
  const std::size_t channels = input[2];
  const At weights = layer.member("weights");
  const Activation activation = read_activation(layer);
  const std::size_t n_weights = elements({kernel[0], kernel[1], channels, filters}, layer);
  if (weights.numbers().size() != n_weights) {
    weights.wrong("the weights do not fit the layer",
                  text::times({kernel[0], kernel[1], channels, filters}) + " = " + std::to_string(n_weights),
                  std::to_string(weights.numbers().size()));
  }
  const auto bias = read_bias(layer, filters);
  const auto window = [&](std::size_t axis) {
    return read_window(layer, (kernel[axis] - 1) * dilation[axis] + 1, strides[axis], false);
  };
  const Convolution convolution{channels,    filters,     kernel[0], kernel[1],
                                dilation[0], dilation[1], window(0), window(1)};
  return {make_convolution(layer, input, convolution, weights.floats(), bias, kernels), activation};
}

}  // namespace hepml::layers
