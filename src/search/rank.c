/* Text and vector candidates become one order.
 *
 * Each side gives its best DEPTH chunks; its scores are brought to [0, 1] by its own least and largest, and a chunk's score is their
 * weighted mean. What a side did not find counts 0 there. A chunk that has no vector yet is scored by its words alone, so that text can
 * be found before its vectors are there.
 * docs/search.md has what was measured. */
#include "search/search_internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GAP_RANK = 10, /* the tenth chunk tells whether the best stands out */ DEPTH = 1000 };
static const double VECTOR_SHARE = 0.4;

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

/* ---- Fusion ---- */

struct lists {
    struct index_candidate *text, *vector;
    size_t n_text, n_vector;
};

/* Every chunk of either list once, with both raw scores. A cosine that neither list told stays NAN: only whether there is one counts here. */
static qa_status join(const struct index_port *index, struct arena *a, const struct lists *l, const float *query, bool pending,
                      struct search_ranked **out, size_t *n, qa_error *err) {
    size_t all = l->n_text + l->n_vector, kept = 0;
    struct search_ranked *r = arena_array(a, all, sizeof *r);
    uint64_t *chunks = arena_array(a, l->n_text, sizeof *chunks);
    double *cosines = arena_array(a, l->n_text, sizeof *cosines);
    if (!r || !chunks || !cosines)
        return arena_error(a, err, "searching");
    for (size_t i = 0; i < l->n_text; i++) {
        chunks[i] = l->text[i].chunk;
        cosines[i] = NAN;
    }
    if (pending && l->n_text) { /* which of them have none? */
        qa_status status = index->ops->vector_scores(index->self, query, chunks, l->n_text, cosines, err);
        if (status != QA_OK)
            return status;
    }
    for (size_t i = 0; i < l->n_text; i++)
        r[i] = (struct search_ranked){
            .chunk = l->text[i].chunk,
            .document = l->text[i].document,
            .text = l->text[i].score,
            .vector = cosines[i],
            .lacks_vector = pending && isnan(cosines[i]),
        };
    for (size_t i = 0; i < l->n_vector; i++)
        r[l->n_text + i] = (struct search_ranked){
            .chunk = l->vector[i].chunk,
            .document = l->vector[i].document,
            .text = NAN,
            .vector = l->vector[i].score,
        };
    if (all)
        qsort(r, all, sizeof *r, by_chunk);
    for (size_t i = 0; i < all; i++) {
        if (kept && r[kept - 1].chunk == r[i].chunk) {
            r[kept - 1].text = fmax(r[kept - 1].text, r[i].text); /* of NAN and a number: the number */
            r[kept - 1].vector = fmax(r[kept - 1].vector, r[i].vector);
        } else {
            r[kept++] = r[i];
        }
    }
    *out = r;
    *n = kept;
    return QA_OK;
}

static qa_status fuse(const struct index_port *index, struct arena *a, const struct lists *l, const float *query, bool pending,
                      struct search_ranked **out, size_t *n, qa_error *err) {
    qa_status status = join(index, a, l, query, pending, out, n, err);
    struct side text = side_of(l->text, l->n_text), vector = side_of(l->vector, l->n_vector);
    for (size_t i = 0; status == QA_OK && i < *n; i++) {
        struct search_ranked *r = &(*out)[i];
        double by_words = scaled(text, r->text);
        r->score = r->lacks_vector ? by_words : (1 - VECTOR_SHARE) * by_words + VECTOR_SHARE * scaled(vector, r->vector);
    }
    if (status == QA_OK && *n)
        qsort(*out, *n, sizeof **out, by_score);
    return status;
}

/* One side alone: scores as shares of the best. */
static qa_status alone(struct arena *a, const struct index_candidate *from, size_t count, bool text, struct search_ranked **out, size_t *n,
                       qa_error *err) {
    struct search_ranked *r = arena_array(a, count, sizeof *r);
    if (!r)
        return arena_error(a, err, "searching");
    for (size_t i = 0; i < count; i++)
        r[i] = (struct search_ranked){
            .chunk = from[i].chunk,
            .document = from[i].document,
            .score = from[0].score > 0 ? fmax(from[i].score / from[0].score, 0) : 0,
            .text = text ? from[i].score : NAN,
            .vector = text ? NAN : from[i].score,
        };
    *out = r;
    *n = count;
    return QA_OK;
}

qa_status search_rank(const struct index_port *index, struct arena *a, const struct search_request *request, size_t depth,
                      struct search_result *out, struct search_ranked **ranked, size_t *n, qa_error *err) {
    struct lists l = {0};
    qa_status status = QA_OK;
    if (depth < DEPTH)
        depth = out->query ? DEPTH : depth < GAP_RANK ? GAP_RANK : depth;
    if (depth == SIZE_MAX) { /* how many there are */
        status = search_candidates(index, &request->scope, &out->terms, 0, a, &l.text, &l.n_text, &out->total_chunks, err);
        depth = out->total_chunks;
    }
    if (status == QA_OK)
        status = search_candidates(index, &request->scope, &out->terms, depth, a, &l.text, &l.n_text, &out->total_chunks, err);
    if (status != QA_OK)
        return status;
    out->gap = l.n_text < GAP_RANK ? SEARCH_USUAL_GAP : (l.text[0].score - l.text[GAP_RANK - 1].score) / l.text[0].score;
    if (!out->query)
        return alone(a, l.text, l.n_text, true, ranked, n, err);
    status = index->ops->vector_candidates(index->self, out->query, &request->scope, depth, a, &l.vector, &l.n_vector, err);
    if (status != QA_OK)
        return status;
    return request->mode == QA_MODE_VECTOR ? alone(a, l.vector, l.n_vector, false, ranked, n, err)
                                           : fuse(index, a, &l, out->query, request->pending, ranked, n, err);
}
