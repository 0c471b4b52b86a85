#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "lwtnn/Engine.hh"
#include "lwtnn/Exceptions.hh"
#include "lwtnn/InputOrder.hh"
#include "lwtnn/generic/FastInputPreprocessor.hh"
#include "lwtnn/generic/eigen_typedefs.hh"
#include "lwtnn/lightweight_network_config.hh"

namespace lwt {
namespace generic {

template <typename T>
using NodeVec = std::vector<VectorX<T>>;
template <typename T>
using SeqNodeVec = std::vector<MatrixX<T>>;

/// A graph whose inputs are Eigen vectors and matrices in an order fixed at construction: no names are looked
/// up for an event. const methods may be called from several threads.
template <typename T>
class FastGraph {
 public:
  /// With several outputs, the default one must be named. Throws NNConfigurationException.
  FastGraph(const GraphConfig& config, const InputOrder& order, std::string default_output = "")
      : engines_(config), default_node_(engines_.default_node(default_output)) {
    place(order.scalar, config.inputs, scalars_);
    place(order.sequence, config.input_sequences, sequences_);
    engines_.of_node(default_node_);
  }
  FastGraph(FastGraph&) = delete;
  FastGraph& operator=(FastGraph&) = delete;

  VectorX<T> compute(const NodeVec<T>& nodes, const SeqNodeVec<T>& sequences = {}) const {
    return compute(nodes, sequences, default_node_);
  }
  /// Of any node of the graph, by its index.
  VectorX<T> compute(const NodeVec<T>& nodes, const SeqNodeVec<T>& sequences, std::size_t node) const {
    const Engine& engine = engines_.of_node(node);
    if (!engine.gives_vector())
      throw OutputRankException("node " + std::to_string(node) + " is a sequence, not a vector");
    Engine::Call call(engine);
    for (std::size_t i = 0; i < engine.sources().size(); ++i) {
      const Engine::Source& source = engine.sources()[i];
      if (source.sequence) {
        fill(call, i, source, sequences_[source.index], sequences);
      } else {
        fill(call, i, source, scalars_[source.index], nodes);
      }
    }
    call.run();
    VectorX<T> out(static_cast<Eigen::Index>(engine.width()));
    for (std::size_t i = 0; i < engine.width(); ++i)
      out(static_cast<Eigen::Index>(i)) = static_cast<T>(call.value(call.steps() - 1, i));
    return out;
  }

 private:
  struct Place {
    std::size_t input;              // among those that the user gives
    std::vector<std::size_t> rows;  // of its variables
  };

  static void place(const order_t& order, const std::vector<InputNodeConfig>& inputs,
                    std::vector<Place>& places) {
    const std::vector<std::size_t> found = find_inputs(order, inputs);
    for (std::size_t i = 0; i < inputs.size(); ++i)
      places.push_back({found[i], find_variables(order[found[i]].second, inputs[i].variables)});
  }

  template <typename M>
  static void fill(Engine::Call& call, std::size_t index, const Engine::Source& source, const Place& place,
                   const std::vector<M>& given) {
    if (place.input >= given.size()) {
      throw NNEvaluationException("the network needs input " + std::to_string(place.input) + ", but only " +
                                  std::to_string(given.size()) + " were given");
    }
    const M& values = given[place.input];
    if (source.sequence) call.set_steps(index, static_cast<std::size_t>(values.cols()));
    for (std::size_t v = 0; v < place.rows.size(); ++v) {
      const auto row = static_cast<Eigen::Index>(place.rows[v]);
      if (row >= values.rows()) {
        throw NNEvaluationException("input " + std::to_string(place.input) + " has " +
                                    std::to_string(values.rows()) + " rows and none for the variable '" +
                                    source.variables[v].name + "'");
      }
      for (Eigen::Index column = 0; column < values.cols(); ++column)
        call.set(index, static_cast<std::size_t>(column), v, static_cast<double>(values(row, column)));
    }
  }

  EngineSet engines_;
  std::size_t default_node_;
  std::vector<Place> scalars_, sequences_;
};

}  // namespace generic
}  // namespace lwt
