// What the index promises of vectors, once on the store and once on the fake: found by cosine inside the scope, pending until they
// are put, known by the hash of their text as long as they may be wanted again.
#include "test_store_vectors.h"

enum { D = 40, DOCUMENTS = 120, ROUNDS = 400 }; /* 40 is no multiple of 32 */

static struct {
    char *dir, path[4096];
    struct store_index *store;
    struct fake_index *fake;
    struct index_port port;
    struct arena a;
} t;

static int set_up_store(void **state) {
    (void)state;
    t.dir = sample_folder();
    assert_ok(store_open_index(sample_path(t.path, t.dir, "index.db"), STORE_WRITE, NULL, &t.store, err));
    t.port = store_index_port(t.store);
    arena_init(&t.a, 256 << 20);
    return 0;
}
static int set_up_fake(void **state) {
    (void)state;
    t.fake = fake_index_new();
    assert_non_null(t.fake);
    t.port = fake_index_port(t.fake);
    arena_init(&t.a, 256 << 20);
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    if (t.store) {
        assert_ok(store_check_index(t.store, err));
        store_close_index(t.store);
        sample_remove(t.dir);
    }
    fake_index_free(t.fake);
    arena_free(&t.a);
    memset(&t, 0, sizeof t);
    return 0;
}

#define OPS t.port.ops
#define SELF t.port.self

static const struct sample birds = {.source = "s", .path = "birds.md", .text = "# Birds\n\nHeron.\n\nOtter is none.\n\nCoot."};
static const struct sample maps = {.source = "s", .path = "maps.md", .text = "A river.\n\nA delta.", .title = "Maps"};

static void put_documents(const struct sample *samples, size_t n) {
    assert_ok(OPS->begin(SELF, err));
    for (size_t i = 0; i < n; i++)
        assert_ok(sample_put(&t.port, &samples[i], err));
    assert_ok(OPS->commit(SELF, err));
}

static void use(const char *name, size_t dimensions) {
    assert_ok(OPS->begin(SELF, err));
    assert_ok(OPS->use_space(SELF, name, name, dimensions, err));
    assert_ok(OPS->commit(SELF, err));
}

/* A vector in the plane of the first two dimensions. */
static void direction(float v[D], double angle) {
    memset(v, 0, D * sizeof *v);
    v[0] = (float)cos(angle);
    v[1] = (float)sin(angle);
}

static void put_direction(uint64_t chunk, uint64_t key, double angle) {
    float v[D];
    struct hash128 hash = vector_key(key);
    direction(v, angle);
    assert_ok(OPS->put_vectors(SELF, &chunk, &hash, v, 1, err));
}

static bool is_known(uint64_t key) {
    struct hash128 hash = vector_key(key);
    float v[D];
    bool found = true;
    assert_ok(OPS->known_vectors(SELF, &hash, 1, v, &found, err));
    return found;
}

static struct index_space space(void) {
    struct index_space out;
    assert_ok(OPS->vector_space(SELF, &t.a, &out, err));
    return out;
}

static size_t search(const float *query, const struct index_scope *scope, size_t k, struct index_candidate **out) {
    size_t n;
    assert_ok(OPS->vector_candidates(SELF, query, scope, k, &t.a, out, &n, err));
    return n;
}

static void nothing_before_an_embedder(void **state) {
    (void)state;
    float v[D];
    double score = 0;
    size_t n;
    struct index_candidate *c;
    direction(v, 0);
    put_documents(&birds, 1);
    uint64_t *chunks = vector_chunks(&t.port, &t.a, "s", "birds.md", &n);
    assert_null(space().name);
    assert_int_equal(space().dimensions, 0);
    assert_int_equal(space().vectors, 0);
    assert_int_equal(space().pending, 3);
    assert_int_equal(search(v, NULL, 5, &c), 0);
    assert_ok(OPS->vector_scores(SELF, v, chunks, 1, &score, err));
    assert_true(isnan(score));
    assert_false(is_known(1));
    assert_ok(OPS->begin(SELF, err));
    assert_fails(OPS->put_vectors(SELF, chunks, &(struct hash128){1, 1}, v, 1, err), QA_INTERNAL, "not named");
    assert_fails(OPS->use_space(SELF, "e", "f", 0, err), QA_BAD_INPUT, "0 dimensions");
    assert_fails(OPS->use_space(SELF, "e", "f", 8193, err), QA_BAD_INPUT, "8193 dimensions");
    assert_fails(OPS->use_space(SELF, "e", "", 8, err), QA_BAD_INPUT, "");
    OPS->rollback(SELF);
    assert_fails(OPS->use_space(SELF, "e", "f", D, err), QA_INTERNAL, "transaction");
    assert_fails(OPS->drop_vectors(SELF, err), QA_INTERNAL, "transaction");
    assert_fails(OPS->put_vectors(SELF, chunks, &(struct hash128){1, 1}, v, 1, err), QA_INTERNAL, "transaction");
}

static void found_by_cosine(void **state) {
    (void)state;
    const double angles[] = {.3, 2, .1}; /* the third chunk is nearest, then the first */
    const size_t order[] = {2, 0, 1};
    float query[D];
    struct index_candidate *c;
    struct index_document d;
    uint64_t *chunks;
    size_t n;
    put_documents(&birds, 1);
    use("e", D);
    assert_ok(OPS->find_document(SELF, NULL, "s", "birds.md", &t.a, &d, &chunks, &n, err));
    assert_ok(OPS->begin(SELF, err));
    for (size_t i = 0; i < 3; i++)
        put_direction(chunks[i], i, angles[i]);
    direction(query, 0);
    assert_int_equal(search(query, NULL, 9, &c), 3); /* also what is not committed */
    OPS->rollback(SELF);
    assert_int_equal(search(query, NULL, 9, &c), 0);
    assert_int_equal(space().pending, 3);
    assert_ok(OPS->begin(SELF, err));
    for (size_t i = 0; i < 3; i++)
        put_direction(chunks[i], i, angles[i]);
    assert_int_equal(space().vectors, 3); /* likewise */
    assert_ok(OPS->commit(SELF, err));
    assert_int_equal(space().vectors, 3);
    assert_int_equal(space().pending, 0);
    assert_int_equal(search(query, NULL, 9, &c), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(c[i].chunk, chunks[order[i]]);
        assert_int_equal(c[i].document, d.document);
        assert_float_equal(c[i].score, cos(angles[order[i]]), 1e-3); /* rounded to 16 bits */
    }
    assert_int_equal(search(query, NULL, 2, &c), 2);
    assert_int_equal(c[1].chunk, chunks[0]);
    assert_int_equal(search(query, NULL, 0, &c), 0);
    double scores[3];
    uint64_t ask[] = {chunks[1], 999999, chunks[2]};
    assert_ok(OPS->vector_scores(SELF, query, ask, 3, scores, err));
    assert_float_equal(scores[0], cos(2), 1e-3);
    assert_true(isnan(scores[1]));
    assert_float_equal(scores[2], cos(.1), 1e-3);
    ask[1] = UINT64_MAX; /* as a signed number it would be that of a spare */
    assert_ok(OPS->vector_scores(SELF, query, ask, 3, scores, err));
    assert_true(isnan(scores[1]));
    query[0] = NAN;
    size_t none;
    assert_fails(OPS->vector_candidates(SELF, query, NULL, 3, &t.a, &c, &none, err), QA_BAD_INPUT, "length 1");
    assert_fails(OPS->vector_scores(SELF, query, ask, 3, scores, err), QA_BAD_INPUT, "length 1");
}

static void equals_come_by_chunk_number(void **state) {
    (void)state;
    float query[D];
    struct index_candidate *c;
    size_t n;
    put_documents(&birds, 1);
    use("e", D);
    uint64_t *chunks = vector_chunks(&t.port, &t.a, "s", "birds.md", &n);
    assert_ok(OPS->begin(SELF, err));
    for (size_t i = 3; i-- > 0;)
        put_direction(chunks[i], i, 1);
    put_direction(chunks[1], 7, 1); /* again: replaced, not added */
    assert_ok(OPS->commit(SELF, err));
    assert_int_equal(space().vectors, 3);
    assert_false(is_known(1));
    assert_true(is_known(7));
    direction(query, 1);
    assert_int_equal(search(query, NULL, 2, &c), 2);
    assert_int_equal(c[0].chunk, chunks[0]);
    assert_int_equal(c[1].chunk, chunks[1]);
}

static void what_is_known_changes_no_bit_when_put_again(void **state) {
    (void)state;
    float v[3 * D], first[3 * D], again[3 * D];
    struct hash128 keys[3], other[3];
    bool found[3];
    size_t n;
    put_documents(&birds, 1);
    use("e", D);
    uint64_t *chunks = vector_chunks(&t.port, &t.a, "s", "birds.md", &n);
    for (size_t i = 0; i < 3; i++) {
        vector_random(v + i * D, D);
        keys[i] = vector_key(i);
        other[i] = vector_key(10 + i);
    }
    v[0] = 1e-6f; /* so small that 16 bits have it only as a subnormal */
    assert_ok(OPS->begin(SELF, err));
    assert_ok(OPS->put_vectors(SELF, chunks, keys, v, 3, err));
    assert_ok(OPS->known_vectors(SELF, keys, 3, first, found, err));
    assert_true(found[0] && found[1] && found[2]);
    for (size_t i = 0; i < 3 * D; i++)
        assert_float_equal(first[i], v[i], 5e-4);
    assert_ok(OPS->put_vectors(SELF, chunks, other, first, 3, err));
    assert_ok(OPS->known_vectors(SELF, other, 3, again, found, err));
    assert_memory_equal(again, first, sizeof first);
    assert_false(is_known(0));
    assert_ok(OPS->commit(SELF, err));
}

static void pending_are_told_as_passages_are(void **state) {
    (void)state;
    const struct sample both[] = {birds, maps};
    struct index_pending *list;
    size_t n;
    put_documents(both, 2);
    use("e", D);
    assert_ok(OPS->pending_chunks(SELF, 0, 100, &t.a, &list, &n, err));
    assert_int_equal(n, 5);
    for (size_t i = 0; i < n; i++) {
        struct index_passage p;
        assert_true(i == 0 || list[i].chunk > list[i - 1].chunk);
        assert_ok(OPS->load_passages(SELF, &list[i].chunk, 1, &t.a, &p, err));
        assert_string_equal(list[i].title, p.title);
        assert_int_equal(list[i].n_heading, p.n_heading);
        for (size_t h = 0; h < p.n_heading; h++)
            assert_string_equal(list[i].heading[h], p.heading[h]);
        assert_int_equal(list[i].plain_len, p.map.plain_len);
        assert_memory_equal(list[i].plain, p.map.plain, p.map.plain_len);
    }
    assert_string_equal(list[0].heading[0], "Birds");
    assert_string_equal(list[4].title, "Maps");
    uint64_t second = list[1].chunk, third = list[2].chunk, last = list[4].chunk;
    assert_ok(OPS->begin(SELF, err));
    put_direction(third, 1, 0);
    assert_ok(OPS->pending_chunks(SELF, second, 1, &t.a, &list, &n, err)); /* after the second, without the third */
    assert_int_equal(n, 1);
    assert_int_equal(list[0].chunk, third + 1);
    assert_ok(OPS->commit(SELF, err));
    assert_int_equal(space().pending, 4);
    assert_ok(OPS->pending_chunks(SELF, last, 9, &t.a, &list, &n, err));
    assert_int_equal(n, 0);
    assert_ok(OPS->pending_chunks(SELF, UINT64_MAX, 9, &t.a, &list, &n, err));
    assert_int_equal(n, 0);
    assert_ok(OPS->pending_chunks(SELF, 0, 0, &t.a, &list, &n, err));
    assert_int_equal(n, 0);
}

/* ---- Replaced, moved, forgotten ---- */

/* birds.md with vectors under the keys 0 to 2 and maps.md without. */
static void put_birds_with_vectors(void) {
    const struct sample both[] = {birds, maps};
    size_t n;
    put_documents(both, 2);
    use("e", D);
    uint64_t *chunks = vector_chunks(&t.port, &t.a, "s", "birds.md", &n);
    assert_ok(OPS->begin(SELF, err));
    for (size_t i = 0; i < 3; i++)
        put_direction(chunks[i], i, (double)i);
    assert_ok(OPS->commit(SELF, err));
}

static uint64_t count_pending(const struct index_scope *scope) {
    uint64_t n = 99;
    assert_ok(OPS->count_pending(SELF, scope, &n, err));
    return n;
}

/* What a caller is told of them counts nothing that the caller may not see. */
static void pending_are_counted_in_scope(void **state) {
    (void)state;
    static const char *const finance[] = {"finance"};
    const struct sample hidden = {.source = "s", .path = "secret.md", .text = "A vault.\n\nA key.\n\nA door.\n\nA lock.", .groups = finance, .n_groups = 1,
                                  .restricted = true};
    const struct caller outsider = {.signed_in = true}, insider = {.signed_in = true, .groups = finance, .n_groups = 1}, owner = {.owner = true};
    const struct index_scope out = {.caller = &outsider}, in = {.caller = &insider}, all = {.caller = &owner}, other = {.collection = "none"};
    size_t n;
    assert_int_equal(count_pending(NULL), 0);
    put_documents((const struct sample[]){birds, maps, hidden}, 3);
    use("e", D);
    uint64_t *chunks = vector_chunks(&t.port, &t.a, "s", "secret.md", &n);
    assert_int_equal(n, 4);
    assert_int_equal(count_pending(NULL), 9);
    assert_int_equal(count_pending(&all), 9);
    assert_int_equal(count_pending(&in), 9);
    assert_int_equal(count_pending(&out), 5);
    assert_int_equal(count_pending(&other), 0);
    assert_ok(OPS->begin(SELF, err));
    put_direction(chunks[1], 1, 0);
    assert_ok(OPS->commit(SELF, err));
    assert_int_equal(count_pending(&in), 8);
    assert_int_equal(count_pending(&out), 5);
    assert_int_equal(space().pending, 8);
}

static void replaced_is_known_until_nothing_is_pending(void **state) {
    (void)state;
    struct sample changed = birds;
    struct index_candidate *c;
    float query[D], v[D];
    size_t n;
    bool found;
    changed.text = "# Birds\n\nHeron.";
    put_birds_with_vectors();
    put_documents(&changed, 1);
    assert_int_equal(space().vectors, 0);
    assert_int_equal(space().pending, 3);
    direction(query, 2);
    assert_int_equal(search(query, NULL, 9, &c), 0);
    for (uint64_t key = 0; key < 3; key++)
        assert_true(is_known(key));
    assert_ok(OPS->known_vectors(SELF, &(struct hash128){vector_key(2).hi, vector_key(2).lo}, 1, v, &found, err));
    assert_float_equal(vector_cosine(v, query, D), 1, 1e-6);

    uint64_t *chunks = vector_chunks(&t.port, &t.a, "s", "birds.md", &n);
    assert_int_equal(n, 1);
    assert_ok(OPS->begin(SELF, err));
    put_direction(chunks[0], 0, 0);
    assert_ok(OPS->commit(SELF, err));
    assert_true(is_known(1)); /* maps.md is still pending */
    chunks = vector_chunks(&t.port, &t.a, "s", "maps.md", &n);
    assert_ok(OPS->begin(SELF, err));
    put_direction(chunks[0], 20, 0);
    put_direction(chunks[1], 21, 0);
    assert_true(is_known(1));
    assert_ok(OPS->commit(SELF, err));
    assert_true(is_known(0) && is_known(20) && is_known(21));
    assert_false(is_known(1));
    assert_false(is_known(2));
    assert_int_equal(space().vectors, 3);
    assert_int_equal(space().pending, 0);
}

static void moved_is_known(void **state) {
    (void)state;
    struct sample moved = birds;
    struct index_document_record to;
    put_birds_with_vectors();
    moved.path = "feathers.md";
    assert_true(sample_record(&t.a, &moved, &to));
    assert_ok(OPS->begin(SELF, err));
    assert_ok(OPS->move_document(SELF, "s", "birds.md", &to, err));
    assert_ok(OPS->commit(SELF, err));
    assert_int_equal(space().vectors, 0);
    assert_int_equal(space().pending, 5);
    assert_true(is_known(0) && is_known(1) && is_known(2));
}

static void forgotten_is_not_known(void **state) {
    (void)state;
    put_birds_with_vectors();
    assert_ok(OPS->begin(SELF, err));
    assert_ok(OPS->forget_document(SELF, "s", "birds.md", err));
    assert_ok(OPS->commit(SELF, err));
    assert_int_equal(space().vectors, 0);
    assert_int_equal(space().pending, 2);
    assert_false(is_known(0) || is_known(1) || is_known(2));
}

static void the_last_pending_may_also_be_forgotten(void **state) {
    (void)state;
    struct sample changed = birds;
    changed.text = "";
    put_birds_with_vectors();
    put_documents(&changed, 1);
    assert_true(is_known(1));
    assert_ok(OPS->begin(SELF, err));
    assert_ok(OPS->forget_document(SELF, "s", "maps.md", err));
    assert_ok(OPS->commit(SELF, err));
    assert_int_equal(space().pending, 0);
    assert_false(is_known(1));
}

static void a_rollback_brings_everything_back(void **state) {
    (void)state;
    struct index_candidate *c;
    float query[D];
    put_birds_with_vectors();
    direction(query, 1);
    for (int way = 0; way < 3; way++) {
        assert_ok(OPS->begin(SELF, err));
        if (way == 0)
            assert_ok(OPS->forget_document(SELF, "s", "birds.md", err));
        if (way == 1)
            assert_ok(sample_put(&t.port, &birds, err));
        if (way == 2)
            assert_ok(OPS->drop_vectors(SELF, err));
        assert_int_equal(search(query, NULL, 9, &c), 0);
        OPS->rollback(SELF);
        assert_int_equal(space().vectors, 3);
        assert_int_equal(space().dimensions, D);
        assert_int_equal(search(query, NULL, 9, &c), 3);
        assert_true(is_known(0) && is_known(1) && is_known(2));
    }
}

/* ---- Refusals ---- */

static void another_embedder_is_refused(void **state) {
    (void)state;
    put_birds_with_vectors();
    assert_ok(OPS->begin(SELF, err));
    assert_ok(OPS->use_space(SELF, "e", "e", D, err));
    assert_ok(OPS->use_space(SELF, "e by another name", "e", D, err));
    assert_fails(OPS->use_space(SELF, "e by another name", "f", D, err), QA_BAD_CONFIG, "e by another name");
    assert_fails(OPS->use_space(SELF, "g", "g", 8, err), QA_BAD_CONFIG, "quaere index reembed");
    assert_fails(OPS->use_space(SELF, "g", "e", 8, err), QA_BAD_CONFIG, "(8 dimensions");
    assert_ok(OPS->commit(SELF, err)); /* a refusal costs nothing else */
    assert_string_equal(space().name, "e by another name");
    assert_string_equal(space().fingerprint, "e");
    assert_int_equal(space().vectors, 3);

    assert_ok(OPS->begin(SELF, err));
    assert_ok(OPS->drop_vectors(SELF, err));
    assert_null(space().name);
    assert_int_equal(space().pending, 5);
    assert_ok(OPS->use_space(SELF, "g", "g", 8, err));
    assert_int_equal(vector_put_pending(&t.port, 8, 100), 5);
    assert_ok(OPS->commit(SELF, err));
    assert_string_equal(space().name, "g");
    assert_int_equal(space().dimensions, 8);
    assert_int_equal(space().vectors, 5);
    assert_false(is_known(0));
}

/* No chunk has a vector of the first embedder any more, so nothing forbids the second; its spares are of no use then. */
static void another_embedder_when_only_spares_are_left(void **state) {
    (void)state;
    put_birds_with_vectors();
    put_documents(&birds, 1);
    assert_true(is_known(1));
    use("g", 8);
    assert_false(is_known(1));
    assert_int_equal(space().dimensions, 8);
}

static void broken_vectors_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *what;
        float first, second;
    } cases[] = {
        {"zero", 0, 0}, {"not a number", NAN, .6f}, {"infinite", INFINITY, 0}, {"too long", 1.02f, 0}, {"too short", .98f, 0},
        {"more than 16 bits hold", 1e30f, 0}, {"the negative of that", -1e30f, 0}, {"a little not-a-number", 1, NAN},
    };
    float v[2 * D];
    struct hash128 keys[] = {vector_key(1), vector_key(2)};
    size_t n;
    put_documents(&birds, 1);
    use("e", D);
    uint64_t *chunks = vector_chunks(&t.port, &t.a, "s", "birds.md", &n);
    char want[60];
    snprintf(want, sizeof want, "chunk %llu ", (unsigned long long)chunks[1]);
    assert_ok(OPS->begin(SELF, err));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        qa_error err = {0};
        direction(v, 0);
        direction(v + D, 0);
        v[D] = cases[i].first, v[D + 1] = cases[i].second;
        if (OPS->put_vectors(SELF, chunks, keys, v, 2, &err) != QA_BAD_INPUT || !strstr(err.message, want))
            fail_msg("%s: %s", cases[i].what, err.message);
        assert_false(is_known(1)); /* nor is the good one before it there */
    }
    direction(v + D, 0);
    uint64_t gone[] = {chunks[0], 999};
    assert_fails(OPS->put_vectors(SELF, gone, keys, v, 2, err), QA_BAD_INPUT, "chunk 999");
    v[0] = 1.009f; /* as much as is taken */
    v[D] = .991f;
    assert_ok(OPS->put_vectors(SELF, chunks, keys, v, 2, err));
    assert_ok(OPS->commit(SELF, err));
    assert_int_equal(space().vectors, 2);
}

/* ---- Scopes against brute force ---- */

static const char *const group_names[] = {"ops", "dev", "hr"};
static const char *const filters[] = {"lang=en", "path^=docs/", "not lang=de", "version>=2", "lang=en and path^=docs/", "missing=1",
                                      "version<3 or source=repo"};

static struct document {
    char path[40], metadata[80], text[200];
    const char *groups[3];
    struct sample sample;
} documents[DOCUMENTS];

static void make_document(size_t i) {
    struct document *d = &documents[i];
    memset(d, 0, sizeof *d);
    snprintf(d->path, sizeof d->path, "%s/d%zu.md", vector_pick(2) ? "docs" : "api", i);
    snprintf(d->metadata, sizeof d->metadata, "{\"lang\":\"%s\",\"version\":%u}", vector_pick(2) ? "en" : "de", vector_pick(5));
    for (unsigned n = vector_pick(7); n > 0; n--) /* some have no chunk at all */
        sprintf(strchr(d->text, '\0'), "Text %u.\n\n", n);
    d->sample = (struct sample){.source = vector_pick(3) ? "wiki" : "repo", .path = d->path, .text = d->text, .metadata = d->metadata,
                                .collection = vector_pick(2) ? "birds" : NULL, .groups = d->groups};
    for (unsigned n = vector_pick(3) ? 0 : vector_pick(4); n > 0; n--)
        d->groups[d->sample.n_groups++] = group_names[vector_pick(3)];
    d->sample.restricted = d->sample.n_groups ? vector_pick(2) : !vector_pick(8);
}

static bool allowed(const struct index_scope *scope, const struct sample *d) {
    json_t *metadata = NULL;
    assert_ok(json_parse(d->metadata, strlen(d->metadata), &metadata, err));
    struct filter_subject subject = {d->path, d->source, d->title ? d->title : "Title", d->url, d->collection, metadata};
    bool yes = filter_matches(scope->filter, &subject) &&
               (!scope->caller || caller_may_see(scope->caller, d->restricted, d->groups, d->n_groups)) &&
               (!scope->collection || (d->collection && strcmp(d->collection, scope->collection) == 0));
    json_decref(metadata);
    return yes;
}

/* The chunks that have vectors, by number, and whose they are. */
static struct reference {
    uint64_t chunk, key;
    size_t document;
    float v[D];
    double score;
} all[DOCUMENTS * 7];
static size_t n_all;

static int by_score(const void *pa, const void *pb) {
    const struct reference *a = *(const struct reference *const *)pa, *b = *(const struct reference *const *)pb;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return a->chunk < b->chunk ? -1 : a->chunk > b->chunk;
}

static void put_everything(void) {
    assert_ok(OPS->begin(SELF, err));
    for (size_t i = 0; i < DOCUMENTS; i++) {
        make_document(i);
        assert_ok(sample_put(&t.port, &documents[i].sample, err));
    }
    assert_ok(OPS->use_space(SELF, "e", "f", D, err));
    for (int half = 0; half < 2; half++) { /* the second time some documents are replaced, and so have other numbers */
        n_all = 0;
        for (size_t i = 0; i < DOCUMENTS; i++) {
            size_t n;
            if (half && i % 4 == 0)
                assert_ok(sample_put(&t.port, &documents[i].sample, err));
            uint64_t *chunks = vector_chunks(&t.port, &t.a, documents[i].sample.source, documents[i].path, &n);
            for (size_t c = 0; c < n; c++) {
                struct reference *r = &all[n_all];
                if (!vector_pick(8))
                    continue; /* one in eight stays pending, unless it had a vector already */
                *r = (struct reference){.chunk = chunks[c], .document = i, .key = n_all++};
                vector_random(r->v, D);
                struct hash128 key = vector_key(r->key);
                bool found;
                if (!vector_pick(30) && n_all > 1)
                    memcpy(r->v, all[n_all - 2].v, sizeof r->v); /* twins */
                assert_ok(OPS->put_vectors(SELF, &r->chunk, &key, r->v, 1, err));
                assert_ok(OPS->known_vectors(SELF, &key, 1, r->v, &found, err)); /* as it was rounded */
                assert_true(found);
            }
        }
        if (half == 0) {
            assert_ok(OPS->drop_vectors(SELF, err));
            assert_ok(OPS->use_space(SELF, "e", "f", D, err));
        }
    }
    assert_ok(OPS->commit(SELF, err));
    assert_int_equal(space().vectors, n_all);
}

static void scopes_agree_with_brute_force(void **state) {
    (void)state;
    static struct reference *want[DOCUMENTS * 7];
    size_t hidden = 0, shown = 0;
    vector_seed = 20260131;
    put_everything();
    for (int round = 0; round < ROUNDS; round++) {
        struct arena a;
        struct caller caller = {0};
        const char *groups[3];
        struct index_scope scope = {0};
        struct index_candidate *got;
        size_t n_want = 0, n, k = 1 + vector_pick(40);
        float query[D];
        arena_init(&a, 16 << 20);
        vector_random(query, D);
        if (vector_pick(4)) {
            caller.owner = !vector_pick(6);
            caller.signed_in = vector_pick(2);
            for (unsigned g = vector_pick(4); g > 0; g--)
                groups[caller.n_groups++] = group_names[vector_pick(3)];
            caller.groups = groups;
            scope.caller = &caller;
        }
        if (vector_pick(3))
            assert_ok(filter_parse(&a, filters[vector_pick(7)], (struct filter **)&scope.filter, err));
        if (!vector_pick(4))
            scope.collection = vector_pick(5) ? "birds" : "none";
        for (size_t i = 0; i < n_all; i++) {
            all[i].score = vector_cosine(query, all[i].v, D);
            if (allowed(&scope, &documents[all[i].document].sample))
                want[n_want++] = &all[i];
        }
        hidden += n_all - n_want;
        qsort(want, n_want, sizeof *want, by_score);
        assert_ok(OPS->vector_candidates(SELF, query, &scope, k, &a, &got, &n, err));
        assert_int_equal(n, n_want < k ? n_want : k);
        for (size_t i = 0; i < n; i++)
            if (got[i].chunk != want[i]->chunk || fabs(got[i].score - want[i]->score) > 1e-9)
                fail_msg("round %d: candidate %zu is %llu (%.9f), not %llu (%.9f)", round, i, (unsigned long long)got[i].chunk, got[i].score,
                         (unsigned long long)want[i]->chunk, want[i]->score);
        uint64_t some[40];
        double scores[40];
        for (size_t i = 0; i < n; i++)
            some[i] = want[n - 1 - i]->chunk;
        assert_ok(OPS->vector_scores(SELF, query, some, n, scores, err));
        for (size_t i = 0; i < n; i++)
            assert_true(scores[i] == got[n - 1 - i].score);
        shown += n;
        arena_free(&a);
    }
    assert_true(hidden > 1000 && shown > 1000); /* both ways were taken */
}

int main(void) {
#define CASE(name)                                                                                                                     \
    {"store: " #name, name, set_up_store, tear_down, NULL}, { "fake: " #name, name, set_up_fake, tear_down, NULL }
    const struct CMUnitTest tests[] = {
        CASE(nothing_before_an_embedder), CASE(found_by_cosine), CASE(equals_come_by_chunk_number),
        CASE(what_is_known_changes_no_bit_when_put_again), CASE(pending_are_told_as_passages_are),
        CASE(pending_are_counted_in_scope),
        CASE(replaced_is_known_until_nothing_is_pending), CASE(moved_is_known), CASE(forgotten_is_not_known),
        CASE(the_last_pending_may_also_be_forgotten), CASE(a_rollback_brings_everything_back), CASE(another_embedder_is_refused),
        CASE(another_embedder_when_only_spares_are_left), CASE(broken_vectors_are_refused), CASE(scopes_agree_with_brute_force),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
