/* Words and vectors together: the order against a reference on random scores; then, on the index in memory with an embedder of hashes, questions, follow-ups,
 * failures and scope. */
#include "fake/fake_embedder.h"
#include "fake/fake_index.h"
#include "search/search_internal.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- An index that is a table of scores ---- */

/* Chunk i + 1 is the only one of document i + 1. NAN: not found on that side; a chunk without a vector has none. */
struct table {
    double *text, *vector;
    size_t n;
    size_t scored;      /* chunks that vector_scores was asked for */
    float asked[FAKE_DIMENSIONS]; /* the last query */
};

static int by_score(const void *x, const void *y) {
    const struct index_candidate *a = x, *b = y;
    if (a->score != b->score)
        return a->score < b->score ? 1 : -1;
    return a->chunk < b->chunk ? -1 : a->chunk > b->chunk;
}

static qa_status best(const struct table *t, const double *scores, size_t k, struct arena *a, struct index_candidate **out, size_t *n) {
    *out = arena_array(a, t->n, sizeof **out);
    *n = 0;
    for (size_t i = 0; i < t->n; i++)
        if (!isnan(scores[i]))
            (*out)[(*n)++] = (struct index_candidate){i + 1, i + 1, scores[i]};
    if (*n)
        qsort(*out, *n, sizeof **out, by_score);
    *n = *n < k ? *n : k;
    return QA_OK;
}

static qa_status table_text(void *self, struct index_term *terms, size_t n_terms, const struct index_scope *scope, size_t k, struct arena *a,
                            struct index_candidate **out, size_t *n, uint64_t *total, qa_error *err) {
    const struct table *t = self;
    (void)scope, (void)err;
    for (size_t i = 0; i < n_terms; i++)
        terms[i].df = 1, terms[i].seen = true, terms[i].idf = 1;
    *total = t->n;
    return best(t, t->text, k, a, out, n);
}

static qa_status table_vectors(void *self, const float *query, const struct index_scope *scope, size_t k, struct arena *a,
                               struct index_candidate **out, size_t *n, qa_error *err) {
    struct table *t = self;
    (void)scope, (void)err;
    memcpy(t->asked, query, sizeof t->asked);
    return best(t, t->vector, k, a, out, n);
}

static qa_status table_scores(void *self, const float *query, const uint64_t *chunks, size_t n, double *out, qa_error *err) {
    struct table *t = self;
    (void)query, (void)err;
    t->scored += n;
    for (size_t i = 0; i < n; i++)
        out[i] = t->vector[chunks[i] - 1];
    return QA_OK;
}

static qa_status table_passages(void *self, const uint64_t *chunks, size_t n, struct arena *a, struct index_passage *out, qa_error *err) {
    (void)self, (void)a, (void)err;
    for (size_t i = 0; i < n; i++)
        out[i] = (struct index_passage){.chunk_number = chunks[i], .document_number = chunks[i], .title = "", .path = "", .map = {.plain = ""}};
    return QA_OK;
}

static qa_status table_begin(void *self, qa_error *err) {
    (void)self, (void)err;
    return QA_OK;
}
static void table_rollback(void *self) { (void)self; }

static const struct index_ops table_ops = {.text_candidates = table_text, .vector_candidates = table_vectors, .vector_scores = table_scores,
                                           .load_passages = table_passages, .begin = table_begin, .rollback = table_rollback};

static uint64_t random_state;
static double chance(void) {
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return (double)(random_state >> 40) / (double)(1 << 24);
}

static void table_make(struct table *t, struct arena *a, size_t n, double found, double vectors, unsigned steps) {
    *t = (struct table){.n = n, .text = arena_array(a, n, sizeof *t->text), .vector = arena_array(a, n, sizeof *t->vector)};
    for (size_t i = 0; i < n; i++) { /* in steps, so that some are alike */
        t->text[i] = chance() < found ? 1 + floor(chance() * steps) / steps * 20 : NAN;
        t->vector[i] = chance() < vectors ? floor(chance() * steps) / steps * 1.2 - 0.2 : NAN;
    }
}

/* ---- What is shared ---- */

struct setting {
    struct arena a;
    struct words *words;
    struct table table;
    struct index_port index;
    struct fake_embedder fake;
    struct embedder_port embedder;
    qa_error err;
};

static int set_up(void **state) {
    struct setting *s = test_calloc(1, sizeof *s);
    arena_init(&s->a, 512 << 20);
    s->words = words_new();
    s->index = (struct index_port){&table_ops, &s->table};
    s->embedder = fake_embedder_port(&s->fake);
    random_state = 1;
    *state = s;
    return s->words ? 0 : -1;
}

static int tear_down(void **state) {
    struct setting *s = *state;
    arena_free(&s->a);
    words_free(s->words);
    test_free(s);
    return 0;
}

static struct search_request request_of(struct setting *s, size_t k) {
    return (struct search_request){.question = "which widget spins?", .k = k, .mode = QA_MODE_HYBRID, .embedder = &s->embedder};
}

static struct search_result run(struct setting *s, const struct search_request *r) {
    struct search_result out;
    if (search_run(&s->index, s->words, &s->a, r, &out, &s->err) != QA_OK)
        fail_msg("%s", s->err.message);
    return out;
}

/* What a vector weighs: a chunk that is the best on that side and absent on the other has just that score. */
static double vector_share(struct setting *s) {
    double text[] = {NAN, 3}, vector[] = {0.5, NAN};
    struct table saved = s->table;
    s->table = (struct table){.n = 2, .text = text, .vector = vector};
    struct search_request r = request_of(s, 2);
    struct search_result found = run(s, &r);
    double share = found.hits[0].passage.chunk_number == 1 ? found.hits[0].score : found.hits[1].score;
    s->table = saved;
    assert_true(share > 0 && share < 1);
    return share;
}

/* ---- The reference ---- */

enum { DEPTH = 1000 };

/* Each side's best DEPTH from 0 to 1, absent ones 0, weighted; those that have no vector by their words. Returns how many it put, best first. */
static size_t reference(const struct table *t, struct arena *a, double share, struct index_candidate *out) {
    struct index_candidate *lists[2];
    double *parts[2];
    size_t n[2], count = 0;
    for (int side = 0; side < 2; side++) {
        best(t, side ? t->vector : t->text, DEPTH, a, &lists[side], &n[side]);
        parts[side] = arena_array(a, t->n, sizeof *parts[side]);
        for (size_t i = 0; i < t->n; i++)
            parts[side][i] = NAN;
        for (size_t i = 0; i < n[side]; i++) {
            double low = lists[side][n[side] - 1].score, high = lists[side][0].score;
            parts[side][lists[side][i].chunk - 1] = high > low ? (lists[side][i].score - low) / (high - low) : 1;
        }
    }
    for (size_t i = 0; i < t->n; i++) {
        double text = parts[0][i], vector = parts[1][i];
        if (isnan(text) && isnan(vector))
            continue;
        text = isnan(text) ? 0 : text;
        out[count++] = (struct index_candidate){i + 1, i + 1, isnan(t->vector[i]) ? text : (1 - share) * text + share * (isnan(vector) ? 0 : vector)};
    }
    if (count)
        qsort(out, count, sizeof *out, by_score);
    return count;
}

static void compare(const char *what, struct setting *s, bool pending, size_t k) {
    struct index_candidate *expected = arena_array(&s->a, s->table.n, sizeof *expected);
    size_t n = reference(&s->table, &s->a, vector_share(s), expected);
    struct search_request r = request_of(s, k);
    r.pending = pending;
    struct search_result found = run(s, &r);
    n = n < k ? n : k;
    if (found.n_hits != n)
        fail_msg("%s: %zu hits, not %zu", what, found.n_hits, n);
    for (size_t i = 0; i < n; i++) {
        const struct search_hit *h = &found.hits[i];
        uint64_t chunk = h->passage.chunk_number;
        if (chunk != expected[i].chunk || fabs(h->score - expected[i].score) > 1e-12)
            fail_msg("%s: rank %zu is chunk %d with %.15g, not chunk %d with %.15g", what, i + 1, (int)chunk, h->score, (int)expected[i].chunk,
                     expected[i].score);
        double text = s->table.text[chunk - 1], vector = s->table.vector[chunk - 1];
        assert_true(isnan(vector) ? isnan(h->vector_score) : h->vector_score == vector);
        assert_true(isnan(h->text_score) || h->text_score == text);
    }
}

static void test_fusion(void **state) {
    static const struct {
        const char *what;
        size_t n;
        double found, vectors;
        unsigned steps; /* few: many alike */
        bool pending;
    } rows[] = {
        {"both sides", 40, 0.6, 1, 1000, false},
        {"many alike", 200, 0.5, 1, 4, false},
        {"all alike", 30, 0.5, 1, 1, false},
        {"hardly any words", 60, 0.05, 1, 1000, false},
        {"no words", 60, 0, 1, 1000, false},
        {"more than are looked at", 3000, 0.9, 1, 1000000, false},
        {"more than are looked at, many alike", 3000, 0.9, 1, 50, false},
        {"some have no vector yet", 200, 0.6, 0.5, 1000, true},
        {"most have no vector yet, and more than are looked at", 4000, 0.9, 0.3, 1000000, true},
        {"none has a vector yet", 50, 0.6, 0, 1000, true},
        {"one chunk", 1, 1, 1, 1000, false},
        {"nothing", 50, 0, 0, 1000, true},
        {"an empty index", 0, 0, 0, 1, false},
    };
    struct setting *s = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int times = 0; times < 5; times++) {
            table_make(&s->table, &s->a, rows[i].n, rows[i].found, rows[i].vectors, rows[i].steps);
            compare(rows[i].what, s, rows[i].pending, times % 2 ? 10 : 100);
        }
}

/* Without `pending` nobody asks which chunks have no vector. */
static void test_only_hits_are_scored(void **state) {
    struct setting *s = *state;
    table_make(&s->table, &s->a, 500, 0.9, 1, 1000);
    struct search_request r = request_of(s, 7);
    run(s, &r);
    assert_int_equal(s->table.scored, 7);
}

static void test_one_side_alone(void **state) {
    struct setting *s = *state;
    double text[] = {2, NAN, 4, 1}, vector[] = {0.1, 0.9, -0.3, NAN};
    s->table = (struct table){.n = 4, .text = text, .vector = vector};
    struct search_request r = request_of(s, 10);
    r.mode = QA_MODE_VECTOR;
    struct search_result found = run(s, &r);
    assert_int_equal(found.n_hits, 3);
    assert_int_equal(found.hits[0].passage.chunk_number, 2);
    assert_int_equal(found.hits[1].passage.chunk_number, 1);
    assert_true(found.hits[0].score == 1 && fabs(found.hits[1].score - 1 / 9.0) < 1e-12 && found.hits[2].score == 0); /* never below 0 */
    assert_true(found.hits[0].vector_score == 0.9 && isnan(found.hits[0].text_score));
    unsigned calls = s->fake.calls;
    r.mode = QA_MODE_TEXT;
    found = run(s, &r);
    assert_int_equal(found.n_hits, 3);
    assert_int_equal(found.hits[0].passage.chunk_number, 3);
    assert_true(found.hits[0].score == 1 && found.hits[1].score == 0.5);
    assert_true(isnan(found.hits[0].vector_score));
    assert_int_equal(s->fake.calls, calls); /* words never pay for vectors */
    assert_null(found.query);
}

/* ---- Where a document stands ---- */

/* The place that is explained is the place that a search shows, also for the one behind all that a search looks at. */
static void check_places(const char *what, struct setting *s, struct search_request r, size_t every) {
    r.k = s->table.n;
    struct search_result found = run(s, &r);
    for (size_t i = 0; i < found.n_hits; i += every) {
        struct search_place place;
        assert_int_equal(search_find_document(&s->index, s->words, &s->a, &r, found.hits[i].passage.document_number, &place, &s->err), QA_OK);
        if (!place.found || place.rank != i + 1 || fabs(place.score - found.hits[i].score) > 1e-12)
            fail_msg("%s: rank %zu with %.12g is explained as rank %zu with %.12g", what, i + 1, found.hits[i].score, place.rank, place.score);
        assert_true(isnan(found.hits[i].vector_score) ? isnan(place.vector_score) : place.vector_score == found.hits[i].vector_score);
    }
}

static void test_places(void **state) {
    struct setting *s = *state;
    for (int mode = 0; mode < 3; mode++)
        for (int pending = 0; pending < 2; pending++) {
            table_make(&s->table, &s->a, 80, 0.5, pending ? 0.6 : 1, 20);
            struct search_request r = request_of(s, 0);
            r.mode = (const qa_mode[]){QA_MODE_HYBRID, QA_MODE_TEXT, QA_MODE_VECTOR}[mode];
            r.pending = pending;
            check_places("few chunks", s, r, 1);
        }
    struct search_place place;
    struct search_request r = request_of(s, 5);
    assert_int_equal(search_find_document(&s->index, s->words, &s->a, &r, 81, &place, &s->err), QA_OK);
    assert_false(place.found);
}

/* k does not decide what the first hits are; explaining looks at everything, and must not see another order than a search of ten. */
static void test_depth_does_not_change_the_order(void **state) {
    struct setting *s = *state;
    table_make(&s->table, &s->a, 4000, 0.9, 1, 1000000);
    struct search_request r = request_of(s, 50);
    struct search_result few = run(s, &r);
    for (size_t i = 0; i < few.n_hits; i++) {
        struct search_place place;
        assert_int_equal(search_find_document(&s->index, s->words, &s->a, &r, few.hits[i].passage.document_number, &place, &s->err), QA_OK);
        if (place.rank != i + 1 || fabs(place.score - few.hits[i].score) > 1e-12)
            fail_msg("rank %zu of the search with %.12g is explained as rank %zu with %.12g", i + 1, few.hits[i].score, place.rank, place.score);
    }
    r.k = 2500;
    struct search_result many = run(s, &r);
    for (size_t i = 0; i < few.n_hits; i++)
        assert_int_equal(many.hits[i].passage.chunk_number, few.hits[i].passage.chunk_number);
}

/* ---- The vector of the question ---- */

static void check_query(const struct setting *s, const char *const *texts, size_t n) {
    double sum[FAKE_DIMENSIONS] = {0}, square = 0;
    for (size_t i = 0; i < n; i++) {
        float v[FAKE_DIMENSIONS];
        fake_embedder_vector(&s->fake, texts[i], strlen(texts[i]), v);
        for (size_t k = 0; k < FAKE_DIMENSIONS; k++)
            sum[k] += v[k];
    }
    for (size_t k = 0; k < FAKE_DIMENSIONS; k++)
        square += sum[k] * sum[k];
    for (size_t k = 0; k < FAKE_DIMENSIONS; k++)
        if (fabs(s->table.asked[k] - sum[k] / sqrt(square)) > 1e-5)
            fail_msg("%s: dimension %zu is %g, not %g", texts[0], k, s->table.asked[k], sum[k] / sqrt(square));
}

static void test_follow_ups(void **state) {
    static const char *const earlier[] = {"how fast does a widget spin?", "which default speed has a widget?"};
    static const struct {
        const char *question, *joined; /* NULL: by itself */
    } rows[] = {
        {"and a gadget?", "how fast does a widget spin? which default speed has a widget? and a gadget?"},
        {"can it be changed?", "how fast does a widget spin? which default speed has a widget? can it be changed?"},
        {"how do I rotate the encryption keys of a feature store?", NULL},
    };
    struct setting *s = *state;
    double text[] = {1}, vector[] = {0.5};
    s->table = (struct table){.n = 1, .text = text, .vector = vector};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct search_request r = request_of(s, 5);
        size_t before = s->fake.texts;
        r.question = rows[i].question;
        r.earlier = earlier;
        r.n_earlier = 2;
        struct search_result found = run(s, &r);
        const char *texts[] = {rows[i].question, rows[i].joined};
        check_query(s, texts, rows[i].joined ? 2 : 1);
        assert_int_equal(s->fake.texts - before, rows[i].joined ? 2 : 1);
        assert_non_null(found.query);
        assert_memory_equal(found.query, s->table.asked, sizeof s->table.asked);
    }
    assert_int_equal(s->fake.queries, s->fake.texts); /* all on the side of questions */
    struct search_request first = request_of(s, 5); /* nothing was said before */
    first.question = "and a gadget?";
    run(s, &first);
    check_query(s, &first.question, 1);
}

/* ---- Failures ---- */

static void test_embedder_fails(void **state) {
    static const struct {
        const char *what;
        qa_status fails, hybrid, vector;
    } rows[] = {
        {"a server that is gone", QA_REMOTE, QA_OK, QA_REMOTE},
        {"no memory", QA_NO_MEMORY, QA_NO_MEMORY, QA_NO_MEMORY},
        {"stopped", QA_CANCELLED, QA_CANCELLED, QA_CANCELLED},
    };
    struct setting *s = *state;
    table_make(&s->table, &s->a, 30, 0.5, 1, 1000);
    struct search_request words = request_of(s, 10);
    words.mode = QA_MODE_TEXT;
    struct search_result plain = run(s, &words);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int mode = 0; mode < 2; mode++) {
            struct search_result found;
            struct search_request r = request_of(s, 10);
            r.mode = mode ? QA_MODE_VECTOR : QA_MODE_HYBRID;
            s->fake = (struct fake_embedder){.fail_at = 1, .fail_with = rows[i].fails};
            s->err = (qa_error){0};
            qa_status status = search_run(&s->index, s->words, &s->a, &r, &found, &s->err);
            if (status != (mode ? rows[i].vector : rows[i].hybrid))
                fail_msg("%s: %s in mode %d", rows[i].what, qa_status_name(status), mode);
            if (status != QA_OK) {
                assert_string_equal(s->err.message, "the embedder failed on purpose");
                continue;
            }
            assert_non_null(found.notice);
            assert_non_null(strstr(found.notice, "the embedder failed on purpose"));
            assert_null(found.query);
            assert_int_equal(found.n_hits, plain.n_hits);
            for (size_t h = 0; h < found.n_hits; h++) {
                assert_int_equal(found.hits[h].passage.chunk_number, plain.hits[h].passage.chunk_number);
                assert_true(found.hits[h].score == plain.hits[h].score && isnan(found.hits[h].vector_score));
            }
        }
}

/* ---- With documents ---- */

struct library {
    struct setting *s;
    struct fake_index *fake;
};

static void add(struct library *l, const char *path, const char *title, const char *text, const char *group, const char *metadata) {
    assert_int_equal(fake_index_add(l->fake, "guide", path, title, NULL, text, group ? &group : NULL, group && *group, metadata ? metadata : "{}", NULL), QA_OK);
}

static void give_vectors(struct library *l) {
    struct index_port *index = &l->s->index;
    struct index_pending *chunks;
    size_t n;
    assert_int_equal(index->ops->begin(index->self, NULL), QA_OK);
    assert_int_equal(index->ops->use_space(index->self, "fake", "hash:fake", FAKE_DIMENSIONS, NULL), QA_OK);
    assert_int_equal(index->ops->pending_chunks(index->self, 0, 1000, &l->s->a, &chunks, &n, NULL), QA_OK);
    for (size_t i = 0; i < n; i++) {
        float v[FAKE_DIMENSIONS];
        struct hash128 key = hash_bytes(chunks[i].plain, chunks[i].plain_len);
        fake_embedder_vector(&l->s->fake, chunks[i].plain, chunks[i].plain_len, v);
        assert_int_equal(index->ops->put_vectors(index->self, &chunks[i].chunk, &key, v, 1, NULL), QA_OK);
    }
    assert_int_equal(index->ops->commit(index->self, NULL), QA_OK);
}

static void open_library(struct library *l, struct setting *s) {
    *l = (struct library){s, fake_index_new()};
    s->index = fake_index_port(l->fake);
    add(l, "open.md", "Widgets", "Widgets spin at ninety turns a minute.", NULL, "{\"version\":1}");
    add(l, "new.md", "Widgets", "Widgets spin at ninety turns a minute here.", NULL, "{\"version\":2}");
    add(l, "secret.md", "Widgets", "Widgets spin at ninety turns a minute there.", "finance", NULL);
    add(l, "nobody.md", "Widgets", "Widgets that spin turn a minute.", "", NULL);
    for (char name[] = "filler-a.md"; name[7] < 'm'; name[7]++)
        add(l, name, "Other", "Endpoints, roles, buckets and pipelines fill pages.", NULL, NULL);
}

/* Whatever may not be seen is on neither side; and what is forbidden changes no score that is seen. */
static void test_scope(void **state) {
    static const char *const finance[] = {"finance"};
    const struct caller outsider = {.signed_in = true}, insider = {.signed_in = true, .groups = finance, .n_groups = 1};
    struct setting *s = *state;
    struct library l;
    struct filter *version = NULL;
    open_library(&l, s);
    assert_int_equal(filter_parse(&s->a, "version = 1", &version, &s->err), QA_OK);
    const struct {
        const char *what;
        struct index_scope scope;
        const char *allowed; /* of the four about widgets */
    } rows[] = {
        {"a caller without groups", {.caller = &outsider}, "open.md new.md"},
        {"a caller with one", {.caller = &insider}, "open.md new.md secret.md"},
        {"a filter", {.filter = version}, "open.md"},
        {"a filter and a caller", {.caller = &insider, .filter = version}, "open.md"},
    };
    for (int vectors = 0; vectors < 3; vectors++) { /* none has one; all have; one more came */
        if (vectors == 1)
            give_vectors(&l);
        if (vectors == 2)
            add(&l, "late.md", "Gadgets", "Gadgets wait for their vector.", "finance", NULL);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            for (int mode = 0; mode < 2; mode++) {
                struct search_request r = {.question = "how fast do widgets spin?", .scope = rows[i].scope, .k = 50, .embedder = &s->embedder,
                                           .mode = mode ? QA_MODE_VECTOR : QA_MODE_HYBRID, .pending = vectors != 1};
                struct search_result found = run(s, &r);
                bool seen = false;
                for (size_t h = 0; h < found.n_hits; h++) {
                    const char *path = found.hits[h].passage.path;
                    bool widgets = strcmp(found.hits[h].passage.title, "Widgets") == 0;
                    if ((widgets && !strstr(rows[i].allowed, path)) || (rows[i].scope.filter && !widgets) || strcmp(path, "late.md") == 0)
                        fail_msg("%s (vectors %d, mode %d) found %s", rows[i].what, vectors, mode, path);
                    seen = seen || strcmp(path, "open.md") == 0;
                }
                assert_int_equal(seen, vectors || !mode);
                struct search_place place; /* nor is its place told */
                uint64_t nobody = 4;
                assert_int_equal(search_find_document(&s->index, s->words, &s->a, &r, nobody, &place, &s->err), QA_OK);
                assert_false(place.found);
            }
    }
    fake_index_free(l.fake);
}

/* Text is found before its vectors are there, and by its vector where no word is the same. */
static void test_pending_and_found_by_vector(void **state) {
    struct setting *s = *state;
    struct library l;
    open_library(&l, s);
    give_vectors(&l);
    add(&l, "late.md", "Gadgets", "Gadgets wait for a vector.", NULL, NULL);
    struct search_request r = {.question = "gadgets", .k = 5, .embedder = &s->embedder, .pending = true};
    struct search_result found = run(s, &r);
    assert_string_equal(found.hits[0].passage.path, "late.md");
    assert_true(found.hits[0].score == 1 && isnan(found.hits[0].vector_score) && found.hits[0].text_score > 0);
    struct search_result by_vector;
    r.question = "zzyzx"; /* no document has the word, but a vector has everything */
    by_vector = run(s, &r);
    assert_true(by_vector.n_hits > 0);
    assert_true(isnan(by_vector.hits[0].text_score) && by_vector.hits[0].vector_score > 0);
    fake_index_free(l.fake);
}

/* A vector there is for everything, and something is nearest to it; an answer made of that would be one to nothing. */
static void test_no_word_to_search_for(void **state) {
    static const char *const nothing[] = {"???", "the of and", "\xF0\x9F\x98\x80", "\xE2\x80\x94 \xE2\x80\xA6"};
    static const char *const something[] = {"\xE9\x85\x8D\xE9\xA2\x9D", "zzyzx", "42", "C++"}; /* the first is Chinese */
    static const char *const earlier[] = {"how fast do widgets spin?"};
    struct setting *s = *state;
    struct library l;
    open_library(&l, s);
    give_vectors(&l);
    for (int mode = 0; mode < 2; mode++) {
        struct search_request r = {.k = 5, .embedder = &s->embedder, .mode = mode ? QA_MODE_VECTOR : QA_MODE_HYBRID};
        for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
            size_t before = s->fake.texts;
            struct search_place place;
            r.question = nothing[i];
            r.n_earlier = 0;
            struct search_result found = run(s, &r);
            if (found.n_hits || found.query || s->fake.texts != before)
                fail_msg("\"%s\" found %zu passages", nothing[i], found.n_hits);
            assert_int_equal(found.total_chunks, 16);
            assert_int_equal(search_find_document(&s->index, s->words, &s->a, &r, 1, &place, &s->err), QA_OK);
            assert_false(place.found);
            r.earlier = earlier; /* leans on what was asked before */
            r.n_earlier = 1;
            assert_true(run(s, &r).n_hits > 0);
            assert_true(s->fake.texts > before);
        }
        r.n_earlier = 0;
        for (size_t i = 0; i < sizeof something / sizeof *something; i++) {
            r.question = something[i];
            if (!run(s, &r).n_hits)
                fail_msg("\"%s\" found nothing", something[i]);
        }
    }
    fake_index_free(l.fake);
}

static void test_large_k_and_empty_index(void **state) {
    struct setting *s = *state;
    struct library l;
    open_library(&l, s);
    give_vectors(&l);
    struct search_request r = {.question = "widgets", .k = 100000, .embedder = &s->embedder};
    struct search_result found = run(s, &r);
    assert_int_equal(found.n_hits, 4 + 12); /* all: the vectors find everything */
    for (size_t i = 1; i < found.n_hits; i++)
        assert_true(found.hits[i - 1].score >= found.hits[i].score);
    assert_true(found.hits[0].score <= 1 && found.hits[found.n_hits - 1].score >= 0);
    struct fake_index *empty = fake_index_new();
    s->index = fake_index_port(empty);
    for (int mode = 0; mode < 3; mode++) {
        r.mode = (const qa_mode[]){QA_MODE_HYBRID, QA_MODE_TEXT, QA_MODE_VECTOR}[mode];
        found = run(s, &r);
        assert_int_equal(found.n_hits, 0);
        assert_int_equal(found.total_chunks, 0);
    }
    fake_index_free(empty);
    fake_index_free(l.fake);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_fusion),     TEST(test_only_hits_are_scored), TEST(test_one_side_alone),
        TEST(test_places),     TEST(test_depth_does_not_change_the_order),
        TEST(test_follow_ups), TEST(test_embedder_fails),       TEST(test_scope),
        TEST(test_pending_and_found_by_vector),                 TEST(test_large_k_and_empty_index),
        TEST(test_no_word_to_search_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
