#include <hepml/session.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "buffers.hpp"
#include "parse/file.hpp"
#include "parse/text.hpp"

namespace hepml {

namespace {

bool has_border(const Network::Tensor& tensor) {
  const layers::Border& b = tensor.border;
  return b.top + b.left + b.bottom + b.right != 0;
}

template <class Record>
std::size_t find(const std::vector<Record>& records, std::string_view name, const char* what) {
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records[i].name == name) return i;
  }
  std::vector<std::string> names;
  for (const Record& record : records) names.push_back(record.name);
  throw Error(Error::Code::usage, {std::string("the model has no ") + what + " " + text::quoted(name),
                                   {},
                                   {},
                                   text::joined(names),
                                   text::quoted(name),
                                   text::nearest(name, names),
                                   {}});
}

bool is_sequence(const Input& input) {
  return input.shape.size() == 2;
}

}  // namespace

void Session::Buffers::clear_border(std::size_t index) noexcept {
  const layers::Border& border = network.tensors[index].border;
  const View& view = tensors[index];
  const std::size_t row = view.row_stride;
  float* p = arena.data() + plan.tensors[index].whole;
  std::memset(p, 0, border.top * row * sizeof(float));
  p += border.top * row;
  const std::size_t used = (border.left + view.columns) * view.channels;
  for (std::size_t i = 0; i < view.rows; ++i, p += row) {
    std::memset(p, 0, border.left * view.channels * sizeof(float));
    std::memset(p + used, 0, border.right * view.channels * sizeof(float));
  }
  std::memset(p, 0, border.bottom * row * sizeof(float));
}

/// From raw values to what the network sees; false if one is not finite.
bool Session::Buffers::prepare(std::size_t index) noexcept {
  const Network::Port& port = network.ports[index];
  const View& view = tensors[port.tensor];
  const Network::Tensor& tensor = network.tensors[port.tensor];
  if (has_border(tensor) && !tensor.sparse) clear_border(port.tensor);
  const float* raw = arena.data() + plan.raw[index];
  bool finite = true;
  const auto part = [&](std::size_t at, std::size_t first, float* to, std::size_t n) {
    finite &= network.kernels->prepare(raw + at, port.offset.data() + first, port.scale.data() + first,
                                       port.scale_step, to, n);
  };
  const std::size_t n = view.columns * view.channels;
  if (port.scale.size() == n || port.scale_step == 0) {  // each row alike
    for (std::size_t row = 0; row < view.rows; ++row) part(row * n, 0, view.data + row * view.row_stride, n);
  } else {  // a sequence: some steps at a time alike
    const std::size_t most = port.scale.size();
    for (std::size_t i = 0; i < n; i += most) part(i, 0, view.data + i, std::min(most, n - i));
  }
  return finite;
}

/// The steps of this event in every tensor; false if they do not fit.
bool Session::Buffers::set_steps() noexcept {
  bool good = true;
  for (std::size_t i = 0; i < network.ports.size(); ++i) {
    const Input& input = network.inputs[i];
    if (!is_sequence(input)) continue;
    const std::size_t most = plan.tensors[network.ports[i].tensor].most_steps;
    good &= wanted[i] <= most && (input.shape[0] == any_steps || wanted[i] == most);
    tensors[network.ports[i].tensor].columns = good ? wanted[i] : 0;
  }
  for (const Step& step : steps) {
    const View* inputs = sources.data() + step.sources;
    for (std::size_t i = 0; i < step.n_sources; ++i) {
      const std::size_t from = source_tensors[step.sources + i];
      sources[step.sources + i].columns = tensors[from].columns;
      if (layers::is_dynamic(network.tensors[from].shape))
        good &= inputs[i].columns == inputs[step.operation->steps_like(i)].columns;
    }
    if (!step.dynamic) continue;
    const std::size_t n = good ? step.operation->steps(inputs[0].columns) : 0;
    good &= n != layers::no_steps;
    tensors[step.target].columns = good ? n : 0;
  }
  return good;
}

/// From the raw values to what the network sees; false if the event has no answer, for the status's reason.
bool Session::Buffers::start() noexcept {
  status = Status::ok;
  if (network.has_sequences && !set_steps()) status = Status::wrong_steps;
  for (std::size_t i = 0; status != Status::wrong_steps && i < network.ports.size(); ++i) {
    if (!prepare(i) && !good_values(i)) status = Status::not_finite;
  }
  return status == Status::ok;
}

/// The first `n_steps` steps.
void Session::Buffers::evaluate(std::size_t n_steps) noexcept {
  float* scratch = arena.data() + plan.scratch;
  for (std::size_t i = 0; sparse && i < network.ports.size(); ++i) {
    if (sparse->holds(network.ports[i].tensor))
      sparse->start(network.ports[i].tensor, arena.data() + plan.raw[i]);
  }
  for (std::size_t i = 0; i < n_steps; ++i) {
    const Step& step = steps[i];
    if (step.sparse) {
      sparse->run(*step.operation, source_tensors[step.sources], step.target);
      continue;
    }
    if (step.border) clear_border(step.target);
    step.operation->run(sources.data() + step.sources, tensors[step.target], scratch);
  }
}

/// Is every value a number or, where that is allowed, missing?
bool Session::Buffers::good_values(std::size_t index) const noexcept {
  const Network::Port& port = network.ports[index];
  const float* raw = arena.data() + plan.raw[index];
  const std::size_t n = network.inputs[index].size;
  return port.missing && std::none_of(raw, raw + n, [](float x) { return std::isinf(x); });
}

/// The answer to an empty image, once.
void Session::Buffers::start_sparse() {
  bool any = false;
  for (std::size_t i = 0; i < network.ports.size(); ++i) {
    if (!network.tensors[network.ports[i].tensor].sparse) continue;
    any = true;
    clear_border(network.ports[i].tensor);
    prepare(i);
  }
  if (!any) return;
  for (const Step& step : steps) {
    if (!step.sparse) continue;
    clear_border(step.target);
    step.operation->run(sources.data() + step.sources, tensors[step.target], nullptr);
  }
  sparse.emplace(network, plan, arena.data(), tensors);
}

/// Copies an output and its logits to where the user sees them; false if it is not good or a value is NaN.
bool Session::Buffers::finish(std::size_t index, bool good) noexcept {
  const Network::Head& head = network.heads[index];
  const auto copy = [&](std::size_t tensor, std::size_t place) {
    const View& view = tensors[tensor];
    float* to = arena.data() + place;
    const std::size_t n = view.columns * view.channels;
    bool numbers = true;
    for (std::size_t row = 0; row < view.rows; ++row, to += n) {
      for (std::size_t i = 0; i < n; ++i) {
        to[i] = good ? view.data[row * view.row_stride + i] : std::numeric_limits<float>::quiet_NaN();
        numbers &= !std::isnan(to[i]);
      }
    }
    return numbers;
  };
  copy(head.logits, plan.logits[index]);
  if (!good && network.outputs[index].n_trees != 0) {
    const View& trees = tensors[head.leaves];
    std::fill_n(trees.data, trees.channels, std::numeric_limits<float>::quiet_NaN());
  }
  return copy(head.tensor, plan.results[index]);
}

Session::Session(const Model& model, std::size_t max_steps)
    : buffers_(std::make_unique<Buffers>(model, *model.network_, max_steps)) {
  Buffers& b = *buffers_;
  for (std::size_t i = 0; i < b.network.tensors.size(); ++i) {
    const layers::Shape& shape = b.network.tensors[i].shape;
    const Plan::Place& place = b.plan.tensors[i];
    const Extent extent = extent_of(shape, layers::is_dynamic(shape) ? 0 : place.most_steps);
    b.tensors.push_back(
        {b.arena.data() + place.offset, extent.rows, extent.columns, extent.channels, place.row_stride});
  }
  for (const Input& input : b.network.inputs) {
    b.wanted.push_back(is_sequence(input) && input.shape[0] != any_steps ? input.shape[0] : 0);
  }
  for (const auto& step : b.network.steps) {
    const Network::Tensor& target = b.network.tensors[step.target];
    b.steps.push_back({step.operation, b.sources.size(), step.sources.size(), step.target, has_border(target),
                       layers::is_dynamic(target.shape), target.sparse});
    for (const std::size_t source : step.sources) {
      b.sources.push_back(b.tensors[source]);
      b.source_tensors.push_back(source);
    }
  }
  b.start_sparse();
}

Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

const Model& Session::model() const noexcept {
  return buffers_->model;
}
Status Session::status() const noexcept {
  return buffers_->status;
}
std::size_t Session::max_steps() const noexcept {
  return buffers_->max_steps;
}

span<float> Session::input(std::string_view name) {
  return input(find(buffers_->network.inputs, name, "input"));
}

span<float> Session::input(std::size_t index) noexcept {
  const Input& input = buffers_->network.inputs[index];
  const std::size_t most = buffers_->plan.tensors[buffers_->network.ports[index].tensor].most_steps;
  const bool dynamic = layers::is_dynamic(input.shape);
  return {buffers_->arena.data() + buffers_->plan.raw[index],
          input.size * (dynamic ? std::min(buffers_->wanted[index], most) : 1)};
}

span<float> Session::sequence(std::string_view name, std::size_t steps) {
  std::size_t index = find(buffers_->network.inputs, name, "input");
  if (!is_sequence(buffers_->network.inputs[index])) {  // a sequence of the same name, see read_network
    const std::string other = std::string(name) + parse::sequence_suffix;
    for (std::size_t i = 0; i < buffers_->network.inputs.size(); ++i) {
      if (buffers_->network.inputs[i].name == other) index = i;
    }
  }
  if (!is_sequence(buffers_->network.inputs[index])) {
    throw Error(Error::Code::usage, {"the input " + text::quoted(name) + " is not a sequence",
                                     {},
                                     {},
                                     "a sequence, steps x variables",
                                     layers::describe(buffers_->network.inputs[index].shape),
                                     {},
                                     "fill it with input()"});
  }
  return sequence(index, steps);
}

span<float> Session::sequence(std::size_t index, std::size_t steps) noexcept {
  buffers_->wanted[index] = steps;
  return input(index);
}

span<const float> Session::output(std::string_view name) const {
  return output(find(buffers_->network.outputs, name, "output"));
}

span<const float> Session::output(std::size_t index) const noexcept {
  const View& view = buffers_->tensors[buffers_->network.heads[index].tensor];
  return {buffers_->arena.data() + buffers_->plan.results[index], view.rows * view.columns * view.channels};
}

span<const float> Session::logits(std::string_view name) const {
  return logits(find(buffers_->network.outputs, name, "output"));
}

span<const float> Session::logits(std::size_t index) const noexcept {
  const View& view = buffers_->tensors[buffers_->network.heads[index].logits];
  return {buffers_->arena.data() + buffers_->plan.logits[index], view.rows * view.columns * view.channels};
}

span<const float> Session::leaves(std::size_t index) const noexcept {
  const std::size_t n = buffers_->network.outputs[index].n_trees;
  if (n == 0) return {nullptr, 0};
  const View& trees = buffers_->tensors[buffers_->network.heads[index].leaves];
  return {trees.data + trees.channels - n, n};
}

span<const float> Session::leaves(std::string_view name) const {
  return leaves(find(buffers_->network.outputs, name, "output"));
}

span<const float> Session::run() noexcept {
  Buffers& b = *buffers_;
  const bool good = b.start();
  if (good) b.evaluate(b.steps.size());
  for (std::size_t i = 0; i < b.network.heads.size(); ++i) {
    if (!b.finish(i, good) && good) b.status = Status::not_finite;
  }
  return output(std::size_t{0});
}

}  // namespace hepml
