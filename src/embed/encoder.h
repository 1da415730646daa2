/* Shared by the files of src/embed/: the weights of a BERT encoder, and running it. */
#ifndef EMBED_ENCODER_H
#define EMBED_ENCODER_H

#include "embed/matrix.h"
#include "model/gguf.h"

enum {
    ENCODER_MAX_LAYERS = 96,
    ENCODER_MAX_HIDDEN = EMBEDDER_MAX_DIMENSIONS,
    ENCODER_MAX_INNER = 4 * EMBEDDER_MAX_DIMENSIONS,
    ENCODER_MAX_POSITIONS = 32768,
};

struct encoder_norm {
    float *gamma, *beta;
};
struct encoder_layer {
    struct embed_matrix qkv, out, up, down; /* query, key and value are one product; the query's part is divided by sqrt(head size) */
    struct encoder_norm after_attention, after_feed_forward;
};
struct encoder {
    const struct embed_kernels *kernels;
    struct model_gguf *gguf;
    size_t hidden, heads, inner, positions, vocabulary, n_layers;
    bool cls;                           /* the vector is the first token's, else the mean */
    float epsilon;
    const struct model_gguf_tensor *tokens; /* f32 or f16, read as they stand in the file */
    float *places;                      /* position plus the first token type, by position */
    struct encoder_norm first;
    struct encoder_layer *layers;
};

/* Takes the file over, also on failure. */
qa_status encoder_load(struct model_gguf *gguf, const struct embed_kernels *kernels, enum embed_precision precision, struct encoder *out, qa_error *err);
void encoder_free(struct encoder *e);

/* What one thread needs to run blocks of up to `rows` tokens. */
struct encoder_room {
    size_t rows;
    float *x, *wide, *narrow;           /* by row: hidden; the wider of 3 hidden and inner; hidden */
    float *keys, *values, *scores;      /* of one head of one text */
    struct embed_room products;
};
qa_status encoder_make_room(const struct encoder *e, size_t rows, struct encoder_room *out, qa_error *err);
void encoder_free_room(struct encoder_room *room);

struct encoder_text {
    const int32_t *ids;                 /* with markers; each below the vocabulary */
    size_t n;                           /* from 1 to the positions */
    float *out;                         /* hidden floats, pooled, not normalised */
};
/* The texts' tokens together are at most the room's rows. */
void encoder_run(const struct encoder *e, struct encoder_room *room, const struct encoder_text *texts, size_t n);

#endif
