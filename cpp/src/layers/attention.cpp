#include <algorithm>
#include <cstring>

#include "layers/layer.hpp"
#include "parse/text.hpp"

namespace hepml::layers {
namespace {

struct Settings {
  std::size_t heads, groups;  // of the query, and of key and value
  std::size_t size, width;    // of one head: of query and key, of the value
  float scale;
  bool causal;
  std::size_t window;           // how far a step sees, itself included; 0 is everything
  std::vector<float> additive;  // weights of tanh(query + key); empty for the product
};

/// Each step of the query takes a mean of the values, weighted by the softmax of query times key.
class Attention : public Operation {
 public:
  Attention(Shape shape, Settings settings, const Kernels& kernels, std::size_t fixed_keys)
      : Operation(std::move(shape)), s_(std::move(settings)), kernels_(kernels), fixed_keys_(fixed_keys) {}
  std::size_t steps_like(std::size_t input) const noexcept override { return input == 2 ? 1 : input; }
  std::size_t scratch(std::size_t most_steps) const noexcept override {
    return std::max(most_steps, fixed_keys_) + s_.size;
  }
  double work(std::size_t steps) const noexcept override {
    constexpr std::size_t call = 16;  // of a kernel for a short head
    const std::size_t queries = shape()[0] == any_steps ? steps : shape()[0];
    const std::size_t keys = fixed_keys_ == 0 ? steps : fixed_keys_;
    return static_cast<double>(queries) * static_cast<double>(keys) * static_cast<double>(s_.heads) *
           static_cast<double>(s_.size + s_.width + call);
  }
  void run(const View* inputs, const View& output, float* scratch) const noexcept override {
    const View& query = inputs[0];
    const View& key = inputs[1];
    const View& value = inputs[2];
    float* weights = scratch;
    float* sum = scratch + key.columns;
    for (std::size_t i = 0; i < query.columns; ++i) {
      std::size_t first = 0;
      std::size_t last = s_.causal ? std::min(i + 1, key.columns) : key.columns;
      if (s_.window != 0) {
        first = i + 1 > s_.window ? std::min(i + 1 - s_.window, last) : 0;
        last = std::min(last, i + s_.window);
      }
      for (std::size_t head = 0; head < s_.heads; ++head) {
        const std::size_t group = head / (s_.heads / s_.groups);
        const float* q = query.data + i * query.channels + head * s_.size;
        for (std::size_t j = first; j < last; ++j)
          weights[j - first] = score(q, key.data + j * key.channels + group * s_.size, sum);
        float* y = output.data + i * output.channels + head * s_.width;
        if (first == last) {
          std::memset(y, 0, s_.width * sizeof(float));
          continue;
        }
        kernels_.activate({kernels::Function::softmax}, weights, weights, last - first);
        kernels_.row_times_matrix(weights, last - first,
                                  value.data + first * value.channels + group * s_.width, value.channels, y,
                                  s_.width);
      }
    }
  }

 private:
  float score(const float* query, const float* key, float* sum) const noexcept {
    if (s_.additive.empty()) return s_.scale * kernels_.dot(query, key, s_.size);
    kernels_.combine(kernels::Combination::add, query, 1, key, 1, sum, s_.size);
    kernels_.combine(kernels::Combination::multiply, sum, 1, &s_.scale, 0, sum, s_.size);
    kernels_.activate({kernels::Function::tanh}, sum, sum, s_.size);
    return kernels_.dot(sum, s_.additive.data(), s_.size);
  }

  Settings s_;
  const Kernels& kernels_;
  std::size_t fixed_keys_;
};

}  // namespace

// Sequences query, key and value: `heads` next to each other in each step. `weights` make it additive.
Made make_attention(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  if (inputs.size() != 3)
    layer.wrong("a wrong number of inputs of the layer", "3: query, key and value",
                std::to_string(inputs.size()));
  for (const Shape& input : inputs) {
    if (input.size() != 2)
      layer.wrong("the layer works on another kind of tensor", "a sequence, steps x variables",
                  describe(input));
  }
  const Shape& query = inputs[0];
  const Shape& key = inputs[1];
  const Shape& value = inputs[2];
  if (key[0] != value[0]) layer.wrong("key and value differ in their steps", describe(key), describe(value));
  Settings s;
  s.heads = layer.member("heads").count(1, most_elements);
  s.groups = layer.has("key_heads") ? layer.member("key_heads").count(1, s.heads) : s.heads;
  s.size = query[1] / s.heads;
  s.width = value[1] / s.groups;
  if (s.heads % s.groups != 0 || s.size * s.heads != query[1] || s.size * s.groups != key[1] ||
      s.width * s.groups != value[1]) {
    layer.wrong("heads that do not fit the sequences", "whole heads of one size",
                describe(query) + ", " + describe(key) + ", " + describe(value));
  }
  const At scale = layer.member("scale");
  if (!(scale.number() >= -1e30 && scale.number() <= 1e30))
    scale.wrong("a scale out of range", "at most 1e30", text::number(scale.number()));
  s.scale = static_cast<float>(scale.number());
  s.causal = layer.has("causal") && layer.member("causal").boolean();
  s.window = layer.has("window") ? layer.member("window").count(1, most_elements) : 0;
  if (layer.has("weights")) {
    s.additive = layer.member("weights").floats();
    if (s.additive.size() != s.size) {
      layer.member("weights").wrong("the weights do not fit the query", std::to_string(s.size) + " values",
                                    std::to_string(s.additive.size()));
    }
  }
  const std::size_t keys = key[0] == any_steps ? 0 : key[0];
  Shape shape{query[0], s.width * s.heads};
  return {std::make_shared<Attention>(std::move(shape), std::move(s), kernels, keys), {}};
}

}  // namespace hepml::layers
