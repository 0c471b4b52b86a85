#pragma once

#include <istream>

#include "lwtnn/lightweight_network_config.hh"

namespace lwt {

/// Read a sequential file. Throws NNConfigurationException: what, where in the file, expected, found.
JSONConfig parse_json(std::istream& json);
JSONConfig parse_json(std::istream&& json);
/// Read a graph file.
GraphConfig parse_json_graph(std::istream& json);
GraphConfig parse_json_graph(std::istream&& json);

}  // namespace lwt
