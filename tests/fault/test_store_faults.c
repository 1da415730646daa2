// wrap: malloc,calloc,realloc
// Fails the Nth call of the file system, and the Nth allocation of SQLite's or ours, for every N until a run meets no fault: once,
// and from there on. The failure is reported with one of the accepted codes, nothing leaks (ASan), and afterwards the file holds
// the old or the new state whole: the new one when the commit had said so.
#include "fault/vfs_fault.h"
#include "fault/vfs_story.h"

static struct {
    unsigned at, calls, hits;
    bool on, armed;
} memory;

static bool memory_fails(void) {
    if (!memory.armed)
        return false;
    memory.calls++;
    if (memory.calls < memory.at || (!memory.on && memory.calls > memory.at))
        return false;
    memory.hits++;
    return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n) { return memory_fails() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return memory_fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t n) { return memory_fails() ? NULL : __real_realloc(p, n); }

static sqlite3_mem_methods real_methods;
static void *sqlite_malloc(int n) { return memory_fails() ? NULL : real_methods.xMalloc(n); }
static void *sqlite_realloc(void *p, int n) { return memory_fails() ? NULL : real_methods.xRealloc(p, n); }

static char *dir, path[4096], *first_state;
static size_t first_len;

static int set_up(void **state) {
    (void)state;
    dir = sample_folder();
    story_make(sample_path(path, dir, "index.db"));
    first_state = sample_slurp(path, &first_len);
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    free(first_state);
    sample_remove(dir);
    return 0;
}

static bool is_among(qa_status status, const qa_status *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (list[i] == status)
            return true;
    return false;
}

/* True when the file is in its first state, so that the next run may begin from it. */
static bool look_afterwards(const char *what, unsigned at, bool committed, bool existed) {
    struct store_index *s = NULL;
    if (!existed) { /* creation: nothing, or something that the next run completes */
        assert_ok(store_open_index(path, STORE_WRITE, NULL, &s, err));
        assert_ok(store_check_index(s, err));
        store_close_index(s);
        return false;
    }
    char now = story_state(path, STORE_READ);
    if (committed && now != 'n')
        fail_msg("%s %u: the commit was reported and is lost", what, at);
    if (at % 8 == 0)
        assert_int_equal(story_state(path, STORE_WRITE), now);
    return now == 'o';
}

/* One sweep; returns how many faults there were to meet. Persistent failures are tried at every third place: before the first of
 * them all goes as in the sweep of single ones. */
static unsigned sweep(const char *what, bool in_memory, bool on, bool exists, const qa_status *accepted, size_t n_accepted) {
    bool fresh = false;
    for (unsigned at = 1;; at += on ? 3 : 1) {
        bool committed;
        qa_error err = {0};
        if (!fresh)
            story_restore(path, exists ? first_state : NULL, first_len);
        vfs_fault = (struct vfs_fault){.at = in_memory ? 0 : at, .on = on};
        memory.at = at, memory.calls = memory.hits = 0, memory.on = on, memory.armed = in_memory;
        qa_status status = story_run(path, &committed, &err);
        unsigned hits = in_memory ? memory.hits : vfs_fault.hits;
        memory.armed = false;
        vfs_fault.at = 0;
        if (status != QA_OK && (!is_among(status, accepted, n_accepted) || err.status != status || !err.message[0]))
            fail_msg("%s %u: %s: %s", what, at, qa_status_name(status), err.message);
        if (!hits) {
            assert_int_equal(status, QA_OK);
            return at - 1;
        }
        fresh = look_afterwards(what, at, committed, exists);
    }
}

static const qa_status file_faults[] = {QA_IO, QA_NOT_FOUND}; /* the latter: a -wal that cannot be opened, as the system says it */
static const qa_status memory_faults[] = {QA_NO_MEMORY};

static void file_system_once(void **state) {
    (void)state;
    assert_true(sweep("file call", false, false, true, file_faults, 2) > 40);
}
static void file_system_from_there_on(void **state) {
    (void)state;
    assert_true(sweep("file calls from", false, true, true, file_faults, 2) > 40);
}
static void file_system_while_creating(void **state) {
    (void)state;
    assert_true(sweep("file call of creation", false, false, false, file_faults, 2) > 40);
}
static void memory_once(void **state) {
    (void)state;
    assert_true(sweep("allocation", true, false, true, memory_faults, 1) > 200);
}
static void memory_from_there_on(void **state) {
    (void)state;
    assert_true(sweep("allocations from", true, true, true, memory_faults, 1) > 200);
}

/* A check that lacks memory says so, and never that a sound index is damaged. */
static void memory_while_checking(void **state) {
    (void)state;
    story_restore(path, first_state, first_len);
    for (unsigned at = 1, hits = 1; hits; at++) {
        struct store_index *s = NULL;
        qa_error err = {0};
        if (store_open_index(path, STORE_READ, NULL, &s, &err) != QA_OK)
            fail_msg("%s", err.message);
        memory.at = at, memory.calls = memory.hits = 0, memory.on = false, memory.armed = true;
        qa_status status = store_check_index(s, &err);
        memory.armed = false;
        hits = memory.hits;
        store_close_index(s);
        if (status != QA_OK && (status != QA_NO_MEMORY || !hits))
            fail_msg("allocation %u: %s: %s", at, qa_status_name(status), err.message);
        assert_true(hits || at > 100);
    }
}

int main(void) {
    sqlite3_mem_methods methods;
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_methods) != SQLITE_OK)
        return 1;
    methods = real_methods;
    methods.xMalloc = sqlite_malloc;
    methods.xRealloc = sqlite_realloc;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK)
        return 1;
    vfs_fault_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_system_once), cmocka_unit_test(file_system_from_there_on),
            cmocka_unit_test(file_system_while_creating),
        cmocka_unit_test(memory_once),      cmocka_unit_test(memory_from_there_on), cmocka_unit_test(memory_while_checking),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
