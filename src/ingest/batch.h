/* Transactions of several whole documents, and the events that may be told only once theirs is committed. Calling thread
 * only. */
#ifndef INGEST_BATCH_H
#define INGEST_BATCH_H

#include "ingest/ingest.h"

struct batch {
    const struct ingest_run *run;
    qa_ingest_report *report;     /* the caller's: committed counts */
    qa_ingest_report counts;      /* those and the pending ones */
    uint64_t done, done_bytes, total, total_bytes;
    bool open;                    /* a transaction is under way */
    size_t documents, bytes;      /* in it */
    double opened_ms, shown_ms;
    struct arena arena;           /* of the pending events */
    struct batch_event *events;
    size_t n, cap;
};
void batch_init(struct batch *b, const struct ingest_run *run, qa_ingest_report *report);
void batch_free(struct batch *b); /* rolls back what is open */

/* Before anything is written; nothing in a dry run. */
qa_status batch_open(struct batch *b, qa_error *err);
/* Queues an event; strings are copied. */
qa_status batch_tell(struct batch *b, qa_ingest_event_kind kind, const char *source, const char *path, const char *message,
                     qa_error *err);
/* After each document: commits when enough has gathered, shows progress. */
qa_status batch_step(struct batch *b, size_t written_bytes, qa_error *err);
qa_status batch_commit(struct batch *b, qa_error *err);

#endif
