#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/textmap.h"
#include "base/utf8.h"
#include <stdlib.h>
#include <string.h>

static struct arena arena = {.ceiling = 64 << 20};

static int empty_arena(void **state) {
    (void)state;
    arena_free(&arena);
    return 0;
}

/* ---- Round trip: random programs against a table that says for each byte of plain text where it comes from ---- */

enum { DOCUMENT = 4000, PLAIN_MAX = 60000, MARKS_MAX = 200, LITERAL = -1 };

struct expected {
    char plain[PLAIN_MAX];
    long raw[PLAIN_MAX];
    size_t len;
    struct textmap_mark marks[MARKS_MAX];
    size_t n_marks;
    uint64_t lo, hi;
};

static size_t below(size_t n) { return (size_t)random() % n; }

static size_t random_document(char *document) {
    static const char *const characters[] = {"a", "b", " ", "\n", "|", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    size_t n = 0;
    while (n < DOCUMENT - 4) {
        const char *c = characters[below(8)];
        memcpy(document + n, c, strlen(c));
        n += strlen(c);
    }
    return n;
}

static size_t at_character(const char *document, size_t at) {
    while (at && ((unsigned char)document[at] & 0xC0) == 0x80)
        at--;
    return at;
}

static void random_program(struct textmap_writer *w, const char *document, size_t len, struct expected *e) {
    static char literal[5000];
    memset(literal, '~', sizeof literal);
    *e = (struct expected){.lo = UINT64_MAX};
    size_t last_end = 0;
    for (size_t steps = 1 + below(30); steps; steps--) {
        size_t kind = below(10);
        if (kind < 6) {
            size_t from = kind < 2 ? last_end : at_character(document, below(len)); /* some go on where the last one ended */
            size_t to = from + below(200);
            to = at_character(document, to < len ? to : len - 1);
            if (to <= from) {
                textmap_copy(w, document, from, 0);
                continue;
            }
            textmap_copy(w, document, from, to - from);
            memcpy(e->plain + e->len, document + from, to - from);
            for (size_t i = from; i < to; i++)
                e->raw[e->len++] = (long)i;
            e->lo = from < e->lo ? from : e->lo;
            e->hi = to > e->hi ? to : e->hi;
            last_end = to;
        } else if (kind < 8) {
            size_t n = below(40) == 0 ? sizeof literal : below(20);
            textmap_literal(w, literal, n);
            memset(e->plain + e->len, '~', n);
            for (size_t i = 0; i < n; i++)
                e->raw[e->len++] = LITERAL;
        } else if (e->n_marks < MARKS_MAX) {
            enum textmap_unit unit = (enum textmap_unit)below(UNIT_KINDS);
            textmap_mark(w, unit);
            e->marks[e->n_marks++] = (struct textmap_mark){(uint32_t)e->len, unit};
        }
    }
    if (e->lo == UINT64_MAX)
        e->lo = 0;
}

static bool expected_raw(const struct expected *e, size_t from, size_t to, uint64_t *lo, uint64_t *hi) {
    bool found = false;
    for (size_t i = from; i < to; i++) {
        if (e->raw[i] == LITERAL)
            continue;
        if (found && (uint64_t)e->raw[i] < *hi)
            return false;
        if (!found)
            *lo = (uint64_t)e->raw[i];
        *hi = (uint64_t)e->raw[i] + 1;
        found = true;
    }
    return found;
}

static void what_is_written_is_read(void **state) {
    (void)state;
    static struct expected e;
    srandom(20260131);
    for (int round = 0; round < 400; round++) {
        char document[DOCUMENT];
        size_t len = random_document(document);
        uint64_t start = below(len), lo, hi;
        struct textmap_writer w;
        struct textmap m;
        qa_error err = {0};
        textmap_begin(&w, start, PLAIN_MAX);
        random_program(&w, document, len, &e);
        assert_int_equal(textmap_finish(&w, &err), QA_OK);
        assert_int_equal(w.plain.len, e.len);
        if (e.len)
            assert_memory_equal(w.plain.data, e.plain, e.len);

        const uint8_t *map = (const uint8_t *)w.ops.data;
        assert_int_equal(textmap_extent(map, w.ops.len, start, len, &lo, &hi, &err), QA_OK);
        assert_int_equal(lo, e.lo);
        assert_int_equal(hi, e.hi);
        /* no more of the document than the extent is handed in, in a block of that size, so that ASan sees a step outside */
        char *part = malloc(hi - lo ? hi - lo : 1);
        memcpy(part, document + lo, hi - lo);
        assert_int_equal(textmap_decode(&arena, map, w.ops.len, start, part, lo, hi - lo, &m, &err), QA_OK);
        free(part);

        assert_int_equal(m.plain_len, e.len);
        assert_memory_equal(m.plain, e.plain, e.len);
        assert_int_equal(m.plain[e.len], '\0');
        assert_int_equal(m.n_marks, e.n_marks);
        for (size_t i = 0; i < e.n_marks; i++)
            assert_true(m.marks[i].plain == e.marks[i].plain && m.marks[i].kind == e.marks[i].kind);
        uint32_t at = 0;
        for (size_t i = 0; i < m.n_segments; i++) {
            assert_int_equal(m.segments[i].plain, at);
            assert_true(m.segments[i].len > 0);
            assert_int_equal(m.segments[i].literal, e.raw[at] == LITERAL);
            at += m.segments[i].len;
        }
        assert_int_equal(at, e.len);
        for (int pick = 0; pick < 200 && e.len; pick++) {
            size_t from = below(e.len), to = from + 1 + below(pick % 2 ? 20 : e.len);
            to = to > e.len ? e.len : to;
            uint64_t a = 0, b = 0, c = 0, d = 0;
            bool leaves = false; /* from a table's header on to what follows it */
            for (size_t i = 0; i + 1 < e.n_marks; i++)
                leaves = leaves || (e.marks[i].kind == UNIT_TABLE_HEAD && from < e.marks[i + 1].plain && to > e.marks[i + 1].plain);
            bool want = !leaves && expected_raw(&e, from, to, &a, &b), got = textmap_raw(&m, from, to, &c, &d);
            assert_int_equal(got, want);
            if (want)
                assert_true(a == c && b == d);
        }
        textmap_free(&w);
        arena_reset(&arena);
    }
}

/* What is stored a million times should be short. */
static void neighbours_are_joined(void **state) {
    (void)state;
    struct textmap_writer w;
    textmap_begin(&w, 100, 1000);
    static char document[300];
    memset(document, 'x', sizeof document);
    textmap_copy(&w, document, 100, 10);
    textmap_copy(&w, document, 110, 10);
    textmap_literal(&w, "a", 1);
    textmap_literal(&w, "b", 1);
    textmap_copy(&w, document, 121, 1);
    assert_int_equal(textmap_finish(&w, NULL), QA_OK);
    static const uint8_t program[] = {20 << 2, 0, 2 << 2 | 1, 'a', 'b', 1 << 2, 2 /* one further on */};
    assert_int_equal(w.ops.len, sizeof program);
    assert_memory_equal(w.ops.data, program, sizeof program);
    textmap_free(&w);
}

static void the_ceiling_holds(void **state) {
    (void)state;
    struct textmap_writer w;
    qa_error err = {0};
    textmap_begin(&w, 0, 10);
    textmap_copy(&w, "0123456789abc", 0, 10);
    assert_int_equal(w.plain.status, QA_OK);
    textmap_literal(&w, "x", 1);
    assert_int_equal(textmap_finish(&w, &err), QA_TOO_LARGE);
    textmap_free(&w);
}

/* ---- Reading what nobody sane wrote ---- */

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static void malformed_programs(void **state) {
    (void)state;
    static const char document[] = "abc\xC3\xA9 def"; /* 9 bytes */
    const struct {
        const char *what;
        const uint8_t *map;
        size_t n;
        bool extent_ok; /* the extent alone does not see it */
    } rows[] = {
        {"the reserved kind", BYTES(1 << 2 | 3, 0), false},
        {"a copy of nothing", BYTES(0, 0), false},
        {"a copy without offset", BYTES(1 << 2), false},
        {"an unfinished length", BYTES(0x80), false},
        {"an unfinished offset", BYTES(1 << 2, 0x80), false},
        {"a copy before the document", BYTES(1 << 2, 1 /* -1 */), false},
        {"a copy past the document", BYTES(10 << 2, 0), false},
        {"a copy that begins past it", BYTES(1 << 2, 9 << 1), false},
        {"an offset at the end of 64 bits", BYTES(1 << 2, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1), false},
        {"a later offset that wraps", BYTES(1 << 2, 0, 1 << 2, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1), false},
        {"the smallest offset", BYTES(1 << 2, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1), false},
        {"a copy of 2^62 bytes", BYTES(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 0), false},
        {"an empty literal", BYTES(1), false},
        {"a literal cut short", BYTES(3 << 2 | 1, 'a', 'b'), false},
        {"a literal over its limit", BYTES(0x85, 0x80, 1 /* 4097 */, 'a'), false},
        {"a unit that does not exist", BYTES(UNIT_KINDS << 2 | 2), false},
        {"a copy that ends inside a character", BYTES(4 << 2, 0), true},
        {"a copy that begins inside a character", BYTES(2 << 2, 4 << 1), true},
        {"a literal that is not UTF-8", BYTES(1 << 2 | 1, 0xFF), true},
        {"a literal NUL", BYTES(1 << 2 | 1, 0), true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct textmap m;
        uint64_t lo, hi;
        qa_error err = {0};
        uint8_t *exact = malloc(rows[i].n);
        memcpy(exact, rows[i].map, rows[i].n);
        if (textmap_extent(exact, rows[i].n, 0, 9, &lo, &hi, &err) != (rows[i].extent_ok ? QA_OK : QA_CORRUPT))
            fail_msg("extent: %s", rows[i].what);
        if (textmap_decode(&arena, exact, rows[i].n, 0, document, 0, 9, &m, &err) != QA_CORRUPT)
            fail_msg("decode: %s", rows[i].what);
        assert_non_null(strstr(err.message, "text map"));
        free(exact);
    }
}

/* A few bytes that ask for gigabytes are refused before a byte is copied: the document handed in is not even there. */
static void a_small_program_cannot_ask_for_much(void **state) {
    (void)state;
    static const uint8_t twice[] = {0xFC, 0xFF, 0xFF, 0xFF, 0x3F, 0, 0xFC, 0xFF, 0xFF, 0xFF, 0x3F, 0xFD, 0xFF, 0xFF, 0xFF, 0x1F};
    struct textmap m;
    uint64_t lo, hi;
    assert_int_equal(textmap_extent(twice, sizeof twice, 0, UINT32_MAX, &lo, &hi, NULL), QA_OK);
    assert_int_equal(textmap_decode(&arena, twice, sizeof twice, 0, NULL, 0, UINT32_MAX, &m, NULL), QA_CORRUPT);
    assert_int_equal(textmap_decode(&arena, twice, 6, 0, NULL, 0, UINT32_MAX, &m, NULL), QA_TOO_LARGE); /* 4 GiB: the arena's ceiling */
}

static void the_document_part_must_cover_the_copies(void **state) {
    (void)state;
    static const uint8_t map[] = {3 << 2, 0}; /* [10, 13) */
    struct textmap m;
    assert_int_equal(textmap_decode(&arena, map, 2, 10, "abc", 10, 3, &m, NULL), QA_OK);
    assert_string_equal(m.plain, "abc");
    assert_int_equal(textmap_decode(&arena, map, 2, 10, "bc", 11, 2, &m, NULL), QA_CORRUPT);
    assert_int_equal(textmap_decode(&arena, map, 2, 10, "ab", 10, 2, &m, NULL), QA_CORRUPT);
}

static void an_empty_program_is_empty_text(void **state) {
    (void)state;
    struct textmap m;
    uint64_t lo = 7, hi = 7;
    assert_int_equal(textmap_extent(NULL, 0, 50, 100, &lo, &hi, NULL), QA_OK);
    assert_true(lo == 0 && hi == 0);
    assert_int_equal(textmap_decode(&arena, NULL, 0, 50, NULL, 0, 0, &m, NULL), QA_OK);
    assert_string_equal(m.plain, "");
    assert_false(textmap_raw(&m, 0, 0, &lo, &hi));
}

/* A table chunk: the header row is repeated before a row from further down. */
static void a_repeated_header_has_no_one_span(void **state) {
    (void)state;
    static const char document[] = "head\nrow1\nrow2\nrow3";
    struct textmap_writer w;
    struct textmap m;
    uint64_t lo, hi;
    textmap_begin(&w, 10, 100);
    textmap_mark(&w, UNIT_TABLE_ROW);
    textmap_copy(&w, document, 10, 4);
    textmap_literal(&w, "\n", 1);
    textmap_mark(&w, UNIT_TABLE_HEAD);
    textmap_copy(&w, document, 0, 4);
    textmap_literal(&w, "\n", 1);
    textmap_copy(&w, document, 15, 4);
    assert_int_equal(textmap_finish(&w, NULL), QA_OK);
    assert_int_equal(textmap_decode(&arena, (uint8_t *)w.ops.data, w.ops.len, 10, document, 0, 19, &m, NULL), QA_OK);
    assert_string_equal(m.plain, "row2\nhead\nrow3");
    assert_true(textmap_raw(&m, 0, 5, &lo, &hi)); /* with the line break after it */
    assert_true(lo == 10 && hi == 14);
    assert_false(textmap_raw(&m, 0, 9, &lo, &hi)); /* row2, then the header: backwards */
    assert_true(textmap_raw(&m, 5, 14, &lo, &hi)); /* header, then row3: forwards, with all between */
    assert_true(lo == 0 && hi == 19);
    assert_false(textmap_raw(&m, 4, 5, &lo, &hi)); /* the line break alone stands nowhere */
    assert_true(textmap_raw(&m, 6, 8, &lo, &hi));
    assert_true(lo == 1 && hi == 3);
    textmap_free(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_written_is_read, empty_arena),
        cmocka_unit_test(neighbours_are_joined),
        cmocka_unit_test(the_ceiling_holds),
        cmocka_unit_test_teardown(malformed_programs, empty_arena),
        cmocka_unit_test_teardown(a_small_program_cannot_ask_for_much, empty_arena),
        cmocka_unit_test_teardown(the_document_part_must_cover_the_copies, empty_arena),
        cmocka_unit_test_teardown(an_empty_program_is_empty_text, empty_arena),
        cmocka_unit_test_teardown(a_repeated_header_has_no_one_span, empty_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
