/* Slots form a ring: item i lives in slot i % window. Three counters tell the whole state: listed (by next), taken (by a
 * worker), finished in order (by done); a slot is used again only after its item went through done. */
#include "base/pipeline.h"
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

struct ring {
    const struct pipeline *p;
    pthread_mutex_t lock;
    pthread_cond_t listed_more, worked_more;
    uint64_t listed, taken, finished;
    bool *worked; /* by slot */
    bool closed;  /* nothing more will be listed */
};

static void *slot(const struct pipeline *p, uint64_t item) {
    return (char *)p->slots + (item % p->window) * p->slot_size;
}

static void *work_loop(void *arg) {
    struct ring *r = arg;
    pthread_mutex_lock(&r->lock);
    for (;;) {
        while (r->taken == r->listed && !r->closed)
            pthread_cond_wait(&r->listed_more, &r->lock);
        if (r->taken == r->listed)
            break;
        uint64_t item = r->taken++;
        pthread_mutex_unlock(&r->lock);
        r->p->work(r->p->user, slot(r->p, item));
        pthread_mutex_lock(&r->lock);
        r->worked[item % r->p->window] = true;
        pthread_cond_signal(&r->worked_more);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

static qa_status feed_and_finish(struct ring *r, qa_error *err) {
    const struct pipeline *p = r->p;
    bool more = true, wait = false;
    for (;;) {
        while (more && r->listed - r->finished < p->window && (wait || !p->ready || p->ready(p->user))) {
            wait = false;
            qa_status status = p->next(p->user, slot(p, r->listed), &more, err);
            if (status != QA_OK)
                return status;
            if (!more)
                break;
            pthread_mutex_lock(&r->lock);
            r->worked[r->listed % p->window] = false;
            r->listed++;
            pthread_cond_signal(&r->listed_more);
            pthread_mutex_unlock(&r->lock);
        }
        if (r->finished == r->listed && !more)
            return QA_OK;
        if (r->finished == r->listed) {
            qa_status status = p->idle(p->user, err);
            if (status != QA_OK)
                return status;
            wait = true;
            continue;
        }
        pthread_mutex_lock(&r->lock);
        while (!r->worked[r->finished % p->window])
            pthread_cond_wait(&r->worked_more, &r->lock);
        pthread_mutex_unlock(&r->lock);
        qa_status status = p->done(p->user, slot(p, r->finished), err);
        if (status != QA_OK)
            return status;
        r->finished++;
    }
}

qa_status pipeline_run(const struct pipeline *p, qa_error *err) {
    qa_status status = QA_OK;
    unsigned started = 0;
    struct ring r = {.p = p};
    pthread_t *threads = calloc(p->threads, sizeof *threads);
    r.worked = calloc(p->window, sizeof *r.worked);
    if (!threads || !r.worked) {
        status = error_no_memory(err, "starting threads");
        goto out;
    }
    pthread_mutex_init(&r.lock, NULL);
    pthread_cond_init(&r.listed_more, NULL);
    pthread_cond_init(&r.worked_more, NULL);
    while (started < p->threads && pthread_create(&threads[started], NULL, work_loop, &r) == 0)
        started++;
    if (!started)
        status = error_set(err, QA_NO_MEMORY, "the system does not let this process start a thread");
    else
        status = feed_and_finish(&r, err); /* fewer threads than asked for are slower, not wrong */
    pthread_mutex_lock(&r.lock);
    r.closed = true;
    if (status != QA_OK)
        r.taken = r.listed;
    pthread_cond_broadcast(&r.listed_more);
    pthread_mutex_unlock(&r.lock);
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_cond_destroy(&r.worked_more);
    pthread_cond_destroy(&r.listed_more);
    pthread_mutex_destroy(&r.lock);
out:
    free(r.worked);
    free(threads);
    return status;
}

unsigned pipeline_default_threads(void) {
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n < 1 ? 1 : n > 8 ? 8 : (unsigned)n;
}
