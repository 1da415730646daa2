/* The head is built in memory (a vocabulary is the most of it); the data goes to the file as it is made, so a model of any size needs little memory. */
#include "model/gguf.h"
#include <string.h>

enum { MAX_HEAD = 256 << 20, ALIGNMENT = 32, VERSION = 3 };

static void put_le(struct buf *b, uint64_t v, size_t n) {
    uint8_t bytes[8];
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(v >> 8 * i);
    buf_put(b, bytes, n);
}

static void put_text(struct buf *b, const char *bytes, size_t len) {
    put_le(b, len, 8);
    buf_put(b, bytes, len);
}

static void put_key(struct model_gguf_writer *w, const char *key, enum model_gguf_type type) {
    put_text(&w->entries, key, strlen(key));
    put_le(&w->entries, type, 4);
    w->n_entries++;
}

void model_gguf_begin(struct model_gguf_writer *w) {
    *w = (struct model_gguf_writer){0};
    buf_init(&w->entries, MAX_HEAD);
    buf_init(&w->tensors, MAX_HEAD);
}

void model_gguf_put_uint(struct model_gguf_writer *w, const char *key, uint32_t v) {
    put_key(w, key, GGUF_U32);
    put_le(&w->entries, v, 4);
}
void model_gguf_put_float(struct model_gguf_writer *w, const char *key, float v) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_key(w, key, GGUF_F32);
    put_le(&w->entries, bits, 4);
}
void model_gguf_put_bool(struct model_gguf_writer *w, const char *key, bool v) {
    put_key(w, key, GGUF_BOOL);
    put_le(&w->entries, v, 1);
}
void model_gguf_put_string(struct model_gguf_writer *w, const char *key, const char *v) {
    put_key(w, key, GGUF_STRING);
    put_text(&w->entries, v, strlen(v));
}
void model_gguf_put_array(struct model_gguf_writer *w, const char *key, enum model_gguf_type item, uint64_t n) {
    put_key(w, key, GGUF_ARRAY);
    put_le(&w->entries, item, 4);
    put_le(&w->entries, n, 8);
}
void model_gguf_put_item(struct model_gguf_writer *w, const char *bytes, size_t len) { put_text(&w->entries, bytes, len); }
void model_gguf_put_int(struct model_gguf_writer *w, int32_t v) { put_le(&w->entries, (uint32_t)v, 4); }

size_t model_gguf_padding(uint64_t size) { return (size_t)((ALIGNMENT - size % ALIGNMENT) % ALIGNMENT); }

void model_gguf_put_tensor(struct model_gguf_writer *w, const char *name, uint32_t type, unsigned n_dims, const uint64_t *shape, uint64_t size) {
    put_text(&w->tensors, name, strlen(name));
    put_le(&w->tensors, n_dims, 4);
    for (unsigned i = 0; i < n_dims; i++)
        put_le(&w->tensors, shape[i], 8);
    put_le(&w->tensors, type, 4);
    put_le(&w->tensors, w->data_size, 8);
    w->data_size += size + model_gguf_padding(size);
    w->n_tensors++;
}

qa_status model_gguf_write_head(const struct model_gguf_writer *w, struct buf *out, qa_error *err) {
    static const char zeros[ALIGNMENT];
    qa_status status = buf_error(&w->entries, err, "the metadata of a GGUF");
    if (status == QA_OK)
        status = buf_error(&w->tensors, err, "the tensors of a GGUF");
    if (status != QA_OK)
        return status;
    buf_put(out, "GGUF", 4);
    put_le(out, VERSION, 4);
    put_le(out, w->n_tensors, 8);
    put_le(out, w->n_entries, 8);
    buf_put(out, w->entries.data, w->entries.len);
    buf_put(out, w->tensors.data, w->tensors.len);
    buf_put(out, zeros, model_gguf_padding(out->len));
    return buf_error(out, err, "the head of a GGUF");
}

void model_gguf_end(struct model_gguf_writer *w) {
    buf_free(&w->entries);
    buf_free(&w->tensors);
}
