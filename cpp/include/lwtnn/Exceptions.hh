#pragma once

#include <stdexcept>
#include <string>

namespace lwt {

class LightweightNNException : public std::logic_error {
 public:
  explicit LightweightNNException(std::string problem);
};

/// A network that cannot be built; thrown by parsers and constructors.
class NNConfigurationException : public LightweightNNException {
 public:
  explicit NNConfigurationException(std::string problem);
};

/// Inputs that do not fit the network; thrown by evaluation.
class NNEvaluationException : public LightweightNNException {
 public:
  explicit NNEvaluationException(std::string problem);
};

/// compute() of a sequence, or scan() of what is none.
class OutputRankException : public NNEvaluationException {
 public:
  explicit OutputRankException(std::string problem);
};

}  // namespace lwt
