#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "lwtnn/Engine.hh"
#include "lwtnn/Exceptions.hh"
#include "lwtnn/generic/eigen_typedefs.hh"
#include "lwtnn/lightweight_network_config.hh"

namespace lwt {
namespace generic {

/// Picks the variables that the network wants out of the user's rows, and gives (value + offset) * scale.
template <typename T>
class FastInputPreprocessor {
 public:
  FastInputPreprocessor(const std::vector<Input>& inputs, const std::vector<std::string>& order)
      : rows_(find_variables(order, inputs)), inputs_(inputs) {}

  VectorX<T> operator()(const VectorX<T>& in) const {
    VectorX<T> out(static_cast<Eigen::Index>(rows_.size()));
    for (std::size_t i = 0; i < rows_.size(); ++i) out(static_cast<Eigen::Index>(i)) = value(in, i, 0);
    return out;
  }

 protected:
  template <typename M>
  T value(const M& in, std::size_t i, Eigen::Index column) const {
    const auto row = static_cast<Eigen::Index>(rows_[i]);
    if (row >= in.rows()) {
      throw NNEvaluationException("an input of " + std::to_string(in.rows()) + " rows has no row " +
                                  std::to_string(row) + " for the variable '" + inputs_[i].name + "'");
    }
    return (in(row, column) + static_cast<T>(inputs_[i].offset)) * static_cast<T>(inputs_[i].scale);
  }
  std::size_t size() const { return rows_.size(); }

 private:
  std::vector<std::size_t> rows_;
  std::vector<Input> inputs_;
};

/// The same for sequences: variables are rows, steps are columns.
template <typename T>
class FastInputVectorPreprocessor : private FastInputPreprocessor<T> {
 public:
  FastInputVectorPreprocessor(const std::vector<Input>& inputs, const std::vector<std::string>& order)
      : FastInputPreprocessor<T>(inputs, order) {
    if (inputs.empty()) throw NNConfigurationException("a sequence needs at least one variable");
  }

  MatrixX<T> operator()(const MatrixX<T>& in) const {
    MatrixX<T> out(static_cast<Eigen::Index>(this->size()), in.cols());
    for (std::size_t i = 0; i < this->size(); ++i) {
      for (Eigen::Index column = 0; column < in.cols(); ++column)
        out(static_cast<Eigen::Index>(i), column) = this->value(in, i, column);
    }
    return out;
  }
};

}  // namespace generic
}  // namespace lwt
