#include "base/file.h"
#include "base/log.h"
#include "core/config.h"
#include "core/init.h"
#include "fake/fake_tree.h"
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static struct arena a;
static struct config *config;
static qa_error err;

static int setup(void **state) {
    (void)state;
    arena_init(&a, 16 << 20);
    log_set_level(LOG_ERROR);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    arena_free(&a);
    return 0;
}

static qa_status parse(const char *text) {
    err = (qa_error){0};
    return config_parse(&a, "/p/quaere.yaml", text, strlen(text), &config, &err);
}

static void test_everything(void **state) {
    (void)state;
    if (parse("index: data/index.db\n"
              "state: /var/state.db\n"
              "sources:\n"
              "  - name: guide\n"
              "    path: docs/../guide\n"
              "    collection: handbook\n"
              "    include: [\"*.md\", 'a/**']\n"
              "    exclude: drafts/\n"
              "    metadata: {version: 1.10, year: 2026, pi: 3.5, draft: false, note: \"7\", none: ~, tags: [a, 1], deep: {x: y}}\n"
              "    access:\n"
              "      default: public\n"
              "      rules:\n"
              "        - {path: internal/, groups: [staff, boss]}\n"
              "        - path: '*.secret.md'\n"
              "          groups: nobody\n"
              "    url: https://docs.example.com/{path_without_extension}\n"
              "    chunk: {target: 800}\n"
              "  - name: \"2024\"\n"
              "    path: /elsewhere\n"
              "    access: {default: [signed-in]}\n") != QA_OK)
        fail_msg("%s", err.message);
    assert_string_equal(config->path, "/p/quaere.yaml");
    assert_string_equal(config->index, "/p/data/index.db");
    assert_string_equal(config->state, "/var/state.db");
    assert_int_equal(config->n_sources, 2);
    const struct config_source *s = &config->sources[0];
    assert_string_equal(s->name, "guide");
    assert_string_equal(s->path, "/p/guide");
    assert_string_equal(s->collection, "handbook");
    assert_int_equal(s->n_include, 2);
    assert_string_equal(s->include[1], "a/**");
    assert_int_equal(s->n_exclude, 1);
    assert_string_equal(s->exclude[0], "drafts/");
    assert_string_equal(s->metadata, "{\"version\":\"1.10\",\"year\":2026,\"pi\":3.5,\"draft\":false,\"note\":\"7\",\"none\":null,\"tags\":[\"a\",1],"
                                     "\"deep\":{\"x\":\"y\"}}");
    assert_true(s->has_acl);
    assert_int_equal(s->n_acl, 1);
    assert_string_equal(s->acl[0], "public");
    assert_int_equal(s->n_rules, 2);
    assert_string_equal(s->rules[0].glob, "internal/");
    assert_int_equal(s->rules[0].n_acl, 2);
    assert_string_equal(s->rules[0].acl[1], "boss");
    assert_string_equal(s->rules[1].acl[0], "nobody");
    assert_string_equal(s->url, "https://docs.example.com/{path_without_extension}");
    assert_int_equal(s->chunk_target, 800);
    assert_int_equal(s->line, 4);
    s = &config->sources[1];
    assert_string_equal(s->name, "2024");
    assert_string_equal(s->path, "/elsewhere");
    assert_null(s->metadata);
    assert_null(s->url);
    assert_int_equal(s->chunk_target, 0);
}

static void test_what_may_be_left_out(void **state) {
    static const char *const texts[] = {
        "", "\n\n", "# only a comment\n", "---\n", "sources:\n", "sources: []\n", "models:\n", "models: {}\n", "backends: x\nserver:\n  listen: y\n",
        "sources:\n- name: a\n  path: x\n- name: b\n  path: y\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (parse(texts[i]) != QA_OK)
            fail_msg("%s: %s", texts[i], err.message);
}

#define SOURCE "sources:\n- name: a\n  path: x\n"
#define MODEL "models:\n  generator: "

static void test_messages(void **state) {
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"index: a\nstate: b\nindex: c\n", "/p/quaere.yaml:3:1: duplicate key \"index\""},
        {"sources:\n- name: a\n  path: x\n  name: b\n", "/p/quaere.yaml:4:3: duplicate key \"name\""},
        {"index: [a\n", "/p/quaere.yaml:2:1: flow sequence without a closing bracket"},
        {"index: a\n---\nindex: b\n", "/p/quaere.yaml: a second document begins after \"---\"; only one is read"},
        {"index: &x a\nstate: *x\n", "/p/quaere.yaml:1:1: anchors (&name) and aliases (*name) are not read here; write it out"},
        {"index: a\nstate: \xFF\n", "/p/quaere.yaml:2:8: not valid UTF-8"},
        {"index: \"a\\0b\"\n", "/p/quaere.yaml:1:1: a NUL character is not allowed"},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n", "/p/quaere.yaml:1:64: Max depth (64) exceeded"},
        {"? [a]\n: b\n", "/p/quaere.yaml:1:1: a key must be a plain word"},
        {"- a\n", "/p/quaere.yaml:1:3: the configuration must be a map of keys and values"},
        {"indx: a\n", "/p/quaere.yaml:1:1: unknown key \"indx\"; did you mean \"index\"?"},
        {"colour: a\n", "/p/quaere.yaml:1:1: unknown key \"colour\"; there are: index, state, sources, models, backends, server"},
        {"index:\n", "/p/quaere.yaml:1:1: \"index\" must be a text"},
        {"index: [a]\n", "/p/quaere.yaml:1:1: \"index\" must be a text"},
        {"index: ~/x\n", "/p/quaere.yaml:1:1: \"index\": write the folder out, \"~\" is not expanded here"},
        {"sources: {a: b}\n", "/p/quaere.yaml:1:1: \"sources\" must be a list; begin each source with \"- name:\""},
        {"sources:\n- docs\n", "/p/quaere.yaml:2:3: a source must be a map of keys and values"},
        {"sources:\n- name: a\n", "/p/quaere.yaml:2:3: a source needs \"name\" and \"path\""},
        {SOURCE "  exclud: x\n", "/p/quaere.yaml:4:3: unknown key \"exclud\" in a source; did you mean \"exclude\"?"},
        {"sources:\n- name: a/b\n  path: x\n", "/p/quaere.yaml:2:3: \"a/b\" cannot name a source: 1 to 200 bytes of text without '/', ':', control characters "
                                               "and blanks at the ends"},
        {SOURCE "  include: {a: b}\n", "/p/quaere.yaml:4:3: \"include\" must be a list of texts"},
        {SOURCE "  include:\n  - a\n  - [b]\n", "/p/quaere.yaml:6:6: \"include\" must be a list of texts"},
        {SOURCE "  exclude: ['!x']\n", "/p/quaere.yaml:4:14: \"!x\" is no pattern for paths: write it like \"*.md\", \"drafts/\" or \"guide/**/draft-*\", without a "
                                       "leading '!' or '#'"},
        {SOURCE "  metadata: x\n", "/p/quaere.yaml:4:3: \"metadata\" must be a map of keys and values"},
        {SOURCE "  url: https://x/\n", "/p/quaere.yaml:4:3: URL rule \"https://x/\" gives every document the same URL: say where the path goes, as in "
                                       "https://docs.example.com/{path_without_extension}"},
        {SOURCE "  url: https://x/{pth}\n", "/p/quaere.yaml:4:3: URL rule \"https://x/{pth}\": \"{pth}\" is not one of {path}, {path_without_extension}, {name}, {page}"},
        {SOURCE "  chunk: {target: 80x}\n", "/p/quaere.yaml:4:11: \"target\" must be a whole number of characters from 100 to 20000"},
        {SOURCE "  chunk: {target: '800'}\n", "/p/quaere.yaml:4:11: \"target\" must be a whole number of characters from 100 to 20000"},
        {SOURCE "  chunk: {target: 99999999999}\n", "/p/quaere.yaml:4:11: \"target\" must be a whole number of characters from 100 to 20000"},
        {SOURCE "  chunk: {size: 800}\n", "/p/quaere.yaml:4:11: unknown key \"size\" in chunk; there are: target"},
        {SOURCE "  access: public\n", "/p/quaere.yaml:4:3: \"access\" must be a map of keys and values"},
        {SOURCE "  access: {default: []}\n", "/p/quaere.yaml:4:12: \"default\" is an empty list; to show it to nobody, write nobody"},
        {SOURCE "  access: {default: [public, a]}\n", "/p/quaere.yaml:4:12: \"public\" stands alone: it cannot be combined with groups"},
        {SOURCE "  access: {default: public, rules: [{path: x}]}\n", "/p/quaere.yaml:4:38: a rule of access needs \"path\" and \"groups\""},
        {SOURCE "  access: {default: public, rules: {path: x}}\n",
         "/p/quaere.yaml:4:29: \"rules\" must be a list of rules, each with \"path\" and \"groups\""},
        {SOURCE "  access: {rules: [{path: x, groups: g}]}\n",
         "/p/quaere.yaml:2:3: the source \"a\" must state who may see it (access: default: public, signed-in, nobody or a list of groups), since there are "
         "access rules (source \"a\")"},
        {SOURCE "- name: b\n  path: y\n  access: {default: staff}\n",
         "/p/quaere.yaml:2:3: the source \"a\" must state who may see it (access: default: public, signed-in, nobody or a list of groups), since there are "
         "access rules (source \"b\")"},
        {"models: all\n", "/p/quaere.yaml:1:1: \"models\" must be a map of keys and values"},
        {"models: {embeder: none}\n", "/p/quaere.yaml:1:10: unknown key \"embeder\" in models; did you mean \"embedder\"?"},
        {"models:\n  generator:\n", "/p/quaere.yaml:2:3: \"generator\" must be a name of models.conf, a file, none, or a map with \"url\" and \"model\""},
        {"models:\n  generator: ''\n", "/p/quaere.yaml:2:3: \"generator\" must be a name of models.conf, a file, none, or a map with \"url\" and \"model\""},
        {"models:\n  generator: [a]\n", "/p/quaere.yaml:2:3: \"generator\" must be a name of models.conf, a file, none, or a map with \"url\" and \"model\""},
        {MODEL "{url: http://x/v1}\n", "/p/quaere.yaml:2:3: \"generator\" needs \"model\": a name of models.conf or a file, or with \"url\" what the server calls it"},
        {MODEL "{model: m, url: 127.0.0.1}\n", "/p/quaere.yaml:2:25: \"url\" must begin with http:// or https://, such as http://127.0.0.1:8081/v1"},
        {MODEL "{model: m, url: 'http://x', key: secret}\n",
         "/p/quaere.yaml:2:42: unknown key \"key\" in a model; there are: url, model, key_env, key_file, dimensions, context, query_prefix, "
         "passage_prefix, precision, timeout_seconds"},
        {MODEL "{model: m, url: 'http://x', key_env: A, key_file: b}\n", "/p/quaere.yaml:2:3: give \"key_env\" or \"key_file\", not both"},
        {MODEL "{model: m, key_env: A}\n", "/p/quaere.yaml:2:3: \"generator\" has a key but no \"url\""},
        {MODEL "{model: m, key_file: a}\n", "/p/quaere.yaml:2:3: \"generator\" has a key but no \"url\""},
        {MODEL "{model: m, dimensions: 8}\n", "/p/quaere.yaml:2:3: \"dimensions\" goes with \"url\"; a local model says its own"},
        {MODEL "{model: m, context: 0}\n", "/p/quaere.yaml:2:25: \"context\" must be a whole number from 1 to 10000000"},
        {MODEL "{model: m, context: '4096'}\n", "/p/quaere.yaml:2:25: \"context\" must be a whole number from 1 to 10000000"},
        {MODEL "{model: m, context: 4k}\n", "/p/quaere.yaml:2:25: \"context\" must be a whole number from 1 to 10000000"},
        {MODEL "{model: m, url: 'http://x', dimensions: 8193}\n", "/p/quaere.yaml:2:42: \"dimensions\" must be a whole number from 1 to 8192"},
        {MODEL "{model: m, url: 'http://x', dimensions: 10000000000000000000000}\n",
         "/p/quaere.yaml:2:42: \"dimensions\" must be a whole number from 1 to 8192"},
        {MODEL "{model: m, timeout_seconds: 5}\n", "/p/quaere.yaml:2:25: \"timeout_seconds\" goes with \"url\"; nothing times out on this machine"},
        {MODEL "{model: m, url: 'http://x', timeout_seconds: 0}\n", "/p/quaere.yaml:2:42: \"timeout_seconds\" must be a whole number from 1 to 86400"},
        {MODEL "{model: m, url: 'http://x', timeout_seconds: 86401}\n", "/p/quaere.yaml:2:42: \"timeout_seconds\" must be a whole number from 1 to 86400"},
        {MODEL "{model: m, url: 'http://x', timeout_seconds: 1.5}\n", "/p/quaere.yaml:2:42: \"timeout_seconds\" must be a whole number from 1 to 86400"},
        {MODEL "{model: m, query_prefix: q}\n", "/p/quaere.yaml:2:25: \"query_prefix\" is for an embedder; a generator has none"},
        {MODEL "{model: m, url: 'http://x', passage_prefix: q}\n", "/p/quaere.yaml:2:42: \"passage_prefix\" is for an embedder; a generator has none"},
        {"models:\n  embedder: {model: m, query_prefix: [q]}\n",
         "/p/quaere.yaml:2:24: \"query_prefix\" must be a text of at most 1000 bytes, in quotes if a space ends it"},
        {MODEL "{model: [m]}\n", "/p/quaere.yaml:2:15: \"model\" must be a text"},
        {SOURCE "- name: a\n  path: y\n", "/p/quaere.yaml:4:3: two sources are named \"a\"; the other is in line 2"},
        {SOURCE "- name: b\n  path: x/y\n", "/p/quaere.yaml:4:3: the sources \"a\" (/p/x) and \"b\" (/p/x/y) overlap: a document would be there twice"},
        {SOURCE "- name: b\n  path: .\n", "/p/quaere.yaml:4:3: the sources \"a\" (/p/x) and \"b\" (/p) overlap: a document would be there twice"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        qa_status status = parse(rows[i].text);
        if (status != QA_BAD_CONFIG || strcmp(err.message, rows[i].message) != 0)
            fail_msg("%s\n gave (%s) %s\n not %s", rows[i].text, qa_status_name(status), err.message, rows[i].message);
        assert_null(config);
    }
}

/* ---- Models ---- */

static void check_model(const char *what, const struct config_model *is, const struct config_model *should) {
    const char *const pairs[][2] = {{is->name, should->name},       {is->file, should->file},       {is->url, should->url},
                                    {is->model, should->model},     {is->key_env, should->key_env}, {is->key_file, should->key_file},
                                    {is->query_prefix, should->query_prefix}, {is->passage_prefix, should->passage_prefix}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (!pairs[i][0] != !pairs[i][1] || (pairs[i][0] && strcmp(pairs[i][0], pairs[i][1]) != 0))
            fail_msg("%s: %s, not %s", what, pairs[i][0] ? pairs[i][0] : "nothing", pairs[i][1] ? pairs[i][1] : "nothing");
    if (is->none != should->none || is->dimensions != should->dimensions || is->context != should->context || is->timeout_seconds != should->timeout_seconds)
        fail_msg("%s: none %d, %zu dimensions, context %zu, %zu s", what, is->none, is->dimensions, is->context, is->timeout_seconds);
}

static void test_models(void **state) {
    static const struct {
        const char *text;
        struct config_model model;
    } rows[] = {
        {"none", {.none = true}},
        {"\"none\"", {.none = true}}, /* quoted or not */
        {"all-MiniLM-L6-v2", {.name = "all-MiniLM-L6-v2"}},
        {"model.gguf.name", {.name = "model.gguf.name"}},
        {".gguf", {.file = "/p/.gguf"}},
        {"mine.gguf", {.file = "/p/mine.gguf"}},
        {"models/../mine.gguf", {.file = "/p/mine.gguf"}},
        {"./mine", {.file = "/p/mine"}},
        {"/elsewhere/mine", {.file = "/elsewhere/mine"}},
        {"{model: mine.gguf, context: 4096}", {.file = "/p/mine.gguf", .context = 4096}},
        {"{model: smollm2-135m}", {.name = "smollm2-135m"}},
        {"{model: none, context: 5}", {.none = true, .context = 5}},
        {"{url: 'http://127.0.0.1:8081/v1', model: big}", {.url = "http://127.0.0.1:8081/v1", .model = "big"}},
        {"{url: 'https://x/v1', model: a/b.gguf, key_env: KEY, dimensions: 8192, context: 10000000}", /* the server's own name for it */
         {.url = "https://x/v1", .model = "a/b.gguf", .key_env = "KEY", .dimensions = 8192, .context = 10000000}},
        {"{url: 'https://x/v1', model: m, timeout_seconds: 86400}", {.url = "https://x/v1", .model = "m", .timeout_seconds = 86400}},
        {"{url: 'https://x/v1', model: m, key_file: keys/x}", {.url = "https://x/v1", .model = "m", .key_file = "/p/keys/x"}},
    };
    static const char *const roles[] = {"embedder", "generator"};
    static const struct config_model unset = {0};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int role = 0; role < 2; role++) {
            char text[300];
            snprintf(text, sizeof text, "models:\n  %s: %s\n", roles[role], rows[i].text);
            if (parse(text) != QA_OK)
                fail_msg("%s: %s", rows[i].text, err.message);
            check_model(rows[i].text, role ? &config->generator : &config->embedder, &rows[i].model);
            check_model("the other role", role ? &config->embedder : &config->generator, &unset);
        }
}

/* What stands before texts: as it is, with its spaces; an empty one is not the same as none. */
static void test_prefixes(void **state) {
    static const struct {
        const char *text;
        struct config_model model;
    } rows[] = {
        {"{model: e5.gguf, query_prefix: 'query: ', passage_prefix: \"passage: \"}", {.file = "/p/e5.gguf", .query_prefix = "query: ", .passage_prefix = "passage: "}},
        {"{model: bge, query_prefix: '', context: 5}", {.name = "bge", .query_prefix = "", .context = 5}},
        {"{url: 'https://x/v1', model: m, query_prefix: \"Find it\\nQuery: \"}", {.url = "https://x/v1", .model = "m", .query_prefix = "Find it\nQuery: "}},
        {"{model: none, passage_prefix: p}", {.none = true, .passage_prefix = "p"}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[300];
        snprintf(text, sizeof text, "models:\n  embedder: %s\n", rows[i].text);
        if (parse(text) != QA_OK)
            fail_msg("%s: %s", rows[i].text, err.message);
        check_model(rows[i].text, &config->embedder, &rows[i].model);
    }
    char text[1200], many[1002];
    memset(many, 'x', 1001);
    many[1001] = '\0';
    snprintf(text, sizeof text, "models:\n  embedder: {model: m, query_prefix: %s}\n", many + 1);
    assert_int_equal(parse(text), QA_OK);
    snprintf(text, sizeof text, "models:\n  embedder: {model: m, query_prefix: %s}\n", many);
    assert_int_equal(parse(text), QA_BAD_CONFIG);
}

/* The same as an option says it, relative to another folder. */
static void test_model_option(void **state) {
    struct config_model model;
    (void)state;
    assert_int_equal(config_read_model(&a, "mine.gguf", "/q", &model, &err), QA_OK);
    assert_string_equal(model.file, "/q/mine.gguf");
    assert_int_equal(config_read_model(&a, "none", "/q", &model, &err), QA_OK);
    assert_true(model.none);
    assert_int_equal(config_read_model(&a, "", "/q", &model, &err), QA_BAD_USAGE);
    assert_string_equal(err.message, "the name of a model is empty; write none for no model");
    assert_int_equal(config_read_model(&a, "https://user:secret@example.org/v1?key=secret", "/q", &model, &err), QA_BAD_USAGE);
    assert_non_null(strstr(err.message, "a server is named in quaere.yaml"));
    assert_null(strstr(err.message, "secret"));
}

static void test_neighbours_are_no_overlap(void **state) {
    (void)state;
    assert_int_equal(parse(SOURCE "- name: b\n  path: x-2\n"), QA_OK);
}

static void test_size(void **state) {
    (void)state;
    size_t n = (1 << 20) + 1;
    char *text = malloc(n + 1);
    memset(text, '#', n);
    text[n] = '\0';
    assert_int_equal(parse(text), QA_BAD_CONFIG);
    assert_string_equal(err.message, "/p/quaere.yaml has 1048577 bytes, and 1048576 are the most");
    free(text);
}

static void test_finding(void **state) {
    (void)state;
    struct fake_tree tree;
    char here[PATH_MAX];
    const char *old = getenv("XDG_CONFIG_HOME");
    char *saved = old ? strdup(old) : NULL;
    assert_non_null(getcwd(here, sizeof here));
    fake_tree_make(&tree);
    fake_tree_put(&tree, "a/b/c", NULL);
    fake_tree_put(&tree, "user/quaere", NULL);
    assert_int_equal(setenv("XDG_CONFIG_HOME", fake_tree_path(&tree, "user"), 1), 0);
    assert_int_equal(chdir(fake_tree_path(&tree, "a/b/c")), 0);

    assert_int_equal(config_load(&a, NULL, &config, &err), QA_OK);
    assert_null(config->path);
    fake_tree_put(&tree, "user/quaere/quaere.yaml", "sources:\n- {name: u, path: u}\n");
    assert_int_equal(config_load(&a, NULL, &config, &err), QA_OK);
    assert_string_equal(config->sources[0].path, fake_tree_path(&tree, "user/quaere/u"));
    fake_tree_put(&tree, "a/quaere.yaml", "sources:\n- {name: a, path: x}\n"); /* nearer */
    assert_int_equal(config_load(&a, NULL, &config, &err), QA_OK);
    assert_string_equal(config->path, fake_tree_path(&tree, "a/quaere.yaml"));
    assert_string_equal(config->sources[0].path, fake_tree_path(&tree, "a/x"));
    assert_int_equal(config_load(&a, "../../quaere.yaml", &config, &err), QA_OK);
    assert_string_equal(config->path, fake_tree_path(&tree, "a/quaere.yaml"));
    assert_int_equal(config_load(&a, "missing.yaml", &config, &err), QA_NOT_FOUND);

    assert_int_equal(chdir(here), 0);
    fake_tree_remove(&tree);
    if (saved)
        setenv("XDG_CONFIG_HOME", saved, 1);
    else
        unsetenv("XDG_CONFIG_HOME");
    free(saved);
}

/* ---- init ---- */

static struct buf report;

static const char *init(const struct fake_tree *tree) {
    static char text[8192];
    char *data = NULL;
    size_t len = 0;
    buf_init(&report, 1 << 20);
    if (core_init(tree->root, false, &report, &err) != QA_OK)
        fail_msg("%s", err.message);
    assert_int_equal(file_read(&a, fake_tree_path(tree, "quaere.yaml"), sizeof text - 1, &data, &len, NULL), QA_OK);
    assert_int_equal(config_load(&a, fake_tree_path(tree, "quaere.yaml"), &config, &err), QA_OK);
    assert_int_equal(config->n_sources, 1);
    snprintf(text, sizeof text, "%s = %s url %s", config->sources[0].name, config->sources[0].path + strlen(tree->root),
             config->sources[0].url ? config->sources[0].url : "-");
    return text;
}

static void check_init(const char *const *files, const char *expected) {
    struct fake_tree tree;
    fake_tree_make(&tree);
    for (; *files; files += 2)
        fake_tree_put(&tree, files[0], files[1]);
    assert_string_equal(init(&tree), expected);
    buf_free(&report);
    fake_tree_remove(&tree);
}

static void test_init(void **state) {
    (void)state;
    check_init((const char *[]){"docs/a.md", "x", "README.md", "x", NULL}, "docs = /docs url -");
    check_init((const char *[]){"mkdocs.yml", "site_name: x\nsite_url: https://m.example/\n", "docs/a.md", "x", NULL},
               "docs = /docs url https://m.example/{page}/");
    check_init((const char *[]){"mkdocs.yml", "docs_dir: manual\nmarkdown_extensions:\n- x: !!python/name:foo\n", "manual/a.md", "x", NULL},
               "manual = /manual url -");
    check_init((const char *[]){"mkdocs.yml", "site_url: [broken\n", "docs/a.md", "x", NULL}, "docs = /docs url -");
    check_init((const char *[]){"docusaurus.config.js", "module.exports = {\n  url: 'https://d.example',\n  baseUrl: \"/p/\",\n};\n", "docs/a.md", "x", NULL},
               "docs = /docs url https://d.example/p/docs/{page}");
    struct fake_tree tree;
    fake_tree_make(&tree);
    fake_tree_put(&tree, "my \"notes\"/b.md", "x");
    fake_tree_put(&tree, "a.md", "x");
    fake_tree_put(&tree, "b.png", "x");
    const char *made = init(&tree);
    assert_non_null(strstr(made, " =  url -")); /* the folder itself */
    assert_non_null(strstr(report.data, "holds 2 documents (0.0 MB) and 1 files of types that are not read"));
    assert_non_null(strstr(report.data, "      1  my \"notes\"/\n"));
    buf_reset(&report);
    assert_int_equal(core_init(tree.root, false, &report, &err), QA_EXISTS);
    fake_tree_delete(&tree, "quaere.yaml");
    assert_int_equal(core_init(tree.root, true, &report, &err), QA_OK);
    assert_non_null(strstr(report.data, "\nsources:\n  - name: "));
    assert_int_not_equal(access(fake_tree_path(&tree, "quaere.yaml"), F_OK), 0);
    assert_int_equal(core_init(fake_tree_path(&tree, "missing"), true, &report, &err), QA_NOT_FOUND);
    assert_int_equal(core_init(fake_tree_path(&tree, "a.md"), true, &report, &err), QA_BAD_USAGE);
    buf_free(&report);
    fake_tree_remove(&tree);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_everything), TEST(test_what_may_be_left_out), TEST(test_messages), TEST(test_models), TEST(test_prefixes), TEST(test_model_option),
        TEST(test_neighbours_are_no_overlap), TEST(test_size), TEST(test_finding), TEST(test_init),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
