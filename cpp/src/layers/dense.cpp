#include "layers/layer.hpp"
#include "parse/text.hpp"

namespace hepml::layers {
namespace {

class Dense : public Operation {
 public:
  Dense(const std::vector<float>& weights, const std::vector<float>& bias, std::size_t n_in,
        std::size_t n_out, const Kernels& kernels)
      : Operation({n_out}),
        kernels_(kernels),
        bias_(padded(bias, n_out, kernels.width)),
        args_{nullptr, bias_.data(), n_in, n_out, false, kernels.dense_halves(weights.data(), n_in, n_out)} {
    weights_ = Floats(kernels.dense_size(n_in, n_out, args_.halves));
    kernels.pack_dense(weights.data(), n_in, n_out, args_.halves, weights_.data());
    args_.weights = weights_.data();
  }
  void run(const View* inputs, const View& output, float*) const noexcept override {
    kernels_.dense(args_, inputs->data, output.data);
  }
  bool has_rows() const noexcept override { return true; }
  void run_rows(const View& input, const View& output) const noexcept override {
    kernels_.dense_rows(args_, input, output);
  }
  double work(std::size_t) const noexcept override {
    return static_cast<double>(args_.n_in) * static_cast<double>(args_.n_out);
  }
  bool fuse_rectified() noexcept override { return args_.rectified = true; }

 private:
  const Kernels& kernels_;
  Floats weights_;
  Floats bias_;
  kernels::DenseArgs args_;
};

}  // namespace

std::shared_ptr<Operation> make_linear(const At& at, const Shape& input, const Kernels& kernels) {
  const At weights = at.member("weights");
  const At bias = at.member("bias");
  const std::size_t n_in = input[0];
  const std::size_t n = weights.numbers().size();
  if (n == 0 || n % n_in != 0) {
    weights.wrong("the weights do not fit the layer's input",
                  "a multiple of its width " + std::to_string(n_in), std::to_string(n));
  }
  if (!bias.numbers().empty() && bias.numbers().size() != n / n_in) {
    bias.wrong("the bias does not fit the weights", std::to_string(n / n_in) + " values, or none",
               std::to_string(bias.numbers().size()));
  }
  return std::make_shared<Dense>(weights.floats(), bias.floats(), n_in, n / n_in, kernels);
}

// y = activation(W x + b) along the last axis, weights row-major [out][in]; empty weights or bias mean none.
Made make_dense(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  const Shape& input = need_one(layer, inputs);
  const std::size_t n_in = input.back();
  const At weights = layer.member("weights");
  const At bias = layer.member("bias");
  const std::size_t n_weights = weights.numbers().size();
  const std::size_t n_bias = bias.numbers().size();
  const Activation activation = read_activation(layer);
  if (n_weights % n_in != 0) {
    weights.wrong("the weights do not fit the layer's input",
                  "a multiple of its width " + std::to_string(n_in), std::to_string(n_weights));
  }
  const std::size_t n_out = n_weights == 0 ? n_in : n_weights / n_in;
  if (n_bias != 0 && n_bias != n_out) {
    bias.wrong("the bias does not fit the weights", std::to_string(n_out) + " values, or none",
               std::to_string(n_bias));
  }
  if (n_weights != 0) {
    auto dense = std::make_shared<Dense>(weights.floats(), bias.floats(), n_in, n_out, kernels);
    return {make_each(std::move(dense), input), activation};
  }
  if (n_bias != 0)
    return {make_affine(std::vector<float>(n_in, 1.0F), bias.floats(), input, kernels), activation};
  return {nullptr, activation};
}

}  // namespace hepml::layers
