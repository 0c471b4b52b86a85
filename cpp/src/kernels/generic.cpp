// The kernels for any processor: vectors of four, which SSE2 and NEON have. CMake gives this file its
// compiler flags.

#define HEPML_WIDTH 4
#define HEPML_REGISTERS 16
#define HEPML_DENSE_PANEL 8
#include "kernels/body.hpp"

namespace hepml::kernels {

extern const Kernels generic;
const Kernels generic = {"generic",
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
