#include "base/file.h"
#include "base/progress.h"
#include "base/nearest.h"
#include "cli/cli.h"
#include "eval/eval.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct cli_option options[] = {
    {"answers", 0, NULL, "ask and score answers; without it only what is found is scored"},
    {"extractive", 0, NULL, "the same with sentences of the documents, without a language model"},
    CLI_GENERATOR_OPTION,
    {"embedder", 0, "MODEL", "a name of 'quaere model list', a GGUF file, or none"},
    {"mode", 0, "MODE", "hybrid (default), text or vector"},
    {"count", 'k', "N", "passages a question (default and at least 100)"},
    {"out", 0, "DIR", "write metrics.json, run.jsonl and index.html there"},
    {"compare", 0, "DIR", "differences from an earlier --out folder, with intervals, and the turns that changed"},
    {"fail-below", 0, "METRIC=VALUE", "exit with 1 when a metric is lower; may be given several times"},
    {NULL, 0, NULL, NULL},
};

enum { ARENA_MAX = 1 << 30, PAGE_MAX = 512 << 20, FLOORS_MAX = 2 * EVAL_METRICS };

struct floor {
    enum eval_metric metric;
    double value;
};

struct job {
    const struct cli *c;
    struct eval_options options;
    struct floor floors[FLOORS_MAX];
    size_t n_floors;
    struct arena arena;
    struct progress progress;
    struct eval_set set;
    struct eval_run run;
    struct eval_summary summary;
    struct eval_comparison comparison;
    bool compared;
};

/* ---- Options ---- */

static bool read_floor(struct job *j, const char *text) {
    const char *equals = strchr(text, '='), *names[EVAL_METRICS + 1] = {NULL};
    char name[64], *end = NULL;
    size_t n = equals ? (size_t)(equals - text) : 0;
    if (!equals || n >= sizeof name) {
        cli_usage_error(j->c, "--fail-below wants METRIC=VALUE, e.g. doc_recall@5=0.87, not '%s'", text);
        return false;
    }
    memcpy(name, text, n);
    name[n] = '\0';
    int m = 0;
    while (m < EVAL_METRICS && strcmp(eval_metric_infos[m].name, name) != 0)
        m++;
    if (m == EVAL_METRICS) {
        for (int i = 0; i < EVAL_METRICS; i++)
            names[i] = eval_metric_infos[i].name;
        const char *near = nearest_word(name, names, EVAL_METRICS);
        cli_usage_error(j->c, "there is no metric '%s'; %s%s%s", name,
                        near ? "did you mean " : "docs/evaluation.md lists them", near ? near : "", near ? "?" : "");
        return false;
    }
    errno = 0;
    double value = strtod(equals + 1, &end);
    if (!equals[1] || *end || errno || !isfinite(value)) {
        cli_usage_error(j->c, "--fail-below %s wants a number, not '%s'", name, equals + 1);
        return false;
    }
    if (eval_metric_infos[m].lower_is_better) {
        cli_usage_error(j->c, "--fail-below: %s is better when lower, so no floor is set for it", name);
        return false;
    }
    if (eval_metric_infos[m].needs_answers && !j->options.answers) {
        cli_usage_error(j->c, "--fail-below: %s is measured only with --answers or --extractive", name);
        return false;
    }
    j->floors[j->n_floors++] = (struct floor){(enum eval_metric)m, value};
    return true;
}

static bool read_options(struct job *j) {
    const struct cli *c = j->c;
    const char *mode = cli_value(c, "mode");
    long k = EVAL_MIN_HITS;
    size_t n = 0;
    j->options.extractive = cli_has(c, "extractive");
    j->options.answers = j->options.extractive || cli_has(c, "answers");
    j->options.out = cli_value(c, "out");
    if (!cli_number(c, "count", 1, EVAL_MAX_HITS, &k))
        return false;
    j->options.k = (size_t)k;
    if (mode && strcmp(mode, "hybrid") != 0 && strcmp(mode, "text") != 0 && strcmp(mode, "vector") != 0) {
        cli_usage_error(c, "--mode is hybrid, text or vector, not '%s'", mode);
        return false;
    }
    j->options.mode = !mode || *mode == 'h' ? QA_MODE_HYBRID : *mode == 't' ? QA_MODE_TEXT : QA_MODE_VECTOR;
    const char **floors = cli_values(c, "fail-below", false, &n);
    bool good = n <= FLOORS_MAX;
    if (!good)
        cli_usage_error(c, "--fail-below is given %zu times, and there are only %d metrics", n, (int)EVAL_METRICS);
    for (size_t i = 0; good && i < n; i++)
        good = read_floor(j, floors[i]);
    cli_free_list(floors);
    return good;
}

/* ---- Results for a person ---- */

static void print_figure(enum eval_metric m, double v, bool sign) {
    if (isnan(v))
        printf("%8s", "-");
    else
        printf(m >= EVAL_LATENCY_P50 ? sign ? "%+8.1f" : "%8.1f" : sign ? "%+8.3f" : "%8.3f", v);
}

static void print_interval(enum eval_metric m, const struct eval_interval *i, bool sign) {
    if (isnan(i->low)) {
        printf("%20s", "");
        return;
    }
    fputs("  ", stdout);
    print_figure(m, i->low, sign);
    fputs(" ..", stdout);
    printf(sign ? "%+7.3f" : "%7.3f", i->high);
}

static void print_overall(const struct job *j) {
    const struct eval_group *all = &j->summary.all;
    printf("%s%s%s: %zu conversations, %zu turns, %s\n\n", cli_bold(), j->set.name, cli_plain(), all->conversations,
           all->turns,
           j->run.answers ? "answers" : "retrieval only");
    printf("%s%-20s%8s%20s%8s%s\n", cli_dim(), "metric", "value", "95 % interval", "turns", cli_plain());
    for (int m = 0; m < EVAL_METRICS; m++) {
        const struct eval_value *v = &all->values[m];
        if (isnan(v->value))
            continue;
        printf("%-20s", eval_metric_infos[m].name);
        print_figure((enum eval_metric)m, v->value, false);
        print_interval((enum eval_metric)m, &v->interval, false);
        printf("%8zu\n", v->n);
    }
}

/* The few columns that fit a terminal; the page and metrics.json have all. */
static void print_kinds(const struct job *j) {
    static const struct {
        enum eval_metric metric;
        const char *title;
    } columns[] = {{EVAL_DOC_1, "doc@1"},   {EVAL_DOC_5, "doc@5"}, {EVAL_MRR_10, "mrr@10"},  {EVAL_QUOTE_5, "quote@5"},
                   {EVAL_FACTS, "facts"},   {EVAL_EXACT, "exact"}, {EVAL_F1, "f1"},          {EVAL_YES_NO, "yes/no"},
                   {EVAL_REFUSAL_RECALL, "refused"},               {EVAL_FALSE_REFUSALS, "false r"}};
    size_t n = sizeof columns / sizeof *columns;
    printf("\n%s%-20s%6s", cli_dim(), "kind", "turns");
    for (size_t i = 0; i < n; i++)
        if (!isnan(j->summary.all.values[columns[i].metric].value))
            printf("%8s", columns[i].title);
    printf("%s\n", cli_plain());
    for (size_t k = 0; k < j->summary.n_kinds; k++) {
        const struct eval_group *g = &j->summary.kinds[k];
        char kind[64];
        snprintf(kind, sizeof kind, "%.*s", (int)eval_prefix_bytes(g->kind, strlen(g->kind), 15, &(size_t){0}), g->kind);
        cli_print_line(stdout, kind);
        printf("%*s%6zu", (int)(strlen(kind) < 20 ? 20 - strlen(kind) : 0), "", g->turns);
        for (size_t i = 0; i < n; i++)
            if (!isnan(j->summary.all.values[columns[i].metric].value))
                print_figure(columns[i].metric, g->values[columns[i].metric].value, false);
        putchar('\n');
    }
}

static void print_changes(const struct eval_comparison *c, int direction, const char *title) {
    bool any = false;
    for (size_t i = 0; i < c->n_changes; i++) {
        if (c->changes[i].direction != direction)
            continue;
        if (!any)
            printf("\n%s%s%s\n", cli_bold(), title, cli_plain());
        any = true;
        fputs("  ", stdout);
        cli_print_line(stdout, c->changes[i].id);
        fputs("  ", stdout);
        cli_print_line(stdout, c->changes[i].question);
        printf("\n      %s%s%s\n", cli_dim(), c->changes[i].what, cli_plain());
    }
}

static void print_comparison(const struct eval_comparison *c) {
    printf("\n%sCompared with %s%s: %zu conversations in both", cli_bold(), c->dir, cli_plain(), c->common);
    if (!c->same_set || c->only_before || c->only_now)
        printf("%s, %zu only there, %zu only here", c->same_set ? "" : "; the sets differ", c->only_before, c->only_now);
    printf("\n\n%s%-20s%8s%8s%8s%20s%s\n", cli_dim(), "metric", "before", "now", "change", "95 % interval", cli_plain());
    for (int m = 0; m < EVAL_METRICS; m++) {
        const struct eval_value *d = &c->difference[m];
        if (isnan(d->value))
            continue;
        printf("%-20s", eval_metric_infos[m].name);
        print_figure((enum eval_metric)m, c->before[m].value, false);
        print_figure((enum eval_metric)m, c->now[m].value, false);
        print_figure((enum eval_metric)m, d->value, true);
        if (!isnan(d->interval.low))
            print_interval((enum eval_metric)m, &d->interval, true);
        putchar('\n');
    }
    print_changes(c, 1, "Better");
    print_changes(c, -1, "Worse");
    print_changes(c, 0, "Some of both");
}

/* ---- The run ---- */

static void on_turn(void *user, size_t done, size_t total) {
    struct job *j = user;
    progress_show(&j->progress, "Asking", done, total, j->options.answers ? "questions answered" : "questions searched", NULL);
}

static qa_status write_file(struct job *j, const char *name, const char *bytes, size_t len, qa_error *err) {
    const char *path = file_join(&j->arena, j->options.out, name);
    return path ? file_write_atomic(path, bytes, len, err) : arena_error(&j->arena, err, "writing the report");
}

static qa_status write_out(struct job *j, const char *json, qa_error *err) {
    struct buf page;
    buf_init(&page, PAGE_MAX);
    qa_status status = write_file(j, "metrics.json", json, strlen(json), err);
    if (status == QA_OK)
        status = eval_report(&j->set, &j->run, &j->summary, j->compared ? &j->comparison : NULL, &page, err);
    if (status == QA_OK)
        status = write_file(j, "index.html", page.data, page.len, err);
    buf_free(&page);
    return status;
}

static qa_status report(struct job *j, qa_error *err) {
    qa_status status = QA_OK;
    json_t *metrics = eval_summary_json(&j->set, &j->run, &j->summary);
    bool ok = metrics != NULL;
    if (ok && j->compared)
        json_put(metrics, "compare", eval_comparison_json(&j->comparison), &ok);
    char *text = ok ? json_write(metrics, 2) : NULL;
    if (!text)
        status = error_no_memory(err, "writing the report");
    if (status == QA_OK && j->options.out)
        status = write_out(j, text, err);
    if (status == QA_OK && j->c->json) {
        puts(text);
    } else if (status == QA_OK) {
        print_overall(j);
        if (j->summary.n_kinds > 1)
            print_kinds(j);
        if (j->compared)
            print_comparison(&j->comparison);
        if (j->options.out && !j->c->quiet)
            printf("\nFailures and what was found instead: %s/index.html\n", j->options.out);
    }
    free(text);
    json_decref(metrics);
    return status;
}

/* 0, or 1 after a line for each metric below its floor. */
static int check_floors(const struct job *j) {
    int status = 0;
    for (size_t i = 0; i < j->n_floors; i++) {
        const struct floor *f = &j->floors[i];
        double value = j->summary.all.values[f->metric].value;
        if (isnan(value))
            fprintf(stderr, "quaere eval: %s was not measured: no turn of %s has what it needs; it was to be at least %g\n",
                    eval_metric_infos[f->metric].name, j->set.name, f->value);
        else if (value < f->value)
            fprintf(stderr, "quaere eval: %s is %.4f, below %g\n", eval_metric_infos[f->metric].name, value, f->value);
        else
            continue;
        status = 1;
    }
    return status;
}

static qa_status look_for_earlier_run(struct job *j, const char *dir, qa_error *err) {
    struct file_stat ignored;
    const char *path = file_join(&j->arena, dir, "metrics.json");
    return path ? file_stat(path, &ignored, err) : arena_error(&j->arena, err, "comparing runs");
}

static int run_job(struct job *j) {
    qa *q = NULL;
    qa_error err = {0};
    const char *compare = cli_value(j->c, "compare");
    int opened = cli_open(j->c, false, &q);
    if (opened != 0)
        return opened;
    qa_status status = eval_load(&j->arena, j->c->arguments[0], &j->set, &err);
    if (status == QA_OK && compare) /* now, not after minutes of questions */
        status = look_for_earlier_run(j, compare, &err);
    cli_on_signal(q);
    progress_begin(&j->progress, j->c->quiet);
    if (status == QA_OK)
        status = eval_run(q, &j->set, &j->options, &j->arena, &j->run, &err);
    progress_clear(&j->progress);
    int stopped = cli_stopped() ? cli_stopped_status() : 0;
    bool cancelled = status == QA_CANCELLED && cli_stopped();
    cli_on_signal(NULL);
    qa_close(q);
    if (cancelled) {
        fputs("quaere eval: stopped; nothing was written\n", stderr);
        return stopped;
    }
    if (status == QA_OK)
        status = eval_summarise(&j->set, &j->run, &j->arena, &j->summary, &err);
    if (status == QA_OK && compare) {
        status = eval_compare(compare, &j->set, &j->run, &j->arena, &j->comparison, &err);
        j->compared = status == QA_OK;
    }
    if (status == QA_OK)
        status = report(j, &err);
    return status == QA_OK ? check_floors(j) : cli_fail(j->c, &err);
}

static int run(struct cli *c) {
    struct job *j = calloc(1, sizeof *j);
    if (!j) {
        fputs("quaere eval: out of memory\n", stderr);
        return 1;
    }
    j->c = c;
    j->options.on_turn = on_turn;
    j->options.user = j;
    arena_init(&j->arena, ARENA_MAX);
    int status = read_options(j) ? run_job(j) : 2;
    arena_free(&j->arena);
    free(j);
    return status;
}

const struct cli_command cmd_eval = {
    .name = "eval",
    .arguments = "SET.jsonl",
    .summary = "Measure finding and answering with a set of questions.",
    .details = "A set holds questions with the documents, quotes and facts that belong to them; docs/evaluation.md says how to\n"
               "write one. The system sees the questions alone. Every figure comes with a 95 % interval: a difference well\n"
               "inside it may be chance.",
    .example = "  quaere eval questions.jsonl\n"
               "  quaere eval --answers --out runs/today --compare runs/yesterday questions.jsonl\n"
               "  quaere eval --fail-below doc_recall@5=0.85 questions.jsonl",
    .options = options,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
