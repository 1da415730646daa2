// wrap: malloc,calloc,realloc,strdup,reallocarray,strndup
// Each allocation of a run that makes vectors fails once, or from then on, until a run meets no failure. Accepted: it ends well or with QA_NO_MEMORY; what it says it did
// is in the index and nothing else; and a run without faults then brings the index to the very same bytes as if nothing had happened.
#include "fake/fake_embedder.h"
#include "fake/fake_index.h"
#define SWEEP_ALLOCATING
#define SWEEP_ALLOCATING_MORE
#include "fault/sweep.h"
#include "ingest/ingest.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { CHUNKS = 140, DIFFERENT = 9 }; /* two transactions */

static struct fake_index *new_index(void) {
    struct fake_index *index = fake_index_new();
    struct buf text;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < CHUNKS; i++)
        buf_printf(&text, "Paragraph %d of many.\n\n", i % DIFFERENT);
    assert_int_equal(fake_index_add(index, "s", "a.md", "Many", "A heading", text.data, NULL, 0, "{}", NULL), QA_OK);
    buf_free(&text);
    return index;
}

static qa_status embed(struct fake_index *index, struct fake_embedder *embedder, qa_ingest_report *report, qa_error *err) {
    struct ingest_embedding run = {.index = fake_index_port(index), .embedder = fake_embedder_port(embedder)};
    *report = (qa_ingest_report){0};
    return ingest_embed(&run, report, err);
}

static char *dump_of(const struct fake_index *index) {
    struct buf out;
    buf_init(&out, 16 << 20);
    fake_index_dump(index, &out);
    char *text = buf_take(&out);
    assert_non_null(text);
    return text;
}

static uint64_t vectors_of(struct fake_index *index) {
    struct index_port port = fake_index_port(index);
    struct index_space space;
    struct arena a;
    arena_init(&a, 1 << 20);
    assert_int_equal(port.ops->vector_space(port.self, &a, &space, NULL), QA_OK);
    arena_free(&a);
    return space.vectors;
}

struct expected {
    char *dump;
    unsigned partly; /* attempts that kept a first transaction */
};

static void attempt(void *user) {
    struct expected *e = user;
    struct fake_index *index = new_index();
    struct fake_embedder embedder = {0};
    qa_ingest_report report;
    qa_error err = {0};
    sweep_arm();
    qa_status status = embed(index, &embedder, &report, &err);
    bool met = sweep_disarm();
    if (status != QA_OK && (status != QA_NO_MEMORY || !met || !err.message[0]))
        fail_msg("allocation %u: %s: %s", sweep.at, qa_status_name(status), err.message);
    assert_int_equal(vectors_of(index), report.embedded);
    assert_true(status != QA_OK || report.embedded == CHUNKS);
    e->partly += report.embedded > 0 && report.embedded < CHUNKS;
    assert_true(report.computed <= DIFFERENT);
    assert_int_equal(embed(index, &embedder, &report, &err), QA_OK);
    char *dump = dump_of(index);
    assert_string_equal(dump, e->dump);
    free(dump);
    fake_index_free(index);
}

static void everywhere(bool on) {
    struct fake_index *index = new_index();
    struct fake_embedder embedder = {0};
    qa_ingest_report report;
    qa_error err = {0};
    assert_int_equal(embed(index, &embedder, &report, &err), QA_OK);
    struct expected e = {.dump = dump_of(index)};
    fake_index_free(index);
    assert_true(sweep_all(SWEEP_MEMORY, on, on ? 5 : 2, attempt, &e) > 20);
    assert_true(e.partly > 0);
    free(e.dump);
}

static void one_allocation(void **state) { (void)state, everywhere(false); }
static void all_from_one_on(void **state) { (void)state, everywhere(true); }

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_allocation), cmocka_unit_test(all_from_one_on)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
