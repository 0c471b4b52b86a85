#pragma once
// Apart from kernels.hpp, which is compiled for instruction sets that not every processor has: no inline code
// of the standard library may come from there.

#include <string>
#include <vector>

#include "kernels/kernels.hpp"

namespace hepml::kernels {

/// The sets that this processor can run, fastest first.
std::vector<const Kernels*> available();

/// The set of this name; if empty, of the environment variable HEPML_CPU, and without it the fastest.
/// Throws hepml::Error (usage) for an unknown name or one that the processor lacks.
const Kernels& select(const std::string& name = {});

}  // namespace hepml::kernels
