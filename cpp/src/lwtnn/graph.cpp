#include <lwtnn/Exceptions.hh>
#include <lwtnn/LightweightGraph.hh>

#include "lwtnn/maps.hpp"

namespace lwt {

struct LightweightGraph::Parts {
  explicit Parts(const GraphConfig& config) : engines(config) {}
  EngineSet engines;
  std::string default_output;

  const OutputNodeConfig& output(const std::string& name) const {
    const auto& outputs = engines.config().outputs;
    const auto found = outputs.find(name);
    if (found == outputs.end()) throw NNEvaluationException("the graph has no output '" + name + "'");
    return found->second;
  }

  void fill(Engine::Call& call, const Engine& engine, const NodeMap& nodes,
            const SeqNodeMap& sequences) const {
    for (std::size_t i = 0; i < engine.sources().size(); ++i) {
      const Engine::Source& source = engine.sources()[i];
      const auto& config = engines.config();
      const std::string& name = (source.sequence ? config.input_sequences : config.inputs)[source.index].name;
      if (source.sequence) {
        const auto given = sequences.find(name);
        if (given == sequences.end())
          throw NNEvaluationException("the input sequence '" + name + "' is missing");
        lwt::fill(call, i, source.variables, given->second);
      } else {
        const auto given = nodes.find(name);
        if (given == nodes.end()) throw NNEvaluationException("the input '" + name + "' is missing");
        lwt::fill(call, i, source.variables, given->second);
      }
    }
  }
};

LightweightGraph::LightweightGraph(const GraphConfig& config, std::string default_output)
    : parts_(std::make_unique<Parts>(config)) {
  parts_->engines.default_node(default_output);
  for (const auto& [name, output] : config.outputs) {
    if (output.node_index >= config.nodes.size())
      throw NNConfigurationException("output '" + name + "': there is no node " +
                                     std::to_string(output.node_index));
    const std::size_t width = parts_->engines.of_node(output.node_index).width();
    if (width != output.labels.size()) {
      throw NNConfigurationException("output '" + name + "': " + std::to_string(output.labels.size()) +
                                     " labels for " + std::to_string(width) + " units");
    }
  }
  parts_->default_output = default_output.empty() ? config.outputs.begin()->first : default_output;
}

LightweightGraph::~LightweightGraph() = default;

ValueMap LightweightGraph::compute(const NodeMap& nodes, const SeqNodeMap& sequences) const {
  return compute(nodes, sequences, parts_->default_output);
}

ValueMap LightweightGraph::compute(const NodeMap& nodes, const SeqNodeMap& sequences,
                                   const std::string& output) const {
  const OutputNodeConfig& record = parts_->output(output);
  const Engine& engine = parts_->engines.of_node(record.node_index);
  if (!engine.gives_vector())
    throw OutputRankException("the output '" + output + "' is a sequence: scan() gives its steps");
  Engine::Call call(engine);
  parts_->fill(call, engine, nodes, sequences);
  call.run();
  return last_step(call, record.labels);
}

VectorMap LightweightGraph::scan(const NodeMap& nodes, const SeqNodeMap& sequences) const {
  return scan(nodes, sequences, parts_->default_output);
}

VectorMap LightweightGraph::scan(const NodeMap& nodes, const SeqNodeMap& sequences,
                                 const std::string& output) const {
  const OutputNodeConfig& record = parts_->output(output);
  const Engine& engine = parts_->engines.of_node(record.node_index);
  if (!engine.gives_sequence())
    throw OutputRankException("the output '" + output + "' is a vector: compute() gives it");
  Engine::Call call(engine);
  parts_->fill(call, engine, nodes, sequences);
  call.run();
  VectorMap out;
  for (std::size_t i = 0; i < record.labels.size(); ++i) {
    std::vector<double> values(call.steps());
    for (std::size_t step = 0; step < values.size(); ++step) values[step] = call.value(step, i);
    out[record.labels[i]] = std::move(values);
  }
  return out;
}

}  // namespace lwt
