#include "layers/convolution.hpp"
#include "parse/text.hpp"

namespace hepml::layers {

// lwtnn's layout: weights [out][in][tap], the transpose of Keras' kernel. The padding is Keras', also where
// lwtnn's "same" shifts an even kernel by one.
Made make_conv1d(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  const Shape& input = need_sequence(layer, inputs);
  const std::size_t n_in = input[1];
  const auto strides = read_directions(layer, "strides", 1, 1);
  const auto dilation = read_directions(layer, "dilation_rate", 1, 1);
  const At weights = layer.member("weights");
  const At bias = layer.member("bias");
  const std::size_t n_out =
      layer.has("filters") ? layer.member("filters").count(1, std::size_t{1} << 20) : bias.numbers().size();
  if (n_out == 0) {
    bias.wrong("the width of the layer is not known", "a value for each filter, or the key filters",
               "an empty bias");
  }
  const std::size_t n_weights = weights.numbers().size();
  if (n_weights == 0 || n_weights % (n_in * n_out) != 0) {
    weights.wrong("the weights do not fit the layer", "a multiple of " + text::times({n_out, n_in}),
                  std::to_string(n_weights));
  }
  const std::size_t taps = n_weights / (n_in * n_out);
  if (taps > 4096) weights.wrong("a window that is too large", "at most 4096 steps", std::to_string(taps));
  const auto from = weights.floats();
  std::vector<float> to(n_weights);
  for (std::size_t o = 0; o < n_out; ++o) {
    for (std::size_t i = 0; i < n_in; ++i) {
      for (std::size_t k = 0; k < taps; ++k) to[(k * n_in + i) * n_out + o] = from[(o * n_in + i) * taps + k];
    }
  }
  const Convolution convolution{n_in,
                                n_out,
                                1,
                                taps,
                                1,
                                dilation[0],
                                {1, 1, Window::Padding::valid},
                                read_window(layer, (taps - 1) * dilation[0] + 1, strides[0], true)};
  return {make_convolution(layer, input, convolution, to, read_bias(layer, n_out), kernels),
          read_activation(layer)};
}

}  // namespace hepml::layers
