/* For kernels_body.h: 16 lanes. */
#include <immintrin.h>

#ifdef KERNELS_VNNI
INLINE ivec add_bytes(ivec sum, ivec x0, ivec w0, ivec x1, ivec w1) {
    return (ivec)_mm512_dpbusd_epi32(_mm512_dpbusd_epi32((__m512i)sum, (__m512i)x0, (__m512i)w0), (__m512i)x1, (__m512i)w1);
}
#else
INLINE ivec add_bytes(ivec sum, ivec x0, ivec w0, ivec x1, ivec w1) {
    const __m512i ones = _mm512_set1_epi16(1);
    __m512i four = _mm512_add_epi16(_mm512_maddubs_epi16((__m512i)x0, (__m512i)w0), _mm512_maddubs_epi16((__m512i)x1, (__m512i)w1));
    return sum + (ivec)_mm512_madd_epi16(four, ones);
}
#endif
INLINE vec larger(vec a, vec b) { return (vec)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE vec smaller(vec a, vec b) { return (vec)_mm512_min_ps((__m512)a, (__m512)b); }
INLINE vec round_vector(vec v) { return (vec)_mm512_roundscale_ps((__m512)v, _MM_FROUND_TO_NEAREST_INT); }
INLINE vec widen(const void *p) { return (vec)_mm512_cvtph_ps(_mm256_loadu_si256(p)); }
INLINE void narrow(ivec v, uint8_t *out) { _mm_storeu_si128((__m128i *)(void *)out, _mm512_cvtusepi32_epi8((__m512i)v)); }
