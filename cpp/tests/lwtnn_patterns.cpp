// lwtnn_patterns graph|sequential|recurrent net.json: the answers to the input pattern of lwtnn's own tests,
// a line for each label: output, label and the values step by step. Values are ramps from -1 to 1 after
// offset and scale.

#include <lwtnn/Exceptions.hh>
#include <lwtnn/LightweightGraph.hh>
#include <lwtnn/LightweightNeuralNetwork.hh>
#include <lwtnn/parse_json.hh>

#include <cstdio>
#include <fstream>
#include <string>

namespace {

constexpr std::size_t n_steps = 20;

double ramp(std::size_t i, std::size_t n, double alone) {
  return n == 1 ? alone : -1.0 + 2.0 * static_cast<double>(i) / static_cast<double>(n - 1);
}

lwt::ValueMap scalars(const std::vector<lwt::Input>& inputs) {
  lwt::ValueMap values;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    values[inputs[i].name] = ramp(i, inputs.size(), -1) / inputs[i].scale - inputs[i].offset;
  return values;
}

lwt::VectorMap sequences(const std::vector<lwt::Input>& inputs) {
  lwt::VectorMap values;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    for (std::size_t step = 0; step < n_steps; ++step) {
      const double value = ramp(i, inputs.size(), 0) * ramp(step, n_steps, 0);
      values[inputs[i].name].push_back(value / inputs[i].scale - inputs[i].offset);
    }
  }
  return values;
}

void print(const std::string& output, const lwt::ValueMap& values) {
  for (const auto& [label, value] : values)
    std::printf("%s\t%s\t%.9g\n", output.c_str(), label.c_str(), value);
}

void graph(std::istream& file) {
  const auto config = lwt::parse_json_graph(file);
  const lwt::LightweightGraph net(config, config.outputs.begin()->first);
  lwt::LightweightGraph::NodeMap nodes;
  for (const auto& input : config.inputs) nodes[input.name] = scalars(input.variables);
  lwt::LightweightGraph::SeqNodeMap steps;
  for (const auto& input : config.input_sequences) steps[input.name] = sequences(input.variables);
  for (const auto& [name, record] : config.outputs) {
    try {
      for (const auto& [label, values] : net.scan(nodes, steps, name)) {
        std::printf("%s\t%s", name.c_str(), label.c_str());
        for (const double value : values) std::printf("\t%.9g", value);
        std::printf("\n");
      }
    } catch (const lwt::OutputRankException&) {  // a vector
      print(name, net.compute(nodes, steps, name));
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string kind = argv[1];
  std::ifstream file(argv[2]);
  if (kind == "graph") {
    graph(file);
    return 0;
  }
  const auto config = lwt::parse_json(file);
  if (kind == "sequential") {
    print("", lwt::LightweightNeuralNetwork(config.inputs, config.layers, config.outputs)
                  .compute(scalars(config.inputs)));
  } else {
    print("",
          lwt::LightweightRNN(config.inputs, config.layers, config.outputs).reduce(sequences(config.inputs)));
  }
  return 0;
}
