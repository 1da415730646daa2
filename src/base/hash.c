#include "base/hash.h"
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static struct hash128 from_xxh(XXH128_hash_t h) { return (struct hash128){h.high64, h.low64}; }

struct hash128 hash_bytes(const void *data, size_t n) { return from_xxh(XXH3_128bits(data, n)); }

struct hash128 hash_parts(const char *const *parts, const size_t *lens, size_t n) {
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    for (size_t i = 0; i < n; i++) {
        uint8_t prefix[8];
        for (int b = 0; b < 8; b++)
            prefix[b] = (uint8_t)((uint64_t)lens[i] >> (8 * b));
        XXH3_128bits_update(&state, prefix, sizeof prefix);
        XXH3_128bits_update(&state, parts[i], lens[i]);
    }
    return from_xxh(XXH3_128bits_digest(&state));
}

void hash_id(const char *prefix, struct hash128 h, char out[24]) {
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
    size_t n = strnlen(prefix, 7);
    memcpy(out, prefix, n);
    uint64_t hi = h.hi, lo = h.lo;
    for (int i = 0; i < 16; i++) {
        out[n++] = digits[hi >> 59];
        hi = hi << 5 | lo >> 59;
        lo <<= 5;
    }
    out[n] = '\0';
}
