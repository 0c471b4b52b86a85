#pragma once

#include "parse/json.hpp"

namespace hepml::parse {

/// Turns every {"float32": base64, "crc32": number} in the tree (float64 likewise; little endian) into the
/// list of numbers that it stands for. Throws Error (schema) where it is damaged.
void unpack(Value& root);

}  // namespace hepml::parse
