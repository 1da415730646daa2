// Any bytes as a GGUF: what the reader takes, lies in the file to the last byte, and is found by its name; what it refuses, it explains.
#include "model/gguf.h"
#include <stdlib.h>
#include <string.h>

static volatile uint8_t sink;

static void touch(const uint8_t *p, uint64_t n) {
    if (n)
        sink = (uint8_t)(p[0] ^ p[n / 2] ^ p[n - 1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct model_gguf *g = NULL;
    qa_error err = {0};
    if (model_gguf_parse("fuzz.gguf", data, size, &g, &err) != QA_OK) {
        if (!err.message[0] || g)
            abort();
        return 0;
    }
    for (size_t i = 0; i < g->n_entries; i++) {
        const struct model_gguf_entry *e = &g->entries[i];
        uint64_t u, n = 0;
        double f;
        bool b;
        const char *text;
        size_t len;
        const uint8_t *at = NULL;
        if (model_gguf_find(g, e->key) != e)
            abort();
        touch(e->bytes, e->size);
        model_gguf_get_uint(g, e->key, &u);
        model_gguf_get_float(g, e->key, &f);
        model_gguf_get_bool(g, e->key, &b);
        if (model_gguf_get_string(g, e->key, &text, &len))
            touch((const uint8_t *)text, len);
        for (; model_gguf_next_string(e, &at, &text, &len); n++)
            touch((const uint8_t *)text, len);
        if (e->type == GGUF_ARRAY && e->item == GGUF_STRING && n != e->n)
            abort();
    }
    for (size_t i = 0; i < g->n_tensors; i++) {
        const struct model_gguf_tensor *t = &g->tensors[i];
        if (model_gguf_find_tensor(g, t->name) != t || !t->size || t->data < data || t->data + t->size > data + size ||
            (size_t)(t->data - data) % g->alignment != 0)
            abort();
        touch(t->data, t->size);
    }
    model_gguf_close(g);
    return 0;
}
