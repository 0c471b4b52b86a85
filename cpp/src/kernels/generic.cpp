// The kernels for any processor: vectors of four, which SSE2 and NEON have. CMake gives this file its
// compiler flags.

#define HEPML_WIDTH 4
#define HEPML_REGISTERS 16
#define HEPML_DENSE_PANEL 8
#include "kernels/body.hpp"

namespace hepml::kernels {

extern const Kernels generic;
constexpr Kernels generic = kernels_named("generic");

}  // namespace hepml::kernels
