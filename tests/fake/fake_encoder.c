#include "fake/fake_encoder.h"
#include "base/half.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const fake_encoder_tokens[ENCODER_VOCABULARY] = {
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "key", "a", "rot", "##ate", "##s", ".", "query", "passage", ":", "secret",
};

#define LAYER(n)                                                                                                                                     \
    {"blk." #n ".attn_q.weight", ENCODER_HIDDEN, ENCODER_HIDDEN}, {"blk." #n ".attn_q.bias", ENCODER_HIDDEN, 0},                                     \
    {"blk." #n ".attn_k.weight", ENCODER_HIDDEN, ENCODER_HIDDEN}, {"blk." #n ".attn_k.bias", ENCODER_HIDDEN, 0},                                     \
    {"blk." #n ".attn_v.weight", ENCODER_HIDDEN, ENCODER_HIDDEN}, {"blk." #n ".attn_v.bias", ENCODER_HIDDEN, 0},                                     \
    {"blk." #n ".attn_output.weight", ENCODER_HIDDEN, ENCODER_HIDDEN}, {"blk." #n ".attn_output.bias", ENCODER_HIDDEN, 0},                           \
    {"blk." #n ".attn_output_norm.weight", ENCODER_HIDDEN, 0}, {"blk." #n ".attn_output_norm.bias", ENCODER_HIDDEN, 0},                              \
    {"blk." #n ".ffn_up.weight", ENCODER_HIDDEN, ENCODER_INNER}, {"blk." #n ".ffn_up.bias", ENCODER_INNER, 0},                                       \
    {"blk." #n ".ffn_down.weight", ENCODER_INNER, ENCODER_HIDDEN}, {"blk." #n ".ffn_down.bias", ENCODER_HIDDEN, 0},                                  \
    {"blk." #n ".layer_output_norm.weight", ENCODER_HIDDEN, 0}, {"blk." #n ".layer_output_norm.bias", ENCODER_HIDDEN, 0}

static const struct tensor {
    const char *name;
    uint64_t columns, rows; /* rows 0: a vector */
} tensors[] = {
    {"token_embd.weight", ENCODER_HIDDEN, ENCODER_VOCABULARY},
    {"position_embd.weight", ENCODER_HIDDEN, ENCODER_POSITIONS},
    {"token_types.weight", ENCODER_HIDDEN, ENCODER_TYPES},
    {"token_embd_norm.weight", ENCODER_HIDDEN, 0},
    {"token_embd_norm.bias", ENCODER_HIDDEN, 0},
    LAYER(0),
    LAYER(1),
};
enum { N_TENSORS = sizeof tensors / sizeof *tensors };

static void need(bool holds) {
    if (!holds)
        abort();
}
static bool is(const char *name, const char *wanted) { return wanted && strcmp(name, wanted) == 0; }

const char *fake_encoder_tensor(size_t i) { return i < N_TENSORS ? tensors[i].name : NULL; }

float fake_encoder_weight(const char *tensor, size_t element) {
    uint64_t h = 0xCBF29CE484222325U;
    for (const char *p = tensor; *p; p++)
        h = (h ^ (uint8_t)*p) * 0x100000001B3U;
    h = (h ^ (element + 1)) * 0x9E3779B97F4A7C15U;
    h = (h ^ h >> 29) * 0xBF58476D1CE4E5B9U;
    float v = (float)((int)(h >> 40 & 511) - 256) / 256; /* -1 to 1, in steps that 16 bits hold */
    size_t len = strlen(tensor);
    if (strstr(tensor, "norm.weight"))
        return 1 + v / 4;
    return strncmp(tensor, "blk", 3) == 0 || strcmp(tensor + len - 4, "bias") == 0 ? v / 2 : v;
}

/* ---- Metadata ---- */

static void put_number(struct model_gguf_writer *w, const struct fake_encoder *how, const char *key, uint32_t v) {
    if (!is(key, how->omit) && !is(key, how->key))
        model_gguf_put_uint(w, key, v);
}
static void put_text(struct model_gguf_writer *w, const struct fake_encoder *how, const char *key, const char *v) {
    if (!is(key, how->omit) && !is(key, how->key))
        model_gguf_put_string(w, key, v);
}

static void put_vocabulary(struct model_gguf_writer *w, const struct fake_encoder *how) {
    if (is("tokenizer.ggml.tokens", how->omit))
        return;
    model_gguf_put_array(w, "tokenizer.ggml.tokens", GGUF_STRING, ENCODER_VOCABULARY);
    for (size_t i = 0; i < ENCODER_VOCABULARY; i++) {
        const char *token = fake_encoder_tokens[i];
        char begins[40];
        int n = token[0] == '[' ? snprintf(begins, sizeof begins, "%s", token)
                : token[0] == '#' ? snprintf(begins, sizeof begins, "%s", token + 2) : snprintf(begins, sizeof begins, "\xE2\x96\x81%s", token);
        model_gguf_put_item(w, begins, (size_t)n);
    }
    model_gguf_put_array(w, "tokenizer.ggml.token_type", GGUF_I32, ENCODER_VOCABULARY);
    for (size_t i = 0; i < ENCODER_VOCABULARY; i++)
        model_gguf_put_int(w, fake_encoder_tokens[i][0] == '[' ? 3 : 1);
}

static void put_metadata(struct model_gguf_writer *w, const struct fake_encoder *how) {
    put_text(w, how, "general.architecture", "bert");
    put_number(w, how, "bert.embedding_length", ENCODER_HIDDEN);
    put_number(w, how, "bert.feed_forward_length", ENCODER_INNER);
    put_number(w, how, "bert.block_count", ENCODER_LAYERS);
    put_number(w, how, "bert.attention.head_count", ENCODER_HEADS);
    put_number(w, how, "bert.context_length", ENCODER_POSITIONS);
    put_number(w, how, "bert.pooling_type", how->cls ? 2 : 1);
    model_gguf_put_float(w, "bert.attention.layer_norm_epsilon", 1e-12F);
    put_text(w, how, "tokenizer.ggml.model", "bert");
    put_vocabulary(w, how);
    if (how->key && how->text)
        model_gguf_put_string(w, how->key, how->text);
    else if (how->key)
        model_gguf_put_uint(w, how->key, how->value);
}

/* ---- Tensors ---- */

struct laid {
    const char *name;
    uint64_t shape[3], elements, size;
    unsigned n_dims;
    uint32_t type;
};

static struct laid lay(const struct tensor *t, const struct fake_encoder *how) {
    struct laid l = {.name = t->name, .shape = {t->columns, t->rows ? t->rows : 1, 1}, .n_dims = t->rows ? 2 : 1};
    l.type = how->half && t->rows ? MODEL_TENSOR_F16 : MODEL_TENSOR_F32;
    if (is(t->name, how->odd) && how->shape[0]) {
        l.n_dims = 0;
        for (size_t i = 0; i < 3; i++) {
            l.shape[i] = how->shape[i] ? how->shape[i] : 1;
            l.n_dims += how->shape[i] != 0;
        }
    }
    if (is(t->name, how->odd) && how->type)
        l.type = how->type;
    l.elements = l.shape[0] * l.shape[1] * l.shape[2];
    need(model_tensor_size(l.type, l.shape[0], l.elements, &l.size));
    return l;
}

static void put_data(const struct laid *l, const struct fake_encoder *how, struct buf *out) {
    static const uint8_t zeros[64];
    uint64_t written = 0;
    for (size_t i = 0; i < l->elements && (l->type == MODEL_TENSOR_F32 || l->type == MODEL_TENSOR_F16); i++) {
        float v = is(l->name, how->broken) && i % ENCODER_HIDDEN == 0 ? how->wrong : fake_encoder_weight(l->name, i);
        uint32_t bits = l->type == MODEL_TENSOR_F32 ? half_bits_of(v) : half_from_float(v);
        for (size_t k = 0; k < (l->type == MODEL_TENSOR_F32 ? 4 : 2); k++, written++)
            buf_put(out, &(uint8_t){(uint8_t)(bits >> 8 * k)}, 1);
    }
    for (; written < l->size; written++) /* other types: zeros */
        buf_put(out, zeros, 1);
    buf_put(out, zeros, model_gguf_padding(l->size));
}

void fake_encoder_make(const struct fake_encoder *how, struct buf *out) {
    struct model_gguf_writer w;
    model_gguf_begin(&w);
    put_metadata(&w, how);
    for (size_t i = 0; i < N_TENSORS; i++)
        if (!is(tensors[i].name, how->omit)) {
            struct laid l = lay(&tensors[i], how);
            model_gguf_put_tensor(&w, l.name, l.type, l.n_dims, l.shape, l.size);
        }
    buf_init(out, 4 << 20);
    need(model_gguf_write_head(&w, out, NULL) == QA_OK);
    for (size_t i = 0; i < N_TENSORS; i++)
        if (!is(tensors[i].name, how->omit)) {
            struct laid l = lay(&tensors[i], how);
            put_data(&l, how, out);
        }
    need(buf_error(out, NULL, "an encoder") == QA_OK);
    model_gguf_end(&w);
}

void fake_encoder_write(const struct fake_encoder *how, const char *path) {
    struct buf bytes;
    FILE *f = fopen(path, "wb");
    fake_encoder_make(how, &bytes);
    need(f && fwrite(bytes.data, 1, bytes.len, f) == bytes.len);
    need(fclose(f) == 0);
    buf_free(&bytes);
}
