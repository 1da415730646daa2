/* AVX-512 with products of bytes that add in 32 bits at once: so both sides have all 8 bits. */
#define LANES 16
#define F32_ROWS 12
#define INT8_ROWS 12
#define ACTIVATION_MAX 255
#define KERNELS_VNNI
#include "embed/kernels_vector.h"
#include "embed/kernels_avx512.h"
#include "embed/kernels_body.h"

const struct embed_kernels embed_kernels_vnni = {
    .name = "vnni",
    .panel = PANEL,
    .activation_max = ACTIVATION_MAX,
    .weight_max = 127,
    .multiply_f32 = multiply_f32,
    .multiply_int8 = multiply_int8,
    .quantise = quantise,
    .add_norm = add_norm,
    .gelu = gelu,
    .softmax = softmax,
    .widen_f16 = widen_f16,
};
