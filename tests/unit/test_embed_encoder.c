/* The encoder with a tiny model (tests/fake/fake_encoder.h), against the definition of BERT in double precision; what it makes of long and odd texts; and files that
 * it must refuse. */
#include "embed/embed.h"
#include "embed/encoder.h"
#include "fake/fake_encoder.h"
#include "fake/fake_tree.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { D = ENCODER_HIDDEN };
#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct fake_tree tree;
static char file[300];

static int set_up(void **state) {
    (void)state;
    fake_tree_make(&tree);
    snprintf(file, sizeof file, "%s", fake_tree_path(&tree, "tiny.gguf"));
    unsetenv("QUAERE_CPU");
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    fake_tree_remove(&tree);
    return 0;
}

static struct embed_options usual(void) {
    return (struct embed_options){.path = file, .name = "tiny", .fingerprint = "print", .precision = EMBED_F32, .threads = 2};
}
static struct embedder_port open_with(const struct fake_encoder *how, const struct embed_options *o) {
    struct embedder_port port = {0};
    qa_error err = {0};
    fake_encoder_write(how, file);
    if (embed_open(o, &port, &err) != QA_OK)
        fail_msg("%s", err.message);
    assert_int_equal(port.dimensions, D);
    return port;
}
static void shut(struct embedder_port *port) { port->ops->close(port->self); }

static void embed_all(const struct embedder_port *port, enum embedder_side side, const struct embedder_text *texts, size_t n, float *out) {
    qa_error err = {0};
    if (port->ops->embed(port->self, side, texts, n, NULL, out, &err) != QA_OK)
        fail_msg("%s", err.message);
}
static void embed_one(const struct embedder_port *port, enum embedder_side side, const char *text, float *out) {
    embed_all(port, side, &(struct embedder_text){text, strlen(text)}, 1, out);
}
static bool is_unit(const float *v) {
    double sum = 0;
    for (size_t i = 0; i < D; i++)
        sum += (double)v[i] * v[i];
    return fabs(sum - 1) < 1e-5;
}

/* ---- The definition ---- */

static double weight(const char *tensor, size_t i) { return fake_encoder_weight(tensor, i); }
static double layer_weight(size_t layer, const char *part, size_t i) {
    char name[80];
    snprintf(name, sizeof name, "blk.%zu.%s", layer, part);
    return weight(name, i);
}
static void linear(size_t layer, const char *part, const double *x, size_t k, size_t n, double *out) {
    char name[40];
    for (size_t c = 0; c < n; c++) {
        snprintf(name, sizeof name, "%s.bias", part);
        out[c] = layer_weight(layer, name, c);
        snprintf(name, sizeof name, "%s.weight", part);
        for (size_t i = 0; i < k; i++)
            out[c] += x[i] * layer_weight(layer, name, c * k + i);
    }
}
static void normalise(const char *tensor, double *x) {
    double mean = 0, variance = 0;
    char gamma[80], beta[80];
    snprintf(gamma, sizeof gamma, "%s.weight", tensor);
    snprintf(beta, sizeof beta, "%s.bias", tensor);
    for (size_t i = 0; i < D; i++)
        mean += x[i] / D;
    for (size_t i = 0; i < D; i++)
        variance += (x[i] - mean) * (x[i] - mean) / D;
    for (size_t i = 0; i < D; i++)
        x[i] = (x[i] - mean) / sqrt(variance + 1e-12) * weight(gamma, i) + weight(beta, i);
}
static void attend(size_t n, double (*q)[D], double (*k)[D], double (*v)[D], double (*out)[D]) {
    enum { SIZE = D / ENCODER_HEADS };
    for (size_t h = 0; h < D; h += SIZE)
        for (size_t r = 0; r < n; r++) {
            double scores[ENCODER_POSITIONS], total = 0;
            for (size_t c = 0; c < n; c++) {
                scores[c] = 0;
                for (size_t i = h; i < h + SIZE; i++)
                    scores[c] += q[r][i] * k[c][i] / sqrt(SIZE);
                total += scores[c] = exp(scores[c]);
            }
            for (size_t i = h; i < h + SIZE; i++) {
                out[r][i] = 0;
                for (size_t c = 0; c < n; c++)
                    out[r][i] += scores[c] / total * v[c][i];
            }
        }
}
static void define(const int *ids, size_t n, bool cls, double *out) {
    double x[ENCODER_POSITIONS][D], q[ENCODER_POSITIONS][D], k[ENCODER_POSITIONS][D], v[ENCODER_POSITIONS][D], a[ENCODER_POSITIONS][D];
    char name[40];
    for (size_t r = 0; r < n; r++) {
        for (size_t i = 0; i < D; i++)
            x[r][i] = weight("token_embd.weight", (size_t)ids[r] * D + i) + weight("position_embd.weight", r * D + i) + weight("token_types.weight", i);
        normalise("token_embd_norm", x[r]);
    }
    for (size_t l = 0; l < ENCODER_LAYERS; l++) {
        for (size_t r = 0; r < n; r++) {
            linear(l, "attn_q", x[r], D, D, q[r]);
            linear(l, "attn_k", x[r], D, D, k[r]);
            linear(l, "attn_v", x[r], D, D, v[r]);
        }
        attend(n, q, k, v, a);
        for (size_t r = 0; r < n; r++) {
            double inner[ENCODER_INNER], y[D];
            linear(l, "attn_output", a[r], D, D, y);
            for (size_t i = 0; i < D; i++)
                x[r][i] += y[i];
            snprintf(name, sizeof name, "blk.%zu.attn_output_norm", l);
            normalise(name, x[r]);
            linear(l, "ffn_up", x[r], D, ENCODER_INNER, inner);
            for (size_t i = 0; i < ENCODER_INNER; i++)
                inner[i] *= 0.5 * (1 + erf(inner[i] / sqrt(2)));
            linear(l, "ffn_down", inner, ENCODER_INNER, D, y);
            for (size_t i = 0; i < D; i++)
                x[r][i] += y[i];
            snprintf(name, sizeof name, "blk.%zu.layer_output_norm", l);
            normalise(name, x[r]);
        }
    }
    for (size_t i = 0; i < D; i++) {
        out[i] = 0;
        for (size_t r = 0; r < n; r++)
            out[i] += cls ? (r == 0) * x[r][i] : x[r][i];
    }
}
static double cosine(const double *a, const float *b) {
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < D; i++) {
        ab += a[i] * b[i];
        aa += a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return ab / sqrt(aa * bb);
}

/* Texts with the ids that they must become, by hand. */
static const struct {
    const char *text;
    int ids[ENCODER_POSITIONS];
    size_t n;
} known[] = {
    {"the key", {2, 5, 6, 3}, 4},
    {"Rotate THE keys.", {2, 8, 9, 5, 6, 10, 11, 3}, 8},
    {"", {2, 3}, 2},
    {"zzz", {2, 1, 3}, 3},
    {"[SEP]", {2, 1, 1, 1, 3}, 5},
    {"a a a a a a a a a a a the key . : a a a a secret query key", {2, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 5, 6, 11, 14, 7, 7, 7, 7, 15, 12, 6, 3}, 24},
};

static void vectors_are_those_of_the_definition(void **state) {
    (void)state;
    static const double least[] = {[EMBED_F32] = 0.999999, [EMBED_BF16] = 0.9995, [EMBED_INT8] = 0.99};
    const struct embed_kernels *kernels[5];
    const size_t n_kernels = embed_list_kernels(kernels);
    for (size_t i = 0; i < n_kernels; i++)
        for (int how = 0; how < 4; how++)
            for (enum embed_precision precision = EMBED_INT8; precision <= EMBED_F32; precision++) {
                const struct fake_encoder fake = {.cls = how & 1, .half = how & 2};
                struct embed_options o = usual();
                o.kernels = kernels[i]->name;
                o.precision = precision;
                struct embedder_port port = open_with(&fake, &o);
                for (size_t t = 0; t < COUNT(known); t++) {
                    double expected[D];
                    float v[D];
                    define(known[t].ids, known[t].n, fake.cls, expected);
                    embed_one(&port, EMBEDDER_PASSAGE, known[t].text, v);
                    double is = cosine(expected, v);
                    if (!is_unit(v) || !(is >= least[precision]))
                        fail_msg("%s, %s, \"%s\": cosine %.8f", embed_describe(&port), fake.cls ? "first token" : "mean", known[t].text, is);
                }
                shut(&port);
            }
}

/* Without a table of types, as some converters write it: nothing is added. */
static void token_types_may_be_missing(void **state) {
    (void)state;
    float with[D], without[D];
    struct embed_options o = usual();
    struct embedder_port port = open_with(&(struct fake_encoder){0}, &o);
    embed_one(&port, EMBEDDER_PASSAGE, "the key", with);
    shut(&port);
    port = open_with(&(struct fake_encoder){.omit = "token_types.weight"}, &o);
    embed_one(&port, EMBEDDER_PASSAGE, "the key", without);
    shut(&port);
    assert_true(is_unit(without));
    assert_memory_not_equal(with, without, sizeof with);
}

/* ---- Long texts, prefixes ---- */

static const char *const parts[] = {"the key a rot", "secret key . the", "a : query passage"}; /* of a context of 6 */

static void mean_of(const struct embedder_port *port, const char *prefix, float *out) {
    double sum[D] = {0}, length = 0;
    for (size_t i = 0; i < COUNT(parts); i++) {
        float v[D];
        char text[100];
        snprintf(text, sizeof text, "%s%s", prefix, parts[i]);
        embed_one(port, EMBEDDER_PASSAGE, text, v);
        for (size_t k = 0; k < D; k++)
            sum[k] += v[k];
    }
    for (size_t k = 0; k < D; k++)
        length += sum[k] * sum[k];
    for (size_t k = 0; k < D; k++)
        out[k] = (float)(sum[k] / sqrt(length));
}
static void assert_near(const float *a, const float *b) {
    for (size_t i = 0; i < D; i++)
        if (!(fabsf(a[i] - b[i]) < 1e-6F))
            fail_msg("number %zu is %.8f and not %.8f", i, (double)a[i], (double)b[i]);
}

static void a_long_text_is_the_mean_of_its_pieces(void **state) {
    (void)state;
    struct embed_options o = usual();
    float whole[D], expected[D];
    char text[100];
    o.context = 6;
    struct embedder_port port = open_with(&(struct fake_encoder){0}, &o);
    assert_int_equal(port.context, 6);
    snprintf(text, sizeof text, "%s %s %s", parts[0], parts[1], parts[2]);
    embed_one(&port, EMBEDDER_PASSAGE, text, whole);
    mean_of(&port, "", expected);
    assert_near(whole, expected);
    shut(&port);
    o.context = 8; /* two of its tokens are the prefix's, in each piece */
    o.prefixes.of[EMBEDDER_PASSAGE] = "passage: ";
    port = open_with(&(struct fake_encoder){0}, &o);
    embed_one(&port, EMBEDDER_PASSAGE, text, whole);
    shut(&port);
    o.prefixes.of[EMBEDDER_PASSAGE] = NULL;
    port = open_with(&(struct fake_encoder){0}, &o);
    mean_of(&port, "passage: ", expected);
    assert_near(whole, expected);
    shut(&port);
}

static void pieces_are_of_nearly_one_length(void **state) {
    (void)state;
    float whole[D], halves[2][D];
    struct embed_options o = usual();
    o.context = 6;
    struct embedder_port port = open_with(&(struct fake_encoder){0}, &o);
    embed_one(&port, EMBEDDER_PASSAGE, "the key a secret query", whole); /* five into 2 and 3, not 4 and 1 */
    embed_one(&port, EMBEDDER_PASSAGE, "the key", halves[0]);
    embed_one(&port, EMBEDDER_PASSAGE, "a secret query", halves[1]);
    double length = 0;
    for (size_t i = 0; i < D; i++)
        length += (double)(halves[0][i] + halves[1][i]) * (halves[0][i] + halves[1][i]);
    for (size_t i = 0; i < D; i++)
        halves[0][i] = (float)((halves[0][i] + halves[1][i]) / sqrt(length));
    assert_near(whole, halves[0]);
    shut(&port);
}

static void each_side_has_its_prefix(void **state) {
    (void)state;
    struct embed_options o = usual();
    float bare[3][D], with[2][D];
    struct embedder_port port = open_with(&(struct fake_encoder){0}, &o);
    assert_string_equal(port.fingerprint, "print");
    embed_one(&port, EMBEDDER_QUERY, "the key", bare[0]);
    embed_one(&port, EMBEDDER_PASSAGE, "query: the key", bare[1]);
    embed_one(&port, EMBEDDER_QUERY, "passage: the key", bare[2]);
    shut(&port);
    o.prefixes.of[EMBEDDER_QUERY] = "query: ";
    port = open_with(&(struct fake_encoder){0}, &o);
    assert_memory_equal(port.fingerprint, "print+", 6);
    embed_one(&port, EMBEDDER_PASSAGE, "the key", with[0]);
    embed_one(&port, EMBEDDER_QUERY, "the key", with[1]);
    assert_memory_equal(with[0], bare[0], sizeof with[0]);
    assert_memory_equal(with[1], bare[1], sizeof with[1]);
    shut(&port);
    o.prefixes.of[EMBEDDER_PASSAGE] = "passage: ";
    port = open_with(&(struct fake_encoder){0}, &o);
    embed_one(&port, EMBEDDER_PASSAGE, "the key", with[0]);
    assert_memory_equal(with[0], bare[2], sizeof with[0]);
    shut(&port);
}

static void a_prefix_must_leave_room(void **state) {
    (void)state;
    qa_error err = {0};
    struct embedder_port port = {0};
    struct embed_options o = usual();
    float v[D];
    o.context = 5;
    o.prefixes.of[EMBEDDER_QUERY] = "a a";
    port = open_with(&(struct fake_encoder){0}, &o); /* one token a piece */
    embed_one(&port, EMBEDDER_QUERY, "the key . the secret key", v);
    assert_true(is_unit(v));
    shut(&port);
    o.prefixes.of[EMBEDDER_QUERY] = "a a a";
    assert_int_equal(embed_open(&o, &port, &err), QA_BAD_CONFIG);
    assert_non_null(strstr(err.message, "a prefix of 3 tokens leaves no room for text in a context of 5"));
}

/* ---- Odd calls ---- */

static void odd_texts_get_vectors(void **state) {
    (void)state;
    static char endless[5000], spaced[20000], invalid[300];
    memset(endless, 'x', sizeof endless);
    for (size_t i = 0; i < sizeof spaced; i++)
        spaced[i] = i % 2 ? ' ' : 'a';
    memset(invalid, 0xFF, sizeof invalid);
    const struct embedder_text texts[] = {
        {"", 0}, {NULL, 0}, {" \n\t ", 4}, {endless, sizeof endless}, {spaced, sizeof spaced}, {invalid, sizeof invalid}, {"\0\0\0", 3},
        {"\xE2\x98\x83\xE2\x98\x83 \xF0\x9F\x90\x80", 11}, {"...........", 11}, {"[CLS] [PAD]", 11}, {"\xCC\x81\xCC\x81", 4},
    };
    float all[COUNT(texts)][D], alone[D];
    for (enum embed_precision precision = EMBED_INT8; precision <= EMBED_F32; precision++)
        for (int cls = 0; cls < 2; cls++) {
            struct embed_options o = usual();
            o.precision = precision;
            struct embedder_port port = open_with(&(struct fake_encoder){.cls = cls}, &o);
            embed_all(&port, EMBEDDER_PASSAGE, texts, COUNT(texts), all[0]);
            for (size_t i = 0; i < COUNT(texts); i++) {
                embed_all(&port, EMBEDDER_PASSAGE, &texts[i], 1, alone);
                if (!is_unit(all[i]) || memcmp(alone, all[i], sizeof alone) != 0)
                    fail_msg("text %zu has no vector of length 1, or another one when it is alone", i);
            }
            embed_all(&port, EMBEDDER_PASSAGE, NULL, 0, NULL);
            shut(&port);
        }
}

static void a_cancelled_call_can_be_made_again(void **state) {
    (void)state;
    struct embed_options o = usual();
    struct embedder_text texts[300];
    static float out[300 * D], again[300 * D];
    for (size_t i = 0; i < COUNT(texts); i++)
        texts[i] = (struct embedder_text){"a key . the secret key", 1 + i % 22};
    atomic_int cancel = 1;
    qa_error err = {0};
    struct embedder_port port = open_with(&(struct fake_encoder){0}, &o);
    embed_all(&port, EMBEDDER_PASSAGE, texts, COUNT(texts), out);
    assert_int_equal(port.ops->embed(port.self, EMBEDDER_PASSAGE, texts, COUNT(texts), &cancel, again, &err), QA_CANCELLED);
    assert_true(err.message[0]);
    cancel = 0;
    assert_int_equal(port.ops->embed(port.self, EMBEDDER_PASSAGE, texts, COUNT(texts), &cancel, again, &err), QA_OK);
    assert_memory_equal(out, again, sizeof out);
    shut(&port);
}

static void tokens_are_counted(void **state) {
    (void)state;
    struct embed_options o = usual();
    struct embedder_port port = open_with(&(struct fake_encoder){0}, &o);
    for (size_t i = 0; i < COUNT(known); i++) {
        size_t n = 0;
        assert_int_equal(port.ops->count_tokens(port.self, known[i].text, strlen(known[i].text), &n, NULL), QA_OK);
        assert_int_equal(n, known[i].n);
    }
    shut(&port);
}

static void it_says_what_runs(void **state) {
    (void)state;
    struct embed_options o = usual();
    struct embedder_port port = {0};
    qa_error err = {0};
    o.kernels = "plain";
    port = open_with(&(struct fake_encoder){0}, &o);
    assert_string_equal(embed_describe(&port), "f32, plain");
    assert_string_equal(port.name, "tiny");
    shut(&port);
    o.precision = EMBED_BF16; /* there are no such products in plain C */
    port = open_with(&(struct fake_encoder){0}, &o);
    assert_string_equal(embed_describe(&port), "f32, plain");
    shut(&port);
    o.precision = EMBED_INT8;
    o.kernels = NULL;
    setenv("QUAERE_CPU", "plain", 1);
    port = open_with(&(struct fake_encoder){0}, &o);
    unsetenv("QUAERE_CPU");
    assert_string_equal(embed_describe(&port), "int8, plain");
    shut(&port);
    assert_null(embed_describe(&(struct embedder_port){0}));
    o.kernels = "abacus";
    assert_int_equal(embed_open(&o, &port, &err), QA_UNSUPPORTED);
    assert_non_null(strstr(err.message, "abacus"));
}

static void the_context_is_the_least_that_is_said(void **state) {
    (void)state;
    static const struct {
        const char *key;
        uint32_t value;
        size_t option, expected;
    } rows[] = {
        {NULL, 0, 0, 24}, {NULL, 0, 8, 8}, {NULL, 0, 1000, 24}, {"quaere.context_length", 12, 0, 12}, {"quaere.context_length", 12, 9, 9},
        {"quaere.context_length", 12, 20, 12}, {"quaere.context_length", 100, 0, 24},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct embed_options o = usual();
        o.context = rows[i].option;
        struct embedder_port port = open_with(&(struct fake_encoder){.key = rows[i].key, .value = rows[i].value}, &o);
        if (port.context != rows[i].expected)
            fail_msg("row %zu: the context is %zu, and %zu is expected", i, port.context, rows[i].expected);
        shut(&port);
    }
}

/* ---- Files that are refused ---- */

static void check_refused(const char *what, const struct fake_encoder *how, qa_status status, const char *message) {
    for (enum embed_precision precision = EMBED_INT8; precision <= EMBED_F32; precision += EMBED_F32 - EMBED_INT8) {
        struct embed_options o = usual();
        struct embedder_port port = {0};
        qa_error err = {0};
        o.precision = precision;
        fake_encoder_write(how, file);
        qa_status is = embed_open(&o, &port, &err);
        if (is != status || port.ops || !strstr(err.message, message) || !strstr(err.message, file))
            fail_msg("%s: %s: %s", what, qa_status_name(is), err.message);
    }
}

static void files_that_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *what;
        struct fake_encoder how;
        qa_status status;
        const char *message;
    } rows[] = {
        {"another architecture", {.key = "general.architecture", .text = "llama"}, QA_UNSUPPORTED, "is of the architecture llama, not bert"},
        {"a name that begins alike", {.key = "general.architecture", .text = "bertha"}, QA_UNSUPPORTED, "bertha"},
        {"a lengthy one", {.key = "general.architecture", .text = "nomic-bert-moe-with-a-name-of-more-than-forty-characters"}, QA_UNSUPPORTED,
         "nomic-bert-moe-with-a-name-of-more-than-"},
        {"none", {.omit = "general.architecture"}, QA_CORRUPT, "does not say general.architecture"},
        {"one that is a number", {.key = "general.architecture", .value = 1}, QA_CORRUPT, "does not say general.architecture"},
        {"another tokenizer", {.key = "tokenizer.ggml.model", .text = "gpt2"}, QA_UNSUPPORTED, "WordPiece"},
        {"another pooling", {.key = "bert.pooling_type", .value = 3}, QA_UNSUPPORTED, "pools by method 3"},
        {"no pooling", {.key = "bert.pooling_type", .value = 0}, QA_UNSUPPORTED, "pools by method 0"},
        {"no vocabulary", {.omit = "tokenizer.ggml.tokens"}, QA_CORRUPT, "tokenizer.ggml.tokens"},
        {"no unknown token", {.key = "tokenizer.ggml.unknown_token_id", .value = 99}, QA_CORRUPT, "99"},

        {"no width", {.omit = "bert.embedding_length"}, QA_CORRUPT, "does not say bert.embedding_length"},
        {"a width of 0", {.key = "bert.embedding_length", .value = 0}, QA_CORRUPT, "bert.embedding_length is 0; from 1 to 8192"},
        {"an absurd width", {.key = "bert.embedding_length", .value = UINT32_MAX}, QA_CORRUPT, "bert.embedding_length is 4294967295"},
        {"an odd width", {.key = "bert.embedding_length", .value = 12}, QA_UNSUPPORTED, "not multiples of 8"},
        {"heads that do not divide it", {.key = "bert.attention.head_count", .value = 3}, QA_CORRUPT, "16 is no multiple of its 3 heads"},
        {"no heads", {.key = "bert.attention.head_count", .value = 0}, QA_CORRUPT, "bert.attention.head_count is 0"},
        {"more heads than numbers", {.key = "bert.attention.head_count", .value = 17}, QA_CORRUPT, "bert.attention.head_count is 17; from 1 to 16"},
        {"an absurd inner width", {.key = "bert.feed_forward_length", .value = 1 << 30}, QA_CORRUPT, "bert.feed_forward_length is 1073741824"},
        {"an odd inner width", {.key = "bert.feed_forward_length", .value = 33}, QA_UNSUPPORTED, "16 and 33"},
        {"no layers", {.key = "bert.block_count", .value = 0}, QA_CORRUPT, "bert.block_count is 0"},
        {"absurdly many layers", {.key = "bert.block_count", .value = 1000}, QA_CORRUPT, "bert.block_count is 1000; from 1 to 96"},
        {"more layers than there are", {.key = "bert.block_count", .value = 3}, QA_CORRUPT, "has no tensor blk.2.attn_q.weight"},
        {"absurdly many positions", {.key = "bert.context_length", .value = 1 << 20}, QA_CORRUPT, "bert.context_length is 1048576"},
        {"other positions than there are", {.key = "bert.context_length", .value = 23}, QA_CORRUPT, "position_embd.weight should be 16 by 23, and is 16 by 24"},

        {"columns too few", {.odd = "blk.1.ffn_up.weight", .shape = {15, 32}}, QA_CORRUPT, "blk.1.ffn_up.weight should be 16 by 32, and is 15 by 32"},
        {"rows too many", {.odd = "blk.0.attn_k.weight", .shape = {16, 17}}, QA_CORRUPT, "blk.0.attn_k.weight should be 16 by 16, and is 16 by 17"},
        {"turned round", {.odd = "blk.0.ffn_down.weight", .shape = {16, 32}}, QA_CORRUPT, "blk.0.ffn_down.weight should be 32 by 16, and is 16 by 32"},
        {"a third dimension", {.odd = "blk.0.attn_v.weight", .shape = {16, 16, 2}}, QA_CORRUPT,
         "blk.0.attn_v.weight should be 16 by 16, and is 16 by 16 and more"},
        {"a norm too short", {.odd = "blk.1.layer_output_norm.bias", .shape = {8}}, QA_CORRUPT, "blk.1.layer_output_norm.bias should be 16 by 1, and is 8 by 1"},
        {"a bias too long", {.odd = "blk.0.attn_output.bias", .shape = {32}}, QA_CORRUPT, "blk.0.attn_output.bias should be 16 by 1, and is 32 by 1"},
        {"types of another width", {.odd = "token_types.weight", .shape = {8, 2}}, QA_CORRUPT, "token_types.weight should be 16 by 2, and is 8 by 2"},
        {"fewer rows than tokens", {.odd = "token_embd.weight", .shape = {16, 15}}, QA_CORRUPT, "token_embd.weight should be 16 by 16, and is 16 by 15"},
        {"a token table of another width", {.odd = "token_embd.weight", .shape = {8, 16}}, QA_CORRUPT, "token_embd.weight should be 16 by 16, and is 8 by 16"},

        {"short floats of the other kind", {.odd = "blk.0.attn_q.weight", .type = MODEL_TENSOR_BF16}, QA_UNSUPPORTED, "blk.0.attn_q.weight is of type BF16"},
        {"quantised weights", {.odd = "blk.1.ffn_down.weight", .type = MODEL_TENSOR_Q8_0}, QA_UNSUPPORTED, "blk.1.ffn_down.weight is of type Q8_0"},
        {"quantised tokens", {.odd = "token_embd.weight", .type = MODEL_TENSOR_BF16}, QA_UNSUPPORTED, "token_embd.weight is of type BF16"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        check_refused(rows[i].what, &rows[i].how, rows[i].status, rows[i].message);
    for (size_t i = 0; fake_encoder_tensor(i); i++) { /* each is needed but one */
        char message[100];
        snprintf(message, sizeof message, "has no tensor %s", fake_encoder_tensor(i));
        if (strcmp(fake_encoder_tensor(i), "token_types.weight") != 0)
            check_refused("a missing tensor", &(struct fake_encoder){.omit = fake_encoder_tensor(i)}, QA_CORRUPT, message);
    }
}

static void a_padded_token_table_is_fine(void **state) {
    (void)state;
    struct embed_options o = usual();
    float plain[D], padded[D];
    struct embedder_port port = open_with(&(struct fake_encoder){0}, &o);
    embed_one(&port, EMBEDDER_PASSAGE, "the secret key", plain);
    shut(&port);
    port = open_with(&(struct fake_encoder){.odd = "token_embd.weight", .shape = {16, 64}}, &o);
    embed_one(&port, EMBEDDER_PASSAGE, "the secret key", padded);
    shut(&port);
    assert_memory_equal(plain, padded, sizeof plain);
}

static void files_that_are_none(void **state) {
    (void)state;
    struct embed_options o = usual();
    struct embedder_port port = {0};
    qa_error err = {0};
    o.path = fake_tree_path(&tree, "nothing.gguf");
    assert_int_equal(embed_open(&o, &port, &err), QA_NOT_FOUND);
    struct buf whole;
    fake_encoder_make(&(struct fake_encoder){.half = true}, &whole);
    o.path = file;
    for (size_t len = 0; len < whole.len; len += len < 64 ? 3 : 1 + whole.len / 150) {
        FILE *f = fopen(file, "wb");
        assert_non_null(f);
        assert_int_equal(fwrite(whole.data, 1, len, f), len);
        assert_int_equal(fclose(f), 0);
        qa_status status = embed_open(&o, &port, &err);
        if (status != QA_CORRUPT || !err.message[0])
            fail_msg("%zu of %zu bytes: %s: %s", len, whole.len, qa_status_name(status), err.message);
    }
    buf_free(&whole);
}

/* Weights that are no numbers end in an error, wherever they stand and whatever runs: never in a vector, least of all one that looks sound. */
static void weights_that_are_no_numbers(void **state) {
    (void)state;
    static const float wrong[] = {NAN, INFINITY, -INFINITY};
    const struct embed_kernels *kernels[5];
    const size_t n_kernels = embed_list_kernels(kernels);
    for (size_t k = 0; k < n_kernels; k++)
        for (enum embed_precision precision = EMBED_INT8; precision <= EMBED_F32; precision++)
            for (int half = 0; half < 2; half++)
                for (size_t w = 0; w < COUNT(wrong); w++)
                    for (size_t i = 0; fake_encoder_tensor(i); i++) {
                        const struct fake_encoder how = {.half = half, .broken = fake_encoder_tensor(i), .wrong = wrong[w]};
                        struct embed_options o = usual();
                        struct embedder_port port = {0};
                        qa_error err = {0};
                        float v[D];
                        o.precision = precision;
                        o.kernels = kernels[k]->name;
                        fake_encoder_write(&how, file);
                        qa_status status = embed_open(&o, &port, &err);
                        if (status == QA_OK) {
                            const struct embedder_text text = {"the key", 7};
                            status = port.ops->embed(port.self, EMBEDDER_PASSAGE, &text, 1, NULL, v, &err);
                            shut(&port);
                        }
                        if (status != QA_CORRUPT || !err.message[0])
                            fail_msg("%s, precision %d, %s is %g: %s", kernels[k]->name, (int)precision, how.broken, (double)wrong[w],
                                     qa_status_name(status));
                    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_are_those_of_the_definition),
        cmocka_unit_test(token_types_may_be_missing),
        cmocka_unit_test(a_long_text_is_the_mean_of_its_pieces),
        cmocka_unit_test(pieces_are_of_nearly_one_length),
        cmocka_unit_test(each_side_has_its_prefix),
        cmocka_unit_test(a_prefix_must_leave_room),
        cmocka_unit_test(odd_texts_get_vectors),
        cmocka_unit_test(a_cancelled_call_can_be_made_again),
        cmocka_unit_test(tokens_are_counted),
        cmocka_unit_test(it_says_what_runs),
        cmocka_unit_test(the_context_is_the_least_that_is_said),
        cmocka_unit_test(files_that_are_refused),
        cmocka_unit_test(a_padded_token_table_is_fine),
        cmocka_unit_test(files_that_are_none),
        cmocka_unit_test(weights_that_are_no_numbers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
