#pragma once

#include <ostream>

namespace lwt {

struct LayerConfig;
struct Input;

std::ostream& operator<<(std::ostream& out, const LayerConfig& layer);
std::ostream& operator<<(std::ostream& out, const Input& input);

}  // namespace lwt
