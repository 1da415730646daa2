/* What became of a document goes into the index, in the order of the listing. */
#include "ingest/run.h"
#include <stdlib.h>
#include <string.h>

qa_status run_begin_write(struct run_state *s, struct known_source *source, qa_error *err) {
    const struct index_port *index = &s->run->index;
    qa_status status = batch_open(&s->batch, err);
    if (status != QA_OK || s->run->dry_run || source->noted)
        return status;
    const struct index_source note = {.source = source->name, .root = s->run->root ? s->run->root : INGEST_STREAM, .ruled = source->ruled};
    status = index->ops->put_source(index->self, &note, err);
    source->noted = status == QA_OK;
    return status;
}

static qa_status clear_failure(const struct run_state *s, const char *source, const char *path, qa_error *err) {
    const struct index_port *index = &s->run->index;
    if (!s->had_failures || s->run->dry_run)
        return QA_OK;
    return index->ops->note_failure(index->self, source, path, NULL, err);
}

/* An unchanged document is written about only when a failure of it stands there: permission came back. */
static qa_status unchanged(struct run_state *s, struct slot *slot, qa_error *err) {
    const struct index_port *index = &s->run->index;
    const char *cause = NULL;
    s->batch.counts.unchanged++;
    s->own_access += slot->own_access;
    if (!s->had_failures || s->run->dry_run)
        return QA_OK;
    qa_status status = index->ops->find_failure(index->self, slot->source->name, slot->item.path, &slot->arena, &cause, err);
    if (status != QA_OK || !cause || (status = run_begin_write(s, slot->source, err)) != QA_OK)
        return status;
    return clear_failure(s, slot->source->name, slot->item.path, err);
}

/* It was not read: if the index has it, it keeps what it has. */
static qa_status kept(struct run_state *s, const struct slot *slot, qa_error *err) {
    if (!slot->source || slot->source->refused.status != QA_OK || (slot->row == KNOWN_NONE && !slot->again))
        return QA_OK;
    return run_narrow(s, slot->source, slot->again ? NULL : &slot->source->rows[slot->row], &slot->item, err);
}

static qa_status failed(struct run_state *s, struct slot *slot, qa_error *err) {
    const struct index_port *index = &s->run->index;
    const char *name = slot->source ? slot->source->name : s->run->source;
    qa_status status = QA_OK;
    bool fresh;
    if (slot->source && slot->source->refused.status == QA_OK && !s->run->dry_run &&
        (status = run_begin_write(s, slot->source, err)) == QA_OK)
        status = index->ops->note_failure(index->self, name, slot->item.path, slot->error.message, err);
    bool unclear = slot->error.status == QA_BAD_CONFIG && slot->source && slot->source->refused.status == QA_OK;
    if (status == QA_OK && !unclear)
        status = kept(s, slot, err);
    else if (status == QA_OK && !s->run->dry_run) /* it says who may see it, and not clearly: the earlier version may be for more people than that */
        status = index->ops->forget_document(index->self, name, slot->item.path, err);
    if (status == QA_OK && slot->item.path)
        status = hash_set_add(&s->failed, hash_bytes(slot->item.path, strlen(slot->item.path)), &fresh, err);
    if (status != QA_OK)
        return status;
    s->had_failures = true;
    s->batch.counts.failed++;
    return batch_tell(&s->batch, QA_INGEST_FAILED, name, slot->item.path ? slot->item.path : slot->item.title,
                      slot->error.message, err);
}

static qa_status deleted(struct run_state *s, struct slot *slot, qa_error *err) {
    const struct index_port *index = &s->run->index;
    const char *name = slot->source->name, *path = slot->item.path;
    if (slot->row == KNOWN_NONE && !slot->again)
        return QA_OK;
    qa_status status = run_begin_write(s, slot->source, err);
    if (status == QA_OK && !s->run->dry_run)
        status = index->ops->forget_document(index->self, name, path, err);
    if (status == QA_OK)
        status = clear_failure(s, name, path, err);
    if (status != QA_OK)
        return status;
    s->batch.counts.forgotten++;
    return batch_tell(&s->batch, QA_INGEST_FORGOTTEN, name, path, NULL, err);
}

/* Sets it aside until the listing tells what is gone. The item stays in use. */
static qa_status set_aside(struct run_state *s, struct aside *to, struct slot *slot, qa_error *err) {
    struct arena *a = &s->aside_arena;
    if (to->n == to->cap) {
        size_t cap = to->cap ? to->cap * 2 : 64;
        struct aside_item *grown = reallocarray(to->items, cap, sizeof *grown);
        if (!grown)
            return error_no_memory(err, "finding what was renamed or emptied");
        to->items = grown;
        to->cap = cap;
    }
    struct document_item item = slot->item;
    item.path = arena_string(a, item.path);
    item.title = arena_string(a, item.title);
    item.url = arena_string(a, item.url);
    item.acl = arena_array(a, item.n_acl, sizeof *item.acl);
    bool whole = item.path && item.acl && !item.title == !slot->item.title && !item.url == !slot->item.url;
    for (size_t i = 0; whole && i < item.n_acl; i++)
        whole = (item.acl[i] = arena_string(a, slot->item.acl[i])) != NULL;
    if (!whole)
        return arena_error(a, err, "finding what was renamed or emptied");
    to->items[to->n++] = (struct aside_item){.item = item, .hash = slot->hash};
    slot->live = false;
    return QA_OK;
}

/* The same bytes under a new path. Chunks stay what they are unless the settings changed too. */
static qa_status move(struct run_state *s, struct slot *slot, const struct index_known *from, qa_error *err) {
    const struct index_port *index = &s->run->index;
    qa_status status = QA_OK;
    if (!s->run->dry_run && hash_compare(from->settings, slot->record.settings) == 0)
        status = index->ops->move_document(index->self, slot->source->name, from->path, &slot->record, err);
    else if (!s->run->dry_run && (status = index->ops->forget_document(index->self, slot->source->name, from->path, err)) == QA_OK)
        status = index->ops->put_document(index->self, &slot->record, err);
    if (status == QA_OK)
        status = clear_failure(s, slot->source->name, from->path, err);
    if (status != QA_OK)
        return status;
    s->batch.counts.moved++;
    return batch_tell(&s->batch, QA_INGEST_MOVED, slot->source->name, slot->item.path, from->path, err);
}

static qa_status put(struct run_state *s, struct slot *slot, qa_error *err) {
    const struct index_port *index = &s->run->index;
    bool known = slot->row != KNOWN_NONE || slot->again;
    qa_status status = s->run->dry_run ? QA_OK : index->ops->put_document(index->self, &slot->record, err);
    if (status != QA_OK)
        return status;
    *(known ? &s->batch.counts.changed : &s->batch.counts.added) += 1;
    return batch_tell(&s->batch, known ? QA_INGEST_CHANGED : QA_INGEST_ADDED, slot->source->name, slot->item.path, NULL, err);
}

static qa_status write_record(struct run_state *s, struct slot *slot, qa_error *err) {
    const struct index_known *from = slot->from != KNOWN_NONE ? &slot->source->rows[slot->from] : NULL;
    bool moved = from && hash_compare(from->hash, slot->hash) == 0;
    qa_status status = run_begin_write(s, slot->source, err);
    if (status == QA_OK)
        status = moved ? move(s, slot, from, err) : put(s, slot, err);
    if (status == QA_OK)
        status = clear_failure(s, slot->source->name, slot->item.path, err);
    if (status != QA_OK)
        return status;
    s->batch.counts.chunks += slot->record.n_chunks;
    s->own_access += slot->own_access;
    return QA_OK;
}

static qa_status settle(struct run_state *s, struct slot *slot, qa_error *err) {
    switch (slot->outcome) {
    case OUT_FAILED:
        return failed(s, slot, err);
    case OUT_VANISHED:
        return kept(s, slot, err);
    case OUT_SKIPPED:
        s->batch.counts.skipped++;
        return kept(s, slot, err);
    case OUT_UNCHANGED:
        return unchanged(s, slot, err);
    case OUT_DELETED:
        return deleted(s, slot, err);
    case OUT_EMPTIED:
        slot->source->state[slot->row] = KNOWN_EMPTIED;
        return set_aside(s, &s->emptied, slot, err);
    case OUT_ALIKE:
        return set_aside(s, &s->alike, slot, err);
    case OUT_TOO_BIG:
    case OUT_RECORD:
        break;
    }
    return write_record(s, slot, err);
}

qa_status run_done(void *state, void *arg, qa_error *err) {
    struct run_state *s = state;
    struct slot *slot = arg;
    if (slot->outcome == OUT_TOO_BIG) { /* nobody else works on a big one now: done runs on one thread */
        slot->arena.ceiling = s->alone;
        slot->arena.over = false;
        slot->error = (qa_error){0};
        run_work(s, slot);
    }
    qa_status status = settle(s, slot, err);
    if (slot->from != KNOWN_NONE && !(slot->outcome == OUT_RECORD && hash_compare(slot->source->rows[slot->from].hash, slot->hash) == 0))
        slot->source->state[slot->from] = KNOWN_UNSEEN; /* it did not move here after all */
    if (status == QA_OK && slot->outcome != OUT_ALIKE && slot->outcome != OUT_EMPTIED) {
        s->batch.done++;
        s->batch.counts.seen += slot->counts && slot->outcome != OUT_VANISHED && slot->outcome != OUT_SKIPPED;
        s->batch.done_bytes += slot->bytes;
        s->batch.counts.bytes += slot->bytes;
        status = batch_step(&s->batch, slot->outcome == OUT_RECORD ? slot->bytes : 0, err);
    }
    if (slot->live)
        s->run->documents.ops->release(s->run->documents.self, &slot->item);
    slot->live = false;
    if (slot->arena.used > RUN_KEEP_MEMORY) /* now, not when the slot comes round again: others are waiting with theirs */
        arena_free(&slot->arena);
    s->write_failed |= status != QA_OK;
    return status;
}
