/* Where one document stands in the whole order, for "why is it not there?". */
#include "search/search_internal.h"
#include <string.h>

struct seen {
    const struct search_terms *terms;
    bool *held; /* by term */
};

static int note(void *user, const struct word *word) {
    struct seen *s = user;
    for (size_t i = 0; i < s->terms->n; i++)
        if (s->terms->items[i].len == word->norm_len && memcmp(s->terms->items[i].norm, word->norm, word->norm_len) == 0)
            s->held[i] = true;
    return 0;
}

static void note_text(struct words *words, const char *text, struct seen *s) {
    if (text)
        words_each(words, text, strlen(text), note, s);
}

/* The question's words that the passage, its headings or its path hold, and those that it does not. */
static qa_status compare(struct words *words, struct arena *a, const struct search_terms *terms, struct search_place *out, qa_error *err) {
    struct seen s = {.terms = terms, .held = arena_array(a, terms->n, sizeof *s.held)};
    out->matched = arena_array(a, terms->n, sizeof *out->matched);
    out->missing = arena_array(a, terms->n, sizeof *out->missing);
    if (!s.held || !out->matched || !out->missing)
        return arena_error(a, err, "explaining");
    if (out->found) {
        note_text(words, out->best.map.plain, &s);
        note_text(words, out->best.title, &s);
        note_text(words, out->best.path, &s);
        for (size_t i = 0; i < out->best.n_heading; i++)
            note_text(words, out->best.heading[i], &s);
    }
    for (size_t i = 0; i < terms->n; i++) {
        if (terms->items[i].kind == WORD_EXACT)
            continue;
        if (s.held[i])
            out->matched[out->n_matched++] = terms->items[i].surface;
        else if (terms->items[i].own)
            out->missing[out->n_missing++] = terms->items[i].surface;
    }
    return QA_OK;
}

static qa_status find_place(const struct index_port *index, struct words *words, struct arena *a, const struct search_request *request,
                            struct search_result *found, uint64_t document, struct search_place *out, qa_error *err) {
    struct search_ranked *ranked = NULL;
    size_t n = 0;
    qa_status status = search_rank(index, a, request, SIZE_MAX, found, &ranked, &n, err); /* everything that matches */
    for (size_t i = 0; status == QA_OK && i < n && !out->found; i++)
        if (ranked[i].document == document) {
            out->found = true;
            out->rank = i + 1;
            out->score = ranked[i].score;
            out->text_score = ranked[i].text;
            out->vector_score = ranked[i].vector;
            status = index->ops->load_passages(index->self, &ranked[i].chunk, 1, a, &out->best, err);
        }
    return status == QA_OK ? compare(words, a, &found->terms, out, err) : status;
}

qa_status search_find_document(const struct index_port *index, struct words *words, struct arena *a,
                               const struct search_request *request, uint64_t document, struct search_place *out, qa_error *err) {
    *out = (struct search_place){0};
    struct search_result found;
    qa_status status = search_make_query(index, words, a, request, &found, err);
    if (status == QA_OK)
        status = index->ops->begin(index->self, err);
    if (status != QA_OK)
        return status;
    status = find_place(index, words, a, request, &found, document, out, err);
    index->ops->rollback(index->self);
    return status;
}
