/* Vectors for the tests of the store: random ones of length 1, an index of either kind, short ways to put. */
#ifndef TEST_STORE_VECTORS_H
#define TEST_STORE_VECTORS_H

#include "unit/test_store_sample.h"
#include "fake/fake_index.h"
#include <math.h>

static uint64_t vector_seed = 88172645463325252u;
static inline unsigned vector_pick(unsigned n) {
    vector_seed ^= vector_seed << 13;
    vector_seed ^= vector_seed >> 7;
    vector_seed ^= vector_seed << 17;
    return (unsigned)(vector_seed >> 33) % n;
}

static inline void vector_random(float *v, size_t n) {
    double square = 0;
    for (size_t i = 0; i < n; i++) {
        v[i] = ((float)vector_pick(2001) - 1000) / 1000;
        square += (double)v[i] * v[i];
    }
    v[0] += square == 0;
    for (size_t i = 0; i < n; i++)
        v[i] = (float)(v[i] / (square == 0 ? 1 : sqrt(square)));
}

static inline struct hash128 vector_key(uint64_t n) { return (struct hash128){n * 0x9E3779B97F4A7C15u, ~n}; }

static inline double vector_cosine(const float *a, const float *b, size_t n) {
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++)
        ab += (double)a[i] * b[i], aa += (double)a[i] * a[i], bb += (double)b[i] * b[i];
    return ab / sqrt(aa * bb);
}

/* All that is pending gets a random vector; the key is made of the text, so that equal texts have equal keys (and here other vectors:
 * nobody looks). Inside a transaction. Returns how many. */
static inline size_t vector_put_pending(const struct index_port *p, size_t dimensions, size_t limit) {
    struct arena a;
    struct index_pending *list;
    size_t n;
    arena_init(&a, 64 << 20);
    assert_ok(p->ops->pending_chunks(p->self, 0, limit, &a, &list, &n, err));
    float *v = arena_array(&a, n * dimensions, sizeof *v);
    struct hash128 *keys = arena_array(&a, n, sizeof *keys);
    uint64_t *chunks = arena_array(&a, n, sizeof *chunks);
    assert_true(v && keys && chunks);
    for (size_t i = 0; i < n; i++) {
        chunks[i] = list[i].chunk;
        keys[i] = hash_bytes(list[i].plain, list[i].plain_len);
        vector_random(v + i * dimensions, dimensions);
    }
    assert_ok(p->ops->put_vectors(p->self, chunks, keys, v, n, err));
    arena_free(&a);
    return n;
}

/* The chunk numbers of a document. */
static inline uint64_t *vector_chunks(const struct index_port *p, struct arena *a, const char *source, const char *path, size_t *n) {
    struct index_document d;
    uint64_t *chunks;
    assert_ok(p->ops->find_document(p->self, NULL, source, path, a, &d, &chunks, n, err));
    return chunks;
}

#endif
