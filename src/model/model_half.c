/* 16-bit floats in whole numbers alone, so that the bytes do not depend on the processor. */
#include "model/internal.h"
#include <string.h>

uint16_t model_half_from_float(float v) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000, exponent = bits >> 23 & 0xFF, fraction = bits & 0x7FFFFF;
    if (exponent == 0xFF)
        return (uint16_t)(sign | 0x7C00 | (fraction ? 0x200 : 0)); /* infinite, or no number */
    int e = (int)exponent - 127 + 15;
    if (e >= 31)
        return (uint16_t)(sign | 0x7C00);
    if (e < -10)
        return (uint16_t)sign;
    /* The 24-bit significand loses 13 bits, or more when the result is subnormal. A carry out of the fraction runs into the exponent, as it should. */
    uint32_t significand = exponent ? fraction | 0x800000 : fraction;
    unsigned drop = e > 0 ? 13 : (unsigned)(14 - e);
    uint32_t kept = e > 0 ? (uint32_t)e << 10 | fraction >> 13 : significand >> drop;
    uint32_t rest = significand & ((1U << drop) - 1), half = 1U << (drop - 1);
    kept += rest > half || (rest == half && (kept & 1));
    return (uint16_t)(sign | kept);
}

float model_float_from_half(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 0x3FF, bits;
    if (exponent == 31) {
        bits = sign | 0x7F800000 | fraction << 13;
    } else if (exponent) {
        bits = sign | (exponent + 112) << 23 | fraction << 13;
    } else if (!fraction) {
        bits = sign;
    } else { /* subnormal: normal as a 32-bit float */
        unsigned shift = 0;
        while (!(fraction & 0x400)) {
            fraction <<= 1;
            shift++;
        }
        bits = sign | (113 - shift) << 23 | (fraction & 0x3FF) << 13;
    }
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}
