/* Status codes and messages for all folders; the types are those of the public header.
 * Whoever notices a failure sets the message once, with the place and both values; callers may prefix it with what
 * they were doing, never overwrite it. A NULL err is fine everywhere. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <quaere.h>
#include <stdarg.h>

/* Sets err and returns status, so that a failure is one line: return error_set(err, QA_IO, "...").
 * Over-long messages are cut at a whole UTF-8 character. err->message may be an argument: a status is changed that way. */
qa_status error_set(qa_error *err, qa_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));
qa_status error_set_errno(qa_error *err, int error_number, const char *format, ...)
    __attribute__((format(printf, 3, 4))); /* appends ": strerror"; ENOENT -> QA_NOT_FOUND, ENOMEM -> QA_NO_MEMORY, else QA_IO */
qa_status error_no_memory(qa_error *err, const char *doing);
/* Puts text before the message; the status stays. Returns err's status (or `status` when err is NULL). */
qa_status error_prefix(qa_error *err, qa_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
