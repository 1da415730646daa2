/* A folder of documents, a configuration and an OpenAI-compatible server that says what the test wrote down: for tests of how models are wired to the
 * public API. What the server says, in its own protocol, is in tests/unit/test_remote_*.c; here it is what a person then gets. */
#ifndef WIRING_H
#define WIRING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/json.h"
#include "fake/fake_tree.h"
#include "fake/openai_server.h"
#include <quaere.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- What a server says ---- */

#define SAY(text) "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"},\"finish_reason\":null}]}\n\n"
#define END "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"

static const char urls_page[] = "# Notebooks\n\n## Presigned URLs\n\nA presigned URL is valid for **5 minutes**. After that it leads to the sign-in page.\n";
static const char jobs_page[] = "# Jobs\n\nA training job may run for 7 days. Then the service stops it.\n";
#define VALID "A presigned URL is valid for 5 minutes."
#define LEADS "After that it leads to the sign-in page."
static const char asked[] = "how long is a presigned URL valid?";

/* ---- The fixture ---- */

struct wiring {
    struct fake_tree tree;
    struct fake_server *server; /* NULL: none */
    qa *q;
    qa_ingest_report report;
};

/* What stands in the environment of whoever runs the tests is not for them. */
static inline void wiring_environment(const struct wiring *w) {
    static const char *const names[] = {"http_proxy",    "https_proxy",   "all_proxy",    "HTTPS_PROXY",     "ALL_PROXY",       "QUAERE_CONFIG",
                                        "QUAERE_INDEX", "QUAERE_STATE", "QUAERE_EMBEDDER", "QUAERE_GENERATOR"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    setenv("QUAERE_MODELS", fake_tree_path(&w->tree, "models"), 1);
}

static inline void wiring_make(struct wiring *w) {
    *w = (struct wiring){0};
    fake_tree_make(&w->tree);
    wiring_environment(w);
    fake_tree_put(&w->tree, "docs/urls.md", urls_page);
    fake_tree_put(&w->tree, "docs/jobs.md", jobs_page);
}

static inline void wiring_serve(struct wiring *w, const struct fake_reply *replies, size_t n) {
    if (w->server)
        fake_server_stop(w->server);
    w->server = fake_server_start(replies, n);
}

/* `models`: what stands below "models:", flow style, %s the server's address (as often as it comes). Opens anew. */
static inline qa_status wiring_try_open(struct wiring *w, const char *models, qa_error *err) {
    char config[2000], below[1500];
    const char *url = w->server ? fake_server_url(w->server, "/v1") : "http://127.0.0.1:9/v1";
    qa_open_options where = {.config = fake_tree_path(&w->tree, "quaere.yaml"), .create = true};
    snprintf(below, sizeof below, models, url, url);
    snprintf(config, sizeof config, "index: i.db\nstate: s.db\nmodels: %s\n", below);
    fake_tree_put(&w->tree, "quaere.yaml", config);
    qa_close(w->q);
    w->q = NULL;
    return qa_open(&where, &w->q, err);
}

static inline void wiring_open(struct wiring *w, const char *models) {
    qa_error err = {0};
    if (wiring_try_open(w, models, &err) != QA_OK)
        fail_msg("%s: %s", models, err.message);
}

static inline qa_status wiring_ingest(struct wiring *w, qa_error *err) {
    const char *paths[] = {fake_tree_path(&w->tree, "docs")};
    qa_ingest_options what = {.paths = paths, .n_paths = 1};
    return qa_ingest(w->q, &what, &w->report, err);
}

static inline void wiring_ingest_all(struct wiring *w) {
    qa_error err = {0};
    if (wiring_ingest(w, &err) != QA_OK)
        fail_msg("%s", err.message);
}

static inline void wiring_end(struct wiring *w) {
    qa_close(w->q);
    if (w->server)
        fake_server_stop(w->server);
    fake_tree_remove(&w->tree);
}

static inline qa_answer *wiring_ask(struct wiring *w, const char *text, const char *conversation) {
    qa_question question = {.text = text, .conversation = conversation};
    qa_answer *answer = NULL;
    qa_error err = {0};
    if (qa_ask(w->q, &question, &answer, &err) != QA_OK)
        fail_msg("%s: %s", text, err.message);
    return answer;
}

static inline bool says(const char *text, const char *part) { return text && strstr(text, part); }

/* How many turns the conversation has, "last" being the newest; -1: there is none. */
static inline int wiring_turns(struct wiring *w, const char *conversation) {
    char *text = NULL;
    json_t *value = NULL;
    qa_status status = qa_conversation_get(w->q, conversation, &text, NULL);
    if (status == QA_NOT_FOUND)
        return -1;
    assert_int_equal(status, QA_OK);
    assert_int_equal(json_parse(text, strlen(text), &value, NULL), QA_OK);
    int n = (int)json_array_size(json_object_get(value, "turns"));
    json_decref(value);
    qa_text_free(text);
    return n;
}

/* Every byte that a quote claims to be of the document. */
static inline void wiring_check_quotes(const qa_answer *answer) {
    for (size_t i = 0; i < qa_answer_citation_count(answer); i++) {
        const qa_citation *c = qa_answer_citation(answer, i);
        const char *page = strcmp(c->document, "urls.md") == 0 ? urls_page : jobs_page;
        assert_true(c->start < c->end && c->end <= strlen(page));
        assert_memory_equal(c->quote, page + c->start, c->end - c->start);
    }
}

#endif
