/* Vectors into the index and out of it, inside the caller's transaction.
 *
 * A row is written at once; the codes of its block gather in the tail, which goes to the file when another block is needed, before a
 * search on this handle and before a commit. So a batch costs its rows and one block, and re-ingesting everything, document after
 * document, touches each old block once. */
#include "base/utf8.h"
#include "port/embedder.h"
#include "store/store_index.h"
#include "store/store_vectors.h"
#include "store/store_write.h"
#include <stdlib.h>
#include <string.h>

/* As of store_write.c: what failed halfway must not be committed. */
static qa_status end(struct store_index *s, qa_status status) {
    s->file.masked = false;
    s->broken = s->broken || status != QA_OK;
    return status;
}

/* ---- The tail ---- */

static bool has_bit(const struct store_vector_tail *t, size_t i) { return t->valid[i / 64] >> (i % 64) & 1; }

qa_status store_flush_vectors(struct store_index *s, qa_error *err) {
    struct store_vector_tail *t = &s->vectors.tail;
    uint8_t valid[STORE_VECTOR_CHUNKS / 8];
    size_t count = 0, at = 0;
    sqlite3_stmt *st;
    if (!t->held || !t->dirty)
        return QA_OK;
    for (size_t i = 0; i < STORE_VECTOR_WORDS; i++)
        count += (size_t)__builtin_popcountll(t->valid[i]);
    qa_status status = count ? store_sql(&s->file, SQL_PUT_VECTOR_BLOCK, "INSERT OR REPLACE INTO vector_blocks VALUES(?1, ?2, ?3, ?4)",
                                         &st, err)
                             : store_sql(&s->file, SQL_DELETE_VECTOR_BLOCK, "DELETE FROM vector_blocks WHERE block = ?1", &st, err);
    if (status != QA_OK)
        return status;
    size_t size = count * (t->stride + 4);
    uint8_t *codes = malloc(size + 1);
    if (!codes)
        return error_no_memory(err, "storing vectors");
    for (size_t i = 0; i < sizeof valid; i++)
        valid[i] = (uint8_t)(t->valid[i / 8] >> (8 * (i % 8)));
    for (size_t i = 0; i < STORE_VECTOR_CHUNKS; i++) {
        if (!has_bit(t, i))
            continue;
        memcpy(codes + at * t->stride, t->codes + i * t->stride, t->stride);
        store_put_scale(codes + count * t->stride + at * 4, t->scales[i]);
        at++;
    }
    store_bind_int(&s->file, st, 1, (int64_t)t->number);
    if (count) {
        store_bind_bytes(&s->file, st, 2, valid, sizeof valid, false);
        store_bind_int(&s->file, st, 3, store_block_sum(t->number, valid, codes, size));
        store_bind_bytes(&s->file, st, 4, codes, size, false);
    }
    status = store_run(&s->file, st, err);
    free(codes);
    if (status == QA_OK)
        t->dirty = s->vectors.loaded = false;
    return status;
}

static qa_status reserve_tail(struct store_vector_tail *t, size_t stride, qa_error *err) {
    if (t->codes && t->stride == stride)
        return QA_OK;
    free(t->codes);
    t->codes = malloc(STORE_VECTOR_CHUNKS * stride);
    t->stride = stride;
    return t->codes ? QA_OK : error_no_memory(err, "storing vectors");
}

/* The current row of st (valid, sum, codes) into the tail. */
static qa_status spread_block(struct store_index *s, sqlite3_stmt *st, qa_error *err) {
    struct store_vector_tail *t = &s->vectors.tail;
    const uint8_t *valid, *codes;
    size_t n_valid, n, count = 0, at = 0;
    qa_status status = store_get_bytes(&s->file, st, 0, &valid, &n_valid, err);
    if (status == QA_OK)
        status = store_get_bytes(&s->file, st, 2, &codes, &n, err);
    if (status != QA_OK)
        return status;
    for (size_t i = 0; i < n_valid; i++)
        count += (size_t)__builtin_popcount(valid[i]);
    if (n_valid != sizeof t->valid || n != count * (t->stride + 4) || sqlite3_column_int64(st, 1) != store_block_sum(t->number, valid, codes, n))
        return store_damaged(&s->file, err, "block %llu of the vectors does not have the checksum it was written with",
                             (unsigned long long)t->number);
    for (size_t i = 0; i < STORE_VECTOR_CHUNKS; i++) {
        if (!(valid[i / 8] >> (i % 8) & 1))
            continue;
        t->valid[i / 64] |= (uint64_t)1 << (i % 64);
        memcpy(t->codes + i * t->stride, codes + at * t->stride, t->stride);
        t->scales[i] = store_get_scale(codes + count * t->stride + at * 4);
        at++;
    }
    return QA_OK;
}

static qa_status hold_block(struct store_index *s, uint64_t number, qa_error *err) {
    struct store_vector_tail *t = &s->vectors.tail;
    sqlite3_stmt *st;
    bool row;
    if (t->held && t->number == number)
        return QA_OK;
    qa_status status = store_flush_vectors(s, err);
    t->held = false;
    if (status == QA_OK)
        status = reserve_tail(t, store_stride(s->vectors.dimensions), err);
    if (status == QA_OK)
        status = store_sql(&s->file, SQL_GET_VECTOR_BLOCK, "SELECT valid, sum, codes FROM vector_blocks WHERE block = ?1", &st, err);
    if (status != QA_OK)
        return status;
    memset(t->valid, 0, sizeof t->valid);
    t->number = number;
    store_bind_int(&s->file, st, 1, (int64_t)number);
    status = store_next(&s->file, st, &row, err);
    if (status == QA_OK && row)
        status = spread_block(s, st, err);
    sqlite3_reset(st);
    t->held = status == QA_OK;
    t->dirty = false;
    return status;
}

/* ---- The space ---- */

static qa_status put_fact(struct store_index *s, const char *key, const char *text, uint64_t number, qa_error *err) {
    sqlite3_stmt *st;
    qa_status status = store_sql(&s->file, SQL_PUT_FACT, "INSERT OR REPLACE INTO meta VALUES(?1, ?2)", &st, err);
    if (status != QA_OK)
        return status;
    store_bind_text(&s->file, st, 1, key);
    if (text)
        store_bind_text(&s->file, st, 2, text);
    else
        store_bind_int(&s->file, st, 2, (int64_t)number);
    return store_run(&s->file, st, err);
}

static qa_status drop_all(struct store_index *s, qa_error *err) {
    static const char *const sql[] = {"DELETE FROM vectors", "DELETE FROM vector_blocks",
                                      "DELETE FROM meta WHERE key IN ('embedder', 'fingerprint', 'dimensions')"};
    struct store_vectors *v = &s->vectors;
    qa_status status = QA_OK;
    v->tail.held = v->tail.dirty = v->loaded = false;
    for (int i = 0; i < 3 && status == QA_OK; i++)
        status = store_exec(&s->file, sql[i], err);
    v->count = v->dimensions = 0;
    return status;
}

qa_status store_drop_vectors(void *self, qa_error *err) {
    struct store_index *s = self;
    qa_status status = store_writable(s, err);
    if (status != QA_OK)
        return status;
    s->file.masked = true;
    return end(s, drop_all(s, err));
}

static qa_status other_embedder(const struct store_index *s, const struct index_space *has, const char *name, const char *fingerprint,
                                size_t dimensions, qa_error *err) {
    bool alike = strcmp(has->name, name) == 0 && has->dimensions == dimensions;
    return error_set(err, QA_BAD_CONFIG,
                     "%s holds vectors of the embedder %s (%zu dimensions%s%.40s), and this run has %s (%zu dimensions%s%.40s): they cannot be "
                     "compared. Set the embedder back, or make all vectors anew: quaere index reembed",
                     s->file.path, has->name, has->dimensions, alike ? ", fingerprint " : "", alike ? has->fingerprint : "", name, dimensions,
                     alike ? ", fingerprint " : "", alike ? fingerprint : "");
}

qa_status store_use_space(void *self, const char *name, const char *fingerprint, size_t dimensions, qa_error *err) {
    struct store_index *s = self;
    struct index_space has;
    struct arena a;
    qa_status status = store_writable(s, err);
    if (status != QA_OK)
        return status;
    if (dimensions == 0 || dimensions > EMBEDDER_MAX_DIMENSIONS)
        return error_set(err, QA_BAD_INPUT, "the embedder %s has %zu dimensions; an index takes 1 to %d", name, dimensions,
                         EMBEDDER_MAX_DIMENSIONS);
    if (!name[0] || !fingerprint[0] || utf8_valid_len(name, strlen(name)) != strlen(name) ||
        utf8_valid_len(fingerprint, strlen(fingerprint)) != strlen(fingerprint))
        return error_set(err, QA_BAD_INPUT, "the embedder has no name or fingerprint, or one that is not UTF-8");
    arena_init(&a, 1 << 20);
    status = store_vector_space(s, &a, &has, err);
    bool same = status == QA_OK && has.dimensions == dimensions && strcmp(has.fingerprint, fingerprint) == 0;
    if (status == QA_OK && !same && has.vectors)
        status = other_embedder(s, &has, name, fingerprint, dimensions, err);
    if (status == QA_OK && (!same || strcmp(has.name, name) != 0)) {
        s->file.masked = true;
        if (!same)
            status = drop_all(s, err); /* spares of the other one */
        if (status == QA_OK)
            status = put_fact(s, "embedder", name, 0, err);
        if (status == QA_OK)
            status = put_fact(s, "fingerprint", fingerprint, 0, err);
        if (status == QA_OK)
            status = put_fact(s, "dimensions", NULL, dimensions, err);
        s->vectors.dimensions = dimensions;
        end(s, status);
    }
    if (status == QA_OK)
        s->vectors.told = dimensions;
    arena_free(&a);
    return status;
}

/* ---- In ---- */

/* One vector as it will be stored: rounded to halves, and what these are as numbers. */
struct rounded {
    uint8_t *halves;
    float *values;
    double length; /* 0: not that of a unit vector */
};

static void round_vector(struct rounded *r, const float *v, size_t dimensions) {
    store_encode_halves(v, dimensions, r->halves);
    store_decode_halves(r->halves, dimensions, r->values);
    r->length = store_unit_length(r->values, dimensions);
}

static qa_status put_vector(struct store_index *s, const struct rounded *r, uint64_t chunk, struct hash128 hash, qa_error *err) {
    struct store_vectors *v = &s->vectors;
    struct store_vector_tail *t = &v->tail;
    size_t i = chunk % STORE_VECTOR_CHUNKS;
    uint8_t key[16];
    sqlite3_stmt *st;
    qa_status status = hold_block(s, chunk / STORE_VECTOR_CHUNKS, err);
    if (status == QA_OK)
        status = store_sql(&s->file, SQL_PUT_VECTOR, "INSERT OR REPLACE INTO vectors VALUES(?1, ?2, ?3, ?4)", &st, err);
    if (status != QA_OK)
        return status;
    store_put_hash(hash, key);
    store_bind_int(&s->file, st, 1, (int64_t)chunk);
    store_bind_bytes(&s->file, st, 2, key, sizeof key, false);
    store_bind_int(&s->file, st, 3, store_row_sum(key, r->halves, 2 * v->dimensions));
    store_bind_bytes(&s->file, st, 4, r->halves, 2 * v->dimensions, false);
    status = store_run(&s->file, st, err);
    if (status != QA_OK)
        return status;
    v->count += !has_bit(t, i);
    t->valid[i / 64] |= (uint64_t)1 << (i % 64);
    t->scales[i] = store_quantise(r->values, r->length, v->dimensions, t->codes + i * t->stride);
    t->dirty = true;
    return QA_OK;
}

/* All that can be wrong is found before anything is written. */
static qa_status check_vectors(struct store_index *s, struct rounded *r, const uint64_t *chunks, const float *vectors, size_t n,
                               qa_error *err) {
    size_t near = 0, slot, dimensions = s->vectors.dimensions;
    qa_status status = store_load_directory(s, err);
    for (size_t i = 0; i < n && status == QA_OK; i++) {
        if (!store_find_slot(&s->directory, chunks[i], &near, &slot))
            return error_set(err, QA_BAD_INPUT, "a vector for chunk %llu, which does not exist in %s", (unsigned long long)chunks[i],
                             s->file.path);
        round_vector(r, vectors + i * dimensions, dimensions);
        if (r->length == 0)
            return error_set(err, QA_BAD_INPUT, "the vector for chunk %llu does not have the length 1 but is something else: the embedder is "
                                                "broken", (unsigned long long)chunks[i]);
    }
    return status;
}

qa_status store_put_vectors(void *self, const uint64_t *chunks, const struct hash128 *keys, const float *vectors, size_t n, qa_error *err) {
    struct store_index *s = self;
    size_t dimensions = s->vectors.dimensions;
    qa_status status = store_writable(s, err);
    if (status != QA_OK)
        return status;
    if (!dimensions)
        return error_set(err, QA_INTERNAL, "%s: vectors of an embedder that was not named", s->file.path);
    struct arena a;
    arena_init(&a, 1 << 20);
    struct rounded r = {.halves = arena_array(&a, dimensions, 2), .values = arena_array(&a, dimensions, sizeof(float))};
    if (!r.halves || !r.values)
        status = arena_error(&a, err, "storing vectors");
    if (status == QA_OK)
        status = check_vectors(s, &r, chunks, vectors, n, err);
    if (status == QA_OK) {
        s->file.masked = true;
        for (size_t i = 0; i < n && status == QA_OK; i++) {
            round_vector(&r, vectors + i * dimensions, dimensions);
            status = put_vector(s, &r, chunks[i], keys[i], err);
        }
        end(s, status);
    }
    arena_free(&a);
    return status;
}

/* ---- Out ---- */

static qa_status clear_bits(struct store_index *s, uint64_t first, uint64_t n, uint64_t *cleared, qa_error *err) {
    struct store_vector_tail *t = &s->vectors.tail;
    for (uint64_t chunk = first; chunk < first + n; chunk++) {
        if (chunk == first || chunk % STORE_VECTOR_CHUNKS == 0) {
            qa_status status = hold_block(s, chunk / STORE_VECTOR_CHUNKS, err);
            if (status != QA_OK)
                return status;
        }
        size_t i = chunk % STORE_VECTOR_CHUNKS;
        if (!has_bit(t, i))
            continue;
        t->valid[i / 64] &= ~((uint64_t)1 << (i % 64));
        t->dirty = true;
        ++*cleared;
    }
    return QA_OK;
}

qa_status store_take_out_vectors(struct store_index *s, uint64_t first, uint64_t n, bool keep, qa_error *err) {
    uint64_t cleared = 0;
    sqlite3_stmt *st;
    if (s->vectors.chunks < n)
        return store_damaged(&s->file, err, "it says that it has %llu chunks, and one document has %llu",
                             (unsigned long long)s->vectors.chunks, (unsigned long long)n);
    s->vectors.chunks -= n;
    if (s->vectors.count == 0 || n == 0)
        return QA_OK;
    qa_status status = clear_bits(s, first, n, &cleared, err);
    if (status != QA_OK || cleared == 0)
        return status;
    status = keep ? store_sql(&s->file, SQL_SPARE_VECTORS, "UPDATE vectors SET chunk = -chunk WHERE chunk >= ?1 AND chunk < ?2", &st, err)
                  : store_sql(&s->file, SQL_DELETE_VECTORS, "DELETE FROM vectors WHERE chunk >= ?1 AND chunk < ?2", &st, err);
    if (status != QA_OK)
        return status;
    store_bind_int(&s->file, st, 1, (int64_t)first);
    store_bind_int(&s->file, st, 2, (int64_t)(first + n));
    status = store_run(&s->file, st, err);
    if (status == QA_OK && ((uint64_t)sqlite3_changes64(s->file.db) != cleared || s->vectors.count < cleared))
        status = store_damaged(&s->file, err, "block %llu of the vectors has %llu for chunks from %llu on, and there are %lld",
                               (unsigned long long)(first / STORE_VECTOR_CHUNKS), (unsigned long long)cleared, (unsigned long long)first,
                               (long long)sqlite3_changes64(s->file.db));
    if (status == QA_OK)
        s->vectors.count -= cleared;
    return status;
}

/* ---- Transactions ---- */

qa_status store_commit_vectors(struct store_index *s, qa_error *err) {
    struct store_vectors *v = &s->vectors;
    qa_status status = store_flush_vectors(s, err);
    if (status == QA_OK && v->dimensions && v->count == v->chunks) {
        sqlite3_stmt *st;
        status = store_sql(&s->file, SQL_DELETE_SPARES, "DELETE FROM vectors WHERE chunk < 0", &st, err);
        if (status == QA_OK)
            status = store_run(&s->file, st, err);
    }
    if (status == QA_OK)
        status = put_fact(s, "chunks", NULL, v->chunks, err);
    return status == QA_OK ? put_fact(s, "vectors", NULL, v->count, err) : status;
}

void store_rollback_vectors(struct store_index *s) {
    s->vectors.tail.held = s->vectors.tail.dirty = s->vectors.loaded = false;
}
