/* What is searched for: the terms of the question and its vector. Made before the index is read in one state, since an embedder may take its
 * time, one on another machine above all.
 *
 * A question that leans on the ones before it (follow_up.c) is still one query on each side: on the vector side the mean of the vectors of the
 * question and of the question joined to those before it, since the mean of two cosines is, up to a factor that the scaling takes out, the
 * cosine with the mean.
 *
 * A question without a term ("???", "what is it?") has no vector either: an embedder gives one for anything, and something is always nearest to it. */
#include "search/search_internal.h"
#include "base/clock.h"
#include "base/vector.h"
#include <string.h>

static const double JOINED_SHARE = 0.5;

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

/* The vectors failing is no reason not to answer, unless they alone were asked for. */
static qa_status try_vector(struct words *words, struct arena *a, const struct search_request *request, struct search_result *out, qa_error *err) {
    qa_error said = {0};
    double started = clock_mono_ms();
    qa_status status = embed_question(words, request, out, a, &out->query, &said);
    out->embed_ms = clock_mono_ms() - started;
    if (status == QA_OK)
        return QA_OK;
    if (request->mode == QA_MODE_VECTOR || status == QA_CANCELLED || status == QA_NO_MEMORY)
        return error_set(err, status, "%s", said.message);
    out->notice = arena_printf(a, "searched by words alone: %s", said.message);
    return out->notice ? QA_OK : arena_error(a, err, "searching");
}

qa_status search_make_query(const struct index_port *index, struct words *words, struct arena *a, const struct search_request *request,
                            struct search_result *out, qa_error *err) {
    *out = (struct search_result){.question = request->question};
    qa_status status = search_weigh(index, words, a, request, &out->terms, &out->searched, &out->n_searched, err);
    if (status != QA_OK || !out->terms.n || !request->embedder || request->mode == QA_MODE_TEXT)
        return status;
    return try_vector(words, a, request, out, err);
}
