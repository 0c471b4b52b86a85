#include <cstring>

#include "layers/layer.hpp"

// From a sequence to a vector.
namespace hepml::layers {
namespace {

class Last : public Operation {
 public:
  explicit Last(std::size_t n) : Operation({n}) {}
  void run(const View* inputs, const View& output, float*) const noexcept override {
    const std::size_t n = output.channels;
    if (inputs->columns == 0) {
      std::memset(output.data, 0, n * sizeof(float));
    } else {
      std::memcpy(output.data, inputs->data + (inputs->columns - 1) * n, n * sizeof(float));
    }
  }
};

class Sum : public Operation {
 public:
  Sum(std::size_t n, const Kernels& kernels) : Operation({n}), kernels_(kernels) {}
  void run(const View* inputs, const View& output, float*) const noexcept override {
    const std::size_t n = output.channels;
    std::memset(output.data, 0, n * sizeof(float));
    for (std::size_t i = 0; i < inputs->columns; ++i) kernels_.add(inputs->data + i * n, output.data, n);
  }

 private:
  const Kernels& kernels_;
};

}  // namespace

std::shared_ptr<Operation> make_last(const Shape& input) {
  return std::make_shared<Last>(input[1]);
}

std::shared_ptr<Operation> make_sum(const Shape& input, const Kernels& kernels) {
  return std::make_shared<Sum>(input[1], kernels);
}

}  // namespace hepml::layers
