/* Vectors in the index file: one kind, those of the embedder that meta names (embedder, fingerprint, dimensions; absent: none yet).
 *
 * A vector is stored twice, for two ways of reading:
 *
 *   vectors         one row a vector: what it is, exactly. halves: IEEE 754 binary16, little-endian, one a dimension. key: hash of the
 *                   text it was made from, 16 bytes, big-endian hi then lo, with an index. sum: lower 64 bits of XXH3-128 over key and
 *                   halves (hash_parts). chunk: its chunk; or, negative, the number of a chunk that is gone because its document was
 *                   replaced or moved: a spare, found by its key until a commit with nothing pending takes it away
 *   vector_blocks   block b is for chunks 1024 b to 1024 b + 1023, as in chunk_blocks, and is there when one of them has a vector:
 *                   what a search reads of all vectors. valid: 128 bytes, bit i % 8 of byte i / 8 is chunk 1024 b + i. codes: for
 *                   the n chunks with a bit, in order and without gaps, n times `stride` signed bytes, then n scales (binary32,
 *                   little-endian). stride: dimensions rounded up to 32; the bytes behind the last dimension are 0. sum: the same
 *                   hash over block number (8 bytes, little-endian), valid and codes
 *
 * code = value / max * 127, rounded, max being the largest magnitude of the vector; scale = max / 127 / length, so that scale
 * times the dot product with a query's codes orders as the cosine does. Both are made from the halves, not from what was handed in:
 * the same bytes however a vector came, and `index check` can derive them.
 *
 * Rows and not blocks for the halves: a search looks at the halves of some two hundred chunks, which stand all over the index. In rows
 * that takes a new process 1.2 ms with 11,000 chunks of 384 dimensions and 1.4 ms with 100,000; with the halves of 1024 chunks in one
 * blob 8.7 and 27 ms, since SQLite follows the chain of its pages from the beginning. A row also makes putting cheap: a vector is
 * appended once, where its block of codes is written again with every commit that adds to it.
 *
 * The codes are kept in memory by the handle from the first search on, block for block; those whose sum did not change stay when
 * somebody has written. */
#ifndef STORE_VECTORS_H
#define STORE_VECTORS_H

#include "base/error.h"
#include "base/hash.h"
#include <sqlite3.h>

enum { STORE_VECTOR_CHUNKS = 1024, STORE_VECTOR_WORDS = STORE_VECTOR_CHUNKS / 64, STORE_DOT_STEP = 32 };

struct store_vector_block {
    uint32_t number, count; /* vectors in it */
    int64_t sum;
    uint64_t valid[STORE_VECTOR_WORDS];
    uint8_t *codes;         /* as stored; NULL: not read yet */
};

/* The block that is being written, spread out: place i is for chunk i of the block. */
struct store_vector_tail {
    bool held, dirty;
    uint64_t number;
    uint64_t valid[STORE_VECTOR_WORDS];
    size_t stride;  /* that codes has room for */
    int8_t *codes;
    float scales[STORE_VECTOR_CHUNKS];
};

struct store_vectors {
    struct store_vector_block *blocks; /* ascending */
    size_t n, cap;
    bool loaded;
    int64_t version;        /* of the chunk directory that they were loaded with */
    int cache_before;       /* size of SQLite's page cache while it is narrowed; else 0 */
    size_t told;            /* dimensions, by the last vector_space or use_space of this handle */
    /* between begin and commit */
    size_t dimensions;
    uint64_t count, chunks; /* in the whole index */
    struct store_vector_tail tail;
};

static inline size_t store_stride(size_t dimensions) {
    return (dimensions + STORE_DOT_STEP - 1) / STORE_DOT_STEP * STORE_DOT_STEP;
}

/* ---- Numbers: store_half.c ---- */

/* Rounds to halves, nearest, ties to even; 2 n bytes. */
void store_encode_halves(const float *v, size_t n, uint8_t *out);
/* What is no number (NaN, infinity) comes out as 65536 or more: nothing that a unit vector has. */
void store_decode_halves(const uint8_t *halves, size_t n, float *out);
double store_dot_floats(const float *a, const float *b, size_t n);
/* The length if it is one of a unit vector, .99 to 1.01; 0 for all else, NaN and infinities included. */
double store_unit_length(const float *v, size_t n);
/* n codes and zeros up to the stride; returns the scale. */
float store_quantise(const float *v, double length, size_t n, int8_t *codes);

/* ---- Dot products: store_dot.c ---- */

/* out[i] = the dot product of query and the i-th of `count` vectors of `stride` codes; a multiple of STORE_DOT_STEP, at most 8192. */
typedef void store_dot(const int16_t *query, const int8_t *codes, size_t stride, size_t count, int32_t *out);
store_dot store_dot_plain;
store_dot *store_dot_fastest(void); /* that this processor has */
/* Those for special processors, for the tests that compare them; NULL: not here. */
store_dot *store_dot_avx2(void);

/* ---- Blocks: store_vectors.c ---- */

struct store_index;
int64_t store_block_sum(uint64_t number, const uint8_t valid[STORE_VECTOR_CHUNKS / 8], const uint8_t *codes, size_t n);
void store_put_hash(struct hash128 h, uint8_t out[16]);
int64_t store_row_sum(const uint8_t key[16], const uint8_t *halves, size_t n);
/* The blocks that there are now, without their codes; needs the chunk directory. */
qa_status store_load_vector_blocks(struct store_index *s, qa_error *err);
/* Around a number of store_load_codes. */
qa_status store_narrow_cache(struct store_index *s, qa_error *err);
void store_widen_cache(struct store_index *s);
/* Reads the codes of one and verifies them. */
qa_status store_load_codes(struct store_index *s, struct store_vector_block *b, size_t dimensions, qa_error *err);
float store_get_scale(const uint8_t *p);
void store_put_scale(uint8_t *p, float x);
void store_free_vectors(struct store_vectors *v);
/* The vector in the current row of st (key, sum, halves), verified, and its length; chunk as in its table, for the message. */
qa_status store_read_vector(struct store_index *s, sqlite3_stmt *st, int64_t chunk, size_t dimensions, float *out, double *length,
                            qa_error *err);
/* *dimensions: 0 when there is no embedder yet. QA_BUSY when they are not those that vector_space told last. */
qa_status store_vector_dimensions(struct store_index *s, size_t *dimensions, qa_error *err);

/* ---- Writing: store_vectors_write.c, called by begin, commit, rollback and where a document goes ---- */

qa_status store_begin_vectors(struct store_index *s, qa_error *err);
qa_status store_commit_vectors(struct store_index *s, qa_error *err);
void store_rollback_vectors(struct store_index *s);
qa_status store_flush_vectors(struct store_index *s, qa_error *err);
/* n chunks go, and their vectors with them; these become spares when `keep`. */
qa_status store_take_out_vectors(struct store_index *s, uint64_t first, uint64_t n, bool keep, qa_error *err);

/* ---- Checking: store_vectors_check.c ---- */

qa_status store_check_vectors(struct store_index *s, qa_error *err);

#endif
