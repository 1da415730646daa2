/* Shared by the files of src/search/ only. */
#ifndef SEARCH_INTERNAL_H
#define SEARCH_INTERNAL_H

#include "search/search.h"

/* The terms of a request, weighed: the question's own, then those of the questions before at the weight of a follow-up. `searched` as in
 * search_result. */
qa_status search_weigh(const struct index_port *index, struct words *words, struct arena *a, const struct search_request *request,
                       struct search_terms *out, const char ***searched, size_t *n_searched, qa_error *err);
/* Adds the terms of a text at `weight`, each once at its largest weight. */
qa_status search_add_terms(struct words *words, struct arena *a, const char *text, bool own, double weight, struct search_terms *out,
                           qa_error *err);
/* Candidates for weighed terms; fills their idf. */
qa_status search_candidates(const struct index_port *index, const struct index_scope *scope, struct search_terms *terms, size_t k,
                            struct arena *a, struct index_candidate **out, size_t *n, uint64_t *total, qa_error *err);
/* A chunk in the order of the search. */
struct search_ranked {
    uint64_t chunk, document;
    double score, text, vector; /* as in search_hit; vector NAN: not computed, or there is none */
    bool lacks_vector;
};
/* Terms and vector of the question; fills what the result says of them. The index is read only for how rare words are. */
qa_status search_make_query(const struct index_port *index, struct words *words, struct arena *a, const struct search_request *request,
                            struct search_result *out, qa_error *err);
/* Finds and fuses for what search_make_query made; fills all else of `out` but its hits. At least `depth` chunks by words and as many by
 * vectors are looked at; SIZE_MAX: all that there are. */
qa_status search_rank(const struct index_port *index, struct arena *a, const struct search_request *request, size_t depth,
                      struct search_result *out, struct search_ranked **ranked, size_t *n, qa_error *err);
/* Does the question lean on the ones before it? */
bool search_is_follow_up(struct words *words, const char *question);

#endif
