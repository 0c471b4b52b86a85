#include "layers/layer.hpp"
#include "parse/text.hpp"

namespace hepml::layers {
namespace {

class Conv2D : public Operation {
 public:
  Conv2D(const std::vector<float>& weights, const std::vector<float>& bias, kernels::Conv2DArgs args,
         Shape shape, Border border, const Kernels& kernels)
      : Operation(std::move(shape), border),
        kernels_(kernels),
        weights_(kernels.conv2d_size(args.kernel_rows * args.kernel_columns, args.n_in, args.n_out)),
        bias_(padded(bias, args.n_out, kernels.width)),
        args_(args) {
    kernels.pack_conv2d(weights.data(), args.kernel_rows * args.kernel_columns, args.n_in, args.n_out,
                        weights_.data());
    args_.weights = weights_.data();
    args_.bias = bias_.data();
  }
  void run(const View* inputs, const View& output) const noexcept override {
    kernels_.conv2d(args_, *inputs, output);
  }
  bool fuse_rectified() noexcept override { return args_.rectified = true; }

 private:
  const Kernels& kernels_;
  Floats weights_;
  Floats bias_;
  kernels::Conv2DArgs args_;
};

}  // namespace

// Keras' Conv2D, channels last: weights [row][column][in][out] in C order.
Made make_conv2d(const At& layer, const Shape& input, const Kernels& kernels) {
  need_image(layer, input);
  constexpr std::size_t largest = 4096;
  const auto pair = [&layer](const char* key, bool required) {
    if (!required && !layer.has(key)) return std::vector<std::size_t>{1, 1};
    const At at = layer.member(key);
    auto values = at.counts(1, largest);
    if (values.size() != 2) at.wrong("not one number a direction", "[rows, columns]", text::times(values));
    return values;
  };
  const auto kernel = pair("kernel_size", true);
  const auto strides = pair("strides", false);
  const auto dilation = pair("dilation_rate", false);
  if ((strides[0] > 1 || strides[1] > 1) && (dilation[0] > 1 || dilation[1] > 1)) {
    layer.member("dilation_rate")
        .fail(Error::Code::unsupported, "strides and dilation together", "strides 1 or dilation 1",
              "strides " + text::times(strides) + ", dilation " + text::times(dilation));
  }
  if (layer.has("groups") && layer.member("groups").count(1, largest) != 1) {
    layer.member("groups").fail(Error::Code::unsupported, "grouped convolution", "1 group",
                                text::number(layer.member("groups").number()));
  }
  const std::size_t filters = layer.member("filters").count(1, std::size_t{1} << 20);
  const std::size_t channels = input[2];
  const At weights = layer.member("weights");
  const At bias = layer.member("bias");
  const Activation activation = read_activation(layer);
  const std::size_t n_weights = kernel[0] * kernel[1] * channels * filters;
  if (weights.numbers().size() != n_weights) {
    weights.wrong("the weights do not fit the layer",
                  text::times({kernel[0], kernel[1], channels, filters}) + " = " + std::to_string(n_weights),
                  std::to_string(weights.numbers().size()));
  }
  if (!bias.numbers().empty() && bias.numbers().size() != filters) {
    bias.wrong("the bias does not fit the filters", std::to_string(filters) + " values, or none",
               std::to_string(bias.numbers().size()));
  }
  const Window rows = place_window(layer, input[0], (kernel[0] - 1) * dilation[0] + 1, strides[0]);
  const Window columns = place_window(layer, input[1], (kernel[1] - 1) * dilation[1] + 1, strides[1]);
  Shape shape{rows.output, columns.output, filters};
  elements(shape, layer);
  const kernels::Conv2DArgs args{nullptr,     nullptr,        kernel[0],  kernel[1],   channels,
                                 filters,     strides[0],     strides[1], dilation[0], dilation[1],
                                 rows.before, columns.before, false};
  const Border border{rows.before, columns.before, rows.after, columns.after};
  return {std::make_shared<Conv2D>(weights.floats(), bias.floats(), args, std::move(shape), border, kernels),
          activation};
}

}  // namespace hepml::layers
