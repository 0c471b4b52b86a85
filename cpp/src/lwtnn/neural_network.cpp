#include <lwtnn/LightweightNeuralNetwork.hh>

#include "lwtnn/maps.hpp"

namespace lwt {

LightweightNeuralNetwork::LightweightNeuralNetwork(const std::vector<Input>& inputs,
                                                   const std::vector<LayerConfig>& layers,
                                                   const std::vector<std::string>& outputs)
    : engine_(std::make_unique<Engine>(inputs, layers, outputs.size(), false)), outputs_(outputs) {}

LightweightNeuralNetwork::~LightweightNeuralNetwork() = default;

ValueMap LightweightNeuralNetwork::compute(const ValueMap& inputs) const {
  Engine::Call call(*engine_);
  fill(call, 0, engine_->sources()[0].variables, inputs);
  call.run();
  return last_step(call, outputs_);
}

LightweightRNN::LightweightRNN(const std::vector<Input>& inputs, const std::vector<LayerConfig>& layers,
                               const std::vector<std::string>& outputs)
    : engine_(std::make_unique<Engine>(inputs, layers, outputs.size(), true)), outputs_(outputs) {}

LightweightRNN::~LightweightRNN() = default;

ValueMap LightweightRNN::reduce(const std::vector<ValueMap>& steps) const {
  Engine::Call call(*engine_);
  call.set_steps(0, steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) fill(call, 0, engine_->sources()[0].variables, steps[i], i);
  call.run();
  return last_step(call, outputs_);
}

ValueMap LightweightRNN::reduce(const VectorMap& inputs) const {
  Engine::Call call(*engine_);
  fill(call, 0, engine_->sources()[0].variables, inputs);
  call.run();
  return last_step(call, outputs_);
}

}  // namespace lwt
