#include "base/progress.h"
#include "base/clock.h"
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { FIRST_AFTER_MS = 500, REDRAW_MS = 200, PLAIN_LINE_MS = 5000 };

void progress_begin(struct progress *p, bool quiet) {
    *p = (struct progress){.quiet = quiet || clock_fixed(), .terminal = isatty(STDERR_FILENO) == 1};
    p->started_ms = p->last_ms = clock_mono_ms();
}

static int columns(void) {
    struct winsize size = {0};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

static void append_left(char *line, size_t size, size_t n, double seconds) {
    if (seconds >= 90)
        snprintf(line + n, size - n, ", %.0f min left", seconds / 60);
    else if (seconds >= 1)
        snprintf(line + n, size - n, ", %.0f s left", seconds);
}

void progress_show(struct progress *p, const char *label, uint64_t done, uint64_t total, const char *unit, const char *detail) {
    double now = clock_mono_ms(), elapsed = now - p->started_ms;
    if (p->quiet || elapsed < FIRST_AFTER_MS || now - p->last_ms < (p->terminal ? REDRAW_MS : PLAIN_LINE_MS))
        return;
    p->last_ms = now;
    char line[256];
    const char *comma = detail ? ", " : "", *more = detail ? detail : "";
    int n = total ? snprintf(line, sizeof line, "%s: %llu of %llu %s (%llu %%)%s%s", label, (unsigned long long)done, (unsigned long long)total, unit,
                             (unsigned long long)(done * 100 / total), comma, more)
                  : snprintf(line, sizeof line, "%s: %llu %s so far%s%s", label, (unsigned long long)done, unit, comma, more);
    if (n > 0 && (size_t)n < sizeof line && total && done && done < total)
        append_left(line, sizeof line, (size_t)n, elapsed / 1000 / (double)done * (double)(total - done));
    if (p->terminal)
        fprintf(stderr, "\r\033[K%.*s", columns() - 1, line);
    else
        fprintf(stderr, "%s\n", line);
    fflush(stderr);
    p->drawn = p->terminal;
}

void progress_clear(struct progress *p) {
    if (p->drawn) {
        fputs("\r\033[K", stderr);
        fflush(stderr); /* what follows may go to standard output */
    }
    p->drawn = false;
}
