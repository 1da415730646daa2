/* Where documents come from: a folder, a stream of JSON lines, later S3. A source lists and reads; ingest decides. */
#ifndef PORT_DOCUMENTS_H
#define PORT_DOCUMENTS_H

#include "base/arena.h"
#include "base/json.h"

struct document_item {      /* one document as listed; strings live in the arena passed to next */
    const char *path;       /* relative to the source, '/' between parts, valid UTF-8 */
    uint64_t bytes;         /* 0 when unknown */
    const char *title, *url; /* given by the source; NULL: from the document */
    const char **acl;
    size_t n_acl;
    bool has_acl;
    json_t *metadata;       /* borrowed until release; NULL: none */
    bool deleted;           /* the source says that it is gone */
    const char *source;     /* streams may name a source for each document; NULL: the run's */
    void *handle;           /* the source's own */
};

struct documents_ops {
    /* The next document; *more = false at the end. Called from one thread. */
    qa_status (*next)(void *self, struct arena *a, struct document_item *out, bool *more, qa_error *err);
    /* Would next answer without waiting? NULL: always. Called from the thread that calls next. */
    bool (*ready)(void *self);
    /* Reads it into the arena. Called from several threads, on different items. */
    qa_status (*read)(void *self, const struct document_item *item, struct arena *a, size_t max, char **bytes, size_t *len,
                      qa_error *err);
    void (*release)(void *self, struct document_item *item); /* ends the use of an item */
};
struct documents_port {
    const struct documents_ops *ops;
    void *self;
    bool complete;          /* what is not listed is gone (folders: yes; streams: no) */
};

#endif
