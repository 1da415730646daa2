#include "fake/fake_tree.h"
#include "ingest/ingest.h"
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static struct fake_tree tree;
static struct buf notices;

static int setup(void **state) {
    (void)state;
    fake_tree_make(&tree);
    buf_init(&notices, 1 << 20);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    fake_tree_remove(&tree);
    buf_free(&notices);
    return 0;
}

static void on_notice(void *user, const char *path, const char *message) {
    (void)user;
    buf_printf(&notices, "%s: %s\n", path, message);
}

static struct ingest_folder *open_folder(const struct ingest_folder_options *wanted) {
    struct ingest_folder_options options = *wanted;
    struct ingest_folder *f = NULL;
    qa_error err = {0};
    if (!options.root)
        options.root = tree.root;
    options.notice = on_notice;
    if (ingest_open_folder(&options, &f, &err) != QA_OK)
        fail_msg("%s", err.message);
    return f;
}

/* The paths listed, separated by blanks; for those that cannot be read "path!". */
static void check_list(const struct ingest_folder_options *options, const char *expected) {
    struct ingest_folder *f = open_folder(options);
    struct documents_port port = ingest_folder_port(f);
    struct document_item item;
    struct arena a;
    struct buf out;
    bool more = true;
    arena_init(&a, 16 << 20);
    buf_init(&out, 1 << 20);
    buf_put(&out, "", 0);
    while (port.ops->next(port.self, &a, &item, &more, NULL) == QA_OK && more) {
        char *bytes;
        size_t len;
        qa_status status = port.ops->read(port.self, &item, &a, 1 << 20, &bytes, &len, NULL);
        buf_printf(&out, "%s%s%s", out.len ? " " : "", item.path, status == QA_OK ? "" : "!");
        port.ops->release(port.self, &item);
    }
    assert_string_equal(out.data, expected);
    ingest_close_folder(f);
    buf_free(&out);
    arena_free(&a);
}

static void check(const char *expected) { check_list(&(struct ingest_folder_options){0}, expected); }

static void test_order_is_that_of_paths(void **state) {
    (void)state;
    const char *paths[] = {"b.md", "a/z.md", "a-b.md", "a.md", "a/b/c.md", "a/b.md", "B.md", "\xC3\xA9.md"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        fake_tree_put(&tree, paths[i], "x\n");
    check("B.md a-b.md a.md a/b.md a/b/c.md a/z.md b.md \xC3\xA9.md");
}

static void test_what_is_no_document(void **state) {
    (void)state;
    fake_tree_put(&tree, "a.md", "x\n");
    fake_tree_put(&tree, "b.png", "x");
    fake_tree_put(&tree, ".hidden.md", "x\n");
    fake_tree_put(&tree, ".git/x.md", "x\n");
    fake_tree_put(&tree, ".github/x.md", "x\n");
    fake_tree_put(&tree, "empty", NULL);
    assert_int_equal(mkfifo(fake_tree_path(&tree, "pipe.md"), 0600), 0);
    check("a.md");
    struct ingest_folder *f = open_folder(&(struct ingest_folder_options){0});
    assert_int_equal(ingest_folder_total(f), 1);
    assert_int_equal(ingest_folder_total_bytes(f), 2);
    assert_int_equal(ingest_folder_skipped(f), 2); /* the image and the pipe */
    ingest_close_folder(f);
}

static void test_ignore_files(void **state) {
    (void)state;
    static const char *const files[] = {"a.md", "b.md", "keep/b.md", "drafts/a.md", "sub/drafts/a.md", "sub/only.md", "sub/x.md", "sub/deep/x.md"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        fake_tree_put(&tree, files[i], "x\n");
    fake_tree_put(&tree, ".gitignore", "# comment\n/drafts/\nb.md\n");
    fake_tree_put(&tree, "keep/.gitignore", "!b.md\n");          /* a deeper file takes back */
    fake_tree_put(&tree, "sub/.gitignore", "/x.md\n/deep\n");    /* from where it stands; a folder left out is not entered */
    fake_tree_put(&tree, "sub/deep/.gitignore", "!x.md\n");
    check("a.md keep/b.md sub/drafts/a.md sub/only.md");
}

static void test_own_ignore_file_wins(void **state) {
    (void)state;
    fake_tree_put(&tree, "a.md", "x\n");
    fake_tree_put(&tree, "b.md", "x\n");
    fake_tree_put(&tree, "sub/c.md", "x\n");
    fake_tree_put(&tree, ".gitignore", "b.md\n");
    fake_tree_put(&tree, ".quaereignore", "!b.md\na.md\nc.md\n");
    fake_tree_put(&tree, "sub/.gitignore", "!c.md\n");
    check("b.md");
}

static void test_git_exclude_and_folders_above(void **state) {
    (void)state;
    fake_tree_put(&tree, ".git/info/exclude", "secret.md\n");
    fake_tree_put(&tree, ".gitignore", "/docs/gen/\n*.tmp.md\n/built\n");
    fake_tree_put(&tree, "docs/a.md", "x\n");
    fake_tree_put(&tree, "docs/a.tmp.md", "x\n");
    fake_tree_put(&tree, "docs/gen/a.md", "x\n");
    fake_tree_put(&tree, "docs/deep/secret.md", "x\n");
    fake_tree_put(&tree, "built/a.tmp.md", "x\n");
    check("docs/a.md");
    check_list(&(struct ingest_folder_options){.root = fake_tree_path(&tree, "docs")}, "a.md");
    /* Who names a folder that git ignores wants it. */
    check_list(&(struct ingest_folder_options){.root = fake_tree_path(&tree, "built")}, "a.tmp.md");
}

static void test_include_and_exclude(void **state) {
    (void)state;
    static const char *const files[] = {"a.md", "guide/b.md", "guide/drafts/c.md", "guide/d.txt", "other/e.md"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        fake_tree_put(&tree, files[i], "x\n");
    const char *include[] = {"/guide", "e.md"}, *exclude[] = {"drafts/", "*.txt"}, *bad[] = {"!x"};
    check_list(&(struct ingest_folder_options){.include = include, .n_include = 2}, "guide/b.md guide/d.txt guide/drafts/c.md other/e.md");
    check_list(&(struct ingest_folder_options){.exclude = exclude, .n_exclude = 2}, "a.md guide/b.md other/e.md");
    check_list(&(struct ingest_folder_options){.include = include, .n_include = 1, .exclude = exclude, .n_exclude = 2}, "guide/b.md");
    struct ingest_folder *f = NULL;
    qa_error err = {0};
    struct ingest_folder_options options = {.root = tree.root, .exclude = bad, .n_exclude = 1};
    assert_int_equal(ingest_open_folder(&options, &f, &err), QA_BAD_USAGE);
    assert_null(f);
}

static void test_links(void **state) {
    (void)state;
    fake_tree_put(&tree, "in/real/a.md", "x\n");
    fake_tree_put(&tree, "out/b.md", "x\n");
    fake_tree_link(&tree, "in/file.md", "real/a.md");
    fake_tree_link(&tree, "in/folder", "real");
    fake_tree_link(&tree, "in/escape", "../out");
    fake_tree_link(&tree, "in/escape.md", "../out/b.md");
    fake_tree_link(&tree, "in/nowhere.md", "missing.md");
    fake_tree_link(&tree, "in/self.md", "self.md");
    fake_tree_link(&tree, "in/real/up", "..");
    const struct ingest_folder_options options = {.root = fake_tree_path(&tree, "in")};
    check_list(&options, "file.md folder/a.md real/a.md");
    assert_string_equal(notices.data, "escape.md: a symbolic link that leads out of the folder was not followed\n"
                                      "escape: a symbolic link that leads out of the folder was not followed\n" /* as "escape/" */
                                      "folder/up: a symbolic link that leads back into a folder around it was not followed\n"
                                      "nowhere.md: a symbolic link leads nowhere\n"
                                      "real/up: a symbolic link that leads back into a folder around it was not followed\n"
                                      "self.md: a symbolic link that leads to itself was not followed\n");
}

/* Ten folders, each with links to all others: 10! ways to walk them, of which each folder is walked twice. */
static void test_links_do_not_multiply(void **state) {
    (void)state;
    char path[40], target[40];
    for (int i = 0; i < 10; i++) {
        snprintf(path, sizeof path, "d%d/x.md", i);
        fake_tree_put(&tree, path, "x\n");
        for (int j = 0; j < 10; j++) {
            snprintf(path, sizeof path, "d%d/l%d", i, j);
            snprintf(target, sizeof target, "../d%d", j);
            fake_tree_link(&tree, path, target);
        }
    }
    struct ingest_folder *f = open_folder(&(struct ingest_folder_options){0});
    assert_in_range(ingest_folder_total(f), 10, 20);
    ingest_close_folder(f);
}

static void test_names_that_are_not_text(void **state) {
    (void)state;
    fake_tree_put(&tree, "a.md", "x\n");
    fake_tree_put(&tree, "bad\xFF.md", "x\n");
    fake_tree_put(&tree, "bad\xFE/x.md", "x\n");
    fake_tree_put(&tree, "bad\xFD.png", "x\n"); /* would not be read anyway */
    fake_tree_put(&tree, "line\nbreak.md", "x\n");
    check("a.md bad\\xFE/! bad\\xFF.md! line\nbreak.md");
}

/* Permissions do not bind the superuser, so that he becomes another user for a while. */
static void test_what_may_not_be_read(void **state) {
    (void)state;
    fake_tree_put(&tree, "a.md", "x\n");
    fake_tree_put(&tree, "closed/b.md", "x\n");
    fake_tree_put(&tree, "z.md", "x\n");
    fake_tree_put(&tree, "ignores/c.md", "x\n");
    fake_tree_put(&tree, "ignores/.gitignore", "c.md\n");
    assert_int_equal(chmod(tree.root, 0755), 0);
    assert_int_equal(chmod(fake_tree_path(&tree, "closed"), 0), 0);
    assert_int_equal(chmod(fake_tree_path(&tree, "z.md"), 0), 0);
    assert_int_equal(chmod(fake_tree_path(&tree, "ignores/.gitignore"), 0), 0);
    uid_t me = geteuid();
    if (me == 0)
        assert_int_equal(seteuid(65534), 0);
    check("a.md closed/! ignores/! z.md!");
    if (me == 0)
        assert_int_equal(seteuid(me), 0);
}

static void test_deep_tree(void **state) {
    (void)state;
    char path[4096] = "";
    for (int i = 0; i < 900; i++)
        strcat(path, "d/");
    strcat(path, "x.md");
    fake_tree_put(&tree, path, "x\n");
    check(path);
}

static void test_one_file(void **state) {
    (void)state;
    fake_tree_put(&tree, "a.md", "x\n");
    fake_tree_put(&tree, "b.md", "x\n");
    fake_tree_put(&tree, "b.png", "x\n");
    fake_tree_put(&tree, ".gitignore", "*\n");
    check_list(&(struct ingest_folder_options){.only = "a.md"}, "a.md");
    struct ingest_folder *f = open_folder(&(struct ingest_folder_options){.only = "b.png"});
    assert_false(ingest_folder_port(f).complete);
    assert_int_equal(ingest_folder_skipped(f), 1);
    ingest_close_folder(f);
    assert_string_equal(notices.data, "b.png: files of this type are not read\n");
}

static void test_missing_root(void **state) {
    (void)state;
    struct ingest_folder *f = NULL;
    qa_error err = {0};
    struct ingest_folder_options options = {.root = fake_tree_path(&tree, "missing")};
    assert_int_equal(ingest_open_folder(&options, &f, &err), QA_NOT_FOUND);
    assert_null(f);
    options.missing_ok = true;
    check_list(&options, "");
    fake_tree_put(&tree, "file", "x");
    options.root = fake_tree_path(&tree, "file");
    assert_int_equal(ingest_open_folder(&options, &f, &err), QA_IO);
}

/* What was listed and is gone when read is told apart from what fails. */
static void test_vanishes_after_listing(void **state) {
    (void)state;
    fake_tree_put(&tree, "a.md", "x\n");
    struct ingest_folder *f = open_folder(&(struct ingest_folder_options){0});
    struct documents_port port = ingest_folder_port(f);
    struct document_item item;
    struct arena a;
    bool more;
    char *bytes;
    size_t len;
    arena_init(&a, 1 << 20);
    assert_int_equal(port.ops->next(port.self, &a, &item, &more, NULL), QA_OK);
    fake_tree_delete(&tree, "a.md");
    assert_int_equal(port.ops->read(port.self, &item, &a, 100, &bytes, &len, NULL), QA_NOT_FOUND);
    arena_free(&a);
    ingest_close_folder(f);
}

static void test_cancel(void **state) {
    (void)state;
    fake_tree_put(&tree, "a.md", "x\n");
    atomic_int cancel = 1;
    struct ingest_folder *f = NULL;
    struct ingest_folder_options options = {.root = tree.root, .cancel = &cancel};
    assert_int_equal(ingest_open_folder(&options, &f, NULL), QA_CANCELLED);
}

/* ---- Places ---- */

static void check_place(const char *path, const char *source, const struct ingest_root *known, size_t n, const char *expected) {
    struct arena a;
    struct ingest_place place;
    qa_error err = {0};
    char out[3 * PATH_MAX], *text = out;
    arena_init(&a, 1 << 20);
    if (ingest_find_place(&a, path, source, known, n, &place, &err) == QA_OK)
        snprintf(out, sizeof out, "%s = %s%s%s%s%s%s", place.source, place.root, place.only ? " only " : "", place.only ? place.only : "",
                 place.missing ? " missing" : "", place.moved_from ? " was " : "", place.moved_from ? place.moved_from : "");
    else
        snprintf(out, sizeof out, "%s: %s", qa_status_name(err.status), err.message);
    /* The root of the test is written T. */
    char shown[3 * PATH_MAX] = "";
    size_t n_root = strlen(tree.root);
    for (char *at = strstr(text, tree.root); at; at = strstr(text, tree.root)) {
        strncat(shown, text, (size_t)(at - text));
        strcat(shown, "T");
        text = at + n_root;
    }
    strcat(shown, text);
    assert_string_equal(shown, expected);
    arena_free(&a);
}

static void test_places(void **state) {
    (void)state;
    char here[PATH_MAX];
    fake_tree_put(&tree, "docs/a.md", "x\n");
    fake_tree_put(&tree, "docs/sub/b.md", "x\n");
    fake_tree_put(&tree, "docs-2/a.md", "x\n");
    fake_tree_put(&tree, "a:b/a.md", "x\n");
    fake_tree_link(&tree, "link", "docs");
    assert_int_equal(mkfifo(fake_tree_path(&tree, "pipe"), 0600), 0);
    char docs[PATH_MAX], gone[PATH_MAX];
    strcpy(docs, fake_tree_path(&tree, "docs"));
    strcpy(gone, fake_tree_path(&tree, "gone"));
    const struct ingest_root known[] = {{"docs", docs}, {"stream", INGEST_STREAM}, {"old", gone}};
    const char *docs_2 = fake_tree_path(&tree, "docs-2");
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(tree.root), 0);

    check_place("docs", NULL, NULL, 0, "docs = T/docs");
    check_place("./docs/../docs/", NULL, NULL, 0, "docs = T/docs");
    check_place("link", NULL, NULL, 0, "docs = T/docs");
    check_place("docs", "guide", NULL, 0, "guide = T/docs");
    check_place("a:b", NULL, NULL, 0, "a-b = T/a:b");
    check_place("docs/a.md", NULL, NULL, 0, "docs = T/docs only a.md");
    check_place("docs", NULL, known, 3, "docs = T/docs");
    check_place("docs/sub/b.md", NULL, known, 3, "docs = T/docs only sub/b.md");
    check_place("link/a.md", NULL, known, 3, "docs = T/docs only a.md");
    check_place("docs-2", NULL, known, 3, "docs-2 = T/docs-2");
    check_place("gone", NULL, known, 3, "old = T/gone missing");
    check_place("docs-2", "old", known, 3, "old = T/docs-2 was T/gone");
    check_place("nothing", NULL, known, 3, "not_found: cannot ingest nothing: No such file or directory");
    check_place("pipe", NULL, known, 3, "bad_usage: pipe is neither a file nor a folder");
    check_place("docs", "other", known, 3,
                "bad_usage: T/docs is already the source \"docs\"; it cannot also be \"other\". Leave --source out to bring it up to date");
    check_place("docs-2", "docs", known, 3, "bad_usage: the source \"docs\" is the folder T/docs; T/docs-2 needs another name, with --source");
    check_place("docs-2", "stream", known, 3, "bad_usage: the source \"stream\" was made from JSON lines and cannot also be the folder T/docs-2: give "
                                              "another name with --source");
    check_place("docs/sub", NULL, known, 3, "bad_usage: T/docs/sub lies inside T/docs, which is the source \"docs\": its documents are there already. "
                                            "Ingest T/docs to bring them up to date, or use another --index");
    check_place(".", NULL, known, 1, "bad_usage: T contains T/docs, which is the source \"docs\": its documents would be there twice. Ingest other "
                                     "folders, or use another --index");
    check_place(docs_2, "a/b", NULL, 0, "bad_usage: \"a/b\" cannot name a source: 1 to 200 bytes of text without '/', ':', control characters and "
                                        "blanks at the ends");
    assert_int_equal(chdir(here), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order_is_that_of_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_document, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ignore_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_own_ignore_file_wins, setup, teardown),
        cmocka_unit_test_setup_teardown(test_git_exclude_and_folders_above, setup, teardown),
        cmocka_unit_test_setup_teardown(test_include_and_exclude, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links_do_not_multiply, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_that_are_not_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_may_not_be_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deep_tree, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_root, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vanishes_after_listing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_places, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
