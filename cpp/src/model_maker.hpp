#pragma once

#include <hepml/model.hpp>

#include "layers/network.hpp"

namespace hepml {

/// A Model of a network that was read in another way than Model::parse does, and the network of a Model.
struct ModelMaker {
  static Model make(std::shared_ptr<const Network> network) { return Model(std::move(network)); }
  static const Network& network(const Model& model) noexcept { return *model.network_; }
};

}  // namespace hepml
