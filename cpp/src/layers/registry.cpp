#include <algorithm>
#include <limits>
#include <new>

#include "layers/layer.hpp"
#include "parse/text.hpp"

namespace hepml::layers {
namespace {

struct Row {
  const char* architecture;
  Made (*make)(const At&, const Shapes&, const Kernels&);
};

constexpr Row table[] = {
    {"attention", &make_attention},
    {"averagepooling1d", &make_averagepooling1d},
    {"averagepooling2d", &make_averagepooling2d},
    {"averagepooling3d", &make_averagepooling3d},
    {"broadcast", &make_broadcast},
    {"concatenate", &make_stack},
    {"conv1d", &make_conv1d},
    {"conv1dtranspose", &make_conv1dtranspose},
    {"conv2d", &make_conv2d},
    {"conv2dtranspose", &make_conv2dtranspose},
    {"conv3d", &make_conv3d},
    {"conv3dtranspose", &make_conv3dtranspose},
    {"cropping", &make_cropping},
    {"dense", &make_dense},
    {"depthwiseconv1d", &make_depthwiseconv1d},
    {"depthwiseconv2d", &make_depthwiseconv2d},
    {"embedding", &make_embedding},
    {"flatten", &make_flatten},
    {"gather", &make_gather},
    {"globalaveragepooling", &make_globalaveragepooling},
    {"globalmaxpooling", &make_globalmaxpooling},
    {"groupedconv1d", &make_groupedconv1d},
    {"gru", &make_gru},
    {"highway", &make_highway},
    {"lstm", &make_lstm},
    {"masking", &make_masking},
    {"matmul", &make_matmul},
    {"maxout", &make_maxout},
    {"maxpooling1d", &make_maxpooling1d},
    {"maxpooling2d", &make_maxpooling2d},
    {"maxpooling3d", &make_maxpooling3d},
    {"normalization", &make_normalization},
    {"perceptron", &make_perceptron},
    {"reduce", &make_reduce},
    {"reshape", &make_reshape},
    {"reverse", &make_reverse},
    {"simplernn", &make_simplernn},
    {"slice", &make_slice},
    {"softmax", &make_softmax},
    {"standardize", &make_standardize},
    {"tables", &make_tables},
    {"transpose", &make_transpose},
    {"trees", &make_trees},
    {"upsampling", &make_upsampling},
    {"weighted_median", &make_weighted_median},
    {"zeropadding", &make_zeropadding},
};  // and those of combine.cpp

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
    {"relu", Function::relu, true},
    {"clip", Function::clip, false},
    {"keras_hard_sigmoid", Function::keras_hard_sigmoid, false},
    {"hard_silu", Function::hard_silu, false},
    {"selu", Function::selu, false},
    {"celu", Function::celu, true},
    {"gelu", Function::gelu, false},
    {"gelu_tanh", Function::gelu_tanh, false},
    {"mish", Function::mish, false},
    {"softplus", Function::softplus, false},
    {"softsign", Function::softsign, false},
    {"log_sigmoid", Function::log_sigmoid, false},
    {"log_softmax", Function::log_softmax, false},
    {"sparsemax", Function::sparsemax, false},
    {"hard_shrink", Function::hard_shrink, true},
    {"soft_shrink", Function::soft_shrink, true},
    {"tanh_shrink", Function::tanh_shrink, false},
    {"squareplus", Function::squareplus, true},
    {"sparse_plus", Function::sparse_plus, false},
    {"sparse_sigmoid", Function::sparse_sigmoid, false},
    {"threshold", Function::threshold, true},
    {"exp", Function::exp, false},
    {"expm1", Function::expm1, false},
    {"log", Function::log, false},
    {"log1p", Function::log1p, false},
    {"sqrt", Function::sqrt, false},
    {"rsqrt", Function::rsqrt, false},
    {"square", Function::square, false},
    {"reciprocal", Function::reciprocal, false},
    {"negative", Function::negative, false},
    {"sign", Function::sign, false},
    {"erf", Function::erf, false},
    {"sinh", Function::sinh, false},
    {"cosh", Function::cosh, false},
    {"arcsinh", Function::arcsinh, false},
    {"round", Function::round, false},
    {"floor", Function::floor, false},
    {"ceil", Function::ceil, false},
    {"sin", Function::sin, false},
    {"cos", Function::cos, false},
    {"tan", Function::tan, false},
    {"arctan", Function::arctan, false},
};

float read_parameter(const At& activation, const char* key) {
  const At at = activation.member(key);
  const double value = at.number();
  if (!(value >= -1e30 && value <= 1e30))
    at.wrong(std::string(key) + " is too large", "at most 1e30", text::number(value));
  return static_cast<float>(value);
}

}  // namespace

std::vector<std::string> known_layers() {
  std::vector<std::string> names;
  for (const Row& row : table) names.emplace_back(row.architecture);
  for (std::string& name : combinations()) names.push_back(std::move(name));
  std::sort(names.begin(), names.end());
  return names;
}

Made make_layer(const At& layer, const Shapes& inputs, const Kernels& kernels) {
  const At architecture = layer.member("architecture");
  const std::string& name = architecture.string();
  for (const Row& row : table) {
    if (name == row.architecture) return row.make(layer, inputs, kernels);
  }
  for (const std::string& combination : combinations()) {
    if (name == combination) return make_combine(layer, inputs, kernels);
  }
  architecture.fail(Error::Code::unsupported, "unknown layer " + text::quoted(name),
                    text::joined(known_layers()), text::quoted(name), text::nearest(name, known_layers()));
}

Activation read_activation(const At& layer, const char* key) {
  const At activation = layer.member(key);
  const bool object = activation.is_object();
  const At function = object ? activation.member("function") : activation;
  const std::string& name = function.string();
  std::vector<std::string> names;
  for (const ActivationRow& row : activations) {
    names.emplace_back(row.name);
    if (name != row.name) continue;
    Activation result{row.function, 1.0F};
    if (object) {
      const bool clip = row.function == Function::clip;
      if (!clip) result.alpha = read_parameter(activation, "alpha");
      constexpr float infinity = std::numeric_limits<float>::infinity();
      result.low = activation.has("low") ? read_parameter(activation, "low") : clip ? -infinity : 0.0F;
      result.high = activation.has("high") ? read_parameter(activation, "high") : infinity;
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
    if (dimension == any_steps) continue;
    if (dimension > most_elements || total * dimension > most_elements) {
      where.wrong("a tensor that is too large", "at most " + std::to_string(most_elements) + " elements",
                  describe(shape));
    }
    total *= dimension;
  }
  return total;
}

double places(const Shape& shape, std::size_t steps) noexcept {
  double total = 1;
  for (const std::size_t size : shape) total *= static_cast<double>(size == any_steps ? steps : size);
  return total;
}

void check_shape(const Shape& shape, const At& where) {
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == any_steps && (i != 0 || shape.size() != 2))
      where.fail(Error::Code::unsupported, "steps that differ by event in a tensor of this form",
                 "a sequence, steps x variables", describe(shape));
  }
}

std::string describe(const Shape& shape) {
  constexpr const char* names[] = {"a number", "a vector of ", "a sequence of ", "an image of "};
  const std::string name = shape.size() < 4 ? names[shape.size()] : "a volume of ";
  return name + text::times(shape);
}

bool is_dynamic(const Shape& shape) noexcept {
  return shape.size() > 1 && shape[0] == any_steps;
}

const Shape& need_one(const At& layer, const Shapes& inputs) {
  if (inputs.size() != 1)
    layer.wrong("a wrong number of inputs of the layer", "1", std::to_string(inputs.size()));
  return inputs[0];
}

namespace {

const Shape& need_rank(const At& layer, const Shapes& inputs, std::size_t rank, const char* expected) {
  const Shape& input = need_one(layer, inputs);
  if (input.size() != rank)
    layer.wrong("the layer works on another kind of tensor", expected, describe(input));
  return input;
}

}  // namespace

const Shape& need_vector(const At& layer, const Shapes& inputs) {
  return need_rank(layer, inputs, 1, "a vector (a flatten layer before it makes one)");
}

const Shape& need_sequence(const At& layer, const Shapes& inputs) {
  return need_rank(layer, inputs, 2, "a sequence, steps x variables");
}

const Shape& need_image(const At& layer, const Shapes& inputs) {
  return need_rank(layer, inputs, 3, "an image, rows x columns x channels");
}

std::size_t Window::output(std::size_t size) const noexcept {
  if (padding != Padding::valid) return (size + step - 1) / step;
  return reach > size ? no_steps : (size - reach) / step + 1;
}

std::size_t Window::before(std::size_t size) const noexcept {
  if (padding == Padding::valid) return 0;
  if (padding == Padding::causal) return reach - 1;
  const std::size_t covered = size == 0 ? 0 : (output(size) - 1) * step + reach;
  return covered > size ? (covered - size) / 2 : 0;
}

std::size_t Window::after(std::size_t size) const noexcept {
  if (padding != Padding::same || size == 0) return 0;
  const std::size_t covered = (output(size) - 1) * step + reach;
  return covered > size ? covered - size - before(size) : 0;
}

Window read_window(const At& layer, std::size_t reach, std::size_t step, bool causal) {
  const At padding = layer.member("padding");
  const std::string& name = padding.string();
  using Padding = Window::Padding;
  if (name == "valid") return {reach, step, Padding::valid};
  if (name == "same") return {reach, step, Padding::same};
  if (name == "causal" && causal) return {reach, step, Padding::causal};
  std::vector<std::string> known{"same", "valid"};
  if (causal) known.emplace_back("causal");
  padding.fail(Error::Code::unsupported, "not a padding of this layer: " + text::quoted(name),
               text::joined(known), text::quoted(name), text::nearest(name, known));
}

std::size_t need_places(const At& layer, const Window& window, std::size_t size) {
  if (size == any_steps) return any_steps;
  const std::size_t places = window.output(size);
  if (places == no_steps) {
    layer.wrong("the window is larger than the input", "at most " + std::to_string(size) + " places",
                std::to_string(window.reach));
  }
  return places;
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
