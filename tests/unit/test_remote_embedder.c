#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/json.h"
#include "fake/openai_server.h"
#include "remote/remote.h"
#include <math.h>
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

static struct embedder_port open_at(struct fake_server *server, struct remote_options o) {
    struct embedder_port port;
    qa_error err = {0};
    o.url = fake_server_url(server, "/v1");
    o.model = "tiny";
    o.idle_ms = o.idle_ms ? o.idle_ms : 20000;
    if (remote_open_embedder(&o, &port, &err) != QA_OK)
        fail_msg("%s", err.message);
    return port;
}

/* n vectors of two numbers, the kth (3, 4 + k); in reverse order with indices when asked for. */
static const char *vectors(size_t n, bool reversed) {
    static char text[2][20000];
    static unsigned next;
    char *to = text[next++ % 2];
    size_t at = (size_t)sprintf(to, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < n; i++) {
        size_t k = reversed ? n - 1 - i : i;
        at += (size_t)sprintf(to + at, reversed ? "%s{\"embedding\":[3,%zu.0],\"index\":%zu}" : "%s{\"embedding\":[3,%zu.0]}", i ? "," : "", 4 + k, k);
    }
    strcpy(to + at, "]}");
    return to;
}

static void check_vector(const float *v, double x, double y) {
    double length = sqrt(x * x + y * y);
    assert_true(fabs(v[0] - x / length) < 1e-6 && fabs(v[1] - y / length) < 1e-6);
}

static json_t *input_of(struct fake_server *server, size_t request) {
    const char *body = strstr(fake_server_request(server, request), "\r\n\r\n") + 4;
    json_t *value = NULL;
    qa_error err = {0};
    if (json_parse(body, strlen(body), &value, &err) != QA_OK)
        fail_msg("%s", err.message);
    assert_string_equal(json_get_string(value, "model"), "tiny");
    assert_int_equal(json_object_size(value), 2); /* neither base64 nor dimensions are asked for */
    json_t *input = json_incref(json_object_get(value, "input"));
    json_decref(value);
    return input;
}

static void any_order(void **state) {
    (void)state;
    for (int reversed = 0; reversed < 2; reversed++) {
        struct fake_reply reply = {.head = FAKE_JSON, .body = vectors(3, reversed)};
        struct fake_server *server = fake_server_start(&reply, 1);
        struct embedder_port port = open_at(server, (struct remote_options){.dimensions = 2, .key = "k-123"});
        struct embedder_text texts[] = {{"one", 3}, {"t\xffwo\"", 5}, {"three, cut here", 5}};
        float out[6];
        qa_error err = {0};
        assert_int_equal(fake_server_requests(server), 0); /* with dimensions nothing is asked on opening */
        if (port.ops->embed(port.self, EMBEDDER_PASSAGE, texts, 3, NULL, out, &err) != QA_OK)
            fail_msg("%s", err.message);
        for (int i = 0; i < 3; i++)
            check_vector(out + 2 * i, 3, 4 + i);
        json_t *input = input_of(server, 0);
        assert_int_equal(json_array_size(input), 3);
        assert_string_equal(json_string_value(json_array_get(input, 1)), "t\xEF\xBF\xBDwo\"");
        assert_string_equal(json_string_value(json_array_get(input, 2)), "three");
        assert_memory_equal(fake_server_request(server, 0), "POST /v1/embeddings HTTP/1.1\r\n", 30);
        assert_non_null(strstr(fake_server_request(server, 0), "\r\nAuthorization: Bearer k-123\r\n"));
        char expected[300];
        snprintf(expected, sizeof expected, "remote %s tiny 2", fake_server_url(server, "/v1"));
        assert_string_equal(port.fingerprint, expected);
        json_decref(input);
        port.ops->close(port.self);
        fake_server_stop(server);
    }
}

static void dimensions_are_asked(void **state) {
    (void)state;
    struct fake_reply reply = {.head = FAKE_JSON, .body = "{\"data\":[{\"index\":0,\"embedding\":[1,2,3,4,5]}]}"};
    struct fake_server *server = fake_server_start(&reply, 1);
    struct embedder_port port = open_at(server, (struct remote_options){0});
    assert_int_equal(port.dimensions, 5);
    assert_int_equal(fake_server_requests(server), 1);
    port.ops->close(port.self);
    fake_server_stop(server);
}

static void batches(void **state) {
    (void)state;
    struct fake_reply replies[] = {{.head = FAKE_JSON, .body = vectors(64, true)}, {.head = FAKE_JSON, .body = vectors(6, true)}};
    struct fake_server *server = fake_server_start(replies, 2);
    struct embedder_port port = open_at(server, (struct remote_options){.dimensions = 2});
    struct embedder_text texts[70];
    float out[140];
    for (size_t i = 0; i < 70; i++)
        texts[i] = (struct embedder_text){"text", 4};
    assert_int_equal(port.ops->embed(port.self, EMBEDDER_QUERY, texts, 70, NULL, out, NULL), QA_OK);
    assert_int_equal(fake_server_requests(server), 2);
    check_vector(out + 2 * 63, 3, 4 + 63);
    check_vector(out + 2 * 64, 3, 4);
    check_vector(out + 2 * 69, 3, 4 + 5);
    assert_int_equal(port.ops->embed(port.self, EMBEDDER_QUERY, texts, 0, NULL, out, NULL), QA_OK);
    assert_int_equal(fake_server_requests(server), 2);
    port.ops->close(port.self);
    fake_server_stop(server);
}

/* About 100 KB a request, whatever the number of texts; a longer text goes alone. */
static void large_texts(void **state) {
    (void)state;
    struct fake_reply replies[] = {{.head = FAKE_JSON, .body = vectors(2, true)}, {.head = FAKE_JSON, .body = vectors(1, true)}};
    struct fake_server *server = fake_server_start(replies, 2);
    struct embedder_port port = open_at(server, (struct remote_options){.dimensions = 2});
    char *text = malloc(150000);
    memset(text, 'x', 150000);
    struct embedder_text texts[] = {{text, 50000}, {text, 50000}, {text, 50000}, {text, 150000}};
    float out[8];
    assert_int_equal(port.ops->embed(port.self, EMBEDDER_PASSAGE, texts, 4, NULL, out, NULL), QA_OK);
    assert_int_equal(fake_server_requests(server), 3);
    free(text);
    port.ops->close(port.self);
    fake_server_stop(server);
}

static void blank_texts(void **state) {
    (void)state;
    struct fake_reply reply = {.head = FAKE_JSON, .body = vectors(3, true)};
    struct fake_server *server = fake_server_start(&reply, 1);
    struct embedder_port port = open_at(server, (struct remote_options){.dimensions = 2});
    struct embedder_text texts[] = {{"", 0}, {" \n\t", 3}, {NULL, 0}};
    float out[6];
    assert_int_equal(port.ops->embed(port.self, EMBEDDER_PASSAGE, texts, 3, NULL, out, NULL), QA_OK);
    json_t *input = input_of(server, 0);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(json_string_value(json_array_get(input, i)), ".");
    json_decref(input);
    port.ops->close(port.self);
    fake_server_stop(server);
}

/* Nothing of a text over the context is lost, no word is cut, and its vector is the mean. */
static void texts_over_the_context(void **state) {
    (void)state;
    struct fake_reply reply = {.head = FAKE_JSON, .body = "{\"data\":[{\"index\":0,\"embedding\":[2,0]},{\"index\":1,\"embedding\":[0,7]},{\"index\":2,\"embedding\":[0,1]}]}"};
    struct fake_server *server = fake_server_start(&reply, 1);
    struct embedder_port port = open_at(server, (struct remote_options){.dimensions = 2, .context = 5});
    struct embedder_text texts[] = {{"one two three four", 18}, {"x", 1}};
    float out[4];
    qa_error err = {0};
    if (port.ops->embed(port.self, EMBEDDER_PASSAGE, texts, 2, NULL, out, &err) != QA_OK)
        fail_msg("%s", err.message);
    json_t *input = input_of(server, 0);
    assert_int_equal(json_array_size(input), 3);
    assert_string_equal(json_string_value(json_array_get(input, 0)), "one two ");
    assert_string_equal(json_string_value(json_array_get(input, 1)), "three four");
    check_vector(out, 1, 1);
    check_vector(out + 2, 0, 1);
    json_decref(input);
    port.ops->close(port.self);
    fake_server_stop(server);
}

/* Each side's prefix stands before each text of it, and before each piece of one that is cut; and makes other vectors. */
static void prefixes(void **state) {
    (void)state;
    struct fake_reply reply = {.head = FAKE_JSON, .body = vectors(3, true)};
    struct fake_server *server = fake_server_start(&reply, 1);
    struct remote_options o = {.dimensions = 2, .context = 9, .prefixes = {{[EMBEDDER_QUERY] = "query: ", [EMBEDDER_PASSAGE] = "p\xff"}}};
    struct embedder_port port = open_at(server, o);
    struct embedder_text texts[] = {{"one two three four", 18}, {"", 0}};
    static const char *const wanted[EMBEDDER_SIDES][3] = {
        [EMBEDDER_PASSAGE] = {"p\xEF\xBF\xBDone two ", "p\xEF\xBF\xBDthree four", "p\xEF\xBF\xBD."},
        [EMBEDDER_QUERY] = {"query: one two ", "query: three four", "query: ."},
    };
    float out[4];
    qa_error err = {0};
    for (int side = 0; side < EMBEDDER_SIDES; side++) {
        if (port.ops->embed(port.self, (enum embedder_side)side, texts, 2, NULL, out, &err) != QA_OK)
            fail_msg("%s", err.message);
        json_t *input = input_of(server, (size_t)side);
        assert_int_equal(json_array_size(input), 3);
        for (size_t i = 0; i < 3; i++)
            assert_string_equal(json_string_value(json_array_get(input, i)), wanted[side][i]);
        json_decref(input);
    }
    /* the fingerprint tells prefixes apart, also which side has which; without any it is as it always was */
    static const struct embedder_prefixes others[] = {{{NULL, NULL}}, {{"", NULL}}, {{"a", NULL}}, {{NULL, "a"}}, {{"a", "a"}}, {{"aa", NULL}}};
    char seen[6][300];
    for (size_t i = 0; i < 6; i++) {
        o.prefixes = others[i];
        struct embedder_port other = open_at(server, o);
        snprintf(seen[i], sizeof seen[i], "%s", other.fingerprint);
        other.ops->close(other.self);
        assert_true(strlen(seen[i]) <= 200 && strcmp(seen[i], port.fingerprint) != 0);
        for (size_t k = i == 1 ? 1 : 0; k < i; k++)
            assert_string_not_equal(seen[i], seen[k]);
    }
    assert_string_equal(seen[0], seen[1]);
    assert_int_equal(seen[0][strlen(seen[0]) - 1], '2'); /* the dimensions */
    /* one that leaves no room */
    o.prefixes = (struct embedder_prefixes){{"a prefix of more tokens than there are in all of it", NULL}};
    o.url = fake_server_url(server, "/v1");
    o.model = "tiny";
    struct embedder_port none;
    assert_int_equal(remote_open_embedder(&o, &none, &err), QA_BAD_CONFIG);
    assert_non_null(strstr(err.message, "leaves no room for text in a context of 9"));
    port.ops->close(port.self);
    fake_server_stop(server);
}

/* What is configured holds for silence too, and opening can be cancelled. */
static void how_long_it_waits(void **state) {
    (void)state;
    struct fake_reply reply = {.head = "", .ending = FAKE_HANG};
    struct fake_server *server = fake_server_start(&reply, 1);
    struct remote_options o = {.url = fake_server_url(server, "/v1"), .model = "tiny", .total_ms = 400, .retries = 1};
    struct embedder_port port;
    qa_error err = {0};
    assert_int_equal(remote_open_embedder(&o, &port, &err), QA_REMOTE);
    assert_non_null(strstr(err.message, "nothing came for 200 ms"));
    const atomic_int cancel = 1;
    o.cancel = &cancel;
    assert_int_equal(remote_open_embedder(&o, &port, &err), QA_CANCELLED);
    fake_server_stop(server);
}

#define OK2 "{\"data\":[{\"embedding\":[1,0]},{\"embedding\":[0,1]}]}"
static const struct {
    const char *name;
    struct fake_reply reply;
    const char *message;
} bad[] = {
    {"too few", {.head = FAKE_JSON, .body = "{\"data\":[{\"embedding\":[1,0]}]}"}, "answered with 1 vectors for 2 texts"},
    {"too many", {.head = FAKE_JSON, .body = "{\"data\":[{\"embedding\":[1,0]},{\"embedding\":[1,0]},{\"embedding\":[1,0]}]}"}, "answered with 3 vectors for 2 texts"},
    {"no data", {.head = FAKE_JSON, .body = "{}"}, "it has no list named data"},
    {"data is an object", {.head = FAKE_JSON, .body = "{\"data\":{}}"}, "it has no list named data"},
    {"not an object", {.head = FAKE_JSON, .body = "[]"}, "it has no list named data"},
    {"not JSON", {.head = FAKE_JSON, .body = "secret text"}, "the answer is not JSON"},
    {"nothing", {.head = FAKE_JSON, .body = ""}, "the answer is not JSON"},
    {"an error with status 200", {.head = FAKE_JSON, .body = "{\"error\":{\"message\":\"no room\"}}"}, "failed: no room"},
    {"an index twice", {.head = FAKE_JSON, .body = "{\"data\":[{\"index\":1,\"embedding\":[1,0]},{\"index\":1,\"embedding\":[0,1]}]}"}, "index 1 comes twice"},
    {"an index beyond", {.head = FAKE_JSON, .body = "{\"data\":[{\"index\":0,\"embedding\":[1,0]},{\"index\":2,\"embedding\":[0,1]}]}"}, "index 2 comes twice or is not one of 2"},
    {"an index below", {.head = FAKE_JSON, .body = "{\"data\":[{\"index\":-1,\"embedding\":[1,0]},{\"index\":0,\"embedding\":[0,1]}]}"}, "index -1"},
    {"an index that is text", {.head = FAKE_JSON, .body = "{\"data\":[{\"index\":\"0\",\"embedding\":[1,0]},{\"embedding\":[0,1]}]}"}, "an index is not a number"},
    {"an item that is null", {.head = FAKE_JSON, .body = "{\"data\":[null,null]}"}, "an embedding is not a list"},
    {"base64", {.head = FAKE_JSON, .body = "{\"data\":[{\"embedding\":\"AACAPw==\"},{\"embedding\":\"AACAPw==\"}]}"}, "an embedding is not a list"},
    {"other dimensions", {.head = FAKE_JSON, .body = "{\"data\":[{\"embedding\":[1,0,0]},{\"embedding\":[1,0,0]}]}"}, "a vector of 3 dimensions, and it is to have 2"},
    {"no numbers", {.head = FAKE_JSON, .body = "{\"data\":[{\"embedding\":[]},{\"embedding\":[]}]}"}, "a vector of 0 numbers"},
    {"text in a vector", {.head = FAKE_JSON, .body = "{\"data\":[{\"embedding\":[1,\"0\"]},{\"embedding\":[0,1]}]}"}, "something else than numbers"},
    {"null in a vector", {.head = FAKE_JSON, .body = "{\"data\":[{\"embedding\":[1,null]},{\"embedding\":[0,1]}]}"}, "something else than numbers"},
    {"over a float", {.head = FAKE_JSON, .body = "{\"data\":[{\"embedding\":[1e39,0]},{\"embedding\":[0,1]}]}"}, "too large"},
    {"over a double", {.head = FAKE_JSON, .body = "{\"data\":[{\"embedding\":[1e999,0]},{\"embedding\":[0,1]}]}"}, "the answer is not JSON"},
    {"not a number", {.head = FAKE_JSON, .body = "{\"data\":[{\"embedding\":[NaN,0]},{\"embedding\":[0,1]}]}"}, "the answer is not JSON"},
    {"zero", {.head = FAKE_JSON, .body = "{\"data\":[{\"embedding\":[1,0]},{\"embedding\":[0,-0.0]}]}"}, "zero in all dimensions"},
    {"too long an answer", {.head = FAKE_JSON, .body = "                                                      ", .times = 100000}, "more than the 65664 bytes allowed"},
    {"does not fit", {.head = FAKE_STATUS("400 No"), .body = "{\"error\":{\"message\":\"input is larger than the maximum context length\"}}"}, "does not fit the context of model tiny"},
    {"503 for ever", {.head = FAKE_STATUS("503 Loading")}, "answered with status 503, after 2 attempts"},
    {"never", {.head = "", .ending = FAKE_HANG}, "nothing came for 300 ms"},
    {"fewer bytes than said", {.head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", .body = OK2}, "the connection broke off"},
};

static void failures(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fake_server *server = fake_server_start(&bad[i].reply, 1);
        struct embedder_port port = open_at(server, (struct remote_options){.dimensions = 2, .retries = 2, .idle_ms = bad[i].reply.ending == FAKE_HANG ? 300 : 0});
        struct embedder_text texts[] = {{"one", 3}, {"two", 3}};
        float out[4];
        qa_error err = {0};
        qa_status status = port.ops->embed(port.self, EMBEDDER_PASSAGE, texts, 2, NULL, out, &err);
        if (status != (strstr(bad[i].name, "fit") ? QA_TOO_LARGE : QA_REMOTE) || !strstr(err.message, bad[i].message) || strstr(err.message, "secret"))
            fail_msg("%s: %d %s", bad[i].name, status, err.message);
        assert_memory_equal(err.message, "127.0.0.1:", 10);
        port.ops->close(port.self);
        fake_server_stop(server);
    }
}

static void opposite_pieces(void **state) {
    (void)state;
    struct fake_reply reply = {.head = FAKE_JSON, .body = "{\"data\":[{\"embedding\":[1,0]},{\"embedding\":[-1,0]}]}"};
    struct fake_server *server = fake_server_start(&reply, 1);
    struct embedder_port port = open_at(server, (struct remote_options){.dimensions = 2, .context = 5});
    struct embedder_text text = {"one two three four", 18};
    float out[2];
    qa_error err = {0};
    assert_int_equal(port.ops->embed(port.self, EMBEDDER_PASSAGE, &text, 1, NULL, out, &err), QA_REMOTE);
    assert_non_null(strstr(err.message, "cancel each other out"));
    port.ops->close(port.self);
    fake_server_stop(server);
}

static void busy_and_cancelled(void **state) {
    (void)state;
    struct fake_reply replies[] = {{.head = FAKE_STATUS("503 Loading")}, {.head = FAKE_JSON, .body = vectors(1, false)}, {.head = "HTTP/1.1 429 Slow\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n"}};
    struct fake_server *server = fake_server_start(replies, 3);
    struct embedder_port port = open_at(server, (struct remote_options){.dimensions = 2});
    struct embedder_text text = {"one", 3};
    float out[2];
    atomic_int flag = 0;
    assert_int_equal(port.ops->embed(port.self, EMBEDDER_PASSAGE, &text, 1, &flag, out, NULL), QA_OK);
    check_vector(out, 3, 4);
    flag = 1;
    assert_int_equal(port.ops->embed(port.self, EMBEDDER_PASSAGE, &text, 1, &flag, out, NULL), QA_CANCELLED);
    assert_int_equal(fake_server_requests(server), 2);
    port.ops->close(port.self);
    fake_server_stop(server);
}

static void opening_fails(void **state) {
    (void)state;
    static const struct {
        const char *body;
        size_t dimensions;
        qa_status status;
        const char *message;
    } rows[] = {
        {"{\"data\":[{\"embedding\":[]}]}", 0, QA_REMOTE, "a vector of 0 numbers"},
        {"{\"data\":[]}", 0, QA_REMOTE, "0 vectors for 1 texts"},
        {"{}", 8193, QA_BAD_CONFIG, "8193 dimensions are configured, and 8192"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_reply reply = {.head = FAKE_JSON, .body = rows[i].body};
        struct fake_server *server = fake_server_start(&reply, 1);
        struct embedder_port port;
        qa_error err = {0};
        struct remote_options o = {.url = fake_server_url(server, "/v1"), .model = "tiny", .dimensions = rows[i].dimensions};
        assert_int_equal(remote_open_embedder(&o, &port, &err), rows[i].status);
        if (!strstr(err.message, rows[i].message))
            fail_msg("%s", err.message);
        assert_null(port.self);
        fake_server_stop(server);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order),       cmocka_unit_test(dimensions_are_asked),   cmocka_unit_test(batches),
        cmocka_unit_test(large_texts),     cmocka_unit_test(blank_texts),            cmocka_unit_test(texts_over_the_context), cmocka_unit_test(prefixes), cmocka_unit_test(how_long_it_waits),
        cmocka_unit_test(failures),        cmocka_unit_test(opposite_pieces),        cmocka_unit_test(busy_and_cancelled),
        cmocka_unit_test(opening_fails),
    };
    return cmocka_run_group_tests(tests, no_proxy, NULL);
}
