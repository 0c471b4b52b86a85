#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lwtnn/lightweight_network_config.hh"

namespace lwt {

class Engine;  // private

/// A sequential feed-forward network. const methods may be called from several threads.
class LightweightNeuralNetwork {
 public:
  LightweightNeuralNetwork(const std::vector<Input>& inputs, const std::vector<LayerConfig>& layers,
                           const std::vector<std::string>& outputs);
  ~LightweightNeuralNetwork();
  LightweightNeuralNetwork(LightweightNeuralNetwork&) = delete;
  LightweightNeuralNetwork& operator=(LightweightNeuralNetwork&) = delete;

  /// Label -> value. Variables are found by name, others are ignored. Throws NNEvaluationException for a
  /// missing one.
  ValueMap compute(const ValueMap& inputs) const;

 private:
  std::unique_ptr<Engine> engine_;
  std::vector<std::string> outputs_;
};

/// A sequential network that begins with recurrent layers; the others see the last step.
class LightweightRNN {
 public:
  LightweightRNN(const std::vector<Input>& inputs, const std::vector<LayerConfig>& layers,
                 const std::vector<std::string>& outputs);
  ~LightweightRNN();
  LightweightRNN(LightweightRNN&) = delete;
  LightweightRNN& operator=(LightweightRNN&) = delete;

  ValueMap reduce(const std::vector<ValueMap>& steps) const;
  ValueMap reduce(const VectorMap& inputs) const;

 private:
  std::unique_ptr<Engine> engine_;
  std::vector<std::string> outputs_;
};

}  // namespace lwt
