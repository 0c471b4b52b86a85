#pragma once

// How the drop-in classes reach hepml's evaluator; not part of lwtnn's interface.

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "lwtnn/InputOrder.hh"
#include "lwtnn/lightweight_network_config.hh"

namespace lwt {

/// What one output needs of a network, ready to run. Immutable; sessions come from a pool, one for each call
/// at a time.
class Engine {
 public:
  /// An input that the output needs.
  struct Source {
    std::size_t index;  ///< in the inputs, or in the input sequences, of the configuration
    bool sequence;
    std::vector<Input> variables;
  };

  /// A node of a graph. Throws NNConfigurationException.
  Engine(const GraphConfig& config, std::size_t node);
  /// A sequential network.
  Engine(const std::vector<Input>& inputs, const std::vector<LayerConfig>& layers, std::size_t n_outputs,
         bool recurrent);
  ~Engine();
  Engine& operator=(Engine&&) noexcept;

  const std::vector<Source>& sources() const noexcept;
  bool gives_vector() const noexcept;    ///< compute() may be asked
  bool gives_sequence() const noexcept;  ///< scan() may be asked
  std::size_t width() const noexcept;

  struct Slot;  // private

  /// One evaluation. Fill every source, then run().
  class Call {
   public:
    explicit Call(const Engine& engine);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    /// Raw values by variable for one step; preprocessed in double precision.
    void set(std::size_t source, std::size_t step, std::size_t variable, double value) noexcept;
    void set_steps(std::size_t source, std::size_t steps);  ///< of a sequence, before its values
    void run();                                             ///< throws NNEvaluationException
    std::size_t steps() const noexcept;                     ///< 1 for a vector
    double value(std::size_t step, std::size_t unit) const noexcept;

   private:
    const Engine& engine_;
    std::unique_ptr<Slot> slot_;
  };

 private:
  friend class Call;
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// Where each configured input stands in the user's order. Throws NNConfigurationException if it does not.
std::vector<std::size_t> find_inputs(const order_t& order, const std::vector<InputNodeConfig>& inputs);
/// Where each variable stands among the user's names.
std::vector<std::size_t> find_variables(const std::vector<std::string>& order,
                                        const std::vector<Input>& inputs);

/// A graph with the outputs that its user asks for, each an Engine of its own made when first needed.
class EngineSet {
 public:
  explicit EngineSet(GraphConfig config);
  ~EngineSet();
  const GraphConfig& config() const noexcept;
  const Engine& of_node(std::size_t node) const;  ///< throws NNEvaluationException without such a node
  /// The node of an output; with "" the only one. Throws NNConfigurationException.
  std::size_t default_node(const std::string& output) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace lwt
