/* Markers: the [2] behind a sentence that names the passage it stands in. Written here; and taken out of what a model writes
 * and of earlier answers, where they mean nothing, in whatever form models have learnt ([2], [1, 3], [^1]). */
#include "answer/answer_internal.h"
#include <string.h>

enum { LONGEST = 24 };

void answer_put_marker(struct buf *b, size_t rank) { buf_printf(b, " [%zu]", rank); }

/* Length of a marker at s; 0: none. */
static size_t marker(const char *s, size_t n) {
    size_t i = 1, digits = 0;
    if (!n || s[0] != '[')
        return 0;
    for (; i < n && i < LONGEST && s[i] && strchr("0123456789 ,^", s[i]); i++)
        digits += s[i] >= '0' && s[i] <= '9';
    return digits && i < n && i < LONGEST && s[i] == ']' ? i + 1 : 0;
}

/* Length of a character that nobody sees but a terminal or a browser obeys, at s: controls, zero width, marks of direction; 0: none. */
static size_t hidden(const char *s, size_t n) {
    const unsigned char *u = (const unsigned char *)s;
    if (u[0] < 0x20 || u[0] == 0x7F)
        return u[0] != '\t' && u[0] != '\n' && u[0] != '\r';
    if (n > 1 && u[0] == 0xC2 && u[1] < 0xA0)
        return 2;
    bool general = n > 2 && u[0] == 0xE2 && u[1] == 0x80 && ((u[2] >= 0x8B && u[2] <= 0x8F) || (u[2] >= 0xAA && u[2] <= 0xAE));
    bool isolate = n > 2 && u[0] == 0xE2 && u[1] == 0x81 && u[2] >= 0xA0 && u[2] <= 0xAF;
    bool mark = n > 2 && u[0] == 0xEF && u[1] == 0xBB && u[2] == 0xBF;
    return general || isolate || mark ? 3 : 0;
}

char *answer_without_markers(struct arena *a, const char *s, size_t n) {
    char *out = arena_alloc(a, n + 1);
    size_t at = 0;
    bool code = false;
    for (size_t i = 0; out && i < n;) {
        size_t unseen = hidden(s + i, n - i), skip = code || unseen ? 0 : marker(s + i, n - i); /* `argv[1]` is none */
        if (unseen) {
            i += unseen;
            continue;
        }
        code = code != (s[i] == '`');
        if (skip) {
            while (at && out[at - 1] == ' ')
                at--;
            i += skip;
            continue;
        }
        size_t blank = s[i] == '\n' ? 0 : answer_blank(s + i, n - i); /* also of three bytes, as guides have them before links */
        bool again = blank && (!at || (!code && out[at - 1] == ' '));
        if (!again)
            out[at++] = blank ? ' ' : s[i];
        i += blank ? blank : 1;
    }
    while (out && at && strchr(" \t\r\n", out[at - 1]))
        at--;
    if (out)
        out[at] = '\0';
    return out;
}
