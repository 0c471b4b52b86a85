#pragma once

#include <hepml/events.hpp>
#include <hepml/export.hpp>
#include <hepml/session.hpp>
#include <hepml/span.hpp>
#include <hepml/tower.hpp>

#include <memory>

namespace hepml {

/// Towers in, score out, for models exported with their image geometry: finds the hottest cell, fills the
/// images, computes the variables and masses that the model needs, evaluates. One per thread; allocates
/// nothing per event.
class HEPML_API Tagger {
 public:
  /// Throws Error (usage) if the model has no geometry or an input that cannot be made from towers.
  explicit Tagger(const Model& model);
  ~Tagger();
  Tagger(Tagger&&) noexcept;
  Tagger& operator=(Tagger&&) noexcept;

  /// The score of the object at (eta, phi), the first element of the first output; NaN if it is no candidate.
  float operator()(span<const Tower> ecal, span<const Tower> hcal, double eta, double phi) noexcept;

  /// Of the last call: Status::ok, or why the score is NaN.
  Status status() const noexcept;
  const Candidate& candidate() const noexcept;
  float score() const noexcept;
  /// What the output's activation was applied to; NaN if rejected.
  float logit() const noexcept;

  /// Did the last candidate pass the working point stored for all candidates at this signal efficiency? A
  /// rejected candidate does not pass. Throws Error (usage) if the file holds no such working point.
  bool passes(double signal_efficiency) const;
  /// The same with the threshold of its pT and eta bin; outside of all bins it does not pass. Where no bins
  /// are stored, the threshold for all candidates.
  bool passes(double signal_efficiency, double pt, double eta) const;

  const Model& model() const noexcept;
  Session& session() noexcept;  ///< the inputs as they were filled, and every output

 private:
  struct HEPML_LOCAL Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace hepml
