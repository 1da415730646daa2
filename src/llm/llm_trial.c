/* A file of unknown origin is opened and used once in a child process before this process touches it, since llama.cpp aborts on some hostile files and may do
 * worse on others. What the child finds comes back through a pipe:
 *     u32 status, then the message. Nothing at all: it died, and waitpid says of what.
 *
 * fork without exec: a library has no program of its own to start. The child is a copy with one thread; glibc keeps malloc and stdio usable in it. A lock that
 * another thread of the parent held inside llama.cpp at that moment would stay locked: it guards a few instructions, and the time-out ends the child then. The
 * child has a ceiling on memory, no core file, no way to the terminal, and dies with its parent. */
#include "llm/llm_trial.h"
#include "base/clock.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SECONDS = 30,              /* that it may take, */
    BYTES_A_SECOND = 20 << 20, /* and for the file as long as a slow disk needs */
    LOOK_MS = 50               /* how often `cancel` is looked at */
};
#define ROOM ((rlim_t)4 << 30) /* for a context, over three times the file */

struct verdict {
    uint32_t status;
    char message[sizeof((qa_error *)0)->message];
};

static int verdict_fd = -1; /* in the child */

static void send_verdict(qa_status status, const char *message) {
    struct verdict v = {.status = (uint32_t)status};
    snprintf(v.message, sizeof v.message, "%s", message);
    ssize_t unused = write(verdict_fd, &v, sizeof v); /* under PIPE_BUF: whole or not at all */
    (void)unused;
}

static void tell_abort(const char *message) {
    char text[sizeof((qa_error *)0)->message];
    snprintf(text, sizeof text, "llama.cpp gave up: %s", message);
    send_verdict(QA_CORRUPT, text);
    _exit(1);
}

static void limit_memory(uint64_t file_size) {
    unsigned long pages = 0; /* what the parent has mapped already counts too */
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f)
        return;
    if (fscanf(f, "%lu", &pages) == 1) {
        rlim_t most = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + 3 * (rlim_t)file_size + ROOM;
        setrlimit(RLIMIT_AS, &(struct rlimit){most, most});
    }
    fclose(f);
}

static _Noreturn void run_child(const struct llm_options *options, uint64_t file_size, int fd,
                                qa_status (*attempt)(const struct llm_options *options, const void *user, qa_error *err), const void *user) {
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        signal(fatal[i], i < 5 ? SIG_DFL : SIG_IGN); /* an interrupt is the parent's to act on */
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    limit_memory(file_size);
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
        _exit(1);
    setenv("GGML_NO_BACKTRACE", "1", 1); /* else an uncaught exception starts a debugger */
    verdict_fd = fd;
    llm_backend_on_abort(tell_abort);
    qa_error err = {0};
    qa_status status = attempt(options, user, &err);
    send_verdict(status, err.message);
    _exit(0);
}

enum outcome { SAID, DIED, SLOW, STOPPED };

static enum outcome wait_for_verdict(int fd, int64_t deadline, const atomic_int *cancel, struct verdict *v) {
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, LOOK_MS) > 0) {
            ssize_t n = read(fd, v, sizeof *v);
            if (n < 0 && errno == EINTR)
                continue;
            return n == (ssize_t)sizeof *v ? SAID : DIED;
        }
        if (cancel && atomic_load(cancel))
            return STOPPED;
        if (clock_timeout_ms() > deadline)
            return SLOW;
    }
}

qa_status llm_trial(const struct llm_options *options, qa_status (*attempt)(const struct llm_options *options, const void *user, qa_error *err),
                    const void *user, qa_error *err) {
    struct file_stat st;
    int fds[2] = {-1, -1}, how = 0;
    qa_status status = file_stat(options->path, &st, err);
    if (status != QA_OK)
        return error_prefix(err, status, "the model: ");
    if (pipe2(fds, O_CLOEXEC) != 0)
        return error_set_errno(err, errno, "checking the model %s", options->path);
    pid_t pid = fork();
    if (pid < 0) {
        status = error_set_errno(err, errno, "starting a process to check the model %s", options->path);
        close(fds[0]);
        close(fds[1]);
        return status;
    }
    if (pid == 0) {
        close(fds[0]);
        run_child(options, st.size, fds[1], attempt, user);
    }
    close(fds[1]);

    struct verdict v = {0};
    int64_t seconds = options->trial_seconds ? options->trial_seconds : SECONDS + (int64_t)(st.size / BYTES_A_SECOND);
    enum outcome outcome = wait_for_verdict(fds[0], clock_timeout_ms() + 1000 * seconds, options->cancel, &v);
    if (outcome == SLOW || outcome == STOPPED)
        kill(pid, SIGKILL);
    close(fds[0]);
    pid_t reaped;
    while ((reaped = waitpid(pid, &how, 0)) < 0 && errno == EINTR)
        ;

    switch (outcome) {
    case SAID:
        v.message[sizeof v.message - 1] = '\0';
        if (v.status == QA_OK)
            return QA_OK;
        if (v.status >= QA_STATUS_COUNT)
            v.status = QA_CORRUPT;
        if (strstr(v.message, options->path))
            return error_set(err, (qa_status)v.status, "%s", v.message);
        return error_set(err, (qa_status)v.status, "the model %s: %s", options->path, v.message);
    case STOPPED:
        return error_set(err, QA_CANCELLED, "loading the model %s was cancelled", options->path);
    case SLOW:
        return error_set(err, QA_BUSY, "the model %s: trying it did not end within %lld s, so it is not used: this machine is too busy or too slow for it now, or "
                         "the file keeps llama.cpp busy for ever", options->path, (long long)seconds);
    case DIED:
        break;
    }
    if (reaped == pid && WIFSIGNALED(how))
        return error_set(err, QA_CORRUPT, "the model %s is broken: llama.cpp died of it (%s)", options->path, strsignal(WTERMSIG(how)));
    return error_set(err, QA_CORRUPT, "the model %s is broken: llama.cpp ended while trying it", options->path);
}
