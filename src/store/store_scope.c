/* Who may look where, as a bit for each chunk. Chunk numbers of a document are contiguous, so a document is a range of slots.
 *
 * Without filter and collection only the documents that have a rule are read, through their own index: all others are open.
 * Otherwise every document is looked at, and its metadata is parsed when the filter asks for it. */
#include "base/json.h"
#include "store/store_index.h"
#include <string.h>

bool store_scope_is_open(const struct index_scope *scope) {
    return !scope || ((!scope->caller || scope->caller->owner) && !scope->filter && !scope->collection);
}

qa_status store_split(struct arena *a, const char *joined, const char ***out, size_t *n, qa_error *err) {
    *n = 0;
    *out = NULL;
    if (!joined)
        return QA_OK;
    size_t parts = 1;
    for (const char *p = joined; *p; p++)
        parts += *p == STORE_SEPARATOR[0];
    char *copy = arena_string(a, joined);
    const char **list = arena_array(a, parts, sizeof *list);
    if (!copy || !list)
        return arena_error(a, err, "reading the index");
    for (size_t i = 0; i < parts; i++) {
        list[i] = copy;
        copy += strcspn(copy, STORE_SEPARATOR);
        *copy++ = '\0';
    }
    *out = list;
    *n = parts;
    return QA_OK;
}

qa_status store_may_see(struct store_index *s, const struct index_scope *scope, const struct index_document *d, bool *may,
                        qa_error *err) {
    *may = false;
    if (!scope) {
        *may = true;
        return QA_OK;
    }
    if (scope->caller && !caller_may_see(scope->caller, d->restricted, d->groups, d->n_groups))
        return QA_OK;
    if (scope->collection && (!d->collection || strcmp(scope->collection, d->collection) != 0))
        return QA_OK;
    struct filter_subject subject = {d->path, d->source, d->title, d->url, d->collection, NULL};
    json_t *metadata = NULL;
    if (scope->filter && filter_needs_metadata(scope->filter)) {
        qa_error why;
        qa_status status = json_parse(d->metadata, strlen(d->metadata), &metadata, &why);
        if (status == QA_NO_MEMORY)
            return error_no_memory(err, "reading metadata");
        if (status != QA_OK || !json_is_object(metadata)) {
            json_decref(metadata);
            return store_damaged(&s->file, err, "the metadata of %s:%s is not a JSON object", d->source, d->path);
        }
        subject.metadata = metadata;
    }
    *may = filter_matches(scope->filter, &subject);
    json_decref(metadata);
    return QA_OK;
}

/* Sets or clears the bits of a document's chunks; numbers without a chunk of this document are left alone. */
static void mark(struct store_index *s, uint64_t document, uint64_t first, uint64_t n, bool allowed) {
    size_t near = 0, slot;
    for (uint64_t chunk = first; chunk - first < n && chunk >= first; chunk++) {
        if (!store_find_slot(&s->directory, chunk, &near, &slot) || s->directory.entries[slot].document != document)
            return;
        uint64_t bit = (uint64_t)1 << (slot % 64);
        if (allowed)
            s->search.allowed[slot / 64] |= bit;
        else
            s->search.allowed[slot / 64] &= ~bit;
    }
}

static void mark_all(struct store_index *s, bool allowed) {
    memset(s->search.allowed, allowed ? 0xFF : 0, (s->search.slots / 64 + 1) * sizeof *s->search.allowed);
}

/* Only what the decision needs, borrowed from the row: this runs for every document. The metadata is the last column of the table
 * and asked for only when it is looked at, which spares its pages. */
#define SCOPE_COLUMNS                                                                                                         \
    "d.id, s.name, d.path, d.title, d.url, d.collection, d.restricted, d.groups, d.first_chunk, d.chunks"

static qa_status read_row(struct store_index *s, sqlite3_stmt *st, bool metadata, struct index_document *d, uint64_t *first,
                          qa_error *err) {
    struct store_file *f = &s->file;
    const char **texts[] = {&d->source, &d->path, &d->title, &d->url, &d->collection};
    const char *groups;
    uint64_t restricted = 0;
    *d = (struct index_document){.metadata = "{}"};
    qa_status status = store_get_uint(f, st, 0, &d->document, err);
    for (int i = 0; i < 5 && status == QA_OK; i++)
        status = store_get_text(f, st, 1 + i, i >= 3, texts[i], err);
    if (status == QA_OK)
        status = store_get_uint(f, st, 6, &restricted, err);
    if (status == QA_OK)
        status = store_get_text(f, st, 7, false, &groups, err);
    if (status == QA_OK && groups[0]) {
        arena_reset(&s->scratch);
        status = store_split(&s->scratch, groups, &d->groups, &d->n_groups, err);
    }
    if (status == QA_OK)
        status = store_get_uint(f, st, 8, first, err);
    if (status == QA_OK)
        status = store_get_uint(f, st, 9, &d->chunks, err);
    if (status == QA_OK && metadata)
        status = store_get_text(f, st, 10, false, &d->metadata, err);
    d->restricted = restricted != 0;
    return status;
}

qa_status store_apply_scope(struct store_index *s, const struct index_scope *scope, qa_error *err) {
    bool only_caller = !scope->filter && !scope->collection, row, may;
    bool metadata = scope->filter && filter_needs_metadata(scope->filter);
    sqlite3_stmt *st = NULL;
    mark_all(s, only_caller);
    qa_status status =
        only_caller ? store_sql(&s->file, SQL_RULED, "SELECT " SCOPE_COLUMNS " FROM " STORE_DOCUMENTS " WHERE d.ruled = 1", &st, err)
        : metadata  ? store_sql(&s->file, SQL_SCOPE_METADATA, "SELECT " SCOPE_COLUMNS ", d.metadata FROM " STORE_DOCUMENTS, &st, err)
                    : store_sql(&s->file, SQL_SCOPE, "SELECT " SCOPE_COLUMNS " FROM " STORE_DOCUMENTS, &st, err);
    while (status == QA_OK && (status = store_next(&s->file, st, &row, err)) == QA_OK && row) {
        struct index_document d;
        uint64_t first;
        status = read_row(s, st, metadata, &d, &first, err);
        if (status == QA_OK)
            status = store_may_see(s, scope, &d, &may, err);
        if (status == QA_OK && may != only_caller)
            mark(s, d.document, first, d.chunks, may);
    }
    sqlite3_reset(st);
    return status;
}
