/* From a question to ranked passages. Knows the index only through its port, and no language model. */
#ifndef SEARCH_SEARCH_H
#define SEARCH_SEARCH_H

#include "port/embedder.h"
#include "port/index.h"
#include "text/words.h"

#define SEARCH_USUAL_GAP 0.28 /* the median of 143 questions over 10,751 chunks: says nothing either way */
enum { SEARCH_TERMS_MAX = 128, SEARCH_QUESTION_MAX = 16384 };

/* A term of the question as it is searched (text/words.h) and what it weighs before idf. */
struct search_term {
    const char *norm;
    size_t len;
    enum word_kind kind;
    bool own;            /* of the question itself; else of an earlier one, or an abbreviation of a term */
    double weight;       /* multiplies idf in the ranking */
    double idf;          /* filled by the search, over all chunks of the index */
    bool known;          /* likewise: some chunk holds it; for a caller with groups, one in scope */
    const char *surface; /* as the question spells it */
};
struct search_terms {
    struct search_term *items;
    size_t n;
};

struct search_request {
    const char *question;
    const char *const *earlier; /* questions before, oldest first */
    size_t n_earlier;
    struct index_scope scope;
    size_t k;
    qa_mode mode;
    const struct embedder_port *embedder; /* the one whose vectors the index holds; NULL: by words alone */
    bool pending;                         /* some chunks have no vector yet */
    const atomic_int *cancel;             /* may be NULL */
};

struct search_hit {
    struct index_passage passage;
    double score;        /* in [0, 1] */
    double text_score;   /* raw BM25; NAN: not among the best by words */
    double vector_score; /* raw cosine; NAN: there is none */
};

struct search_result {
    const char *question;
    const char **searched; /* the question, and the earlier ones that lent it words joined with it */
    size_t n_searched;
    struct search_terms terms;
    double gap;            /* (s1 - s10) / s1 of the raw scores of the best and the tenth chunk; when there are not ten, SEARCH_USUAL_GAP */
    struct search_hit *hits; /* best first */
    size_t n_hits;
    uint64_t total_chunks;
    const float *query;    /* the vector that was searched; NULL: words alone, or there was no word to search for, and nothing is found */
    double embed_ms;       /* for the vectors of the question; 0 without */
    const char *notice;    /* something a person should know, such as an embedder that failed so that words alone were searched; NULL */
    qa_evidence evidence;  /* set by answer_judge; the search leaves QA_EVIDENCE_NONE */
};

/* QA_BAD_INPUT for an empty question, QA_TOO_LARGE for one over SEARCH_QUESTION_MAX bytes. Everything lives in the arena. */
qa_status search_run(const struct index_port *index, struct words *words, struct arena *a, const struct search_request *request,
                     struct search_result *out, qa_error *err);

/* The rank of a document in the whole order. */
struct search_place {
    bool found;
    size_t rank;          /* of its best chunk among all chunks in scope, from 1 */
    double score, text_score, vector_score; /* as in search_hit */
    struct index_passage best;
    const char **matched, **missing; /* words of the question that its best chunk holds, or not */
    size_t n_matched, n_missing;
};
qa_status search_find_document(const struct index_port *index, struct words *words, struct arena *a,
                               const struct search_request *request, uint64_t document, struct search_place *out, qa_error *err);

#endif
