// all-MiniLM-L6-v2 as `quaere model pull` makes it, run by llama.cpp and by our own encoder in each precision, against what sentence-transformers computed in
// 32-bit floats (tests/data/minilm_reference.json, made by bench/reference/minilm_reference.py). Skipped when QUAERE_TEST_MODELS does not name the folder that
// tools/test-models prints.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "embed/embed.h"
#include "embed/kernels.h"
#include "llm/llm.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIMENSIONS = 384, MOST = 64 };

struct reference {
    char path[4096]; /* of the model */
    struct arena arena;
    json_t *root;
    const json_t *rows;
    struct embedder_text texts[MOST];
    size_t n;
};

static double cosine(const float *v, const json_t *reference) {
    double dot = 0, a = 0, b = 0;
    for (size_t i = 0; i < json_array_size(reference); i++) {
        double x = (double)v[i], y = json_number_value(json_array_get(reference, i));
        dot += x * y;
        a += x * x;
        b += y * y;
    }
    return dot / sqrt(a * b);
}

static void read_reference(struct reference *r) {
    const char *folder = getenv("QUAERE_TEST_MODELS");
    char *text = NULL;
    size_t len = 0, i;
    json_t *row;
    qa_error err = {0};
    *r = (struct reference){.arena.ceiling = 4 << 20};
    if (!folder || !*folder) {
        print_message("skipped: QUAERE_TEST_MODELS is not set (tools/test-models prints what to set it to)\n");
        skip();
    }
    snprintf(r->path, sizeof r->path, "%s/all-MiniLM-L6-v2.gguf", folder);
    assert_int_equal(file_read(&r->arena, QA_SOURCE_DIR "/tests/data/minilm_reference.json", 1 << 20, &text, &len, &err), QA_OK);
    assert_int_equal(json_parse(text, len, &r->root, &err), QA_OK);
    r->rows = json_object_get(r->root, "texts");
    r->n = json_array_size(r->rows);
    assert_in_range(r->n, 12, MOST);
    json_array_foreach(r->rows, i, row) {
        r->texts[i].text = json_get_string(row, "text");
        r->texts[i].len = strlen(r->texts[i].text);
    }
}

static void drop_reference(struct reference *r) {
    json_decref(r->root);
    arena_free(&r->arena);
}

/* Together, so that texts of very different lengths share a batch, and each by itself. */
static void compare(const struct reference *r, struct embedder_port *port, const char *what, double least, double least_mean) {
    static float vectors[MOST * DIMENSIONS], alone[DIMENSIONS];
    qa_error err = {0};
    size_t i, tokens = 0;
    json_t *row;
    double worst = 1, mean = 0;
    assert_int_equal(port->dimensions, DIMENSIONS);
    if (port->ops->embed(port->self, EMBEDDER_PASSAGE, r->texts, r->n, NULL, vectors, &err) != QA_OK)
        fail_msg("%s", err.message);
    json_array_foreach(r->rows, i, row) {
        const char *name = json_get_string(row, "name");
        double together = cosine(vectors + i * DIMENSIONS, json_object_get(row, "vector"));
        assert_int_equal(port->ops->count_tokens(port->self, r->texts[i].text, r->texts[i].len, &tokens, &err), QA_OK);
        if ((json_int_t)tokens != json_integer_value(json_object_get(row, "tokens")))
            fail_msg("%s, %s: %zu tokens, and sentence-transformers has %lld", what, name, tokens,
                     (long long)json_integer_value(json_object_get(row, "tokens")));
        assert_int_equal(port->ops->embed(port->self, EMBEDDER_PASSAGE, &r->texts[i], 1, NULL, alone, &err), QA_OK);
        double by_itself = cosine(alone, json_object_get(row, "vector"));
        worst = fmin(worst, fmin(together, by_itself));
        mean += together / (double)r->n;
        if (!(together >= least) || !(by_itself >= least))
            fail_msg("%s, %s: cosine %.6f in a batch, %.6f alone, and at least %g is wanted", what, name, together, by_itself, least);
    }
    if (!(mean >= least_mean))
        fail_msg("%s: mean cosine %.6f, and at least %g is wanted", what, mean, least_mean);
    print_message("%s: worst cosine %.7f, mean %.7f over %zu texts\n", what, worst, mean, r->n);
    port->ops->close(port->self);
}

static void by_llama(void **state) {
    (void)state;
    struct reference r;
    struct embedder_port port = {0};
    qa_error err = {0};
    read_reference(&r);
    const struct llm_options options = {.path = r.path, .name = "all-MiniLM-L6-v2", .fingerprint = "test", .trusted = true};
    if (llm_open_embedder(&options, &port, &err) != QA_OK)
        fail_msg("%s", err.message);
    compare(&r, &port, "llama.cpp", 0.9999, 0.9999);
    drop_reference(&r);
}

/* With all kernels that this processor can run; the plain ones, which take a minute, only where there are no others. */
static void by_our_encoder(void **state) {
    (void)state;
    static const struct {
        enum embed_precision precision;
        double least, least_mean;
    } wanted[] = {{EMBED_F32, 0.99999, 0.99999}, {EMBED_BF16, 0.999, 0.999}, {EMBED_INT8, 0.995, 0.998}};
    const struct embed_kernels *kernels[5];
    const size_t n = embed_list_kernels(kernels);
    struct reference r;
    read_reference(&r);
    for (size_t k = n > 1; k < n; k++)
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
            const struct embed_options options = {
                .path = r.path, .name = "all-MiniLM-L6-v2", .fingerprint = "test", .precision = wanted[i].precision, .kernels = kernels[k]->name};
            struct embedder_port port = {0};
            qa_error err = {0};
            if (embed_open(&options, &port, &err) != QA_OK)
                fail_msg("%s", err.message);
            compare(&r, &port, embed_describe(&port), wanted[i].least, wanted[i].least_mean);
        }
    drop_reference(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(by_llama), cmocka_unit_test(by_our_encoder)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
