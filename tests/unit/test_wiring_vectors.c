/* An embedder behind a server: vectors are made while ingesting and asked for while searching; another embedder than the index's, and one that fails at each of
 * these moments. Words always find what they find. */
#include "wiring.h"
#include <math.h>

/* The two documents of the fixture are one chunk each, jobs.md first; the second question's vector is that of jobs.md. */
#define VECTORS_2 "{\"data\":[{\"index\":0,\"embedding\":[1,0,0]},{\"index\":1,\"embedding\":[0,1,0]}]}"
#define VECTOR_OF_JOBS "{\"data\":[{\"index\":0,\"embedding\":[1,0.1,0]}]}"
static const struct fake_reply well[] = {{.head = FAKE_JSON, .body = VECTORS_2}, {.head = FAKE_JSON, .body = VECTOR_OF_JOBS}};
static const char embedder[] = "{generator: none, embedder: {url: '%s', model: vectors, dimensions: 3}}";
static const char paraphrase[] = "maximum duration"; /* no word of it stands in jobs.md */

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

static void begin(struct wiring *w) {
    wiring_serve(w, well, 2);
    wiring_open(w, embedder);
    wiring_ingest_all(w);
}

static qa_hits *search(struct wiring *w, const char *text, qa_mode mode) {
    qa_question question = {.text = text, .mode = mode};
    qa_hits *hits = NULL;
    qa_error err = {0};
    if (qa_search(w->q, &question, &hits, &err) != QA_OK)
        fail_msg("%s: %s", text, err.message);
    return hits;
}

/* Fails, with that in its message. */
static void search_fails(struct wiring *w, qa_mode mode, qa_status expected, const char *part) {
    qa_question question = {.text = asked, .mode = mode};
    qa_hits *hits = NULL;
    qa_error err = {0};
    qa_status status = qa_search(w->q, &question, &hits, &err);
    if (status != expected || !strstr(err.message, part))
        fail_msg("%s: %s", qa_status_name(status), err.message);
    assert_null(hits);
}

/* By words, and nothing else; with a notice that says so and why. */
static void words_alone(struct wiring *w, const char *why) {
    qa_hits *hits = search(w, asked, QA_MODE_HYBRID);
    const char *warning = qa_hits_warning(hits);
    if (!says(warning, "by words alone") || !says(warning, why))
        fail_msg("%s", warning ? warning : "no notice");
    assert_string_equal(qa_hits_get(hits, 0)->document, "urls.md");
    for (size_t i = 0; i < qa_hits_count(hits); i++)
        assert_true(isnan(qa_hits_get(hits, i)->vector_score));
    assert_true(says(qa_hits_json(hits), "\"warning\": \"") && says(qa_hits_json(hits), "\"embed\": null"));
    qa_hits_free(hits);
    qa_answer *answer = wiring_ask(w, asked, NULL); /* an answer is given in the same way, and kept */
    assert_true(says(qa_answer_text(answer), VALID) && says(qa_answer_warning(answer), "by words alone") && says(qa_answer_json(answer), "\"embedder\": null"));
    assert_non_null(qa_answer_turn(answer));
    qa_answer_free(answer);
}

static void vectors_find_what_words_do_not(void **state) {
    struct wiring *w = *state;
    begin(w);
    assert_true(w->report.has_vectors);
    assert_int_equal(w->report.embedded, 2);
    assert_int_equal(w->report.computed, 2);
    assert_int_equal(w->report.vectors_pending, 0);
    qa_hits *hits = search(w, paraphrase, QA_MODE_TEXT);
    assert_int_equal(qa_hits_count(hits), 0);
    qa_hits_free(hits);
    assert_int_equal(fake_server_requests(w->server), 1); /* words ask nobody */
    hits = search(w, paraphrase, QA_MODE_HYBRID);
    assert_null(qa_hits_warning(hits));
    assert_string_equal(qa_hits_get(hits, 0)->document, "jobs.md");
    assert_true(qa_hits_get(hits, 0)->vector_score > 0.9 && isnan(qa_hits_get(hits, 0)->text_score));
    assert_true(says(fake_server_request(w->server, 1), paraphrase));
    qa_hits_free(hits);
    wiring_open(w, embedder);
    wiring_ingest_all(w); /* nothing new: nobody is asked */
    assert_int_equal(w->report.computed, 0);
    assert_int_equal(fake_server_requests(w->server), 2);
}

/* Another one than that of the index: by its name, its dimensions, or none at all. */
static void of_another_kind(void **state) {
    struct wiring *w = *state;
    static const struct {
        const char *name, *models;
    } rows[] = {
        {"another model of the server", "{generator: none, embedder: {url: '%s', model: others, dimensions: 3}}"},
        {"other dimensions", "{generator: none, embedder: {url: '%s', model: vectors, dimensions: 4}}"},
    };
    begin(w);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        qa_error err = {0};
        size_t before = fake_server_requests(w->server);
        wiring_open(w, rows[i].models);
        words_alone(w, "quaere index reembed");
        search_fails(w, QA_MODE_VECTOR, QA_BAD_CONFIG, "quaere index reembed");
        assert_int_equal(fake_server_requests(w->server), before); /* and the question went nowhere */
        wiring_ingest_all(w);                                      /* nothing is pending: no reason to complain */
        fake_tree_put(&w->tree, "docs/new.md", "# New\n\nA new page.\n");
        if (wiring_ingest(w, &err) != QA_BAD_CONFIG || !strstr(err.message, "quaere index reembed"))
            fail_msg("%s: %s", rows[i].name, err.message);
        assert_int_equal(w->report.total_documents, 3); /* found by its words all the same */
        fake_tree_delete(&w->tree, "docs/new.md");
        wiring_open(w, "{embedder: none, generator: none}");
        wiring_ingest_all(w);
    }
}

static void no_embedder(void **state) {
    struct wiring *w = *state;
    begin(w);
    wiring_open(w, "{embedder: none, generator: none}"); /* asked for: no notice */
    qa_hits *hits = search(w, asked, QA_MODE_HYBRID);
    assert_null(qa_hits_warning(hits));
    qa_hits_free(hits);
    search_fails(w, QA_MODE_VECTOR, QA_BAD_USAGE, "none is set");
    wiring_open(w, "{generator: none}"); /* nothing said, and the index's model is nowhere here */
    words_alone(w, "vectors");
    wiring_open(w, "{embedder: qwen2.5-coder-0.5b-instruct, generator: none}");
    words_alone(w, "is a generator, and an embedder is wanted here");
}

static const struct {
    const char *name;
    struct fake_reply reply;
    const char *told;
} ill[] = {
    {"it refuses", {.head = FAKE_STATUS("400 No"), .body = "{\"error\":{\"message\":\"not today\"}}"}, "status 400: not today"},
    {"it wants a key", {.head = FAKE_STATUS("401 No")}, "wants a key"},
    {"it talks nonsense", {.head = FAKE_JSON, .body = "nonsense"}, "not JSON"},
    {"a vector of other dimensions", {.head = FAKE_JSON, .body = "{\"data\":[{\"index\":0,\"embedding\":[1,0]}]}"}, "2 dimensions"},
    {"no vector", {.head = FAKE_JSON, .body = "{\"data\":[]}"}, "0 vectors for 1 texts"},
    {"zero", {.head = FAKE_JSON, .body = "{\"data\":[{\"index\":0,\"embedding\":[0,0,0]}]}"}, "zero in all dimensions"},
};

/* While searching: words alone, and the next question has vectors again. */
static void fails_while_searching(void **state) {
    struct wiring *w = *state;
    begin(w);
    for (size_t i = 0; i < sizeof ill / sizeof *ill; i++) {
        const struct fake_reply bad = ill[i].reply;
        /* The fingerprint names the address: the vectors are made anew for each server. */
        const struct fake_reply both[] = {well[1], well[0], bad, bad, bad, well[1]}; /* the first: reembed tries the embedder */
        wiring_serve(w, both, 6);
        wiring_open(w, embedder);
        assert_int_equal(qa_index_reembed(w->q, NULL, NULL, NULL, NULL), QA_OK);
        words_alone(w, ill[i].told);
        search_fails(w, QA_MODE_VECTOR, QA_REMOTE, ill[i].told); /* asked for vectors alone, words are no answer */
        qa_hits *hits = search(w, paraphrase, QA_MODE_HYBRID);
        if (qa_hits_warning(hits) || qa_hits_count(hits) == 0)
            fail_msg("%s, then: %s", ill[i].name, qa_hits_warning(hits));
        assert_string_equal(qa_hits_get(hits, 0)->document, "jobs.md");
        qa_hits_free(hits);
    }
}

/* Nobody listens there any more. Asked once only: the client tries again for some seconds. */
static void down_while_searching(void **state) {
    struct wiring *w = *state;
    begin(w);
    fake_server_stop(w->server);
    w->server = NULL;
    qa_answer *answer = wiring_ask(w, asked, NULL);
    assert_true(says(qa_answer_text(answer), VALID));
    assert_true(says(qa_answer_warning(answer), "by words alone") && says(qa_answer_warning(answer), "127.0.0.1:"));
    qa_answer_free(answer);
    assert_int_equal(wiring_turns(w, "last"), 1);
}

/* While ingesting: the documents are there, what has no vector is pending, and the next run makes it. */
static void fails_while_ingesting(void **state) {
    struct wiring *w = *state;
    for (size_t i = 0; i < sizeof ill / sizeof *ill; i++) {
        const struct fake_reply replies[] = {ill[i].reply, {.head = FAKE_JSON, .body = VECTORS_2}, {.head = FAKE_JSON, .body = VECTOR_OF_JOBS}};
        qa_error err = {0};
        wiring_serve(w, replies, 3);
        wiring_open(w, embedder);
        qa_status status = wiring_ingest(w, &err);
        if (status != QA_REMOTE || !strstr(err.message, "can be found by their words"))
            fail_msg("%s: %s: %s", ill[i].name, qa_status_name(status), err.message);
        assert_int_equal(w->report.total_documents, 2);
        assert_int_equal(w->report.computed, 0);
        qa_hits *hits = search(w, "presigned", QA_MODE_HYBRID);
        assert_true(says(qa_hits_warning(hits), "no chunk has its vector yet"));
        assert_int_equal(qa_hits_count(hits), 1);
        qa_hits_free(hits);
        wiring_ingest_all(w);
        assert_int_equal(w->report.unchanged, 2);
        assert_int_equal(w->report.computed, 2);
        assert_int_equal(w->report.vectors_pending, 0);
        hits = search(w, paraphrase, QA_MODE_HYBRID);
        assert_string_equal(qa_hits_get(hits, 0)->document, "jobs.md");
        qa_hits_free(hits);
        qa_close(w->q);
        w->q = NULL;
        fake_tree_delete(&w->tree, "i.db");
    }
}

/* Cancelled while the server is asked: a question ends, an ingest keeps what it has. */
static void cancel_embedding(const qa_ingest_event *event, void *user) {
    const struct wiring *w = user;
    if (event->kind == QA_INGEST_ADDED && event->report->added == 2)
        qa_cancel(w->q);
}
static void cancelled(void **state) {
    struct wiring *w = *state;
    wiring_serve(w, well, 2);
    wiring_open(w, embedder);
    const char *paths[] = {fake_tree_path(&w->tree, "docs")};
    qa_ingest_options what = {.paths = paths, .n_paths = 1, .on_event = cancel_embedding, .user = w};
    assert_int_equal(qa_ingest(w->q, &what, &w->report, NULL), QA_CANCELLED);
    assert_int_equal(w->report.total_documents, 2);
    assert_int_equal(fake_server_requests(w->server), 0);
    wiring_ingest_all(w);
    assert_int_equal(w->report.computed, 2);
    qa_cancel(w->q);
    search_fails(w, QA_MODE_HYBRID, QA_CANCELLED, "");
    qa_hits *hits = search(w, paraphrase, QA_MODE_HYBRID);
    assert_int_equal(qa_hits_count(hits), 2);
    qa_hits_free(hits);
}

static void check_info(struct wiring *w, const char *embedder_fact, const char *pending) {
    char *info = NULL;
    assert_int_equal(qa_index_info(w->q, &info, NULL), QA_OK);
    if (!says(info, embedder_fact) || !says(info, pending))
        fail_msg("%s", info);
    qa_text_free(info);
}

/* An embedder that gives nothing costs nothing. Once it has given something, words alone are searched until it is done; what it leaves behind when it fails is whole,
 * and ingesting goes on with it. */
static void reembedding(void **state) {
    struct wiring *w = *state;
    static const struct fake_reply replies[] = {{.head = FAKE_JSON, .body = VECTORS_2}, {.head = FAKE_STATUS("400 No")}, {.head = FAKE_JSON, .body = VECTOR_OF_JOBS},
                                                {.head = FAKE_STATUS("400 No")}, {.head = FAKE_JSON, .body = VECTORS_2}, {.head = FAKE_JSON, .body = VECTOR_OF_JOBS}};
    qa_error err = {0};
    wiring_serve(w, replies, 6);
    wiring_open(w, "{generator: none, embedder: {url: '%s', model: others, dimensions: 3}}");
    wiring_ingest_all(w);
    wiring_open(w, embedder);
    assert_int_equal(qa_index_reembed(w->q, NULL, NULL, &w->report, &err), QA_REMOTE);
    check_info(w, "\"embedder\": \"others\"", "\"pending\": 0");
    assert_int_equal(qa_index_reembed(w->q, NULL, NULL, &w->report, &err), QA_REMOTE);
    assert_non_null(strstr(err.message, "the vectors of before are dropped"));
    check_info(w, "\"embedder\": \"vectors\"", "\"pending\": 2");
    assert_int_equal(qa_index_check(w->q, &err), QA_OK);
    search_fails(w, QA_MODE_VECTOR, QA_UNSUPPORTED, "quaere ingest");
    qa_hits *hits = search(w, asked, QA_MODE_HYBRID);
    assert_non_null(strstr(qa_hits_warning(hits), "no chunk has its vector yet"));
    assert_string_equal(qa_hits_get(hits, 0)->document, "urls.md");
    assert_true(isnan(qa_hits_get(hits, 0)->vector_score));
    qa_hits_free(hits);
    wiring_ingest_all(w); /* with the new one, without another word */
    assert_int_equal(w->report.embedded, 2);
    hits = search(w, paraphrase, QA_MODE_VECTOR);
    assert_string_equal(qa_hits_get(hits, 0)->document, "jobs.md");
    qa_hits_free(hits);
    wiring_open(w, "{embedder: none, generator: none}");
    assert_int_equal(qa_index_reembed(w->q, NULL, NULL, &w->report, &err), QA_BAD_USAGE); /* before anything is forgotten */
    check_info(w, "\"embedder\": \"vectors\"", "\"pending\": 0");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(vectors_find_what_words_do_not), TEST(of_another_kind), TEST(no_embedder), TEST(fails_while_searching), TEST(down_while_searching),
        TEST(fails_while_ingesting),          TEST(cancelled),       TEST(reembedding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
