// Vectors in the file: blocks that come and go, bytes that do not depend on how they came, upgrades, damage and its messages; and the
// numbers below, halves and dot products.
#include "test_store_vectors.h"
#include "store/store_index.h"
#include "store/store_schema.h"
#include "store/store_vfs.h"

enum { D = 40, DOCUMENTS = 40, PARTS = 64 }; /* 2560 chunks: blocks 0, 1 and 2 */

static char *dir, path[4096];
static char long_text[PARTS * 30];

static int set_up(void **state) {
    (void)state;
    dir = sample_folder();
    sample_path(path, dir, "index.db");
    long_text[0] = '\0';
    for (int i = 0; i < PARTS; i++)
        sprintf(strchr(long_text, '\0'), "Heron %d is here.\n\n", i);
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
    if (mode == STORE_WRITE)
        sqlite3_exec(s->file.db, "PRAGMA synchronous = OFF", NULL, NULL, NULL); /* only the time of the test */
    return s;
}

static void put_long(const struct index_port *p, int i) {
    char name[20];
    struct sample d = {.source = "s", .path = name, .text = long_text};
    snprintf(name, sizeof name, "d%02d.md", i);
    assert_ok(sample_put(p, &d, err));
}

static void make_index(bool vectors) {
    struct store_index *s = open_index(STORE_WRITE);
    struct index_port p = store_index_port(s);
    assert_ok(p.ops->begin(p.self, err));
    for (int i = 0; i < DOCUMENTS; i++)
        put_long(&p, i);
    assert_ok(p.ops->use_space(p.self, "e", "f", D, err));
    vector_seed = 4711;
    if (vectors)
        assert_int_equal(vector_put_pending(&p, D, 100000), DOCUMENTS * PARTS);
    assert_ok(p.ops->commit(p.self, err));
    store_close_index(s);
}

static int64_t number(struct store_index *s, const char *sql) {
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_prepare_v2(s->file.db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return n;
}

/* Before it searches, a handle asks what there is. */
static void ask(const struct index_port *p) {
    struct arena a;
    struct index_space space;
    arena_init(&a, 1 << 20);
    assert_ok(p->ops->vector_space(p->self, &a, &space, err));
    arena_free(&a);
}

static size_t best(const struct index_port *p, const float *query, struct index_candidate out[10]) {
    struct arena a;
    struct index_candidate *c;
    size_t n;
    arena_init(&a, 16 << 20);
    ask(p);
    assert_ok(p->ops->vector_candidates(p->self, query, NULL, 10, &a, &c, &n, err));
    memcpy(out, c, n * sizeof *c);
    arena_free(&a);
    return n;
}

/* ---- Blocks ---- */

static void empty_blocks_go(void **state) {
    (void)state;
    char name[20];
    make_index(true);
    struct store_index *s = open_index(STORE_WRITE);
    struct index_port p = store_index_port(s);
    assert_int_equal(number(s, "SELECT count(*) FROM vector_blocks"), 3);
    assert_ok(p.ops->begin(p.self, err));
    for (int i = 0; i < 16; i++) { /* block 0, and the first of block 1 (chunk numbers begin with 1) */
        snprintf(name, sizeof name, "d%02d.md", i);
        assert_ok(p.ops->forget_document(p.self, "s", name, err));
    }
    assert_ok(p.ops->commit(p.self, err));
    assert_int_equal(number(s, "SELECT count(*) FROM vector_blocks"), 2);
    assert_int_equal(number(s, "SELECT min(block) FROM vector_blocks"), 1);
    assert_int_equal(number(s, "SELECT count(*) FROM vectors"), 24 * PARTS);
    assert_int_equal(number(s, "SELECT length(codes) FROM vector_blocks WHERE block = 1"), 1023 * (64 + 4));
    assert_ok(store_check_index(s, err));
    assert_ok(p.ops->begin(p.self, err));
    assert_ok(p.ops->drop_vectors(p.self, err));
    assert_ok(p.ops->commit(p.self, err));
    assert_int_equal(number(s, "SELECT (SELECT count(*) FROM vectors) + (SELECT count(*) FROM vector_blocks)"), 0);
    assert_ok(store_check_index(s, err));
    store_close_index(s);
}

/* Everything that the two tables hold. */
static struct hash128 contents(struct store_index *s) {
    struct hash128 h = {0};
    static const char *const sql[] = {"SELECT chunk, key, sum, halves FROM vectors ORDER BY 1",
                                      "SELECT block, valid, sum, codes FROM vector_blocks ORDER BY 1"};
    for (int i = 0; i < 2; i++) {
        sqlite3_stmt *st = NULL;
        assert_int_equal(sqlite3_prepare_v2(s->file.db, sql[i], -1, &st, NULL), SQLITE_OK);
        while (sqlite3_step(st) == SQLITE_ROW) {
            const char *parts[5] = {(const char *)&h};
            size_t lens[5] = {sizeof h};
            for (int c = 0; c < 4; c++) {
                parts[c + 1] = (const char *)sqlite3_column_blob(st, c);
                lens[c + 1] = (size_t)sqlite3_column_bytes(st, c);
            }
            h = hash_parts(parts, lens, 5);
        }
        sqlite3_finalize(st);
    }
    return h;
}

/* In one batch; one by one from the end; in commits of a hundred, each chunk first with another vector; out of known_vectors. */
static void the_bytes_do_not_tell_how_they_came(void **state) {
    (void)state;
    struct hash128 first = {0}, now;
    for (int way = 0; way < 4; way++) {
        enum { N = DOCUMENTS * PARTS };
        static float v[N][D], rounded[N][D], other[D];
        static uint64_t chunks[N];
        static struct hash128 keys[N];
        static bool found[N];
        unlink(path);
        make_index(false);
        struct store_index *s = open_index(STORE_WRITE);
        struct index_port p = store_index_port(s);
        vector_seed = 99;
        for (size_t i = 0; i < N; i++) {
            chunks[i] = i + 1;
            keys[i] = vector_key(i);
            vector_random(v[i], D);
        }
        vector_random(other, D);
        assert_ok(p.ops->begin(p.self, err));
        if (way == 0 || way == 3)
            assert_ok(p.ops->put_vectors(p.self, chunks, keys, v[0], N, err));
        for (size_t i = N; way == 1 && i-- > 0;)
            assert_ok(p.ops->put_vectors(p.self, &chunks[i], &keys[i], v[i], 1, err));
        for (size_t i = 0; way == 2 && i < N; i++) {
            assert_ok(p.ops->put_vectors(p.self, &chunks[i], &keys[N - 1], other, 1, err));
            assert_ok(p.ops->put_vectors(p.self, &chunks[i], &keys[i], v[i], 1, err));
            if (i % 100 == 99) {
                assert_ok(p.ops->commit(p.self, err));
                assert_ok(p.ops->begin(p.self, err));
            }
        }
        if (way == 3) {
            ask(&p);
            assert_ok(p.ops->known_vectors(p.self, keys, N, rounded[0], found, err));
            assert_memory_not_equal(rounded, v, sizeof v);
            assert_ok(p.ops->drop_vectors(p.self, err));
            assert_ok(p.ops->use_space(p.self, "e", "f", D, err));
            assert_ok(p.ops->put_vectors(p.self, chunks, keys, rounded[0], N, err));
        }
        assert_ok(p.ops->commit(p.self, err));
        now = contents(s);
        if (way == 0)
            first = now;
        if (hash_compare(now, first) != 0)
            fail_msg("way %d: other bytes", way);
        store_close_index(s);
    }
}

/* A reader keeps the codes of blocks that did not change, and sees those that did. */
static void only_changed_blocks_are_read_again(void **state) {
    (void)state;
    struct index_candidate c[10];
    float query[D], v[D];
    make_index(true);
    struct store_index *reader = open_index(STORE_READ), *writer = open_index(STORE_WRITE);
    struct index_port r = store_index_port(reader), w = store_index_port(writer);
    vector_random(query, D);
    assert_int_equal(best(&r, query, c), 10);
    uint8_t mark[3];
    for (int i = 0; i < 3; i++)
        mark[i] = reader->vectors.blocks[i].codes[5] ^= 1; /* what is read again loses it */
    assert_true(c[0].score < .95);
    uint64_t chunk = 1500;
    struct hash128 key = vector_key(1);
    memcpy(v, query, sizeof v);
    assert_ok(w.ops->begin(w.self, err));
    assert_ok(w.ops->put_vectors(w.self, &chunk, &key, v, 1, err));
    assert_int_equal(best(&w, query, c), 10);
    assert_int_equal(c[0].chunk, 1500); /* the writer sees its own */
    best(&r, query, c);
    assert_int_not_equal(c[0].chunk, 1500); /* nobody else does */
    assert_ok(w.ops->commit(w.self, err));
    best(&r, query, c);
    assert_int_equal(c[0].chunk, 1500);
    assert_float_equal(c[0].score, 1, 1e-5);
    for (int i = 0; i < 3; i++)
        assert_int_equal(reader->vectors.blocks[i].codes[5], i == 1 ? mark[i] ^ 1 : mark[i]);
    store_close_index(writer);
    store_close_index(reader);
}

static void blocks_out_of_scope_are_not_read(void **state) {
    (void)state;
    struct arena a;
    struct index_candidate *c;
    size_t n;
    float query[D];
    make_index(true);
    struct store_index *s = open_index(STORE_READ);
    struct index_port p = store_index_port(s);
    struct index_scope scope = {0};
    arena_init(&a, 16 << 20);
    vector_random(query, D);
    ask(&p);
    assert_ok(filter_parse(&a, "path=d20.md", (struct filter **)&scope.filter, err));
    assert_ok(p.ops->vector_candidates(p.self, query, &scope, 100, &a, &c, &n, err));
    assert_int_equal(n, PARTS);
    for (size_t i = 0; i < n; i++)
        assert_true(c[i].chunk > 20 * PARTS && c[i].chunk <= 21 * PARTS);
    assert_null(s->vectors.blocks[0].codes);
    assert_non_null(s->vectors.blocks[1].codes);
    assert_null(s->vectors.blocks[2].codes);
    arena_free(&a);
    store_close_index(s);
}

/* Another process makes all vectors anew with an embedder of more dimensions, between a caller's question what there is and its search. */
static void a_query_of_the_dimensions_before_is_refused(void **state) {
    (void)state;
    struct arena a;
    struct index_candidate *c;
    size_t n;
    double score;
    float *query = malloc(D * sizeof *query), *wide = malloc(2 * D * sizeof *wide); /* so that ASan sees what is read behind */
    assert_true(query && wide);
    make_index(true);
    struct store_index *reader = open_index(STORE_READ), *writer = open_index(STORE_WRITE);
    struct index_port r = store_index_port(reader), w = store_index_port(writer);
    arena_init(&a, 16 << 20);
    vector_random(query, D);
    vector_random(wide, 2 * D);
    assert_fails(r.ops->vector_candidates(r.self, query, NULL, 3, &a, &c, &n, err), QA_INTERNAL, "nobody asked");
    ask(&r);
    assert_ok(w.ops->begin(w.self, err));
    assert_ok(w.ops->drop_vectors(w.self, err));
    assert_ok(w.ops->use_space(w.self, "wide", "wide", 2 * D, err));
    assert_int_equal(vector_put_pending(&w, 2 * D, 100), 100);
    assert_ok(w.ops->vector_candidates(w.self, wide, NULL, 3, &a, &c, &n, err)); /* use_space has told the writer */
    assert_ok(r.ops->vector_candidates(r.self, query, NULL, 3, &a, &c, &n, err));
    assert_ok(w.ops->commit(w.self, err));
    assert_fails(r.ops->vector_candidates(r.self, query, NULL, 3, &a, &c, &n, err), QA_BUSY, "80 dimensions");
    assert_fails(r.ops->vector_scores(r.self, query, (uint64_t[]){1}, 1, &score, err), QA_BUSY, "80 dimensions");
    ask(&r);
    assert_ok(r.ops->vector_candidates(r.self, wide, NULL, 3, &a, &c, &n, err));
    assert_int_equal(n, 3);
    arena_free(&a);
    free(query);
    free(wide);
    store_close_index(writer);
    store_close_index(reader);
}

static void a_search_can_be_cancelled(void **state) {
    (void)state;
    static atomic_int cancel;
    struct arena a;
    struct index_candidate *c;
    struct store_index *s = NULL;
    size_t n;
    float query[D];
    make_index(true);
    vector_random(query, D);
    arena_init(&a, 16 << 20);
    assert_ok(store_open_index(path, STORE_READ, &cancel, &s, err));
    struct index_port p = store_index_port(s);
    ask(&p);
    assert_ok(p.ops->vector_candidates(p.self, query, NULL, 5, &a, &c, &n, err)); /* everything is loaded */
    atomic_store(&cancel, 1);
    assert_fails(p.ops->vector_candidates(p.self, query, NULL, 5, &a, &c, &n, err), QA_CANCELLED, "stopped");
    atomic_store(&cancel, 0);
    assert_ok(p.ops->vector_candidates(p.self, query, NULL, 5, &a, &c, &n, err));
    arena_free(&a);
    store_close_index(s);
}

/* The 200 best by codes hold the 10 best by halves, with vectors so alike that codes often mix them up. */
static void codes_choose_enough(void **state) {
    (void)state;
    enum { N = DOCUMENTS * PARTS };
    static float v[N][D];
    struct index_candidate c[10];
    float centre[D], query[D];
    make_index(false);
    struct store_index *s = open_index(STORE_WRITE);
    struct index_port p = store_index_port(s);
    vector_seed = 5;
    vector_random(centre, D);
    ask(&p);
    assert_ok(p.ops->begin(p.self, err));
    for (uint64_t chunk = 1; chunk <= N; chunk++) {
        struct hash128 key = vector_key(chunk);
        bool found;
        float *x = v[chunk - 1];
        double length = 0;
        vector_random(x, D);
        for (size_t i = 0; i < D; i++) {
            x[i] = centre[i] + .1f * x[i];
            length += (double)x[i] * x[i];
        }
        for (size_t i = 0; i < D; i++)
            x[i] = (float)(x[i] / sqrt(length));
        assert_ok(p.ops->put_vectors(p.self, &chunk, &key, x, 1, err));
        assert_ok(p.ops->known_vectors(p.self, &key, 1, x, &found, err));
    }
    for (int round = 0; round < 50; round++) {
        vector_random(query, D);
        assert_int_equal(best(&p, query, c), 10);
        for (uint64_t chunk = 1; chunk <= N; chunk++) {
            double score = vector_cosine(query, v[chunk - 1], D);
            bool among = false;
            for (size_t i = 0; i < 10; i++)
                among = among || c[i].chunk == chunk;
            if (!among && score > c[9].score + 1e-9)
                fail_msg("round %d: chunk %llu with %.6f is missing, %.6f is there", round, (unsigned long long)chunk, score, c[9].score);
        }
    }
    store_close_index(s);
}

/* ---- Upgrade ---- */

static void run_sql(struct store_index *s, const char *sql) {
    char *said = NULL;
    sqlite3_db_config(s->file.db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    if (sqlite3_exec(s->file.db, sql, NULL, NULL, &said) != SQLITE_OK)
        fail_msg("%s: %s", sql, said);
}

/* What the third step added is taken away again; opening it as version 2 shows that nothing else was left. */
static void an_index_of_version_2_is_upgraded(void **state) {
    (void)state;
    struct store_kind first = store_index_kind;
    struct store_file f;
    struct store_index *s = open_index(STORE_WRITE);
    struct index_port p = store_index_port(s);
    struct sample docs[] = {{.source = "s", .path = "a.md", .text = "A heron.\n\nAn otter."}, {.source = "s", .path = "b.md", .text = "One."}};
    assert_ok(p.ops->begin(p.self, err));
    for (int i = 0; i < 2; i++)
        assert_ok(sample_put(&p, &docs[i], err));
    assert_ok(p.ops->commit(p.self, err));
    run_sql(s, "DROP TABLE vectors; DROP TABLE vector_blocks; DELETE FROM meta WHERE key IN ('chunks', 'vectors'); PRAGMA user_version = 2");
    store_close_index(s);
    first.n_steps = 2;
    first.n_objects -= 3;
    first.prepare = NULL;
    assert_ok(store_open_file(&f, &first, path, STORE_READ, NULL, NULL, err));
    store_close_file(&f);
    s = NULL;
    assert_fails(store_open_index(path, STORE_READ, NULL, &s, err), QA_BAD_VERSION, "format 2 and this quaere reads format 3");

    s = open_index(STORE_WRITE);
    p = store_index_port(s);
    struct arena a;
    struct index_space space;
    arena_init(&a, 1 << 20);
    assert_ok(store_check_index(s, err));
    assert_ok(p.ops->vector_space(p.self, &a, &space, err));
    assert_int_equal(space.pending, 3);
    assert_int_equal(space.dimensions, 0);
    assert_ok(p.ops->begin(p.self, err));
    assert_ok(p.ops->use_space(p.self, "e", "f", D, err));
    assert_int_equal(vector_put_pending(&p, D, 9), 3);
    assert_ok(p.ops->commit(p.self, err));
    store_close_index(s);
    s = open_index(STORE_READ);
    assert_ok(store_check_index(s, err));
    json_t *info = NULL;
    assert_ok(store_index_info(s, &info, err));
    json_t *vectors = json_object_get(info, "vectors");
    assert_string_equal(json_get_string(vectors, "embedder"), "e");
    assert_int_equal(json_integer_value(json_object_get(vectors, "dimensions")), D);
    assert_int_equal(json_integer_value(json_object_get(vectors, "count")), 3);
    assert_int_equal(json_integer_value(json_object_get(vectors, "pending")), 0);
    json_decref(info);
    arena_free(&a);
    store_close_index(s);
}

/* ---- Damage ---- */

/* Each is done to a sound index by somebody who writes SQL. `check`: what the check says of it; `reader`: what a search (which reads all
 * codes and some halves) says; NULL: it does not see that. */
static void rows_changed_by_hand(void **state) {
    (void)state;
    static const struct {
        const char *sql, *check, *reader;
    } cases[] = {
        {"UPDATE vector_blocks SET codes = zeroblob(length(codes)) WHERE block = 1", "block 1 of the vectors", "block 1 of the vectors"},
        {"UPDATE vector_blocks SET codes = substr(codes, 2) WHERE block = 2", "block 2 of the vectors has", "block 2 of the vectors has"},
        {"UPDATE vector_blocks SET codes = x'' WHERE block = 0", "block 0 of the vectors has 0 bytes", "block 0 of the vectors has 0 bytes"},
        {"UPDATE vector_blocks SET codes = 7 WHERE block = 0", "cannot open value", "cannot open value"},
        {"UPDATE vector_blocks SET sum = sum + 1 WHERE block = 2", "block 2 of the vectors", "block 2 of the vectors"},
        {"UPDATE vector_blocks SET sum = 'x' WHERE block = 2", "block 2 of the vectors", "block 2 of the vectors"},
        {"UPDATE vector_blocks SET valid = zeroblob(128) WHERE block = 1", "in block 1 of the vectors, chunk 1024 has a vector and no bit",
         "block 1 of the vectors has"},
        {"UPDATE vector_blocks SET valid = zeroblob(127) WHERE block = 1", "block 1 of the vectors", "block 1 of the vectors"},
        {"UPDATE vector_blocks SET valid = 'text' WHERE block = 1", "a stored valid", "a stored valid"},
        {"UPDATE vector_blocks SET block = 9 WHERE block = 1", "in block 1 of the vectors, chunk 1024", "block 9 of the vectors"},
        {"UPDATE vector_blocks SET block = 5000000000 WHERE block = 1", "block 5000000000", "block 5000000000"},
        {"UPDATE vector_blocks SET block = -1 WHERE block = 1", "a stored block", "a stored block"},
        {"DELETE FROM vector_blocks WHERE block = 2", "in block 2 of the vectors, chunk 2048 has a vector and no bit", NULL},
        {"DELETE FROM vectors WHERE chunk = 77", "in block 0 of the vectors, chunk 77 has a bit and no vector", NULL},
        {"DELETE FROM vectors WHERE chunk = 2560", "in block 2 of the vectors, chunk 2560 has a bit and no vector", NULL},
        {"DELETE FROM vectors", "has a bit and no vector", "which has none"},
        {"UPDATE vectors SET halves = zeroblob(80) WHERE chunk = 77", "chunk 77 does not have the checksum", NULL},
        {"UPDATE vectors SET halves = zeroblob(80)", "does not have the checksum", "does not have the checksum"},
        {"UPDATE vectors SET halves = zeroblob(82)", "size of the others", "size of the others"},
        {"UPDATE vectors SET key = x'00' WHERE chunk = 2", "size of the others", NULL},
        {"UPDATE vectors SET key = zeroblob(16) WHERE chunk = 2", "chunk 2 does not have the checksum", NULL},
        {"UPDATE vectors SET sum = NULL || 'x', sum = 'x' WHERE chunk = 2", "chunk 2 does not have the checksum", NULL},
        {"INSERT INTO vectors SELECT 99999, key, sum, halves FROM vectors WHERE chunk = 1", "chunk 99999 has a vector and no bit", NULL},
        {"INSERT INTO vectors SELECT -5, key, sum, zeroblob(80) FROM vectors WHERE chunk = 1", "the spare vector -5", NULL},
        {"UPDATE vectors SET chunk = 3000 WHERE chunk = 5; UPDATE vectors SET chunk = 5 WHERE chunk = 6; UPDATE vectors SET chunk = 6 "
         "WHERE chunk = 3000", "chunk 5 has other codes than its vector yields", NULL},
        {"UPDATE meta SET value = 3 WHERE key = 'vectors'", "says that it has 3 for 2560", NULL},
        {"UPDATE meta SET value = 2561 WHERE key = 'chunks'", "says that it has 2560 for 2561", NULL},
        {"UPDATE meta SET value = 10 WHERE key = 'chunks'", "2560 vectors of 40 dimensions for 10 chunks",
         "2560 vectors of 40 dimensions for 10 chunks"},
        {"UPDATE meta SET value = 41 WHERE key = 'dimensions'", "size of the others", "size of the others"},
        {"UPDATE meta SET value = 100 WHERE key = 'dimensions'", "size of the others", "block 0 of the vectors has"},
        {"UPDATE meta SET value = 8193 WHERE key = 'dimensions'", "8193 dimensions", "8193 dimensions"},
        {"UPDATE meta SET value = 0 WHERE key = 'dimensions'", "0 dimensions", "0 dimensions"},
        {"UPDATE meta SET value = 'x' WHERE key = 'dimensions'", "a stored value", "a stored value"},
        {"DELETE FROM meta WHERE key = 'dimensions'", "0 dimensions", "0 dimensions"},
        {"DELETE FROM meta WHERE key IN ('dimensions', 'embedder', 'fingerprint')", "0 dimensions", "0 dimensions"},
        {"DELETE FROM meta WHERE key = 'fingerprint'", "it says", "it says"},
        {"DELETE FROM meta WHERE key = 'vectors'", "it says", "it says"},
    };
    size_t n;
    make_index(true);
    char *sound = sample_slurp(path, &n);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        qa_error err = {0};
        struct arena a;
        struct index_candidate *c;
        size_t found;
        struct index_space space;
        static float query[8192]; /* whatever the file says */
        arena_init(&a, 16 << 20);
        vector_random(query, D);
        sample_spill(path, sound, n);
        struct store_index *s = open_index(STORE_WRITE);
        run_sql(s, cases[i].sql);
        store_close_index(s);
        s = open_index(STORE_READ);
        struct index_port p = store_index_port(s);
        if (store_check_index(s, &err) != QA_CORRUPT || !strstr(err.message, cases[i].check))
            fail_msg("%s: the check says: %s", cases[i].sql, err.message);
        store_close_index(s);
        s = open_index(STORE_READ);
        p = store_index_port(s);
        err = (qa_error){0};
        qa_status status = p.ops->vector_space(p.self, &a, &space, &err);
        if (status == QA_OK)
            status = p.ops->vector_candidates(p.self, query, NULL, 3, &a, &c, &found, &err);
        if (cases[i].reader ? status != QA_CORRUPT || !strstr(err.message, cases[i].reader) : status != QA_OK && status != QA_CORRUPT)
            fail_msg("%s: a search says %s: %s", cases[i].sql, qa_status_name(status), err.message);
        store_close_index(s);
        arena_free(&a);
    }
    free(sound);
}

/* The same damage under the hands of a writer: an error, never a crash, and never QA_INTERNAL. */
static void writing_over_damage(void **state) {
    (void)state;
    static const char *const cases[] = {
        "UPDATE vector_blocks SET codes = zeroblob(length(codes))", "UPDATE vector_blocks SET valid = x'ff'",
        "UPDATE vector_blocks SET valid = zeroblob(1000)", "UPDATE vector_blocks SET codes = 'text'", "DELETE FROM vectors WHERE chunk = 1",
        "UPDATE meta SET value = 1 WHERE key IN ('chunks', 'vectors')", "UPDATE meta SET value = 'x' WHERE key = 'vectors'",
        "UPDATE meta SET value = 4000 WHERE key = 'dimensions'", "INSERT INTO vectors SELECT -1, key, sum, halves FROM vectors WHERE chunk = 3",
    };
    size_t n;
    make_index(true);
    char *sound = sample_slurp(path, &n);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        qa_error err = {0};
        struct sample changed = {.source = "s", .path = "d00.md", .text = "Short."};
        sample_spill(path, sound, n);
        struct store_index *s = open_index(STORE_WRITE);
        struct index_port p = store_index_port(s);
        run_sql(s, cases[i]);
        qa_status status = p.ops->begin(p.self, &err);
        if (status == QA_OK)
            status = sample_put(&p, &changed, &err);
        if (status == QA_OK)
            status = p.ops->commit(p.self, &err);
        if (status != QA_CORRUPT)
            fail_msg("%s: %s: %s", cases[i], qa_status_name(status), err.message);
        store_close_index(s);
    }
    free(sound);
}

/* Somebody who makes the checksums fit can plant any number: the answer may be nonsense, the program stays whole. */
static void planted_numbers(void **state) {
    (void)state;
    static const uint8_t scales[][4] = {{0, 0, 0xC0, 0x7F}, {0, 0, 0x80, 0x7F}, {0, 0, 0x80, 0xFF}, {0, 0, 0, 0}};
    make_index(true);
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        enum { N = 1023, SIZE = N * (64 + 4) }; /* block 0 has no chunk 0 */
        static uint8_t codes[SIZE];
        uint8_t valid[128];
        sqlite3_stmt *st;
        struct index_candidate c[10];
        float query[D];
        memset(codes, 0x80, sizeof codes);
        memset(valid, 0xFF, sizeof valid);
        valid[0] = 0xFE;
        for (size_t k = 0; k < N; k++)
            memcpy(codes + N * 64 + k * 4, scales[i], 4);
        struct store_index *s = open_index(STORE_WRITE);
        assert_int_equal(sqlite3_prepare_v2(s->file.db, "UPDATE vector_blocks SET codes = ?1, sum = ?2 WHERE block = 0", -1, &st, NULL),
                         SQLITE_OK);
        sqlite3_bind_blob(st, 1, codes, SIZE, SQLITE_STATIC);
        sqlite3_bind_int64(st, 2, store_block_sum(0, valid, codes, SIZE));
        assert_int_equal(sqlite3_step(st), SQLITE_DONE);
        sqlite3_finalize(st);
        struct index_port p = store_index_port(s);
        vector_random(query, D);
        assert_int_equal(best(&p, query, c), 10);
        assert_fails(store_check_index(s, err), QA_CORRUPT, "in block 0 of the vectors, chunk 1 has other codes");
        store_close_index(s);
    }
}

/* One code a little off, checksums made to fit: no reader can know, the check derives it again. */
static void a_planted_code(void **state) {
    (void)state;
    static uint8_t codes[1024 * (64 + 4)];
    uint8_t valid[128];
    sqlite3_stmt *st;
    make_index(true);
    struct store_index *s = open_index(STORE_WRITE);
    assert_int_equal(sqlite3_prepare_v2(s->file.db, "SELECT valid, codes FROM vector_blocks WHERE block = 1", -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    memcpy(valid, sqlite3_column_blob(st, 0), sizeof valid);
    assert_int_equal(sqlite3_column_bytes(st, 1), sizeof codes);
    memcpy(codes, sqlite3_column_blob(st, 1), sizeof codes);
    sqlite3_finalize(st);
    codes[7 * 64 + D]++; /* behind the last dimension, where a zero belongs */
    assert_int_equal(sqlite3_prepare_v2(s->file.db, "UPDATE vector_blocks SET codes = ?1, sum = ?2 WHERE block = 1", -1, &st, NULL), SQLITE_OK);
    sqlite3_bind_blob(st, 1, codes, sizeof codes, SQLITE_STATIC);
    sqlite3_bind_int64(st, 2, store_block_sum(1, valid, codes, sizeof codes));
    assert_int_equal(sqlite3_step(st), SQLITE_DONE);
    sqlite3_finalize(st);
    assert_fails(store_check_index(s, err), QA_CORRUPT, "in block 1 of the vectors, chunk 1031 has other codes");
    store_close_index(s);
}

/* ---- Numbers ---- */

/* Also of vectors that are a little longer or shorter than 1. */
static void codes_give_the_cosine(void **state) {
    (void)state;
    enum { N = 384 };
    float query[N], v[N];
    int8_t a[N], b[N];
    for (int round = 0; round < 200; round++) {
        float length = round % 3 == 0 ? 1 : round % 3 == 1 ? .99f : 1.01f;
        vector_random(query, N);
        vector_random(v, N);
        for (size_t i = 0; i < N; i++)
            v[i] = (round % 2 ? query[i] : v[i]) * length; /* 1, or something near 0 */
        double scale = (double)store_quantise(query, 1, N, a) * store_quantise(v, length, N, b), dot = 0;
        for (size_t i = 0; i < N; i++)
            dot += (double)a[i] * b[i];
        assert_float_equal(dot * scale, vector_cosine(query, v, N), 3e-3);
    }
}

/* The bytes of halves; base/half.h is tested by itself. */
static void halves_in_bytes(void **state) {
    (void)state;
    float many[19], back[19];
    uint8_t all[38];
    vector_random(many, 19);
    many[0] = -1;
    many[18] = 0x1.004p-3f;
    store_encode_halves(many, 19, all);
    assert_true(all[0] == 0x00 && all[1] == 0xBC && all[36] == 0x01 && all[37] == 0x30);
    store_decode_halves(all, 19, back);
    for (size_t i = 0; i < 19; i++)
        assert_float_equal(back[i], many[i], 2.5e-4);
}

static void dot_products_are_the_same_everywhere(void **state) {
    (void)state;
    static int8_t codes[5 * 8192];
    static int16_t query[8192];
    static const size_t strides[] = {32, 64, 96, 384, 768, 8192};
    int32_t plain[5], fast[5];
    if (!store_dot_avx2())
        skip();
    for (size_t round = 0; round < 60; round++) {
        size_t stride = strides[round % 6];
        bool extreme = round < 12;
        for (size_t i = 0; i < stride; i++)
            query[i] = (int16_t)(extreme ? (round < 6 ? 127 : -127) : (int)vector_pick(255) - 127);
        for (size_t i = 0; i < 5 * stride; i++)
            codes[i] = (int8_t)(extreme ? -128 : (int)vector_pick(256) - 128);
        store_dot_plain(query, codes, stride, 5, plain);
        store_dot_avx2()(query, codes, stride, 5, fast);
        assert_memory_equal(plain, fast, sizeof plain);
        int64_t want = 0;
        for (size_t i = 0; i < stride; i++)
            want += (int64_t)query[i] * codes[4 * stride + i];
        assert_int_equal(plain[4], want);
    }
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(empty_blocks_go), CASE(the_bytes_do_not_tell_how_they_came), CASE(only_changed_blocks_are_read_again),
        CASE(blocks_out_of_scope_are_not_read), CASE(a_query_of_the_dimensions_before_is_refused),
        CASE(a_search_can_be_cancelled), CASE(codes_choose_enough),
        CASE(an_index_of_version_2_is_upgraded), CASE(rows_changed_by_hand), CASE(writing_over_damage), CASE(planted_numbers),
        CASE(a_planted_code), CASE(codes_give_the_cosine),
        CASE(halves_in_bytes), CASE(dot_products_are_the_same_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
