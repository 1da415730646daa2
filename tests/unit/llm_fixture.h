// Models for the tests of src/llm/: the real ones of tools/test-models, and copies of SmolLM2 with a patched head and no weights. Such a copy is a sparse file
// of its full size: llama.cpp loads it, all scores come out as 0, and the likeliest token is number 0.
#ifndef TESTS_LLM_FIXTURE_H
#define TESTS_LLM_FIXTURE_H

#include "fake/fake_tree.h"
#include "llm/llm.h"
#include "model/gguf.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define GENERATOR_FILE "smollm2-135m-instruct.gguf"
#define EMBEDDER_FILE "all-MiniLM-L6-v2.gguf"

// NULL: not here. tools/test fetches them and sets the variable.
static inline const char *model_file(const char *name) {
    static char path[2][4096];
    static unsigned turn;
    char *out = path[turn++ % 2];
    const char *folder = getenv("QUAERE_TEST_MODELS");
    if (!folder)
        return NULL;
    snprintf(out, sizeof path[0], "%s/%s", folder, name);
    return access(out, R_OK) == 0 ? out : NULL;
}

#define NEED_MODEL(name)                                                                                \
    do {                                                                                                \
        if (!model_file(name)) {                                                                        \
            print_message("skipped: no %s in QUAERE_TEST_MODELS (tools/test-models prints it)\n", name);    \
            skip();                                                                                     \
        }                                                                                               \
    } while (0)

static inline struct llm_options options_for(const char *path, bool trusted) {
    return (struct llm_options){.path = path, .name = "the-model", .fingerprint = "f1", .trusted = trusted, .threads = 2, .context = 512};
}

// A sparse copy of SmolLM2 without weights.
struct hollow {
    struct fake_tree tree;
    char path[512];
    int fd;
    struct model_gguf *g;
};

static inline void hollow_make(struct hollow *h) {
    qa_error err = {0};
    fake_tree_make(&h->tree);
    snprintf(h->path, sizeof h->path, "%s/hollow.gguf", h->tree.root);
    assert_int_equal(model_gguf_open(model_file(GENERATOR_FILE), &h->g, &err), QA_OK);
    h->fd = open(h->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(h->fd >= 0);
    size_t head = (size_t)(h->g->tensors[0].data - h->g->bytes);
    assert_int_equal(pwrite(h->fd, h->g->bytes, head, 0), head);
    assert_int_equal(ftruncate(h->fd, (off_t)h->g->size), 0);
}

static inline void hollow_remove(struct hollow *h) {
    close(h->fd);
    model_gguf_close(h->g);
    fake_tree_remove(&h->tree);
}

// Writes bytes where those stand in the original that `at` points to.
static inline void hollow_patch(struct hollow *h, const void *at, const void *bytes, size_t n) {
    assert_int_equal(pwrite(h->fd, bytes, n, (const uint8_t *)at - h->g->bytes), n);
}

static inline void hollow_patch_u32(struct hollow *h, const char *key, uint32_t v) {
    const struct model_gguf_entry *entry = model_gguf_find(h->g, key);
    assert_non_null(entry);
    hollow_patch(h, entry->bytes, &v, sizeof v);
}

// Gives token 0 another text of the same 13 bytes, and makes it a normal token.
static inline void hollow_patch_first_token(struct hollow *h, const char *text) {
    const struct model_gguf_entry *tokens = model_gguf_find(h->g, "tokenizer.ggml.tokens"), *types = model_gguf_find(h->g, "tokenizer.ggml.token_type");
    const uint8_t *at = NULL;
    const char *old;
    size_t len = 0;
    assert_true(tokens && types && model_gguf_next_string(tokens, &at, &old, &len));
    assert_int_equal(len, strlen(text));
    hollow_patch(h, old, text, len);
    hollow_patch(h, types->bytes, &(int32_t){1}, sizeof(int32_t));
}

#endif
