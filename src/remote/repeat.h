/* Notices that a text has begun to repeat itself: its end, at least 600 bytes, is one piece of at most 1,024 bytes at least four times over. Tables and rulers
 * of a sane answer stay below; a model that loops gets there soon. */
#ifndef REMOTE_REPEAT_H
#define REMOTE_REPEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REPEAT_TAIL = 4096 };

struct repeat {
    char tail[REPEAT_TAIL];
    size_t len, unseen; /* bytes since the last look */
    uint16_t border[REPEAT_TAIL];
};
void repeat_reset(struct repeat *r);
bool repeat_add(struct repeat *r, const char *text, size_t n); /* true: it repeats itself */

#endif
