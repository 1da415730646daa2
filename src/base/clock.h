/* Time and chance, with switches for outputs that compare byte for byte:
 * QUAERE_CLOCK=2026-01-31T12:00:00Z fixes the wall clock and makes all durations 0; QUAERE_SEED=7 makes ids a fixed sequence. Empty is as
 * unset, and what is wrong is as unset too: who starts the program says so (clock_check). */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

qa_status clock_check(qa_error *err);     /* QA_BAD_USAGE when a switch is set to what it does not understand */
bool clock_fixed(void);
int64_t clock_now_ms(void);              /* Unix time */
double clock_since_start_ms(void);       /* since the process started (as the kernel noted it); 0 when fixed */
double clock_mono_ms(void);              /* for durations; 0 when fixed */
int64_t clock_timeout_ms(void);          /* the same that QUAERE_CLOCK does not stop: for time-outs */
void clock_format(int64_t ms, char out[32]); /* 2026-01-31T12:00:00Z */
/* A new id: prefix, then 10 characters of time and 12 of chance, so that ids sort by age. */
void clock_new_id(const char *prefix, char out[32]);

#endif
