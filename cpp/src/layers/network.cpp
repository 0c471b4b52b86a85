#include "layers/network.hpp"

#include <algorithm>
#include <map>

#include "layers/plan.hpp"
#include "parse/text.hpp"

namespace hepml {

using layers::Activation;
using layers::Function;
using layers::Shape;
using layers::Shapes;
using parse::At;
using parse::NodeRecord;
using parse::NodeType;

/// From the records of a file to a Network.
class Builder {
 public:
  Builder(parse::File file, const layers::Kernels& kernels, bool sparse)
      : file_(std::move(file)), sparse_(sparse) {
    network_.kernels = &kernels;
  }

  Network build() {
    order_nodes();
    find_output_layers();
    add_inputs();
    for (const std::size_t node : order_) add_node(node);
    check_used();
    add_heads();
    find_missing();
    if (sparse_) mark_sparse();
    for (const Input& input : network_.inputs) network_.has_sequences |= input.shape.size() == 2;
    network_.extension = std::move(file_.extension);
    if (const auto& columns = network_.extension.efps.columns; !columns.empty()) {
      network_.polynomials = std::make_unique<const efp::ImagePolynomials>(*network_.extension.geometry,
                                                                           columns, network_.kernels->name);
    }
    return std::move(network_);
  }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  parse::File file_;
  bool sparse_;
  Network network_;
  std::vector<std::size_t> order_;           // nodes that an output needs, sources first
  std::vector<std::size_t> node_tensor_;     // tensor of each node
  std::vector<std::size_t> node_logits_;     // tensor before the node's activation
  std::vector<std::size_t> node_leaves_;     // tensor of the trees of a node, or none
  std::vector<bool> at_output_;              // layers from which an output comes straight
  std::size_t n_elements_ = 0;               // of all tensors
  std::map<std::size_t, std::size_t> last_;  // last steps of sequences already taken
  struct Used {
    Shapes inputs;
    layers::Made made;
  };
  std::map<std::size_t, Used> layers_;

  /// Depth first without recursion; a node met again while its sources are open closes a cycle.
  void order_nodes() {
    const std::size_t n = file_.nodes.size();
    enum class Mark : char { unseen, open, done };
    std::vector<Mark> marks(n, Mark::unseen);
    struct Frame {
      std::size_t node;
      std::size_t next;
    };
    std::vector<Frame> stack;
    const auto enter = [&](std::size_t node, const At& from) {
      if (marks[node] == Mark::open)
        from.wrong("the graph has a cycle", {}, "nodes[" + std::to_string(node) + "]");
      if (marks[node] == Mark::unseen) {
        marks[node] = Mark::open;
        stack.push_back({node, 0});
      }
    };
    for (const auto& output : file_.outputs) {
      enter(output.node, output.where);
      while (!stack.empty()) {
        const std::size_t node = stack.back().node;
        const NodeRecord& record = file_.nodes[node];
        const std::size_t n_sources = record.type == NodeType::input ? 0 : record.sources.size();
        if (stack.back().next < n_sources) {
          enter(record.sources[stack.back().next++], record.where);
        } else {
          marks[node] = Mark::done;
          order_.push_back(node);
          stack.pop_back();
        }
      }
    }
    for (std::size_t i = 0; i < n; ++i) {
      if (marks[i] == Mark::unseen)
        file_.nodes[i].where.wrong("no output needs this node", "only nodes in use");
    }
  }

  /// One more tensor, as long as all together have room.
  std::size_t add_tensor(const Shape& shape, std::size_t step, const At& where) {
    layers::check_shape(shape, where);
    n_elements_ += layers::elements(shape, where);
    if (n_elements_ > layers::most_elements) {
      where.wrong("a network that is too large",
                  "at most " + std::to_string(layers::most_elements) + " elements in all its tensors",
                  std::to_string(n_elements_) + " with " + layers::describe(shape));
    }
    Network::Tensor tensor;
    tensor.shape = shape;
    tensor.first = tensor.last = step;
    network_.tensors.push_back(std::move(tensor));
    return network_.tensors.size() - 1;
  }

  /// The scale of a step for several, since a kernel does better on more.
  static void repeat_scale(const Shape& shape, Network::Port& port) {
    constexpr std::size_t enough = 256;
    const std::size_t n = port.scale.size();
    const std::size_t steps = std::min(shape[0], std::max<std::size_t>(enough / n, 1));
    for (std::vector<double>* list : {&port.offset, &port.scale}) {
      list->resize(n * steps);
      for (std::size_t i = n; i < list->size(); ++i) (*list)[i] = (*list)[i - n];
    }
  }

  void add_inputs() {
    for (auto& record : file_.inputs) {
      Network::Port port{add_tensor(record.input.shape, 0, record.where), std::move(record.offset),
                         std::move(record.scale), 0};
      port.scale_step = port.scale.size() == 1 ? 0 : 1;
      if (record.input.shape.size() == 2 && port.scale_step != 0) repeat_scale(record.input.shape, port);
      network_.ports.push_back(std::move(port));
      network_.inputs.push_back(std::move(record.input));
    }
    node_tensor_.assign(file_.nodes.size(), none);
    node_logits_.assign(file_.nodes.size(), none);
    node_leaves_.assign(file_.nodes.size(), none);
  }

  std::size_t add_step(std::shared_ptr<layers::Operation> operation, std::vector<std::size_t> sources,
                       const At& where) {
    const std::size_t step = network_.steps.size();
    for (const std::size_t source : sources) {
      auto& tensor = network_.tensors[source];
      tensor.last = step;
      const layers::Border& need = operation->border();
      tensor.border.top = std::max(tensor.border.top, need.top);
      tensor.border.left = std::max(tensor.border.left, need.left);
      tensor.border.bottom = std::max(tensor.border.bottom, need.bottom);
      tensor.border.right = std::max(tensor.border.right, need.right);
    }
    const std::size_t target = add_tensor(operation->shape(), step, where);
    network_.steps.push_back({operation.get(), std::move(sources), target});
    network_.operations_.push_back(std::move(operation));
    return target;
  }

  static bool has_layer(const NodeRecord& node) {
    return node.type == NodeType::feed_forward || node.type == NodeType::sequence ||
           node.type == NodeType::time_distributed || node.type == NodeType::layer;
  }

  /// The layers of outputs keep their activation apart, for the logits.
  void find_output_layers() {
    at_output_.assign(file_.layers.size(), false);
    for (const auto& output : file_.outputs) {
      const NodeRecord& node = file_.nodes[output.node];
      if (has_layer(node)) at_output_[node.layer] = true;
    }
  }

  std::size_t last_step(std::size_t tensor, const At& where) {
    const auto known = last_.find(tensor);
    if (known != last_.end()) return known->second;
    const std::size_t last = add_step(layers::make_last(network_.tensors[tensor].shape), {tensor}, where);
    return last_.emplace(tensor, last).first->second;
  }

  /// The tensor of a source. lwtnn's kinds that work on vectors take the last step of a `sequence` node.
  std::size_t source(const NodeRecord& node, std::size_t index) {
    const std::size_t tensor = node_tensor_[index];
    const Shape& shape = network_.tensors[tensor].shape;
    const bool steps = shape.size() == 2;
    const auto need = [&](bool right, const char* expected) {
      if (!right)
        node.where.wrong("the node works on another kind of tensor", expected, layers::describe(shape));
    };
    switch (node.type) {
      case NodeType::feed_forward:
      case NodeType::concatenate:
      case NodeType::add:
        if (steps && file_.nodes[index].type == NodeType::sequence) return last_step(tensor, node.where);
        need(!steps, "a vector, or a node of type sequence, whose last step is taken");
        break;
      case NodeType::sequence:
      case NodeType::time_distributed:
      case NodeType::sum:
        need(steps, "a sequence");
        break;
      case NodeType::input:
      case NodeType::layer:
        break;
    }
    return tensor;
  }

  void add_node(std::size_t node) {
    const NodeRecord& record = file_.nodes[node];
    std::vector<std::size_t> sources;
    Shapes shapes;
    if (record.type != NodeType::input) {
      for (const std::size_t index : record.sources) {
        sources.push_back(source(record, index));
        shapes.push_back(network_.tensors[sources.back()].shape);
      }
    }
    std::size_t tensor = none;
    std::size_t logits = none;
    if (record.type == NodeType::input) {
      tensor = network_.ports[record.sources[0]].tensor;
    } else if (record.type == NodeType::concatenate) {
      tensor = add_step(layers::make_concatenate(shapes, record.where), sources, record.where);
    } else if (record.type == NodeType::add) {
      tensor = add_step(layers::make_add(shapes, record.where, *network_.kernels), sources, record.where);
    } else if (record.type == NodeType::sum) {
      tensor = add_step(layers::make_sum(shapes[0], *network_.kernels), sources, record.where);
    } else {
      const layers::Made& made = layer(record, shapes);
      const bool fused = made.activation.function == Function::rectified && made.operation &&
                         !at_output_[record.layer] && made.operation->fuse_rectified();
      tensor = sources[0];
      if (made.operation && record.type == NodeType::time_distributed) {
        const Shape& step = made.operation->shape();
        if (step.size() != 1)
          record.where.wrong("a layer that makes more than a vector of a step", "a vector of each step",
                             layers::describe(step));
        tensor = add_step(layers::make_each(made.operation, shapes[0]), sources, record.where);
      } else if (made.operation) {
        tensor = add_step(made.operation, sources, record.where);
      }
      logits = made.activates ? sources[0] : tensor;
      if (made.margin) {
        if (record.type == NodeType::time_distributed)
          record.where.wrong("trees on the steps of a sequence", "a vector");
        node_leaves_[node] = tensor;
        logits = add_step(made.margin, {tensor}, record.where);
        tensor = made.link ? add_step(made.link, {tensor}, record.where) : logits;
      } else if (made.activation.function != Function::linear && !fused) {
        tensor = add_step(
            layers::make_activate(made.activation, network_.tensors[tensor].shape, *network_.kernels),
            {tensor}, record.where);
      } else if (!made.operation) {
        logits = node_logits_[record.sources[0]];
      }
    }
    node_tensor_[node] = tensor;
    node_logits_[node] = logits == none ? tensor : logits;
  }

  /// The layer of a node, made when first met: nodes that share a layer share its weights.
  const layers::Made& layer(const NodeRecord& record, Shapes inputs) {
    if (record.type == NodeType::time_distributed) inputs[0] = {inputs[0].back()};
    const auto known = layers_.find(record.layer);
    if (known != layers_.end()) {
      if (known->second.inputs != inputs) {
        record.where.wrong("two nodes use one layer with inputs of different shapes",
                           layers::describe(known->second.inputs[0]), layers::describe(inputs[0]));
      }
      return known->second.made;
    }
    const At& at = file_.layers[record.layer];
    network_.n_parameters += n_parameters(at.value());
    layers::Made made = layers::make_layer(at, inputs, *network_.kernels);
    return layers_.emplace(record.layer, Used{std::move(inputs), std::move(made)}).first->second.made;
  }

  /// Lengths of the lists of weights in a layer, and in its components and sublayers.
  static std::size_t n_parameters(const parse::Value& value) {
    std::size_t n = 0;
    if (const auto* object = std::get_if<parse::Value::Object>(&value.data)) {
      for (const auto& [key, member] : *object) {
        const auto* numbers = std::get_if<parse::Value::Numbers>(&member.data);
        const bool weights = key == "weights" || key == "bias" || key == "U" || key == "recurrent_bias" ||
                             key == "threshold" || key == "value";
        n += numbers == nullptr ? n_parameters(member) : weights ? numbers->size() : 0;
      }
    } else if (const auto* array = std::get_if<parse::Value::Array>(&value.data)) {
      for (const auto& item : *array) n += n_parameters(item);
    }
    return n;
  }

  void check_used() const {
    for (std::size_t i = 0; i < file_.layers.size(); ++i) {
      if (layers_.count(i) == 0) file_.layers[i].wrong("no node uses this layer", "only layers in use");
    }
    std::vector<bool> used(network_.inputs.size(), false);
    for (const NodeRecord& node : file_.nodes) {
      if (node.type == NodeType::input) used[node.sources[0]] = true;
    }
    for (std::size_t i = 0; i < used.size(); ++i) {
      if (!used[i]) {
        file_.inputs[i].where.wrong("no node uses the input " + text::quoted(network_.inputs[i].name),
                                    "only inputs in use");
      }
    }
  }

  /// The inputs whose every reader has an answer to missing values.
  void find_missing() {
    using Missing = layers::Operation::Missing;
    std::vector<bool> read(network_.tensors.size(), false), good(network_.tensors.size(), true);
    for (const Network::Head& head : network_.heads) good[head.tensor] = good[head.logits] = false;
    for (auto step = network_.steps.rbegin(); step != network_.steps.rend(); ++step) {
      for (const std::size_t source : step->sources) {
        read[source] = true;
        const auto missing = step->operation->missing();
        good[source] = good[source] &&
                       (missing == Missing::answered || (missing == Missing::passed && good[step->target]));
      }
    }
    for (Network::Port& port : network_.ports) port.missing = read[port.tensor] && good[port.tensor];
  }

  /// The images that come from an input image by local operations alone.
  void mark_sparse() {
    constexpr double least_work = 0x1p16;  // less is done before it is known where
    const auto fits = [](const Network::Tensor& tensor) {
      return tensor.shape.size() == 3 && tensor.shape[0] < 65536 && tensor.shape[1] < 65536;  // as a Pixel
    };
    for (const Network::Port& port : network_.ports) {
      auto& tensor = network_.tensors[port.tensor];
      tensor.sparse = fits(tensor);
    }
    double work = 0;
    for (const Network::Step& step : network_.steps) {
      auto& target = network_.tensors[step.target];
      target.sparse = step.sources.size() == 1 && network_.tensors[step.sources[0]].sparse &&
                      step.operation->is_local() && fits(target);
      if (target.sparse) work += step.operation->work(1);
    }
    if (work >= least_work) return;
    for (auto& tensor : network_.tensors) tensor.sparse = false;
  }

  void add_heads() {
    for (auto& record : file_.outputs) {
      std::size_t tensor = node_tensor_[record.node];
      std::size_t logits = node_logits_[record.node];
      if (record.last && network_.tensors[tensor].shape.size() == 2) {
        const bool same = tensor == logits;
        tensor = last_step(tensor, record.where);
        logits = same ? tensor : last_step(logits, record.where);
      }
      const Shape& shape = network_.tensors[tensor].shape;
      if (record.unlabelled) record.output.labels.resize(shape.back());
      if (shape.back() != record.output.labels.size()) {
        record.where.wrong("labels and width of the output " + text::quoted(record.output.name) + " differ",
                           std::to_string(shape.back()) + " labels",
                           std::to_string(record.output.labels.size()));
      }
      record.output.shape = shape;
      record.output.size = layers::elements(shape, record.where);
      const std::size_t leaves = node_leaves_[record.node];
      for (const std::size_t kept : {tensor, logits, leaves == none ? tensor : leaves})
        network_.tensors[kept].last = none;
      if (leaves != none) record.output.n_trees = network_.tensors[leaves].shape[0] - 2 * record.output.size;
      network_.heads.push_back({tensor, logits, leaves});
      network_.outputs.push_back(std::move(record.output));
    }
  }
};

std::shared_ptr<const Network> Network::build(parse::File file, const layers::Kernels& kernels,
                                              const LoadOptions& options) {
  auto network = std::make_shared<const Network>(Builder(std::move(file), kernels, options.sparse).build());
  // A network without room or time for an event is refused at load.
  const double found = work(*network, make_plan(*network, 1));
  if (found > options.most_work) {
    throw Error(Error::Code::unsupported, {"a network with too much to do for an event",
                                           {},
                                           {},
                                           "at most " + text::number(options.most_work) + " multiplications",
                                           text::number(found),
                                           {},
                                           "if it is meant to be so large, raise LoadOptions::most_work"});
  }
  return network;
}

}  // namespace hepml
