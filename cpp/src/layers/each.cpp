#include "layers/layer.hpp"

namespace hepml::layers {
namespace {

Shape with_channels(Shape shape, std::size_t channels) {
  shape.back() = channels;
  return shape;
}

class Each : public Operation {
 public:
  Each(std::shared_ptr<Operation> operation, const Shape& input)
      : Operation(with_channels(input, operation->shape()[0])), operation_(std::move(operation)) {}
  void run(const View* inputs, const View& output, float* scratch) const noexcept override {
    const View& x = *inputs;
    View from{nullptr, 1, 1, x.channels, x.channels};
    View to{nullptr, 1, 1, output.channels, output.channels};
    for (std::size_t row = 0; row < output.rows; ++row) {
      for (std::size_t column = 0; column < output.columns; ++column) {
        from.data = x.data + row * x.row_stride + column * x.channels;
        to.data = output.data + row * output.row_stride + column * output.channels;
        operation_->run(&from, to, scratch);
      }
    }
  }
  std::size_t scratch(std::size_t) const noexcept override { return operation_->scratch(1); }
  double work(std::size_t steps) const noexcept override {
    return operation_->work(steps) * places(shape(), steps) / static_cast<double>(shape().back());
  }
  bool fuse_rectified() noexcept override { return operation_->fuse_rectified(); }

 private:
  std::shared_ptr<Operation> operation_;
};

}  // namespace

std::shared_ptr<Operation> make_each(std::shared_ptr<Operation> operation, const Shape& input) {
  if (input.size() == 1) return operation;
  return std::make_shared<Each>(std::move(operation), input);
}

}  // namespace hepml::layers
