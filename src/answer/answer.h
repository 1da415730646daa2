/* From ranked passages to an answer whose every sentence can be checked. */
#ifndef ANSWER_ANSWER_H
#define ANSWER_ANSWER_H

#include "port/generator.h"
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
    bool generated;           /* written by a language model; else verbatim */
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
qa_status answer_extract(struct words *words, struct arena *a, struct search_result *found, struct answer *out,
                         qa_error *err);

/* ---- With a language model ---- */

struct answer_turn {     /* of the conversation so far */
    const char *question;
    const char *answer;  /* NULL: none, or a refusal */
};
struct answer_generation {
    struct generator_port generator;
    const struct answer_turn *turns; /* oldest first */
    size_t n_turns;
    const atomic_int *cancel;
    void (*on_token)(void *user, const char *text, size_t len);  /* as the model writes it; may be NULL */
    void (*on_wait)(void *user, const char *why); /* as generator_request.waiting */
    /* A checked sentence; `text` goes from where the one before ended in the answer to s->end, white space between them
     * included. May be NULL. */
    void (*on_sentence)(void *user, const char *text, const struct answer_sentence *s);
    void *user;
    /* Filled: */
    struct generator_result result;
    const char *end;         /* done, full (of max_tokens), enough (astray, or said again), looped, cancelled, failed */
    size_t max_tokens;       /* of the answer, as asked for */
    uint32_t seed;
    const struct generator_message *messages; /* what the model was given */
    size_t n_messages;
    size_t dropped_turns;    /* earlier turns that did not fit its budget */
    bool stopped;            /* cancelled while it wrote: the answer holds what was released until then */
    bool discarded;          /* nothing of what the model wrote stands in the passages: the extractive answer stands */
    const char *notice;      /* for a person: why the extractive answer stands or the written one ends early; NULL */
};
/* Writes an answer from the passages of found, whose evidence is judged and not none. `out` holds the extractive answer
 * when it comes in; it is replaced by what the model wrote as far as the passages support it, sentence by sentence, and
 * stays when the model fails or nothing of what it wrote is supported. QA_CANCELLED only when nothing had been released. */
qa_status answer_generate(struct words *words, struct arena *a, const struct search_result *found,
                          struct answer_generation *g, struct answer *out, qa_error *err);

#endif
