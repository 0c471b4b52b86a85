#include <algorithm>
#include <new>

#include "layers/layer.hpp"
#include "parse/text.hpp"

namespace hepml::layers {
namespace {

struct Row {
  const char* architecture;
  Made (*make)(const At&, const Shape&, const Kernels&);
};

constexpr Row table[] = {
    {"conv2d", &make_conv2d},
    {"dense", &make_dense},
    {"flatten", &make_flatten},
    {"maxpooling2d", &make_maxpooling2d},
    {"normalization", &make_normalization},
};

struct ActivationRow {
  const char* name;
  Function function;
  bool needs_alpha;  // the object form is required
};

constexpr ActivationRow activations[] = {
    {"linear", Function::linear, false},
    {"rectified", Function::rectified, false},
    {"sigmoid", Function::sigmoid, false},
    {"hard_sigmoid", Function::hard_sigmoid, false},
    {"tanh", Function::tanh, false},
    {"softmax", Function::softmax, false},
    {"abs", Function::abs, false},
    {"elu", Function::elu, false},
    {"leakyrelu", Function::leakyrelu, true},
    {"swish", Function::swish, true},
};

}  // namespace

std::vector<std::string> known_layers() {
  std::vector<std::string> names;
  for (const Row& row : table) names.emplace_back(row.architecture);
  return names;
}

Made make_layer(const At& layer, const Shape& input, const Kernels& kernels) {
  const At architecture = layer.member("architecture");
  const std::string& name = architecture.string();
  for (const Row& row : table) {
    if (name == row.architecture) return row.make(layer, input, kernels);
  }
  architecture.fail(Error::Code::unsupported, "unknown layer " + text::quoted(name),
                    text::joined(known_layers()), text::quoted(name), text::nearest(name, known_layers()));
}

Activation read_activation(const At& layer) {
  const At activation = layer.member("activation");
  const bool object = activation.is_object();
  const At function = object ? activation.member("function") : activation;
  const std::string& name = function.string();
  std::vector<std::string> names;
  for (const ActivationRow& row : activations) {
    names.emplace_back(row.name);
    if (name != row.name) continue;
    Activation result{row.function, 1.0F};
    if (object) {
      const At alpha = activation.member("alpha");
      const double value = alpha.number();
      if (!(value >= -1e30 && value <= 1e30))
        alpha.wrong("alpha is too large", "at most 1e30", text::number(value));
      result.alpha = static_cast<float>(value);
    } else if (row.needs_alpha) {
      activation.wrong("the activation " + text::quoted(name) + " needs its alpha",
                       "{\"function\": \"" + name + "\", \"alpha\": number}", text::quoted(name));
    }
    return result;
  }
  auto close = text::nearest(name, names);
  function.fail(Error::Code::unsupported, "unknown activation " + text::quoted(name), text::joined(names),
                text::quoted(name), std::move(close));
}

std::size_t elements(const Shape& shape, const At& where) {
  std::size_t total = 1;
  for (const std::size_t dimension : shape) {
    if (dimension > most_elements || total * dimension > most_elements) {
      where.wrong("a tensor that is too large", "at most " + std::to_string(most_elements) + " elements",
                  describe(shape));
    }
    total *= dimension;
  }
  return total;
}

std::string describe(const Shape& shape) {
  return (shape.size() == 1 ? "a vector of " : "an image of ") + text::times(shape);
}

const Shape& need_vector(const At& layer, const Shape& input) {
  if (input.size() != 1) {
    layer.wrong("the layer works on a vector", "a vector (a flatten layer before it makes one)",
                describe(input));
  }
  return input;
}

const Shape& need_image(const At& layer, const Shape& input) {
  if (input.size() != 3)
    layer.wrong("the layer works on an image", "rows x columns x channels", describe(input));
  return input;
}

Window place_window(const At& layer, std::size_t size, std::size_t reach, std::size_t step) {
  const At padding = layer.member("padding");
  const std::string& name = padding.string();
  if (name == "valid") {
    if (reach > size) {
      layer.wrong("the window is larger than the image", "at most " + std::to_string(size) + " places",
                  std::to_string(reach));
    }
    return {(size - reach) / step + 1, 0, 0};
  }
  if (name != "same") {
    padding.fail(Error::Code::unsupported, "unknown padding " + text::quoted(name), "same or valid",
                 text::quoted(name), text::nearest(name, {"same", "valid"}));
  }
  const std::size_t output = (size + step - 1) / step;
  const std::size_t covered = (output - 1) * step + reach;
  const std::size_t total = covered > size ? covered - size : 0;
  return {output, total / 2, total - total / 2};
}

Floats::Floats(std::size_t size)
    : data_(static_cast<float*>(::operator new[]((size + 1) * sizeof(float), std::align_val_t{64}))) {
  std::fill_n(data_.get(), size + 1, 0.0F);
}

void Floats::Free::operator()(float* p) const noexcept {
  ::operator delete[](p, std::align_val_t{64});
}

Floats padded(const std::vector<float>& values, std::size_t n, std::size_t width) {
  Floats out((n + width - 1) / width * width);
  std::copy(values.begin(), values.end(), out.data());
  return out;
}

}  // namespace hepml::layers
