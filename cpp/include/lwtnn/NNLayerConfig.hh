#pragma once

// lwtnn's description of layers and nodes, for applications written against it. Names and order of the
// members are lwtnn's: such applications fill them by braces.

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace lwt {

enum class Activation {
  NONE,
  LINEAR,
  SIGMOID,
  RECTIFIED,
  SOFTMAX,
  TANH,
  HARD_SIGMOID,
  ELU,
  LEAKY_RELU,
  SWISH,
  ABS,
  SIGMOID_LEGACY,  // the same functions under their old names
  HARD_SIGMOID_LEGACY,
  TANH_LEGACY,
  RECTIFIED_LEGACY
};

enum class Architecture {
  NONE,
  DENSE,
  NORMALIZATION,
  MAXOUT,
  HIGHWAY,
  LSTM,
  GRU,
  SIMPLERNN,
  CONV1D,
  EMBEDDING
};

/// Gates: of LSTM, of GRU, of Highway.
enum class Component { I, O, C, F, Z, R, H, T, CARRY };

enum class Padding { VALID, SAME, CAUSAL };

struct EmbeddingConfig {
  std::vector<double> weights;
  int index;
  int n_out;
};

struct ActivationConfig {
  Activation function;
  double alpha;
};

struct Conv1dConfig {
  std::size_t dilation_rate;
  Padding padding;
};

struct LayerConfig {
  std::vector<double> weights;
  std::vector<double> bias;
  std::vector<double> U;  ///< on the state of a recurrent layer
  Conv1dConfig conv1d;
  ActivationConfig activation;
  ActivationConfig inner_activation;

  std::vector<LayerConfig> sublayers;
  std::map<Component, LayerConfig> components;
  std::vector<EmbeddingConfig> embedding;

  Architecture architecture;
};

struct NodeConfig {
  enum class Type { INPUT, INPUT_SEQUENCE, FEED_FORWARD, CONCATENATE, SEQUENCE, TIME_DISTRIBUTED, SUM, ADD };
  Type type;
  std::vector<std::size_t> sources;
  int index;  ///< of the layer; the size of an input; else -1
};

}  // namespace lwt
