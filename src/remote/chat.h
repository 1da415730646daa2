/* The answer to chat/completions as it comes: a stream of events, or one JSON document from a server that does not stream. */
#ifndef REMOTE_CHAT_H
#define REMOTE_CHAT_H

#include "base/repeat.h"
#include "net/sse.h"
#include "remote/remote_internal.h"

struct chat {
    const struct remote *remote;
    const struct generator_request *request;
    struct generator_result *result;
    double started_ms;      /* clock_mono_ms */
    enum { CHAT_UNKNOWN, CHAT_EVENTS, CHAT_DOCUMENT } form;
    struct sse sse;
    struct buf document;
    struct repeat repeat;
    bool handed_out;        /* at least one piece */
    bool finished, full;    /* a finish_reason came; it was "length" */
    bool done;              /* [DONE], or no more is wanted */
    enum generator_end end; /* when the side of the caller ended it: GENERATOR_STOPPED or GENERATOR_LOOPED */
    qa_status status;       /* of what the server said; the message in err */
    qa_error err;
};
void chat_start(struct chat *c, const struct remote *remote, const struct generator_request *request, struct generator_result *result, double started_ms);
bool chat_feed(void *chat, const char *bytes, size_t n); /* on_body of http_send */
/* After the last byte. *broken: the stream ended before the answer did, and nothing says why. */
qa_status chat_finish(struct chat *c, bool *broken, qa_error *err);
void chat_free(struct chat *c);

#endif
