/* Server-sent events (HTML Living Standard, 9.2.6): bytes in as they come, split anywhere; events out. What follows the last blank line is no event.
 * `id` and `retry` serve reconnecting, which nobody here does: ignored. */
#ifndef NET_SSE_H
#define NET_SSE_H

#include "base/buf.h"

struct sse {
    /* One event; `type` is "" when not said, cut to 63 bytes. Data is as sent: not checked for UTF-8, NUL-terminated. False: no more events wanted. */
    bool (*event)(void *user, const char *type, const char *data, size_t len);
    void *user;
    struct buf line, data;
    char type[64];
    bool has_data, after_cr, started, stopped;
};

void sse_init(struct sse *s, size_t max, bool (*event)(void *user, const char *type, const char *data, size_t len), void *user);
/* QA_REMOTE when a line or an event has more than max bytes. After `event` returned false, s->stopped is set and bytes are ignored. */
qa_status sse_feed(struct sse *s, const char *bytes, size_t n, qa_error *err);
void sse_free(struct sse *s);

#endif
