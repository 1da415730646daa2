/* llama.cpp as a whole: set-up, its log, its abort.
 *
 * Its log is global and chatty. What it says at level error is kept for the message of the call that fails, and is logged as information; its warnings
 * likewise, the rest is dropped: nothing reaches standard error by another way than base/log.h. Lines may come in parts and from several threads,
 * so each thread gathers its own. */
#include "base/log.h"
#include "llm/llm_internal.h"
#include "llm/llm_trial.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { LINE_MAX_BYTES = 512 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users;
static void (*abort_hook)(const char *message);

static _Thread_local struct {
    char line[LINE_MAX_BYTES];
    size_t n;
    enum ggml_log_level level;
    char complaint[LINE_MAX_BYTES];
} thread_log;

/* "some_function: what happened" without the function; file names and tensor names in it are a stranger's. */
static void make_readable(char *text, const char **start) {
    char *colon = strstr(text, ": ");
    *start = text;
    if (colon && colon != text && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:~") >= (size_t)(colon - text))
        *start = colon + 2;
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7F)
            *p = '?';
}

static void end_line(void) {
    const char *start = NULL;
    thread_log.line[thread_log.n] = '\0';
    thread_log.n = 0;
    make_readable(thread_log.line, &start);
    if (!*start || (thread_log.level != GGML_LOG_LEVEL_ERROR && thread_log.level != GGML_LOG_LEVEL_WARN))
        return;
    if (thread_log.level == GGML_LOG_LEVEL_ERROR && !thread_log.complaint[0])
        snprintf(thread_log.complaint, sizeof thread_log.complaint, "%s", start);
    log_line(LOG_INFO, "llama.cpp: %s", start);
}

static void take_log(enum ggml_log_level level, const char *text, void *user) {
    (void)user;
    if (level != GGML_LOG_LEVEL_CONT) {
        if (thread_log.n)
            end_line();
        thread_log.level = level;
    }
    for (; *text; text++) {
        if (*text == '\n')
            end_line();
        else if (thread_log.n < sizeof thread_log.line - 1)
            thread_log.line[thread_log.n++] = *text;
    }
}

static void take_abort(const char *message) {
    if (abort_hook)
        abort_hook(message);
    else
        log_line(LOG_ERROR, "llama.cpp gave up: %s", message);
}

void llm_backend_acquire(void) {
    pthread_mutex_lock(&lock);
    if (users++ == 0) {
        llama_log_set(take_log, NULL);
        ggml_set_abort_callback(take_abort);
        llama_backend_init();
    }
    pthread_mutex_unlock(&lock);
}

void llm_backend_release(void) {
    pthread_mutex_lock(&lock);
    if (--users == 0)
        llama_backend_free();
    pthread_mutex_unlock(&lock);
}

void llm_backend_on_abort(void (*hook)(const char *message)) { abort_hook = hook; }

void llm_backend_forget(void) { thread_log.complaint[0] = '\0'; }
const char *llm_backend_complaint(void) { return thread_log.complaint; }

const char *llm_version(void) { return llama_version(); }
