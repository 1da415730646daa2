/* What both files share: how they are opened, verified, upgraded, locked, and how a failure of SQLite becomes ours. */
#ifndef STORE_FILE_H
#define STORE_FILE_H

#include "base/arena.h"
#include "store/store.h"
#include <sqlite3.h>

struct store_object { /* a row of sqlite_schema, as SQLite writes it; sql NULL: an index that SQLite makes itself */
    const char *type, *name, *table, *sql;
};
/* As sql: a table with pages of its own (none of a virtual one) that a module of SQLite makes, worded as its version likes. */
#define STORE_TABLE_OF_MODULE "CREATE TABLE "
struct store_step { /* from version i to i + 1, inside one transaction with all the others */
    const char *const *sql;
    size_t n;
};
/* One of our two file formats. */
struct store_kind {
    const char *name;   /* "index" */
    const char *missing; /* what to do when there is none; follows the path */
    const char *advice;  /* what to do when it is damaged: a sentence */
    uint32_t application;
    const struct store_step *steps; /* n_steps is the version this program writes; steps[0] makes an empty file version 1 */
    size_t n_steps;
    const struct store_object *objects; /* the schema of that version, whole */
    size_t n_objects;
    bool one_writer;    /* a sidecar lock for as long as it is open for writing */
    bool private;       /* what is deleted is overwritten: nobody finds it in the file again */
    int (*prepare)(sqlite3 *db, void *user); /* registers what the schema needs; an SQLite result code */
};
enum { STORE_INDEX_APPLICATION = 0x51416978 /* "QAix" */, STORE_STATE_APPLICATION = 0x51417374 /* "QAst" */ };
bool store_is_our_application(uint32_t application); /* or 0: a file being made */

enum { STORE_SLOTS = 64 };
struct store_file {
    sqlite3 *db;
    char *path;
    const struct store_kind *kind;
    bool writable;
    const atomic_int *cancel;
    bool masked;        /* the cancel flag is not looked at: an interrupted write would roll its transaction back */
    char *lock_path;
    int lock;           /* descriptor of the sidecar, -1: none */
    int bind_rc;        /* sticky, looked at by store_next */
    sqlite3_stmt *slots[STORE_SLOTS];
};

/* On failure the struct is closed again. */
qa_status store_open_file(struct store_file *f, const struct store_kind *kind, const char *path, enum store_mode mode,
                          const atomic_int *cancel, void *user, qa_error *err);
void store_close_file(struct store_file *f);

/* The sidecar lock of a writer: QA_BUSY when another process or handle has it. */
qa_status store_lock_file(struct store_file *f, qa_error *err);
void store_unlock_file(struct store_file *f);

/* ---- Statements ---- */

qa_status store_exec(struct store_file *f, const char *sql, qa_error *err);
/* Prepared once for each slot; comes reset, with nothing bound. */
qa_status store_sql(struct store_file *f, unsigned slot, const char *sql, sqlite3_stmt **out, qa_error *err);
void store_bind_int(struct store_file *f, sqlite3_stmt *st, int i, int64_t v);
void store_bind_text(struct store_file *f, sqlite3_stmt *st, int i,
                     const char *s); /* NULL is NULL; must live until the reset */
void store_bind_bytes(struct store_file *f, sqlite3_stmt *st, int i, const void *p, size_t n, bool text);
/* *row = false at the end; the statement is reset there and on failure. */
qa_status store_next(struct store_file *f, sqlite3_stmt *st, bool *row, qa_error *err);
qa_status store_run(struct store_file *f, sqlite3_stmt *st, qa_error *err); /* no row is wanted */

/* Columns, checked: text must be TEXT in valid UTF-8 without NUL. NULL is damage unless `null_ok`. Borrowed until the next
 * step. */
qa_status store_get_text(struct store_file *f, sqlite3_stmt *st, int i, bool null_ok, const char **out, qa_error *err);
qa_status store_get_bytes(struct store_file *f, sqlite3_stmt *st, int i, const uint8_t **out, size_t *n, qa_error *err);
qa_status store_get_uint(struct store_file *f, sqlite3_stmt *st, int i, uint64_t *out, qa_error *err); /* 0 to 2^63-1 */

/* ---- Failures ---- */

qa_status store_fail(const struct store_file *f, int rc, qa_error *err);
/* QA_CORRUPT with the path before and the advice after. */
qa_status store_damaged(const struct store_file *f, qa_error *err, const char *format,
                        ...) __attribute__((format(printf, 3, 4)));

#endif
