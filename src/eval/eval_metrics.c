/* What a turn scores, and how turns add up. */
#include "eval/eval.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct eval_metric_info eval_metric_infos[EVAL_METRICS] = {
    [EVAL_DOC_1] = {"doc_recall@1", "document recall@1", false, false},
    [EVAL_DOC_5] = {"doc_recall@5", "document recall@5", false, false},
    [EVAL_DOC_10] = {"doc_recall@10", "document recall@10", false, false},
    [EVAL_DOC_20] = {"doc_recall@20", "document recall@20", false, false},
    [EVAL_MRR_10] = {"mrr@10", "MRR@10", false, false},
    [EVAL_NDCG_10] = {"ndcg@10", "nDCG@10", false, false},
    [EVAL_QUOTE_5] = {"quote_recall@5", "quote recall@5", false, false},
    [EVAL_FACTS] = {"fact_recall", "fact recall", true, false},
    [EVAL_EXACT] = {"exact_match", "exact match", true, false},
    [EVAL_F1] = {"token_f1", "token F1", true, false},
    [EVAL_YES_NO] = {"yes_no_accuracy", "yes/no accuracy", true, false},
    [EVAL_CITATION_PRECISION] = {"citation_precision", "citation precision", true, false},
    [EVAL_CITATION_RECALL] = {"citation_recall", "citation recall", true, false},
    [EVAL_REFUSAL_PRECISION] = {"refusal_precision", "refusal precision", true, false},
    [EVAL_REFUSAL_RECALL] = {"refusal_recall", "refusal recall", true, false},
    [EVAL_BALANCED_ACCURACY] = {"balanced_accuracy", "balanced accuracy", true, false},
    [EVAL_FALSE_REFUSALS] = {"false_refusals", "false refusals", true, true},
    [EVAL_LATENCY_P50] = {"latency_p50_ms", "latency p50, ms", false, true},
    [EVAL_LATENCY_P95] = {"latency_p95_ms", "latency p95, ms", false, true},
};

enum { RANKS = 20, NDCG_RANKS = 10, MRR_RANKS = 10, OVERLAP_WORDS = 5 };

bool eval_doc_matches(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b);
    if (n < m) {
        const char *swap = a;
        a = b;
        b = swap;
        size_t length = n;
        n = m;
        m = length;
    }
    return m > 0 && strcmp(a + n - m, b) == 0 && (n == m || a[n - m - 1] == '/' || b[0] == '/');
}

static const struct eval_gold *find_gold(const struct eval_turn *turn, const char *doc) {
    for (size_t i = 0; i < turn->n_docs; i++)
        if (eval_doc_matches(turn->docs[i].doc, doc))
            return &turn->docs[i];
    return NULL;
}
bool eval_is_gold(const struct eval_turn *turn, const char *doc) { return find_gold(turn, doc) != NULL; }

/* ---- Documents ---- */

static size_t distinct_docs(const struct eval_seen *seen, const char *out[RANKS]) {
    size_t n = 0;
    for (size_t i = 0; i < seen->n_hits && n < RANKS; i++) {
        size_t j = 0;
        while (j < n && strcmp(out[j], seen->hits[i].doc) != 0)
            j++;
        if (j == n)
            out[n++] = seen->hits[i].doc;
    }
    return n;
}

static double doc_recall(const struct eval_turn *turn, bool all, const char *const *docs, size_t n) {
    size_t found = 0;
    for (size_t g = 0; g < turn->n_docs; g++)
        for (size_t i = 0; i < n; i++)
            if (eval_doc_matches(turn->docs[g].doc, docs[i])) {
                found++;
                break;
            }
    return all ? (double)found / (double)turn->n_docs : found > 0;
}

static int by_grade_down(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* Gain is the grade; each gold document counts once, at its first place. */
static qa_status ndcg(const struct eval_turn *turn, const char *const *docs, size_t n, struct arena *scratch, double *out,
                      qa_error *err) {
    double *left = arena_array(scratch, turn->n_docs, sizeof *left), gain = 0, ideal = 0;
    if (!left)
        return arena_error(scratch, err, "measuring a turn");
    for (size_t g = 0; g < turn->n_docs; g++)
        left[g] = turn->docs[g].grade;
    qsort(left, turn->n_docs, sizeof *left, by_grade_down);
    for (size_t g = 0; g < turn->n_docs && g < NDCG_RANKS; g++)
        ideal += left[g] / log2((double)g + 2);
    for (size_t g = 0; g < turn->n_docs; g++)
        left[g] = turn->docs[g].grade;
    for (size_t i = 0; i < n && i < NDCG_RANKS; i++)
        for (size_t g = 0; g < turn->n_docs; g++)
            if (left[g] > 0 && eval_doc_matches(turn->docs[g].doc, docs[i])) {
                gain += left[g] / log2((double)i + 2);
                left[g] = 0;
                break;
            }
    *out = gain / ideal;
    return QA_OK;
}

static qa_status measure_docs(const struct eval_turn *turn, bool all, const struct eval_seen *seen, struct arena *scratch,
                              double *v, qa_error *err) {
    static const struct {
        enum eval_metric metric;
        size_t k;
    } recalls[] = {{EVAL_DOC_1, 1}, {EVAL_DOC_5, 5}, {EVAL_DOC_10, 10}, {EVAL_DOC_20, 20}};
    const char *docs[RANKS];
    size_t n = distinct_docs(seen, docs);
    for (size_t i = 0; i < sizeof recalls / sizeof *recalls; i++)
        v[recalls[i].metric] = doc_recall(turn, all, docs, n < recalls[i].k ? n : recalls[i].k);
    v[EVAL_MRR_10] = 0;
    for (size_t i = n < MRR_RANKS ? n : MRR_RANKS; i > 0; i--)
        if (eval_is_gold(turn, docs[i - 1]))
            v[EVAL_MRR_10] = 1.0 / (double)i;
    return ndcg(turn, docs, n, scratch, &v[EVAL_NDCG_10], err);
}

/* ---- Quotes ---- */

static qa_status measure_quotes(const struct eval_turn *turn, const struct eval_seen *seen, struct arena *scratch,
                                double *out, qa_error *err) {
    char *texts[EVAL_QUOTE_HITS];
    size_t n = 0, left = EVAL_QUOTE_CHARACTERS, found = 0;
    for (; n < seen->n_hits && n < EVAL_QUOTE_HITS && left > 0; n++) {
        size_t taken, bytes = eval_prefix_bytes(seen->hits[n].text, strlen(seen->hits[n].text), left, &taken);
        left -= taken;
        if (!(texts[n] = eval_normal_quote(scratch, seen->hits[n].text, bytes)))
            return arena_error(scratch, err, "measuring a turn");
    }
    for (size_t q = 0; q < turn->n_quotes; q++) {
        const char *quote = eval_normal_quote(scratch, turn->quotes[q], strlen(turn->quotes[q]));
        if (!quote)
            return arena_error(scratch, err, "measuring a turn");
        size_t i = 0;
        while (i < n && !strstr(texts[i], quote))
            i++;
        found += i < n;
    }
    *out = (double)found / (double)turn->n_quotes;
    return QA_OK;
}

/* ---- Answers ---- */

static qa_status measure_facts(const struct eval_turn *turn, const struct eval_seen *seen, struct arena *scratch,
                               double *out, bool *fact_found, qa_error *err) {
    size_t found = 0;
    const char *answer = seen->refused ? "" : eval_normal_answer(scratch, seen->answer);
    if (!answer)
        return arena_error(scratch, err, "measuring a turn");
    for (size_t f = 0; f < turn->n_facts; f++) {
        bool yes = false;
        for (size_t i = 0; i < turn->facts[f].n && !yes; i++) {
            const char *spelling = eval_normal_spelling(scratch, turn->facts[f].spellings[i]);
            if (!spelling)
                return arena_error(scratch, err, "measuring a turn");
            yes = eval_states(answer, spelling);
        }
        if (fact_found)
            fact_found[f] = yes;
        found += yes;
    }
    *out = (double)found / (double)turn->n_facts;
    return QA_OK;
}

struct words {
    char **items;
    size_t n;
};

/* Splits a normal form at its single spaces, in place. */
static bool split(struct arena *scratch, char *text, struct words *out) {
    size_t n = *text != '\0';
    for (const char *p = text; *p; p++)
        n += *p == ' ';
    *out = (struct words){.items = arena_array(scratch, n + 1, sizeof *out->items)};
    if (!out->items)
        return false;
    for (char *rest = *text ? text : NULL; rest;)
        out->items[out->n++] = strsep(&rest, " ");
    return true;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static double token_f1(struct words a, struct words b) {
    size_t common = 0;
    if (!a.n || !b.n)
        return a.n == b.n;
    qsort(a.items, a.n, sizeof *a.items, by_text);
    qsort(b.items, b.n, sizeof *b.items, by_text);
    for (size_t i = 0, j = 0; i < a.n && j < b.n;) {
        int c = strcmp(a.items[i], b.items[j]);
        common += c == 0;
        i += c <= 0;
        j += c >= 0;
    }
    return 2.0 * (double)common / (double)(a.n + b.n);
}

static qa_status measure_short(const struct eval_turn *turn, const struct eval_seen *seen, struct arena *scratch,
                               double *v, qa_error *err) {
    char *given = seen->refused || !seen->short_answer ? NULL : eval_normal_squad(scratch, seen->short_answer);
    struct words have, want;
    if (given == NULL && !seen->refused && seen->short_answer)
        return arena_error(scratch, err, "measuring a turn");
    if (turn->yes_no)
        v[EVAL_YES_NO] = given && strcmp(given, turn->yes_no) == 0;
    if (!turn->n_answers)
        return QA_OK;
    v[EVAL_EXACT] = v[EVAL_F1] = 0;
    for (size_t i = 0; given && i < turn->n_answers; i++) {
        char *gold = eval_normal_squad(scratch, turn->answers[i]);
        char *copy = gold ? arena_string(scratch, given) : NULL;
        if (!copy)
            return arena_error(scratch, err, "measuring a turn");
        v[EVAL_EXACT] = fmax(v[EVAL_EXACT], strcmp(given, gold) == 0);
        if (!split(scratch, copy, &have) || !split(scratch, gold, &want))
            return arena_error(scratch, err, "measuring a turn");
        v[EVAL_F1] = fmax(v[EVAL_F1], token_f1(have, want));
    }
    return QA_OK;
}

/* Two quotes speak of the same place when they share OVERLAP_WORDS words in a row, or one stands in the other whole. */
static bool overlap(struct words a, struct words b, size_t *row) {
    size_t need = OVERLAP_WORDS;
    need = a.n < need ? a.n : need;
    need = b.n < need ? b.n : need;
    if (!need)
        return false;
    memset(row, 0, (b.n + 1) * sizeof *row);
    for (size_t i = 0; i < a.n; i++)
        for (size_t j = b.n; j > 0; j--) {
            row[j] = strcmp(a.items[i], b.items[j - 1]) == 0 ? row[j - 1] + 1 : 0;
            if (row[j] == need)
                return true;
        }
    return false;
}

static qa_status quote_words(struct arena *scratch, const char *text, struct words *out, qa_error *err) {
    enum { BYTES_MAX = 20000 }; /* overlap() is a product of lengths */
    size_t n = strnlen(text, BYTES_MAX);
    char *normal = eval_normal_quote(scratch, text, n);
    return normal && split(scratch, normal, out) ? QA_OK : arena_error(scratch, err, "measuring a turn");
}

static qa_status quotes_cited(const struct eval_turn *turn, const struct eval_seen *seen, struct arena *scratch,
                              double *out, qa_error *err) {
    struct words *cited = arena_array(scratch, seen->n_citations + 1, sizeof *cited), gold;
    size_t found = 0;
    if (!cited)
        return arena_error(scratch, err, "measuring a turn");
    for (size_t i = 0; i < seen->n_citations; i++) {
        qa_status status = quote_words(scratch, seen->citations[i].text, &cited[i], err);
        if (status != QA_OK)
            return status;
    }
    for (size_t q = 0; q < turn->n_quotes; q++) {
        qa_status status = quote_words(scratch, turn->quotes[q], &gold, err);
        size_t *row = arena_array(scratch, gold.n + 1, sizeof *row), i = 0;
        if (status != QA_OK || !row)
            return status != QA_OK ? status : arena_error(scratch, err, "measuring a turn");
        while (i < seen->n_citations && !overlap(cited[i], gold, row))
            i++;
        found += i < seen->n_citations;
    }
    *out = (double)found / (double)turn->n_quotes;
    return QA_OK;
}

static qa_status measure_citations(const struct eval_turn *turn, bool all, const struct eval_seen *seen,
                                   struct arena *scratch, double *v, qa_error *err) {
    size_t n = seen->refused ? 0 : seen->n_citations, right = 0, gold = 0;
    for (size_t i = 0; i < n; i++)
        right += eval_is_gold(turn, seen->citations[i].doc);
    if (turn->n_docs && n)
        v[EVAL_CITATION_PRECISION] = (double)right / (double)n;
    if (turn->n_quotes && n)
        return quotes_cited(turn, seen, scratch, &v[EVAL_CITATION_RECALL], err);
    for (size_t g = 0; g < turn->n_docs; g++)
        for (size_t i = 0; i < n; i++)
            if (eval_doc_matches(turn->docs[g].doc, seen->citations[i].doc)) {
                gold++;
                break;
            }
    if (turn->n_docs)
        v[EVAL_CITATION_RECALL] = all ? (double)gold / (double)turn->n_docs : gold > 0;
    else if (turn->n_quotes)
        v[EVAL_CITATION_RECALL] = 0;
    return QA_OK;
}

qa_status eval_measure(const struct eval_turn *turn, bool all_docs_needed, const struct eval_seen *seen,
                       struct arena *scratch, struct eval_score *out, bool *fact_found, qa_error *err) {
    qa_status status = QA_OK;
    *out = (struct eval_score){.answered = seen->answered, .refused = seen->answered && seen->refused,
                               .answerable = turn->answerable};
    for (int i = 0; i < EVAL_TURN_METRICS; i++)
        out->values[i] = NAN;
    if (!turn->answerable)
        return QA_OK;
    if (turn->n_docs)
        status = measure_docs(turn, all_docs_needed, seen, scratch, out->values, err);
    if (status == QA_OK && turn->n_quotes)
        status = measure_quotes(turn, seen, scratch, &out->values[EVAL_QUOTE_5], err);
    if (!seen->answered)
        return status;
    if (status == QA_OK && turn->n_facts)
        status = measure_facts(turn, seen, scratch, &out->values[EVAL_FACTS], fact_found, err);
    if (status == QA_OK)
        status = measure_short(turn, seen, scratch, out->values, err);
    return status == QA_OK ? measure_citations(turn, all_docs_needed, seen, scratch, out->values, err) : status;
}

/* ---- Sums ---- */

void eval_tally_add(struct eval_tally *to, const struct eval_tally *from) {
    for (int i = 0; i < EVAL_TURN_METRICS; i++) {
        to->sums[i] += from->sums[i];
        to->counts[i] += from->counts[i];
    }
    to->answerable += from->answerable;
    to->unanswerable += from->unanswerable;
    to->refused_answerable += from->refused_answerable;
    to->refused_unanswerable += from->refused_unanswerable;
}

void eval_tally_score(struct eval_tally *to, const struct eval_score *score) {
    for (int i = 0; i < EVAL_TURN_METRICS; i++)
        if (!isnan(score->values[i])) {
            to->sums[i] += score->values[i];
            to->counts[i]++;
        }
    if (!score->answered)
        return;
    to->answerable += score->answerable;
    to->unanswerable += !score->answerable;
    to->refused_answerable += score->answerable && score->refused;
    to->refused_unanswerable += !score->answerable && score->refused;
}

static double ratio(double a, double b) { return b > 0 ? a / b : NAN; }

double eval_tally_value(const struct eval_tally *t, enum eval_metric metric) {
    double kept = ratio((double)t->refused_unanswerable, (double)t->unanswerable);
    double lost = ratio((double)t->refused_answerable, (double)t->answerable);
    switch (metric) {
    case EVAL_REFUSAL_PRECISION: return ratio((double)t->refused_unanswerable, (double)eval_tally_count(t, metric));
    case EVAL_REFUSAL_RECALL: return kept;
    case EVAL_BALANCED_ACCURACY: return (kept + 1 - lost) / 2;
    case EVAL_FALSE_REFUSALS: return lost;
    default: return metric < EVAL_TURN_METRICS ? ratio(t->sums[metric], (double)t->counts[metric]) : NAN;
    }
}

size_t eval_tally_count(const struct eval_tally *t, enum eval_metric metric) {
    switch (metric) {
    case EVAL_REFUSAL_PRECISION: return t->refused_answerable + t->refused_unanswerable;
    case EVAL_REFUSAL_RECALL: return t->unanswerable;
    case EVAL_BALANCED_ACCURACY: return t->answerable + t->unanswerable;
    case EVAL_FALSE_REFUSALS: return t->answerable;
    default: return metric < EVAL_TURN_METRICS ? t->counts[metric] : 0;
    }
}
