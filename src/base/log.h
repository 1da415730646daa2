/* Diagnostics on standard error, one line each. Silent below the level; libraries log little and never print elsewhere.
 * Never log what a document, a question or a key says. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO };
void log_set_level(enum log_level level); /* default LOG_WARN */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
