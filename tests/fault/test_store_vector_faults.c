// wrap: malloc,calloc,realloc,aligned_alloc
// Vectors, as test_store_faults.c does for documents: the Nth call of the file system or the Nth allocation fails, for every N. The
// failure is reported with one of the accepted codes, and afterwards the file has the vectors before or those after, whole. Allocations
// also on the fake, whose promise it is.
#define SWEEP_ALLOCATING
#include "fault/vfs_fault.h"
#include "fault/vfs_story.h"
#include "unit/test_store_vectors.h"

enum { D = 36 };

SWEEP_WRAP(void *, aligned_alloc, (size_t alignment, size_t n), (alignment, n), SWEEP_MEMORY, ENOMEM, NULL)

static char *dir, path[4096], *first_state;
static size_t first_len;

/* All that is pending under keys from `key` on. */
static qa_status put_pending(const struct index_port *p, uint64_t key, struct arena *a, qa_error *err) {
    struct index_pending *list = NULL;
    struct hash128 keys[8];
    uint64_t chunks[8];
    float v[8 * D];
    bool found[8];
    size_t n = 0;
    qa_status status = p->ops->pending_chunks(p->self, 0, 8, a, &list, &n, err);
    for (size_t i = 0; i < n && status == QA_OK; i++) {
        chunks[i] = list[i].chunk;
        keys[i] = vector_key(key + i);
        vector_random(v + i * D, D);
    }
    if (status == QA_OK)
        status = p->ops->known_vectors(p->self, keys, n, v, found, err);
    return status == QA_OK ? p->ops->put_vectors(p->self, chunks, keys, v, n, err) : status;
}

/* The first state: two documents, three chunks, keys 1 to 3. */
static void make_first(const struct index_port *p) {
    struct arena a;
    arena_init(&a, 1 << 20);
    assert_ok(p->ops->begin(p->self, err));
    for (int i = 0; i < 2; i++)
        assert_ok(sample_put(p, &story_old[i], err));
    assert_ok(p->ops->use_space(p->self, "e", "f", D, err));
    assert_ok(put_pending(p, 1, &a, err));
    assert_ok(p->ops->commit(p->self, err));
    arena_free(&a);
}

/* One document is replaced, one added, all that is pending gets vectors (keys from 10 on), then they are searched. */
static qa_status run(const struct index_port *p, bool *committed, qa_error *err) {
    struct arena a;
    struct index_candidate *c = NULL;
    struct index_space space;
    struct index_scope scope = {.collection = "none"};
    size_t n = 0;
    float query[D];
    double score;
    *committed = false;
    arena_init(&a, 16 << 20);
    vector_random(query, D);
    qa_status status = p->ops->begin(p->self, err);
    for (int i = 0; i < 2 && status == QA_OK; i++)
        status = sample_put(p, &story_new[i], err);
    if (status == QA_OK)
        status = p->ops->use_space(p->self, "e", "f", D, err);
    if (status == QA_OK)
        status = put_pending(p, 10, &a, err);
    if (status == QA_OK) {
        status = p->ops->commit(p->self, err);
        *committed = status == QA_OK;
        if (status != QA_OK)
            p->ops->rollback(p->self);
    } else {
        p->ops->rollback(p->self);
    }
    if (status == QA_OK)
        status = p->ops->vector_space(p->self, &a, &space, err);
    if (status == QA_OK)
        status = p->ops->vector_candidates(p->self, query, &scope, 8, &a, &c, &n, err);
    if (status == QA_OK)
        status = p->ops->vector_candidates(p->self, query, NULL, 8, &a, &c, &n, err);
    if (status == QA_OK)
        assert_int_equal(n, 4);
    if (status == QA_OK)
        status = p->ops->vector_scores(p->self, query, &c[3].chunk, 1, &score, err);
    if (status == QA_OK)
        assert_true(score == c[3].score);
    arena_free(&a);
    return status;
}

/* 'o' or 'n': that none of the other's vectors is known belongs to it. */
static char state_of(const struct index_port *p) {
    struct index_space space;
    struct arena a;
    struct hash128 keys[] = {vector_key(1), vector_key(3), vector_key(10), vector_key(12)};
    float v[4 * D];
    bool found[4];
    arena_init(&a, 1 << 20);
    assert_ok(p->ops->vector_space(p->self, &a, &space, err));
    assert_ok(p->ops->known_vectors(p->self, keys, 4, v, found, err));
    arena_free(&a);
    assert_int_equal(space.pending, 0);
    if (space.vectors == 3 && found[0] && found[1] && !found[2] && !found[3])
        return 'o';
    if (space.vectors == 4 && !found[0] && found[1] && found[2] && found[3])
        return 'n';
    fail_msg("neither the vectors before nor those after: %llu", (unsigned long long)space.vectors);
    return '?';
}

static qa_status run_on_file(bool *committed, qa_error *err) {
    struct store_index *s = NULL;
    *committed = false;
    if (sweep.kind == SWEEP_MEMORY) /* every allocation of opening fails in the test of documents */
        sweep_disarm();
    qa_status status = store_open_index(path, STORE_WRITE, NULL, &s, err);
    if (status != QA_OK)
        return status;
    struct index_port p = store_index_port(s);
    if (sweep.kind == SWEEP_MEMORY)
        sweep_arm();
    status = run(&p, committed, err);
    store_close_index(s);
    return status;
}

/* What opening brings to light belongs to the test of documents. */
static char state_of_file(void) {
    struct store_index *s = NULL;
    assert_ok(store_open_index(path, STORE_READ, NULL, &s, err));
    assert_ok(store_check_index(s, err));
    struct index_port p = store_index_port(s);
    char now = state_of(&p);
    store_close_index(s);
    return now;
}

static void look(qa_status status, const qa_error *err, qa_status accepted, bool committed, char now) {
    if (status != QA_OK && ((status != accepted && !(accepted == QA_IO && status == QA_NOT_FOUND)) || err->status != status || !err->message[0]))
        fail_msg("%s %u: %s: %s", sweep_name(), sweep.at, qa_status_name(status), err->message);
    if (committed && now != 'n')
        fail_msg("%s %u: the commit was reported and is lost", sweep_name(), sweep.at);
    if (status == QA_OK)
        assert_true(committed);
}

static void attempt_on_file(void *user) {
    bool committed;
    qa_error err = {0};
    (void)user;
    story_restore(path, first_state, first_len);
    sweep_arm();
    qa_status status = run_on_file(&committed, &err);
    bool met = sweep_disarm();
    look(status, &err, sweep.kind == SWEEP_MEMORY ? QA_NO_MEMORY : QA_IO, committed, state_of_file());
    if (!met)
        assert_int_equal(status, QA_OK);
}

static void file_system_once(void **state) {
    (void)state;
    assert_true(sweep_all(SWEEP_SYSTEM, false, 1, attempt_on_file, NULL) > 40);
}
static void file_system_from_there_on(void **state) {
    (void)state;
    assert_true(sweep_all(SWEEP_SYSTEM, true, 3, attempt_on_file, NULL) > 40);
}
static void memory_once(void **state) {
    (void)state;
    assert_true(sweep_all(SWEEP_MEMORY, false, 1, attempt_on_file, NULL) > 200);
}
static void memory_from_there_on(void **state) {
    (void)state;
    assert_true(sweep_all(SWEEP_MEMORY, true, 3, attempt_on_file, NULL) > 200);
}

static void attempt_on_fake(void *user) {
    struct fake_index *f = fake_index_new();
    assert_non_null(f);
    struct index_port p = fake_index_port(f);
    bool committed;
    qa_error err = {0};
    (void)user;
    make_first(&p);
    sweep_arm();
    qa_status status = run(&p, &committed, &err);
    bool met = sweep_disarm();
    if (!committed)
        assert_int_equal(state_of(&p), 'o');
    look(status, &err, QA_NO_MEMORY, committed, state_of(&p));
    fake_index_free(f);
    if (!met)
        assert_int_equal(status, QA_OK);
}
static void memory_of_the_fake(void **state) {
    (void)state;
    assert_true(sweep_all(SWEEP_MEMORY, false, 1, attempt_on_fake, NULL) > 30);
}

static int set_up(void **state) {
    (void)state;
    struct store_index *s = NULL;
    dir = sample_folder();
    assert_ok(store_open_index(sample_path(path, dir, "index.db"), STORE_WRITE, NULL, &s, err));
    struct index_port p = store_index_port(s);
    make_first(&p);
    store_close_index(s);
    first_state = sample_slurp(path, &first_len);
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    free(first_state);
    sample_remove(dir);
    return 0;
}

int main(void) {
    if (!vfs_fault_install_memory())
        return 1;
    vfs_fault_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_system_once),     cmocka_unit_test(file_system_from_there_on), cmocka_unit_test(memory_once),
        cmocka_unit_test(memory_from_there_on), cmocka_unit_test(memory_of_the_fake),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
