#pragma once

#include <hepml/model.hpp>

#include <memory>
#include <vector>

#include "efp/images.hpp"
#include "layers/layer.hpp"
#include "parse/file.hpp"

namespace hepml {

/// A network ready to run: operations in topological order over tensors. Immutable; their memory, planned by
/// make_plan, belongs to the Session.
class Network {
 public:
  struct Tensor {
    layers::Shape shape;
    layers::Border border{};  // zeros around an image or a sequence
    std::size_t first = 0;    // step that writes it
    std::size_t last = 0;     // last step that reads it
    bool sparse =
        false;  // computed only where it differs from the response to an empty image, see sparse.hpp
  };
  struct Step {
    const layers::Operation* operation;
    std::vector<std::size_t> sources;  // tensors
    std::size_t target;
  };
  struct Port {                         // an input
    std::size_t tensor;                 // what the network sees
    std::vector<double> offset, scale;  // one, or those of a row (of some steps)
    std::size_t scale_step;             // 0 if one offset and scale serve every element
    bool missing = false;               // NaN is a missing value
  };
  struct Head {  // an output
    std::size_t tensor, logits;
    std::size_t leaves;  // of trees: the tensor whose last n_trees elements they are; else none
  };

  static std::shared_ptr<const Network> build(parse::File file, const layers::Kernels& kernels,
                                              const LoadOptions& options = {});

  std::vector<Input> inputs;
  std::vector<Output> outputs;
  parse::Extension extension;
  std::unique_ptr<const efp::ImagePolynomials>
      polynomials;  // of the input `efp`, if the file says what they are
  std::size_t n_parameters = 0;

  const layers::Kernels* kernels = nullptr;
  std::vector<Tensor> tensors;
  std::vector<Step> steps;
  std::vector<Port> ports;
  std::vector<Head> heads;
  bool has_sequences = false;  // among the inputs

 private:
  friend class Builder;
  std::vector<std::shared_ptr<layers::Operation>> operations_;
};

}  // namespace hepml
