/* Vectors to 16 bits and back, and to the 8 bits that a search scans. */
#include "base/half.h"
#include "store/store_vectors.h"
#include <math.h>
#include <string.h>

void store_encode_halves(const float *v, size_t n, uint8_t *out) {
    for (size_t i = 0; i < n; i++) {
        uint16_t h = half_from_float(v[i]);
        out[2 * i] = (uint8_t)h;
        out[2 * i + 1] = (uint8_t)(h >> 8);
    }
}

/* Inner loops of fixed length, here and below, are what gcc -O2 vectorises. */
void store_decode_halves(const uint8_t *halves, size_t n, float *out) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t j = i; j < i + 8; j++)
            out[j] = half_to_float(halves[2 * j] | (uint32_t)halves[2 * j + 1] << 8);
    for (; i < n; i++)
        out[i] = half_to_float(halves[2 * i] | (uint32_t)halves[2 * i + 1] << 8);
}

double store_dot_floats(const float *a, const float *b, size_t n) {
    double lanes[8] = {0}, rest = 0; /* in an order of its own, but always in the same */
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++)
            lanes[j] += (double)a[i + j] * b[i + j];
    for (; i < n; i++)
        rest += (double)a[i] * b[i];
    return rest + ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

double store_unit_length(const float *v, size_t n) {
    double length = sqrt(store_dot_floats(v, v, n));
    return length >= .99 && length <= 1.01 ? length : 0;
}

float store_quantise(const float *v, double length, size_t n, int8_t *codes) {
    float max = 0;
    for (size_t i = 0; i < n; i++)
        max = fabsf(v[i]) > max ? fabsf(v[i]) : max;
    float factor = 127 / max;
    for (size_t i = 0; i < n; i++) {
        float x = v[i] * factor;
        codes[i] = (int8_t)(x < 0 ? x - .5f : x + .5f);
    }
    memset(codes + n, 0, store_stride(n) - n);
    return (float)(max / 127. / length);
}
