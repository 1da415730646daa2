/* The guard against repetition, on bytes and on tokens. */
#include "base/repeat.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct repeat r;

/* Pieces of text that is alike nowhere, but for what is said of it. */
static void bytes(void **state) {
    (void)state;
    static const struct {
        size_t before, period, times;
        bool loops;
    } rows[] = {
        {0, 1, 550, false}, {0, 1, 800, true},   {3000, 1, 800, true}, {0, 100, 3, false},    {0, 100, 8, true},    {50, 100, 8, true},
        {0, 1000, 3, false}, {0, 1000, 5, true}, {0, 1100, 20, false}, {9000, 1000, 5, true}, {9000, 250, 3, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned chance = 1;
        char unit[1100];
        bool found = false;
        repeat_begin(&r, &repeat_bytes);
        for (size_t k = 0; k < rows[i].before; k++) {
            chance = chance * 1103515245 + 12345;
            found |= repeat_add_text(&r, &"abcdefgh"[chance >> 16 & 7], 1);
        }
        for (size_t k = 0; k < sizeof unit; k++) {
            chance = chance * 1103515245 + 12345;
            unit[k] = "abcdefgh"[chance >> 16 & 7];
        }
        for (size_t k = 0; k < rows[i].times && !found; k++)
            found = repeat_add_text(&r, unit, rows[i].period);
        if (found != rows[i].loops)
            fail_msg("%zu times %zu after %zu", rows[i].times, rows[i].period, rows[i].before);
    }
}

/* Feeds `prefix` different tokens and then a phrase of `period` again and again; the number of tokens of the latter until it is noticed, 0: never. */
static size_t tokens_until_noticed(size_t prefix, size_t period, size_t most) {
    repeat_begin(&r, &repeat_tokens);
    for (size_t i = 0; i < prefix; i++)
        if (repeat_add(&r, (int32_t)(100000 + i)))
            fail_msg("%zu different tokens are no loop", i);
    for (size_t i = 0; i < most; i++)
        if (repeat_add(&r, (int32_t)(i % period)))
            return i + 1;
    return 0;
}

static void tokens(void **state) {
    (void)state;
    const size_t least = repeat_tokens.least, times = repeat_tokens.times, longest = repeat_tokens.longest;
    const struct {
        const char *name;
        size_t prefix, period, want;
    } rows[] = {
        {"one token", 0, 1, least},
        {"a short phrase", 0, 7, least},
        {"after other text", 1000, 7, least},
        {"where room is made in between", 2 * REPEAT_TAIL - 10, 7, least},
        {"a long phrase", 5, 50, 50 * times},
        {"the longest", 300, longest, longest * times},
        {"too long to be seen", 0, longest + 1, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t got = tokens_until_noticed(rows[i].prefix, rows[i].period, 10 * longest);
        if (got != rows[i].want)
            fail_msg("%s: %zu instead of %zu", rows[i].name, got, rows[i].want);
    }
}

/* A phrase that comes back with other words between is none. */
static void refrain(void **state) {
    (void)state;
    repeat_begin(&r, &repeat_tokens);
    for (int32_t i = 0; i < 2000; i++)
        assert_false(repeat_add(&r, i % 20 == 19 ? 1000 + i : i % 20));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(bytes), cmocka_unit_test(tokens), cmocka_unit_test(refrain)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
