/* From ranked passages to an answer whose every sentence can be checked. */
#ifndef ANSWER_ANSWER_H
#define ANSWER_ANSWER_H

#include "search/search.h"

struct answer_sentence {
    size_t start, end;   /* bytes of answer->text, marker included */
    qa_support support;
    size_t *citations;   /* ranks of passages */
    size_t n_citations;
};
struct answer_citation {
    size_t rank;         /* of its passage among the hits, from 1; the number in the marker */
    uint64_t start, end; /* bytes of the document */
    const char *quote;   /* these bytes */
    size_t quote_len;
    const char *quote_plain;
};
struct answer {
    const char *text;
    const char *short_answer; /* NULL: none is plain */
    bool refused;
    const char *reason;       /* why, for a person; NULL when not refused */
    struct answer_sentence *sentences;
    size_t n_sentences;
    struct answer_citation *citations;
    size_t n_citations;
};

/* How well the passages bear on the question: sets found->evidence. The rule and what it was measured on stand in
 * evidence.c. */
qa_status answer_judge(struct words *words, struct arena *a, struct search_result *found, qa_error *err);

/* Judges, then chooses up to three units (sentences, list items, table rows, lines of code) of the first five hits and
 * puts them together, verbatim. A refusal when the evidence is none. Everything lives in the arena; the hits must too. */
qa_status answer_extract(struct words *words, struct arena *a, struct search_result *found, struct answer *out, qa_error *err);

#endif
