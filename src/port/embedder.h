/* Turns texts into vectors of unit length. src/llm/ implements it on llama.cpp, src/remote/ on an OpenAI-compatible server, the tests on hashes.
 *
 * An embedder is used by one thread at a time; it may use several itself. */
#ifndef PORT_EMBEDDER_H
#define PORT_EMBEDDER_H

#include "base/error.h"
#include "base/hash.h"
#include <stdatomic.h>
#include <string.h>

enum { EMBEDDER_MAX_DIMENSIONS = 8192, EMBEDDER_MAX_PREFIX = 1000 };

struct embedder_text {
    const char *text;
    size_t len;
};

/* Some models were trained with words before each text that say which side it is on ("query: ", "passage: "). */
enum embedder_side { EMBEDDER_PASSAGE, EMBEDDER_QUERY };
enum { EMBEDDER_SIDES = 2 };

struct embedder_prefixes {
    const char *of[EMBEDDER_SIDES]; /* NULL or "": none; at most EMBEDDER_MAX_PREFIX bytes */
};
static inline const char *embedder_prefix(const struct embedder_prefixes *p, enum embedder_side side) { return p->of[side] ? p->of[side] : ""; }
/* What they add to a fingerprint; "" when there are none. */
static inline void embedder_mark_prefixes(const struct embedder_prefixes *p, char out[24]) {
    const char *parts[EMBEDDER_SIDES];
    size_t lens[EMBEDDER_SIDES], all = 0;
    for (size_t i = 0; i < EMBEDDER_SIDES; i++) {
        parts[i] = embedder_prefix(p, (enum embedder_side)i);
        all += lens[i] = strlen(parts[i]);
    }
    out[0] = '\0';
    if (all)
        hash_id("+", hash_parts(parts, lens, EMBEDDER_SIDES), out);
}

#define EMBEDDER_LEAST_MEAN 1e-6 /* length of a sum of unit vectors from which they do not cancel each other out */

struct embedder_ops {
    /* n vectors, one after the other, of port.dimensions floats each, L2-normalised; the same text gives the same vector. A text over the model's
     * context is cut into pieces that fit and gets the mean of their vectors: nothing is dropped silently. Text without a single token the
     * model knows still gets a valid vector or an error, never NaN. n is any; the implementation makes its own batches. QA_CANCELLED within
     * about a second of *cancel (may be NULL) becoming non-zero. */
    qa_status (*embed)(void *self, enum embedder_side side, const struct embedder_text *texts, size_t n, const atomic_int *cancel, float *out,
                       qa_error *err);
    /* Tokens of a text, markers included; an estimate where the tokenizer is elsewhere. */
    qa_status (*count_tokens)(void *self, const char *text, size_t len, size_t *out, qa_error *err);
    void (*close)(void *self);
};

struct embedder_port {
    const struct embedder_ops *ops;
    void *self;
    const char *name;        /* for people and JSON: "all-MiniLM-L6-v2" */
    const char *fingerprint; /* same fingerprint, same vectors: hash of the file, or server and model, and of the prefixes; ASCII, at most 200 bytes */
    size_t dimensions;
    size_t context;          /* tokens a text may have before it is cut; 0: unknown */
    size_t at_once;          /* texts of a call that keep all its threads at work to the end; 0: a few dozen do */
};

#endif
