/* Products of activations with the weights of a linear layer: pack once, multiply often, free. All that knows of precisions stands behind this. */
#ifndef EMBED_MATRIX_H
#define EMBED_MATRIX_H

#include "base/error.h"
#include "embed/embed.h"
#include "embed/kernels.h"

struct embed_matrix {
    const struct embed_kernels *kernels;
    enum embed_precision precision;
    size_t k, n;          /* inputs, outputs */
    void *packed;
    float *bias;          /* by output */
    float *scales;        /* int8 alone */
};

/* What a matrix is made of. */
struct embed_weights {
    size_t k, n;
    void (*row)(const void *user, size_t output, float *out);
    const void *user;
    const float *bias;    /* copied */
};

/* bf16 becomes f32 where the kernels have none. On failure *out is empty; embed_free_matrix is due in any case. */
qa_status embed_pack_matrix(const struct embed_kernels *kernels, enum embed_precision precision, const struct embed_weights *weights,
                            struct embed_matrix *out, qa_error *err);
void embed_free_matrix(struct embed_matrix *m);

/* Room for the activations of `rows` rows of up to k in any precision. */
struct embed_room {
    void *narrow;
    struct embed_bytes *meaning;
};
qa_status embed_make_room(size_t rows, size_t k, struct embed_room *out, qa_error *err);
void embed_free_room(struct embed_room *room);

/* out (rows x n) = x (rows x k) times the matrix, plus the bias; x and out without gaps and apart. */
void embed_multiply(const struct embed_matrix *m, const float *x, size_t rows, const struct embed_room *room, float *out);

/* Zeroed and aligned to EMBED_ALIGNMENT, released with free; NULL when memory is out. */
void *embed_allocate(size_t n, size_t size);

#endif
