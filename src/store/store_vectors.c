/* What embedder the vectors are of, and the blocks of codes in memory. */
#include "store/store_vectors.h"
#include "port/embedder.h"
#include "store/store_index.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <string.h>

enum { PAGE = 4096, NARROW_CACHE = 100 /* pages */ };

/* ---- The space ---- */

static qa_status take_fact(struct store_index *s, sqlite3_stmt *st, struct arena *a, struct index_space *out, uint64_t *chunks,
                           qa_error *err) {
    const char *key;
    uint64_t dimensions;
    qa_status status = store_get_text(&s->file, st, 0, false, &key, err);
    if (status != QA_OK)
        return status;
    if (strcmp(key, "embedder") == 0)
        return a ? store_copy_text(s, st, 1, false, a, &out->name, err) : QA_OK;
    if (strcmp(key, "fingerprint") == 0)
        return a ? store_copy_text(s, st, 1, false, a, &out->fingerprint, err) : QA_OK;
    if (strcmp(key, "vectors") == 0)
        return store_get_uint(&s->file, st, 1, &out->vectors, err);
    if (strcmp(key, "chunks") == 0)
        return store_get_uint(&s->file, st, 1, chunks, err);
    status = store_get_uint(&s->file, st, 1, &dimensions, err);
    if (status == QA_OK && (dimensions == 0 || dimensions > EMBEDDER_MAX_DIMENSIONS))
        status = store_damaged(&s->file, err, "its vectors have %llu dimensions", (unsigned long long)dimensions);
    if (status == QA_OK)
        out->dimensions = (size_t)dimensions;
    return status;
}

/* The arena may be NULL: numbers alone. `committed`: the counts of the file, also between begin and commit. */
static qa_status read_space(struct store_index *s, bool committed, struct arena *a, struct index_space *out, uint64_t *chunks,
                            qa_error *err) {
    sqlite3_stmt *st;
    bool row;
    size_t facts = 0;
    *out = (struct index_space){0};
    *chunks = 0;
    qa_status status = store_sql(&s->file, SQL_SPACE, "SELECT key, value FROM meta WHERE key IN "
                                                      "('chunks', 'dimensions', 'embedder', 'fingerprint', 'vectors')", &st, err);
    while (status == QA_OK && (status = store_next(&s->file, st, &row, err)) == QA_OK && row) {
        status = take_fact(s, st, a, out, chunks, err);
        if (status != QA_OK)
            sqlite3_reset(st);
        facts++;
    }
    if (s->writing && !committed) {
        out->vectors = s->vectors.count;
        *chunks = s->vectors.chunks;
    }
    if (status == QA_OK && (facts != (out->dimensions ? 5 : 2) || out->vectors > (out->dimensions ? *chunks : 0)))
        status = store_damaged(&s->file, err, "it says that it has %llu vectors of %zu dimensions for %llu chunks",
                               (unsigned long long)out->vectors, out->dimensions, (unsigned long long)*chunks);
    out->pending = *chunks - out->vectors;
    return status;
}

qa_status store_vector_space(void *self, struct arena *a, struct index_space *out, qa_error *err) {
    struct store_index *s = self;
    uint64_t chunks;
    qa_status status = read_space(s, false, a, out, &chunks, err);
    s->vectors.told = status == QA_OK ? out->dimensions : 0;
    return status;
}

/* A query has the dimensions that the caller knows of. Since then another process may have made all vectors anew with another
 * embedder, and more would be read than is there. */
qa_status store_vector_dimensions(struct store_index *s, size_t *dimensions, qa_error *err) {
    struct index_space space;
    uint64_t chunks;
    qa_status status = read_space(s, false, NULL, &space, &chunks, err);
    *dimensions = space.dimensions;
    if (status == QA_OK && space.dimensions && space.dimensions != s->vectors.told)
        return error_set(err, s->vectors.told ? QA_BUSY : QA_INTERNAL,
                         "the vectors of %s have %zu dimensions%s", s->file.path, space.dimensions,
                         s->vectors.told ? ", and had others before; ask again" : ", and nobody asked");
    return status;
}

qa_status store_begin_vectors(struct store_index *s, qa_error *err) {
    struct store_vectors *v = &s->vectors;
    struct index_space space;
    qa_status status = read_space(s, true, NULL, &space, &v->chunks, err);
    v->count = space.vectors;
    v->dimensions = space.dimensions;
    v->tail.held = v->tail.dirty = false;
    return status;
}

/* ---- Blocks ---- */

int64_t store_block_sum(uint64_t number, const uint8_t valid[STORE_VECTOR_CHUNKS / 8], const uint8_t *codes, size_t n) {
    char place[8];
    for (int i = 0; i < 8; i++)
        place[i] = (char)(number >> (8 * i));
    const char *parts[] = {place, (const char *)valid, (const char *)codes};
    return (int64_t)hash_parts(parts, (size_t[]){sizeof place, STORE_VECTOR_CHUNKS / 8, n}, 3).lo;
}

int64_t store_row_sum(const uint8_t key[16], const uint8_t *halves, size_t n) {
    const char *parts[] = {(const char *)key, (const char *)halves};
    return (int64_t)hash_parts(parts, (size_t[]){16, n}, 2).lo;
}

float store_get_scale(const uint8_t *p) {
    uint32_t u = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

void store_put_scale(uint8_t *p, float x) {
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(u >> (8 * i));
}

static void free_blocks(struct store_vector_block *blocks, size_t n) {
    for (size_t i = 0; i < n; i++)
        free(blocks[i].codes);
    free(blocks);
}

void store_free_vectors(struct store_vectors *v) {
    free_blocks(v->blocks, v->n);
    free(v->tail.codes);
    *v = (struct store_vectors){0};
}

/* Of a row with block, valid, sum. */
static qa_status read_head(struct store_index *s, sqlite3_stmt *st, struct store_vector_block *b, qa_error *err) {
    uint64_t number;
    const uint8_t *valid;
    size_t n;
    *b = (struct store_vector_block){0};
    qa_status status = store_get_uint(&s->file, st, 0, &number, err);
    if (status == QA_OK)
        status = store_get_bytes(&s->file, st, 1, &valid, &n, err);
    if (status != QA_OK)
        return status;
    if (number > UINT32_MAX || n != STORE_VECTOR_CHUNKS / 8 || sqlite3_column_type(st, 2) != SQLITE_INTEGER)
        return store_damaged(&s->file, err, "block %llu of the vectors is not what was written", (unsigned long long)number);
    b->number = (uint32_t)number;
    b->sum = sqlite3_column_int64(st, 2);
    for (size_t i = 0; i < n; i++)
        b->valid[i / 8] |= (uint64_t)valid[i] << (8 * (i % 8));
    for (size_t w = 0; w < STORE_VECTOR_WORDS; w++)
        b->count += (uint32_t)__builtin_popcountll(b->valid[w]);
    return QA_OK;
}

/* Takes over the codes of the same block as it was before. */
static void keep_codes(struct store_vectors *old, size_t *at, struct store_vector_block *b) {
    while (*at < old->n && old->blocks[*at].number < b->number)
        ++*at;
    struct store_vector_block *o = *at < old->n ? &old->blocks[*at] : NULL;
    if (o && o->number == b->number && o->sum == b->sum && memcmp(o->valid, b->valid, sizeof b->valid) == 0) {
        b->codes = o->codes;
        o->codes = NULL;
    }
}

static qa_status add_head(struct store_vectors *fresh, const struct store_vector_block *b, qa_error *err) {
    if (fresh->n == fresh->cap) {
        size_t cap = fresh->cap ? fresh->cap * 2 : 16;
        struct store_vector_block *grown = realloc(fresh->blocks, cap * sizeof *grown);
        if (!grown)
            return error_no_memory(err, "loading vectors");
        fresh->blocks = grown;
        fresh->cap = cap;
    }
    fresh->blocks[fresh->n++] = *b;
    return QA_OK;
}

qa_status store_load_vector_blocks(struct store_index *s, qa_error *err) {
    struct store_vectors *v = &s->vectors, fresh = {0};
    sqlite3_stmt *st;
    bool row;
    size_t near = 0;
    qa_status status = s->writing ? store_flush_vectors(s, err) : QA_OK;
    if (status != QA_OK || (v->loaded && v->version == s->directory.version))
        return status;
    v->loaded = false;
    status = store_sql(&s->file, SQL_VECTOR_HEADS, "SELECT block, valid, sum FROM vector_blocks ORDER BY block", &st, err);
    while (status == QA_OK && (status = store_next(&s->file, st, &row, err)) == QA_OK && row) {
        struct store_vector_block b;
        status = read_head(s, st, &b, err);
        if (status == QA_OK && fresh.n == STORE_MAX_BLOCKS)
            status = store_damaged(&s->file, err, "it has more than %d blocks of vectors", STORE_MAX_BLOCKS);
        if (status == QA_OK && (status = add_head(&fresh, &b, err)) == QA_OK)
            keep_codes(v, &near, &fresh.blocks[fresh.n - 1]);
        if (status != QA_OK)
            sqlite3_reset(st);
    }
    free_blocks(v->blocks, v->n);
    v->blocks = NULL;
    v->n = v->cap = 0;
    if (status != QA_OK) {
        free_blocks(fresh.blocks, fresh.n);
        return status;
    }
    v->blocks = fresh.blocks;
    v->n = fresh.n;
    v->cap = fresh.cap;
    v->loaded = true;
    v->version = s->directory.version;
    return QA_OK;
}

static qa_status read_cache_size(struct store_index *s, int *pages, qa_error *err) {
    sqlite3_stmt *st;
    bool row;
    qa_status status = store_sql(&s->file, SQL_CACHE_SIZE, "PRAGMA cache_size", &st, err);
    if (status == QA_OK)
        status = store_next(&s->file, st, &row, err);
    if (status == QA_OK && row)
        *pages = sqlite3_column_int(st, 0);
    if (status == QA_OK)
        sqlite3_reset(st);
    return status;
}

static qa_status set_cache(struct store_index *s, int pages, qa_error *err) {
    char sql[60];
    sqlite3_snprintf(sizeof sql, sql, "PRAGMA cache_size = %d", pages);
    return store_exec(&s->file, sql, err);
}

/* Codes pass through SQLite's page cache once and are then kept here. They shall neither push out everything else nor each take fresh
 * memory there: with a small cache while they are read, the first search of a new process takes 6 ms instead of 9, with 11,000
 * chunks. A writer's cache is left alone, it may hold what is not written yet. */
qa_status store_narrow_cache(struct store_index *s, qa_error *err) {
    struct store_vectors *v = &s->vectors;
    if (s->file.writable || v->cache_before)
        return QA_OK;
    qa_status status = read_cache_size(s, &v->cache_before, err);
    return status == QA_OK ? set_cache(s, NARROW_CACHE, err) : status;
}

void store_widen_cache(struct store_index *s) {
    if (s->vectors.cache_before && set_cache(s, s->vectors.cache_before, NULL) == QA_OK)
        s->vectors.cache_before = 0;
}

qa_status store_load_codes(struct store_index *s, struct store_vector_block *b, size_t dimensions, qa_error *err) {
    size_t n = b->count * (store_stride(dimensions) + 4);
    uint8_t valid[STORE_VECTOR_CHUNKS / 8];
    sqlite3_blob *blob = NULL;
    if (b->codes)
        return QA_OK;
    for (size_t i = 0; i < sizeof valid; i++)
        valid[i] = (uint8_t)(b->valid[i / 8] >> (8 * (i % 8)));
    int rc = sqlite3_blob_open(s->file.db, "main", "vector_blocks", "codes", b->number, 0, &blob); /* one copy less than a column */
    qa_status status = rc == SQLITE_OK ? QA_OK : store_fail(&s->file, rc, err);
    if (status == QA_OK && (size_t)sqlite3_blob_bytes(blob) != n)
        status = store_damaged(&s->file, err, "block %u of the vectors has %d bytes of codes, not %zu", b->number,
                               sqlite3_blob_bytes(blob), n);
    uint8_t *codes = status == QA_OK ? aligned_alloc(PAGE, (n / PAGE + 1) * PAGE) : NULL;
    if (status == QA_OK && !codes)
        status = error_no_memory(err, "loading vectors");
#ifdef MADV_POPULATE_WRITE
    if (codes)
        madvise(codes, n, MADV_POPULATE_WRITE); /* memory in one go instead of page by page: a tenth of a first search */
#endif
    if (status == QA_OK && (rc = sqlite3_blob_read(blob, codes, (int)n, 0)) != SQLITE_OK)
        status = store_fail(&s->file, rc, err);
    sqlite3_blob_close(blob);
    if (status == QA_OK && store_block_sum(b->number, valid, codes, n) != b->sum)
        status = store_damaged(&s->file, err, "block %u of the vectors does not have the checksum it was written with", b->number);
    if (status == QA_OK)
        b->codes = codes;
    else
        free(codes);
    return status;
}

/* ---- Rows ---- */

void store_put_hash(struct hash128 h, uint8_t out[16]) {
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(h.hi >> (56 - 8 * i));
        out[8 + i] = (uint8_t)(h.lo >> (56 - 8 * i));
    }
}

qa_status store_read_vector(struct store_index *s, sqlite3_stmt *st, int64_t chunk, size_t dimensions, float *out, double *length,
                            qa_error *err) {
    const uint8_t *key, *halves;
    size_t n_key, n;
    qa_status status = store_get_bytes(&s->file, st, 0, &key, &n_key, err);
    if (status == QA_OK)
        status = store_get_bytes(&s->file, st, 2, &halves, &n, err);
    if (status != QA_OK)
        return status;
    const char *wrong = NULL;
    if (n_key != 16 || n != 2 * dimensions)
        wrong = "does not have the size of the others";
    else if (sqlite3_column_type(st, 1) != SQLITE_INTEGER || sqlite3_column_int64(st, 1) != store_row_sum(key, halves, n))
        wrong = "does not have the checksum it was written with";
    if (!wrong) {
        store_decode_halves(halves, dimensions, out);
        *length = store_unit_length(out, dimensions);
        if (*length == 0)
            wrong = "does not have the length 1";
    }
    if (!wrong)
        return QA_OK;
    if (chunk < 0)
        return store_damaged(&s->file, err, "the spare vector %lld %s", (long long)chunk, wrong);
    return store_damaged(&s->file, err, "in block %lld of the vectors, that of chunk %lld %s", (long long)(chunk / STORE_VECTOR_CHUNKS),
                         (long long)chunk, wrong);
}
