#pragma once

// lwtnn's description of a whole network, sequential (JSONConfig) or a graph (GraphConfig).

#include <map>
#include <string>
#include <vector>

#include "lwtnn/NNLayerConfig.hh"

namespace lwt {

typedef std::map<std::string, double> ValueMap;
typedef std::vector<std::pair<std::string, double>> ValueVector;
typedef std::map<std::string, std::vector<double>> VectorMap;

/// The network sees (value + offset) * scale.
struct Input {
  std::string name;
  double offset;
  double scale;
};

struct JSONConfig {
  std::vector<LayerConfig> layers;
  std::vector<Input> inputs;
  std::vector<std::string> outputs;
  std::map<std::string, double> defaults;
  std::map<std::string, std::string> miscellaneous;
};

struct InputNodeConfig {
  std::string name;
  std::vector<Input> variables;
  std::map<std::string, std::string> miscellaneous;
  std::map<std::string, double> defaults;
};

struct OutputNodeConfig {
  std::vector<std::string> labels;
  std::size_t node_index;
};

struct GraphConfig {
  std::vector<InputNodeConfig> inputs;
  std::vector<InputNodeConfig> input_sequences;
  std::vector<NodeConfig> nodes;
  std::map<std::string, OutputNodeConfig> outputs;
  std::vector<LayerConfig> layers;
};

}  // namespace lwt
