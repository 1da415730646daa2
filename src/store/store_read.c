/* Passages and documents out of the file. Nothing read is believed: types, UTF-8, maps, spans, JSON are checked where they
 * come in, since the page checksums find accidents but not somebody who writes a file on purpose. */
#include "base/json.h"
#include "store/store_index.h"
#include <stdio.h>
#include <string.h>

/* ---- Snapshots ---- */

qa_status store_begin_read(struct store_index *s, qa_error *err) {
    if (s->reads++ || s->writing)
        return QA_OK;
    sqlite3_stmt *st;
    qa_status status = store_sql(&s->file, SQL_BEGIN_READ, "BEGIN", &st, err);
    if (status == QA_OK)
        status = store_run(&s->file, st, err);
    if (status != QA_OK)
        s->reads--;
    return status;
}

void store_end_read(struct store_index *s) {
    if (--s->reads || s->writing)
        return;
    sqlite3_stmt *st;
    if (store_sql(&s->file, SQL_END_READ, "ROLLBACK", &st, NULL) == QA_OK)
        store_run(&s->file, st, NULL);
    else
        sqlite3_exec(s->file.db, "ROLLBACK", NULL, NULL, NULL);
}

/* ---- Documents ---- */

qa_status store_copy_text(struct store_index *s, sqlite3_stmt *st, int i, bool null_ok, struct arena *a, const char **out,
                          qa_error *err) {
    const char *text;
    qa_status status = store_get_text(&s->file, st, i, null_ok, &text, err);
    *out = NULL;
    if (status == QA_OK && text && !(*out = arena_string(a, text)))
        status = arena_error(a, err, "reading the index");
    return status;
}

qa_status store_get_hash(struct store_index *s, sqlite3_stmt *st, int i, struct hash128 *out, qa_error *err) {
    const uint8_t *p;
    size_t n;
    qa_status status = store_get_bytes(&s->file, st, i, &p, &n, err);
    if (status != QA_OK)
        return status;
    if (n != 16)
        return store_damaged(&s->file, err, "a hash has %zu bytes, not 16", n);
    *out = (struct hash128){0};
    for (int b = 0; b < 8; b++) {
        out->hi = out->hi << 8 | p[b];
        out->lo = out->lo << 8 | p[8 + b];
    }
    return QA_OK;
}

qa_status store_get_document(struct store_index *s, sqlite3_stmt *st, struct arena *a, struct index_document *out,
                             uint64_t *first_chunk, qa_error *err) {
    struct store_file *f = &s->file;
    const char *groups;
    uint64_t restricted, ingested;
    *out = (struct index_document){0};
    qa_status status = store_get_uint(f, st, 0, &out->document, err);
    if (status == QA_OK)
        status = store_copy_text(s, st, 1, false, a, &out->source, err);
    if (status == QA_OK)
        status = store_copy_text(s, st, 2, false, a, &out->path, err);
    if (status == QA_OK)
        status = store_copy_text(s, st, 3, false, a, &out->title, err);
    if (status == QA_OK)
        status = store_copy_text(s, st, 4, true, a, &out->url, err);
    if (status == QA_OK)
        status = store_copy_text(s, st, 5, true, a, &out->collection, err);
    if (status == QA_OK)
        status = store_copy_text(s, st, 6, false, a, &out->metadata, err);
    if (status == QA_OK)
        status = store_get_uint(f, st, 7, &restricted, err);
    if (status == QA_OK)
        status = store_get_text(f, st, 8, false, &groups, err);
    if (status == QA_OK)
        status = store_split(a, groups[0] ? groups : NULL, &out->groups, &out->n_groups, err);
    if (status == QA_OK)
        status = store_get_hash(s, st, 9, &out->hash, err);
    if (status == QA_OK)
        status = store_get_uint(f, st, 10, &out->bytes, err);
    if (status == QA_OK)
        status = store_get_uint(f, st, 11, &out->chunks, err);
    if (status == QA_OK)
        status = store_get_uint(f, st, 12, &ingested, err);
    if (status == QA_OK)
        status = store_get_uint(f, st, 13, first_chunk, err);
    if (status == QA_OK && (restricted > 1 || out->chunks > UINT32_MAX || *first_chunk > UINT64_C(1) << 42))
        status = store_damaged(f, err, "the entry of document %s:%s is not what was written", out->source, out->path);
    if (status == QA_OK) {
        out->restricted = restricted != 0;
        out->ingested_ms = (int64_t)ingested;
    }
    return status;
}

qa_status store_check_metadata(struct store_index *s, const struct index_document *d, qa_error *err) {
    json_t *value = NULL;
    qa_status status = json_parse(d->metadata, strlen(d->metadata), &value, NULL);
    bool object = json_is_object(value);
    json_decref(value);
    if (status == QA_NO_MEMORY)
        return error_no_memory(err, "reading metadata");
    return object ? QA_OK : store_damaged(&s->file, err, "the metadata of %s:%s is not a JSON object", d->source, d->path);
}

qa_status store_each_document(void *self, const struct index_scope *scope,
                              int (*each)(void *user, const struct index_document *d), void *user, qa_error *err) {
    struct store_index *s = self;
    sqlite3_stmt *st = NULL;
    struct arena a;
    bool row = true, may, stop = false;
    arena_init(&a, 256 << 20);
    qa_status status = store_begin_read(s, err);
    if (status != QA_OK)
        return status;
    status = store_sql(&s->file, SQL_EACH,
                       "SELECT " STORE_DOCUMENT_COLUMNS " FROM " STORE_DOCUMENTS " ORDER BY s.name, d.path", &st, err);
    while (status == QA_OK && !stop && (status = store_next(&s->file, st, &row, err)) == QA_OK && row) {
        struct index_document d;
        uint64_t first;
        arena_reset(&a);
        status = store_get_document(s, st, &a, &d, &first, err);
        if (status == QA_OK)
            status = store_check_metadata(s, &d, err);
        if (status == QA_OK)
            status = store_may_see(s, scope, &d, &may, err);
        if (status == QA_OK && may)
            stop = each(user, &d) != 0;
    }
    sqlite3_reset(st);
    store_end_read(s);
    arena_free(&a);
    return status;
}

qa_status store_find_document(void *self, const struct index_scope *scope, const char *source, const char *path,
                              struct arena *a, struct index_document *out, uint64_t **chunks, size_t *n_chunks, qa_error *err) {
    struct store_index *s = self;
    sqlite3_stmt *st = NULL;
    size_t found = 0;
    uint64_t first = 0;
    bool row, may;
    const char *other = NULL;
    qa_status status = store_begin_read(s, err);
    if (status != QA_OK)
        return status;
    /* CROSS JOIN: one look into the index of (source, path) for each of the few sources */
    status = store_sql(&s->file, SQL_FIND,
                       "SELECT " STORE_DOCUMENT_COLUMNS " FROM sources AS s CROSS JOIN documents AS d ON d.source = s.id "
                       "WHERE d.path = ?1 AND (?2 IS NULL OR s.name = ?2) ORDER BY s.name",
                       &st, err);
    if (status == QA_OK) {
        store_bind_text(&s->file, st, 1, path);
        store_bind_text(&s->file, st, 2, source);
    }
    while (status == QA_OK && (status = store_next(&s->file, st, &row, err)) == QA_OK && row) {
        struct index_document d;
        uint64_t number;
        status = store_get_document(s, st, a, &d, &number, err);
        if (status == QA_OK)
            status = store_check_metadata(s, &d, err);
        if (status == QA_OK)
            status = store_may_see(s, scope, &d, &may, err);
        if (status != QA_OK || !may)
            continue;
        if (found++ == 0) {
            *out = d;
            first = number;
        } else {
            other = d.source;
        }
    }
    sqlite3_reset(st);
    store_end_read(s);
    if (status != QA_OK)
        return status;
    if (!found)
        return error_set(err, QA_NOT_FOUND, "there is no document %s%s%s in %s", source ? source : "", source ? ":" : "",
                         path, s->file.path);
    if (found > 1)
        return error_set(err, QA_BAD_USAGE, "%s is in %zu sources, among them %s and %s: write SOURCE:%s", path, found,
                         out->source, other, path);
    *chunks = arena_array(a, out->chunks, sizeof **chunks);
    if (!*chunks)
        return arena_error(a, err, "reading the index");
    for (uint64_t i = 0; i < out->chunks; i++)
        (*chunks)[i] = first + i;
    *n_chunks = out->chunks;
    return QA_OK;
}

/* ---- Passages ---- */

qa_status store_read_content(struct store_index *s, sqlite3_blob **blob, uint64_t document, uint64_t at, char *to, size_t n,
                             qa_error *err) {
    int rc = *blob ? sqlite3_blob_reopen(*blob, (sqlite3_int64)document)
                   : sqlite3_blob_open(s->file.db, "main", "contents", "bytes", (sqlite3_int64)document, 0, blob);
    if (rc != SQLITE_OK && (rc & 0xFF) == SQLITE_ERROR)
        return store_damaged(&s->file, err, "the bytes of document %llu are not there", (unsigned long long)document);
    if (rc == SQLITE_OK && at + n > (uint64_t)sqlite3_blob_bytes(*blob))
        return store_damaged(&s->file, err, "document %llu has %d bytes, and a chunk of it reaches to %llu",
                             (unsigned long long)document,
                             sqlite3_blob_bytes(*blob), (unsigned long long)(at + n));
    if (rc == SQLITE_OK)
        rc = sqlite3_blob_read(*blob, to, (int)n, (int)at);
    return rc == SQLITE_OK ? QA_OK : store_fail(&s->file, rc, err);
}

struct passage_reader {
    struct store_index *s;
    struct arena *a;
    sqlite3_blob *blob;
    struct index_document document; /* of the passage before */
};

static qa_status read_document(struct passage_reader *r, uint64_t document, qa_error *err) {
    struct store_index *s = r->s;
    sqlite3_stmt *st;
    bool row;
    uint64_t first;
    if (r->document.source && r->document.document == document)
        return QA_OK;
    r->document.source = NULL;
    qa_status status =
        store_sql(&s->file, SQL_DOCUMENT, "SELECT " STORE_DOCUMENT_COLUMNS " FROM " STORE_DOCUMENTS " WHERE d.id = ?1", &st,
                  err);
    if (status != QA_OK)
        return status;
    store_bind_int(&s->file, st, 1, (int64_t)document);
    status = store_next(&s->file, st, &row, err);
    if (status == QA_OK && !row)
        status = store_damaged(&s->file, err, "there are chunks of a document %llu that does not exist",
                               (unsigned long long)document);
    if (status == QA_OK)
        status = store_get_document(s, st, r->a, &r->document, &first, err);
    sqlite3_reset(st);
    if (status == QA_OK)
        status = store_check_metadata(s, &r->document, err);
    if (status != QA_OK)
        r->document.source = NULL;
    return status;
}

/* The document's bytes under span and map together. They are nearly always the same; where a map reaches far away (the header
 * of a long table) what lies between is read too. */
static qa_status read_text(struct passage_reader *r, struct index_passage *p, const uint8_t *map, size_t map_len,
                           qa_error *err) {
    uint64_t lo, hi;
    qa_status status = textmap_extent(map, map_len, p->start, r->document.bytes, &lo, &hi, err);
    if (status == QA_OK && (p->start > p->end || p->end > r->document.bytes))
        status = store_damaged(&r->s->file, err, "a chunk is bytes %llu to %llu of a document of %llu",
                               (unsigned long long)p->start,
                               (unsigned long long)p->end, (unsigned long long)r->document.bytes);
    if (status != QA_OK)
        return status;
    if (lo == hi)
        lo = p->start, hi = p->end;
    lo = p->start < lo ? p->start : lo;
    hi = p->end > hi ? p->end : hi;
    char *bytes = arena_alloc(r->a, hi - lo + 1);
    char *text = p->end - p->start == hi - lo ? bytes : arena_alloc(r->a, p->end - p->start + 1);
    if (!bytes || !text)
        return arena_error(r->a, err, "reading a passage");
    status = store_read_content(r->s, &r->blob, p->document_number, lo, bytes, hi - lo, err);
    if (status != QA_OK)
        return status;
    p->text_len = p->end - p->start;
    if (text != bytes && p->text_len)
        memcpy(text, bytes + (p->start - lo), p->text_len);
    p->text = text;
    return textmap_decode(r->a, map, map_len, p->start, bytes, lo, hi - lo, &p->map, err);
}

/* The name of a chunk that outlives renumbering: the same bytes at the same place of the same document. */
static qa_status name_chunk(struct arena *a, struct index_passage *p, qa_error *err) {
    char span[48], id[24], *copy;
    int n = snprintf(span, sizeof span, "%llu-%llu", (unsigned long long)p->start, (unsigned long long)p->end);
    const char *parts[] = {p->source, p->path, span, p->text};
    size_t lens[] = {strlen(p->source), strlen(p->path), (size_t)n, p->text_len};
    hash_id("c_", hash_parts(parts, lens, 4), id);
    copy = arena_string(a, id);
    p->chunk = copy;
    return copy ? QA_OK : arena_error(a, err, "reading a passage");
}

static qa_status missing_chunk(struct store_index *s, uint64_t chunk, qa_error *err) {
    int64_t before = s->directory.version;
    if (s->directory.loaded && !s->file.writable && store_load_directory(s, NULL) == QA_OK && s->directory.version != before)
        return error_set(err, QA_BUSY, "%s changed while it was being read; ask again", s->file.path);
    return store_damaged(&s->file, err, "there is no chunk %llu", (unsigned long long)chunk);
}

static qa_status read_passage(struct passage_reader *r, uint64_t chunk, struct index_passage *p, qa_error *err) {
    struct store_index *s = r->s;
    sqlite3_stmt *st;
    const char *heading;
    const uint8_t *map;
    size_t map_len;
    uint64_t lossy;
    bool row;
    *p = (struct index_passage){.chunk_number = chunk};
    qa_status status = store_sql(&s->file, SQL_CHUNK,
                                 "SELECT document, start, end, heading, map, lossy FROM chunks WHERE id = ?1", &st, err);
    if (status != QA_OK)
        return status;
    store_bind_int(&s->file, st, 1, (int64_t)chunk);
    status = store_next(&s->file, st, &row, err);
    if (status == QA_OK && !row)
        return missing_chunk(s, chunk, err);
    if (status == QA_OK)
        status = store_get_uint(&s->file, st, 0, &p->document_number, err);
    if (status == QA_OK)
        status = store_get_uint(&s->file, st, 1, &p->start, err);
    if (status == QA_OK)
        status = store_get_uint(&s->file, st, 2, &p->end, err);
    if (status == QA_OK)
        status = store_get_text(&s->file, st, 3, true, &heading, err);
    if (status == QA_OK)
        status = store_split(r->a, heading, &p->heading, &p->n_heading, err);
    if (status == QA_OK)
        status = store_get_bytes(&s->file, st, 4, &map, &map_len, err);
    if (status == QA_OK)
        status = store_get_uint(&s->file, st, 5, &lossy, err);
    if (status == QA_OK)
        status = read_document(r, p->document_number, err);
    if (status == QA_OK) {
        p->lossy = lossy != 0;
        p->source = r->document.source;
        p->path = r->document.path;
        p->title = r->document.title;
        p->url = r->document.url;
        p->collection = r->document.collection;
        p->metadata = r->document.metadata;
        status = read_text(r, p, map, map_len, err);
        if (status == QA_CORRUPT)
            error_prefix(err, status, "%s, %s:%s: ", s->file.path, p->source, p->path);
    }
    sqlite3_reset(st);
    return status == QA_OK ? name_chunk(r->a, p, err) : status;
}

qa_status store_load_passages(void *self, const uint64_t *chunks, size_t n, struct arena *a, struct index_passage *out,
                              qa_error *err) {
    struct passage_reader r = {.s = self, .a = a};
    qa_status status = store_begin_read(r.s, err);
    if (status != QA_OK)
        return status;
    for (size_t i = 0; i < n && status == QA_OK; i++)
        status = read_passage(&r, chunks[i], &out[i], err);
    sqlite3_blob_close(r.blob);
    store_end_read(r.s);
    return status;
}
