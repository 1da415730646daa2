/* What the fault and crash tests run: a story of one handle over an index that has a first state already, and the look at the file
 * afterwards. A state is told by the texts of its documents. */
#ifndef VFS_STORY_H
#define VFS_STORY_H

#include "unit/test_store_sample.h"

static const struct sample story_old[] = {
    {.source = "s", .path = "a.md", .text = "# Old\n\nThe heron of old.\n\nAnother old passage."},
    {.source = "s", .path = "b.md", .text = "The otter stays."},
};
static const struct sample story_new[] = {
    {.source = "s", .path = "a.md", .text = "# New\n\nThe heron is new.\n\nWith Identifier_parts and text."},
    {.source = "s", .path = "c.md", .text = "A marsh is added.", .metadata = "{\"lang\":\"en\"}"},
};

/* Open, put two documents, change who may see one of them, note the source, commit, search, read, close. *committed: the commit said that it is done. */
static inline qa_status story_run(const char *path, bool *committed, qa_error *err) {
    struct store_index *s = NULL;
    struct arena a;
    struct index_candidate *c;
    struct index_passage x[8];
    uint64_t ids[8], total;
    size_t n = 0;
    *committed = false;
    arena_init(&a, 16 << 20);
    qa_status status = store_open_index(path, STORE_WRITE, NULL, &s, err);
    if (status != QA_OK)
        return status;
    struct index_port p = store_index_port(s);
    status = p.ops->begin(p.self, err);
    for (int i = 0; i < 2 && status == QA_OK; i++)
        status = sample_put(&p, &story_new[i], err);
    static const char *const ops[] = {"ops"};
    if (status == QA_OK)
        status = p.ops->set_access(p.self, "s", "c.md", true, ops, 1, err);
    if (status == QA_OK)
        status = p.ops->put_source(p.self, &(struct index_source){.source = "s", .root = "/docs", .ruled = true}, err);
    if (status == QA_OK) {
        status = p.ops->commit(p.self, err);
        *committed = status == QA_OK;
    } else {
        p.ops->rollback(p.self);
    }
    struct index_scope scope = {.collection = "none"};
    if (status == QA_OK)
        status = sample_search(&p, "old new marsh", &scope, 8, &a, &c, &n, &total, err);
    if (status == QA_OK)
        status = sample_search(&p, "heron marsh otter", NULL, 8, &a, &c, &n, &total, err);
    for (size_t i = 0; i < n; i++)
        ids[i] = c[i].chunk;
    if (status == QA_OK)
        status = p.ops->load_passages(p.self, ids, n, &a, x, err);
    store_close_index(s);
    arena_free(&a);
    return status;
}

static inline int story_note(void *user, const struct index_document *d) {
    snprintf(strchr(user, '\0'), 60, "%s:%llu ", d->path, (unsigned long long)d->bytes);
    return 0;
}

/* 'o' old, 'n' new, or a failed test. The whole file is verified. */
static inline char story_state(const char *path, enum store_mode mode) {
    struct store_index *s = NULL;
    char docs[400] = "", want_old[100], want_new[100];
    assert_ok(store_open_index(path, mode, NULL, &s, err));
    struct index_port p = store_index_port(s);
    assert_ok(p.ops->each_document(p.self, NULL, story_note, docs, err));
    assert_ok(store_check_index(s, err));
    store_close_index(s);
    snprintf(want_old, sizeof want_old, "a.md:%zu b.md:%zu ", strlen(story_old[0].text), strlen(story_old[1].text));
    snprintf(want_new, sizeof want_new, "a.md:%zu b.md:%zu c.md:%zu ", strlen(story_new[0].text), strlen(story_old[1].text),
             strlen(story_new[1].text));
    if (strcmp(docs, want_old) == 0)
        return 'o';
    if (strcmp(docs, want_new) == 0)
        return 'n';
    fail_msg("neither the old nor the new state: %s", docs);
    return '?';
}

/* Puts the file with the first state in place, and takes away what a run has left beside it. */
static inline void story_restore(const char *path, const char *bytes, size_t n) {
    static const char *const endings[] = {"-wal", "-shm", "-journal", "-lock"};
    char beside[4110];
    for (size_t i = 0; i < 4; i++) {
        snprintf(beside, sizeof beside, "%s%s", path, endings[i]);
        unlink(beside);
    }
    unlink(path);
    if (bytes)
        sample_spill(path, bytes, n);
}

static inline void story_make(const char *path) {
    struct store_index *s = NULL;
    assert_ok(store_open_index(path, STORE_WRITE, NULL, &s, err));
    struct index_port p = store_index_port(s);
    assert_ok(p.ops->begin(p.self, err));
    for (int i = 0; i < 2; i++)
        assert_ok(sample_put(&p, &story_old[i], err));
    assert_ok(p.ops->commit(p.self, err));
    store_close_index(s);
}

#endif
