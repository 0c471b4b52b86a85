#include <hepml/session.hpp>
#include <lwtnn/Engine.hh>
#include <lwtnn/Exceptions.hh>

#include <algorithm>
#include <mutex>

#include "kernels/select.hpp"
#include "lwtnn/names.hpp"
#include "lwtnn/value.hpp"
#include "model_maker.hpp"
#include "parse/text.hpp"

namespace lwt {
namespace {

namespace parse = hepml::parse;
namespace text = hepml::text;
using parse::At;
using parse::NodeType;
using parse::Value;
using Type = NodeConfig::Type;

At at(Value value, const std::string& path) {
  return At(std::make_shared<const Value>(std::move(value)), path);
}

/// lwtnn's configuration as records of a file, of only what one node needs.
class Reader {
 public:
  explicit Reader(const GraphConfig& config) : config_(config) {}

  parse::File read(std::size_t node, std::vector<Engine::Source>& sources) {
    collect(node);
    for (const bool sequence : {false, true}) {
      for (const auto& [index, place] : sequence ? sequences_ : scalars_) add_input(index, sequence, sources);
    }
    for (const std::size_t old : nodes_) file_.nodes.push_back(record(old));
    for (const std::size_t old : layers_) {
      file_.layers.push_back(at(to_value(config_.layers[old]), "layers[" + std::to_string(old) + "]"));
    }
    parse::OutputRecord output{
        {"output", {}}, 0, at(Value{Value::Object{}}, "nodes[" + std::to_string(node) + "]")};
    output.node = place(nodes_, node);
    output.unlabelled = true;
    file_.outputs.push_back(std::move(output));
    return std::move(file_);
  }

 private:
  const GraphConfig& config_;
  parse::File file_;
  std::vector<std::size_t> nodes_, layers_;                 // in use, by their index in the configuration
  std::map<std::size_t, std::size_t> scalars_, sequences_;  // inputs in use

  static std::size_t place(const std::vector<std::size_t>& sorted, std::size_t value) {
    return static_cast<std::size_t>(std::lower_bound(sorted.begin(), sorted.end(), value) - sorted.begin());
  }

  [[noreturn]] static void wrong(std::size_t node, const std::string& problem) {
    throw NNConfigurationException("node " + std::to_string(node) + ": " + problem);
  }

  static bool is_input(const NodeConfig& node) {
    return node.type == Type::INPUT || node.type == Type::INPUT_SEQUENCE;
  }

  void collect(std::size_t first) {
    std::vector<bool> seen(config_.nodes.size()), used(config_.layers.size());
    std::vector<std::size_t> waiting{first};
    while (!waiting.empty()) {
      const std::size_t index = waiting.back();
      waiting.pop_back();
      if (index >= config_.nodes.size())
        wrong(index, "there are only " + std::to_string(config_.nodes.size()) + " nodes");
      if (seen[index]) continue;
      seen[index] = true;
      const NodeConfig& node = config_.nodes[index];
      if (node.sources.empty()) wrong(index, "a node without sources");
      if (is_input(node)) {
        const bool sequence = node.type == Type::INPUT_SEQUENCE;
        const std::size_t n = (sequence ? config_.input_sequences : config_.inputs).size();
        if (node.sources.size() != 1 || node.sources[0] >= n) wrong(index, "an input that is not there");
        (sequence ? sequences_ : scalars_)[node.sources[0]] = 0;
        continue;
      }
      waiting.insert(waiting.end(), node.sources.begin(), node.sources.end());
      if (has_layer(node)) {
        const auto layer = static_cast<std::size_t>(node.index);
        if (node.index < 0 || layer >= used.size()) wrong(index, "a layer that is not there");
        used[layer] = true;
      }
      if (node.sources.size() != 1 && node.type != Type::CONCATENATE && node.type != Type::ADD)
        wrong(index, "one source is needed, not " + std::to_string(node.sources.size()));
    }
    for (std::size_t i = 0; i < seen.size(); ++i) {
      if (seen[i]) nodes_.push_back(i);
    }
    for (std::size_t i = 0; i < used.size(); ++i) {
      if (used[i]) layers_.push_back(i);
    }
  }

  static bool has_layer(const NodeConfig& node) {
    return node.type == Type::FEED_FORWARD || node.type == Type::SEQUENCE ||
           node.type == Type::TIME_DISTRIBUTED;
  }

  void add_input(std::size_t index, bool sequence, std::vector<Engine::Source>& sources) {
    const InputNodeConfig& input = (sequence ? config_.input_sequences : config_.inputs)[index];
    const std::size_t n = input.variables.size();
    const std::string where = (sequence ? "input_sequences[" : "inputs[") + std::to_string(index) + "]";
    if (n == 0) throw NNConfigurationException(where + ": an input needs at least one variable");
    parse::InputRecord record{
        {where, {}}, {}, {}, at(Value{Value::Object{}}, where)};  // scaled here, in double precision
    record.offset.assign(n, 0.0);
    record.scale.assign(n, 1.0);
    record.input.shape = sequence ? hepml::layers::Shape{hepml::any_steps, n} : hepml::layers::Shape{n};
    record.input.size = n;
    (sequence ? sequences_ : scalars_)[index] = file_.inputs.size();
    file_.inputs.push_back(std::move(record));
    sources.push_back({index, sequence, input.variables});
  }

  parse::NodeRecord record(std::size_t index) const {
    static constexpr std::pair<Type, NodeType> kinds[] = {
        {Type::INPUT, NodeType::input},
        {Type::INPUT_SEQUENCE, NodeType::input},
        {Type::FEED_FORWARD, NodeType::feed_forward},
        {Type::CONCATENATE, NodeType::concatenate},
        {Type::SEQUENCE, NodeType::sequence},
        {Type::TIME_DISTRIBUTED, NodeType::time_distributed},
        {Type::SUM, NodeType::sum},
        {Type::ADD, NodeType::add},
    };
    const NodeConfig& node = config_.nodes[index];
    parse::NodeRecord out{
        NodeType::input, {}, 0, 0, at(Value{Value::Object{}}, "nodes[" + std::to_string(index) + "]")};
    for (const auto& [type, kind] : kinds) {
      if (type == node.type) out.type = kind;
    }
    if (is_input(node)) {
      const bool sequence = node.type == Type::INPUT_SEQUENCE;
      const std::size_t input = (sequence ? sequences_ : scalars_).at(node.sources[0]);
      out.sources = {input};
      if (node.index < 0 || static_cast<std::size_t>(node.index) != file_.inputs[input].input.size) {
        wrong(index, "its size is " + std::to_string(node.index) + ", but the input has " +
                         std::to_string(file_.inputs[input].input.size) + " variables");
      }
      return out;
    }
    for (const std::size_t source : node.sources) out.sources.push_back(place(nodes_, source));
    if (has_layer(node)) out.layer = place(layers_, static_cast<std::size_t>(node.index));
    return out;
  }
};

}  // namespace

struct Engine::Slot {
  Slot(const hepml::Model& model, std::size_t max_steps) : session(model, max_steps) {}
  hepml::Session session;
  std::vector<hepml::span<float>> inputs;
  hepml::span<const float> output;
};

struct Engine::Parts {
  hepml::Model model;
  std::vector<Source> sources;
  bool last = false;  // a sequence node: compute() gives its last step
  mutable std::mutex mutex;
  mutable std::vector<std::unique_ptr<Slot>> free;

  Parts(parse::File file, std::vector<Source> from, bool steps)
      : model(hepml::ModelMaker::make(hepml::Network::build(std::move(file), hepml::kernels::select({})))),
        sources(std::move(from)),
        last(steps) {}
};

Engine::Engine(const GraphConfig& config, std::size_t node) {
  try {
    std::vector<Source> sources;
    parse::File file = Reader(config).read(node, sources);
    parts_ = std::make_unique<Parts>(std::move(file), std::move(sources),
                                     config.nodes[node].type == Type::SEQUENCE);
  } catch (const hepml::Error& error) {
    throw NNConfigurationException(error.what());
  }
}

/// As a graph: a chain of nodes.
Engine::Engine(const std::vector<Input>& inputs, const std::vector<LayerConfig>& layers,
               std::size_t n_outputs, bool recurrent) {
  GraphConfig config;
  config.layers = layers;
  const InputNodeConfig input{"inputs", inputs, {}, {}};
  (recurrent ? config.input_sequences : config.inputs).push_back(input);
  config.nodes.push_back(
      {recurrent ? Type::INPUT_SEQUENCE : Type::INPUT, {0}, static_cast<int>(inputs.size())});
  bool vector = !recurrent;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Architecture kind = layers[i].architecture;
    const bool steps = kind == Architecture::LSTM || kind == Architecture::GRU ||
                       kind == Architecture::SIMPLERNN || kind == Architecture::EMBEDDING;
    if (steps && vector) {
      throw NNConfigurationException(
          std::string("layer ") + std::to_string(i) + ": '" + names::name_of(names::architectures, kind) +
          "' " +
          (recurrent ? "stands behind a feed-forward layer; write the network in the graph form"
                     : "is recurrent; use LightweightRNN"));
    }
    vector |= !steps;
    config.nodes.push_back({steps ? Type::SEQUENCE : Type::FEED_FORWARD, {i}, static_cast<int>(i)});
  }
  if (recurrent && layers.empty()) throw NNConfigurationException("a recurrent network without layers");
  *this = Engine(config, layers.size());
  if (width() != n_outputs) {
    throw NNConfigurationException("the last layer has " + std::to_string(width()) + " units, but " +
                                   std::to_string(n_outputs) + " outputs are named");
  }
  if (!gives_vector())
    throw NNConfigurationException("the first layer of a recurrent network must be recurrent");
}

Engine::~Engine() = default;
Engine& Engine::operator=(Engine&&) noexcept = default;

const std::vector<Engine::Source>& Engine::sources() const noexcept {
  return parts_->sources;
}
bool Engine::gives_vector() const noexcept {
  return parts_->last || !gives_sequence();
}
bool Engine::gives_sequence() const noexcept {
  return parts_->model.outputs()[0].shape.size() == 2;
}
std::size_t Engine::width() const noexcept {
  return parts_->model.outputs()[0].shape.back();
}

namespace {

std::unique_ptr<Engine::Slot> make_slot(const hepml::Model& model,
                                        std::size_t max_steps = hepml::default_max_steps) {
  try {
    return std::make_unique<Engine::Slot>(model, max_steps);
  } catch (const hepml::Error& error) {
    throw NNEvaluationException(error.what());
  }
}

}  // namespace

Engine::Call::Call(const Engine& engine) : engine_(engine) {
  {
    const std::lock_guard<std::mutex> lock(engine.parts_->mutex);
    auto& free = engine.parts_->free;
    if (!free.empty()) {
      slot_ = std::move(free.back());
      free.pop_back();
    }
  }
  if (!slot_) slot_ = make_slot(engine.parts_->model);
  slot_->inputs.clear();
  for (std::size_t i = 0; i < engine.sources().size(); ++i) {
    if (engine.sources()[i].sequence) slot_->session.sequence(i, 0);
    slot_->inputs.push_back(slot_->session.input(i));
  }
}

Engine::Call::~Call() {
  const std::lock_guard<std::mutex> lock(engine_.parts_->mutex);
  engine_.parts_->free.push_back(std::move(slot_));
}

void Engine::Call::set_steps(std::size_t source, std::size_t steps) {
  if (steps > slot_->session.max_steps()) {
    auto larger = make_slot(engine_.parts_->model, steps);
    for (std::size_t i = 0; i < slot_->inputs.size(); ++i) {
      const auto from = slot_->inputs[i];
      const std::size_t width = engine_.sources()[i].variables.size();
      const auto to = engine_.sources()[i].sequence ? larger->session.sequence(i, from.size() / width)
                                                    : larger->session.input(i);
      std::copy(from.begin(), from.end(), to.begin());
      larger->inputs.push_back(to);
    }
    slot_ = std::move(larger);
  }
  slot_->inputs[source] = slot_->session.sequence(source, steps);
}

void Engine::Call::set(std::size_t source, std::size_t step, std::size_t variable, double value) noexcept {
  const std::vector<Input>& variables = engine_.parts_->sources[source].variables;
  const Input& input = variables[variable];
  slot_->inputs[source][step * variables.size() + variable] =
      static_cast<float>((value + input.offset) * input.scale);
}

void Engine::Call::run() {
  slot_->output = slot_->session.run();
  if (slot_->session.status() == hepml::Status::wrong_steps)
    throw NNEvaluationException(
        "the sequence is too short for a layer, or sequences that meet differ in length");
}

std::size_t Engine::Call::steps() const noexcept {
  return slot_->output.size() / engine_.width();
}

double Engine::Call::value(std::size_t step, std::size_t unit) const noexcept {
  if (step >= steps()) return 0.0;  // the state before the first step
  return static_cast<double>(slot_->output[step * engine_.width() + unit]);
}

struct EngineSet::Parts {
  GraphConfig config;
  mutable std::mutex mutex;
  mutable std::map<std::size_t, std::unique_ptr<const Engine>> engines;
};

EngineSet::EngineSet(GraphConfig config) : parts_(std::make_unique<Parts>()) {
  parts_->config = std::move(config);
}

EngineSet::~EngineSet() = default;

const GraphConfig& EngineSet::config() const noexcept {
  return parts_->config;
}

const Engine& EngineSet::of_node(std::size_t node) const {
  const std::lock_guard<std::mutex> lock(parts_->mutex);
  auto& engine = parts_->engines[node];
  if (!engine) {
    if (node >= parts_->config.nodes.size())
      throw NNEvaluationException("the graph has no node " + std::to_string(node));
    engine = std::make_unique<const Engine>(parts_->config, node);
  }
  return *engine;
}

std::size_t EngineSet::default_node(const std::string& output) const {
  const auto& outputs = parts_->config.outputs;
  std::vector<std::string> names;
  for (const auto& [name, record] : outputs) names.push_back(name);
  if (output.empty()) {
    if (outputs.size() == 1) return outputs.begin()->second.node_index;
    throw NNConfigurationException("the graph has " + std::to_string(outputs.size()) +
                                   " outputs: name the default one, of " + text::joined(names));
  }
  const auto found = outputs.find(output);
  if (found == outputs.end())
    throw NNConfigurationException("the graph has no output " + text::quoted(output) + ", but " +
                                   text::joined(names));
  return found->second.node_index;
}

std::vector<std::size_t> find_inputs(const order_t& order, const std::vector<InputNodeConfig>& inputs) {
  std::vector<std::size_t> found;
  for (const InputNodeConfig& input : inputs) {
    std::size_t i = order.size();
    while (i > 0 && order[i - 1].first != input.name) --i;  // the last of equal names, as in lwtnn
    if (i == 0)
      throw NNConfigurationException("the order of inputs lacks the input " + text::quoted(input.name));
    found.push_back(i - 1);
  }
  return found;
}

std::vector<std::size_t> find_variables(const std::vector<std::string>& order,
                                        const std::vector<Input>& inputs) {
  std::vector<std::size_t> found;
  for (const Input& input : inputs) {
    std::size_t i = order.size();
    while (i > 0 && order[i - 1] != input.name) --i;
    if (i == 0)
      throw NNConfigurationException("the order of variables lacks the variable " + text::quoted(input.name));
    found.push_back(i - 1);
  }
  return found;
}

}  // namespace lwt
