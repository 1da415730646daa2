/* Which generator is meant, and that it is the one asked: by option, environment and configuration; its key; `none`, files, names; and that a key stands
 * nowhere but in the request. */
#include "wiring.h"
#include <sys/stat.h>

static int set_up(void **state) {
    struct wiring *w = test_calloc(1, sizeof *w);
    wiring_make(w);
    wiring_open(w, "{embedder: none, generator: none}");
    wiring_ingest_all(w);
    unsetenv("THE_KEY");
    *state = w;
    return 0;
}

static int tear_down(void **state) {
    unsetenv("THE_KEY");
    unsetenv("QUAERE_GENERATOR");
    wiring_end(*state);
    test_free(*state);
    return 0;
}

static const struct fake_reply good[] = {{.body = SAY(VALID) END}};

/* ---- Keys ---- */

#define KEY "sk-very-secret-0123456789"

static void a_key_is_sent(void **state) {
    struct wiring *w = *state;
    static const struct {
        const char *name, *models, *environment, *file;
    } rows[] = {
        {"from the environment", "{embedder: none, generator: {url: '%s', model: writer, key_env: THE_KEY}}", KEY, NULL},
        {"from a file", "{embedder: none, generator: {url: '%s', model: writer, key_file: key.txt}}", NULL, KEY},
        {"from a file with line ends", "{embedder: none, generator: {url: '%s', model: writer, key_file: key.txt}}", NULL, KEY "\r\n\n"},
        {"from a file beside another one in the environment", "{embedder: none, generator: {url: '%s', model: writer, key_file: key.txt}}", "other", KEY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].environment)
            setenv("THE_KEY", rows[i].environment, 1);
        if (rows[i].file)
            fake_tree_put(&w->tree, "key.txt", rows[i].file);
        wiring_serve(w, good, 1);
        wiring_open(w, rows[i].models);
        qa_answer *answer = wiring_ask(w, asked, NULL);
        if (!qa_answer_generated(answer) || !says(fake_server_request(w->server, 0), "\r\nAuthorization: Bearer " KEY "\r\n"))
            fail_msg("%s: %s", rows[i].name, fake_server_request(w->server, 0));
        qa_answer_free(answer);
    }
    wiring_serve(w, good, 1); /* and none where none is configured, whatever the environment holds */
    wiring_open(w, "{embedder: none, generator: {url: '%s', model: writer}}");
    qa_answer_free(wiring_ask(w, asked, NULL));
    assert_false(says(fake_server_request(w->server, 0), "Authorization"));
}

static void no_key_no_request(void **state) {
    struct wiring *w = *state;
    static char long_key[6000];
    static const struct {
        const char *name, *environment, *file, *told;
    } rows[] = {
        {"the variable is not set", NULL, NULL, "the environment variable THE_KEY"},
        {"the variable is empty", "", NULL, "the environment variable THE_KEY"},
        {"the variable holds a line break", KEY "\r\nX-Evil: 1", NULL, "its key holds a control character"},
        {"the file is not there", NULL, NULL, "key.txt"},
        {"the file is empty", NULL, " \n", "which should hold the key of"},
        {"the file holds two lines", NULL, KEY "\nX-Evil: 1\n", "its key holds a control character"},
        {"the file is no key", NULL, long_key, "key.txt"},
    };
    memset(long_key, 'k', sizeof long_key - 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsetenv("THE_KEY");
        fake_tree_delete(&w->tree, "key.txt");
        if (rows[i].environment)
            setenv("THE_KEY", rows[i].environment, 1);
        if (rows[i].file)
            fake_tree_put(&w->tree, "key.txt", rows[i].file);
        wiring_serve(w, good, 1);
        wiring_open(w, strstr(rows[i].name, "variable") ? "{embedder: none, generator: {url: '%s', model: writer, key_env: THE_KEY}}"
                                                        : "{embedder: none, generator: {url: '%s', model: writer, key_file: key.txt}}");
        qa_answer *answer = wiring_ask(w, asked, NULL);
        const char *warning = qa_answer_warning(answer);
        if (qa_answer_generated(answer) || !says(warning, "answered with sentences of the documents: ") || !says(warning, rows[i].told) || says(warning, KEY) ||
            says(warning, "kkkkk"))
            fail_msg("%s: %s", rows[i].name, warning ? warning : "no notice");
        assert_int_equal(fake_server_requests(w->server), 0);
        qa_answer_free(answer);
    }
}

/* Set while the program runs: a handle that failed tells so again, and a new one works. */
static void told_each_time(void **state) {
    struct wiring *w = *state;
    static const char models[] = "{embedder: none, generator: {url: '%s', model: writer, key_env: THE_KEY}}";
    wiring_serve(w, good, 1);
    wiring_open(w, models);
    for (int i = 0; i < 2; i++) {
        qa_answer *answer = wiring_ask(w, asked, NULL);
        assert_true(says(qa_answer_warning(answer), "THE_KEY"));
        qa_answer_free(answer);
    }
    setenv("THE_KEY", KEY, 1);
    wiring_open(w, models);
    qa_answer *answer = wiring_ask(w, asked, NULL);
    assert_true(qa_answer_generated(answer) && !qa_answer_warning(answer));
    qa_answer_free(answer);
}

static void assert_not_in_file(const struct wiring *w, const char *name, const char *secret) {
    static char bytes[4 << 20];
    FILE *from = fopen(fake_tree_path(&w->tree, name), "rb");
    size_t n = from ? fread(bytes, 1, sizeof bytes, from) : 0;
    if (from)
        fclose(from);
    if (memmem(bytes, n, secret, strlen(secret)))
        fail_msg("%s stands in %s", secret, name);
}

/* The key, and what else of an address is nobody's business: not in an answer, its JSON, its notice, the conversation, or the files. A server that repeats it
 * does not change that. */
static void a_key_stands_nowhere(void **state) {
    struct wiring *w = *state;
    static const struct {
        const char *name;
        struct fake_reply reply;
        const char *url; /* NULL: as it is; else %s: what follows the scheme */
    } rows[] = {
        {"a good answer", {.body = SAY(VALID) END}, NULL},
        {"a refusal that repeats it", {.head = FAKE_STATUS("401 No"), .body = "{\"error\":{\"message\":\"Incorrect API key provided: " KEY "\"}}"}, NULL},
        {"a failure that repeats it", {.body = SAY("A presigned") "data: {\"error\":{\"message\":\"bad key " KEY "\"}}\n\n"}, NULL},
        {"a failure after a sentence", {.body = SAY(LEADS " A pre") "data: {\"error\":{\"message\":\"bad key " KEY "\"}}\n\n"}, NULL},
        {"a page that repeats it", {.body = "<html>" KEY "</html>"}, NULL},
        {"user and password, a good answer", {.body = SAY(VALID) END}, "http://me:" KEY "@%s"},
        {"user and password, a refusal", {.head = FAKE_STATUS("403 No")}, "http://me:" KEY "@%s"},
        {"in the query, a good answer", {.body = SAY(VALID) END}, "http://%s?api-key=" KEY},
        {"in the query, a refusal", {.head = FAKE_STATUS("400 No")}, "http://%s?api-key=" KEY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char models[500], url[300];
        char *kept = NULL;
        wiring_serve(w, &rows[i].reply, 1);
        snprintf(url, sizeof url, rows[i].url ? rows[i].url : "http://%s", fake_server_url(w->server, "/v1") + 7);
        snprintf(models, sizeof models, "{embedder: none, generator: {url: '%s', model: writer%s}}", url, rows[i].url ? "" : ", key_env: THE_KEY");
        setenv("THE_KEY", KEY, 1);
        wiring_open(w, models);
        qa_answer *answer = wiring_ask(w, asked, NULL);
        assert_true(says(fake_server_request(w->server, 0), KEY) || says(fake_server_request(w->server, 0), "Authorization: Basic"));
        if (says(qa_answer_text(answer), KEY) || says(qa_answer_warning(answer), KEY) || says(qa_answer_json(answer), KEY))
            fail_msg("%s: %s", rows[i].name, qa_answer_json(answer));
        assert_int_equal(qa_conversation_get(w->q, qa_answer_conversation(answer), &kept, NULL), QA_OK);
        if (says(kept, KEY))
            fail_msg("%s: %s", rows[i].name, kept);
        qa_text_free(kept);
        qa_answer_free(answer);
        assert_int_equal(qa_index_info(w->q, &kept, NULL), QA_OK);
        assert_false(says(kept, KEY));
        qa_text_free(kept);
        qa_close(w->q);
        w->q = NULL;
        static const char *const files[] = {"i.db", "i.db-wal", "s.db", "s.db-wal"};
        for (size_t k = 0; k < sizeof files / sizeof *files; k++)
            assert_not_in_file(w, files[k], KEY);
    }
}

/* ---- Names, files, none ---- */

static void none_is_no_failure(void **state) {
    struct wiring *w = *state;
    qa_answer *answer = wiring_ask(w, asked, NULL);
    assert_false(qa_answer_generated(answer));
    assert_null(qa_answer_warning(answer));
    assert_true(says(qa_answer_json(answer), "\"generator\": null") && says(qa_answer_json(answer), "\"first_token\": null"));
    qa_answer_free(answer);
    wiring_open(w, "{}"); /* nothing said, and nothing pulled */
    answer = wiring_ask(w, asked, NULL);
    assert_false(qa_answer_generated(answer));
    assert_null(qa_answer_warning(answer));
    qa_answer_free(answer);
}

static void what_cannot_be_used(void **state) {
    struct wiring *w = *state;
    static const struct {
        const char *name, *generator, *told;
    } rows[] = {
        {"a name nobody knows", "no-such-model", "there is no model named \"no-such-model\""},
        {"a name that is an embedder's", "all-MiniLM-L6-v2", "all-MiniLM-L6-v2 is an embedder, and a generator is wanted here"},
        {"a name that was not pulled", "smollm2-135m-instruct", "quaere model pull smollm2-135m-instruct"},
        {"a file that is not there", "./no.gguf", "no.gguf"},
        {"a file that is no model", "./notes.gguf", "not a GGUF model"},
        {"a file that is cut short", "./cut.gguf", "cut short or damaged"},
        {"a folder", "./docs/", "docs"},
    };
    fake_tree_put(&w->tree, "notes.gguf", "some notes\n");
    FILE *cut = fopen(fake_tree_path(&w->tree, "cut.gguf"), "wb");
    assert_non_null(cut);
    fwrite("GGUF\3\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 1, 24, cut);
    fclose(cut);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char models[300];
        snprintf(models, sizeof models, "{embedder: none, generator: %s}", rows[i].generator);
        wiring_open(w, models);
        qa_answer *answer = wiring_ask(w, asked, NULL);
        const char *warning = qa_answer_warning(answer);
        if (qa_answer_generated(answer) || !says(qa_answer_text(answer), VALID) || !says(warning, "answered with sentences of the documents: ") ||
            !says(warning, rows[i].told))
            fail_msg("%s: %s", rows[i].name, warning ? warning : "no notice");
        qa_answer_free(answer);
        qa_question question = {.text = asked, .extractive = true}; /* who does not want it is not told of it */
        assert_int_equal(qa_ask(w->q, &question, &answer, NULL), QA_OK);
        assert_null(qa_answer_warning(answer));
        qa_answer_free(answer);
    }
}

/* Option, environment, configuration: each wins over the next. */
static void who_wins(void **state) {
    struct wiring *w = *state;
    static const struct {
        const char *name, *option, *environment;
        bool generated;
        const char *told;
    } rows[] = {
        {"the configuration alone", NULL, NULL, true, NULL},
        {"an empty variable is none", NULL, "", true, NULL},
        {"none in the environment", NULL, "none", false, NULL},
        {"a name in the environment", NULL, "smollm2-135m-instruct", false, "quaere model pull smollm2"},
        {"an option over the environment", "none", "smollm2-135m-instruct", false, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wiring_serve(w, good, 1);
        wiring_open(w, "{embedder: none, generator: {url: '%s', model: writer}}");
        qa_close(w->q);
        w->q = NULL;
        if (rows[i].environment)
            setenv("QUAERE_GENERATOR", rows[i].environment, 1);
        else
            unsetenv("QUAERE_GENERATOR");
        qa_open_options where = {.config = fake_tree_path(&w->tree, "quaere.yaml"), .generator = rows[i].option};
        assert_int_equal(qa_open(&where, &w->q, NULL), QA_OK);
        qa_answer *answer = wiring_ask(w, asked, NULL);
        const char *warning = qa_answer_warning(answer);
        if (qa_answer_generated(answer) != rows[i].generated || (rows[i].told ? !says(warning, rows[i].told) : warning != NULL))
            fail_msg("%s: %s", rows[i].name, warning ? warning : qa_answer_text(answer));
        qa_answer_free(answer);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_key_is_sent),      TEST(no_key_no_request),   TEST(told_each_time), TEST(a_key_stands_nowhere),
        TEST(none_is_no_failure), TEST(what_cannot_be_used), TEST(who_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
