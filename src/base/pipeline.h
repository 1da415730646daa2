/* Work in parallel, results in order: items come one at a time from `next`, are worked on by several threads, and are handed to
 * `done` in the order they came, so that what is written does not depend on luck. At most `window` items are under way,
 * which bounds memory whatever the speed of the parts.
 *
 * next and done run on the calling thread; work runs on the pool's threads, several at once, on different slots. An item lives in
 * a slot of the caller's (an array of `window` structs of `slot_size` bytes), used again and again. */
#ifndef BASE_PIPELINE_H
#define BASE_PIPELINE_H

#include "base/error.h"

struct pipeline {
    unsigned threads; /* >= 1 */
    unsigned window;  /* >= 1; 4 times threads is a good start */
    void *slots;
    size_t slot_size;
    void *user;
    /* Fills the slot and sets *more; *more = false ends the run (the slot is not used). */
    qa_status (*next)(void *user, void *slot, bool *more, qa_error *err);
    /* Both NULL: next never waits. Else next is called while ready says so; when it does not, what is under way is finished, idle is called,
     * and only then next, which may wait as long as it likes. */
    bool (*ready)(void *user);
    qa_status (*idle)(void *user, qa_error *err);
    void (*work)(void *user, void *slot); /* reports failure through the slot */
    qa_status (*done)(void *user, void *slot, qa_error *err);
};
/* The first failure of next or done ends the run after the work under way has finished; those items are dropped without done. */
qa_status pipeline_run(const struct pipeline *p, qa_error *err);
unsigned pipeline_default_threads(void); /* processors this process may use, 1 to 8 */

#endif
