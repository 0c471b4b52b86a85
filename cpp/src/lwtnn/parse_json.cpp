#include <lwtnn/Exceptions.hh>
#include <lwtnn/parse_json.hh>

#include <cmath>
#include <iterator>

#include "lwtnn/names.hpp"
#include "parse/json.hpp"
#include "parse/text.hpp"

namespace lwt {
namespace {

using hepml::parse::At;
namespace text = hepml::text;

template <class E, std::size_t N>
E read_name(const At& at, const names::Row<E> (&table)[N], const char* what) {
  std::vector<std::string> known;
  for (const auto& [name, value] : table) {
    if (at.string() == name) return value;
    known.emplace_back(name);
  }
  at.fail(hepml::Error::Code::unsupported, std::string("unknown ") + what + " " + text::quoted(at.string()),
          text::joined(known), text::quoted(at.string()), text::nearest(at.string(), known));
}

ActivationConfig read_activation(const At& at) {
  if (at.is_object()) {
    return {read_name(at.member("function"), names::activations, "activation"), at.member("alpha").number()};
  }
  const Activation function = read_name(at, names::activations, "activation");
  return {function, function == Activation::ELU ? 1.0 : NAN};
}

LayerConfig empty_layer() {
  LayerConfig layer{};
  layer.conv1d = {1, Padding::VALID};
  layer.activation = layer.inner_activation = {Activation::NONE, NAN};
  layer.architecture = Architecture::NONE;
  return layer;
}

/// Weights, bias, U and activation of a layer, a sublayer or a component.
void read_weights(const At& at, LayerConfig& layer) {
  layer.weights = at.member("weights").numbers();
  layer.bias = at.member("bias").numbers();
  if (at.has("U")) layer.U = at.member("U").numbers();
  if (at.has("activation")) layer.activation = read_activation(at.member("activation"));
}

LayerConfig read_layer(const At& at) {
  LayerConfig layer = empty_layer();
  layer.architecture = read_name(at.member("architecture"), names::architectures, "layer");
  switch (layer.architecture) {
    case Architecture::MAXOUT: {
      const At parts = at.member("sublayers");
      for (std::size_t i = 0; i < parts.size(); ++i) {
        layer.sublayers.push_back(empty_layer());
        read_weights(parts.item(i), layer.sublayers.back());
      }
      break;
    }
    case Architecture::EMBEDDING: {
      const At parts = at.member("sublayers");
      constexpr std::size_t most = std::size_t{1} << 24;
      for (std::size_t i = 0; i < parts.size(); ++i) {
        const At part = parts.item(i);
        layer.embedding.push_back({part.member("weights").numbers(),
                                   static_cast<int>(part.member("index").count(0, most)),
                                   static_cast<int>(part.member("n_out").count(1, most))});
      }
      break;
    }
    case Architecture::HIGHWAY:
    case Architecture::LSTM:
    case Architecture::GRU:
    case Architecture::SIMPLERNN:
      for (const auto& [name, value] : at.member("components").members()) {
        const At key(std::make_shared<hepml::parse::Value>(hepml::parse::Value{name}),
                     at.path() + ".components." + name);
        LayerConfig part = empty_layer();
        read_weights(at.member("components").member(name), part);
        layer.components.emplace(read_name(key, names::components, "component"), std::move(part));
      }
      layer.activation = read_activation(at.member("activation"));
      if (at.has("inner_activation")) layer.inner_activation = read_activation(at.member("inner_activation"));
      break;
    case Architecture::CONV1D:
      read_weights(at, layer);
      layer.conv1d.dilation_rate = at.member("dilation_rate").count(1, 4096);
      layer.conv1d.padding = read_name(at.member("padding"), names::paddings, "padding");
      break;
    default:
      read_weights(at, layer);
  }
  return layer;
}

std::vector<LayerConfig> read_layers(const At& root) {
  std::vector<LayerConfig> layers;
  const At list = root.member("layers");
  for (std::size_t i = 0; i < list.size(); ++i) layers.push_back(read_layer(list.item(i)));
  return layers;
}

std::vector<Input> read_variables(const At& list, std::map<std::string, double>& defaults) {
  std::vector<Input> inputs;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const At at = list.item(i);
    inputs.push_back({at.member("name").string(), at.member("offset").number(), at.member("scale").number()});
    if (at.has("default")) defaults[inputs.back().name] = at.member("default").number();
  }
  return inputs;
}

std::vector<InputNodeConfig> read_inputs(const At& list) {
  std::vector<InputNodeConfig> inputs;
  for (std::size_t i = 0; i < list.size(); ++i) {
    InputNodeConfig input;
    input.name = list.item(i).member("name").string();
    input.variables = read_variables(list.item(i).member("variables"), input.defaults);
    inputs.push_back(std::move(input));
  }
  return inputs;
}

NodeConfig read_node(const At& at) {
  constexpr std::size_t most = std::size_t{1} << 24;
  NodeConfig node{read_name(at.member("type"), names::types, "kind of node"),
                  at.member("sources").counts(0, most), -1};
  using Type = NodeConfig::Type;
  if (node.type == Type::INPUT || node.type == Type::INPUT_SEQUENCE) {
    node.index = static_cast<int>(at.member("size").count(1, most));
  } else if (node.type == Type::FEED_FORWARD || node.type == Type::SEQUENCE ||
             node.type == Type::TIME_DISTRIBUTED) {
    node.index = static_cast<int>(at.member("layer_index").count(0, most));
  }
  return node;
}

JSONConfig sequential(const At& root) {
  JSONConfig config;
  config.inputs = read_variables(root.member("inputs"), config.defaults);
  config.layers = read_layers(root);
  config.outputs = root.member("outputs").strings();
  if (root.has("defaults")) {  // replaces those of the variables
    config.defaults.clear();
    for (const auto& [name, value] : root.member("defaults").members())
      config.defaults[name] = root.member("defaults").member(name).number();
  }
  if (root.has("miscellaneous")) {
    for (const auto& [name, value] : root.member("miscellaneous").members()) {
      const At at = root.member("miscellaneous").member(name);
      config.miscellaneous[name] = at.is_string() ? at.string() : hepml::parse::to_text(at.value());
    }
  }
  return config;
}

GraphConfig graph(const At& root) {
  GraphConfig config;
  config.inputs = read_inputs(root.member("inputs"));
  config.input_sequences = read_inputs(root.member("input_sequences"));
  const At nodes = root.member("nodes");
  for (std::size_t i = 0; i < nodes.size(); ++i) config.nodes.push_back(read_node(nodes.item(i)));
  config.layers = read_layers(root);
  for (const auto& [name, value] : root.member("outputs").members()) {
    const At at = root.member("outputs").member(name);
    config.outputs[name] = {at.member("labels").strings(),
                            at.member("node_index").count(0, std::size_t{1} << 24)};
  }
  return config;
}

template <class Config>
Config read(std::istream& json, Config (*build)(const At&)) {
  if (!json) throw NNConfigurationException("the stream of the network cannot be read: is the file there?");
  const std::string content{std::istreambuf_iterator<char>(json), {}};
  try {
    const hepml::parse::Value value = hepml::parse::parse_json(content);
    return build(At(value, ""));
  } catch (const hepml::Error& error) {
    throw NNConfigurationException(error.what());
  }
}

}  // namespace

JSONConfig parse_json(std::istream& json) {
  return read(json, &sequential);
}
JSONConfig parse_json(std::istream&& json) {
  return read(json, &sequential);
}
GraphConfig parse_json_graph(std::istream& json) {
  return read(json, &graph);
}
GraphConfig parse_json_graph(std::istream&& json) {
  return read(json, &graph);
}

}  // namespace lwt
