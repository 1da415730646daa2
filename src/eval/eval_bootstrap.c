/* Percentile bootstrap. What is drawn with replacement is conversations, since turns of one conversation stand or fall
 * together. The generator (SplitMix64) and its seed are fixed: the same run gives the same interval on every machine. */
#include "eval/eval.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t next(uint64_t *state) {
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* Without the bias of a plain remainder. */
static size_t below(uint64_t *state, size_t n) {
    uint64_t limit = UINT64_MAX - UINT64_MAX % n, v;
    do
        v = next(state);
    while (v >= limit);
    return (size_t)(v % n);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double eval_percentile(const double *sorted, size_t n, double share) {
    if (!n)
        return NAN;
    double at = share * (double)(n - 1);
    size_t i = (size_t)at;
    return i + 1 < n ? sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

static double value_of(const struct eval_tally *t, const struct eval_tally *before, enum eval_metric m) {
    return before ? eval_tally_value(t, m) - eval_tally_value(before, m) : eval_tally_value(t, m);
}

qa_status eval_bootstrap(const struct eval_tally *items, const struct eval_tally *before, size_t n, struct arena *scratch,
                         struct eval_interval out[EVAL_TALLY_METRICS], qa_error *err) {
    double *values[EVAL_TALLY_METRICS];
    size_t drawn[EVAL_TALLY_METRICS] = {0};
    uint64_t state = EVAL_SEED;
    for (int m = 0; m < EVAL_TALLY_METRICS; m++) {
        out[m] = (struct eval_interval){NAN, NAN};
        values[m] = arena_array(scratch, EVAL_SAMPLES, sizeof *values[m]);
        if (!values[m])
            return arena_error(scratch, err, "computing intervals");
    }
    if (n < 2) /* one conversation says nothing about others */
        return QA_OK;
    for (int s = 0; s < EVAL_SAMPLES; s++) {
        struct eval_tally sum = {0}, sum_before = {0};
        for (size_t i = 0; i < n; i++) {
            size_t pick = below(&state, n);
            eval_tally_add(&sum, &items[pick]);
            if (before)
                eval_tally_add(&sum_before, &before[pick]);
        }
        for (int m = 0; m < EVAL_TALLY_METRICS; m++) {
            double v = value_of(&sum, before ? &sum_before : NULL, (enum eval_metric)m);
            if (!isnan(v))
                values[m][drawn[m]++] = v;
        }
    }
    for (int m = 0; m < EVAL_TALLY_METRICS; m++) {
        qsort(values[m], drawn[m], sizeof *values[m], by_value);
        out[m] = (struct eval_interval){eval_percentile(values[m], drawn[m], 0.025),
                                        eval_percentile(values[m], drawn[m], 0.975)};
    }
    return QA_OK;
}
