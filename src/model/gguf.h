/* GGUF, the one format of model files: a bounded reader and a writer.
 *
 * The layout, all numbers little-endian:
 *     "GGUF", u32 version (3, or 2), u64 tensors, u64 entries
 *     entries of metadata: string key, u32 type, value. A string is a u64 length and that many bytes; a bool is one byte; an array is a u32 item
 *         type, a u64 count, the items (arrays of arrays are refused, as llama.cpp does)
 *     tensors: string name, u32 dimensions, u64 each (the innermost first), u32 type, u64 offset within the data
 *     zeros up to the alignment (u32 entry general.alignment, else 32), then the data, each tensor aligned likewise, in the order listed
 *
 * Everything the reader hands out has been checked against the size of the file, so that whoever reads on (an encoder) need not. It maps the file:
 * somebody who cuts it short meanwhile ends the process with SIGBUS, as with any mapped model. */
#ifndef MODEL_GGUF_H
#define MODEL_GGUF_H

#include "base/arena.h"
#include "base/buf.h"

enum {
    GGUF_MAX_ENTRIES = 65536,
    GGUF_MAX_TENSORS = 65536,
    GGUF_MAX_KEY = 1024,         /* bytes */
    GGUF_MAX_TENSOR_NAME = 63,   /* llama.cpp's limit */
    GGUF_MAX_STRING = 16 << 20,  /* a value: chat templates are some 10 KB */
    GGUF_MAX_DIMENSIONS = 4,
    GGUF_MAX_ALIGNMENT = 1 << 20
};

enum model_gguf_type {           /* the format's own numbers */
    GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_F32, GGUF_BOOL, GGUF_STRING, GGUF_ARRAY, GGUF_U64, GGUF_I64, GGUF_F64,
    GGUF_TYPE_COUNT_
};
enum { MODEL_TENSOR_F32 = 0, MODEL_TENSOR_F16 = 1, MODEL_TENSOR_Q8_0 = 8, MODEL_TENSOR_BF16 = 30 }; /* of ggml's types, those used by name */

struct model_gguf_entry {
    const char *key;
    enum model_gguf_type type, item; /* item: of an array's items, else as type */
    uint64_t n;                      /* items; 1 when it is no array */
    const uint8_t *bytes;            /* the value as it stands in the file, unaligned; of a string: its characters */
    uint64_t size;                   /* of these bytes */
};
struct model_gguf_tensor {
    const char *name;
    unsigned n_dims;
    uint64_t shape[GGUF_MAX_DIMENSIONS]; /* innermost first, the rest 1 */
    uint64_t elements;
    uint32_t type;
    const char *type_name;               /* "Q4_K" */
    const uint8_t *data;
    uint64_t size;
};
struct model_gguf {
    const char *file;                    /* for messages */
    uint32_t version, alignment;
    const struct model_gguf_entry *entries;   /* in the file's order */
    size_t n_entries;
    const struct model_gguf_tensor *tensors;
    size_t n_tensors;
    const uint8_t *bytes;
    uint64_t size;
    /* the reader's own */
    const struct model_gguf_entry **by_key;   /* sorted */
    const struct model_gguf_tensor **by_name;
    bool mapped;
    struct arena arena;
};

/* QA_NOT_FOUND, QA_IO; QA_CORRUPT: no GGUF, cut short or contradictory, with the file, what and both values; QA_TOO_LARGE: over a limit above;
 * QA_BAD_VERSION. Release with model_gguf_close (NULL is fine). */
qa_status model_gguf_open(const char *path, struct model_gguf **out, qa_error *err);
/* The same from memory that stays the caller's and must outlive *out. */
qa_status model_gguf_parse(const char *file, const void *bytes, size_t size, struct model_gguf **out, qa_error *err);
void model_gguf_close(struct model_gguf *g);

const struct model_gguf_entry *model_gguf_find(const struct model_gguf *g, const char *key);      /* NULL: none */
const struct model_gguf_tensor *model_gguf_find_tensor(const struct model_gguf *g, const char *name);
/* Values by key; false when it is not there or of another kind (uint: any whole number that is not negative; float: F32 or F64). */
bool model_gguf_get_uint(const struct model_gguf *g, const char *key, uint64_t *out);
bool model_gguf_get_float(const struct model_gguf *g, const char *key, double *out);
bool model_gguf_get_bool(const struct model_gguf *g, const char *key, bool *out);
bool model_gguf_get_string(const struct model_gguf *g, const char *key, const char **out, size_t *len); /* not NUL-terminated */
/* Items of an array of strings one after the other: *at begins as NULL, false after the last one. */
bool model_gguf_next_string(const struct model_gguf_entry *array, const uint8_t **at, const char **out, size_t *len);

/* Size in bytes of `elements` of a tensor type in rows of `row`; false: unknown type, a row that is no whole number of blocks, overflow. */
bool model_tensor_size(uint32_t type, uint64_t row, uint64_t elements, uint64_t *out);
const char *model_tensor_type_name(uint32_t type); /* NULL: unknown */

/* ---- Writing: metadata and tensors are described first, then the data follows in the same order. The same calls give the same bytes. ---- */

struct model_gguf_writer {
    struct buf entries, tensors;
    uint64_t n_entries, n_tensors, data_size; /* data_size: of the tensors described so far, padded */
};
void model_gguf_begin(struct model_gguf_writer *w);
void model_gguf_put_uint(struct model_gguf_writer *w, const char *key, uint32_t v);
void model_gguf_put_float(struct model_gguf_writer *w, const char *key, float v);
void model_gguf_put_bool(struct model_gguf_writer *w, const char *key, bool v);
void model_gguf_put_string(struct model_gguf_writer *w, const char *key, const char *v);
/* An array; then n calls of model_gguf_put_item (strings) or model_gguf_put_int (I32). */
void model_gguf_put_array(struct model_gguf_writer *w, const char *key, enum model_gguf_type item, uint64_t n);
void model_gguf_put_item(struct model_gguf_writer *w, const char *bytes, size_t len);
void model_gguf_put_int(struct model_gguf_writer *w, int32_t v);
void model_gguf_put_tensor(struct model_gguf_writer *w, const char *name, uint32_t type, unsigned n_dims, const uint64_t *shape, uint64_t size);
/* The bytes that come before the data, into `out` (begun by the caller). The data of each tensor is followed by model_gguf_padding(size) zeros. */
qa_status model_gguf_write_head(const struct model_gguf_writer *w, struct buf *out, qa_error *err);
size_t model_gguf_padding(uint64_t size);
void model_gguf_end(struct model_gguf_writer *w);

#endif
