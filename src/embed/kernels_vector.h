/* Vectors of LANES floats or whole numbers, by GCC's vector types: what kernels_body.h and a target share. */
#include "embed/kernels.h"
#include <math.h>
#include <string.h>

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int32_t ivec __attribute__((vector_size(4 * LANES)));
enum { PANEL = 2 * LANES };
#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

INLINE vec load(const float *p) {
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}
INLINE void store(float *p, vec v) { memcpy(p, &v, sizeof v); }
INLINE ivec load_int(const void *p) {
    ivec v;
    memcpy(&v, p, sizeof v);
    return v;
}
INLINE vec splat(float x) { return x - (vec){0}; }
INLINE ivec splat_int(int32_t x) { return x - (ivec){0}; }
INLINE vec choose(ivec mask, vec yes, vec no) { return (vec)((mask & (ivec)yes) | (~mask & (ivec)no)); }
