// libFuzzer: a network file of any content is refused with hepml::Error, or loads and runs: within its
// memory, with the same bits twice, in a batch, and on the sparse and the dense way.

#include <hepml/hepml.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <random>
#include <string>

#include "batch.hpp"
#include "mutate.hpp"

namespace {

using hepml::Batch;
using hepml::Model;
using hepml::Session;
using hepml::Status;

constexpr std::size_t most_steps = 5;
constexpr std::size_t most_bytes = std::size_t{1} << 22;  // of a session that is run

void need(bool holds) {
  if (!holds) std::abort();
}

/// One event; the steps of sequences may be more than the session holds.
void fill(const Model& model, Session& session, std::uint32_t seed) {
  std::minstd_rand random(seed + 1);
  constexpr float special[] = {0.0F, -0.0F, 1e30F, -1e30F, 1e-40F, 1.0F, 2.0F, 3.0F};
  for (std::size_t i = 0; i < model.inputs().size(); ++i) {
    const auto& shape = model.inputs()[i].shape;
    const auto values =
        shape[0] == hepml::any_steps ? session.sequence(i, random() % (most_steps + 2)) : session.input(i);
    for (float& value : values) {
      const auto draw = random() % 16;
      value = draw < 8 ? special[draw] : static_cast<float>(random() % 2001) / 1000.0F - 1.0F;
    }
  }
}

void same_bits(hepml::span<const float> x, hepml::span<const float> y) {
  need(x.size() == y.size());
  for (std::size_t i = 0; i < x.size(); ++i) need(x[i] == y[i] || (x[i] != x[i] && y[i] != y[i]));
}

void same_bits(const Session& a, const Session& b, std::size_t n_outputs) {
  need(a.status() == b.status());
  for (std::size_t k = 0; k < n_outputs; ++k) same_bits(a.output(k), b.output(k));
}

/// Two batches, the second shorter, against their events one by one.
void batches(const Model& model, Session& session) {
  Batch batch(model, most_steps);
  for (const std::size_t n : {std::min<std::size_t>(5, batch.capacity()), std::size_t{1}}) {
    batch.clear();
    for (std::uint32_t event = 0; event < n; ++event) {
      fill(model, batch.session(), event);
      batch.add();
    }
    batch.run();
    for (std::uint32_t event = 0; event < n; ++event) {
      fill(model, session, event);
      session.run();
      need(batch.has_steps(event) == (session.status() != Status::wrong_steps));
      if (!batch.has_steps(event)) continue;
      for (std::size_t k = 0; k < model.outputs().size(); ++k) {
        same_bits(batch.output(event, k), session.output(k));
        same_bits(batch.logits(event, k), session.logits(k));
        same_bits(batch.leaves(event, k), session.leaves(k));
      }
    }
  }
}

void run(const Model& model, const Model& dense) {
  std::size_t bytes = most_bytes;
  try {
    bytes = model.session_bytes(most_steps);
  } catch (const hepml::Error&) {
    return;  // so many steps do not fit
  }
  if (bytes >= most_bytes) return;
  Session session(model, most_steps), again(model, most_steps), other(dense, most_steps);
  std::optional<hepml::Monitor> monitor;
  if (!model.ranges().quantities.empty()) monitor.emplace(model);
  for (std::uint32_t event = 0; event < 3; ++event) {
    for (Session* one : {&session, &again, &other}) {
      fill(model, *one, event);
      one->run();
    }
    if (monitor) need(monitor->count(session));
    same_bits(session, again, model.outputs().size());
    same_bits(session, other, model.outputs().size());
    for (std::size_t k = 0; k < model.outputs().size(); ++k) {
      session.logits(k);
      session.leaves(k);
    }
  }
  if (monitor) need(monitor->events() == 3 && !monitor->to_json().empty());
  batches(model, session);
}

void tag(const Model& model) {
  if (!model.geometry()) return;
  try {
    hepml::Tagger tagger(model);
    const hepml::Tower towers[] = {{20.0, 0.1, 0.2, 25.0}, {3.0, 0.12, 0.21, 4.0}, {1.0, -2.4, 3.1, 5.0}};
    tagger(towers, towers, 0.1, 0.2);
    tagger({towers, 0}, {towers, 0}, -2.0, 3.1);
  } catch (const hepml::Error&) {  // inputs that no towers make
    return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  hepml::LoadOptions options;
  options.verify = size % 2 == 0;
  options.most_work = 0x1p28;  // about 20 events are run, with sanitizers
  try {
    const auto model = Model::parse(text, options);
    options.verify = options.sparse = false;
    run(model, Model::parse(text, options));
    tag(model);
  } catch (const hepml::Error& error) {
    need(std::strlen(error.what()) > 10);
  }
  return 0;
}
