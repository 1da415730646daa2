#include "search/search_internal.h"
#include <string.h>

enum { GAP_RANK = 10 }; /* the tenth chunk tells whether the best stands out */

static qa_status check_question(const char *question, qa_error *err) {
    size_t n = strlen(question);
    if (n > SEARCH_QUESTION_MAX)
        return error_set(err, QA_TOO_LARGE, "the question has %zu bytes; %d is the most", n, SEARCH_QUESTION_MAX);
    if (strspn(question, " \t\r\n") == n)
        return error_set(err, QA_BAD_INPUT, "the question is empty");
    return QA_OK;
}

/* Between finding and loading nobody's writing may show: both happen in one state of the index. */
static qa_status find_passages(const struct index_port *index, struct words *words, struct arena *a, const struct search_request *request,
                               struct search_result *out, qa_error *err) {
    struct index_candidate *found = NULL;
    size_t n = 0;
    qa_status status = search_weigh(index, words, a, request, &out->terms, &out->searched, &out->n_searched, err);
    if (status == QA_OK)
        status = search_candidates(index, &request->scope, &out->terms, request->k > GAP_RANK ? request->k : GAP_RANK, a, &found, &n,
                                   &out->total_chunks, err);
    if (status != QA_OK)
        return status;
    out->gap = n < GAP_RANK ? SEARCH_USUAL_GAP : (found[0].score - found[GAP_RANK - 1].score) / found[0].score;
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
    for (size_t i = 0; status == QA_OK && i < n; i++)
        out->hits[i] = (struct search_hit){.passage = passages[i], .score = found[i].score / found[0].score, .text_score = found[i].score};
    if (status == QA_OK)
        out->n_hits = n;
    return status;
}

qa_status search_run(const struct index_port *index, struct words *words, struct arena *a, const struct search_request *request,
                     struct search_result *out, qa_error *err) {
    *out = (struct search_result){.question = request->question};
    qa_status status = check_question(request->question, err);
    if (status == QA_OK)
        status = index->ops->begin(index->self, err);
    if (status != QA_OK)
        return status;
    status = find_passages(index, words, a, request, out, err);
    index->ops->rollback(index->self);
    return status;
}
