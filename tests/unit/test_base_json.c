#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/json.h"
#include "base/utf8.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- UTF-8 ---- */

static void the_valid_part(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t n, valid;
    } rows[] = {
        {"", 0, 0},
        {"abc", 3, 3},
        {"a\0b", 3, 3},
        {"\xC3\xA9", 2, 2},
        {"a\xC3", 2, 1},                 /* cut short */
        {"a\xC3z", 3, 1},                /* no continuation */
        {"\x80", 1, 0},                  /* a continuation alone */
        {"ab\xC0\xAF", 4, 2},            /* an overlong slash */
        {"\xE0\x80\xAF", 3, 0},
        {"\xED\xA0\x80", 3, 0},          /* a surrogate */
        {"\xF4\x8F\xBF\xBF", 4, 4},      /* U+10FFFF */
        {"\xF4\x90\x80\x80", 4, 0},      /* one past it */
        {"x\xFF", 2, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(utf8_valid_len(rows[i].bytes, rows[i].n), rows[i].valid);
}

/* Every sequence of up to three interesting bytes is walked through to its exact end. */
static void decoding_always_gets_on(void **state) {
    (void)state;
    static const unsigned char bytes[] = {'a', 0, 0x7F, 0x80, 0xBF, 0xC0, 0xC3, 0xE0, 0xE2, 0xED, 0xEF, 0xF0, 0xF4, 0xF5, 0xFF};
    enum { N = sizeof bytes };
    for (size_t i = 0; i < N * N * N * N; i++) {
        const char s[4] = {(char)bytes[i % N], (char)bytes[i / N % N], (char)bytes[i / N / N % N], (char)bytes[i / N / N / N]};
        char *exact = malloc(4);
        memcpy(exact, s, 4);
        size_t at = 0;
        while (at < 4) {
            uint32_t cp;
            size_t len = utf8_get(exact + at, 4 - at, &cp);
            assert_in_range(len, 1, 4 - at);
            if (cp != 0xFFFD)
                assert_int_equal(utf8_valid_len(exact + at, len), len);
            at += len;
        }
        free(exact);
    }
}

static void encoding(void **state) {
    (void)state;
    static const struct {
        uint32_t cp;
        const char *bytes;
    } rows[] = {{'a', "a"},           {0xE9, "\xC3\xA9"},         {0x20AC, "\xE2\x82\xAC"}, {0x1F600, "\xF0\x9F\x98\x80"},
                {0xD800, UTF8_REPLACEMENT}, {0x110000, UTF8_REPLACEMENT}, {UINT32_MAX, UTF8_REPLACEMENT}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[5] = "";
        size_t n = utf8_put(out, rows[i].cp);
        assert_int_equal(n, strlen(rows[i].bytes));
        assert_memory_equal(out, rows[i].bytes, n);
    }
}

static void cuts_do_not_split_characters(void **state) {
    (void)state;
    static const char s[] = "a\xC3\xA9z\xE2\x82\xAC\xF0\x9F\x98\x80\xF0\x9F\x98\x80!";
    for (size_t n = 0; n < sizeof s; n++) {
        size_t cut = utf8_floor(s, n);
        assert_true(cut <= n && n - cut < 4);
        assert_int_equal(utf8_valid_len(s, cut), cut);
        if (cut < n)
            assert_int_not_equal(utf8_valid_len(s, n), n); /* it gave nothing away */
    }
    assert_int_equal(utf8_floor("\x80\x80\x80\x80\x80\x80", 5), 5); /* no character: no place is better */
}

/* ---- JSON ---- */

static void only_strict_json_is_read(void **state) {
    (void)state;
    static const struct {
        const char *what, *text;
        size_t len; /* 0: strlen */
        bool good;
    } rows[] = {
        {"object", "{\"a\": [1, 2.5, null, true, \"\\u00e9\"]}", 0, true},
        {"a bare value", "7", 0, true},
        {"white space around", " \n{}\n ", 0, true},
        {"escaped surrogates", "\"\\ud83d\\ude00\"", 0, true},
        {"nothing", "", 0, false},
        {"cut short", "{\"a\": ", 0, false},
        {"duplicate keys", "{\"a\": 1, \"a\": 2}", 0, false},
        {"duplicate keys below", "[{\"a\": {\"b\": 1, \"b\": 1}}]", 0, false},
        {"two values", "{} {}", 0, false},
        {"trailing comma", "[1, ]", 0, false},
        {"single quotes", "{'a': 1}", 0, false},
        {"comment", "{} // x", 0, false},
        {"invalid UTF-8", "\"\xFF\"", 0, false},
        {"invalid UTF-8 in a key", "{\"\xC3\": 1}", 0, false},
        {"a NUL in a string", "\"a\\u0000b\"", 0, false},
        {"a NUL as a key", "{\"\\u0000\": 1}", 0, false},
        {"a raw NUL", "\"a\0b\"", 5, false},
        {"NUL after the end", "{}\0", 3, false},
        {"half a surrogate", "\"\\ud83d\"", 0, false},
        {"an integer over 64 bits", "99999999999999999999", 0, false},
        {"a number over a double", "1e999", 0, false},
        {"NaN", "NaN", 0, false},
        {"a raw line break in a string", "\"a\nb\"", 0, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *value = NULL;
        qa_error err = {0};
        qa_status status = json_parse(rows[i].text, rows[i].len ? rows[i].len : strlen(rows[i].text), &value, &err);
        if (status != (rows[i].good ? QA_OK : QA_BAD_INPUT) || (value != NULL) != rows[i].good)
            fail_msg("%s: %s", rows[i].what, err.message);
        if (!rows[i].good && !strstr(err.message, "line 1, column"))
            if (!strstr(err.message, "line 2, column"))
                fail_msg("%s: no place in '%s'", rows[i].what, err.message);
        json_decref(value);
    }
}

static qa_status parse_nested(char open, char close, size_t depth) {
    static char text[400];
    size_t n = 0;
    for (size_t i = 0; i < depth; i++) {
        text[n++] = open;
        if (open == '{' && i + 1 < depth)
            memcpy(text + n, "\"\":", 3), n += 3;
    }
    for (size_t i = 0; i < depth; i++)
        text[n++] = close;
    json_t *value = NULL;
    qa_status status = json_parse(text, n, &value, NULL);
    json_decref(value);
    return status;
}

static void depth_is_limited(void **state) {
    (void)state;
    assert_int_equal(parse_nested('[', ']', 64), QA_OK);
    assert_int_equal(parse_nested('[', ']', 65), QA_BAD_INPUT);
    assert_int_equal(parse_nested('{', '}', 64), QA_OK);
    assert_int_equal(parse_nested('{', '}', 65), QA_BAD_INPUT);
    char *bomb = malloc(1 << 20);
    memset(bomb, '[', 1 << 20);
    json_t *value = NULL;
    qa_error err = {0};
    assert_int_equal(json_parse(bomb, 1 << 20, &value, &err), QA_BAD_INPUT);
    assert_string_equal(err.message, "JSON is nested deeper than 64 levels");
    free(bomb);
}

/* Brackets in strings are no nesting, also after quotes that are escaped. */
static void depth_counts_only_structure(void **state) {
    (void)state;
    char text[300] = "[\"\\\"";
    memset(text + 4, '[', 200);
    strcpy(text + 204, "\\\\\", [1]]");
    json_t *value = NULL;
    assert_int_equal(json_parse(text, strlen(text), &value, NULL), QA_OK);
    json_decref(value);
    char wide[400] = "["; /* nor are neighbours */
    for (int i = 0; i < 99; i++)
        strcat(wide, "[],");
    strcat(wide, "[]]");
    assert_int_equal(json_parse(wide, strlen(wide), &value, NULL), QA_OK);
    json_decref(value);
}

static void any_bytes_become_text(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *text;
    } rows[] = {{"", 0, ""},
                {"caf\xC3\xA9", 5, "caf\xC3\xA9"},
                {"a\xFFz", 3, "a" UTF8_REPLACEMENT "z"},
                {"a\0b", 3, "a" UTF8_REPLACEMENT "b"},
                {"\xE2\x82", 2, UTF8_REPLACEMENT},
                {UTF8_REPLACEMENT, 3, UTF8_REPLACEMENT}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *value = json_text(rows[i].bytes, rows[i].n);
        assert_string_equal(json_string_value(value), rows[i].text);
        json_decref(value);
    }
    json_t *null = json_text0(NULL);
    assert_true(json_is_null(null));
    json_decref(null);
}

static void written(const char *want, json_t *value, int indent) {
    char *text = json_write(value, indent);
    assert_string_equal(text, want);
    free(text);
    json_decref(value);
}

static void output_is_short_and_stable(void **state) {
    (void)state;
    bool ok = true;
    written("0.123", json_round(0.12345, 3), 0);
    written("-2.5", json_round(-2.46, 1), 0);
    written("4.4e-5", json_real(4.4000000000000004e-05), 0);
    written("0.0", json_round(NAN, 2), 0);
    written("0.0", json_round(INFINITY, 2), 0);
    written("\"x\\u007Fy\\u009Bz\\u0080 \xC2\xA0\xC3\x9F\"", json_text0("x\x7Fy\xC2\x9Bz\xC2\x80 \xC2\xA0\xC3\x9F"), 0);
    json_t *object = json_object();
    json_put(object, "z", json_integer(1), &ok);
    json_put(object, "a", json_text0("\x1B[31m"), &ok);
    assert_true(ok);
    assert_null(json_get_string(object, "z"));
    assert_null(json_get_string(object, "none"));
    assert_string_equal(json_get_string(object, "a"), "\x1B[31m");
    written("{\"z\":1,\"a\":\"\\u001B[31m\"}", json_incref(object), 0);
    written("{\n  \"z\": 1,\n  \"a\": \"\\u001B[31m\"\n}", object, 2);
}

static void one_missing_part_spoils_the_whole(void **state) {
    (void)state;
    bool ok = true;
    json_t *object = json_object(), *array = json_array();
    json_put(object, "a", NULL, &ok);
    assert_false(ok);
    json_put(object, "b", json_true(), &ok);
    assert_false(ok);
    ok = true;
    json_add(array, NULL, &ok);
    assert_false(ok);
    ok = true;
    json_put(NULL, "a", json_integer(1), &ok); /* takes the value along: nothing leaks */
    assert_false(ok);
    json_decref(object);
    json_decref(array);
}

static void utf8_is_repaired(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *want;
    } rows[] = {
        {"", 0, ""},
        {"all fine \xC3\xA4", 11, "all fine \xC3\xA4"},
        {"a\xFF\xFE" "b", 4, "a" UTF8_REPLACEMENT UTF8_REPLACEMENT "b"},
        {"\xEF\xBF\xBD", 3, UTF8_REPLACEMENT},
        {"\xE2\x82", 2, UTF8_REPLACEMENT},
        {"\xA4\xC3\xA4\xC3", 4, UTF8_REPLACEMENT "\xC3\xA4" UTF8_REPLACEMENT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out;
        buf_init(&out, 3 * rows[i].n + 1);
        buf_puts(&out, ".");
        utf8_repair(&out, rows[i].bytes, rows[i].n);
        assert_int_equal(out.status, QA_OK);
        assert_string_equal(out.data + 1, rows[i].want);
        buf_free(&out);
    }
    json_t *text = json_text("\0a\xFF\0", 4); /* and in JSON no NUL */
    assert_string_equal(json_string_value(text), UTF8_REPLACEMENT "a" UTF8_REPLACEMENT UTF8_REPLACEMENT);
    json_decref(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_valid_part),
        cmocka_unit_test(decoding_always_gets_on),
        cmocka_unit_test(encoding),
        cmocka_unit_test(cuts_do_not_split_characters),
        cmocka_unit_test(utf8_is_repaired),
        cmocka_unit_test(only_strict_json_is_read),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(depth_counts_only_structure),
        cmocka_unit_test(any_bytes_become_text),
        cmocka_unit_test(output_is_short_and_stable),
        cmocka_unit_test(one_missing_part_spoils_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
