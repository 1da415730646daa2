#include "embed/matrix.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void *embed_allocate(size_t n, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX - EMBED_ALIGNMENT)
        return NULL;
    bytes = (bytes / EMBED_ALIGNMENT + 1) * EMBED_ALIGNMENT;
    void *p = aligned_alloc(EMBED_ALIGNMENT, bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

static size_t padded(const struct embed_matrix *m) { return (m->n + m->kernels->panel - 1) / m->kernels->panel * m->kernels->panel; }

static void pack_f32(struct embed_matrix *m, size_t output, const float *row, void *spare) {
    size_t panel = m->kernels->panel;
    (void)spare;
    float *to = (float *)m->packed + output / panel * panel * m->k + output % panel;
    for (size_t i = 0; i < m->k; i++)
        to[i * panel] = row[i];
}

static uint16_t narrow_bf16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return isnan(x) ? 0x7FC0 : (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static void pack_bf16(struct embed_matrix *m, size_t output, const float *row, void *spare) {
    size_t panel = m->kernels->panel;
    (void)spare;
    uint16_t *to = (uint16_t *)m->packed + output / panel * panel * m->k + output % panel * 2;
    for (size_t i = 0; i < m->k; i++)
        to[i / 2 * panel * 2 + i % 2] = narrow_bf16(row[i]);
}

/* To the nearest whole number, for what lies within +-2^22: the sum has no room for a fraction. */
static int32_t round_small(float x) {
    float shifted = x + 0x1.8p23F;
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return bits - 0x4B400000;
}

/* The largest size of all, as bits: those of floats without their sign are in the order of the numbers, what is infinite or none above all of them. So
 * it can be computed with vectors, which a maximum of floats can't, since their order would count. */
static int32_t largest_bits(const float *row, size_t k) {
    int32_t most = 0;
    for (size_t i = 0; i < k; i++) {
        int32_t bits;
        memcpy(&bits, &row[i], sizeof bits);
        bits &= INT32_MAX;
        most = bits > most ? bits : most;
    }
    return most;
}

static int32_t narrow_row(const float *restrict row, size_t k, float inverse, int8_t *restrict bytes) {
    int32_t sum = 0;
    for (size_t i = 0; i < k; i++) {
        bytes[i] = (int8_t)round_small(row[i] * inverse);
        sum += bytes[i];
    }
    return sum;
}

static void pack_int8(struct embed_matrix *m, size_t output, const float *row, void *spare) {
    const float infinite = INFINITY, weight_max = (float)m->kernels->weight_max;
    size_t panel = m->kernels->panel, k = m->k, at = output % panel;
    int8_t *to = (int8_t *)m->packed + output / panel * panel * k + at * 4, *bytes = spare;
    float *scale = m->scales + output / panel * panel * 2 * embed_count_groups(k) + at;
    int32_t infinite_bits;
    memcpy(&infinite_bits, &infinite, sizeof infinite_bits);
    for (size_t i = 0; i < k; i += EMBED_GROUP, scale += 2 * panel) {
        size_t n = k - i < EMBED_GROUP ? k - i : EMBED_GROUP;
        int32_t bits = largest_bits(row + i, n);
        float most;
        memcpy(&most, &bits, sizeof most);
        bool broken = bits >= infinite_bits, sound = bits > 0 && !broken;
        int32_t sum = narrow_row(row + i, n, sound ? weight_max / most : 0, bytes + i);
        scale[0] = broken ? NAN : sound ? most / weight_max : 1; /* a broken weight shows in the vectors, which are looked at */
        scale[panel] = scale[0] * (float)sum;
    }
    for (size_t i = 0; i < k; i += 4)
        memcpy(to + i * panel, bytes + i, 4);
}

static qa_status pack(struct embed_matrix *m, const struct embed_weights *w, float *row, float *spare, qa_error *err) {
    static const size_t widths[] = {[EMBED_F32] = 4, [EMBED_BF16] = 2, [EMBED_INT8] = 1};
    size_t n = padded(m);
    m->packed = embed_allocate(n * m->k, widths[m->precision]);
    m->bias = embed_allocate(n, sizeof *m->bias);
    m->scales = m->precision == EMBED_INT8 ? embed_allocate(n * embed_count_groups(m->k), 2 * sizeof *m->scales) : NULL;
    if (!m->packed || !m->bias || (m->precision == EMBED_INT8 && !m->scales))
        return error_no_memory(err, "the weights of an embedder");
    memcpy(m->bias, w->bias, m->n * sizeof *m->bias);
    for (size_t c = 0; c < m->n; c++) {
        w->row(w->user, c, row);
        (m->precision == EMBED_INT8 ? pack_int8 : m->precision == EMBED_BF16 ? pack_bf16 : pack_f32)(m, c, row, spare);
    }
    return QA_OK;
}

qa_status embed_pack_matrix(const struct embed_kernels *kernels, enum embed_precision precision, const struct embed_weights *weights,
                            struct embed_matrix *out, qa_error *err) {
    *out = (struct embed_matrix){.kernels = kernels, .precision = precision, .k = weights->k, .n = weights->n};
    if (precision == EMBED_BF16 && !kernels->multiply_bf16)
        out->precision = EMBED_F32;
    float *row = embed_allocate(weights->k, 2 * sizeof *row);
    qa_status status = row ? pack(out, weights, row, row + weights->k, err) : error_no_memory(err, "the weights of an embedder");
    free(row);
    return status;
}

void embed_free_matrix(struct embed_matrix *m) {
    free(m->packed);
    free(m->bias);
    free(m->scales);
    *m = (struct embed_matrix){0};
}

qa_status embed_make_room(size_t rows, size_t k, struct embed_room *out, qa_error *err) {
    *out = (struct embed_room){embed_allocate(rows * k, 2), embed_allocate(rows * embed_count_groups(k), sizeof *out->meaning)};
    return out->narrow && out->meaning ? QA_OK : error_no_memory(err, "embedding");
}

void embed_free_room(struct embed_room *room) {
    free(room->narrow);
    free(room->meaning);
    *room = (struct embed_room){0};
}

void embed_multiply(const struct embed_matrix *m, const float *x, size_t rows, const struct embed_room *room, float *out) {
    const struct embed_kernels *kernels = m->kernels;
    if (m->precision == EMBED_INT8) {
        kernels->quantise(x, rows, m->k, room->narrow, room->meaning);
        kernels->multiply_int8(room->narrow, room->meaning, rows, m->k, m->packed, m->scales, m->n, m->bias, out);
    } else if (m->precision == EMBED_BF16) {
        uint16_t *narrow = room->narrow;
        for (size_t i = 0; i < rows * m->k; i++)
            narrow[i] = narrow_bf16(x[i]);
        kernels->multiply_bf16(narrow, rows, m->k, m->packed, m->n, m->bias, out);
    } else {
        kernels->multiply_f32(x, m->k, rows, m->k, m->packed, m->n, m->bias, out, m->n);
    }
}
