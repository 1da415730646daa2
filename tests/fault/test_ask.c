// wrap: malloc,calloc,realloc
// A question from search to answer on the index in memory: each allocation fails in turn, once and from then on, until a run meets no failure. Accepted
// is the answer of an undisturbed run, or QA_NO_MEMORY; never a crash, a leak, or another answer.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "answer/answer.h"
#include "fake/fake_index.h"
#define SWEEP_ALLOCATING
#include "fault/sweep.h"
#include <stdlib.h>
#include <string.h>

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

struct asked {
    const struct index_port *index;
    int which;
    struct outcome clean, now;
};

static void attempt(void *user) {
    struct asked *c = user;
    sweep_arm();
    ask(c->index, c->which, &c->now);
    sweep_disarm();
    if (c->now.status == QA_OK ? strcmp(c->now.answer, c->clean.answer) != 0 : c->now.status != QA_NO_MEMORY)
        fail_msg("question %d, failure %u: %s, %s", c->which, sweep.at, c->now.err.message, c->now.answer);
    assert_true(c->now.status == QA_OK || c->now.err.message[0]);
}

static void every_allocation_of_a_question(void **state) {
    (void)state;
    struct fake_index *fake = fake_index_new();
    assert_int_equal(fake_index_add(fake, "guide", "types.md", "Instance types", NULL, guide, NULL, 0, "{}", NULL), QA_OK);
    assert_int_equal(fake_index_add(fake, "guide", "jobs.md", "Jobs", NULL, "Jobs run in a cluster.", NULL, 0, "{}", NULL), QA_OK);
    struct index_port index = fake_index_port(fake);
    for (int which = 0; which < ASKED; which++) {
        struct asked c = {.index = &index, .which = which};
        ask(&index, which, &c.clean);
        assert_int_equal(c.clean.status, QA_OK);
        assert_int_equal(c.clean.refused, which == 2);
        for (int on = 0; on < 2; on++) {
            assert_true(sweep_all(SWEEP_MEMORY, on, 1, attempt, &c) > 10);
            assert_string_equal(c.now.answer, c.clean.answer);
        }
    }
    fake_index_free(fake);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_of_a_question)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
