#pragma once

#include <hepml/session.hpp>

#include <array>
#include <vector>

#include "layers/layer.hpp"

namespace hepml {

/// Many events at once, for work that does not wait for each: weights are then loaded once for several
/// events. The last steps of a network, those on vectors alone, are done in run() for all events; what comes
/// before, such as convolutions, in add(). Outputs have the bits of Session::run().
class Batch {
 public:
  static constexpr std::size_t most = 48;

  explicit Batch(const Model& model, std::size_t max_steps = default_max_steps);

  /// Its inputs are those of the next event.
  Session& session() noexcept { return session_; }
  /// Events that it holds: `most`, or 1 if the network gains nothing.
  std::size_t capacity() const noexcept { return rows_.data() == nullptr ? 1 : most; }
  std::size_t size() const noexcept { return size_; }

  void clear() noexcept { size_ = 0; }
  /// Takes the event in session(), while size() < capacity().
  void add() noexcept;
  /// Evaluates what was added since clear().
  void run() noexcept;

  // Of the last run().
  bool has_steps(std::size_t event) const noexcept { return status_[event] != Status::wrong_steps; }
  span<const float> output(std::size_t event, std::size_t index) const noexcept;
  span<const float> logits(std::size_t event, std::size_t index) const noexcept;
  span<const float> leaves(std::size_t event, std::size_t index) const noexcept;

 private:
  struct Step {
    const layers::Operation* operation;
    std::vector<kernels::View> sources;  // a row an event
    std::vector<kernels::View> one;      // the same for one event
    kernels::View target;
  };
  struct Handed {
    const float* from;  // where the Session has it
    kernels::View to;
  };
  void plan_tail();

  Session session_;
  std::size_t front_ = 0;  // steps that the Session does
  layers::Floats rows_;
  std::vector<kernels::View> tensors_;  // of the tail
  std::vector<Handed> handed_;          // from the Session to the tail
  std::vector<Step> steps_;
  std::size_t size_ = 0;
  std::array<Status, most> status_{};
};

}  // namespace hepml
