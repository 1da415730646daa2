/* begin, commit, rollback, and the part of the chunk directory that is being written.
 *
 * A statement that fails inside a transaction may have left half a document: from then on nothing but rollback is accepted.
 * On a handle that only reads, begin and commit hold one state of the index for everything read in between. */
#include "store/store_index.h"
#include "store/store_write.h"
#include <string.h>

static qa_status run_sql(struct store_index *s, unsigned slot, const char *sql, qa_error *err) {
    sqlite3_stmt *st;
    qa_status status = store_sql(&s->file, slot, sql, &st, err);
    return status == QA_OK ? store_run(&s->file, st, err) : status;
}

static qa_status get_meta(struct store_index *s, const char *key, uint64_t limit, uint64_t *out, qa_error *err) {
    sqlite3_stmt *st;
    bool row;
    qa_status status = store_sql(&s->file, SQL_META, "SELECT value FROM meta WHERE key = ?1", &st, err);
    if (status != QA_OK)
        return status;
    store_bind_text(&s->file, st, 1, key);
    status = store_next(&s->file, st, &row, err);
    if (status == QA_OK && !row)
        return store_damaged(&s->file, err, "%s is missing", key);
    if (status == QA_OK)
        status = store_get_uint(&s->file, st, 0, out, err);
    sqlite3_reset(st);
    if (status == QA_OK && (*out == 0 || *out > limit))
        status = store_damaged(&s->file, err, "%s is %llu", key, (unsigned long long)*out);
    return status;
}

qa_status store_load_counters(struct store_index *s, qa_error *err) {
    qa_status status = get_meta(s, "next_document", UINT32_MAX, &s->next_document, err);
    return status == QA_OK ? get_meta(s, "next_chunk", (uint64_t)UINT32_MAX * STORE_BLOCK_CHUNKS, &s->next_chunk, err) : status;
}

static qa_status set_meta(struct store_index *s, const char *key, uint64_t value, qa_error *err) {
    sqlite3_stmt *st;
    qa_status status = store_sql(&s->file, SQL_SET_META, "UPDATE meta SET value = ?2 WHERE key = ?1", &st, err);
    if (status != QA_OK)
        return status;
    store_bind_text(&s->file, st, 1, key);
    store_bind_int(&s->file, st, 2, (int64_t)value);
    return store_run(&s->file, st, err);
}

qa_status store_begin(void *self, qa_error *err) {
    struct store_index *s = self;
    if (!s->file.writable)
        return store_begin_read(s, err);
    if (s->writing || s->reads)
        return error_set(err, QA_INTERNAL, "%s: begin inside a transaction", s->file.path);
    s->file.masked = true;
    qa_status status = run_sql(s, SQL_BEGIN_WRITE, "BEGIN IMMEDIATE", err);
    if (status == QA_OK) {
        s->writing = true;
        s->broken = false;
        s->tail.held = false;
        status = store_load_counters(s, err);
        if (status == QA_OK)
            status = store_begin_vectors(s, err);
        if (status != QA_OK)
            store_rollback(s);
    }
    s->file.masked = false;
    return status;
}

void store_rollback(void *self) {
    struct store_index *s = self;
    if (!s->file.writable) {
        if (s->reads)
            store_end_read(s);
        return;
    }
    s->file.masked = true;
    if (s->writing && !sqlite3_get_autocommit(s->file.db))
        sqlite3_exec(s->file.db, "ROLLBACK", NULL, NULL, NULL);
    s->file.masked = false;
    s->writing = s->broken = s->tail.held = s->directory.loaded = false;
    store_rollback_vectors(s);
}

qa_status store_commit(void *self, qa_error *err) {
    struct store_index *s = self;
    if (!s->file.writable) {
        store_rollback(s);
        return QA_OK;
    }
    qa_status status = store_writable(s, err);
    if (status != QA_OK)
        return status;
    s->file.masked = true;
    status = store_flush_tail(s, err);
    if (status == QA_OK)
        status = store_commit_vectors(s, err);
    if (status == QA_OK)
        status = set_meta(s, "next_document", s->next_document, err);
    if (status == QA_OK)
        status = set_meta(s, "next_chunk", s->next_chunk, err);
    if (status == QA_OK)
        status = run_sql(s, SQL_COMMIT, "COMMIT", err);
    s->file.masked = false;
    if (status != QA_OK) {
        store_rollback(s);
        return status;
    }
    s->writing = s->tail.held = s->directory.loaded = false;
    return QA_OK;
}

qa_status store_writable(struct store_index *s, qa_error *err) {
    if (!s->writing)
        return error_set(err, QA_INTERNAL, "%s: writing outside a transaction", s->file.path);
    if (s->broken || sqlite3_get_autocommit(s->file.db))
        return error_set(err, QA_INTERNAL, "%s: going on after a failed write; roll back first", s->file.path);
    return QA_OK;
}

/* ---- The chunk directory ---- */

qa_status store_flush_tail(struct store_index *s, qa_error *err) {
    static const uint8_t none[sizeof s->tail.entries];
    sqlite3_stmt *st;
    if (!s->tail.held || !s->tail.dirty)
        return QA_OK;
    bool empty = memcmp(none, s->tail.entries, sizeof none) == 0;
    qa_status status = empty ? store_sql(&s->file, SQL_DELETE_BLOCK, "DELETE FROM chunk_blocks WHERE block = ?1", &st, err)
                             : store_sql(&s->file, SQL_PUT_BLOCK, "INSERT OR REPLACE INTO chunk_blocks VALUES(?1, ?2)", &st,
                                         err);
    if (status != QA_OK)
        return status;
    store_bind_int(&s->file, st, 1, (int64_t)s->tail.number);
    if (!empty)
        store_bind_bytes(&s->file, st, 2, s->tail.entries, sizeof s->tail.entries, false);
    status = store_run(&s->file, st, err);
    if (status == QA_OK)
        s->tail.dirty = s->directory.loaded = false;
    return status;
}

qa_status store_set_entry(struct store_index *s, uint64_t chunk, struct store_entry entry, qa_error *err) {
    uint64_t number = chunk / STORE_BLOCK_CHUNKS;
    if (!s->tail.held || s->tail.number != number) {
        sqlite3_stmt *st;
        bool row;
        qa_status status = store_flush_tail(s, err);
        s->tail.held = false;
        if (status == QA_OK)
            status = store_sql(&s->file, SQL_GET_BLOCK, "SELECT entries FROM chunk_blocks WHERE block = ?1", &st, err);
        if (status != QA_OK)
            return status;
        store_bind_int(&s->file, st, 1, (int64_t)number);
        status = store_next(&s->file, st, &row, err);
        memset(s->tail.entries, 0, sizeof s->tail.entries);
        if (status == QA_OK && row) {
            const uint8_t *bytes;
            size_t n;
            status = store_get_bytes(&s->file, st, 0, &bytes, &n, err);
            if (status == QA_OK && n != sizeof s->tail.entries)
                status = store_damaged(&s->file, err, "block %llu of the list of chunks has %zu bytes",
                                       (unsigned long long)number, n);
            if (status == QA_OK)
                memcpy(s->tail.entries, bytes, n);
        }
        sqlite3_reset(st);
        if (status != QA_OK)
            return status;
        s->tail.held = true;
        s->tail.number = number;
    }
    store_encode_entry(entry, s->tail.entries + chunk % STORE_BLOCK_CHUNKS * STORE_ENTRY);
    s->tail.dirty = true;
    return QA_OK;
}
