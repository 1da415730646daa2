/* What a model writes, played from scripts: sentences released whole, markers and citations, what is dropped, how it ends.
 *
 * The thresholds of the check are measured, not tested: sentences here stand in the passages, or have nothing to do with
 * them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "unit/answer_play.h"

static const char opening[] = "how do I open the notebook?", sharing[] = "is the URL shared with other users?";
static const char calling[] = "which command creates a presigned domain URL?";

/* ---- What becomes of a text ---- */

/* NULL: the extractive answer stands. What is expected begins the answer: the best unit may follow, where the model left
 * it out. */
static void test_texts(void **state) {
    static const struct {
        const char *what, *question, *script, *text;
    } rows[] = {
        {"a sentence of a passage", valid, VALID, VALID " [1]"},
        {"two", valid, VALID " " EXTEND, VALID " [1] " EXTEND " [1]"},
        {"a last one without an end stop", valid, "The presigned URL is valid for 5 minutes", "The presigned URL is valid for 5 minutes [1]"},
        {"blanks around and between", valid, "\n\n  " VALID "   " EXTEND " \n", VALID " [1] " EXTEND " [1]"},
        {"one of elsewhere at the end", valid, VALID " " CATS, VALID " [1]"},
        {"one of elsewhere between", valid, VALID " " CATS " " EXTEND, VALID " [1] " EXTEND " [1]"},
        {"one of elsewhere first: the model is stopped", valid, CATS " " VALID, NULL},
        {"nothing that stands anywhere", valid, CATS " Dogs bark at the moon.", NULL},
        {"a marker before the end stop", valid, "The presigned URL is valid for 5 minutes [7].", VALID " [1]"},
        {"markers behind the end stop", valid, VALID " [2] " EXTEND " [1, 3]", VALID " [1] " EXTEND " [1]"},
        {"a marker that touches", valid, "The presigned URL is valid for 5 minutes[^2]. " EXTEND "[1]", VALID " [1] " EXTEND " [1]"},
        {"a marker inside", valid, "The presigned URL [3] is valid for 5 minutes.", VALID " [1]"},
        {"spaces in a row", valid, "The   presigned \xE2\x80\xA8 URL\xC2\xA0is valid for [2]  5 minutes.", VALID " [1]"},
        {"what nobody sees", valid, "The \x1b presigned\xE2\x80\xAE URL\xE2\x80\x8B is\xC2\x85 valid\x07 for 5 minutes.", VALID " [1]"},
        {"nothing but markers", valid, "[1] [2]", NULL},
        {"no markers: brackets of the text", sharing, SHARED " The URL cannot be shared [with other users] unless an administrator agrees.",
         SHARED " [1] The URL cannot be shared [with other users] unless an administrator agrees. [1]"},
        {"a list with its introduction", opening, "To open the notebook:\n- Choose Open in the console.\n- Select the `ml.t3.medium` instance type.",
         "To open the notebook:\n- Choose Open in the console. [2]\n- Select the `ml.t3.medium` instance type. [2]"},
        {"a numbered list", opening, "To open the notebook:\n\n1. Choose Open in the console.\n2. Select the `ml.t3.medium` instance type.\n10. Wait until the status is InService.",
         "To open the notebook:\n1. Choose Open in the console. [2]\n2. Select the `ml.t3.medium` instance type. [2]\n10. Wait until the status is InService. [2]"},
        {"an introduction with nothing behind it", opening, "Choose Open in the console. To do the next thing:", "Choose Open in the console. [2]"},
        {"an introduction of something of elsewhere falls with it", opening, "Choose Open in the console. Cats do this: " CATS " Select the `ml.t3.medium` instance type.",
         "Choose Open in the console. [2] Select the `ml.t3.medium` instance type. [2]"},
        {"an item of elsewhere in a list", opening, "- Choose Open in the console.\n- " CATS "\n- Wait until the status is InService.",
         "- Choose Open in the console. [2]\n- Wait until the status is InService. [2]"},
        {"code, without its fence", calling, "Call the API from the command line.\n```bash\naws sagemaker create-presigned-domain-url --domain-id d-1\n```\n",
         "Call the API from the command line. [3]\naws sagemaker create-presigned-domain-url --domain-id d-1 [3]"},
        {"a denial with its No", sharing, "No. " SHARED, "No. " SHARED " [1]"},
        {"a Yes does not introduce a denial", sharing, "Yes. " SHARED, SHARED " [1]"},
        {"a Yes is no introduction where none is asked for", valid, "Yes. " VALID, NULL},
        {"said again", valid, VALID " " EXTEND " " VALID " " SHARED, VALID " [1] " EXTEND " [1]"},
        {"what was no UTF-8", valid, VALID " You can extend the session to 12 hours in the domain settings\xEF\xBF\xBD.",
         VALID " [1] You can extend the session to 12 hours in the domain settings\xEF\xBF\xBD. [1]"},
        {"a No and an introduction", sharing, "No. This holds for links:\n" SHARED, "No. This holds for links:\n" SHARED " [1]"},
        {"three that wait", sharing, "No. This holds for links: Mind this: " SHARED, "No. This holds for links: Mind this: " SHARED " [1]"},
        {"two that wait fall together", sharing, SHARED " This holds for cats: And this: " CATS " " EXTEND, SHARED " [1] " EXTEND " [1]"},
        {"of two that wait the one that goes with it", sharing, "Yes. This holds for links:\n" SHARED,
         "This holds for links:\n" SHARED " [1]"},
    };
    struct play *p = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        play_whole(p, rows[i].question, rows[i].script);
        if (!rows[i].text) {
            if (p->answer.generated || !p->g.discarded || p->answer.n_sentences == 0)
                fail_msg("%s: not the extractive answer: %s", rows[i].what, p->answer.text);
            continue;
        }
        if (!p->answer.generated || p->g.discarded || strncmp(p->answer.text, rows[i].text, strlen(rows[i].text)) != 0)
            fail_msg("%s: %s\nnot %s", rows[i].what, p->answer.text, rows[i].text);
        assert_string_equal(p->tokens.data, p->fake.pieces_given ? rows[i].script : "");
        assert_null(p->g.notice);
        assert_false(p->g.stopped);
    }
}

/* The best unit is added once, and only where the model left it out. */
static void test_the_best_is_said(void **state) {
    struct play *p = *state;
    play_whole(p, valid, VALID);
    assert_string_equal(p->answer.text, VALID " [1]");
    play_whole(p, valid, SHARED);
    assert_string_equal(p->answer.text, SHARED " [1] " VALID " [1]");
    assert_int_equal(p->answer.n_sentences, 2);
    assert_int_equal(p->answer.sentences[1].support, QA_SUPPORT_QUOTE);
    play_whole(p, calling, "Call the API from the command line."); /* a line of code on a line of its own */
    assert_string_equal(p->answer.text, "Call the API from the command line. [3]\naws sagemaker create-presigned-domain-url --domain-id d-1 [3]");
}

/* ---- However it is cut ---- */

static void play_cut(struct play *p, const char *question, const char *script, const bool *ends) {
    size_t n = strlen(script), at = 0, count = 0;
    char *bytes = calloc(1, 2 * n + 2);
    const char **pieces = calloc(n + 2, sizeof *pieces);
    for (size_t i = 0; i < n; i++) {
        if (i && ends[i] && ((unsigned char)script[i] & 0xC0) != 0x80)
            bytes[at++] = '\0';
        if (!i || !bytes[at - 1])
            pieces[count++] = bytes + at;
        bytes[at++] = script[i];
    }
    assert_int_equal(play(p, question, pieces), QA_OK);
    free(pieces);
    free(bytes);
}

static void test_splits(void **state) {
    static const struct {
        const char *question, *script;
    } rows[] = {
        {valid, VALID " [1] " EXTEND " [1, 2]. See e.g. the example vs. " CATS " It takes 1.5 hours, i.e. long! Really?! " SHARED},
        {valid, VALID " ml.t3.medium is the type. e.g. this one. iPhone users do not. a.b " EXTEND " boto3. fit() is. " SHARED},
        {valid, VALID "\n`ml.t3.medium` is the instance type to select. (see below) \"domain settings\" are there. " EXTEND " (see above) [3] " SHARED},
        {valid, VALID "\n**you can extend** the session to 12 hours in the domain settings. _so_ " SHARED "\n\n\n" CATS},
        {valid, VALID " \xE2\x80\x9C" EXTEND "\xE2\x80\x9D \xE2\x80\x98the URL\xE2\x80\x99 cannot be shared with other users unless an administrator agrees.\xEF\xBF\xBD"},
        {valid, VALID "\xE3\x80\x82\xE3\x80\x8D" EXTEND "\r\n" SHARED " No. 5 is here etc. 7 more"},
        {opening, "To open the notebook:\n\n1. Choose Open in the console.\n2. Select the `ml.t3.medium` instance type.\n   - Wait until the status is InService.\n"},
        {calling, "Call the API from the command line:\n\n```bash\naws sagemaker create-presigned-domain-url --domain-id d-1\n```\n" CATS "\n- "},
        {valid, VALID " " SHARED " a.k.a. that. " EXTEND},
        {sharing, "No. " SHARED " " VALID " 3! Items? 12. " EXTEND},
    };
    struct play *p = *state;
    uint64_t chance = 7;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *script = rows[i].script;
        size_t n = strlen(script);
        bool ends[1000];
        assert_true(n < sizeof ends);
        play_whole(p, rows[i].question, script);
        char *whole = strdup(p->answer.text);
        size_t n_whole = p->n_told;
        if (!p->answer.generated)
            fail_msg("%s: none of it was released", script);
        for (size_t way = 0; way < n + 100; way++) {
            for (size_t k = 0; k < n; k++) {
                chance = chance * 6364136223846793005ull + 1442695040888963407ull;
                ends[k] = way < n ? k == way : way < n + 20 ? k % (way - n + 1) == 0 : (chance >> 40) % 4 == 0;
            }
            play_cut(p, rows[i].question, script, ends);
            if (strcmp(p->answer.text, whole) != 0 || p->n_told != n_whole)
                fail_msg("%s\ncut in way %zu (before \"%.12s\"): %s\nnot %s", script, way, way < n ? script + way : "", p->answer.text, whole);
        }
        free(whole);
    }
}

/* A sentence comes when it is clear that it is one, and not before; and nothing of a later one comes with it. */
static void test_released_as_soon_as_whole(void **state) {
    static const char *const pieces[] = {"The presigned URL is valid", " for 5 minutes", ".", " ", "You", " can extend the session", " to 12 hours", NULL};
    static const size_t told[] = {0, 0, 0, 0, 0, 1, 1, 1}; /* before piece i comes */
    struct play *p = *state;
    for (unsigned i = 1; i <= 8; i++) {
        p->fake.fail_at = i;
        assert_int_equal(play(p, valid, pieces), QA_OK);
        assert_int_equal(p->n_told, told[i - 1]);
    }
}

/* ---- How it ends ---- */

static void test_failures(void **state) {
    static const char *const pieces[] = {VALID " ", "You can extend the session ", "to 12 hours in the domain", " settings. ", "And so on", NULL};
    static const struct {
        qa_status fails;
        unsigned at;
        qa_status status;
        const char *text; /* NULL: the extractive answer */
    } rows[] = {
        {QA_REMOTE, 1, QA_OK, NULL},
        {QA_REMOTE, 2, QA_OK, NULL}, /* it might have gone on */
        {QA_REMOTE, 3, QA_OK, VALID " [1]"},
        {QA_REMOTE, 4, QA_OK, VALID " [1]"},
        {QA_REMOTE, 6, QA_OK, VALID " [1] " EXTEND " [1]"},
        {QA_TOO_LARGE, 1, QA_OK, NULL},
        {QA_NO_MEMORY, 1, QA_NO_MEMORY, NULL},
        {QA_NO_MEMORY, 3, QA_NO_MEMORY, NULL},
    };
    struct play *p = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        p->fake.fail_at = rows[i].at;
        p->fake.fail_with = rows[i].fails;
        qa_status status = play(p, valid, pieces);
        if (status != rows[i].status)
            fail_msg("%zu: %s", i, qa_status_name(status));
        if (status != QA_OK) {
            assert_int_equal(p->f.err.status, status);
            continue;
        }
        assert_non_null(p->g.notice);
        assert_non_null(strstr(p->g.notice, "the generator failed on purpose"));
        assert_false(p->g.stopped || p->g.discarded);
        assert_int_equal(p->f.err.status, QA_OK); /* it is no error of the call */
        assert_string_equal(p->answer.text, rows[i].text ? rows[i].text : VALID " [1]");
        assert_int_equal(p->answer.generated, rows[i].text != NULL);
        assert_string_equal(p->g.end, "failed");
    }
}

/* A generator that cannot even count tokens fails like any other, wherever it does. */
static void test_counting_fails(void **state) {
    static const struct answer_turn turn = {"what is a presigned URL?", "An address."};
    struct play *p = *state;
    p->g.turns = &turn;
    p->g.n_turns = 1;
    play_whole(p, valid, SHARED);
    unsigned all = p->fake.counts;
    assert_true(all > 8);
    for (p->fake.fail_count = 1; p->fake.fail_count <= all; p->fake.fail_count++) {
        play_whole(p, valid, SHARED);
        assert_false(p->answer.generated);
        assert_string_equal(p->answer.text, VALID " [1]");
        assert_non_null(strstr(p->g.notice, "the generator failed on purpose"));
        assert_string_equal(p->g.end, "failed");
        assert_int_equal(p->fake.calls, 0);
    }
}

static void test_cancelled(void **state) {
    static const char *const pieces[] = {VALID " ", "You can extend the session ", "to 12 hours in the domain settings. ", "And so on", NULL};
    struct play *p = *state;
    p->fake.stop = &p->cancel;
    for (unsigned at = 1; at <= 5; at++) {
        p->fake.stop_at = at;
        qa_status status = play(p, valid, pieces);
        assert_true(p->g.stopped);
        if (at <= 2) { /* nothing had been released */
            assert_int_equal(status, QA_CANCELLED);
            assert_string_equal(p->f.err.message, "the generator was stopped");
            assert_int_equal(p->n_told, 0);
            continue;
        }
        assert_int_equal(status, QA_OK);
        assert_true(p->answer.generated);
        assert_string_equal(p->g.end, "cancelled");
        assert_string_equal(p->answer.text, at <= 4 ? VALID " [1]" : VALID " [1] " EXTEND " [1]");
        assert_null(p->g.notice);
        assert_int_equal(p->f.err.status, QA_OK);
    }
}

/* What a model was cut off in is no sentence; what one ended with is. A person is told what they could not know
 * otherwise. */
static void test_ends(void **state) {
    static const char part[] = "You can extend the session to 12 hours in the domain";
    const enum generator_end DONE = GENERATOR_DONE, FULL = GENERATOR_FULL, STOPPED = GENERATOR_STOPPED, LOOPED = GENERATOR_LOOPED;
    const struct {
        const char *what, *script, *rest;
        enum generator_end end;
        const char *text;   /* NULL: the extractive answer */
        const char *name, *notice; /* NULL: none */
    } rows[] = {
        {"done with a sentence", VALID " ", part, DONE, VALID " [1] You can extend the session to 12 hours in the domain [1]", "done", NULL},
        {"full in a sentence", VALID " ", part, FULL, VALID " [1]", "full", "the answer was cut at 160 tokens"},
        {"full in the first word", VALID " ", "`ml.t3", FULL, VALID " [1]", "full", "the answer was cut at 160 tokens"},
        {"full behind a sentence", VALID " ", EXTEND, FULL, VALID " [1] " EXTEND " [1]", "full", NULL},
        {"full behind a line break", VALID " ", EXTEND "\n\n", FULL, VALID " [1] " EXTEND " [1]", "full", NULL},
        {"full behind a sentence of elsewhere", VALID " ", CATS, FULL, VALID " [1]", "full", NULL},
        {"full before anything was said", "You can extend", " the session", FULL, NULL, "full", NULL},
        {"stopped", VALID " ", part, STOPPED, VALID " [1]", "enough", NULL},
        {"looped", VALID " ", part, LOOPED, VALID " [1]", "looped", "began to repeat itself"},
        {"looped behind a sentence", VALID " ", EXTEND, LOOPED, VALID " [1] " EXTEND " [1]", "looped", "began to repeat itself"},
        {"looped only", "you can can can", " can can", LOOPED, NULL, "looped", "the model fake only repeated itself"},
        {"nothing", "", "", DONE, NULL, "done", "the model fake wrote nothing"},
        {"blanks", " \n", "\t\n ", DONE, NULL, "done", "the model fake wrote nothing"},
        {"nothing, cut", "", " ", FULL, NULL, "full", "the model fake wrote nothing"},
    };
    struct play *p = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *pieces[] = {rows[i].script, rows[i].rest, NULL};
        p->fake.end = rows[i].end;
        assert_int_equal(play(p, valid, pieces), QA_OK);
        if (p->answer.generated != (rows[i].text != NULL) || strcmp(p->answer.text, rows[i].text ? rows[i].text : VALID " [1]") != 0)
            fail_msg("%s: %s", rows[i].what, p->answer.text);
        if (strcmp(p->g.end, rows[i].name) != 0)
            fail_msg("%s: ended %s", rows[i].what, p->g.end);
        if (rows[i].notice ? !p->g.notice || !strstr(p->g.notice, rows[i].notice) : p->g.notice != NULL)
            fail_msg("%s: said %s", rows[i].what, p->g.notice);
        assert_int_equal(p->g.discarded, !p->answer.generated);
    }
}

/* Nobody waits for a model that goes round in circles, is on a wrong track, or does not end. */
static void test_model_is_stopped(void **state) {
    static const char *const circles[] = {VALID " ", VALID " ", VALID " ", EXTEND " ", EXTEND " ", NULL}, *const astray[] = {CATS " ", VALID " ", VALID " ", NULL};
    struct play *p = *state;
    assert_int_equal(play(p, valid, circles), QA_OK);
    assert_int_equal(p->fake.ended, GENERATOR_STOPPED);
    assert_true(p->fake.pieces_given < 5);
    assert_string_equal(p->answer.text, VALID " [1]");
    assert_int_equal(play(p, valid, astray), QA_OK);
    assert_int_equal(p->fake.ended, GENERATOR_STOPPED);
    assert_true(p->fake.pieces_given < 3);

    enum { LINES = 3000, DIFFERENT = 100 };
    static char text[DIFFERENT][64 + DIFFERENT];
    static const char *lines[DIFFERENT + 1];
    for (int i = 0; i < DIFFERENT; i++) { /* each is supported, and no other has as many blanks */
        snprintf(text[i], sizeof text[i], "The presigned URL is valid%*s 5 minutes.\n", 4 + i, "for");
        lines[i] = text[i];
    }
    assert_int_equal(play(p, valid, lines), QA_OK);
    assert_int_equal(p->fake.ended, GENERATOR_STOPPED);
    assert_true(p->answer.n_sentences <= 65 && p->fake.pieces_given < 80);

    static const char *endless[LINES + 1]; /* one sentence of 180,000 bytes */
    for (int i = 0; i < LINES; i++)
        endless[i] = "and the presigned URL is valid for some minutes and the session ";
    assert_int_equal(play(p, valid, endless), QA_OK);
    assert_int_equal(p->fake.ended, GENERATOR_STOPPED);
    assert_false(p->answer.generated);
}

static void test_nobody_listens(void **state) {
    struct play *p = *state;
    const char *pieces[] = {SHARED " ", EXTEND, NULL};
    p->fake.pieces = pieces;
    fixture_ask(&p->f, valid, NULL);
    assert_int_equal(answer_extract(p->f.words, &p->a, &p->f.found, &p->answer, NULL), QA_OK);
    struct answer_generation g = {.generator = fake_generator_port(&p->fake)};
    assert_int_equal(answer_generate(p->f.words, &p->a, &p->f.found, &g, &p->answer, NULL), QA_OK);
    assert_string_equal(p->answer.text, SHARED " [1] " EXTEND " [1] " VALID " [1]");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_texts),     TEST(test_the_best_is_said), TEST(test_splits), TEST(test_released_as_soon_as_whole),
        TEST(test_failures),  TEST(test_counting_fails),   TEST(test_cancelled), TEST(test_ends),
        TEST(test_model_is_stopped), TEST(test_nobody_listens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
