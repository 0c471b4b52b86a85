#pragma once

#include <hepml/model.hpp>
#include <hepml/span.hpp>

#include <memory>
#include <string_view>

namespace hepml {

/// The memory to evaluate a Model: one per thread. Fill the inputs in place, run(), read the outputs. Nothing
/// here allocates after construction, and run() does not throw.
class Session {
 public:
  explicit Session(const Model& model);
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  const Model& model() const noexcept;

  /// The raw values of an input, to fill; they stay until changed. Unknown names throw Error (usage).
  span<float> input(std::string_view name);
  span<float> input(std::size_t index) noexcept;

  /// Evaluate; returns the first output. A NaN or an infinity in any input makes every output NaN.
  span<const float> run() noexcept;
  /// Of the last run(): Status::ok, or Status::not_finite.
  Status status() const noexcept;

  /// An output of the last run(). Unknown names throw Error (usage).
  span<const float> output(std::string_view name) const;
  span<const float> output(std::size_t index) const noexcept;
  /// What the output layer's activation was applied to; the output itself if it has none.
  span<const float> logits() const noexcept { return logits(std::size_t{0}); }
  span<const float> logits(std::string_view name) const;
  span<const float> logits(std::size_t index) const noexcept;

 private:
  struct Buffers;
  std::unique_ptr<Buffers> buffers_;
};

}  // namespace hepml
