// lwtnn's FastGraph<float>, the fastest of its interfaces, on a network file as it is.

#include <cstring>
#include <fstream>
#include <lwtnn/InputOrder.hh>
#include <lwtnn/generic/FastGraph.hh>
#include <lwtnn/parse_json.hh>
#include <memory>
#include <stdexcept>

#include "peer.hpp"

namespace {

lwt::GraphConfig parsed(const char* path) {
  std::ifstream file(path);
  return lwt::parse_json_graph(file);
}

lwt::order_t order_of(const std::vector<lwt::InputNodeConfig>& nodes) {
  lwt::order_t order;
  for (const auto& node : nodes) {
    order.emplace_back(node.name, std::vector<std::string>{});
    for (const auto& variable : node.variables) order.back().second.push_back(variable.name);
  }
  return order;
}

class Lwtnn : public Peer {
 public:
  Lwtnn(const char* file, const std::vector<PeerInput>& inputs) {
    const lwt::GraphConfig config = parsed(file);
    graph_ = std::make_unique<lwt::generic::FastGraph<float>>(
        config, lwt::InputOrder{order_of(config.inputs), order_of(config.input_sequences)});
    for (const PeerInput& input : inputs) {
      const auto n = static_cast<Eigen::Index>(input.shape.back());
      if (input.shape.size() == 1) {
        vectors_.emplace_back(n);
      } else {
        sequences_.emplace_back(n, static_cast<Eigen::Index>(input.shape[0]));  // a column is a step
      }
    }
  }

  const float* run(const float* event) override {
    const auto take = [&event](auto& matrix) {
      const auto n = static_cast<std::size_t>(matrix.size());
      std::memcpy(matrix.data(), event, n * sizeof(float));
      event += n;
    };
    for (auto& vector : vectors_) take(vector);
    for (auto& sequence : sequences_) take(sequence);
    result_ = graph_->compute(vectors_, sequences_);
    return result_.data();
  }

 private:
  std::unique_ptr<lwt::generic::FastGraph<float>> graph_;
  lwt::generic::NodeVec<float> vectors_;
  lwt::generic::SeqNodeVec<float> sequences_;
  lwt::VectorX<float> result_;
};

}  // namespace

HEPML_PEER Peer* make_peer(const char* file, const std::vector<PeerInput>& inputs, std::size_t) {
  return new Lwtnn(file, inputs);
}
