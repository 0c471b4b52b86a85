// The kernels for AVX-512F. CMake gives this file its compiler flags.

#define HEPML_WIDTH 16
#define HEPML_REGISTERS 32
#define HEPML_DENSE_PANEL 12
#include "kernels/body.hpp"

namespace hepml::kernels {

extern const Kernels avx512;
const Kernels avx512 = {"avx512",
                        width,
                        &dense_size,
                        &pack_dense,
                        &dense,
                        &dense_rows,
                        &conv2d_size,
                        &pack_conv2d,
                        &conv2d,
                        &conv2d_at,
                        &maxpool2d,
                        &maxpool2d_at,
                        &activate,
                        &pack_gates,
                        &lstm_step,
                        &gru_step,
                        &gru_reset_after_step,
                        &simplernn_step,
                        &normalize,
                        &add,
                        &prepare,
                        &filled,
                        &combine,
                        &reduce,
                        &standardize,
                        &row_times_matrix,
                        &dot,
                        &tower_scratch,
                        &tower_forward,
                        &tower_backward};

}  // namespace hepml::kernels
