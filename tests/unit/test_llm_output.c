/* Pieces of tokens to whole characters. */
#include "llm/llm_output.h"
#include "base/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct reader {
    char text[256];
    size_t n, pieces, enough; /* enough: pieces after which it wants no more; 0: never */
};

static bool take(void *user, const char *text, size_t len) {
    struct reader *r = user;
    assert_true(r->n + len + 2 < sizeof r->text);
    if (r->pieces++)
        r->text[r->n++] = '|';
    memcpy(r->text + r->n, text, len);
    r->n += len;
    return !r->enough || r->pieces < r->enough;
}

static void characters(void **state) {
    (void)state;
    static const struct {
        const char *name, *tokens[6], *want;
    } rows[] = {
        {"whole", {"ab", "c"}, "ab|c"},
        {"two bytes in two tokens", {"\xC3", "\xA4"}, "\xC3\xA4"},
        {"four bytes in four tokens", {"\xF0", "\x9F", "\x98", "\x80"}, "\xF0\x9F\x98\x80"},
        {"the rest of one and the next begun", {"a\xC3", "\xA4\xC3", "\xB6!"}, "a|\xC3\xA4|\xC3\xB6|!"},
        {"a byte that begins nothing", {"a\xFF" "b"}, "a|\xEF\xBF\xBD|b"},
        {"a rest without a beginning", {"\xA4x"}, "\xEF\xBF\xBD|x"},
        {"a beginning that is not gone on with", {"\xC3", "x"}, "\xEF\xBF\xBD|x"},
        {"a beginning after a beginning", {"\xE2\x82", "\xC3", "\xA4"}, "\xEF\xBF\xBD|\xC3\xA4"},
        {"half a character at the end", {"ok", "\xF0\x9F\x98"}, "ok|\xEF\xBF\xBD"},
        {"surrogate", {"\xED\xA0\x80."}, "\xEF\xBF\xBD|."},
        {"too long a form", {"\xC0\x80"}, "\xEF\xBF\xBD|\xEF\xBF\xBD"},
        {"past the last one", {"\xF4\x90."}, "\xEF\xBF\xBD|."},
        {"tokens without text", {"", "a", ""}, "a"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct reader r = {0};
        struct llm_output o;
        llm_output_begin(&o, take, &r);
        for (size_t t = 0; t < 6 && rows[i].tokens[t]; t++)
            assert_true(llm_output_put(&o, rows[i].tokens[t], strlen(rows[i].tokens[t])));
        assert_true(llm_output_end(&o));
        r.text[r.n] = '\0';
        if (strcmp(r.text, rows[i].want) != 0)
            fail_msg("%s: \"%s\" instead of \"%s\"", rows[i].name, r.text, rows[i].want);
    }
}

/* What the reader refused to have more of is not gone on with, wherever in a token that was. */
static void enough(void **state) {
    (void)state;
    struct reader r = {.enough = 2};
    struct llm_output o;
    llm_output_begin(&o, take, &r);
    assert_true(llm_output_put(&o, "a", 1));
    assert_false(llm_output_put(&o, "b\xFF" "c", 3));
    assert_int_equal(r.pieces, 2);
    r = (struct reader){.enough = 1};
    llm_output_begin(&o, take, &r);
    assert_true(llm_output_put(&o, "\xC3", 1));
    assert_false(llm_output_put(&o, "\xA4!", 2));
    r = (struct reader){.enough = 1};
    llm_output_begin(&o, take, &r);
    assert_true(llm_output_put(&o, "\xC3", 1));
    assert_false(llm_output_end(&o));
}

static bool look_at_clock(void *user, const char *text, size_t len) {
    double *entered = user;
    (void)text, (void)len;
    if (!*entered)
        *entered = clock_mono_ms();
    for (double from = clock_mono_ms(); clock_mono_ms() == from;) /* a reader that takes its time */
        ;
    return true;
}

static void the_first_piece_is_timed_before_it_is_read(void **state) {
    (void)state;
    double entered = 0;
    struct llm_output o;
    llm_output_begin(&o, look_at_clock, &entered);
    assert_true(llm_output_put(&o, "\xC3", 1));
    assert_false(o.any);
    double before = clock_mono_ms();
    assert_true(llm_output_put(&o, "\xA4", 1));
    double first = o.first_ms;
    assert_true(o.any && before <= first && first <= entered);
    assert_true(llm_output_put(&o, "b", 1));
    assert_true(o.first_ms == first);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(characters), cmocka_unit_test(enough), cmocka_unit_test(the_first_piece_is_timed_before_it_is_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
