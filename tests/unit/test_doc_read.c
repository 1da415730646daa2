// What a document says about itself, and which documents are refused.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/buf.h"
#include "doc/doc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

static void readable_names(void **state) {
    (void)state;
    static const char *const yes[] = {"a.md", "b/c.MARKDOWN", "x.mdown", "x.mkd", "x.mdx", "x.txt", "a.b.md"};
    static const char *const no[] = {"a", "md", "a.html", "a.md/b", ".gitignore", "a.md.bak", ""};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_true(doc_can_read(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(doc_can_read(no[i]));
}

// "title | url | metadata | groups", "-" for what is not there.
static char *describe(const struct doc_tree *t) {
    char *metadata = json_write(t->metadata, 0), *out = NULL, groups[200] = "";
    for (size_t i = 0; i < t->n_acl; i++)
        snprintf(groups + strlen(groups), sizeof groups - strlen(groups), "%s,", t->acl[i]);
    if (asprintf(&out, "%s | %s | %s | %s", t->title ? t->title : "-", t->url ? t->url : "-", metadata, t->acl ? groups : "-") < 0)
        out = NULL;
    free(metadata);
    return out;
}

static void front_matter(void **state) {
    (void)state;
    static const struct {
        const char *name, *in, *want; // want: an error's words after "!"
        size_t blocks;
    } rows[] = {
        {"none", "# A\n\n## B", "A | - | {} | -", 2},
        {"title", "---\ntitle: T\nx: 1\n---\n# A", "T | - | {\"x\":1} | -", 1},
        {"title of the highest level", "### c\n\n## b\n\n## d", "b | - | {} | -", 3},
        {"title with markup", "# The `a` &amp; *b*", "The a & b | - | {} | -", 1},
        {"a title that is no text", "---\ntitle: [a]\n---\n# A", "A | - | {\"title\":[\"a\"]} | -", 1},
        {"types", "---\na: 1\nb: 1.5\nc: 1.10\nd: 007\ne: yes\nf: true\ng: ~\nh: '1'\ni: 2024-01-02\nj: {k: [1]}\n---\n",
         "- | - | {\"a\":1,\"b\":1.5,\"c\":\"1.10\",\"d\":\"007\",\"e\":\"yes\",\"f\":true,\"g\":null,\"h\":\"1\",\"i\":\"2024-01-02\",\"j\":{\"k\":[1]}} | -", 0},
        {"an absolute url", "---\nurl: /a\ncanonical_url: https://x/y\n---\n", "- | https://x/y | {\"url\":\"/a\",\"canonical_url\":\"https://x/y\"} | -", 0},
        {"groups", "---\nacl: [ops, dev]\n---\n", "- | - | {} | ops,dev,", 0},
        {"one group", "---\nacl: ops\n---\n", "- | - | {} | ops,", 0},
        {"an empty list is not none", "---\nacl: []\n---\n", "- | - | {} | ", 0},
        {"groups that are no names", "---\nacl: [ops, 5]\n---\n", "!groups", 0},
        {"groups that are no list", "---\nacl: {a: b}\n---\n", "!groups", 0},
        {"groups in what does not parse", "---\na: [\nacl: [ops]\n---\n", "!groups", 0},
        {"broken", "---\na: [b\n---\n\nx", "a: [b | - | {} | -", 2},
        {"duplicate keys", "---\na: 1\na: 2\n---\n\nx", "a: 1 a: 2 | - | {} | -", 2},
        {"no mapping", "---\nonly text\n---\n\nx", "only text | - | {} | -", 2},
        {"never closed", "---\na: 1\n\nx", "- | - | {} | -", 2},
        {"empty", "---\n---\nx", "- | - | {} | -", 1},
        {"not at the top", "\n---\na: 1\n---\n", "a: 1 | - | {} | -", 1},
        {"groups not at the top", "\n---\nacl: [ops]\n---\n", "!groups", 0},
        {"groups never closed", "---\nacl: [ops]\n\nx", "!groups", 0},
        {"groups in TOML", "+++\nacl = [\"ops\"]\n+++\n# A", "!groups", 0},
        {"groups in capitals", "---\nACL: [ops]\n---\n", "!groups", 0},
        {"groups quoted in what does not parse", "---\n\"acl\" : [ops]\nx: [\n---\n", "!groups", 0},
        {"groups in a sequence", "---\n- acl: [ops]\n---\n", "!groups", 0},
        {"groups by a merge", "---\nd: &d {acl: [ops]}\n<<: *d\n---\n", "!groups", 0},
        {"a word with acl in it", "---\noracle: [x\n---\n", "oracle: [x | - | {} | -", 1},
        {"aliases are not followed", "---\na: &x [1]\nb: *x\n---\n", "- | - | {\"a\":[1],\"b\":\"*x\"} | -", 0},
        {"TOML", "+++\ntitle = \"T\"\n+++\n# A", "A | - | {} | -", 1},
        {"CR LF and a byte order mark", "\357\273\277---\r\ntitle: T\r\n---\r\nx", "T | - | {} | -", 1},
    };
    // what is not taken as front matter stays as text: with the line below it, a heading
    int bad = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a;
        struct doc_tree tree;
        qa_error err = {0};
        arena_init(&a, MIB);
        qa_status status = doc_read(&a, "a.md", rows[i].in, strlen(rows[i].in), &tree, &err);
        char *got = status == QA_OK ? describe(&tree) : NULL;
        bool good = status == QA_OK ? !strcmp(got, rows[i].want) && tree.n_blocks == rows[i].blocks
                                    : *rows[i].want == '!' && strstr(err.message, rows[i].want + 1) != NULL;
        if (!good) {
            print_error("%s:\n want %s, %zu blocks\n got  %s, %zu blocks\n", rows[i].name, rows[i].want, rows[i].blocks,
                        got ? got : err.message, status == QA_OK ? tree.n_blocks : 0);
            bad++;
        }
        if (status == QA_OK)
            doc_tree_release(&tree);
        free(got);
        arena_free(&a);
    }
    assert_int_equal(bad, 0);
}

static qa_status read_all(const char *path, const char *bytes, size_t len, size_t ceiling, size_t *blocks, size_t *chunks, qa_error *err) {
    struct arena a;
    struct doc_tree tree;
    struct doc_chunk *list;
    const struct doc_chunk_options options = {0};
    *blocks = *chunks = 0;
    arena_init(&a, ceiling);
    qa_status status = doc_read(&a, path, bytes, len, &tree, err);
    if (status == QA_OK) {
        *blocks = tree.n_blocks;
        status = doc_make_chunks(&a, &tree, &options, &list, chunks, err);
        doc_tree_release(&tree);
    }
    arena_free(&a);
    return status;
}

static void refused(void **state) {
    (void)state;
    static const char nul[64] = "a";
    static const struct {
        const char *path, *bytes;
        size_t len, ceiling;
        qa_status status;
        const char *words;
    } rows[] = {
        {"a.html", "x", 1, MIB, QA_UNSUPPORTED, "a.html"},
        {"a.md", nul, 64, MIB, QA_BAD_INPUT, "63 of its 64 bytes are NUL"},
        {"a.md", "\377\376a\0b\0", 6, MIB, QA_BAD_INPUT, "UTF-16"},
        {"a.md", "\344\366\374\337\344\366\374\337\344\366\374\337", 12, MIB, QA_BAD_INPUT, "12 of its 12 bytes are invalid, the first at byte 0"},
        {"a.md", "# A\n\nb\n", 7, 512, QA_TOO_LARGE, "0 MiB"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        qa_error err = {0};
        size_t blocks, chunks;
        assert_int_equal(read_all(rows[i].path, rows[i].bytes, rows[i].len, rows[i].ceiling, &blocks, &chunks, &err), rows[i].status);
        if (!strstr(err.message, rows[i].words))
            fail_msg("\"%s\" does not say \"%s\"", err.message, rows[i].words);
    }
}

// Whatever the ceiling: done, or refused with a message, and nothing leaks.
static void every_ceiling(void **state) {
    (void)state;
    static const char in[] = "---\ntitle: T\nurl: https://x\nacl: [a, b]\n---\nimport a from 'b'\n\n# A\n\nSome *text* here. More of &amp; it.\n\n"
                             ":::note\n- [x] a\n  3. b\n:::\n\n| A | B |\n|-|-|\n| 1 | 2 |\n\n## B\n\n```\ncode\n```\n";
    size_t ceiling = 0, refusals = 0, blocks, chunks;
    for (qa_status status = QA_OK; ceiling < 65536; ceiling += 16, refusals += status != QA_OK) {
        qa_error err = {0};
        status = read_all("a.md", in, sizeof in - 1, ceiling, &blocks, &chunks, &err);
        if (status == QA_OK)
            break;
        assert_int_equal(status, QA_TOO_LARGE);
        assert_int_equal(err.status, QA_TOO_LARGE);
        assert_true(strlen(err.message) > 0);
    }
    assert_true(ceiling < 65536 && refusals > 20 && blocks == 8 && chunks > 0);
}

// Inputs made to cost much. They must come to an end (the alarm is generous: they take milliseconds), within the ceiling.
static void hostile(void **state) {
    (void)state;
    static const struct {
        const char *name, *path, *before, *unit;
        size_t times;
        const char *after, *more;
        size_t more_times;
    } rows[] = {
        {"widest table with short rows", "a.md", "|a|b|c|d|e|f|g|h|\n|---|---|---|---|---|---|---|---|\n", "|x\n", 200000, "", "", 0},
        {"quotes", "a.md", "", "> ", 200000, "a", "", 0},
        {"lists, then blank lines", "a.md", "", "- ", 50000, "a\n", "\n", 50000},
        {"brackets", "a.md", "", "[", 100000, "", "", 0},
        {"links", "a.md", "", "[a](", 50000, "", "", 0},
        {"images in images", "a.md", "", "![", 50000, "a", "](b)", 50000},
        {"emphasis", "a.md", "", "*a _b ", 50000, "", "c_ d* ", 50000},
        {"comments", "a.md", "", "<!--", 50000, "", "", 0},
        {"tags", "a.md", "", "<a href=\"", 50000, "", "", 0},
        {"one line", "a.md", "", "a", 4000000, "", "", 0},
        {"sentences", "a.md", "", "Dr. A. e.g. B! ", 100000, "", "", 0},
        {"CR only", "a.md", "", "a\r", 100000, "", "", 0},
        {"fences", "a.md", "", "```\n", 100001, "", "", 0},
        {"headings", "a.md", "", "# a\n", 100000, "", "", 0},
        {"a long heading", "a.md", "# ", "a", 1000000, "\n\n", "text\n\n", 1000},
        {"admonitions", "a.md", "", ":::note\n", 50000, "", ":::\n", 50000},
        {"indented admonitions", "a.md", "", "!!! note\n    a\n", 20000, "", "", 0},
        {"components", "a.mdx", "", "<A b=\"", 100000, "", "", 0},
        {"braces", "a.mdx", "", "<A b={", 100000, "", "", 0},
        {"expressions", "a.mdx", "", "{/* ", 100000, "", "", 0},
        {"exports", "a.mdx", "", "export const a = {\n\n", 50000, "", "", 0},
        {"backticks", "a.mdx", "", "` `` ``` ", 50000, "", "", 0},
        {"YAML brackets", "a.md", "---\na: ", "[", 60000, "\n---\n", "", 0},
        {"YAML aliases", "a.md", "---\na: &a [x]\nb: [", "*a,", 15000, "]\n---\n", "", 0},
        {"YAML keys", "a.md", "---\n", "a: 1\n", 10000, "---\n", "", 0},
        {"front matter over its limit", "a.md", "---\n", "a: 1\n", 100000, "---\n", "", 0},
        {"text", "a.txt", "", "a\n\n", 300000, "", "", 0},
    };
    alarm(120);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t unit = strlen(rows[i].unit), more = strlen(rows[i].more), n = 0, blocks, chunks;
        char *bytes = malloc(strlen(rows[i].before) + unit * rows[i].times + strlen(rows[i].after) + more * rows[i].more_times + 1);
        qa_error err = {0};
        n += strlen(strcpy(bytes, rows[i].before));
        for (size_t k = 0; k < rows[i].times; k++, n += unit)
            memcpy(bytes + n, rows[i].unit, unit);
        n += strlen(strcpy(bytes + n, rows[i].after));
        for (size_t k = 0; k < rows[i].more_times; k++, n += more)
            memcpy(bytes + n, rows[i].more, more);
        qa_status status = read_all(rows[i].path, bytes, n, (size_t)256 * MIB, &blocks, &chunks, &err);
        if (status != QA_OK)
            print_error("%s: %s\n", rows[i].name, err.message);
        assert_int_equal(status, QA_OK);
        free(bytes);
    }
    alarm(0);
}

// 2,000 columns and 4,000 short rows: eight million cells that are not there, in 32 KB.
static void table_bomb(void **state) {
    (void)state;
    struct buf b;
    size_t blocks, chunks;
    buf_init(&b, MIB);
    for (const char *const *unit = (const char *const[]){"a|", "---|", NULL}; *unit; unit++) {
        for (int i = 0; i < 2000; i++)
            buf_puts(&b, *unit);
        buf_putc(&b, '\n');
    }
    for (int i = 0; i < 4000; i++)
        buf_puts(&b, "|b\n");
    alarm(60);
    assert_int_equal(read_all("a.md", b.data, b.len, (size_t)64 * MIB, &blocks, &chunks, NULL), QA_OK);
    assert_true(blocks > 0 && chunks > 0);
    alarm(0);
    buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readable_names),
        cmocka_unit_test(front_matter),
        cmocka_unit_test(refused),
        cmocka_unit_test(every_ceiling),
        cmocka_unit_test(hostile),
        cmocka_unit_test(table_bomb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
