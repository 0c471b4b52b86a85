#include "layers/recurrent.hpp"

#include <algorithm>
#include <cstring>

#include "parse/text.hpp"

namespace hepml::layers {
namespace {

bool flag(const At& layer, const char* key, bool absent) {
  return layer.has(key) ? layer.member(key).boolean() : absent;
}

Shape output_shape(const Recurrent& layer, const Shape& input) {
  return layer.sequences ? Shape{input[0], layer.n} : Shape{layer.n};
}

/// The list of a component, of which each gate has one of the same size.
std::vector<float> read_list(const At& component, const char* key, std::size_t size, bool may_be_empty) {
  const At list = component.member(key);
  if (list.numbers().size() != size && !(may_be_empty && list.numbers().empty())) {
    list.wrong("a component does not fit the layer", std::to_string(size) + " values",
               std::to_string(list.numbers().size()));
  }
  return list.floats();
}

class RecurrentOperation : public Operation {
 public:
  RecurrentOperation(const Recurrent& layer, const Shape& input, std::size_t n_states, Cell cell)
      : Operation(output_shape(layer, input)),
        cell_(std::move(cell)),
        n_(layer.n),
        n_states_(n_states),
        fixed_steps_(input[0]),
        work_of_step_(static_cast<double>(layer.weights.size() * layer.n) *
                      static_cast<double>(layer.n_in + layer.n)),
        sequences_(layer.sequences),
        backwards_(layer.backwards),
        masked_(layer.masked),
        zeros_for_mask_(layer.zeros_for_mask) {}

  void run(const View* inputs, const View& output, float* scratch) const noexcept override {
    const std::size_t pad = cell_.pad();
    float* states = scratch;
    float* shown = states + n_states_ * pad;  // the output of the last step
    float* rest = shown + pad;
    std::memset(states, 0, (n_states_ + 1) * pad * sizeof(float));
    const std::size_t steps = inputs->columns;
    for (std::size_t i = 0; i < steps; ++i) {
      const std::size_t at = backwards_ ? steps - 1 - i : i;
      if (!masked_ || inputs[1].data[at] != 0.0F) {
        cell_.step(inputs->data + at * inputs->channels, states, rest);
        if (masked_) std::memcpy(shown, states, n_ * sizeof(float));
      } else if (zeros_for_mask_) {
        std::memset(shown, 0, n_ * sizeof(float));
      }
      if (sequences_) std::memcpy(output.data + i * n_, masked_ ? shown : states, n_ * sizeof(float));
    }
    if (!sequences_) std::memcpy(output.data, masked_ ? shown : states, n_ * sizeof(float));
  }
  std::size_t scratch(std::size_t) const noexcept override { return (n_states_ + 1 + 3) * cell_.pad(); }
  double work(std::size_t steps) const noexcept override {
    return work_of_step_ * static_cast<double>(fixed_steps_ == any_steps ? steps : fixed_steps_);
  }

 private:
  Cell cell_;
  std::size_t n_, n_states_, fixed_steps_;
  double work_of_step_;
  bool sequences_, backwards_, masked_, zeros_for_mask_;
};

}  // namespace

Cell::Cell(const Recurrent& layer, const std::vector<std::vector<std::size_t>>& matrices,
           const std::vector<std::vector<float>>& bias, Step step, const Kernels& kernels)
    : step_(step) {
  const std::size_t n = layer.n;
  const std::size_t n_in = layer.n_in + n;
  const std::size_t pad = (n + kernels.width - 1) / kernels.width * kernels.width;
  weights_ = Floats(layer.weights.size() * pad * n_in);
  bias_ = Floats(bias.size() * pad);
  for (std::size_t gate = 0; gate < bias.size(); ++gate)
    std::copy(bias[gate].begin(), bias[gate].end(), bias_.data() + gate * pad);
  args_ = {layer.activation, layer.inner, layer.n_in, n, pad, {}, bias_.data()};
  float* packed = weights_.data();
  for (std::size_t k = 0; k < matrices.size(); ++k) {
    std::vector<float> rows;
    for (const std::size_t gate : matrices[k]) {
      for (std::size_t unit = 0; unit < n; ++unit) {
        const auto row = [unit](const std::vector<float>& of, std::size_t size) {
          return of.begin() + static_cast<std::ptrdiff_t>(unit * size);
        };
        rows.insert(rows.end(), row(layer.weights[gate], layer.n_in),
                    row(layer.weights[gate], layer.n_in) + static_cast<std::ptrdiff_t>(layer.n_in));
        rows.insert(rows.end(), row(layer.U[gate], n),
                    row(layer.U[gate], n) + static_cast<std::ptrdiff_t>(n));
      }
    }
    kernels.pack_gates(rows.data(), matrices[k].size(), n_in, n, packed);
    args_.weights[k] = packed;
    packed += matrices[k].size() * pad * n_in;
  }
}

std::shared_ptr<Operation> make_recurrent(const Recurrent& layer, const Shape& input, std::size_t n_states,
                                          Cell cell) {
  return std::make_shared<RecurrentOperation>(layer, input, n_states, std::move(cell));
}

Recurrent read_recurrent(const At& layer, const Shapes& inputs, const std::vector<const char*>& gates,
                         bool inner) {
  Recurrent out;
  out.masked = inputs.size() == 2;
  const Shape& input = out.masked ? inputs[0] : need_sequence(layer, inputs);
  if (input.size() != 2)
    layer.wrong("the layer works on another kind of tensor", "a sequence", describe(input));
  if (out.masked && inputs[1] != Shape{input[0], 1} && inputs[1] != Shape{input[0]})
    layer.wrong("the mask does not fit the sequence", "a sequence of as many steps x 1", describe(inputs[1]));
  out.n_in = input[1];
  const At components = layer.member("components");
  const At first = components.member(gates[0]);
  const std::size_t n_weights = first.member("weights").numbers().size();
  if (n_weights == 0 || n_weights % out.n_in != 0) {
    first.member("weights").wrong("the weights do not fit the layer's input",
                                  "a multiple of its width " + std::to_string(out.n_in),
                                  std::to_string(n_weights));
  }
  out.n = n_weights / out.n_in;
  for (const auto& [name, value] : components.members()) {
    const bool known =
        std::any_of(gates.begin(), gates.end(), [&n = name](const char* gate) { return n == gate; });
    if (!known) {
      const std::vector<std::string> names(gates.begin(), gates.end());
      components.member(name).wrong("unknown component " + text::quoted(name), text::joined(names),
                                    text::quoted(name));
    }
  }
  for (const char* gate : gates) {
    const At component = components.member(gate);
    out.weights.push_back(read_list(component, "weights", out.n * out.n_in, false));
    out.U.push_back(read_list(component, "U", out.n * out.n, false));
    out.bias.push_back(read_list(component, "bias", out.n, true));
    if (component.has("recurrent_bias"))
      out.recurrent_bias.push_back(read_list(component, "recurrent_bias", out.n, true));
  }
  if (!out.recurrent_bias.empty() && out.recurrent_bias.size() != gates.size())
    components.wrong("only some components have a recurrent_bias", "all or none");
  out.activation = read_activation(layer, "activation");
  if (inner) out.inner = read_activation(layer, "inner_activation");
  for (const char* key : {"activation", "inner_activation"}) {
    const Function function = (key[0] == 'a' ? out.activation : out.inner).function;
    if (kernels::on_rows(function)) {
      layer.member(key).fail(Error::Code::unsupported, "a softmax inside of a recurrent layer",
                             "an activation of single elements");
    }
  }
  out.sequences = flag(layer, "return_sequences", true);
  out.backwards = flag(layer, "go_backwards", false);
  out.zeros_for_mask = flag(layer, "zero_output_for_mask", false);
  return out;
}

}  // namespace hepml::layers
