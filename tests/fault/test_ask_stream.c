// wrap: malloc,calloc,realloc,strdup,strndup,reallocarray
// A verbatim answer that is told sentence by sentence: each allocation fails in turn, once and from then on. Accepted is the whole answer, told
// whole, or QA_NO_MEMORY; never an answer of which a sentence or the white space between two was not told.
#include <quaere.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "fake/fake_tree.h"
#define SWEEP_ALLOCATING
#define SWEEP_ALLOCATING_MORE
#include "fault/sweep.h"

struct talk {
    struct fake_tree tree;
    char clean[1000], told[1000];
    unsigned whole;
};

static void hear(const char *text, const qa_sentence *sentence, void *user) {
    struct talk *t = user;
    (void)sentence;
    strcat(t->told, text);
}

static qa_status ask(struct talk *t, char text[1000], qa_error *err) {
    qa *q = NULL;
    qa_answer *answer = NULL;
    const qa_stream stream = {.on_sentence = hear, .user = t};
    const qa_question question = {.text = "what is a label for?", .extractive = true, .forget = true, .stream = &stream};
    const qa_open_options where = {.index = fake_tree_path(&t->tree, "i.db"), .state = fake_tree_path(&t->tree, "s.db")};
    t->told[0] = text[0] = '\0';
    qa_status status = qa_open(&where, &q, err);
    if (status == QA_OK)
        status = qa_ask(q, &question, &answer, err);
    if (status == QA_OK)
        snprintf(text, 1000, "%s", qa_answer_text(answer));
    qa_answer_free(answer);
    qa_close(q);
    return status;
}

static void attempt(void *user) {
    struct talk *t = user;
    char text[1000];
    qa_error err = {0};
    sweep_arm();
    qa_status status = ask(t, text, &err);
    sweep_disarm();
    if (status == QA_OK ? strcmp(text, t->clean) != 0 || strcmp(t->told, t->clean) != 0 : status != QA_NO_MEMORY || !err.message[0])
        fail_msg("allocation %u: %s: %s, told: %s", sweep.at, qa_status_name(status), err.message, t->told);
    if (strncmp(t->told, t->clean, strlen(t->told)) != 0)
        fail_msg("allocation %u told: %s", sweep.at, t->told);
    t->whole += status == QA_OK;
}

static void told_whole_or_not_answered(void **state) {
    struct talk t = {0};
    qa *q = NULL;
    qa_ingest_report report;
    qa_error err = {0};
    (void)state;
    fake_tree_make(&t.tree);
    fake_tree_put(&t.tree, "docs/labels.md", "# Labels\n\nA label names what a worker has. A job that asks for a label runs where the label is. A label is for jobs.\n");
    const qa_open_options where = {.index = fake_tree_path(&t.tree, "i.db"), .state = fake_tree_path(&t.tree, "s.db"), .create = true};
    const char *paths[] = {fake_tree_path(&t.tree, "docs")};
    const qa_ingest_options what = {.paths = paths, .n_paths = 1, .jobs = 1};
    assert_int_equal(qa_open(&where, &q, &err), QA_OK);
    assert_int_equal(qa_ingest(q, &what, &report, &err), QA_OK);
    qa_close(q);
    sweep.at = 0;
    assert_int_equal(ask(&t, t.clean, &err), QA_OK);
    assert_string_equal(t.told, t.clean);
    assert_non_null(strstr(strchr(t.clean, ']'), ". [1]")); /* more than one sentence */
    for (int on = 0; on < 2; on++)
        assert_true(sweep_all(SWEEP_MEMORY, on, 1, attempt, &t) > 20);
    assert_true(t.whole > 0);
    fake_tree_remove(&t.tree);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(told_whole_or_not_answered)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
