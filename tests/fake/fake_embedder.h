/* An embedder port of hashes: every word sets a few of the dimensions, so that texts with words in common are near each other, and the same
 * text gives the same vector anywhere. Counts what it was asked, and fails or is stopped where a test says so.
 *
 * One thread at a time; allocates nothing. */
#ifndef FAKE_EMBEDDER_H
#define FAKE_EMBEDDER_H

#include "port/embedder.h"

enum { FAKE_DIMENSIONS = 48 };

struct fake_embedder {
    const char *name, *fingerprint; /* NULL: "fake", "hash:fake" */
    size_t dimensions;              /* 0: FAKE_DIMENSIONS */
    size_t at_once;                 /* of the port */
    unsigned calls;                 /* of embed */
    size_t texts, queries;          /* that got a vector: all of them, and those on the side of the question */
    unsigned fail_at;               /* this call of embed fails, counted from 1; 0: none does */
    qa_status fail_with;            /* QA_OK: QA_REMOTE */
    atomic_int *stop;               /* set when `stop_after` texts in all have their vectors, as somebody does who has waited enough */
    size_t stop_after;
    void (*seen)(void *user, enum embedder_side side, const char *text, size_t len); /* each text; may be NULL */
    void *user;
};
/* The port lives as long as *f, which the caller has set. */
struct embedder_port fake_embedder_port(struct fake_embedder *f);
/* The vector of one text, on either side. */
void fake_embedder_vector(const struct fake_embedder *f, const char *text, size_t len, float *out);

#endif
