/* What an embedder has to do: the chunks without a vector, and the vectors that are known already. */
#include "store/store_index.h"
#include "store/store_vectors.h"

/* Of the slot's 64 chunks, those that exist. */
static uint64_t existing(const struct store_directory *d, size_t slot) {
    uint64_t bits = 0;
    for (size_t i = 0; i < 64; i++)
        bits |= (uint64_t)(d->entries[slot + i].document != 0) << i;
    return bits;
}

/* The vectors of a block of the directory, NULL when it has none. `near` moves up to it. */
static const struct store_vector_block *vectors_of(const struct store_index *s, size_t block, size_t *near) {
    uint32_t number = s->directory.numbers[block];
    while (*near < s->vectors.n && s->vectors.blocks[*near].number < number)
        ++*near;
    return *near < s->vectors.n && s->vectors.blocks[*near].number == number ? &s->vectors.blocks[*near] : NULL;
}

/* Numbers of up to `limit` of them, from chunk `from` on. */
static size_t find_pending(const struct store_index *s, uint64_t from, size_t limit, uint64_t *out) {
    const struct store_directory *d = &s->directory;
    size_t n = 0, near = 0;
    for (size_t block = 0; block < d->blocks; block++) {
        if (d->numbers[block] < from / STORE_BLOCK_CHUNKS)
            continue;
        const struct store_vector_block *b = vectors_of(s, block, &near);
        for (size_t w = 0; w < STORE_VECTOR_WORDS; w++) {
            size_t slot = block * STORE_BLOCK_CHUNKS + w * 64;
            uint64_t bits = existing(d, slot);
            for (bits &= b ? ~b->valid[w] : ~(uint64_t)0; bits; bits &= bits - 1) {
                uint64_t chunk = store_chunk_at(d, slot + (size_t)__builtin_ctzll(bits));
                if (chunk < from)
                    continue;
                if (n == limit)
                    return n;
                out[n++] = chunk;
            }
        }
    }
    return n;
}

static uint64_t count_allowed(const struct store_index *s, const uint64_t *allowed) {
    const struct store_directory *d = &s->directory;
    uint64_t sum = 0;
    size_t near = 0;
    for (size_t block = 0; block < d->blocks; block++) {
        const struct store_vector_block *b = vectors_of(s, block, &near);
        for (size_t w = 0; w < STORE_VECTOR_WORDS; w++) {
            size_t word = block * STORE_VECTOR_WORDS + w;
            uint64_t bits = existing(d, word * 64) & (allowed ? allowed[word] : ~(uint64_t)0);
            sum += (uint64_t)__builtin_popcountll(b ? bits & ~b->valid[w] : bits);
        }
    }
    return sum;
}

qa_status store_count_pending(void *self, const struct index_scope *scope, uint64_t *out, qa_error *err) {
    struct store_index *s = self;
    bool open = store_scope_is_open(scope);
    *out = 0;
    qa_status status = store_begin_read(s, err);
    if (status != QA_OK)
        return status;
    status = store_load_directory(s, err);
    if (status == QA_OK)
        status = store_load_vector_blocks(s, err);
    if (status == QA_OK && !open)
        status = store_reserve_search(s, err);
    if (status == QA_OK && !open)
        status = store_apply_scope(s, scope, err);
    if (status == QA_OK)
        *out = count_allowed(s, open ? NULL : s->search.allowed);
    store_end_read(s);
    return status;
}

static qa_status load_pending(struct store_index *s, uint64_t after, size_t limit, struct arena *a, struct index_pending **out, size_t *n,
                              qa_error *err) {
    const uint64_t all = s->directory.totals.chunks;
    uint64_t *chunks = arena_array(a, limit < all ? limit : all, sizeof *chunks);
    if (!chunks)
        return arena_error(a, err, "listing chunks");
    size_t found = after == UINT64_MAX ? 0 : find_pending(s, after + 1, limit < all ? limit : all, chunks);
    struct index_passage *passages = arena_array(a, found, sizeof *passages);
    *out = arena_array(a, found, sizeof **out);
    if (!passages || !*out)
        return arena_error(a, err, "listing chunks");
    qa_status status = store_load_passages(s, chunks, found, a, passages, err);
    if (status != QA_OK)
        return status;
    for (size_t i = 0; i < found; i++)
        (*out)[i] = (struct index_pending){.chunk = chunks[i], .title = passages[i].title, .heading = passages[i].heading,
                                           .n_heading = passages[i].n_heading, .plain = passages[i].map.plain,
                                           .plain_len = passages[i].map.plain_len};
    *n = found;
    return QA_OK;
}

qa_status store_pending_chunks(void *self, uint64_t after, size_t limit, struct arena *a, struct index_pending **out, size_t *n,
                               qa_error *err) {
    struct store_index *s = self;
    *out = NULL;
    *n = 0;
    qa_status status = store_begin_read(s, err);
    if (status != QA_OK)
        return status;
    status = store_load_directory(s, err);
    if (status == QA_OK)
        status = store_load_vector_blocks(s, err);
    if (status == QA_OK)
        status = load_pending(s, after, limit, a, out, n, err);
    store_end_read(s);
    return status;
}

static qa_status find_known(struct store_index *s, struct hash128 key, size_t dimensions, float *out, bool *found, qa_error *err) {
    sqlite3_stmt *st;
    uint8_t bytes[16];
    bool row;
    double length;
    qa_status status = store_sql(&s->file, SQL_KNOWN_VECTOR, "SELECT key, sum, halves, chunk FROM vectors WHERE key = ?1 LIMIT 1", &st, err);
    if (status != QA_OK)
        return status;
    store_put_hash(key, bytes);
    store_bind_bytes(&s->file, st, 1, bytes, sizeof bytes, false);
    status = store_next(&s->file, st, &row, err);
    if (status == QA_OK && row) {
        status = store_read_vector(s, st, sqlite3_column_int64(st, 3), dimensions, out, &length, err);
        *found = status == QA_OK;
    }
    sqlite3_reset(st);
    return status;
}

qa_status store_known_vectors(void *self, const struct hash128 *keys, size_t n, float *out, bool *found, qa_error *err) {
    struct store_index *s = self;
    size_t dimensions = 0;
    for (size_t i = 0; i < n; i++)
        found[i] = false;
    qa_status status = store_begin_read(s, err);
    if (status != QA_OK)
        return status;
    status = store_vector_dimensions(s, &dimensions, err);
    for (size_t i = 0; i < n && dimensions && status == QA_OK; i++)
        status = find_known(s, keys[i], dimensions, out + i * dimensions, &found[i], err);
    store_end_read(s);
    return status;
}
