#pragma once

#include <hepml/error.hpp>
#include <hepml/events.hpp>
#include <hepml/export.hpp>
#include <hepml/ranges.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hepml {

class Network;  // private

/// One number of a vector input. The network sees (value + offset) * scale; users pass raw values.
struct Variable {
  std::string name;
  double offset = 0;
  double scale = 1;
  std::optional<double>
      default_value{};  ///< what the user may put in place of a missing value; never applied here
};

/// The first dimension of a sequence whose number of steps each event sets for itself.
constexpr std::size_t any_steps = static_cast<std::size_t>(-1);

/// The most steps of such a sequence in a Session that is not told another number.
constexpr std::size_t default_max_steps = 256;

/// An input of a network. Images are (rows, columns, channels), rows from the largest phi, columns up in eta.
struct Input {
  std::string name;
  std::vector<std::size_t> shape;     ///< {n}, {steps or any_steps, n} or {rows, columns, channels}
  std::vector<Variable> variables{};  ///< of a vector or of each step; empty for an image
  std::size_t size = 0;               ///< product of the shape; of a step, where the steps are any_steps
};

/// An output of a network, with a label for each element of a vector or of each step or pixel.
struct Output {
  std::string name;
  std::vector<std::string> labels;
  std::vector<std::size_t> shape{};  ///< {n}, {steps or any_steps, n} or {rows, columns, channels}
  std::size_t size = 0;              ///< as of an Input
  std::size_t n_trees = 0;           ///< of an ensemble of trees, whose leaves Session::leaves() gives
};

/// A stored working point: cut on the score at a signal efficiency, in a bin of pT and eta or everywhere.
struct Threshold {
  double signal_efficiency = 0;
  double threshold = 0;                            ///< a candidate passes if score >= threshold
  std::optional<std::pair<double, double>> pt{};   ///< [low, high) in GeV
  std::optional<std::pair<double, double>> eta{};  ///< [low, high)
};

struct LoadOptions {
  bool verify = true;    ///< re-run the reference vectors of the file
  std::string cpu = {};  ///< one of cpus(); empty for HEPML_CPU, and without it the fastest
  bool sparse = true;    ///< compute images only where they are not empty; the same bits, for comparisons
  double most_work = 0x1p35;  ///< multiplications of an event, some seconds; networks with more are refused
};

/// The instruction sets that this processor has kernels for, fastest first; the last is "generic".
HEPML_API std::vector<std::string> cpus();

/// A trained network, packed for this processor: immutable, cheap to copy, shared by any number of threads.
class HEPML_API Model {
 public:
  /// Reads a network file (hepml's, or lwtnn's graph or sequential form). Throws Error.
  static Model load(const std::string& path, const LoadOptions& options = {});
  /// The same from text.
  static Model parse(const std::string& text, const LoadOptions& options = {});

  const std::vector<Input>& inputs() const noexcept;    ///< in the order of the file
  const std::vector<Output>& outputs() const noexcept;  ///< in the order of the file
  const std::vector<Threshold>& thresholds() const noexcept;
  const std::optional<Geometry>& geometry()
      const noexcept;  ///< of the images; absent for networks without towers
  Convention convention() const noexcept;
  const TowerSelection& towers() const noexcept;  ///< which ones count, in training and so here
  /// SHA-256 of all that the score depends on, weights to geometry; empty in a plain lwtnn file.
  const std::string& model_id() const noexcept;
  int format_version() const noexcept;    ///< of the file's "hepml" object; 0 in a plain lwtnn file
  const Ranges& ranges() const noexcept;  ///< of the inputs in training, see Monitor; may be empty
  /// What the exporter says the network is valid for: (key, text), such as ("runs", "355000-362760").
  const std::vector<std::pair<std::string, std::string>>& validity() const noexcept;
  const std::string& metadata()
      const noexcept;                ///< the file's "hepml" object without its reference vectors, as JSON
  const char* cpu() const noexcept;  ///< instruction set of the kernels: generic, avx2 or avx512
  std::size_t n_parameters() const noexcept;  ///< weights and biases
  /// Memory that a Session owns. Throws Error (usage) where it cannot have so many steps.
  std::size_t session_bytes(std::size_t max_steps = default_max_steps) const;

 private:
  friend class Session;
  friend struct ModelMaker;
  explicit Model(std::shared_ptr<const Network> network) : network_(std::move(network)) {}
  std::shared_ptr<const Network> network_;
};

}  // namespace hepml
