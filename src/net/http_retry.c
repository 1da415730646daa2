#include "net/http.h"
#include <sys/random.h>
#include <time.h>

enum { FIRST_WAIT_MS = 500, LONGEST_WAIT_MS = 30 * 1000, SLICE_MS = 50 };

static bool passes(int status) {
    return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

bool http_should_retry(qa_status status, int http_status, unsigned retry_after_s, unsigned attempt, unsigned most, unsigned *wait_ms) {
    *wait_ms = 0;
    if (attempt >= most || (status != QA_OK && status != QA_REMOTE) || (status == QA_OK && !passes(http_status)))
        return false;
    if (retry_after_s) {
        *wait_ms = retry_after_s < LONGEST_WAIT_MS / 1000 ? retry_after_s * 1000 : LONGEST_WAIT_MS;
        return true;
    }
    unsigned wait = FIRST_WAIT_MS;
    for (unsigned i = 1; i < attempt && wait < LONGEST_WAIT_MS; i++)
        wait *= 2;
    wait = wait < LONGEST_WAIT_MS ? wait : LONGEST_WAIT_MS;
    /* Clients that failed together do not come back together: between half and the whole of it. */
    unsigned chance = 0;
    if (getrandom(&chance, sizeof chance, GRND_NONBLOCK) != sizeof chance)
        chance = 0;
    *wait_ms = wait - chance % (wait / 2 + 1);
    return true;
}

bool http_wait(unsigned ms, const atomic_int *cancel) {
    for (unsigned waited = 0; waited < ms; waited += SLICE_MS) {
        if (cancel && atomic_load(cancel))
            return false;
        unsigned slice = ms - waited < SLICE_MS ? ms - waited : SLICE_MS;
        struct timespec t = {.tv_nsec = (long)slice * 1000000};
        clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL); /* a signal cuts a slice short, which does no harm */
    }
    return !cancel || !atomic_load(cancel);
}
