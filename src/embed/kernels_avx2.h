/* For kernels_body.h: 8 lanes. */
#include <immintrin.h>

INLINE ivec add_bytes(ivec sum, ivec x0, ivec w0, ivec x1, ivec w1) {
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i four = _mm256_add_epi16(_mm256_maddubs_epi16((__m256i)x0, (__m256i)w0), _mm256_maddubs_epi16((__m256i)x1, (__m256i)w1));
    return sum + (ivec)_mm256_madd_epi16(four, ones);
}
INLINE vec larger(vec a, vec b) { return (vec)_mm256_max_ps((__m256)a, (__m256)b); }
INLINE vec smaller(vec a, vec b) { return (vec)_mm256_min_ps((__m256)a, (__m256)b); }
INLINE vec round_vector(vec v) { return (vec)_mm256_round_ps((__m256)v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE vec widen(const void *p) { return (vec)_mm256_cvtph_ps(_mm_loadu_si128(p)); }
INLINE void narrow(ivec v, uint8_t *out) {
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)v), _mm256_extracti128_si256((__m256i)v, 1));
    _mm_storel_epi64((__m128i *)(void *)out, _mm_packus_epi16(words, words));
}
