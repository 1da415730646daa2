// all-MiniLM-L6-v2 as `quaere model pull` makes it, run by our embedder, against what sentence-transformers computed in 32-bit floats
// (tests/data/minilm_reference.json, made by bench/reference/minilm_reference.py). Skipped when QUAERE_TEST_MODELS does not name the folder that
// tools/test-models prints.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "llm/llm.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_COSINE 0.9999

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

static void our_vectors_are_the_publishers(void **state) {
    (void)state;
    const char *folder = getenv("QUAERE_TEST_MODELS");
    struct arena a = {.ceiling = 4 << 20};
    struct embedder_port port = {0};
    struct embedder_text texts[64];
    static float vectors[64 * 384], alone[384];
    char path[4096], *text = NULL;
    size_t len = 0, i, tokens = 0;
    json_t *root = NULL, *row;
    qa_error err = {0};
    if (!folder || !*folder) {
        print_message("skipped: QUAERE_TEST_MODELS is not set (tools/test-models prints what to set it to)\n");
        skip();
    }
    snprintf(path, sizeof path, "%s/all-MiniLM-L6-v2.gguf", folder);
    assert_int_equal(file_read(&a, QA_SOURCE_DIR "/tests/data/minilm_reference.json", 1 << 20, &text, &len, &err), QA_OK);
    assert_int_equal(json_parse(text, len, &root, &err), QA_OK);
    const json_t *rows = json_object_get(root, "texts");
    size_t n = json_array_size(rows);
    assert_in_range(n, 12, 64);
    const struct llm_options options = {.path = path, .name = "all-MiniLM-L6-v2", .fingerprint = "test", .trusted = true};
    if (llm_open_embedder(&options, &port, &err) != QA_OK)
        fail_msg("%s", err.message);
    assert_int_equal(port.dimensions, 384);
    json_array_foreach(rows, i, row) {
        texts[i].text = json_get_string(row, "text");
        texts[i].len = strlen(texts[i].text);
    }
    /* together, so that texts of very different lengths share a batch */
    if (port.ops->embed(port.self, EMBEDDER_PASSAGE, texts, n, NULL, vectors, &err) != QA_OK)
        fail_msg("%s", err.message);
    double worst = 1;
    json_array_foreach(rows, i, row) {
        const char *name = json_get_string(row, "name");
        double together = cosine(vectors + i * 384, json_object_get(row, "vector"));
        assert_int_equal(port.ops->count_tokens(port.self, texts[i].text, texts[i].len, &tokens, &err), QA_OK);
        if ((json_int_t)tokens != json_integer_value(json_object_get(row, "tokens")))
            fail_msg("%s: %zu tokens, and sentence-transformers has %lld", name, tokens, (long long)json_integer_value(json_object_get(row, "tokens")));
        assert_int_equal(port.ops->embed(port.self, EMBEDDER_PASSAGE, &texts[i], 1, NULL, alone, &err), QA_OK);
        double by_itself = cosine(alone, json_object_get(row, "vector"));
        worst = fmin(worst, fmin(together, by_itself));
        if (!(together >= LEAST_COSINE) || !(by_itself >= LEAST_COSINE))
            fail_msg("%s: cosine %.6f in a batch, %.6f alone, and at least %g is wanted", name, together, by_itself, LEAST_COSINE);
    }
    print_message("worst cosine %.7f over %zu texts\n", worst, n);
    port.ops->close(port.self);
    json_decref(root);
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(our_vectors_are_the_publishers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
