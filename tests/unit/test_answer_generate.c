/* What a model writes, played from scripts: sentences released whole, markers and citations, what is dropped, how it ends, what the model was given.
 *
 * The wording of the prompt and the thresholds of the check are measured, not tested: sentences here stand in the passages, or have nothing to do with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake/fake_generator.h"
#include "unit/answer_fixture.h"

static const char valid[] = "how long is the presigned URL valid?", opening[] = "how do I open the notebook?", calling[] = "which command creates a presigned domain URL?",
                  sharing[] = "is the URL shared with other users?";

/* Sentences of the passages, and one of elsewhere. */
#define VALID "The presigned URL is valid for 5 minutes."
#define EXTEND "You can extend the session to 12 hours in the domain settings."
#define SHARED "The URL cannot be shared with other users unless an administrator agrees."
#define CATS "Cats sleep all day long."

struct play {
    struct fixture f;
    struct arena a; /* of one answer */
    struct fake_generator fake;
    struct answer_generation g;
    struct answer answer;
    struct buf told, tokens; /* all that on_sentence and on_token said */
    size_t n_told;
    atomic_int cancel;
    bool wrong; /* on_sentence told what does not fit */
};

static int set_up(void **state) {
    struct play *p = test_calloc(1, sizeof *p);
    struct fixture *f = &p->f;
    fixture_begin(f);
    fixture_passage(f);
    fixture_block(f, UNIT_PARAGRAPH, VALID " You can extend the session to 12 hours in the **domain settings**. " SHARED);
    fixture_close(f, "Presigned URLs", 1);
    fixture_hidden(f, "\n\n");
    fixture_passage(f);
    fixture_block(f, UNIT_PARAGRAPH, "To open the notebook:");
    fixture_block(f, UNIT_ITEM, "- Choose Open in the console.");
    fixture_block(f, UNIT_ITEM, "- Select the `ml.t3.medium` instance type.");
    fixture_block(f, UNIT_ITEM, "- Wait until the status is InService.");
    fixture_close(f, "Notebooks", 0.8);
    fixture_passage(f);
    fixture_block(f, UNIT_PARAGRAPH, "Call the API from the command line.");
    fixture_block(f, UNIT_CODE, "aws sagemaker create-presigned-domain-url --domain-id d-1\naws sagemaker list-apps --domain-id-equals d-1");
    fixture_close(f, "Commands", 0.6);
    arena_init(&p->a, 64 << 20);
    buf_init(&p->told, 1 << 20);
    buf_init(&p->tokens, 1 << 20);
    *state = p;
    return 0;
}

static int tear_down(void **state) {
    struct play *p = *state;
    fake_generator_free(&p->fake);
    buf_free(&p->told);
    buf_free(&p->tokens);
    arena_free(&p->a);
    fixture_end(&p->f);
    test_free(p);
    return 0;
}

static void on_sentence(void *user, const char *before, const char *text, const struct answer_sentence *s) {
    struct play *p = user;
    buf_puts(&p->told, before);
    p->wrong = p->wrong || s->start != p->told.len || strlen(text) != s->end - s->start;
    buf_puts(&p->told, text);
    p->wrong = p->wrong || s->end != p->told.len;
    p->n_told++;
}

static void on_token(void *user, const char *text, size_t len) { buf_put(&((struct play *)user)->tokens, text, len); }

/* What must hold of every answer that a model wrote. */
static void check_sound(const struct play *p) {
    const struct answer *x = &p->answer;
    size_t at = 0;
    assert_false(p->wrong);
    assert_string_equal(p->told.data, x->text); /* told in parts, it is the whole */
    assert_int_equal(p->n_told, x->n_sentences);
    assert_int_equal(strlen(x->text), x->sentences[x->n_sentences - 1].end);
    for (size_t i = 0; i < x->n_sentences; i++) {
        const struct answer_sentence *s = &x->sentences[i];
        char markers[64] = "";
        assert_true(s->start >= at && s->end > s->start);
        assert_true(x->text[s->start] != ' ' && x->text[s->start] != '\n' && x->text[s->end - 1] != ' ');
        assert_int_equal(s->start - at, i ? 1 : 0); /* one blank or line break between */
        assert_int_equal(s->support == QA_SUPPORT_NONE, s->n_citations == 0);
        for (size_t k = 0; k < s->n_citations; k++) {
            bool cited = false;
            sprintf(markers + strlen(markers), " [%zu]", s->citations[k]);
            for (size_t c = 0; c < x->n_citations; c++)
                cited = cited || x->citations[c].rank == s->citations[k];
            assert_true(cited);
        }
        assert_true(s->end - s->start > strlen(markers));
        assert_memory_equal(x->text + s->end - strlen(markers), markers, strlen(markers));
        at = s->end;
    }
    for (size_t i = 0; i < x->n_citations; i++) {
        const struct answer_citation *c = &x->citations[i];
        const struct index_passage *passage = &p->f.hits[c->rank - 1].passage;
        assert_true(c->rank >= 1 && c->rank <= p->f.found.n_hits && c->start >= passage->start && c->end <= passage->end && c->start < c->end);
        assert_int_equal(c->quote_len, c->end - c->start);
        assert_memory_equal(c->quote, passage->text + (c->start - passage->start), c->quote_len);
        assert_int_equal(strlen(c->quote), c->quote_len);
        assert_non_null(strstr(passage->map.plain, c->quote_plain));
        for (size_t k = 0; k < i; k++)
            assert_true(x->citations[k].start != c->start || x->citations[k].end != c->end);
    }
}

static qa_status play(struct play *p, const char *question, const char *const *pieces) {
    struct fixture *f = &p->f;
    arena_free(&p->a);
    buf_reset(&p->told);
    buf_reset(&p->tokens);
    buf_puts(&p->told, "");
    buf_puts(&p->tokens, "");
    p->n_told = 0;
    p->wrong = false;
    atomic_store(&p->cancel, 0);
    f->err = (qa_error){0};
    fixture_ask(f, question, NULL);
    assert_int_equal(answer_extract(f->words, &p->a, &f->found, &p->answer, &f->err), QA_OK);
    assert_false(p->answer.refused);
    p->fake.pieces = pieces;
    p->fake.calls = p->fake.counts = 0;
    p->g = (struct answer_generation){.generator = fake_generator_port(&p->fake), .turns = p->g.turns, .n_turns = p->g.n_turns, .cancel = &p->cancel,
                                      .on_sentence = on_sentence, .on_token = on_token, .user = p};
    qa_status status = answer_generate(f->words, &p->a, &f->found, &p->g, &p->answer, &f->err);
    if (status == QA_OK && p->answer.generated)
        check_sound(p);
    if (status == QA_OK && !p->answer.generated)
        assert_int_equal(p->n_told, 0);
    return status;
}

static void play_whole(struct play *p, const char *question, const char *script) {
    const char *pieces[] = {script, NULL};
    if (play(p, question, pieces) != QA_OK)
        fail_msg("%s: %s", script, p->f.err.message);
}

/* ---- What becomes of a text ---- */

/* NULL: the extractive answer stands. What is expected begins the answer: the best unit may follow, where the model left it out. */
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
        {"nothing", valid, "", NULL},
        {"blanks", valid, " \n\t\n ", NULL},
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
        {valid, VALID "\n`ml.t3.medium` is the instance type to select. (see below) \"domain settings\" are there. " EXTEND " (see above) [3] " SHARED},
        {valid, VALID "\n**you can extend** the session to 12 hours in the domain settings. _so_ " SHARED "\n\n\n" CATS},
        {valid, VALID " \xE2\x80\x9C" EXTEND "\xE2\x80\x9D \xE2\x80\x98the URL\xE2\x80\x99 cannot be shared with other users unless an administrator agrees.\xEF\xBF\xBD"},
        {valid, VALID "\xE3\x80\x82\xE3\x80\x8D" EXTEND "\r\n" SHARED " No. 5 is here etc. 7 more"},
        {opening, "To open the notebook:\n\n1. Choose Open in the console.\n2. Select the `ml.t3.medium` instance type.\n   - Wait until the status is InService.\n"},
        {calling, "Call the API from the command line:\n\n```bash\naws sagemaker create-presigned-domain-url --domain-id d-1\n```\n" CATS "\n- "},
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
    }
}

/* A generator that cannot even count the turns' tokens fails like any other. */
static void test_counting_fails(void **state) {
    static const struct answer_turn turn = {"what is a presigned URL?", "An address."};
    struct play *p = *state;
    p->g.turns = &turn;
    p->g.n_turns = 1;
    for (p->fake.fail_count = 1; p->fake.fail_count <= 2; p->fake.fail_count++) {
        play_whole(p, valid, SHARED);
        assert_false(p->answer.generated);
        assert_string_equal(p->answer.text, VALID " [1]");
        assert_non_null(p->g.notice);
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
        assert_string_equal(p->answer.text, at <= 4 ? VALID " [1]" : VALID " [1] " EXTEND " [1]");
        assert_null(p->g.notice);
        assert_int_equal(p->f.err.status, QA_OK);
    }
}

/* What a model was cut off in is no sentence; what one ended with is. */
static void test_ends(void **state) {
    static const char script[] = VALID " You can extend the session to 12 hours in the domain";
    struct play *p = *state;
    play_whole(p, valid, script);
    assert_int_equal(p->answer.n_sentences, 2);
    for (enum generator_end end = GENERATOR_FULL; end <= GENERATOR_LOOPED; end++) {
        p->fake.end = end;
        play_whole(p, valid, script);
        assert_string_equal(p->answer.text, VALID " [1]");
        assert_int_equal(p->g.result.end, end);
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

/* ---- What the model is given ---- */

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

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_texts),    TEST(test_the_best_is_said), TEST(test_splits),    TEST(test_released_as_soon_as_whole),
        TEST(test_failures), TEST(test_counting_fails),   TEST(test_cancelled), TEST(test_ends),
        TEST(test_model_is_stopped), TEST(test_nobody_listens), TEST(test_prompt), TEST(test_turns), TEST(test_bare_question),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
