#include "lwtnn/maps.hpp"

#include <lwtnn/Exceptions.hh>

namespace lwt {
namespace {

template <class Map>
const typename Map::mapped_type& find(const Map& map, const std::string& name) {
  const auto found = map.find(name);
  if (found == map.end()) throw NNEvaluationException("the input '" + name + "' is missing");
  return found->second;
}

}  // namespace

void fill(Engine::Call& call, std::size_t source, const std::vector<Input>& variables, const ValueMap& values,
          std::size_t step) {
  for (std::size_t i = 0; i < variables.size(); ++i)
    call.set(source, step, i, find(values, variables[i].name));
}

void fill(Engine::Call& call, std::size_t source, const std::vector<Input>& variables,
          const VectorMap& values) {
  const std::size_t steps = find(values, variables[0].name).size();
  call.set_steps(source, steps);
  for (std::size_t i = 0; i < variables.size(); ++i) {
    const std::vector<double>& column = find(values, variables[i].name);
    if (column.size() != steps) {
      throw NNEvaluationException("the variables of a sequence differ in length: '" + variables[i].name +
                                  "' has " + std::to_string(column.size()) + " steps, '" + variables[0].name +
                                  "' has " + std::to_string(steps));
    }
    for (std::size_t step = 0; step < steps; ++step) call.set(source, step, i, column[step]);
  }
}

ValueMap last_step(const Engine::Call& call, const std::vector<std::string>& labels) {
  ValueMap out;
  for (std::size_t i = 0; i < labels.size(); ++i) out.emplace(labels[i], call.value(call.steps() - 1, i));
  return out;
}

}  // namespace lwt
