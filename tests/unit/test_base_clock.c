/* The switches are read once in a process, so each case asks a child of its own and reads its answer from a pipe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct answer {
    bool fixed;
    int64_t now;
    double mono, since_start;
    int64_t timeout;
    char ids[3][32];
};

static struct answer ask(const char *clock, const char *seed) {
    struct answer a = {0};
    int ends[2], status = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        clock ? setenv("QUAERE_CLOCK", clock, 1) : unsetenv("QUAERE_CLOCK");
        seed ? setenv("QUAERE_SEED", seed, 1) : unsetenv("QUAERE_SEED");
        a.fixed = clock_fixed();
        a.now = clock_now_ms();
        a.mono = clock_mono_ms();
        a.since_start = clock_since_start_ms();
        a.timeout = clock_timeout_ms();
        for (int i = 0; i < 3; i++)
            clock_new_id("v_", a.ids[i]);
        _exit(write(ends[1], &a, sizeof a) == sizeof a ? 0 : 1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &a, sizeof a), sizeof a);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    return a;
}

static void a_fixed_clock_stands_still(void **state) {
    (void)state;
    struct answer a = ask("2026-01-31T12:00:00Z", NULL);
    assert_true(a.fixed);
    assert_int_equal(a.now, 1769860800000);
    assert_true(a.mono == 0 && a.since_start == 0);
    int64_t now = clock_timeout_ms();
    assert_true(a.timeout > 0 && a.timeout <= now && now <= clock_timeout_ms()); /* but what waits is not stopped */
}

static void what_is_no_time_does_not_fix_it(void **state) {
    (void)state;
    static const char *const rows[] = {NULL, "", "2026-01-31", "yesterday", "2026-01-31T12:00:00", "2026-01-31T12:00:00Zx", "2026-13-01T00:00:00Z"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct answer a = ask(rows[i], NULL);
        if (a.fixed || a.now <= 0 || a.mono <= 0 || a.since_start < 0)
            fail_msg("%s", rows[i] ? rows[i] : "unset");
    }
}

static void what_a_switch_does_not_understand_is_told(void **state) {
    (void)state;
    static const struct {
        const char *clock, *seed, *told; /* NULL: nothing */
    } rows[] = {
        {NULL, NULL, NULL},
        {"", "", NULL},
        {"2026-01-31T12:00:00Z", "18446744073709551615", NULL},
        {"2024-02-29T23:59:59Z", "0", NULL},
        {"yesterday", "7", "QUAERE_CLOCK is \"yesterday\""},
        {"2026-02-30T00:00:00Z", NULL, "QUAERE_CLOCK is \"2026-02-30"},
        {NULL, "seven", "QUAERE_SEED is \"seven\""},
        {NULL, "7 ", "QUAERE_SEED is \"7 \""},
        {NULL, "-1", "QUAERE_SEED is \"-1\""},
        {NULL, "18446744073709551616", "QUAERE_SEED is \"18446744073709551616\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        qa_error err = {0};
        rows[i].clock ? setenv("QUAERE_CLOCK", rows[i].clock, 1) : unsetenv("QUAERE_CLOCK");
        rows[i].seed ? setenv("QUAERE_SEED", rows[i].seed, 1) : unsetenv("QUAERE_SEED");
        qa_status status = clock_check(&err);
        if (status != (rows[i].told ? QA_BAD_USAGE : QA_OK) || (rows[i].told && strncmp(err.message, rows[i].told, strlen(rows[i].told)) != 0))
            fail_msg("row %zu: %s", i, err.message);
    }
    unsetenv("QUAERE_CLOCK");
    unsetenv("QUAERE_SEED");
}

static void a_seed_fixes_the_ids(void **state) {
    (void)state;
    static const char when[] = "2026-01-31T12:00:00Z";
    struct answer a = ask(when, "7"), b = ask(when, "7"), c = ask(when, "8"), d = ask(when, NULL), e = ask(when, NULL);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(a.ids[i], b.ids[i]);
        assert_string_not_equal(a.ids[i], c.ids[i]);
        assert_string_not_equal(a.ids[i], d.ids[i]);
        assert_string_not_equal(d.ids[i], e.ids[i]);
        assert_string_not_equal(a.ids[i], a.ids[(i + 1) % 3]);
    }
}

static void ids_sort_by_age(void **state) {
    (void)state;
    static const char *const times[] = {"1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z", "2001-09-09T01:46:40Z", "2026-01-31T12:00:00Z",
                                        "2026-01-31T12:00:01Z", "2999-12-31T23:59:59Z"};
    char before[32] = "";
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct answer a = ask(times[i], i % 2 ? "1" : "99");
        assert_int_equal(strlen(a.ids[0]), 2 + 10 + 12);
        assert_int_equal(strspn(a.ids[0] + 2, "0123456789abcdefghijklmnopqrstuv"), 22);
        assert_true(strcmp(before, a.ids[0]) < 0);
        strcpy(before, a.ids[0]);
    }
}

static void times_as_text(void **state) {
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {{0, "1970-01-01T00:00:00Z"},
                {1769860800999, "2026-01-31T12:00:00Z"},
                {951782400000, "2000-02-29T00:00:00Z"},
                {INT64_MAX, "292278994-08-17T07:12:55Z"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[32];
        clock_format(rows[i].ms, text);
        assert_string_equal(text, rows[i].text);
    }
}

/* ---- Content ids ---- */

static void ids_of_content(void **state) {
    (void)state;
    char a[24], b[24];
    hash_id("c_", hash_bytes("quaere", 6), a);
    assert_string_equal(a, "c_jrlqtepq39s06gbo"); /* stored and quoted by others: must never change */
    hash_id("averylongprefix", hash_bytes("quaere", 6), b);
    assert_memory_equal(b, "averylo", 7);
    assert_string_equal(b + 7, a + 2);
}

static void an_id_holds_the_upper_80_bits(void **state) {
    (void)state;
    for (int bit = 0; bit < 128; bit++) {
        char a[24], b[24];
        struct hash128 h = {0x0123456789ABCDEF, 0xFEDCBA9876543210}, other = h;
        if (bit < 64)
            other.lo ^= 1ull << bit;
        else
            other.hi ^= 1ull << (bit - 64);
        hash_id("c_", h, a);
        hash_id("c_", other, b);
        assert_int_equal(strcmp(a, b) != 0, bit >= 48);
    }
}

static void parts_are_told_apart(void **state) {
    (void)state;
    static const char *const rows[][3] = {{"ab", "c", ""}, {"a", "bc", ""}, {"abc", "", ""}, {"", "abc", ""}, {"a", "b", "c"}};
    struct hash128 seen[5];
    for (size_t i = 0; i < 5; i++) {
        const size_t lens[] = {strlen(rows[i][0]), strlen(rows[i][1]), strlen(rows[i][2])};
        seen[i] = hash_parts(rows[i], lens, 3);
        for (size_t k = 0; k < i; k++)
            assert_false(seen[i].hi == seen[k].hi && seen[i].lo == seen[k].lo);
    }
    const size_t lens[] = {2, 1, 0};
    struct hash128 again = hash_parts(rows[0], lens, 3), fewer = hash_parts(rows[0], lens, 2);
    assert_true(again.hi == seen[0].hi && again.lo == seen[0].lo);
    assert_false(fewer.hi == seen[0].hi && fewer.lo == seen[0].lo);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fixed_clock_stands_still),
        cmocka_unit_test(what_is_no_time_does_not_fix_it),
        cmocka_unit_test(what_a_switch_does_not_understand_is_told),
        cmocka_unit_test(a_seed_fixes_the_ids),
        cmocka_unit_test(ids_sort_by_age),
        cmocka_unit_test(times_as_text),
        cmocka_unit_test(ids_of_content),
        cmocka_unit_test(an_id_holds_the_upper_80_bits),
        cmocka_unit_test(parts_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
