/* The search on an index in memory: terms and weights, follow-ups, scope, explanation. */
#include "fake/fake_index.h"
#include "search/search_internal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct fake_index *fake;
    struct index_port index;
    struct words *words;
    struct arena a;
};

static void add(struct fixture *f, const char *path, const char *title, const char *text, const char *group) {
    const char *groups[] = {group};
    assert_int_equal(fake_index_add(f->fake, "guide", path, title, NULL, text, group ? groups : NULL, group ? 1 : 0, "{}", NULL), QA_OK);
}

static int set_up(void **state) {
    struct fixture *f = test_calloc(1, sizeof *f);
    f->fake = fake_index_new();
    f->words = words_new();
    f->index = fake_index_port(f->fake);
    arena_init(&f->a, 64 << 20);
    add(f, "spot.md", "Spot training", "EnableManagedSpotTraining saves money. Spot capacity may be interrupted.", NULL);
    add(f, "cpu.md", "Notebooks on CPU", "The default instance type for CPU images is ml.t3.medium.", NULL);
    add(f, "gpu.md", "Notebooks on GPU", "The default instance type for GPU images is ml.g4dn.xlarge.", NULL);
    add(f, "limits.md", "Limits", "The maximum number of concurrent jobs is twenty.", NULL);
    add(f, "secret.md", "Spot prices", "Spot training spot training spot training prices.", "finance");
    for (char name[] = "filler-a.md"; name[7] < 'q'; name[7]++)
        add(f, name, "Other things", "Pages about endpoints, roles, buckets and pipelines fill this index.", NULL);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    arena_free(&f->a);
    words_free(f->words);
    fake_index_free(f->fake);
    test_free(f);
    return 0;
}

static const struct search_term *find(const struct search_terms *terms, const char *norm) {
    for (size_t i = 0; i < terms->n; i++)
        if (strcmp(terms->items[i].norm, norm) == 0)
            return &terms->items[i];
    return NULL;
}

static struct search_result run(struct fixture *f, const char *question, const char *const *earlier, size_t n, const struct caller *caller) {
    struct search_result out;
    struct search_request r = {.question = question, .earlier = earlier, .n_earlier = n, .k = 10, .scope = {.caller = caller}};
    qa_error err = {0};
    assert_int_equal(search_run(&f->index, f->words, &f->a, &r, &out, &err), QA_OK);
    return out;
}

/* ---- Terms ---- */

static void test_terms(void **state) {
    static const struct {
        const char *text, *norm;
        double weight; /* 0: not searched */
    } rows[] = {
        {"the interrupted training", "train", 1},           /* a stem */
        {"the interrupted training", "=training", 0.4},     /* as it is spelled */
        {"the interrupted training", "the", 0},             /* a stop word */
        {"max_concurrent_jobs", "concurr", 0.7},            /* a part */
        {"max_concurrent_jobs", "=maxconcurrentjobs", 0.4}, /* the whole */
        {"concurrent max_concurrent_jobs", "concurr", 1},   /* the largest weight stays */
        {"max jobs", "maximum", 0.6},                       /* an abbreviation */
        {"maximum jobs", "max", 0.6},                       /* and back */
        {"us-east-1", "us", 0},                             /* a part that is a stop word */
        {"us-east-1", "=useast1", 0.4},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct search_terms terms = {0};
        assert_int_equal(search_add_terms(f->words, &f->a, rows[i].text, true, 1, &terms, NULL), QA_OK);
        const struct search_term *t = find(&terms, rows[i].norm);
        if (!rows[i].weight != !t || (t && (t->weight < rows[i].weight - 1e-9 || t->weight > rows[i].weight + 1e-9)))
            fail_msg("%s: %s weighs %g, not %g", rows[i].text, rows[i].norm, t ? t->weight : 0, rows[i].weight);
    }
}

static void test_many_words(void **state) {
    struct fixture *f = *state;
    struct buf long_question;
    buf_init(&long_question, 1 << 20);
    for (int i = 0; i < 2000; i++)
        buf_printf(&long_question, "word%dx ", i);
    struct search_terms terms = {0};
    assert_int_equal(search_add_terms(f->words, &f->a, long_question.data, true, 1, &terms, NULL), QA_OK);
    assert_int_equal(terms.n, SEARCH_TERMS_MAX);
    buf_free(&long_question);
}

/* ---- Follow-ups ---- */

static void test_leaning(void **state) {
    static const struct {
        const char *question;
        bool leans;
    } rows[] = {
        {"for GPU ones?", true},
        {"and for the GPU notebooks in Frankfurt?", true},           /* opens with and */
        {"does it also learn from the grandparents?", true},         /* refers */
        {"it's interrupted how often per training job?", true},      /* it's refers too */
        {"how do I rotate the encryption keys of a feature store?", false},
        {"does it matter which algorithm, framework, instance, region, account or role trains?", false}, /* a pronoun, but long */
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (search_is_follow_up(f->words, rows[i].question) != rows[i].leans)
            fail_msg("%s: expected %d", rows[i].question, rows[i].leans);
}

static void test_follow_up_finds_what_it_means(void **state) {
    struct fixture *f = *state;
    const char *earlier[] = {"default instance type for CPU images in notebooks?"};
    struct search_result r = run(f, "and for GPU?", earlier, 1, NULL);
    assert_string_equal(r.hits[0].passage.path, "gpu.md");
    assert_int_equal(r.n_searched, 2);
    assert_string_equal(r.searched[0], "and for GPU?");
    assert_string_equal(r.searched[1], "default instance type for CPU images in notebooks? and for GPU?");
    const struct search_term *old = find(&r.terms, "instanc"), *own = find(&r.terms, "gpu");
    assert_non_null(old);
    assert_false(old->own);
    assert_true(old->weight <= 0.7 && old->weight > 0);
    assert_true(own->own && own->weight > 0.99);
}

static void test_new_topic_is_not_dragged_back(void **state) {
    struct fixture *f = *state;
    const char *earlier[] = {"default instance type for CPU images in notebooks?", "which instance type for CPU images?"};
    struct search_result r = run(f, "what is the maximum number of concurrent jobs?", earlier, 2, NULL);
    assert_string_equal(r.hits[0].passage.path, "limits.md");
}

static void test_only_two_questions_back(void **state) {
    struct fixture *f = *state;
    const char *earlier[] = {"spot capacity", "default instance type", "CPU images"};
    struct search_result r = run(f, "and that?", earlier, 3, NULL);
    assert_null(find(&r.terms, "spot"));
    assert_non_null(find(&r.terms, "instanc"));
}

static void test_earlier_mass_is_capped(void **state) {
    struct fixture *f = *state;
    const char *earlier[] = {"concurrent interrupted capacity money ml.t3.medium ml.g4dn.xlarge prices twenty maximum number"};
    struct search_result r = run(f, "pages", earlier, 1, NULL);
    double ours = 0, theirs = 0;
    for (size_t i = 0; i < r.terms.n; i++)
        *(r.terms.items[i].own ? &ours : &theirs) += r.terms.items[i].weight * r.terms.items[i].idf;
    assert_true(theirs > 0 && theirs <= 3 * ours + 1e-9);
}

/* ---- Results ---- */

static void test_identifiers(void **state) {
    static const struct {
        const char *question, *path;
    } rows[] = {
        {"enablemanagedspottraining", "spot.md"}, {"EnableManagedSpotTraining", "spot.md"}, {"managed spot", "spot.md"},
        {"ml.g4dn.xlarge", "gpu.md"},             {"g4dn", "gpu.md"},                       {"max concurrent jobs", "limits.md"},
    };
    struct fixture *f = *state;
    struct caller nobody = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct search_result r = run(f, rows[i].question, NULL, 0, &nobody);
        if (!r.n_hits || strcmp(r.hits[0].passage.path, rows[i].path) != 0)
            fail_msg("%s found %s", rows[i].question, r.n_hits ? r.hits[0].passage.path : "nothing");
        assert_true(r.hits[0].score == 1);
    }
}

static void test_caller(void **state) {
    struct fixture *f = *state;
    const char *finance[] = {"finance"};
    struct caller outsider = {.signed_in = true}, insider = {.signed_in = true, .groups = finance, .n_groups = 1};
    struct search_result r = run(f, "spot training prices", NULL, 0, &outsider);
    for (size_t i = 0; i < r.n_hits; i++)
        assert_string_not_equal(r.hits[i].passage.path, "secret.md");
    r = run(f, "spot training prices", NULL, 0, &insider);
    assert_string_equal(r.hits[0].passage.path, "secret.md");
}

static void test_nothing_found(void **state) {
    struct fixture *f = *state;
    struct search_result r = run(f, "zyzzyva", NULL, 0, NULL);
    assert_int_equal(r.n_hits, 0);
    assert_true(r.total_chunks > 0);
    r = run(f, "what is it?", NULL, 0, NULL); /* stop words alone */
    assert_int_equal(r.n_hits, 0);
}

static void test_gap(void **state) {
    struct fixture *f = *state;
    struct search_result few = run(f, "ml.g4dn.xlarge", NULL, 0, NULL), many = run(f, "endpoints roles", NULL, 0, NULL);
    assert_true(few.gap == SEARCH_USUAL_GAP);          /* there are not ten */
    assert_true(many.gap >= 0 && many.gap < 0.05);     /* ten alike */
}

static void test_bad_questions(void **state) {
    struct fixture *f = *state;
    struct search_result out;
    qa_error err = {0};
    struct search_request r = {.question = " \n\t ", .k = 5};
    assert_int_equal(search_run(&f->index, f->words, &f->a, &r, &out, &err), QA_BAD_INPUT);
    assert_string_equal(err.message, "the question is empty");
    char *huge = test_malloc(SEARCH_QUESTION_MAX + 2);
    memset(huge, 'a', SEARCH_QUESTION_MAX + 1);
    huge[SEARCH_QUESTION_MAX + 1] = '\0';
    r.question = huge;
    assert_int_equal(search_run(&f->index, f->words, &f->a, &r, &out, &err), QA_TOO_LARGE);
    test_free(huge);
}

static void test_place(void **state) {
    struct fixture *f = *state;
    struct search_place place;
    struct index_document d;
    uint64_t *chunks;
    size_t n;
    struct search_request r = {.question = "default instance type for GPU images on Mars", .k = 5};
    assert_int_equal(f->index.ops->find_document(f->index.self, &r.scope, NULL, "cpu.md", &f->a, &d, &chunks, &n, NULL), QA_OK);
    assert_int_equal(search_find_document(&f->index, f->words, &f->a, &r, d.document, &place, NULL), QA_OK);
    assert_true(place.found);
    assert_int_equal(place.rank, 2);
    assert_int_equal(place.n_missing, 2);
    assert_string_equal(place.missing[0], "GPU");
    assert_string_equal(place.missing[1], "Mars");
    r.question = "zyzzyva";
    assert_int_equal(search_find_document(&f->index, f->words, &f->a, &r, d.document, &place, NULL), QA_OK);
    assert_false(place.found);
    assert_string_equal(place.missing[0], "zyzzyva");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terms),
        cmocka_unit_test(test_many_words),
        cmocka_unit_test(test_leaning),
        cmocka_unit_test(test_follow_up_finds_what_it_means),
        cmocka_unit_test(test_new_topic_is_not_dragged_back),
        cmocka_unit_test(test_only_two_questions_back),
        cmocka_unit_test(test_earlier_mass_is_capped),
        cmocka_unit_test(test_identifiers),
        cmocka_unit_test(test_caller),
        cmocka_unit_test(test_nothing_found),
        cmocka_unit_test(test_gap),
        cmocka_unit_test(test_bad_questions),
        cmocka_unit_test(test_place),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
