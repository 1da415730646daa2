/* Embedder and generator behind an OpenAI-compatible server (chat completions streamed, embeddings). */
#ifndef REMOTE_REMOTE_H
#define REMOTE_REMOTE_H

#include "port/embedder.h"
#include "port/generator.h"

struct remote_options {
    const char *url;         /* base, with the version: "http://127.0.0.1:8080/v1" */
    const char *model;
    const char *key;         /* NULL: none; sent as a bearer token, never logged, never in a message */
    size_t context;          /* as configured; 0: unknown */
    size_t dimensions;       /* of an embedder as configured; 0: asked with one short text on opening */
    unsigned retries;        /* attempts at most; 0: 4 */
    struct embedder_prefixes prefixes; /* of an embedder */
    /* 0: 10 min for all attempts together; half of that without a byte, since a server is silent while it reads a prompt or makes all vectors of a request; 10 s
     * or that half for a connection. */
    unsigned total_ms, idle_ms, connect_ms;
    const atomic_int *cancel; /* of the opening; may be NULL */
};
qa_status remote_open_embedder(const struct remote_options *options, struct embedder_port *out, qa_error *err);
qa_status remote_open_generator(const struct remote_options *options, struct generator_port *out, qa_error *err);

#endif
