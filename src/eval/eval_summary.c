/* Turns to figures: for all, and for each kind; and metrics.json, which is also what --compare reads of an earlier run. */
#include "eval/eval.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static qa_status latencies(const struct eval_run *run, const char *kind, struct arena *a, struct eval_value *values,
                           qa_error *err) {
    double *ms = arena_array(a, run->n + 1, sizeof *ms);
    size_t n = 0;
    if (!ms)
        return arena_error(a, err, "summarising a run");
    for (size_t i = 0; i < run->n; i++)
        if (!kind || strcmp(run->results[i].item->kind, kind) == 0)
            ms[n++] = run->results[i].ms;
    qsort(ms, n, sizeof *ms, by_value);
    values[EVAL_LATENCY_P50] = (struct eval_value){eval_percentile(ms, n, 0.50), {NAN, NAN}, n};
    values[EVAL_LATENCY_P95] = (struct eval_value){eval_percentile(ms, n, 0.95), {NAN, NAN}, n};
    return QA_OK;
}

static qa_status summarise_group(const struct eval_set *set, const struct eval_run *run, const char *kind, struct arena *a,
                                 struct eval_group *out, qa_error *err) {
    struct eval_tally *items = arena_array(a, set->n_items, sizeof *items), all = {0};
    struct eval_interval intervals[EVAL_TALLY_METRICS];
    const struct eval_item *last = NULL;
    *out = (struct eval_group){.kind = kind};
    if (!items)
        return arena_error(a, err, "summarising a run");
    for (size_t i = 0; i < run->n; i++) { /* turns of a conversation follow each other */
        const struct eval_result *r = &run->results[i];
        if (kind && strcmp(r->item->kind, kind) != 0)
            continue;
        out->conversations += r->item != last;
        out->turns++;
        last = r->item;
        eval_tally_score(&items[out->conversations - 1], &r->score);
    }
    for (size_t i = 0; i < out->conversations; i++)
        eval_tally_add(&all, &items[i]);
    qa_status status = eval_bootstrap(items, NULL, out->conversations, a, intervals, err);
    for (int m = 0; status == QA_OK && m < EVAL_TALLY_METRICS; m++)
        out->values[m] = (struct eval_value){eval_tally_value(&all, (enum eval_metric)m), intervals[m],
                                             eval_tally_count(&all, (enum eval_metric)m)};
    return status == QA_OK ? latencies(run, kind, a, out->values, err) : status;
}

qa_status eval_summarise(const struct eval_set *set, const struct eval_run *run, struct arena *a, struct eval_summary *out,
                         qa_error *err) {
    enum { KINDS_MAX = 100 }; /* each is compared with each */
    *out = (struct eval_summary){0};
    out->kinds = arena_array(a, KINDS_MAX, sizeof *out->kinds);
    if (!out->kinds)
        return arena_error(a, err, "summarising a run");
    qa_status status = summarise_group(set, run, NULL, a, &out->all, err);
    for (size_t i = 0; status == QA_OK && i < set->n_items; i++) {
        const char *kind = set->items[i].kind;
        size_t j = 0;
        while (j < out->n_kinds && strcmp(out->kinds[j].kind, kind) != 0)
            j++;
        if (j < out->n_kinds)
            continue;
        if (j == KINDS_MAX)
            return error_set(err, QA_TOO_LARGE, "%s: more than %d kinds", set->name, KINDS_MAX);
        status = summarise_group(set, run, kind, a, &out->kinds[out->n_kinds++], err);
    }
    return status;
}

/* ---- metrics.json ---- */

static json_t *number(double v) { return isnan(v) ? json_null() : json_round(v, 6); }

static json_t *group_json(const struct eval_group *g, bool *ok) {
    json_t *object = json_object(), *metrics = json_object();
    json_put(object, "conversations", json_integer((json_int_t)g->conversations), ok);
    json_put(object, "turns", json_integer((json_int_t)g->turns), ok);
    for (int m = 0; m < EVAL_METRICS; m++) {
        json_t *value = json_object();
        json_put(value, "value", number(g->values[m].value), ok);
        if (m < EVAL_TALLY_METRICS) {
            json_put(value, "low", number(g->values[m].interval.low), ok);
            json_put(value, "high", number(g->values[m].interval.high), ok);
        }
        json_put(value, "n", json_integer((json_int_t)g->values[m].n), ok);
        json_put(metrics, eval_metric_infos[m].name, value, ok);
    }
    json_put(object, "metrics", metrics, ok);
    return object;
}

static json_t *turn_json(const struct eval_result *r, bool *ok) {
    json_t *object = json_object();
    json_put(object, "id", json_text0(r->id), ok);
    json_put(object, "conversation", json_text0(r->item->id), ok);
    json_put(object, "question", json_text0(r->turn->question), ok);
    json_put(object, "answerable", json_boolean(r->score.answerable), ok);
    json_put(object, "refused", r->score.answered ? json_boolean(r->score.refused) : json_null(), ok);
    json_put(object, "ms", json_round(r->ms, 3), ok);
    for (int m = 0; m < EVAL_TURN_METRICS; m++)
        if (!isnan(r->score.values[m]))
            json_put(object, eval_metric_infos[m].name, number(r->score.values[m]), ok);
    return object;
}

json_t *eval_summary_json(const struct eval_set *set, const struct eval_run *run, const struct eval_summary *summary) {
    static const char *const modes[] = {[QA_MODE_HYBRID] = "hybrid", [QA_MODE_TEXT] = "text", [QA_MODE_VECTOR] = "vector"};
    bool ok = true;
    json_t *root = json_object(), *about = json_object(), *kinds = json_object(), *turns = json_array();
    json_put(about, "name", json_text0(set->name), &ok);
    json_put(about, "hash", json_text0(set->hash), &ok);
    json_put(root, "format", json_integer(1), &ok);
    json_put(root, "set", about, &ok);
    json_put(root, "version", json_text0(qa_version()), &ok);
    json_put(root, "mode", json_text0(modes[run->mode]), &ok);
    json_put(root, "answers", json_boolean(run->answers), &ok);
    json_put(root, "k", json_integer((json_int_t)run->k), &ok);
    json_put(root, "bootstrap", json_pack("{s:i,s:i,s:f}", "samples", (int)EVAL_SAMPLES, "seed", (int)EVAL_SEED, "level",
                                          0.95), &ok);
    json_put(root, "overall", group_json(&summary->all, &ok), &ok);
    for (size_t i = 0; i < summary->n_kinds; i++)
        json_put(kinds, summary->kinds[i].kind, group_json(&summary->kinds[i], &ok), &ok);
    json_put(root, "by_kind", kinds, &ok);
    for (size_t i = 0; i < run->n; i++)
        json_add(turns, turn_json(&run->results[i], &ok), &ok);
    json_put(root, "per_turn", turns, &ok);
    if (ok)
        return root;
    json_decref(root);
    return NULL;
}
