/* Package clients as child processes. Each runs in a process group of its own, so that a cancelled one takes its children along and Ctrl-C reaches us
 * alone; and in a folder of ours, since python and npm take code and settings from the folder that they stand in. */
#include "model/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_TICK_MS = 2, TICK_MS = 100, PATIENCE_MS = 2000, MAX_ENVIRONMENT = 4096 };

extern char **environ;

/* The environment with TMPDIR replaced; the strings stay where they are. */
static char **make_environment(char *tmpdir) {
    size_t n = 0;
    while (environ[n] && n < MAX_ENVIRONMENT)
        n++;
    char **out = calloc(n + 2, sizeof *out);
    size_t k = 0;
    for (size_t i = 0; out && i < n; i++)
        if (strncmp(environ[i], "TMPDIR=", 7) != 0)
            out[k++] = environ[i];
    if (out)
        out[k] = tmpdir;
    return out;
}

static int spawn(const struct model_process *p, char **environment, pid_t *pid) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, defaults;
    int failed = posix_spawn_file_actions_init(&files);
    if (failed)
        return failed;
    if ((failed = posix_spawnattr_init(&how)) != 0) {
        posix_spawn_file_actions_destroy(&files);
        return failed;
    }
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGTERM);
    if (!failed)
        failed = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    if (!failed)
        failed = posix_spawn_file_actions_addopen(&files, 1, p->output, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (!failed)
        failed = posix_spawn_file_actions_adddup2(&files, 1, 2);
    if (!failed)
        failed = posix_spawn_file_actions_addchdir_np(&files, p->in);
    if (!failed)
        failed = posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (!failed)
        failed = posix_spawnattr_setpgroup(&how, 0);
    if (!failed)
        failed = posix_spawnattr_setsigmask(&how, &none);
    if (!failed)
        failed = posix_spawnattr_setsigdefault(&how, &defaults);
    if (!failed)
        failed = posix_spawnp(pid, p->argv[0], &files, &how, (char *const *)(uintptr_t)p->argv, environment);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return failed;
}

/* Short at first: many calls are over at once. */
static void wait_a_tick(unsigned *ms) {
    struct timespec t = {.tv_nsec = *ms * 1000000L};
    nanosleep(&t, NULL);
    *ms = *ms * 2 < TICK_MS ? *ms * 2 : TICK_MS;
}

/* Asks the group to end, then makes it. */
static void end_group(pid_t pid) {
    int state;
    unsigned wait_ms = FIRST_TICK_MS;
    kill(-pid, SIGTERM);
    for (unsigned waited = 0; waited < PATIENCE_MS; waited += wait_ms) {
        if (waitpid(pid, &state, WNOHANG) != 0) {
            kill(-pid, SIGKILL); /* children that outlived it */
            return;
        }
        wait_a_tick(&wait_ms);
    }
    kill(-pid, SIGKILL);
    while (waitpid(pid, &state, 0) < 0 && errno == EINTR) {
    }
}

qa_status model_run(const struct model_process *p, int *exit_status, qa_error *err) {
    pid_t pid = 0;
    int state = 0;
    unsigned wait_ms = FIRST_TICK_MS;
    char *tmpdir = NULL;
    if (asprintf(&tmpdir, "TMPDIR=%s", p->in) < 0)
        return error_no_memory(err, p->argv[0]);
    char **environment = make_environment(tmpdir);
    int failed = environment ? spawn(p, environment, &pid) : ENOMEM;
    free(environment);
    free(tmpdir);
    if (failed)
        return error_set_errno(err, failed, "cannot run %s", p->argv[0]);
    for (;;) {
        pid_t done = waitpid(pid, &state, WNOHANG);
        if (done == pid)
            break;
        if (done < 0 && errno != EINTR)
            return error_set_errno(err, errno, "waiting for %s", p->argv[0]);
        if (p->cancel && atomic_load(p->cancel)) {
            end_group(pid);
            return error_set(err, QA_CANCELLED, "stopped while %s was running", p->argv[0]);
        }
        if (p->tick)
            p->tick(p->user);
        wait_a_tick(&wait_ms);
    }
    *exit_status = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
    /* glibc's posix_spawn tells a missing program itself; this is what shells and wrappers of python answer for one that is there in name only */
    return *exit_status == 127 ? error_set(err, QA_NOT_FOUND, "%s is not installed", p->argv[0]) : QA_OK;
}
