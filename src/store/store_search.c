/* Text candidates. One statement matches the terms joined by OR and calls quaere_collect on its first row; from there
 * xQueryPhrase walks the posting lists one term after the other and calls back for each posting, with no row of a virtual
 * table and no byte code in between (three to four times quicker than an auxiliary function called for each row, and it finds
 * the document frequencies on the way, which FTS5's own bm25() needs a second walk for). Scores add up in an array by slot;
 * the best k come out of it through a heap.
 *
 * What is out of scope is skipped before it is scored: it takes part in document frequencies (declared so) and in nothing
 * else. */
#include "store/store_index.h"
#include <stdlib.h>
#include <string.h>

enum { LOOK_EVERY = 4096, MAX_TERMS = 256 };
#define MAX_EXPRESSION (MAX_TERMS * (2 * WORD_MAX + 8))

static int collect_match(const Fts5ExtensionApi *api, Fts5Context *context, void *user) {
    struct store_index *s = user;
    struct store_search *q = &s->search;
    size_t slot = 0;
    if (++q->since_look >= LOOK_EVERY) {
        q->since_look = 0;
        if (s->file.cancel && atomic_load_explicit(s->file.cancel, memory_order_relaxed))
            return SQLITE_INTERRUPT;
    }
    sqlite3_int64 rowid = api->xRowid(context);
    if (rowid < 0 || !store_find_slot(&s->directory, (uint64_t)rowid, &q->block, &slot) || (q->df && slot <= q->last))
        return SQLITE_CORRUPT_VTAB; /* a posting of no chunk, or one that comes twice */
    q->df++;
    q->last = slot;
    if (q->count_only)
        return SQLITE_OK;
    if (q->scoped && !(q->allowed[slot / 64] >> (slot % 64) & 1))
        return SQLITE_OK;
    q->seen = true;
    const struct store_entry *entry = &s->directory.entries[slot];
    struct store_rank_match match = {.head_words = entry->head_words, .body_words = entry->body_words};
    Fts5PhraseIter it;
    int column, offset;
    int rc = api->xPhraseFirst(context, 0, &it, &column, &offset);
    for (; rc == SQLITE_OK && column >= 0; api->xPhraseNext(context, &it, &column, &offset)) {
        match.in_head += column == 0;
        match.in_body += column != 0;
    }
    q->matches[q->n_matches++] =
        (struct store_match){(uint32_t)slot, store_rank_part(&store_rank_defaults, &s->directory.totals, &match)};
    return rc;
}

void store_collect(const Fts5ExtensionApi *api, Fts5Context *context, sqlite3_context *out, int n, sqlite3_value **values) {
    (void)n;
    (void)values;
    struct store_index *s = api->xUserData(context);
    struct store_search *q = &s->search;
    int rc = SQLITE_OK, phrases = api->xPhraseCount(context);
    for (int i = 0; i < phrases && rc == SQLITE_OK && (size_t)i < q->n_terms; i++) {
        q->df = 0;
        q->seen = false;
        q->n_matches = 0;
        rc = api->xQueryPhrase(context, i, s, collect_match);
        q->terms[i].df = q->df;
        q->terms[i].seen = q->seen;
        q->terms[i].idf = store_rank_idf(&s->directory.totals, q->df);
        double weight = q->terms[i].weight * q->terms[i].idf;
        for (size_t m = 0; m < q->n_matches; m++)
            q->scores[q->matches[m].slot] += weight * q->matches[m].part;
    }
    if (rc != SQLITE_OK)
        sqlite3_result_error_code(out, rc);
}

/* Kept for the next search. */
qa_status store_reserve_search(struct store_index *s, qa_error *err) {
    struct store_search *q = &s->search;
    size_t slots = s->directory.blocks * STORE_BLOCK_CHUNKS;
    if (slots > q->slots || !q->scores) {
        free(q->scores);
        free(q->allowed);
        free(q->matches);
        q->slots = 0;
        q->scores = malloc((slots + 1) * sizeof *q->scores);
        q->allowed = malloc((slots / 64 + 1) * sizeof *q->allowed);
        q->matches = malloc((slots + 1) * sizeof *q->matches);
        if (!q->scores || !q->allowed || !q->matches) {
            free(q->scores);
            free(q->allowed);
            free(q->matches);
            q->scores = NULL, q->allowed = NULL, q->matches = NULL;
            return error_no_memory(err, "searching");
        }
        q->slots = slots;
    }
    memset(q->scores, 0, slots * sizeof *q->scores);
    return QA_OK;
}

/* Terms as an FTS5 expression: "a" OR "b". A term that cannot be one matches nothing but keeps its place among the phrases.
 * */
static qa_status make_expression(struct arena *a, const struct index_term *terms, size_t n, char **out, qa_error *err) {
    struct buf b;
    buf_init(&b, MAX_EXPRESSION);
    for (size_t i = 0; i < n; i++) {
        buf_puts(&b, i ? " OR \"" : "\"");
        for (size_t j = 0; j < terms[i].len; j++) {
            if (terms[i].norm[j] == '"')
                buf_putc(&b, '"');
            if (terms[i].norm[j])
                buf_putc(&b, terms[i].norm[j]);
        }
        buf_putc(&b, '"');
    }
    qa_status status = buf_error(&b, err, "the terms of a question");
    if (status == QA_OK && !(*out = arena_string(a, b.data)))
        status = arena_error(a, err, "searching");
    buf_free(&b);
    return status;
}

static qa_status run_match(struct store_index *s, const char *expression, qa_error *err) {
    sqlite3_stmt *st;
    bool row;
    qa_status status = store_sql(&s->file, SQL_MATCH,
                                 "SELECT quaere_collect(postings) FROM postings WHERE postings MATCH ?1 LIMIT 1", &st, err);
    if (status != QA_OK)
        return status;
    store_bind_text(&s->file, st, 1, expression);
    status = store_next(&s->file, st, &row, err);
    sqlite3_reset(st);
    return status;
}

/* ---- The best k: a heap with the worst on top. Slots come in ascending order, so of equals the first stays. ---- */

static bool worse(const double *scores, uint32_t a, uint32_t b) {
    return scores[a] < scores[b] || (scores[a] == scores[b] && a > b);
}

static void sink(const double *scores, uint32_t *heap, size_t n, size_t i) {
    for (;;) {
        size_t worst = i, left = 2 * i + 1;
        for (size_t child = left; child < left + 2 && child < n; child++)
            if (worse(scores, heap[child], heap[worst]))
                worst = child;
        if (worst == i)
            return;
        uint32_t moved = heap[i];
        heap[i] = heap[worst];
        heap[worst] = moved;
        i = worst;
    }
}

static size_t choose_best(const double *scores, size_t slots, uint32_t *heap, size_t k) {
    size_t n = 0;
    for (size_t slot = 0; slot < slots; slot++) {
        if (!(scores[slot] > 0))
            continue;
        if (n < k) {
            heap[n++] = (uint32_t)slot;
            if (n == k)
                for (size_t i = k / 2 + 1; i-- > 0;)
                    sink(scores, heap, n, i);
        } else if (worse(scores, heap[0], (uint32_t)slot)) {
            heap[0] = (uint32_t)slot;
            sink(scores, heap, n, 0);
        }
    }
    if (n < k)
        for (size_t i = n / 2 + 1; i-- > 0;)
            sink(scores, heap, n, i);
    for (size_t left = n; left > 1; left--) { /* the worst goes to the end */
        uint32_t worst = heap[0];
        heap[0] = heap[left - 1];
        heap[left - 1] = worst;
        sink(scores, heap, left - 1, 0);
    }
    return n;
}

static qa_status hand_out(struct store_index *s, size_t k, struct arena *a, struct index_candidate **out, size_t *n,
                          qa_error *err) {
    const struct store_directory *d = &s->directory;
    size_t slots = d->blocks * STORE_BLOCK_CHUNKS;
    if (k > d->totals.chunks)
        k = d->totals.chunks;
    uint32_t *heap = arena_array(a, k, sizeof *heap);
    if (!heap)
        return arena_error(a, err, "searching");
    size_t found = k ? choose_best(s->search.scores, slots, heap, k) : 0;
    *out = arena_array(a, found, sizeof **out);
    if (!*out)
        return arena_error(a, err, "searching");
    for (size_t i = 0; i < found; i++)
        (*out)[i] = (struct index_candidate){store_chunk_at(d, heap[i]), d->entries[heap[i]].document,
                                             s->search.scores[heap[i]]};
    *n = found;
    return QA_OK;
}

qa_status store_text_candidates(void *self, struct index_term *terms, size_t n_terms, const struct index_scope *scope,
                                size_t k, struct arena *a, struct index_candidate **out, size_t *n, uint64_t *total, qa_error *err) {
    struct store_index *s = self;
    struct store_search *q = &s->search;
    char *expression = NULL;
    *out = NULL;
    *n = 0;
    *total = 0;
    if (n_terms > MAX_TERMS)
        return error_set(err, QA_TOO_LARGE, "the question has %zu words to search for; the limit is %d", n_terms, MAX_TERMS);
    qa_status status = store_begin_read(s, err);
    if (status != QA_OK)
        return status;
    status = store_load_directory(s, err);
    if (status == QA_OK)
        status = store_reserve_search(s, err);
    for (size_t i = 0; status == QA_OK && i < n_terms; i++) {
        terms[i].df = 0;
        terms[i].seen = false;
        terms[i].idf = store_rank_idf(&s->directory.totals, 0);
    }
    q->count_only = k == 0;
    q->scoped = !q->count_only && !store_scope_is_open(scope);
    if (status == QA_OK && q->scoped)
        status = store_apply_scope(s, scope, err);
    if (status == QA_OK && n_terms)
        status = make_expression(a, terms, n_terms, &expression, err);
    if (status == QA_OK && n_terms) {
        q->terms = terms;
        q->n_terms = n_terms;
        q->block = 0;
        status = run_match(s, expression, err);
        q->terms = NULL;
        q->n_terms = 0;
    }
    if (status == QA_OK)
        status = hand_out(s, k, a, out, n, err);
    if (status == QA_OK)
        *total = s->directory.totals.chunks;
    store_end_read(s);
    return status;
}
