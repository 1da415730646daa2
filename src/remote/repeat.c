#include "remote/repeat.h"
#include <string.h>

enum { LOOK_EVERY = 128, LEAST = 600, TIMES = 4, LONGEST_PERIOD = 1024 };

void repeat_reset(struct repeat *r) { r->len = r->unseen = 0; }

/* The failure function of Knuth, Morris and Pratt over the tail read backwards: a prefix of length n with border b has the period n - b. All suffixes of the
 * text at once, in time that what the text says cannot lengthen. */
static bool looks_repeated(struct repeat *r) {
    const char *last = r->tail + r->len - 1;
    r->border[0] = 0;
    for (size_t i = 1, b = 0; i < r->len; i++) {
        while (b && last[-(ptrdiff_t)i] != last[-(ptrdiff_t)b])
            b = r->border[b - 1];
        if (last[-(ptrdiff_t)i] == last[-(ptrdiff_t)b])
            b++;
        r->border[i] = (uint16_t)b;
        size_t n = i + 1, period = n - b;
        if (n >= LEAST && period <= LONGEST_PERIOD && n >= TIMES * period)
            return true;
    }
    return false;
}

bool repeat_add(struct repeat *r, const char *text, size_t n) {
    while (n) {
        size_t room = LOOK_EVERY - r->unseen, take = n < room ? n : room;
        if (r->len + take > REPEAT_TAIL) {
            size_t drop = r->len + take - REPEAT_TAIL;
            memmove(r->tail, r->tail + drop, r->len - drop);
            r->len -= drop;
        }
        memcpy(r->tail + r->len, text, take);
        r->len += take;
        r->unseen += take;
        text += take;
        n -= take;
        if (r->unseen == LOOK_EVERY) {
            r->unseen = 0;
            if (looks_repeated(r))
                return true;
        }
    }
    return false;
}
