/* Vector candidates: an exact scan of the codes of everything in scope, then the cosine from the halves of the best of them. How much
 * a code can be off is a few thousandths of a cosine; the best 4 k and at least 200 by codes have held the best k by halves in
 * every comparison with brute force.
 *
 * The scope is a bit for each slot of the chunk directory, as in text search; a block of vectors and a block of the directory are for
 * the same chunks, so a word of one is combined with a word of the other, and what is out of scope is never multiplied. Blocks
 * with nothing in scope are not even read. */
#include "port/embedder.h"
#include "store/store_index.h"
#include "store/store_vectors.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)STORE_VECTOR_CHUNKS == (int)STORE_BLOCK_CHUNKS, "blocks of vectors and of the directory differ");
enum { MIN_KEPT = 200 };

struct hit {
    float score;
    uint32_t slot;
};

struct scan {
    store_dot *dot;
    const int16_t *query;
    size_t stride;
    const uint64_t *allowed; /* NULL: everything */
    struct hit *heap;        /* the worst on top once it is full */
    size_t n, kept;
};

/* ---- The best by codes. Slots come in ascending order, so of equals the first stays. ---- */

static bool worse(const struct hit *a, const struct hit *b) {
    return a->score < b->score || (a->score == b->score && a->slot > b->slot);
}

static void sink(struct hit *heap, size_t n, size_t i) {
    for (;;) {
        size_t worst = i, left = 2 * i + 1;
        for (size_t child = left; child < left + 2 && child < n; child++)
            if (worse(&heap[child], &heap[worst]))
                worst = child;
        if (worst == i)
            return;
        struct hit moved = heap[i];
        heap[i] = heap[worst];
        heap[worst] = moved;
        i = worst;
    }
}

static void offer(struct scan *q, struct hit hit) {
    if (q->n < q->kept) {
        q->heap[q->n++] = hit;
        if (q->n == q->kept)
            for (size_t i = q->n / 2 + 1; i-- > 0;)
                sink(q->heap, q->n, i);
    } else if (hit.score > q->heap[0].score) {
        q->heap[0] = hit;
        sink(q->heap, q->n, 0);
    }
}

static void scan_block(struct scan *q, const struct store_vector_block *b, uint32_t first_slot) {
    const int8_t *codes = (const int8_t *)b->codes;
    const uint8_t *scales = b->codes + b->count * q->stride;
    int32_t dots[64];
    size_t at = 0; /* vectors of the block before this word */
    for (uint32_t w = 0; w < STORE_VECTOR_WORDS; w++) {
        uint64_t valid = b->valid[w], take = q->allowed ? valid & q->allowed[first_slot / 64 + w] : valid;
        size_t n = (size_t)__builtin_popcountll(valid);
        if (take && take == valid)
            q->dot(q->query, codes + at * q->stride, q->stride, n, dots);
        for (size_t i = 0; take && i < n; i++, valid &= valid - 1) {
            uint64_t bit = valid & -valid;
            if (!(take & bit))
                continue;
            if (take != b->valid[w])
                q->dot(q->query, codes + (at + i) * q->stride, q->stride, 1, &dots[i]);
            float score = (float)dots[i] * store_get_scale(scales + (at + i) * 4);
            offer(q, (struct hit){score, first_slot + w * 64 + (uint32_t)__builtin_ctzll(bit)});
        }
        at += n;
    }
}

static bool any_in_scope(const struct scan *q, const struct store_vector_block *b, size_t first_slot) {
    for (size_t w = 0; q->allowed && w < STORE_VECTOR_WORDS; w++)
        if (b->valid[w] & q->allowed[first_slot / 64 + w])
            return true;
    return !q->allowed;
}

static qa_status scan_all(struct store_index *s, struct scan *q, size_t dimensions, qa_error *err) {
    const struct store_directory *d = &s->directory;
    size_t near = 0;
    qa_status status = QA_OK;
    for (size_t i = 0; i < s->vectors.n && status == QA_OK; i++) {
        struct store_vector_block *b = &s->vectors.blocks[i];
        while (near < d->blocks && d->numbers[near] < b->number)
            near++;
        if (near == d->blocks || d->numbers[near] != b->number)
            return store_damaged(&s->file, err, "block %u of the vectors is for chunks that do not exist", b->number);
        if (s->file.cancel && atomic_load_explicit(s->file.cancel, memory_order_relaxed))
            return error_set(err, QA_CANCELLED, "stopped while reading %s", s->file.path);
        if (!any_in_scope(q, b, near * STORE_BLOCK_CHUNKS))
            continue;
        if (!b->codes)
            status = store_narrow_cache(s, err);
        if (status == QA_OK)
            status = store_load_codes(s, b, dimensions, err);
        if (status == QA_OK)
            scan_block(q, b, (uint32_t)(near * STORE_BLOCK_CHUNKS));
    }
    return status;
}

/* ---- The cosine ---- */

struct query {
    const float *v;
    float *other;  /* room for a vector */
    double length;
    size_t dimensions;
};

static qa_status prepare_query(const float *v, size_t dimensions, struct arena *a, struct query *out, qa_error *err) {
    *out = (struct query){.v = v, .dimensions = dimensions, .length = store_unit_length(v, dimensions)};
    if (out->length == 0)
        return error_set(err, QA_BAD_INPUT, "the vector of the question does not have the length 1 but is something else: the embedder is "
                                            "broken");
    out->other = arena_array(a, dimensions, sizeof *out->other);
    return out->other ? QA_OK : arena_error(a, err, "searching");
}

/* NAN: the chunk has none. */
static qa_status cosine(struct store_index *s, const struct query *q, uint64_t chunk, double *out, qa_error *err) {
    sqlite3_stmt *st;
    bool row;
    double length;
    *out = NAN;
    if (chunk > INT64_MAX)
        return QA_OK;
    qa_status status = store_sql(&s->file, SQL_VECTOR, "SELECT key, sum, halves FROM vectors WHERE chunk = ?1", &st, err);
    if (status != QA_OK)
        return status;
    store_bind_int(&s->file, st, 1, (int64_t)chunk);
    status = store_next(&s->file, st, &row, err);
    if (status != QA_OK || !row)
        return status;
    status = store_read_vector(s, st, (int64_t)chunk, q->dimensions, q->other, &length, err);
    sqlite3_reset(st);
    if (status == QA_OK)
        *out = store_dot_floats(q->v, q->other, q->dimensions) / (q->length * length);
    return status;
}

static int by_slot(const void *pa, const void *pb) {
    const struct hit *a = pa, *b = pb;
    return a->slot < b->slot ? -1 : a->slot > b->slot;
}

static int by_score(const void *pa, const void *pb) {
    const struct index_candidate *a = pa, *b = pb;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return a->chunk < b->chunk ? -1 : a->chunk > b->chunk;
}

static qa_status rescore(struct store_index *s, const struct query *q, struct scan *found, struct arena *a,
                         struct index_candidate **out, qa_error *err) {
    const struct store_directory *d = &s->directory;
    qa_status status = QA_OK;
    qsort(found->heap, found->n, sizeof *found->heap, by_slot); /* in the order of the file */
    *out = arena_array(a, found->n, sizeof **out);
    if (!*out)
        return arena_error(a, err, "searching");
    for (size_t i = 0; i < found->n && status == QA_OK; i++) {
        struct index_candidate *c = &(*out)[i];
        c->chunk = store_chunk_at(d, found->heap[i].slot);
        c->document = d->entries[found->heap[i].slot].document;
        status = cosine(s, q, c->chunk, &c->score, err);
        if (status == QA_OK && (isnan(c->score) || !c->document))
            status = store_damaged(&s->file, err, "block %llu of the vectors has one for chunk %llu, which %s",
                                   (unsigned long long)(c->chunk / STORE_BLOCK_CHUNKS), (unsigned long long)c->chunk,
                                   c->document ? "has none" : "does not exist");
    }
    if (status == QA_OK)
        qsort(*out, found->n, sizeof **out, by_score);
    return status;
}

static qa_status search(struct store_index *s, const float *v, size_t dimensions, const struct index_scope *scope, size_t k,
                        struct arena *a, struct index_candidate **out, size_t *n, qa_error *err) {
    struct query query;
    qa_status status = prepare_query(v, dimensions, a, &query, err);
    if (status != QA_OK)
        return status;
    size_t vectors = 0, stride = store_stride(dimensions);
    for (size_t i = 0; i < s->vectors.n; i++)
        vectors += s->vectors.blocks[i].count;
    k = k < vectors ? k : vectors;
    size_t kept = 4 * k > MIN_KEPT ? 4 * k : MIN_KEPT;
    struct scan scan = {.dot = store_dot_fastest(), .stride = stride, .kept = kept < vectors ? kept : vectors};
    int16_t *wide = arena_array(a, stride, sizeof *wide);
    int8_t *codes = arena_array(a, stride, sizeof *codes);
    scan.heap = arena_array(a, scan.kept, sizeof *scan.heap);
    if (!wide || !codes || !scan.heap)
        return arena_error(a, err, "searching");
    store_quantise(v, query.length, dimensions, codes);
    for (size_t i = 0; i < stride; i++)
        wide[i] = codes[i];
    scan.query = wide;
    if (!store_scope_is_open(scope)) {
        status = store_reserve_search(s, err);
        if (status == QA_OK)
            status = store_apply_scope(s, scope, err);
        scan.allowed = s->search.allowed;
    }
    if (status == QA_OK && k)
        status = scan_all(s, &scan, dimensions, err);
    store_widen_cache(s);
    if (status == QA_OK)
        status = rescore(s, &query, &scan, a, out, err);
    if (status == QA_OK)
        *n = scan.n < k ? scan.n : k;
    return status;
}

qa_status store_vector_candidates(void *self, const float *query, const struct index_scope *scope, size_t k, struct arena *a,
                                  struct index_candidate **out, size_t *n, qa_error *err) {
    struct store_index *s = self;
    size_t dimensions = 0;
    *out = NULL;
    *n = 0;
    qa_status status = store_begin_read(s, err);
    if (status != QA_OK)
        return status;
    status = store_load_directory(s, err);
    if (status == QA_OK)
        status = store_vector_dimensions(s, &dimensions, err);
    if (status == QA_OK)
        status = store_load_vector_blocks(s, err);
    if (status == QA_OK && dimensions)
        status = search(s, query, dimensions, scope, k, a, out, n, err);
    store_end_read(s);
    return status;
}

qa_status store_vector_scores(void *self, const float *query, const uint64_t *chunks, size_t n, double *out, qa_error *err) {
    struct store_index *s = self;
    struct query q;
    struct arena a;
    size_t dimensions = 0;
    for (size_t i = 0; i < n; i++)
        out[i] = NAN;
    qa_status status = store_begin_read(s, err);
    if (status != QA_OK)
        return status;
    arena_init(&a, EMBEDDER_MAX_DIMENSIONS * 2 * sizeof(float));
    status = store_vector_dimensions(s, &dimensions, err);
    if (status == QA_OK && dimensions)
        status = prepare_query(query, dimensions, &a, &q, err);
    for (size_t i = 0; i < n && dimensions && status == QA_OK; i++)
        status = cosine(s, &q, chunks[i], &out[i], err);
    store_end_read(s);
    arena_free(&a);
    return status;
}
