/* What an encoder spends its time on, once for each kind of processor: plain C, AVX2, AVX-512, and on top of it VNNI and BF16. The plain ones are the
 * reference that the others are tested against.
 *
 * A matrix product multiplies rows of activations with weights that were packed in panels: `panel` columns side by side, so that a row of a panel
 * is what a few vector registers hold.
 *     f32:   [n / panel][k][panel]           floats
 *     bf16:  [n / panel][k / 2][panel][2]    16-bit floats, pairs of rows together
 *     int8:  [n / panel][k / 4][panel][4]    bytes, four rows together
 * n is padded with zeros to whole panels; k must be a multiple of EMBED_K_STEP for bf16 and int8, and is any for f32.
 *
 * Every sum runs over k in order, whatever the number of rows: so a row's result does not depend on its neighbours. Kernels of two kinds of
 * processor differ in the last bits.
 *
 * int8. The inputs go in groups of EMBED_GROUP, the last of which may be shorter, so that a large one spoils the rounding of few others. In each group the
 * activations of a row are u8 with a step and the number that 0 stands for, the weights of a column s8 with a scale:
 *     sum x w = sum over groups: step * (scale * sum q w) + least * (scale * sum w)
 * the sums in 32 bits and exact. Without VNNI a processor adds four products in 16 bits first, which holds when both sides have 7 bits
 * (4 * 127 * 63 = 32,004): activation_max and weight_max say what a table can bear. A group's scales, and these times the sums of its weights, stand
 * by panel: [n / panel][groups][2][panel]. */
#ifndef EMBED_KERNELS_H
#define EMBED_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EMBED_PANEL_MAX = 32, EMBED_K_STEP = 8, EMBED_GROUP = 64, EMBED_ALIGNMENT = 64 };

/* Numbers that are all nearer to each other than this are as good as one: a step of 1, and all bytes 0. */
#define EMBED_LEAST_RANGE 1e-30F

/* What the bytes of one group of a row stand for: least + step * byte. */
struct embed_bytes {
    float step; /* no number when one of the group is none or infinite: then the product is none either, and it shows */
    float least;
};

struct embed_kernels {
    const char *name;
    size_t panel;
    int activation_max, weight_max;
    /* out[r * out_stride + c] = bias[c] + sum over k of x[r * x_stride + k] * packed; bias may be NULL. */
    void (*multiply_f32)(const float *x, size_t x_stride, size_t rows, size_t k, const float *packed, size_t n, const float *bias, float *out,
                         size_t out_stride);
    /* NULL where the processor has no such products. */
    void (*multiply_bf16)(const uint16_t *x, size_t rows, size_t k, const uint16_t *packed, size_t n, const float *bias, float *out);
    /* x without gaps, as out; meaning: [rows][groups]. */
    void (*multiply_int8)(const uint8_t *x, const struct embed_bytes *meaning, size_t rows, size_t k, const int8_t *packed, const float *scales,
                          size_t n, const float *bias, float *out);
    /* Rows of n floats to bytes. */
    void (*quantise)(const float *x, size_t rows, size_t n, uint8_t *out, struct embed_bytes *meaning);
    /* x = gamma * (x + add - mean) / sqrt(variance + epsilon) + beta, for each row of n; add may be NULL. */
    void (*add_norm)(float *x, const float *add, size_t rows, size_t n, const float *gamma, const float *beta, float epsilon);
    void (*gelu)(float *x, size_t n); /* with the error function, not its tanh approximation */
    void (*softmax)(float *x, size_t n);
    void (*widen_f16)(const void *x, size_t n, float *out); /* x unaligned */
};

static inline size_t embed_count_groups(size_t k) { return (k + EMBED_GROUP - 1) / EMBED_GROUP; }

extern const struct embed_kernels embed_kernels_plain, embed_kernels_avx2, embed_kernels_avx512, embed_kernels_vnni, embed_kernels_bf16;

/* The best that this processor can, or less where QUAERE_CPU says so (plain, avx2, avx512, vnni, bf16). */
const struct embed_kernels *embed_choose_kernels(void);
/* All that this processor can, the plain one first: for tests. */
size_t embed_list_kernels(const struct embed_kernels *out[5]);

#endif
