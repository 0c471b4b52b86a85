#include <hepml/model.hpp>
#include <hepml/session.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/select.hpp"
#include "layers/plan.hpp"
#include "parse/file.hpp"
#include "parse/packed.hpp"
#include "parse/text.hpp"

namespace hepml {
namespace {

constexpr double most_work = 0x1p36;    // of all reference events that are run
constexpr double efp_tolerance = 1e-9;  // of polynomials, relative

/// Re-run the reference vectors of the file, of a slow network the first ones; the first value that does not
/// reproduce is an Error (verification).
void verify(const Model& model, const Network& network, const parse::Reference& reference) {
  std::size_t longest = 1;
  for (std::size_t i = 0; i < reference.inputs.size(); ++i) {
    for (const auto& values : reference.inputs[i])
      longest = std::max(longest, values.size() / model.inputs()[i].size);
  }
  Session session(model, longest);
  const double of_event = work(network, make_plan(network, longest));
  if (reference.n_events != 0 && of_event > most_work) {
    throw Error(Error::Code::unsupported, {"a reference event with too much to do",
                                           {},
                                           "hepml.reference",
                                           "at most " + text::number(most_work) + " multiplications",
                                           text::number(of_event),
                                           {},
                                           "load without LoadOptions::verify"});
  }
  for (std::size_t event = 0; event < reference.n_events; ++event) {
    if (static_cast<double>(event + 1) * of_event > most_work) return;
    for (std::size_t i = 0; i < reference.inputs.size(); ++i) {
      const auto& values = reference.inputs[i][event];
      const Input& input = model.inputs()[i];
      const auto to = layers::is_dynamic(input.shape) ? session.sequence(i, values.size() / input.size)
                                                      : session.input(i);
      std::copy(values.begin(), values.end(), to.begin());
    }
    session.run();
    for (std::size_t k = 0; k < reference.outputs.size(); ++k) {
      if (session.output(k).size() != reference.outputs[k][event].size()) {
        throw Error(Error::Code::schema,
                    {"a reference event of the wrong size",
                     {},
                     "hepml.reference.outputs." + model.outputs()[k].name + "[" + std::to_string(event) + "]",
                     std::to_string(session.output(k).size()) + " values",
                     std::to_string(reference.outputs[k][event].size()),
                     {},
                     {}});
      }
      double scale = 1.0;
      for (const double value : reference.outputs[k][event]) scale = std::max(scale, std::abs(value));
      for (std::size_t j = 0; j < reference.outputs[k][event].size(); ++j) {
        const double expected = reference.outputs[k][event][j];
        const double found = static_cast<double>(session.output(k)[j]);
        if (std::abs(found - expected) <= reference.tolerance * scale) continue;
        const Output& output = model.outputs()[k];
        throw Error(Error::Code::verification,
                    {"the network does not reproduce its reference vectors",
                     {},
                     "hepml.reference.outputs." + output.name + "[" + std::to_string(event) + "][" +
                         std::to_string(j) + "] (" + output.labels[j % output.labels.size()] + ")",
                     text::number(expected) + " within " + text::number(reference.tolerance),
                     text::number(found),
                     {},
                     "the file was changed or damaged: export the network again"});
      }
    }
  }
}

/// Compute the polynomials of the reference images of the file again.
void verify_polynomials(const efp::ImagePolynomials& polynomials, const parse::EFPs& efps,
                        const std::vector<Variable>& variables) {
  efp::ImagePolynomials::Memory memory(polynomials);
  for (std::size_t event = 0; event < efps.reference.size(); ++event) {
    const parse::EFPEvent& reference = efps.reference[event];
    const auto values = polynomials.compute(reference.ecal, reference.hcal, memory);
    for (std::size_t k = 0; k < values.size(); ++k) {
      const double expected = reference.values[k];
      if (std::abs(values[k] - expected) <= efp_tolerance * std::abs(expected)) continue;
      throw Error(Error::Code::verification, {"a polynomial of the images does not reproduce its reference",
                                              {},
                                              "hepml.efps.reference[" + std::to_string(event) + "].values[" +
                                                  std::to_string(k) + "] (" + variables[k].name + ")",
                                              text::number(expected),
                                              text::number(values[k]),
                                              {},
                                              "the file was changed or damaged: export the network again"});
    }
  }
}

}  // namespace

std::vector<std::string> cpus() {
  std::vector<std::string> names;
  for (const kernels::Kernels* set : kernels::available()) names.emplace_back(set->name);
  return names;
}

Model Model::parse(const std::string& text, const LoadOptions& options) {
  const kernels::Kernels& kernels = kernels::select(options.cpu);
  parse::Value root = parse::parse_json(text);
  parse::unpack(root);
  Model model(Network::build(parse::read_network(root), kernels, options));
  if (!options.verify) return model;
  const Network& network = *model.network_;
  verify(model, network, network.extension.reference);
  if (network.polynomials != nullptr) {
    const auto input = std::find_if(network.inputs.begin(), network.inputs.end(),
                                    [](const Input& one) { return one.name == parse::efp_input; });
    verify_polynomials(*network.polynomials, network.extension.efps, input->variables);
  }
  return model;
}

Model Model::load(const std::string& path, const LoadOptions& options) {
  const std::string text = parse::read_file(path);
  try {
    return parse(text, options);
  } catch (const Error& error) {
    Error::Parts parts = error.parts();
    if (error.code() != Error::Code::usage) parts.file = path;
    throw Error(error.code(), std::move(parts));
  }
}

const std::vector<Input>& Model::inputs() const noexcept {
  return network_->inputs;
}
const std::vector<Output>& Model::outputs() const noexcept {
  return network_->outputs;
}
const std::vector<Threshold>& Model::thresholds() const noexcept {
  return network_->extension.thresholds;
}
const std::optional<Geometry>& Model::geometry() const noexcept {
  return network_->extension.geometry;
}
Convention Model::convention() const noexcept {
  return network_->extension.convention;
}
const TowerSelection& Model::towers() const noexcept {
  return network_->extension.towers;
}
const std::string& Model::model_id() const noexcept {
  return network_->extension.model_id;
}
int Model::format_version() const noexcept {
  return network_->extension.format_version;
}
const Ranges& Model::ranges() const noexcept {
  return network_->extension.ranges;
}
const std::vector<std::pair<std::string, std::string>>& Model::validity() const noexcept {
  return network_->extension.validity;
}
const std::string& Model::metadata() const noexcept {
  return network_->extension.metadata;
}
const char* Model::cpu() const noexcept {
  return network_->kernels->name;
}
std::size_t Model::n_parameters() const noexcept {
  return network_->n_parameters;
}
std::size_t Model::session_bytes(std::size_t max_steps) const {
  return make_plan(*network_, max_steps).size * sizeof(float);
}

}  // namespace hepml
