#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "eval/eval.h"
#include <math.h>
#include <string.h>

static struct arena arena = {.ceiling = 64 << 20};

static int reset(void **state) {
    (void)state;
    arena_free(&arena);
    return 0;
}

static bool same(double a, double b) { return isnan(a) ? isnan(b) : fabs(a - b) < 1e-9; }

static void document_names(void **state) {
    (void)state;
    static const struct {
        const char *a, *b;
        bool yes;
    } rows[] = {
        {"spot.md", "spot.md", true}, {"spot.md", "docs/spot.md", true}, {"documents/x/spot.md", "x/spot.md", true},
        {"spot.md", "docs/myspot.md", false}, {"x/spot.md", "y/spot.md", false}, {"spot.md", "Spot.md", false}, {"", "spot.md", false},
        {"/spot.md", "docs/spot.md", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(eval_doc_matches(rows[i].a, rows[i].b), rows[i].yes);
        assert_int_equal(eval_doc_matches(rows[i].b, rows[i].a), rows[i].yes);
    }
}

/* ---- Finding: hits as one letter a passage, gold as documents with grades ---- */

static struct eval_score retrieval(const char *hits, const char *gold, const double *grades, bool all) {
    static char names[26][2];
    struct eval_passage list[64];
    struct eval_gold docs[8];
    struct eval_seen seen = {.hits = list, .n_hits = strlen(hits)};
    struct eval_turn turn = {.question = "?", .answerable = true, .docs = docs, .n_docs = strlen(gold)};
    struct eval_score score;
    for (int i = 0; i < 26; i++)
        names[i][0] = (char)('a' + i);
    for (size_t i = 0; i < seen.n_hits; i++)
        list[i] = (struct eval_passage){names[hits[i] - 'a'], "text"};
    for (size_t i = 0; i < turn.n_docs; i++)
        docs[i] = (struct eval_gold){names[gold[i] - 'a'], grades ? grades[i] : 1};
    assert_int_equal(eval_measure(&turn, all, &seen, &arena, &score, NULL, NULL), QA_OK);
    return score;
}

static void finding(void **state) {
    (void)state;
    static const double grades[] = {3, 1};
    const double second = 1 / log2(3), third = 0.5, fourth = 1 / log2(5);
    const struct {
        const char *what, *hits, *gold;
        const double *grades;
        bool all;
        double at1, at5, at10, at20, mrr, ndcg;
    } rows[] = {
        {"first", "abc", "a", NULL, false, 1, 1, 1, 1, 1, 1},
        {"ranks are of distinct documents", "aaaaaabbbb", "b", NULL, false, 0, 1, 1, 1, 0.5, second},
        {"sixth", "abcdefg", "f", NULL, false, 0, 0, 1, 1, 1.0 / 6, 1 / log2(7)},
        {"eleventh counts for recall@20 alone", "abcdefghijk", "k", NULL, false, 0, 0, 0, 1, 0, 0},
        {"twenty-first counts for nothing", "abcdefghijklmnopqrstu", "u", NULL, false, 0, 0, 0, 0, 0, 0},
        {"not found", "abc", "z", NULL, false, 0, 0, 0, 0, 0, 0},
        {"no hits", "", "a", NULL, false, 0, 0, 0, 0, 0, 0},
        {"any one of several suffices", "xbya", "ab", NULL, false, 0, 1, 1, 1, 0.5, (second + fourth) / (1 + second)},
        {"all needed: the share", "axxxxyyzwvub", "ab", NULL, true, 0.5, 0.5, 1, 1, 1, (1 + 1 / log2(9)) / (1 + second)},
        {"grades are gains", "xba", "ab", grades, false, 0, 1, 1, 1, 0.5, (second * 1 + third * 3) / (3 + second)},
        {"grades, ideal order", "ab", "ba", (const double[]){1, 3}, false, 1, 1, 1, 1, 1, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct eval_score s = retrieval(rows[i].hits, rows[i].gold, rows[i].grades, rows[i].all);
        const double want[] = {rows[i].at1, rows[i].at5, rows[i].at10, rows[i].at20, rows[i].mrr, rows[i].ndcg};
        for (int m = EVAL_DOC_1; m <= EVAL_NDCG_10; m++)
            if (!same(s.values[m], want[m]))
                fail_msg("%s: %s is %f, not %f", rows[i].what, eval_metric_infos[m].name, s.values[m], want[m]);
        assert_true(isnan(s.values[EVAL_QUOTE_5]) && isnan(s.values[EVAL_FACTS]));
    }
}

/* ---- Quotes ---- */

static char *filler(size_t characters, const char *tail) { /* two bytes a character */
    char *text = arena_alloc(&arena, characters * 2 + strlen(tail) + 1);
    for (size_t i = 0; i < characters; i++)
        memcpy(text + 2 * i, "ä", 2);
    strcpy(text + 2 * characters, tail);
    return text;
}

static double quote_recall(const char *const *texts, size_t n, const char *const *quotes, size_t n_quotes) {
    struct eval_passage hits[8];
    struct eval_turn turn = {.answerable = true, .quotes = (const char **)quotes, .n_quotes = n_quotes};
    struct eval_seen seen = {.hits = hits, .n_hits = n};
    struct eval_score score;
    for (size_t i = 0; i < n; i++)
        hits[i] = (struct eval_passage){"d", texts[i]};
    assert_int_equal(eval_measure(&turn, false, &seen, &arena, &score, NULL, NULL), QA_OK);
    return score.values[EVAL_QUOTE_5];
}

static void quotes(void **state) {
    (void)state;
    const char *const quote[] = {"The *limit* is 5\\-10"}, *const two[] = {"alpha beta", "gamma"};
    const struct {
        const char *what, *texts[6];
        size_t n;
        const char *const *quotes;
        size_t n_quotes;
        double want;
    } rows[] = {
        {"normalised on both sides", {"x", "the `limit`\n is 5-10."}, 2, quote, 1, 1},
        {"not across passages", {"the limit", "is 5-10"}, 2, quote, 1, 0},
        {"the sixth passage does not count", {"1", "2", "3", "4", "5", "the limit is 5-10"}, 6, quote, 1, 0},
        {"within 5,000 characters of all", {filler(2500, ""), filler(2483, "the limit is 5-10")}, 2, quote, 1, 1},
        {"one more character is cut", {filler(2500, ""), filler(2484, "the limit is 5-10")}, 2, quote, 1, 0},
        {"nothing is left for the third", {filler(2500, ""), filler(2500, ""), "the limit is 5-10"}, 3, quote, 1, 0},
        {"several quotes: the share", {"gamma"}, 1, two, 2, 0.5},
        {"no hits", {NULL}, 0, quote, 1, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!same(quote_recall(rows[i].texts, rows[i].n, rows[i].quotes, rows[i].n_quotes), rows[i].want))
            fail_msg("%s", rows[i].what);
}

/* ---- Answers ---- */

static void answered(void **state) {
    (void)state;
    static const char *minutes[] = {"5 minutes", "five minutes"}, *hosts[] = {"notebook"}, *golds[] = {"the cat sat", "a red dog"},
                      *quote[] = {"is valid only for 5 minutes\\. After that it expires"};
    static struct eval_fact two_facts[] = {{minutes, 2}, {hosts, 1}};
    static struct eval_gold doc[] = {{"a.md", 1}}, two_docs[] = {{"a.md", 1}, {"b.md", 1}};
    static const struct eval_passage right[] = {{"x/a.md", "The URL is valid only for **5 minutes**."}},
                                     mixed[] = {{"a.md", "another sentence of the right page"}, {"z.md", "no"}}, none[] = {{"z", "z"}};
    const struct eval_turn facts = {.answerable = true, .facts = two_facts, .n_facts = 2},
                           spans = {.answerable = true, .answers = golds, .n_answers = 2}, yes = {.answerable = true, .yes_no = "yes"},
                           cited = {.answerable = true, .docs = doc, .n_docs = 1, .quotes = quote, .n_quotes = 1},
                           cited_docs = {.answerable = true, .docs = two_docs, .n_docs = 2},
                           open = {.answerable = false, .facts = two_facts, .n_facts = 2, .docs = doc, .n_docs = 1};
    const struct {
        const char *what;
        const struct eval_turn *turn;
        bool refused;
        const char *answer, *short_answer;
        const struct eval_passage *citations;
        size_t n;
        bool all;
        enum eval_metric metric;
        double want;
    } rows[] = {
        {"half of the facts", &facts, false, "For Five minutes [1].", NULL, none, 0, false, EVAL_FACTS, 0.5},
        {"all facts", &facts, false, "A notebook URL: 5 minutes.", NULL, none, 0, false, EVAL_FACTS, 1},
        {"a refused answer states nothing", &facts, true, "notebook 5 minutes", NULL, none, 0, false, EVAL_FACTS, 0},
        {"unanswerable turns have no facts", &open, false, "notebook 5 minutes", NULL, none, 0, false, EVAL_FACTS, NAN},
        {"exact after normalisation", &spans, false, "", "A Red, Dog!", none, 0, false, EVAL_EXACT, 1},
        {"not exact", &spans, false, "", "red dogs", none, 0, false, EVAL_EXACT, 0},
        {"the best F1 of the answers", &spans, false, "", "cat sat down", none, 0, false, EVAL_F1, 0.8},
        {"words are counted, not looked up", &spans, false, "", "cat cat cat", none, 0, false, EVAL_F1, 0.4},
        {"no short answer", &spans, false, "cat sat", NULL, none, 0, false, EVAL_F1, 0},
        {"nothing in common", &spans, false, "", "bird", none, 0, false, EVAL_F1, 0},
        {"refused, short answer ignored", &spans, true, "", "cat sat", none, 0, false, EVAL_EXACT, 0},
        {"yes", &yes, false, "", "Yes.", none, 0, false, EVAL_YES_NO, 1},
        {"no for yes", &yes, false, "", "no", none, 0, false, EVAL_YES_NO, 0},
        {"neither yes nor no", &yes, false, "yes", NULL, none, 0, false, EVAL_YES_NO, 0},
        {"yes/no does not apply", &spans, false, "", "yes", none, 0, false, EVAL_YES_NO, NAN},
        {"citation of the gold document", &cited, false, "", NULL, right, 1, false, EVAL_CITATION_PRECISION, 1},
        {"half of the citations", &cited, false, "", NULL, mixed, 2, false, EVAL_CITATION_PRECISION, 0.5},
        {"no citations: precision does not apply", &cited, false, "", NULL, none, 0, false, EVAL_CITATION_PRECISION, NAN},
        {"five words in a row with the gold quote", &cited, false, "", NULL, right, 1, false, EVAL_CITATION_RECALL, 1},
        {"the gold document at another place", &cited, false, "", NULL, mixed, 2, false, EVAL_CITATION_RECALL, 0},
        {"no citations: nothing recalled", &cited, false, "", NULL, none, 0, false, EVAL_CITATION_RECALL, 0},
        {"refused: nothing recalled", &cited, true, "", NULL, right, 1, false, EVAL_CITATION_RECALL, 0},
        {"without gold quotes one document suffices", &cited_docs, false, "", NULL, right, 1, false, EVAL_CITATION_RECALL, 1},
        {"or the share when all are needed", &cited_docs, false, "", NULL, right, 1, true, EVAL_CITATION_RECALL, 0.5},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct eval_seen seen = {.answered = true, .refused = rows[i].refused, .answer = rows[i].answer, .short_answer = rows[i].short_answer,
                                 .citations = rows[i].citations, .n_citations = rows[i].n};
        struct eval_score s;
        assert_int_equal(eval_measure(rows[i].turn, rows[i].all, &seen, &arena, &s, NULL, NULL), QA_OK);
        if (!same(s.values[rows[i].metric], rows[i].want))
            fail_msg("%s: %f", rows[i].what, s.values[rows[i].metric]);
        seen.answered = false; /* a run that only searches */
        assert_int_equal(eval_measure(rows[i].turn, rows[i].all, &seen, &arena, &s, NULL, NULL), QA_OK);
        assert_true(isnan(s.values[rows[i].metric]));
    }
}

static void found_facts_are_named(void **state) {
    (void)state;
    static const char *one[] = {"alpha"}, *two[] = {"beta"};
    struct eval_fact facts[] = {{one, 1}, {two, 1}};
    struct eval_turn turn = {.answerable = true, .facts = facts, .n_facts = 2};
    struct eval_seen seen = {.answered = true, .answer = "beta"};
    struct eval_score s;
    bool found[2] = {true, false};
    assert_int_equal(eval_measure(&turn, false, &seen, &arena, &s, found, NULL), QA_OK);
    assert_false(found[0]);
    assert_true(found[1]);
}

/* ---- Sums ---- */

static void add(struct eval_tally *t, bool answerable, bool refused, double facts) {
    struct eval_score s = {.answered = true, .answerable = answerable, .refused = refused};
    for (int m = 0; m < EVAL_TURN_METRICS; m++)
        s.values[m] = NAN;
    s.values[EVAL_FACTS] = facts;
    eval_tally_score(t, &s);
}

static void refusals_and_means(void **state) {
    (void)state;
    struct eval_tally t = {0};
    for (int i = 0; i < EVAL_TALLY_METRICS; i++)
        assert_true(isnan(eval_tally_value(&t, (enum eval_metric)i)));
    add(&t, true, false, 1);
    add(&t, true, false, 0.5);
    add(&t, true, true, 0);
    add(&t, true, false, NAN); /* has no facts */
    assert_true(isnan(eval_tally_value(&t, EVAL_BALANCED_ACCURACY))); /* nothing unanswerable yet */
    assert_true(same(eval_tally_value(&t, EVAL_REFUSAL_PRECISION), 0));
    add(&t, false, true, NAN);
    add(&t, false, false, NAN);
    assert_true(same(eval_tally_value(&t, EVAL_FACTS), 0.5));
    assert_int_equal(eval_tally_count(&t, EVAL_FACTS), 3);
    assert_true(same(eval_tally_value(&t, EVAL_REFUSAL_PRECISION), 0.5)); /* 1 of 2 refused */
    assert_true(same(eval_tally_value(&t, EVAL_REFUSAL_RECALL), 0.5));    /* 1 of 2 unanswerable */
    assert_true(same(eval_tally_value(&t, EVAL_FALSE_REFUSALS), 0.25));   /* 1 of 4 answerable */
    assert_true(same(eval_tally_value(&t, EVAL_BALANCED_ACCURACY), (0.5 + 0.75) / 2));
}

static void percentiles(void **state) {
    (void)state;
    const double v[] = {1, 2, 4, 8};
    assert_true(isnan(eval_percentile(v, 0, 0.5)));
    assert_true(same(eval_percentile(v, 1, 0.95), 1));
    assert_true(same(eval_percentile(v, 4, 0.5), 3));
    assert_true(same(eval_percentile(v, 4, 0), 1));
    assert_true(same(eval_percentile(v, 4, 1), 8));
    assert_true(same(eval_percentile(v, 4, 0.95), 4 + 0.85 * 4));
}

/* ---- Intervals ---- */

static struct eval_interval facts_interval(const struct eval_tally *now, const struct eval_tally *before, size_t n) {
    struct eval_interval out[EVAL_TALLY_METRICS];
    assert_int_equal(eval_bootstrap(now, before, n, &arena, out, NULL), QA_OK);
    assert_true(isnan(out[EVAL_EXACT].low) && isnan(out[EVAL_EXACT].high)); /* never measured */
    return out[EVAL_FACTS];
}

static void intervals(void **state) {
    (void)state;
    enum { N = 100 };
    struct eval_tally half[N] = {0}, better[N] = {0}, certain[N] = {0};
    for (int i = 0; i < N; i++) {
        add(&half[i], true, false, i % 2);
        add(&better[i], true, false, i % 2 || i % 10 == 0 ? 1 : 0); /* one in ten became right */
        add(&certain[i], true, false, 1);
    }
    struct eval_interval a = facts_interval(half, NULL, N), again = facts_interval(half, NULL, N);
    assert_true(a.low == again.low && a.high == again.high);
    assert_true(a.low > 0.38 && a.low < 0.42 && a.high > 0.58 && a.high < 0.62); /* 0.5 +- 1.96 * sqrt(0.25 / 100) */
    struct eval_interval d = facts_interval(better, half, N);
    assert_true(d.low > 0.03 && d.low < 0.06 && d.high > 0.14 && d.high < 0.18); /* pairing: far narrower than two intervals */
    struct eval_interval c = facts_interval(certain, NULL, N);
    assert_true(c.low == 1 && c.high == 1);
    assert_true(isnan(facts_interval(half, NULL, 1).low)); /* one conversation */
}

static void conversations_are_drawn_not_turns(void **state) {
    (void)state;
    enum { N = 20, TURNS = 10 };
    struct eval_tally together[N] = {0}, apart[N * TURNS] = {0};
    for (int i = 0; i < N * TURNS; i++) { /* turns of a conversation agree */
        add(&together[i / TURNS], true, false, i / TURNS % 2);
        add(&apart[i], true, false, i / TURNS % 2);
    }
    struct eval_interval wide = facts_interval(together, NULL, N), narrow = facts_interval(apart, NULL, N * TURNS);
    assert_true(wide.high - wide.low > 2 * (narrow.high - narrow.low));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(document_names, reset),
        cmocka_unit_test_teardown(finding, reset),
        cmocka_unit_test_teardown(quotes, reset),
        cmocka_unit_test_teardown(answered, reset),
        cmocka_unit_test_teardown(found_facts_are_named, reset),
        cmocka_unit_test_teardown(refusals_and_means, reset),
        cmocka_unit_test_teardown(percentiles, reset),
        cmocka_unit_test_teardown(intervals, reset),
        cmocka_unit_test_teardown(conversations_are_drawn_not_turns, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
