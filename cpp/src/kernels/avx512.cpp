// The kernels for AVX-512F. CMake gives this file its compiler flags.

#define HEPML_WIDTH 16
#define HEPML_REGISTERS 32
#define HEPML_DENSE_PANEL 12
#include "kernels/body.hpp"

namespace hepml::kernels {

extern const Kernels avx512;
constexpr Kernels avx512 = kernels_named("avx512");

}  // namespace hepml::kernels
