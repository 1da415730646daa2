/* Dot products of bytes. All variants give the same integers: a sum of at most 8192 products of at most 128 * 127 fits 32 bits
 * in any order.
 *
 * The plain one is written so that gcc -O2 vectorises it for any processor (an inner loop of fixed length). AVX2 by hand takes .70
 * of its time over 100,000 vectors of 384 bytes, where memory is the limit, and .40 over 10,000, which fit the cache (2.7 and 1.9 ms;
 * .22 and .09 ms). Compiling the plain loop for AVX2 is no shorter way: .92. Twice as wide registers (AVX-512, VNNI) could help
 * only where the cache holds everything, that is where a search takes a tenth of a millisecond already; they are left out.
 *
 * The query comes as 16-bit integers: it is widened once instead of with every vector. */
#include "store/store_vectors.h"

void store_dot_plain(const int16_t *query, const int8_t *codes, size_t stride, size_t count, int32_t *out) {
    for (size_t i = 0; i < count; i++, codes += stride) {
        int32_t sum = 0;
        for (size_t at = 0; at < stride; at += STORE_DOT_STEP)
            for (size_t j = 0; j < STORE_DOT_STEP; j++)
                sum += query[at + j] * codes[at + j];
        out[i] = sum;
    }
}

#ifdef __x86_64__
#include <immintrin.h>

__attribute__((target("avx2"))) static void dot_avx2(const int16_t *query, const int8_t *codes, size_t stride, size_t count,
                                                     int32_t *out) {
    for (size_t i = 0; i < count; i++, codes += stride) {
        __m256i even = _mm256_setzero_si256(), odd = even;
        for (size_t at = 0; at < stride; at += STORE_DOT_STEP) {
            __m256i a = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(codes + at)));
            __m256i b = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(codes + at + 16)));
            __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(query + at));
            __m256i y = _mm256_loadu_si256((const __m256i *)(const void *)(query + at + 16));
            even = _mm256_add_epi32(even, _mm256_madd_epi16(a, x));
            odd = _mm256_add_epi32(odd, _mm256_madd_epi16(b, y));
        }
        even = _mm256_add_epi32(even, odd);
        __m128i four = _mm_add_epi32(_mm256_castsi256_si128(even), _mm256_extracti128_si256(even, 1));
        four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
        four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0xB1));
        out[i] = _mm_cvtsi128_si32(four);
    }
}

store_dot *store_dot_avx2(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") ? dot_avx2 : NULL;
}
#else
store_dot *store_dot_avx2(void) { return NULL; }
#endif

store_dot *store_dot_fastest(void) {
    store_dot *best = store_dot_avx2();
    return best ? best : store_dot_plain;
}
