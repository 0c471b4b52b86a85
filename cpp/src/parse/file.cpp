#include "parse/file.hpp"

#include <algorithm>

#include "layers/layer.hpp"
#include "parse/text.hpp"

namespace hepml::parse {
namespace {

constexpr std::size_t most = std::size_t{1} << 24;  // variables, nodes, labels

Variable read_variable(const At& at) {
  Variable variable{at.member("name").string(), at.member("offset").number(), at.member("scale").number()};
  if (at.has("default")) variable.default_value = at.member("default").number();
  return variable;
}

void read_variables(const At& list, InputRecord& record) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < list.size(); ++i) {
    Variable variable = read_variable(list.item(i));
    names.push_back(variable.name);
    record.offset.push_back(variable.offset);
    record.scale.push_back(variable.scale);
    record.input.variables.push_back(std::move(variable));
  }
  check_distinct(names, "variables", list);
}

/// One number for the whole image, or one a channel spread over all pixels.
std::vector<double> read_image_scaling(const At& at, const char* key, double absent, const Input& input) {
  if (!at.has(key)) return {absent};
  const At value = at.member(key);
  if (value.is_number()) return {value.number()};
  const std::size_t channels = input.shape[2];
  const auto& numbers = value.numbers();
  if (numbers.size() != channels) {
    value.wrong("the scaling does not fit the image",
                "one number, or one for each of " + std::to_string(channels) + " channels",
                std::to_string(numbers.size()) + " numbers");
  }
  if (channels == 1) return {numbers[0]};
  std::vector<double> all(input.size);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = numbers[i % channels];
  return all;
}

InputRecord read_input(const At& at) {
  InputRecord record{{at.member("name").string(), {}}, {}, {}, at};
  Input& input = record.input;
  if (at.has("shape")) {
    input.shape = at.member("shape").counts(1, most);
    if (input.shape.size() != 1 && input.shape.size() != 3) {
      at.member("shape").fail(Error::Code::unsupported, "an input of another rank",
                              "[n] or [rows, columns, channels]", "[" + text::times(input.shape) + "]");
    }
    input.size = layers::elements(input.shape, at);
  }
  if (input.shape.size() == 3) {
    record.offset = read_image_scaling(at, "offset", 0.0, input);
    record.scale = read_image_scaling(at, "scale", 1.0, input);
    const std::size_t n = std::max(record.offset.size(), record.scale.size());
    record.offset.resize(n, record.offset[0]);
    record.scale.resize(n, record.scale[0]);
    return record;
  }
  read_variables(at.member("variables"), record);
  const std::size_t n = input.variables.size();
  if (n == 0) at.wrong("an input without variables", "at least one variable", "none");
  if (!input.shape.empty() && input.shape[0] != n) {
    at.member("shape").wrong("the shape does not fit the variables", std::to_string(n),
                             text::times(input.shape));
  }
  input.shape = {n};
  input.size = n;
  return record;
}

NodeRecord read_node(const At& at, const File& file, std::size_t n_nodes) {
  const At type = at.member("type");
  const std::string& name = type.string();
  const At sources = at.member("sources");
  NodeRecord node{NodeType::input, {}, 0, 0, at};
  const auto need = [&sources](bool right, const char* expected) {
    if (!right) sources.wrong("a wrong number of sources", expected, std::to_string(sources.size()));
  };
  if (name == "input") {
    if (file.inputs.empty()) at.wrong("an input node in a file without inputs");
    node.sources = sources.counts(0, file.inputs.size() - 1);
    need(node.sources.size() == 1, "1");
    node.size = at.member("size").count(1, layers::most_elements);
    const Input& input = file.inputs[node.sources[0]].input;
    if (node.size != input.size) {
      at.member("size").wrong("the node's size is not that of input " + text::quoted(input.name),
                              std::to_string(input.size), std::to_string(node.size));
    }
    return node;
  }
  node.sources = sources.counts(0, n_nodes - 1);
  if (name == "feed_forward") {
    node.type = NodeType::feed_forward;
    need(node.sources.size() == 1, "1");
    if (file.layers.empty()) at.wrong("a layer node in a file without layers");
    node.layer = at.member("layer_index").count(0, file.layers.size() - 1);
  } else if (name == "concatenate" || name == "add") {
    node.type = name == "add" ? NodeType::add : NodeType::concatenate;
    need(!node.sources.empty(), "at least 1");
  } else {
    const std::vector<std::string> known{"input", "feed_forward", "concatenate", "add"};
    type.fail(Error::Code::unsupported, "unknown kind of node " + text::quoted(name), text::joined(known),
              text::quoted(name), text::nearest(name, known));
  }
  return node;
}

void read_outputs(const At& outputs, File& file) {
  for (const auto& [name, value] : outputs.members()) {
    const At at = outputs.member(name);
    const At labels = at.member("labels");
    OutputRecord record{{name, labels.strings()}, 0, at};
    check_distinct(record.output.labels, "labels", labels);
    record.node = at.member("node_index").count(0, file.nodes.size() - 1);
    file.outputs.push_back(std::move(record));
  }
  if (file.outputs.empty()) outputs.wrong("a network without outputs", "at least one output", "none");
}

File read_graph(const At& root) {
  File file;
  const At inputs = root.member("inputs");
  std::vector<std::string> names;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    file.inputs.push_back(read_input(inputs.item(i)));
    names.push_back(file.inputs.back().input.name);
  }
  check_distinct(names, "inputs", inputs);
  if (root.has("input_sequences") && root.member("input_sequences").size() != 0) {
    root.member("input_sequences")
        .fail(Error::Code::unsupported, "sequence inputs are not evaluated by this version", "none",
              std::to_string(root.member("input_sequences").size()));
  }
  const At layers = root.member("layers");
  for (std::size_t i = 0; i < layers.size(); ++i) file.layers.push_back(layers.item(i));
  const At nodes = root.member("nodes");
  if (nodes.size() == 0) nodes.wrong("a network without nodes", "at least one node", "none");
  for (std::size_t i = 0; i < nodes.size(); ++i)
    file.nodes.push_back(read_node(nodes.item(i), file, nodes.size()));
  read_outputs(root.member("outputs"), file);
  return file;
}

/// lwtnn's sequential form as a chain of nodes: one input "inputs", one output "outputs".
File read_sequential(const At& root) {
  File file;
  const At inputs = root.member("inputs");
  InputRecord record{{"inputs", {}}, {}, {}, inputs};
  read_variables(inputs, record);
  const std::size_t n = record.input.variables.size();
  if (n == 0) inputs.wrong("a network without variables", "at least one variable", "none");
  record.input.shape = {n};
  record.input.size = n;
  if (root.has("defaults")) {  // lwtnn: the object replaces the variables' own defaults
    const At defaults = root.member("defaults");
    for (Variable& variable : record.input.variables) {
      variable.default_value.reset();
      if (defaults.has(variable.name)) variable.default_value = defaults.member(variable.name).number();
    }
  }
  file.inputs.push_back(std::move(record));
  file.nodes.push_back({NodeType::input, {0}, n, 0, inputs});
  const At layers = root.member("layers");
  for (std::size_t i = 0; i < layers.size(); ++i) {
    file.layers.push_back(layers.item(i));
    file.nodes.push_back({NodeType::feed_forward, {i}, 0, i, layers.item(i)});
  }
  const At labels = root.member("outputs");
  file.outputs.push_back({{"outputs", labels.strings()}, file.nodes.size() - 1, labels});
  check_distinct(file.outputs[0].output.labels, "labels", labels);
  return file;
}

}  // namespace

void check_distinct(const std::vector<std::string>& names, const char* what, const At& where) {
  auto sorted = names;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) {
    where.wrong(std::string("two ") + what + " of one name", "distinct names",
                text::quoted(*twice) + " twice");
  }
}

File read_network(const Value& value) {
  const At root(value, "");
  if (!root.is_object())
    root.wrong("not a network", "an object with inputs, layers and outputs", value.kind());
  File file =
      root.has("nodes") || root.member("outputs").is_object() ? read_graph(root) : read_sequential(root);
  if (root.has("hepml")) file.extension = read_extension(root.member("hepml"), file);
  return file;
}

}  // namespace hepml::parse
