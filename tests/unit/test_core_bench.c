/* `quaere bench embed`: which texts are measured, the rows with all-MiniLM-L6-v2 of tools/test-models, and what ends it. Of speeds only that there are some. */
#include "base/json.h"
#include "core/bench.h"
#include "embed/embed.h"
#include "llm_fixture.h"

struct fixture {
    struct fake_tree tree;
    struct arena a;
    qa *q;
    struct embedder_text *texts;
    size_t n;
    json_t *told;
    char *json;
};

static int set_up(void **state) {
    struct fixture *f = test_calloc(1, sizeof *f);
    qa_error err = {0};
    fake_tree_make(&f->tree);
    fake_tree_put(&f->tree, "quaere.yaml", "index: i.db\nstate: s.db\n");
    const qa_open_options options = {.config = fake_tree_path(&f->tree, "quaere.yaml"), .create = true};
    assert_int_equal(qa_open(&options, &f->q, &err), QA_OK);
    arena_init(&f->a, 16 << 20);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    json_decref(f->told);
    free(f->json);
    qa_close(f->q);
    arena_free(&f->a);
    fake_tree_remove(&f->tree);
    test_free(f);
    return 0;
}

static qa_status take(struct fixture *f, const char *from, qa_error *err) {
    f->texts = NULL;
    f->n = 0;
    return core_bench_texts(from, NULL, &f->a, &f->texts, &f->n, err);
}

/* ---- Texts ---- */

static void built_in_texts_are_the_same_each_time(void **state) {
    struct fixture *f = *state;
    qa_error err = {0};
    assert_int_equal(take(f, NULL, &err), QA_OK);
    const struct embedder_text *first = f->texts;
    size_t n = f->n, lengths = 0;
    assert_int_equal(n, CORE_BENCH_TEXTS);
    assert_int_equal(take(f, NULL, &err), QA_OK);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(first[i].text, f->texts[i].text);
        assert_int_equal(first[i].len, strlen(first[i].text));
        lengths += i > 0 && first[i].len != first[i - 1].len;
    }
    assert_in_range(lengths, n / 2, n); /* as chunks, they differ */
}

static void put_list(struct fixture *f, size_t n) {
    FILE *to = fopen(fake_tree_path(&f->tree, "list"), "wb");
    assert_non_null(to);
    for (size_t i = 0; i < n; i++) { /* an empty one before each: no text */
        assert_int_equal(fputc('\0', to), '\0');
        fprintf(to, "text %zu", i);
        assert_int_equal(fputc('\0', to), '\0');
    }
    assert_int_equal(fclose(to), 0);
}

static void a_list_is_taken_evenly(void **state) {
    struct fixture *f = *state;
    static const size_t counts[] = {1, 3, CORE_BENCH_TEXTS, CORE_BENCH_TEXTS + 1, 3 * CORE_BENCH_TEXTS};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        qa_error err = {0};
        size_t n = counts[c], wanted = n < CORE_BENCH_TEXTS ? n : CORE_BENCH_TEXTS;
        put_list(f, n);
        assert_int_equal(take(f, fake_tree_path(&f->tree, "list"), &err), QA_OK);
        assert_int_equal(f->n, wanted);
        for (size_t i = 0; i < f->n; i++) {
            char expected[40];
            snprintf(expected, sizeof expected, "text %zu", i * n / wanted);
            assert_string_equal(f->texts[i].text, expected);
        }
    }
}

static void documents_are_cut_as_ingest_does(void **state) {
    struct fixture *f = *state;
    qa_error err = {0};
    fake_tree_put(&f->tree, "docs/a.md", "# Jobs\n\nA job may run for 7 days.\n\n## Cost\n\nIt costs nothing.\n");
    fake_tree_put(&f->tree, "docs/b.md", "# Roles\n\nA role is a name.\n");
    fake_tree_put(&f->tree, "docs/c.bin", "no document");
    assert_int_equal(take(f, fake_tree_path(&f->tree, "docs"), &err), QA_OK);
    assert_in_range(f->n, 2, 4);
    assert_non_null(strstr(f->texts[0].text, "7 days"));
    assert_non_null(strstr(f->texts[0].text, "Jobs")); /* what is embedded begins with title and headings */
    assert_non_null(strstr(f->texts[f->n - 1].text, "A role is a name."));
    size_t all = f->n;
    assert_int_equal(take(f, fake_tree_path(&f->tree, "docs/b.md"), &err), QA_OK);
    assert_int_equal(f->n, 1);
    assert_true(all > f->n);
}

static void no_text_is_said(void **state) {
    struct fixture *f = *state;
    qa_error err = {0};
    fake_tree_put(&f->tree, "empty", NULL);
    assert_int_equal(take(f, fake_tree_path(&f->tree, "empty"), &err), QA_BAD_INPUT);
    assert_non_null(strstr(err.message, "holds no text"));
    fake_tree_put(&f->tree, "nothing", "");
    assert_int_equal(take(f, fake_tree_path(&f->tree, "nothing"), &err), QA_BAD_INPUT);
    assert_int_equal(take(f, fake_tree_path(&f->tree, "missing"), &err), QA_NOT_FOUND);
    atomic_int cancel = 1;
    assert_int_equal(core_bench_texts(fake_tree_path(&f->tree, "../"), &cancel, &f->a, &f->texts, &f->n, &err), QA_CANCELLED);
}

/* ---- Rows ---- */

static qa_status measure(struct fixture *f, struct core_bench *what, qa_error *err) {
    put_list(f, 5);
    what->texts = fake_tree_path(&f->tree, "list");
    what->model = what->model ? what->model : model_file(EMBEDDER_FILE);
    json_decref(f->told);
    free(f->json);
    f->told = NULL;
    f->json = NULL;
    qa_status status = core_bench_embed(f->q, what, &f->json, err);
    if (status == QA_OK)
        assert_int_equal(json_parse(f->json, strlen(f->json), &f->told, NULL), QA_OK);
    return status;
}

static void count_shows(void *user, const char *row, uint64_t done, uint64_t total) {
    size_t *shows = user;
    assert_non_null(row);
    assert_true(done <= total);
    ++*shows;
}

static void a_row_for_each_precision_and_number_of_threads(void **state) {
    struct fixture *f = *state;
    NEED_MODEL(EMBEDDER_FILE);
    qa_error err = {0};
    size_t shows = 0, i;
    json_t *row;
    struct core_bench what = {.precisions = 1u << EMBED_INT8 | 1u << EMBED_F32, .threads = {1, 2}, .n_threads = 2, .seconds = 0.01, .show = count_shows, .user = &shows};
    assert_int_equal(measure(f, &what, &err), QA_OK);
    const json_t *rows = json_object_get(f->told, "rows");
    assert_int_equal(json_array_size(rows), 4);
    assert_true(shows >= 4);
    json_array_foreach(rows, i, row) {
        const char *precision = json_get_string(row, "precision");
        assert_string_equal(precision, i < 2 ? "int8" : "f32");
        assert_int_equal(strncmp(json_get_string(row, "runs"), precision, strlen(precision)), 0); /* what ran is what was asked for */
        assert_int_equal(json_integer_value(json_object_get(row, "threads")), 1 + i % 2);
        static const char *const measured[] = {"tokens_per_second", "texts_per_second", "question_ms", "load_ms"};
        for (size_t k = 0; k < sizeof measured / sizeof *measured; k++)
            assert_true(json_number_value(json_object_get(row, measured[k])) > 0);
        assert_true(json_integer_value(json_object_get(row, "batches")) >= 3);
    }
    const json_t *texts = json_object_get(f->told, "texts"), *model = json_object_get(f->told, "model");
    assert_int_equal(json_integer_value(json_object_get(texts, "count")), 5);
    assert_int_equal(json_integer_value(json_object_get(texts, "tokens")), 5 * 4); /* "text", a digit, and the two markers */
    assert_int_equal(json_integer_value(json_object_get(model, "dimensions")), 384);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(f->told, "question"), "tokens")), 12);
}

static void cancel_at_first_show(void *user, const char *row, uint64_t done, uint64_t total) {
    (void)row, (void)done, (void)total;
    qa_cancel(user);
}

static void it_can_be_cancelled(void **state) {
    struct fixture *f = *state;
    NEED_MODEL(EMBEDDER_FILE);
    qa_error err = {0};
    struct core_bench what = {.threads = {1}, .n_threads = 1, .seconds = 600, .show = cancel_at_first_show, .user = f->q};
    assert_int_equal(measure(f, &what, &err), QA_CANCELLED);
    assert_null(f->json);
}

static void another_family_has_no_precision(void **state) {
    struct fixture *f = *state;
    NEED_MODEL(GENERATOR_FILE);
    qa_error err = {0};
    struct core_bench what = {.model = model_file(GENERATOR_FILE), .precisions = 1u << EMBED_INT8, .threads = {1}, .n_threads = 1, .seconds = 0.01};
    assert_int_equal(measure(f, &what, &err), QA_BAD_USAGE);
    assert_non_null(strstr(err.message, "runs through llama.cpp"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(built_in_texts_are_the_same_each_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_list_is_taken_evenly, set_up, tear_down),
        cmocka_unit_test_setup_teardown(documents_are_cut_as_ingest_does, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_text_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_row_for_each_precision_and_number_of_threads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_can_be_cancelled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_family_has_no_precision, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
