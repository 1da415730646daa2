/* Which model is used, and what is told of one that cannot be: through the public API, with the models of tools/test-models. */
#include "base/json.h"
#include "fake/openai_server.h"
#include "llm_fixture.h"
#include "model/model.h"
#include <quaere.h>
#include <sys/stat.h>

static struct fake_tree tree;

static int set_up(void **state) {
    (void)state;
    fake_tree_make(&tree);
    fake_tree_put(&tree, "docs/jobs.md", "# Jobs\n\nA job may run for 7 days.\n");
    fake_tree_put(&tree, "models", NULL);
    fake_tree_put(&tree, "config", NULL);
    setenv("QUAERE_MODELS", fake_tree_path(&tree, "models"), 1);
    setenv("XDG_CACHE_HOME", fake_tree_path(&tree, "cache"), 1);
    setenv("XDG_CONFIG_HOME", fake_tree_path(&tree, "config"), 1);
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    static const char *const names[] = {"QUAERE_MODELS", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    fake_tree_remove(&tree);
    return 0;
}

/* A copy, so that its stamp is the test's own. */
static void copy_model(const char *name, const char *to) {
    static char block[1 << 20];
    fake_tree_put(&tree, to, "");
    FILE *from = fopen(model_file(name), "rb"), *out = fopen(fake_tree_path(&tree, to), "wb");
    assert_true(from && out);
    for (size_t n; (n = fread(block, 1, sizeof block, from)) > 0;)
        assert_int_equal(fwrite(block, 1, n, out), n);
    fclose(from);
    assert_int_equal(fclose(out), 0);
}

/* Changes a byte of a weight: a file that nobody knows. */
static void make_own(const char *path) {
    struct stat st;
    unsigned char byte = 0;
    int fd = open(fake_tree_path(&tree, path), O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &st) == 0 && pread(fd, &byte, 1, st.st_size / 2 + 1) == 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, st.st_size / 2 + 1), 1);
    close(fd);
}

static qa *open_with(const char *models) {
    static char text[1000];
    qa *q = NULL;
    qa_error err = {0};
    snprintf(text, sizeof text, "index: i.db\nstate: s.db\nmodels: {%s}\n", models);
    fake_tree_put(&tree, "quaere.yaml", text);
    qa_open_options options = {.config = fake_tree_path(&tree, "quaere.yaml"), .create = true};
    if (qa_open(&options, &q, &err) != QA_OK)
        fail_msg("%s", err.message);
    return q;
}

static void ingest(const char *models) {
    qa *q = open_with(models);
    const char *paths[] = {fake_tree_path(&tree, "docs")};
    qa_ingest_options options = {.paths = paths, .n_paths = 1};
    qa_ingest_report report;
    qa_error err = {0};
    if (qa_ingest(q, &options, &report, &err) != QA_OK)
        fail_msg("%s", err.message);
    assert_int_equal(report.embedded, 1);
    qa_close(q);
}

/* What a search by vectors fails with; "" when it does not. */
static const char *search(const char *models) {
    static qa_error err;
    qa *q = open_with(models);
    qa_hits *hits = NULL;
    qa_question question = {.text = "how long may a job run?", .mode = QA_MODE_VECTOR};
    err = (qa_error){0};
    qa_status status = qa_search(q, &question, &hits, &err);
    qa_hits_free(hits);
    qa_close(q);
    assert_true((status == QA_OK) == !err.message[0]);
    return err.message;
}

static const char *read_text(const char *path) {
    static char text[4000];
    FILE *f = fopen(fake_tree_path(&tree, path), "rb");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = '\0';
    return text;
}

static void expect_text(const char *is, const char *part) {
    if (!strstr(is, part))
        fail_msg("\"%s\" in: %s", part, is);
}

/* A name is no proof: neither that a file is the one of the list, nor that it is not. */
static void the_sum_says_what_a_file_is(void **state) {
    (void)state;
    NEED_MODEL(EMBEDDER_FILE);
    NEED_MODEL(GENERATOR_FILE);
    qa *q = NULL;
    char *json = NULL;
    copy_model(EMBEDDER_FILE, "other name.gguf");
    ingest("embedder: './other name.gguf'");
    q = open_with("embedder: none");
    assert_int_equal(qa_index_info(q, &json, NULL), QA_OK);
    expect_text(json, "\"sha256:c3c19d807d823fbffacdb93e222e5cdeb46ae258e0e95a3fa4602936acef9f2b\"");
    qa_text_free(json);
    qa_close(q);

    copy_model(EMBEDDER_FILE, "models/all-MiniLM-L6-v2.gguf");
    assert_string_equal(search("embedder: all-MiniLM-L6-v2"), ""); /* the same model, whatever it was called */
    expect_text(read_text("models/all-MiniLM-L6-v2.gguf.stamp"), "sha256 c3c19d807d823fbffacdb93e222e5cdeb46ae258e0e95a3fa4602936acef9f2b\nuntried\n");

    make_own("models/all-MiniLM-L6-v2.gguf");
    for (int again = 0; again < 2; again++) {
        const char *said = search("embedder: all-MiniLM-L6-v2");
        expect_text(said, fake_tree_path(&tree, "models/all-MiniLM-L6-v2.gguf"));
        expect_text(said, "its SHA-256 is ");
        expect_text(said, "and all-MiniLM-L6-v2 has c3c19d807d823fbffacdb93e222e5cdeb46ae258e0e95a3fa4602936acef9f2b");
        expect_text(said, "quaere model pull all-MiniLM-L6-v2");
    }
    copy_model(GENERATOR_FILE, "models/all-MiniLM-L6-v2.gguf");
    expect_text(search("embedder: all-MiniLM-L6-v2"), "its SHA-256 is b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53");
}

/* Its stamp is believed while the file is as it was. */
static void an_own_file_is_summed_once(void **state) {
    (void)state;
    NEED_MODEL(EMBEDDER_FILE);
    fake_tree_put(&tree, "config/quaere/models.conf", "model mine\nrole embedder\nabout x\nlicence y\ndimensions 384\n");
    copy_model(EMBEDDER_FILE, "models/mine.gguf");
    make_own("models/mine.gguf");
    ingest("embedder: mine");
    char first[4000], text[4000];
    strcpy(first, read_text("models/mine.gguf.stamp"));
    expect_text(first, "\nuntried\n"); /* our own encoder ran it */
    strcpy(text, first);
    memcpy(strstr(text, "sha256 ") + 7, "0123456789", 10);
    fake_tree_put(&tree, "models/mine.gguf.stamp", text);
    expect_text(search("embedder: mine"), "were made with another mine than the one in use");
    expect_text(read_text("models/mine.gguf.stamp"), "sha256 0123456789");
    make_own("models/mine.gguf");
    make_own("models/mine.gguf");
    assert_string_equal(search("embedder: mine"), "");
    const char *now = read_text("models/mine.gguf.stamp");
    assert_memory_equal(strstr(now, "sha256 "), strstr(first, "sha256 "), 7 + 64);
    assert_string_not_equal(now, first); /* of another time */
}

static void write_with(const char *models) {
    qa_answer *answer = NULL;
    qa_error err = {0};
    qa_question question = {.text = "how long may a job run?", .forget = true};
    qa *q = open_with(models);
    if (qa_ask(q, &question, &answer, &err) != QA_OK)
        fail_msg("%s", err.message);
    assert_null(qa_answer_warning(answer));
    qa_answer_free(answer);
    qa_close(q);
}

/* What llama.cpp runs is tried once, and again when it changes or llama.cpp does. */
static void an_own_file_is_tried_once(void **state) {
    (void)state;
    NEED_MODEL(GENERATOR_FILE);
    static const char mine[] = "embedder: none, generator: models/mine.gguf";
    qa *q = open_with("embedder: none, generator: none");
    const char *paths[] = {fake_tree_path(&tree, "docs")};
    qa_ingest_options options = {.paths = paths, .n_paths = 1};
    assert_int_equal(qa_ingest(q, &options, NULL, NULL), QA_OK);
    qa_close(q);
    copy_model(GENERATOR_FILE, "models/mine.gguf");
    make_own("models/mine.gguf");
    char tried[100], first[4000], text[4000];
    snprintf(tried, sizeof tried, "\ntried %s\n", llm_version());
    write_with(mine);
    strcpy(first, read_text("models/mine.gguf.stamp"));
    expect_text(first, tried);
    strcpy(text, first);
    strcpy(strstr(text, "\ntried "), "\ntried 0.0.1\n");
    fake_tree_put(&tree, "models/mine.gguf.stamp", text);
    write_with(mine);
    assert_string_equal(read_text("models/mine.gguf.stamp"), first);
    make_own("models/mine.gguf");
    make_own("models/mine.gguf");
    write_with(mine);
    const char *now = read_text("models/mine.gguf.stamp");
    expect_text(now, tried);
    assert_string_not_equal(now, first);
}

/* What cannot be used is not noted as tried. */
static void a_failed_trial_is_not_noted(void **state) {
    (void)state;
    NEED_MODEL(EMBEDDER_FILE);
    NEED_MODEL(GENERATOR_FILE);
    copy_model(EMBEDDER_FILE, "models/all-MiniLM-L6-v2.gguf");
    ingest("");
    copy_model(GENERATOR_FILE, "models/writes.gguf");
    make_own("models/writes.gguf");
    for (int again = 0; again < 2; again++) {
        expect_text(search("embedder: models/writes.gguf"), "writes.gguf cannot be the embedder: it writes text");
        expect_text(read_text("models/writes.gguf.stamp"), "\nuntried\n");
    }
}

static void prefixes_belong_to_the_vectors(void **state) {
    (void)state;
    NEED_MODEL(EMBEDDER_FILE);
    static const char conf[] = "model mine\nrole embedder\nabout x\nlicence y\ndimensions 384\nquery_prefix \"query: \"\n";
    copy_model(EMBEDDER_FILE, "models/mine.gguf");
    make_own("models/mine.gguf");
    fake_tree_put(&tree, "config/quaere/models.conf", conf);
    ingest("embedder: mine");
    assert_string_equal(search("embedder: mine"), "");
    assert_string_equal(search("embedder: {model: mine, query_prefix: 'query: '}"), "");
    expect_text(search("embedder: {model: mine, query_prefix: ''}"), "its file, its address or its prefixes have changed");
    expect_text(search("embedder: {model: mine, passage_prefix: 'passage: '}"), "its prefixes have changed");
}

static void a_missing_model(void **state) {
    (void)state;
    NEED_MODEL(EMBEDDER_FILE);
    copy_model(EMBEDDER_FILE, "models/all-MiniLM-L6-v2.gguf");
    ingest("");
    fake_tree_move(&tree, "models/all-MiniLM-L6-v2.gguf", "mine.gguf");
    expect_text(search(""), "get it with: quaere model pull all-MiniLM-L6-v2");
    fake_tree_delete(&tree, "i.db");
    ingest("embedder: mine.gguf");
    const char *said = search("");
    expect_text(said, "vectors of mine.gguf, which 'quaere model pull' does not have");
    assert_null(strstr(said, "model pull mine"));
    fake_tree_move(&tree, "mine.gguf", "other.gguf");
    expect_text(search("embedder: mine.gguf"), "mine.gguf: No such file or directory");
}

/* What the configuration says of a server reaches it. */
static void a_server(void **state) {
    (void)state;
    static const char *const proxies[] = {"http_proxy", "all_proxy", "ALL_PROXY"};
    for (size_t i = 0; i < sizeof proxies / sizeof *proxies; i++)
        unsetenv(proxies[i]);
    struct fake_reply replies[] = {{.head = FAKE_JSON, .body = "{\"data\":[{\"embedding\":[3,4]}]}"}, {.head = "", .ending = FAKE_HANG}};
    struct fake_server *server = fake_server_start(replies, 2);
    char models[300];
    snprintf(models, sizeof models, "embedder: {url: '%s', model: m, dimensions: 2, timeout_seconds: 1, query_prefix: 'q: ', passage_prefix: 'p: '}",
             fake_server_url(server, "/v1"));
    ingest(models);
    expect_text(fake_server_request(server, 0), "\"input\":[\"p: ");
    expect_text(search(models), "nothing came for 500 ms");
    expect_text(fake_server_request(server, 1), "\"input\":[\"q: how long may a job run?\"]");
    fake_server_stop(server);
}

/* One that does not fit costs the words, not the answer, and its 8 TB are not read for their sum first. */
static void a_generator_without_room(void **state) {
    (void)state;
    static const char *const names[] = {"large.gguf", "models/qwen2.5-coder-0.5b-instruct.gguf"};
    static const char *const models[] = {"embedder: none, generator: ./large.gguf", "embedder: none, generator: qwen2.5-coder-0.5b-instruct"};
    qa *q = open_with("embedder: none, generator: none");
    const char *paths[] = {fake_tree_path(&tree, "docs")};
    qa_ingest_options options = {.paths = paths, .n_paths = 1};
    assert_int_equal(qa_ingest(q, &options, NULL, NULL), QA_OK);
    qa_close(q);
    for (size_t i = 0; i < 2; i++) {
        fake_tree_put(&tree, names[i], "GGUF");
        if (truncate(fake_tree_path(&tree, names[i]), (off_t)1 << 43) != 0) {
            print_message("skipped: this file system holds no file of 8 TB\n");
            skip();
        }
        qa_answer *answer = NULL;
        qa_error err = {0};
        qa_question question = {.text = "how long may a job run?", .forget = true};
        q = open_with(models[i]);
        if (qa_ask(q, &question, &answer, &err) != QA_OK)
            fail_msg("%s", err.message);
        expect_text(qa_answer_text(answer), "A job may run for 7 days.");
        expect_text(qa_answer_warning(answer), "needs at least 8388672 MB");
        assert_false(qa_answer_generated(answer));
        qa_answer_free(answer);
        qa_close(q);
    }
}

/* An answer of a server: vectors of two dimensions. */
#define VECTOR {.head = FAKE_JSON, .body = "{\"data\":[{\"embedding\":[3,4]}]}"}

static json_t *search_json(qa *q, const qa_question *question) {
    qa_hits *hits = NULL;
    json_t *json = NULL;
    qa_error err = {0};
    if (qa_search(q, question, &hits, &err) != QA_OK)
        fail_msg("%s", err.message);
    const char *text = qa_hits_json(hits);
    assert_int_equal(json_parse(text, strlen(text), &json, NULL), QA_OK);
    qa_hits_free(hits);
    return json;
}

/* What is hidden shows neither in the count of chunks without a vector nor in raw scores, which hold how many chunks have a word. */
static void a_caller_is_told_nothing_of_hidden_documents(void **state) {
    (void)state;
    static const char *const finance[] = {"finance"};
    const struct {
        const char *const *groups;
        bool as_caller;
        int pending;
    } rows[] = {{NULL, false, 3}, {NULL, true, 1}, {finance, true, 3}};
    struct fake_reply reply = VECTOR;
    struct fake_server *server = fake_server_start(&reply, 1);
    char models[300];
    snprintf(models, sizeof models, "embedder: {url: '%s', model: m, dimensions: 2}", fake_server_url(server, "/v1"));
    ingest(models);
    fake_server_stop(server);
    fake_tree_put(&tree, "secret/a.md", "# Jobs\n\nA job of finance.\n");
    fake_tree_put(&tree, "secret/b.md", "# Jobs\n\nAnother job of finance.\n");
    fake_tree_put(&tree, "open/c.md", "# Jobs\n\nA job of everyone.\n");
    qa *q = open_with("embedder: none");
    for (int hidden = 0; hidden < 2; hidden++) {
        const char *paths[] = {fake_tree_path(&tree, hidden ? "secret" : "open")};
        qa_ingest_options options = {.paths = paths, .n_paths = 1, .acl = finance, .n_acl = (size_t)hidden, .no_embed = true};
        assert_int_equal(qa_ingest(q, &options, NULL, NULL), QA_OK);
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        qa_question question = {.text = "job", .groups = rows[i].groups, .n_groups = rows[i].groups != NULL, .as_caller = rows[i].as_caller};
        json_t *json = search_json(q, &question);
        json_t *hit = json_array_get(json_object_get(json, "hits"), 0), *scores = json_object_get(hit, "scores");
        if (json_integer_value(json_object_get(json, "vectors_pending")) != rows[i].pending)
            fail_msg("row %zu: %lld pending", i, (long long)json_integer_value(json_object_get(json, "vectors_pending")));
        assert_int_equal(json_is_null(json_object_get(scores, "text")), rows[i].as_caller);
        assert_true(json_number_value(json_object_get(hit, "score")) == 1);
        json_decref(json);
    }
    qa_close(q);
}

/* Refused as by words alone; the embedder is not even asked. */
static void a_question_without_a_word(void **state) {
    (void)state;
    static const char *const questions[] = {"???", "the of and", "\xF0\x9F\x98\x80"};
    struct fake_reply replies[] = {VECTOR, VECTOR, VECTOR};
    struct fake_server *server = fake_server_start(replies, 3);
    char models[300];
    snprintf(models, sizeof models, "embedder: {url: '%s', model: m, dimensions: 2}, generator: none", fake_server_url(server, "/v1"));
    ingest(models);
    qa *q = open_with(models);
    for (int mode = 0; mode < 2; mode++)
        for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
            qa_answer *answer = NULL;
            qa_error err = {0};
            qa_question question = {.text = questions[i], .forget = true, .mode = mode ? QA_MODE_VECTOR : QA_MODE_HYBRID};
            if (qa_ask(q, &question, &answer, &err) != QA_OK)
                fail_msg("%s", err.message);
            assert_true(qa_answer_refused(answer));
            expect_text(qa_answer_reason(answer), "the question has no word that says what it is about");
            assert_int_equal(qa_answer_source_count(answer), 0);
            qa_answer_free(answer);
        }
    assert_int_equal(fake_server_requests(server), 1);
    qa_question question = {.text = "\xE9\x85\x8D\xE9\xA2\x9D"}; /* Chinese has words */
    json_t *json = search_json(q, &question);
    assert_int_equal(json_array_size(json_object_get(json, "hits")), 1);
    json_decref(json);
    assert_int_equal(fake_server_requests(server), 2);
    qa_close(q);
    fake_server_stop(server);
}

/* A user, a password or a key in an address are for the server alone. */
static void secrets_of_an_address(void **state) {
    (void)state;
    static const struct {
        const char *models, *part;
    } rows[] = {
        {"embedder: {url: 'http://user:secret@127.0.0.1:9/v1?key=secret', model: m, key_env: QUAERE_NO_SUCH_KEY}", "key of http://127.0.0.1:9/v1, is not set"},
        {"embedder: {url: 'http://user:secret@127.0.0.1:9/v1?key=secret', model: m, key_file: no.key}", "the key of http://127.0.0.1:9/v1: "},
        {"embedder: {url: 'http://user:secret@127.0.0.1:9/v1?key=secret', model: m, key_file: empty.key}", "hold the key of http://127.0.0.1:9/v1, is empty"},
    };
    fake_tree_put(&tree, "empty.key", "\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        qa *q = open_with(rows[i].models);
        const char *paths[] = {fake_tree_path(&tree, "docs")};
        qa_ingest_options options = {.paths = paths, .n_paths = 1};
        qa_error err = {0};
        assert_int_not_equal(qa_ingest(q, &options, NULL, &err), QA_OK);
        expect_text(err.message, rows[i].part);
        assert_null(strstr(err.message, "secret"));
        qa_close(q);
    }
    fake_tree_put(&tree, "quaere.yaml", "index: i.db\nstate: s.db\n");
    setenv("QUAERE_GENERATOR", "http://user:secret@127.0.0.1:9/v1", 1);
    qa *q = NULL;
    qa_error err = {0};
    qa_open_options options = {.config = fake_tree_path(&tree, "quaere.yaml")};
    assert_int_equal(qa_open(&options, &q, &err), QA_BAD_USAGE);
    unsetenv("QUAERE_GENERATOR");
    expect_text(err.message, "QUAERE_GENERATOR: a server is named in quaere.yaml");
    assert_null(strstr(err.message, "secret"));
}

static void files_that_are_none(void **state) {
    (void)state;
    static const struct {
        const char *models, *part;
    } rows[] = {
        {"embedder: models/fifo.gguf", "models/fifo.gguf: not a regular file"},
        {"embedder: ./docs", "docs: a folder, and the GGUF file of a model is wanted"},
        {"embedder: docs/jobs.gguf", "it does not begin with GGUF"},
        {"embedder: qwen2.5-coder-0.5b-instruct", "qwen2.5-coder-0.5b-instruct is a generator, and an embedder is wanted here"},
        {"embedder: all-MiniLM-L6-v2", "not here yet; get it with: quaere model pull all-MiniLM-L6-v2"},
        {"embedder: all-minilm", "there is no model named \"all-minilm\""},
    };
    assert_int_equal(mkfifo(fake_tree_path(&tree, "models/fifo.gguf"), 0600), 0);
    fake_tree_put(&tree, "docs/jobs.gguf", "# Notes\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        qa *q = open_with(rows[i].models);
        const char *paths[] = {fake_tree_path(&tree, "docs")};
        qa_ingest_options options = {.paths = paths, .n_paths = 1};
        qa_ingest_report report;
        qa_error err = {0};
        assert_int_not_equal(qa_ingest(q, &options, &report, &err), QA_OK);
        expect_text(err.message, rows[i].part);
        qa_close(q);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_sum_says_what_a_file_is), TEST(an_own_file_is_summed_once), TEST(an_own_file_is_tried_once), TEST(a_failed_trial_is_not_noted), TEST(prefixes_belong_to_the_vectors),
        TEST(a_missing_model), TEST(a_server), TEST(files_that_are_none),
        TEST(a_generator_without_room), TEST(a_caller_is_told_nothing_of_hidden_documents), TEST(a_question_without_a_word), TEST(secrets_of_an_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
