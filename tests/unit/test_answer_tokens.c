// Tokens, the patterns over them, and the tables of cues that are made of patterns.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "answer/answer_internal.h"
#include <stdio.h>
#include <string.h>

static struct tokens read_text(struct arena *a, const char *text) {
    struct tokens t;
    assert_int_equal(answer_tokens(a, text, strlen(text), &t, NULL), QA_OK);
    return t;
}

static void tokens(void **state) {
    (void)state;
    static const struct {
        const char *text, *tokens; // kinds: w word, n number, v version, m mark
    } rows[] = {
        {"Don’t use it's, can't", "dont/w use/w its/w ,/m cant/w"},
        {"5-minute 64KB 60s 10%", "5/n minute/w 64/n kb/w 60/n s/w 10/n %/m"},
        {"1,000 items, 3,5", "1,000/n items/w ,/m 3/n ,/m 5/n"},
        {"0.5 2.98.0 v1.2 1e-5 2e5x", "0.5/n 2.98.0/v v1.2/v 1e-5/n 2e5x/w"},
        {"ml.g5.4xlarge us-east-1 p3.8xlarge", "ml.g5.4xlarge/w us-east-1/w p3.8xlarge/w"},
        {"2021-05-01", "2021-05-01/w"},
        {"max_jobs --dry-run a - b", "max_jobs/w --dry-run/w a/w -/m b/w"},
        {"Five (half) \xE2\x80\x9Cof\xE2\x80\x9D", "five/n (/m half/n )/m \xE2\x80\x9C/m of/w \xE2\x80\x9D/m"},
        {"twenty-four forty nineteen, ninety-nine", "twenty-four/n forty/n nineteen/n ,/m ninety-nine/n"},
        {"twenty-ten four-twenty hundred tens", "twenty-ten/w four-twenty/w hundred/w tens/w"},
        {"4xlarge 3x", "4xlarge/w 3x/w"},
        {"ends. Über", "ends/w ./m \xC3\x9C" "ber/w"},
        {"", ""},
        {"--", "-/m"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = {.ceiling = 1 << 20};
        struct tokens t = read_text(&a, rows[i].text);
        char got[512] = "";
        for (size_t k = 0; k < t.n; k++) {
            size_t at = strlen(got);
            snprintf(got + at, sizeof got - at, "%s%s/%c", k ? " " : "", t.items[k].s, "wnvm"[t.items[k].kind]);
            assert_true(t.items[k].end > t.items[k].start && t.items[k].end <= strlen(rows[i].text));
        }
        assert_string_equal(got, rows[i].tokens);
        arena_free(&a);
    }
}

static void patterns(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *text;
        int first; // token; -1: no match
    } rows[] = {
        {"how many|much", "tell me how much", 2},
        {"how many|much", "how are many", -1},
        {"day*", "a daydream", 1},
        {"day", "a daydream", -1},
        {"# [business day*", "within 3 business days", 1},
        {"# [business day*", "within 3 days", 1},
        {"^ is", "is it", 0},
        {"^ is", "what is", -1},
        {"possible ? $", "is it possible?", 2},
        {"possible ? $", "possible? yes", -1},
        {"up to ~ days", "up to one two three four days", 0},
        {"up to ~ days", "up to one two three four five six days", -1},
        {"what ... and", "what is this thing that we all see here and there", 0},
        {"what ... and", "this and what", -1},
        {"#|few", "a few", 1},
        {"#|few", "v1.2", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = {.ceiling = 1 << 20};
        struct tokens t = read_text(&a, rows[i].text);
        size_t first = 0;
        int got = answer_find(&t, rows[i].pattern, 0, &first, NULL) ? (int)first : -1;
        if (got != rows[i].first)
            fail_msg("%s in %s: %d", rows[i].pattern, rows[i].text, got);
        arena_free(&a);
    }
}

static void questions_ask(void **state) {
    (void)state;
    static const struct {
        const char *question;
        unsigned cues;
    } rows[] = {
        {"how many subnets must I create", CUE_NUMBER},
        {"how long is the URL valid?", CUE_NUMBER | CUE_TIME},
        {"what is the default timeout?", CUE_NUMBER | CUE_TIME | CUE_DEFAULT},
        {"what happens if we don't set it?", CUE_DEFAULT},
        {"the largest file?", CUE_MAXIMUM},
        {"how many jobs may run", CUE_NUMBER | CUE_MAXIMUM},
        {"can I use it", CUE_YES_NO},
        {"endpoints, are they encrypted?", CUE_YES_NO},
        {"is tagging possible?", CUE_YES_NO},
        {"what tagging is possible?", 0},
        {"how do I delete it", CUE_HOW},
        {"create an endpoint", CUE_HOW},
        {"which API creates it", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = {.ceiling = 1 << 20};
        struct tokens t = read_text(&a, rows[i].question);
        unsigned cues = answer_question_cues(&t);
        if (cues != rows[i].cues)
            fail_msg("%s: %x, not %x", rows[i].question, cues, rows[i].cues);
        arena_free(&a);
    }
}

static void units_offer(void **state) {
    (void)state;
    static const struct {
        unsigned cue;
        const char *unit;
        int tenths;
    } rows[] = {
        {CUE_NUMBER, "there are five of them", 10},      {CUE_NUMBER, "there are some of them", 0},
        {CUE_TIME, "within 5 business days", 10},        {CUE_TIME, "a 10-minute walk", 10},
        {CUE_TIME, "5 of them", 0},                      {CUE_TIME, "a few days", 10},
        {CUE_DEFAULT, "it defaults to this", 10},        {CUE_DEFAULT, "it is this", 0},
        {CUE_MAXIMUM, "no more than this", 10},          {CUE_MAXIMUM, "this", 0},
        {CUE_YES_NO, "you can't do it", 10},             {CUE_YES_NO, "you can do it", 4},
        {CUE_YES_NO, "a thing", 0},                      {CUE_HOW, "To create it, go", 10},
        {CUE_HOW, "Choose this", 10},                    {CUE_HOW, "It chooses this", 0},
        {CUE_NUMBER | CUE_DEFAULT, "default is 5", 20},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = {.ceiling = 1 << 20};
        struct tokens t = read_text(&a, rows[i].unit);
        int tenths = (int)(answer_cue_value(&t, rows[i].cue) * 10 + 0.5);
        if (tenths != rows[i].tenths)
            fail_msg("%s: %d", rows[i].unit, tenths);
        arena_free(&a);
    }
}

static void money(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool asks, names;
    } rows[] = {
        {"how much does an hour of it cost", true, false}, {"what is the hourly rate", true, false}, {"price of it", true, false},
        {"how much memory", false, false},                 {"it is $0.05 an hour", false, true},     {"5 dollars", true, true},
        {"run $HOME/bin", false, false},                   {"\xE2\x82\xAC" "5 a day", false, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = {.ceiling = 1 << 20};
        struct tokens t = read_text(&a, rows[i].text);
        if (answer_asks_price(&t) != rows[i].asks || answer_names_amount(&t) != rows[i].names)
            fail_msg("%s", rows[i].text);
        arena_free(&a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens), cmocka_unit_test(patterns), cmocka_unit_test(questions_ask), cmocka_unit_test(units_offer), cmocka_unit_test(money),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
