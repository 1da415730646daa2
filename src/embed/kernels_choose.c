/* The AVX-512 of a table is what all its files are compiled for: F, BW, DQ and VL. */
#include "embed/kernels.h"
#include <stdlib.h>
#include <string.h>

enum { KINDS = 5 };

size_t embed_list_kernels(const struct embed_kernels *out[KINDS]) {
    size_t n = 0;
    out[n++] = &embed_kernels_plain;
#if defined __x86_64__
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) /* F16C is older than both; clang 14 cannot ask for it */
        return n;
    out[n++] = &embed_kernels_avx2;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512vl"))
        return n;
    out[n++] = &embed_kernels_avx512;
    if (!__builtin_cpu_supports("avx512vnni"))
        return n;
    out[n++] = &embed_kernels_vnni;
    if (__builtin_cpu_supports("avx512bf16"))
        out[n++] = &embed_kernels_bf16;
#endif
    return n;
}

const struct embed_kernels *embed_choose_kernels(void) {
    const struct embed_kernels *all[KINDS];
    const char *most = getenv("QUAERE_CPU");
    size_t n = embed_list_kernels(all);
    for (size_t i = 0; most && i < n; i++)
        if (strcmp(all[i]->name, most) == 0)
            return all[i];
    return all[n - 1];
}
