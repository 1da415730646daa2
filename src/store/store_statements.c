/* Statements of one open file: prepared once, with their failures turned into ours in one place. */
#include "base/utf8.h"
#include "store/store_file.h"
#include <string.h>

qa_status store_exec(struct store_file *f, const char *sql, qa_error *err) {
    int rc = sqlite3_exec(f->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? QA_OK : store_fail(f, rc, err);
}

qa_status store_sql(struct store_file *f, unsigned slot, const char *sql, sqlite3_stmt **out, qa_error *err) {
    f->bind_rc = SQLITE_OK;
    if (!f->slots[slot]) {
        int rc = sqlite3_prepare_v3(f->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &f->slots[slot], NULL);
        if (rc != SQLITE_OK)
            return store_fail(f, rc, err);
    }
    sqlite3_reset(f->slots[slot]);
    sqlite3_clear_bindings(f->slots[slot]);
    *out = f->slots[slot];
    return QA_OK;
}

static void note(struct store_file *f, int rc) {
    if (f->bind_rc == SQLITE_OK)
        f->bind_rc = rc;
}

void store_bind_int(struct store_file *f, sqlite3_stmt *st, int i, int64_t v) { note(f, sqlite3_bind_int64(st, i, v)); }

void store_bind_text(struct store_file *f, sqlite3_stmt *st, int i, const char *s) {
    note(f, s ? sqlite3_bind_text64(st, i, s, strlen(s), SQLITE_STATIC, SQLITE_UTF8) : sqlite3_bind_null(st, i));
}

void store_bind_bytes(struct store_file *f, sqlite3_stmt *st, int i, const void *p, size_t n, bool text) {
    if (!p)
        p = "";
    note(f, text ? sqlite3_bind_text64(st, i, p, n, SQLITE_STATIC, SQLITE_UTF8) : sqlite3_bind_blob64(st, i, p, n,
                                                                                                      SQLITE_STATIC));
}

qa_status store_next(struct store_file *f, sqlite3_stmt *st, bool *row, qa_error *err) {
    int rc = f->bind_rc != SQLITE_OK ? f->bind_rc : sqlite3_step(st);
    *row = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW)
        return QA_OK;
    qa_status status = rc == SQLITE_DONE ? QA_OK : store_fail(f, rc, err);
    sqlite3_reset(st);
    return status;
}

qa_status store_run(struct store_file *f, sqlite3_stmt *st, qa_error *err) {
    bool row;
    qa_status status = store_next(f, st, &row, err);
    sqlite3_reset(st);
    return status;
}

static qa_status wrong_type(struct store_file *f, sqlite3_stmt *st, int i, qa_error *err) {
    const char *name = sqlite3_column_name(st, i);
    return store_damaged(f, err, "a stored %s is not what was written", name ? name : "value");
}

qa_status store_get_text(struct store_file *f, sqlite3_stmt *st, int i, bool null_ok, const char **out, qa_error *err) {
    *out = NULL;
    int type = sqlite3_column_type(st, i);
    if (type == SQLITE_NULL && null_ok)
        return QA_OK;
    if (type != SQLITE_TEXT)
        return wrong_type(f, st, i, err);
    const char *text = (const char *)sqlite3_column_text(st, i);
    size_t n = (size_t)sqlite3_column_bytes(st, i);
    if (!text)
        return store_fail(f, SQLITE_NOMEM, err);
    if (utf8_valid_len(text, n) != n || memchr(text, '\0', n))
        return wrong_type(f, st, i, err);
    *out = text;
    return QA_OK;
}

qa_status store_get_bytes(struct store_file *f, sqlite3_stmt *st, int i, const uint8_t **out, size_t *n, qa_error *err) {
    if (sqlite3_column_type(st, i) != SQLITE_BLOB)
        return wrong_type(f, st, i, err);
    const void *p = sqlite3_column_blob(st, i);
    *n = (size_t)sqlite3_column_bytes(st, i);
    if (!p && *n)
        return store_fail(f, SQLITE_NOMEM, err);
    *out = p ? p : "";
    return QA_OK;
}

qa_status store_get_uint(struct store_file *f, sqlite3_stmt *st, int i, uint64_t *out, qa_error *err) {
    if (sqlite3_column_type(st, i) != SQLITE_INTEGER || sqlite3_column_int64(st, i) < 0)
        return wrong_type(f, st, i, err);
    *out = (uint64_t)sqlite3_column_int64(st, i);
    return QA_OK;
}
