/* The embedder on llama.cpp, with all-MiniLM-L6-v2. */
#include "llm_fixture.h"
#include <math.h>

enum { DIMENSIONS = 384, CONTEXT = 128 };

static void open_embedder(struct embedder_port *e, unsigned threads, size_t context) {
    qa_error err = {0};
    struct llm_options o = options_for(model_file(EMBEDDER_FILE), true);
    o.threads = threads;
    o.context = context;
    if (llm_open_embedder(&o, e, &err) != QA_OK)
        fail_msg("%s", err.message);
}

/* One open model for the tests that only read. */
static int set_up(void **state) {
    *state = NULL;
    if (model_file(EMBEDDER_FILE)) {
        struct embedder_port *e = test_calloc(1, sizeof *e);
        open_embedder(e, 2, CONTEXT);
        *state = e;
    }
    return 0;
}
static int tear_down(void **state) {
    struct embedder_port *e = *state;
    if (e) {
        e->ops->close(e->self);
        test_free(e);
    }
    return 0;
}

static void embed(struct embedder_port *e, const char *text, size_t len, float *out) {
    qa_error err = {0};
    struct embedder_text t = {text, len};
    if (e->ops->embed(e->self, EMBEDDER_PASSAGE, &t, 1, NULL, out, &err) != QA_OK)
        fail_msg("%s", err.message);
}

static double dot(const float *a, const float *b) {
    double sum = 0;
    for (size_t i = 0; i < DIMENSIONS; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

static void meaning(void **state) {
    NEED_MODEL(EMBEDDER_FILE);
    struct embedder_port *e = *state;
    assert_int_equal(e->dimensions, DIMENSIONS);
    assert_int_equal(e->context, CONTEXT);
    assert_string_equal(e->name, "the-model");
    assert_string_equal(e->fingerprint, "f1");
    static const char *const texts[] = {"A cat is sitting on a rug", "The cat sat on the mat", "How do I rotate the keys?"};
    float v[3][DIMENSIONS];
    for (size_t i = 0; i < 3; i++)
        embed(e, texts[i], strlen(texts[i]), v[i]);
    assert_true(dot(v[0], v[1]) > dot(v[0], v[2]) + 0.5);
}

static const char *const mixed[] = {
    "", "a", "Spot training saves money.", "\xC3\xA4\xC3\xB6\xC3\xBC", "\xFF\xFE\x80 invalid", "[CLS] [SEP] [MASK]", "\xF0\x9F\x98\x80\xF0\x9F\x98\x80", " \n\t ",
    "A rainbow shows red, orange, yellow, green, blue, indigo and violet, from the outer side to the inner one.", "0", "Spot training saves money.",
};
enum { N_MIXED = sizeof mixed / sizeof *mixed };

/* Alone, with others, in another order, with another number of threads: the same bytes, of length 1. */
static void same_bytes(void **state) {
    NEED_MODEL(EMBEDDER_FILE);
    struct embedder_port *e = *state, single = {0};
    struct embedder_text texts[N_MIXED], turned[N_MIXED];
    static float all[N_MIXED][DIMENSIONS], back[N_MIXED][DIMENSIONS], other[N_MIXED][DIMENSIONS];
    qa_error err = {0};
    for (size_t i = 0; i < N_MIXED; i++) {
        texts[i] = (struct embedder_text){mixed[i], strlen(mixed[i])};
        turned[N_MIXED - 1 - i] = texts[i];
    }
    open_embedder(&single, 1, CONTEXT);
    assert_int_equal(e->ops->embed(e->self, EMBEDDER_PASSAGE, texts, N_MIXED, NULL, all[0], &err), QA_OK);
    assert_int_equal(e->ops->embed(e->self, EMBEDDER_PASSAGE, turned, N_MIXED, NULL, back[0], &err), QA_OK);
    assert_int_equal(single.ops->embed(single.self, EMBEDDER_QUERY, texts, N_MIXED, NULL, other[0], &err), QA_OK);
    for (size_t i = 0; i < N_MIXED; i++) {
        float alone[DIMENSIONS];
        embed(e, texts[i].text, texts[i].len, alone);
        double length = dot(alone, alone);
        if (!(fabs(length - 1) < 1e-5))
            fail_msg("\"%s\": length %g", mixed[i], length);
        if (memcmp(alone, all[i], sizeof alone) != 0 || memcmp(alone, back[N_MIXED - 1 - i], sizeof alone) != 0 || memcmp(alone, other[i], sizeof alone) != 0)
            fail_msg("\"%s\": the vector depends on what it is computed with", mixed[i]);
    }
    assert_memory_equal(all[2], all[10], sizeof all[2]);
    assert_int_equal(e->ops->embed(e->self, EMBEDDER_PASSAGE, NULL, 0, NULL, NULL, &err), QA_OK);
    single.ops->close(single.self);
}

/* What is too long is cut, and the pieces count the same. */
static void long_text(void **state) {
    NEED_MODEL(EMBEDDER_FILE);
    struct embedder_port *e = *state;
    enum { WORDS = 2 * (CONTEXT - 2) };
    char text[WORDS * 4 + 1];
    size_t half = WORDS / 2 * 4, tokens = 0;
    qa_error err = {0};
    for (size_t i = 0; i < WORDS; i++)
        memcpy(text + 4 * i, i < WORDS / 2 ? "cat " : "tax ", 4);
    text[WORDS * 4] = '\0';
    assert_int_equal(e->ops->count_tokens(e->self, text, WORDS * 4, &tokens, &err), QA_OK);
    assert_int_equal(tokens, WORDS + 2);
    float whole[DIMENSIONS], part[2][DIMENSIONS], mean[DIMENSIONS];
    embed(e, text, WORDS * 4, whole);
    embed(e, text, half, part[0]);
    embed(e, text + half, half, part[1]);
    for (size_t i = 0; i < DIMENSIONS; i++)
        mean[i] = part[0][i] + part[1][i];
    assert_true(dot(whole, mean) / sqrt(dot(mean, mean)) > 0.999999);
    assert_true(dot(part[0], part[1]) < 0.9);

    /* One token more makes three pieces of nearly the same length. */
    char *longer = malloc(WORDS * 4 + 5);
    memcpy(longer, text, WORDS * 4);
    memcpy(longer + WORDS * 4, "tax", 3);
    embed(e, longer, WORDS * 4 + 3, whole);
    assert_true(fabs(dot(whole, whole) - 1) < 1e-5);
    free(longer);
}

/* A prefix is as if it stood in the text; of a text that is cut each piece has it. */
static void prefixes(void **state) {
    NEED_MODEL(EMBEDDER_FILE);
    struct embedder_port *e = *state, own = {0};
    qa_error err = {0};
    struct llm_options o = options_for(model_file(EMBEDDER_FILE), true);
    o.context = CONTEXT;
    o.prefixes = (struct embedder_prefixes){{[EMBEDDER_PASSAGE] = "passage: ", [EMBEDDER_QUERY] = "Represent this sentence: "}};
    if (llm_open_embedder(&o, &own, &err) != QA_OK)
        fail_msg("%s", err.message);
    assert_memory_equal(own.fingerprint, "f1+", 3);
    float plain[DIMENSIONS], same[DIMENSIONS], with[EMBEDDER_SIDES][DIMENSIONS];
    const struct embedder_text text = {"how to rotate \xFF keys", 20};
    for (int side = 0; side < EMBEDDER_SIDES; side++) {
        char joined[100];
        assert_int_equal(own.ops->embed(own.self, (enum embedder_side)side, &text, 1, NULL, with[side], &err), QA_OK);
        int n = snprintf(joined, sizeof joined, "%s%s", o.prefixes.of[side], text.text);
        embed(e, joined, (size_t)n, same);
        assert_memory_equal(with[side], same, sizeof same);
        embed(e, text.text, text.len, plain);
        assert_true(dot(plain, same) < 0.9999);
    }
    /* "passage", ":" and 250 words: three pieces of 83 or 84 words */
    enum { WORDS = 250 };
    char many[WORDS * 4 + 1], piece[9 + 84 * 4 + 1];
    float whole[DIMENSIONS], mean[DIMENSIONS] = {0};
    for (size_t i = 0; i < WORDS; i++)
        memcpy(many + 4 * i, i < WORDS / 2 ? "cat " : "tax ", 5);
    const struct embedder_text longer = {many, WORDS * 4};
    assert_int_equal(own.ops->embed(own.self, EMBEDDER_PASSAGE, &longer, 1, NULL, whole, &err), QA_OK);
    for (size_t p = 0; p < 3; p++) {
        size_t from = WORDS * p / 3, to = WORDS * (p + 1) / 3;
        int n = snprintf(piece, sizeof piece, "passage: %.*s", (int)(4 * (to - from)), many + 4 * from);
        embed(e, piece, (size_t)n, same);
        for (size_t i = 0; i < DIMENSIONS; i++)
            mean[i] += same[i];
    }
    assert_true(dot(whole, mean) / sqrt(dot(mean, mean)) > 0.999999);
    own.ops->close(own.self);
    o.context = 5; /* two markers and two tokens of the one prefix leave room for a word, those of the other do not */
    assert_int_equal(llm_open_embedder(&o, &own, &err), QA_BAD_CONFIG);
    assert_non_null(strstr(err.message, "leaves no room for text in a context of 5"));
}

static void limits(void **state) {
    NEED_MODEL(EMBEDDER_FILE);
    struct embedder_port *e = *state, wide = {0};
    qa_error err = {0};
    float out[DIMENSIONS];
    size_t n = (16 << 20) + 1;
    char *huge = calloc(1, n);
    struct embedder_text texts[] = {{"fine", 4}, {huge, n}, {"fine", 4}};
    float three[3][DIMENSIONS];
    assert_int_equal(e->ops->embed(e->self, EMBEDDER_PASSAGE, texts, 3, NULL, three[0], &err), QA_TOO_LARGE);
    assert_non_null(strstr(err.message, "16777217"));
    free(huge);
    /* Not more context than the model was trained for. */
    open_embedder(&wide, 1, 100000);
    assert_in_range(wide.context, 128, 512);
    embed(&wide, "fine", 4, out);
    wide.ops->close(wide.self);
    /* A context without room for a word. */
    struct llm_options o = options_for(model_file(EMBEDDER_FILE), true);
    o.context = 2;
    assert_int_equal(llm_open_embedder(&o, &wide, &err), QA_CORRUPT);
    assert_non_null(strstr(err.message, "2 tokens leaves no room"));
}

static void cancelled(void **state) {
    NEED_MODEL(EMBEDDER_FILE);
    struct embedder_port *e = *state;
    const atomic_int cancel = 1;
    qa_error err = {0};
    float out[2 * DIMENSIONS], again[DIMENSIONS];
    struct embedder_text texts[] = {{"one", 3}, {"two", 3}};
    assert_int_equal(e->ops->embed(e->self, EMBEDDER_PASSAGE, texts, 2, &cancel, out, &err), QA_CANCELLED);
    assert_int_equal(e->ops->embed(e->self, EMBEDDER_PASSAGE, texts, 2, NULL, out, &err), QA_OK);
    embed(e, "one", 3, again);
    assert_memory_equal(out, again, sizeof again);
}

/* A file of unknown origin gives the same vectors. */
static void untrusted(void **state) {
    NEED_MODEL(EMBEDDER_FILE);
    struct embedder_port *e = *state, own = {0};
    qa_error err = {0};
    struct llm_options o = options_for(model_file(EMBEDDER_FILE), false);
    o.context = CONTEXT;
    if (llm_open_embedder(&o, &own, &err) != QA_OK)
        fail_msg("%s", err.message);
    float a[DIMENSIONS], b[DIMENSIONS];
    embed(e, "one", 3, a);
    embed(&own, "one", 3, b);
    assert_memory_equal(a, b, sizeof a);
    own.ops->close(own.self);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(meaning), cmocka_unit_test(same_bytes), cmocka_unit_test(long_text), cmocka_unit_test(prefixes), cmocka_unit_test(limits),
                                       cmocka_unit_test(cancelled), cmocka_unit_test(untrusted)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
