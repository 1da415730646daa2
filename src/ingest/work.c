/* One document from its source to the record that is written: all that needs no order, on the pool's threads. */
#include "ingest/run.h"
#include <stdlib.h>
#include <string.h>

static qa_status take_chunks(struct slot *slot, const struct doc_chunk *chunks, size_t n, qa_error *err) {
    struct index_chunk_record *out = arena_array(&slot->arena, n, sizeof *out);
    if (!out)
        return arena_error(&slot->arena, err, "this document");
    for (size_t i = 0; i < n; i++)
        out[i] = (struct index_chunk_record){.start = chunks[i].start, .end = chunks[i].end, .plain = chunks[i].plain,
                                             .plain_len = chunks[i].plain_len, .map = chunks[i].map, .map_len = chunks[i].map_len,
                                             .heading = chunks[i].heading, .n_heading = chunks[i].n_heading,
                                             .lossy = chunks[i].lossy};
    slot->record.chunks = out;
    slot->record.n_chunks = n;
    return QA_OK;
}

/* Parses what was read into slot->record. */
static qa_status make_record(const struct run_state *s, struct slot *slot, const struct ingest_rule *access,
                             const char *bytes, qa_error *err) {
    struct doc_tree tree = {0};
    struct doc_chunk *chunks = NULL;
    size_t n = 0;
    const char *name = slot->item.path;
    if (!doc_can_read(name) && !(name = arena_printf(&slot->arena, "%s.md", name)))
        return arena_error(&slot->arena, err, "this document");
    qa_status status = doc_read(&slot->arena, name, bytes, slot->bytes, &tree, err);
    if (status != QA_OK)
        return status;
    status = doc_make_chunks(&slot->arena, &tree, &s->run->chunking, &chunks, &n, err);
    if (status == QA_OK)
        status = take_chunks(slot, chunks, n, err);
    if (status == QA_OK)
        status = record_fill(s->run, &slot->item, access, &tree, &slot->arena, &slot->record, err);
    slot->own_access = slot->record.restricted && !access;
    doc_tree_release(&tree);
    return status;
}

static qa_status work(const struct run_state *s, struct slot *slot, qa_error *err) {
    const struct documents_port *documents = &s->run->documents;
    const struct document_item *item = &slot->item;
    struct ingest_rule scratch;
    const struct ingest_rule *access = NULL;
    char *bytes = NULL;
    qa_status status = documents->ops->read(documents->self, item, &slot->arena, s->max_bytes, &bytes, &slot->bytes, err);
    if (status != QA_OK || !slot->source)
        return status;
    slot->hash = hash_bytes(bytes, slot->bytes);
    slot->record = (struct index_document_record){.source = slot->source->name, .path = item->path,
                                                  .collection = s->run->collection,
                                                  .hash = slot->hash, .bytes = bytes, .len = slot->bytes};
    if ((status = record_access(s->run, &s->rules, item->path, &scratch, &access, err)) != QA_OK ||
        (status = record_settings(&s->rules, item, access, &slot->arena, &slot->record.settings, err)) != QA_OK)
        return status;
    const struct index_known *known = slot->row != KNOWN_NONE ? &slot->source->rows[slot->row] : NULL;
    if (known && !slot->again && hash_compare(known->hash, slot->hash) == 0 && hash_compare(known->settings, slot->record.settings) == 0) {
        slot->outcome = OUT_UNCHANGED;
        slot->own_access = known->ruled && !access;
        return QA_OK;
    }
    if (known && known->bytes && !slot->bytes && !s->aside && documents->complete) {
        slot->outcome = OUT_EMPTIED;
        return QA_OK;
    }
    if (!known && !s->aside && documents->complete && known_has_hash(slot->source, slot->hash)) {
        slot->outcome = OUT_ALIKE;
        return QA_OK;
    }
    slot->outcome = OUT_RECORD;
    return make_record(s, slot, access, bytes, err);
}

void run_work(void *state, void *arg) {
    const struct run_state *s = state;
    struct slot *slot = arg;
    if (slot->error.status != QA_OK) {
        slot->outcome = OUT_FAILED;
        return;
    }
    if (slot->item.deleted) {
        slot->outcome = OUT_DELETED;
        return;
    }
    qa_status status = work(s, slot, &slot->error);
    if (status == QA_OK)
        return;
    if (slot->arena.over && slot->arena.ceiling < s->alone)
        slot->outcome = OUT_TOO_BIG;
    else
        slot->outcome = status == QA_NOT_FOUND ? OUT_VANISHED : status == QA_UNSUPPORTED ? OUT_SKIPPED : OUT_FAILED;
}
