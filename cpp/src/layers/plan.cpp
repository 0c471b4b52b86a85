#include "layers/plan.hpp"

#include <algorithm>

#include "parse/text.hpp"

namespace hepml {
namespace {

/// Sequences: the most steps of each tensor, from those of the inputs.
void count_steps(const Network& network, std::size_t max_steps, Plan& plan) {
  for (const Network::Port& port : network.ports) {
    const layers::Shape& shape = network.tensors[port.tensor].shape;
    if (shape.size() == 2)
      plan.tensors[port.tensor].most_steps = shape[0] == any_steps ? max_steps : shape[0];
  }
  for (const Network::Step& step : network.steps) {
    const layers::Shape& shape = network.tensors[step.target].shape;
    if (shape.size() != 2) continue;
    std::size_t& most = plan.tensors[step.target].most_steps;
    most = shape[0];
    if (most == any_steps) most = step.operation->steps(plan.tensors[step.sources[0]].most_steps);
    if (most == layers::no_steps) most = 0;
  }
}

[[noreturn]] void too_large(const std::string& expected, const std::string& found) {
  throw Error(Error::Code::usage, {"the network needs too much memory for an event",
                                   {},
                                   {},
                                   expected,
                                   found,
                                   {},
                                   "of sequences, ask for fewer max_steps"});
}

std::size_t product(const std::vector<std::size_t>& sizes) {
  std::size_t total = 1;
  for (const std::size_t size : sizes) {
    if (size != 0 && total > layers::most_elements / size) {
      too_large("at most " + std::to_string(layers::most_elements) + " elements in a tensor and its borders",
                text::times(sizes));
    }
    total *= size;
  }
  return total;
}

}  // namespace

Extent extent_of(const layers::Shape& shape, std::size_t steps) {
  if (shape.size() == 1) return {1, 1, shape[0]};
  if (shape.size() == 2) return {1, steps, shape[1]};
  Extent extent{1, shape[shape.size() - 2], shape.back()};
  for (std::size_t i = 0; i + 2 < shape.size(); ++i) extent.rows *= shape[i];
  return extent;
}

namespace {

/// Sets the row stride; floats of the whole allocation.
std::size_t place_rows(const Network::Tensor& tensor, Plan::Place& at) {
  const layers::Border& border = tensor.border;
  const Extent extent = extent_of(tensor.shape, at.most_steps);
  at.row_stride = product({extent.columns + border.left + border.right, extent.channels});
  return aligned(product({extent.rows + border.top + border.bottom, at.row_stride}));
}

void put(const Network::Tensor& tensor, Plan::Place& at, std::size_t place) {
  at.whole = place;
  at.offset = place + tensor.border.top * at.row_stride + tensor.border.left * tensor.shape.back();
}

}  // namespace

std::size_t FirstFit::place(std::size_t first, std::size_t last, std::size_t size) {
  taken_.erase(
      std::remove_if(taken_.begin(), taken_.end(), [first](const Taken& t) { return t.last < first; }),
      taken_.end());
  std::size_t place = front_;
  for (const Taken& t : taken_) {
    if (place + size <= t.place) break;
    place = std::max(place, t.end);
  }
  const auto behind =
      std::find_if(taken_.begin(), taken_.end(), [place](const Taken& t) { return t.place > place; });
  taken_.insert(behind, {place, place + size, last});
  end_ = std::max(end_, place + size);
  return place;
}

/// What the user sees (raw inputs, outputs, logits) has its own place at the front.
Plan make_plan(const Network& network, std::size_t max_steps) {
  Plan plan;
  plan.tensors.resize(network.tensors.size());
  count_steps(network, max_steps, plan);
  const auto reserve = [&](std::size_t tensor) {
    const Extent extent = extent_of(network.tensors[tensor].shape, plan.tensors[tensor].most_steps);
    const std::size_t place = plan.size;
    plan.size += aligned(product({extent.rows, extent.columns, extent.channels}));
    return place;
  };
  for (const auto& port : network.ports) plan.raw.push_back(reserve(port.tensor));
  for (const auto& head : network.heads) {
    plan.results.push_back(reserve(head.tensor));
    plan.logits.push_back(reserve(head.logits));
  }
  std::size_t scratch = 0;
  for (const auto& step : network.steps) {
    std::size_t steps = 1;
    for (const std::size_t source : step.sources) steps = std::max(steps, plan.tensors[source].most_steps);
    scratch = std::max(scratch, step.operation->scratch(steps));
  }
  plan.scratch = plan.size;
  plan.size += aligned(product({scratch}));
  for (std::size_t i = 0; i < network.tensors.size(); ++i) {  // sparse ones keep their content between events
    if (!network.tensors[i].sparse) continue;
    plan.tensors[i].size = place_rows(network.tensors[i], plan.tensors[i]);
    put(network.tensors[i], plan.tensors[i], plan.size);
    plan.tensors[i].background = plan.size + plan.tensors[i].size;
    plan.size += 2 * plan.tensors[i].size;
  }
  FirstFit rest(plan.size);
  for (std::size_t i = 0; i < network.tensors.size(); ++i) {
    const Network::Tensor& tensor = network.tensors[i];
    Plan::Place& at = plan.tensors[i];
    if (tensor.sparse) continue;
    at.size = place_rows(tensor, at);
    // Inputs are written before step 0, so they must not share with anything alive then.
    put(tensor, at, rest.place(tensor.first, tensor.last, at.size));
  }
  plan.size = rest.end();
  constexpr std::size_t most = 2 * layers::most_elements;
  if (plan.size > most)
    too_large("at most " + std::to_string(most) + " elements in all", std::to_string(plan.size));
  return plan;
}

double work(const Network& network, const Plan& plan) {
  double total = 0;
  for (const Network::Step& step : network.steps) {
    std::size_t steps = plan.tensors[step.target].most_steps;
    for (const std::size_t source : step.sources) steps = std::max(steps, plan.tensors[source].most_steps);
    total += step.operation->work(steps) + layers::places(network.tensors[step.target].shape, steps);
    for (const std::size_t source : step.sources)
      total += layers::places(network.tensors[source].shape, steps);
  }
  return total;
}

}  // namespace hepml
