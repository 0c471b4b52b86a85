#include "layers/convolution.hpp"

#include <algorithm>

#include "parse/text.hpp"

namespace hepml::layers {
namespace {

class Convolve : public Operation {
 public:
  Convolve(const Convolution& convolution, kernels::Conv2DArgs args, Shape shape, Border border,
           const std::vector<float>& weights, const std::vector<float>& bias, const Kernels& kernels)
      : Operation(std::move(shape), border),
        kernels_(kernels),
        columns_(convolution.columns),
        weights_(kernels.conv2d_size(args.kernel_rows * args.kernel_columns, args.n_in, args.n_out)),
        bias_(padded(bias, args.n_out, kernels.width)),
        args_(args) {
    kernels.pack_conv2d(weights.data(), args.kernel_rows * args.kernel_columns, args.n_in, args.n_out,
                        weights_.data());
    args_.weights = weights_.data();
    args_.bias = bias_.data();
  }
  void run(const View* inputs, const View& output, float*) const noexcept override {
    kernels::Conv2DArgs args = args_;
    args.pad_left = columns_.before(inputs->columns);
    kernels_.conv2d(args, *inputs, output);
  }
  double work(std::size_t steps) const noexcept override {
    return places(shape(), steps) *
           static_cast<double>(args_.kernel_rows * args_.kernel_columns * args_.n_in);
  }
  std::size_t steps(std::size_t n) const noexcept override { return columns_.output(n); }
  bool is_local() const noexcept override { return shape().size() == 3; }
  void run_at(const View& input, const View& output, const kernels::Pixel* pixels,
              std::size_t n) const noexcept override {
    kernels::Conv2DArgs args = args_;
    args.pad_left = columns_.before(input.columns);
    kernels_.conv2d_at(args, input, output, pixels, n);
  }
  double dense_from() const noexcept override {  // a vector is then many pixels, or one
    const bool few = args_.n_in == 1 && args_.n_out <= 4 && 2 * args_.n_out <= kernels_.width;
    return few ? 0.125 : Operation::dense_from();
  }
  Reach rows() const noexcept override {
    return {(args_.kernel_rows - 1) * args_.row_dilation + 1, args_.row_step, args_.pad_top};
  }
  Reach columns() const noexcept override { return {columns_.reach, columns_.step, border().left}; }
  bool fuse_rectified() noexcept override { return args_.rectified = true; }

 private:
  const Kernels& kernels_;
  Window columns_;
  Floats weights_;
  Floats bias_;
  kernels::Conv2DArgs args_;
};

}  // namespace

std::shared_ptr<Operation> make_convolution(const At& layer, const Shape& input, const Convolution& c,
                                            const std::vector<float>& weights, const std::vector<float>& bias,
                                            const Kernels& kernels) {
  const bool image = input.size() == 3;
  const std::size_t n_rows = image ? input[0] : 1;
  const std::size_t n_columns = image ? input[1] : input[0];
  Shape shape{need_places(layer, c.columns, n_columns), c.n_out};
  if (image) shape.insert(shape.begin(), need_places(layer, c.rows, n_rows));
  // The padding of a strided window depends on the number of steps: keep room for the most.
  const bool dynamic = n_columns == any_steps;
  const std::size_t most = c.columns.padding == Window::Padding::valid ? 0 : c.columns.reach - 1;
  const Border border{c.rows.before(n_rows), dynamic ? most : c.columns.before(n_columns),
                      c.rows.after(n_rows), dynamic ? most : c.columns.after(n_columns)};
  const kernels::Conv2DArgs args{nullptr,    nullptr,     c.kernel_rows,  c.kernel_columns, c.n_in,
                                 c.n_out,    c.rows.step, c.columns.step, c.row_dilation,   c.column_dilation,
                                 border.top, 0,           false};
  return std::make_shared<Convolve>(c, args, std::move(shape), border, weights, bias, kernels);
}

std::vector<float> read_bias(const At& layer, std::size_t filters) {
  const At bias = layer.member("bias");
  if (!bias.numbers().empty() && bias.numbers().size() != filters) {
    bias.wrong("the bias does not fit the filters", std::to_string(filters) + " values, or none",
               std::to_string(bias.numbers().size()));
  }
  return bias.floats();
}

void refuse_dilation(const At& layer) {
  if (!layer.has("dilation_rate")) return;
  layer.member("dilation_rate")
      .fail(Error::Code::unsupported, "a pooling has no dilation", "no dilation_rate", "one");
}

std::vector<std::size_t> read_directions(const At& layer, const char* key, std::size_t n,
                                         std::size_t absent) {
  constexpr std::size_t largest = 4096;
  if (absent != 0 && !layer.has(key)) return std::vector<std::size_t>(n, absent);
  const At at = layer.member(key);
  if (n == 1 && at.is_number()) return {at.count(1, largest)};
  auto values = at.counts(1, largest);
  if (values.size() != n)
    at.wrong("not one number a direction", std::to_string(n) + " numbers", std::to_string(values.size()));
  return values;
}

}  // namespace hepml::layers
