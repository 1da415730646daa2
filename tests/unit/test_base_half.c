/* 16-bit floats, and vectors made one long. */
#include "base/half.h"
#include "base/vector.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* Every size there is, and what lies between it and the one before. */
static void the_nearest(void **state) {
    (void)state;
    float before = 0;
    for (unsigned h = 0; h < 0x7C00; h++) {
        float x = half_to_float(h);
        assert_true(h == 0 || x > before);
        float between[] = {x, (before + x) / 2, nextafterf((before + x) / 2, 0), nextafterf((before + x) / 2, 70000)};
        unsigned want[] = {h, h % 2 ? h - 1 : h, h - 1, h};
        for (int i = 0; i < (h ? 4 : 1); i++) {
            if (half_from_float(between[i]) != want[i])
                fail_msg("%a becomes %04x, not %04x", (double)between[i], half_from_float(between[i]), want[i]);
            assert_int_equal(half_from_float(-between[i]), want[i] | 0x8000);
        }
        assert_true(half_to_float(h | 0x8000) == -x);
        before = x;
    }
}

static void as_ieee_says(void **state) {
    (void)state;
    static const struct {
        float from;
        uint16_t to;
    } rows[] = {
        {0.0F, 0x0000}, {-0.0F, 0x8000}, {1.0F, 0x3C00}, {-2.0F, 0xC000}, {65504.0F, 0x7BFF}, {65519.0F, 0x7BFF}, {65520.0F, 0x7C00}, {1e9F, 0x7C00},
        {1e38F, 0x7C00}, {0x1p-24F, 0x0001}, {0x1p-25F, 0x0000}, {0x1.8p-25F, 0x0001}, {0x1.8p-24F, 0x0002}, {0x1p-14F, 0x0400}, {0x1.ffcp-15F, 0x0400},
        {0x1.ff8p-15F, 0x03FF}, {0x1.002p0F, 0x3C00}, {0x1.006p0F, 0x3C02}, {0x1.0021p0F, 0x3C01}, {0x1.ffep0F, 0x4000}, {INFINITY, 0x7C00},
        {-INFINITY, 0xFC00}, {1e-40F, 0x0000}, {-1e-44F, 0x8000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (half_from_float(rows[i].from) != rows[i].to)
            fail_msg("%a becomes %04x, not %04x", (double)rows[i].from, half_from_float(rows[i].from), rows[i].to);
    assert_true(half_to_float(0x7C00) == INFINITY && half_to_float(0xFC00) == -INFINITY);
    for (unsigned h = 0x7C01; h < 0x8000; h++)
        assert_true(isnan(half_to_float(h)) && isnan(half_to_float(h | 0x8000)));
    assert_int_equal(half_from_float(NAN) & 0x7FFF, 0x7E00);
}

static void one_long(void **state) {
    (void)state;
    static const struct {
        const char *name;
        float v[2];
        double least;
        float want[2]; /* as v: refused */
    } rows[] = {
        {"a common one", {3, -4}, 0, {0.6F, -0.8F}},
        {"one that is short", {3e-15F, 4e-15F}, 0, {0.6F, 0.8F}},
        {"one whose squares a float cannot hold", {3e30F, 4e30F}, 0, {0.6F, 0.8F}},
        {"zero", {0, 0}, 0, {0, 0}},
        {"too short", {3e-7F, 4e-7F}, 1e-6, {3e-7F, 4e-7F}},
        {"infinite", {INFINITY, 1}, 0, {INFINITY, 1}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        float v[2] = {rows[i].v[0], rows[i].v[1]};
        bool refused = rows[i].want[0] == rows[i].v[0];
        if (vector_normalise(v, 2, rows[i].least) == refused || (refused ? v[0] != rows[i].want[0] : !(fabsf(v[0] - rows[i].want[0]) < 1e-6F)) ||
            !(fabsf(v[1] - rows[i].want[1]) < 1e-6F))
            fail_msg("%s: %g, %g", rows[i].name, (double)v[0], (double)v[1]);
    }
    float none[1] = {NAN};
    assert_false(vector_normalise(none, 1, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_nearest), cmocka_unit_test(as_ieee_says), cmocka_unit_test(one_long)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
