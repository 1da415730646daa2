/* The public API: the way of its header's sample, and that what it hands out holds together. */
#include "base/json.h"
#include "fake/fake_tree.h"
#include <quaere.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct fake_tree tree;
    qa *q;
    qa_ingest_report report;
};

static const char url_page[] = "# Notebooks\n\n## Presigned URLs\n\nA presigned URL is valid for **5 minutes**. After that it leads to the sign-in page.\n";

static int set_up(void **state) {
    struct fixture *f = test_calloc(1, sizeof *f);
    qa_error err = {0};
    fake_tree_make(&f->tree);
    fake_tree_put(&f->tree, "quaere.yaml", "index: i.db\nstate: s.db\n");
    fake_tree_put(&f->tree, "docs/urls.md", url_page);
    fake_tree_put(&f->tree, "docs/jobs.md", "# Jobs\n\nA job may run for 7 days.\n");
    const char *config = fake_tree_path(&f->tree, "quaere.yaml");
    qa_open_options where = {.config = config, .create = true};
    assert_int_equal(qa_open(&where, &f->q, &err), QA_OK);
    const char *paths[] = {fake_tree_path(&f->tree, "docs")};
    qa_ingest_options what = {.paths = paths, .n_paths = 1};
    assert_int_equal(qa_ingest(f->q, &what, &f->report, &err), QA_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    qa_close(f->q);
    fake_tree_remove(&f->tree);
    test_free(f);
    return 0;
}

static void paths_and_report(void **state) {
    struct fixture *f = *state;
    assert_string_equal(qa_index_path(f->q), fake_tree_path(&f->tree, "i.db"));
    assert_string_equal(qa_state_path(f->q), fake_tree_path(&f->tree, "s.db"));
    assert_string_equal(qa_config_path(f->q), fake_tree_path(&f->tree, "quaere.yaml"));
    assert_int_equal(f->report.added, 2);
    assert_int_equal(f->report.total_documents, 2);
}

static void an_answer_holds_together(void **state) {
    struct fixture *f = *state;
    qa_answer *answer = NULL;
    qa_question question = {.text = "how long is a presigned URL valid?"};
    assert_int_equal(qa_ask(f->q, &question, &answer, NULL), QA_OK);
    const char *text = qa_answer_text(answer);
    assert_false(qa_answer_refused(answer));
    assert_null(qa_answer_reason(answer));
    assert_null(qa_answer_warning(answer));
    assert_non_null(strstr(text, "valid for 5 minutes. [1]"));
    assert_string_equal(qa_answer_short(answer), "5 minutes");
    assert_true(qa_answer_sentence_count(answer) > 0 && qa_answer_citation_count(answer) > 0);
    for (size_t i = 0; i < qa_answer_sentence_count(answer); i++) {
        const qa_sentence *s = qa_answer_sentence(answer, i);
        assert_true(s->start < s->end && s->end <= strlen(text) && s->n_citations > 0);
        assert_int_equal(text[s->end - 1], ']');
        assert_int_equal(s->support, QA_SUPPORT_QUOTE);
        assert_true(s->citations[0] >= 1 && s->citations[0] <= qa_answer_source_count(answer));
    }
    for (size_t i = 0; i < qa_answer_citation_count(answer); i++) {
        const qa_citation *c = qa_answer_citation(answer, i);
        assert_string_equal(c->document, "urls.md");
        assert_memory_equal(c->quote, url_page + c->start, c->end - c->start);
        assert_string_equal(c->chunk, qa_answer_source(answer, c->n - 1)->chunk);
    }
    assert_null(qa_answer_sentence(answer, qa_answer_sentence_count(answer)));
    assert_null(qa_answer_citation(answer, qa_answer_citation_count(answer)));
    assert_null(qa_answer_source(answer, qa_answer_source_count(answer)));
    assert_non_null(qa_answer_turn(answer));

    json_t *json = NULL;
    const char *rendered = qa_answer_json(answer);
    assert_int_equal(json_parse(rendered, strlen(rendered), &json, NULL), QA_OK);
    assert_string_equal(json_get_string(json, "answer"), text);
    assert_string_equal(json_get_string(json, "conversation"), qa_answer_conversation(answer));
    json_decref(json);
    qa_answer_free(answer);
}

static void a_refusal_says_why(void **state) {
    struct fixture *f = *state;
    qa_answer *answer = NULL;
    qa_question question = {.text = "how do I bake a chocolate cake?", .forget = true};
    assert_int_equal(qa_ask(f->q, &question, &answer, NULL), QA_OK);
    assert_true(qa_answer_refused(answer));
    assert_non_null(qa_answer_reason(answer));
    assert_int_equal(qa_answer_citation_count(answer), 0);
    assert_null(qa_answer_conversation(answer)); /* nothing was kept */
    qa_answer_free(answer);
}

static bool stands_in(const char *path, const char *words) {
    static char bytes[4 << 20];
    FILE *from = fopen(path, "rb");
    size_t n = from ? fread(bytes, 1, sizeof bytes, from) : 0;
    if (from)
        fclose(from);
    return memmem(bytes, n, words, strlen(words)) != NULL;
}

static void a_conversation_is_kept_and_deleted(void **state) {
    struct fixture *f = *state;
    qa_answer *first = NULL, *second = NULL;
    char *json = NULL, deleted[64] = "", id[64];
    qa_question question = {.text = "how long may a job run?"};
    assert_int_equal(qa_ask(f->q, &question, &first, NULL), QA_OK);
    strcpy(id, qa_answer_conversation(first));
    question = (qa_question){.text = "and a presigned URL?", .conversation = id};
    assert_int_equal(qa_ask(f->q, &question, &second, NULL), QA_OK);
    assert_string_equal(qa_answer_conversation(second), id);
    qa_answer_free(first);
    qa_answer_free(second);
    assert_true(stands_in(fake_tree_path(&f->tree, "s.db"), "how long may a job run?") ||
                stands_in(fake_tree_path(&f->tree, "s.db-wal"), "how long may a job run?"));
    assert_int_equal(qa_conversation_get(f->q, id, &json, NULL), QA_OK);
    assert_non_null(strstr(json, "how long may a job run?"));
    assert_non_null(strstr(json, "and a presigned URL?"));
    qa_text_free(json);
    assert_int_equal(qa_conversation_delete(f->q, id, deleted, NULL), QA_OK);
    assert_string_equal(deleted, id);
    assert_int_equal(qa_conversation_get(f->q, id, &json, NULL), QA_NOT_FOUND);
    assert_false(stands_in(fake_tree_path(&f->tree, "s.db"), "how long may a job run?")); /* nor in the bytes of the files */
    assert_false(stands_in(fake_tree_path(&f->tree, "s.db-wal"), "how long may a job run?"));
    assert_null(json);
    assert_int_equal(qa_ask(f->q, &question, &second, NULL), QA_NOT_FOUND);
}

static void hits_are_bytes_of_documents(void **state) {
    struct fixture *f = *state;
    qa_hits *hits = NULL;
    qa_question question = {.text = "presigned URL", .k = 1};
    assert_int_equal(qa_search(f->q, &question, &hits, NULL), QA_OK);
    assert_int_equal(qa_hits_count(hits), 1);
    const qa_hit *h = qa_hits_get(hits, 0);
    assert_memory_equal(h->text, url_page + h->start, h->end - h->start);
    assert_true(h->rank == 1 && h->score == 1);
    assert_null(qa_hits_get(hits, 1));
    qa_hits_free(hits);
}

static void wrong_calls(void **state) {
    static const qa_message history[] = {{"user", "x"}};
    static const struct {
        const char *name;
        qa_question question;
        qa_status status;
    } rows[] = {
        {"no question", {.text = NULL}, QA_BAD_USAGE},
        {"an empty question", {.text = " "}, QA_BAD_INPUT},
        {"too many passages", {.text = "job", .k = 1001}, QA_BAD_USAGE},
        {"a bad filter", {.text = "job", .filter = "lang =="}, QA_BAD_FILTER},
        {"a bad filter as JSON", {.text = "job", .filter_json = "{"}, QA_BAD_FILTER},
        {"two filters", {.text = "job", .filter = "a=b", .filter_json = "{}"}, QA_BAD_USAGE},
        {"vectors that are not there", {.text = "job", .mode = QA_MODE_VECTOR}, QA_UNSUPPORTED},
        {"history and conversation", {.text = "job", .history = history, .n_history = 1, .conversation = "last"}, QA_BAD_USAGE},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        qa_hits *hits = NULL;
        qa_error err = {0};
        qa_status status = qa_search(f->q, &rows[i].question, &hits, &err);
        if (status != rows[i].status || hits || !err.message[0])
            fail_msg("%s: %s (%s)", rows[i].name, qa_status_name(status), err.message);
    }
    assert_int_equal(qa_filter_check("lang ==", NULL), QA_BAD_FILTER);
    assert_int_equal(qa_filter_check("lang = en", NULL), QA_OK);
}

static void a_cancelled_run_goes_on(void **state) {
    struct fixture *f = *state;
    qa_error err = {0};
    const char *paths[] = {fake_tree_path(&f->tree, "docs")};
    qa_ingest_options what = {.paths = paths, .n_paths = 1};
    fake_tree_put(&f->tree, "docs/new.md", "# New\n\nA new page.\n");
    qa_cancel(f->q);
    assert_int_equal(qa_ingest(f->q, &what, &f->report, &err), QA_CANCELLED);
    assert_int_equal(f->report.total_documents, 2);
    assert_int_equal(qa_ingest(f->q, &what, &f->report, &err), QA_OK);
    assert_int_equal(f->report.added, 1);
    assert_int_equal(f->report.total_documents, 3);
}

static void documents_and_care(void **state) {
    struct fixture *f = *state;
    char *json = NULL;
    qa_error err = {0};
    assert_int_equal(qa_documents_list(f->q, "docs", "url", &json, NULL), QA_OK);
    assert_non_null(strstr(json, "urls.md"));
    assert_null(strstr(json, "jobs.md"));
    qa_text_free(json);
    assert_int_equal(qa_documents_list(f->q, "dox", NULL, &json, &err), QA_NOT_FOUND);
    assert_int_equal(qa_document_get(f->q, "docs:urls.md", &json, NULL), QA_OK);
    qa_text_free(json);
    qa_question question = {.text = "presigned URL"};
    assert_int_equal(qa_explain(f->q, &question, "jobs.md", &json, NULL), QA_OK);
    assert_non_null(strstr(json, "\"no_match\""));
    qa_text_free(json);
    assert_int_equal(qa_index_info(f->q, &json, NULL), QA_OK);
    qa_text_free(json);
    assert_int_equal(qa_index_check(f->q, &err), QA_OK);
}

static void nothing_is_there(void **state) {
    (void)state;
    struct fake_tree empty;
    qa *q = NULL;
    qa_error err = {0};
    qa_hits *hits = NULL;
    fake_tree_make(&empty);
    qa_open_options where = {.index = fake_tree_path(&empty, "i.db"), .config = fake_tree_path(&empty, "no.yaml")};
    assert_int_equal(qa_open(&where, &q, &err), QA_NOT_FOUND);
    assert_null(q);
    fake_tree_put(&empty, "no.yaml", "sources: 7\n");
    assert_int_equal(qa_open(&where, &q, &err), QA_BAD_CONFIG);
    fake_tree_put(&empty, "no.yaml", "");
    assert_int_equal(qa_open(&where, &q, &err), QA_OK);
    qa_question question = {.text = "job"};
    assert_int_equal(qa_search(q, &question, &hits, &err), QA_NOT_FOUND);
    assert_non_null(strstr(err.message, "quaere ingest"));
    qa_close(q);
    fake_tree_remove(&empty);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(paths_and_report, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_holds_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refusal_says_why, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_conversation_is_kept_and_deleted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hits_are_bytes_of_documents, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_calls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cancelled_run_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(documents_and_care, set_up, tear_down),
        cmocka_unit_test(nothing_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
