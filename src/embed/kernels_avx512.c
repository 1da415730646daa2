/* 32 registers: twelve rows by two vectors of sums, and bytes without VNNI need some for what lies between. */
#define LANES 16
#define F32_ROWS 12
#define INT8_ROWS 10
#define ACTIVATION_MAX 127
#include "embed/kernels_vector.h"
#include "embed/kernels_avx512.h"
#include "embed/kernels_body.h"

const struct embed_kernels embed_kernels_avx512 = {
    .name = "avx512",
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
