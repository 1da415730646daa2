/* SQLite's result codes as ours. The message has the path, what SQLite says, and what to do. */
#include "store/store_file.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

qa_status store_damaged(const struct store_file *f, qa_error *err, const char *format, ...) {
    char what[240];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return error_set(err, QA_CORRUPT, "%s is damaged: %s. %s", f->path, what, f->kind->advice);
}

static qa_status io_failed(const struct store_file *f, qa_status status, const char *what, qa_error *err) {
    int number = f->db ? sqlite3_system_errno(f->db) : 0;
    return error_set(err, status, "%s: %s%s%s", f->path, what, number ? ": " : "", number ? strerror(number) : "");
}

qa_status store_fail(const struct store_file *f, int rc, qa_error *err) {
    const char *said = f->db ? sqlite3_errmsg(f->db) : sqlite3_errstr(rc);
    switch (rc) { /* extended codes that do not go with their family */
    case SQLITE_IOERR_NOMEM:
        return error_set(err, QA_NO_MEMORY, "out of memory while using %s", f->path);
    case SQLITE_IOERR_DATA:
        return store_damaged(f, err, "a page does not have the checksum it was written with");
    case SQLITE_IOERR_CORRUPTFS:
    case SQLITE_IOERR_SHORT_READ:
        return store_damaged(f, err, "it is shorter than it says");
    default:
        break;
    }
    switch (rc & 0xFF) {
    case SQLITE_NOMEM:
        return error_set(err, QA_NO_MEMORY, "out of memory while using %s", f->path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return error_set(err, QA_BUSY,
                         "%s is being written by another process and stayed locked; try again when it has finished", f->path);
    case SQLITE_INTERRUPT:
        return error_set(err, QA_CANCELLED, "stopped while reading %s", f->path);
    case SQLITE_NOTADB:
        return error_set(err, QA_CORRUPT, "%s is not %s %s of Quaere: its header is not that of an SQLite file. %s", f->path,
                         f->kind->name[0] == 'i' ? "an" : "a", f->kind->name, f->kind->advice);
    case SQLITE_ERROR: /* our SQL is known to be right, so it is the file: "unsupported file format", an FTS5 version that is none */
    case SQLITE_CORRUPT:
    case SQLITE_FORMAT:
    case SQLITE_SCHEMA:
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT:
    case SQLITE_RANGE:
        return store_damaged(f, err, "%s", said);
    case SQLITE_FULL:
        return error_set(err, QA_IO,
                         "%s: the disk is full. Nothing that was stored before is lost; make room and run it again", f->path);
    case SQLITE_IOERR:
        return io_failed(f, QA_IO, "reading or writing failed", err);
    case SQLITE_CANTOPEN:
        return io_failed(f, f->db && sqlite3_system_errno(f->db) == ENOENT ? QA_NOT_FOUND : QA_IO,
                         "it or a file beside it (-wal, -shm) cannot be opened", err);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return error_set(err, QA_IO, "%s cannot be written: %s", f->path, said);
    case SQLITE_TOOBIG:
        return error_set(err, QA_TOO_LARGE, "%s: a value is larger than the file format holds", f->path);
    case SQLITE_NOLFS:
        return error_set(err, QA_IO, "%s: the file system does not hold files this large", f->path);
    default:
        return error_set(err, QA_INTERNAL, "%s: SQLite says: %s (%d)", f->path, said, rc);
    }
}
