/* Vectors follow the text, on an index in memory and an embedder of hashes. */
#include "fake/fake_embedder.h"
#include "fake/fake_index.h"
#include "ingest/ingest.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MANY = 300 }; /* chunks: more than two transactions */

static struct fake_index *fake;
static struct index_port index_;
static struct fake_embedder embedder;
static qa_ingest_report report;
static qa_error err;
static atomic_int cancel;

static int setup(void **state) {
    (void)state;
    setenv("QUAERE_CLOCK", "2026-01-31T12:00:00Z", 1);
    fake = fake_index_new();
    index_ = fake_index_port(fake);
    embedder = (struct fake_embedder){0};
    atomic_store(&cancel, 0);
    return fake ? 0 : -1;
}
static int teardown(void **state) {
    (void)state;
    fake_index_free(fake);
    return 0;
}

static void add(const char *path, const char *title, const char *text) {
    assert_int_equal(fake_index_add(fake, "s", path, title, NULL, text, NULL, 0, "{}", &err), QA_OK);
}

/* One document of n chunks; every `period`th text is the same. */
static void add_many(const char *path, int n, int period) {
    struct buf text;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < n; i++)
        buf_printf(&text, "Paragraph number%d speaks of thing%d.\n\n", i % period, i % period * 7);
    add(path, "Many", text.data);
    buf_free(&text);
}

static qa_status embed(void) {
    struct ingest_embedding run = {.index = index_, .embedder = fake_embedder_port(&embedder), .cancel = &cancel};
    report = (qa_ingest_report){0};
    err = (qa_error){0};
    return ingest_embed(&run, &report, &err);
}

static void check_space(uint64_t vectors, uint64_t pending) {
    struct arena a;
    struct index_space space;
    arena_init(&a, 1 << 20);
    assert_int_equal(index_.ops->vector_space(index_.self, &a, &space, &err), QA_OK);
    assert_int_equal(space.vectors, vectors);
    assert_int_equal(space.pending, pending);
    arena_free(&a);
}

static char *dump(void) {
    struct buf out;
    buf_init(&out, 16 << 20);
    buf_puts(&out, "");
    fake_index_dump(fake, &out);
    return buf_take(&out);
}

/* ---- The text ---- */

static void test_embedded_text(void **state) {
    static const struct {
        const char *what, *title, *heading[3];
        size_t n_heading;
        const char *plain, *text;
    } rows[] = {
        {"title and headings in one line", "Guide", {"Setup", "Roles"}, 2, "Make a role.", "Guide > Setup > Roles\nMake a role."},
        {"the title is also the first heading", "Guide", {"Guide", "Roles"}, 2, "Make one.", "Guide > Roles\nMake one."},
        {"a heading that comes again further down stays", "Guide", {"Roles", "Guide"}, 2, "x", "Guide > Roles > Guide\nx"},
        {"no heading", "Guide", {NULL}, 0, "Text.", "Guide\nText."},
        {"no title", "", {"Setup"}, 1, "Text.", "Setup\nText."},
        {"an empty heading between", "Guide", {"", "Roles"}, 2, "Text.", "Guide > Roles\nText."},
        {"nothing but text", "", {NULL}, 0, "Text.", "Text."},
        {"nothing but a title", "Guide", {NULL}, 0, "", "Guide\n"},
    };
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *heading[3] = {rows[i].heading[0], rows[i].heading[1], rows[i].heading[2]};
        struct index_pending chunk = {.title = rows[i].title, .heading = heading, .n_heading = rows[i].n_heading, .plain = rows[i].plain,
                                      .plain_len = strlen(rows[i].plain)};
        size_t len = 0;
        const char *text = ingest_embedded_text(&a, &chunk, &len);
        assert_non_null(text);
        if (strcmp(text, rows[i].text) != 0 || len != strlen(rows[i].text))
            fail_msg("%s: %s (%zu bytes), not %s", rows[i].what, text, len, rows[i].text);
    }
    struct index_pending cut = {.title = "T", .plain = "text that goes on", .plain_len = 4}; /* not up to a NUL */
    size_t len = 0;
    assert_string_equal(ingest_embedded_text(&a, &cut, &len), "T\ntext");
    assert_int_equal(len, 6);
    arena_free(&a);
}

/* ---- Who gets a vector ---- */

static void test_all_get_theirs(void **state) {
    (void)state;
    assert_int_equal(fake_index_add(fake, "s", "a.md", "Apples", "Red ones", "Sweet.\n\nSour.", NULL, 0, "{}", &err), QA_OK);
    add("b.md", "Bears", "Brown.");
    assert_int_equal(embed(), QA_OK);
    assert_int_equal(report.embedded, 3);
    assert_int_equal(report.computed, 3);
    assert_int_equal(embedder.queries, 0);
    check_space(3, 0);
    static const char *const texts[] = {"Apples > Red ones\nSweet.", "Apples > Red ones\nSour.", "Bears\nBrown."};
    for (uint64_t chunk = 1; chunk <= 3; chunk++) {
        float query[FAKE_DIMENSIONS];
        double cosine = 0;
        fake_embedder_vector(&embedder, texts[chunk - 1], strlen(texts[chunk - 1]), query);
        assert_int_equal(index_.ops->vector_scores(index_.self, query, &chunk, 1, &cosine, &err), QA_OK);
        if (!(cosine > 0.9999))
            fail_msg("chunk %d is not made of \"%s\" (%g)", (int)chunk, texts[chunk - 1], cosine);
    }
}

static void test_several_transactions(void **state) {
    (void)state;
    add_many("a.md", MANY, MANY);
    unsigned before = fake_index_counts(fake).commits;
    assert_int_equal(embed(), QA_OK);
    assert_int_equal(report.embedded, MANY);
    assert_int_equal(embedder.texts, MANY);
    assert_true(fake_index_counts(fake).commits - before > 2);
    check_space(MANY, 0);
}

/* An embedder with many threads wants many texts at once. */
static void test_as_many_as_it_wants(void **state) {
    (void)state;
    add_many("a.md", MANY, MANY);
    embedder.at_once = MANY;
    assert_int_equal(embed(), QA_OK);
    assert_int_equal(embedder.calls, 1);
    assert_int_equal(report.embedded, MANY);
    check_space(MANY, 0);
}

static void test_tokens_of_what_was_computed(void **state) {
    (void)state;
    add("a.md", "Bears", "Brown and large.");
    add("b.md", "Bears", "Brown and large."); /* known by then */
    add("c.md", "Bees", "Yellow.");
    assert_int_equal(embed(), QA_OK);
    assert_int_equal(report.computed, 2);
    assert_int_equal(report.tokens, 4 + 2);
    add("d.md", "Ants", "Red.");
    assert_int_equal(embed(), QA_OK);
    assert_int_equal(report.tokens, 2);
}

static void test_nothing_pending(void **state) {
    (void)state;
    add("a.md", "A", "Text.");
    assert_int_equal(embed(), QA_OK);
    struct fake_index_counts before = fake_index_counts(fake);
    assert_int_equal(embed(), QA_OK);
    assert_int_equal(embedder.calls, 1); /* of the first run */
    assert_int_equal(report.embedded, 0);
    assert_int_equal(fake_index_counts(fake).begins, before.begins);
}

static void test_empty_index(void **state) {
    (void)state;
    assert_int_equal(embed(), QA_OK);
    assert_int_equal(report.embedded, 0);
    assert_int_equal(embedder.calls, 0);
}

/* ---- Computed once ---- */

static void test_once_in_a_batch_and_between(void **state) {
    (void)state;
    add_many("a.md", MANY, 5); /* each batch holds all five */
    assert_int_equal(embed(), QA_OK);
    assert_int_equal(report.embedded, MANY);
    assert_int_equal(report.computed, 5);
    assert_int_equal(embedder.texts, 5);
    add_many("b.md", 7, 7);    /* a later run: five are known */
    assert_int_equal(embed(), QA_OK);
    assert_int_equal(report.embedded, 7);
    assert_int_equal(report.computed, 2);
    check_space(MANY + 7, 0);
}

static void test_a_change_costs_one_chunk(void **state) {
    (void)state;
    add("a.md", "A", "One stays.\n\nTwo changes.\n\nThree stays.");
    assert_int_equal(embed(), QA_OK);
    add("a.md", "A", "One stays.\n\nTwo is changed.\n\nThree stays.");
    check_space(0, 3);
    assert_int_equal(embed(), QA_OK);
    assert_int_equal(report.embedded, 3);
    assert_int_equal(report.computed, 1);
    add("a.md", "Another title", "One stays.\n\nTwo is changed.\n\nThree stays."); /* part of every text */
    assert_int_equal(embed(), QA_OK);
    assert_int_equal(report.computed, 3);
}

static void test_a_move_costs_nothing(void **state) {
    (void)state;
    add("a.md", "A", "One.\n\nTwo.");
    assert_int_equal(embed(), QA_OK);
    struct index_document_record moved = *fake_index_find(fake, "s", "a.md");
    moved.path = "folder/b.md";
    assert_int_equal(index_.ops->begin(index_.self, &err), QA_OK);
    assert_int_equal(index_.ops->move_document(index_.self, "s", "a.md", &moved, &err), QA_OK);
    assert_int_equal(index_.ops->commit(index_.self, &err), QA_OK);
    assert_int_equal(embed(), QA_OK);
    assert_int_equal(report.embedded, 2);
    assert_int_equal(report.computed, 0);
    assert_int_equal(embedder.calls, 1); /* of the first run */
    check_space(2, 0);
}

/* ---- What is told on the way ---- */

struct told {
    uint64_t first, last, total;
    unsigned n, calls;
};

static void note(const qa_ingest_event *e, void *user) {
    struct told *t = user;
    assert_int_equal(e->kind, QA_INGEST_EMBEDDING);
    assert_true(!t->n || e->done >= t->last);
    if (!t->n++) {
        t->first = e->done;
        t->calls = embedder.calls;
    }
    t->last = e->done;
    t->total = e->total;
}

/* A slow embedder is asked in steps that a person can watch; the first word comes before any of them. */
static void test_small_steps(void **state) {
    (void)state;
    struct told told = {.first = 99};
    struct ingest_embedding run = {.index = index_, .embedder = fake_embedder_port(&embedder), .cancel = &cancel, .on_event = note, .user = &told};
    add_many("a.md", MANY, MANY);
    assert_int_equal(ingest_embed(&run, &report, &err), QA_OK);
    assert_true(told.n >= 1 && told.last <= told.total);
    assert_int_equal(told.first, 0);
    assert_int_equal(told.calls, 0);
    assert_int_equal(told.total, MANY);
    assert_int_equal(embedder.calls, (MANY + 31) / 32); /* MANY is no multiple of 128, so that the last step of each transaction counts */
    told = (struct told){0};
    assert_int_equal(ingest_embed(&run, &report, &err), QA_OK);
    assert_int_equal(told.n, 0); /* nothing to do, nothing to tell */
}

/* ---- Stopped, failed ---- */

static void test_stopped_and_gone_on(void **state) {
    (void)state;
    add_many("a.md", MANY, MANY);
    embedder.stop = &cancel;
    embedder.stop_after = 200;
    assert_int_equal(embed(), QA_CANCELLED);
    assert_true(err.message[0]);
    size_t kept = report.embedded;
    assert_true(kept > 0 && kept < 200); /* whole transactions */
    assert_int_equal(report.computed, kept);
    check_space(kept, MANY - kept);
    char *before = dump();
    assert_int_equal(embed(), QA_CANCELLED); /* at once */
    assert_int_equal(embedder.texts, 200);
    char *after = dump();
    assert_string_equal(before, after);
    free(before);
    free(after);
    embedder.stop = NULL;
    atomic_store(&cancel, 0);
    assert_int_equal(embed(), QA_OK);
    assert_int_equal(report.embedded, MANY - kept);
    assert_int_equal(embedder.texts, 200 + MANY - kept);
    check_space(MANY, 0);
}

static void test_stopping_leaves_the_same_vectors(void **state) {
    (void)state;
    add_many("a.md", MANY, 180);
    embedder.fail_at = 5; /* the first step of the second transaction */
    assert_int_equal(embed(), QA_REMOTE);
    assert_int_equal(embed(), QA_OK);
    char *interrupted = dump();
    fake_index_free(fake);
    fake = fake_index_new();
    index_ = fake_index_port(fake);
    add_many("a.md", MANY, 180);
    assert_int_equal(embed(), QA_OK);
    char *straight = dump();
    assert_string_equal(interrupted, straight);
    free(interrupted);
    free(straight);
}

static void test_embedder_fails(void **state) {
    (void)state;
    add_many("a.md", MANY, MANY);
    embedder.fail_at = 5; /* the first step of the second transaction */
    assert_int_equal(embed(), QA_REMOTE);
    assert_string_equal(err.message, "the embedder failed on purpose");
    size_t kept = report.embedded;
    assert_true(kept > 0 && kept == embedder.texts);
    check_space(kept, MANY - kept);
    assert_int_equal(embed(), QA_OK);
    assert_int_equal(embedder.texts, MANY);
}

static void test_commit_fails(void **state) {
    (void)state;
    add_many("a.md", MANY, MANY);
    fake_index_fail(fake, 0, 3); /* the first names the embedder, the second keeps a batch */
    assert_int_equal(embed(), QA_IO);
    size_t kept = report.embedded;
    assert_true(kept > 0 && kept < MANY);
    assert_int_equal(report.computed, kept); /* what was lost was not done */
    check_space(kept, MANY - kept);
    assert_int_equal(embed(), QA_OK);
    check_space(MANY, 0);
}

/* ---- Another embedder ---- */

static void check_refused(const char *what, struct fake_embedder other) {
    char *before = dump();
    embedder = other;
    qa_status status = embed();
    if (status != QA_BAD_CONFIG)
        fail_msg("%s: %s", what, qa_status_name(status));
    assert_non_null(strstr(err.message, "fake"));
    assert_int_equal(embedder.calls, 0);
    assert_int_equal(report.embedded, 0);
    char *after = dump();
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void test_another_embedder(void **state) {
    (void)state;
    const struct fake_embedder other = {.name = "other", .fingerprint = "hash:other"}, larger = {.dimensions = 2 * FAKE_DIMENSIONS};
    add("a.md", "A", "Text.");
    assert_int_equal(embed(), QA_OK);
    check_refused("nothing pending", other);
    assert_non_null(strstr(err.message, "other"));
    add("b.md", "B", "More text.");
    check_refused("something pending", other);
    check_refused("other dimensions", larger);
    assert_int_equal(index_.ops->begin(index_.self, &err), QA_OK); /* what the message tells to do */
    assert_int_equal(index_.ops->drop_vectors(index_.self, &err), QA_OK);
    assert_int_equal(index_.ops->commit(index_.self, &err), QA_OK);
    embedder = other;
    assert_int_equal(embed(), QA_OK);
    assert_int_equal(report.embedded, 2);
    assert_int_equal(report.computed, 2);
}

/* The index of one embedder is told of another with the fingerprint, but not the name, of the first: a file that was renamed. */
static void test_another_name(void **state) {
    (void)state;
    add("a.md", "A", "Text.");
    assert_int_equal(embed(), QA_OK);
    add("b.md", "B", "More text.");
    embedder.name = "renamed";
    assert_int_equal(embed(), QA_OK);
    assert_int_equal(report.embedded, 1);
    check_space(2, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_embedded_text),        TEST(test_all_get_theirs),
        TEST(test_several_transactions), TEST(test_as_many_as_it_wants), TEST(test_tokens_of_what_was_computed), TEST(test_nothing_pending),
        TEST(test_empty_index),          TEST(test_once_in_a_batch_and_between),
        TEST(test_a_change_costs_one_chunk), TEST(test_a_move_costs_nothing),
        TEST(test_stopped_and_gone_on),  TEST(test_stopping_leaves_the_same_vectors),
        TEST(test_embedder_fails),       TEST(test_commit_fails),
        TEST(test_another_embedder),     TEST(test_another_name),
        TEST(test_small_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
