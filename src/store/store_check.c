/* Verifies everything. FTS5 cannot check an index without content itself, so the postings are compared with the texts by
 * sums: each word of each chunk adds a hash of (word, chunk, column, position) to the chunk's sum, once from the texts as
 * they would be indexed now and once, taken away, from the posting lists as fts5vocab tells them. What is left must be 0 for
 * every chunk, in whatever order they come. */
#include "base/json.h"
#include "store/store_index.h"
#include "store/store_vfs.h"
#include <stdlib.h>
#include <string.h>

struct checker {
    struct store_index *s;
    struct store_directory *d;
    uint64_t *sums; /* by slot */
    sqlite3_blob *blob;
    uint64_t chunks;
    /* the column being split into words */
    uint64_t chunk;
    size_t slot;
    uint32_t column, words;
};

static uint64_t mix(const char *word, size_t n, uint64_t chunk, uint64_t column, uint64_t position) {
    uint64_t where[] = {hash_bytes(word, n).lo, chunk, column, position};
    return hash_bytes(where, sizeof where).lo;
}

static int add_word(void *user, const struct word *word) {
    struct checker *c = user;
    c->words += store_takes_place(word, c->words);
    c->sums[c->slot] += mix(word->norm, word->norm_len, c->chunk, c->column, c->words - 1);
    return 0;
}

static uint16_t add_column(struct checker *c, uint32_t column, const char *text, size_t n) {
    c->column = column;
    c->words = 0;
    store_each_word(c->s->words, text, n, add_word, c);
    return c->words < UINT16_MAX ? (uint16_t)c->words : UINT16_MAX;
}

static qa_status pragma(struct store_index *s, const char *sql, bool rows_are_bad, qa_error *err) {
    sqlite3_stmt *st = NULL;
    bool row = false;
    int rc = sqlite3_prepare_v2(s->file.db, sql, -1, &st, NULL);
    qa_status status = rc == SQLITE_OK ? QA_OK : store_fail(&s->file, rc, err);
    s->file.bind_rc = SQLITE_OK;
    store_take_read_failure(s->file.db); /* of an earlier read */
    if (status == QA_OK)
        status = store_next(&s->file, st, &row, err);
    if (status == QA_OK && row) {
        const char *said = (const char *)sqlite3_column_text(st, 0);
        if (rows_are_bad)
            status = store_damaged(&s->file, err, "a row of %.40s belongs to nothing", said ? said : "a table");
        else if (!said || strcmp(said, "ok") != 0) {
            if (!said)
                said = "the check gave no result";
            const char *line = said[0] == '*' ? strchr(said, '\n') : NULL;   /* "*** in database main ***" says nothing */
            int failed = store_take_read_failure(s->file.db);
            status = failed != SQLITE_OK ? store_fail(&s->file, failed, err) : QA_CORRUPT;
            if (status == QA_CORRUPT) /* otherwise the page may be sound, and only was not to be had */
                store_damaged(&s->file, err, "%.150s%s", line ? line + 1 : said,
                              failed == SQLITE_IOERR_DATA ? " (its checksum is wrong)" : "");
        }
    }
    sqlite3_finalize(st);
    return status;
}

/* The chunk in the current row of st: ordinal, id, start, end, heading, map. */
static qa_status check_chunk(struct checker *c, sqlite3_stmt *st, const struct index_document *d, uint64_t first,
                             uint64_t ordinal,
                             const char *bytes, qa_error *err) {
    struct store_file *f = &c->s->file;
    uint64_t numbers[4];
    const char *heading;
    const uint8_t *map;
    size_t map_len, near = 0;
    struct textmap text;
    qa_status status = QA_OK;
    for (int i = 0; i < 4 && status == QA_OK; i++)
        status = store_get_uint(f, st, i, &numbers[i], err);
    if (status == QA_OK)
        status = store_get_text(f, st, 4, true, &heading, err);
    if (status == QA_OK)
        status = store_get_bytes(f, st, 5, &map, &map_len, err);
    if (status != QA_OK)
        return status;
    c->chunk = numbers[1];
    if (numbers[0] != ordinal || c->chunk != first + ordinal || numbers[2] > numbers[3] || numbers[3] > d->bytes)
        return store_damaged(f, err, "chunk %llu of %s:%s is not what was written", (unsigned long long)ordinal, d->source,
                             d->path);
    if (!store_find_slot(c->d, c->chunk, &near, &c->slot) || c->d->entries[c->slot].document != d->document)
        return store_damaged(f, err, "chunk %llu of %s:%s is missing in the list of chunks", (unsigned long long)ordinal,
                             d->source, d->path);
    arena_reset(&c->s->scratch);
    status = textmap_decode(&c->s->scratch, map, map_len, numbers[2], bytes, 0, d->bytes, &text, err);
    if (status == QA_CORRUPT)
        return store_damaged(f, err, "the text map of chunk %llu of %s:%s does not fit its bytes",
                             (unsigned long long)ordinal, d->source, d->path);
    if (status == QA_OK)
        status = store_make_head(c->s, d->title, heading, d->path, err);
    if (status != QA_OK)
        return status;
    struct store_entry e = c->d->entries[c->slot];
    uint16_t head_words = add_column(c, 0, c->s->head.data, c->s->head.len);
    uint16_t body_words = add_column(c, 1, text.plain, text.plain_len);
    if (e.head_words != head_words || e.body_words != body_words)
        return store_damaged(f, err, "the length of chunk %llu of %s:%s is not what was written", (unsigned long long)ordinal,
                             d->source, d->path);
    c->chunks++;
    return QA_OK;
}

/* What is kept a second time for speed. A counter that is behind would give a number out again, and one held from an earlier search lead to
 * another text; `ruled` decides whether a search looks at the access rule at all. */
static qa_status check_doubles(struct checker *c, const struct index_document *d, uint64_t first, uint64_t ruled, qa_error *err) {
    struct store_index *s = c->s;
    if (d->document >= s->next_document)
        return store_damaged(&s->file, err, "next_document is %llu, and %s:%s has number %llu already",
                             (unsigned long long)s->next_document, d->source, d->path, (unsigned long long)d->document);
    if (first + d->chunks > s->next_chunk)
        return store_damaged(&s->file, err, "next_chunk is %llu, and %s:%s has chunks up to %llu already", (unsigned long long)s->next_chunk,
                             d->source, d->path, (unsigned long long)(first + d->chunks - 1));
    int rule = d->restricted || d->n_groups;
    if (ruled != (uint64_t)rule)
        return store_damaged(&s->file, err, "the mark of %s:%s for an access rule is %llu, not %d", d->source, d->path,
                             (unsigned long long)ruled, rule);
    return QA_OK;
}

static qa_status check_document(struct checker *c, const struct index_document *d, uint64_t first, qa_error *err) {
    struct store_file *f = &c->s->file;
    sqlite3_stmt *st = NULL;
    bool row;
    uint64_t ordinal = 0;
    qa_status status = store_check_metadata(c->s, d, err);
    if (status != QA_OK)
        return status;
    if (d->bytes > INT32_MAX)
        return store_damaged(f, err, "the entry of %s:%s is not what was written", d->source, d->path);
    char *bytes = malloc(d->bytes ? d->bytes : 1);
    if (!bytes)
        return error_no_memory(err, "checking a document");
    status = store_read_content(c->s, &c->blob, d->document, 0, bytes, d->bytes, err);
    if (status == QA_OK) {
        struct hash128 h = hash_bytes(bytes, d->bytes);
        if ((uint64_t)sqlite3_blob_bytes(c->blob) != d->bytes || h.hi != d->hash.hi || h.lo != d->hash.lo)
            status = store_damaged(f, err, "the bytes of %s:%s do not have the hash they were stored with", d->source,
                                   d->path);
    }
    if (status == QA_OK)
        status = store_sql(f, SQL_CHECK_CHUNKS,
                           "SELECT ordinal, id, start, end, heading, map FROM chunks "
                           "WHERE id >= ?1 AND id < ?2 AND document = ?3 ORDER BY id", &st, err);
    if (status == QA_OK) {
        store_bind_int(f, st, 1, (int64_t)first);
        store_bind_int(f, st, 2, (int64_t)(first + d->chunks));
        store_bind_int(f, st, 3, (int64_t)d->document);
    }
    while (status == QA_OK && (status = store_next(f, st, &row, err)) == QA_OK && row)
        status = check_chunk(c, st, d, first, ordinal++, bytes, err);
    sqlite3_reset(st);
    free(bytes);
    if (status == QA_OK && ordinal != d->chunks)
        status = store_damaged(f, err, "%s:%s has %llu chunks, not %llu", d->source, d->path, (unsigned long long)ordinal,
                               (unsigned long long)d->chunks);
    return status;
}

static qa_status check_documents(struct checker *c, qa_error *err) {
    struct store_file *f = &c->s->file;
    sqlite3_stmt *st = NULL;
    struct arena a;
    bool row;
    arena_init(&a, 64 << 20);
    int rc = sqlite3_prepare_v2(f->db, "SELECT " STORE_DOCUMENT_COLUMNS ", d.ruled FROM " STORE_DOCUMENTS " ORDER BY d.id", -1,
                                &st, NULL);
    qa_status status = rc == SQLITE_OK ? QA_OK : store_fail(f, rc, err);
    f->bind_rc = SQLITE_OK;
    while (status == QA_OK && (status = store_next(f, st, &row, err)) == QA_OK && row) {
        struct index_document d;
        uint64_t first, ruled;
        arena_reset(&a);
        status = store_get_document(c->s, st, &a, &d, &first, err);
        if (status == QA_OK)
            status = store_get_uint(f, st, sqlite3_column_count(st) - 1, &ruled, err);
        if (status == QA_OK)
            status = check_doubles(c, &d, first, ruled, err);
        if (status == QA_OK)
            status = check_document(c, &d, first, err);
    }
    sqlite3_finalize(st);
    arena_free(&a);
    if (status == QA_OK && c->chunks != c->d->totals.chunks)
        status = store_damaged(f, err, "there are %llu chunks, and %llu in the list of chunks", (unsigned long long)c->chunks,
                               (unsigned long long)c->d->totals.chunks);
    return status;
}

/* One posting out of fts5vocab: term, chunk, column, position. */
static qa_status subtract(struct checker *c, sqlite3_stmt *st, qa_error *err) {
    const char *term = (const char *)sqlite3_column_text(st, 0), *column = (const char *)sqlite3_column_text(st, 2);
    size_t n = (size_t)sqlite3_column_bytes(st, 0), near = 0, slot;
    sqlite3_int64 chunk = sqlite3_column_int64(st, 1);
    if (chunk < 0 || !store_find_slot(c->d, (uint64_t)chunk, &near, &slot))
        return store_damaged(&c->s->file, err, "the word \"%.60s\" is listed for a chunk %lld that does not exist",
                             term ? term : "", chunk);
    uint64_t number = column && strcmp(column, "head") == 0 ? 0 : 1;
    c->sums[slot] -= mix(term ? term : "", n, (uint64_t)chunk, number, (uint64_t)sqlite3_column_int64(st, 3));
    return QA_OK;
}

static qa_status check_postings(struct checker *c, qa_error *err) {
    struct store_file *f = &c->s->file;
    sqlite3_stmt *st = NULL;
    bool row;
    qa_status status = store_exec(f, "CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, postings, instance)", err);
    if (status != QA_OK)
        return status;
    int rc = sqlite3_prepare_v2(f->db, "SELECT term, doc, col, offset FROM temp.vocabulary", -1, &st, NULL);
    status = rc == SQLITE_OK ? QA_OK : store_fail(f, rc, err);
    f->bind_rc = SQLITE_OK;
    while (status == QA_OK && (status = store_next(f, st, &row, err)) == QA_OK && row)
        status = subtract(c, st, err);
    sqlite3_finalize(st);
    sqlite3_exec(f->db, "DROP TABLE temp.vocabulary", NULL, NULL, NULL);
    for (size_t slot = 0; status == QA_OK && slot < c->d->blocks * STORE_BLOCK_CHUNKS; slot++)
        if (c->sums[slot])
            status = store_damaged(f, err, "the postings of chunk %llu are not those of its text",
                                   (unsigned long long)store_chunk_at(c->d, slot));
    return status;
}

qa_status store_check_index(struct store_index *s, qa_error *err) {
    struct checker c = {.s = s, .d = &s->directory};
    qa_status status = store_begin_read(s, err);
    if (status != QA_OK)
        return status;
    status = pragma(s, "PRAGMA integrity_check(1)", false, err);
    if (status == QA_OK)
        status = pragma(s, "PRAGMA foreign_key_check", true, err);
    if (status == QA_OK)
        status = store_need_words(s, err);
    if (status == QA_OK)
        status = store_load_directory(s, err);
    if (status == QA_OK && !s->writing)
        status = store_load_counters(s, err);
    if (status == QA_OK) {
        c.sums = calloc(s->directory.blocks * STORE_BLOCK_CHUNKS + 1, sizeof *c.sums);
        if (!c.sums)
            status = error_no_memory(err, "checking the index");
    }
    if (status == QA_OK)
        status = check_documents(&c, err);
    sqlite3_blob_close(c.blob);
    if (status == QA_OK)
        status = check_postings(&c, err);
    if (status == QA_OK)
        status = store_check_vectors(s, err);
    free(c.sums);
    store_end_read(s);
    return status;
}
