/* Neighbours in a call, their order and the number of threads change no byte of a vector: the encoder with a tiny model. */
#include "embed/embed.h"
#include "fake/fake_encoder.h"
#include "fake/fake_tree.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { D = ENCODER_HIDDEN, MANY = 1700 /* texts: more tokens than are worked on at once; neither 7 nor 29 divides it */ };

static struct fake_tree tree;
static char file[300];

static int set_up(void **state) {
    (void)state;
    fake_tree_make(&tree);
    snprintf(file, sizeof file, "%s", fake_tree_path(&tree, "tiny.gguf"));
    fake_encoder_write(&(struct fake_encoder){0}, file);
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    fake_tree_remove(&tree);
    return 0;
}

static struct embedder_port open_with(enum embed_precision precision, size_t threads) {
    const struct embed_options o = {.path = file, .name = "tiny", .fingerprint = "print", .precision = precision, .threads = threads};
    struct embedder_port port = {0};
    qa_error err = {0};
    if (embed_open(&o, &port, &err) != QA_OK)
        fail_msg("%s", err.message);
    return port;
}
static void embed_all(const struct embedder_port *port, enum embedder_side side, const struct embedder_text *texts, size_t n, float *out) {
    qa_error err = {0};
    if (port->ops->embed(port->self, side, texts, n, NULL, out, &err) != QA_OK)
        fail_msg("%s", err.message);
}

/* 0 to 60 words: some over the context of 24 tokens. */
static char *make_texts(struct embedder_text *texts, size_t n) {
    static const char *const words[] = {"the", "key", "a", "rotate", "keys", ".", "secret", "unknown"};
    char *all = malloc(n * 60 * 8), *at = all;
    uint32_t draw = 1;
    assert_non_null(all);
    for (size_t i = 0; i < n; i++) {
        const char *begin = at;
        size_t many = i % 10 ? i % 13 : i % 61;
        for (size_t k = 0; k < many; k++) {
            draw = draw * 1664525 + 1013904223;
            at += sprintf(at, "%s ", words[draw >> 29]);
        }
        texts[i] = (struct embedder_text){begin, (size_t)(at - begin)};
    }
    return all;
}

static void neighbours_and_threads_change_no_byte(void **state) {
    (void)state;
    static struct embedder_text texts[MANY], turned[MANY];
    static float expected[MANY * D], out[MANY * D];
    static const enum embed_precision precisions[] = {EMBED_INT8, EMBED_F32};
    char *words = make_texts(texts, MANY);
    for (size_t p = 0; p < 2; p++)
        for (size_t threads = 1; threads <= 4; threads++) {
            struct embedder_port port = open_with(precisions[p], threads);
            embed_all(&port, EMBEDDER_PASSAGE, texts, MANY, threads == 1 ? expected : out);
            if (threads > 1)
                assert_memory_equal(out, expected, sizeof out);
            for (size_t i = 0; i < MANY; i++)
                turned[i] = texts[(i * 7 + threads) % MANY];
            embed_all(&port, EMBEDDER_QUERY, turned, MANY, out);
            for (size_t i = 0; i < MANY; i++)
                assert_memory_equal(out + i * D, expected + (i * 7 + threads) % MANY * D, D * sizeof *out);
            for (size_t i = 0; i < MANY; i += 29) {
                embed_all(&port, EMBEDDER_PASSAGE, texts + i, 1, out);
                assert_memory_equal(out, expected + i * D, D * sizeof *out);
            }
            port.ops->close(port.self);
        }
    free(words);
}

/* Of two embedders on one file neither needs the other. */
static void embedders_side_by_side(void **state) {
    (void)state;
    enum { FEW = 200 };
    struct embedder_text texts[FEW];
    static float a[FEW * D], b[FEW * D];
    char *words = make_texts(texts, FEW);
    struct embedder_port first = open_with(EMBED_F32, 3), second = open_with(EMBED_F32, 2);
    embed_all(&first, EMBEDDER_PASSAGE, texts, FEW, a);
    embed_all(&second, EMBEDDER_PASSAGE, texts, FEW, b);
    assert_memory_equal(a, b, sizeof a);
    first.ops->close(first.self);
    embed_all(&second, EMBEDDER_PASSAGE, texts, FEW, b);
    assert_memory_equal(a, b, sizeof a);
    second.ops->close(second.self);
    free(words);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(neighbours_and_threads_change_no_byte), cmocka_unit_test(embedders_side_by_side)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
