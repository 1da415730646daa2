/* This run against an earlier --out folder: the same conversations in both, matched by id and by the words of their
 * questions. What the earlier metrics.json says of each turn is all that is needed; no set and no index of then. */
#include "base/file.h"
#include "eval/eval.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { METRICS_MAX_BYTES = 256 << 20 };

/* What tells better from worse for one turn. Ranks further down and F1 move all the time and would bury the rest. */
static const enum eval_metric watched[] = {EVAL_DOC_5, EVAL_QUOTE_5, EVAL_FACTS, EVAL_EXACT, EVAL_YES_NO,
                                           EVAL_CITATION_RECALL};

struct comparer {
    struct arena *arena;
    const char *path;
    json_t *before; /* id of a turn -> its object */
    json_t *counts; /* id of a conversation -> its number of turns */
    qa_error *err;
};

static qa_status no_memory(struct comparer *c) { return arena_error(c->arena, c->err, "comparing runs"); }

static qa_status not_ours(struct comparer *c, const char *what) {
    return error_set(c->err, QA_BAD_INPUT, "%s: expected the metrics.json of an earlier 'quaere eval --out', but %s",
                     c->path, what);
}

static qa_status index_turns(struct comparer *c, const json_t *turns) {
    size_t i;
    json_t *turn;
    json_array_foreach(turns, i, turn) {
        const char *id = json_get_string(turn, "id"), *conversation = json_get_string(turn, "conversation");
        if (!id || !conversation || !json_get_string(turn, "question"))
            return not_ours(c, "an entry of \"per_turn\" has no id, conversation or question");
        json_int_t n = json_integer_value(json_object_get(c->counts, conversation));
        if (json_object_set_nocheck(c->before, id, turn) != 0
            || json_object_set_new_nocheck(c->counts, conversation, json_integer(n + 1)) != 0)
            return error_no_memory(c->err, "comparing runs");
    }
    return QA_OK;
}

static qa_status load(struct comparer *c, json_t **root) {
    char *text = NULL;
    size_t len = 0;
    qa_status status = file_read(c->arena, c->path, METRICS_MAX_BYTES, &text, &len, c->err);
    if (status != QA_OK)
        return status;
    if ((status = json_parse(text, len, root, c->err)) != QA_OK)
        return error_prefix(c->err, status, "%s: ", c->path);
    if (!json_is_integer(json_object_get(*root, "format")) || !json_is_array(json_object_get(*root, "per_turn")))
        return not_ours(c, "\"format\" or \"per_turn\" is missing");
    if (json_integer_value(json_object_get(*root, "format")) != 1)
        return error_set(c->err, QA_BAD_VERSION, "%s: format %lld, and this program reads format 1", c->path,
                         (long long)json_integer_value(json_object_get(*root, "format")));
    c->before = json_object();
    c->counts = json_object();
    if (!c->before || !c->counts)
        return error_no_memory(c->err, "comparing runs");
    return index_turns(c, json_object_get(*root, "per_turn"));
}

/* As metrics.json rounds it, so that the same run differs by nothing. */
static struct eval_score rounded(struct eval_score s) {
    for (int m = 0; m < EVAL_TURN_METRICS; m++)
        s.values[m] = round(s.values[m] * 1e6) / 1e6;
    return s;
}

static struct eval_score score_of(const json_t *turn) {
    const json_t *refused = json_object_get(turn, "refused");
    struct eval_score s = {.answered = json_is_boolean(refused), .refused = json_is_true(refused),
                           .answerable = json_is_true(json_object_get(turn, "answerable"))};
    for (int m = 0; m < EVAL_TURN_METRICS; m++) {
        const json_t *value = json_object_get(turn, eval_metric_infos[m].name);
        s.values[m] = json_is_number(value) ? json_number_value(value) : NAN;
    }
    return s;
}

/* ---- One turn ---- */

static qa_status add_change(struct comparer *c, const struct eval_result *r, const struct eval_score *was,
                            struct eval_comparison *out) {
    struct buf what;
    bool better = false, worse = false;
    buf_init(&what, 4096);
    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++) {
        double x = was->values[watched[i]], y = r->score.values[watched[i]];
        if (isnan(x) || isnan(y) || fabs(x - y) < 1e-5) /* apart by rounding */
            continue;
        *(y > x ? &better : &worse) = true;
        buf_printf(&what, "%s%s %.3g -> %.3g", what.len ? ", " : "", eval_metric_infos[watched[i]].name, x, y);
    }
    if (was->answered && r->score.answered && was->refused != r->score.refused) {
        *(r->score.refused != r->score.answerable ? &better : &worse) = true;
        buf_printf(&what, "%s%s", what.len ? ", " : "", r->score.refused ? "now refused" : "no longer refused");
    }
    qa_status status = buf_error(&what, c->err, "comparing runs");
    if (status == QA_OK && what.len) {
        struct eval_change *change = &out->changes[out->n_changes++];
        *change = (struct eval_change){.id = r->id, .kind = r->item->kind, .question = r->turn->question,
                                       .what = arena_string(c->arena, what.data), .direction = better - worse};
        status = change->what ? QA_OK : no_memory(c);
    }
    buf_free(&what);
    return status;
}

/* ---- Conversations ---- */

static bool same_conversation(const struct comparer *c, const struct eval_result *r, size_t turns) {
    if (json_integer_value(json_object_get(c->counts, r->item->id)) != (json_int_t)turns)
        return false;
    for (size_t t = 0; t < turns; t++) {
        const char *question = json_get_string(json_object_get(c->before, r[t].id), "question");
        if (!question || strcmp(question, r[t].turn->question) != 0)
            return false;
    }
    return true;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct eval_value plain_value(double v, size_t n) { return (struct eval_value){v, {NAN, NAN}, n}; }

static qa_status latency_differences(struct comparer *c, const double *was, const double *is, size_t n,
                                     struct eval_comparison *out) {
    double *x = arena_array(c->arena, n + 1, sizeof *x), *y = arena_array(c->arena, n + 1, sizeof *y);
    if (!x || !y)
        return no_memory(c);
    memcpy(x, was, n * sizeof *x);
    memcpy(y, is, n * sizeof *y);
    qsort(x, n, sizeof *x, by_value);
    qsort(y, n, sizeof *y, by_value);
    for (int m = EVAL_LATENCY_P50; m < EVAL_METRICS; m++) {
        double share = m == EVAL_LATENCY_P50 ? 0.50 : 0.95;
        double before = eval_percentile(x, n, share), now = eval_percentile(y, n, share);
        out->before[m] = plain_value(before, n);
        out->now[m] = plain_value(now, n);
        out->difference[m] = plain_value(now - before, n);
    }
    return QA_OK;
}

static qa_status differences(struct comparer *c, const struct eval_tally *was, const struct eval_tally *is,
                             struct eval_comparison *out) {
    struct eval_interval intervals[EVAL_TALLY_METRICS];
    struct eval_tally all_was = {0}, all_is = {0};
    for (size_t i = 0; i < out->common; i++) {
        eval_tally_add(&all_was, &was[i]);
        eval_tally_add(&all_is, &is[i]);
    }
    qa_status status = eval_bootstrap(is, was, out->common, c->arena, intervals, c->err);
    for (int m = 0; status == QA_OK && m < EVAL_TALLY_METRICS; m++) {
        enum eval_metric metric = (enum eval_metric)m;
        out->before[m] = plain_value(eval_tally_value(&all_was, metric), eval_tally_count(&all_was, metric));
        out->now[m] = plain_value(eval_tally_value(&all_is, metric), eval_tally_count(&all_is, metric));
        out->difference[m] = (struct eval_value){out->now[m].value - out->before[m].value, intervals[m], out->now[m].n};
    }
    return status;
}

static qa_status compare(struct comparer *c, const struct eval_set *set, const struct eval_run *run,
                         struct eval_comparison *out) {
    struct eval_tally *was = arena_array(c->arena, set->n_items, sizeof *was);
    struct eval_tally *is = arena_array(c->arena, set->n_items, sizeof *is);
    double *ms_was = arena_array(c->arena, run->n + 1, sizeof *ms_was);
    double *ms_is = arena_array(c->arena, run->n + 1, sizeof *ms_is);
    size_t turns = 0;
    out->changes = arena_array(c->arena, run->n + 1, sizeof *out->changes);
    if (!was || !is || !ms_was || !ms_is || !out->changes)
        return no_memory(c);
    for (size_t i = 0; i < run->n; i += run->results[i].item->n_turns) {
        const struct eval_result *r = &run->results[i];
        if (!same_conversation(c, r, r->item->n_turns)) {
            out->only_now++;
            continue;
        }
        for (size_t t = 0; t < r->item->n_turns; t++) {
            const json_t *turn = json_object_get(c->before, r[t].id);
            struct eval_score score = score_of(turn), now = rounded(r[t].score);
            eval_tally_score(&was[out->common], &score);
            eval_tally_score(&is[out->common], &now);
            ms_was[turns] = json_number_value(json_object_get(turn, "ms"));
            ms_is[turns++] = r[t].ms;
            qa_status status = add_change(c, &r[t], &score, out);
            if (status != QA_OK)
                return status;
        }
        out->common++;
    }
    out->only_before = json_object_size(c->counts) - out->common;
    if (!out->common)
        return error_set(c->err, QA_BAD_INPUT,
                         "%s: no conversation of %s is in it with the same questions, so there is nothing to compare",
                         c->path, set->name);
    qa_status status = differences(c, was, is, out);
    return status == QA_OK ? latency_differences(c, ms_was, ms_is, turns, out) : status;
}

qa_status eval_compare(const char *dir, const struct eval_set *set, const struct eval_run *run, struct arena *a,
                       struct eval_comparison *out, qa_error *err) {
    struct comparer c = {.arena = a, .err = err};
    json_t *root = NULL;
    *out = (struct eval_comparison){.dir = dir};
    c.path = file_join(a, dir, "metrics.json");
    qa_status status = c.path ? load(&c, &root) : no_memory(&c);
    if (status == QA_OK) {
        const char *hash = json_get_string(json_object_get(root, "set"), "hash");
        out->same_set = hash && strcmp(hash, set->hash) == 0;
        status = compare(&c, set, run, out);
    }
    json_decref(c.before);
    json_decref(c.counts);
    json_decref(root);
    return status;
}

static json_t *number(double v) { return isnan(v) ? json_null() : json_round(v, 6); }

json_t *eval_comparison_json(const struct eval_comparison *c) {
    static const char *const directions[] = {"worse", "mixed", "better"};
    bool ok = true;
    json_t *root = json_object(), *metrics = json_object(), *changes = json_array();
    json_put(root, "with", json_text0(c->dir), &ok);
    json_put(root, "same_set", json_boolean(c->same_set), &ok);
    json_put(root, "common", json_integer((json_int_t)c->common), &ok);
    json_put(root, "only_before", json_integer((json_int_t)c->only_before), &ok);
    json_put(root, "only_now", json_integer((json_int_t)c->only_now), &ok);
    for (int m = 0; m < EVAL_METRICS; m++) {
        json_t *value = json_object();
        json_put(value, "before", number(c->before[m].value), &ok);
        json_put(value, "now", number(c->now[m].value), &ok);
        json_put(value, "difference", number(c->difference[m].value), &ok);
        if (m < EVAL_TALLY_METRICS) {
            json_put(value, "low", number(c->difference[m].interval.low), &ok);
            json_put(value, "high", number(c->difference[m].interval.high), &ok);
        }
        json_put(metrics, eval_metric_infos[m].name, value, &ok);
    }
    json_put(root, "metrics", metrics, &ok);
    for (size_t i = 0; i < c->n_changes; i++) {
        json_t *change = json_object();
        json_put(change, "id", json_text0(c->changes[i].id), &ok);
        json_put(change, "direction", json_text0(directions[c->changes[i].direction + 1]), &ok);
        json_put(change, "what", json_text0(c->changes[i].what), &ok);
        json_add(changes, change, &ok);
    }
    json_put(root, "changes", changes, &ok);
    if (ok)
        return root;
    json_decref(root);
    return NULL;
}
