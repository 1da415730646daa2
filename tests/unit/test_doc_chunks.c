// Blocks in, chunks out: what is put together, where it is cut, and that nothing is lost on the way.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/buf.h"
#include "unit/doc_check.h"

enum { MIB = 1 << 20 };

// A line a chunk: its path, "=", its text; line breaks as \n.
static char *dump(const struct doc_chunk *chunks, size_t n) {
    struct buf out;
    buf_init(&out, MIB);
    buf_puts(&out, "");
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < chunks[i].n_heading; k++)
            buf_printf(&out, "%s%s", k ? " > " : "", chunks[i].heading[k]);
        buf_puts(&out, " = ");
        for (const char *p = chunks[i].plain; *p; p++)
            buf_printf(&out, *p == '\n' ? "\\n" : "%c", *p);
        buf_putc(&out, '\n');
    }
    char *text = strdup(out.data);
    buf_free(&out);
    return text;
}

struct row {
    const char *name, *in, *out;
    size_t target;
};

static void check_rows(const struct row *rows, size_t n) {
    int bad = 0;
    for (size_t i = 0; i < n; i++) {
        const struct doc_chunk_options options = {.target = rows[i].target};
        struct arena a;
        struct doc_tree tree;
        struct doc_chunk *chunks;
        size_t count;
        arena_init(&a, MIB);
        assert_int_equal(doc_read(&a, "a.md", rows[i].in, strlen(rows[i].in), &tree, NULL), QA_OK);
        assert_int_equal(doc_make_chunks(&a, &tree, &options, &chunks, &count, NULL), QA_OK);
        char *got = dump(chunks, count);
        if (strcmp(got, rows[i].out) != 0) {
            print_error("%s:\n--- want\n%s--- got\n%s", rows[i].name, rows[i].out, got);
            bad++;
        }
        free(got);
        doc_tree_release(&tree);
        arena_free(&a);
    }
    assert_int_equal(bad, 0);
}
#define CHECK_ROWS(rows) check_rows(rows, sizeof rows / sizeof *rows)

static void sections(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"nothing", "", "", 100},
        {"one section", "# A\n\nb\n\nc", "A = b\\n\\nc\n", 100},
        {"no heading", "b\n\nc", " = b\\n\\nc\n", 100},
        {"only a heading", "# A", " = A\n", 100},
        {"small siblings are merged", "# A\n## B\nb\n## C\nc", "A = B\\n\\nb\\n\\nC\\n\\nc\n", 100},
        {"the text of the parent too", "# A\na\n## B\nb", "A = a\\n\\nB\\n\\nb\n", 100},
        {"what does not fit together stays apart", "# A\n## B\nbbbb bbbb bbbb bbbb\n## C\ncccc cccc cccc cccc",
         "A > B = bbbb bbbb bbbb bbbb\nA > C = cccc cccc cccc cccc\n", 30},
        {"large ones are not merged", "# A\n## B\nbbbb bbbb bbbb bbbb\n## C\ncccc cccc cccc cccc\n## D\nd",
         "A > B = bbbb bbbb bbbb bbbb\nA = C\\n\\ncccc cccc cccc cccc\\n\\nD\\n\\nd\n", 34},
        {"not over the parent's border", "# A\naaaa aaaa aaaa aaaa aaaa\n## B\nb\n# C\nc\n",
         "A = aaaa aaaa aaaa aaaa aaaa\nA > B = b\nC = c\n", 26},
        {"levels in between", "# A\n### B\nb\n## C\nc", "A = B\\n\\nb\\n\\nC\\n\\nc\n", 100},
        {"a heading without text waits for the next", "## A\n## B\nbbbb bbbb bbbb bbbb bbbb\n\nbbbb bbbb bbbb bbbb bbbb",
         " = A\\n\\nB\\n\\nbbbb bbbb bbbb bbbb bbbb\nB = bbbb bbbb bbbb bbbb bbbb\n", 40},
        {"nested headings without text are the path", "# A\n## B\n### C\nc", "A > B > C = c\n", 100},
        {"a heading at the end", "# A\na\n## B", "A = a\\n\\nB\n", 100},
    };
    CHECK_ROWS(rows);
}

static void filling(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"whole paragraphs", "aaaa aaaa\n\nbbbb bbbb\n\ncccc cccc\n\ndddd dddd", " = aaaa aaaa\\n\\nbbbb bbbb\n = cccc cccc\\n\\ndddd dddd\n", 25},
        {"a short rest is evened out", "aaaa\n\nbbbb\n\ncccc\n\ndddd\n\neeee", " = aaaa\\n\\nbbbb\\n\\ncccc\n = dddd\\n\\neeee\n", 24},
        {"what leads goes with what follows", "aaaa aaaa aaaa aaaa\n\nDo:\n\n- b\n- c", " = aaaa aaaa aaaa aaaa\n = Do:\\n\\n- b\\n- c\n", 26},
        {"a short step goes with its code", "1. aaaa aaaa aaaa\n2. bb\n\n   ```\n   cccc cc\n   ```", " = 1. aaaa aaaa aaaa\n = 2. bb\\n\\ncccc cc\n", 26},
        {"items and rows stand close", "- a\n- b\n\n|A|B|\n|-|-|\n|1|2|\n\nc", " = - a\\n- b\\n\\nA | B\\n1 | 2\\n\\nc\n", 100},
        {"a long paragraph at sentences", "Aaaa aaaa aa. Bbbb bbbb bb. Cccc cccc cc. Dddd dddd dd.",
         " = Aaaa aaaa aa. Bbbb bbbb bb.\n = Cccc cccc cc. Dddd dddd dd.\n", 30},
        {"a long sentence at words", "aaaa bbbb cccc dddd eeee ffff gggg", " = aaaa bbbb cccc dddd\n = eeee ffff gggg\n", 20},
        {"a long word at characters", "\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244",
         " = \303\244\303\244\303\244\303\244\303\244\303\244\303\244\n = \303\244\303\244\303\244\303\244\303\244\n", 8},
        {"code at blank lines", "```\naaaa aaaa\nbbbb\n\ncccc cccc\n  dddd\n```", " = aaaa aaaa\\nbbbb\n = cccc cccc\\n  dddd\n", 20},
        {"code at lines", "```\naaaa aaaa\n  bbbb\ncccc cccc\n  dddd\n```", " = aaaa aaaa\\n  bbbb\n = cccc cccc\\n  dddd\n", 24},
        {"a table at rows with its header", "|A|B|\n|-|-|\n|1|aaaaaa|\n|2|bbbbbb|\n|3|cccccc|\n|4|dddddd|",
         " = A | B\\n1 | aaaaaa\\n2 | bbbbbb\n = A | B\\n3 | cccccc\\n4 | dddddd\n", 36},
        {"a large header is not repeated", "|AAAAAAAAAAAAAA|\n|-|\n|aaaaaaaaaaaaaa|\n|bbbbbbbbbbbbbb|",
         " = AAAAAAAAAAAAAA\\naaaaaaaaaaaaaa\n = bbbbbbbbbbbbbb\n", 36},
    };
    CHECK_ROWS(rows);
}

// A quote in the text leads to the bytes that say it.
static void quotes_lead_back(void **state) {
    (void)state;
    static const char in[] = "# T\n\nUse **ml\\.g5\\.xlarge** &amp; [more](x) than\none\\.\n\n|Name|Value|\n|---|---|\n|`a`|1|\n|`b`|2|\n";
    static const struct {
        const char *plain, *raw; // raw NULL: no one span says it
        size_t chunk;
    } rows[] = {
        {"ml.g5.xlarge", "ml\\.g5\\.xlarge", 0},
        {"more than one.", "more](x) than\none\\.", 0},
        {"than one", "than\none", 0},
        {"&", NULL, 0},
        {"b | 2", "b`|2", 1},
        {"Name | Value", "Name|Value", 1},
    };
    const struct doc_chunk_options options = {.target = 36};
    struct arena a;
    struct doc_tree tree;
    struct doc_chunk *chunks;
    size_t n;
    arena_init(&a, MIB);
    assert_int_equal(doc_read(&a, "a.md", in, sizeof in - 1, &tree, NULL), QA_OK);
    assert_int_equal(doc_make_chunks(&a, &tree, &options, &chunks, &n, NULL), QA_OK);
    assert_int_equal(n, 2);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct doc_chunk *c = &chunks[rows[i].chunk];
        struct textmap m;
        uint64_t from = 0, to = 0;
        assert_int_equal(textmap_decode(&a, c->map, c->map_len, c->start, in, 0, sizeof in - 1, &m, NULL), QA_OK);
        const char *at = strstr(m.plain, rows[i].plain);
        assert_non_null(at);
        bool found = textmap_raw(&m, (size_t)(at - m.plain), (size_t)(at - m.plain) + strlen(rows[i].plain), &from, &to);
        assert_int_equal(found, rows[i].raw != NULL);
        if (found)
            assert_true(to - from == strlen(rows[i].raw) && !memcmp(in + from, rows[i].raw, to - from));
    }
    doc_tree_release(&tree);
    arena_free(&a);
}

// ---- Generated documents ----

static uint64_t next(uint64_t *seed, uint64_t below) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed % below;
}

static void put_words(struct buf *b, uint64_t *seed, size_t n) {
    static const char *const words[] = {"the", "cluster", "**Note**", "ml\\.g5\\.xlarge", "`max_jobs`", "[guide](x.md#y)", "e.g.", "stops.", "It", "&amp;",
                                        "\303\274ber", "![\\[icon\\]](i.png)", "<br>", "*is*", "<bucket>", "\\<b\\>", "https://x.y/z", "a|b", "1.", "\347\214\253\343\200\202"};
    for (size_t i = 0; i < n; i++)
        buf_printf(b, "%s%s", words[next(seed, sizeof words / sizeof *words)], next(seed, 12) ? " " : next(seed, 3) ? "\n" : "  \n");
    buf_puts(b, "end\n");
}

static void put_block(struct buf *b, uint64_t *seed) {
    size_t n = next(seed, 6) + 1;
    switch (next(seed, 9)) {
    case 0:
        buf_printf(b, "%.*s Title %u<a name=\"t\"></a>\n", (int)next(seed, 4) + 1, "######", (unsigned)next(seed, 99));
        break;
    case 1:
        for (size_t i = 0; i < n; i++) {
            buf_printf(b, "%*s%s ", next(seed, 2) ? 2 : 0, "", next(seed, 2) ? "-" : "3.");
            buf_printf(b, "item %u\n%s", (unsigned)next(seed, 99), next(seed, 5) ? "" : "\n   more\n\n");
        }
        break;
    case 2:
        buf_puts(b, "| A | B |\n| --- | --- |\n");
        for (size_t i = 0; i < n * 5; i++)
            buf_printf(b, "| x%u\\_y | %s |\n", (unsigned)next(seed, 99), next(seed, 3) ? "`v`<br>w" : "");
        break;
    case 3:
        buf_puts(b, "```sh\n");
        for (size_t i = 0; i < n * 4; i++)
            buf_printf(b, "%*srun %u%s\n", (int)next(seed, 5), "", (unsigned)next(seed, 99), next(seed, 4) ? "" : "\n");
        buf_puts(b, "```\n");
        break;
    case 4:
        buf_puts(b, next(seed, 2) ? "> [!NOTE]\n> quoted text\n" : ":::tip\nquoted text\n:::\n");
        break;
    case 5:
        buf_puts(b, "<!-- hidden -->\n\n<p>html &lt; text</p>\n");
        break;
    case 6:
        put_words(b, seed, n * 60);
        break;
    default:
        put_words(b, seed, n * 8);
        break;
    }
    buf_puts(b, "\n");
}

static void nothing_is_lost(void **state) {
    (void)state;
    uint64_t seed = 20240607;
    for (int i = 0; i < 300; i++) {
        struct buf b;
        char why[300];
        buf_init(&b, MIB);
        for (uint64_t n = next(&seed, 40) + 1; n; n--)
            put_block(&b, &seed);
        if (!next(&seed, 4))
            b.data[next(&seed, b.len)] = (char)next(&seed, 256);
        const struct doc_chunk_options options = {.target = next(&seed, 2) ? 0 : next(&seed, 600) + 40};
        if (!doc_check("a.md", b.data, b.len, &options, why, sizeof why))
            fail_msg("document %d: %s", i, why);
        buf_free(&b);
    }
}

// The check above must be able to fail.
static void the_check_notices(void **state) {
    (void)state;
    static const char in[] = "# T\n\nOne two three.\n\nFour five six.\n\nSeven.\n";
    for (int fault = 0; fault < 5; fault++) {
        const struct doc_chunk_options options = {.target = 18};
        struct arena a;
        struct doc_tree tree;
        struct doc_chunk *chunks;
        size_t n;
        char why[300];
        arena_init(&a, MIB);
        assert_int_equal(doc_read(&a, "a.md", in, sizeof in - 1, &tree, NULL), QA_OK);
        assert_int_equal(doc_make_chunks(&a, &tree, &options, &chunks, &n, NULL), QA_OK);
        assert_true(n >= 3 && doc_check_chunks(&a, &tree, chunks, n, &options, why, sizeof why));
        if (fault == 0)
            n--; // text lost at the end
        else if (fault == 1)
            memmove(chunks + 1, chunks + 2, (n-- - 2) * sizeof *chunks); // or in the middle
        else if (fault == 2)
            chunks[1].start--, chunks[1].end = chunks[0].end; // overlapping
        else if (fault == 3)
            chunks[0].plain = "One two", chunks[0].plain_len = 7; // not what the map says
        else
            chunks[0].n_heading = 0; // the path lost its heading
        assert_false(doc_check_chunks(&a, &tree, chunks, n, &options, why, sizeof why));
        doc_tree_release(&tree);
        arena_free(&a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections),        cmocka_unit_test(filling),           cmocka_unit_test(quotes_lead_back),
        cmocka_unit_test(nothing_is_lost), cmocka_unit_test(the_check_notices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
