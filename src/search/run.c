#include "search/search_internal.h"
#include "base/utf8.h"
#include <string.h>

static qa_status check_question(const char *question, qa_error *err) {
    size_t n = strlen(question);
    if (n > SEARCH_QUESTION_MAX)
        return error_set(err, QA_TOO_LARGE, "the question has %zu bytes; %d is the most", n, SEARCH_QUESTION_MAX);
    if (utf8_valid_len(question, n) != n)
        return error_set(err, QA_BAD_INPUT, "the question is not valid UTF-8, from its byte %zu on", utf8_valid_len(question, n) + 1);
    if (strspn(question, " \t\r\n") == n)
        return error_set(err, QA_BAD_INPUT, "the question is empty");
    return QA_OK;
}

/* Those that nobody needed for the order: a person wants to see them. */
static qa_status fill_cosines(const struct index_port *index, struct arena *a, const float *query, const uint64_t *chunks,
                              struct search_ranked *found, size_t n, qa_error *err) {
    double *cosines = arena_array(a, n, sizeof *cosines);
    if (!cosines)
        return arena_error(a, err, "searching");
    qa_status status = n ? index->ops->vector_scores(index->self, query, chunks, n, cosines, err) : QA_OK;
    for (size_t i = 0; status == QA_OK && i < n; i++)
        found[i].vector = cosines[i];
    return status;
}

/* Between finding and loading nobody's writing may show: both happen in one state of the index. */
static qa_status find_passages(const struct index_port *index, struct arena *a, const struct search_request *request, struct search_result *out,
                               qa_error *err) {
    struct search_ranked *found = NULL;
    size_t n = 0;
    qa_status status = search_rank(index, a, request, request->k, out, &found, &n, err);
    if (status != QA_OK)
        return status;
    if (n > request->k)
        n = request->k;
    uint64_t *chunks = arena_array(a, n, sizeof *chunks);
    struct index_passage *passages = arena_array(a, n, sizeof *passages);
    out->hits = arena_array(a, n, sizeof *out->hits);
    if (!chunks || !passages || !out->hits)
        return arena_error(a, err, "searching");
    for (size_t i = 0; i < n; i++)
        chunks[i] = found[i].chunk;
    status = index->ops->load_passages(index->self, chunks, n, a, passages, err);
    if (status == QA_OK && out->query)
        status = fill_cosines(index, a, out->query, chunks, found, n, err);
    for (size_t i = 0; status == QA_OK && i < n; i++)
        out->hits[i] = (struct search_hit){passages[i], found[i].score, found[i].text, found[i].vector};
    if (status == QA_OK)
        out->n_hits = n;
    return status;
}

qa_status search_run(const struct index_port *index, struct words *words, struct arena *a, const struct search_request *request,
                     struct search_result *out, qa_error *err) {
    qa_status status = check_question(request->question, err);
    if (status == QA_OK)
        status = search_make_query(index, words, a, request, out, err);
    if (status == QA_OK)
        status = index->ops->begin(index->self, err);
    if (status != QA_OK)
        return status;
    status = find_passages(index, a, request, out, err);
    index->ops->rollback(index->self);
    return status;
}
