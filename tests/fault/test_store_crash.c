// Ends a child process at the Nth call of the file system, a write by half, for every N until a run gets through. Afterwards the
// file opens, is whole, and holds the old or the new state; the new one when the child had been told that its commit is done.
#include "fault/vfs_fault.h"
#include "fault/vfs_story.h"
#include <sys/wait.h>

static char *dir, path[4096], mark[4096], *first_state;
static size_t first_len;

static int set_up(void **state) {
    (void)state;
    dir = sample_folder();
    sample_path(mark, dir, "committed");
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

/* The child's life. It leaves a mark when the commit has returned. */
static void live(unsigned at, bool exists) {
    struct store_index *s = NULL;
    sweep.kind = SWEEP_SYSTEM;
    sweep.at = at;
    vfs_fault_crash = true;
    sweep_arm();
    qa_status status = store_open_index(path, STORE_WRITE, NULL, &s, NULL);
    struct index_port p = store_index_port(s);
    if (status == QA_OK)
        status = p.ops->begin(p.self, NULL);
    for (int i = 0; i < 2 && status == QA_OK; i++)
        status = sample_put(&p, exists ? &story_new[i] : &story_old[i], NULL);
    if (status == QA_OK)
        status = p.ops->commit(p.self, NULL);
    if (status == QA_OK)
        sample_spill(mark, "x", 1);
    store_close_index(s);
    _exit(status == QA_OK ? 0 : 1);
}

static unsigned crash_everywhere(bool exists) {
    unsigned at = 1;
    for (int how = -1; how != 0; at++) {
        story_restore(path, exists ? first_state : NULL, first_len);
        unlink(mark);
        pid_t child = fork();
        if (child == 0)
            live(at, exists);
        assert_int_equal(waitpid(child, &how, 0), child);
        if (how != 0 && (!WIFEXITED(how) || WEXITSTATUS(how) != VFS_FAULT_EXIT))
            fail_msg("call %u: the child ended in another way (%d)", at, how);
        bool committed = access(mark, F_OK) == 0;
        if (exists) {
            char now = story_state(path, STORE_READ);
            if (committed && now != 'n')
                fail_msg("call %u: the commit was reported and is lost", at);
            assert_int_equal(story_state(path, STORE_WRITE), now);
        } else if (committed) {
            assert_int_equal(story_state(path, STORE_READ), 'o');
        } else { /* nothing, or something that the next run completes */
            struct store_index *s = NULL;
            assert_ok(store_open_index(path, STORE_WRITE, NULL, &s, err));
            assert_ok(store_check_index(s, err));
            store_close_index(s);
        }
    }
    return at;
}

static void while_replacing(void **state) {
    (void)state;
    assert_true(crash_everywhere(true) > 40);
}
static void while_creating(void **state) {
    (void)state;
    assert_true(crash_everywhere(false) > 40);
}

int main(void) {
    vfs_fault_install();
    const struct CMUnitTest tests[] = {cmocka_unit_test(while_replacing), cmocka_unit_test(while_creating)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
