// wrap: malloc,calloc,realloc,strdup,reallocarray,strndup,aligned_alloc,pthread_create
// Each allocation of opening an encoder and of embedding with it fails once, or from then on, and each thread that it starts; until a run meets no
// failure. It gives the right vectors, with fewer threads if need be, or says QA_NO_MEMORY; and the same embedder then works.
#include "embed/embed.h"
#include "fake/fake_encoder.h"
#include "fake/fake_tree.h"
#define SWEEP_ALLOCATING
#define SWEEP_ALLOCATING_MORE
#include "fault/sweep.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

SWEEP_WRAP(void *, aligned_alloc, (size_t alignment, size_t n), (alignment, n), SWEEP_MEMORY, ENOMEM, NULL)
SWEEP_WRAP(int, pthread_create, (pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *), void *arg), (thread, how, run, arg), SWEEP_SYSTEM, EAGAIN,
           EAGAIN)

enum { TEXTS = 120, WORDS = 30 /* more tokens than one thread is given at a time, and a text in pieces */ };

struct story {
    struct embed_options options;
    struct embedder_text texts[TEXTS];
    float expected[TEXTS * ENCODER_HIDDEN], out[TEXTS * ENCODER_HIDDEN];
    unsigned refused, fewer; /* attempts that did not open; that met a failure and had vectors nevertheless */
};

static void attempt(void *user) {
    struct story *s = user;
    struct embedder_port port = {0};
    qa_error err = {0};
    sweep_arm();
    qa_status status = embed_open(&s->options, &port, &err);
    if (status == QA_OK)
        status = port.ops->embed(port.self, EMBEDDER_PASSAGE, s->texts, TEXTS, NULL, s->out, &err);
    bool met = sweep_disarm();
    if (status != QA_OK && (status != QA_NO_MEMORY || !met || !err.message[0]))
        fail_msg("%s %u: %s: %s", sweep_name(), sweep.at, qa_status_name(status), err.message);
    if (status == QA_OK)
        assert_memory_equal(s->out, s->expected, sizeof s->out);
    s->refused += !port.ops;
    s->fewer += met && status == QA_OK;
    if (!port.ops)
        return;
    assert_int_equal(port.ops->embed(port.self, EMBEDDER_PASSAGE, s->texts, TEXTS, NULL, s->out, &err), QA_OK);
    assert_memory_equal(s->out, s->expected, sizeof s->out);
    port.ops->close(port.self);
}

static void opening_and_embedding(void **state) {
    (void)state;
    static char words[WORDS * 4 + 1];
    static const struct {
        enum sweep_kind kind;
        bool on;
        enum embed_precision precision;
        unsigned points;
    } rows[] = {{SWEEP_MEMORY, false, EMBED_INT8, 60}, {SWEEP_MEMORY, true, EMBED_INT8, 60}, {SWEEP_MEMORY, false, EMBED_F32, 60},
              {SWEEP_SYSTEM, false, EMBED_F32, 2}};
    struct fake_tree tree;
    char path[300];
    fake_tree_make(&tree);
    snprintf(path, sizeof path, "%s", fake_tree_path(&tree, "tiny.gguf"));
    fake_encoder_write(&(struct fake_encoder){.half = true}, path);
    for (size_t i = 0; i < WORDS; i++)
        memcpy(words + 4 * i, i % 3 ? "key " : "the ", 5);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static struct story s;
        struct embedder_port port = {0};
        s = (struct story){.options = {.path = path, .name = "tiny", .fingerprint = "print", .threads = 3, .precision = rows[i].precision}};
        for (size_t t = 0; t < TEXTS; t++)
            s.texts[t] = (struct embedder_text){words, 4 * (1 + t % WORDS)};
        assert_int_equal(embed_open(&s.options, &port, NULL), QA_OK);
        assert_int_equal(port.ops->embed(port.self, EMBEDDER_PASSAGE, s.texts, TEXTS, NULL, s.expected, NULL), QA_OK);
        port.ops->close(port.self);
        assert_in_range(sweep_all(rows[i].kind, rows[i].on, 1, attempt, &s), rows[i].points, 10000);
        assert_true(s.fewer > 0);
        assert_true((s.refused > 0) == (rows[i].kind == SWEEP_MEMORY));
    }
    fake_tree_remove(&tree);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(opening_and_embedding)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
