#include "batch.hpp"

#include <algorithm>
#include <limits>

#include "buffers.hpp"

namespace hepml {
namespace {

constexpr std::size_t most_floats = std::size_t{1} << 24;  // of memory for the rows of events

bool is_vector(const Network::Tensor& tensor) {
  return tensor.shape.size() == 1;
}

/// The first of the last steps, on vectors alone.
std::size_t start_of_tail(const Network& network) {
  std::size_t first = network.steps.size();
  for (; first > 0; --first) {
    const Network::Step& step = network.steps[first - 1];
    const auto vector = [&](std::size_t tensor) { return is_vector(network.tensors[tensor]); };
    if (!vector(step.target) || !std::all_of(step.sources.begin(), step.sources.end(), vector)) break;
  }
  return first;
}

bool gains(const Network& network, std::size_t first) {
  for (std::size_t i = 0; i < network.heads.size(); ++i) {
    const Network::Head& head = network.heads[i];
    const bool vectors = is_vector(network.tensors[head.tensor]) && is_vector(network.tensors[head.logits]);
    if (!vectors || network.outputs[i].n_trees != 0) return false;
  }
  const auto from = network.steps.begin() + static_cast<std::ptrdiff_t>(first);
  return std::any_of(from, network.steps.end(),
                     [](const Network::Step& step) { return step.operation->has_rows(); });
}

View row(const View& rows, std::size_t event) {
  return {rows.data + event * rows.row_stride, 1, 1, rows.channels, rows.channels};
}

}  // namespace

Batch::Batch(const Model& model, std::size_t max_steps) : session_(model, max_steps) {
  plan_tail();
}

void Batch::plan_tail() {
  const Network& network = session_.buffers_->network;
  front_ = start_of_tail(network);
  if (!gains(network, front_)) return;
  std::vector<bool> inside(network.tensors.size(), false);  // read or written by the tail
  for (std::size_t i = front_; i < network.steps.size(); ++i) {
    inside[network.steps[i].target] = true;
    for (const std::size_t source : network.steps[i].sources) inside[source] = true;
  }
  for (const Network::Head& head : network.heads) inside[head.tensor] = inside[head.logits] = true;

  FirstFit fit(0);
  std::vector<std::size_t> places(inside.size());
  for (std::size_t i = 0; i < inside.size(); ++i) {
    const Network::Tensor& tensor = network.tensors[i];
    if (inside[i])
      places[i] = fit.place(std::max(tensor.first, front_), tensor.last, most * aligned(tensor.shape[0]));
  }
  if (fit.end() > most_floats) return;
  rows_ = layers::Floats(fit.end());
  tensors_.resize(inside.size());
  for (std::size_t i = 0; i < inside.size(); ++i) {
    if (!inside[i]) continue;
    const std::size_t n = network.tensors[i].shape[0];
    tensors_[i] = {rows_.data() + places[i], most, 1, n, aligned(n)};
  }
  std::vector<bool> made(inside.size(), false);
  for (std::size_t i = front_; i < network.steps.size(); ++i) {
    const Network::Step& step = network.steps[i];
    Step one{step.operation, {}, std::vector<View>(step.sources.size()), tensors_[step.target]};
    for (const std::size_t source : step.sources) one.sources.push_back(tensors_[source]);
    steps_.push_back(std::move(one));
    made[step.target] = true;
  }
  for (std::size_t i = 0; i < inside.size(); ++i) {
    if (inside[i] && !made[i]) handed_.push_back({session_.buffers_->tensors[i].data, tensors_[i]});
  }
}

void Batch::add() noexcept {
  Session::Buffers& b = *session_.buffers_;
  if (capacity() == 1) {
    session_.run();
    status_[size_++] = b.status;
    return;
  }
  if (b.start()) {
    b.evaluate(front_);
    for (const Handed& tensor : handed_)
      std::copy_n(tensor.from, tensor.to.channels, row(tensor.to, size_).data);
  }
  status_[size_++] = b.status;
}

void Batch::run() noexcept {
  if (capacity() == 1) return;
  Session::Buffers& b = *session_.buffers_;
  float* scratch = b.arena.data() + b.plan.scratch;
  for (Step& step : steps_) {
    if (step.operation->has_rows()) {
      View from = step.sources[0];
      View to = step.target;
      from.rows = to.rows = size_;
      step.operation->run_rows(from, to);
      continue;
    }
    for (std::size_t event = 0; event < size_; ++event) {
      for (std::size_t i = 0; i < step.sources.size(); ++i) step.one[i] = row(step.sources[i], event);
      step.operation->run(step.one.data(), row(step.target, event), scratch);
    }
  }
  for (const Network::Head& head : b.network.heads) {
    for (std::size_t event = 0; event < size_; ++event) {
      if (status_[event] == Status::ok) continue;
      for (const std::size_t tensor : {head.tensor, head.logits}) {
        const View values = row(tensors_[tensor], event);
        std::fill_n(values.data, values.channels, std::numeric_limits<float>::quiet_NaN());
      }
    }
  }
}

span<const float> Batch::output(std::size_t event, std::size_t index) const noexcept {
  if (capacity() == 1) return session_.output(index);
  const View values = row(tensors_[session_.buffers_->network.heads[index].tensor], event);
  return {values.data, values.channels};
}

span<const float> Batch::logits(std::size_t event, std::size_t index) const noexcept {
  if (capacity() == 1) return session_.logits(index);
  const View values = row(tensors_[session_.buffers_->network.heads[index].logits], event);
  return {values.data, values.channels};
}

span<const float> Batch::leaves(std::size_t event, std::size_t index) const noexcept {
  static_cast<void>(event);  // networks of trees are evaluated one by one
  return session_.leaves(index);
}

}  // namespace hepml
