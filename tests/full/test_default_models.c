/* The two default models, end to end: a few documents of the tests' own are ingested, then asked for an answer in words, a follow-up and what they do not say. The whole
 * session runs twice, each time in a process of its own from nothing, and must give the same bytes. What is asserted of the answers is what no change of
 * prompt or check may break: quotes are bytes of documents, the fact is there, what is not there is refused.
 *
 * QUAERE_DEFAULT_MODELS names the folder of the models; `tools/test-models default` prints it and gets them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/json.h"
#include "fake/fake_tree.h"
#include <quaere.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
    const char *path, *text;
} documents[] = {
    {"docs/backups.md", "# Backups\n\n## Schedule\n\nA backup of the store is taken every night at 02:30. The setting `backup_hour` changes that.\n\n"
                        "## Retention\n\nA backup is kept for 35 days. Older ones are deleted automatically. The setting `retain_days` changes how long, at most 365 days.\n"},
    {"docs/accounts.md", "# Accounts\n\n## Passwords\n\nA user who has forgotten the password asks for a reset link on the sign-in page. The link is valid for 20 minutes.\n\n"
                         "## Locked accounts\n\nAfter five wrong attempts an account is locked for one hour. An administrator can unlock it with `larch unlock NAME`.\n"},
    {"docs/network.md", "# Network\n\n## Ports\n\nThe server listens on port 7070. Workers connect to it; nothing connects to a worker.\n\n"
                        "## TLS\n\nCertificates are read again when the file changes, without a restart.\n"},
    {"docs/jobs.md", "# Jobs\n\n## Limits\n\nA job may use at most 64 GB of memory. A job that needs more is stopped, and its owner gets a mail.\n\n"
                     "## Priorities\n\nJobs of priority high are started before all others; within a priority the oldest job comes first.\n"},
};
enum { DOCUMENTS = sizeof documents / sizeof *documents, ASKED = 3 };
static const char *const questions[ASKED] = {"How long is a backup kept?", "And at what time is it taken?", "Which airport in Peru has the longest runway?"};

static struct fake_tree tree;
static char session[2][ASKED][40000]; /* JSON of the answers */
static qa *q;

static int set_up(void **state) {
    (void)state;
    static const char *const names[] = {"QUAERE_CONFIG", "QUAERE_INDEX", "QUAERE_STATE", "QUAERE_EMBEDDER", "QUAERE_GENERATOR"};
    const char *models = getenv("QUAERE_DEFAULT_MODELS");
    if (!models) {
        print_message("QUAERE_DEFAULT_MODELS is not set; tools/test-models default prints what to set it to\n");
        return -1;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    setenv("QUAERE_MODELS", models, 1);
    fake_tree_make(&tree);
    fake_tree_put(&tree, "quaere.yaml", "index: i.db\nstate: s.db\n"); /* not a word about models: the defaults are what is tested */
    for (size_t i = 0; i < DOCUMENTS; i++)
        fake_tree_put(&tree, documents[i].path, documents[i].text);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    qa_close(q);
    fake_tree_remove(&tree);
    return 0;
}

static bool open_and_ingest(void) {
    qa_ingest_report report = {0};
    qa_error err = {0};
    const char *paths[] = {fake_tree_path(&tree, "docs")};
    const qa_open_options where = {.config = fake_tree_path(&tree, "quaere.yaml"), .create = true};
    const qa_ingest_options what = {.paths = paths, .n_paths = 1};
    if (qa_open(&where, &q, &err) == QA_OK && qa_ingest(q, &what, &report, &err) == QA_OK && report.has_vectors && !report.vectors_pending)
        return true;
    fprintf(stderr, "ingesting: %s (%d vectors pending)\n", err.message, (int)report.vectors_pending);
    return false;
}

/* The child's part: the answers as JSON, each with its length before it. */
static void tell_session(int to) {
    char conversation[64] = "";
    if (!open_and_ingest())
        _exit(1);
    for (size_t i = 0; i < ASKED; i++) {
        const qa_question question = {.text = questions[i], .conversation = *conversation ? conversation : NULL};
        qa_answer *answer = NULL;
        qa_error err = {0};
        if (qa_ask(q, &question, &answer, &err) != QA_OK) {
            fprintf(stderr, "%s: %s\n", questions[i], err.message);
            _exit(1);
        }
        const char *json = qa_answer_json(answer);
        size_t n = strlen(json);
        snprintf(conversation, sizeof conversation, "%s", qa_answer_conversation(answer));
        if (write(to, &n, sizeof n) != sizeof n || write(to, json, n) != (ssize_t)n)
            _exit(1);
        qa_answer_free(answer);
    }
    _exit(0);
}

static void read_whole(int from, void *to, size_t n) {
    for (ssize_t got; n; to = (char *)to + got, n -= (size_t)got) {
        got = read(from, to, n);
        assert_true(got > 0);
    }
}

static void hold_session(int which) {
    int ends[2], status = 0;
    static const char *const files[] = {"i.db", "s.db"};
    for (size_t i = 0; i < 2; i++)
        unlink(fake_tree_path(&tree, files[i]));
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv("QUAERE_CLOCK", "2026-01-31T12:00:00Z", 1);
        setenv("QUAERE_SEED", "7", 1);
        close(ends[0]);
        tell_session(ends[1]);
    }
    close(ends[1]);
    for (size_t i = 0; i < ASKED; i++) {
        size_t n = 0;
        read_whole(ends[0], &n, sizeof n);
        assert_true(n < sizeof session[0][0]);
        read_whole(ends[0], session[which][i], n);
    }
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static const char *text_of(const char *path) {
    for (size_t i = 0; i < DOCUMENTS; i++)
        if (strcmp(documents[i].path + strlen("docs/"), path) == 0)
            return documents[i].text;
    fail_msg("there is no document %s", path);
    return NULL;
}

/* Each citation's bytes stand in the document that it names, where it says; each sentence has one, but for Yes and No. */
static json_t *check_answer(const char *text) {
    json_t *answer = NULL, *c, *s;
    qa_error err = {0};
    size_t i;
    if (json_parse(text, strlen(text), &answer, &err) != QA_OK)
        fail_msg("%s", err.message);
    json_array_foreach(json_object_get(answer, "citations"), i, c) {
        const char *document = text_of(json_get_string(c, "document")), *quote = json_get_string(c, "quote");
        json_int_t start = json_integer_value(json_object_get(c, "start")), end = json_integer_value(json_object_get(c, "end"));
        assert_true(start >= 0 && start < end && (size_t)end <= strlen(document));
        assert_int_equal(strlen(quote), end - start);
        assert_memory_equal(document + start, quote, (size_t)(end - start));
    }
    json_array_foreach(json_object_get(answer, "sentences"), i, s)
        assert_true(json_array_size(json_object_get(s, "citations")) > 0 || strcmp(json_get_string(s, "support"), "none") == 0);
    return answer;
}

static void three_questions(void **state) {
    (void)state;
    hold_session(0);
    json_t *answer = check_answer(session[0][0]);
    print_message("%s\n", json_get_string(answer, "answer"));
    assert_string_equal(json_get_string(answer, "mode"), "generated");
    assert_string_equal(json_get_string(json_object_get(answer, "model"), "generator"), "qwen2.5-coder-0.5b-instruct");
    assert_string_equal(json_get_string(json_object_get(answer, "model"), "embedder"), "all-MiniLM-L6-v2");
    assert_non_null(strstr(json_get_string(answer, "answer"), "35 days"));
    assert_true(json_array_size(json_object_get(answer, "citations")) > 0);
    assert_null(json_object_get(answer, "warning"));
    json_decref(answer);

    answer = check_answer(session[0][1]);
    print_message("%s\n", json_get_string(answer, "answer"));
    assert_false(json_is_true(json_object_get(answer, "refused")));
    assert_non_null(strstr(json_get_string(answer, "answer"), "02:30")); /* "it" is the backup */
    assert_true(json_array_size(json_object_get(answer, "citations")) > 0);
    json_decref(answer);

    answer = check_answer(session[0][2]);
    print_message("%s\n", json_get_string(answer, "answer"));
    assert_true(json_is_true(json_object_get(answer, "refused")));
    assert_non_null(json_get_string(answer, "reason"));
    assert_int_equal(json_array_size(json_object_get(answer, "citations")), 0);
    assert_true(json_is_null(json_object_get(json_object_get(answer, "model"), "generator"))); /* none was asked */
    json_decref(answer);
}

static void the_same_bytes_again(void **state) {
    (void)state;
    hold_session(1);
    for (size_t i = 0; i < ASKED; i++)
        assert_string_equal(session[1][i], session[0][i]);
}

/* Said in other words: nothing of the question stands in the passage, and its meaning does. */
static void a_paraphrase(void **state) {
    static const char paraphrase[] = "someone cannot remember their credentials";
    (void)state;
    assert_true(open_and_ingest()); /* what the last session left: nothing is computed again */
    for (int vectors = 0; vectors < 2; vectors++) {
        const qa_question question = {.text = paraphrase, .mode = vectors ? QA_MODE_HYBRID : QA_MODE_TEXT, .k = 3};
        qa_hits *hits = NULL;
        assert_int_equal(qa_search(q, &question, &hits, NULL), QA_OK);
        assert_null(qa_hits_warning(hits));
        const qa_hit *first = qa_hits_get(hits, 0);
        bool found = first && strcmp(first->document, "accounts.md") == 0 && strstr(first->text, "forgotten the password");
        if (found != (vectors == 1))
            fail_msg("%s: %s", vectors ? "hybrid" : "words", first ? first->text : "nothing");
        if (vectors)
            assert_true(isnan(first->text_score) && first->vector_score > 0.3);
        qa_hits_free(hits);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_questions),
        cmocka_unit_test(the_same_bytes_again),
        cmocka_unit_test(a_paraphrase),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
