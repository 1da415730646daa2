// The client of src/remote/ against llama.cpp's own server with SmolLM2: what a real server says, as opposed to what tests/unit/test_remote_*.c think up.
// The server is built by tools/build-llama --server, which takes minutes the first time; QA_LLAMA_SERVER and QUAERE_TEST_MODELS name others than those of tools/.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/utf8.h"
#include "net/http.h"
#include "remote/remote.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char program[4096], model[4200], url[100];
static pid_t child;

static void say_from(const char *variable, const char *command, char *out, size_t size) {
    const char *given = getenv(variable);
    if (given) {
        snprintf(out, size, "%s", given);
        return;
    }
    FILE *p = popen(command, "r");
    assert_non_null(p);
    if (!fgets(out, (int)size, p))
        fail_msg("%s said nothing", command);
    out[strcspn(out, "\n")] = '\0';
    assert_int_equal(pclose(p), 0);
}

static int find_parts(void **state) {
    (void)state;
    char folder[4096];
    static const char *const names[] = {"http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"};
    say_from("QA_LLAMA_SERVER", "tools/build-llama --server", program, sizeof program);
    say_from("QUAERE_TEST_MODELS", "tools/test-models", folder, sizeof folder);
    snprintf(model, sizeof model, "%s/smollm2-135m-instruct.gguf", folder);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    return 0;
}

static unsigned free_port(void) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&here, size) == 0 && getsockname(fd, (struct sockaddr *)&here, &size) == 0);
    close(fd);
    return ntohs(here.sin_port);
}

static void stop_server(void) {
    if (child > 0) {
        kill(child, SIGTERM);
        waitpid(child, NULL, 0);
    }
    child = 0;
}

static void start_server(const char *const *extra) {
    char port[20];
    const char *args[24] = {program, "--model", model, "--host", "127.0.0.1", "--port", port, "--ctx-size", "1024", "--parallel", "1", "--threads", "1", "--log-disable"};
    size_t n = 14;
    while (*extra && n < 23)
        args[n++] = *extra++;
    unsigned number = free_port();
    snprintf(port, sizeof port, "%u", number);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/v1", number);
    child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that dies takes it along */
        execv(program, (char *const *)args);
        _exit(127);
    }
    assert_true(child > 0);
    char health[120];
    snprintf(health, sizeof health, "http://127.0.0.1:%u/health", number);
    for (int i = 0; i < 1200; i++) { /* two minutes */
        struct http_request request = {.url = health};
        struct http_response response;
        qa_status status = http_send(&request, &response, NULL);
        bool ready = status == QA_OK && response.status == 200;
        http_release(&response);
        if (ready)
            return;
        if (waitpid(child, NULL, WNOHANG) == child) {
            child = 0;
            fail_msg("%s with %s ended at once", program, model);
        }
        http_wait(100, NULL);
    }
    fail_msg("%s did not become ready", program);
}

static int end(void **state) {
    (void)state;
    stop_server();
    return 0;
}

static int begin_chat(void **state) {
    (void)state;
    static const char *const extra[] = {"--api-key", "the-key", NULL};
    start_server(extra);
    return 0;
}

static int begin_embedding(void **state) {
    (void)state;
    static const char *const extra[] = {"--embeddings", "--pooling", "mean", "--ubatch-size", "1024", NULL};
    start_server(extra);
    return 0;
}

/* ---- Generation ---- */

struct heard {
    char text[8000];
    size_t pieces, most;
    atomic_int *cancel;
};

static bool hear(void *user, const char *text, size_t len) {
    struct heard *h = user;
    size_t n = strlen(h->text);
    assert_int_equal(utf8_valid_len(text, len), len);
    snprintf(h->text + n, sizeof h->text - n, "%.*s", (int)len, text);
    h->pieces++;
    if (h->cancel && h->pieces == 3)
        *h->cancel = 1;
    return h->pieces != h->most;
}

static qa_status ask(struct generator_port *port, const char *text, size_t max_tokens, struct heard *heard, struct generator_result *result, qa_error *err) {
    const struct generator_message messages[] = {{GENERATOR_SYSTEM, "You are a helpful assistant who answers in one sentence."}, {GENERATOR_USER, text}};
    struct generator_request request = {.messages = messages, .n_messages = 2, .max_tokens = max_tokens, .seed = 7, .piece = hear, .user = heard, .cancel = heard->cancel};
    return port->ops->generate(port->self, &request, result, err);
}

static void a_conversation(void **state) {
    (void)state;
    static const char question[] = "What is the capital of France? Name a river, a bridge and a museum there, too, and say in which part of the town they lie.";
    struct remote_options o = {.url = url, .model = "smollm2", .key = "the-key", .context = 1024};
    struct generator_port port;
    struct generator_result r;
    qa_error err = {0};
    assert_int_equal(remote_open_generator(&o, &port, &err), QA_OK);

    struct heard first = {0}, second = {0};
    if (ask(&port, question, 200, &first, &r, &err) != QA_OK)
        fail_msg("%s", err.message);
    assert_int_equal(r.end, GENERATOR_DONE);
    assert_non_null(strstr(first.text, "Paris"));
    assert_true(r.first_token_ms > 0);
    assert_in_range(r.generated_tokens, 3, 200);
    size_t estimate;
    port.ops->count_tokens(port.self, question, strlen(question), &estimate, NULL);
    assert_in_range(r.prompt_tokens, 20, estimate + 40); /* with the template and the system message */

    assert_int_equal(ask(&port, question, 200, &second, &r, &err), QA_OK);
    assert_string_equal(second.text, first.text);
    assert_true(r.reused_tokens > 0 && r.reused_tokens <= r.prompt_tokens);

    struct heard cut = {0};
    assert_int_equal(ask(&port, question, 5, &cut, &r, &err), QA_OK);
    assert_int_equal(r.end, GENERATOR_FULL);
    assert_int_equal(r.generated_tokens, 5);

    struct heard stopped = {.most = 2};
    assert_int_equal(ask(&port, question, 200, &stopped, &r, &err), QA_OK);
    assert_int_equal(r.end, GENERATOR_STOPPED);
    assert_int_equal(stopped.pieces, 2);

    atomic_int flag = 0;
    struct heard cancelled = {.cancel = &flag};
    assert_int_equal(ask(&port, question, 200, &cancelled, &r, &err), QA_CANCELLED);
    assert_int_equal(cancelled.pieces, 3);

    struct heard after = {0};
    assert_int_equal(ask(&port, question, 200, &after, &r, &err), QA_OK); /* the server took no harm */
    port.ops->close(port.self);
}

static void a_prompt_that_is_too_long(void **state) {
    (void)state;
    struct remote_options o = {.url = url, .model = "smollm2", .key = "the-key"}; /* the server alone knows its context */
    struct generator_port port;
    struct generator_result r;
    struct heard heard = {0};
    qa_error err = {0};
    char text[12000] = "";
    for (size_t i = 0; i + 6 < sizeof text; i += 5)
        memcpy(text + i, "word ", 6);
    assert_int_equal(remote_open_generator(&o, &port, &err), QA_OK);
    assert_int_equal(ask(&port, text, 50, &heard, &r, &err), QA_TOO_LARGE);
    assert_non_null(strstr(err.message, "does not fit the context of model smollm2"));
    port.ops->close(port.self);
}

static void a_wrong_key(void **state) {
    (void)state;
    struct remote_options o = {.url = url, .model = "smollm2", .key = "not-the-key"};
    struct generator_port port;
    struct generator_result r;
    struct heard heard = {0};
    qa_error err = {0};
    assert_int_equal(remote_open_generator(&o, &port, &err), QA_OK);
    assert_int_equal(ask(&port, "Hello", 50, &heard, &r, &err), QA_REMOTE);
    assert_non_null(strstr(err.message, "does not accept the key (status 401)"));
    assert_null(strstr(err.message, "not-the-key"));
    port.ops->close(port.self);
}

/* ---- Vectors ---- */

static double dot(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

static void vectors(void **state) {
    (void)state;
    struct remote_options o = {.url = url, .model = "smollm2", .context = 200};
    struct embedder_port port;
    qa_error err = {0};
    if (remote_open_embedder(&o, &port, &err) != QA_OK)
        fail_msg("%s", err.message);
    assert_int_equal(port.dimensions, 576);
    char text[3000] = "";
    for (size_t i = 0; i + 6 < sizeof text; i += 5)
        memcpy(text + i, "word ", 6);
    enum { N = 67 }; /* more than a request takes */
    struct embedder_text texts[N];
    static const char *const few[] = {"The bucket is encrypted with a key.", "A cat sleeps on the sofa.", ""};
    for (size_t i = 0; i < N; i++)
        texts[i] = (struct embedder_text){few[i % 3], strlen(few[i % 3])};
    texts[N - 1] = (struct embedder_text){text, strlen(text)}; /* in pieces */
    float *out = malloc(N * 576 * sizeof *out);
    assert_non_null(out);
    if (port.ops->embed(port.self, EMBEDDER_PASSAGE, texts, N, NULL, out, &err) != QA_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < N; i++)
        assert_true(fabs(dot(out + i * 576, out + i * 576, 576) - 1) < 1e-4);
    assert_true(dot(out + 576, out + 64 * 576, 576) > 0.9999); /* the same text in another request */
    assert_true(dot(out, out + 576, 576) < 0.999);
    free(out);
    port.ops->close(port.self);

    o.dimensions = 384;
    assert_int_equal(remote_open_embedder(&o, &port, &err), QA_OK);
    float one[384];
    assert_int_equal(port.ops->embed(port.self, EMBEDDER_QUERY, texts, 1, NULL, one, &err), QA_REMOTE);
    assert_non_null(strstr(err.message, "576 dimensions, and it is to have 384"));
    port.ops->close(port.self);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_conversation, begin_chat, end),
        cmocka_unit_test_setup_teardown(a_prompt_that_is_too_long, begin_chat, end),
        cmocka_unit_test_setup_teardown(a_wrong_key, begin_chat, end),
        cmocka_unit_test_setup_teardown(vectors, begin_embedding, end),
    };
    return cmocka_run_group_tests(tests, find_parts, NULL);
}
