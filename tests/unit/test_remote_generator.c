#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/json.h"
#include "base/utf8.h"
#include "fake/openai_server.h"
#include "remote/remote.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int no_proxy(void **state) {
    (void)state;
    static const char *const names[] = {"http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    return 0;
}

struct heard {
    char text[4000];
    size_t pieces, most; /* stops after so many; 0: never */
    atomic_int *cancel;
};

static bool hear(void *user, const char *text, size_t len) {
    struct heard *h = user;
    assert_int_equal(utf8_valid_len(text, len), len);
    assert_true(len > 0);
    size_t n = strlen(h->text);
    snprintf(h->text + n, sizeof h->text - n, "%.*s", (int)len, text);
    if (h->cancel)
        *h->cancel = 1;
    return ++h->pieces != h->most;
}

static struct generator_port open_at(struct fake_server *server, struct remote_options o) {
    struct generator_port port;
    qa_error err = {0};
    o.url = o.url ? o.url : fake_server_url(server, "/v1");
    o.model = o.model ? o.model : "tiny";
    o.idle_ms = o.idle_ms ? o.idle_ms : 20000;
    if (remote_open_generator(&o, &port, &err) != QA_OK)
        fail_msg("%s", err.message);
    return port;
}

static const struct generator_message hello[] = {{GENERATOR_SYSTEM, "Be brief."}, {GENERATOR_USER, "Say \"hello\"."}};

static qa_status ask(struct generator_port *port, struct heard *heard, struct generator_result *result, qa_error *err) {
    struct generator_request request = {.messages = hello, .n_messages = 2, .max_tokens = 50, .seed = 7, .temperature = 0.1f, .piece = hear, .user = heard,
                                        .cancel = heard->cancel};
    return port->ops->generate(port->self, &request, result, err);
}

#define D(text) "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"},\"finish_reason\":null}]}\n\n"
#define END(reason) "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"" reason "\"}]}\n\n"
#define USAGE "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":3,\"prompt_tokens_details\":{\"cached_tokens\":5}}}\n\n"
#define DONE "data: [DONE]\n\n"
#define ROLE "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":null},\"finish_reason\":null}]}\n\n"

/* ---- What is sent ---- */

static void the_request(void **state) {
    (void)state;
    struct fake_reply reply = {.body = D("hi") END("stop") DONE};
    struct fake_server *server = fake_server_start(&reply, 1);
    char url[300];
    snprintf(url, sizeof url, "%s", fake_server_url(server, "/v1/?api-version=2#part"));
    struct generator_port port = open_at(server, (struct remote_options){.url = url, .key = "k-123", .context = 4096});
    struct heard heard = {0};
    struct generator_result result;
    assert_int_equal(ask(&port, &heard, &result, NULL), QA_OK);
    const char *sent = fake_server_request(server, 0), *body = strstr(sent, "\r\n\r\n") + 4;
    assert_memory_equal(sent, "POST /v1/chat/completions?api-version=2 HTTP/1.1\r\n", 50);
    assert_non_null(strstr(sent, "\r\nAuthorization: Bearer k-123\r\n"));
    assert_non_null(strstr(sent, "\r\nContent-Type: application/json\r\n"));
    assert_string_equal(body, "{\"model\":\"tiny\",\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":\"Say \\\"hello\\\".\"}],"
                              "\"stream\":true,\"stream_options\":{\"include_usage\":true},\"max_tokens\":50,\"temperature\":0.1,\"seed\":7}");
    assert_string_equal(port.name, "tiny");
    assert_int_equal(port.context, 4096);
    assert_null(strstr(port.fingerprint, "api-version")); /* a query may hold a key, and fingerprints are stored */
    port.ops->close(port.self);

    snprintf(url, sizeof url, "http://user:secret@%s", fake_server_url(server, "/v1") + 7);
    port = open_at(server, (struct remote_options){.url = url});
    char expected[300];
    snprintf(expected, sizeof expected, "remote %s tiny", fake_server_url(server, "/v1"));
    assert_string_equal(port.fingerprint, expected);
    port.ops->close(port.self);
    fake_server_stop(server);
}

static void bytes_that_are_no_text(void **state) {
    (void)state;
    struct fake_reply reply = {.body = D("hi") DONE};
    struct fake_server *server = fake_server_start(&reply, 1);
    struct generator_port port = open_at(server, (struct remote_options){0});
    struct heard heard = {0};
    struct generator_result result;
    struct generator_message message = {GENERATOR_USER, "a\xff\"b"};
    struct generator_request request = {.messages = &message, .n_messages = 1, .max_tokens = 5, .piece = hear, .user = &heard};
    assert_int_equal(port.ops->generate(port.self, &request, &result, NULL), QA_OK);
    assert_non_null(strstr(fake_server_request(server, 0), "\"content\":\"a" UTF8_REPLACEMENT "\\\"b\""));
    port.ops->close(port.self);
    fake_server_stop(server);
}

/* ---- Answers ---- */

static const struct {
    const char *name;
    struct fake_reply reply;
    const char *text;
    enum generator_end end;
    size_t prompt_tokens, reused_tokens, generated_tokens;
} good[] = {
    {"a stream", {.body = ROLE D("Hello") D(" there") END("stop") USAGE DONE}, "Hello there", GENERATOR_DONE, 20, 5, 3},
    {"split at each byte", {.body = ROLE D("Hello") D(" there") END("stop") USAGE DONE, .slice = 1}, "Hello there", GENERATOR_DONE, 20, 5, 3},
    {"without usage", {.body = D("a") END("stop") DONE}, "a", GENERATOR_DONE, 0, 0, 0},
    {"usage of a wrong type", {.body = D("a") END("stop") "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":\"20\",\"completion_tokens\":-3}}\n\n" DONE}, "a", GENERATOR_DONE, 0, 0, 0},
    {"usage null in each event", {.body = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\n\n" DONE}, "a", GENERATOR_DONE, 0, 0, 0},
    {"the limit", {.body = D("a") END("length") USAGE DONE}, "a", GENERATOR_FULL, 20, 5, 3},
    {"another reason", {.body = D("a") END("eos_token") DONE}, "a", GENERATOR_DONE, 0, 0, 0},
    {"no [DONE]", {.body = D("a") END("stop")}, "a", GENERATOR_DONE, 0, 0, 0},
    {"no finish_reason", {.body = D("a") DONE}, "a", GENERATOR_DONE, 0, 0, 0},
    {"stays open after [DONE]", {.body = D("a") END("stop") DONE, .ending = FAKE_HANG}, "a", GENERATOR_DONE, 0, 0, 0},
    {"breaks after its end", {.head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", .body = D("a") END("stop")}, "a", GENERATOR_DONE, 0, 0, 0},
    {"nothing said", {.body = ROLE END("stop") DONE}, "", GENERATOR_DONE, 0, 0, 0},
    {"empty pieces", {.body = D("") D("a") D("") DONE}, "a", GENERATOR_DONE, 0, 0, 0},
    {"reasoning is passed over",
     {.body = "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"Hm\",\"content\":null}}]}\n\ndata: {\"choices\":[{\"delta\":{\"reasoning\":\"Hm\"}}]}\n\n" D("a") DONE}, "a", GENERATOR_DONE, 0, 0, 0},
    {"another choice", {.body = "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"}}]}\n\n" D("a") DONE}, "a", GENERATOR_DONE, 0, 0, 0},
    {"comments and unknown events", {.body = ": ping\n\ndata: {}\n\ndata: {\"choices\":null}\n\ndata:\n\n" D("a") DONE}, "a", GENERATOR_DONE, 0, 0, 0},
    {"characters of several bytes", {.body = D("\xC3\xA4\xE2\x82\xAC") D("\\ud83d\\ude00") DONE, .slice = 1}, "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", GENERATOR_DONE, 0, 0, 0},
    {"invalid UTF-8", {.body = D("a\xffz\xC3") DONE}, "a" UTF8_REPLACEMENT "z" UTF8_REPLACEMENT, GENERATOR_DONE, 0, 0, 0},
    {"one document", {.head = FAKE_JSON, .body = "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hello there\"},\"finish_reason\":\"stop\"}],"
                                                 "\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}"}, "Hello there", GENERATOR_DONE, 9, 0, 2},
    {"one document, typed as a stream, at its limit", {.body = "\n {\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":\"length\"}]}\n", .slice = 1}, "a", GENERATOR_FULL, 0, 0, 0},
    {"a document with nothing", {.head = FAKE_JSON, .body = "{\"choices\":[{\"message\":{\"content\":null}}]}"}, "", GENERATOR_DONE, 0, 0, 0},
};

static void answers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct fake_server *server = fake_server_start(&good[i].reply, 1);
        struct generator_port port = open_at(server, (struct remote_options){0});
        struct heard heard = {0};
        struct generator_result r = {0};
        qa_error err = {0};
        qa_status status = ask(&port, &heard, &r, &err);
        if (status != QA_OK || strcmp(heard.text, good[i].text) != 0 || r.end != good[i].end)
            fail_msg("%s: %d %s: end %d: %s", good[i].name, status, err.message, r.end, heard.text);
        assert_int_equal(r.prompt_tokens, good[i].prompt_tokens);
        assert_int_equal(r.reused_tokens, good[i].reused_tokens);
        assert_int_equal(r.generated_tokens, good[i].generated_tokens);
        assert_true((r.first_token_ms > 0) == (heard.pieces > 0));
        assert_int_equal(fake_server_requests(server), 1);
        port.ops->close(port.self);
        fake_server_stop(server);
    }
}

/* ---- Failures that are not asked again ---- */

#define S "127.0.0.1:"
static const struct {
    const char *name;
    struct fake_reply reply;
    qa_status status;
    const char *message;
    const char *text; /* handed out before */
} bad[] = {
    {"breaks off in the middle", {.body = D("Hello") D(" th")}, QA_REMOTE, "the stream broke off in the middle of the answer", "Hello th"},
    {"half a chunk", {.head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .body = "ffff\r\n" D("Hello")}, QA_REMOTE, "the stream broke off in the middle", "Hello"},
    {"falls silent in the middle", {.body = D("Hello"), .ending = FAKE_HANG}, QA_REMOTE, "the stream broke off in the middle of the answer: " S, "Hello"},
    {"never answers", {.head = "", .ending = FAKE_HANG}, QA_REMOTE, "nothing came for 300 ms", ""},
    {"never begins", {.body = ": ping\n\n", .ending = FAKE_HANG}, QA_REMOTE, "nothing came for 300 ms", ""},
    {"an error in the stream", {.body = D("a") "data: {\"error\":{\"message\":\"out of\\nmemory\",\"code\":500}}\n\n"}, QA_REMOTE, "failed while answering: out of memory", "a"},
    {"an error as a string", {.body = "data: {\"error\":\"broken\"}\n\n"}, QA_REMOTE, "failed while answering: broken", ""},
    {"an error in a document", {.head = FAKE_JSON, .body = "{\"error\":{\"code\":1}}"}, QA_REMOTE, "failed while answering", ""},
    {"content is a number", {.body = D("a") "data: {\"choices\":[{\"delta\":{\"content\":7}}]}\n\n"}, QA_REMOTE, "content is not a string", "a"},
    {"content is an object", {.body = "data: {\"choices\":[{\"delta\":{\"content\":{}}}]}\n\n"}, QA_REMOTE, "content is not a string", ""},
    {"delta is a list", {.body = "data: {\"choices\":[{\"delta\":[]}]}\n\n"}, QA_REMOTE, "a choice is not an object", ""},
    {"a choice is a string", {.body = "data: {\"choices\":[\"a\"]}\n\n"}, QA_REMOTE, "a choice is not an object", ""},
    {"choices is an object", {.body = "data: {\"choices\":{}}\n\n"}, QA_REMOTE, "choices is not a list", ""},
    {"finish_reason is a number", {.body = "data: {\"choices\":[{\"finish_reason\":1}]}\n\n"}, QA_REMOTE, "finish_reason is not a string", ""},
    {"an event is a list", {.body = "data: []\n\n"}, QA_REMOTE, "not an object", ""},
    {"an event is no JSON", {.body = "data: {secret document\n\n"}, QA_REMOTE, "the answer is not JSON", ""},
    {"nested without end", {.body = "data: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n\n"}, QA_REMOTE, "the answer is not JSON", ""},
    {"a lone surrogate", {.body = D("a") D("\\ud83d")}, QA_REMOTE, "the answer is not JSON", "a"},
    {"a document without choices", {.head = FAKE_JSON, .body = "{\"choices\":[]}"}, QA_REMOTE, "it has no choices", ""},
    {"a document that is a list", {.head = FAKE_JSON, .body = "[]"}, QA_REMOTE, "it has no choices", ""},
    {"half a document", {.head = FAKE_JSON, .body = "{\"choices\":[{\"message\":{\"con"}, QA_REMOTE, "the answer is not JSON", ""},
    {"a web page", {.body = "<!DOCTYPE html><html>"}, QA_REMOTE, "it is a web page; does the url", ""},
    {"neither JSON nor events", {.head = FAKE_JSON, .body = "}{not json"}, QA_REMOTE, "it is neither JSON nor a stream of events", ""},
    {"a line without an end", {.body = "data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", .times = 100000}, QA_REMOTE, "1048576 bytes", ""},
    {"a document without an end", {.head = FAKE_JSON, .body = "{\"a\":                                                         ", .times = 200000}, QA_REMOTE, "larger than 8 MiB", ""},
    {"withheld", {.body = END("content_filter") DONE}, QA_REMOTE, "withheld the answer (content_filter)", ""},
    {"status 400", {.head = FAKE_STATUS("400 No"), .body = "{\"error\":{\"message\":\"bad\\u001b[2J thing\"}}"}, QA_REMOTE, "status 400: bad [2J thing", ""},
    {"status 400 without words", {.head = FAKE_STATUS("400 No"), .body = "document text that must not be shown"}, QA_REMOTE, "answered with status 400", ""},
    {"words elsewhere", {.head = FAKE_STATUS("400 No"), .body = "{\"detail\":[{\"msg\":\"field required\"}]}"}, QA_REMOTE, "status 400: field required", ""},
    {"the key is refused, and named", {.head = FAKE_STATUS("401 No"), .body = "{\"error\":{\"message\":\"key sk-very-secret is wrong\"}}"}, QA_REMOTE,
     "does not accept the key (status 401)", ""},
    {"the key in other letters", {.head = FAKE_STATUS("401 No"), .body = "{\"error\":{\"message\":\"key SK-VERY-SECRET is wrong\"}}"}, QA_REMOTE,
     "does not accept the key (status 401)", ""},
    {"the key shortened", {.head = FAKE_STATUS("401 No"), .body = "{\"error\":{\"message\":\"key sk*ery-secret is wrong\"}}"}, QA_REMOTE,
     "does not accept the key (status 401)", ""},
    {"the key with something in between", {.head = FAKE_STATUS("401 No"), .body = "{\"error\":{\"message\":\"key s k v e r y s e c r e t is wrong\"}}"}, QA_REMOTE,
     "does not accept the key (status 401)", ""},
    {"seven of the key are a word", {.head = FAKE_STATUS("401 No"), .body = "{\"error\":{\"message\":\"no ysecret here\"}}"}, QA_REMOTE,
     "does not accept the key (status 401): no ysecret here", ""},
    {"no such model", {.head = FAKE_STATUS("404 No"), .body = "{\"error\":{\"message\":\"nope\"}}"}, QA_REMOTE, "knows no model tiny, or the url is not its (status 404): nope", ""},
    {"too long, OpenAI", {.head = FAKE_STATUS("400 No"), .body = "{\"error\":{\"message\":\"long\",\"code\":\"context_length_exceeded\"}}"}, QA_TOO_LARGE, "does not fit the context of model tiny: long", ""},
    {"too long, llama.cpp", {.head = FAKE_STATUS("400 No"), .body = "{\"error\":{\"message\":\"long\",\"code\":400,\"type\":\"exceed_context_size_error\"}}"}, QA_TOO_LARGE, "does not fit the context of model tiny: long", ""},
    {"not implemented", {.head = FAKE_STATUS("501 No")}, QA_REMOTE, "answered with status 501", ""},
};

static void failures(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fake_server *server = fake_server_start(&bad[i].reply, 1);
        struct generator_port port = open_at(server, (struct remote_options){.idle_ms = bad[i].reply.ending == FAKE_HANG ? 300 : 0, .key = "sk-very-secret"});
        struct heard heard = {0};
        struct generator_result r = {0};
        qa_error err = {0};
        qa_status status = ask(&port, &heard, &r, &err);
        if (status != bad[i].status || !strstr(err.message, bad[i].message) || strcmp(heard.text, bad[i].text) != 0)
            fail_msg("%s: %d %s: %s", bad[i].name, status, err.message, heard.text);
        if (!strstr(err.message, S) || strstr(err.message, "wrong") || strcasestr(err.message, "very-secret") || strstr(err.message, "document text") || strchr(err.message, 0x1b))
            fail_msg("%s: %s", bad[i].name, err.message);
        if (fake_server_requests(server) != 1)
            fail_msg("%s: %zu requests", bad[i].name, fake_server_requests(server));
        port.ops->close(port.self);
        fake_server_stop(server);
    }
}

static void long_words_are_cut(void **state) {
    (void)state;
    char body[3000];
    snprintf(body, sizeof body, "{\"error\":{\"message\":\"%02000d\"}}", 0);
    struct fake_reply reply = {.head = FAKE_STATUS("400 No"), .body = body};
    struct fake_server *server = fake_server_start(&reply, 1);
    struct generator_port port = open_at(server, (struct remote_options){0});
    struct heard heard = {0};
    struct generator_result r;
    qa_error err = {0};
    assert_int_equal(ask(&port, &heard, &r, &err), QA_REMOTE);
    assert_in_range(strlen(err.message), 200, 260);
    port.ops->close(port.self);
    fake_server_stop(server);
}

/* ---- Asking again ---- */

static const struct {
    const char *name;
    struct fake_reply replies[4];
    size_t n;
    qa_status status;
    size_t requests;
    const char *message;
} again[] = {
    {"429, then well", {{.head = "HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"}, {.body = D("a") DONE}}, 2, QA_OK, 2, NULL},
    {"503, then well", {{.head = FAKE_STATUS("503 Loading")}, {.body = D("a") DONE}}, 2, QA_OK, 2, NULL},
    {"500 for ever", {{.head = FAKE_STATUS("500 Oh"), .body = "{\"error\":{\"message\":\"broken\"}}"}}, 1, QA_REMOTE, 3, "answered with status 500, after 3 attempts: broken"},
    {"429 for ever", {{.head = FAKE_STATUS("429 Slow")}}, 1, QA_REMOTE, 3, "takes no more requests for now (status 429, after 3 attempts)"},
    {"closed, then well", {{.head = ""}, {.body = D("a") DONE}}, 2, QA_OK, 2, NULL},
    {"reset before the first piece, then well", {{.body = ROLE, .ending = FAKE_RESET}, {.body = D("a") DONE}}, 2, QA_OK, 2, NULL},
    {"ended before the first piece, then well", {{.body = ROLE}, {.body = D("a") DONE}}, 2, QA_OK, 2, NULL},
    {"500, then 401", {{.head = FAKE_STATUS("500 Oh")}, {.head = FAKE_STATUS("401 No")}}, 2, QA_REMOTE, 2, "wants a key, and none is configured (status 401)"},
    {"500, then breaks off", {{.head = FAKE_STATUS("500 Oh")}, {.body = D("a")}}, 2, QA_REMOTE, 2, "broke off in the middle"},
};

static void asking_again(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof again / sizeof *again; i++) {
        struct fake_server *server = fake_server_start(again[i].replies, again[i].n);
        struct generator_port port = open_at(server, (struct remote_options){.retries = 3});
        struct heard heard = {0};
        struct generator_result r = {0};
        qa_error err = {0};
        qa_status status = ask(&port, &heard, &r, &err);
        if (status != again[i].status || (again[i].message && !strstr(err.message, again[i].message)))
            fail_msg("%s: %d %s", again[i].name, status, err.message);
        if (fake_server_requests(server) != again[i].requests)
            fail_msg("%s: %zu requests", again[i].name, fake_server_requests(server));
        assert_string_equal(heard.text, strstr(again[i].name, "well") || strstr(again[i].name, "breaks") ? "a" : "");
        port.ops->close(port.self);
        fake_server_stop(server);
    }
}

/* All attempts together have to fit the limit for the whole. */
static void the_whole_has_a_limit(void **state) {
    (void)state;
    struct fake_reply reply = {.head = "HTTP/1.1 503 Busy\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n"};
    struct fake_server *server = fake_server_start(&reply, 1);
    struct generator_port port = open_at(server, (struct remote_options){.total_ms = 5000});
    struct heard heard = {0};
    struct generator_result r;
    assert_int_equal(ask(&port, &heard, &r, NULL), QA_REMOTE);
    assert_int_equal(fake_server_requests(server), 1); /* did not wait 30 s for another */
    port.ops->close(port.self);
    fake_server_stop(server);
}

static void drips_beyond_the_limit(void **state) {
    (void)state;
    struct fake_reply reply = {.body = ": ping\n\n", .times = 100000, .pause_ms = 5};
    struct fake_server *server = fake_server_start(&reply, 1);
    struct generator_port port = open_at(server, (struct remote_options){.total_ms = 200});
    struct heard heard = {0};
    struct generator_result r;
    qa_error err = {0};
    assert_int_equal(ask(&port, &heard, &r, &err), QA_REMOTE);
    assert_non_null(strstr(err.message, "not done within"));
    port.ops->close(port.self);
    fake_server_stop(server);
}

/* ---- Servers with manners of their own ---- */

static void parameters_that_a_server_refuses(void **state) {
    (void)state;
    static const struct fake_reply replies[] = {
        {.head = FAKE_STATUS("400 No"), .body = "{\"error\":{\"message\":\"'max_tokens' is not supported. Use 'max_completion_tokens' instead.\",\"param\":\"max_tokens\"}}"},
        {.head = FAKE_STATUS("400 No"), .body = "{\"error\":{\"message\":\"'temperature' does not support 0.1 with this model.\"}}"},
        {.head = FAKE_STATUS("422 No"), .body = "{\"detail\":[{\"loc\":[\"body\",\"seed\"],\"msg\":\"extra fields not permitted\"}]}"},
        {.head = FAKE_STATUS("422 No"), .body = "{\"detail\":[{\"loc\":[\"body\",\"stream_options\"],\"msg\":\"extra fields not permitted\"}]}"},
        {.body = D("a") DONE},
        {.body = D("b") DONE},
        {.head = FAKE_STATUS("400 No"), .body = "{\"error\":{\"message\":\"max_completion_tokens is too large\"}}"},
    };
    struct fake_server *server = fake_server_start(replies, 7);
    struct generator_port port = open_at(server, (struct remote_options){.retries = 1}); /* learning is no retry */
    struct heard heard = {0};
    struct generator_result r;
    qa_error err = {0};
    assert_int_equal(ask(&port, &heard, &r, &err), QA_OK);
    assert_int_equal(fake_server_requests(server), 5);
    assert_int_equal(ask(&port, &heard, &r, &err), QA_OK); /* remembered */
    assert_string_equal(heard.text, "ab");
    assert_int_equal(fake_server_requests(server), 6);
    const char *sent = fake_server_request(server, 5);
    assert_non_null(strstr(sent, "\"stream\":true,\"max_completion_tokens\":50}"));
    assert_null(strstr(sent, "\"max_tokens\""));
    assert_int_equal(ask(&port, &heard, &r, &err), QA_REMOTE); /* nothing left to learn */
    assert_int_equal(fake_server_requests(server), 7);
    assert_non_null(strstr(err.message, "max_completion_tokens is too large"));
    port.ops->close(port.self);
    fake_server_stop(server);
}

static void redirected(void **state) {
    (void)state;
    struct fake_reply elsewhere = {.body = D("a") DONE};
    struct fake_server *other = fake_server_start(&elsewhere, 1);
    char head[400];
    snprintf(head, sizeof head, "HTTP/1.1 308 Elsewhere\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", fake_server_url(other, "/v1/chat/completions"));
    struct fake_reply reply = {.head = head};
    struct fake_server *server = fake_server_start(&reply, 1);
    struct generator_port port = open_at(server, (struct remote_options){.key = "sk-very-secret"});
    struct heard heard = {0};
    struct generator_result r;
    qa_error err = {0};
    assert_int_equal(ask(&port, &heard, &r, &err), QA_REMOTE);
    assert_non_null(strstr(err.message, "sends to another address (status 308), which is not followed"));
    assert_int_equal(fake_server_connections(other), 0);
    port.ops->close(port.self);
    fake_server_stop(server);
    fake_server_stop(other);
}

/* ---- Ended by this side ---- */

static void stopped(void **state) {
    (void)state;
    static const struct fake_reply replies[] = {
        {.body = D("a") D("b") D("c"), .ending = FAKE_HANG},
        {.head = FAKE_JSON, .body = "{\"choices\":[{\"message\":{\"content\":\"abc\"},\"finish_reason\":\"length\"}]}"},
    };
    struct fake_server *server = fake_server_start(replies, 2);
    struct generator_port port = open_at(server, (struct remote_options){0});
    struct generator_result r;
    struct heard heard = {.most = 2};
    assert_int_equal(ask(&port, &heard, &r, NULL), QA_OK);
    assert_int_equal(r.end, GENERATOR_STOPPED);
    assert_string_equal(heard.text, "ab");
    heard = (struct heard){.most = 1};
    assert_int_equal(ask(&port, &heard, &r, NULL), QA_OK);
    assert_int_equal(r.end, GENERATOR_STOPPED);
    port.ops->close(port.self);
    fake_server_stop(server);
}

static void cancelled(void **state) {
    (void)state;
    static const struct fake_reply replies[] = {{.body = D("a"), .ending = FAKE_HANG}, {.body = D("a") DONE}};
    struct fake_server *server = fake_server_start(replies, 2);
    struct generator_port port = open_at(server, (struct remote_options){0});
    struct generator_result r;
    atomic_int flag = 0;
    struct heard heard = {.cancel = &flag};
    assert_int_equal(ask(&port, &heard, &r, NULL), QA_CANCELLED);
    assert_string_equal(heard.text, "a");
    heard = (struct heard){0};
    assert_int_equal(ask(&port, &heard, &r, NULL), QA_OK); /* the port still works */
    assert_string_equal(heard.text, "a");
    port.ops->close(port.self);
    fake_server_stop(server);
}

static void loops(void **state) {
    (void)state;
    char document[8000] = "{\"choices\":[{\"message\":{\"content\":\"";
    for (int i = 0; i < 150; i++)
        strcat(document, "All work and no play makes a dull day. ");
    strcat(document, "\"},\"finish_reason\":\"length\"}]}");
    const struct fake_reply replies[] = {{.body = D(" the same again and"), .times = 10000}, {.head = FAKE_JSON, .body = document}};
    struct fake_server *server = fake_server_start(replies, 2);
    struct generator_port port = open_at(server, (struct remote_options){0});
    struct generator_result r;
    for (int i = 0; i < 2; i++) {
        struct heard heard = {0};
        assert_int_equal(ask(&port, &heard, &r, NULL), QA_OK);
        assert_int_equal(r.end, GENERATOR_LOOPED);
        assert_in_range(strlen(heard.text), 600, 1100);
    }
    port.ops->close(port.self);
    fake_server_stop(server);
}

/* ---- Opening, tokens ---- */

static void options_that_are_refused(void **state) {
    (void)state;
    static const struct {
        struct remote_options o;
        const char *message;
    } rows[] = {
        {{.url = "127.0.0.1:8080/v1", .model = "m"}, "model m: its url is not an address such as http://"},
        {{.url = "ftp://host/v1", .model = "m"}, "its url is not an address"},
        {{.url = "http://", .model = "m"}, "its url is not an address"},
        {{.url = "http://user:secret@/v1", .model = "m"}, "its url is not an address"},
        {{.url = "http://ho st:secret/v1", .model = "m"}, "its url is not an address"},
        {{.url = "http://host/\r\nX: y", .model = "m"}, "its url is not an address"},
        {{.url = NULL, .model = "m"}, "its url is not an address"},
        {{.url = "http://host/v1", .model = ""}, "without the name of the model"},
        {{.url = "http://host/v1", .model = "m", .key = "secret\n"}, "its key holds a control character"},
        {{.url = "http://host/v1", .model = "m", .key = "secr\xC3\xA9t"}, "outside ASCII"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct generator_port port;
        struct embedder_port embedder;
        qa_error err = {0};
        assert_int_equal(remote_open_generator(&rows[i].o, &port, &err), QA_BAD_CONFIG);
        if (!strstr(err.message, rows[i].message) || strstr(err.message, "secr"))
            fail_msg("row %zu: %s", i, err.message);
        assert_int_equal(remote_open_embedder(&rows[i].o, &embedder, &err), QA_BAD_CONFIG);
    }
    char url[400] = "http://host/";
    memset(url + 12, 'x', 300);
    struct generator_port port;
    assert_int_equal(remote_open_generator(&(struct remote_options){.url = url, .model = "m"}, &port, NULL), QA_OK);
    assert_in_range(strlen(port.fingerprint), 10, 200);
    port.ops->close(port.self);
}

static void does_not_fit(void **state) {
    (void)state;
    struct fake_reply reply = {.body = D("a") DONE};
    struct fake_server *server = fake_server_start(&reply, 1);
    struct generator_port port = open_at(server, (struct remote_options){.context = 1000});
    char text[30000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct heard heard = {0};
    struct generator_message message = {GENERATOR_USER, text};
    struct generator_request request = {.messages = &message, .n_messages = 1, .max_tokens = 100, .piece = hear, .user = &heard};
    struct generator_result r;
    qa_error err = {0};
    assert_int_equal(port.ops->generate(port.self, &request, &r, &err), QA_TOO_LARGE);
    assert_non_null(strstr(err.message, "do not fit the 1000 of model tiny"));
    message.text = "short";
    request.max_tokens = 1001;
    assert_int_equal(port.ops->generate(port.self, &request, &r, &err), QA_TOO_LARGE);
    assert_int_equal(fake_server_requests(server), 0);
    request.max_tokens = 900;
    assert_int_equal(port.ops->generate(port.self, &request, &r, &err), QA_OK);
    port.ops->close(port.self);
    fake_server_stop(server);
}

static void tokens(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t count; /* by the rule of tokens.c, with two markers */
    } rows[] = {
        {"", 2}, {"a", 3}, {"four", 3}, {"fives", 4}, {"sevens7", 5}, {"two words", 5}, {"2026", 6}, {"a, b.", 6}, {"a\n\nb", 6}, {"a  b", 5},
        {"\xC3\xA4", 4}, {"camelCase", 5}, {"AWS", 3}, {"a 1", 5}, {"\xE4\xBD\xA0", 5}, {"\xF0\x9F\x98\x80", 6}, {"\xff", 5}, {"        ", 3},
    };
    struct generator_port port;
    assert_int_equal(remote_open_generator(&(struct remote_options){.url = "http://host/v1", .model = "m"}, &port, NULL), QA_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t count = 0;
        assert_int_equal(port.ops->count_tokens(port.self, rows[i].text, strlen(rows[i].text), &count, NULL), QA_OK);
        if (count != rows[i].count)
            fail_msg("\"%s\": %zu", rows[i].text, count);
    }
    port.ops->close(port.self);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_request),
        cmocka_unit_test(bytes_that_are_no_text),
        cmocka_unit_test(answers),
        cmocka_unit_test(failures),
        cmocka_unit_test(long_words_are_cut),
        cmocka_unit_test(asking_again),
        cmocka_unit_test(the_whole_has_a_limit),
        cmocka_unit_test(drips_beyond_the_limit),
        cmocka_unit_test(parameters_that_a_server_refuses),
        cmocka_unit_test(redirected),
        cmocka_unit_test(stopped),
        cmocka_unit_test(cancelled),
        cmocka_unit_test(loops),
        cmocka_unit_test(options_that_are_refused),
        cmocka_unit_test(does_not_fit),
        cmocka_unit_test(tokens),
    };
    return cmocka_run_group_tests(tests, no_proxy, NULL);
}
