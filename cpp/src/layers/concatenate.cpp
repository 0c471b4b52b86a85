#include <cstring>

#include "layers/layer.hpp"

namespace hepml::layers {
namespace {

class Concatenate : public Operation {
 public:
  Concatenate(std::size_t n, std::size_t n_inputs) : Operation({n}), n_inputs_(n_inputs) {}
  void run(const View* inputs, const View& output) const noexcept override {
    float* to = output.data;
    for (std::size_t i = 0; i < n_inputs_; ++i) {
      std::memcpy(to, inputs[i].data, inputs[i].channels * sizeof(float));
      to += inputs[i].channels;
    }
  }

 private:
  std::size_t n_inputs_;
};

}  // namespace

std::shared_ptr<Operation> make_concatenate(const std::vector<Shape>& inputs, const At& node) {
  std::size_t n = 0;
  for (const Shape& shape : inputs) n += need_vector(node, shape)[0];
  elements({n}, node);
  return std::make_shared<Concatenate>(n, inputs.size());
}

}  // namespace hepml::layers
