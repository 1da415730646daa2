#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/utf8.h"
#include <errno.h>
#include <string.h>

/* Scripts and servers rely on these numbers and names. */
static void every_code_has_its_row(void **state) {
    (void)state;
    static const struct {
        qa_status status;
        const char *name;
        int exit_status, http;
    } rows[] = {
        {QA_OK, "ok", 0, 200},                 {QA_BAD_USAGE, "bad_usage", 2, 400},     {QA_BAD_INPUT, "bad_input", 1, 400},
        {QA_BAD_FILTER, "bad_filter", 2, 400}, {QA_BAD_CONFIG, "bad_config", 2, 500},   {QA_NOT_FOUND, "not_found", 1, 404},
        {QA_EXISTS, "exists", 1, 409},         {QA_IO, "io", 1, 500},                   {QA_NO_MEMORY, "no_memory", 1, 503},
        {QA_TOO_LARGE, "too_large", 1, 413},   {QA_BUSY, "busy", 1, 503},               {QA_CORRUPT, "corrupt", 1, 500},
        {QA_BAD_VERSION, "bad_version", 1, 500}, {QA_UNSUPPORTED, "unsupported", 2, 501}, {QA_CANCELLED, "cancelled", 1, 499},
        {QA_REMOTE, "remote", 1, 502},         {QA_INTERNAL, "internal", 1, 500},
    };
    assert_int_equal(sizeof rows / sizeof *rows, QA_STATUS_COUNT);
    for (size_t i = 0; i < QA_STATUS_COUNT; i++) {
        assert_int_equal(rows[i].status, i);
        assert_string_equal(qa_status_name(rows[i].status), rows[i].name);
        assert_int_equal(qa_status_exit(rows[i].status), rows[i].exit_status);
        assert_int_equal(qa_status_http(rows[i].status), rows[i].http);
    }
}

static void a_code_out_of_range_is_a_defect(void **state) {
    (void)state;
    const int strange[] = {-1, QA_STATUS_COUNT, 1000000};
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(qa_status_name((qa_status)strange[i]), "internal");
        assert_int_equal(qa_status_exit((qa_status)strange[i]), 1);
        assert_int_equal(qa_status_http((qa_status)strange[i]), 500);
    }
}

static void messages_are_cut_at_characters(void **state) {
    (void)state;
    static const char *const fill[] = {"x", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    for (size_t f = 0; f < 4; f++)
        for (size_t shift = 0; shift < 4; shift++) {
            char text[2000] = "";
            memset(text, '.', shift);
            while (strlen(text) < 1500)
                strcat(text, fill[f]);
            qa_error err = {0};
            assert_int_equal(error_set(&err, QA_IO, "%s", text), QA_IO);
            size_t n = strlen(err.message);
            assert_in_range(n, sizeof err.message - 9, sizeof err.message - 1);
            assert_int_equal(utf8_valid_len(err.message, n), n);
            assert_memory_equal(err.message, text, n);

            error_prefix(&err, QA_IO, "%s: ", fill[f]); /* pushes the end over the edge */
            n = strlen(err.message);
            assert_in_range(n, sizeof err.message - 9, sizeof err.message - 1);
            assert_int_equal(utf8_valid_len(err.message, n), n);

            error_prefix(&err, QA_IO, "%s", text); /* a prefix that leaves no room for what was there */
            n = strlen(err.message);
            assert_in_range(n, sizeof err.message - 9, sizeof err.message - 1);
            assert_int_equal(utf8_valid_len(err.message, n), n);

            assert_int_equal(error_set_errno(&err, EACCES, "%s", text), QA_IO); /* the reason survives */
            n = strlen(err.message);
            assert_int_equal(utf8_valid_len(err.message, n), n);
            assert_non_null(strstr(err.message, ": Permission denied"));
        }
}

static void short_messages_stay_whole(void **state) {
    (void)state;
    qa_error err = {0};
    error_set(&err, QA_CORRUPT, "%s: %d", "caf\xC3\xA9", 7);
    assert_string_equal(err.message, "caf\xC3\xA9: 7");
    char text[sizeof err.message];
    memset(text, 'x', sizeof text);
    text[sizeof text - 2] = '\0'; /* one below the edge */
    error_set(&err, QA_CORRUPT, "%s", text);
    assert_string_equal(err.message, text);
}

static void a_prefix_goes_before_and_keeps_the_status(void **state) {
    (void)state;
    qa_error err = {0};
    error_set(&err, QA_BUSY, "locked by %d", 17);
    assert_int_equal(error_prefix(&err, QA_INTERNAL, "%s: ", "docs"), QA_BUSY);
    assert_int_equal(err.status, QA_BUSY);
    assert_string_equal(err.message, "docs: locked by 17");
}

static void errno_decides_the_status(void **state) {
    (void)state;
    static const struct {
        int number;
        qa_status status;
        const char *message;
    } rows[] = {
        {ENOENT, QA_NOT_FOUND, "a.md: No such file or directory"},
        {ENOMEM, QA_NO_MEMORY, "a.md: Cannot allocate memory"},
        {EACCES, QA_IO, "a.md: Permission denied"},
        {ENOSPC, QA_IO, "a.md: No space left on device"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        qa_error err = {0};
        assert_int_equal(error_set_errno(&err, rows[i].number, "%s", "a.md"), rows[i].status);
        assert_int_equal(err.status, rows[i].status);
        assert_string_equal(err.message, rows[i].message);
    }
}

static void nobody_has_to_listen(void **state) {
    (void)state;
    assert_int_equal(error_set(NULL, QA_IO, "%s", "x"), QA_IO);
    assert_int_equal(error_set_errno(NULL, ENOENT, "%s", "x"), QA_NOT_FOUND);
    assert_int_equal(error_no_memory(NULL, "x"), QA_NO_MEMORY);
    assert_int_equal(error_prefix(NULL, QA_BUSY, "%s", "x"), QA_BUSY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_row),
        cmocka_unit_test(a_code_out_of_range_is_a_defect),
        cmocka_unit_test(messages_are_cut_at_characters),
        cmocka_unit_test(short_messages_stay_whole),
        cmocka_unit_test(a_prefix_goes_before_and_keeps_the_status),
        cmocka_unit_test(errno_decides_the_status),
        cmocka_unit_test(nobody_has_to_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
