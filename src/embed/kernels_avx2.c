/* 16 registers: six rows by two vectors of sums leave room for a row of the panel; bytes need more beside the sums. */
#define LANES 8
#define F32_ROWS 6
#define INT8_ROWS 4
#define ACTIVATION_MAX 127
#include "embed/kernels_vector.h"
#include "embed/kernels_avx2.h"
#include "embed/kernels_body.h"

const struct embed_kernels embed_kernels_avx2 = {
    .name = "avx2",
    .panel = PANEL,
    .activation_max = ACTIVATION_MAX,
    .weight_max = 63,
    .multiply_f32 = multiply_f32,
    .multiply_int8 = multiply_int8,
    .quantise = quantise,
    .add_norm = add_norm,
    .gelu = gelu,
    .softmax = softmax,
    .widen_f16 = widen_f16,
};
