// Every allocation and every call to the system that ingest makes fails once, or from then on, until a run meets no fault.
// wrap: malloc,calloc,realloc,reallocarray,strdup,strndup,realpath,opendir,readdir64,fstat64,stat64,open64,read
//
// Accepted: the run ends well (with failures of single documents) or with one of the errors listed; nothing leaks (ASan); each document is in
// the index as it was or as it is; and a run without faults then brings the index to the very same bytes as if nothing had happened.
#include "fake/fake_index.h"
#include "fake/fake_tree.h"
#define SWEEP_ALLOCATING
#define SWEEP_ALLOCATING_MORE
#define SWEEP_READING
#include "fault/sweep.h"
#include "ingest/ingest.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- What is ingested ---- */

static struct fake_tree tree;
static bool tightened; /* the rules of later runs, by path, have come into force */

static void make_old(void) {
    fake_tree_put(&tree, "docs/changed.md", "# Old\n\nOld text.\n");
    fake_tree_put(&tree, "docs/moved.md", "# Moved\n\nText that moves.\n");
    fake_tree_put(&tree, "docs/same.md", "# Same\n\nSame text.\n");
    fake_tree_put(&tree, "docs/sub/gone.md", "# Gone\n");
    fake_tree_put(&tree, "docs/sub/kept.md", "# Kept\n");
    fake_tree_put(&tree, "docs/sub/broken.md", "# Sound\n");
    fake_tree_put(&tree, "docs/emptied.md", "# Not empty\n");
    tightened = false;
    fake_tree_put(&tree, "docs/.gitignore", "ignored.md\n");
    fake_tree_put(&tree, "docs/ignored.md", "# Ignored\n");
    fake_tree_link(&tree, "docs/link.md", "same.md");
}
static void make_new(void) {
    fake_tree_put(&tree, "docs/changed.md", "---\ntags: [a]\nacl: staff\n---\n# New\n\n| a | b |\n|---|---|\n| 1 | 2 |\n");
    fake_tree_move(&tree, "docs/moved.md", "docs/sub/arrived.md");
    fake_tree_put(&tree, "docs/added.md", "# Added\n\n- one\n- two\n");
    fake_tree_delete(&tree, "docs/sub/gone.md");
    fake_tree_put(&tree, "docs/sub/broken.md", "\xFF\xFE\xFD\xFC\xFB\xFA\xF9\xF8\xFF\xFE\xFD\xFC\xFB\xFA\xF9\xF8\xFF\xFE\xFD\xFC"); /* its old version stays */
    fake_tree_put(&tree, "docs/emptied.md", "");
    tightened = true;
}

static void no_event(const qa_ingest_event *event, void *user) { (void)event, (void)user; }

static qa_status run_folder(struct fake_index *index, qa_ingest_report *report, qa_error *err) {
    struct ingest_folder *f = NULL;
    struct arena a;
    struct ingest_place place = {0};
    arena_init(&a, 1 << 20);
    const char *acl[] = {"public"};
    const char *staff[] = {"staff"};
    const struct ingest_rule rule = {.glob = "sub/", .acl = staff, .n_acl = 1};
    qa_status status = ingest_find_place(&a, fake_tree_path(&tree, "docs"), "s", NULL, 0, &place, err);
    struct ingest_folder_options options = {.root = place.root};
    if (status == QA_OK)
        status = ingest_open_folder(&options, &f, err);
    if (status == QA_OK) {
        struct ingest_run run = {.index = fake_index_port(index), .documents = ingest_folder_port(f), .source = place.source, .root = place.root,
                                 .has_acl = true, .acl = acl, .n_acl = 1, .rules = &rule, .n_rules = tightened, .url_rule = "https://x/{page}", .jobs = 1,
                                 .on_event = no_event};
        status = ingest_source(&run, report, err);
    }
    ingest_close_folder(f);
    arena_free(&a);
    return status;
}

static const char lines[] = "{\"source\":\"a\",\"path\":\"x.md\",\"title\":\"T\",\"acl\":[\"g\"],\"metadata\":{\"k\":1},\"content\":\"# X\\n\\nText.\"}\n"
                            "not json\n"
                            "{\"source\":\"a\",\"path\":\"y.md\",\"file\":\"docs/same.md\"}\n"
                            "{\"source\":\"b\",\"path\":\"z.md\",\"content\":\"# Z\"}\n"
                            "{\"source\":\"b\",\"path\":\"z.md\",\"content\":\"# Z again\"}\n"
                            "{\"source\":\"b\",\"path\":\"w.md\",\"deleted\":true}\n";

static qa_status run_lines(struct fake_index *index, qa_ingest_report *report, qa_error *err) {
    struct ingest_jsonl *j = NULL;
    qa_status status = ingest_open_jsonl(fake_tree_path(&tree, "in.jsonl"), NULL, &j, err);
    if (status == QA_OK) {
        struct ingest_run run = {.index = fake_index_port(index), .documents = ingest_jsonl_port(j), .jobs = 1, .on_event = no_event};
        status = ingest_source(&run, report, err);
    }
    ingest_close_jsonl(j);
    return status;
}

typedef qa_status run_fn(struct fake_index *index, qa_ingest_report *report, qa_error *err);

/* ---- What must hold ---- */

static char *dump_of(const struct fake_index *index) {
    struct buf out;
    buf_init(&out, 16 << 20);
    buf_put(&out, "", 0);
    fake_index_dump(index, &out);
    char *text = buf_take(&out);
    assert_non_null(text);
    return text;
}

/* Each document is as in one of the two states, or in neither. */
static void check_whole(const struct fake_index *index, const struct fake_index *before, const struct fake_index *after) {
    static const char *const paths[][2] = {{"s", "changed.md"}, {"s", "moved.md"},   {"s", "same.md"}, {"s", "sub/gone.md"}, {"s", "sub/kept.md"},
                                           {"s", "link.md"},    {"s", "added.md"},   {"s", "sub/arrived.md"}, {"a", "x.md"},  {"a", "y.md"},
                                           {"b", "z.md"},       {"s", "ignored.md"}, {"b", "w.md"},   {"s", "sub/broken.md"},    {"s", "emptied.md"}};
    size_t found = 0;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const struct index_document_record *is = fake_index_find(index, paths[i][0], paths[i][1]);
        const struct index_document_record *was = fake_index_find(before, paths[i][0], paths[i][1]);
        const struct index_document_record *will = fake_index_find(after, paths[i][0], paths[i][1]);
        found += is != NULL;
        if (!is || strcmp(is->bytes, "# Z") == 0) /* the first of two lines, when the second failed */
            continue;
        const struct index_document_record *like = was && was->hash.lo == is->hash.lo ? was : will;
        assert_non_null(like);
        assert_int_equal(is->len, like->len);
        assert_memory_equal(is->bytes, like->bytes, is->len);
        assert_int_equal(is->n_chunks, like->n_chunks);
        bool narrowed = is->restricted && is->n_groups == 1 && strcmp(is->groups[0], "staff") == 0 && strncmp(is->path, "sub/", 4) == 0;
        assert_true(is->restricted == like->restricted || narrowed); /* by the rule that holds now, when it could not be read */
        assert_string_equal(is->title, like->title);
    }
    assert_int_equal(found, fake_index_count(index)); /* and nothing else */
}

static bool accepted(qa_status status) {
    return status == QA_OK || status == QA_NO_MEMORY || status == QA_IO || status == QA_NOT_FOUND || status == QA_TOO_LARGE;
}

struct runs {
    run_fn *run;
    bool with_old;
    struct fake_index *after; /* what it comes to without faults */
    char *expected;
};

static void attempt(void *user) {
    const struct runs *r = user;
    struct fake_index *index = fake_index_new(), *before = fake_index_new();
    qa_ingest_report report = {0};
    qa_error err = {0};
    if (r->with_old) {
        fake_tree_delete(&tree, "docs");
        make_old();
        assert_int_equal(r->run(index, &report, &err), QA_OK);
        assert_int_equal(r->run(before, &report, &err), QA_OK);
        make_new();
    }
    memset(&err, 0, sizeof err);
    sweep_arm();
    qa_status status = r->run(index, &report, &err);
    bool met = sweep_disarm();
    if (!accepted(status) || (status != QA_OK && (!met || !err.message[0])))
        fail_msg("%s %u: %s: %s", sweep_name(), sweep.at, qa_status_name(status), err.message);
    check_whole(index, before, r->after);
    if (r->run(index, &report, &err) != QA_OK)
        fail_msg("after %s %u: %s", sweep_name(), sweep.at, err.message);
    char *dump = dump_of(index);
    if (strcmp(dump, r->expected) != 0)
        fail_msg("after %s %u the index is\n%s\nnot\n%s", sweep_name(), sweep.at, dump, r->expected);
    free(dump);
    fake_index_free(index);
    fake_index_free(before);
}

static void everywhere(run_fn *run, bool with_old, enum sweep_kind kind, bool on) {
    struct runs r = {.run = run, .with_old = with_old, .after = fake_index_new()};
    qa_ingest_report report = {0};
    qa_error err = {0};
    if (with_old) {
        make_old();
        assert_int_equal(run(r.after, &report, &err), QA_OK);
        make_new();
    }
    assert_int_equal(run(r.after, &report, &err), QA_OK);
    r.expected = dump_of(r.after);
    assert_true(sweep_all(kind, on, 1, attempt, &r) > 5); /* it did meet something */
    free(r.expected);
    fake_index_free(r.after);
}

static int setup(void **state) {
    (void)state;
    setenv("QUAERE_CLOCK", "2026-01-31T12:00:00Z", 1);
    fake_tree_make(&tree);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    fake_tree_remove(&tree);
    return 0;
}

static void test_folder_memory(void **state) { (void)state, everywhere(run_folder, true, SWEEP_MEMORY, false); }
static void test_folder_memory_for_good(void **state) { (void)state, everywhere(run_folder, true, SWEEP_MEMORY, true); }
static void test_folder_system(void **state) { (void)state, everywhere(run_folder, true, SWEEP_SYSTEM, false); }
static void test_folder_system_for_good(void **state) { (void)state, everywhere(run_folder, true, SWEEP_SYSTEM, true); }

static void lines_everywhere(enum sweep_kind kind, bool on) {
    fake_tree_put(&tree, "docs/same.md", "# Same\n\nSame text.\n");
    fake_tree_put(&tree, "in.jsonl", lines);
    everywhere(run_lines, false, kind, on);
}
static void test_lines_memory(void **state) { (void)state, lines_everywhere(SWEEP_MEMORY, false); }
static void test_lines_memory_for_good(void **state) { (void)state, lines_everywhere(SWEEP_MEMORY, true); }
static void test_lines_system(void **state) { (void)state, lines_everywhere(SWEEP_SYSTEM, false); }
static void test_lines_system_for_good(void **state) { (void)state, lines_everywhere(SWEEP_SYSTEM, true); }

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_folder_memory), TEST(test_folder_memory_for_good), TEST(test_folder_system), TEST(test_folder_system_for_good),
        TEST(test_lines_memory),  TEST(test_lines_memory_for_good),  TEST(test_lines_system),  TEST(test_lines_system_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
