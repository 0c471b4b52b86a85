#pragma once

#include <map>
#include <memory>
#include <string>

#include "lwtnn/lightweight_network_config.hh"

namespace lwt {

/// A graph of layers with any number of inputs and outputs. const methods may be called from several threads.
class LightweightGraph {
 public:
  typedef std::map<std::string, ValueMap> NodeMap;
  typedef std::map<std::string, VectorMap> SeqNodeMap;

  /// With several outputs, the default one must be named. Throws NNConfigurationException.
  LightweightGraph(const GraphConfig& config, std::string default_output = "");
  ~LightweightGraph();
  LightweightGraph(LightweightGraph&) = delete;
  LightweightGraph& operator=(LightweightGraph&) = delete;

  /// Label -> value, of a vector or of the last step of a recurrent layer. Only what the output needs is
  /// asked for. Throws NNEvaluationException for a missing input, OutputRankException if the output is a
  /// sequence only.
  ValueMap compute(const NodeMap& nodes, const SeqNodeMap& sequences = {}) const;
  ValueMap compute(const NodeMap& nodes, const SeqNodeMap& sequences, const std::string& output) const;

  /// Label -> values step by step. Throws OutputRankException if the output is a vector.
  VectorMap scan(const NodeMap& nodes, const SeqNodeMap& sequences = {}) const;
  VectorMap scan(const NodeMap& nodes, const SeqNodeMap& sequences, const std::string& output) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace lwt
