/* Documents into the index and out of it. Everything about a document is written in one call, inside the caller's
 * transaction.
 *
 * The text that is indexed is decoded from map and bytes, not taken from the caller, because that is what will be there when
 * the postings have to be taken out again; a map that yields something else than the caller's text is a defect and refused.
 * */
#include "base/clock.h"
#include "base/utf8.h"
#include "store/store_index.h"
#include "store/store_write.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A stored document whose chunks are being taken out. */
struct old_document {
    uint64_t id, first, chunks, bytes;
    const char *title, *path; /* borrowed from the statement that found it */
};

qa_status store_source_number(struct store_index *s, const char *name, bool make, int64_t *out, qa_error *err) {
    sqlite3_stmt *st;
    bool row;
    *out = 0;
    qa_status status = store_sql(&s->file, SQL_SOURCE, "SELECT id FROM sources WHERE name = ?1", &st, err);
    if (status != QA_OK)
        return status;
    store_bind_text(&s->file, st, 1, name);
    status = store_next(&s->file, st, &row, err);
    if (status == QA_OK && row)
        *out = sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
    if (status != QA_OK || *out || !make)
        return status;
    status = store_sql(&s->file, SQL_ADD_SOURCE, "INSERT INTO sources(name) VALUES(?1)", &st, err);
    if (status != QA_OK)
        return status;
    store_bind_text(&s->file, st, 1, name);
    status = store_run(&s->file, st, err);
    *out = sqlite3_last_insert_rowid(s->file.db);
    return status;
}

/* ---- Out ---- */

static qa_status delete_posting(struct store_index *s, uint64_t chunk, const struct textmap *text, qa_error *err) {
    sqlite3_stmt *st;
    qa_status status = store_sql(&s->file, SQL_DELETE_POSTING,
                                 "INSERT INTO postings(postings, rowid, head, body) VALUES('delete', ?1, ?2, ?3)", &st, err);
    if (status != QA_OK)
        return status;
    store_bind_int(&s->file, st, 1, (int64_t)chunk);
    store_bind_bytes(&s->file, st, 2, s->head.data, s->head.len, true);
    store_bind_bytes(&s->file, st, 3, text->plain, text->plain_len, true);
    return store_run(&s->file, st, err);
}

/* The chunk in the current row of st (id, start, heading, map). */
static qa_status take_out_chunk(struct store_index *s, sqlite3_stmt *st, const struct old_document *old, const char *bytes,
                                qa_error *err) {
    uint64_t chunk, start;
    const char *heading;
    const uint8_t *map;
    size_t map_len;
    struct textmap text;
    arena_reset(&s->scratch);
    qa_status status = store_get_uint(&s->file, st, 0, &chunk, err);
    if (status == QA_OK)
        status = store_get_uint(&s->file, st, 1, &start, err);
    if (status == QA_OK)
        status = store_get_text(&s->file, st, 2, true, &heading, err);
    if (status == QA_OK)
        status = store_get_bytes(&s->file, st, 3, &map, &map_len, err);
    if (status == QA_OK)
        status = textmap_decode(&s->scratch, map, map_len, start, bytes, 0, old->bytes, &text, err);
    if (status == QA_OK)
        status = store_make_head(s, old->title, heading, old->path, err);
    if (status == QA_OK)
        status = delete_posting(s, chunk, &text, err);
    return status == QA_OK ? store_set_entry(s, chunk, (struct store_entry){0}, err) : status;
}

static qa_status run_with_number(struct store_index *s, unsigned slot, const char *sql, uint64_t number, qa_error *err) {
    sqlite3_stmt *st;
    qa_status status = store_sql(&s->file, slot, sql, &st, err);
    if (status != QA_OK)
        return status;
    store_bind_int(&s->file, st, 1, (int64_t)number);
    return store_run(&s->file, st, err);
}

static qa_status take_out(struct store_index *s, const struct old_document *old, bool keep_vectors, qa_error *err) {
    sqlite3_stmt *st = NULL;
    sqlite3_blob *blob = NULL;
    bool row;
    uint64_t taken = 0;
    char *bytes = malloc(old->bytes ? old->bytes : 1);
    if (!bytes)
        return error_no_memory(err, "replacing a document");
    qa_status status = store_read_content(s, &blob, old->id, 0, bytes, old->bytes, err);
    sqlite3_blob_close(blob);
    if (status == QA_OK)
        status = store_sql(&s->file, SQL_OLD_CHUNKS,
                           "SELECT id, start, heading, map FROM chunks WHERE id >= ?1 AND id < ?2 AND document = ?3", &st,
                               err);
    if (status == QA_OK) {
        store_bind_int(&s->file, st, 1, (int64_t)old->first);
        store_bind_int(&s->file, st, 2, (int64_t)(old->first + old->chunks));
        store_bind_int(&s->file, st, 3, (int64_t)old->id);
    }
    while (status == QA_OK && (status = store_next(&s->file, st, &row, err)) == QA_OK && row) {
        status = take_out_chunk(s, st, old, bytes, err);
        taken++;
    }
    sqlite3_reset(st);
    free(bytes);
    if (status == QA_OK && taken != old->chunks)
        status = store_damaged(&s->file, err, "document %s has %llu chunks, not %llu", old->path, (unsigned long long)taken,
                               (unsigned long long)old->chunks);
    if (status == QA_OK) {
        status = store_sql(&s->file, SQL_DELETE_CHUNKS, "DELETE FROM chunks WHERE id >= ?1 AND id < ?2", &st, err);
        if (status == QA_OK) {
            store_bind_int(&s->file, st, 1, (int64_t)old->first);
            store_bind_int(&s->file, st, 2, (int64_t)(old->first + old->chunks));
            status = store_run(&s->file, st, err);
        }
    }
    if (status == QA_OK)
        status = store_take_out_vectors(s, old->first, old->chunks, keep_vectors, err);
    if (status == QA_OK)
        status = run_with_number(s, SQL_DELETE_CONTENT, "DELETE FROM contents WHERE document = ?1", old->id, err);
    return status == QA_OK ? run_with_number(s, SQL_DELETE_DOCUMENT, "DELETE FROM documents WHERE id = ?1", old->id,
                                             err) : status;
}

/* Takes out the document of that name if there is one. Its vectors may be wanted again when its text comes back under other
 * chunks. */
static qa_status forget(struct store_index *s, int64_t source, const char *path, bool keep_vectors, bool *found, qa_error *err) {
    sqlite3_stmt *st;
    bool row;
    struct old_document old;
    *found = false;
    qa_status status = store_sql(&s->file, SQL_OLD,
                                 "SELECT id, title, path, bytes, first_chunk, chunks FROM documents "
                                 "WHERE source = ?1 AND path = ?2", &st, err);
    if (status != QA_OK)
        return status;
    store_bind_int(&s->file, st, 1, source);
    store_bind_text(&s->file, st, 2, path);
    status = store_next(&s->file, st, &row, err);
    if (status != QA_OK || !row)
        return status;
    status = store_get_uint(&s->file, st, 0, &old.id, err);
    if (status == QA_OK)
        status = store_get_text(&s->file, st, 1, false, &old.title, err);
    if (status == QA_OK)
        status = store_get_text(&s->file, st, 2, false, &old.path, err);
    if (status == QA_OK)
        status = store_get_uint(&s->file, st, 3, &old.bytes, err);
    if (status == QA_OK)
        status = store_get_uint(&s->file, st, 4, &old.first, err);
    if (status == QA_OK)
        status = store_get_uint(&s->file, st, 5, &old.chunks, err);
    if (status == QA_OK && (old.bytes > INT32_MAX || old.first >= s->next_chunk || old.chunks > s->next_chunk - old.first))
        status = store_damaged(&s->file, err, "the entry of document %s is not what was written", path);
    if (status == QA_OK)
        status = take_out(s, &old, keep_vectors, err);
    sqlite3_reset(st);
    *found = status == QA_OK;
    return status;
}

/* ---- In ---- */

static qa_status check_text(const char *what, const char *s, bool needed, const char *path, qa_error *err) {
    if (!s)
        return needed ? error_set(err, QA_INTERNAL, "a document %s without %s", path ? path : "", what) : QA_OK;
    size_t n = strlen(s);
    return utf8_valid_len(s, n) == n ? QA_OK : error_set(err, QA_BAD_INPUT, "%s of document %s is not UTF-8", what, path);
}

/* Joined by U+001F, which is replaced by a space where it stands inside a part. */
static char *join(struct arena *a, const char *const *parts, size_t n) {
    size_t len = 1;
    for (size_t i = 0; i < n; i++)
        len += strlen(parts[i]) + 1;
    char *out = arena_alloc(a, len), *to = out;
    for (size_t i = 0; out && i < n; i++) {
        if (i)
            *to++ = STORE_SEPARATOR[0];
        for (const char *p = parts[i]; *p; p++)
            *to++ = *p == STORE_SEPARATOR[0] ? ' ' : *p;
    }
    return out;
}

static qa_status put_posting(struct store_index *s, uint64_t chunk, const struct textmap *text, qa_error *err) {
    sqlite3_stmt *st;
    qa_status status = store_sql(&s->file, SQL_PUT_POSTING, "INSERT INTO postings(rowid, head, body) VALUES(?1, ?2, ?3)", &st,
                                 err);
    if (status != QA_OK)
        return status;
    store_bind_int(&s->file, st, 1, (int64_t)chunk);
    store_bind_bytes(&s->file, st, 2, s->head.data, s->head.len, true);
    store_bind_bytes(&s->file, st, 3, text->plain, text->plain_len, true);
    s->n_counted = 0;
    status = store_run(&s->file, st, err);
    if (status == QA_OK && s->n_counted != 2)
        status = error_set(err, QA_INTERNAL, "FTS5 split %u columns into words, not 2", s->n_counted);
    return status;
}

static uint16_t cut(uint32_t n) { return n < UINT16_MAX ? (uint16_t)n : UINT16_MAX; }

static qa_status put_chunk(struct store_index *s, const struct index_document_record *d, uint64_t document, uint64_t chunk,
                           const struct index_chunk_record *c, qa_error *err) {
    sqlite3_stmt *st;
    struct textmap text;
    arena_reset(&s->scratch);
    qa_status status = textmap_decode(&s->scratch, c->map, c->map_len, c->start, d->bytes, 0, d->len, &text, err);
    if (status == QA_CORRUPT || (status == QA_OK && (text.plain_len != c->plain_len ||
                                                     memcmp(text.plain, c->plain, c->plain_len) != 0)))
        return error_set(err, QA_INTERNAL, "the text of %s at byte %llu is not what its map yields", d->path,
                         (unsigned long long)c->start);
    if (status != QA_OK)
        return status;
    char *heading = c->n_heading ? join(&s->scratch, c->heading, c->n_heading) : NULL;
    if (c->n_heading && !heading)
        return arena_error(&s->scratch, err, "storing a document");
    status = store_make_head(s, d->title, heading, d->path, err);
    if (status == QA_OK)
        status = put_posting(s, chunk, &text, err);
    if (status == QA_OK)
        status = store_set_entry(s, chunk, (struct store_entry){(uint32_t)document, cut(s->counted[0]), cut(s->counted[1])},
                                 err);
    if (status == QA_OK)
        status = store_sql(&s->file, SQL_PUT_CHUNK, "INSERT INTO chunks VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)", &st,
                           err);
    if (status != QA_OK)
        return status;
    store_bind_int(&s->file, st, 1, (int64_t)chunk);
    store_bind_int(&s->file, st, 2, (int64_t)document);
    store_bind_int(&s->file, st, 3, c - d->chunks);
    store_bind_int(&s->file, st, 4, (int64_t)c->start);
    store_bind_int(&s->file, st, 5, (int64_t)c->end);
    store_bind_text(&s->file, st, 6, heading);
    store_bind_bytes(&s->file, st, 7, c->map, c->map_len, false);
    store_bind_int(&s->file, st, 8, c->lossy);
    store_bind_int(&s->file, st, 9, 0);
    return store_run(&s->file, st, err);
}

static qa_status put_row(struct store_index *s, const struct index_document_record *d, int64_t source, uint64_t document,
                         qa_error *err) {
    sqlite3_stmt *st;
    uint8_t hash[16], settings[16];
    arena_reset(&s->scratch);
    char *groups = join(&s->scratch, d->groups, d->n_groups);
    if (!groups)
        return arena_error(&s->scratch, err, "storing a document");
    qa_status status = store_sql(&s->file, SQL_PUT_DOCUMENT,
                                 "INSERT INTO documents(id, source, path, title, url, collection, metadata, restricted, groups, ruled, hash, "
                                 "settings, bytes, first_chunk, chunks, ingested_ms) "
                                 "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
                                 &st, err);
    if (status != QA_OK)
        return status;
    store_put_hash(d->hash, hash);
    store_put_hash(d->settings, settings);
    store_bind_int(&s->file, st, 1, (int64_t)document);
    store_bind_int(&s->file, st, 2, source);
    store_bind_text(&s->file, st, 3, d->path);
    store_bind_text(&s->file, st, 4, d->title);
    store_bind_text(&s->file, st, 5, d->url);
    store_bind_text(&s->file, st, 6, d->collection);
    store_bind_text(&s->file, st, 7, d->metadata);
    store_bind_int(&s->file, st, 8, d->restricted);
    store_bind_text(&s->file, st, 9, groups);
    store_bind_int(&s->file, st, 10, d->restricted || d->n_groups);
    store_bind_bytes(&s->file, st, 11, hash, sizeof hash, false);
    store_bind_bytes(&s->file, st, 12, settings, sizeof settings, false);
    store_bind_int(&s->file, st, 13, (int64_t)d->len);
    store_bind_int(&s->file, st, 14, (int64_t)s->next_chunk);
    store_bind_int(&s->file, st, 15, (int64_t)d->n_chunks);
    store_bind_int(&s->file, st, 16, clock_now_ms());
    status = store_run(&s->file, st, err);
    if (status == QA_OK)
        status = store_sql(&s->file, SQL_PUT_CONTENT, "INSERT INTO contents VALUES(?1, ?2)", &st, err);
    if (status != QA_OK)
        return status;
    store_bind_int(&s->file, st, 1, (int64_t)document);
    store_bind_bytes(&s->file, st, 2, d->bytes, d->len, false);
    return store_run(&s->file, st, err);
}

static qa_status put(struct store_index *s, const struct index_document_record *d, qa_error *err) {
    int64_t source;
    bool found;
    qa_status status = store_source_number(s, d->source, true, &source, err);
    if (status == QA_OK)
        status = forget(s, source, d->path, true, &found, err);
    if (status == QA_OK && (s->next_document >= UINT32_MAX || d->n_chunks > UINT32_MAX ||
                            s->next_chunk + d->n_chunks >= (uint64_t)UINT32_MAX * STORE_BLOCK_CHUNKS))
        status = error_set(err, QA_TOO_LARGE, "%s has given out all its numbers; make it again", s->file.path);
    uint64_t document = s->next_document;
    if (status == QA_OK)
        status = put_row(s, d, source, document, err);
    for (size_t i = 0; i < d->n_chunks && status == QA_OK; i++)
        status = put_chunk(s, d, document, s->next_chunk + i, &d->chunks[i], err);
    if (status == QA_OK) {
        s->next_document++;
        s->next_chunk += d->n_chunks;
        s->vectors.chunks += d->n_chunks;
    }
    return status;
}

static qa_status check_groups(const char *const *groups, size_t n, const char *path, qa_error *err) {
    qa_status status = QA_OK;
    for (size_t i = 0; i < n && status == QA_OK; i++) {
        status = check_text("an access group", groups[i], true, path, err);
        if (status == QA_OK && (!groups[i][0] || strpbrk(groups[i], STORE_SEPARATOR)))
            status = error_set(err, QA_BAD_INPUT, "an access group of document %s is empty or holds a control character", path);
    }
    return status;
}

/* All that can be wrong with a record is found before anything is written, so that one bad document does not cost the others
 * of its transaction. (A savepoint for each document would do, but each makes FTS5 write out what it has gathered.) */
static qa_status check_record(const struct store_index *s, const struct index_document_record *d, qa_error *err) {
    qa_status status = check_text("the source", d->source, true, d->path, err);
    if (status == QA_OK)
        status = check_text("the path", d->path, true, d->path, err);
    if (status == QA_OK)
        status = check_text("the title", d->title, true, d->path, err);
    if (status == QA_OK)
        status = check_text("the URL", d->url, false, d->path, err);
    if (status == QA_OK)
        status = check_text("the collection", d->collection, false, d->path, err);
    if (status == QA_OK)
        status = check_text("the metadata", d->metadata, true, d->path, err);
    if (status == QA_OK && d->len > INT32_MAX / 2)
        status = error_set(err, QA_TOO_LARGE, "%s: document %s has %zu MiB; the index holds up to %d", s->file.path, d->path,
                           d->len >> 20,
                           INT32_MAX / 2 >> 20);
    if (status == QA_OK)
        status = check_groups(d->groups, d->n_groups, d->path, err);
    for (size_t i = 0; i < d->n_chunks && status == QA_OK; i++) {
        const struct index_chunk_record *c = &d->chunks[i];
        for (size_t h = 0; h < c->n_heading && status == QA_OK; h++)
            status = check_text("a heading", c->heading[h], true, d->path, err);
        if (status == QA_OK && (c->start > c->end || c->end > d->len))
            status = error_set(err, QA_INTERNAL, "a chunk of %s is bytes %llu to %llu of %zu", d->path,
                               (unsigned long long)c->start,
                               (unsigned long long)c->end, d->len);
    }
    return status;
}

/* Ends a write: what failed halfway must not be committed, and a cancel flag is looked at again. */
static qa_status end(struct store_index *s, qa_status status) {
    s->file.masked = false;
    s->broken = s->broken || status != QA_OK;
    s->directory.loaded = false;
    return status;
}

qa_status store_put_document(void *self, const struct index_document_record *record, qa_error *err) {
    struct store_index *s = self;
    qa_status status = store_writable(s, err);
    if (status == QA_OK)
        status = check_record(s, record, err);
    if (status != QA_OK)
        return status; /* nothing was touched: the transaction goes on */
    s->file.masked = true;
    return end(s, put(s, record, err));
}

qa_status store_forget_document(void *self, const char *source, const char *path, qa_error *err) {
    struct store_index *s = self;
    int64_t number;
    bool found;
    qa_status status = store_writable(s, err);
    if (status != QA_OK)
        return status;
    s->file.masked = true;
    status = store_source_number(s, source, false, &number, err);
    if (status == QA_OK && number)
        status = forget(s, number, path, false, &found, err);
    return end(s, status);
}

/* The head column holds words of the path, so the postings change, and FTS5 takes a row out and puts it in whole: moving is
 * forgetting and putting, spared only the reading and parsing of the file. */
qa_status store_move_document(void *self, const char *source, const char *from, const struct index_document_record *to,
                              qa_error *err) {
    struct store_index *s = self;
    int64_t number;
    bool found = false;
    qa_status status = store_writable(s, err);
    if (status == QA_OK)
        status = check_record(s, to, err);
    if (status != QA_OK)
        return status;
    s->file.masked = true;
    status = store_source_number(s, source, false, &number, err);
    if (status == QA_OK && number)
        status = forget(s, number, from, true, &found, err);
    if (status == QA_OK && !found) {
        s->file.masked = false;
        return error_set(err, QA_NOT_FOUND, "there is no document %s:%s in %s to move", source, from, s->file.path);
    }
    if (status == QA_OK)
        status = put(s, to, err);
    return end(s, status);
}

/* Who may see a chunk is looked up with its document at each search (store_scope.c), so the row is all there is to change. */
qa_status store_set_access(void *self, const char *source, const char *path, bool restricted, const char *const *groups, size_t n_groups,
                           qa_error *err) {
    struct store_index *s = self;
    sqlite3_stmt *st = NULL;
    int64_t number = 0;
    qa_status status = store_writable(s, err);
    if (status == QA_OK)
        status = check_groups(groups, n_groups, path, err);
    if (status != QA_OK)
        return status;
    arena_reset(&s->scratch);
    char *joined = join(&s->scratch, groups, n_groups);
    if (!joined)
        return arena_error(&s->scratch, err, "changing who may see a document");
    s->file.masked = true;
    status = store_source_number(s, source, false, &number, err);
    if (status == QA_OK)
        status = store_sql(&s->file, SQL_SET_ACCESS,
                           "UPDATE documents SET restricted = ?3, groups = ?4, ruled = ?5, settings = zeroblob(16) "
                           "WHERE source = ?1 AND path = ?2", &st, err);
    if (status == QA_OK) {
        store_bind_int(&s->file, st, 1, number);
        store_bind_text(&s->file, st, 2, path);
        store_bind_int(&s->file, st, 3, restricted);
        store_bind_text(&s->file, st, 4, joined);
        store_bind_int(&s->file, st, 5, restricted || n_groups);
        status = store_run(&s->file, st, err);
    }
    if (status == QA_OK && sqlite3_changes(s->file.db) == 0) {
        s->file.masked = false;
        return error_set(err, QA_NOT_FOUND, "there is no document %s:%s in %s to change", source, path, s->file.path);
    }
    return end(s, status);
}
