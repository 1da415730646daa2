/* The kernels for AVX-512 run on any machine in tests: this file stands before the compiler's immintrin.h (tests/CMakeLists.txt), and SIMD Everywhere
 * does in plain C what the intrinsics mean. Below is what its version 0.7.4 lacks, after Intel's description of each. */
#ifndef SIMDE_IMMINTRIN_H
#define SIMDE_IMMINTRIN_H

#define SIMDE_NO_NATIVE
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>

#undef _mm512_madd_epi16 /* its alias takes the four arguments of the masked one */
#define _mm512_madd_epi16 simde_mm512_madd_epi16

static inline simde__m512 shim_cvtph_ps(simde__m256i halves) {
    simde__m256i_private from = simde__m256i_to_private(halves);
    simde__m512_private to;
    for (size_t i = 0; i < 16; i++)
        to.f32[i] = simde_float16_to_float32(simde_uint16_as_float16(from.u16[i]));
    return simde__m512_from_private(to);
}
#define _mm512_cvtph_ps shim_cvtph_ps

static inline simde__m128i shim_cvtusepi32_epi8(simde__m512i numbers) {
    simde__m512i_private from = simde__m512i_to_private(numbers);
    simde__m128i_private to;
    for (size_t i = 0; i < 16; i++)
        to.u8[i] = (uint8_t)(from.u32[i] < 255 ? from.u32[i] : 255);
    return simde__m128i_from_private(to);
}
#define _mm512_cvtusepi32_epi8 shim_cvtusepi32_epi8

#endif
