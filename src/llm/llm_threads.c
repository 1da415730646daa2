/* How many threads. llama.cpp's threads wait for each other after every operation by spinning: one thread that the machine has no processor for makes all
 * wait a time slice, thousands of times. On two processors that others used, two threads generated ten times slower than one, and short texts took a hundred
 * times longer. So: not more than affinity and container allow, and for an answer not more than are free. The number changes no byte of the results. */
#include "llm/llm_internal.h"
#include <sched.h>
#include <stdio.h>
#include <time.h>

enum { LOOKS = 3, PAUSE_NS = 50000 };

/* What the control group may use, as it is seen in a container; 0: no limit. */
static unsigned quota(void) {
    long long most = 0, period = 0;
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (!f)
        return 0;
    bool limited = fscanf(f, "%lld %lld", &most, &period) == 2 && most > 0 && period > 0;
    fclose(f);
    return limited ? (unsigned)((most + period - 1) / period < LLM_MAX_THREADS ? (most + period - 1) / period : LLM_MAX_THREADS) : 0;
}

static unsigned own_processors(void) {
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n < 1 ? 1 : (unsigned)n;
}

static unsigned within(unsigned n) {
    unsigned allowed = quota();
    if (allowed && n > allowed)
        n = allowed;
    return n > LLM_MAX_THREADS ? LLM_MAX_THREADS : n ? n : 1;
}

unsigned llm_processors(void) { return within(own_processors()); }

/* Threads that run or wait for a processor now, beside this one. */
static unsigned others_running(void) {
    unsigned running = 0;
    FILE *f = fopen("/proc/loadavg", "re");
    if (!f)
        return 0;
    if (fscanf(f, "%*f %*f %*f %u/", &running) != 1)
        running = 0;
    fclose(f);
    return running > 1 ? running - 1 : 0;
}

unsigned llm_free_processors(void) {
    unsigned own = own_processors(), most = within(own), n = 0;
    /* What runs for a moment does not count, such as our own threads on their way to sleep after a computation. */
    for (int looks = 0; looks < LOOKS && n < most; looks++) {
        if (looks)
            nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
        unsigned others = others_running(), now = within(others < own ? own - others : 1);
        n = now > n ? now : n;
    }
    return n;
}
