#pragma once

#include <lwtnn/Engine.hh>

// Between the maps of lwtnn's interface and the values of a call. All throw NNEvaluationException.
namespace lwt {

void fill(Engine::Call& call, std::size_t source, const std::vector<Input>& variables, const ValueMap& values,
          std::size_t step = 0);
void fill(Engine::Call& call, std::size_t source, const std::vector<Input>& variables,
          const VectorMap& values);
/// A step by label; a label that occurs twice is given once.
ValueMap last_step(const Engine::Call& call, const std::vector<std::string>& labels);

}  // namespace lwt
