#include "layers/convolution.hpp"

namespace hepml::layers {
namespace {

class MaxPooling2D : public Operation {
 public:
  MaxPooling2D(kernels::PoolArgs args, Shape shape, const Kernels& kernels)
      : Operation(std::move(shape)), kernels_(kernels), args_(args) {}
  void run(const View* inputs, const View& output, float*) const noexcept override {
    kernels_.maxpool2d(args_, *inputs, output);
  }
  double work(std::size_t steps) const noexcept override {
    return places(shape(), steps) * static_cast<double>(args_.pool_rows * args_.pool_columns);
  }

  bool is_local() const noexcept override { return true; }
  void run_at(const View& input, const View& output, const kernels::Pixel* pixels,
              std::size_t n) const noexcept override {
    kernels_.maxpool2d_at(args_, input, output, pixels, n);
  }
  double dense_from() const noexcept override {  // a vector is then many pixels, or one
    return 2 * shape().back() <= kernels_.width ? 0.125 : Operation::dense_from();
  }
  Reach rows() const noexcept override { return {args_.pool_rows, args_.row_step, args_.pad_top}; }
  Reach columns() const noexcept override { return {args_.pool_columns, args_.column_step, args_.pad_left}; }

 private:
  const Kernels& kernels_;
  kernels::PoolArgs args_;
};

}  // namespace

Made make_maxpooling2d(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  const Shape& input = need_image(layer, inputs);
  refuse_dilation(layer);
  const auto pool = read_directions(layer, "pool_size", 2, 0);
  const auto strides = layer.has("strides") ? read_directions(layer, "strides", 2, 0) : pool;
  const Window rows = read_window(layer, pool[0], strides[0], false);
  const Window columns = read_window(layer, pool[1], strides[1], false);
  const kernels::PoolArgs args{
      pool[0], pool[1], strides[0], strides[1], rows.before(input[0]), columns.before(input[1])};
  Shape shape{need_places(layer, rows, input[0]), need_places(layer, columns, input[1]), input[2]};
  return {std::make_shared<MaxPooling2D>(args, std::move(shape), kernels), {}};
}

}  // namespace hepml::layers
