// A new state file that several processes find at once. What another process does between two looks of this one at the file is tried for each
// place where it can: it makes the file, keeps a turn, and closes it again or stays. Then 16 processes do it all at once.
#include "fault/vfs_fault.h"
#include "unit/test_store_sample.h"
#include <sys/wait.h>

enum { CROWD = 16, ROUNDS = 20 };

static char *dir, path[4096];

static int set_up(void **state) {
    (void)state;
    dir = sample_folder();
    sample_path(path, dir, "state.db");
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    sample_remove(dir);
    return 0;
}

static void start_anew(void) {
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    char file[4110];
    for (size_t i = 0; i < 4; i++) {
        snprintf(file, sizeof file, "%s%s", path, endings[i]);
        unlink(file);
    }
}

static qa_status open_and_keep(const char *id, struct store_state **s, qa_error *err) {
    struct memory_turn turn = {.id = id, .question = "who was first?", .answer = "Both.", .record = "{}", .created_ms = 1};
    qa_status status = store_open_state(path, STORE_WRITE, s, err);
    if (status != QA_OK)
        return status;
    struct memory_port p = store_memory_port(*s);
    return p.ops->append_turn(p.self, "v_1", &turn, err);
}

static size_t kept_turns(void) {
    struct store_state *s = NULL;
    struct memory_turn *turns;
    struct arena a;
    size_t n;
    arena_init(&a, 1 << 20);
    assert_ok(store_open_state(path, STORE_READ, &s, err)); /* the checksums of its pages are right, or this fails */
    struct memory_port p = store_memory_port(s);
    assert_ok(p.ops->load_turns(p.self, "v_1", 0, &a, &turns, &n, err));
    store_close_state(s);
    arena_free(&a);
    return n;
}

/* ---- One other, at each place ---- */

static int ask[2], answer[2]; /* pipes to the other process and back */
static unsigned at, places;

static void live_as_other(bool stays) {
    struct store_state *s = NULL;
    char c = 0;
    close(ask[1]);
    if (read(ask[0], &c, 1) != 1) /* no such place */
        _exit(0);
    qa_status status = open_and_keep("t_other", &s, NULL);
    if (!stays)
        store_close_state(s);
    c = status == QA_OK ? 'y' : 'n';
    bool told = write(answer[1], &c, 1) == 1;
    if (stays && read(ask[0], &c, 1) == 0)
        store_close_state(s);
    _exit(told && status == QA_OK ? 0 : 1);
}

static void let_the_other_go(void) {
    char c = 0;
    if (++places != at)
        return;
    assert_int_equal(write(ask[1], "", 1), 1);
    assert_int_equal(read(answer[0], &c, 1), 1);
    assert_int_equal(c, 'y');
}

static void made_by_another_in_between(bool stays) {
    bool met = true;
    for (at = 1; met; at++) {
        struct store_state *s = NULL;
        qa_error err = {0};
        int how = -1;
        start_anew();
        assert_int_equal(pipe(ask), 0);
        assert_int_equal(pipe(answer), 0);
        pid_t other = fork();
        if (other == 0)
            live_as_other(stays);
        close(ask[0]);
        places = 0;
        vfs_fault_unlocked = let_the_other_go;
        qa_status status = open_and_keep("t_this", &s, &err);
        vfs_fault_unlocked = NULL;
        store_close_state(s);
        close(ask[1]);
        assert_int_equal(waitpid(other, &how, 0), other);
        close(answer[0]);
        close(answer[1]);
        if (status != QA_OK || how != 0)
            fail_msg("place %u of %u: %s", at, places, err.message);
        met = places >= at;
        assert_int_equal(kept_turns(), met ? 2 : 1);
    }
    assert_true(at > 4); /* there were places */
}

static void another_comes_and_goes(void **state) {
    (void)state;
    made_by_another_in_between(false);
}
static void another_comes_and_stays(void **state) {
    (void)state;
    made_by_another_in_between(true);
}

/* ---- A crowd ---- */

static void a_crowd_at_once(void **state) {
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        int gate[2];
        start_anew();
        assert_int_equal(pipe(gate), 0);
        for (int i = 0; i < CROWD; i++)
            if (fork() == 0) {
                struct store_state *s = NULL;
                char c, id[20];
                qa_error err = {0};
                snprintf(id, sizeof id, "t_%d", i);
                close(gate[1]);
                bool open = read(gate[0], &c, 1) == 0;
                qa_status status = open_and_keep(id, &s, &err);
                store_close_state(s);
                if (status != QA_OK)
                    fprintf(stderr, "round %d: %s\n", round, err.message);
                _exit(open && status == QA_OK ? 0 : 1);
            }
        close(gate[0]);
        close(gate[1]);
        int failed = 0;
        for (int i = 0; i < CROWD; i++) {
            int how = -1;
            assert_true(wait(&how) > 0);
            failed += how != 0;
        }
        assert_int_equal(failed, 0);
        assert_int_equal(kept_turns(), CROWD);
    }
}

int main(void) {
    vfs_fault_install();
    const struct CMUnitTest tests[] = {cmocka_unit_test(another_comes_and_goes), cmocka_unit_test(another_comes_and_stays),
                                       cmocka_unit_test(a_crowd_at_once)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
