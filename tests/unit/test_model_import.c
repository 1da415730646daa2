// A sentence-transformers folder becomes a GGUF with the same weights, the same bytes each time; what would give other vectors is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/sha256.h"
#include "base/half.h"
#include "fake/fake_bert.h"
#include "model/gguf.h"
#include "model/internal.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct fake_tree tree;
static char folder[300], out[300];

static int set_up(void **state) {
    (void)state;
    fake_tree_make(&tree);
    snprintf(folder, sizeof folder, "%s/model", tree.root);
    snprintf(out, sizeof out, "%s/out.gguf", tree.root);
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    fake_tree_remove(&tree);
    return 0;
}

static struct model_gguf *import(const struct fake_bert *how) {
    struct model_gguf *g = NULL;
    qa_error err = {0};
    fake_bert_make(&tree, "model", how);
    if (model_import(folder, out, &err) != QA_OK || model_gguf_open(out, &g, &err) != QA_OK)
        fail_msg("%s", err.message);
    return g;
}

static float value(const struct model_gguf_tensor *t, size_t i) {
    uint32_t bits = 0;
    float v;
    if (t->type == MODEL_TENSOR_F16)
        return half_to_float((uint32_t)(t->data[2 * i] | t->data[2 * i + 1] << 8));
    for (int k = 0; k < 4; k++)
        bits |= (uint32_t)t->data[4 * i + (size_t)k] << 8 * k;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* fake_bert's tensor i holds i + 0.001 * element. */
static void check_weights(const struct model_gguf *g, float slack) {
    static const struct {
        const char *name;
        uint32_t type;
        unsigned n_dims, inner, outer, source;
    } rows[] = {
        {"token_embd.weight", MODEL_TENSOR_F16, 2, 4, 7, 0},         {"position_embd.weight", MODEL_TENSOR_F32, 2, 4, 5, 1},
        {"token_types.weight", MODEL_TENSOR_F32, 2, 4, 2, 2},        {"token_embd_norm.weight", MODEL_TENSOR_F32, 1, 4, 1, 3},
        {"token_embd_norm.bias", MODEL_TENSOR_F32, 1, 4, 1, 4},      {"blk.0.attn_q.weight", MODEL_TENSOR_F16, 2, 4, 4, 5},
        {"blk.0.attn_q.bias", MODEL_TENSOR_F32, 1, 4, 1, 6},         {"blk.0.attn_k.weight", MODEL_TENSOR_F16, 2, 4, 4, 7},
        {"blk.0.attn_k.bias", MODEL_TENSOR_F32, 1, 4, 1, 8},         {"blk.0.attn_v.weight", MODEL_TENSOR_F16, 2, 4, 4, 9},
        {"blk.0.attn_v.bias", MODEL_TENSOR_F32, 1, 4, 1, 10},        {"blk.0.attn_output.weight", MODEL_TENSOR_F16, 2, 4, 4, 11},
        {"blk.0.attn_output.bias", MODEL_TENSOR_F32, 1, 4, 1, 12},   {"blk.0.attn_output_norm.weight", MODEL_TENSOR_F32, 1, 4, 1, 13},
        {"blk.0.attn_output_norm.bias", MODEL_TENSOR_F32, 1, 4, 1, 14}, {"blk.0.ffn_up.weight", MODEL_TENSOR_F16, 2, 4, 8, 15},
        {"blk.0.ffn_up.bias", MODEL_TENSOR_F32, 1, 8, 1, 16},        {"blk.0.ffn_down.weight", MODEL_TENSOR_F16, 2, 8, 4, 17},
        {"blk.0.ffn_down.bias", MODEL_TENSOR_F32, 1, 4, 1, 18},      {"blk.0.layer_output_norm.weight", MODEL_TENSOR_F32, 1, 4, 1, 19},
        {"blk.0.layer_output_norm.bias", MODEL_TENSOR_F32, 1, 4, 1, 20},
    };
    assert_int_equal(g->n_tensors, sizeof rows / sizeof *rows);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct model_gguf_tensor *t = model_gguf_find_tensor(g, rows[i].name);
        if (!t || t->type != rows[i].type || t->n_dims != rows[i].n_dims || t->shape[0] != rows[i].inner || t->shape[1] != rows[i].outer)
            fail_msg("%s is not there or of another kind", rows[i].name);
        for (size_t k = 0; k < t->elements; k++)
            if (fabsf(value(t, k) - ((float)rows[i].source + 0.001F * (float)k)) > slack)
                fail_msg("%s: element %zu is %g", rows[i].name, k, (double)value(t, k));
    }
}

static void the_same_weights_under_other_names(void **state) {
    (void)state;
    static const struct {
        const char *name;
        struct fake_bert how;
        float slack;
    } rows[] = {
        {"32 bits", {0}, 0.01F},
        {"16 bits", {.dtype = "F16"}, 0.02F},
        {"bfloat16", {.dtype = "BF16"}, 0.2F},
        {"with the model's prefix", {.prefix = "bert."}, 0.01F},
        {"names of the first releases", {.prefix = "bert.", .old_norms = 1}, 0.01F},
        {"with what training needs", {.extra = "embeddings.position_ids"}, 0.01F},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model_gguf *g = import(&rows[i].how);
        check_weights(g, rows[i].slack);
        model_gguf_close(g);
    }
}

static const char *string_of(const struct model_gguf *g, const char *key) {
    static char text[100];
    const char *s = NULL;
    size_t n = 0;
    assert_true(model_gguf_get_string(g, key, &s, &n) && n < sizeof text);
    memcpy(text, s, n);
    text[n] = '\0';
    return text;
}

static uint64_t number_of(const struct model_gguf *g, const char *key) {
    uint64_t v = 0;
    if (!model_gguf_get_uint(g, key, &v))
        fail_msg("no %s", key);
    return v;
}

static void what_llama_cpp_wants_to_know(void **state) {
    (void)state;
    struct model_gguf *g = import(&(struct fake_bert){0});
    const uint8_t *at = NULL;
    const char *word = NULL;
    size_t len = 0;
    bool yes = true;
    double epsilon = 0;
    assert_string_equal(string_of(g, "general.architecture"), "bert");
    assert_string_equal(string_of(g, "tokenizer.ggml.model"), "bert");
    assert_int_equal(number_of(g, "bert.block_count"), 1);
    assert_int_equal(number_of(g, "bert.context_length"), 5);
    assert_int_equal(number_of(g, "quaere.context_length"), 3);
    assert_int_equal(number_of(g, "bert.embedding_length"), 4);
    assert_int_equal(number_of(g, "bert.feed_forward_length"), 8);
    assert_int_equal(number_of(g, "bert.attention.head_count"), 2);
    assert_int_equal(number_of(g, "bert.pooling_type"), 1);
    assert_int_equal(number_of(g, "tokenizer.ggml.token_type_count"), 2);
    assert_int_equal(number_of(g, "tokenizer.ggml.bos_token_id"), 2);
    assert_int_equal(number_of(g, "tokenizer.ggml.cls_token_id"), 2);
    assert_int_equal(number_of(g, "tokenizer.ggml.seperator_token_id"), 3);
    assert_int_equal(number_of(g, "tokenizer.ggml.unknown_token_id"), 1);
    assert_int_equal(number_of(g, "tokenizer.ggml.padding_token_id"), 0);
    assert_int_equal(number_of(g, "tokenizer.ggml.mask_token_id"), 4);
    assert_true(model_gguf_get_bool(g, "bert.attention.causal", &yes) && !yes);
    assert_true(model_gguf_get_bool(g, "tokenizer.ggml.normalizer.lowercase", &yes) && yes);
    assert_true(model_gguf_get_float(g, "bert.attention.layer_norm_epsilon", &epsilon) && epsilon > 9e-13 && epsilon < 1.1e-12);
    const struct model_gguf_entry *tokens = model_gguf_find(g, "tokenizer.ggml.tokens"), *types = model_gguf_find(g, "tokenizer.ggml.token_type");
    static const char *const words[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "\xE2\x96\x81hello", "[PAD6]"}; /* 6: config.json says seven */
    static const uint8_t kinds[] = {3, 3, 3, 3, 3, 1, 5};
    assert_int_equal(tokens->n, 7);
    assert_int_equal(types->n, 7);
    for (size_t i = 0; i < 7; i++) {
        assert_true(model_gguf_next_string(tokens, &at, &word, &len));
        assert_int_equal(len, strlen(words[i]));
        assert_memory_equal(word, words[i], len);
        assert_int_equal(types->bytes[4 * i], kinds[i]);
    }
    model_gguf_close(g);
}

static void the_same_bytes_wherever_it_lies(void **state) {
    (void)state;
    char first[SHA256_HEX], second[SHA256_HEX], other[300];
    model_gguf_close(import(&(struct fake_bert){0}));
    assert_int_equal(sha256_file(out, NULL, NULL, NULL, first, NULL), QA_OK);
    fake_bert_make(&tree, "elsewhere/under another name", &(struct fake_bert){0});
    snprintf(other, sizeof other, "%s/elsewhere/under another name", tree.root);
    fake_tree_delete(&tree, "out.gguf");
    assert_int_equal(model_import(other, out, NULL), QA_OK);
    assert_int_equal(sha256_file(out, NULL, NULL, NULL, second, NULL), QA_OK);
    assert_string_equal(first, second);
}

/* ---- Variants of the configuration ---- */

static const struct {
    const char *name, *file, *content; /* content NULL: the file is taken away */
    struct fake_bert how;
    qa_status status;
    const char *message;
} refused[] = {
    {"no folder", "", NULL, {0}, QA_NOT_FOUND, "model"},
    {"no configuration", "config.json", NULL, {0}, QA_NOT_FOUND, "config.json"},
    {"no JSON", "config.json", "{", {0}, QA_CORRUPT, "config.json: not JSON"},
    {"no object", "config.json", "3", {0}, QA_CORRUPT, "config.json: neither"},
    {"another family", "config.json", "{\"model_type\": \"xlm-roberta\"}", {0}, QA_UNSUPPORTED, "xlm-roberta, and only bert"},
    {"another activation", "config.json", "{\"model_type\": \"bert\", \"hidden_act\": \"relu\"}", {0}, QA_UNSUPPORTED, "relu"},
    {"relative positions", "config.json", "{\"position_embedding_type\": \"relative_key\"}", {0}, QA_UNSUPPORTED, "relative_key"},
    {"a number that is missing", "config.json", "{\"hidden_size\": 4}", {0}, QA_CORRUPT, "num_hidden_layers"},
    {"a number that is a text", "config.json", "{\"hidden_size\": \"4\"}", {0}, QA_CORRUPT, "\"hidden_size\" must be a whole number"},
    {"a number out of bounds", "config.json", "{\"hidden_size\": 1000000}", {0}, QA_CORRUPT, "1 to 16384"},
    {"heads that do not divide", "config.json",
     "{\"hidden_size\": 4, \"num_hidden_layers\": 1, \"num_attention_heads\": 3, \"intermediate_size\": 8, \"max_position_embeddings\": 5, \"vocab_size\": 7, "
     "\"type_vocab_size\": 2}",
     {0}, QA_CORRUPT, "no multiple of num_attention_heads 3"},
    {"a shape that the configuration does not have", "config.json",
     "{\"hidden_size\": 4, \"num_hidden_layers\": 1, \"num_attention_heads\": 2, \"intermediate_size\": 8, \"max_position_embeddings\": 6, \"vocab_size\": 7, "
     "\"type_vocab_size\": 2}",
     {0}, QA_CORRUPT, "position_embeddings.weight is 5 x 4 (2 dimensions), and config.json asks for 6 x 4"},
    {"more layers than there are", "config.json",
     "{\"hidden_size\": 4, \"num_hidden_layers\": 2, \"num_attention_heads\": 2, \"intermediate_size\": 8, \"max_position_embeddings\": 5, \"vocab_size\": 7, "
     "\"type_vocab_size\": 2}",
     {0}, QA_CORRUPT, "no tensor encoder.layer.1.attention.self.query.weight"},
    {"a dense module", "modules.json", "[{\"type\": \"sentence_transformers.models.Dense\", \"path\": \"2_Dense\"}]", {0}, QA_UNSUPPORTED, "Dense"},
    {"pooling outside of the folder", "modules.json", "[{\"type\": \"x.Pooling\", \"path\": \"../1_Pooling\"}]", {0}, QA_CORRUPT, "no plain name"},
    {"pooling by the largest", "1_Pooling/config.json", "{\"pooling_mode_max_tokens\": true}", {0}, QA_UNSUPPORTED, "another way"},
    {"two poolings at once", "1_Pooling/config.json", "{\"pooling_mode_cls_token\": true, \"pooling_mode_mean_tokens\": true}", {0}, QA_UNSUPPORTED, "another way"},
    {"small letters before the tokenizer", "sentence_bert_config.json", "{\"do_lower_case\": true}", {0}, QA_UNSUPPORTED, "do_lower_case"},
    {"a tensor that is missing", "", "", {.omit = "encoder.layer.0.output.dense.bias"}, QA_CORRUPT, "no tensor encoder.layer.0.output.dense.bias"},
    {"a tensor that BERT does not have", "", "", {.extra = "encoder.layer.0.attention.self.distance_embedding.weight"}, QA_UNSUPPORTED, "another architecture"},
    {"a weight that is no number", "", "", {.infinite = "encoder.layer.0.output.dense.weight"}, QA_CORRUPT, "output.dense.weight holds inf at 31"},
    {"a bias that is no number", "", "", {.infinite = "encoder.layer.0.output.dense.bias"}, QA_CORRUPT, "output.dense.bias holds inf at 3"},
    {"weights that are cut short", "model.safetensors", "12345678", {0}, QA_CORRUPT, "model.safetensors"},
    {"no vocabulary", "vocab.txt", NULL, {0}, QA_NOT_FOUND, "vocab.txt"},
    {"a vocabulary of too many", "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\n", {0}, QA_CORRUPT, "a token has the number 7"},
    {"a vocabulary without a marker", "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[MASK]\n", {0}, QA_CORRUPT, "no token [SEP]"},
    {"a vocabulary that is no text", "vocab.txt", "[PAD]\n\xFF\n", {0}, QA_CORRUPT, "token 1 is not valid UTF-8"},
    {"another tokenizer", "tokenizer.json", "{\"model\": {\"type\": \"Unigram\"}}", {0}, QA_UNSUPPORTED, "Unigram"},
    {"another normalizer", "tokenizer.json", "{\"normalizer\": {\"type\": \"NFKC\"}}", {0}, QA_UNSUPPORTED, "NFKC"},
    {"another cutter of words", "tokenizer.json", "{\"pre_tokenizer\": {\"type\": \"Whitespace\"}}", {0}, QA_UNSUPPORTED, "Whitespace; only BertPreTokenizer"},
    {"no cutter of words", "tokenizer.json", "{\"pre_tokenizer\": null}", {0}, QA_UNSUPPORTED, "only BertPreTokenizer"},
    {"longer words", "tokenizer.json", "{\"model\": {\"type\": \"WordPiece\", \"max_input_chars_per_word\": 200}}", {0}, QA_UNSUPPORTED, "must be 100"},
    {"control characters kept", "tokenizer.json", "{\"normalizer\": {\"type\": \"BertNormalizer\", \"clean_text\": false}}", {0}, QA_UNSUPPORTED, "clean_text"},
    {"control characters kept, said elsewhere", "tokenizer_config.json", "{\"clean_text\": false}", {0}, QA_UNSUPPORTED, "clean_text"},
    {"a limit below nothing", "sentence_bert_config.json", "{\"max_seq_length\": -5}", {0}, QA_CORRUPT, "whole number from 1 to 5"},
    {"a limit without end", "sentence_bert_config.json", "{\"max_seq_length\": 1e12}", {0}, QA_CORRUPT, "\"max_seq_length\" must be"},
    {"a limit over the positions", "sentence_bert_config.json", "{\"max_seq_length\": 6}", {0}, QA_CORRUPT, "\"max_seq_length\" must be"},
    {"a limit that is a text", "sentence_bert_config.json", "{\"max_seq_length\": \"3\"}", {0}, QA_CORRUPT, "\"max_seq_length\" must be"},
    {"an epsilon that is a text", "config.json",
     "{\"hidden_size\": 4, \"num_hidden_layers\": 1, \"num_attention_heads\": 2, \"intermediate_size\": 8, \"max_position_embeddings\": 5, \"vocab_size\": 7, "
     "\"type_vocab_size\": 2, \"layer_norm_eps\": \"nan\"}", {0}, QA_CORRUPT, "\"layer_norm_eps\" must be a number"},
    {"Chinese kept in words", "tokenizer_config.json", "{\"tokenize_chinese_chars\": false}", {0}, QA_UNSUPPORTED, "Chinese"},
};

static void what_cannot_be_the_same_is_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        qa_error err = {0};
        char path[400];
        fake_tree_delete(&tree, "model");
        fake_bert_make(&tree, "model", &refused[i].how);
        snprintf(path, sizeof path, "model%s%s", *refused[i].file ? "/" : "", refused[i].file);
        if (!refused[i].content)
            fake_tree_delete(&tree, path);
        else if (*refused[i].content)
            fake_tree_put(&tree, path, refused[i].content);
        qa_status status = model_import(folder, out, &err);
        if (status != refused[i].status || !strstr(err.message, refused[i].message))
            fail_msg("%s: status %d, %s", refused[i].name, status, err.message);
        if (access(out, F_OK) == 0)
            fail_msg("%s: a file was left", refused[i].name);
    }
}

/* tokenizer.json alone, as newer models are published. */
static void a_vocabulary_from_json(void **state) {
    (void)state;
    struct model_gguf *g = NULL;
    const uint8_t *at = NULL;
    const char *word = NULL;
    size_t len = 0;
    bool yes = true;
    qa_error err = {0};
    fake_bert_make(&tree, "model", &(struct fake_bert){0});
    fake_tree_delete(&tree, "model/vocab.txt");
    fake_tree_put(&tree, "model/tokenizer.json",
                  "{\"normalizer\": {\"type\": \"BertNormalizer\", \"lowercase\": false, \"strip_accents\": true}, \"model\": {\"type\": \"WordPiece\", \"vocab\": "
                  "{\"[PAD]\": 0, \"[UNK]\": 6, \"[CLS]\": 2, \"[SEP]\": 3, \"[MASK]\": 4, \"##ing\": 5, \"[USER]\": 1}}, "
                  "\"added_tokens\": [{\"id\": 1, \"content\": \"[USER]\", \"special\": false}, {\"id\": 99}]}");
    if (model_import(folder, out, &err) != QA_OK || model_gguf_open(out, &g, &err) != QA_OK)
        fail_msg("%s", err.message);
    assert_int_equal(number_of(g, "tokenizer.ggml.unknown_token_id"), 6);
    for (int i = 0; i < 6; i++)
        assert_true(model_gguf_next_string(model_gguf_find(g, "tokenizer.ggml.tokens"), &at, &word, &len));
    assert_memory_equal(word, "ing", len);
    assert_int_equal(model_gguf_find(g, "tokenizer.ggml.token_type")->bytes[4], 4);
    assert_true(model_gguf_get_bool(g, "tokenizer.ggml.normalizer.lowercase", &yes) && !yes);
    assert_true(model_gguf_get_bool(g, "tokenizer.ggml.normalizer.strip_accents", &yes) && yes);
    model_gguf_close(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_weights_under_other_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_llama_cpp_wants_to_know, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_bytes_wherever_it_lies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_the_same_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_vocabulary_from_json, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
