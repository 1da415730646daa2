/* The page: figures by kind, what changed, and every failure with what was found instead. One file, no script, nothing
 * fetched. All text from sets, documents and answers passes through text(), and the content policy in the head would stop
 * what slipped by. */
#include "base/utf8.h"
#include "eval/eval.h"
#include <math.h>
#include <string.h>

static const char head[] =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>quaere eval</title>\n<style>\n"
    ":root { color-scheme: light dark; }\n"
    "body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }\n"
    ".wide { overflow-x: auto; }\n"
    "table { border-collapse: collapse; font-variant-numeric: tabular-nums; }\n"
    "th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #8885; }\n"
    "th, td { vertical-align: top; white-space: nowrap; }\n"
    "th:first-child, td:first-child, .left th, .left td { text-align: left; }\n"
    ".left td { white-space: normal; }\n"
    "small, .dim { opacity: .7; } td small { display: block; font-size: 11px; }\n"
    "article { border: 1px solid #8885; border-radius: 6px; padding: .6rem 1rem; margin: 1rem 0; }\n"
    "article h3 { margin: 0 0 .4rem; font-size: 1rem; }\n"
    "article p { margin: .3rem 0; } ol { margin: .3rem 0; padding-left: 1.6rem; }\n"
    ".bad { color: #b3261e; } .good { color: #1b7f3b; }\n"
    "@media (prefers-color-scheme: dark) { .bad { color: #ff8a80; } .good { color: #7ddc98; } }\n"
    "q { quotes: none; white-space: pre-wrap; background: #8882; padding: 0 .2rem; }\n"
    ".snippet { font-size: 13px; opacity: .85; overflow-wrap: anywhere; }\n"
    "</style>\n</head>\n<body>\n";

/* Escaped; invalid UTF-8 and control characters, which HTML does not allow, become U+FFFD. */
static void text(struct buf *out, const char *s) {
    for (size_t n = strlen(s), i = 0; i < n;) {
        uint32_t cp;
        size_t len = utf8_get(s + i, n - i, &cp);
        if (cp == '&')
            buf_puts(out, "&amp;");
        else if (cp == '<')
            buf_puts(out, "&lt;");
        else if (cp == '>')
            buf_puts(out, "&gt;");
        else if (cp == '"')
            buf_puts(out, "&quot;");
        else if (cp == '\'')
            buf_puts(out, "&#39;");
        else if (cp == 0xFFFD || (cp < 0x20 && cp != '\n' && cp != '\t') || (cp >= 0x7F && cp < 0xA0))
            buf_puts(out, UTF8_REPLACEMENT);
        else
            buf_put(out, s + i, len);
        i += len;
    }
}

/* ---- Figures ---- */

static void figure(struct buf *out, enum eval_metric m, double v, bool sign) {
    if (isnan(v))
        buf_puts(out, "&ndash;");
    else
        buf_printf(out, m >= EVAL_LATENCY_P50 ? sign ? "%+.1f" : "%.1f" : sign ? "%+.3f" : "%.3f", v);
}

static void cell(struct buf *out, enum eval_metric m, const struct eval_value *v, bool sign, bool count) {
    buf_puts(out, "<td>");
    figure(out, m, v->value, sign);
    if (!isnan(v->value) && !isnan(v->interval.low)) {
        buf_puts(out, "<small>");
        figure(out, m, v->interval.low, sign);
        buf_puts(out, " to ");
        figure(out, m, v->interval.high, sign);
        buf_puts(out, "</small>");
    }
    if (count && !isnan(v->value))
        buf_printf(out, "<small>n = %zu</small>", v->n);
    buf_puts(out, "</td>");
}

static void put_figures(struct buf *out, const struct eval_summary *s) {
    buf_puts(out, "<h2>Figures</h2>\n<p class=\"dim\">Below each figure its 95 % interval (bootstrap over conversations) and the "
                  "number of turns that it is made of.</p>\n<div class=\"wide\"><table>\n<tr><th></th><th>all</th>");
    for (size_t i = 0; i < s->n_kinds; i++) {
        buf_puts(out, "<th>");
        text(out, s->kinds[i].kind);
        buf_puts(out, "</th>");
    }
    buf_puts(out, "</tr>\n");
    for (int m = 0; m < EVAL_METRICS; m++) {
        if (isnan(s->all.values[m].value))
            continue;
        buf_printf(out, "<tr><td>%s</td>", eval_metric_infos[m].label);
        cell(out, (enum eval_metric)m, &s->all.values[m], false, true);
        for (size_t i = 0; i < s->n_kinds; i++)
            cell(out, (enum eval_metric)m, &s->kinds[i].values[m], false, true);
        buf_puts(out, "</tr>\n");
    }
    buf_puts(out, "</table></div>\n");
}

/* ---- Comparison ---- */

static void put_changes(struct buf *out, const struct eval_comparison *c, int direction, const char *title) {
    size_t n = 0;
    for (size_t i = 0; i < c->n_changes; i++)
        n += c->changes[i].direction == direction;
    if (!n)
        return;
    buf_printf(out, "<h3>%s: %zu</h3>\n<table class=\"left\">\n", title, n);
    for (size_t i = 0; i < c->n_changes; i++) {
        if (c->changes[i].direction != direction)
            continue;
        buf_puts(out, "<tr><th>");
        text(out, c->changes[i].id);
        buf_puts(out, "</th><td>");
        text(out, c->changes[i].kind);
        buf_puts(out, "</td><td>");
        text(out, c->changes[i].question);
        buf_puts(out, "</td><td>");
        text(out, c->changes[i].what);
        buf_puts(out, "</td></tr>\n");
    }
    buf_puts(out, "</table>\n");
}

static void put_comparison(struct buf *out, const struct eval_comparison *c) {
    buf_puts(out, "<h2>Compared with ");
    text(out, c->dir);
    buf_printf(out, "</h2>\n<p>%zu conversations are in both%s", c->common,
               c->same_set ? "; the set is the same." : "; the sets differ:");
    if (!c->same_set || c->only_before || c->only_now)
        buf_printf(out, " %zu only in the earlier run, %zu only in this one.", c->only_before, c->only_now);
    buf_puts(out, "</p>\n<div class=\"wide\"><table>\n<tr><th></th><th>before</th><th>now</th><th>difference</th></tr>\n");
    for (int m = 0; m < EVAL_METRICS; m++) {
        if (isnan(c->difference[m].value))
            continue;
        buf_printf(out, "<tr><td>%s</td>", eval_metric_infos[m].label);
        cell(out, (enum eval_metric)m, &c->before[m], false, false);
        cell(out, (enum eval_metric)m, &c->now[m], false, false);
        cell(out, (enum eval_metric)m, &c->difference[m], true, false);
        buf_puts(out, "</tr>\n");
    }
    buf_puts(out, "</table></div>\n");
    put_changes(out, c, 1, "Better");
    put_changes(out, c, -1, "Worse");
    put_changes(out, c, 0, "Some of both");
}

/* ---- Failures ---- */

static bool below_one(const struct eval_result *r, enum eval_metric m) { return r->score.values[m] < 1; } /* NaN: false */

static bool wrong_short(const struct eval_result *r) {
    return r->turn->yes_no ? below_one(r, EVAL_YES_NO) : r->score.values[EVAL_F1] < 0.5;
}

bool eval_failed(const struct eval_result *r) {
    if (!r->turn->answerable)
        return r->score.answered && !r->score.refused;
    return r->score.refused || below_one(r, EVAL_DOC_5) || below_one(r, EVAL_QUOTE_5) || below_one(r, EVAL_FACTS)
        || wrong_short(r);
}

static void put_reasons(struct buf *out, const struct eval_result *r) {
    const char *const what[] = {!r->turn->answerable ? "answered, and should have been refused" : NULL,
                                r->score.refused ? "refused, and the documents answer it" : NULL,
                                below_one(r, EVAL_DOC_5) ? "no gold document, or not all, among the first five" : NULL,
                                below_one(r, EVAL_QUOTE_5) ? "gold quote not in the first five passages" : NULL,
                                below_one(r, EVAL_FACTS) && !r->score.refused ? "facts missed" : NULL,
                                wrong_short(r) && !r->score.refused ? "short answer is another" : NULL};
    bool any = false;
    buf_puts(out, "<p class=\"bad\">");
    for (size_t i = 0; i < sizeof what / sizeof *what; i++)
        if (what[i]) {
            buf_printf(out, "%s%s", any ? "; " : "", what[i]);
            any = true;
        }
    buf_puts(out, "</p>\n");
}

static void put_labelled(struct buf *out, const char *label, const char *value) {
    buf_printf(out, "<p><b>%s</b> ", label);
    text(out, value);
    buf_puts(out, "</p>\n");
}

static void put_gold(struct buf *out, const struct eval_result *r) {
    const struct eval_turn *t = r->turn;
    if (t->n_docs) {
        buf_printf(out, "<p><b>%s</b>", r->item->all_docs_needed ? "All of" : "Gold");
        for (size_t i = 0; i < t->n_docs; i++) {
            buf_puts(out, i ? ", " : " ");
            text(out, t->docs[i].doc);
            if (t->docs[i].grade != 1)
                buf_printf(out, " (%g)", t->docs[i].grade);
        }
        buf_puts(out, "</p>\n");
    }
    for (size_t i = 0; i < t->n_quotes; i++) {
        buf_puts(out, "<p><q>");
        text(out, t->quotes[i]);
        buf_puts(out, "</q></p>\n");
    }
    for (size_t i = 0; i < t->n_answers; i++)
        put_labelled(out, "Expected", t->answers[i]);
    if (t->yes_no)
        put_labelled(out, "Expected", t->yes_no);
}

static void put_answer(struct buf *out, const struct eval_result *r) {
    if (!r->score.answered)
        return;
    put_labelled(out, r->score.refused ? "Refused" : "Answer", r->answer);
    if (r->score.refused && r->reason)
        put_labelled(out, "Reason", r->reason);
    if (r->short_answer)
        put_labelled(out, "Short answer", r->short_answer);
    for (size_t f = 0; r->turn->answerable && f < r->turn->n_facts; f++) {
        if (r->fact_found[f])
            continue;
        buf_puts(out, "<p><b>Missed</b> ");
        for (size_t i = 0; i < r->turn->facts[f].n; i++) {
            buf_puts(out, i ? " <span class=\"dim\">or</span> <q>" : "<q>");
            text(out, r->turn->facts[f].spellings[i]);
            buf_puts(out, "</q>");
        }
        buf_puts(out, "</p>\n");
    }
}

static void put_found(struct buf *out, const struct eval_result *r) {
    buf_puts(out, r->n_top ? "<p><b>Found</b></p>\n<ol>\n" : "<p><b>Found</b> nothing</p>\n");
    for (size_t i = 0; i < r->n_top; i++) {
        const struct eval_found *f = &r->top[i];
        buf_printf(out, "<li><span class=\"%s\">", f->gold ? "good" : "other");
        text(out, f->doc);
        buf_puts(out, f->gold ? " (gold)</span> " : "</span> ");
        text(out, f->heading);
        buf_puts(out, "<div class=\"snippet\">");
        text(out, f->snippet);
        buf_puts(out, "</div></li>\n");
    }
    buf_puts(out, r->n_top ? "</ol>\n" : "");
}

static void put_failure(struct buf *out, const struct eval_result *r) {
    const struct eval_item *item = r->item;
    size_t turn = (size_t)(r->turn - item->turns);
    buf_puts(out, "<article>\n<h3>");
    text(out, r->turn->question);
    buf_puts(out, "</h3>\n<p class=\"dim\">");
    text(out, r->id);
    buf_puts(out, " &middot; ");
    text(out, item->kind);
    if (item->filter) {
        buf_puts(out, " &middot; filter ");
        text(out, item->filter);
    }
    buf_puts(out, "</p>\n");
    put_reasons(out, r);
    for (size_t i = 0; i < item->n_history; i++)
        if (*item->history[i].role == 'u')
            put_labelled(out, "Before", item->history[i].content);
    for (size_t i = 0; i < turn; i++)
        put_labelled(out, "Before", item->turns[i].question);
    put_gold(out, r);
    put_answer(out, r);
    put_found(out, r);
    buf_puts(out, "</article>\n");
}

static void put_failures(struct buf *out, const struct eval_run *run, const struct eval_summary *summary) {
    size_t n = 0;
    for (size_t i = 0; i < run->n; i++)
        n += eval_failed(&run->results[i]);
    buf_printf(out, "<h2>Failures: %zu of %zu turns</h2>\n", n, run->n);
    for (size_t k = 0; k < summary->n_kinds; k++) {
        const char *kind = summary->kinds[k].kind;
        size_t failed = 0;
        for (size_t i = 0; i < run->n; i++)
            failed += strcmp(run->results[i].item->kind, kind) == 0 && eval_failed(&run->results[i]);
        if (!failed)
            continue;
        buf_puts(out, "<details open>\n<summary>");
        text(out, kind);
        buf_printf(out, ": %zu of %zu</summary>\n", failed, summary->kinds[k].turns);
        for (size_t i = 0; i < run->n; i++)
            if (strcmp(run->results[i].item->kind, kind) == 0 && eval_failed(&run->results[i]))
                put_failure(out, &run->results[i]);
        buf_puts(out, "</details>\n");
    }
}

qa_status eval_report(const struct eval_set *set, const struct eval_run *run, const struct eval_summary *summary,
                      const struct eval_comparison *comparison, struct buf *html, qa_error *err) {
    static const char *const modes[] = {[QA_MODE_HYBRID] = "hybrid", [QA_MODE_TEXT] = "text", [QA_MODE_VECTOR] = "vector"};
    buf_puts(html, head);
    buf_puts(html, "<h1>");
    text(html, set->name);
    buf_printf(html, "</h1>\n<p>%zu conversations, %zu turns &middot; %s &middot; mode %s &middot; quaere ",
               summary->all.conversations,
               summary->all.turns, run->answers ? "answers" : "retrieval only", modes[run->mode]);
    text(html, qa_version());
    buf_puts(html, "</p>\n");
    put_figures(html, summary);
    if (comparison)
        put_comparison(html, comparison);
    put_failures(html, run, summary);
    buf_puts(html, "</body>\n</html>\n");
    return buf_error(html, err, "writing the page");
}
