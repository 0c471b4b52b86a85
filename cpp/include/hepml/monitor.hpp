#pragma once

#include <hepml/export.hpp>
#include <hepml/model.hpp>
#include <hepml/session.hpp>
#include <hepml/span.hpp>

#include <string>
#include <vector>

namespace hepml {

/// Counts the inputs of a Session in the bins that the network file holds of its training sample, so that a
/// run can be compared with it (`hepml monitor`). One per thread; they are merged at the end. Counting
/// allocates nothing, and a Session without a Monitor does nothing for it.
class HEPML_API Monitor {
 public:
  /// Of one quantity of Model::ranges(); sums of weights, so numbers of values where no weights are given.
  struct Counts {
    double entries = 0;        ///< all values
    double squares = 0;        ///< sum of the squared weights
    double not_finite = 0;     ///< NaN or infinite; an image with one such cell
    double below = 0;          ///< smaller than in training; they are in the first bin too
    double above = 0;          ///< larger than in training; they are in the last bin too
    std::vector<double> bins;  ///< as in InputRange
  };

  /// Throws Error (usage) if the file holds no ranges.
  explicit Monitor(const Model& model);

  /// Counts what is in the inputs of the session, after or before run(). False, and nothing is counted, if it
  /// is a session of another model or the weight is not finite.
  bool count(Session& session, double weight = 1) noexcept;

  /// Adds what another Monitor has counted. Throws Error (usage) if it is one of another network.
  void merge(const Monitor& other);
  void reset() noexcept;

  const Model& model() const noexcept { return model_; }
  std::size_t events() const noexcept { return events_; }
  const std::vector<Counts>& counts() const noexcept { return counts_; }  ///< as Model::ranges().quantities
  /// What `hepml monitor` reads.
  std::string to_json() const;

 private:
  Model model_;
  std::size_t events_ = 0;
  std::vector<Counts> counts_;
};

/// What is monitored of an image.
struct ImageSummary {
  double sum = 0, maximum = 0, cells = 0;
  bool finite = true;  ///< if not, the numbers say nothing
};
HEPML_API ImageSummary summarise(span<const float> image) noexcept;

}  // namespace hepml
