#include "ingest/batch.h"
#include "base/clock.h"
#include <stdlib.h>

/* One fsync costs milliseconds: enough documents share it that it does not count, and few enough that a kill loses half a
 * second. */
enum { MAX_DOCUMENTS = 512, MAX_BYTES = 8 << 20, MAX_EVENT_MEMORY = 64 << 20 };
static const double MAX_AGE_MS = 500, PROGRESS_EVERY_MS = 250;

struct batch_event {
    qa_ingest_event_kind kind;
    const char *source, *path, *message;
};

void batch_init(struct batch *b, const struct ingest_run *run, qa_ingest_report *report) {
    *b = (struct batch){.run = run, .report = report, .counts = *report, .total = run->total, .total_bytes = run->total_bytes};
    b->shown_ms = clock_mono_ms();
    arena_init(&b->arena, MAX_EVENT_MEMORY);
}

void batch_free(struct batch *b) {
    if (b->open)
        b->run->index.ops->rollback(b->run->index.self);
    b->open = false;
    free(b->events);
    b->events = NULL;
    arena_free(&b->arena);
}

qa_status batch_open(struct batch *b, qa_error *err) {
    if (b->open || b->run->dry_run)
        return QA_OK;
    qa_status status = b->run->index.ops->begin(b->run->index.self, err);
    if (status == QA_OK) {
        b->open = true;
        b->opened_ms = clock_mono_ms();
    }
    return status;
}

static void emit(const struct batch *b, const struct batch_event *e) {
    qa_ingest_event event = {.kind = e->kind, .source = e->source, .path = e->path, .message = e->message, .done = b->done,
                             .total = b->total > b->done ? b->total : b->done, .done_bytes = b->done_bytes,
                             .total_bytes = b->total_bytes > b->done_bytes ? b->total_bytes : b->done_bytes, .report = b->report};
    b->run->on_event(&event, b->run->user);
}

qa_status batch_tell(struct batch *b, qa_ingest_event_kind kind, const char *source, const char *path, const char *message,
                     qa_error *err) {
    if (!b->run->on_event)
        return QA_OK;
    if (b->n == b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 64;
        struct batch_event *grown = reallocarray(b->events, cap, sizeof *grown);
        if (!grown)
            return error_no_memory(err, "reporting");
        b->events = grown;
        b->cap = cap;
    }
    struct batch_event e = {.kind = kind, .source = arena_string(&b->arena, source), .path = arena_string(&b->arena, path),
                            .message = arena_string(&b->arena, message)};
    if ((source && !e.source) || (path && !e.path) || (message && !e.message))
        return arena_error(&b->arena, err, "reporting");
    b->events[b->n++] = e;
    return QA_OK;
}

qa_status batch_commit(struct batch *b, qa_error *err) {
    if (b->open) {
        qa_status status = b->run->index.ops->commit(b->run->index.self, err);
        if (status != QA_OK)
            return status; /* still open: batch_free rolls back */
        b->open = false;
    }
    *b->report = b->counts;
    for (size_t i = 0; i < b->n; i++)
        emit(b, &b->events[i]);
    b->n = 0;
    b->documents = b->bytes = 0;
    arena_reset(&b->arena);
    return QA_OK;
}

qa_status batch_step(struct batch *b, size_t written_bytes, qa_error *err) {
    double now = clock_mono_ms();
    b->documents += 1;
    b->bytes += written_bytes;
    if (b->documents >= MAX_DOCUMENTS || b->bytes >= MAX_BYTES || (b->open && now - b->opened_ms >= MAX_AGE_MS)) {
        qa_status status = batch_commit(b, err);
        if (status != QA_OK)
            return status;
    }
    if (b->run->on_event && now - b->shown_ms >= PROGRESS_EVERY_MS) {
        b->shown_ms = now;
        emit(b, &(struct batch_event){.kind = QA_INGEST_PROGRESS});
    }
    return QA_OK;
}
