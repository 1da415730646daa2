// What the index promises: what was put is found, replaced, moved, forgotten; one writer; nothing uncommitted stays.
#include "test_store_sample.h"
#include "store/store_rank.h"
#include <sqlite3.h>
#include <sys/wait.h>

static char *dir, path[4096];

static int set_up(void **state) {
    (void)state;
    dir = sample_folder();
    sample_path(path, dir, "index.db");
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    sample_remove(dir);
    return 0;
}

static struct store_index *open_index(enum store_mode mode) {
    struct store_index *s = NULL;
    assert_ok(store_open_index(path, mode, NULL, &s, err));
    return s;
}

static void put_all(struct store_index *s, const struct sample *samples, size_t n) {
    struct index_port p = store_index_port(s);
    assert_ok(p.ops->begin(p.self, err));
    for (size_t i = 0; i < n; i++)
        assert_ok(sample_put(&p, &samples[i], err));
    assert_ok(p.ops->commit(p.self, err));
}

static const struct sample two[] = {
    {.source = "guide", .path = "spot.md",
     .text = "# Spot training\n\nManaged spot training saves money.\n\nSet max_wait above the runtime.", .title = "Spot",
     .url = "https://x.test/spot", .collection = "docs", .metadata = "{\"lang\":\"en\"}"},
    {.source = "guide", .path = "notebooks/life-cycle.md", .text = "A notebook instance runs JupyterLab.\n\nStop it to save money.",
     .title = "Notebooks"},
};

/* "path#ordinal" of the candidates, joined by spaces. */
static const char *found(struct store_index *s, const char *words) {
    static char out[2000];
    struct index_port p = store_index_port(s);
    struct arena a;
    struct index_candidate *c;
    struct index_passage passages[50];
    uint64_t ids[50], total;
    size_t n, at = 0;
    arena_init(&a, 64 << 20);
    assert_ok(sample_search(&p, words, NULL, 50, &a, &c, &n, &total, err));
    for (size_t i = 0; i < n; i++)
        ids[i] = c[i].chunk;
    assert_ok(p.ops->load_passages(p.self, ids, n, &a, passages, err));
    out[0] = '\0';
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(out + at, sizeof out - at, "%s%s@%llu", i ? " " : "", passages[i].path,
                               (unsigned long long)passages[i].start);
    arena_free(&a);
    return out;
}

static void finds_what_was_put(void **state) {
    (void)state;
    static const struct {
        const char *what, *words, *want;
    } cases[] = {
        {"a part in the text", "lab", "notebooks/life-cycle.md@0"},
        {"one word in two documents, the shorter text first", "save", "notebooks/life-cycle.md@38 spot.md@17"},
        {"a part of an identifier", "wait", "spot.md@53"},
        {"an identifier whole", "=maxwait", "spot.md@53"},
        {"a word of the heading only", "spot", "spot.md@17 spot.md@53"},
        {"a word of the file name only", "life", "notebooks/life-cycle.md@0 notebooks/life-cycle.md@38"},
        {"folders are not indexed; this is the title", "notebook", "notebooks/life-cycle.md@0 notebooks/life-cycle.md@38"},
        {"the file's extension is not a word", "md", ""},
        {"stop words are not indexed", "the", ""},
        {"a word that is nowhere", "zebra", ""},
        {"nowhere and somewhere", "zebra =jupyterlab", "notebooks/life-cycle.md@0"},
        {"FTS5's own syntax is only text", "NEAR( \" * AND =jupyterlab", "notebooks/life-cycle.md@0"},
        {"no term", "", ""},
    };
    struct store_index *s = open_index(STORE_WRITE);
    put_all(s, two, 2);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(found(s, cases[i].words), cases[i].want) != 0)
            fail_msg("%s: %s", cases[i].what, found(s, cases[i].words));
    assert_ok(store_check_index(s, err));
    store_close_index(s);
}

static void passages_are_whole(void **state) {
    (void)state;
    struct store_index *s = open_index(STORE_WRITE);
    put_all(s, two, 2);
    store_close_index(s);
    s = open_index(STORE_READ);
    struct index_port p = store_index_port(s);
    struct arena a;
    struct index_candidate *c;
    struct index_passage x;
    size_t n;
    uint64_t total;
    arena_init(&a, 1 << 20);
    assert_ok(sample_search(&p, "runtim", NULL, 5, &a, &c, &n, &total, err));
    assert_int_equal(n, 1);
    assert_int_equal(total, 4);
    assert_ok(p.ops->load_passages(p.self, &c[0].chunk, 1, &a, &x, err));
    assert_int_equal(x.document_number, c[0].document);
    assert_string_equal(x.source, "guide");
    assert_string_equal(x.title, "Spot");
    assert_string_equal(x.url, "https://x.test/spot");
    assert_string_equal(x.collection, "docs");
    assert_string_equal(x.metadata, "{\"lang\":\"en\"}");
    assert_int_equal(x.n_heading, 1);
    assert_string_equal(x.heading[0], "Spot training");
    assert_int_equal(x.text_len, x.end - x.start);
    assert_memory_equal(x.text, "Set max_wait above the runtime.", x.text_len);
    assert_string_equal(x.map.plain, "Set max_wait above the runtime.\n");
    assert_int_equal(strncmp(x.chunk, "c_", 2), 0);
    assert_fails(p.ops->load_passages(p.self, &(uint64_t){77}, 1, &a, &x, err), QA_CORRUPT, "no chunk 77");
    arena_free(&a);
    store_close_index(s);
}

static void scores_count_what_is_there(void **state) {
    (void)state;
    static const struct sample docs[] = {{.source = "s", .path = "lake.md", .text = "The heron saw a heron at the river."},
                                         {.source = "s", .path = "heron.md", .text = "River delta valley glacier.",
                                          .title = "Long_title"}};
    /* words: "title lake" and "long title heron" in the heads; "heron saw heron river" and four in the bodies */
    const struct store_rank_totals totals = {.chunks = 2, .head_words = 5, .body_words = 8};
    const struct store_rank_match first = {.in_body = 2, .head_words = 2, .body_words = 4},
        second = {.in_head = 1, .head_words = 3, .body_words = 4};
    double want[2] = {store_rank_part(&store_rank_defaults, &totals, &first),
                      store_rank_part(&store_rank_defaults, &totals, &second)};
    struct store_index *s = open_index(STORE_WRITE);
    put_all(s, docs, 2);
    struct index_port p = store_index_port(s);
    struct index_term terms[] = {{.norm = "heron", .len = 5, .weight = 2}, {.norm = "lake", .len = 4, .weight = 0}};
    struct index_candidate *c;
    struct arena a;
    size_t n;
    uint64_t total;
    arena_init(&a, 1 << 20);
    assert_ok(p.ops->text_candidates(p.self, terms, 2, NULL, 9, &a, &c, &n, &total, err));
    assert_int_equal(terms[0].df, 2);
    assert_int_equal(terms[1].df, 1);
    assert_float_equal(terms[0].idf, 0.1823216, 1e-5); /* ln(1 + .5 / 2.5) */
    assert_float_equal(terms[1].idf, 0.6931472, 1e-5); /* ln(1 + 1.5 / 1.5) */
    assert_int_equal(n, 2);
    for (size_t i = 0; i < 2; i++)
        assert_float_equal(c[i].score, 2 * terms[0].idf * want[c[i].document - 1], 1e-9);
    assert_ok(p.ops->text_candidates(p.self, terms, 2, NULL, 0, &a, &c, &n, &total, err)); /* frequencies alone */
    assert_int_equal(n, 0);
    assert_int_equal(terms[1].df, 1);
    assert_int_equal(total, 2);
    arena_free(&a);
    store_close_index(s);
}

static void replacing_leaves_nothing_of_the_old(void **state) {
    (void)state;
    struct store_index *s = open_index(STORE_WRITE);
    put_all(s, two, 2);
    struct sample changed = two[0];
    changed.text = "# Capacity\n\nReserved capacity instead.";
    put_all(s, &changed, 1);
    assert_string_equal(found(s, "manag runtim wait"), "");
    assert_string_equal(found(s, "capac"), "spot.md@12");
    struct index_statistics st;
    struct index_port p = store_index_port(s);
    assert_ok(p.ops->statistics(p.self, &st, err));
    assert_int_equal(st.documents, 2);
    assert_int_equal(st.chunks, 3);
    assert_ok(store_check_index(s, err));
    store_close_index(s);
}

static void forgetting_and_moving(void **state) {
    (void)state;
    struct store_index *s = open_index(STORE_WRITE);
    struct index_port p = store_index_port(s);
    struct arena a;
    struct index_document_record to;
    arena_init(&a, 1 << 20);
    put_all(s, two, 2);
    struct sample moved = two[0];
    moved.path = "archive/preemptible.md";
    assert_true(sample_record(&a, &moved, &to));
    assert_ok(p.ops->begin(p.self, err));
    assert_ok(p.ops->move_document(p.self, "guide", "spot.md", &to, err));
    assert_fails(p.ops->move_document(p.self, "guide", "spot.md", &to, err), QA_NOT_FOUND, "guide:spot.md");
    assert_ok(p.ops->forget_document(p.self, "guide", "notebooks/life-cycle.md", err));
    assert_ok(p.ops->forget_document(p.self, "guide", "never there", err));
    assert_ok(p.ops->forget_document(p.self, "no such source", "spot.md", err));
    assert_ok(p.ops->commit(p.self, err));
    assert_string_equal(found(s, "=preemptible"), "archive/preemptible.md@17 archive/preemptible.md@53");
    assert_string_equal(found(s, "=jupyterlab"), "");
    assert_ok(store_check_index(s, err));
    arena_free(&a);
    store_close_index(s);
}

static void forgetting_all_leaves_an_empty_index(void **state) {
    (void)state;
    struct store_index *s = open_index(STORE_WRITE);
    struct index_port p = store_index_port(s);
    put_all(s, two, 2);
    assert_ok(p.ops->begin(p.self, err));
    assert_ok(p.ops->forget_document(p.self, two[0].source, two[0].path, err));
    assert_ok(p.ops->forget_document(p.self, two[1].source, two[1].path, err));
    assert_ok(p.ops->commit(p.self, err));
    assert_string_equal(found(s, "money"), "");
    assert_ok(store_check_index(s, err));
    put_all(s, two, 2);
    assert_string_equal(found(s, "=jupyterlab"), "notebooks/life-cycle.md@0");
    store_close_index(s);
}

static void chunk_numbers_are_never_used_again(void **state) {
    (void)state;
    struct store_index *s = open_index(STORE_WRITE);
    struct index_port p = store_index_port(s);
    struct arena a;
    struct index_document d;
    uint64_t *chunks, highest = 0;
    size_t n;
    arena_init(&a, 1 << 20);
    for (int round = 0; round < 3; round++) {
        put_all(s, two, 2);
        assert_ok(p.ops->find_document(p.self, NULL, "guide", "spot.md", &a, &d, &chunks, &n, err));
        assert_int_equal(n, 2);
        assert_true(chunks[0] > highest && chunks[1] == chunks[0] + 1);
        highest = chunks[1];
        if (round == 1) { /* nor after closing */
            store_close_index(s);
            s = open_index(STORE_WRITE);
            p = store_index_port(s);
        }
    }
    arena_free(&a);
    store_close_index(s);
}

static void stable_names_survive_putting_again(void **state) {
    (void)state;
    struct store_index *s = open_index(STORE_WRITE);
    struct index_port p = store_index_port(s);
    struct arena a;
    struct index_document d;
    struct index_passage before, after;
    uint64_t *chunks;
    size_t n;
    arena_init(&a, 1 << 20);
    put_all(s, two, 2);
    assert_ok(p.ops->find_document(p.self, NULL, NULL, "spot.md", &a, &d, &chunks, &n, err));
    assert_ok(p.ops->load_passages(p.self, &chunks[1], 1, &a, &before, err));
    put_all(s, two, 1);
    assert_ok(p.ops->find_document(p.self, NULL, NULL, "spot.md", &a, &d, &chunks, &n, err));
    assert_ok(p.ops->load_passages(p.self, &chunks[1], 1, &a, &after, err));
    assert_true(before.chunk_number != after.chunk_number);
    assert_string_equal(before.chunk, after.chunk);
    assert_ok(p.ops->load_passages(p.self, &chunks[0], 1, &a, &after, err));
    assert_string_not_equal(before.chunk, after.chunk);
    arena_free(&a);
    store_close_index(s);
}

static void uncommitted_is_gone(void **state) {
    (void)state;
    struct store_index *s = open_index(STORE_WRITE);
    struct index_port p = store_index_port(s);
    put_all(s, two, 1);
    assert_ok(p.ops->begin(p.self, err));
    assert_ok(sample_put(&p, &two[1], err));
    assert_string_equal(found(s, "=jupyterlab"), "notebooks/life-cycle.md@0"); /* its own writes are seen */
    p.ops->rollback(p.self);
    assert_string_equal(found(s, "=jupyterlab"), "");
    assert_ok(p.ops->begin(p.self, err));
    assert_ok(sample_put(&p, &two[1], err));
    store_close_index(s); /* without commit */
    s = open_index(STORE_READ);
    assert_string_equal(found(s, "=jupyterlab"), "");
    assert_string_equal(found(s, "manag"), "spot.md@17");
    assert_ok(store_check_index(s, err));
    store_close_index(s);
}

static void refused_records_cost_nothing_else(void **state) {
    (void)state;
    static const char *const bad_group[] = {"ops\x1F" "admin"};
    struct sample bad[] = {two[0], two[0], two[0]};
    bad[0].title = "\xC3(";
    bad[1].groups = bad_group, bad[1].n_groups = 1;
    bad[2].metadata = "\xFF";
    struct store_index *s = open_index(STORE_WRITE);
    struct index_port p = store_index_port(s);
    assert_ok(p.ops->begin(p.self, err));
    assert_ok(sample_put(&p, &two[1], err));
    for (size_t i = 0; i < 3; i++)
        assert_fails(sample_put(&p, &bad[i], err), QA_BAD_INPUT, "spot.md");
    assert_ok(p.ops->commit(p.self, err));
    assert_string_equal(found(s, "money"), "notebooks/life-cycle.md@38");
    assert_ok(store_check_index(s, err));
    store_close_index(s);
}

static void a_map_that_lies_is_refused(void **state) {
    (void)state;
    struct store_index *s = open_index(STORE_WRITE);
    struct index_port p = store_index_port(s);
    struct arena a;
    struct index_document_record r;
    arena_init(&a, 1 << 20);
    assert_true(sample_record(&a, &two[1], &r));
    ((struct index_chunk_record *)r.chunks)[0].plain = "B notebook instance runs JupyterLab.\n";
    assert_ok(p.ops->begin(p.self, err));
    assert_fails(p.ops->put_document(p.self, &r, err), QA_INTERNAL, "notebooks/life-cycle.md");
    assert_fails(p.ops->commit(p.self, err), QA_INTERNAL, "roll back");
    p.ops->rollback(p.self);
    assert_string_equal(found(s, "money"), "");
    arena_free(&a);
    store_close_index(s);
}

static void writing_needs_begin(void **state) {
    (void)state;
    struct store_index *s = open_index(STORE_WRITE);
    struct index_port p = store_index_port(s);
    assert_fails(sample_put(&p, &two[0], err), QA_INTERNAL, "transaction");
    assert_fails(p.ops->commit(p.self, err), QA_INTERNAL, "transaction");
    p.ops->rollback(p.self);
    assert_ok(p.ops->begin(p.self, err));
    assert_fails(p.ops->begin(p.self, err), QA_INTERNAL, "begin");
    store_close_index(s);
}

static void what_ingest_asks(void **state) {
    (void)state;
    struct store_index *s = open_index(STORE_WRITE);
    struct index_port p = store_index_port(s);
    struct arena a;
    struct index_known *known;
    struct index_source *sources;
    struct index_statistics st;
    const char *text;
    size_t n;
    arena_init(&a, 1 << 20);
    put_all(s, two, 2);
    assert_ok(p.ops->known_documents(p.self, "guide", &a, &known, &n, err));
    assert_int_equal(n, 2);
    assert_string_equal(known[0].path, "notebooks/life-cycle.md");
    assert_int_equal(known[1].hash.lo, hash_bytes(two[0].text, strlen(two[0].text)).lo);
    assert_int_equal(known[1].settings.lo, 2);
    assert_int_equal(known[1].bytes, strlen(two[0].text));
    assert_ok(p.ops->known_documents(p.self, "other", &a, &known, &n, err));
    assert_int_equal(n, 0);
    assert_ok(p.ops->get_source_root(p.self, "guide", &a, &text, err));
    assert_null(text);
    assert_ok(p.ops->begin(p.self, err));
    assert_ok(p.ops->put_source_root(p.self, "guide", "/docs", err));
    assert_ok(p.ops->put_source_root(p.self, "api", "jsonl", err));
    assert_ok(p.ops->note_failure(p.self, "guide", "bad.md", "not UTF-8", err));
    assert_ok(p.ops->note_failure(p.self, "guide", "bad.md", "too large", err));
    assert_ok(p.ops->note_failure(p.self, "guide", "mended.md", "broken", err));
    assert_ok(p.ops->note_failure(p.self, "guide", "mended.md", NULL, err));
    assert_ok(p.ops->commit(p.self, err));
    assert_ok(p.ops->get_source_root(p.self, "guide", &a, &text, err));
    assert_string_equal(text, "/docs");
    assert_ok(p.ops->list_sources(p.self, &a, &sources, &n, err));
    assert_int_equal(n, 2);
    assert_string_equal(sources[0].source, "api");
    assert_string_equal(sources[0].root, "jsonl");
    assert_ok(p.ops->find_failure(p.self, "guide", "bad.md", &a, &text, err));
    assert_string_equal(text, "too large");
    assert_ok(p.ops->find_failure(p.self, "guide", "mended.md", &a, &text, err));
    assert_null(text);
    assert_ok(p.ops->statistics(p.self, &st, err));
    assert_int_equal(st.failed, 1);
    assert_int_equal(st.sources, 2);
    assert_int_equal(st.bytes, strlen(two[0].text) + strlen(two[1].text));
    json_t *info = NULL;
    assert_ok(store_index_info(s, &info, err));
    assert_int_equal(json_integer_value(json_object_get(info, "format")), 1);
    assert_int_equal(json_integer_value(json_object_get(info, "documents")), 2);
    assert_string_equal(json_get_string(json_array_get(json_object_get(info, "sources"), 1), "root"), "/docs");
    json_decref(info);
    arena_free(&a);
    store_close_index(s);
}

static int collect_paths(void *user, const struct index_document *d) {
    char *out = user;
    strcat(strcat(strcat(out, d->source), ":"), d->path);
    strcat(out, " ");
    return strlen(out) > 60;
}

static void failures_are_listed_by_source(void **state) {
    (void)state;
    static const struct {
        const char *source, *path, *cause;
    } noted[] = {{"wiki", "both.md", "of wiki"}, {"guide", "z.md", "last"}, {"guide", "both.md", "of guide"}, {"guide", "a.md", "first"}};
    static const struct {
        const char *source, *path, *cause;
    } asked[] = {
        {"wiki", "both.md", "of wiki"}, {NULL, "both.md", "of guide"}, /* of several sources the first by name */
        {NULL, "z.md", "last"}, {"wiki", "z.md", NULL}, {NULL, "fine.md", NULL},
    };
    struct store_index *s = open_index(STORE_WRITE);
    struct index_port p = store_index_port(s);
    struct arena a;
    const char **paths, *cause;
    size_t n;
    arena_init(&a, 1 << 20);
    assert_ok(p.ops->begin(p.self, err));
    for (size_t i = 0; i < sizeof noted / sizeof *noted; i++)
        assert_ok(p.ops->note_failure(p.self, noted[i].source, noted[i].path, noted[i].cause, err));
    for (int i = 0; i < 40; i++) { /* more than the first room for a list */
        char path_of[20];
        snprintf(path_of, sizeof path_of, "%02d.md", i);
        assert_ok(p.ops->note_failure(p.self, "many", path_of, "bad", err));
    }
    assert_ok(p.ops->commit(p.self, err));
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        assert_ok(p.ops->find_failure(p.self, asked[i].source, asked[i].path, &a, &cause, err));
        if (cause != asked[i].cause && (!cause || !asked[i].cause || strcmp(cause, asked[i].cause) != 0))
            fail_msg("%s:%s: %s", asked[i].source ? asked[i].source : "any", asked[i].path, cause ? cause : "none");
    }
    assert_ok(p.ops->list_failures(p.self, "guide", &a, &paths, &n, err));
    assert_int_equal(n, 3);
    assert_string_equal(paths[0], "a.md");
    assert_string_equal(paths[1], "both.md");
    assert_string_equal(paths[2], "z.md");
    assert_ok(p.ops->list_failures(p.self, "many", &a, &paths, &n, err));
    assert_int_equal(n, 40);
    assert_string_equal(paths[39], "39.md");
    assert_ok(p.ops->list_failures(p.self, "none", &a, &paths, &n, err));
    assert_int_equal(n, 0);
    arena_free(&a);
    store_close_index(s);
}

static void lists_and_finds_documents(void **state) {
    (void)state;
    static const char *const ops[] = {"ops"};
    const struct sample docs[] = {two[0], two[1], {.source = "api", .path = "spot.md", .text = "An endpoint."},
                                  {.source = "zz", .path = "secret.md", .text = "Hidden text.", .groups = ops, .n_groups = 1},
                                  {.source = "zz", .path = "z.md", .text = "End."}};
    struct store_index *s = open_index(STORE_WRITE);
    struct index_port p = store_index_port(s);
    struct caller nobody = {.signed_in = true};
    struct index_scope scope = {.caller = &nobody};
    struct index_document d;
    struct arena a;
    uint64_t *chunks;
    size_t n;
    char out[200] = "";
    arena_init(&a, 1 << 20);
    put_all(s, docs, 5);
    assert_ok(p.ops->each_document(p.self, &scope, collect_paths, out, err));
    assert_string_equal(out, "api:spot.md guide:notebooks/life-cycle.md guide:spot.md zz:z.md "); /* stops at the end, secret.md is not seen */
    assert_fails(p.ops->find_document(p.self, NULL, NULL, "spot.md", &a, &d, &chunks, &n, err), QA_BAD_USAGE, "api and guide");
    assert_fails(p.ops->find_document(p.self, &scope, NULL, "secret.md", &a, &d, &chunks, &n, err), QA_NOT_FOUND, "secret.md");
    assert_ok(p.ops->find_document(p.self, NULL, "zz", "secret.md", &a, &d, &chunks, &n, err));
    assert_string_equal(d.groups[0], "ops");
    assert_int_equal(n, 1);
    scope = (struct index_scope){.collection = "docs"};
    assert_ok(p.ops->find_document(p.self, &scope, NULL, "spot.md", &a, &d, &chunks, &n, err)); /* the other is in no collection */
    assert_string_equal(d.source, "guide");
    arena_free(&a);
    store_close_index(s);
}

static void second_writer_is_told_whom_to_wait_for(void **state) {
    (void)state;
    struct store_index *first = open_index(STORE_WRITE), *second = NULL;
    char want[40], lock[4096], link[4096];
    snprintf(want, sizeof want, "(process %ld)", (long)getpid());
    assert_fails(store_open_index(path, STORE_WRITE, NULL, &second, err), QA_BUSY, want);
    assert_int_equal(symlink("index.db", sample_path(link, dir, "alias.db")), 0);
    assert_fails(store_open_index(link, STORE_WRITE, NULL, &second, err), QA_BUSY, want); /* the same file by another name */
    put_all(first, two, 1); /* the failed attempts did not drop the locks of the first */
    pid_t child = fork();
    if (child == 0) {
        qa_error err = {0};
        qa_status status = store_open_index(path, STORE_WRITE, NULL, &second, &err);
        _exit(status == QA_BUSY && strstr(err.message, want) ? 0 : 1);
    }
    int how = -1;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(how, 0);
    store_close_index(first);
    assert_int_not_equal(access(sample_path(lock, dir, "index.db-lock"), F_OK), 0);
    store_close_index(open_index(STORE_WRITE));
}

static void a_dead_writer_leaves_no_lock(void **state) {
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct store_index *s = NULL;
        _exit(store_open_index(path, STORE_WRITE, NULL, &s, NULL) == QA_OK ? 0 : 1);
    }
    int how = -1;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(how, 0);
    struct store_index *s = open_index(STORE_WRITE);
    put_all(s, two, 1);
    store_close_index(s);
}

static void readers_see_commits_and_hold_snapshots(void **state) {
    (void)state;
    struct store_index *w = open_index(STORE_WRITE), *r = open_index(STORE_READ);
    struct index_port p = store_index_port(r);
    assert_string_equal(found(r, "money"), "");
    put_all(w, two, 2);
    assert_string_equal(found(r, "=jupyterlab"), "notebooks/life-cycle.md@0");
    assert_ok(p.ops->begin(p.self, err)); /* on a reader: one state until rollback */
    assert_string_equal(found(r, "=jupyterlab"), "notebooks/life-cycle.md@0");
    struct sample changed = two[1];
    changed.text = "Nothing.";
    put_all(w, &changed, 1);
    assert_string_equal(found(r, "=jupyterlab"), "notebooks/life-cycle.md@0");
    p.ops->rollback(p.self);
    assert_string_equal(found(r, "=jupyterlab"), "");
    /* without a snapshot a chunk may be replaced between search and reading: that is not damage */
    struct arena a;
    struct index_candidate *c;
    struct index_passage x;
    size_t n;
    uint64_t total;
    arena_init(&a, 1 << 20);
    assert_ok(sample_search(&p, "manag", NULL, 5, &a, &c, &n, &total, err));
    put_all(w, two, 1);
    assert_fails(p.ops->load_passages(p.self, &c[0].chunk, 1, &a, &x, err), QA_BUSY, "ask again");
    arena_free(&a);
    store_close_index(r);
    store_close_index(w);
}

static void a_reader_changes_nothing(void **state) {
    (void)state;
    struct store_index *s = NULL;
    assert_fails(store_open_index(path, STORE_READ, NULL, &s, err), QA_NOT_FOUND, "quaere ingest");
    assert_int_not_equal(access(path, F_OK), 0);
    struct store_index *w = open_index(STORE_WRITE);
    put_all(w, two, 1); /* in the -wal: a reader must not bring it into the file */
    size_t n, n2;
    char *before = sample_slurp(path, &n);
    s = open_index(STORE_READ);
    assert_string_equal(found(s, "manag"), "spot.md@17");
    struct index_port p = store_index_port(s);
    assert_fails(sample_put(&p, &two[1], err), QA_INTERNAL, "transaction");
    store_close_index(s);
    char *after = sample_slurp(path, &n2);
    assert_int_equal(n, n2);
    assert_memory_equal(before, after, n);
    free(before);
    free(after);
    /* nor when it is the last to close and a -wal waits, as after a writer that was killed */
    static const char *const names[][2] = {{"index.db", "copy.db"}, {"index.db-wal", "copy.db-wal"}};
    char copy[4096];
    for (int i = 0; i < 2; i++) {
        before = sample_slurp(sample_path(copy, dir, names[i][0]), &n);
        sample_spill(sample_path(copy, dir, names[i][1]), before, n);
        free(before);
    }
    store_close_index(w);
    before = sample_slurp(sample_path(copy, dir, "copy.db"), &n);
    assert_ok(store_open_index(copy, STORE_READ, NULL, &s, err));
    assert_string_equal(found(s, "manag"), "spot.md@17");
    store_close_index(s);
    after = sample_slurp(copy, &n2);
    assert_int_equal(n, n2);
    assert_memory_equal(before, after, n);
    free(before);
    free(after);
}

static void paths_mean_nothing_special(void **state) {
    (void)state;
    static const char *const names[] = {"a?mode=memory", "b#c", "100%25.db", ":memory:", "file:x", "with space"};
    char here[4096];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(dir), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct store_index *s = NULL;
        assert_ok(store_open_index(names[i], STORE_WRITE, NULL, &s, err));
        store_close_index(s);
        assert_int_equal(access(names[i], F_OK), 0);
    }
    assert_int_equal(chdir(here), 0);
    struct store_index *s = NULL;
    assert_fails(store_open_index(dir, STORE_READ, NULL, &s, err), QA_CORRUPT, "not a file");
}

/* So many that statements are long enough to be stopped. */
static void put_many(struct store_index *s) {
    struct index_port p = store_index_port(s);
    assert_ok(p.ops->begin(p.self, err));
    for (int i = 0; i < 300; i++) {
        char name[20];
        snprintf(name, sizeof name, "%d.md", i);
        struct sample x = {.source = "many", .path = name, .text = "Money."};
        assert_ok(sample_put(&p, &x, err));
    }
    assert_ok(p.ops->commit(p.self, err));
}

static void a_cancelled_search_stops(void **state) {
    (void)state;
    struct store_index *s = open_index(STORE_WRITE);
    put_all(s, two, 2);
    put_many(s);
    store_close_index(s);
    atomic_int cancel = 1;
    assert_ok(store_open_index(path, STORE_WRITE, &cancel, &s, err)); /* opening is not stopped */
    struct index_port p = store_index_port(s);
    struct index_scope scope = {.collection = "docs"};
    struct arena a;
    struct index_candidate *c;
    size_t n;
    uint64_t total;
    arena_init(&a, 1 << 20);
    assert_fails(sample_search(&p, "money", &scope, 5, &a, &c, &n, &total, err), QA_CANCELLED, "stopped");
    put_many(s); /* a write is never stopped in its middle */
    atomic_store(&cancel, 0);
    assert_ok(sample_search(&p, "money", &scope, 5, &a, &c, &n, &total, err));
    assert_int_equal(n, 1);
    assert_ok(store_check_index(s, err));
    arena_free(&a);
    store_close_index(s);
}

static void ties_go_by_number_and_k_cuts(void **state) {
    (void)state;
    struct store_index *s = open_index(STORE_WRITE);
    struct index_port p = store_index_port(s);
    struct arena a;
    struct index_candidate *all, *some;
    size_t n_all, n;
    uint64_t total;
    arena_init(&a, 16 << 20);
    assert_ok(p.ops->begin(p.self, err));
    for (int i = 0; i < 2500; i++) { /* over two blocks of the chunk directory */
        char name[20], text[200] = "kiwi";
        snprintf(name, sizeof name, "%d.md", i);
        for (int k = 0; k < i % 7; k++)
            strcat(text, " plum");
        struct sample x = {.source = "many", .path = name, .text = text};
        assert_ok(sample_put(&p, &x, err));
    }
    assert_ok(p.ops->commit(p.self, err));
    assert_ok(sample_search(&p, "kiwi plum", NULL, 10000, &a, &all, &n_all, &total, err));
    assert_int_equal(n_all, 2500);
    for (size_t i = 1; i < n_all; i++)
        assert_true(all[i - 1].score > all[i].score || (all[i - 1].score == all[i].score && all[i - 1].chunk < all[i].chunk));
    static const size_t ks[] = {1, 2, 3, 10, 357, 358, 2499};
    for (size_t i = 0; i < sizeof ks / sizeof *ks; i++) {
        assert_ok(sample_search(&p, "kiwi plum", NULL, ks[i], &a, &some, &n, &total, err));
        assert_int_equal(n, ks[i]);
        for (size_t j = 0; j < n; j++)
            assert_true(some[j].chunk == all[j].chunk && some[j].score == all[j].score && some[j].document == all[j].document);
    }
    assert_ok(store_check_index(s, err));
    arena_free(&a);
    store_close_index(s);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(finds_what_was_put), CASE(passages_are_whole), CASE(scores_count_what_is_there),
        CASE(replacing_leaves_nothing_of_the_old),
        CASE(forgetting_and_moving), CASE(forgetting_all_leaves_an_empty_index), CASE(chunk_numbers_are_never_used_again),
        CASE(stable_names_survive_putting_again), CASE(uncommitted_is_gone), CASE(refused_records_cost_nothing_else),
        CASE(a_map_that_lies_is_refused), CASE(writing_needs_begin), CASE(what_ingest_asks),
        CASE(failures_are_listed_by_source), CASE(lists_and_finds_documents),
        CASE(second_writer_is_told_whom_to_wait_for), CASE(a_dead_writer_leaves_no_lock),
        CASE(readers_see_commits_and_hold_snapshots),
        CASE(a_reader_changes_nothing), CASE(paths_mean_nothing_special), CASE(a_cancelled_search_stops),
        CASE(ties_go_by_number_and_k_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
