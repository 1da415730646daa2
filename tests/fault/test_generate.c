// wrap: malloc,calloc,realloc,strdup,reallocarray,strndup
// An answer written by a model, from passages made by hand: each allocation fails in turn, once and from then on, until a run meets no failure. Accepted is the answer
// of an undisturbed run, or QA_NO_MEMORY; never a crash, a leak, another answer, or a sentence told that is none of that answer.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake/fake_generator.h"
#include "unit/answer_fixture.h"
#define SWEEP_ALLOCATING
#define SWEEP_ALLOCATING_MORE
#include "fault/sweep.h"

static const struct answer_turn turns[] = {{"what is a URL?", "An address. [1]"}, {"and a session?", NULL}};

/* What is written stands, and the best unit is added; the model fails; it is on a wrong track. */
static const char *const written[] = {"To open the notebook:\n- Choose Open in ", "the console [1].\n- Cats sleep.\n", "Select the `ml.t3.medium` instance type. ", NULL};
static const char *const astray[] = {"Cats sleep all day long. ", "Dogs bark. ", NULL};

struct script {
    struct fixture f;
    const char *const *pieces;
    unsigned fail_at;
    char clean[2000], told[2000];
    bool generated;
};

static void on_sentence(void *user, const char *text, const struct answer_sentence *s) {
    struct script *c = user;
    (void)s;
    strcat(c->told, text);
}

static qa_status run(struct script *c, char *text, bool *generated, qa_error *err) {
    struct fake_generator fake = {.pieces = c->pieces, .fail_at = c->fail_at};
    struct answer_generation g = {.generator = fake_generator_port(&fake), .turns = turns, .n_turns = 2, .on_sentence = on_sentence, .user = c};
    struct answer answer = {0};
    struct arena a;
    arena_init(&a, 64 << 20);
    c->told[0] = '\0';
    sweep_arm();
    qa_status status = answer_extract(c->f.words, &a, &c->f.found, &answer, err);
    if (status == QA_OK)
        status = answer_generate(c->f.words, &a, &c->f.found, &g, &answer, err);
    sweep_disarm();
    *generated = answer.generated;
    text[0] = '\0';
    if (status == QA_OK)
        sprintf(text, "%s\n%s", answer.text, g.notice ? g.notice : "");
    arena_free(&a);
    fake_generator_free(&fake);
    return status;
}

static void attempt(void *user) {
    struct script *c = user;
    char text[2000];
    bool generated;
    qa_error err = {0};
    qa_status status = run(c, text, &generated, &err);
    if (status == QA_OK ? strcmp(text, c->clean) != 0 || generated != c->generated : status != QA_NO_MEMORY || !err.message[0])
        fail_msg("allocation %u: %s (%s): %s\nnot %s", sweep.at, qa_status_name(status), err.message, text, c->clean);
    if (strncmp(c->told, c->clean, strlen(c->told)) != 0)
        fail_msg("allocation %u told: %s", sweep.at, c->told);
}

static void everywhere(const char *const *pieces, unsigned fail_at, bool generated) {
    struct script c = {.pieces = pieces, .fail_at = fail_at};
    struct fixture *f = &c.f;
    fixture_begin(f);
    fixture_passage(f);
    fixture_block(f, UNIT_PARAGRAPH, "To open the notebook:");
    fixture_block(f, UNIT_ITEM, "- Choose Open in the console.");
    fixture_block(f, UNIT_ITEM, "- Select the `ml.t3.medium` instance type.");
    fixture_block(f, UNIT_PARAGRAPH, "A notebook that was opened stays open for twelve hours at most.");
    fixture_close(f, "Notebooks", 1);
    fixture_ask(f, "how long does an opened notebook stay open?", NULL);
    sweep.at = 0;
    qa_error err = {0};
    if (run(&c, c.clean, &c.generated, &err) != QA_OK)
        fail_msg("%s", err.message);
    assert_int_equal(c.generated, generated);
    for (int on = 0; on < 2; on++)
        assert_true(sweep_all(SWEEP_MEMORY, on, 1, attempt, &c) > 5);
    fixture_end(f);
}

static void a_written_answer(void **state) { (void)state, everywhere(written, 0, true); }
static void one_that_breaks_off(void **state) { (void)state, everywhere(written, 3, true); }
static void a_model_that_fails(void **state) { (void)state, everywhere(written, 1, false); }
static void a_model_on_a_wrong_track(void **state) { (void)state, everywhere(astray, 0, false); }

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_written_answer), cmocka_unit_test(one_that_breaks_off), cmocka_unit_test(a_model_that_fails),
                                       cmocka_unit_test(a_model_on_a_wrong_track)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
