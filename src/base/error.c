/* The one table of codes: what each means to a program (JSON), to a shell (exit status) and to HTTP. */
#include "base/error.h"
#include "base/utf8.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int exit_status, http_status;
} codes[QA_STATUS_COUNT] = {
    [QA_OK] = {"ok", 0, 200},
    [QA_BAD_USAGE] = {"bad_usage", 2, 400},
    [QA_BAD_INPUT] = {"bad_input", 1, 400},
    [QA_BAD_FILTER] = {"bad_filter", 2, 400},
    [QA_BAD_CONFIG] = {"bad_config", 2, 500},
    [QA_NOT_FOUND] = {"not_found", 1, 404},
    [QA_EXISTS] = {"exists", 1, 409},
    [QA_IO] = {"io", 1, 500},
    [QA_NO_MEMORY] = {"no_memory", 1, 503},
    [QA_TOO_LARGE] = {"too_large", 1, 413},
    [QA_BUSY] = {"busy", 1, 503},
    [QA_CORRUPT] = {"corrupt", 1, 500},
    [QA_BAD_VERSION] = {"bad_version", 1, 500},
    [QA_UNSUPPORTED] = {"unsupported", 2, 501},
    [QA_CANCELLED] = {"cancelled", 1, 499},
    [QA_REMOTE] = {"remote", 1, 502},
    [QA_INTERNAL] = {"internal", 1, 500},
};

static bool known(qa_status status) { return (unsigned)status < QA_STATUS_COUNT; }

const char *qa_status_name(qa_status status) { return known(status) ? codes[status].name : "internal"; }
int qa_status_exit(qa_status status) { return known(status) ? codes[status].exit_status : 1; }
int qa_status_http(qa_status status) { return known(status) ? codes[status].http_status : 500; }

/* vsnprintf cuts anywhere; a message must stay valid UTF-8 to go into JSON. */
static void cut_at_character(char *text, size_t size) {
    size_t n = strnlen(text, size - 1);
    if (n == size - 1)
        n = utf8_floor(text, n - 4);
    text[n] = '\0';
}

qa_status error_set(qa_error *err, qa_status status, const char *format, ...) {
    if (err) {
        char message[sizeof err->message]; /* err's own message may be among the arguments */
        va_list args;
        va_start(args, format);
        vsnprintf(message, sizeof message, format, args);
        va_end(args);
        cut_at_character(message, sizeof message);
        err->status = status;
        memcpy(err->message, message, sizeof message);
    }
    return status;
}

qa_status error_set_errno(qa_error *err, int error_number, const char *format, ...) {
    qa_status status = error_number == ENOENT   ? QA_NOT_FOUND
                       : error_number == ENOMEM ? QA_NO_MEMORY
                                                : QA_IO;
    if (err) {
        char reason[128];
        va_list args;
        va_start(args, format);
        err->status = status;
        vsnprintf(err->message, sizeof err->message - sizeof reason, format, args);
        va_end(args);
        cut_at_character(err->message, sizeof err->message - sizeof reason);
        size_t n = strlen(err->message);
        snprintf(err->message + n, sizeof err->message - n, ": %s", strerror_r(error_number, reason, sizeof reason));
    }
    return status;
}

qa_status error_no_memory(qa_error *err, const char *doing) {
    return error_set(err, QA_NO_MEMORY, "out of memory: %s", doing);
}

qa_status error_prefix(qa_error *err, qa_status status, const char *format, ...) {
    if (!err)
        return status;
    char rest[sizeof err->message];
    memcpy(rest, err->message, sizeof rest);
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    cut_at_character(err->message, sizeof err->message);
    size_t n = strlen(err->message);
    snprintf(err->message + n, sizeof err->message - n, "%s", rest);
    cut_at_character(err->message, sizeof err->message);
    return err->status;
}
