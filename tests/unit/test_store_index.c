// What the index on SQLite promises beyond its port (test_index_conformance.c): one writer, readers beside it, nothing uncommitted stays, scores.
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

static void chunk_numbers_are_not_used_again_after_closing(void **state) {
    (void)state;
    struct arena a;
    struct index_document d;
    uint64_t *chunks, highest = 0;
    size_t n;
    arena_init(&a, 1 << 20);
    for (int round = 0; round < 2; round++) {
        struct store_index *s = open_index(STORE_WRITE);
        struct index_port p = store_index_port(s);
        put_all(s, two, 2);
        assert_ok(p.ops->find_document(p.self, NULL, "guide", "spot.md", &a, &d, &chunks, &n, err));
        assert_true(chunks[0] > highest);
        highest = chunks[1];
        store_close_index(s);
    }
    arena_free(&a);
}

static void uncommitted_is_gone_when_closed(void **state) {
    (void)state;
    struct store_index *s = open_index(STORE_WRITE);
    struct index_port p = store_index_port(s);
    put_all(s, two, 1);
    assert_ok(p.ops->begin(p.self, err));
    assert_ok(sample_put(&p, &two[1], err));
    store_close_index(s);
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

static void the_file_is_described(void **state) {
    (void)state;
    struct store_index *s = open_index(STORE_WRITE);
    struct index_port p = store_index_port(s);
    json_t *info = NULL;
    put_all(s, two, 2);
    assert_ok(p.ops->begin(p.self, err));
    assert_ok(p.ops->put_source(p.self, &(struct index_source){.source = "guide", .root = "/docs"}, err));
    assert_ok(p.ops->put_source(p.self, &(struct index_source){.source = "api", .root = "jsonl", .ruled = true}, err));
    assert_ok(p.ops->commit(p.self, err));
    assert_ok(store_index_info(s, &info, err));
    assert_int_equal(json_integer_value(json_object_get(info, "format")), 3);
    assert_int_equal(json_integer_value(json_object_get(info, "documents")), 2);
    assert_string_equal(json_get_string(json_array_get(json_object_get(info, "sources"), 1), "root"), "/docs");
    json_decref(info);
    store_close_index(s);
}

/* Who of the three finds the document that says "lab": o(ps), d(ev), n(obody's). */
static const char *who_sees(struct store_index *s) {
    static char out[4];
    static const char *const groups[] = {"ops", "dev"};
    struct index_port p = store_index_port(s);
    out[0] = '\0';
    for (size_t i = 0; i < 3; i++) {
        struct caller caller = {.groups = &groups[i < 2 ? i : 0], .n_groups = i < 2};
        struct index_scope scope = {.caller = &caller};
        struct index_candidate *c;
        struct arena a;
        size_t n;
        uint64_t total;
        arena_init(&a, 1 << 20);
        assert_ok(sample_search(&p, "lab", &scope, 9, &a, &c, &n, &total, err));
        if (n)
            strncat(out, &"odn"[i], 1);
        arena_free(&a);
    }
    return out;
}

static void access_is_set_without_reading(void **state) {
    (void)state;
    static const char *const dev[] = {"dev"}, *const both[] = {"ops", "dev"}, *const bad[] = {"a\x1F" "b"};
    static const char path_of[] = "notebooks/life-cycle.md";
    struct store_index *s = open_index(STORE_WRITE);
    struct index_port p = store_index_port(s);
    struct index_known *known;
    struct index_statistics st;
    struct arena a;
    size_t n;
    arena_init(&a, 1 << 20);
    put_all(s, two, 2);
    struct store_index *reader = open_index(STORE_READ);
    assert_string_equal(who_sees(reader), "odn");
    assert_ok(p.ops->begin(p.self, err));
    assert_ok(p.ops->set_access(p.self, "guide", path_of, true, dev, 1, err));
    assert_string_equal(who_sees(s), "d");
    assert_string_equal(who_sees(reader), "odn");
    p.ops->rollback(p.self);
    assert_string_equal(who_sees(s), "odn");
    assert_ok(p.ops->begin(p.self, err));
    assert_ok(p.ops->set_access(p.self, "guide", path_of, true, both, 2, err));
    assert_fails(p.ops->set_access(p.self, "guide", "no.md", true, dev, 1, err), QA_NOT_FOUND, "guide:no.md"); /* which costs nothing else */
    assert_fails(p.ops->set_access(p.self, "no", path_of, true, dev, 1, err), QA_NOT_FOUND, "no:notebooks");
    assert_fails(p.ops->set_access(p.self, "guide", path_of, true, bad, 1, err), QA_BAD_INPUT, "control character");
    assert_ok(p.ops->commit(p.self, err));
    assert_string_equal(who_sees(reader), "od");
    assert_ok(p.ops->statistics(p.self, &st, err));
    assert_int_equal(st.restricted, 1);
    assert_ok(p.ops->known_documents(p.self, "guide", &a, &known, &n, err));
    assert_int_equal(n, 2);
    assert_true(known[0].ruled && known[0].settings.hi == 0 && known[0].settings.lo == 0); /* of no run */
    assert_true(!known[1].ruled && known[1].settings.lo == 2);
    assert_string_equal(found(s, "lab"), "notebooks/life-cycle.md@0");
    assert_ok(p.ops->begin(p.self, err));
    assert_ok(p.ops->set_access(p.self, "guide", path_of, true, NULL, 0, err));
    assert_ok(p.ops->commit(p.self, err));
    assert_string_equal(who_sees(reader), "");
    assert_ok(p.ops->begin(p.self, err));
    assert_ok(p.ops->set_access(p.self, "guide", path_of, false, NULL, 0, err));
    assert_ok(p.ops->commit(p.self, err));
    assert_string_equal(who_sees(reader), "odn");
    assert_fails(p.ops->set_access(p.self, "guide", path_of, true, dev, 1, err), QA_INTERNAL, "outside a transaction");
    assert_ok(store_check_index(s, err));
    store_close_index(reader);
    store_close_index(s);
    arena_free(&a);
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
        CASE(scores_count_what_is_there), CASE(chunk_numbers_are_not_used_again_after_closing), CASE(uncommitted_is_gone_when_closed),
        CASE(refused_records_cost_nothing_else), CASE(a_map_that_lies_is_refused), CASE(the_file_is_described),
        CASE(access_is_set_without_reading), CASE(second_writer_is_told_whom_to_wait_for), CASE(a_dead_writer_leaves_no_lock),
        CASE(readers_see_commits_and_hold_snapshots), CASE(a_reader_changes_nothing), CASE(paths_mean_nothing_special),
        CASE(a_cancelled_search_stops), CASE(ties_go_by_number_and_k_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
