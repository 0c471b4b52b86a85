#pragma once

#include <hepml/export.hpp>
#include <hepml/model.hpp>
#include <hepml/span.hpp>

#include <memory>
#include <string_view>

namespace hepml {

/// The memory to evaluate a Model: one per thread. Fill the inputs in place, run(), read the outputs. Nothing
/// here allocates after construction, and run() does not throw.
class HEPML_API Session {
 public:
  /// Sequences of any length may have up to `max_steps`. Throws Error (usage) where that takes too much
  /// memory.
  explicit Session(const Model& model, std::size_t max_steps = default_max_steps);
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  const Model& model() const noexcept;

  /// The raw values of an input, to fill; they stay until changed. Of a sequence of any length: its present
  /// steps, none before sequence(). Unknown names throw Error (usage).
  span<float> input(std::string_view name);
  span<float> input(std::size_t index) noexcept;

  /// Sets the number of steps of a sequence and returns its values, steps x variables, to fill. More steps
  /// than the Session holds, or others than a fixed number, give Status::wrong_steps and NaN outputs in
  /// run(), and here the values of the steps that do fit. Unknown names and inputs that are no sequence throw
  /// Error (usage).
  span<float> sequence(std::string_view name, std::size_t steps);
  span<float> sequence(std::size_t index, std::size_t steps) noexcept;
  std::size_t max_steps() const noexcept;

  /// Evaluate; returns the first output. A NaN or an infinity in any input makes every output NaN,
  /// but for NaN in inputs that only trees read which learned where missing values go.
  span<const float> run() noexcept;
  /// Of the last run(): Status::ok, not_finite or wrong_steps (also where sequences that meet differ in
  /// steps, or are too short for a layer).
  Status status() const noexcept;

  /// An output of the last run(), (steps x units, or rows x columns x channels) in C order. Unknown names
  /// throw Error (usage).
  span<const float> output(std::string_view name) const;
  span<const float> output(std::size_t index) const noexcept;
  /// What the output layer's activation was applied to; the output itself if it has none.
  span<const float> logits() const noexcept { return logits(std::size_t{0}); }
  span<const float> logits(std::string_view name) const;
  span<const float> logits(std::size_t index) const noexcept;
  /// Of an output that trees make: the node of each tree that the event ended in, numbered as in the library
  /// that grew it; NaN if the event has no answer. Empty for other outputs.
  span<const float> leaves() const noexcept { return leaves(std::size_t{0}); }
  span<const float> leaves(std::string_view name) const;
  span<const float> leaves(std::size_t index) const noexcept;

 private:
  friend class Batch;
  struct HEPML_LOCAL Buffers;
  std::unique_ptr<Buffers> buffers_;
};

}  // namespace hepml
