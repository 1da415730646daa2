#include "ingest/glob.h"
#include "ingest/ingest.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* Each row is what `git check-ignore` says of the path with this one line in the topmost .gitignore; a path that ends in '/' is a folder. */
static const struct {
    const char *name, *pattern, *path;
    int matches;
} rows[] = {
    {"a name at the top", "build", "build", 1},
    {"a name below", "build", "a/b/build", 1},
    {"a name is not a part of one", "build", "rebuild", 0},
    {"a star", "*.log", "a/x.log", 1},
    {"a star is empty too", "a*b", "ab", 1},
    {"a star stops at a slash", "a/*c", "a/b/c", 0},
    {"stars go back", "*a*b*c", "xaybzbbc", 1},
    {"a question mark", "?.md", "x.md", 1},
    {"a question mark is no slash", "a/?", "a/", 0},
    {"a class", "[a-c]x", "bx", 1},
    {"a class negated", "[!a-c]x", "bx", 0},
    {"a class negated the other way", "[^a-c]x", "dx", 1},
    {"a named class", "[[:digit:]]", "7", 1},
    {"a bracket in a class", "[]]", "]", 1},
    {"anchored by a slash in front", "/a", "a", 1},
    {"anchored by a slash in front, below", "/a", "b/a", 0},
    {"anchored by a slash inside", "a/b", "a/b", 1},
    {"anchored by a slash inside, below", "a/b", "x/a/b", 0},
    {"a folder", "a/", "a/", 1},
    {"a folder is no file", "a/", "a", 0},
    {"a folder is found below", "a/", "x/a/", 1},
    {"a double star in front", "**/a", "a", 1},
    {"a double star in front, deep", "**/a", "x/y/a", 1},
    {"a double star in front of two", "**/a/b", "x/a/b", 1},
    {"a double star at the end", "a/**", "a/x/y", 1},
    {"a double star at the end is not the folder", "a/**", "a/", 0},
    {"a double star between, none", "a/**/b", "a/b", 1},
    {"a double star between, two", "a/**/b", "a/x/y/b", 1},
    {"a double star between, another end", "a/**/b", "a/x/y/c", 0},
    {"two double stars", "**/a/**/b", "x/a/y/a/z/b", 1},
    {"double stars side by side", "a/**/**/b", "a/b", 1},
    {"a double star in a word is a star", "a**b", "axxb", 1},
    {"a double star in a word stops at a slash", "x/a**b", "x/a/b", 0},
    {"an escaped star", "a\\*", "a*", 1},
    {"an escaped star is no star", "a\\*", "ab", 0},
    {"an escaped hash", "\\#a", "#a", 1},
    {"an escaped exclamation", "\\!a", "!a", 1},
    {"an escaped blank at the end", "a\\ ", "a ", 1},
    {"blanks at the end", "a   ", "a", 1},
    {"a blank inside", "a b", "a b", 1},
    {"a carriage return", "a\r", "a", 1},
    {"a backslash at the end", "a\\", "a", 0},
    {"case counts", "A", "a", 0},
    {"bytes beyond ASCII", "caf\xC3\xA9*", "caf\xC3\xA9s", 1},
};

static void test_rows(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a;
        struct glob *g = NULL;
        struct glob_path path = {0};
        size_t len = strlen(rows[i].path);
        arena_init(&a, 1 << 20);
        assert_int_equal(glob_compile(&a, rows[i].pattern, strlen(rows[i].pattern), &g, NULL), QA_OK);
        assert_non_null(g);
        assert_int_equal(glob_cut(&path, rows[i].path, NULL), QA_OK);
        if (glob_matches(g, path.segments, path.n, len && rows[i].path[len - 1] == '/') != rows[i].matches)
            fail_msg("%s: %s on %s", rows[i].name, rows[i].pattern, rows[i].path);
        glob_path_free(&path);
        arena_free(&a);
    }
}

static void test_lines_that_say_nothing(void **state) {
    static const char *const lines[] = {"", "   ", "# a comment", "/", "!", "\r", "!/"};
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct arena a;
        struct glob *g = NULL;
        arena_init(&a, 1 << 20);
        assert_int_equal(glob_compile(&a, lines[i], strlen(lines[i]), &g, NULL), QA_OK);
        if (g)
            fail_msg("\"%s\" says something", lines[i]);
        arena_free(&a);
    }
}

static void test_covers_what_is_below(void **state) {
    static const struct {
        const char *glob, *path;
        int covers;
    } covered[] = {
        {"internal/", "internal/a/b.md", 1}, {"internal", "x/internal/b.md", 1}, {"internal/", "internal.md", 0},
        {"/a/b", "a/b/c/d.md", 1},           {"*.md", "a/b.md", 1},              {"a/*.md", "a/b/c.md", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof covered / sizeof *covered; i++) {
        struct arena a;
        struct glob *g = NULL;
        struct glob_path path = {0};
        arena_init(&a, 1 << 20);
        assert_int_equal(glob_compile(&a, covered[i].glob, strlen(covered[i].glob), &g, NULL), QA_OK);
        assert_int_equal(glob_cut(&path, covered[i].path, NULL), QA_OK);
        if (glob_covers(g, &path) != covered[i].covers)
            fail_msg("%s on %s", covered[i].glob, covered[i].path);
        glob_path_free(&path);
        arena_free(&a);
    }
}

/* A pattern that takes a naive matcher 2^30 steps. */
static void test_hostile_pattern(void **state) {
    (void)state;
    struct arena a;
    struct glob *g = NULL;
    struct glob_path path = {0};
    char pattern[400] = "", text[400] = "";
    for (int i = 0; i < 60; i++)
        strcat(pattern, "**/a/"), strcat(text, "a/");
    strcat(pattern, "b"), strcat(text, "c");
    arena_init(&a, 1 << 20);
    assert_int_equal(glob_compile(&a, pattern, strlen(pattern), &g, NULL), QA_OK);
    assert_int_equal(glob_cut(&path, text, NULL), QA_OK);
    assert_false(glob_matches(g, path.segments, path.n, false));
    strcpy(pattern, "");
    for (int i = 0; i < 30; i++)
        strcat(pattern, "*a");
    memset(text, 'a', 300);
    strcpy(text + 300, "b");
    assert_int_equal(glob_compile(&a, pattern, strlen(pattern), &g, NULL), QA_OK);
    assert_int_equal(glob_cut(&path, text, NULL), QA_OK);
    assert_false(glob_matches(g, path.segments, path.n, false));
    glob_path_free(&path);
    arena_free(&a);
}

static void test_check(void **state) {
    (void)state;
    qa_error err = {0};
    assert_int_equal(ingest_check_glob("guide/**/draft-*", &err), QA_OK);
    assert_int_equal(ingest_check_glob("!keep", &err), QA_BAD_USAGE);
    assert_int_equal(ingest_check_glob("# x", &err), QA_BAD_USAGE);
    assert_int_equal(ingest_check_glob("", &err), QA_BAD_USAGE);
    assert_string_equal(err.message, "\"\" is no pattern for paths: write it like \"*.md\", \"drafts/\" or \"guide/**/draft-*\", without a leading "
                                     "'!' or '#'");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_lines_that_say_nothing),
        cmocka_unit_test(test_covers_what_is_below),
        cmocka_unit_test(test_hostile_pattern),
        cmocka_unit_test(test_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
