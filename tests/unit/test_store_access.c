// Access and filters against a brute-force reference: what a scope lets through is the unrestricted list without what
// filter_matches and caller_may_see refuse, in the same order with the same scores. Random documents, filters and callers from a
// fixed seed.
#include "test_store_sample.h"

enum { DOCUMENTS = 160, ROUNDS = 600 };

static uint64_t seed = 20260131;
static unsigned pick(unsigned n) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % n;
}

static const char *const group_names[] = {"ops", "dev", "hr", "signed-in"};
static const char *const words[] = {"heron", "river", "delta", "valley", "glacier", "lake", "marsh", "otter"};
static const char *const collections[] = {"birds", "maps"};

struct document {
    char path[40], metadata[120], text[400];
    const char *groups[3];
    struct sample sample;
};
static struct document documents[DOCUMENTS];

static void make_document(int i) {
    struct document *d = &documents[i];
    snprintf(d->path, sizeof d->path, "%s/%s%d.md", pick(2) ? "docs" : "api/v2", words[pick(8)], i);
    switch (pick(4)) {
    case 0: strcpy(d->metadata, "{}"); break;
    case 1: snprintf(d->metadata, sizeof d->metadata, "{\"lang\":\"%s\",\"version\":%u}", pick(2) ? "en" : "de", pick(5)); break;
    case 2: snprintf(d->metadata, sizeof d->metadata, "{\"tags\":[\"%s\",\"%s\"],\"date\":\"2025-0%u-01\"}", words[pick(8)],
                     words[pick(8)], 1 + pick(9)); break;
    default: snprintf(d->metadata, sizeof d->metadata, "{\"a\":{\"b\":\"%s\"},\"version\":\"1.%u.0\"}", words[pick(8)],
                      pick(12)); break;
    }
    unsigned n = 1 + pick(40);
    for (unsigned k = 0; k < n && strlen(d->text) < 380; k++)
        strcat(strcat(d->text, words[pick(8)]), k % 9 == 8 ? "\n\n" : " ");
    d->sample = (struct sample){.source = pick(3) ? "wiki" : "repo", .path = d->path, .text = d->text, .metadata = d->metadata,
                                .title = words[pick(8)], .collection = pick(3) ? collections[pick(2)] : NULL, .groups = d->groups};
    for (unsigned k = pick(3) ? 0 : pick(4); k > 0; k--)
        d->groups[d->sample.n_groups++] = group_names[pick(4)];
    d->sample.restricted = d->sample.n_groups ? pick(2) : !pick(8);
}

static const char *random_filter(char *out, size_t size) {
    static const char *const leaves[] = {"lang=en", "version>=2", "version<1.5", "path^=docs/", "source=wiki",
                                         "title in (heron, otter)", "tags=river",
                                         "a.b!=lake", "date<2025-05-01", "name^=marsh", "collection=birds", "missing=1",
                                             "not lang=de"};
    const char *a = leaves[pick(13)], *b = leaves[pick(13)], *c = leaves[pick(13)];
    switch (pick(5)) {
    case 0: snprintf(out, size, "%s", a); break;
    case 1: snprintf(out, size, "%s and %s", a, b); break;
    case 2: snprintf(out, size, "%s or %s", a, b); break;
    case 3: snprintf(out, size, "not (%s and %s) or %s", a, b, c); break;
    default: snprintf(out, size, "(%s or %s) and not %s", a, b, c); break;
    }
    return out;
}

static bool allowed(const struct index_scope *scope, const struct sample *d) {
    json_t *metadata = NULL;
    assert_ok(json_parse(d->metadata, strlen(d->metadata), &metadata, err));
    struct filter_subject subject = {d->path, d->source, d->title, d->url, d->collection, metadata};
    bool yes = filter_matches(scope->filter, &subject) && (!scope->caller ||
                                                           caller_may_see(scope->caller, d->restricted, d->groups, d->n_groups)) &&
               (!scope->collection || (d->collection && strcmp(d->collection, scope->collection) == 0));
    json_decref(metadata);
    return yes;
}

struct seen {
    const struct index_scope *scope;
    const struct sample *by_number[4 * DOCUMENTS];
    size_t n;
};

static int note_number(void *user, const struct index_document *d) {
    struct seen *s = user;
    for (int i = 0; i < DOCUMENTS; i++)
        if (strcmp(d->path, documents[i].path) == 0)
            s->by_number[d->document] = &documents[i].sample;
    s->n++;
    return 0;
}

static int count_allowed(void *user, const struct index_document *d) {
    struct seen *s = user;
    assert_non_null(s->by_number[d->document]);
    assert_true(allowed(s->scope, s->by_number[d->document]));
    s->n++;
    return 0;
}

static void scopes_agree_with_brute_force(void **state) {
    (void)state;
    char *dir = sample_folder(), path[4096], text[300], query[200];
    struct store_index *s = NULL;
    static struct seen seen;
    unsigned hidden = 0, shown = 0;
    assert_ok(store_open_index(sample_path(path, dir, "index.db"), STORE_WRITE, NULL, &s, err));
    struct index_port p = store_index_port(s);
    assert_ok(p.ops->begin(p.self, err));
    for (int i = 0; i < DOCUMENTS; i++) {
        make_document(i);
        assert_ok(sample_put(&p, &documents[i].sample, err));
    }
    for (int i = 0; i < DOCUMENTS; i += 5) /* replaced: numbers are no longer in the order of putting */
        assert_ok(sample_put(&p, &documents[i].sample, err));
    assert_ok(p.ops->commit(p.self, err));
    assert_ok(p.ops->each_document(p.self, NULL, note_number, &seen, err));
    assert_int_equal(seen.n, DOCUMENTS);

    for (int round = 0; round < ROUNDS; round++) {
        struct arena a;
        struct caller caller = {0};
        const char *groups[3];
        struct index_scope scope = {0};
        struct index_candidate *all, *some;
        size_t n_all, n_some, k = 1 + pick(60), want = 0;
        uint64_t total, total_scoped;
        qa_error err = {0};
        arena_init(&a, 16 << 20);
        if (pick(4)) {
            caller.owner = !pick(6);
            caller.signed_in = pick(2);
            for (unsigned g = pick(4); g > 0; g--)
                groups[caller.n_groups++] = group_names[pick(3)];
            caller.groups = groups;
            scope.caller = &caller;
        }
        if (pick(3))
            assert_int_equal(filter_parse(&a, random_filter(text, sizeof text), (struct filter **)&scope.filter, &err), QA_OK);
        if (!pick(4))
            scope.collection = collections[pick(2)];
        snprintf(query, sizeof query, "%s %s %s", words[pick(8)], words[pick(8)], words[pick(8)]);
        assert_int_equal(sample_search(&p, query, NULL, 100000, &a, &all, &n_all, &total, &err), QA_OK);
        assert_int_equal(sample_search(&p, query, &scope, k, &a, &some, &n_some, &total_scoped, &err), QA_OK);
        assert_int_equal(total, total_scoped);
        for (size_t i = 0; i < n_all && want < k; i++) {
            if (!allowed(&scope, seen.by_number[all[i].document])) {
                hidden++;
                continue;
            }
            if (want >= n_some || some[want].chunk != all[i].chunk || some[want].document != all[i].document ||
                some[want].score != all[i].score)
                fail_msg("round %d, filter %s: candidate %zu differs", round, scope.filter ? text : "none", want);
            want++;
        }
        assert_int_equal(n_some, want);
        shown += (unsigned)want;

        struct seen listed = {.scope = &scope, .n = 0};
        memcpy(listed.by_number, seen.by_number, sizeof listed.by_number);
        assert_int_equal(p.ops->each_document(p.self, &scope, count_allowed, &listed, &err), QA_OK);
        size_t expect = 0;
        for (int i = 0; i < DOCUMENTS; i++)
            expect += allowed(&scope, &documents[i].sample);
        assert_int_equal(listed.n, expect);
        const struct sample *one = &documents[pick(DOCUMENTS)].sample;
        struct index_document d;
        uint64_t *chunks;
        size_t n_chunks;
        assert_int_equal(p.ops->find_document(p.self, &scope, one->source, one->path, &a, &d, &chunks, &n_chunks, &err),
                         allowed(&scope, one) ? QA_OK : QA_NOT_FOUND);
        arena_free(&a);
    }
    assert_true(hidden > 1000 && shown > 1000); /* both ways were taken */
    store_close_index(s);
    sample_remove(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(scopes_agree_with_brute_force)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
