#include "base/log.h"
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

static atomic_int threshold = LOG_WARN;

void log_set_level(enum log_level level) { atomic_store(&threshold, (int)level); }

void log_line(enum log_level level, const char *format, ...) {
    static const char *const names[] = {"error", "warning", "info"};
    if ((int)level > atomic_load(&threshold))
        return;
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    fprintf(stderr, "quaere: %s: %s\n", names[level], line); /* one call, one line, also from several threads */
}
