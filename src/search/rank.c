/* Text and vector candidates become one order.
 *
 * Each side gives its best DEPTH chunks; its scores are brought to [0, 1] by its own least and largest, and a chunk's score is their weighted mean. What a side did
 * not find counts 0 there. A chunk that has no vector yet is scored by its words alone, so that text can be found before its vectors are there.
 *
 * A question that leans on the ones before it (follow_up.c) is still one query on each side: on the vector side the mean of the vectors of the question and of the
 * question joined to those before it, since the mean of two cosines is, up to a factor that the scaling takes out, the cosine with the mean. docs/search.md has
 * what was measured. */
#include "search/search_internal.h"
#include "base/clock.h"
#include "base/vector.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GAP_RANK = 10, /* the tenth chunk tells whether the best stands out */ DEPTH = 1000 };
static const double VECTOR_SHARE = 0.4, JOINED_SHARE = 0.5;

struct side { /* least and largest score of the side's candidates */
    double low, high;
};

/* Of the best DEPTH, also where more were asked for: an explanation ranks as the search does. */
static struct side side_of(const struct index_candidate *c, size_t n) {
    return n ? (struct side){c[(n < DEPTH ? n : DEPTH) - 1].score, c[0].score} : (struct side){0, 0};
}

/* With a single candidate, or all alike, being found at all counts full. */
static double scaled(struct side s, double score) {
    if (isnan(score) || score < s.low)
        return 0;
    return s.high > s.low ? fmin((score - s.low) / (s.high - s.low), 1) : 1;
}

static int by_chunk(const void *x, const void *y) {
    const struct search_ranked *a = x, *b = y;
    return a->chunk < b->chunk ? -1 : a->chunk > b->chunk;
}

static int by_score(const void *x, const void *y) {
    const struct search_ranked *a = x, *b = y;
    if (a->score != b->score)
        return a->score < b->score ? 1 : -1;
    return by_chunk(x, y);
}

/* ---- The vector of the question ---- */

static void add_scaled(float *to, const float *from, size_t n, double share) {
    for (size_t i = 0; i < n; i++)
        to[i] = (float)(to[i] + share * from[i]);
}

static qa_status embed_question(struct words *words, const struct search_request *request, const struct search_result *found, struct arena *a,
                                const float **out, qa_error *err) {
    const struct embedder_port *e = request->embedder;
    struct embedder_text texts[2] = {{0}};
    float *vectors = arena_array(a, 3 * e->dimensions, sizeof *vectors), *query = vectors ? vectors + 2 * e->dimensions : NULL;
    if (!vectors)
        return arena_error(a, err, "searching");
    bool joined = found->n_searched > 1 && search_is_follow_up(words, request->question);
    for (size_t i = 0; i < 1 + (size_t)joined; i++)
        texts[i] = (struct embedder_text){found->searched[i], strlen(found->searched[i])};
    qa_status status = e->ops->embed(e->self, EMBEDDER_QUERY, texts, 1 + (size_t)joined, request->cancel, vectors, err);
    if (status != QA_OK)
        return status;
    add_scaled(query, vectors, e->dimensions, joined ? 1 - JOINED_SHARE : 1);
    if (joined)
        add_scaled(query, vectors + e->dimensions, e->dimensions, JOINED_SHARE);
    vector_normalise(query, e->dimensions, 0); /* else it stays zero, and finds all alike */
    *out = query;
    return QA_OK;
}

/* ---- Fusion ---- */

struct lists {
    struct index_candidate *text, *vector;
    size_t n_text, n_vector;
    const float *query; /* NULL: there is none */
};

/* Every chunk of either list once, with both raw scores; a cosine that nobody computed is -1, one that does not exist NAN. */
static qa_status join(const struct index_port *index, struct arena *a, const struct lists *l, bool pending, struct search_ranked **out, size_t *n,
                      qa_error *err) {
    size_t all = l->n_text + l->n_vector, kept = 0;
    struct search_ranked *r = arena_array(a, all, sizeof *r);
    uint64_t *chunks = arena_array(a, l->n_text, sizeof *chunks);
    double *cosines = arena_array(a, l->n_text, sizeof *cosines);
    if (!r || !chunks || !cosines)
        return arena_error(a, err, "searching");
    for (size_t i = 0; i < l->n_text; i++)
        chunks[i] = l->text[i].chunk;
    if (pending && l->n_text) { /* which of them have none? */
        qa_status status = index->ops->vector_scores(index->self, l->query, chunks, l->n_text, cosines, err);
        if (status != QA_OK)
            return status;
    }
    for (size_t i = 0; i < l->n_text; i++)
        r[i] = (struct search_ranked){l->text[i].chunk, l->text[i].document, 0, l->text[i].score, pending ? cosines[i] : -1};
    for (size_t i = 0; i < l->n_vector; i++)
        r[l->n_text + i] = (struct search_ranked){l->vector[i].chunk, l->vector[i].document, 0, NAN, l->vector[i].score};
    if (all)
        qsort(r, all, sizeof *r, by_chunk);
    for (size_t i = 0; i < all; i++) {
        if (kept && r[kept - 1].chunk == r[i].chunk) {
            if (isnan(r[kept - 1].text))
                r[kept - 1].text = r[i].text;
            r[kept - 1].vector = fmax(r[kept - 1].vector, r[i].vector);
        } else {
            r[kept++] = r[i];
        }
    }
    *out = r;
    *n = kept;
    return QA_OK;
}

static qa_status fuse(const struct index_port *index, struct arena *a, const struct lists *l, bool pending, struct search_ranked **out, size_t *n,
                      qa_error *err) {
    qa_status status = join(index, a, l, pending, out, n, err);
    struct side text = side_of(l->text, l->n_text), vector = side_of(l->vector, l->n_vector);
    for (size_t i = 0; status == QA_OK && i < *n; i++) {
        struct search_ranked *r = &(*out)[i];
        double by_words = scaled(text, r->text);
        r->score = isnan(r->vector) ? by_words : (1 - VECTOR_SHARE) * by_words + VECTOR_SHARE * scaled(vector, r->vector);
    }
    if (status == QA_OK && *n)
        qsort(*out, *n, sizeof **out, by_score);
    return status;
}

/* One side alone: scores as shares of the best. */
static qa_status alone(struct arena *a, const struct index_candidate *from, size_t count, bool text, struct search_ranked **out, size_t *n, qa_error *err) {
    struct search_ranked *r = arena_array(a, count, sizeof *r);
    if (!r)
        return arena_error(a, err, "searching");
    for (size_t i = 0; i < count; i++) {
        double share = from[0].score > 0 ? fmax(from[i].score / from[0].score, 0) : 0;
        r[i] = (struct search_ranked){from[i].chunk, from[i].document, share, text ? from[i].score : NAN, text ? NAN : from[i].score};
    }
    *out = r;
    *n = count;
    return QA_OK;
}

/* The vectors failing is no reason not to answer, unless they alone were asked for. */
static qa_status find_by_vector(const struct index_port *index, struct words *words, struct arena *a, const struct search_request *request, size_t depth,
                                struct search_result *out, struct lists *l, qa_error *err) {
    qa_error said = {0};
    double started = clock_mono_ms();
    qa_status status = embed_question(words, request, out, a, &l->query, &said);
    out->embed_ms = clock_mono_ms() - started;
    out->query = l->query;
    if (status == QA_OK)
        return index->ops->vector_candidates(index->self, l->query, &request->scope, depth, a, &l->vector, &l->n_vector, err);
    if (request->mode == QA_MODE_VECTOR || status == QA_CANCELLED || status == QA_NO_MEMORY)
        return error_set(err, status, "%s", said.message);
    out->notice = arena_printf(a, "searched by words alone: %s", said.message);
    return out->notice ? QA_OK : arena_error(a, err, "searching");
}

qa_status search_rank(const struct index_port *index, struct words *words, struct arena *a, const struct search_request *request, size_t depth,
                      struct search_result *out, struct search_ranked **ranked, size_t *n, qa_error *err) {
    struct lists l = {0};
    bool vectors = request->embedder && request->mode != QA_MODE_TEXT;
    if (depth < DEPTH)
        depth = vectors ? DEPTH : depth < GAP_RANK ? GAP_RANK : depth;
    qa_status status = search_weigh(index, words, a, request, &out->terms, &out->searched, &out->n_searched, err);
    if (status == QA_OK && depth == SIZE_MAX) { /* how many there are */
        status = search_candidates(index, &request->scope, &out->terms, 0, a, &l.text, &l.n_text, &out->total_chunks, err);
        depth = out->total_chunks;
    }
    if (status == QA_OK)
        status = search_candidates(index, &request->scope, &out->terms, depth, a, &l.text, &l.n_text, &out->total_chunks, err);
    if (status != QA_OK)
        return status;
    out->gap = l.n_text < GAP_RANK ? SEARCH_USUAL_GAP : (l.text[0].score - l.text[GAP_RANK - 1].score) / l.text[0].score;
    if (vectors)
        status = find_by_vector(index, words, a, request, depth, out, &l, err);
    if (status != QA_OK)
        return status;
    if (!l.query)
        return alone(a, l.text, l.n_text, true, ranked, n, err);
    return request->mode == QA_MODE_VECTOR ? alone(a, l.vector, l.n_vector, false, ranked, n, err) : fuse(index, a, &l, request->pending, ranked, n, err);
}
