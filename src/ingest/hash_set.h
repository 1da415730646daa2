/* A set of 128-bit hashes: paths already seen, folders already read through a link. Open addressing, doubled at three
 * quarters. */
#ifndef INGEST_HASH_SET_H
#define INGEST_HASH_SET_H

#include "base/error.h"
#include "base/hash.h"

struct hash_set {
    struct hash128 *slots; /* {0, 0}: empty */
    size_t n, cap;         /* cap: a power of two, or 0 */
};
/* *fresh: it was not in the set before. */
qa_status hash_set_add(struct hash_set *s, struct hash128 h, bool *fresh, qa_error *err);
bool hash_set_has(const struct hash_set *s, struct hash128 h);
void hash_set_free(struct hash_set *s);

#endif
