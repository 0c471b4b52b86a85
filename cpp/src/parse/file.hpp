#pragma once

#include <hepml/model.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "efp/images.hpp"
#include "parse/json.hpp"

// A network file as records: lwtnn's graph form with hepml's extensions, or lwtnn's sequential form turned
// into a graph. Names, sizes and indices within a record are checked here; shapes are the network's business.
namespace hepml::parse {

/// lwtnn's kinds, and `layer`: a layer on any tensors.
enum class NodeType { input, feed_forward, sequence, time_distributed, concatenate, add, sum, layer };

struct InputRecord {
  Input input;                 // sequences after the others
  std::vector<double> offset;  // one for all elements, or one an element
  std::vector<double> scale;
  At where;
};

struct NodeRecord {
  NodeType type;
  std::vector<std::size_t> sources;  // of an input node: the index of the input
  std::size_t size;                  // of an input node
  std::size_t layer;                 // of a node with a layer
  At where;
};

struct OutputRecord {
  Output output;
  std::size_t node;
  At where;
  bool last = false;        // of a sequence, the last step only
  bool unlabelled = false;  // as wide as its node
};

/// Raw inputs and what the trained network answered, to be reproduced at load.
struct Reference {
  std::vector<std::vector<std::vector<float>>> inputs;  // [input][event][element], of sequences step by step
  std::vector<std::vector<std::vector<double>>> outputs;  // [output][event][element]
  std::size_t n_events = 0;
  double tolerance = 1e-6;
};

/// Images of which each polynomial is known, to be reproduced at load.
struct EFPEvent {
  std::vector<float> ecal, hcal;  // empty where no polynomial needs it
  std::vector<double> values;
};

/// What the numbers of the input `efp` are.
struct EFPs {
  std::vector<efp::Column> columns;
  std::vector<EFPEvent> reference;
};

struct Extension {
  int format_version = 0;
  std::string model_id;
  std::string metadata = "{}";
  std::optional<Geometry> geometry;
  Convention convention = Convention::standard;
  TowerSelection towers;
  std::vector<Threshold> thresholds;
  EFPs efps;
  Ranges ranges;
  std::vector<std::pair<std::string, std::string>> validity;
  Reference reference;
};

struct File {
  std::vector<InputRecord> inputs;
  std::vector<NodeRecord> nodes;
  std::vector<At> layers;
  std::vector<OutputRecord> outputs;
  Extension extension;
};

/// In lwtnn a sequence may have the name of a vector; here it gets this behind it.
constexpr const char* sequence_suffix = "_sequence";

/// The input whose numbers may be polynomials of the images.
constexpr const char* efp_input = "efp";

/// Throws Error. The records refer to `root`, which must outlive them.
File read_network(const Value& root);

/// The object "hepml"; the inputs give the sizes that the reference vectors must have.
Extension read_extension(const At& block, const File& file);

/// The objects "efps", "ranges" and "validity" of it.
EFPs read_efps(const At& at, const File& file, const std::optional<Geometry>& geometry);
Ranges read_ranges(const At& at, const File& file);
std::vector<std::pair<std::string, std::string>> read_validity(const At& at);

/// Throws Error (schema) if two names are equal.
void check_distinct(const std::vector<std::string>& names, const char* what, const At& where);

}  // namespace hepml::parse
