#include "parse/file.hpp"

#include <algorithm>

#include "layers/layer.hpp"
#include "parse/text.hpp"

namespace hepml::parse {
namespace {

constexpr std::size_t most_values = std::size_t{1} << 24;  // values of all inputs, sources of a node
constexpr std::size_t most_records = 4096;                 // inputs, outputs
constexpr std::size_t most_nodes = 65536;
constexpr std::size_t most_dimensions = 4;

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

/// One number for the whole tensor, or one a channel, for the pixels of a row.
std::vector<double> read_image_scaling(const At& at, const char* key, double absent, const Input& input) {
  if (!at.has(key)) return {absent};
  const At value = at.member(key);
  if (value.is_number()) return {value.number()};
  const std::size_t channels = input.shape.back();
  const auto& numbers = value.numbers();
  if (numbers.size() != channels) {
    value.wrong("the scaling does not fit the input",
                "one number, or one for each of " + std::to_string(channels) + " channels",
                std::to_string(numbers.size()) + " numbers");
  }
  if (channels == 1) return {numbers[0]};
  std::vector<double> row(input.shape[input.shape.size() - 2] * channels);
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = numbers[i % channels];
  return row;
}

InputRecord read_input(const At& at) {
  InputRecord record{{at.member("name").string(), {}}, {}, {}, at};
  Input& input = record.input;
  if (at.has("shape")) {
    input.shape = at.member("shape").counts(1, most_values);
    if (input.shape.empty() || input.shape.size() > most_dimensions) {
      at.member("shape").fail(
          Error::Code::unsupported, "an input of another rank",
          "[n], [rows, columns, channels] or up to " + std::to_string(most_dimensions) + " dimensions",
          "[" + text::times(input.shape) + "]");
    }
    input.size = layers::elements(input.shape, at);
  }
  if (input.shape.size() > 1) {
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

/// lwtnn's input_sequences: a vector a step. The key `steps` fixes their number.
InputRecord read_input_sequence(const At& at) {
  InputRecord record{{at.member("name").string(), {}}, {}, {}, at};
  Input& input = record.input;
  read_variables(at.member("variables"), record);
  const std::size_t n = input.variables.size();
  if (n == 0) at.wrong("an input without variables", "at least one variable", "none");
  input.shape = {at.has("steps") ? at.member("steps").count(1, most_values) : any_steps, n};
  input.size = layers::elements(input.shape, at);
  return record;
}

struct NodeRow {
  const char* name;
  NodeType type;
  bool layer;        // has a layer_index
  std::size_t most;  // sources
};

constexpr NodeRow node_table[] = {
    {"feed_forward", NodeType::feed_forward, true, 1},
    {"sequence", NodeType::sequence, true, 1},
    {"time_distributed", NodeType::time_distributed, true, 1},
    {"concatenate", NodeType::concatenate, false, most_values},
    {"add", NodeType::add, false, most_values},
    {"sum", NodeType::sum, false, 1},
    {"layer", NodeType::layer, true, most_values},
};

/// `first` is the index in file.inputs of what source 0 means, `n` how many there are of the kind.
NodeRecord read_input_node(const At& at, const File& file, std::size_t first, std::size_t n) {
  const At sources = at.member("sources");
  if (n == 0) at.wrong("an input node in a file without inputs of its kind");
  NodeRecord node{NodeType::input, sources.counts(0, n - 1), 0, 0, at};
  if (node.sources.size() != 1)
    sources.wrong("a wrong number of sources", "1", std::to_string(node.sources.size()));
  node.sources[0] += first;
  const Input& input = file.inputs[node.sources[0]].input;
  const std::size_t size = input.shape.size() == 2 && !input.variables.empty() ? input.shape[1] : input.size;
  if (const std::size_t given = at.member("size").count(1, layers::most_elements); given != size) {
    at.member("size").wrong("the node's size is not that of input " + text::quoted(input.name),
                            std::to_string(size), std::to_string(given));
  }
  return node;
}

NodeRecord read_node(const At& at, const File& file, std::size_t n_vectors, std::size_t n_nodes) {
  const At type = at.member("type");
  const std::string& name = type.string();
  if (name == "input") return read_input_node(at, file, 0, n_vectors);
  if (name == "input_sequence") return read_input_node(at, file, n_vectors, file.inputs.size() - n_vectors);
  std::vector<std::string> known{"input", "input_sequence"};
  for (const NodeRow& row : node_table) {
    known.emplace_back(row.name);
    if (name != row.name) continue;
    const At sources = at.member("sources");
    NodeRecord node{row.type, sources.counts(0, n_nodes - 1), 0, 0, at};
    if (node.sources.empty() || node.sources.size() > row.most) {
      sources.wrong("a wrong number of sources", row.most == 1 ? "1" : "at least 1",
                    std::to_string(sources.size()));
    }
    if (row.layer) {
      if (file.layers.empty()) at.wrong("a layer node in a file without layers");
      node.layer = at.member("layer_index").count(0, file.layers.size() - 1);
    }
    return node;
  }
  type.fail(Error::Code::unsupported, "unknown kind of node " + text::quoted(name), text::joined(known),
            text::quoted(name), text::nearest(name, known));
}

/// As many as the output has values.
std::vector<std::string> read_labels(const At& labels) {
  auto names = labels.strings();
  if (names.empty()) labels.wrong("labels and width of the output differ", "at least one label", "none");
  check_distinct(names, "labels", labels);
  return names;
}

void need_few(const At& list, const char* what, std::size_t n, std::size_t most_of_them) {
  if (n > most_of_them)
    list.wrong(std::string("too many ") + what, "at most " + std::to_string(most_of_them), std::to_string(n));
}

void read_outputs(const At& outputs, File& file) {
  need_few(outputs, "outputs", outputs.members().size(), most_records);
  for (const auto& [name, value] : outputs.members()) {
    const At at = outputs.member(name);
    OutputRecord record{{name, read_labels(at.member("labels"))}, 0, at};
    record.node = at.member("node_index").count(0, file.nodes.size() - 1);
    file.outputs.push_back(std::move(record));
  }
  if (file.outputs.empty()) outputs.wrong("a network without outputs", "at least one output", "none");
}

File read_graph(const At& root) {
  File file;
  const At inputs = root.member("inputs");
  need_few(inputs, "inputs", inputs.size(), most_records);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    file.inputs.push_back(read_input(inputs.item(i)));
    names.push_back(file.inputs.back().input.name);
  }
  const std::size_t n_vectors = file.inputs.size();
  check_distinct(names, "inputs", inputs);
  if (root.has("input_sequences")) {
    const At sequences = root.member("input_sequences");
    need_few(sequences, "inputs", sequences.size(), most_records);
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      file.inputs.push_back(read_input_sequence(sequences.item(i)));
      std::string& name = file.inputs.back().input.name;
      const auto vectors = names.begin() + static_cast<std::ptrdiff_t>(n_vectors);
      if (std::find(names.begin(), vectors, name) != vectors) name += sequence_suffix;
      names.push_back(name);
    }
    check_distinct(names, "inputs", sequences);
  }
  std::size_t n_values = 0;
  for (const InputRecord& record : file.inputs) n_values += record.input.size;
  need_few(inputs, "input values", n_values, most_values);
  const At layers = root.member("layers");
  for (std::size_t i = 0; i < layers.size(); ++i) file.layers.push_back(layers.item(i));
  const At nodes = root.member("nodes");
  need_few(nodes, "nodes", nodes.size(), most_nodes);
  if (nodes.size() == 0) nodes.wrong("a network without nodes", "at least one node", "none");
  for (std::size_t i = 0; i < nodes.size(); ++i)
    file.nodes.push_back(read_node(nodes.item(i), file, n_vectors, nodes.size()));
  read_outputs(root.member("outputs"), file);
  return file;
}

bool is_recurrent(const At& layer) {
  const std::string& name = layer.member("architecture").string();
  return name == "lstm" || name == "gru" || name == "simplernn" || name == "embedding";
}

/// lwtnn's sequential form as a chain of nodes: one input "inputs", one output "outputs". If it begins with a
/// recurrent layer, the input is a sequence, and the layers behind the recurrent ones see the last step.
File read_sequential(const At& root) {
  File file;
  const At inputs = root.member("inputs");
  InputRecord record{{"inputs", {}}, {}, {}, inputs};
  read_variables(inputs, record);
  const std::size_t n = record.input.variables.size();
  if (n == 0) inputs.wrong("a network without variables", "at least one variable", "none");
  const At list = root.member("layers");
  const bool recurrent = list.size() > 0 && is_recurrent(list.item(0));
  record.input.shape = recurrent ? layers::Shape{any_steps, n} : layers::Shape{n};
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
  bool vector = !recurrent;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const At layer = list.item(i);
    const bool steps = is_recurrent(layer);
    if (steps && vector) {
      layer.fail(Error::Code::unsupported, "a recurrent layer behind a feed-forward one",
                 "recurrent layers first: lwtnn evaluates them first wherever they stand",
                 text::quoted(layer.member("architecture").string()), {},
                 "write the network in the graph form");
    }
    vector |= !steps;
    file.layers.push_back(layer);
    file.nodes.push_back({steps ? NodeType::sequence : NodeType::feed_forward, {i}, 0, i, layer});
  }
  const At labels = root.member("outputs");
  file.outputs.push_back({{"outputs", read_labels(labels)}, file.nodes.size() - 1, labels, recurrent});
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
