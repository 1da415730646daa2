/* An embedder for the BERT family of our own: all-MiniLM-L6 and L12, bge, e5, gte and their like, from the GGUF that `quaere model import` and llama.cpp's
 * converter write. Everything else goes through src/llm/. docs/encoder.md has the layout, the figures, and what was tried and dropped.
 *
 * The same text gives the same bytes, whatever its neighbours in a batch and the number of threads, on one kind of processor. */
#ifndef EMBED_EMBED_H
#define EMBED_EMBED_H

#include "port/embedder.h"

enum embed_precision {
    EMBED_INT8,           /* products of bytes: the fastest, and the least memory */
    EMBED_BF16,           /* products of 16-bit floats where the processor has them, else as EMBED_F32 */
    EMBED_F32             /* the reference */
};

struct embed_options {
    const char *path;
    const char *name;                  /* for people */
    const char *fingerprint;           /* of the file; the prefixes are added */
    struct embedder_prefixes prefixes;
    size_t context;          /* tokens a text may have before it is cut into pieces; 0: as the file says */
    size_t threads;          /* 0: one for each processor */
    enum embed_precision precision;
    const char *kernels;     /* "plain", "avx2" ... for tests and benches; NULL: the best there is */
};

/* Strings are copied. QA_UNSUPPORTED: a model of another family, or weights of a type that only llama.cpp reads; QA_CORRUPT names the tensor and both
 * shapes; QA_NOT_FOUND, QA_IO, QA_NO_MEMORY. */
qa_status embed_open(const struct embed_options *options, struct embedder_port *out, qa_error *err);

/* What runs, for people: "int8, vnni". */
const char *embed_describe(const struct embedder_port *port);

#endif
