/* Content hashes: XXH3, 128 bits. Tells changed from unchanged; it is no defence against someone who forges collisions, and
 * nothing that must resist forgery may rest on it. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash128 {
    uint64_t hi, lo;
};
static inline int hash_compare(struct hash128 a, struct hash128 b) {
    return a.hi != b.hi ? (a.hi < b.hi ? -1 : 1) : a.lo != b.lo ? (a.lo < b.lo ? -1 : 1) : 0;
}
struct hash128 hash_bytes(const void *data, size_t n);
/* Hash of several strings with their lengths, so that ("ab","c") differs from ("a","bc"). */
struct hash128 hash_parts(const char *const *parts, const size_t *lens, size_t n);
/* prefix ("c_") and 16 characters of base 32 (0-9, a-v) from the upper 80 bits. out holds at least 24. */
void hash_id(const char *prefix, struct hash128 h, char out[24]);

#endif
