// One thread puts vectors and takes them out again, others search with handles of their own: each search sees one commit, whole. A commit
// gives every chunk the vector of its version, so the best of a snapshot are all equally good.
#include "test_store_vectors.h"
#include <pthread.h>

enum { READERS = 2, COMMITS = 30, D = 32, CHUNKS = 40 };

static char path[4096];
static atomic_bool done;
static atomic_int bad, seen;

/* Versions go along the dimensions. */
static void vector_of_version(float v[D], int version) {
    memset(v, 0, D * sizeof *v);
    v[version % D] = 1;
}

static void *read_on(void *user) {
    (void)user;
    struct store_index *s = NULL;
    float query[D];
    if (store_open_index(path, STORE_READ, NULL, &s, NULL) != QA_OK) {
        atomic_fetch_add(&bad, 1);
        return NULL;
    }
    for (size_t i = 0; i < D; i++)
        query[i] = (float)((i + 1) / sqrt(D * (D + 1) * (2 * D + 1) / 6.)); /* another cosine with each version */
    struct index_port p = store_index_port(s);
    for (bool last = false; !last;) {
        struct arena a;
        struct index_candidate *c = NULL;
        struct index_space space;
        size_t n = 0;
        double score = 0;
        qa_error err = {0};
        last = atomic_load(&done);
        arena_init(&a, 16 << 20);
        qa_status status = p.ops->begin(p.self, &err);
        if (status == QA_OK)
            status = p.ops->vector_space(p.self, &a, &space, &err);
        if (status == QA_OK)
            status = p.ops->vector_candidates(p.self, query, NULL, CHUNKS + 1, &a, &c, &n, &err);
        if (status == QA_OK)
            status = p.ops->vector_scores(p.self, query, &c[n / 2].chunk, 1, &score, &err);
        p.ops->rollback(p.self);
        if (status != QA_OK || n != CHUNKS || c[0].score != c[n - 1].score || score != c[0].score) {
            fprintf(stderr, "%zu candidates: %s\n", n, err.message);
            atomic_fetch_add(&bad, 1);
        }
        atomic_fetch_add(&seen, 1);
        arena_free(&a);
    }
    store_close_index(s);
    return NULL;
}

/* The document anew every third time, so that numbers and blocks change too. */
static void write_version(const struct index_port *p, int version) {
    char text[CHUNKS * 20] = "";
    uint64_t chunks[CHUNKS], first;
    struct hash128 keys[CHUNKS];
    float v[CHUNKS][D];
    struct arena a;
    size_t n;
    arena_init(&a, 1 << 20);
    for (int i = 0; i < CHUNKS; i++)
        sprintf(strchr(text, '\0'), "Heron %d.\n\n", i);
    struct sample doc = {.source = "s", .path = "a.md", .text = text};
    assert_ok(p->ops->begin(p->self, err));
    if (version % 3 == 0)
        assert_ok(sample_put(p, &doc, err));
    assert_ok(p->ops->use_space(p->self, "e", "f", D, err));
    first = vector_chunks(p, &a, "s", "a.md", &n)[0];
    assert_int_equal(n, CHUNKS);
    for (int i = 0; i < CHUNKS; i++) {
        chunks[i] = first + (uint64_t)i;
        keys[i] = vector_key((uint64_t)version);
        vector_of_version(v[i], version);
    }
    assert_ok(p->ops->put_vectors(p->self, chunks, keys, v[0], CHUNKS, err));
    assert_ok(p->ops->commit(p->self, err));
    arena_free(&a);
}

static void every_search_sees_one_commit(void **state) {
    (void)state;
    char *dir = sample_folder();
    struct store_index *s = NULL;
    pthread_t readers[READERS];
    assert_ok(store_open_index(sample_path(path, dir, "index.db"), STORE_WRITE, NULL, &s, err));
    struct index_port p = store_index_port(s);
    write_version(&p, 0);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_on, NULL), 0);
    for (int i = 1; i <= COMMITS; i++)
        write_version(&p, i);
    atomic_store(&done, true);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    assert_int_equal(atomic_load(&bad), 0);
    assert_true(atomic_load(&seen) >= READERS);
    assert_ok(store_check_index(s, err));
    store_close_index(s);
    sample_remove(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_search_sees_one_commit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
