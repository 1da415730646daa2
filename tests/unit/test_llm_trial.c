/* What happens in the child process stays there. */
#include "fake/fake_tree.h"
#include "llm/llm_trial.h"
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int touched; /* by an attempt: the parent must not see it */

static qa_status fine(const struct llm_options *o, const void *user, qa_error *err) {
    (void)o, (void)user, (void)err;
    touched = 1;
    printf("a stray print");
    fflush(stdout);
    fprintf(stderr, "another");
    return QA_OK;
}
static qa_status refuses(const struct llm_options *o, const void *user, qa_error *err) {
    return error_set(err, QA_BAD_CONFIG, "%s is the wrong %s", o->path, (const char *)user);
}
static qa_status refuses_namelessly(const struct llm_options *o, const void *user, qa_error *err) {
    (void)o, (void)user;
    return error_set(err, QA_NO_MEMORY, "no memory");
}
static qa_status crashes(const struct llm_options *o, const void *user, qa_error *err) {
    (void)o, (void)user, (void)err;
    raise(SIGSEGV);
    return QA_OK;
}
static qa_status aborts(const struct llm_options *o, const void *user, qa_error *err) {
    (void)o, (void)user, (void)err;
    abort();
}
static qa_status ends(const struct llm_options *o, const void *user, qa_error *err) {
    (void)o, (void)user, (void)err;
    _exit(0);
}
static qa_status lies(const struct llm_options *o, const void *user, qa_error *err) {
    (void)o, (void)user, (void)err;
    return (qa_status)4711;
}
static qa_status hangs(const struct llm_options *o, const void *user, qa_error *err) {
    (void)o, (void)user, (void)err;
    for (;;)
        pause();
    return QA_OK;
}
#ifndef __SANITIZE_ADDRESS__ /* whose malloc ends the process instead of failing */
/* More than three files and four gigabytes. */
static qa_status eats(const struct llm_options *o, const void *user, qa_error *err) {
    (void)o, (void)user;
    for (size_t mb = 0; mb < 6000; mb += 100) {
        void *volatile kept = malloc((size_t)100 << 20); /* a compiler may leave out memory that nothing uses */
        if (!kept)
            return error_set(err, QA_NO_MEMORY, "no memory after all of it");
    }
    return QA_OK;
}
#endif

static void outcomes(void **state) {
    (void)state;
    static const struct {
        const char *name;
        qa_status (*attempt)(const struct llm_options *o, const void *user, qa_error *err);
        qa_status status;
        const char *part;
    } rows[] = {
        {"fine", fine, QA_OK, ""},
        {"refuses", refuses, QA_BAD_CONFIG, "x.gguf is the wrong thing"},
        {"refuses without naming the file", refuses_namelessly, QA_NO_MEMORY, "x.gguf: no memory"},
        {"crashes", crashes, QA_CORRUPT, "is broken: llama.cpp"},
        {"aborts", aborts, QA_CORRUPT, "is broken: llama.cpp"},
        {"ends", ends, QA_CORRUPT, "ended while trying it"},
        {"gives a status that there is not", lies, QA_CORRUPT, "x.gguf"},
#ifndef __SANITIZE_ADDRESS__
        {"eats memory", eats, QA_NO_MEMORY, "after all of it"},
#endif
    };
    struct fake_tree t;
    fake_tree_make(&t);
    fake_tree_put(&t, "x.gguf", "GGUF");
    struct llm_options o = {.path = fake_tree_path(&t, "x.gguf"), .name = "x", .fingerprint = "f"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        qa_error err = {0};
        qa_status status = llm_trial(&o, rows[i].attempt, "thing", &err);
        if (status != rows[i].status || !strstr(err.message, rows[i].part) || (status != QA_OK && !strstr(err.message, o.path)))
            fail_msg("%s: %s: %s", rows[i].name, qa_status_name(status), err.message);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        assert_int_equal(errno, ECHILD);
    }
    assert_int_equal(touched, 0);
    fake_tree_remove(&t);
}

static void cancelled(void **state) {
    (void)state;
    const atomic_int cancel = 1;
    qa_error err = {0};
    struct fake_tree t;
    fake_tree_make(&t);
    fake_tree_put(&t, "x.gguf", "GGUF");
    struct llm_options o = {.path = fake_tree_path(&t, "x.gguf"), .name = "x", .fingerprint = "f", .cancel = &cancel};
    assert_int_equal(llm_trial(&o, hangs, NULL, &err), QA_CANCELLED);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    fake_tree_remove(&t);
}

/* Slow is not broken: what runs on a busy machine may be sound. */
static void too_slow(void **state) {
    (void)state;
    qa_error err = {0};
    struct fake_tree t;
    fake_tree_make(&t);
    fake_tree_put(&t, "x.gguf", "GGUF");
    struct llm_options o = {.path = fake_tree_path(&t, "x.gguf"), .name = "x", .fingerprint = "f", .trial_seconds = 1};
    assert_int_equal(llm_trial(&o, hangs, NULL, &err), QA_BUSY);
    assert_non_null(strstr(err.message, "x.gguf: trying it did not end within 1 s"));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    fake_tree_remove(&t);
}

/* A program that lets the kernel reap its children gets an answer too. */
static void children_ignored(void **state) {
    (void)state;
    qa_error err = {0};
    struct fake_tree t;
    fake_tree_make(&t);
    fake_tree_put(&t, "x.gguf", "GGUF");
    struct llm_options o = {.path = fake_tree_path(&t, "x.gguf"), .name = "x", .fingerprint = "f"};
    void (*before)(int) = signal(SIGCHLD, SIG_IGN);
    assert_int_equal(llm_trial(&o, fine, NULL, &err), QA_OK);
    assert_int_equal(llm_trial(&o, aborts, NULL, &err), QA_CORRUPT);
    signal(SIGCHLD, before);
    fake_tree_remove(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(outcomes), cmocka_unit_test(cancelled), cmocka_unit_test(too_slow), cmocka_unit_test(children_ignored)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
