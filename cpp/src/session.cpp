#include <hepml/session.hpp>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "layers/network.hpp"
#include "parse/text.hpp"

namespace hepml {

using kernels::View;

struct Session::Buffers {
  explicit Buffers(const Model& m) : model(m) {}
  Model model;
  layers::Floats arena;
  std::vector<View> tensors;
  struct Step {
    const layers::Operation* operation;
    std::size_t sources;  // where its views begin in `sources`
    std::size_t target;
    bool border;  // zeros around the target have to be written first
  };
  std::vector<Step> steps;
  std::vector<View> sources;
  Status status = Status::no_object;
};

namespace {

bool has_border(const Network::Tensor& tensor) {
  const layers::Border& b = tensor.border;
  return b.top + b.left + b.bottom + b.right != 0;
}

void clear_border(const Network::Tensor& tensor, float* arena) noexcept {
  const layers::Border& border = tensor.border;
  const std::size_t channels = tensor.shape[2];
  const std::size_t row = tensor.row_stride;
  float* p = arena + tensor.place;
  std::memset(p, 0, border.top * row * sizeof(float));
  p += border.top * row;
  for (std::size_t i = 0; i < tensor.shape[0]; ++i, p += row) {
    std::memset(p, 0, border.left * channels * sizeof(float));
    std::memset(p + row - border.right * channels, 0, border.right * channels * sizeof(float));
  }
  std::memset(p, 0, border.bottom * row * sizeof(float));
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

}  // namespace

Session::Session(const Model& model) : buffers_(std::make_unique<Buffers>(model)) {
  const Network& network = *model.network_;
  buffers_->arena = layers::Floats(network.arena_size);
  float* arena = buffers_->arena.data();
  for (const auto& tensor : network.tensors) {
    const bool image = tensor.shape.size() == 3;
    buffers_->tensors.push_back({arena + tensor.offset, image ? tensor.shape[0] : 1,
                                 image ? tensor.shape[1] : 1, tensor.shape.back(), tensor.row_stride});
  }
  for (const auto& step : network.steps) {
    buffers_->steps.push_back(
        {step.operation, buffers_->sources.size(), step.target, has_border(network.tensors[step.target])});
    for (const std::size_t source : step.sources) buffers_->sources.push_back(buffers_->tensors[source]);
  }
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

span<float> Session::input(std::string_view name) {
  return input(find(buffers_->model.network_->inputs, name, "input"));
}

span<float> Session::input(std::size_t index) noexcept {
  const Network& network = *buffers_->model.network_;
  return {buffers_->arena.data() + network.ports[index].raw, network.inputs[index].size};
}

span<const float> Session::output(std::string_view name) const {
  return output(find(buffers_->model.network_->outputs, name, "output"));
}

span<const float> Session::output(std::size_t index) const noexcept {
  const Network& network = *buffers_->model.network_;
  return {buffers_->arena.data() + network.heads[index].result, network.outputs[index].labels.size()};
}

span<const float> Session::logits(std::string_view name) const {
  return logits(find(buffers_->model.network_->outputs, name, "output"));
}

span<const float> Session::logits(std::size_t index) const noexcept {
  const Network& network = *buffers_->model.network_;
  return {buffers_->arena.data() + network.heads[index].result_logits, network.outputs[index].labels.size()};
}

span<const float> Session::run() noexcept {
  const Network& network = *buffers_->model.network_;
  float* arena = buffers_->arena.data();
  bool finite = true;
  for (const Network::Port& port : network.ports) {
    const Network::Tensor& tensor = network.tensors[port.tensor];
    const View& view = buffers_->tensors[port.tensor];
    if (has_border(tensor)) clear_border(tensor, arena);
    const std::size_t n = view.columns * view.channels;
    for (std::size_t row = 0; row < view.rows; ++row) {
      const std::size_t first = row * n * port.scale_step;
      finite &= network.kernels->prepare(arena + port.raw + row * n, port.offset.data() + first,
                                         port.scale.data() + first, port.scale_step,
                                         view.data + row * view.row_stride, n);
    }
  }
  if (finite) {
    for (const Buffers::Step& step : buffers_->steps) {
      if (step.border) clear_border(network.tensors[step.target], arena);
      step.operation->run(buffers_->sources.data() + step.sources, buffers_->tensors[step.target]);
    }
  }
  bool good = finite;
  for (const Network::Head& head : network.heads) {
    const std::size_t n = buffers_->tensors[head.tensor].channels;
    for (std::size_t i = 0; i < n; ++i) {
      const float nan = std::numeric_limits<float>::quiet_NaN();
      const float value = finite ? arena[network.tensors[head.tensor].offset + i] : nan;
      arena[head.result + i] = value;
      arena[head.result_logits + i] = finite ? arena[network.tensors[head.logits].offset + i] : nan;
      good &= !std::isnan(value);
    }
  }
  buffers_->status = good ? Status::ok : Status::not_finite;
  return output(std::size_t{0});
}

}  // namespace hepml
