// wrap: malloc,calloc,realloc,write,fsync
// Each allocation of a generation, an embedding and a download fails once and from then on; for the download each write and fsync, too. libcurl allocates for itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/json.h"
#include "fake/fake_tree.h"
#include "fake/openai_server.h"
#include "remote/remote.h"
#include "net/http.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Thread_local bool armed; /* not in the thread of the server */
static bool persistent, met;
static long calls, fail_at;

static bool fails(void) {
    if (!armed)
        return false;
    long n = calls++;
    bool now = persistent ? n >= fail_at : n == fail_at;
    met = met || now;
    return now;
}

void *__real_malloc(size_t n), *__real_calloc(size_t n, size_t size), *__real_realloc(void *p, size_t n);
ssize_t __real_write(int fd, const void *bytes, size_t n);
int __real_fsync(int fd);
void *__wrap_malloc(size_t n), *__wrap_calloc(size_t n, size_t size), *__wrap_realloc(void *p, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n);
int __wrap_fsync(int fd);

void *__wrap_malloc(size_t n) { return fails() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t n) { return fails() ? NULL : __real_realloc(p, n); }
ssize_t __wrap_write(int fd, const void *bytes, size_t n) {
    if (fails()) {
        errno = ENOSPC;
        return -1;
    }
    return __real_write(fd, bytes, armed && n > 3 ? 3 : n);
}
int __wrap_fsync(int fd) {
    if (fails()) {
        errno = EIO;
        return -1;
    }
    return __real_fsync(fd);
}

static long sweep(void (*attempt)(void)) {
    long n = 0;
    for (int mode = 0; mode < 2; mode++)
        for (n = 0;; n++) {
            assert_true(n < 1000);
            persistent = mode == 1;
            fail_at = n;
            calls = 0;
            met = false;
            attempt();
            armed = false;
            if (!met)
                break;
        }
    return n;
}

static bool hear(void *user, const char *text, size_t len) {
    char *heard = user;
    strncat(heard, text, len);
    return true;
}

static void generate_once(void) {
    static const struct fake_reply reply = {.body = "data: {\"choices\":[{\"delta\":{\"content\":\"a\xff\"}}]}\n\n"
                                                    "data: {\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"};
    struct fake_server *server = fake_server_start(&reply, 1);
    struct remote_options o = {.url = fake_server_url(server, "/v1"), .model = "tiny", .key = "k", .retries = 1};
    struct generator_port port = {0};
    struct generator_message message = {GENERATOR_USER, "Hello"};
    char heard[100] = "";
    struct generator_request request = {.messages = &message, .n_messages = 1, .max_tokens = 5, .piece = hear, .user = heard};
    struct generator_result result;
    qa_error err = {0};
    armed = true;
    qa_status status = remote_open_generator(&o, &port, &err);
    if (status == QA_OK)
        status = port.ops->generate(port.self, &request, &result, &err);
    armed = false;
    if (status == QA_OK) {
        assert_string_equal(heard, "a\xEF\xBF\xBD" "b");
    } else {
        assert_int_equal(status, QA_NO_MEMORY);
        assert_non_null(strstr(err.message, "out of memory"));
    }
    if (status != QA_OK && port.self) { /* what failed once, works again */
        *heard = '\0';
        assert_int_equal(port.ops->generate(port.self, &request, &result, &err), QA_OK);
        assert_string_equal(heard, "a\xEF\xBF\xBD" "b");
    }
    if (port.self)
        port.ops->close(port.self);
    fake_server_stop(server);
}

static void embed_once(void) {
    static const struct fake_reply reply = {.head = FAKE_JSON, .body = "{\"data\":[{\"index\":0,\"embedding\":[3,4]}]}"};
    struct fake_server *server = fake_server_start(&reply, 1);
    struct remote_options o = {.url = fake_server_url(server, "/v1"), .model = "tiny", .retries = 1};
    struct embedder_port port = {0};
    struct embedder_text text = {"one", 3};
    float out[2];
    qa_error err = {0};
    armed = true;
    qa_status status = remote_open_embedder(&o, &port, &err);
    if (status == QA_OK)
        status = port.ops->embed(port.self, EMBEDDER_QUERY, &text, 1, NULL, out, &err);
    armed = false;
    if (status != QA_OK)
        assert_int_equal(status, QA_NO_MEMORY);
    if (port.self) {
        assert_int_equal(port.ops->embed(port.self, EMBEDDER_QUERY, &text, 1, NULL, out, &err), QA_OK);
        assert_true(out[0] > 0.59f && out[0] < 0.61f);
        port.ops->close(port.self);
    }
    fake_server_stop(server);
}

static struct fake_tree tree;

static void download_once(void) {
    static const struct fake_reply reply = {.head = "HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nContent-Length: 10\r\n\r\n", .body = "0123456789"};
    struct fake_server *server = fake_server_start(&reply, 1);
    qa_error err = {0};
    armed = true;
    qa_status status = http_download(fake_server_url(server, "/m"), fake_tree_path(&tree, "file"), 100, NULL, NULL, NULL, &err);
    armed = false;
    if (status != QA_OK) {
        assert_true(status == QA_NO_MEMORY || status == QA_IO);
        assert_true(err.message[0]);
        /* whatever was left there, the next call comes to the right end */
        assert_int_equal(http_download(fake_server_url(server, "/m2"), fake_tree_path(&tree, "file"), 100, NULL, NULL, NULL, &err), QA_OK);
    }
    char content[20] = "";
    FILE *f = fopen(fake_tree_path(&tree, "file"), "r");
    assert_non_null(f);
    assert_int_equal(fread(content, 1, sizeof content, f), 10);
    fclose(f);
    assert_memory_equal(content, "0123456789", 10);
    fake_tree_delete(&tree, "file");
    fake_server_stop(server);
}

static void generating(void **state) {
    (void)state;
    assert_true(sweep(generate_once) > 10);
}
static void embedding(void **state) {
    (void)state;
    assert_true(sweep(embed_once) > 10);
}
static void downloading(void **state) {
    (void)state;
    fake_tree_make(&tree);
    assert_true(sweep(download_once) > 10);
    fake_tree_remove(&tree);
}

int main(void) {
    static const char *const names[] = {"http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    const struct CMUnitTest tests[] = {cmocka_unit_test(generating), cmocka_unit_test(embedding), cmocka_unit_test(downloading)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
