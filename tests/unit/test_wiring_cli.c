/* The program itself with a server that writes and embeds: event lines, exit statuses and signals. What needs no server is in tests/cases/. */
#include "wiring.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

struct run {
    char out[60000], err[4000];
    int status; /* exit status, or 128 + signal */
};

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

/* A configuration and an index, made by the library. */
static void begin(struct wiring *w, const struct fake_reply *replies, size_t n, const char *models) {
    wiring_serve(w, replies, n);
    wiring_open(w, models);
    wiring_ingest_all(w);
    qa_close(w->q);
    w->q = NULL;
}

static void read_file(const struct wiring *w, const char *name, char *to, size_t size) {
    int fd = open(fake_tree_path(&w->tree, name), O_RDONLY);
    assert_true(fd >= 0);
    ssize_t n = read(fd, to, size - 1);
    assert_true(n >= 0);
    to[n] = '\0';
    close(fd);
}

static pid_t start(struct wiring *w, const char *const *arguments) {
    const char *argv[16] = {"quaere"};
    for (size_t i = 0; i < 14 && arguments[i]; i++)
        argv[i + 1] = arguments[i];
    const char *root = w->tree.root;
    char out[300], err[300];
    snprintf(out, sizeof out, "%s/out", root);
    snprintf(err, sizeof err, "%s/err", root);
    fake_tree_put(&w->tree, "out", ""); /* not what the program before it wrote */
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int to = open(out, O_WRONLY | O_TRUNC), errors = open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (to < 0 || errors < 0 || chdir(root) != 0 || dup2(to, 1) < 0 || dup2(errors, 2) < 0)
            _exit(99);
        signal(SIGINT, SIG_DFL); /* a shell ignores it for what it runs in the background */
        execv(QA_PROGRAM, (char *const *)argv);
        _exit(98);
    }
    return child;
}

static void finish(struct wiring *w, pid_t child, struct run *r) {
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    r->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    read_file(w, "out", r->out, sizeof r->out);
    read_file(w, "err", r->err, sizeof r->err);
}

static void run(struct wiring *w, struct run *r, const char *const *arguments) { finish(w, start(w, arguments), r); }
#define RUN(w, r, ...) run(w, r, (const char *const[]){__VA_ARGS__, NULL})

/* Letters of the events, in order: each line is one, and JSON. "S.t.s.D.E" as sources, token, sentence, done, error. */
static const char *events(const char *out, json_t **last) {
    static char order[200];
    size_t n = 0;
    *last = NULL;
    for (const char *line = out, *end; *line; line = end + 1) {
        json_t *event = NULL;
        qa_error err = {0};
        end = strchr(line, '\n');
        assert_non_null(end);
        if (json_parse(line, (size_t)(end - line), &event, &err) != QA_OK)
            fail_msg("%s: %s", err.message, line);
        const char *name = json_get_string(event, "event");
        assert_true(name && n + 1 < sizeof order);
        order[n++] = strcmp(name, "sources") == 0 ? 'S' : strcmp(name, "sentence") == 0 ? 's' : strcmp(name, "token") == 0 ? 't' : strcmp(name, "done") == 0 ? 'D' : 'E';
        json_decref(*last);
        *last = event;
    }
    order[n] = '\0';
    return order;
}

static const char writer[] = "{embedder: none, generator: {url: '%s', model: writer}}";

static void event_lines(void **state) {
    struct wiring *w = *state;
    static const struct fake_reply reply = {.body = SAY("After that it leads") SAY(" to the sign-in page.") SAY(" A presigned") SAY(" URL is valid for 5 minutes.") END};
    static const struct {
        bool raw;
        const char *order;
    } rows[] = {{true, "StttstsD"}, {false, "SssD"}};
    struct run r;
    json_t *done;
    for (size_t i = 0; i < 2; i++) {
        begin(w, &reply, 1, writer);
        RUN(w, &r, "ask", "--stream", "--json", asked, rows[i].raw ? "--raw" : NULL);
        assert_int_equal(r.status, 0);
        assert_string_equal(r.err, "");
        assert_string_equal(events(r.out, &done), rows[i].order);
        const json_t *data = json_object_get(done, "data");
        assert_string_equal(json_get_string(data, "answer"), LEADS " [1] " VALID " [1]");
        assert_string_equal(json_get_string(data, "mode"), "generated");
        assert_string_equal(json_get_string(json_object_get(data, "model"), "generator"), "writer");
        json_decref(done);
    }
}

/* The status is that of the answer, not of the model: 0 with a notice, 3 for a refusal, whatever the server would do. */
static void statuses(void **state) {
    struct wiring *w = *state;
    static const struct {
        const char *name, *question;
        struct fake_reply reply;
        int status;
        const char *out, *err;
    } rows[] = {
        {"it writes", asked, {.body = SAY(VALID) END}, 0, VALID, ""},
        {"it fails before a sentence", asked, {.head = FAKE_STATUS("400 No")}, 0, VALID, "answered with sentences of the documents: "},
        {"it breaks off", asked, {.body = SAY(LEADS " A pre")}, 0, LEADS, "the answer broke off: "},
        {"nothing is found", "who painted the Mona Lisa?", {.head = FAKE_STATUS("400 No")}, 3, "Nothing in the documentation", ""},
    };
    struct run r;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin(w, &rows[i].reply, 1, writer);
        RUN(w, &r, "ask", rows[i].question);
        if (r.status != rows[i].status || !strstr(r.out, rows[i].out) || (*rows[i].err ? !strstr(r.err, rows[i].err) : *r.err != '\0'))
            fail_msg("%s: %d\n%s\n%s", rows[i].name, r.status, r.out, r.err);
    }
}

/* While it writes: what was said stays, is kept, and the status says who asked it to end. */
static void signals(void **state) {
    static const struct {
        int number, status;
        const char *said, *order;
    } rows[] = {
        {SIGTERM, 0, SAY(LEADS " A pre"), "SsD"}, {SIGINT, 130, SAY(LEADS " A pre"), "SsD"}, {SIGTERM, 0, SAY("After that"), "S"}, {SIGINT, 130, SAY("After that"), "S"},
    };
    struct wiring *w = *state;
    struct run r;
    json_t *last;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct fake_reply reply = {.body = rows[i].said, .ending = FAKE_HANG};
        char seen[4000] = "";
        begin(w, &reply, 1, writer);
        pid_t child = start(w, (const char *const[]){"ask", "--stream", "--json", "--raw", asked, NULL});
        for (int k = 0; k < 10000 && !strstr(seen, strchr(rows[i].order, 's') ? "\"sentence\"" : "\"token\""); k++) { /* until it was told */
            usleep(2000);
            char all[60000];
            read_file(w, "out", all, sizeof all);
            const char *tail = strstr(all, "{\"event\":\"token\"");
            snprintf(seen, sizeof seen, "%s", tail ? tail : "");
        }
        assert_int_equal(kill(child, rows[i].number), 0);
        finish(w, child, &r);
        assert_int_equal(r.status, rows[i].status);
        char order[200] = "";
        for (const char *from = events(r.out, &last), *c = from; *c; c++)
            if (*c != 't')
                strncat(order, c, 1);
        assert_string_equal(order, rows[i].order);
        if (strchr(order, 'D'))
            assert_true(json_is_true(json_object_get(json_object_get(last, "data"), "stopped")));
        json_decref(last);
        wiring_open(w, writer);
        assert_int_equal(wiring_turns(w, "last"), strchr(order, 'D') ? 1 : -1);
        qa_close(w->q);
        w->q = NULL;
        fake_tree_delete(&w->tree, "s.db");
    }
}

/* ---- Vectors ---- */

static const char vectors[] = "{generator: none, embedder: {url: '%s', model: vectors, dimensions: 3}}";
#define VECTOR "{\"data\":[{\"index\":0,\"embedding\":[1,0,0]}]}"
#define VECTORS_2 "{\"data\":[{\"index\":0,\"embedding\":[1,0,0]},{\"index\":1,\"embedding\":[0,1,0]}]}"

static json_int_t number(const char *out, const char *key) {
    json_t *o = NULL;
    qa_error err = {0};
    if (json_parse(out, strlen(out), &o, &err) != QA_OK)
        fail_msg("%s: %s", err.message, out);
    const json_t *value = json_object_get(o, key);
    json_int_t n = json_is_integer(value) ? json_integer_value(value) : json_is_true(value) ? 1 : json_is_false(value) ? 0 : -1;
    json_decref(o);
    return n;
}

static void counts_of_vectors(void **state) {
    struct wiring *w = *state;
    static const struct fake_reply replies[] = {{.head = FAKE_JSON, .body = VECTORS_2}, {.head = FAKE_JSON, .body = VECTOR}, {.head = FAKE_JSON, .body = VECTORS_2}};
    struct run r;
    wiring_serve(w, replies, 3);
    wiring_open(w, vectors); /* writes the configuration */
    fake_tree_put(&w->tree, "docs/again.md", jobs_page); /* the same text a second time: computed once */
    RUN(w, &r, "ingest", "--json", "docs");
    assert_int_equal(r.status, 0);
    assert_true(number(r.out, "embedded") == 3 && number(r.out, "computed") == 2 && number(r.out, "vectors_pending") == 0);
    assert_int_equal(number(r.out, "has_vectors"), 1);
    RUN(w, &r, "index", "reembed", "--json");
    assert_int_equal(r.status, 0);
    assert_true(number(r.out, "embedded") == 3 && number(r.out, "computed") == 2 && number(r.out, "vectors_pending") == 0);
    assert_true(number(r.out, "has_vectors") == 1 && number(r.out, "stopped") == 0);
    fake_tree_put(&w->tree, "docs/new.md", "# New\n\nA new page.\n");
    RUN(w, &r, "ingest", "--json", "--no-embed", "docs");
    assert_true(number(r.out, "embedded") == 0 && number(r.out, "computed") == 0 && number(r.out, "vectors_pending") == 1 && number(r.out, "has_vectors") == 1);
}

/* Stopped while the server is silent: one JSON document all the same, with what is missing. */
static void reembedding_is_stopped(void **state) {
    struct wiring *w = *state;
    static const struct fake_reply replies[] = {{.head = FAKE_JSON, .body = VECTORS_2}, {.head = FAKE_JSON, .body = VECTOR}, {.head = "", .ending = FAKE_HANG}};
    struct run r;
    begin(w, replies, 3, vectors);
    pid_t child = start(w, (const char *const[]){"index", "reembed", "--json", NULL});
    for (int k = 0; k < 10000 && fake_server_requests(w->server) < 3; k++)
        usleep(2000);
    assert_int_equal(kill(child, SIGTERM), 0);
    finish(w, child, &r);
    assert_int_equal(r.status, 0);
    assert_non_null(strstr(r.err, "quaere ingest"));
    assert_true(number(r.out, "embedded") == 0 && number(r.out, "vectors_pending") == 2 && number(r.out, "has_vectors") == 1 && number(r.out, "stopped") == 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(event_lines), TEST(statuses), TEST(signals), TEST(counts_of_vectors), TEST(reembedding_is_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
