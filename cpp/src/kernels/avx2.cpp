// The kernels for AVX2 and FMA. CMake gives this file its compiler flags.

#define HEPML_WIDTH 8
#define HEPML_REGISTERS 16
#define HEPML_DENSE_PANEL 10
#include "kernels/body.hpp"

namespace hepml::kernels {

extern const Kernels avx2;
constexpr Kernels avx2 = kernels_named("avx2");

}  // namespace hepml::kernels
