// What port/index.h promises, of both who implement it: the store on SQLite, and the index in memory that other tests stand on. What a test says of
// the second is worth as much as the two agree here. (What only SQLite has - files, locks, snapshots, damage - is in the tests of the store.)
#include "fake/fake_index.h"
#include "test_store_sample.h"
#include <math.h>

struct made {
    struct index_port port, reader; /* of another handle, where there is one */
    char *dir; /* of the store */
    void *it, *second;
};

static void make_store(struct made *m) {
    char path[4096];
    struct store_index *s = NULL;
    m->dir = sample_folder();
    assert_ok(store_open_index(sample_path(path, m->dir, "index.db"), STORE_WRITE, NULL, &s, err));
    m->it = s;
    m->port = store_index_port(s);
    assert_ok(store_open_index(path, STORE_READ, NULL, &s, err));
    m->second = s;
    m->reader = store_index_port(s);
}
static void end_store(struct made *m) {
    store_close_index(m->second);
    assert_ok(store_check_index(m->it, err)); /* whatever the test has done */
    store_close_index(m->it);
    sample_remove(m->dir);
}
static void make_fake(struct made *m) {
    m->it = fake_index_new();
    assert_non_null(m->it);
    m->port = m->reader = fake_index_port(m->it);
}
static void end_fake(struct made *m) { fake_index_free(m->it); }

struct maker {
    void (*make)(struct made *m), (*end)(struct made *m);
    struct made made;
};
static struct maker store = {.make = make_store, .end = end_store}, memory = {.make = make_fake, .end = end_fake};

static int set_up(void **state) {
    struct maker *m = *state;
    m->made = (struct made){0};
    m->make(&m->made);
    return 0;
}
static int tear_down(void **state) {
    struct maker *m = *state;
    m->end(&m->made);
    return 0;
}
static const struct index_port *port_of(void **state) { return &((struct maker *)*state)->made.port; }
static const struct index_port *reader_of(void **state) { return &((struct maker *)*state)->made.reader; }

/* ---- Short ways ---- */

static const char *const ops_group[] = {"ops"}, *const dev_group[] = {"dev"};
static const struct sample two[] = {
    {.source = "guide", .path = "spot.md",
     .text = "# Spot training\n\nManaged spot training saves money.\n\nSet max_wait above the runtime.", .title = "Spot",
     .url = "https://x.test/spot", .collection = "docs", .metadata = "{\"lang\":\"en\"}"},
    {.source = "guide", .path = "notebooks/life-cycle.md", .text = "A notebook instance runs JupyterLab.\n\nStop it to save money.",
     .title = "Notebooks"},
};

static void put_all(const struct index_port *p, const struct sample *samples, size_t n) {
    assert_ok(p->ops->begin(p->self, err));
    for (size_t i = 0; i < n; i++)
        assert_ok(sample_put(p, &samples[i], err));
    assert_ok(p->ops->commit(p->self, err));
}

static int by_text(const void *a, const void *b) { return strcmp(a, b); }

/* "path@start" of what is found, by name: how it is ranked is each one's own. But the best comes first, and of equals the lower number. */
static const char *found_in(const struct index_port *p, const char *words, const struct index_scope *scope) {
    static char out[2000], names[50][60];
    struct arena a;
    struct index_candidate *c;
    struct index_passage passages[50];
    uint64_t ids[50], total;
    size_t n, at = 0;
    arena_init(&a, 64 << 20);
    assert_ok(sample_search(p, words, scope, 50, &a, &c, &n, &total, err));
    for (size_t i = 0; i < n; i++) {
        ids[i] = c[i].chunk;
        assert_true(c[i].score > 0);
        assert_true(!i || c[i - 1].score > c[i].score || (c[i - 1].score == c[i].score && c[i - 1].chunk < c[i].chunk));
    }
    assert_ok(p->ops->load_passages(p->self, ids, n, &a, passages, err));
    for (size_t i = 0; i < n; i++) {
        assert_true(passages[i].chunk_number == ids[i] && passages[i].document_number == c[i].document);
        snprintf(names[i], sizeof names[i], "%s@%llu", passages[i].path, (unsigned long long)passages[i].start);
    }
    qsort(names, n, sizeof *names, by_text);
    out[0] = '\0';
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(out + at, sizeof out - at, "%s%s", i ? " " : "", names[i]);
    arena_free(&a);
    return out;
}
static const char *found(const struct index_port *p, const char *words) { return found_in(p, words, NULL); }

static int add_name(void *user, const struct index_document *d) {
    char *out = user;
    strcat(strcat(strcat(strcat(out, *out ? " " : ""), d->source), ":"), d->path);
    return strlen(out) > 120;
}
static const char *listed(const struct index_port *p, const struct index_scope *scope) {
    static char out[300];
    out[0] = '\0';
    assert_ok(p->ops->each_document(p->self, scope, add_name, out, err));
    return out;
}

static struct index_statistics count(const struct index_port *p) {
    struct index_statistics st;
    assert_ok(p->ops->statistics(p->self, &st, err));
    return st;
}

/* ---- Putting, finding, loading ---- */

static void what_was_put_is_found(void **state) {
    static const struct {
        const char *what, *words, *want;
    } cases[] = {
        {"a word of the text", "lab", "notebooks/life-cycle.md@0"},
        {"a word of two documents", "save", "notebooks/life-cycle.md@38 spot.md@17"},
        {"a part of an identifier", "wait", "spot.md@53"},
        {"an identifier whole", "=maxwait", "spot.md@53"},
        {"a word of the heading only", "spot", "spot.md@17 spot.md@53"},
        {"a word of the file name only", "life", "notebooks/life-cycle.md@0 notebooks/life-cycle.md@38"},
        {"a word of the title", "notebook", "notebooks/life-cycle.md@0 notebooks/life-cycle.md@38"},
        {"the file's extension", "md", ""},
        {"a stop word", "the", ""},
        {"a word that is nowhere", "zebra", ""},
        {"nowhere and somewhere", "zebra =jupyterlab", "notebooks/life-cycle.md@0"},
        {"what a query language would obey", "NEAR( \" * AND =jupyterlab", "notebooks/life-cycle.md@0"},
        {"no term", "", ""},
    };
    const struct index_port *p = port_of(state);
    put_all(p, two, 2);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(found(p, cases[i].words), cases[i].want) != 0)
            fail_msg("%s: %s", cases[i].what, found(p, cases[i].words));
}

static void terms_are_weighed(void **state) {
    const struct index_port *p = port_of(state);
    struct index_scope docs = {.collection = "docs"};
    struct index_candidate *c;
    struct arena a;
    size_t n;
    uint64_t total;
    arena_init(&a, 1 << 20);
    put_all(p, two, 2);
    for (int k = 0; k < 2; k++) { /* k = 0 asks for the numbers alone */
        struct index_term terms[] = {{.norm = "money", .len = 5, .weight = 1}, {.norm = "lab", .len = 3, .weight = 1},
                                     {.norm = "zebra", .len = 5, .weight = 1}};
        assert_ok(p->ops->text_candidates(p->self, terms, 3, &docs, k, &a, &c, &n, &total, err));
        assert_int_equal(n, k);
        assert_int_equal(total, 4);
        static const unsigned df[] = {2, 1, 0};
        for (int i = 0; i < 3; i++) { /* over the whole index, whatever the scope */
            assert_int_equal(terms[i].df, df[i]);
            assert_float_equal(terms[i].idf, log(1 + (4 - df[i] + .5) / (df[i] + .5)), 1e-9);
        }
        if (k) /* but seen is told of what is in scope alone */
            assert_true(terms[0].seen && !terms[1].seen && !terms[2].seen);
    }
    struct index_term heavy[] = {{.norm = "money", .len = 5, .weight = 1}}, light[] = {{.norm = "money", .len = 5, .weight = .5}};
    assert_ok(p->ops->text_candidates(p->self, heavy, 1, NULL, 9, &a, &c, &n, &total, err));
    assert_int_equal(n, 2);
    double score = c[0].score;
    assert_ok(p->ops->text_candidates(p->self, light, 1, NULL, 9, &a, &c, &n, &total, err));
    assert_float_equal(c[0].score, score / 2, 1e-9);
    arena_free(&a);
}

static void passages_are_whole(void **state) {
    const struct index_port *p = port_of(state);
    struct arena a;
    struct index_candidate *c;
    struct index_passage x;
    size_t n;
    uint64_t total;
    arena_init(&a, 1 << 20);
    put_all(p, two, 2);
    assert_ok(sample_search(p, "runtim", NULL, 5, &a, &c, &n, &total, err));
    assert_int_equal(n, 1);
    assert_ok(p->ops->load_passages(p->self, &c[0].chunk, 1, &a, &x, err));
    assert_string_equal(x.source, "guide");
    assert_string_equal(x.path, "spot.md");
    assert_string_equal(x.title, "Spot");
    assert_string_equal(x.url, "https://x.test/spot");
    assert_string_equal(x.collection, "docs");
    assert_string_equal(x.metadata, "{\"lang\":\"en\"}");
    assert_int_equal(x.n_heading, 1);
    assert_string_equal(x.heading[0], "Spot training");
    assert_int_equal(x.text_len, x.end - x.start);
    assert_memory_equal(x.text, "Set max_wait above the runtime.", x.text_len);
    assert_string_equal(x.map.plain, "Set max_wait above the runtime.\n");
    assert_false(x.lossy);
    assert_int_equal(strncmp(x.chunk, "c_", 2), 0);
    assert_ok(sample_search(p, "=jupyterlab", NULL, 5, &a, &c, &n, &total, err));
    assert_ok(p->ops->load_passages(p->self, &c[0].chunk, 1, &a, &x, err));
    assert_null(x.url);
    assert_null(x.collection);
    assert_int_equal(x.n_heading, 0);
    assert_fails(p->ops->load_passages(p->self, &(uint64_t){77}, 1, &a, &x, err), QA_CORRUPT, "chunk 77");
    arena_free(&a);
}

/* Found, and written anew by somebody else before it is loaded: nothing is damaged, and asking again is the thing to do. */
static void a_chunk_that_went_since(void **state) {
    const struct index_port *p = port_of(state), *reader = reader_of(state);
    struct sample changed = two[0];
    struct arena a;
    struct index_candidate *c;
    struct index_passage x;
    size_t n;
    uint64_t total;
    arena_init(&a, 1 << 20);
    put_all(p, two, 2);
    assert_ok(sample_search(reader, "runtim", NULL, 5, &a, &c, &n, &total, err));
    assert_int_equal(n, 1);
    changed.text = "# Capacity\n\nReserved capacity for a runtime.";
    put_all(p, &changed, 1);
    assert_fails(reader->ops->load_passages(reader->self, &c[0].chunk, 1, &a, &x, err), QA_BUSY, "ask again");
    assert_ok(sample_search(reader, "runtim", NULL, 5, &a, &c, &n, &total, err));
    assert_ok(reader->ops->load_passages(reader->self, &c[0].chunk, 1, &a, &x, err));
    assert_non_null(strstr(x.map.plain, "Reserved capacity"));
    arena_free(&a);
}

static void replacing_leaves_nothing_of_the_old(void **state) {
    const struct index_port *p = port_of(state);
    put_all(p, two, 2);
    struct sample changed = two[0];
    changed.text = "# Capacity\n\nReserved capacity instead.";
    put_all(p, &changed, 1);
    assert_string_equal(found(p, "manag runtim wait"), "");
    assert_string_equal(found(p, "capac"), "spot.md@12");
    assert_int_equal(count(p).documents, 2);
    assert_int_equal(count(p).chunks, 3);
}

static void moving(void **state) {
    const struct index_port *p = port_of(state);
    struct arena a;
    struct index_document_record to, onto;
    arena_init(&a, 1 << 20);
    put_all(p, two, 2);
    struct sample moved = two[0], again = two[0];
    moved.path = "archive/preemptible.md";
    again.path = two[1].path;
    assert_true(sample_record(&a, &moved, &to) && sample_record(&a, &again, &onto));
    assert_ok(p->ops->begin(p->self, err));
    assert_ok(p->ops->move_document(p->self, "guide", "spot.md", &to, err));
    assert_fails(p->ops->move_document(p->self, "guide", "spot.md", &to, err), QA_NOT_FOUND, "guide:spot.md");
    assert_fails(p->ops->move_document(p->self, "no such", moved.path, &to, err), QA_NOT_FOUND, "no such:");
    assert_ok(p->ops->commit(p->self, err)); /* what was not found cost nothing else */
    assert_string_equal(found(p, "=preemptible"), "archive/preemptible.md@17 archive/preemptible.md@53");
    assert_string_equal(found(p, "archiv"), "archive/preemptible.md@17 archive/preemptible.md@53"); /* folders name subjects */
    assert_string_equal(listed(p, NULL), "guide:archive/preemptible.md guide:notebooks/life-cycle.md");
    assert_ok(p->ops->begin(p->self, err));
    assert_ok(p->ops->move_document(p->self, "guide", moved.path, &onto, err)); /* where another is: that one goes */
    assert_ok(p->ops->commit(p->self, err));
    assert_string_equal(listed(p, NULL), "guide:notebooks/life-cycle.md");
    assert_string_equal(found(p, "=jupyterlab"), "");
    assert_string_equal(found(p, "wait"), "notebooks/life-cycle.md@53");
    arena_free(&a);
}

static void forgetting(void **state) {
    const struct index_port *p = port_of(state);
    put_all(p, two, 2);
    assert_ok(p->ops->begin(p->self, err));
    assert_ok(p->ops->forget_document(p->self, "guide", "notebooks/life-cycle.md", err));
    assert_ok(p->ops->forget_document(p->self, "guide", "never there", err));
    assert_ok(p->ops->forget_document(p->self, "no such source", "spot.md", err));
    assert_ok(p->ops->commit(p->self, err));
    assert_string_equal(found(p, "money"), "spot.md@17");
    assert_ok(p->ops->begin(p->self, err));
    assert_ok(p->ops->forget_document(p->self, "guide", "spot.md", err)); /* the last */
    assert_ok(p->ops->commit(p->self, err));
    assert_string_equal(found(p, "money"), "");
    assert_int_equal(count(p).documents + count(p).chunks + count(p).bytes, 0);
    put_all(p, two, 2);
    assert_string_equal(found(p, "=jupyterlab"), "notebooks/life-cycle.md@0");
}

static void numbers_are_never_used_again(void **state) {
    const struct index_port *p = port_of(state);
    struct arena a;
    struct index_document d;
    struct index_passage before, after;
    uint64_t *chunks, highest = 0, highest_document = 0;
    size_t n;
    arena_init(&a, 1 << 20);
    for (int round = 0; round < 3; round++) {
        put_all(p, two, 2);
        assert_ok(p->ops->find_document(p->self, NULL, "guide", "spot.md", &a, &d, &chunks, &n, err));
        assert_int_equal(n, 2);
        assert_true(chunks[0] > highest && chunks[1] == chunks[0] + 1 && d.document > highest_document);
        highest = chunks[1];
        highest_document = d.document;
        assert_ok(p->ops->load_passages(p->self, &chunks[1], 1, &a, &after, err));
        if (round) /* but the names of the chunks are the same */
            assert_string_equal(before.chunk, after.chunk);
        before = after;
    }
    assert_ok(p->ops->load_passages(p->self, &chunks[0], 1, &a, &after, err));
    assert_string_not_equal(before.chunk, after.chunk);
    arena_free(&a);
}

/* ---- Transactions ---- */

static void uncommitted_is_gone(void **state) {
    const struct index_port *p = port_of(state);
    struct arena a;
    const char *cause;
    arena_init(&a, 1 << 20);
    put_all(p, two, 1);
    assert_ok(p->ops->begin(p->self, err));
    assert_ok(sample_put(p, &two[1], err));
    assert_ok(p->ops->forget_document(p->self, "guide", "spot.md", err));
    assert_ok(p->ops->note_failure(p->self, "guide", "bad.md", "why", err));
    assert_string_equal(found(p, "money"), "notebooks/life-cycle.md@38"); /* its own writes are seen */
    p->ops->rollback(p->self);
    assert_string_equal(found(p, "money"), "spot.md@17");
    assert_ok(p->ops->find_failure(p->self, "guide", "bad.md", &a, &cause, err));
    assert_null(cause);
    p->ops->rollback(p->self); /* there is none: nothing happens */
    put_all(p, &two[1], 1);
    assert_int_equal(count(p).documents, 2);
    arena_free(&a);
}

static void writing_needs_begin(void **state) {
    const struct index_port *p = port_of(state);
    struct arena a;
    struct index_document_record r;
    arena_init(&a, 1 << 20);
    assert_true(sample_record(&a, &two[0], &r));
    assert_fails(p->ops->put_document(p->self, &r, err), QA_INTERNAL, "outside a transaction");
    assert_fails(p->ops->move_document(p->self, "guide", "spot.md", &r, err), QA_INTERNAL, "outside a transaction");
    assert_fails(p->ops->forget_document(p->self, "guide", "spot.md", err), QA_INTERNAL, "outside a transaction");
    assert_fails(p->ops->set_access(p->self, "guide", "spot.md", true, NULL, 0, err), QA_INTERNAL, "outside a transaction");
    assert_fails(p->ops->note_failure(p->self, "guide", "spot.md", "why", err), QA_INTERNAL, "outside a transaction");
    assert_fails(p->ops->put_source(p->self, &(struct index_source){.source = "guide", .root = "/docs"}, err), QA_INTERNAL,
                 "outside a transaction");
    assert_fails(p->ops->commit(p->self, err), QA_INTERNAL, "outside a transaction");
    assert_ok(p->ops->begin(p->self, err));
    assert_fails(p->ops->begin(p->self, err), QA_INTERNAL, "begin inside a transaction");
    p->ops->rollback(p->self);
    arena_free(&a);
}

/* ---- Who may look where ---- */

static void scopes(void **state) {
    const struct index_port *p = port_of(state);
    const struct sample docs[] = {
        two[0],
        {.source = "api", .path = "spot.md", .text = "Money, money.", .title = "Endpoints", .metadata = "{\"lang\":\"de\"}"},
        {.source = "api", .path = "ops.md", .text = "Money of ops.", .groups = ops_group, .n_groups = 1, .restricted = true, .collection = "docs"},
        {.source = "api", .path = "nobody.md", .text = "Money of nobody.", .restricted = true},
    };
    struct caller owner = {.owner = true}, nobody = {0}, operator = {.groups = ops_group, .n_groups = 1}, dev = {.groups = dev_group, .n_groups = 1};
    const struct {
        const char *what;
        const struct caller *caller;
        const char *filter, *collection, *found, *listed;
    } cases[] = {
        {"no caller is the owner", NULL, NULL, NULL, "nobody.md@0 ops.md@0 spot.md@0 spot.md@17", "api:nobody.md api:ops.md api:spot.md guide:spot.md"},
        {"the owner", &owner, NULL, NULL, "nobody.md@0 ops.md@0 spot.md@0 spot.md@17", "api:nobody.md api:ops.md api:spot.md guide:spot.md"},
        {"a caller of no group", &nobody, NULL, NULL, "spot.md@0 spot.md@17", "api:spot.md guide:spot.md"},
        {"a caller of the group", &operator, NULL, NULL, "ops.md@0 spot.md@0 spot.md@17", "api:ops.md api:spot.md guide:spot.md"},
        {"a caller of another group", &dev, NULL, NULL, "spot.md@0 spot.md@17", "api:spot.md guide:spot.md"},
        {"a collection", NULL, NULL, "docs", "ops.md@0 spot.md@17", "api:ops.md guide:spot.md"},
        {"a collection that is not there", NULL, NULL, "none", "", ""},
        {"a collection and a caller", &nobody, NULL, "docs", "spot.md@17", "guide:spot.md"},
        {"a filter on metadata", NULL, "lang=de", NULL, "spot.md@0", "api:spot.md"},
        {"a filter on the source", NULL, "source=guide", NULL, "spot.md@17", "guide:spot.md"},
        {"a filter cannot widen", &nobody, "path=ops.md or path=spot.md", NULL, "spot.md@0 spot.md@17", "api:spot.md guide:spot.md"},
        {"all three", &operator, "not lang=en", "docs", "ops.md@0", "api:ops.md"},
    };
    put_all(p, docs, 4);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a;
        struct filter *filter = NULL;
        struct index_document d;
        uint64_t *chunks;
        size_t n;
        arena_init(&a, 1 << 20);
        if (cases[i].filter)
            assert_ok(filter_parse(&a, cases[i].filter, &filter, err));
        struct index_scope scope = {.caller = cases[i].caller, .filter = filter, .collection = cases[i].collection};
        if (strcmp(found_in(p, "money", &scope), cases[i].found) != 0)
            fail_msg("%s: found %s", cases[i].what, found_in(p, "money", &scope));
        if (strcmp(listed(p, &scope), cases[i].listed) != 0)
            fail_msg("%s: listed %s", cases[i].what, listed(p, &scope));
        for (size_t k = 0; k < 4; k++) {
            char name[60];
            snprintf(name, sizeof name, "%s:%s", docs[k].source, docs[k].path);
            qa_status status = p->ops->find_document(p->self, &scope, docs[k].source, docs[k].path, &a, &d, &chunks, &n, NULL);
            if (status != (strstr(cases[i].listed, name) ? QA_OK : QA_NOT_FOUND))
                fail_msg("%s: finding %s: %s", cases[i].what, name, qa_status_name(status));
        }
        arena_free(&a);
    }
    assert_int_equal(count(p).restricted, 2);
}

static void access_is_set_without_reading(void **state) {
    const struct index_port *p = port_of(state);
    struct caller operator = {.groups = ops_group, .n_groups = 1};
    struct index_scope scope = {.caller = &operator};
    struct index_known *known;
    struct arena a;
    size_t n;
    arena_init(&a, 1 << 20);
    put_all(p, two, 2);
    assert_ok(p->ops->begin(p->self, err));
    assert_ok(p->ops->set_access(p->self, "guide", "spot.md", true, dev_group, 1, err));
    assert_fails(p->ops->set_access(p->self, "guide", "no.md", true, dev_group, 1, err), QA_NOT_FOUND, "guide:no.md");
    assert_ok(p->ops->commit(p->self, err));
    assert_string_equal(found_in(p, "money", &scope), "notebooks/life-cycle.md@38");
    assert_string_equal(found(p, "money"), "notebooks/life-cycle.md@38 spot.md@17");
    assert_int_equal(count(p).restricted, 1);
    assert_ok(p->ops->known_documents(p->self, "guide", &a, &known, &n, err));
    for (size_t i = 0; i < n; i++) {
        bool set = strcmp(known[i].path, "spot.md") == 0;
        assert_true(known[i].ruled == set);
        assert_int_equal(known[i].settings.lo, set ? 0 : 2); /* of no run: the next one makes it anew */
    }
    assert_ok(p->ops->begin(p->self, err));
    assert_ok(p->ops->set_access(p->self, "guide", "spot.md", false, NULL, 0, err));
    assert_ok(p->ops->commit(p->self, err));
    assert_string_equal(found_in(p, "money", &scope), "notebooks/life-cycle.md@38 spot.md@17");
    arena_free(&a);
}

/* ---- One document, all documents ---- */

static void documents_are_described(void **state) {
    const struct index_port *p = port_of(state);
    const struct sample docs[] = {two[0], {.source = "api", .path = "spot.md", .text = "An endpoint."},
                                  {.source = "zz", .path = "secret.md", .text = "Hidden text.", .groups = ops_group, .n_groups = 1}};
    struct index_document d;
    struct index_scope scope = {.collection = "docs"};
    struct arena a;
    uint64_t *chunks;
    size_t n;
    arena_init(&a, 1 << 20);
    put_all(p, docs, 3);
    assert_fails(p->ops->find_document(p->self, NULL, NULL, "spot.md", &a, &d, &chunks, &n, err), QA_BAD_USAGE, "spot.md is in");
    assert_fails(p->ops->find_document(p->self, NULL, "api", "secret.md", &a, &d, &chunks, &n, err), QA_NOT_FOUND, "secret.md");
    assert_ok(p->ops->find_document(p->self, NULL, NULL, "secret.md", &a, &d, &chunks, &n, err));
    assert_int_equal(d.n_groups, 1);
    assert_string_equal(d.groups[0], "ops");
    assert_false(d.restricted);
    assert_ok(p->ops->find_document(p->self, &scope, NULL, "spot.md", &a, &d, &chunks, &n, err)); /* the other is in no collection */
    assert_string_equal(d.source, "guide");
    assert_string_equal(d.title, "Spot");
    assert_string_equal(d.url, "https://x.test/spot");
    assert_string_equal(d.collection, "docs");
    assert_string_equal(d.metadata, "{\"lang\":\"en\"}");
    assert_int_equal(d.n_groups, 0);
    assert_int_equal(d.bytes, strlen(two[0].text));
    assert_int_equal(d.hash.lo, hash_bytes(two[0].text, strlen(two[0].text)).lo);
    assert_true(d.chunks == 2 && n == 2);
    arena_free(&a);
}

static int stop_at_second(void *user, const struct index_document *d) {
    (void)d;
    return ++*(int *)user == 2;
}
static void a_listing_can_be_stopped(void **state) {
    const struct index_port *p = port_of(state);
    const struct sample docs[] = {two[0], two[1], {.source = "zz", .path = "z.md", .text = "End."}};
    int seen = 0;
    put_all(p, docs, 3);
    assert_ok(p->ops->each_document(p->self, NULL, stop_at_second, &seen, err));
    assert_int_equal(seen, 2);
}

/* ---- What ingest asks ---- */

static void known_documents(void **state) {
    const struct index_port *p = port_of(state);
    struct index_known *known;
    struct arena a;
    size_t n;
    arena_init(&a, 1 << 20);
    put_all(p, two, 2);
    assert_ok(p->ops->known_documents(p->self, "guide", &a, &known, &n, err));
    assert_int_equal(n, 2);
    for (size_t i = 0; i < 2; i++) { /* in any order */
        const struct sample *s = strcmp(known[i].path, two[0].path) == 0 ? &two[0] : &two[1];
        assert_string_equal(known[i].path, s->path);
        assert_int_equal(known[i].hash.lo, hash_bytes(s->text, strlen(s->text)).lo);
        assert_true(known[i].settings.hi == 1 && known[i].settings.lo == 2);
        assert_int_equal(known[i].bytes, strlen(s->text));
        assert_false(known[i].ruled);
    }
    assert_string_not_equal(known[0].path, known[1].path);
    assert_ok(p->ops->known_documents(p->self, "other", &a, &known, &n, err));
    assert_int_equal(n, 0);
    arena_free(&a);
}

static void sources_are_noted(void **state) {
    const struct index_port *p = port_of(state);
    struct index_source *sources, source;
    struct arena a;
    size_t n;
    arena_init(&a, 1 << 20);
    put_all(p, two, 2);
    assert_ok(p->ops->get_source(p->self, "guide", &a, &source, err));
    assert_null(source.root);
    assert_false(source.ruled);
    assert_ok(p->ops->begin(p->self, err));
    assert_ok(p->ops->put_source(p->self, &(struct index_source){.source = "guide", .root = "/before", .ruled = true}, err));
    assert_ok(p->ops->put_source(p->self, &(struct index_source){.source = "guide", .root = "/docs"}, err));
    assert_ok(p->ops->put_source(p->self, &(struct index_source){.source = "api", .root = "jsonl", .ruled = true}, err));
    assert_ok(p->ops->commit(p->self, err));
    assert_ok(p->ops->get_source(p->self, "guide", &a, &source, err));
    assert_string_equal(source.source, "guide");
    assert_string_equal(source.root, "/docs");
    assert_false(source.ruled);
    assert_ok(p->ops->get_source(p->self, "nowhere", &a, &source, err));
    assert_string_equal(source.source, "nowhere");
    assert_null(source.root);
    struct sample more = {.source = "unnoted", .path = "a.md", .text = "Text."};
    put_all(p, &more, 1);
    assert_ok(p->ops->list_sources(p->self, &a, &sources, &n, err));
    assert_int_equal(n, 3);
    assert_string_equal(sources[0].source, "api");
    assert_string_equal(sources[0].root, "jsonl");
    assert_true(sources[0].ruled && !sources[1].ruled && !sources[2].ruled);
    assert_string_equal(sources[2].source, "unnoted");
    assert_null(sources[2].root);
    arena_free(&a);
}

static void everything_is_counted(void **state) {
    const struct index_port *p = port_of(state);
    struct sample more = {.source = "wiki", .path = "a.md", .text = "Text.", .groups = ops_group, .n_groups = 1};
    put_all(p, two, 2);
    put_all(p, &more, 1);
    assert_ok(p->ops->begin(p->self, err));
    assert_ok(p->ops->put_source(p->self, &(struct index_source){.source = "empty", .root = "/docs"}, err));
    assert_ok(p->ops->note_failure(p->self, "guide", "bad.md", "not UTF-8", err));
    assert_ok(p->ops->note_failure(p->self, "guide", "bad.md", "too large", err));
    assert_ok(p->ops->commit(p->self, err));
    struct index_statistics st = count(p);
    assert_int_equal(st.documents, 3);
    assert_int_equal(st.chunks, 5);
    assert_int_equal(st.bytes, strlen(two[0].text) + strlen(two[1].text) + strlen(more.text));
    assert_int_equal(st.sources, 3);
    assert_int_equal(st.failed, 1);
    assert_int_equal(st.restricted, 1);
}

static void failures_are_listed_by_source(void **state) {
    static const struct {
        const char *source, *path, *cause;
    } noted[] = {{"wiki", "both.md", "of wiki"}, {"guide", "z.md", "last"}, {"guide", "both.md", "of guide"}, {"guide", "a.md", "broken"},
                 {"guide", "a.md", "first"}, {"guide", "mended.md", "broken"}, {"guide", "mended.md", NULL}, {"guide", "never.md", NULL}};
    static const struct {
        const char *source, *path, *cause;
    } asked[] = {
        {"wiki", "both.md", "of wiki"}, {NULL, "both.md", "of guide"}, /* of several sources the first by name */
        {NULL, "z.md", "last"}, {"wiki", "z.md", NULL}, {NULL, "fine.md", NULL}, {"guide", "a.md", "first"}, {"guide", "mended.md", NULL},
    };
    const struct index_port *p = port_of(state);
    struct arena a;
    const char **paths, *cause;
    size_t n;
    arena_init(&a, 1 << 20);
    assert_ok(p->ops->begin(p->self, err));
    for (size_t i = 0; i < sizeof noted / sizeof *noted; i++)
        assert_ok(p->ops->note_failure(p->self, noted[i].source, noted[i].path, noted[i].cause, err));
    for (int i = 0; i < 40; i++) { /* more than the first room for a list */
        char path_of[20];
        snprintf(path_of, sizeof path_of, "%02d.md", i);
        assert_ok(p->ops->note_failure(p->self, "many", path_of, "bad", err));
    }
    assert_ok(p->ops->commit(p->self, err));
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        assert_ok(p->ops->find_failure(p->self, asked[i].source, asked[i].path, &a, &cause, err));
        if (cause != asked[i].cause && (!cause || !asked[i].cause || strcmp(cause, asked[i].cause) != 0))
            fail_msg("%s:%s: %s", asked[i].source ? asked[i].source : "any", asked[i].path, cause ? cause : "none");
    }
    assert_ok(p->ops->list_failures(p->self, "guide", &a, &paths, &n, err));
    assert_int_equal(n, 3);
    assert_string_equal(paths[0], "a.md");
    assert_string_equal(paths[1], "both.md");
    assert_string_equal(paths[2], "z.md");
    assert_ok(p->ops->list_failures(p->self, "many", &a, &paths, &n, err));
    assert_int_equal(n, 40);
    assert_string_equal(paths[39], "39.md");
    assert_ok(p->ops->list_failures(p->self, "none", &a, &paths, &n, err));
    assert_int_equal(n, 0);
    arena_free(&a);
}

int main(void) {
#define BOTH(name) {"store: " #name, name, set_up, tear_down, &store}, {"memory: " #name, name, set_up, tear_down, &memory}
    const struct CMUnitTest tests[] = {
        BOTH(what_was_put_is_found), BOTH(terms_are_weighed), BOTH(passages_are_whole), BOTH(a_chunk_that_went_since),
        BOTH(replacing_leaves_nothing_of_the_old), BOTH(moving), BOTH(forgetting), BOTH(numbers_are_never_used_again), BOTH(uncommitted_is_gone), BOTH(writing_needs_begin), BOTH(scopes),
        BOTH(access_is_set_without_reading), BOTH(documents_are_described), BOTH(a_listing_can_be_stopped), BOTH(known_documents),
        BOTH(sources_are_noted), BOTH(everything_is_counted), BOTH(failures_are_listed_by_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
