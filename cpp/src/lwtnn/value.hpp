#pragma once

#include <lwtnn/NNLayerConfig.hh>

#include "parse/json.hpp"

namespace lwt {

/// A layer as it stands in a file. Throws NNConfigurationException for what no file can say.
hepml::parse::Value to_value(const LayerConfig& layer);

}  // namespace lwt
