#include "layers/layer.hpp"
#include "parse/text.hpp"

namespace hepml::layers {
namespace {

class MaxPooling2D : public Operation {
 public:
  MaxPooling2D(kernels::PoolArgs args, Shape shape, const Kernels& kernels)
      : Operation(std::move(shape)), kernels_(kernels), args_(args) {}
  void run(const View* inputs, const View& output) const noexcept override {
    kernels_.maxpool2d(args_, *inputs, output);
  }

 private:
  const Kernels& kernels_;
  kernels::PoolArgs args_;
};

}  // namespace

Made make_maxpooling2d(const At& layer, const Shape& input, const Kernels& kernels) {
  need_image(layer, input);
  const auto pair = [&layer](const char* key) {
    const At at = layer.member(key);
    auto values = at.counts(1, 4096);
    if (values.size() != 2) at.wrong("not one number a direction", "[rows, columns]", text::times(values));
    return values;
  };
  const auto pool = pair("pool_size");
  const auto strides = layer.has("strides") ? pair("strides") : pool;
  const Window rows = place_window(layer, input[0], pool[0], strides[0]);
  const Window columns = place_window(layer, input[1], pool[1], strides[1]);
  const kernels::PoolArgs args{pool[0], pool[1], strides[0], strides[1], rows.before, columns.before};
  return {std::make_shared<MaxPooling2D>(args, Shape{rows.output, columns.output, input[2]}, kernels), {}};
}

}  // namespace hepml::layers
