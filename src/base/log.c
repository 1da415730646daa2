#include "base/log.h"
#include "base/utf8.h"
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static atomic_int threshold = LOG_WARN;

void log_set_level(enum log_level level) { atomic_store(&threshold, (int)level); }

/* Names of files are strangers too: what a terminal would obey becomes U+FFFD, and a line stays one. */
static void clean(const char *line, char *out) {
    for (size_t n = strlen(line), len; n; line += len, n -= len) {
        uint32_t cp;
        len = utf8_get(line, n, &cp);
        cp = cp == '\n' || cp == '\t' ? ' ' : utf8_harmless(cp) ? cp : 0xFFFD;
        out += utf8_put(out, cp);
    }
    *out = '\0';
}

void log_line(enum log_level level, const char *format, ...) {
    static const char *const names[] = {"error", "warning", "info"};
    if ((int)level > atomic_load(&threshold))
        return;
    char line[1024], cleaned[3 * sizeof line]; /* U+FFFD has three bytes */
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    clean(line, cleaned);
    fprintf(stderr, "quaere: %s: %s\n", names[level], cleaned); /* one call, one line, also from several threads */
}
