/* What a person sees. Documents are strangers: their control characters never reach a terminal. */
#include "cli/cli.h"
#include "base/clock.h"
#include "base/progress.h"
#include "base/utf8.h"
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <uniwidth.h>
#include <unistd.h>

static bool colours(void) { return isatty(STDOUT_FILENO) == 1 && !getenv("NO_COLOR"); }
const char *cli_bold(void) { return colours() ? "\033[1m" : ""; }
const char *cli_dim(void) { return colours() ? "\033[2m" : ""; }
const char *cli_plain(void) { return colours() ? "\033[0m" : ""; }

size_t cli_width(void) {
    struct winsize size = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40)
        return size.ws_col > 120 ? 120 : size.ws_col;
    return 100;
}

static void put_harmless(FILE *to, const char *s, size_t n) {
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t len = utf8_get(s + i, n - i, &cp);
        if (utf8_harmless(cp) && cp != 0xFFFD)
            fwrite(s + i, 1, len, to);
        else
            fputs(cp == '\t' ? " " : UTF8_REPLACEMENT, to);
        i += len;
    }
}

static size_t columns(const char *s, size_t n) {
    int w = u8_width((const uint8_t *)s, n, "UTF-8");
    return w > 0 ? (size_t)w : 0;
}

static void indent_by(FILE *to, size_t n) { fprintf(to, "%*s", (int)n, ""); }

void cli_print_text(FILE *to, const char *text, size_t indent, size_t width) {
    while (*text) {
        size_t line = strcspn(text, "\n"), at = 0, used = 0;
        if (line)
            indent_by(to, indent);
        size_t lead = strspn(text, " ");
        if (lead && lead < line) { /* code keeps its indentation */
            indent_by(to, lead);
            at = used = lead;
        }
        while (at < line) {
            size_t word = strcspn(text + at, " \n");
            if (at + word > line)
                word = line - at;
            size_t w = columns(text + at, word);
            if (width && used && indent + used + 1 + w > width) {
                fputc('\n', to);
                indent_by(to, indent);
                used = 0;
            } else if (used > lead) {
                fputc(' ', to);
                used++;
            }
            put_harmless(to, text + at, word);
            used += w;
            at += word;
            while (at < line && text[at] == ' ')
                at++;
        }
        fputc('\n', to);
        text += line + (text[line] == '\n');
    }
}

void cli_flow_text(struct cli_flow *f, const char *text) {
    while (*text) {
        size_t word = strcspn(text, " \n"), w = columns(text, word);
        if (f->space && word) {
            bool wraps = f->width && f->used && f->used + 1 + w > f->width;
            if (wraps || f->used)
                fputc(wraps ? '\n' : ' ', f->to);
            f->used = wraps || !f->used ? 0 : f->used + 1;
            f->space = false;
        }
        put_harmless(f->to, text, word);
        f->used += w;
        text += word;
        f->space = f->space || *text == ' ';
        if (*text == '\n') {
            fputc('\n', f->to);
            f->used = 0;
            f->space = false;
        }
        text += *text != '\0';
    }
    fflush(f->to);
}

void cli_flow_end(struct cli_flow *f) {
    if (f->used)
        fputc('\n', f->to);
    f->used = 0;
    f->space = false;
}

static bool waiting;

void cli_show_wait(const char *what, void *user) {
    (void)user;
    if (isatty(STDERR_FILENO) != 1)
        return;
    fflush(stdout);
    fprintf(stderr, "\r\033[K%s", cli_dim());
    cli_print_line(stderr, what);
    fprintf(stderr, " ...%s", cli_plain());
    fflush(stderr);
    waiting = true;
}

void cli_clear_wait(void) {
    if (waiting) {
        fputs("\r\033[K", stderr);
        fflush(stderr); /* what follows goes to standard output */
    }
    waiting = false;
}

static double per_second(uint64_t n, double ms) { return ms > 0 ? (double)n / ms * 1000 : 0; }

void cli_show_embedding(const qa_ingest_event *e, void *user) {
    struct progress *p = user;
    char rate[64];
    snprintf(rate, sizeof rate, "%.0f tokens/s", per_second(e->tokens, clock_mono_ms() - p->started_ms));
    progress_show(p, "Embedding", e->done, e->total, "chunks", e->tokens ? rate : NULL);
}

void cli_print_rate(FILE *to, const qa_ingest_report *r) {
    double rate = per_second(r->tokens, r->embedding_ms);
    if (rate < 1)
        return;
    fputs(" (", to);
    cli_print_count(to, (unsigned long long)rate);
    fputs(" tokens/s)", to);
}

void cli_print_line(FILE *to, const char *text) {
    bool space = false, any = false;
    for (size_t i = 0, n = strlen(text); i < n;) {
        uint32_t cp;
        size_t len = utf8_get(text + i, n - i, &cp);
        if (cp == ' ' || cp == '\n' || cp == '\t' || cp == '\r') {
            space = any;
        } else {
            if (space)
                fputc(' ', to);
            put_harmless(to, text + i, len);
            space = false;
            any = true;
        }
        i += len;
    }
}

void cli_print_count(FILE *to, unsigned long long n) {
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%llu", n);
    for (int i = 0; i < len; i++) {
        fputc(digits[i], to);
        if (i + 1 < len && (len - i - 1) % 3 == 0)
            fputc(',', to);
    }
}
