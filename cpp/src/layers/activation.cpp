#include "layers/layer.hpp"

namespace hepml::layers {
namespace {

class Activate : public Operation {
 public:
  Activate(Activation activation, const Shape& shape, const Kernels& kernels)
      : Operation(shape), kernels_(kernels), activation_(activation) {}
  void run(const View* inputs, const View& output, float*) const noexcept override {
    // softmax and its kin take the channels of each pixel together; everything else may take whole rows.
    const bool pixels = kernels::on_rows(activation_.function);
    const std::size_t n = pixels ? inputs->channels : inputs->columns * inputs->channels;
    for (std::size_t row = 0; row < inputs->rows; ++row) {
      const float* x = inputs->data + row * inputs->row_stride;
      float* y = output.data + row * output.row_stride;
      for (std::size_t i = 0; i < (pixels ? inputs->columns : 1); ++i) {
        kernels_.activate(activation_, x + i * n, y + i * n, n);
      }
    }
  }
  bool is_local() const noexcept override { return shape().size() == 3; }
  void run_at(const View& input, const View& output, const kernels::Pixel* pixels,
              std::size_t n) const noexcept override {
    const std::size_t channels = input.channels;
    for (std::size_t i = 0; i < n; ++i) {
      kernels_.activate(
          activation_, input.data + pixels[i].row * input.row_stride + pixels[i].column * channels,
          output.data + pixels[i].row * output.row_stride + pixels[i].column * channels, channels);
    }
  }

 private:
  const Kernels& kernels_;
  Activation activation_;
};

}  // namespace

std::shared_ptr<Operation> make_activate(Activation activation, const Shape& input, const Kernels& kernels) {
  return std::make_shared<Activate>(activation, input, kernels);
}

}  // namespace hepml::layers
