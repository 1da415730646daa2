/* Written answers through the public API, by a server on a loopback port: what is streamed and kept, and what a person is
 * told when a conversation outgrows the model or the model holds too little. */
#include "base/json.h"
#include "fake/fake_tree.h"
#include "fake/openai_server.h"
#include <quaere.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SAYS(text, reason)                                                                                                     \
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"},\"finish_reason\":null}]}\n\n"              \
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"" reason "\"}]}\n\n"                              \
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":400,\"completion_tokens\":12,\"prompt_tokens_details\":{\"cached_tokens\":300}}}\n\n"  \
    "data: [DONE]\n\n"
static const char page[] = "# Notebooks\n\n## Presigned URLs\n\nA presigned URL is valid for **5 minutes**. After that it leads to the sign-in page.\n";
#define LEADS "After that it leads to the sign-in page."
#define VALID "A presigned URL is valid for 5 minutes."
static const char valid[] = "how long is a presigned URL valid?";

struct fixture {
    struct fake_tree tree;
    struct fake_server *server;
    qa *q;
    char told[1000];
    size_t n_told;
};

static void begin(struct fixture *f, const char *body, unsigned context) {
    static struct fake_reply reply;
    char config[400];
    qa_ingest_report report;
    qa_error err = {0};
    *f = (struct fixture){0};
    reply = (struct fake_reply){.body = body};
    f->server = fake_server_start(&reply, 1);
    snprintf(config, sizeof config, "index: i.db\nstate: s.db\nmodels:\n  embedder: none\n  generator: {url: \"%s\", model: little, context: %u}\n",
             fake_server_url(f->server, "/v1"), context);
    fake_tree_make(&f->tree);
    fake_tree_put(&f->tree, "quaere.yaml", config);
    fake_tree_put(&f->tree, "docs/urls.md", page);
    const char *path = fake_tree_path(&f->tree, "quaere.yaml");
    qa_open_options where = {.config = path, .create = true};
    if (qa_open(&where, &f->q, &err) != QA_OK)
        fail_msg("%s", err.message);
    const char *paths[] = {fake_tree_path(&f->tree, "docs")};
    qa_ingest_options what = {.paths = paths, .n_paths = 1};
    assert_int_equal(qa_ingest(f->q, &what, &report, &err), QA_OK);
}

static void end(struct fixture *f) {
    qa_close(f->q);
    fake_server_stop(f->server);
    fake_tree_remove(&f->tree);
}

static void hear(const char *text, const qa_sentence *sentence, void *user) {
    struct fixture *f = user;
    strcat(f->told, text);
    assert_int_equal(sentence->end, strlen(f->told));
    f->n_told++;
}

static qa_answer *ask(struct fixture *f, const char *text, const char *conversation, bool extractive) {
    qa_answer *answer = NULL;
    qa_error err = {0};
    const qa_stream stream = {.on_sentence = hear, .user = f};
    const qa_question question = {.text = text, .conversation = conversation, .extractive = extractive, .stream = &stream};
    f->told[0] = '\0';
    f->n_told = 0;
    if (qa_ask(f->q, &question, &answer, &err) != QA_OK)
        fail_msg("%s: %s", text, err.message);
    return answer;
}

/* The record of the newest turn; to be released. */
static json_t *record_of(struct fixture *f, const char *conversation) {
    char *text = NULL;
    json_t *all = NULL;
    assert_int_equal(qa_conversation_get(f->q, conversation, &text, NULL), QA_OK);
    assert_int_equal(json_parse(text, strlen(text), &all, NULL), QA_OK);
    const json_t *turns = json_object_get(all, "turns");
    json_t *record = json_incref(json_object_get(json_array_get(turns, json_array_size(turns) - 1), "record"));
    json_decref(all);
    qa_text_free(text);
    return record;
}

static json_int_t number(const json_t *record, const char *name) {
    return json_integer_value(json_object_get(json_object_get(record, "generation"), name));
}

static void told_and_kept(void **state) {
    struct fixture f;
    (void)state;
    begin(&f, SAYS(LEADS, "stop"), 4096);
    qa_answer *answer = ask(&f, valid, NULL, false);
    assert_true(qa_answer_generated(answer));
    assert_null(qa_answer_warning(answer));
    assert_string_equal(qa_answer_text(answer), LEADS " [1] " VALID " [1]");
    assert_string_equal(f.told, qa_answer_text(answer));
    assert_int_equal(f.n_told, 2);
    json_t *record = record_of(&f, qa_answer_conversation(answer));
    assert_string_equal(json_get_string(json_object_get(record, "generation"), "end"), "done");
    assert_int_equal(number(record, "seed"), 0);
    assert_int_equal(number(record, "max_tokens"), 160);
    assert_int_equal(number(record, "prompt_tokens"), 400);
    assert_int_equal(number(record, "reused_tokens"), 300);
    assert_int_equal(number(record, "generated_tokens"), 12);
    assert_null(json_object_get(record, "told_dropped"));
    json_decref(record);
    qa_answer_free(answer);

    answer = ask(&f, valid, NULL, true); /* a verbatim one is told in the same way, and no model ended */
    assert_false(qa_answer_generated(answer));
    assert_string_equal(f.told, qa_answer_text(answer));
    record = record_of(&f, qa_answer_conversation(answer));
    assert_null(json_object_get(record, "generation"));
    json_decref(record);
    qa_answer_free(answer);
    end(&f);
}

static void a_cut_answer(void **state) {
    struct fixture f;
    (void)state;
    begin(&f, SAYS(LEADS " And a presigned", "length"), 4096);
    qa_answer *answer = ask(&f, valid, NULL, false);
    assert_string_equal(qa_answer_text(answer), LEADS " [1] " VALID " [1]");
    assert_non_null(strstr(qa_answer_warning(answer), "was cut at 160 tokens"));
    json_t *record = record_of(&f, qa_answer_conversation(answer));
    assert_string_equal(json_get_string(json_object_get(record, "generation"), "end"), "full");
    json_decref(record);
    qa_answer_free(answer);
    end(&f);
}

static void a_context_too_small(void **state) {
    struct fixture f;
    (void)state;
    begin(&f, SAYS(VALID, "stop"), 512);
    qa_answer *answer = ask(&f, valid, NULL, false);
    assert_false(qa_answer_generated(answer));
    assert_non_null(strstr(qa_answer_text(answer), VALID));
    assert_non_null(strstr(qa_answer_warning(answer), "the model little has a context of 512 tokens, and"));
    assert_int_equal(fake_server_requests(f.server), 0);
    json_t *record = record_of(&f, qa_answer_conversation(answer));
    assert_string_equal(json_get_string(json_object_get(record, "generation"), "end"), "failed");
    json_decref(record);
    qa_answer_free(answer);
    end(&f);
}

static const char dropped[] = "older turns of this conversation no longer reach the model, which is told the last";

static const char too_long[] = "the turns of this conversation are too long to reach the model";

static size_t dropped_turns(qa_answer *answer) {
    const char *at = strstr(qa_answer_json(answer), "\"dropped_turns\": ");
    return at ? (size_t)atoi(at + 17) : 0;
}

/* Said when it begins, and not again; a turn without the model, or a refusal, between does not bring it back. */
static void older_turns_are_left_out(void **state) {
    struct fixture f;
    char question[700], conversation[64] = "";
    static const struct {
        bool extractive, cake, told;
        size_t dropped; /* at least */
    } turns[] = {{.dropped = 0}, {.dropped = 0}, {.told = true, .dropped = 1}, {.dropped = 2}, {.extractive = true}, {.cake = true}, {.dropped = 2}};
    (void)state;
    size_t at = (size_t)sprintf(question, "%s", valid);
    while (at < 600)
        at += (size_t)sprintf(question + at, " valid presigned URL?");
    begin(&f, SAYS(VALID, "stop"), 4096);
    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
        qa_answer *answer = ask(&f, turns[i].cake ? "how do I bake a chocolate cake?" : question, conversation[0] ? conversation : NULL, turns[i].extractive);
        const char *warning = qa_answer_warning(answer);
        assert_int_equal(qa_answer_refused(answer), turns[i].cake);
        if (turns[i].told ? !warning || !strstr(warning, dropped) : warning != NULL)
            fail_msg("turn %zu: %s", i + 1, warning ? warning : "nothing was said");
        if (turns[i].dropped ? dropped_turns(answer) < turns[i].dropped : dropped_turns(answer) != 0)
            fail_msg("turn %zu: %zu dropped", i + 1, dropped_turns(answer));
        snprintf(conversation, sizeof conversation, "%s", qa_answer_conversation(answer));
        qa_answer_free(answer);
        json_t *record = record_of(&f, conversation);
        assert_int_equal(json_is_true(json_object_get(record, "told_dropped")), i >= 2);
        json_decref(record);
    }
    end(&f);
}

/* Of a long conversation of short turns, too, the oldest are not looked at; and nobody remembers what a history was told. */
static void more_turns_than_are_read(void **state) {
    struct fixture f;
    char conversation[64] = "";
    size_t said_at = 0;
    (void)state;
    begin(&f, SAYS(VALID, "stop"), 4096);
    for (size_t i = 1; i <= 11; i++) {
        qa_answer *answer = ask(&f, "URL valid?", conversation[0] ? conversation : NULL, false);
        const char *warning = qa_answer_warning(answer);
        if (warning) {
            assert_int_equal(said_at, 0);
            assert_non_null(strstr(warning, dropped));
            said_at = i;
        }
        snprintf(conversation, sizeof conversation, "%s", qa_answer_conversation(answer));
        qa_answer_free(answer);
    }
    assert_int_equal(said_at, 10); /* eight are read */

    char *huge = test_calloc(1, 9001);
    memset(huge, ' ', 9000);
    for (size_t i = 0; i + 4 < 9000; i += 4)
        memcpy(huge + i, "URL", 3);
    const qa_message one[] = {{"user", huge}, {"assistant", VALID}};
    qa_answer *of_one = NULL;
    assert_int_equal(qa_ask(f.q, &(qa_question){.text = valid, .history = one, .n_history = 2}, &of_one, NULL), QA_OK);
    assert_non_null(strstr(qa_answer_warning(of_one), too_long));
    qa_answer_free(of_one);
    test_free(huge);

    qa_message history[40];
    for (size_t i = 0; i < 40; i++)
        history[i] = (qa_message){i % 2 ? "assistant" : "user", i % 2 ? VALID : "how long is a presigned URL valid?"};
    for (int again = 0; again < 2; again++) {
        qa_answer *answer = NULL;
        const qa_question question = {.text = valid, .history = history, .n_history = 40};
        assert_int_equal(qa_ask(f.q, &question, &answer, NULL), QA_OK);
        assert_non_null(strstr(qa_answer_warning(answer), dropped));
        qa_answer_free(answer);
    }
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(told_and_kept),           cmocka_unit_test(a_cut_answer),             cmocka_unit_test(a_context_too_small),
        cmocka_unit_test(older_turns_are_left_out), cmocka_unit_test(more_turns_than_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
