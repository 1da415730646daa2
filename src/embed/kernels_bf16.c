/* VNNI, and products of pairs of 16-bit floats. */
#define LANES 16
#define F32_ROWS 12
#define INT8_ROWS 12
#define ACTIVATION_MAX 255
#define KERNELS_VNNI
#include "embed/kernels_vector.h"
#include "embed/kernels_avx512.h"
#include "embed/kernels_body.h"

INLINE void tile_bf16(size_t rows, const uint16_t *x, size_t k, const uint16_t *w, const float *bias, float *out, size_t n, size_t columns) {
    vec sum[F32_ROWS][2], first[2];
    take_columns(bias, columns, first);
    UNROLL for (size_t r = 0; r < rows; r++) {
        sum[r][0] = first[0];
        sum[r][1] = first[1];
    }
    for (size_t i = 0; i < k; i += 2, w += 2 * PANEL) {
        __m512bh low = (__m512bh)load_int(w), high = (__m512bh)load_int(w + PANEL);
        UNROLL for (size_t r = 0; r < rows; r++) {
            __m512bh a = (__m512bh)four_bytes((const uint8_t *)(x + r * k + i));
            sum[r][0] = (vec)_mm512_dpbf16_ps((__m512)sum[r][0], a, low);
            sum[r][1] = (vec)_mm512_dpbf16_ps((__m512)sum[r][1], a, high);
        }
    }
    UNROLL for (size_t r = 0; r < rows; r++)
        put(out + r * n, sum[r][0], sum[r][1], columns);
}

static void multiply_bf16(const uint16_t *x, size_t rows, size_t k, const uint16_t *packed, size_t n, const float *bias, float *out) {
    for (size_t c = 0; c < n; c += PANEL, packed += PANEL * k) {
        size_t r = 0;
        for (; r + F32_ROWS <= rows; r += F32_ROWS)
            tile_bf16(F32_ROWS, x + r * k, k, packed, bias + c, out + r * n + c, n, n - c);
        for (; r < rows; r++)
            tile_bf16(1, x + r * k, k, packed, bias + c, out + r * n + c, n, n - c);
    }
}

const struct embed_kernels embed_kernels_bf16 = {
    .name = "bf16",
    .panel = PANEL,
    .activation_max = ACTIVATION_MAX,
    .weight_max = 127,
    .multiply_f32 = multiply_f32,
    .multiply_bf16 = multiply_bf16,
    .multiply_int8 = multiply_int8,
    .quantise = quantise,
    .add_norm = add_norm,
    .gelu = gelu,
    .softmax = softmax,
    .widen_f16 = widen_f16,
};
