// The public API from open to close: each allocation, and each call to the system, of Quaere's and of SQLite's, fails once or from then on.
// wrap: malloc,calloc,realloc,reallocarray,strdup,strndup,realpath,opendir,readdir64,fstat64,stat64,open64,read,write,fsync,rename
//
// Two sessions: one makes an index out of a folder, one asks of an index that is there. Accepted of every call: QA_OK, QA_NO_MEMORY when
// allocations fail, and QA_IO or QA_NOT_FOUND (a file that could not be opened, as the system says it) when calls to the system do; an
// error with a message; never damage where there is none. What was reported as kept is there afterwards, nothing leaks (ASan), and the same
// session without faults then works as if nothing had happened.
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
#define SWEEP_READING
#define SWEEP_WRITING
#include "fault/vfs_fault.h"

static struct fake_tree tree;
static const char *const question = "how long is a presigned URL valid?", *const next_question = "and how long may a job run?";
static char clean_answer[400]; /* to the first */

static bool accepted(qa_status status) {
    return status == QA_OK ||
           (sweep.kind == SWEEP_MEMORY ? status == QA_NO_MEMORY : status == QA_IO || status == QA_NOT_FOUND);
}

/* Takes note of how a call went. True: it did. */
static bool went(const char *call, qa_status status, const qa_error *err) {
    if (!accepted(status) || (status != QA_OK && (err->status != status || !err->message[0])))
        fail_msg("%s %u%s, %s: %s: %s", sweep_name(), sweep.at, sweep.on ? " and on" : "", call, qa_status_name(status), err->message);
    return status == QA_OK;
}

static bool open_files(qa **q) {
    qa_error err = {0};
    qa_open_options where = {.index = fake_tree_path(&tree, "i.db"), .state = fake_tree_path(&tree, "s.db"), .create = true};
    return went("open", qa_open(&where, q, &err), &err);
}

/* ---- Making an index ---- */

static bool ingest(qa *q, qa_ingest_report *report) {
    qa_error err = {0};
    const char *paths[] = {fake_tree_path(&tree, "docs")};
    qa_ingest_options what = {.paths = paths, .n_paths = 1, .jobs = 1};
    return went("ingest", qa_ingest(q, &what, report, &err), &err);
}

/* A call that yields JSON. Its result is looked at: NULL, or whole. */
static bool json_went(const char *call, qa_status status, char *json, const qa_error *err) {
    bool good = went(call, status, err);
    assert_true(good == (json != NULL));
    assert_true(!json || json[strlen(json) - 1] == '}');
    qa_text_free(json);
    return good;
}

static void make_index(bool clean) {
    qa *q = NULL;
    qa_ingest_report report = {0};
    qa_error err = {0};
    char *json = NULL;
    if (!open_files(&q)) {
        assert_null(q);
        return;
    }
    bool done = ingest(q, &report);
    assert_true(report.added + report.unchanged + report.failed <= 3);
    if (done) {
        qa_status status = qa_index_info(q, &json, &err);
        json_went("info", status, json, &err);
        status = qa_documents_list(q, NULL, NULL, &json, &err);
        json_went("list", status, json, &err);
        if (!report.failed) {
            status = qa_document_get(q, "docs:urls.md", &json, &err);
            json_went("document", status, json, &err);
        }
        done = went("check", qa_index_check(q, &err), &err);
    }
    if (clean) {
        assert_true(done);
        assert_int_equal(report.failed, 0);
        assert_int_equal(report.total_documents, 3);
    }
    qa_close(q);
}

static void remove_files(void) {
    static const char *const names[] = {"i.db", "i.db-wal", "i.db-shm", "i.db-lock", "s.db", "s.db-wal", "s.db-shm"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(fake_tree_path(&tree, names[i]));
}

static void making(void *user) {
    (void)user;
    remove_files();
    sweep_arm();
    make_index(false);
    bool met = sweep_disarm();
    if (!met || sweep.at % 4 == 0 || sweep.on) /* half-made files are also met by the next fault, not only by a clean run */
        make_index(true);
}

/* ---- Asking ---- */

struct told {
    char conversation[64]; /* "": nothing was kept */
    bool deleted, perhaps_deleted;
};

static bool ask(qa *q, const char *text, const char *conversation, char answer[400], char kept[64]) {
    qa_error err = {0};
    qa_answer *a = NULL;
    qa_question what = {.text = text, .conversation = conversation};
    bool good = went("ask", qa_ask(q, &what, &a, &err), &err);
    assert_true(good == (a != NULL));
    answer[0] = kept[0] = '\0';
    if (good) {
        snprintf(answer, 400, "%s", qa_answer_text(a));
        if (qa_answer_conversation(a))
            snprintf(kept, 64, "%s", qa_answer_conversation(a));
        assert_true(kept[0] || qa_answer_warning(a));
        const char *json = qa_answer_json(a);
        assert_true(json || sweep.kind == SWEEP_MEMORY);
    }
    qa_answer_free(a);
    return good;
}

static void search(qa *q, bool clean) {
    qa_error err = {0};
    qa_hits *hits = NULL;
    qa_question what = {.text = question, .filter = "path=urls.md", .as_caller = true};
    bool good = went("search", qa_search(q, &what, &hits, &err), &err);
    assert_true(good == (hits != NULL));
    if (good) {
        assert_int_equal(qa_hits_count(hits), 1);
        assert_string_equal(qa_hits_get(hits, 0)->document, "urls.md");
        const char *json = qa_hits_json(hits);
        assert_true(json || (!clean && sweep.kind == SWEEP_MEMORY));
    }
    assert_true(good || !clean);
    qa_hits_free(hits);
}

static struct told ask_around(bool clean) {
    struct told told = {0};
    qa *q = NULL;
    qa_error err = {0};
    char answer[400], second[64], deleted[64] = "", *json = NULL;
    if (!open_files(&q)) {
        assert_null(q);
        return told;
    }
    search(q, clean);
    if (ask(q, question, NULL, answer, told.conversation))
        assert_string_equal(answer, clean_answer);
    if (told.conversation[0] && ask(q, next_question, told.conversation, answer, second) && second[0])
        assert_string_equal(second, told.conversation);
    qa_status status = qa_conversations_list(q, 0, &json, &err);
    json_went("conversations", status, json, &err);
    err = (qa_error){0};
    status = qa_explain(q, &(qa_question){.text = question}, "jobs.md", &json, &err);
    json_went("explain", status, json, &err);
    if (told.conversation[0]) {
        status = qa_conversation_get(q, told.conversation, &json, &err);
        json_went("conversation", status, json, &err);
        if (clean) { /* another is begun and deleted */
            assert_true(ask(q, next_question, NULL, answer, second) && second[0]);
            assert_true(went("delete", qa_conversation_delete(q, second, deleted, &err), &err));
            assert_string_equal(deleted, second);
        } else if (sweep.at % 2) {
            told.deleted = went("delete", qa_conversation_delete(q, told.conversation, deleted, &err), &err);
            told.perhaps_deleted = true;
        }
    }
    assert_true(!clean || told.conversation[0]);
    qa_close(q);
    return told;
}

static void asking(void *user) {
    (void)user;
    sweep_arm();
    struct told told = ask_around(false);
    bool met = sweep_disarm();
    qa *q = NULL;
    qa_error err = {0};
    char *json = NULL;
    assert_true(open_files(&q));
    if (told.conversation[0] && (told.deleted || !told.perhaps_deleted)) {
        qa_status status = qa_conversation_get(q, told.conversation, &json, &err);
        if (status != (told.deleted ? QA_NOT_FOUND : QA_OK))
            fail_msg("%s %u: the conversation was %s, and now: %s", sweep_name(), sweep.at, told.deleted ? "deleted" : "kept",
                     qa_status_name(status));
        qa_text_free(json);
    }
    qa_close(q);
    if (!met || sweep.at % 8 == 0)
        ask_around(true);
    if (sweep.at % 5 == 0) /* the file is made again, too */
        for (int i = 0; i < 3; i++)
            unlink(fake_tree_path(&tree, (const char *[]){"s.db", "s.db-wal", "s.db-shm"}[i]));
}

/* ---- */

static int set_up(void **state) {
    (void)state;
    sweep_disarm(); /* of a test that failed */
    qa *q = NULL;
    char kept[64];
    fake_tree_make(&tree);
    if (chdir(tree.root) != 0) /* no quaere.yaml above it */
        return 1;
    fake_tree_put(&tree, "docs/urls.md", "# Notebooks\n\n## Presigned URLs\n\nA presigned URL is valid for **5 minutes**.\n");
    fake_tree_put(&tree, "docs/jobs.md", "# Jobs\n\nA job may run for 7 days.\n");
    fake_tree_put(&tree, "docs/deep/table.md", "# Prices\n\n| type | price |\n|---|---|\n| small | 1 |\n");
    make_index(true);
    assert_true(open_files(&q) && ask(q, question, NULL, clean_answer, kept) && strstr(clean_answer, "5 minutes"));
    qa_close(q);
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    sweep_disarm();
    fake_tree_remove(&tree);
    return 0;
}

/* Where there are thousands of places not each is tried: the parts have sweeps of their own (test_ingest, test_store_faults). */
static void making_memory(void **state) { (void)state, assert_true(sweep_all(SWEEP_MEMORY, false, 7, making, NULL) > 1000); }
static void making_memory_from_there_on(void **state) { (void)state, assert_true(sweep_all(SWEEP_MEMORY, true, 17, making, NULL) > 1000); }
static void making_system(void **state) { (void)state, assert_true(sweep_all(SWEEP_SYSTEM, false, 1, making, NULL) > 100); }
static void making_system_from_there_on(void **state) { (void)state, assert_true(sweep_all(SWEEP_SYSTEM, true, 7, making, NULL) > 100); }
static void asking_memory(void **state) { (void)state, assert_true(sweep_all(SWEEP_MEMORY, false, 3, asking, NULL) > 1000); }
static void asking_memory_from_there_on(void **state) { (void)state, assert_true(sweep_all(SWEEP_MEMORY, true, 17, asking, NULL) > 1000); }
static void asking_system(void **state) { (void)state, assert_true(sweep_all(SWEEP_SYSTEM, false, 1, asking, NULL) > 100); }
static void asking_system_from_there_on(void **state) { (void)state, assert_true(sweep_all(SWEEP_SYSTEM, true, 7, asking, NULL) > 100); }

int main(void) {
    if (!vfs_fault_install_memory())
        return 1;
    vfs_fault_install();
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(making_memory), TEST(making_memory_from_there_on), TEST(making_system), TEST(making_system_from_there_on),
        TEST(asking_memory), TEST(asking_memory_from_there_on), TEST(asking_system), TEST(asking_system_from_there_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
