// wrap: malloc,calloc,realloc
// A question from search to answer on the index in memory: each allocation fails in turn, once and from then on, until a run meets no failure. Accepted
// is the answer of an undisturbed run, or QA_NO_MEMORY; never a crash, a leak, or another answer.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "answer/answer.h"
#include "fake/fake_index.h"
#include <stdlib.h>
#include <string.h>

static bool armed, persistent, met;
static long calls, fail_at;

static bool fails(void) {
    if (!armed)
        return false;
    long n = calls++;
    bool now = persistent ? n >= fail_at : n == fail_at;
    met = met || now;
    return now;
}

void *__real_malloc(size_t n), *__real_calloc(size_t n, size_t size), *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n), *__wrap_calloc(size_t n, size_t size), *__wrap_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n) { return fails() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t n) { return fails() ? NULL : __real_realloc(p, n); }

enum { ASKED = 3 };
static const char *const questions[ASKED] = {"default instance type for CPU images?", "and for GPU?", "price of a zyzzyva"};
static const char guide[] = "The default instance type for CPU images is ml.t3.medium. It has two processors.\n\n"
                            "For GPU images the default instance type is ml.g4dn.xlarge. Prices are on another page.";

struct outcome {
    qa_status status;
    qa_error err;
    char answer[1000];
    bool refused;
};

static void ask(const struct index_port *index, int which, struct outcome *out) {
    struct arena a;
    struct search_result found;
    struct answer answer = {0};
    struct search_request r = {.question = questions[which], .earlier = questions, .n_earlier = (size_t)which, .k = 5};
    *out = (struct outcome){0};
    arena_init(&a, 64 << 20);
    struct words *words = words_new();
    out->status = words ? search_run(index, words, &a, &r, &found, &out->err) : error_no_memory(&out->err, "starting");
    if (out->status == QA_OK)
        out->status = answer_extract(words, &a, &found, &answer, &out->err);
    if (out->status == QA_OK) {
        out->refused = answer.refused;
        strncpy(out->answer, answer.text, sizeof out->answer - 1);
    }
    words_free(words);
    arena_free(&a);
}

static void sweep(void **state) {
    (void)state;
    struct fake_index *fake = fake_index_new();
    assert_int_equal(fake_index_add(fake, "guide", "types.md", "Instance types", NULL, guide, NULL, 0, "{}", NULL), QA_OK);
    assert_int_equal(fake_index_add(fake, "guide", "jobs.md", "Jobs", NULL, "Jobs run in a cluster.", NULL, 0, "{}", NULL), QA_OK);
    struct index_port index = fake_index_port(fake);
    for (int which = 0; which < ASKED; which++) {
        struct outcome clean, now;
        ask(&index, which, &clean);
        assert_int_equal(clean.status, QA_OK);
        assert_int_equal(clean.refused, which == 2);
        for (int kind = 0; kind < 2; kind++) {
            persistent = kind == 1;
            long points = 0;
            for (fail_at = 0;; fail_at++, points++) {
                calls = 0;
                met = false;
                armed = true;
                ask(&index, which, &now);
                armed = false;
                if (!met)
                    break;
                if (now.status == QA_OK ? strcmp(now.answer, clean.answer) != 0 : now.status != QA_NO_MEMORY)
                    fail_msg("question %d, failure %ld: %s, %s", which, fail_at, now.err.message, now.answer);
                assert_true(now.status == QA_OK || now.err.message[0]);
            }
            assert_true(points > 10);
            assert_string_equal(now.answer, clean.answer);
        }
    }
    fake_index_free(fake);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sweep)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
