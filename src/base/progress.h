/* One line of progress on standard error: redrawn in place on a terminal, a plain line every few seconds otherwise, nothing when
 * quiet. Drawn only after the first half second, so that quick work stays silent. */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool quiet, terminal, drawn;
    double started_ms, last_ms;
};
void progress_begin(struct progress *p, bool quiet);
/* "Ingesting: 12 of 50 documents (24 %), 812 chunks, 3 s left": unit is what is counted; detail may be NULL; total 0: unknown. */
void progress_show(struct progress *p, const char *label, uint64_t done, uint64_t total, const char *unit, const char *detail);
void progress_clear(struct progress *p); /* before printing anything else on the terminal */

#endif
