// One thread writes, others search with handles of their own in the same process: each snapshot is one commit, whole. (In one process, since
// there SQLite's POSIX locks are at their most fragile; under TSan it also shows what the handles share.)
#include "test_store_sample.h"
#include <pthread.h>

enum { READERS = 3, COMMITS = 40 };

static char path[4096];
static atomic_bool done;
static atomic_int bad, seen;

/* Both documents of a version, or neither version yet. */
static void *read_on(void *user) {
    (void)user;
    struct store_index *s = NULL;
    if (store_open_index(path, STORE_READ, NULL, &s, NULL) != QA_OK) {
        atomic_fetch_add(&bad, 1);
        return NULL;
    }
    struct index_port p = store_index_port(s);
    for (bool last = false; !last;) {
        struct arena a;
        struct index_candidate *c;
        struct index_passage x[4];
        uint64_t ids[4], total;
        size_t n = 0;
        qa_error err = {0};
        last = atomic_load(&done);
        arena_init(&a, 16 << 20);
        qa_status status = p.ops->begin(p.self, &err);
        if (status == QA_OK)
            status = sample_search(&p, "heron", NULL, 4, &a, &c, &n, &total, &err);
        for (size_t i = 0; i < n; i++)
            ids[i] = c[i].chunk;
        if (status == QA_OK)
            status = p.ops->load_passages(p.self, ids, n, &a, x, &err);
        p.ops->rollback(p.self);
        if (status != QA_OK || n != 2 || strcmp(x[0].map.plain, x[1].map.plain) != 0) {
            fprintf(stderr, "%zu passages: %s\n", n, err.message);
            atomic_fetch_add(&bad, 1);
        }
        atomic_fetch_add(&seen, 1);
        arena_free(&a);
    }
    store_close_index(s);
    return NULL;
}

static void write_version(const struct index_port *p, int version) {
    char text[60];
    snprintf(text, sizeof text, "The heron of version %d.", version);
    struct sample docs[] = {{.source = "s", .path = "a.md", .text = text}, {.source = "s", .path = "b.md", .text = text}};
    assert_ok(p->ops->begin(p->self, err));
    for (int i = 0; i < 2; i++)
        assert_ok(sample_put(p, &docs[i], err));
    assert_ok(p->ops->commit(p->self, err));
}

static void every_snapshot_is_one_commit(void **state) {
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_snapshot_is_one_commit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
