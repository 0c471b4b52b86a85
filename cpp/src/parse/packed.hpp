#pragma once

#include "parse/json.hpp"

namespace hepml::parse {

/// Turns every {"float32": base64, "crc32": number} in the tree (float64, bfloat16, float16 likewise; little
/// endian), and every {"int8": base64, "scale": numbers, "axis": "first" or "last", "crc32": number}, into
/// the list of numbers that it stands for. Throws Error (schema) where it is damaged.
void unpack(Value& root);

}  // namespace hepml::parse
