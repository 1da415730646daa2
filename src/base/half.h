/* 16-bit floats (binary16). By integers instead of _Float16: clang 14 has that type only for processors that compute with it, and the bytes must be the
 * same everywhere. Inline and without a branch on the way back, so that loops over many are vectorised. */
#ifndef BASE_HALF_H
#define BASE_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t half_bits_of(float x) {
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float half_float_of(uint32_t u) {
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* To the nearest, ties to even; what is too large becomes infinite, every NaN the same one but for its sign. */
static inline uint16_t half_from_float(float x) {
    uint32_t u = half_bits_of(x), sign = u >> 16 & 0x8000, size = u & 0x7FFFFFFF;
    if (size > 0x7F800000) /* NaN */
        return (uint16_t)(sign | 0x7E00);
    if (size >= 0x47800000) /* 2^16 and more */
        return (uint16_t)(sign | 0x7C00);
    if (size < 0x33000000) /* less than half of the smallest, 2^-24 */
        return (uint16_t)sign;
    uint32_t exponent = size >> 23, mantissa, cut;
    if (exponent > 112) { /* 2^-14 and more; a carry goes into the exponent, up to infinity */
        mantissa = size - (112u << 23);
        cut = 13;
    } else {
        mantissa = (size & 0x7FFFFF) | 0x800000;
        cut = 126 - exponent;
    }
    uint32_t half = mantissa >> cut, rest = mantissa & ((1u << cut) - 1), tie = 1u << (cut - 1);
    half += rest > tie || (rest == tie && half & 1);
    return (uint16_t)(sign | half);
}

static inline float half_to_float(uint32_t h) {
    /* The product is exact, also from subnormals; of exponent 31 it has the right fraction and wants the exponent filled up. */
    uint32_t endless = (h & 0x7C00) == 0x7C00 ? 0x7F800000 : 0;
    return half_float_of((h & 0x8000) << 16 | endless | half_bits_of(half_float_of((h & 0x7FFF) << 13) * 0x1p112f));
}

#endif
