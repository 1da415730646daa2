/* A server writes the answer, well or badly: in which order a caller hears of it, what stands when the server fails or the caller cancels, and that the
 * conversation goes on after each of these. */
#include "wiring.h"
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static const char server[] = "{embedder: none, generator: {url: '%s', model: writer}}";

static int set_up(void **state) {
    struct wiring *w = test_calloc(1, sizeof *w);
    wiring_make(w);
    *state = w;
    return 0;
}

static int tear_down(void **state) {
    wiring_end(*state);
    test_free(*state);
    return 0;
}

static void begin(struct wiring *w, const struct fake_reply *replies, size_t n) {
    wiring_serve(w, replies, n);
    wiring_open(w, server);
    wiring_ingest_all(w);
}

/* ---- Hearing ---- */

enum { NEVER, AT_SOURCES, AT_TOKEN, AT_SENTENCE };
struct heard {
    char order[400];   /* a letter for each event: S sources, t token, s sentence */
    char tokens[1000], sentences[1000], waits[1000];
    char json[20000];  /* of the sources */
    qa *q;
    int cancel_at;
};

static void note(struct heard *h, char what, int when) {
    size_t n = strlen(h->order);
    assert_true(n + 1 < sizeof h->order);
    h->order[n] = what;
    if (h->cancel_at == when)
        qa_cancel(h->q);
}
static void hear_sources(qa_hits *hits, void *user) {
    struct heard *h = user;
    snprintf(h->json, sizeof h->json, "%s", qa_hits_json(hits));
    assert_true(qa_hits_count(hits) > 0);
    note(h, 'S', AT_SOURCES);
}
static void hear_token(const char *text, size_t len, void *user) {
    struct heard *h = user;
    strncat(h->tokens, text, len);
    note(h, 't', AT_TOKEN);
}
static void hear_sentence(const char *text, const qa_sentence *sentence, void *user) {
    struct heard *h = user;
    strcat(h->sentences, text);
    assert_int_equal(sentence->end, strlen(h->sentences));
    assert_true(sentence->support == QA_SUPPORT_NONE || sentence->n_citations > 0);
    note(h, 's', AT_SENTENCE);
}

static void hear_wait(const char *what, void *user) {
    struct heard *h = user;
    assert_true(h->order[0] == 'S' && !h->sentences[0]);
    strcat(strcat(h->waits, what), "\n");
}

static qa_status ask_hearing(struct wiring *w, const char *conversation, struct heard *h, qa_answer **answer, qa_error *err) {
    h->q = w->q;
    const qa_stream stream = {.on_sources = hear_sources, .on_token = hear_token, .on_sentence = hear_sentence, .on_wait = hear_wait, .user = h};
    const qa_question question = {.text = asked, .conversation = conversation, .stream = &stream};
    *answer = NULL;
    return qa_ask(w->q, &question, answer, err);
}

static size_t count(const char *order, char what) {
    size_t n = 0;
    for (; *order; order++)
        n += *order == what;
    return n;
}

/* ---- A good server ---- */

static void in_order(void **state) {
    struct wiring *w = *state;
    static const struct fake_reply reply = {.body = SAY("After that it leads") SAY(" to the sign-in page.") SAY(" A presigned") SAY(" URL is valid for 5 minutes.") END};
    struct heard h = {0};
    qa_answer *answer;
    begin(w, &reply, 1);
    assert_int_equal(ask_hearing(w, NULL, &h, &answer, NULL), QA_OK);
    assert_string_equal(h.waits, "opening the language model\nwriter reads the passages\n");
    assert_int_equal(h.order[0], 'S');
    assert_int_equal(count(h.order, 'S'), 1);
    assert_int_equal(count(h.order, 't'), 4);
    assert_int_equal(count(h.order, 's'), 2);
    assert_true(strchr(h.order, 's') < strrchr(h.order, 't')); /* the first sentence does not wait for the last token */
    assert_true(strchr(h.order, 's') > strchr(h.order, 't') + 1); /* but for the end of its own */
    assert_string_equal(h.tokens, LEADS " " VALID);
    assert_string_equal(h.sentences, LEADS " [1] " VALID " [1]");
    assert_string_equal(h.sentences, qa_answer_text(answer));
    assert_true(qa_answer_generated(answer) && !qa_answer_stopped(answer));
    assert_null(qa_answer_warning(answer));
    assert_true(qa_answer_first_token_ms(answer) > 0);
    assert_int_equal(qa_answer_sentence_count(answer), 2);
    wiring_check_quotes(answer);
    assert_non_null(strstr(h.json, "\"evidence\": \"strong\"")); /* judged before it is told */
    const char *json = qa_answer_json(answer);
    assert_non_null(strstr(json, "\"mode\": \"generated\""));
    assert_non_null(strstr(json, "\"generator\": \"writer\""));
    qa_answer_free(answer);
}

/* A pause that a server asks for is no silence. */
static void busy(void **state) {
    struct wiring *w = *state;
    static const struct fake_reply replies[] = {{.head = "HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"}, {.body = SAY(VALID) END}};
    struct heard h = {0};
    qa_answer *answer;
    begin(w, replies, 2);
    assert_int_equal(ask_hearing(w, NULL, &h, &answer, NULL), QA_OK);
    assert_non_null(strstr(h.waits, "writer reads the passages\n"));
    assert_non_null(strstr(h.waits, " takes no more requests for now; trying again in 1 s\n"));
    assert_string_equal(h.sentences, VALID " [1]");
    qa_answer_free(answer);
}

/* Neither a refusal nor an extractive answer, nor a search, asks it; both are told in the same way. */
static void not_asked(void **state) {
    struct wiring *w = *state;
    static const struct fake_reply reply = {.body = SAY(VALID) END};
    struct heard h = {0};
    qa_answer *answer = NULL;
    qa_hits *hits = NULL;
    begin(w, &reply, 1);
    const qa_stream stream = {.on_sources = hear_sources, .on_token = hear_token, .on_sentence = hear_sentence, .on_wait = hear_wait, .user = &h};
    qa_question question = {.text = asked, .extractive = true, .stream = &stream};
    assert_int_equal(qa_ask(w->q, &question, &answer, NULL), QA_OK);
    assert_true(h.order[0] == 'S' && count(h.order, 's') == qa_answer_sentence_count(answer) && !count(h.order, 't'));
    assert_string_equal(h.waits, "");
    assert_string_equal(h.sentences, qa_answer_text(answer));
    assert_null(qa_answer_warning(answer));
    qa_answer_free(answer);
    answer = wiring_ask(w, "how do I bake a chocolate cake?", NULL);
    assert_true(qa_answer_refused(answer));
    assert_null(qa_answer_warning(answer));
    qa_answer_free(answer);
    question = (qa_question){.text = asked};
    assert_int_equal(qa_search(w->q, &question, &hits, NULL), QA_OK);
    qa_hits_free(hits);
    assert_int_equal(fake_server_requests(w->server), 0);
}

/* ---- One that fails ---- */

static const struct {
    const char *name;
    struct fake_reply reply;
    const char *told; /* in the notice */
} before[] = {
    {"it refuses", {.head = FAKE_STATUS("400 No"), .body = "{\"error\":{\"message\":\"no such thing\"}}"}, "status 400: no such thing"},
    {"it has no such model", {.head = FAKE_STATUS("404 No")}, "knows no model writer"},
    {"it wants a key", {.head = FAKE_STATUS("401 No")}, "wants a key"},
    {"it is a web page", {.head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n", .body = "<!DOCTYPE html><html>"}, "web page"},
    {"it talks nonsense", {.body = "data: {nonsense\n\n"}, "not JSON"},
    {"it fails at once", {.body = "data: {\"error\":{\"message\":\"out of order\"}}\n\n"}, "out of order"},
    {"it breaks off within the first sentence", {.body = SAY("A presigned URL is valid")}, "broke off"},
    {"it is reset within the first sentence", {.body = SAY("A presigned URL is valid"), .ending = FAKE_RESET}, "127.0.0.1"},
};

/* The verbatim answer stands, is told like any, kept, and the conversation goes on with the same server once that is well. */
static void before_the_first_sentence(void **state) {
    struct wiring *w = *state;
    wiring_serve(w, &before[0].reply, 1);
    wiring_open(w, "{embedder: none, generator: none}");
    wiring_ingest_all(w);
    qa_answer *verbatim = wiring_ask(w, asked, NULL);
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        const struct fake_reply replies[] = {before[i].reply, {.body = SAY(VALID) END}};
        struct heard h = {0};
        qa_answer *answer;
        qa_error err = {0};
        char conversation[64];
        wiring_serve(w, replies, 2);
        wiring_open(w, server);
        if (ask_hearing(w, NULL, &h, &answer, &err) != QA_OK)
            fail_msg("%s: %s", before[i].name, err.message);
        const char *warning = qa_answer_warning(answer);
        if (qa_answer_generated(answer) || strcmp(qa_answer_text(answer), qa_answer_text(verbatim)) != 0)
            fail_msg("%s: %s", before[i].name, qa_answer_text(answer));
        if (!warning || strncmp(warning, "answered with sentences of the documents: ", 42) != 0 || !strstr(warning, before[i].told))
            fail_msg("%s: %s", before[i].name, warning ? warning : "no notice");
        assert_string_equal(h.sentences, qa_answer_text(answer));
        assert_true(h.order[0] == 'S' && count(h.order, 'S') == 1);
        assert_non_null(strstr(qa_answer_json(answer), "\"mode\": \"extractive\""));
        assert_non_null(strstr(qa_answer_json(answer), "\"generator\": null"));
        assert_non_null(strstr(qa_answer_json(answer), "\"warning\": \"answered with"));
        snprintf(conversation, sizeof conversation, "%s", qa_answer_conversation(answer));
        qa_answer_free(answer);
        answer = wiring_ask(w, asked, conversation);
        if (!qa_answer_generated(answer) || qa_answer_warning(answer))
            fail_msg("%s, then: %s", before[i].name, qa_answer_text(answer));
        qa_answer_free(answer);
        assert_int_equal(wiring_turns(w, conversation), 2);
    }
    qa_answer_free(verbatim);
}

static const struct {
    const char *name;
    struct fake_reply reply;
} after[] = {
    {"it breaks off", {.body = SAY(LEADS " A pre")}},
    {"it is reset", {.body = SAY(LEADS " A pre"), .ending = FAKE_RESET}},
    {"it fails", {.body = SAY(LEADS " A pre") "data: {\"error\":{\"message\":\"out of order\"}}\n\n"}},
    {"it talks nonsense", {.body = SAY(LEADS " A pre") "data: {nonsense\n\n"}},
};

/* What was said is never taken back, and nothing is added to it. */
static void after_the_first_sentence(void **state) {
    struct wiring *w = *state;
    wiring_serve(w, &after[0].reply, 1);
    wiring_open(w, server);
    wiring_ingest_all(w);
    for (size_t i = 0; i < sizeof after / sizeof *after; i++) {
        const struct fake_reply replies[] = {after[i].reply, {.body = SAY(VALID) END}};
        struct heard h = {0};
        qa_answer *answer;
        char conversation[64];
        wiring_serve(w, replies, 2);
        wiring_open(w, server);
        assert_int_equal(ask_hearing(w, NULL, &h, &answer, NULL), QA_OK);
        const char *warning = qa_answer_warning(answer);
        if (!qa_answer_generated(answer) || strcmp(qa_answer_text(answer), LEADS " [1]") != 0)
            fail_msg("%s: %s", after[i].name, qa_answer_text(answer));
        if (!warning || strncmp(warning, "the answer broke off: ", 22) != 0)
            fail_msg("%s: %s", after[i].name, warning ? warning : "no notice");
        assert_string_equal(h.sentences, LEADS " [1]");
        assert_false(qa_answer_stopped(answer)); /* nobody asked for that */
        assert_int_equal(fake_server_requests(w->server), 1); /* not asked again, since something was said */
        snprintf(conversation, sizeof conversation, "%s", qa_answer_conversation(answer));
        qa_answer_free(answer);
        answer = wiring_ask(w, asked, conversation);
        assert_true(qa_answer_generated(answer) && !qa_answer_warning(answer));
        assert_non_null(strstr(fake_server_request(w->server, 1), LEADS)); /* it is told what was said before */
        qa_answer_free(answer);
        assert_int_equal(wiring_turns(w, conversation), 2);
    }
}

/* What it writes stands nowhere: the verbatim answer, without a notice, and nothing of its words is told or kept. */
static void off_the_track(void **state) {
    struct wiring *w = *state;
    static const struct fake_reply reply = {.body = SAY("Bananas are yellow fruits from Ecuador. ") SAY(VALID) END};
    struct heard h = {0};
    qa_answer *answer;
    char *kept = NULL;
    begin(w, &reply, 1);
    assert_int_equal(ask_hearing(w, NULL, &h, &answer, NULL), QA_OK);
    assert_false(qa_answer_generated(answer));
    assert_null(strstr(qa_answer_text(answer), "Bananas"));
    assert_null(strstr(h.sentences, "Bananas"));
    assert_non_null(strstr(h.tokens, "Bananas")); /* who asks for them gets them, unchecked */
    assert_null(strstr(qa_answer_json(answer), "Bananas"));
    assert_int_equal(qa_conversation_get(w->q, "last", &kept, NULL), QA_OK);
    assert_null(strstr(kept, "Bananas"));
    qa_text_free(kept);
    qa_answer_free(answer);
}

/* ---- Cancelling ---- */

static void cancel_before_words(void **state) {
    static const int when[] = {AT_SOURCES, AT_TOKEN};
    struct wiring *w = *state;
    static const struct fake_reply replies[] = {{.body = SAY("A presigned") SAY(" URL is valid for 5 minutes.") END, .slice = 60}};
    for (size_t i = 0; i < 2; i++) {
        struct heard h = {.cancel_at = when[i]};
        qa_answer *answer;
        qa_error err = {0};
        begin(w, replies, 1);
        qa_answer *first = wiring_ask(w, asked, NULL);
        char conversation[64];
        snprintf(conversation, sizeof conversation, "%s", qa_answer_conversation(first));
        qa_answer_free(first);
        assert_int_equal(ask_hearing(w, conversation, &h, &answer, &err), QA_CANCELLED);
        assert_null(answer);
        assert_int_equal(err.status, QA_CANCELLED);
        assert_string_equal(h.sentences, "");
        assert_int_equal(wiring_turns(w, conversation), 1); /* a question that was not answered is no turn */
        answer = wiring_ask(w, asked, conversation);         /* and the request to cancel is gone */
        assert_true(qa_answer_generated(answer));
        qa_answer_free(answer);
        assert_int_equal(wiring_turns(w, conversation), 2);
    }
}

static void cancel_after_a_sentence(void **state) {
    struct wiring *w = *state;
    static const struct fake_reply replies[] = {{.body = SAY(LEADS " A pre") SAY("signed URL is valid for 5 minutes.") END, .slice = 60, .pause_ms = 5}};
    struct heard h = {.cancel_at = AT_SENTENCE};
    qa_answer *answer;
    char *kept = NULL;
    begin(w, replies, 1);
    assert_int_equal(ask_hearing(w, NULL, &h, &answer, NULL), QA_OK);
    assert_true(qa_answer_generated(answer) && qa_answer_stopped(answer));
    assert_string_equal(qa_answer_text(answer), LEADS " [1]");
    assert_string_equal(h.sentences, LEADS " [1]");
    assert_non_null(strstr(qa_answer_json(answer), "\"stopped\": true"));
    assert_int_equal(qa_conversation_get(w->q, qa_answer_conversation(answer), &kept, NULL), QA_OK);
    assert_non_null(strstr(kept, LEADS)); /* what was read is remembered */
    qa_text_free(kept);
    char conversation[64];
    snprintf(conversation, sizeof conversation, "%s", qa_answer_conversation(answer));
    qa_answer_free(answer);
    answer = wiring_ask(w, asked, conversation);
    assert_true(!qa_answer_stopped(answer) && qa_answer_sentence_count(answer) == 2);
    qa_answer_free(answer);
}

struct canceller {
    struct wiring *w;
    atomic_bool over;
};

/* When the server has the question and says nothing. */
static void *cancel_soon(void *arg) {
    struct canceller *c = arg;
    while (!fake_server_requests(c->w->server) && !atomic_load(&c->over))
        usleep(1000);
    qa_cancel(c->w->q);
    return NULL;
}

static void cancel_from_another_thread(void **state) {
    struct wiring *w = *state;
    static const struct fake_reply replies[] = {{.head = "", .ending = FAKE_HANG}, {.body = SAY(VALID) END}};
    struct canceller c = {.w = w};
    struct heard h = {0};
    pthread_t thread;
    qa_answer *answer;
    begin(w, replies, 2);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &c), 0);
    assert_int_equal(ask_hearing(w, NULL, &h, &answer, NULL), QA_CANCELLED); /* or the test's time is over */
    atomic_store(&c.over, true);
    pthread_join(thread, NULL);
    assert_string_equal(h.order, "S");
    assert_int_equal(wiring_turns(w, "last"), -1);
    answer = wiring_ask(w, asked, NULL);
    assert_true(qa_answer_generated(answer));
    qa_answer_free(answer);
}

/* A request that comes while nothing runs is meant for the next call, whatever that does first. */
static void cancel_beforehand(void **state) {
    struct wiring *w = *state;
    static const struct fake_reply reply = {.body = SAY(VALID) END};
    struct heard h = {0};
    qa_answer *answer;
    begin(w, &reply, 1);
    qa_cancel(w->q);
    assert_int_equal(ask_hearing(w, NULL, &h, &answer, NULL), QA_CANCELLED);
    assert_int_equal(wiring_turns(w, "last"), -1);
    assert_int_equal(ask_hearing(w, NULL, &h, &answer, NULL), QA_OK);
    qa_answer_free(answer);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(in_order), TEST(busy),
        TEST(not_asked),
        TEST(before_the_first_sentence),
        TEST(after_the_first_sentence),
        TEST(off_the_track),
        TEST(cancel_before_words),
        TEST(cancel_after_a_sentence),
        TEST(cancel_from_another_thread),
        TEST(cancel_beforehand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
