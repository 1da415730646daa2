/* Verifies vectors and blocks against each other: rows and bits come in the same order, so one walk over both tells whether each
 * has its other; and the codes must be those that the halves yield, byte for byte. */
#include "store/store_index.h"
#include "store/store_vectors.h"
#include <stdlib.h>
#include <string.h>

struct checker {
    struct store_index *s;
    size_t dimensions, stride;
    size_t block, at;  /* block at hand, and how many of its vectors have been seen */
    size_t bit;        /* where the next may be */
    float *values;
    int8_t *codes;
    uint64_t rows;     /* that belong to chunks */
};

static qa_status wrong(struct checker *c, uint64_t chunk, const char *what, qa_error *err) {
    return store_damaged(&c->s->file, err, "in block %llu of the vectors, chunk %llu %s", (unsigned long long)(chunk / STORE_VECTOR_CHUNKS),
                         (unsigned long long)chunk, what);
}

/* The next chunk that a bit says has a vector; false: no more. */
static bool next_bit(struct checker *c, uint64_t *chunk) {
    const struct store_vectors *v = &c->s->vectors;
    for (; c->block < v->n; c->block++, c->bit = c->at = 0)
        for (; c->bit < STORE_VECTOR_CHUNKS; c->bit++)
            if (v->blocks[c->block].valid[c->bit / 64] >> (c->bit % 64) & 1) {
                *chunk = (uint64_t)v->blocks[c->block].number * STORE_VECTOR_CHUNKS + c->bit++;
                return true;
            }
    return false;
}

/* The current row of st (key, sum, halves, chunk). */
static qa_status check_row(struct checker *c, sqlite3_stmt *st, qa_error *err) {
    struct store_index *s = c->s;
    int64_t chunk = sqlite3_column_int64(st, 3);
    uint64_t expected = 0;
    size_t near = 0, slot;
    double length;
    qa_status status = store_read_vector(s, st, chunk, c->dimensions, c->values, &length, err);
    if (status != QA_OK || chunk < 0)
        return status;
    if (!next_bit(c, &expected) || expected > (uint64_t)chunk)
        return wrong(c, (uint64_t)chunk, "has a vector and no bit", err);
    if (expected < (uint64_t)chunk)
        return wrong(c, expected, "has a bit and no vector", err);
    if (!store_find_slot(&s->directory, expected, &near, &slot))
        return wrong(c, expected, "has a vector and does not exist", err);
    struct store_vector_block *b = &s->vectors.blocks[c->block];
    status = store_load_codes(s, b, c->dimensions, err);
    if (status != QA_OK)
        return status;
    float scale = store_quantise(c->values, length, c->dimensions, c->codes);
    uint8_t bytes[4];
    store_put_scale(bytes, scale);
    if (memcmp(b->codes + c->at * c->stride, c->codes, c->stride) != 0 ||
        memcmp(b->codes + b->count * c->stride + c->at * 4, bytes, 4) != 0)
        return wrong(c, expected, "has other codes than its vector yields", err);
    c->at++;
    c->rows++;
    return QA_OK;
}

static qa_status check_rows(struct checker *c, qa_error *err) {
    struct store_file *f = &c->s->file;
    sqlite3_stmt *st;
    bool row;
    uint64_t chunk;
    qa_status status = store_sql(f, SQL_CHECK_VECTORS, "SELECT key, sum, halves, chunk FROM vectors ORDER BY chunk", &st, err);
    while (status == QA_OK && (status = store_next(f, st, &row, err)) == QA_OK && row) {
        status = c->dimensions ? check_row(c, st, err) : store_damaged(f, err, "it has vectors, and no embedder");
        if (status != QA_OK)
            sqlite3_reset(st);
    }
    return status == QA_OK && next_bit(c, &chunk) ? wrong(c, chunk, "has a bit and no vector", err) : status;
}

qa_status store_check_vectors(struct store_index *s, qa_error *err) {
    struct checker c = {.s = s};
    struct index_space space;
    struct arena a;
    arena_init(&a, 1 << 20);
    qa_status status = store_load_directory(s, err);
    if (status == QA_OK)
        status = store_vector_space(s, &a, &space, err);
    if (status == QA_OK)
        status = store_load_vector_blocks(s, err);
    if (status == QA_OK) {
        c.dimensions = space.dimensions;
        c.stride = store_stride(c.dimensions);
        c.values = arena_array(&a, c.stride, sizeof *c.values);
        c.codes = arena_array(&a, c.stride, sizeof *c.codes);
        status = c.values && c.codes ? check_rows(&c, err) : arena_error(&a, err, "checking vectors");
    }
    for (size_t i = 0; i < s->vectors.n && status == QA_OK; i++)
        if (s->vectors.blocks[i].count == 0)
            status = store_damaged(&s->file, err, "block %u of the vectors is empty", s->vectors.blocks[i].number);
    if (status == QA_OK && (c.rows != space.vectors || space.vectors + space.pending != s->directory.totals.chunks))
        status = store_damaged(&s->file, err, "it has %llu vectors for %llu chunks, and says that it has %llu for %llu",
                               (unsigned long long)c.rows, (unsigned long long)s->directory.totals.chunks, (unsigned long long)space.vectors,
                               (unsigned long long)(space.vectors + space.pending));
    arena_free(&a);
    return status;
}
