#include "layers/network.hpp"

#include <algorithm>
#include <map>

#include "parse/text.hpp"

namespace hepml {

using layers::Activation;
using layers::Function;
using layers::Shape;
using parse::At;
using parse::NodeRecord;
using parse::NodeType;

/// From the records of a file to a Network.
class Builder {
 public:
  Builder(parse::File file, const layers::Kernels& kernels) : file_(std::move(file)) {
    network_.kernels = &kernels;
  }

  Network build() {
    order_nodes();
    add_inputs();
    for (const std::size_t node : order_) add_node(node);
    check_used();
    add_heads();
    plan_memory();
    network_.extension = std::move(file_.extension);
    return std::move(network_);
  }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  parse::File file_;
  Network network_;
  std::vector<std::size_t> order_;        // nodes that an output needs, sources first
  std::vector<std::size_t> node_tensor_;  // tensor of each node
  std::vector<std::size_t> node_logits_;  // tensor before the node's activation
  struct Used {
    Shape input;
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

  std::size_t add_tensor(const Shape& shape, std::size_t step) {
    Network::Tensor tensor;
    tensor.shape = shape;
    tensor.first = tensor.last = step;
    network_.tensors.push_back(std::move(tensor));
    return network_.tensors.size() - 1;
  }

  void add_inputs() {
    for (auto& record : file_.inputs) {
      Network::Port port{0, add_tensor(record.input.shape, 0), std::move(record.offset),
                         std::move(record.scale), 0};
      port.scale_step = port.scale.size() == 1 ? 0 : 1;
      network_.ports.push_back(std::move(port));
      network_.inputs.push_back(std::move(record.input));
    }
    node_tensor_.assign(file_.nodes.size(), none);
    node_logits_.assign(file_.nodes.size(), none);
  }

  std::size_t add_step(std::shared_ptr<layers::Operation> operation, std::vector<std::size_t> sources) {
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
    const std::size_t target = add_tensor(operation->shape(), step);
    network_.steps.push_back({operation.get(), std::move(sources), target});
    network_.operations_.push_back(std::move(operation));
    return target;
  }

  /// Does an output come straight from this layer? Its activation then stays apart, for the logits.
  bool at_output(std::size_t layer) const {
    return std::any_of(file_.outputs.begin(), file_.outputs.end(), [&](const auto& output) {
      const NodeRecord& node = file_.nodes[output.node];
      return node.type == NodeType::feed_forward && node.layer == layer;
    });
  }

  void add_node(std::size_t node) {
    const NodeRecord& record = file_.nodes[node];
    std::vector<std::size_t> sources;
    std::vector<Shape> shapes;
    if (record.type != NodeType::input) {
      for (const std::size_t source : record.sources) {
        sources.push_back(node_tensor_[source]);
        shapes.push_back(network_.tensors[sources.back()].shape);
      }
    }
    std::size_t tensor = none;
    std::size_t logits = none;
    switch (record.type) {
      case NodeType::input:
        tensor = network_.ports[record.sources[0]].tensor;
        break;
      case NodeType::concatenate:
        tensor = add_step(layers::make_concatenate(shapes, record.where), sources);
        break;
      case NodeType::add:
        tensor = add_step(layers::make_add(shapes, record.where, *network_.kernels), sources);
        break;
      case NodeType::feed_forward: {
        const layers::Made& made = layer(record, shapes[0]);
        tensor = made.operation ? add_step(made.operation, sources) : sources[0];
        logits = tensor;
        const bool fused = made.activation.function == Function::rectified && made.operation &&
                           !at_output(record.layer) && made.operation->fuse_rectified();
        if (made.activation.function != Function::linear && !fused) {
          tensor = add_step(
              layers::make_activate(made.activation, network_.tensors[tensor].shape, *network_.kernels),
              {tensor});
        } else if (!made.operation) {
          logits = node_logits_[record.sources[0]];
        }
        break;
      }
    }
    node_tensor_[node] = tensor;
    node_logits_[node] = logits == none ? tensor : logits;
  }

  /// The layer of a node, made when first met: nodes that share a layer share its weights.
  const layers::Made& layer(const NodeRecord& record, const Shape& input) {
    const auto known = layers_.find(record.layer);
    if (known != layers_.end()) {
      if (known->second.input != input) {
        record.where.wrong("two nodes use one layer with inputs of different shapes",
                           layers::describe(known->second.input), layers::describe(input));
      }
      return known->second.made;
    }
    const At& at = file_.layers[record.layer];
    for (const char* key : {"weights", "bias"}) {
      if (at.has(key)) network_.n_parameters += at.member(key).size();
    }
    return layers_.emplace(record.layer, Used{input, layers::make_layer(at, input, *network_.kernels)})
        .first->second.made;
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

  void add_heads() {
    for (auto& record : file_.outputs) {
      const std::size_t tensor = node_tensor_[record.node];
      const Shape& shape = network_.tensors[tensor].shape;
      if (shape.size() != 1)
        record.where.wrong("an output that is not a vector", "a vector", layers::describe(shape));
      if (shape[0] != record.output.labels.size()) {
        record.where.wrong("labels and width of the output " + text::quoted(record.output.name) + " differ",
                           std::to_string(shape[0]) + " labels", std::to_string(record.output.labels.size()));
      }
      for (const std::size_t kept : {tensor, node_logits_[record.node]}) network_.tensors[kept].last = none;
      network_.heads.push_back({tensor, node_logits_[record.node], 0, 0});
      network_.outputs.push_back(std::move(record.output));
    }
  }

  static std::size_t aligned(std::size_t floats) { return (floats + 15) / 16 * 16; }

  /// First fit: a tensor takes the lowest place that no tensor alive at the same time covers. What the user
  /// sees (raw inputs, outputs, logits) has its own place at the front.
  void plan_memory() {
    std::size_t front = 0;
    const auto reserve = [&front](std::size_t floats) {
      const std::size_t place = front;
      front += aligned(floats);
      return place;
    };
    for (std::size_t i = 0; i < network_.ports.size(); ++i)
      network_.ports[i].raw = reserve(network_.inputs[i].size);
    for (std::size_t i = 0; i < network_.heads.size(); ++i) {
      network_.heads[i].result = reserve(network_.outputs[i].labels.size());
      network_.heads[i].result_logits = reserve(network_.outputs[i].labels.size());
    }
    network_.arena_size = front;
    struct Taken {
      std::size_t place, end, last;
    };
    std::vector<Taken> taken;  // by place
    for (auto& tensor : network_.tensors) {
      const bool image = tensor.shape.size() == 3;
      const layers::Border& border = tensor.border;
      const std::size_t channels = tensor.shape.back();
      tensor.row_stride = image ? (tensor.shape[1] + border.left + border.right) * channels : tensor.shape[0];
      const std::size_t rows = image ? tensor.shape[0] + border.top + border.bottom : 1;
      const Shape whole{rows, tensor.row_stride};
      const std::size_t size = aligned(layers::elements(whole, At(parse::Value{}, "")));
      // Inputs are written before step 0, so they must not share with anything alive then.
      taken.erase(std::remove_if(taken.begin(), taken.end(),
                                 [&tensor](const Taken& t) { return t.last < tensor.first; }),
                  taken.end());
      std::size_t place = front;
      for (const Taken& t : taken) {
        if (place + size <= t.place) break;
        place = std::max(place, t.end);
      }
      tensor.place = place;
      tensor.offset = place + border.top * tensor.row_stride + border.left * channels;
      const auto at =
          std::find_if(taken.begin(), taken.end(), [place](const Taken& t) { return t.place > place; });
      taken.insert(at, {place, place + size, tensor.last});
      network_.arena_size = std::max(network_.arena_size, place + size);
    }
  }
};

std::shared_ptr<const Network> Network::build(parse::File file, const layers::Kernels& kernels) {
  return std::make_shared<const Network>(Builder(std::move(file), kernels).build());
}

}  // namespace hepml
