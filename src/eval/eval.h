/* Question sets, what a system found and answered, metrics, intervals, reports. Built on the public API alone, so that what
 * is measured is what a user gets. Nothing here prints; src/cli/cmd_eval.c does.
 *
 * The way: eval_load -> eval_run (asks, measures each turn, writes run.jsonl) -> eval_summarise -> JSON, page, comparison.
 * docs/evaluation.md says what each metric means; the code follows it. */
#ifndef EVAL_EVAL_H
#define EVAL_EVAL_H

#include "base/arena.h"
#include "base/json.h"

/* ---- Sets (eval_load.c) ---- */

struct eval_gold {
    const char *doc;
    double grade; /* > 0 */
};
struct eval_fact {
    const char **spellings; /* any one counts */
    size_t n;
};
struct eval_turn {
    const char *question;
    bool answerable;
    struct eval_gold *docs;
    size_t n_docs;
    const char **quotes;
    size_t n_quotes;
    struct eval_fact *facts;
    size_t n_facts;
    const char **answers;
    size_t n_answers;
    const char *yes_no; /* "yes", "no" or NULL */
};
struct eval_item { /* a conversation; what the bootstrap draws */
    const char *id, *kind;
    const char *filter; /* an expression of docs/filters.md, or NULL */
    bool all_docs_needed;
    qa_message *history; /* what was said before the first turn */
    size_t n_history;
    struct eval_turn *turns;
    size_t n_turns;
};
struct eval_set {
    const char *name; /* the file's name without folders */
    char hash[24];    /* of its bytes */
    struct eval_item *items;
    size_t n_items, n_turns;
};
/* QA_BAD_INPUT with file, line, field and what was expected. Everything lives in the arena. */
qa_status eval_load(struct arena *a, const char *path, struct eval_set *out, qa_error *err);

/* ---- Metrics (eval_metrics.c) ---- */

enum eval_metric {
    /* means over turns */
    EVAL_DOC_1, EVAL_DOC_5, EVAL_DOC_10, EVAL_DOC_20, EVAL_MRR_10, EVAL_NDCG_10, EVAL_QUOTE_5,
    EVAL_FACTS, EVAL_EXACT, EVAL_F1, EVAL_YES_NO, EVAL_CITATION_PRECISION, EVAL_CITATION_RECALL,
    EVAL_TURN_METRICS,
    /* ratios of counts over turns */
    EVAL_REFUSAL_PRECISION = EVAL_TURN_METRICS, EVAL_REFUSAL_RECALL, EVAL_BALANCED_ACCURACY, EVAL_FALSE_REFUSALS,
    EVAL_TALLY_METRICS,
    /* of times; without intervals */
    EVAL_LATENCY_P50 = EVAL_TALLY_METRICS, EVAL_LATENCY_P95,
    EVAL_METRICS
};
struct eval_metric_info {
    const char *name, *label; /* in JSON and on the command line; for a person */
    bool needs_answers, lower_is_better;
};
extern const struct eval_metric_info eval_metric_infos[EVAL_METRICS];

struct eval_passage {
    const char *doc, *text;
};
struct eval_seen { /* what a system gave for one turn */
    const struct eval_passage *hits; /* best first */
    size_t n_hits;
    bool answered; /* an answer was asked for: the rest counts */
    bool refused;
    const char *answer, *short_answer; /* short_answer may be NULL */
    const struct eval_passage *citations; /* document and quote */
    size_t n_citations;
};
/* What one turn scores. NaN: this metric does not apply to it. */
struct eval_score {
    double values[EVAL_TURN_METRICS];
    bool answered, refused, answerable;
};
/* fact_found: turn->n_facts entries, filled when answered; may be NULL. */
qa_status eval_measure(const struct eval_turn *turn, bool all_docs_needed, const struct eval_seen *seen,
                       struct arena *scratch, struct eval_score *out, bool *fact_found, qa_error *err);
bool eval_doc_matches(const char *a, const char *b); /* equal, or one ends with "/" and the other */
bool eval_is_gold(const struct eval_turn *turn, const char *doc);

struct eval_tally { /* sums over turns, from which every metric but the latencies follows */
    double sums[EVAL_TURN_METRICS];
    size_t counts[EVAL_TURN_METRICS];
    size_t answerable, unanswerable; /* of the turns that were answered */
    size_t refused_answerable, refused_unanswerable;
};
void eval_tally_add(struct eval_tally *to, const struct eval_tally *from);
void eval_tally_score(struct eval_tally *to, const struct eval_score *score);
double eval_tally_value(const struct eval_tally *t, enum eval_metric metric); /* NaN when it has no denominator */
size_t eval_tally_count(const struct eval_tally *t, enum eval_metric metric); /* the denominator, in turns */

/* ---- Normal forms (eval_normalise.c): in the arena, NULL when it is full ---- */

enum { EVAL_ANSWER_WORDS = 120, EVAL_QUOTE_HITS = 5, EVAL_QUOTE_CHARACTERS = 5000 };

char *eval_normal_quote(struct arena *a, const char *s, size_t n);
char *eval_normal_answer(struct arena *a, const char *s);   /* [n] removed, the first EVAL_ANSWER_WORDS words */
char *eval_normal_spelling(struct arena *a, const char *s);
char *eval_normal_squad(struct arena *a, const char *s);
bool eval_states(const char *normal_answer, const char *normal_spelling); /* at word boundaries */
size_t eval_prefix_bytes(const char *s, size_t n, size_t characters, size_t *taken); /* bytes of the first characters */

/* ---- Intervals (eval_bootstrap.c) ---- */

enum { EVAL_SAMPLES = 1000, EVAL_SEED = 20260131 };

struct eval_interval {
    double low, high; /* NaN: none */
};
/* 95 % percentile intervals of each tally metric, drawing items with replacement. With `before` (same items, same order)
 * those of the difference items - before. `scratch` is used and not reset. */
qa_status eval_bootstrap(const struct eval_tally *items, const struct eval_tally *before, size_t n, struct arena *scratch,
                         struct eval_interval out[EVAL_TALLY_METRICS], qa_error *err);
double eval_percentile(const double *sorted, size_t n, double share); /* linear between neighbours; NaN for n = 0 */

/* ---- A run (eval_run.c) ---- */

enum { EVAL_TOP = 5, EVAL_MIN_HITS = 100, EVAL_MAX_HITS = 1000 };

struct eval_found { /* a document of the first ranks, for the page */
    const char *doc, *heading, *snippet;
    bool gold;
};
struct eval_result {
    const struct eval_item *item;
    const struct eval_turn *turn;
    const char *id; /* "<id>#<turn from 1>" */
    struct eval_score score;
    double ms;
    bool *fact_found;
    struct eval_found top[EVAL_TOP];
    size_t n_top;
    const char *answer, *short_answer, *reason;
};
struct eval_options {
    qa_mode mode;
    size_t k;       /* hits; at least EVAL_MIN_HITS are asked for */
    bool answers;   /* ask, do not only search */
    bool extractive; /* without a language model */
    const char *out; /* folder for run.jsonl, made if needed; NULL: none */
    void (*on_turn)(void *user, size_t done, size_t total); /* after each turn, on the calling thread */
    void *user;
};
struct eval_run {
    bool answers;
    qa_mode mode;
    size_t k;
    struct eval_result *results;
    size_t n;
};
/* Asks every question in order. The first failure ends it and names the turn; QA_CANCELLED after qa_cancel. run.jsonl
 * appears when the run is complete. */
qa_status eval_run(qa *q, const struct eval_set *set, const struct eval_options *options, struct arena *a,
                   struct eval_run *out,
                   qa_error *err);

/* ---- Summary (eval_summary.c) ---- */

struct eval_value {
    double value; /* NaN: not measured */
    struct eval_interval interval;
    size_t n;
};
struct eval_group {
    const char *kind; /* NULL: all */
    size_t conversations, turns;
    struct eval_value values[EVAL_METRICS];
};
struct eval_summary {
    struct eval_group all;
    struct eval_group *kinds; /* in the order of the set */
    size_t n_kinds;
};
qa_status eval_summarise(const struct eval_set *set, const struct eval_run *run, struct arena *a, struct eval_summary *out,
                         qa_error *err);
/* The content of metrics.json, which also holds what --compare needs of each turn. The caller owns it; NULL when memory is
 * out. */
json_t *eval_summary_json(const struct eval_set *set, const struct eval_run *run, const struct eval_summary *summary);

/* ---- Comparison (eval_compare.c) ---- */

struct eval_change {
    const char *id, *kind, *question;
    const char *what; /* "quote_recall@5 0 -> 1, fact_recall 0.5 -> 1" */
    int direction;    /* 1 better, -1 worse, 0 some of both */
};
struct eval_comparison {
    const char *dir;
    bool same_set;
    size_t common, only_before, only_now; /* conversations; a changed question counts as two different ones */
    struct eval_value before[EVAL_METRICS], now[EVAL_METRICS], difference[EVAL_METRICS]; /* over the common conversations */
    struct eval_change *changes;
    size_t n_changes;
};
qa_status eval_compare(const char *dir, const struct eval_set *set, const struct eval_run *run, struct arena *a,
                       struct eval_comparison *out, qa_error *err);
json_t *eval_comparison_json(const struct eval_comparison *comparison);

/* ---- The page (eval_report.c) ---- */

bool eval_failed(const struct eval_result *r); /* belongs on the page's list of failures */
/* One self-contained HTML document. comparison may be NULL. */
qa_status eval_report(const struct eval_set *set, const struct eval_run *run, const struct eval_summary *summary,
                      const struct eval_comparison *comparison, struct buf *html, qa_error *err);

#endif
