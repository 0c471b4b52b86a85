// RTNeural with Eigen and sizes known to the compiler, its fastest form: a type for each network that is
// measured.

#include <RTNeural/RTNeural.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>

#include "peer.hpp"

namespace {

using nlohmann::json;
template <int N>
using Relu = RTNeural::ReLuActivationT<float, N>;
template <int In, int Out>
using Dense = RTNeural::DenseT<float, In, Out>;

/// Five hidden layers and a sigmoid.
template <int In, int N>
class Deep : public Peer {
 public:
  explicit Deep(const json& file) { model_.parseJson(file); }
  const float* run(const float* event) override {
    alignas(RTNEURAL_DEFAULT_ALIGNMENT) float input[In];
    std::copy(event, event + In, input);
    model_.forward(input);
    return model_.getOutputs();
  }

 private:
  RTNeural::ModelT<float, In, 1, Dense<In, N>, Relu<N>, Dense<N, N>, Relu<N>, Dense<N, N>, Relu<N>,
                   Dense<N, N>, Relu<N>, Dense<N, N>, Relu<N>, Dense<N, 1>,
                   RTNeural::SigmoidActivationT<float, 1>>
      model_;
};

/// A recurrent layer, and a classifier behind its last step.
template <class Cell, int In, int N, int Out>
class Recurrent : public Peer {
 public:
  Recurrent(const json& file, std::size_t steps) : steps_(steps) {
    const json& layers = file.at("layers");
    if constexpr (std::is_same_v<Cell, RTNeural::GRULayerT<float, In, N>>) {
      RTNeural::json_parser::loadGRU<float>(cell_, layers[0].at("weights"));
    } else {
      RTNeural::json_parser::loadLSTM<float>(cell_, layers[0].at("weights"));
    }
    RTNeural::json_parser::loadDense<float>(dense_, layers[1].at("weights"));
  }
  const float* run(const float* event) override {
    cell_.reset();
    for (std::size_t step = 0; step < steps_; ++step) {
      std::copy(event, event + In, input_.data());
      event += In;
      cell_.forward(input_);
    }
    dense_.forward(cell_.outs);
    softmax_.forward(dense_.outs);
    return softmax_.outs.data();
  }

 private:
  std::size_t steps_;
  Eigen::Matrix<float, In, 1> input_;
  Cell cell_;
  Dense<N, Out> dense_;
  RTNeural::SoftmaxActivationT<float, Out> softmax_;
};

}  // namespace

HEPML_PEER Peer* make_peer(const char* path, const std::vector<PeerInput>& inputs, std::size_t) {
  json file;
  std::ifstream(path) >> file;
  const json& first = file.at("layers")[0];
  const std::string kind = first.at("type");
  const int n_in = static_cast<int>(inputs.at(0).shape.back());
  const int n = first.at("shape").back();
  const std::size_t steps = inputs[0].shape[0];
  if (kind == "dense" && n_in == 7 && n == 149) return new Deep<7, 149>(file);
  if (kind == "dense" && n_in == 28 && n == 300) return new Deep<28, 300>(file);
  if (kind == "gru" && n_in == 6 && n == 25)
    return new Recurrent<RTNeural::GRULayerT<float, 6, 25>, 6, 25, 4>(file, steps);
  if (kind == "lstm" && n_in == 6 && n == 25)
    return new Recurrent<RTNeural::LSTMLayerT<float, 6, 25>, 6, 25, 4>(file, steps);
  throw std::runtime_error("no type for this network");
}
