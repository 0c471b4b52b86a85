#pragma once

// What compare.cpp measures beside hepml: a shared library for each peer, so that none meets the symbols or
// the compiler options of another. hepml's headers are not for these files: lwtnn's have the names of
// hepml::lwtnn's.

#include <cstddef>
#include <vector>

/// One event at a time. The event is copied into the peer's own buffers within run().
class Peer {
 public:
  virtual ~Peer() = default;
  /// The inputs of an event, one behind the other. Returns the output.
  virtual const float* run(const float* event) = 0;
};

struct PeerInput {
  const char* name;
  std::vector<std::size_t> shape;  ///< {n}, {steps, n} or {rows, columns, channels}
  std::size_t size;
};

/// `file` is the network in the peer's form.
using MakePeer = Peer* (*)(const char* file, const std::vector<PeerInput>& inputs, std::size_t n_out);

#define HEPML_PEER extern "C" __attribute__((visibility("default")))
