#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake/openai_server.h"
#include "net/http.h"
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

static void an_answer(void **state) {
    (void)state;
    struct fake_reply reply = {.head = "HTTP/1.1 201 Created\r\nContent-Type: text/plain; charset=utf-8\r\nRetry-After: 7\r\nContent-Length: 5\r\n\r\n", .body = "hello"};
    struct fake_server *server = fake_server_start(&reply, 1);
    const struct http_header headers[] = {{"X-One", "1"}, {"X-Empty", ""}, {"Content-Type", "text/x"}};
    struct http_request request = {.url = fake_server_url(server, "/a?b=c"), .headers = headers, .n_headers = 3, .body = "a\0b", .body_len = 3};
    struct http_response response;
    qa_error err = {0};
    assert_int_equal(http_send(&request, &response, &err), QA_OK);
    assert_int_equal(response.status, 201);
    assert_int_equal(response.retry_after_s, 7);
    assert_string_equal(response.content_type, "text/plain; charset=utf-8");
    assert_string_equal(response.body.data, "hello");
    http_release(&response);
    const char *sent = fake_server_request(server, 0);
    assert_memory_equal(sent, "POST /a?b=c HTTP/1.1\r\n", 22);
    assert_non_null(strstr(sent, "\r\nX-One: 1\r\n"));
    assert_non_null(strstr(sent, "\r\nX-Empty:\r\n"));
    assert_non_null(strstr(sent, "\r\nContent-Type: text/x\r\n"));
    assert_non_null(strstr(sent, "\r\nUser-Agent: quaere/"));
    assert_non_null(strstr(sent, "\r\nContent-Length: 3\r\n"));
    assert_null(strstr(sent, "Expect"));
    assert_memory_equal(strstr(sent, "\r\n\r\n") + 4, "a\0b", 3);
    fake_server_stop(server);
}

static void methods(void **state) {
    (void)state;
    static const struct {
        const char *method, *body, *line;
    } rows[] = {{NULL, NULL, "GET / "}, {NULL, "x", "POST / "}, {"DELETE", NULL, "DELETE / "}, {"PUT", "x", "PUT / "}, {"HEAD", NULL, "HEAD / "}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_reply reply = {.head = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"};
        struct fake_server *server = fake_server_start(&reply, 1);
        struct http_request request = {.method = rows[i].method, .url = fake_server_url(server, "/"), .body = rows[i].body, .body_len = rows[i].body ? 1 : 0};
        struct http_response response;
        assert_int_equal(http_send(&request, &response, NULL), QA_OK);
        assert_int_equal(response.status, 204);
        assert_string_equal(response.body.data, "");
        assert_memory_equal(fake_server_request(server, 0), rows[i].line, strlen(rows[i].line));
        http_release(&response);
        fake_server_stop(server);
    }
}

static void refused_before_anything_is_sent(void **state) {
    (void)state;
    struct fake_reply reply = {.head = FAKE_JSON};
    struct fake_server *server = fake_server_start(&reply, 1);
    const char *good = fake_server_url(server, "/");
    const struct {
        const char *url, *name, *value, *method;
    } rows[] = {
        {"ftp://127.0.0.1/", "A", "b", NULL},       {"file:///etc/passwd", "A", "b", NULL}, {"/a", "A", "b", NULL},    {"http://", "A", "b", NULL},
        {"http://[::1/", "A", "b", NULL},           {good, "A", "b\r\nC: d", NULL},         {good, "A", "b\n", NULL},  {good, "A\r\nB", "b", NULL},
        {good, "", "b", NULL},                      {good, "A:", "b", NULL},                {good, "A", "b", "GET /"}, {"", "A", "b", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_header header = {rows[i].name, rows[i].value};
        struct http_request request = {.url = rows[i].url, .headers = &header, .n_headers = 1, .method = rows[i].method};
        struct http_response response;
        qa_error err = {0};
        if (http_send(&request, &response, &err) != QA_BAD_USAGE)
            fail_msg("row %zu: %d %s", i, err.status, err.message);
        assert_true(err.message[0]);
        http_release(&response);
    }
    assert_int_equal(fake_server_connections(server), 0);
    fake_server_stop(server);
}

/* The other server must see nothing, the key least of all. */
static void redirects_are_not_followed(void **state) {
    (void)state;
    struct fake_reply elsewhere = {.head = FAKE_JSON, .body = "{}"};
    struct fake_server *other = fake_server_start(&elsewhere, 1);
    char head[400];
    snprintf(head, sizeof head, "HTTP/1.1 307 Elsewhere\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", fake_server_url(other, "/"));
    struct fake_reply reply = {.head = head};
    struct fake_server *server = fake_server_start(&reply, 1);
    struct http_header header = {"Authorization", "Bearer secret"};
    struct http_request request = {.url = fake_server_url(server, "/"), .headers = &header, .n_headers = 1};
    struct http_response response;
    assert_int_equal(http_send(&request, &response, NULL), QA_OK);
    assert_int_equal(response.status, 307);
    http_release(&response);
    assert_int_equal(fake_server_connections(other), 0);
    fake_server_stop(server);
    fake_server_stop(other);
}

static void no_answer(void **state) {
    (void)state;
    static const struct {
        const char *name;
        struct fake_reply reply;
        unsigned idle_ms, total_ms;
        size_t max_body;
        bool permanent;
        const char *message;
    } rows[] = {
        {"closes", {.head = ""}, 0, 0, 0, false, "without an answer"},
        {"resets", {.head = "", .ending = FAKE_RESET}, 0, 0, 0, false, "broke off"},
        {"half a header", {.head = "HTTP/1.1 200 O", .ending = FAKE_CLOSE}, 0, 0, 0, false, ""},
        {"not HTTP", {.head = "hello there\r\n\r\n"}, 0, 0, 0, true, "does not speak HTTP"},
        {"fewer bytes than said", {.head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", .body = "12345"}, 0, 0, 0, false, "broke off"},
        {"half a chunk", {.head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .body = "a\r\n12345"}, 0, 0, 0, false, "broke off"},
        {"no size of a chunk", {.head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .body = "zz\r\n12345"}, 0, 0, 0, false, ""},
        {"never", {.head = "", .ending = FAKE_HANG}, 50, 0, 0, true, "nothing came for 50 ms"},
        {"stops in the middle", {.head = FAKE_JSON, .body = "{", .ending = FAKE_HANG}, 50, 0, 0, true, "nothing came for 50 ms"},
        {"drips", {.head = FAKE_JSON, .body = "12345678", .times = 100000, .slice = 1, .pause_ms = 5}, 0, 100, 0, true, "not done within 100 ms"},
        {"too much", {.head = FAKE_JSON, .body = "12345678", .times = 1000}, 0, 0, 100, true, "more than the 100 bytes"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_server *server = fake_server_start(&rows[i].reply, 1);
        struct http_request request = {.url = fake_server_url(server, "/"), .idle_ms = rows[i].idle_ms, .total_ms = rows[i].total_ms, .max_body = rows[i].max_body};
        struct http_response response;
        qa_error err = {0};
        qa_status status = http_send(&request, &response, &err);
        if (status != QA_REMOTE || response.permanent != rows[i].permanent || !strstr(err.message, rows[i].message) || strncmp(err.message, "127.0.0.1:", 10) != 0)
            fail_msg("%s: %d %d %s", rows[i].name, status, response.permanent, err.message);
        http_release(&response);
        fake_server_stop(server);
    }
}

static void nobody_there(void **state) {
    (void)state;
    struct fake_reply reply = {.head = ""};
    struct fake_server *server = fake_server_start(&reply, 1);
    char url[300];
    snprintf(url, sizeof url, "%s", fake_server_url(server, "/path?key=secret"));
    fake_server_stop(server);
    struct http_request request = {.url = url};
    struct http_response response;
    qa_error err = {0};
    assert_int_equal(http_send(&request, &response, &err), QA_REMOTE);
    assert_int_equal(response.status, 0);
    assert_false(response.permanent);
    assert_non_null(strstr(err.message, "no connection: Connection refused"));
    assert_null(strstr(err.message, "secret"));
    http_release(&response);
}

static bool stop_soon(void *user, const char *bytes, size_t n) {
    (void)bytes;
    (void)n;
    atomic_store((atomic_int *)user, 1);
    return true;
}

static void cancelled(void **state) {
    (void)state;
    struct fake_reply reply = {.head = FAKE_JSON, .body = "{", .ending = FAKE_HANG};
    struct fake_server *server = fake_server_start(&reply, 1);
    atomic_int flag = 0;
    struct http_request request = {.url = fake_server_url(server, "/"), .cancel = &flag, .on_body = stop_soon, .user = &flag};
    struct http_response response;
    assert_int_equal(http_send(&request, &response, NULL), QA_CANCELLED);
    http_release(&response);
    size_t before = fake_server_connections(server);
    assert_int_equal(http_send(&request, &response, NULL), QA_CANCELLED); /* set before it begins: nothing is sent */
    http_release(&response);
    assert_int_equal(fake_server_connections(server), before);
    fake_server_stop(server);
}

struct gathered {
    char text[100];
    size_t enough;
};

static bool gather(void *user, const char *bytes, size_t n) {
    struct gathered *g = user;
    snprintf(g->text + strlen(g->text), sizeof g->text - strlen(g->text), "%.*s", (int)n, bytes);
    return strlen(g->text) < g->enough;
}

static void the_body_as_it_comes(void **state) {
    (void)state;
    static const struct {
        struct fake_reply reply;
        size_t enough;
        const char *streamed, *body;
    } rows[] = {
        {{.head = FAKE_JSON, .body = "12345"}, 99, "12345", ""},
        {{.head = FAKE_JSON, .body = "12345", .ending = FAKE_HANG}, 5, "12345", ""}, /* enough: does not wait for the end */
        {{.head = FAKE_STATUS("500 Oh"), .body = "12345"}, 99, "", "12345"},
    };
    for (size_t i = 0; i < 3; i++) {
        struct fake_server *server = fake_server_start(&rows[i].reply, 1);
        struct gathered g = {.enough = rows[i].enough};
        struct http_request request = {.url = fake_server_url(server, "/"), .on_body = gather, .user = &g};
        struct http_response response;
        assert_int_equal(http_send(&request, &response, NULL), QA_OK);
        assert_string_equal(g.text, rows[i].streamed);
        assert_string_equal(response.body.data, rows[i].body);
        http_release(&response);
        fake_server_stop(server);
    }
}

static void a_session_keeps_its_connection(void **state) {
    (void)state;
    struct fake_reply reply = {.head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", .body = "{}", .ending = FAKE_KEEP};
    for (int with = 0; with < 2; with++) {
        struct fake_server *server = fake_server_start(&reply, 1);
        struct http_session *session = with ? http_session_open() : NULL;
        for (int i = 0; i < 3; i++) {
            struct http_request request = {.url = fake_server_url(server, "/"), .session = session};
            struct http_response response;
            assert_int_equal(http_send(&request, &response, NULL), QA_OK);
            assert_string_equal(response.body.data, "{}");
            http_release(&response);
        }
        assert_int_equal(fake_server_requests(server), 3);
        assert_int_equal(fake_server_connections(server), with ? 1 : 3);
        http_session_close(session);
        fake_server_stop(server);
    }
}

static void when_to_ask_again(void **state) {
    (void)state;
    static const struct {
        qa_status status;
        int http;
        unsigned after, attempt;
        bool again;
        unsigned least, most;
    } rows[] = {
        {QA_REMOTE, 0, 0, 1, true, 250, 500},       {QA_REMOTE, 0, 0, 2, true, 500, 1000},    {QA_REMOTE, 0, 0, 3, true, 1000, 2000},
        {QA_REMOTE, 0, 0, 4, false, 0, 0},          {QA_OK, 429, 3, 1, true, 3000, 3000},     {QA_OK, 503, 4000000000u, 1, true, 30000, 30000},
        {QA_OK, 500, 0, 1, true, 250, 500},         {QA_OK, 502, 0, 1, true, 250, 500},       {QA_OK, 504, 0, 1, true, 250, 500},
        {QA_OK, 408, 0, 1, true, 250, 500},         {QA_OK, 200, 0, 1, false, 0, 0},          {QA_OK, 400, 0, 1, false, 0, 0},
        {QA_OK, 401, 5, 1, false, 0, 0},            {QA_OK, 501, 0, 1, false, 0, 0},          {QA_OK, 307, 0, 1, false, 0, 0},
        {QA_CANCELLED, 0, 0, 1, false, 0, 0},       {QA_BAD_USAGE, 0, 0, 1, false, 0, 0},     {QA_NO_MEMORY, 0, 0, 1, false, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned wait = 77;
        if (http_should_retry(rows[i].status, rows[i].http, rows[i].after, rows[i].attempt, 4, &wait) != rows[i].again || wait < rows[i].least ||
            wait > rows[i].most)
            fail_msg("row %zu: %u ms", i, wait);
    }
    unsigned wait;
    assert_true(http_should_retry(QA_REMOTE, 0, 0, 1000000, 2000000, &wait)); /* doubling ends */
    assert_in_range(wait, 15000, 30000);
}

static void waiting_is_cancelled(void **state) {
    (void)state;
    atomic_int flag = 0;
    assert_true(http_wait(1, &flag));
    assert_true(http_wait(0, NULL));
    flag = 1;
    assert_false(http_wait(3600 * 1000, &flag));
}

static void hosts_and_words(void **state) {
    (void)state;
    static const struct {
        const char *url, *host, *address;
    } rows[] = {{"https://user:secret@example.org/v1?key=secret#secret", "example.org", "https://example.org/v1"},
                 {"http://127.0.0.1:8080", "127.0.0.1:8080", "http://127.0.0.1:8080/"},
                 {"http://[::1]:80/x", "[::1]:80", "http://[::1]:80/x"},
                 {"http://user:sec%40ret@example.org/a@b", "example.org", "http://example.org/a@b"},
                 {"nonsense", "?", "?"},
                 {"", "?", "?"},
                 {"http://a b/", "?", "?"},
                 {"http://user:secret@a/bcdefghijklmnopqrstuvwxyz", "a", "http://a/bcdefghijklmnopqrstuvw"}};
    char out[20], address[32];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        http_host(rows[i].url, out, sizeof out);
        assert_string_equal(out, rows[i].host);
        http_address(rows[i].url, address, sizeof address);
        assert_string_equal(address, rows[i].address);
    }
    http_clean("a\x1b[31mb\r\n\r\nc\xE2\x80\xAE" "d ", 17, out, sizeof out);
    assert_string_equal(out, "a [31mb c d");
    http_clean("\x80\xff", 2, out, sizeof out);
    assert_string_equal(out, "\xEF\xBF\xBD\xEF\xBF\xBD");
    http_clean("12345678901234567\xC3\xA9\xC3\xA9", 21, out, sizeof out); /* the second one would be cut in half */
    assert_string_equal(out, "12345678901234567\xC3\xA9");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer),          cmocka_unit_test(methods),
        cmocka_unit_test(no_answer),          cmocka_unit_test(nobody_there),
        cmocka_unit_test(cancelled),          cmocka_unit_test(the_body_as_it_comes),
        cmocka_unit_test(when_to_ask_again),  cmocka_unit_test(a_session_keeps_its_connection),
        cmocka_unit_test(hosts_and_words),    cmocka_unit_test(redirects_are_not_followed),
        cmocka_unit_test(waiting_is_cancelled), cmocka_unit_test(refused_before_anything_is_sent),
    };
    return cmocka_run_group_tests(tests, no_proxy, NULL);
}
