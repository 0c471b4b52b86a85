// libFuzzer: a file of lwtnn of any content raises lwtnn's exceptions, or evaluates.

#include <lwtnn/Exceptions.hh>
#include <lwtnn/LightweightGraph.hh>
#include <lwtnn/LightweightNeuralNetwork.hh>
#include <lwtnn/parse_json.hh>

#include <cstdint>
#include <sstream>
#include <string>

#include "mutate.hpp"

namespace {

constexpr std::size_t most_values = 4096;

void graph(const std::string& text) {
  std::istringstream stream(text);
  const lwt::GraphConfig config = lwt::parse_json_graph(stream);
  if (config.outputs.empty()) return;
  const std::string& output = config.outputs.begin()->first;
  const lwt::LightweightGraph net(config, output);
  lwt::LightweightGraph::NodeMap nodes;
  lwt::LightweightGraph::SeqNodeMap sequences;
  for (const auto& input : config.inputs) {
    for (const auto& variable : input.variables) nodes[input.name][variable.name] = 0.5;
  }
  for (const auto& input : config.input_sequences) {
    for (const auto& variable : input.variables) sequences[input.name][variable.name] = {0.5, -1, 2};
  }
  try {
    net.compute(nodes, sequences);
  } catch (const lwt::OutputRankException&) {
    net.scan(nodes, sequences);
  }
}

void chain(const std::string& text) {
  std::istringstream stream(text);
  const lwt::JSONConfig config = lwt::parse_json(stream);
  if (config.inputs.size() > most_values) return;
  lwt::ValueMap values;
  lwt::VectorMap steps;
  for (const auto& variable : config.inputs) {
    values[variable.name] = 0.5;
    steps[variable.name] = {0.5, -1, 2};
  }
  try {
    const lwt::LightweightNeuralNetwork net(config.inputs, config.layers, config.outputs);
    net.compute(values);
  } catch (const lwt::LightweightNNException&) {  // a recurrent network is another class
    const lwt::LightweightRNN net(config.inputs, config.layers, config.outputs);
    net.reduce(steps);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const auto evaluate : {&graph, &chain}) {
    try {
      evaluate(text);
    } catch (const lwt::LightweightNNException&) {
      continue;
    }
  }
  return 0;
}
