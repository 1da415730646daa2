#include "base/repeat.h"
#include <string.h>

const struct repeat_rule repeat_bytes = {.least = 600, .times = 4, .longest = 1024, .look_every = 128};
const struct repeat_rule repeat_tokens = {.least = 64, .times = 4, .longest = 128, .look_every = 1};

void repeat_begin(struct repeat *r, const struct repeat_rule *rule) {
    r->rule = rule;
    r->n = r->unseen = 0;
}

/* The failure function of Knuth, Morris and Pratt over the tail read backwards: a prefix of length n with border b has the period n - b. All suffixes of the
 * text at once, in time that what the text says cannot lengthen. */
static bool looks_repeated(struct repeat *r) {
    const struct repeat_rule *rule = r->rule;
    const int32_t *last = r->symbols + r->n - 1;
    size_t tail = (size_t)rule->times * rule->longest;
    r->border[0] = 0;
    for (size_t i = 1, b = 0; i < r->n && i < tail; i++) {
        while (b && last[-(ptrdiff_t)i] != last[-(ptrdiff_t)b])
            b = r->border[b - 1];
        if (last[-(ptrdiff_t)i] == last[-(ptrdiff_t)b])
            b++;
        r->border[i] = (uint16_t)b;
        size_t n = i + 1, period = n - b;
        if (n >= rule->least && period <= rule->longest && n >= rule->times * period)
            return true;
    }
    return false;
}

bool repeat_add(struct repeat *r, int32_t symbol) {
    if (r->n == 2 * REPEAT_TAIL) {
        memcpy(r->symbols, r->symbols + REPEAT_TAIL, REPEAT_TAIL * sizeof *r->symbols);
        r->n = REPEAT_TAIL;
    }
    r->symbols[r->n++] = symbol;
    if (++r->unseen < r->rule->look_every)
        return false;
    r->unseen = 0;
    return looks_repeated(r);
}

bool repeat_add_text(struct repeat *r, const char *text, size_t n) {
    bool repeats = false;
    for (size_t i = 0; i < n && !repeats; i++)
        repeats = repeat_add(r, (unsigned char)text[i]);
    return repeats;
}
