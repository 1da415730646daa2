/* Notices that a text has begun to repeat itself: its end is one piece, several times over. On bytes where only text is known, on tokens where they are,
 * which tells sooner. Exact repetition only: "Step 7", "Step 8" is none. */
#ifndef BASE_REPEAT_H
#define BASE_REPEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REPEAT_TAIL = 4096 };

struct repeat_rule {
    unsigned least;      /* symbols that the repetition has at least, */
    unsigned times;      /* that many times over, */
    unsigned longest;    /* in pieces of at most so many; times * longest at most REPEAT_TAIL */
    unsigned look_every; /* symbols */
};
/* Tables, rulers and lists of a sane answer stay below both; a model that loops gets there soon. */
extern const struct repeat_rule repeat_bytes, repeat_tokens;

struct repeat {
    const struct repeat_rule *rule;
    int32_t symbols[2 * REPEAT_TAIL]; /* the last ones; when there is no room those that no rule looks at are dropped */
    uint16_t border[REPEAT_TAIL];
    size_t n, unseen; /* unseen: since the last look */
};
void repeat_begin(struct repeat *r, const struct repeat_rule *rule);
bool repeat_add(struct repeat *r, int32_t symbol); /* true: it repeats itself */
bool repeat_add_text(struct repeat *r, const char *text, size_t n);

#endif
