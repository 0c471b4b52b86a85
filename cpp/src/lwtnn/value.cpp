#include "lwtnn/value.hpp"

#include <lwtnn/Exceptions.hh>

#include <cmath>

#include "lwtnn/names.hpp"

namespace lwt {
namespace {

using hepml::parse::Value;

Value to_value(const ActivationConfig& activation) {
  std::string name = names::name_of(names::activations, activation.function);
  if (activation.function == Activation::NONE || name.empty())
    throw NNConfigurationException("a layer without an activation: Activation::NONE");
  if (const auto old = name.find("_legacy"); old != std::string::npos) name.resize(old);
  const auto is = [&](Activation one) { return activation.function == one; };
  // the others have no use for alpha, which a program may have left as it was in memory
  const bool shaped = is(Activation::ELU) || is(Activation::LEAKY_RELU) || is(Activation::SWISH);
  if (!shaped || std::isnan(activation.alpha)) return Value{name};
  return Value{Value::Object{{"function", Value{name}}, {"alpha", Value{activation.alpha}}}};
}

Value with_weights(const LayerConfig& layer) {
  Value::Object out{{"weights", Value{layer.weights}}, {"bias", Value{layer.bias}}};
  if (!layer.U.empty()) out.emplace_back("U", Value{layer.U});
  return Value{std::move(out)};
}

}  // namespace

Value to_value(const LayerConfig& layer) {
  Value::Object out{
      {"architecture", Value{std::string(names::name_of(names::architectures, layer.architecture))}}};
  const auto put = [&out](const char* key, Value value) { out.emplace_back(key, std::move(value)); };
  switch (layer.architecture) {
    case Architecture::NONE:
      throw NNConfigurationException("a layer without an architecture: Architecture::NONE");
    case Architecture::MAXOUT: {
      Value::Array parts;
      for (const LayerConfig& part : layer.sublayers) parts.push_back(with_weights(part));
      put("sublayers", Value{std::move(parts)});
      break;
    }
    case Architecture::EMBEDDING: {
      Value::Array parts;
      for (const EmbeddingConfig& part : layer.embedding) {
        parts.push_back(Value{Value::Object{{"weights", Value{part.weights}},
                                            {"index", Value{static_cast<double>(part.index)}},
                                            {"n_out", Value{static_cast<double>(part.n_out)}}}});
      }
      put("sublayers", Value{std::move(parts)});
      break;
    }
    case Architecture::HIGHWAY:
    case Architecture::LSTM:
    case Architecture::GRU:
    case Architecture::SIMPLERNN: {
      Value::Object parts;
      for (const auto& [component, part] : layer.components)
        parts.emplace_back(names::name_of(names::components, component), with_weights(part));
      put("components", Value{std::move(parts)});
      put("activation", to_value(layer.activation));
      if (layer.inner_activation.function != Activation::NONE)
        put("inner_activation", to_value(layer.inner_activation));
      break;
    }
    case Architecture::CONV1D:
    case Architecture::DENSE:
      put("weights", Value{layer.weights});
      put("bias", Value{layer.bias});
      put("activation", to_value(layer.activation));
      if (layer.architecture == Architecture::DENSE) break;
      put("dilation_rate", Value{static_cast<double>(layer.conv1d.dilation_rate)});
      put("padding", Value{std::string(names::name_of(names::paddings, layer.conv1d.padding))});
      break;
    case Architecture::NORMALIZATION:
      put("weights", Value{layer.weights});
      put("bias", Value{layer.bias});
      break;
  }
  return Value{std::move(out)};
}

}  // namespace lwt
