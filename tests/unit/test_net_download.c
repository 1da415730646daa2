#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake/openai_server.h"
#include "fake/fake_tree.h"
#include "net/http.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static struct fake_tree tree;

static int set_up(void **state) {
    (void)state;
    static const char *const names[] = {"http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    fake_tree_make(&tree);
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    fake_tree_remove(&tree);
    return 0;
}

static const char *content(const char *name) {
    static char text[200];
    FILE *f = fopen(fake_tree_path(&tree, name), "r");
    if (!f)
        return NULL;
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return text;
}

#define FULL "HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nContent-Length: 10\r\nConnection: close\r\n\r\n"
#define PART(range, etag) "HTTP/1.1 206 Part\r\nETag: \"" etag "\"\r\nContent-Range: bytes " range "\r\nConnection: close\r\n\r\n"

/* A file from several replies; what the requests asked for; what is left afterwards. */
static const struct {
    const char *name;
    const char *there, *note; /* before: content, and the line after the address; NULL: no such file */
    struct fake_reply replies[4];
    qa_status status;
    const char *content;
    const char *ranges[4]; /* of each request "Range|If-Range"; "": none; NULL: no more requests */
    const char *message;
} rows[] = {
    {"at once", NULL, NULL, {{.head = FULL, .body = "0123456789"}}, QA_OK, "0123456789", {""}, NULL},
    {"without a length", NULL, NULL, {{.head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", .body = "01234"}}, QA_OK, "01234", {""}, NULL},
    {"an empty file", NULL, NULL, {{.head = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}}, QA_OK, "", {""}, NULL},
    {"breaks off and goes on", NULL, NULL, {{.head = FULL, .body = "01234"}, {.head = PART("5-9/10", "v1"), .body = "56789"}}, QA_OK, "0123456789",
     {"", "bytes=5-|\"v1\""}, NULL},
    {"goes on by date", NULL, NULL,
     {{.head = "HTTP/1.1 200 OK\r\nETag: W/\"weak\"\r\nLast-Modified: Mon, 05 Jan 2026 10:00:00 GMT\r\nContent-Length: 10\r\n\r\n", .body = "01234"},
      {.head = PART("5-9/10", "v1"), .body = "56789"}},
     QA_OK, "0123456789", {"", "bytes=5-|Mon, 05 Jan 2026 10:00:00 GMT"}, NULL},
    {"begins anew without a validator", NULL, NULL,
     {{.head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", .body = "01234"}, {.head = FULL, .body = "0123456789"}}, QA_OK, "0123456789", {"", ""}, NULL},
    {"goes on after an earlier call", "01234", "\"v1\"", {{.head = PART("5-9/10", "v1"), .body = "56789"}}, QA_OK, "0123456789", {"bytes=5-|\"v1\""}, NULL},
    {"another version meanwhile", "abcde", "\"v0\"", {{.head = FULL, .body = "0123456789"}}, QA_OK, "0123456789", {"bytes=5-|\"v0\""}, NULL},
    {"a part of another version", "abcde", "\"v0\"", {{.head = PART("5-9/10", "v1"), .body = "56789"}, {.head = FULL, .body = "0123456789"}}, QA_OK,
     "0123456789", {"bytes=5-|\"v0\"", ""}, NULL},
    {"a part that was not asked for", "01234", "\"v1\"", {{.head = PART("3-9/10", "v1"), .body = "3456789"}, {.head = FULL, .body = "0123456789"}}, QA_OK,
     "0123456789", {"bytes=5-|\"v1\"", ""}, NULL},
    {"a part without a range", "01234", "\"v1\"",
     {{.head = "HTTP/1.1 206 Part\r\nContent-Range: nonsense\r\nConnection: close\r\n\r\n", .body = "56789"}, {.head = FULL, .body = "0123456789"}}, QA_OK,
     "0123456789", {"bytes=5-|\"v1\"", ""}, NULL},
    {"all was there", "0123456789", "\"v1\"", {{.head = "HTTP/1.1 416 No\r\nContent-Range: bytes */10\r\nContent-Length: 0\r\n\r\n"}}, QA_OK, "0123456789",
     {"bytes=10-|\"v1\""}, NULL},
    {"more was there than there is", "0123456789xx", "\"v1\"",
     {{.head = "HTTP/1.1 416 No\r\nContent-Range: bytes */10\r\nContent-Length: 0\r\n\r\n"}, {.head = FULL, .body = "0123456789"}}, QA_OK, "0123456789",
     {"bytes=12-|\"v1\"", ""}, NULL},
    {"of nobody knows what", "stranger", NULL, {{.head = FULL, .body = "0123456789"}}, QA_OK, "0123456789", {""}, NULL},
    {"busy, then not", NULL, NULL, {{.head = FAKE_STATUS("503 Busy")}, {.head = FULL, .body = "0123456789"}}, QA_OK, "0123456789", {"", ""}, NULL},
    {"no such file", NULL, NULL, {{.head = FAKE_STATUS("404 Not Found"), .body = "a page that says so at length", .times = 100000}}, QA_REMOTE, "", {""},
     "answered with status 404"},
    {"a refusal keeps what is there", "01234", "\"v1\"", {{.head = FAKE_STATUS("403 No")}}, QA_REMOTE, "01234", {"bytes=5-|\"v1\""}, "status 403"},
    {"says that it is too large", NULL, NULL, {{.head = "HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n", .body = "01234", .ending = FAKE_HANG}}, QA_TOO_LARGE, "", {""},
     "4000 bytes, and 100 are allowed"},
    {"is too large", NULL, NULL, {{.head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", .body = "0123456789", .times = 1000}}, QA_TOO_LARGE, "", {""},
     "more than 100 bytes, and 100 are allowed"},
    {"a size past all numbers", NULL, NULL, {{.head = PART("0-18446744073709551616/99999999999999999999", "v1"), .body = "01234"}, {.head = FULL, .body = "0123456789"}},
     QA_OK, "0123456789", {"", ""}, NULL},
};

static void field(const char *request, const char *name, char *out, size_t size) {
    const char *at = strstr(request, name);
    *out = '\0';
    if (at)
        snprintf(out, size, "%.*s", (int)strcspn(at + strlen(name), "\r"), at + strlen(name));
}

static void downloads(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t n = 0;
        while (n < 4 && rows[i].ranges[n])
            n++;
        struct fake_server *server = fake_server_start(rows[i].replies, n);
        char url[300], note[600];
        snprintf(url, sizeof url, "%s", fake_server_url(server, "/model.gguf"));
        if (rows[i].there)
            fake_tree_put(&tree, "file", rows[i].there);
        snprintf(note, sizeof note, "%s\n%s\n", url, rows[i].note ? rows[i].note : "");
        if (rows[i].note)
            fake_tree_put(&tree, "file.from", note);
        qa_error err = {0};
        qa_status status = http_download(url, fake_tree_path(&tree, "file"), 100, NULL, NULL, NULL, &err);
        if (status != rows[i].status || strcmp(content("file"), rows[i].content) != 0 || (rows[i].message && !strstr(err.message, rows[i].message)))
            fail_msg("%s: %d %s: %s", rows[i].name, status, err.message, content("file"));
        if (fake_server_requests(server) != n)
            fail_msg("%s: %zu requests", rows[i].name, fake_server_requests(server));
        for (size_t k = 0; k < n; k++) {
            char range[100], condition[100], both[220];
            field(fake_server_request(server, k), "\r\nRange: ", range, sizeof range);
            field(fake_server_request(server, k), "\r\nIf-Range: ", condition, sizeof condition);
            snprintf(both, sizeof both, "%s%s%s", range, *range || *condition ? "|" : "", condition);
            assert_string_equal(both, rows[i].ranges[k]);
        }
        if (status == QA_OK && content("file.from"))
            fail_msg("%s: the note is still there", rows[i].name);
        fake_tree_delete(&tree, "file");
        if (content("file.from"))
            fake_tree_delete(&tree, "file.from");
        fake_server_stop(server);
    }
}

static void of_another_address(void **state) {
    (void)state;
    struct fake_reply reply = {.head = FULL, .body = "0123456789"};
    struct fake_server *server = fake_server_start(&reply, 1);
    fake_tree_put(&tree, "file", "abcde");
    fake_tree_put(&tree, "file.from", "http://example.org/other\n\"v1\"\n");
    assert_int_equal(http_download(fake_server_url(server, "/m"), fake_tree_path(&tree, "file"), 100, NULL, NULL, NULL, NULL), QA_OK);
    assert_string_equal(content("file"), "0123456789");
    assert_null(strstr(fake_server_request(server, 0), "Range"));
    fake_server_stop(server);
}

static void redirects(void **state) {
    (void)state;
    struct fake_reply file = {.head = FULL, .body = "0123456789"};
    struct fake_server *other = fake_server_start(&file, 1);
    char to_other[400];
    snprintf(to_other, sizeof to_other, "HTTP/1.1 302 There\r\nETag: \"wrong\"\r\nLocation: %s\r\nContent-Length: 3\r\n\r\nno\n", fake_server_url(other, "/x"));
    const struct {
        const char *head;
        qa_status status;
        const char *message;
        size_t requests;
    } cases[] = {
        {to_other, QA_OK, NULL, 1},
        {"HTTP/1.1 302 There\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n", QA_REMOTE, "redirects too often", 11},
        {"HTTP/1.1 302 There\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n", QA_REMOTE, "not followed", 1},
        {"HTTP/1.1 302 There\r\nLocation: ftp://127.0.0.1/x\r\nContent-Length: 0\r\n\r\n", QA_REMOTE, "not followed", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fake_reply reply = {.head = cases[i].head};
        struct fake_server *server = fake_server_start(&reply, 1);
        qa_error err = {0};
        qa_status status = http_download(fake_server_url(server, "/m"), fake_tree_path(&tree, "file"), 100, NULL, NULL, NULL, &err);
        if (status != cases[i].status || (cases[i].message && !strstr(err.message, cases[i].message)))
            fail_msg("%zu: %d %s", i, status, err.message);
        assert_string_equal(content("file"), status == QA_OK ? "0123456789" : "");
        assert_int_equal(fake_server_requests(server), cases[i].requests);
        fake_server_stop(server);
    }
    fake_server_stop(other);
}

struct shown {
    uint64_t done, total;
    size_t calls;
    atomic_int *cancel;
};

static void show(void *user, uint64_t done, uint64_t total) {
    struct shown *s = user;
    assert_true(done >= s->done && done <= total);
    s->done = done;
    s->total = total;
    s->calls++;
    if (s->cancel)
        *s->cancel = 1;
}

static void progress(void **state) {
    (void)state;
    struct fake_reply reply = {.head = FULL, .body = "0123456789", .slice = 1};
    struct fake_server *server = fake_server_start(&reply, 1);
    struct shown shown = {0};
    assert_int_equal(http_download(fake_server_url(server, "/m"), fake_tree_path(&tree, "file"), 100, show, &shown, NULL, NULL), QA_OK);
    assert_int_equal(shown.done, 10);
    assert_int_equal(shown.total, 10);
    assert_true(shown.calls >= 1);
    fake_server_stop(server);
}

/* What came before a cancel is used by the next call. */
static void cancelled(void **state) {
    (void)state;
    struct fake_reply replies[] = {{.head = FULL, .body = "01234", .ending = FAKE_HANG}, {.head = PART("5-9/10", "v1"), .body = "56789"}};
    struct fake_server *server = fake_server_start(replies, 2);
    char url[300];
    snprintf(url, sizeof url, "%s", fake_server_url(server, "/m"));
    atomic_int flag = 0;
    struct shown shown = {.cancel = &flag};
    assert_int_equal(http_download(url, fake_tree_path(&tree, "file"), 100, show, &shown, &flag, NULL), QA_CANCELLED);
    assert_string_equal(content("file"), "01234");
    assert_int_equal(http_download(url, fake_tree_path(&tree, "file"), 100, NULL, NULL, NULL, NULL), QA_OK);
    assert_string_equal(content("file"), "0123456789");
    fake_server_stop(server);
}

static void one_at_a_time(void **state) {
    (void)state;
    qa_error err = {0};
    fake_tree_put(&tree, "file", "abc");
    int fd = open(fake_tree_path(&tree, "file"), O_RDONLY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(http_download("http://127.0.0.1:1/", fake_tree_path(&tree, "file"), 100, NULL, NULL, NULL, &err), QA_BUSY);
    assert_string_equal(content("file"), "abc");
    close(fd);
}

static void no_folder(void **state) {
    (void)state;
    qa_error err = {0};
    assert_int_equal(http_download("http://127.0.0.1:1/", fake_tree_path(&tree, "no/file"), 100, NULL, NULL, NULL, &err), QA_NOT_FOUND);
    assert_non_null(strstr(err.message, "no/file"));
    assert_int_equal(http_download("http://127.0.0.1:1/\r\nX: y", fake_tree_path(&tree, "file"), 100, NULL, NULL, NULL, &err), QA_BAD_USAGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(downloads, set_up, tear_down),     cmocka_unit_test_setup_teardown(of_another_address, set_up, tear_down),
        cmocka_unit_test_setup_teardown(redirects, set_up, tear_down),     cmocka_unit_test_setup_teardown(progress, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancelled, set_up, tear_down),     cmocka_unit_test_setup_teardown(one_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_folder, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
