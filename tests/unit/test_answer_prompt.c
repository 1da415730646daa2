/* What a model is given: the stable part, turns, excerpts, the question; and what of them is left out for a small context.
 *
 * The wording of the prompt is measured, not tested. A token is a word here (fake/fake_generator.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/utf8.h"
#include "unit/answer_play.h"

static const char opening[] = "how do I open the notebook?";

static bool given(const struct play *p, const char *text) {
    for (size_t i = 0; i < p->fake.n_messages; i++)
        if (strstr(p->fake.messages[i].text, text))
            return true;
    return false;
}

static void test_prompt(void **state) {
    struct play *p = *state;
    play_whole(p, valid, VALID);
    size_t n = p->fake.n_messages;
    assert_int_equal(p->fake.calls, 1);
    assert_int_equal(p->fake.messages[0].role, GENERATOR_SYSTEM);
    for (size_t i = 1; i < n; i++)
        assert_int_equal(p->fake.messages[i].role, i % 2 ? GENERATOR_USER : GENERATOR_ASSISTANT);
    assert_int_equal(p->fake.messages[n - 1].role, GENERATOR_USER);
    assert_non_null(strstr(p->fake.messages[n - 1].text, valid));
    assert_non_null(strstr(p->fake.messages[n - 1].text, VALID));
    assert_non_null(strstr(p->fake.messages[n - 1].text, "Presigned URLs"));
    assert_true(p->fake.request.max_tokens > 0 && p->fake.request.temperature == 0);
    assert_int_equal(p->g.n_messages, n);
    for (size_t i = 0; i < n; i++) { /* what is kept is what was sent */
        assert_int_equal(p->g.messages[i].role, p->fake.messages[i].role);
        assert_string_equal(p->g.messages[i].text, p->fake.messages[i].text);
    }
    char *first = strdup(p->fake.messages[0].text);
    play_whole(p, opening, VALID); /* the stable part comes first */
    assert_string_equal(p->fake.messages[0].text, first);
    free(first);
}

static void test_turns(void **state) {
    static char huge[40000];
    for (size_t i = 0; i + 6 < sizeof huge; i += 5)
        memcpy(huge + i, "word ", 6);
    static const struct answer_turn turns[] = {
        {"first question?", "First answer. [1]"}, {huge, "Answer to much."}, {"third question?", NULL}, {"fourth question?", "Fourth answer. [1] It goes on [2] [13]."}};
    struct play *p = *state;
    p->g.turns = turns + 2;
    p->g.n_turns = 2;
    play_whole(p, valid, VALID);
    assert_int_equal(p->g.dropped_turns, 0);
    assert_false(given(p, "third question?")); /* a refusal */
    assert_true(given(p, "fourth question?"));
    size_t n = p->fake.n_messages;
    assert_string_equal(p->fake.messages[n - 3].text, "fourth question?");
    assert_int_equal(p->fake.messages[n - 3].role, GENERATOR_USER);
    assert_string_equal(p->fake.messages[n - 2].text, "Fourth answer. It goes on."); /* without the markers */
    assert_int_equal(p->fake.messages[n - 2].role, GENERATOR_ASSISTANT);
    p->g.turns = turns;
    p->g.n_turns = 4;
    play_whole(p, valid, VALID);
    assert_int_equal(p->g.dropped_turns, 2); /* the one that does not fit, and all before it */
    assert_false(given(p, "first question?"));
    assert_true(given(p, "fourth question?"));
    p->g.n_turns = 1;
    play_whole(p, valid, VALID);
    assert_int_equal(p->g.dropped_turns, 0);
    assert_true(given(p, "first question?"));
    static const struct answer_turn wordy = {"wordy question?", huge}; /* only the beginning of an answer is told */
    p->g.turns = &wordy;
    play_whole(p, valid, VALID);
    assert_int_equal(p->g.dropped_turns, 0);
    assert_true(given(p, "word word"));
    assert_false(given(p, huge));
    static char near[700]; /* about as long as what is told */
    for (size_t len = 596; len < 612; len++) {
        memset(near, 'x', len);
        near[len] = '\0';
        near[len > 600 ? 600 : len - 1] = ' ';
        const struct answer_turn turn = {"near question?", near};
        p->g.turns = &turn;
        play_whole(p, valid, VALID);
        assert_true(given(p, "near question?"));
    }
}

/* A question of few words is told with the one before it. */
static void test_bare_question(void **state) {
    static const struct answer_turn turn = {"may I extend a session with wombats?", NULL};
    struct play *p = *state;
    p->g.turns = &turn;
    p->g.n_turns = 1;
    play_whole(p, "and the URL?", SHARED);
    assert_true(given(p, "wombats"));
    play_whole(p, "can the presigned URL of a domain be shared with other users by an administrator?", SHARED);
    assert_false(given(p, "wombats"));
}

static const char *last_message(const struct play *p) { return p->fake.messages[p->fake.n_messages - 1].text; }

/* What is told of it is a part, in one line, and whole characters. */
static void test_bare_question_after_a_long_one(void **state) {
    static char words[16000], one_word[16000], lines[16000];
    for (size_t i = 0; i + 8 < sizeof words; i += 5)
        memcpy(words + i, "wolf ", 6);
    for (size_t i = 0; i + 8 < sizeof one_word; i += 3)
        memcpy(one_word + i, "\xE2\x82\xAC", 4);
    for (size_t i = 0; i + 8 < sizeof lines; i += 5)
        memcpy(lines + i, "wolf\n", 6);
    struct play *p = *state;
    play_whole(p, "and the URL?", SHARED);
    size_t without = strlen(last_message(p));
    const char *const long_ones[] = {words, one_word, lines};
    for (size_t i = 0; i < 3; i++) {
        const struct answer_turn turn = {long_ones[i], NULL};
        p->g.turns = &turn;
        p->g.n_turns = 1;
        play_whole(p, "and the URL?", SHARED);
        const char *told = strstr(last_message(p), " (asked after: ");
        assert_non_null(told);
        assert_true(strlen(told) > 200 && strlen(last_message(p)) <= without + 330);
        assert_int_equal(utf8_valid_len(told, strlen(told)), strlen(told));
        assert_null(strchr(told, '\n'));
        assert_non_null(strstr(told, " ...)"));
    }
}

static void test_long_answer_of_one_word(void **state) {
    static char answer[4000];
    for (size_t i = 0; i + 4 < sizeof answer; i += 3)
        memcpy(answer + i, "\xE2\x82\xAC", 4);
    const struct answer_turn turn = {"near question?", answer};
    struct play *p = *state;
    p->g.turns = &turn;
    p->g.n_turns = 1;
    play_whole(p, valid, VALID);
    const char *told = p->fake.messages[p->fake.n_messages - 2].text;
    assert_in_range(strlen(told), 590, 605);
    assert_int_equal(utf8_valid_len(told, strlen(told)), strlen(told));
}

/* ---- What fits ---- */

enum { STABLE = 5, UNITS = 4 };
static size_t words_of(const char *s) {
    size_t n = 0;
    for (; *s; s++)
        n += !strchr(" \t\n", *s) && (!s[1] || strchr(" \t\n", s[1]));
    return n;
}

struct size {
    size_t lines, turns, words; /* lines of excerpts */
};
static struct size measure(const struct play *p) {
    struct size s = {.turns = (p->fake.n_messages - STABLE - 1) / 2};
    for (const char *at = strstr(last_message(p), "\n\n## "); (at = strchr(at, '\n')); at++)
        s.lines += at[1] != '\n' && at[1] != '#' && at[1] != '\0' && strncmp(at + 1, "Question:", 9) != 0;
    for (size_t i = 0; i < p->fake.n_messages; i++)
        s.words += words_of(p->fake.messages[i].text);
    return s;
}

static bool holds_lines_of(const char *text, const char *part) {
    for (size_t n; *part; part += n + (part[n] == '\n')) {
        n = strcspn(part, "\n");
        if (n && !memmem(text, strlen(text), part, n))
            return false;
    }
    return true;
}

/* With every size of context: what is sent fits; turns go before units and the worse before the better; the stable part
 * stays. */
static void test_every_context(void **state) {
    static const struct answer_turn turns[] = {
        {"what is a presigned URL?", "An address that is signed. [1]"}, {"who may make one?", "An administrator. [1]"}, {"why?", "It is safe. [2]"}};
    struct play *p = *state;
    p->g.turns = turns;
    p->g.n_turns = 3;
    p->f.hits[2].passage.title = "A title of so many small words that the line below it costs more than any of the turns "
                                 "which one would like to keep in its place"; /* they must go before it all the same */
    play_whole(p, valid, VALID);
    const struct size whole = measure(p);
    const size_t counts = p->fake.counts;
    char *stable[STABLE], *last = strdup(last_message(p));
    for (size_t i = 0; i < STABLE; i++)
        stable[i] = strdup(p->fake.messages[i].text);
    assert_int_equal(whole.turns, 3);
    assert_int_equal(whole.lines, UNITS + 1); /* and a lead-in, which begins its passage */
    assert_true(given(p, "Call the API from the command line.\naws"));
    assert_int_equal(counts, STABLE + 2 + UNITS + 2 * whole.turns); /* each piece once */

    struct size before = {0};
    size_t answered_from = 0;
    char *smaller = strdup("");
    for (p->context = 1; p->context < 1000; p->context++) {
        play_whole(p, valid, VALID);
        if (!p->fake.calls) {
            char both[300];
            assert_int_equal(answered_from, 0);
            assert_string_equal(p->answer.text, VALID " [1]");
            assert_false(p->answer.generated);
            snprintf(both, sizeof both, "the model fake has a context of %zu tokens, and", p->context);
            assert_non_null(strstr(p->g.notice, both));
            continue;
        }
        struct size now = measure(p);
        assert_true(p->answer.generated);
        assert_null(p->g.notice);
        assert_true(now.words + p->fake.request.max_tokens + 8 * (p->fake.n_messages + 1) + 32 <= p->context); /* with the form */
        assert_true(now.lines >= before.lines && now.lines >= 1 && now.turns >= before.turns);
        assert_true(now.turns == 0 || now.lines == whole.lines);
        assert_int_equal(p->g.dropped_turns, 3 - now.turns);
        if (now.turns)
            assert_string_equal(p->fake.messages[p->fake.n_messages - 3].text, "why?"); /* the newest stays longest */
        assert_non_null(strstr(last_message(p), VALID)); /* the best one */
        assert_true(holds_lines_of(last_message(p), smaller));
        free(smaller);
        smaller = strdup(last_message(p));
        for (size_t i = 0; i < STABLE; i++)
            assert_string_equal(p->fake.messages[i].text, stable[i]);
        assert_true(p->fake.counts <= counts);
        answered_from = answered_from ? answered_from : p->context;
        before = now;
    }
    assert_true(answered_from > 300);
    assert_int_equal(before.lines + before.turns, whole.lines + whole.turns);
    assert_string_equal(last_message(p), last);

    /* The figure that is named is the one that is needed. */
    size_t needed = 0;
    p->context = answered_from - 1;
    play_whole(p, valid, VALID);
    assert_int_equal(sscanf(strstr(p->g.notice, "takes about "), "takes about %zu;", &needed), 1);
    assert_int_equal(needed, answered_from);
    for (size_t i = 0; i < STABLE; i++)
        free(stable[i]);
    free(last);
    free(smaller);
}

/* Where nobody says how many tokens a model holds there is a ceiling all the same. */
static void test_unknown_context(void **state) {
    static char question[16000];
    size_t at = (size_t)sprintf(question, "%s", valid);
    for (; at + 3 < sizeof question; at += 2)
        memcpy(question + at, " x", 3);
    struct play *p = *state;
    play_whole(p, question, VALID);
    assert_int_equal(p->fake.calls, 0);
    assert_non_null(strstr(p->g.notice, "does not say how large its context is, which is taken to be 4096 tokens"));
    p->context = 9000;
    play_whole(p, question, VALID);
    assert_int_equal(p->fake.calls, 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_prompt), TEST(test_turns), TEST(test_bare_question), TEST(test_bare_question_after_a_long_one),
        TEST(test_long_answer_of_one_word), TEST(test_every_context), TEST(test_unknown_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
