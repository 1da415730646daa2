/* Opens one of our files, in this order: open, look, lock, look again, make or upgrade, verify. Nothing is written before the
 * header has said that the file is ours or empty, so a wrong path damages nobody's file.
 *
 * Making: SQLite creates an empty file; one transaction then makes all of version 1 and stamps application id and version. A
 * crash leaves an empty file or one without tables and ids, and the next open for writing goes on from there.
 *
 * Reading: the file is opened read-only and never checkpointed by us; SQLite still needs a -wal and -shm beside it. Where the
 * folder cannot be written and no -wal is left over, the file is declared immutable to SQLite: nobody can change it there.
 *
 * The schema must be, text for text, what this version makes: a file with a planted trigger, view or extra table is refused
 * before any statement of ours could run into it. Only the tables that FTS5 makes for itself are compared by name and kind:
 * another libsqlite3 may word them otherwise. */
#include "base/file.h"
#include "store/store_vfs.h"
#include "store/store_file.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BUSY_MS = 5000, PROGRESS_STEPS = 2000 };

bool store_is_our_application(uint32_t application) {
    return application == 0 || application == STORE_INDEX_APPLICATION || application == STORE_STATE_APPLICATION;
}

static int look_for_cancel(void *user) {
    const struct store_file *f = user;
    return !f->masked && f->cancel && atomic_load_explicit(f->cancel, memory_order_relaxed) != 0;
}

/* "file:" and the path, escaped, so that no path means anything special to SQLite (":memory:", "file:...", "?mode="). */
static char *make_uri(const char *path, const char *query) {
    static const char hex[] = "0123456789ABCDEF";
    char *uri = malloc(strlen(path) * 3 + strlen(query) + 16);
    if (!uri)
        return NULL;
    char *to = stpcpy(uri, path[0] == '/' ? "file:" : "file:./");
    while (path[0] == '/' && path[1] == '/') /* "//" would be a host */
        path++;
    for (; *path; path++) {
        unsigned char c = (unsigned char)*path;
        if (c == '%' || c == '?' || c == '#') {
            *to++ = '%', *to++ = hex[c >> 4], *to++ = hex[c & 15];
        } else {
            *to++ = (char)c;
        }
    }
    strcpy(to, query);
    return uri;
}

/* Nobody can write here and nothing waits in a -wal. */
static bool is_frozen(const char *path) {
    bool frozen = false;
    struct arena a;
    arena_init(&a, 1 << 16);
    const char *folder = file_dirname(&a, path), *wal = arena_printf(&a, "%s-wal", path);
    struct stat st;
    if (folder && wal && access(folder, W_OK) != 0)
        frozen = stat(wal, &st) != 0 ? errno == ENOENT : st.st_size == 0;
    arena_free(&a);
    return frozen;
}

/* SQLite would say why not only by half: when a file cannot be created it tries to open it for reading, and reports that it
 * is not there. */
static qa_status look_at_folder(const struct store_file *f, qa_error *err) {
    struct arena a;
    arena_init(&a, 1 << 16);
    const char *folder = file_dirname(&a, f->path);
    qa_status status = QA_OK;
    if (!folder)
        status = arena_error(&a, err, "opening a file");
    else if (access(folder, W_OK | X_OK) != 0)
        status = error_set_errno(err, errno, "the %s %s cannot be created in %s", f->kind->name, f->path, folder);
    arena_free(&a);
    return status;
}

static qa_status look_at_path(struct store_file *f, enum store_mode mode, qa_error *err) {
    struct stat st;
    if (stat(f->path, &st) == 0)
        return S_ISREG(st.st_mode) ? QA_OK
                                   : error_set(err, QA_CORRUPT, "%s is not a file, so it cannot be the %s", f->path,
                                               f->kind->name);
    if (errno != ENOENT)
        return error_set_errno(err, errno, "%s", f->path);
    if (mode == STORE_WRITE)
        return look_at_folder(f, err);
    return error_set(err, QA_NOT_FOUND, "there is no %s at %s%s", f->kind->name, f->path, f->kind->missing);
}

/* Settings of the connection; writes nothing. */
static qa_status configure(struct store_file *f, void *user, qa_error *err) {
    static const struct {
        int id, value;
    } limits[] = {
        {SQLITE_LIMIT_SQL_LENGTH, 100000},
        {SQLITE_LIMIT_COLUMN, 100},
        {SQLITE_LIMIT_EXPR_DEPTH, 50},
        {SQLITE_LIMIT_COMPOUND_SELECT, 5},
        {SQLITE_LIMIT_FUNCTION_ARG, 16},
        {SQLITE_LIMIT_ATTACHED, 0},
        {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100},
        {SQLITE_LIMIT_VARIABLE_NUMBER, 64},
        {SQLITE_LIMIT_TRIGGER_DEPTH, 1},
        {SQLITE_LIMIT_WORKER_THREADS, 0},
    };
    static const struct {
        int id, value;
    } switches[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},
        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
        {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        {SQLITE_DBCONFIG_ENABLE_FKEY, 1},
        {SQLITE_DBCONFIG_DQS_DML, 0},
        {SQLITE_DBCONFIG_DQS_DDL, 0},
        {SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0},
    };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        sqlite3_limit(f->db, limits[i].id, limits[i].value);
    int rc = sqlite3_extended_result_codes(f->db, 1);
    for (size_t i = 0; i < sizeof switches / sizeof *switches && rc == SQLITE_OK; i++)
        rc = sqlite3_db_config(f->db, switches[i].id, switches[i].value, (int *)NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_db_config(f->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !f->writable, (int *)NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(f->db, BUSY_MS);
    if (rc == SQLITE_OK && f->kind->prepare)
        rc = f->kind->prepare(f->db, user);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(f->db,
                          "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"
                          "PRAGMA cache_size = -16000; PRAGMA synchronous = FULL;",
                          NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(f->db, f->kind->private ? "PRAGMA secure_delete = ON" : "PRAGMA secure_delete = OFF", NULL, NULL, NULL);
    sqlite3_progress_handler(f->db, PROGRESS_STEPS, look_for_cancel, f);
    return rc == SQLITE_OK ? QA_OK : store_fail(f, rc, err);
}

/* One statement, so that the three come from one state of the file: between two another process may make it, and a new file of
 * ours would pass for somebody else's. (Not three inside BEGIN or SAVEPOINT: SQLite ends the transaction by itself when one of
 * them fails, so ending it would have to ask whether it is still there.) */
static qa_status read_header(struct store_file *f, int64_t *objects, int64_t *application, int64_t *version, qa_error *err) {
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(f->db,
                                "SELECT (SELECT count(*) FROM sqlite_schema), application_id, user_version "
                                "FROM pragma_application_id, pragma_user_version",
                                -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        *objects = sqlite3_column_int64(st, 0);
        *application = sqlite3_column_int64(st, 1);
        *version = sqlite3_column_int64(st, 2);
    }
    qa_status status = rc == SQLITE_ROW ? QA_OK : store_fail(f, rc == SQLITE_DONE ? SQLITE_CORRUPT : rc, err);
    sqlite3_finalize(st);
    return status;
}

/* *version: 0 for an empty file. */
static qa_status read_version(struct store_file *f, int64_t *version, qa_error *err) {
    int64_t application = 0, objects = 0;
    qa_status status = read_header(f, &objects, &application, version, err);
    if (status != QA_OK || (application == 0 && *version == 0 && objects == 0))
        return status;
    if (application != f->kind->application)
        return error_set(err, QA_CORRUPT,
                         "%s is not the %s of Quaere but another SQLite file (application id %lld, not %lld); it was left as it is",
                         f->path, f->kind->name, (long long)application, (long long)f->kind->application);
    if (*version > (int64_t)f->kind->n_steps)
        return error_set(err, QA_BAD_VERSION,
                         "%s has format %lld, and this quaere knows formats up to %zu: use the newer quaere that wrote it",
                         f->path, (long long)*version, f->kind->n_steps);
    if (*version < 1)
        return store_damaged(f, err, "its format is %lld", (long long)*version);
    return QA_OK;
}

static qa_status run_steps(struct store_file *f, size_t version, qa_error *err) {
    qa_status status = QA_OK;
    for (; version < f->kind->n_steps; version++)
        for (size_t i = 0; i < f->kind->steps[version].n; i++)
            if ((status = store_exec(f, f->kind->steps[version].sql[i], err)) != QA_OK)
                return status;
    char stamp[120];
    sqlite3_snprintf(sizeof stamp, stamp, "PRAGMA application_id = %d; PRAGMA user_version = %d;", (int)f->kind->application,
                     (int)f->kind->n_steps);
    return store_exec(f, stamp, err);
}

/* Two processes that both find a new file may both ask for WAL; SQLite's busy handler does not cover this switch. */
static qa_status switch_to_wal(struct store_file *f, qa_error *err) {
    for (int waited = 0;; waited += 10) {
        int rc = sqlite3_exec(f->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        if (rc == SQLITE_OK)
            return QA_OK;
        if ((rc & 0xFF) != SQLITE_BUSY || waited >= BUSY_MS)
            return store_fail(f, rc, err);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}

static qa_status make_or_upgrade(struct store_file *f, qa_error *err) {
    int64_t version = 0;
    qa_status status = read_version(f, &version, err);
    if (status == QA_OK && version == 0) {
        int reserved = STORE_PAGE_RESERVED;
        char pages[60];
        sqlite3_snprintf(sizeof pages, pages, "PRAGMA page_size = %d", STORE_PAGE);
        status = store_exec(f, pages, err);
        if (status == QA_OK)
            sqlite3_file_control(f->db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    }
    if (status == QA_OK)
        status = switch_to_wal(f, err);
    if (status != QA_OK || version == (int64_t)f->kind->n_steps)
        return status;
    status = store_exec(f, "BEGIN IMMEDIATE", err);
    if (status != QA_OK)
        return status;
    status = read_version(f, &version, err); /* of a state file another process may have been quicker */
    if (status == QA_OK)
        status = run_steps(f, (size_t)version, err);
    if (status == QA_OK)
        status = store_exec(f, "COMMIT", err);
    if (status != QA_OK)
        sqlite3_exec(f->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

static bool same(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

static bool same_sql(const char *found, const char *wanted) {
    bool free_wording = same(wanted, STORE_TABLE_OF_MODULE);
    return free_wording ? found && strncmp(found, wanted, strlen(wanted)) == 0 : same(found, wanted);
}

static qa_status verify_schema(struct store_file *f, qa_error *err) {
    sqlite3_stmt *st = NULL;
    size_t found = 0;
    qa_status status = QA_OK;
    int rc = sqlite3_prepare_v2(f->db, "SELECT type, name, tbl_name, sql FROM sqlite_schema", -1, &st, NULL);
    while (rc == SQLITE_OK && status == QA_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        const char *row[4];
        for (int i = 0; i < 4; i++)
            row[i] = (const char *)sqlite3_column_text(st, i);
        bool known = false;
        for (size_t i = 0; i < f->kind->n_objects && !known; i++) {
            const struct store_object *o = &f->kind->objects[i];
            known = same(row[0], o->type) && same(row[1], o->name) && same(row[2], o->table) && same_sql(row[3], o->sql);
        }
        if (!known)
            status = store_damaged(f, err, "its schema has a %.20s \"%.60s\" that Quaere did not put there",
                                   row[0] ? row[0] : "thing",
                                   row[1] ? row[1] : "");
        found++;
        rc = SQLITE_OK;
    }
    if (status == QA_OK && rc != SQLITE_OK && rc != SQLITE_DONE)
        status = store_fail(f, rc, err);
    sqlite3_finalize(st);
    if (status == QA_OK && found != f->kind->n_objects)
        status = store_damaged(f, err, "its schema has %zu objects, not %zu", found, f->kind->n_objects);
    return status;
}

static qa_status verify(struct store_file *f, qa_error *err) {
    int64_t version = 0;
    qa_status status = read_version(f, &version, err);
    if (status != QA_OK)
        return status;
    if (version == 0)
        return error_set(err, QA_NOT_FOUND, "the %s %s is empty; it was never finished%s", f->kind->name, f->path,
                         f->kind->missing);
    if (version < (int64_t)f->kind->n_steps)
        return error_set(err, QA_BAD_VERSION,
                         "%s has format %lld and this quaere reads format %zu: open it once for writing (quaere ingest) to upgrade it",
                         f->path, (long long)version, f->kind->n_steps);
    int reserved = -1;
    sqlite3_file_control(f->db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    if (reserved != STORE_PAGE_RESERVED)
        return store_damaged(f, err, "its pages have no checksums");
    return verify_schema(f, err);
}

static qa_status open_database(struct store_file *f, enum store_mode mode, qa_error *err) {
    bool frozen = mode == STORE_READ && is_frozen(f->path);
    char *uri = make_uri(f->path, frozen ? "?immutable=1" : "");
    if (!uri)
        return error_no_memory(err, "opening a file");
    int flags = mode == STORE_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    int rc = store_register_vfs();
    if (rc == SQLITE_OK)
        rc = sqlite3_open_v2(uri, &f->db, flags | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, STORE_VFS);
    free(uri);
    return rc == SQLITE_OK ? QA_OK : store_fail(f, rc, err);
}

qa_status store_open_file(struct store_file *f, const struct store_kind *kind, const char *path, enum store_mode mode,
                          const atomic_int *cancel, void *user, qa_error *err) {
    *f = (struct store_file){.kind = kind, .writable = mode == STORE_WRITE, .cancel = cancel, .lock = -1};
    f->path = strdup(path);
    if (!f->path)
        return error_no_memory(err, "opening a file");
    f->masked = true;
    qa_status status = look_at_path(f, mode, err);
    if (status == QA_OK)
        status = open_database(f, mode, err);
    if (status == QA_OK)
        status = configure(f, user, err);
    if (status == QA_OK && mode == STORE_WRITE && kind->one_writer) {
        int64_t version;
        status = read_version(f, &version, err); /* no sidecar beside somebody else's file */
        const char *full = sqlite3_db_filename(f->db, "main"); /* links resolved: one lock for one file */
        if (status == QA_OK && asprintf(&f->lock_path, "%s-lock", full ? full : path) < 0) {
            f->lock_path = NULL;
            status = error_no_memory(err, "opening a file");
        }
        if (status == QA_OK)
            status = store_lock_file(f, err);
    }
    if (status == QA_OK && mode == STORE_WRITE)
        status = make_or_upgrade(f, err);
    if (status == QA_OK)
        status = verify(f, err);
    f->masked = false;
    if (status != QA_OK)
        store_close_file(f);
    return status;
}

void store_close_file(struct store_file *f) {
    for (size_t i = 0; i < STORE_SLOTS; i++)
        sqlite3_finalize(f->slots[i]);
    f->masked = true;
    sqlite3_close_v2(f->db);
    if (f->lock_path)
        store_unlock_file(f);
    free(f->lock_path);
    free(f->path);
    *f = (struct store_file){.lock = -1};
}
