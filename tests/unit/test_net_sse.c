#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "net/sse.h"
#include <stdio.h>
#include <string.h>

struct seen {
    char text[2000]; /* "type|data;" of each event */
    int left;        /* events wanted before it says stop; negative: all */
};

static bool note(void *user, const char *type, const char *data, size_t len) {
    struct seen *s = user;
    size_t n = strlen(s->text);
    assert_int_equal(strlen(data), len);
    snprintf(s->text + n, sizeof s->text - n, "%s|%s;", type, data);
    return --s->left != 0;
}

static const struct {
    const char *name, *stream, *events;
} rows[] = {
    {"one", "data: a\n\n", "|a;"},
    {"two", "data: a\n\ndata: b\n\n", "|a;|b;"},
    {"carriage returns", "data: a\r\rdata: b\r\r", "|a;|b;"},
    {"both", "data: a\r\n\r\ndata: b\r\n\r\n", "|a;|b;"},
    {"mixed", "data: a\rdata: b\r\n\ndata: c\n\r\n", "|a\nb;|c;"},
    {"several lines of data", "data: a\ndata: b\ndata:\n\n", "|a\nb\n;"},
    {"a type, for its event only", "event: error\ndata: a\n\ndata: b\n\n", "error|a;|b;"},
    {"a type without data is no event", "event: x\n\ndata: b\n\n", "|b;"},
    {"only one space goes", "data:  a\ndata:b\n\n", "| a\nb;"},
    {"data without a colon is empty data", "data\n\n", "|;"},
    {"empty data", "data:\n\n", "|;"},
    {"comments", ": ping\n\n:\ndata: a\n: x\n\n", "|a;"},
    {"unknown fields", "id: 7\nretry: 10\ndatas: x\n data: y\nfoo\ndata: a\n\n", "|a;"},
    {"a byte order mark at the start", "\xEF\xBB\xBF" "data: a\n\n", "|a;"},
    {"a byte order mark elsewhere is no data", "data: a\n\n\xEF\xBB\xBF" "data: b\n\n", "|a;"},
    {"an end without a blank line is no event", "data: a\n\ndata: b\n", "|a;"},
    {"a colon in the data", "data: {\"a\": 1}\n\n", "|{\"a\": 1};"},
    {"many blank lines", "\n\n\n\ndata: a\n\n\n\n", "|a;"},
};

static void events(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = strlen(rows[i].stream);
        for (size_t cut = 0; cut <= len; cut++) { /* in two, at each place */
            struct seen seen = {.left = -1};
            struct sse s;
            sse_init(&s, 1000, note, &seen);
            assert_int_equal(sse_feed(&s, rows[i].stream, cut, NULL), QA_OK);
            assert_int_equal(sse_feed(&s, rows[i].stream + cut, len - cut, NULL), QA_OK);
            if (strcmp(seen.text, rows[i].events) != 0)
                fail_msg("%s, cut at %zu: %s", rows[i].name, cut, seen.text);
            sse_free(&s);
        }
        struct seen seen = {.left = -1};
        struct sse s;
        sse_init(&s, 1000, note, &seen);
        for (size_t at = 0; at < len; at++)
            assert_int_equal(sse_feed(&s, rows[i].stream + at, 1, NULL), QA_OK);
        assert_string_equal(seen.text, rows[i].events);
        sse_free(&s);
    }
}

static void long_types_are_cut(void **state) {
    (void)state;
    char stream[200], expected[100];
    struct seen seen = {.left = -1};
    struct sse s;
    snprintf(stream, sizeof stream, "event: %0100d\ndata: a\n\n", 0);
    snprintf(expected, sizeof expected, "%063d|a;", 0);
    sse_init(&s, 1000, note, &seen);
    assert_int_equal(sse_feed(&s, stream, strlen(stream), NULL), QA_OK);
    assert_string_equal(seen.text, expected);
    sse_free(&s);
}

static void enough_is_enough(void **state) {
    (void)state;
    static const char stream[] = "data: a\n\ndata: b\n\ndata: c\n\n";
    struct seen seen = {.left = 2};
    struct sse s;
    sse_init(&s, 1000, note, &seen);
    assert_int_equal(sse_feed(&s, stream, strlen(stream), NULL), QA_OK);
    assert_true(s.stopped);
    assert_int_equal(sse_feed(&s, stream, strlen(stream), NULL), QA_OK);
    assert_string_equal(seen.text, "|a;|b;");
    sse_free(&s);
}

/* Neither a line without an end nor an event of many lines fills the memory. */
static void ceilings(void **state) {
    (void)state;
    static const char *const pieces[] = {"xxxxxxxxxx", "data: xxxx\n", ": xxxxxxxx"};
    for (size_t i = 0; i < 3; i++) {
        struct seen seen = {.left = -1};
        struct sse s;
        qa_error err = {0};
        qa_status status = QA_OK;
        size_t fed = 0;
        sse_init(&s, 100, note, &seen);
        for (; fed < 1000 && status == QA_OK; fed += strlen(pieces[i]))
            status = sse_feed(&s, pieces[i], strlen(pieces[i]), &err);
        assert_int_equal(status, QA_REMOTE);
        assert_non_null(strstr(err.message, "100 bytes"));
        assert_in_range(fed, 100, 250);
        assert_string_equal(seen.text, "");
        sse_free(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(events), cmocka_unit_test(long_types_are_cut), cmocka_unit_test(enough_is_enough),
                                       cmocka_unit_test(ceilings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
