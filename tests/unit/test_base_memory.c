#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include <stdlib.h>
#include <string.h>

/* ---- Arena ---- */

static void the_ceiling_is_exact(void **state) {
    (void)state;
    struct arena a;
    qa_error err = {0};
    arena_init(&a, 3 << 20);
    assert_non_null(arena_alloc(&a, 1 << 20));
    assert_non_null(arena_alloc(&a, 1 << 20));
    assert_non_null(arena_alloc(&a, (1 << 20) - 16));
    assert_non_null(arena_alloc(&a, 16));
    assert_int_equal(a.used, 3 << 20);
    assert_false(a.over);
    assert_null(arena_alloc(&a, 1));
    assert_true(a.over);
    assert_int_equal(arena_error(&a, &err, "reading a document"), QA_TOO_LARGE);
    assert_string_equal(err.message, "reading a document needs more than the 3 MiB of memory allowed for it");
    arena_reset(&a);
    assert_false(a.over);
    assert_non_null(arena_alloc(&a, 3 << 20));
    arena_free(&a);
}

static void without_a_ceiling_met_it_was_the_machine(void **state) {
    (void)state;
    struct arena a = {.ceiling = 100};
    qa_error err = {0};
    assert_int_equal(arena_error(&a, &err, "reading a document"), QA_NO_MEMORY);
    assert_string_equal(err.message, "out of memory: reading a document");
}

static void sizes_that_wrap_are_over_the_ceiling(void **state) {
    (void)state;
    static const struct {
        size_t count, size;
    } rows[] = {{SIZE_MAX, 1}, {SIZE_MAX - 14, 1}, {1, SIZE_MAX}, {SIZE_MAX / 2, 4}, {(size_t)1 << 32, (size_t)1 << 32}, {SIZE_MAX, SIZE_MAX}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = {.ceiling = SIZE_MAX};
        char old[4] = "old";
        assert_null(arena_array(&a, rows[i].count, rows[i].size));
        assert_true(a.over);
        assert_null(arena_grow(&a, old, 4, rows[i].count, rows[i].size));
        arena_free(&a);
    }
    struct arena a = {.ceiling = SIZE_MAX};
    assert_null(arena_copy(&a, "x", SIZE_MAX)); /* no room for the NUL */
}

static void memory_is_aligned_and_zero_also_the_second_time(void **state) {
    (void)state;
    struct arena a = {.ceiling = 4 << 20};
    for (int round = 0; round < 3; round++) {
        for (size_t size = 0; size < 300; size++) {
            unsigned char *p = arena_alloc(&a, size);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % 16, 0);
            for (size_t i = 0; i < size; i++) {
                assert_int_equal(p[i], 0);
                p[i] = 0xAA;
            }
        }
        arena_reset(&a);
        assert_int_equal(a.used, 0);
    }
    arena_free(&a);
}

/* Small ones, ones that grow the blocks, ones that get a block of their own, in every order: none lies on another. */
static void allocations_never_overlap(void **state) {
    (void)state;
    enum { N = 3000 };
    static unsigned char *at[N];
    static size_t size[N];
    struct arena a = {.ceiling = 256 << 20};
    srandom(1);
    for (size_t i = 0; i < N; i++) {
        size[i] = (size_t)random() % (i % 97 == 0 ? 300000 : i % 7 == 0 ? 5000 : 100);
        at[i] = arena_alloc(&a, size[i]);
        assert_non_null(at[i]);
        memset(at[i], (int)(i % 251), size[i]);
    }
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < size[i]; k++)
            assert_int_equal(at[i][k], i % 251);
    arena_free(&a);
    assert_int_equal(a.used, 0);
    assert_non_null(arena_alloc(&a, 10)); /* a freed arena may be used again */
    arena_free(&a);
}

static void growing_copies_and_leaves_the_old(void **state) {
    (void)state;
    struct arena a = {.ceiling = 1 << 20};
    int *old = arena_array(&a, 3, sizeof *old);
    old[0] = 1, old[1] = 2, old[2] = 3;
    int *grown = arena_grow(&a, old, 3, 100, sizeof *grown);
    assert_ptr_not_equal(old, grown);
    assert_memory_equal(old, grown, 3 * sizeof *old);
    assert_int_equal(grown[99], 0);
    assert_non_null(arena_grow(&a, NULL, 0, 5, sizeof *grown));
    arena_free(&a);
}

static void strings(void **state) {
    (void)state;
    struct arena a = {.ceiling = 1 << 20};
    assert_memory_equal(arena_copy(&a, "a\0b", 3), "a\0b", 4);
    assert_string_equal(arena_copy(&a, NULL, 0), "");
    assert_string_equal(arena_string(&a, "abc"), "abc");
    assert_null(arena_string(&a, NULL));
    assert_string_equal(arena_printf(&a, "%s-%05d", "x", 42), "x-00042");
    char *wide = arena_printf(&a, "%9999d", 1);
    assert_int_equal(strlen(wide), 9999);
    arena_free(&a);
    struct arena tiny = {.ceiling = 16};
    assert_null(arena_printf(&tiny, "%s", "longer than sixteen"));
    assert_true(tiny.over);
    arena_free(&tiny);
}

/* ---- Buffer ---- */

static void appends_stop_at_the_ceiling_and_say_so_once(void **state) {
    (void)state;
    struct buf b;
    qa_error err = {0};
    buf_init(&b, 10);
    buf_puts(&b, "12345");
    buf_printf(&b, "%s", "67890"); /* to the last byte */
    assert_int_equal(b.status, QA_OK);
    assert_string_equal(b.data, "1234567890");
    buf_putc(&b, 'x');
    assert_int_equal(b.status, QA_TOO_LARGE);
    buf_puts(&b, "");
    buf_put_varint(&b, 1);
    buf_printf(&b, "%d", 1);
    assert_int_equal(b.len, 10);
    assert_string_equal(b.data, "1234567890");
    assert_int_equal(buf_error(&b, &err, "a line"), QA_TOO_LARGE);
    assert_string_equal(err.message, "a line would take more than the 10 bytes allowed");
    buf_reset(&b);
    assert_int_equal(b.status, QA_OK);
    assert_string_equal(b.data, "");
    buf_puts(&b, "again");
    assert_int_equal(buf_error(&b, &err, "a line"), QA_OK);
    assert_string_equal(b.data, "again");
    buf_free(&b);
}

static void one_append_that_is_too_long_leaves_what_was_there(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    buf_puts(&b, "123");
    buf_printf(&b, "%s", "45678901"); /* one byte over */
    assert_int_equal(b.status, QA_TOO_LARGE);
    assert_string_equal(b.data, "123");
    buf_reset(&b);
    buf_put(&b, "x", SIZE_MAX);
    assert_int_equal(b.status, QA_TOO_LARGE);
    buf_free(&b);
}

static void it_is_always_terminated(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b, 5000);
    buf_put(&b, NULL, 0);
    assert_string_equal(b.data, "");
    for (size_t i = 0; i < 5000; i++) {
        buf_putc(&b, 'x');
        assert_int_equal(b.data[b.len], '\0');
    }
    assert_int_equal(b.len, 5000);
    assert_int_equal(b.status, QA_OK);
    buf_free(&b);
}

static void taking(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    assert_null(buf_take(&b));
    buf_puts(&b, "abc");
    char *taken = buf_take(&b);
    assert_string_equal(taken, "abc");
    free(taken);
    assert_int_equal(b.len, 0);
    buf_puts(&b, "next"); /* still has its ceiling */
    buf_puts(&b, "12345678");
    assert_null(buf_take(&b)); /* failed: nothing, and nothing leaks */
    assert_int_equal(b.status, QA_OK);
    assert_int_equal(b.max, 10);
}

/* ---- Varints ---- */

static void varints_round_trip(void **state) {
    (void)state;
    static const struct {
        uint64_t value;
        size_t bytes;
    } rows[] = {{0, 1},           {1, 1},           {127, 1},         {128, 2},  {16383, 2}, {16384, 3}, {UINT32_MAX, 5}, {1ull << 62, 9},
                {(1ull << 63) - 1, 9}, {1ull << 63, 10}, {UINT64_MAX, 10}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b;
        uint64_t value = 1234;
        buf_init(&b, 100);
        buf_put_varint(&b, rows[i].value);
        assert_int_equal(b.len, rows[i].bytes);
        const uint8_t *at = (const uint8_t *)b.data, *end = at + b.len;
        assert_true(varint_get(&at, end, &value));
        assert_ptr_equal(at, end);
        assert_true(value == rows[i].value);
        for (size_t cut = 0; cut < b.len; cut++) {
            at = (const uint8_t *)b.data;
            assert_false(varint_get(&at, at + cut, &value));
        }
        buf_free(&b);
    }
}

static void malformed_varints(void **state) {
    (void)state;
    static const struct {
        const char *what;
        uint8_t bytes[12];
        size_t n;
    } rows[] = {
        {"nothing", {0}, 0},
        {"no last byte", {0x80, 0x80}, 2},
        {"65 bits", {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02}, 10},
        {"a tenth byte that goes on", {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x81, 0x00}, 11},
        {"endless", {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80}, 12},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const uint8_t *at = rows[i].bytes;
        uint64_t value;
        if (varint_get(&at, rows[i].bytes + rows[i].n, &value))
            fail_msg("%s: read as %llu", rows[i].what, (unsigned long long)value);
        assert_true(at <= rows[i].bytes + rows[i].n);
    }
}

static void signs_survive_zigzag(void **state) {
    (void)state;
    static const int64_t values[] = {0, -1, 1, -2, INT64_MAX, INT64_MIN, INT64_MIN + 1, 1ll << 40, -(1ll << 40)};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        assert_true(unzigzag(zigzag(values[i])) == values[i]);
    assert_int_equal(zigzag(-1), 1); /* near zero stays small */
    assert_int_equal(zigzag(1), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ceiling_is_exact),
        cmocka_unit_test(without_a_ceiling_met_it_was_the_machine),
        cmocka_unit_test(sizes_that_wrap_are_over_the_ceiling),
        cmocka_unit_test(memory_is_aligned_and_zero_also_the_second_time),
        cmocka_unit_test(allocations_never_overlap),
        cmocka_unit_test(growing_copies_and_leaves_the_old),
        cmocka_unit_test(strings),
        cmocka_unit_test(appends_stop_at_the_ceiling_and_say_so_once),
        cmocka_unit_test(one_append_that_is_too_long_leaves_what_was_there),
        cmocka_unit_test(it_is_always_terminated),
        cmocka_unit_test(taking),
        cmocka_unit_test(varints_round_trip),
        cmocka_unit_test(malformed_varints),
        cmocka_unit_test(signs_survive_zigzag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
