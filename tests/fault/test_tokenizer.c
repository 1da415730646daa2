// wrap: malloc,calloc,realloc,strdup,reallocarray,strndup
// Each allocation of opening a tokenizer fails once, or from then on, until a run meets no failure. It opens whole, or says
// QA_NO_MEMORY and leaves nothing.
#include "fake/fake_vocabulary.h"
#define SWEEP_ALLOCATING
#define SWEEP_ALLOCATING_MORE
#include "fault/sweep.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void attempt(void *user) {
    const struct fake_vocabulary *v = user;
    static const char text[] = "caf\xC3\xA9";
    struct tokenizer *t = NULL;
    int32_t ids[8];
    qa_error err = {0};
    sweep_arm();
    qa_status status = tokenizer_open(v->g, &t, &err);
    if (sweep_disarm()) {
        assert_int_equal(status, QA_NO_MEMORY);
        assert_null(t);
        assert_true(err.message[0]);
        return;
    }
    assert_int_equal(status, QA_OK);
    assert_int_equal(tokenizer_tokens(t, text, strlen(text), 8, ids, NULL), 1);
    assert_int_equal(ids[0], 3);
    tokenizer_close(t);
}

static void opening_a_tokenizer(void **state) {
    (void)state;
    static const char *const tokens[] = {"[UNK]", "[CLS]", "[SEP]", "cafe", "##s", NULL};
    struct fake_vocabulary v;
    fake_vocabulary_make(&v, tokens, 0, FAKE_YES, FAKE_UNSAID);
    unsigned points = sweep_all(SWEEP_MEMORY, false, 1, attempt, &v);
    assert_true(points > 5);
    sweep_all(SWEEP_MEMORY, true, 1, attempt, &v);
    fake_vocabulary_free(&v);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(opening_a_tokenizer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
