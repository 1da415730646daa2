// wrap: malloc,calloc,realloc
// Fails the Nth call of the file system, and the Nth allocation of SQLite's or ours, for every N until a run meets no fault: once,
// and from there on. The failure is reported with one of the accepted codes, nothing leaks (ASan), and afterwards the file holds
// the old or the new state whole: the new one when the commit had said so.
#define SWEEP_ALLOCATING
#include "fault/vfs_fault.h"
#include "fault/vfs_story.h"

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

struct runs {
    bool exists; /* the file, in its first state, when a run begins */
    const qa_status *accepted;
    size_t n_accepted;
    bool fresh;  /* it is in that state still */
};

/* True when the file is in its first state, so that the next run may begin from it. */
static bool look_afterwards(bool committed, bool existed) {
    struct store_index *s = NULL;
    if (!existed) { /* creation: nothing, or something that the next run completes */
        assert_ok(store_open_index(path, STORE_WRITE, NULL, &s, err));
        assert_ok(store_check_index(s, err));
        store_close_index(s);
        return false;
    }
    char now = story_state(path, STORE_READ);
    if (committed && now != 'n')
        fail_msg("%s %u: the commit was reported and is lost", sweep_name(), sweep.at);
    if (sweep.at % 8 == 0)
        assert_int_equal(story_state(path, STORE_WRITE), now);
    return now == 'o';
}

static void run(void *user) {
    struct runs *r = user;
    bool committed;
    qa_error err = {0};
    if (!r->fresh)
        story_restore(path, r->exists ? first_state : NULL, first_len);
    sweep_arm();
    qa_status status = story_run(path, &committed, &err);
    bool met = sweep_disarm();
    if (status != QA_OK && (!is_among(status, r->accepted, r->n_accepted) || err.status != status || !err.message[0]))
        fail_msg("%s %u: %s: %s", sweep_name(), sweep.at, qa_status_name(status), err.message);
    if (met)
        r->fresh = look_afterwards(committed, r->exists);
    else
        assert_int_equal(status, QA_OK);
}

static const qa_status file_faults[] = {QA_IO, QA_NOT_FOUND}; /* the latter: a -wal that cannot be opened, as the system says it */
static const qa_status memory_faults[] = {QA_NO_MEMORY};

/* Failures from there on are tried at every third place: before the first of them all goes as in the sweep of single ones. */
static unsigned runs(enum sweep_kind kind, bool on, bool exists) {
    bool memory = kind == SWEEP_MEMORY;
    struct runs r = {exists, memory ? memory_faults : file_faults, memory ? 1 : 2, false};
    return sweep_all(kind, on, on ? 3 : 1, run, &r);
}

static void file_system_once(void **state) {
    (void)state;
    assert_true(runs(SWEEP_SYSTEM, false, true) > 40);
}
static void file_system_from_there_on(void **state) {
    (void)state;
    assert_true(runs(SWEEP_SYSTEM, true, true) > 40);
}
static void file_system_while_creating(void **state) {
    (void)state;
    assert_true(runs(SWEEP_SYSTEM, false, false) > 40);
}
static void memory_once(void **state) {
    (void)state;
    assert_true(runs(SWEEP_MEMORY, false, true) > 200);
}
static void memory_from_there_on(void **state) {
    (void)state;
    assert_true(runs(SWEEP_MEMORY, true, true) > 200);
}

/* A check that lacks memory says so, and never that a sound index is damaged. */
static void check(void *user) {
    (void)user;
    struct store_index *s = NULL;
    qa_error err = {0};
    if (store_open_index(path, STORE_READ, NULL, &s, &err) != QA_OK)
        fail_msg("%s", err.message);
    sweep_arm();
    qa_status status = store_check_index(s, &err);
    bool met = sweep_disarm();
    store_close_index(s);
    if (status != QA_OK && (status != QA_NO_MEMORY || !met))
        fail_msg("allocation %u: %s: %s", sweep.at, qa_status_name(status), err.message);
}
static void memory_while_checking(void **state) {
    (void)state;
    story_restore(path, first_state, first_len);
    assert_true(sweep_all(SWEEP_MEMORY, false, 1, check, NULL) > 100);
}

int main(void) {
    if (!vfs_fault_install_memory())
        return 1;
    vfs_fault_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_system_once), cmocka_unit_test(file_system_from_there_on),
            cmocka_unit_test(file_system_while_creating),
        cmocka_unit_test(memory_once),      cmocka_unit_test(memory_from_there_on), cmocka_unit_test(memory_while_checking),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
