#include <lwtnn/lightweight_network_config.hh>
#include <lwtnn/lightweight_nn_streamers.hh>

#include "lwtnn/names.hpp"

namespace lwt {
namespace {

void list(std::ostream& out, const char* name, const std::vector<double>& values) {
  out << name << ": [";
  for (std::size_t i = 0; i < values.size(); ++i) out << (i == 0 ? "" : ", ") << values[i];
  out << "]\n";
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const LayerConfig& layer) {
  out << "architecture: " << names::name_of(names::architectures, layer.architecture) << "\n";
  out << "activation: " << names::name_of(names::activations, layer.activation.function) << "\n";
  if (layer.inner_activation.function != Activation::NONE)
    out << "inner activation: " << names::name_of(names::activations, layer.inner_activation.function)
        << "\n";
  list(out, "weights", layer.weights);
  list(out, "bias", layer.bias);
  if (!layer.U.empty()) list(out, "U", layer.U);
  for (const EmbeddingConfig& part : layer.embedding)
    out << "embedding - index: " << part.index << " n_out: " << part.n_out << "\n";
  if (!layer.sublayers.empty()) {
    out << "[\n";
    for (const LayerConfig& part : layer.sublayers) out << "  " << part << "\n";
    out << "]\n";
  }
  if (!layer.components.empty()) {
    out << "{\n";
    for (const auto& [component, part] : layer.components)
      out << " - component: " << names::name_of(names::components, component) << " -\n" << part << "\n";
    out << "}\n";
  }
  return out;
}

std::ostream& operator<<(std::ostream& out, const Input& input) {
  return out << input.name << " -- offset: " << input.offset << " scale: " << input.scale;
}

}  // namespace lwt
