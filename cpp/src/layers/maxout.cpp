#include <algorithm>
#include <cstring>

#include "layers/layer.hpp"
#include "parse/text.hpp"

namespace hepml::layers {
namespace {

/// The largest of several dense layers, unit by unit.
class Maxout : public Operation {
 public:
  Maxout(std::vector<std::shared_ptr<Operation>> parts, std::size_t n)
      : Operation({n}), parts_(std::move(parts)) {}
  void run(const View* inputs, const View& output, float* scratch) const noexcept override {
    const std::size_t n = output.channels;
    parts_[0]->run(inputs, output, nullptr);
    View other = output;
    other.data = scratch;
    for (std::size_t k = 1; k < parts_.size(); ++k) {
      parts_[k]->run(inputs, other, nullptr);
      for (std::size_t i = 0; i < n; ++i) {
        const float value = scratch[i];
        if (value > output.data[i] || value != value) output.data[i] = value;
      }
    }
  }
  double work(std::size_t steps) const noexcept override {
    return static_cast<double>(parts_.size()) * parts_[0]->work(steps);
  }
  std::size_t scratch(std::size_t) const noexcept override { return shape()[0]; }

 private:
  std::vector<std::shared_ptr<Operation>> parts_;
};

}  // namespace

// lwtnn's form: sublayers with weights and bias, all of one width.
Made make_maxout(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  const Shape& input = need_vector(layer, inputs);
  const At sublayers = layer.member("sublayers");
  if (sublayers.size() == 0) sublayers.wrong("a maxout layer without sublayers", "at least one", "none");
  std::vector<std::shared_ptr<Operation>> parts;
  for (std::size_t k = 0; k < sublayers.size(); ++k) {
    const At at = sublayers.item(k);
    parts.push_back(make_linear(at, input, kernels));
    if (parts[k]->shape() != parts[0]->shape()) {
      at.wrong("the sublayers of a maxout layer differ in width", std::to_string(parts[0]->shape()[0]),
               std::to_string(parts[k]->shape()[0]));
    }
  }
  const std::size_t n = parts[0]->shape()[0];
  return {std::make_shared<Maxout>(std::move(parts), n), {}};
}

}  // namespace hepml::layers
