// Opening: versions, upgrades, files that are not ours, half-made files, planted schema objects. What is refused is not changed.
#include "test_store_sample.h"
#include "store/store_file.h"
#include "store/store_schema.h"
#include "store/store_vfs.h"
#include <sys/wait.h>

static char *dir, path[4096];

static int set_up(void **state) {
    (void)state;
    dir = sample_folder();
    sample_path(path, dir, "index.db");
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    sample_remove(dir);
    return 0;
}

/* ---- A format with a history: version 1 has a table, version 2 another column of it and a second table ---- */

#define PETS_1 "CREATE TABLE pets(name TEXT)"
#define PETS_2 "CREATE TABLE pets(name TEXT, legs INTEGER NOT NULL DEFAULT 4)"
#define FOOD "CREATE TABLE food(pet TEXT)"
static const char *const one[] = {PETS_1, "INSERT INTO pets VALUES('rex')"};
static const char *const from_one[] = {"ALTER TABLE pets ADD COLUMN legs INTEGER NOT NULL DEFAULT 4", FOOD,
                                       "INSERT INTO food SELECT name FROM pets"};
static const char *const broken[] = {FOOD, "INSERT INTO nowhere VALUES(1)"};
static const struct store_step steps[] = {{one, 2}, {from_one, 3}}, bad_steps[] = {{one, 2}, {broken, 2}};
static const struct store_object objects_1[] = {{"table", "pets", "pets", PETS_1}};
static const struct store_object objects_2[] = {{"table", "pets", "pets", PETS_2}, {"table", "food", "food", FOOD}};
static const struct store_kind
    version_1 = {.name = "index", .missing = "", .advice = "", .application = STORE_INDEX_APPLICATION, .steps = steps, .n_steps = 1,
                 .objects = objects_1, .n_objects = 1},
    version_2 = {.name = "index", .missing = "", .advice = "", .application = STORE_INDEX_APPLICATION, .steps = steps, .n_steps = 2,
                 .objects = objects_2, .n_objects = 2},
    broken_2 = {.name = "index", .missing = "", .advice = "", .application = STORE_INDEX_APPLICATION, .steps = bad_steps,
                .n_steps = 2,
                .objects = objects_2, .n_objects = 2};

static qa_status open_kind(const struct store_kind *kind, enum store_mode mode, qa_error *err) {
    struct store_file f;
    qa_status status = store_open_file(&f, kind, path, mode, NULL, NULL, err);
    if (status == QA_OK)
        store_close_file(&f);
    return status;
}

static void upgrades_one_step_after_the_other(void **state) {
    (void)state;
    struct store_file f;
    assert_ok(open_kind(&version_1, STORE_WRITE, err));
    assert_fails(open_kind(&version_2, STORE_READ, err), QA_BAD_VERSION, "format 1 and this quaere reads format 2");
    assert_ok(open_kind(&version_1, STORE_READ, err)); /* which changed nothing */
    assert_ok(store_open_file(&f, &version_2, path, STORE_WRITE, NULL, NULL, err));
    sqlite3_stmt *st;
    bool row;
    assert_ok(store_sql(&f, 0, "SELECT food.pet, legs FROM food JOIN pets ON pet = name", &st, err));
    assert_ok(store_next(&f, st, &row, err));
    assert_true(row);
    assert_string_equal((const char *)sqlite3_column_text(st, 0), "rex");
    assert_int_equal(sqlite3_column_int(st, 1), 4);
    store_close_file(&f);
    assert_ok(open_kind(&version_2, STORE_READ, err));
    assert_fails(open_kind(&version_1, STORE_READ, err), QA_BAD_VERSION, "newer quaere");
    assert_fails(open_kind(&version_1, STORE_WRITE, err), QA_BAD_VERSION, "newer quaere");
}

static void a_new_file_gets_all_steps(void **state) {
    (void)state;
    assert_ok(open_kind(&version_2, STORE_WRITE, err));
    assert_ok(open_kind(&version_2, STORE_READ, err));
}

static void a_failed_upgrade_leaves_the_old_version(void **state) {
    (void)state;
    assert_ok(open_kind(&version_1, STORE_WRITE, err));
    assert_int_not_equal(open_kind(&broken_2, STORE_WRITE, NULL), QA_OK);
    assert_ok(open_kind(&version_1, STORE_READ, err));
    assert_ok(open_kind(&version_2, STORE_WRITE, err));
}

static void the_real_formats_have_the_schema_they_say(void **state) {
    (void)state;
    /* opening for reading verifies what the steps have made */
    struct store_index *index = NULL;
    struct store_state *memory = NULL;
    char other[4096];
    sample_path(other, dir, "state.db");
    assert_ok(store_open_index(path, STORE_WRITE, NULL, &index, err));
    store_close_index(index);
    assert_ok(store_open_index(path, STORE_READ, NULL, &index, err));
    store_close_index(index);
    assert_ok(store_open_state(other, STORE_WRITE, &memory, err));
    store_close_state(memory);
    assert_ok(store_open_state(other, STORE_READ, &memory, err));
    store_close_state(memory);
}

/* ---- Files that are something else ---- */

static void run_sql(const char *file, const char *vfs, const char *sql) {
    sqlite3 *db = NULL;
    char *said = NULL;
    assert_int_equal(sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs), SQLITE_OK);
    int reserved = STORE_PAGE_RESERVED;
    if (vfs)
        sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    if (sqlite3_exec(db, sql, NULL, NULL, &said) != SQLITE_OK)
        fail_msg("%s: %s", sql, said);
    sqlite3_close(db);
}

static void make_index(void) {
    static const struct sample x = {.source = "s", .path = "a.md", .text = "Some text about herons."};
    struct store_index *s = NULL;
    assert_ok(store_open_index(path, STORE_WRITE, NULL, &s, err));
    struct index_port p = store_index_port(s);
    assert_ok(p.ops->begin(p.self, err));
    assert_ok(sample_put(&p, &x, err));
    assert_ok(p.ops->commit(p.self, err));
    store_close_index(s);
}

/* Both modes refuse it in this way, and the file keeps its bytes. */
static void assert_refused(const char *what, qa_status want, const char *text) {
    static const enum store_mode modes[] = {STORE_READ, STORE_WRITE};
    size_t n, n2;
    char *before = sample_slurp(path, &n);
    for (size_t i = 0; i < 2; i++) {
        struct store_index *s = NULL;
        qa_error err = {0};
        qa_status status = store_open_index(path, modes[i], NULL, &s, &err);
        if (status != want || !strstr(err.message, text) || !strstr(err.message, path))
            fail_msg("%s, mode %d: %s: %s", what, (int)modes[i], qa_status_name(status), err.message);
        char *after = sample_slurp(path, &n2);
        if (n != n2 || memcmp(before, after, n) != 0)
            fail_msg("%s, mode %d: the file was changed", what, (int)modes[i]);
        free(after);
    }
    free(before);
}

static void other_files_are_refused(void **state) {
    (void)state;
    char big[5000];
    memset(big, 'x', sizeof big);
    sample_spill(path, "Dear diary, today I became an index.\n", 37);
    assert_refused("a short text", QA_CORRUPT, "not that of an SQLite file");
    sample_spill(path, big, sizeof big);
    assert_refused("a long text", QA_CORRUPT, "not that of an SQLite file");
    unlink(path);
    run_sql(path, NULL, "CREATE TABLE notes(x); INSERT INTO notes VALUES(1)");
    assert_refused("somebody's database", QA_CORRUPT, "another SQLite file");
    unlink(path);
    run_sql(path, NULL, "CREATE TABLE notes(x); PRAGMA application_id = 77; PRAGMA user_version = 1");
    assert_refused("a database with an application id", QA_CORRUPT, "application id 77");
    unlink(path);
    run_sql(path, NULL, "PRAGMA user_version = 3");
    assert_refused("a version and nothing else", QA_CORRUPT, "another SQLite file");
    assert_int_not_equal(access(strcat(strcpy(big, path), "-lock"), F_OK), 0); /* no sidecar beside it either */
}

static void planted_things_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *sql, *text;
    } cases[] = {
        {"CREATE TRIGGER t AFTER INSERT ON documents BEGIN DELETE FROM contents; END", "trigger \"t\""},
        {"CREATE VIEW v AS SELECT * FROM contents", "view \"v\""},
        {"CREATE TABLE extra(x)", "table \"extra\""},
        {"CREATE INDEX i ON chunks(ordinal)", "index \"i\""},
        {"ALTER TABLE sources ADD COLUMN x GENERATED ALWAYS AS (root)", "table \"sources\""},
        {"DROP INDEX documents_ruled", "16 objects, not 17"},
        {"PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 0, "
         "sql = 'CREATE VIRTUAL TABLE postings_idx USING fts5(x)' WHERE name = 'postings_idx'", "table \"postings_idx\""},
        {"DROP TABLE contents; CREATE VIEW contents AS SELECT id AS document, title AS bytes FROM documents", "view \"contents\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        make_index();
        run_sql(path, STORE_VFS, cases[i].sql);
        run_sql(path, STORE_VFS, "PRAGMA wal_checkpoint(TRUNCATE)");
        assert_refused(cases[i].sql, QA_CORRUPT, cases[i].text);
        unlink(path);
    }
}

/* What FTS5 keeps its postings in is worded by the libsqlite3 that made the file, which need not be the one that reads it. */
static void tables_of_fts5_may_be_worded_otherwise(void **state) {
    (void)state;
    struct store_index *s = NULL;
    make_index();
    run_sql(path, STORE_VFS, "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE \"postings_data\" "
                             "(id INTEGER PRIMARY KEY, block BLOB)' WHERE name = 'postings_data'");
    assert_ok(store_open_index(path, STORE_READ, NULL, &s, err));
    assert_ok(store_check_index(s, err));
    store_close_index(s);
}

/* Version 1 did not note which sources have rules: those of which every document is for some only, it is taken, and no empty one. */
static void an_index_of_version_1_is_brought_up_to_date(void **state) {
    (void)state;
    static const struct {
        const char *source;
        int documents, restricted;
        bool ruled;
    } rows[] = {{"all", 2, 2, true}, {"empty", 0, 0, false}, {"none", 2, 0, false}, {"some", 2, 1, false}};
    struct store_index *s = NULL;
    struct index_source *sources;
    struct arena a;
    size_t n;
    arena_init(&a, 1 << 20);
    assert_ok(store_open_index(path, STORE_WRITE, NULL, &s, err));
    struct index_port p = store_index_port(s);
    assert_ok(p.ops->begin(p.self, err));
    for (size_t i = 0; i < 4; i++) {
        assert_ok(p.ops->put_source(p.self, &(struct index_source){.source = rows[i].source, .root = "/docs"}, err));
        for (int k = 0; k < rows[i].documents; k++) {
            struct sample x = {.source = rows[i].source, .path = k ? "b.md" : "a.md", .text = "Herons.", .restricted = k < rows[i].restricted};
            assert_ok(sample_put(&p, &x, err));
        }
    }
    assert_ok(p.ops->commit(p.self, err));
    store_close_index(s);
    run_sql(path, STORE_VFS, "ALTER TABLE sources DROP COLUMN ruled; DROP TABLE vectors; DROP TABLE vector_blocks; "
                             "DELETE FROM meta WHERE key IN ('chunks', 'vectors'); PRAGMA user_version = 1"); /* as version 1 made it */
    assert_fails(store_open_index(path, STORE_READ, NULL, &s, err), QA_BAD_VERSION, "format 1 and this quaere reads format 3");
    assert_ok(store_open_index(path, STORE_WRITE, NULL, &s, err));
    p = store_index_port(s);
    assert_ok(p.ops->list_sources(p.self, &a, &sources, &n, err));
    assert_int_equal(n, 4);
    for (size_t i = 0; i < 4; i++)
        if (strcmp(sources[i].source, rows[i].source) != 0 || strcmp(sources[i].root, "/docs") != 0 || sources[i].ruled != rows[i].ruled)
            fail_msg("%s", rows[i].source);
    assert_ok(store_check_index(s, err));
    store_close_index(s);
    assert_ok(store_open_index(path, STORE_READ, NULL, &s, err));
    store_close_index(s);
    arena_free(&a);
}

static void versions_outside_are_refused(void **state) {
    (void)state;
    make_index();
    run_sql(path, STORE_VFS, "PRAGMA user_version = 99");
    assert_refused("a newer version", QA_BAD_VERSION, "format 99");
    run_sql(path, STORE_VFS, "PRAGMA user_version = -1");
    assert_refused("a negative version", QA_CORRUPT, "format is -1");
    run_sql(path, STORE_VFS, "PRAGMA user_version = 0");
    assert_refused("version 0 with tables", QA_CORRUPT, "format is 0");
}

static void changed_by_another_program(void **state) {
    (void)state;
    make_index();
    run_sql(path, NULL, "UPDATE documents SET title = 'x'; PRAGMA wal_checkpoint(TRUNCATE)"); /* writes no checksums */
    struct store_index *s = NULL;
    qa_error err = {0};
    qa_status status = store_open_index(path, STORE_READ, NULL, &s, &err);
    if (status == QA_OK)
        status = store_check_index(s, &err);
    store_close_index(s);
    if (status != QA_CORRUPT || !strstr(err.message, "checksum"))
        fail_msg("%s", err.message);
}

static void a_folder_that_is_not_there(void **state) {
    (void)state;
    struct store_index *s = NULL;
    char inside[4096];
    assert_fails(store_open_index(sample_path(inside, dir, "nowhere/new.db"), STORE_WRITE, NULL, &s, err), QA_NOT_FOUND,
                 "nowhere: No such file");
    make_index(); /* a file where a folder should be */
    assert_fails(store_open_index(sample_path(inside, dir, "index.db/new.db"), STORE_WRITE, NULL, &s, err), QA_IO,
                 "Not a directory");
}

static void half_made_files_are_finished(void **state) {
    (void)state;
    struct store_index *s = NULL;
    sample_spill(path, "", 0); /* a crash right after the file was created */
    assert_fails(store_open_index(path, STORE_READ, NULL, &s, err), QA_NOT_FOUND, "never finished");
    make_index();
    unlink(path);
    run_sql(path, STORE_VFS, "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL"); /* a crash before the tables */
    assert_fails(store_open_index(path, STORE_READ, NULL, &s, err), QA_NOT_FOUND, "never finished");
    make_index();
    assert_ok(store_open_index(path, STORE_READ, NULL, &s, err));
    store_close_index(s);
}

/* Root may write everywhere, so a child gives that up first. */
static void a_folder_that_cannot_be_written(void **state) {
    (void)state;
    char beside[4110];
    make_index();
    assert_int_equal(chmod(path, 0444), 0);
    assert_int_equal(chmod(dir, 0555), 0);
    pid_t child = fork();
    if (child == 0) {
        struct store_index *s = NULL;
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(2);
        if (store_open_index(path, STORE_READ, NULL, &s, NULL) != QA_OK || store_check_index(s, NULL) != QA_OK)
            _exit(3);
        store_close_index(s);
        if (store_open_index(path, STORE_WRITE, NULL, &s, NULL) != QA_IO)
            _exit(4);
        qa_error err = {0};
        char fresh[4096];
        if (store_open_index(sample_path(fresh, dir, "new.db"), STORE_WRITE, NULL, &s, &err) != QA_IO)
            _exit(5);
        _exit(strstr(err.message, "cannot be created in") && strstr(err.message, "Permission denied") ? 0 : 6);
    }
    int how = -1;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(chmod(dir, 0755), 0);
    if (how != 0)
        fail_msg("the child ended with %d", WEXITSTATUS(how));
    assert_int_not_equal(access(strcat(strcpy(beside, path), "-shm"), F_OK), 0);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(upgrades_one_step_after_the_other), CASE(a_new_file_gets_all_steps), CASE(a_failed_upgrade_leaves_the_old_version),
        CASE(the_real_formats_have_the_schema_they_say), CASE(other_files_are_refused), CASE(planted_things_are_refused),
        CASE(an_index_of_version_1_is_brought_up_to_date),
        CASE(versions_outside_are_refused), CASE(changed_by_another_program), CASE(half_made_files_are_finished),
        CASE(a_folder_that_cannot_be_written), CASE(a_folder_that_is_not_there), CASE(tables_of_fts5_may_be_worded_otherwise),
    };
    if (store_register_vfs() != SQLITE_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
