#include "fake/fake_index.h"
#include "fake/fake_tree.h"
#include "ingest/ingest.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* A tree, an index in memory, and what the last run told. */
static struct fake_tree tree;
static struct fake_index *fake;
static struct buf told;
static qa_ingest_report report;
static qa_error err;
static atomic_int cancel;
static unsigned cancel_after; /* events; 0: never */

static int setup(void **state) {
    (void)state;
    setenv("QUAERE_CLOCK", "2026-01-31T12:00:00Z", 1); /* commits by number alone, whatever the machine is doing */
    fake_tree_make(&tree);
    fake = fake_index_new();
    buf_init(&told, 8 << 20);
    cancel = 0;
    cancel_after = 0;
    return fake ? 0 : -1;
}
static int teardown(void **state) {
    (void)state;
    fake_tree_remove(&tree);
    fake_index_free(fake);
    buf_free(&told);
    return 0;
}

static void on_event(const qa_ingest_event *e, void *user) {
    static const char *const words[] = {"progress", "added", "changed", "moved", "forgotten", "failed", "embedding", "notice"};
    (void)user;
    if (e->kind == QA_INGEST_PROGRESS)
        return;
    buf_printf(&told, "%s %s:%s", words[e->kind], e->source ? e->source : "-", e->path ? e->path : "-");
    if (e->message)
        buf_printf(&told, " (%s)", e->message);
    buf_putc(&told, '\n');
    if (cancel_after && !--cancel_after)
        atomic_store(&cancel, 1);
}

static struct ingest_run defaults(void) {
    return (struct ingest_run){.index = fake_index_port(fake), .source = "s", .root = tree.root, .jobs = 2, .on_event = on_event, .cancel = &cancel};
}

static qa_status run_folder(const struct ingest_run *wanted, const char *only) {
    struct ingest_run run = *wanted;
    struct ingest_folder *f = NULL;
    struct ingest_folder_options options = {.root = tree.root, .only = only, .missing_ok = true};
    report = (qa_ingest_report){0};
    err = (qa_error){0};
    buf_reset(&told);
    buf_put(&told, "", 0);
    qa_status status = ingest_open_folder(&options, &f, &err);
    if (status != QA_OK)
        return status;
    run.documents = ingest_folder_port(f);
    status = ingest_source(&run, &report, &err);
    ingest_close_folder(f);
    return status;
}

static void ingest(void) {
    struct ingest_run run = defaults();
    if (run_folder(&run, NULL) != QA_OK)
        fail_msg("%s", err.message);
}

static qa_status run_lines(const struct ingest_run *wanted, const char *lines) {
    struct ingest_run run = *wanted;
    struct ingest_jsonl *j = NULL;
    fake_tree_put(&tree, "in.jsonl", lines);
    report = (qa_ingest_report){0};
    err = (qa_error){0};
    buf_reset(&told);
    buf_put(&told, "", 0);
    assert_int_equal(ingest_open_jsonl(fake_tree_path(&tree, "in.jsonl"), NULL, &j, NULL), QA_OK);
    run.documents = ingest_jsonl_port(j);
    run.root = NULL;
    qa_status status = ingest_source(&run, &report, &err);
    ingest_close_jsonl(j);
    return status;
}

static void check_counts(uint64_t added, uint64_t changed, uint64_t moved, uint64_t unchanged, uint64_t forgotten, uint64_t failed) {
    const uint64_t is[] = {report.added, report.changed, report.moved, report.unchanged, report.forgotten, report.failed};
    const uint64_t should[] = {added, changed, moved, unchanged, forgotten, failed};
    static const char *const names[] = {"added", "changed", "moved", "unchanged", "forgotten", "failed"};
    for (size_t i = 0; i < 6; i++)
        if (is[i] != should[i])
            fail_msg("%s is %llu, not %llu\n%s", names[i], (unsigned long long)is[i], (unsigned long long)should[i], told.data);
}

static const struct index_document_record *find(const char *path) {
    const struct index_document_record *r = fake_index_find(fake, "s", path);
    if (!r)
        fail_msg("%s is not in the index", path);
    return r;
}

/* ---- What changed ---- */

static void test_added_changed_unchanged(void **state) {
    (void)state;
    fake_tree_put(&tree, "a.md", "# A\n\nText of a.\n");
    fake_tree_put(&tree, "b/b.md", "# B\n\nText of b.\n");
    ingest();
    check_counts(2, 0, 0, 0, 0, 0);
    assert_string_equal(told.data, "added s:a.md\nadded s:b/b.md\n");
    assert_int_equal(report.seen, 2);
    assert_int_equal(report.total_documents, 2);
    assert_int_equal(report.chunks, report.total_chunks);
    assert_int_equal(report.bytes, 32);
    assert_string_equal(find("a.md")->title, "A");
    ingest();
    check_counts(0, 0, 0, 2, 0, 0);
    assert_string_equal(told.data, "");
    assert_int_equal(fake_index_counts(fake).begins, 1); /* nothing to write, nothing begun */
    fake_tree_put(&tree, "a.md", "# A\n\nOther text.\n");
    ingest();
    check_counts(0, 1, 0, 1, 0, 0);
    assert_string_equal(told.data, "changed s:a.md\n");
    assert_string_equal(find("a.md")->bytes, "# A\n\nOther text.\n");
}

static void test_settings_make_it_anew(void **state) {
    (void)state;
    fake_tree_put(&tree, "a.md", "# A\n");
    fake_tree_put(&tree, "in/b.md", "# B\n");
    ingest();
    struct ingest_run run = defaults();
    const char *staff[] = {"staff"}, *public[] = {"public"};
    const struct ingest_rule rule = {.glob = "in/", .acl = staff, .n_acl = 1};
    run.chunking.target = 500;
    assert_int_equal(run_folder(&run, NULL), QA_OK);
    check_counts(0, 2, 0, 0, 0, 0);
    run.collection = "c";
    assert_int_equal(run_folder(&run, NULL), QA_OK);
    check_counts(0, 2, 0, 0, 0, 0);
    run.has_acl = true;
    run.acl = public;
    run.n_acl = 1;
    assert_int_equal(run_folder(&run, NULL), QA_OK);
    check_counts(0, 2, 0, 0, 0, 0);
    run.rules = &rule; /* touches only what it matches */
    run.n_rules = 1;
    assert_int_equal(run_folder(&run, NULL), QA_OK);
    assert_string_equal(told.data, "changed s:in/b.md\n");
    run.url_rule = "https://x/{path}";
    assert_int_equal(run_folder(&run, NULL), QA_OK);
    check_counts(0, 2, 0, 0, 0, 0);
    assert_int_equal(run_folder(&run, NULL), QA_OK);
    check_counts(0, 0, 0, 2, 0, 0);
}

static void test_moved(void **state) {
    (void)state;
    fake_tree_put(&tree, "a.md", "# Same\n\nBytes.\n");
    fake_tree_put(&tree, "keep.md", "# Keep\n");
    fake_tree_put(&tree, "keep2.md", "# Keep too\n");
    ingest();
    fake_tree_move(&tree, "a.md", "sub/b.md");
    ingest();
    check_counts(0, 0, 1, 2, 0, 0);
    assert_string_equal(told.data, "moved s:sub/b.md (a.md)\n");
    assert_int_equal(fake_index_counts(fake).moves, 1);
    assert_null(fake_index_find(fake, "s", "a.md"));
    assert_string_equal(find("sub/b.md")->bytes, "# Same\n\nBytes.\n");
    ingest();
    check_counts(0, 0, 0, 3, 0, 0);
}

static void test_moved_with_other_settings(void **state) {
    (void)state;
    fake_tree_put(&tree, "a.md", "# Same\n");
    ingest();
    fake_tree_move(&tree, "a.md", "b.md");
    struct ingest_run run = defaults();
    run.collection = "c";
    assert_int_equal(run_folder(&run, NULL), QA_OK);
    check_counts(0, 0, 1, 0, 0, 0);
    assert_int_equal(fake_index_counts(fake).moves, 0);
    assert_null(fake_index_find(fake, "s", "a.md"));
    assert_string_equal(find("b.md")->collection, "c");
}

static void test_copied_is_added(void **state) {
    (void)state;
    fake_tree_put(&tree, "a.md", "# Same\n");
    ingest();
    fake_tree_put(&tree, "b.md", "# Same\n");
    ingest();
    check_counts(1, 0, 0, 1, 0, 0);
    assert_string_equal(told.data, "added s:b.md\n");
}

/* Several old paths with the same bytes, several new ones: paired in the order of the paths, what is left is added or forgotten. */
static void test_moved_pairs_by_path(void **state) {
    (void)state;
    fake_tree_put(&tree, "a1.md", "# Same\n");
    fake_tree_put(&tree, "a2.md", "# Same\n");
    fake_tree_put(&tree, "k1.md", "# One\n");
    fake_tree_put(&tree, "k2.md", "# Two\n");
    ingest();
    fake_tree_move(&tree, "a1.md", "z/n.md");
    fake_tree_move(&tree, "a2.md", "m.md");
    fake_tree_put(&tree, "zz.md", "# Same\n");
    ingest();
    assert_string_equal(told.data, "moved s:m.md (a1.md)\nmoved s:z/n.md (a2.md)\nadded s:zz.md\n");
}

static void test_swapped_names_are_changes(void **state) {
    (void)state;
    fake_tree_put(&tree, "a.md", "# A\n");
    fake_tree_put(&tree, "b.md", "# B\n");
    ingest();
    fake_tree_put(&tree, "a.md", "# B\n");
    fake_tree_put(&tree, "b.md", "# A\n");
    ingest();
    check_counts(0, 2, 0, 0, 0, 0);
}

/* ---- What is gone ---- */

static void make_files(int n) {
    char path[20], text[20];
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "f%02d.md", i);
        snprintf(text, sizeof text, "# F %d\n", i);
        fake_tree_put(&tree, path, text);
    }
}

static void test_forgotten(void **state) {
    (void)state;
    make_files(4);
    ingest();
    fake_tree_delete(&tree, "f01.md");
    fake_tree_delete(&tree, "f03.md"); /* just half */
    ingest();
    check_counts(0, 0, 0, 2, 2, 0);
    assert_string_equal(told.data, "forgotten s:f01.md\nforgotten s:f03.md\n");
    assert_int_equal(fake_index_count(fake), 2);
}

static void test_guard(void **state) {
    (void)state;
    make_files(5);
    ingest();
    for (int i = 0; i < 3; i++) {
        char path[20];
        snprintf(path, sizeof path, "f%02d.md", i);
        fake_tree_delete(&tree, path);
    }
    ingest();
    check_counts(0, 0, 0, 2, 0, 0);
    assert_int_equal(report.withheld, 3);
    assert_string_equal(told.data, "notice s:- (3 of its 5 documents are gone; none of them was forgotten, in case this is a mistake (a disk that is not "
                                   "mounted, another branch). If it is right, run it again with --prune=force)\n");
    assert_int_equal(fake_index_count(fake), 5);
    struct ingest_run run = defaults();
    run.prune = QA_PRUNE_NEVER;
    assert_int_equal(run_folder(&run, NULL), QA_OK);
    assert_int_equal(report.withheld, 0);
    assert_string_equal(told.data, "");
    run.prune = QA_PRUNE_FORCE;
    assert_int_equal(run_folder(&run, NULL), QA_OK);
    check_counts(0, 0, 0, 2, 3, 0);
    assert_int_equal(fake_index_count(fake), 2);
}

static void test_empty_and_missing_root(void **state) {
    (void)state;
    make_files(1);
    ingest();
    fake_tree_delete(&tree, "f00.md");
    ingest();
    assert_int_equal(report.withheld, 1);
    fake_tree_delete(&tree, "");
    ingest();
    assert_int_equal(report.withheld, 1);
    assert_non_null(strstr(told.data, "1 of its 1 documents are gone, and nothing else was found"));
    struct ingest_run run = defaults();
    run.prune = QA_PRUNE_FORCE;
    assert_int_equal(run_folder(&run, NULL), QA_OK);
    check_counts(0, 0, 0, 0, 1, 0);
}

static void test_other_sources_are_left_alone(void **state) {
    (void)state;
    make_files(2);
    assert_int_equal(fake_index_add(fake, "other", "f00.md", "T", NULL, "# F 0\n", NULL, 0, "{}", NULL), QA_OK);
    ingest();
    check_counts(2, 0, 0, 0, 0, 0);
    fake_tree_delete(&tree, "f00.md");
    ingest();
    check_counts(0, 0, 0, 1, 1, 0);
    assert_non_null(fake_index_find(fake, "other", "f00.md"));
}

static void test_one_file_forgets_nothing(void **state) {
    (void)state;
    make_files(2);
    ingest();
    fake_tree_delete(&tree, "f00.md");
    fake_tree_put(&tree, "f01.md", "# New\n");
    struct ingest_run run = defaults();
    run.prune = QA_PRUNE_FORCE;
    assert_int_equal(run_folder(&run, "f01.md"), QA_OK);
    check_counts(0, 1, 0, 0, 0, 0);
    assert_int_equal(fake_index_count(fake), 2);
}

/* A file that had text and has none now is as good as gone: a copy that broke off. */
static void test_guard_counts_what_is_empty(void **state) {
    (void)state;
    static const char *const names[] = {"f00.md", "f01.md", "f02.md", "f03.md"};
    struct ingest_run run = defaults();
    make_files(5);
    fake_tree_put(&tree, "was-empty.md", "");
    ingest();
    check_counts(6, 0, 0, 0, 0, 0);
    for (int i = 0; i < 3; i++)
        fake_tree_put(&tree, names[i], "");
    run.dry_run = true; /* just half, and shown as what the run would do */
    assert_int_equal(run_folder(&run, NULL), QA_OK);
    check_counts(0, 3, 0, 3, 0, 0);
    assert_string_equal(find("f00.md")->bytes, "# F 0\n");
    fake_tree_delete(&tree, "f03.md"); /* and one more */
    ingest();
    check_counts(0, 0, 0, 2, 0, 0);
    assert_int_equal(report.withheld, 4);
    assert_string_equal(told.data, "notice s:- (4 of its 6 documents are gone or empty; none of them was forgotten, in case this is a mistake (a copy that "
                                   "broke off). If it is right, run it again with --prune=force)\n");
    for (int i = 0; i < 4; i++)
        assert_int_equal(find(names[i])->len, 6);
    run.dry_run = false;
    run.prune = QA_PRUNE_NEVER;
    assert_int_equal(run_folder(&run, NULL), QA_OK);
    assert_string_equal(told.data, "");
    assert_int_equal(find("f00.md")->len, 6);
    run.prune = QA_PRUNE_FORCE;
    assert_int_equal(run_folder(&run, NULL), QA_OK);
    assert_string_equal(told.data, "forgotten s:f03.md\nchanged s:f00.md\nchanged s:f01.md\nchanged s:f02.md\n");
    check_counts(0, 3, 0, 2, 1, 0);
    assert_int_equal(report.seen, 5);
    assert_int_equal(find("f00.md")->len, 0);
    run.prune = QA_PRUNE_GUARDED;
    assert_int_equal(run_folder(&run, NULL), QA_OK);
    check_counts(0, 0, 0, 5, 0, 0);
    fake_tree_put(&tree, "f04.md", "");
    assert_int_equal(run_folder(&run, "f04.md"), QA_OK); /* one file is no listing: nothing to compare with */
    check_counts(0, 1, 0, 0, 0, 0);
}

/* ---- What fails ---- */

static void become_other(bool other) {
    static uid_t me;
    if (other)
        me = geteuid();
    if (me == 0)
        assert_int_equal(seteuid(other ? 65534 : 0), 0);
}

static void test_a_failure_keeps_the_earlier_version(void **state) {
    (void)state;
    make_files(2);
    ingest();
    fake_tree_put(&tree, "f00.md", "# New, but nobody may read it\n");
    assert_int_equal(chmod(tree.root, 0755), 0);
    assert_int_equal(chmod(fake_tree_path(&tree, "f00.md"), 0), 0);
    become_other(true);
    ingest();
    become_other(false);
    check_counts(0, 0, 0, 1, 0, 1);
    assert_non_null(strstr(told.data, "failed s:f00.md (/"));
    assert_non_null(strstr(told.data, "Permission denied"));
    assert_string_equal(find("f00.md")->bytes, "# F 0\n");
    assert_non_null(strstr(fake_index_failure(fake, "s", "f00.md"), "Permission denied"));
    assert_int_equal(chmod(fake_tree_path(&tree, "f00.md"), 0600), 0);
    ingest();
    check_counts(0, 1, 0, 1, 0, 0);
    assert_null(fake_index_failure(fake, "s", "f00.md"));
}

/* Permission went and came back, and the bytes are what they were. */
static void test_a_failure_ends_with_an_unchanged_document(void **state) {
    (void)state;
    make_files(1);
    ingest();
    assert_int_equal(chmod(tree.root, 0755), 0);
    assert_int_equal(chmod(fake_tree_path(&tree, "f00.md"), 0), 0);
    become_other(true);
    ingest();
    become_other(false);
    assert_non_null(fake_index_failure(fake, "s", "f00.md"));
    assert_int_equal(chmod(fake_tree_path(&tree, "f00.md"), 0600), 0);
    ingest();
    check_counts(0, 0, 0, 1, 0, 0);
    assert_null(fake_index_failure(fake, "s", "f00.md"));
}

static void test_below_a_closed_folder_nothing_is_gone(void **state) {
    (void)state;
    fake_tree_put(&tree, "closed/a.md", "# A\n");
    fake_tree_put(&tree, "closed/deep/b.md", "# B\n");
    fake_tree_put(&tree, "closed-not.md", "# C\n");
    fake_tree_put(&tree, "z.md", "# Z\n");
    ingest();
    fake_tree_delete(&tree, "closed-not.md");
    assert_int_equal(chmod(tree.root, 0755), 0);
    assert_int_equal(chmod(fake_tree_path(&tree, "closed"), 0), 0);
    become_other(true);
    ingest();
    become_other(false);
    check_counts(0, 0, 0, 1, 1, 1);
    assert_non_null(find("closed/a.md"));
    assert_non_null(find("closed/deep/b.md"));
    assert_null(fake_index_find(fake, "s", "closed-not.md"));
    assert_non_null(fake_index_failure(fake, "s", "closed/"));
    assert_int_equal(chmod(fake_tree_path(&tree, "closed"), 0700), 0);
    ingest();
    check_counts(0, 0, 0, 3, 0, 0);
    assert_null(fake_index_failure(fake, "s", "closed/"));
}

static void test_too_large_and_no_text(void **state) {
    (void)state;
    struct ingest_run run = defaults();
    run.max_bytes = 1 << 20;
    char *big = malloc((2 << 20) + 1);
    memset(big, 'x', 2 << 20);
    big[2 << 20] = '\0';
    fake_tree_put(&tree, "big.md", big);
    free(big);
    fake_tree_put(&tree, "fine.md", "# Fine\n");
    fake_tree_put(&tree, "binary.md", "\xFF\xFE\xFD\xFC\xFB\xFA\xF9\xF8\xFF\xFE\xFD\xFC\xFB\xFA\xF9\xF8\xFF\xFE\xFD\xFC\xFB\xFA\xF9\xF8");
    assert_int_equal(run_folder(&run, NULL), QA_OK);
    check_counts(1, 0, 0, 0, 0, 2);
    assert_non_null(strstr(fake_index_failure(fake, "s", "big.md"), ", and the limit for one file is "));
}

/* A document that does not fit into a reader's share of memory is worked on again, alone. */
static void test_more_than_a_share(void **state) {
    (void)state;
    size_t n = 33 << 20;
    char *big = malloc(n + 1);
    for (size_t i = 0; i < n; i++)
        big[i] = i % 1000 == 998 || i % 1000 == 999 ? '\n' : "word "[i % 5];
    big[n] = '\0';
    fake_tree_put(&tree, "big.txt", big);
    fake_tree_put(&tree, "small.md", "# Small\n");
    struct ingest_run run = defaults();
    run.max_memory = (size_t)2 << 30;
    assert_int_equal(run_folder(&run, NULL), QA_OK);
    check_counts(2, 0, 0, 0, 0, 0);
    assert_int_equal(find("big.txt")->len, n);
    free(big);
    run.max_memory = 48 << 20; /* not even alone */
    fake_tree_delete(&tree, "small.md");
    fake_tree_put(&tree, "other.md", "# Other\n");
    struct fake_index *before = fake;
    fake = fake_index_new();
    run.index = fake_index_port(fake);
    assert_int_equal(run_folder(&run, NULL), QA_OK);
    check_counts(1, 0, 0, 0, 0, 1);
    fake_index_free(before);
}

/* ---- What goes with a document ---- */

static void test_titles(void **state) {
    (void)state;
    static const struct {
        const char *path, *content, *title;
    } rows[] = {
        {"a.md", "---\ntitle: From front matter\n---\n# Heading\n", "From front matter"},
        {"b.md", "# Heading\n", "Heading"},
        {"spot-training_jobs.md", "Text.\n", "Spot training jobs"},
        {"README.md", "Text.\n", "README"},
        {"big-guide/index.md", "Text.\n", "Big guide"},
        {"lower.md", "Text.\n", "Lower"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        fake_tree_put(&tree, rows[i].path, rows[i].content);
    ingest();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(find(rows[i].path)->title, rows[i].title);
}

static void test_urls(void **state) {
    (void)state;
    static const struct {
        const char *rule, *path, *url;
    } rows[] = {
        {"https://x/{path}", "a b/c#.md", "https://x/a%20b/c%23.md"},
        {"https://x/{path_without_extension}.html", "a/v1.2.md", "https://x/a/v1.2.html"},
        {"https://x/{name}", "a/b.md", "https://x/b.md"},
        {"https://x/{page}/", "a/b.md", "https://x/a/b/"},
        {"https://x/{page}/", "a/index.md", "https://x/a/"},
        {"https://x/{page}/", "README.md", "https://x/"},
        {"https://x/{page}?v={name}", "index.md", "https://x/?v=index.md"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ingest_run run = defaults();
        run.url_rule = rows[i].rule;
        fake_tree_put(&tree, rows[i].path, "# T\n");
        assert_int_equal(run_folder(&run, rows[i].path), QA_OK);
        assert_string_equal(find(rows[i].path)->url, rows[i].url);
    }
    static const char *const bad[] = {"https://x/", "https://x/{foo}", "https://x/{path", "/{path}", "javascript:{path}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(ingest_check_url_rule(bad[i], NULL), QA_BAD_USAGE);
}

static void test_access_precedence(void **state) {
    (void)state;
    const char *by_default[] = {"everyday"}, *by_rule[] = {"ruled"};
    const struct ingest_rule rules[] = {{.glob = "in/", .acl = by_rule, .n_acl = 1}, {.glob = "*.md", .acl = by_default, .n_acl = 1}};
    struct ingest_run run = defaults();
    run.has_acl = true;
    run.acl = by_default;
    run.n_acl = 1;
    run.rules = rules;
    run.n_rules = 2;
    static const struct {
        const char *line, *path, *groups; /* groups joined by '+', "nobody", "public" */
    } rows[] = {
        {"{\"path\":\"a.md\",\"content\":\"x\"}", "a.md", "everyday"},
        {"{\"path\":\"in/a.md\",\"content\":\"x\"}", "in/a.md", "ruled"},
        {"{\"path\":\"in/b.md\",\"content\":\"---\\nacl: [fm]\\n---\\nx\"}", "in/b.md", "fm"},
        {"{\"path\":\"in/c.md\",\"acl\":[\"item\",\"two\",\"item\"],\"content\":\"---\\nacl: [fm]\\n---\\nx\"}", "in/c.md", "item+two"},
        {"{\"path\":\"in/d.md\",\"acl\":[\"public\"],\"content\":\"x\"}", "in/d.md", "public"},
        {"{\"path\":\"in/e.md\",\"acl\":[\"nobody\"],\"content\":\"x\"}", "in/e.md", "nobody"},
        {"{\"path\":\"in/f.md\",\"acl\":[],\"content\":\"x\"}", "in/f.md", "nobody"},
        {"{\"path\":\"in/g.md\",\"acl\":\"signed-in\",\"content\":\"x\"}", "in/g.md", "signed-in"},
        {"{\"path\":\"in/h.md\",\"content\":\"---\\nacl: public\\n---\\nx\"}", "in/h.md", "public"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char groups[100] = "";
        assert_int_equal(run_lines(&run, rows[i].line), QA_OK);
        const struct index_document_record *r = find(rows[i].path);
        for (size_t g = 0; g < r->n_groups; g++)
            strcat(strcat(groups, g ? "+" : ""), r->groups[g]);
        if (!r->n_groups)
            strcpy(groups, r->restricted ? "nobody" : "public");
        assert_true(r->restricted || !r->n_groups);
        if (strcmp(groups, rows[i].groups) != 0)
            fail_msg("%s: for %s, not %s", rows[i].line, groups, rows[i].groups);
    }
    /* What cannot be meant is refused, not guessed. */
    assert_int_equal(run_lines(&run, "{\"path\":\"z.md\",\"content\":\"---\\nacl: [public, staff]\\n---\\nx\"}"), QA_OK);
    check_counts(0, 0, 0, 0, 0, 1);
    assert_null(fake_index_find(fake, "s", "z.md"));
}

static void test_own_access_without_default_is_told(void **state) {
    (void)state;
    fake_tree_put(&tree, "a.md", "---\nacl: [staff]\n---\n# A\n");
    fake_tree_put(&tree, "b.md", "# B\n");
    ingest();
    assert_non_null(strstr(told.data, "notice s:- (1 document has an access rule of its own"));
    assert_false(find("b.md")->restricted);
    assert_true(find("a.md")->restricted);
}

static void test_own_access_is_told_again(void **state) {
    (void)state;
    static const char line[] = "{\"path\":\"a.md\",\"acl\":[\"staff\"],\"content\":\"x\"}\n{\"path\":\"b.md\",\"acl\":\"public\",\"content\":\"x\"}\n";
    struct ingest_run run = defaults();
    const char *staff[] = {"staff"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(run_lines(&run, line), QA_OK);
        assert_non_null(strstr(told.data, "notice s:- (1 document has an access rule of its own"));
    }
    check_counts(0, 0, 0, 2, 0, 0);
    run.has_acl = true;
    run.acl = staff;
    run.n_acl = 1;
    assert_int_equal(run_lines(&run, line), QA_OK);
    assert_null(strstr(told.data, "notice"));
}

/* ---- Access of what is not read ---- */

static const char *access_of(const char *path) {
    static char out[200];
    const struct index_document_record *r = find(path);
    strcpy(out, r->n_groups ? "" : r->restricted ? "nobody" : "public");
    for (size_t i = 0; i < r->n_groups; i++)
        strcat(strcat(out, i ? "+" : ""), r->groups[i]);
    return out;
}

/* `words` joined by '+', as rules take them. */
static size_t split_words(const char *joined, char *copy, const char **words) {
    size_t n = 0;
    for (char *at = strcpy(copy, joined), *save = NULL; (at = strtok_r(at, "+", &save)); at = NULL)
        words[n++] = at;
    return n;
}

static qa_status run_with_acl(struct ingest_run run, const char *joined) {
    char copy[100];
    const char *words[8];
    run.has_acl = true;
    run.n_acl = split_words(joined, copy, words);
    run.acl = words;
    return run_folder(&run, NULL);
}

/* What is stored, what the rules say now, and what becomes of a document that is gone but kept: never wider than either. */
static void test_narrowed_access(void **state) {
    (void)state;
    static const struct {
        const char *stored, *now, *becomes;
    } rows[] = {
        {"public", "staff", "staff"},
        {"public", "nobody", "nobody"},
        {"public", "signed-in", "signed-in"},
        {"staff", "public", "staff"},
        {"nobody", "public", "nobody"},
        {"nobody", "staff", "nobody"},
        {"staff", "nobody", "nobody"},
        {"staff", "hr", "nobody"},
        {"staff+hr+ops", "ops+hr+dev", "hr+ops"},
        {"staff", "staff+hr", "staff"},
        {"signed-in", "staff+hr", "staff+hr"},
        {"staff+hr", "signed-in", "staff+hr"},
        {"signed-in+staff", "staff+hr", "staff+hr"},
        {"signed-in", "signed-in+staff", "signed-in"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ingest_run run = defaults();
        fake_index_free(fake);
        assert_non_null(fake = fake_index_new());
        run.index = fake_index_port(fake);
        fake_tree_put(&tree, "a.md", "# A\n");
        assert_int_equal(run_with_acl(run, rows[i].stored), QA_OK);
        assert_string_equal(access_of("a.md"), rows[i].stored);
        fake_tree_delete(&tree, "a.md");
        assert_int_equal(run_with_acl(run, rows[i].now), QA_OK);
        assert_int_equal(report.withheld, 1);
        if (strcmp(access_of("a.md"), rows[i].becomes) != 0)
            fail_msg("%s, now %s: %s", rows[i].stored, rows[i].now, access_of("a.md"));
        bool narrower = strcmp(rows[i].stored, rows[i].becomes) != 0;
        assert_int_equal(strstr(told.data, "1 document that this run did not read was for people whom the rules leave out now") != NULL, narrower);
        assert_int_equal(fake_index_counts(fake).accesses, narrower);
        unsigned begins = fake_index_counts(fake).begins;
        assert_int_equal(run_with_acl(run, rows[i].now), QA_OK); /* once is enough */
        assert_int_equal(fake_index_counts(fake).begins, begins);
        fake_tree_put(&tree, "a.md", "# A\n");
        assert_int_equal(run_with_acl(run, narrower ? rows[i].stored : rows[i].now), QA_OK); /* read again, whatever the rules are now */
        check_counts(0, 1, 0, 0, 0, 0);
        assert_string_equal(access_of("a.md"), narrower ? rows[i].stored : rows[i].now);
    }
}

/* The ways of not being read. */
static void test_unread_documents_are_narrowed(void **state) {
    (void)state;
    struct ingest_run run = defaults();
    const char *staff[] = {"staff"};
    const struct ingest_rule rule = {.glob = "in/", .acl = staff, .n_acl = 1};
    fake_tree_put(&tree, "in/broken.md", "# Broken\n");
    fake_tree_put(&tree, "in/large.md", "# Large\n");
    fake_tree_put(&tree, "in/closed/a.md", "# Closed\n");
    fake_tree_put(&tree, "in/empty.md", "# Empty\n");
    fake_tree_put(&tree, "in/gone.md", "# Gone\n");
    fake_tree_put(&tree, "in/own.md", "---\nacl: [staff, hr]\n---\n# Own\n");
    fake_tree_put(&tree, "in/same.md", "# Same\n");
    fake_tree_put(&tree, "out/gone.md", "# Out\n");
    assert_int_equal(run_with_acl(run, "public"), QA_OK);
    fake_tree_put(&tree, "in/broken.md", "\xFF\xFE\xFD\xFC\xFB\xFA\xF9\xF8\xFF\xFE\xFD\xFC\xFB\xFA\xF9\xF8\xFF\xFE\xFD\xFC\xFB\xFA\xF9\xF8");
    fake_tree_put(&tree, "in/large.md", "# Larger than the limit of this run\n");
    fake_tree_put(&tree, "in/empty.md", "");
    static const char *const gone[] = {"in/gone.md", "in/own.md", "in/same.md", "out/gone.md"};
    for (size_t i = 0; i < 4; i++)
        fake_tree_delete(&tree, gone[i]);
    assert_int_equal(chmod(tree.root, 0755), 0);
    assert_int_equal(chmod(fake_tree_path(&tree, "in"), 0755), 0);
    assert_int_equal(chmod(fake_tree_path(&tree, "in/closed"), 0), 0);
    run.rules = &rule;
    run.n_rules = 1;
    run.max_bytes = 30;
    become_other(true);
    run.dry_run = true;
    assert_int_equal(run_with_acl(run, "public"), QA_OK);
    assert_non_null(strstr(told.data, "7 documents that this run did not read were for people whom the rules leave out now"));
    assert_string_equal(access_of("in/gone.md"), "public");
    run.dry_run = false;
    assert_int_equal(run_with_acl(run, "public"), QA_OK);
    become_other(false);
    assert_int_equal(report.failed, 3);
    assert_int_equal(report.withheld, 5);
    static const char *const paths[] = {"in/broken.md", "in/large.md", "in/closed/a.md", "in/empty.md", "in/gone.md", "in/own.md", "in/same.md"};
    for (size_t i = 0; i < 7; i++)
        if (strcmp(access_of(paths[i]), "staff") != 0)
            fail_msg("%s: %s", paths[i], access_of(paths[i]));
    assert_string_equal(access_of("out/gone.md"), "public");
    assert_int_equal(chmod(fake_tree_path(&tree, "in/closed"), 0700), 0);
}

/* Nothing was tightened: a failure takes a document from nobody, also when it is for others than the source. */
static void test_a_failure_alone_narrows_nothing(void **state) {
    (void)state;
    struct ingest_run run = defaults();
    fake_tree_put(&tree, "own.md", "---\nacl: [hr]\n---\n# Own\n");
    assert_int_equal(run_with_acl(run, "staff"), QA_OK);
    fake_tree_delete(&tree, "own.md");
    assert_int_equal(run_with_acl(run, "staff"), QA_OK);
    assert_string_equal(access_of("own.md"), "hr");
    assert_int_equal(fake_index_counts(fake).accesses, 0);
}

static void test_lines_that_fail(void **state) {
    (void)state;
    static const struct {
        const char *line, *access; /* NULL: forgotten */
    } rows[] = {
        {"{\"path\":\"a.md\",\"acl\":[\"hr\"],\"title\":7,\"content\":\"x\"}", "hr"},
        {"{\"path\":\"a.md\",\"acl\":[\"hr\"],\"file\":\"missing.md\"}", "hr"},
        {"{\"path\":\"a.md\",\"acl\":[\"hr\"],\"file\":\"/etc/passwd\"}", "hr"},
        {"{\"path\":\"a.md\",\"title\":7,\"content\":\"x\"}", "staff"},
        {"{\"path\":\"a.md\",\"acl\":[\"public\"],\"title\":7,\"content\":\"x\"}", "public"},
        {"{\"path\":\"a.md\",\"acl\":{},\"content\":\"x\"}", NULL},
        {"{\"path\":\"a.md\",\"acl\":[\"public\",\"hr\"],\"content\":\"x\"}", NULL},
        {"{\"path\":\"a.md\",\"content\":\"---\\nacl: [public, hr]\\n---\\nx\"}", NULL},
    };
    const char *public[] = {"public"}, *staff[] = {"staff"};
    for (int in_one_run = 0; in_one_run < 2; in_one_run++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            char lines[400];
            static const char good[] = "{\"path\":\"a.md\",\"acl\":[\"public\"],\"content\":\"x\"}\n";
            struct ingest_run run = defaults();
            run.has_acl = true;
            run.n_acl = 1;
            run.acl = public;
            assert_int_equal(run_lines(&run, good), QA_OK);
            run.acl = staff;
            snprintf(lines, sizeof lines, "%s%s", in_one_run ? good : "", rows[i].line);
            assert_int_equal(run_lines(&run, lines), QA_OK);
            assert_int_equal(report.failed, 1);
            if (!rows[i].access)
                assert_null(fake_index_find(fake, "s", "a.md"));
            else if (strcmp(access_of("a.md"), rows[i].access) != 0)
                fail_msg("%s: %s", lines, access_of("a.md"));
        }
}

/* ---- Whether rules stand is noted with the source ---- */

static bool is_ruled(const char *source) {
    struct index_port port = fake_index_port(fake);
    struct index_source noted;
    struct arena a;
    arena_init(&a, 1 << 20);
    assert_int_equal(port.ops->get_source(port.self, source, &a, &noted, NULL), QA_OK);
    arena_free(&a);
    return noted.ruled;
}

static void test_rules_are_noted(void **state) {
    (void)state;
    const char *staff[] = {"staff"}, *public[] = {"public"};
    const struct ingest_rule rule = {.glob = "x/", .acl = staff, .n_acl = 1};
    struct ingest_run plain = defaults(), closed = plain, open = plain, by_path = plain;
    closed.has_acl = open.has_acl = by_path.has_acl = true;
    closed.n_acl = open.n_acl = by_path.n_acl = by_path.n_rules = 1;
    closed.acl = staff;
    open.acl = by_path.acl = public;
    by_path.rules = &rule;
    assert_int_equal(run_folder(&closed, NULL), QA_OK); /* before there is a document */
    assert_true(is_ruled("s"));
    assert_int_equal(run_folder(&plain, NULL), QA_OK);
    assert_true(is_ruled("s"));
    assert_int_equal(run_folder(&open, NULL), QA_OK);
    assert_false(is_ruled("s"));
    fake_tree_put(&tree, "a.md", "---\nacl: [hr]\n---\n# A\n"); /* what a document says is no rule */
    assert_int_equal(run_folder(&plain, NULL), QA_OK);
    assert_false(is_ruled("s"));
    assert_int_equal(run_folder(&by_path, NULL), QA_OK); /* which touches no document */
    assert_true(is_ruled("s"));
    assert_int_equal(run_folder(&open, "a.md"), QA_OK); /* one file does not speak for its source */
    assert_true(is_ruled("s"));
    assert_int_equal(run_folder(&open, NULL), QA_OK);
    assert_int_equal(run_folder(&closed, "a.md"), QA_OK);
    assert_true(is_ruled("s"));
    unsigned begins = fake_index_counts(fake).begins;
    assert_int_equal(run_folder(&closed, "a.md"), QA_OK);
    assert_int_equal(fake_index_counts(fake).begins, begins);
    closed.source = open.source = NULL; /* nor does a stream */
    assert_int_equal(run_lines(&closed, "{\"source\":\"t\",\"path\":\"a.md\",\"content\":\"x\"}\n"
                                        "{\"source\":\"u\",\"path\":\"a.md\",\"deleted\":true}\n"), QA_OK);
    assert_true(is_ruled("t"));
    assert_false(is_ruled("u")); /* of which there is nothing */
    assert_int_equal(run_lines(&open, "{\"source\":\"t\",\"path\":\"a.md\",\"content\":\"y\"}\n"), QA_OK);
    assert_true(is_ruled("t"));
}

static void test_metadata_merged(void **state) {
    (void)state;
    json_t *metadata = NULL;
    struct ingest_run run = defaults();
    assert_int_equal(json_parse("{\"a\":\"run\",\"b\":\"run\",\"c\":\"run\"}", 31, &metadata, NULL), QA_OK);
    run.metadata = metadata;
    assert_int_equal(run_lines(&run, "{\"path\":\"a.md\",\"metadata\":{\"c\":\"item\",\"d\":[1]},\"content\":\"---\\nb: front\\nc: front\\n---\\nx\"}"), QA_OK);
    assert_string_equal(find("a.md")->metadata, "{\"a\":\"run\",\"b\":\"front\",\"c\":\"item\",\"d\":[1]}");
    json_decref(metadata);
}

/* ---- Streams ---- */

static void test_stream(void **state) {
    (void)state;
    struct ingest_run run = defaults();
    run.source = NULL;
    const char *lines = "{\"source\":\"one\",\"path\":\"a.md\",\"content\":\"# A\"}\n"
                        "{\"source\":\"two\",\"path\":\"a.md\",\"content\":\"# B\"}\n"
                        "oops\n"
                        "{\"path\":\"c.md\",\"content\":\"# C\"}\n";
    assert_int_equal(run_lines(&run, lines), QA_OK);
    check_counts(2, 0, 0, 0, 0, 2);
    assert_non_null(strstr(told.data, "added one:a.md\nadded two:a.md\nfailed -:line 3 (line 3 of "));
    assert_non_null(strstr(told.data, "failed -:c.md (names no source: add a member \"source\", or give --source)\n"));
    assert_int_equal(run_lines(&run, lines), QA_OK);
    check_counts(0, 0, 0, 2, 0, 2);
    assert_int_equal(run_lines(&run, "{\"source\":\"one\",\"path\":\"a.md\",\"deleted\":true}\n{\"source\":\"one\",\"path\":\"x.md\",\"deleted\":true}\n"), QA_OK);
    check_counts(0, 0, 0, 0, 1, 0);
    assert_string_equal(told.data, "forgotten one:a.md\n");
    assert_non_null(fake_index_find(fake, "two", "a.md"));
}

/* A stream that stands in the middle of its fourth line until what came before has been told. */
static int held_open;
static unsigned told_while_open;

static void go_on_when_told(const qa_ingest_event *e, void *user) {
    static const char rest[] = "\"d.md\",\"content\":\"# D\"}\n";
    (void)user;
    if (e->kind != QA_INGEST_ADDED || held_open < 0)
        return;
    assert_non_null(fake_index_find(fake, "s", e->path));
    if (++told_while_open < 3)
        return;
    assert_int_equal(write(held_open, rest, sizeof rest - 1), sizeof rest - 1);
    close(held_open);
    held_open = -1;
}

static void test_waiting_stream_is_written(void **state) {
    (void)state;
    static const char *const tails[] = {"{\"path\":", "\n \n{\"path\":"}; /* half a line; nothing, then half a line */
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        struct ingest_run run = defaults();
        struct ingest_jsonl *j = NULL;
        char lines[300], name[40];
        int ends[2];
        run.root = NULL;
        run.jobs = 8; /* room for many more than these */
        run.on_event = go_on_when_told;
        assert_int_equal(pipe(ends), 0);
        held_open = ends[1];
        told_while_open = 0;
        report = (qa_ingest_report){0};
        fake_index_free(fake);
        assert_non_null(fake = fake_index_new());
        run.index = fake_index_port(fake);
        int len = snprintf(lines, sizeof lines, "{\"path\":\"a.md\",\"content\":\"# A\"}\n{\"path\":\"b.md\",\"content\":\"# B\"}\n"
                                                "{\"path\":\"c.md\",\"content\":\"# C\"}\n%s", tails[i]);
        assert_int_equal(write(ends[1], lines, (size_t)len), len);
        snprintf(name, sizeof name, "/proc/self/fd/%d", ends[0]);
        assert_int_equal(ingest_open_jsonl(name, NULL, &j, NULL), QA_OK);
        close(ends[0]);
        run.documents = ingest_jsonl_port(j);
        alarm(120); /* else a stream that is not written would wait for ever */
        assert_int_equal(ingest_source(&run, &report, &err), QA_OK);
        alarm(0);
        ingest_close_jsonl(j);
        assert_int_equal(told_while_open, 3);
        check_counts(4, 0, 0, 0, 0, 0);
    }
}

static void test_stream_says_a_path_twice(void **state) {
    (void)state;
    struct ingest_run run = defaults();
    assert_int_equal(run_lines(&run, "{\"path\":\"a.md\",\"content\":\"one\"}\n"), QA_OK);
    assert_int_equal(run_lines(&run, "{\"path\":\"a.md\",\"content\":\"two\"}\n{\"path\":\"a.md\",\"content\":\"one\"}\n{\"path\":\"b.md\",\"content\":\"x\"}\n"
                                     "{\"path\":\"b.md\",\"content\":\"y\"}\n"),
                     QA_OK);
    assert_string_equal(find("a.md")->bytes, "one"); /* the later line wins, also where it says what was there before the run */
    assert_string_equal(find("b.md")->bytes, "y");
    assert_int_equal(report.seen, 2);
    assert_non_null(strstr(told.data, "notice s:a.md (listed more than once in this run; the last one counts)\n"));
    assert_int_equal(run_lines(&run, "{\"path\":\"a.md\",\"deleted\":true}\n{\"path\":\"a.md\",\"content\":\"one\"}\n"), QA_OK);
    assert_string_equal(find("a.md")->bytes, "one");
}

static void test_more_sources_than_a_stream_may_name(void **state) {
    (void)state;
    struct ingest_run run = defaults();
    struct buf lines;
    run.source = NULL;
    buf_init(&lines, 1 << 20);
    for (int i = 0; i <= 4096; i++)
        buf_printf(&lines, "{\"source\":\"n%d\",\"path\":\"a.md\",\"deleted\":true}\n", i);
    buf_puts(&lines, "{\"source\":\"n7\",\"path\":\"b.md\",\"content\":\"x\"}\n");
    assert_int_equal(run_lines(&run, lines.data), QA_OK);
    check_counts(1, 0, 0, 0, 0, 1);
    assert_string_equal(told.data, "failed -:a.md (the stream has named 4096 sources before \"n4096\", and one run takes no more: ingest it in another)\n"
                                   "added n7:b.md\n");
    buf_free(&lines);
}

static void test_content_of_any_name_is_markdown(void **state) {
    (void)state;
    struct ingest_run run = defaults();
    assert_int_equal(run_lines(&run, "{\"path\":\"page/7\",\"content\":\"# Seven\\n\\nText.\"}\n"), QA_OK);
    assert_string_equal(find("page/7")->title, "Seven");
}

static void test_one_name_for_two_things(void **state) {
    (void)state;
    struct ingest_run run = defaults();
    make_files(1);
    ingest();
    assert_int_equal(run_lines(&run, "{\"path\":\"a.md\",\"content\":\"x\"}\n"), QA_BAD_USAGE);
    assert_non_null(strstr(err.message, "the source \"s\" was made from the folder /"));
    run.source = "t"; /* the run goes on; only that line fails */
    assert_int_equal(run_lines(&run, "{\"source\":\"s\",\"path\":\"a.md\",\"content\":\"x\"}\n{\"path\":\"a.md\",\"content\":\"x\"}\n"), QA_OK);
    check_counts(1, 0, 0, 0, 0, 1);
    assert_null(fake_index_find(fake, "s", "a.md"));
    assert_null(fake_index_failure(fake, "s", "a.md"));
    run = defaults();
    run.source = "t";
    assert_int_equal(run_folder(&run, NULL), QA_BAD_USAGE);
}

/* ---- Transactions ---- */

static void test_cancel_keeps_what_is_whole(void **state) {
    (void)state;
    for (int i = 0; i < 1200; i++) {
        char path[20];
        snprintf(path, sizeof path, "f%04d.md", i);
        fake_tree_put(&tree, path, "# F\n");
    }
    struct ingest_run run = defaults();
    cancel_after = 3; /* events come after the first commit */
    assert_int_equal(run_folder(&run, NULL), QA_CANCELLED);
    assert_string_equal(err.message, "stopped; what was reported is safe, and running it again goes on from there");
    assert_in_range(report.added, 512, 1199);
    assert_int_equal(fake_index_count(fake), report.added);
    uint64_t before = report.added;
    cancel = 0;
    ingest();
    check_counts(1200 - before, 0, 0, before, 0, 0);
}

static void test_cancel_prunes_nothing(void **state) {
    (void)state;
    make_files(4);
    ingest();
    fake_tree_delete(&tree, "f00.md");
    cancel = 1;
    struct ingest_run run = defaults();
    assert_int_equal(run_folder(&run, NULL), QA_CANCELLED);
    assert_int_equal(fake_index_count(fake), 4);
}

static void test_dry_run(void **state) {
    (void)state;
    struct ingest_run run = defaults();
    make_files(4);
    run.dry_run = true;
    assert_int_equal(run_folder(&run, NULL), QA_OK);
    check_counts(4, 0, 0, 0, 0, 0);
    assert_int_equal(fake_index_counts(fake).begins, 0);
    ingest();
    fake_tree_put(&tree, "f00.md", "# New\n");
    fake_tree_move(&tree, "f01.md", "g.md");
    fake_tree_delete(&tree, "f02.md");
    assert_int_equal(run_folder(&run, NULL), QA_OK);
    assert_string_equal(told.data, "changed s:f00.md\nmoved s:g.md (f01.md)\nforgotten s:f02.md\n");
    assert_int_equal(fake_index_counts(fake).begins, 1);
    ingest();
    assert_string_equal(told.data, "changed s:f00.md\nmoved s:g.md (f01.md)\nforgotten s:f02.md\n");
}

/* A document is told only when its transaction is on disk, and a failed one counts for nothing. */
static void test_failed_write_and_commit(void **state) {
    (void)state;
    make_files(3);
    struct ingest_run run = defaults();
    fake_index_fail(fake, 2, 0);
    assert_int_equal(run_folder(&run, NULL), QA_IO);
    assert_string_equal(err.message, "a write failed on purpose");
    check_counts(0, 0, 0, 0, 0, 0);
    assert_string_equal(told.data, "");
    assert_int_equal(fake_index_count(fake), 0);
    fake_index_fail(fake, 0, 1);
    assert_int_equal(run_folder(&run, NULL), QA_IO);
    check_counts(0, 0, 0, 0, 0, 0);
    assert_string_equal(told.data, "");
    assert_int_equal(fake_index_counts(fake).rollbacks, 2);
    ingest();
    check_counts(3, 0, 0, 0, 0, 0);
}

static void test_root_is_kept(void **state) {
    (void)state;
    struct arena a;
    struct index_source noted;
    struct index_port port = fake_index_port(fake);
    arena_init(&a, 1 << 20);
    make_files(1);
    ingest();
    assert_int_equal(port.ops->get_source(port.self, "s", &a, &noted, NULL), QA_OK);
    assert_string_equal(noted.root, tree.root);
    struct ingest_run run = defaults();
    run.root = "/elsewhere";
    assert_int_equal(run_folder(&run, NULL), QA_BAD_USAGE); /* two roots, one name */
    char before[256];
    strcpy(before, tree.root); /* but a folder may move */
    strcat(tree.root, "-moved");
    assert_int_equal(rename(before, tree.root), 0);
    ingest();
    check_counts(0, 0, 0, 1, 0, 0);
    assert_non_null(strstr(told.data, "which is gone; from now on it is "));
    ingest();
    assert_string_equal(told.data, "");
    arena_free(&a);
}

/* ---- Threads ---- */

static void dump_with_jobs(unsigned jobs, struct buf *dump, struct buf *events) {
    struct ingest_run run = defaults();
    struct fake_index *before = fake;
    fake = fake_index_new();
    assert_non_null(fake);
    run.index = fake_index_port(fake);
    run.jobs = jobs;
    assert_int_equal(run_folder(&run, NULL), QA_OK);
    buf_init(dump, 32 << 20);
    fake_index_dump(fake, dump);
    buf_init(events, 8 << 20);
    buf_puts(events, told.data);
    fake_index_free(fake);
    fake = before;
}

static void test_threads_change_nothing(void **state) {
    (void)state;
    struct buf dump_1, dump_4, events_1, events_4;
    for (int i = 0; i < 300; i++) {
        char path[40], text[400];
        snprintf(path, sizeof path, "d%d/f%03d.md", i % 7, i);
        snprintf(text, sizeof text, "---\ntags: [a, b%d]\n%s---\n# F %d\n\nSome text of %d, *marked* and `code`.\n\n## Part\n\n- one\n- two\n", i,
                 i % 11 ? "" : "acl: [public, staff]\n", i, i);
        fake_tree_put(&tree, path, text);
    }
    dump_with_jobs(1, &dump_1, &events_1);
    dump_with_jobs(4, &dump_4, &events_4);
    assert_true(dump_1.len > 10000);
    assert_string_equal(dump_1.data, dump_4.data);
    assert_non_null(strstr(events_1.data, "failed "));
    assert_string_equal(events_1.data, events_4.data);
    buf_free(&dump_1);
    buf_free(&dump_4);
    buf_free(&events_1);
    buf_free(&events_4);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_added_changed_unchanged), TEST(test_settings_make_it_anew), TEST(test_moved), TEST(test_moved_with_other_settings),
        TEST(test_copied_is_added), TEST(test_moved_pairs_by_path), TEST(test_swapped_names_are_changes), TEST(test_forgotten),
        TEST(test_guard), TEST(test_guard_counts_what_is_empty), TEST(test_empty_and_missing_root), TEST(test_other_sources_are_left_alone), TEST(test_one_file_forgets_nothing),
        TEST(test_a_failure_keeps_the_earlier_version), TEST(test_a_failure_ends_with_an_unchanged_document),
        TEST(test_below_a_closed_folder_nothing_is_gone), TEST(test_too_large_and_no_text), TEST(test_more_than_a_share), TEST(test_titles),
        TEST(test_urls), TEST(test_access_precedence), TEST(test_own_access_without_default_is_told),
        TEST(test_own_access_is_told_again), TEST(test_narrowed_access), TEST(test_unread_documents_are_narrowed),
        TEST(test_a_failure_alone_narrows_nothing), TEST(test_lines_that_fail), TEST(test_rules_are_noted), TEST(test_metadata_merged),
        TEST(test_stream), TEST(test_more_sources_than_a_stream_may_name), TEST(test_waiting_stream_is_written), TEST(test_stream_says_a_path_twice), TEST(test_content_of_any_name_is_markdown), TEST(test_one_name_for_two_things),
        TEST(test_cancel_keeps_what_is_whole), TEST(test_cancel_prunes_nothing), TEST(test_dry_run), TEST(test_failed_write_and_commit),
        TEST(test_root_is_kept), TEST(test_threads_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
