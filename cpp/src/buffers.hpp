#pragma once

#include <hepml/session.hpp>

#include <optional>
#include <vector>

#include "layers/plan.hpp"
#include "layers/sparse.hpp"

namespace hepml {

using kernels::View;

/// What a Session holds: the memory of one event, and the network's steps as views of it.
struct Session::Buffers {
  Buffers(const Model& m, const Network& n, std::size_t steps)
      : model(m), network(n), max_steps(steps), plan(make_plan(n, steps)), arena(plan.size) {}
  struct Step {
    const layers::Operation* operation;
    std::size_t sources, n_sources;  // where its views begin in `sources`, and how many
    std::size_t target;
    bool border;   // zeros around the target have to be written first
    bool dynamic;  // the target's steps depend on the event
    bool sparse;   // the target is computed only where the event differs from an empty one
  };
  Model model;
  const Network& network;
  std::size_t max_steps;
  Plan plan;
  layers::Floats arena;
  std::vector<View> tensors;
  std::vector<Step> steps;
  std::vector<View> sources;
  std::vector<std::size_t> source_tensors;
  std::vector<std::size_t> wanted;  // steps of an input, as the user gave them
  std::optional<Sparse> sparse;
  Status status = Status::no_object;

  void start_sparse();
  void clear_border(std::size_t tensor) noexcept;
  bool prepare(std::size_t port) noexcept;
  bool good_values(std::size_t port) const noexcept;
  bool set_steps() noexcept;
  bool start() noexcept;
  void evaluate(std::size_t n_steps) noexcept;
  bool finish(std::size_t head, bool good) noexcept;
};

}  // namespace hepml
