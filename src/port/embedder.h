/* Turns texts into vectors of unit length. src/llm/ implements it on llama.cpp, src/remote/ on an OpenAI-compatible server, the tests on hashes.
 *
 * An embedder is used by one thread at a time; it may use several itself. */
#ifndef PORT_EMBEDDER_H
#define PORT_EMBEDDER_H

#include "base/error.h"
#include <stdatomic.h>

enum { EMBEDDER_MAX_DIMENSIONS = 8192 };

struct embedder_text {
    const char *text;
    size_t len;
};

/* Some models want to know which side a text is on ("query: ", "passage: "); the others ignore it. */
enum embedder_side { EMBEDDER_PASSAGE, EMBEDDER_QUERY };

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
    const char *fingerprint; /* same fingerprint, same vectors: hash of the file, or server and model; ASCII, at most 200 bytes */
    size_t dimensions;
    size_t context;          /* tokens a text may have before it is cut; 0: unknown */
};

#endif
