/* From a GGUF of the BERT family to packed weights. Names and shapes of tensors are llama.cpp's (a matrix is [inputs, outputs], innermost first);
 * every tensor is compared with what the file's own numbers promise before anything of it is read. */
#include "embed/encoder.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POOLING_MEAN = 1, POOLING_CLS = 2 }; /* llama.cpp's numbers */

struct loader {
    struct encoder *e;
    enum embed_precision precision;
    qa_error *err;
};

static qa_status corrupt(const struct loader *l, const char *format, const char *what, size_t a, size_t b) {
    char text[300];
    snprintf(text, sizeof text, format, what, a, b);
    return error_set(l->err, QA_CORRUPT, "the model %s: %s", l->e->gguf->file, text);
}

/* ---- Numbers ---- */

static qa_status get_size(const struct loader *l, const char *key, size_t most, size_t *out) {
    uint64_t v = 0;
    if (!model_gguf_get_uint(l->e->gguf, key, &v))
        return error_set(l->err, QA_CORRUPT, "the model %s does not say %s", l->e->gguf->file, key);
    *out = (size_t)v;
    return v && v <= most ? QA_OK : corrupt(l, "%s is %zu; from 1 to %zu can be used", key, (size_t)v, most);
}

/* What makes a file another's business. */
static qa_status check_family(const struct loader *l) {
    const struct model_gguf *g = l->e->gguf;
    const char *architecture = NULL, *tokenizer = NULL;
    size_t len = 0, n = 0;
    uint64_t pooling = 0;
    bool causal = false;
    if (!model_gguf_get_string(g, "general.architecture", &architecture, &len))
        return error_set(l->err, QA_CORRUPT, "the model %s does not say general.architecture", g->file);
    if (len != 4 || memcmp(architecture, "bert", 4) != 0)
        return error_set(l->err, QA_UNSUPPORTED, "the model %s is of the architecture %.*s, not bert", g->file, (int)(len < 40 ? len : 40), architecture);
    if (!model_gguf_get_string(g, "tokenizer.ggml.model", &tokenizer, &n) || n != 4 || memcmp(tokenizer, "bert", 4) != 0)
        return error_set(l->err, QA_UNSUPPORTED, "the model %s has a tokenizer other than WordPiece", g->file);
    if (model_gguf_get_bool(g, "bert.attention.causal", &causal) && causal)
        return error_set(l->err, QA_UNSUPPORTED, "the model %s looks at earlier tokens only", g->file);
    if (!model_gguf_get_uint(g, "bert.pooling_type", &pooling))
        pooling = POOLING_MEAN; /* the usual one */
    if (pooling != POOLING_MEAN && pooling != POOLING_CLS)
        return error_set(l->err, QA_UNSUPPORTED, "the model %s pools by method %llu; 1 (mean) and 2 (first token) are known", g->file,
                         (unsigned long long)pooling);
    l->e->cls = pooling == POOLING_CLS;
    return QA_OK;
}

static qa_status read_numbers(const struct loader *l) {
    struct encoder *e = l->e;
    double epsilon = 0;
    qa_status status = get_size(l, "bert.embedding_length", ENCODER_MAX_HIDDEN, &e->hidden);
    if (status == QA_OK)
        status = get_size(l, "bert.feed_forward_length", ENCODER_MAX_INNER, &e->inner);
    if (status == QA_OK)
        status = get_size(l, "bert.block_count", ENCODER_MAX_LAYERS, &e->n_layers);
    if (status == QA_OK)
        status = get_size(l, "bert.attention.head_count", e->hidden, &e->heads);
    if (status == QA_OK)
        status = get_size(l, "bert.context_length", ENCODER_MAX_POSITIONS, &e->positions);
    if (status != QA_OK)
        return status;
    if (e->hidden % e->heads)
        return corrupt(l, "%s %zu is no multiple of its %zu heads", "bert.embedding_length", e->hidden, e->heads);
    if (e->hidden % EMBED_K_STEP || e->inner % EMBED_K_STEP)
        return error_set(l->err, QA_UNSUPPORTED, "the model %s has layers of %zu and %zu, which are not multiples of %d", e->gguf->file, e->hidden, e->inner,
                         EMBED_K_STEP);
    if (!model_gguf_get_float(e->gguf, "bert.attention.layer_norm_epsilon", &epsilon))
        epsilon = 1e-12;
    if (!(epsilon >= 0 && epsilon < 1))
        return error_set(l->err, QA_CORRUPT, "the model %s: bert.attention.layer_norm_epsilon is %g", e->gguf->file, epsilon);
    e->epsilon = (float)epsilon;
    return QA_OK;
}

/* ---- Tensors ---- */

/* rows 0: a vector. The token table's rows are what the file has. */
static qa_status find(const struct loader *l, const char *name, size_t columns, size_t rows, const struct model_gguf_tensor **out) {
    const struct model_gguf_tensor *t = model_gguf_find_tensor(l->e->gguf, name);
    const char *file = l->e->gguf->file;
    if (!t)
        return error_set(l->err, QA_CORRUPT, "the model %s has no tensor %s", file, name);
    if (t->n_dims > 2 || t->shape[0] != columns || t->shape[1] != (rows ? rows : 1))
        return error_set(l->err, QA_CORRUPT, "the model %s: the tensor %s should be %zu by %zu, and is %llu by %llu%s", file, name, columns, rows ? rows : 1,
                         (unsigned long long)t->shape[0], (unsigned long long)t->shape[1], t->n_dims > 2 ? " and more" : "");
    if (t->type != MODEL_TENSOR_F32 && t->type != MODEL_TENSOR_F16)
        return error_set(l->err, QA_UNSUPPORTED, "the model %s: the tensor %s is of type %s; F32 and F16 are read here", file, name, t->type_name);
    *out = t;
    return QA_OK;
}

static void read_values(const struct loader *l, const struct model_gguf_tensor *t, size_t from, size_t n, float *out) {
    if (t->type == MODEL_TENSOR_F16)
        l->e->kernels->widen_f16(t->data + from * 2, n, out);
    else
        memcpy(out, t->data + from * 4, n * sizeof *out);
}

static qa_status load_vector(const struct loader *l, const char *name, size_t n, float **out) {
    const struct model_gguf_tensor *t = NULL;
    qa_status status = find(l, name, n, 0, &t);
    if (status != QA_OK)
        return status;
    *out = embed_allocate(n, sizeof **out);
    if (!*out)
        return error_no_memory(l->err, "opening an embedder");
    read_values(l, t, 0, n, *out);
    return QA_OK;
}

static qa_status load_norm(const struct loader *l, const char *prefix, struct encoder_norm *out) {
    char name[80];
    snprintf(name, sizeof name, "%s.weight", prefix);
    qa_status status = load_vector(l, name, l->e->hidden, &out->gamma);
    snprintf(name, sizeof name, "%s.bias", prefix);
    return status == QA_OK ? load_vector(l, name, l->e->hidden, &out->beta) : status;
}

/* One to three tensors of the same shape, one after the other. */
struct stack {
    const struct loader *l;
    const struct model_gguf_tensor *parts[3];
    size_t outputs; /* of each */
    float first;    /* the first part is multiplied by it */
};

static void row_of(const void *user, size_t output, float *out) {
    const struct stack *s = user;
    const struct model_gguf_tensor *t = s->parts[output / s->outputs];
    size_t k = (size_t)t->shape[0];
    read_values(s->l, t, output % s->outputs * k, k, out);
    float factor = output < s->outputs ? s->first : 1;
    if (factor != 1)
        for (size_t i = 0; i < k; i++)
            out[i] *= factor;
}

static qa_status load_matrix(const struct loader *l, size_t layer, const char *const *names, size_t n_names, size_t k, size_t n, float first,
                             struct embed_matrix *out) {
    struct stack s = {.l = l, .outputs = n, .first = first};
    float *bias = embed_allocate(n_names * n, sizeof *bias);
    qa_status status = bias ? QA_OK : error_no_memory(l->err, "opening an embedder");
    for (size_t i = 0; status == QA_OK && i < n_names; i++) {
        const struct model_gguf_tensor *t = NULL;
        char name[80];
        snprintf(name, sizeof name, "blk.%zu.%s.weight", layer, names[i]);
        status = find(l, name, k, n, &s.parts[i]);
        snprintf(name, sizeof name, "blk.%zu.%s.bias", layer, names[i]);
        if (status == QA_OK)
            status = find(l, name, n, 0, &t);
        if (status == QA_OK)
            read_values(l, t, 0, n, bias + i * n);
    }
    for (size_t i = 0; status == QA_OK && i < n; i++)
        bias[i] *= first;
    const struct embed_weights weights = {.k = k, .n = n_names * n, .row = row_of, .user = &s, .bias = bias};
    if (status == QA_OK)
        status = embed_pack_matrix(l->e->kernels, l->precision, &weights, out, l->err);
    free(bias);
    return status;
}

static qa_status load_layer(const struct loader *l, size_t i) {
    static const char *const qkv[] = {"attn_q", "attn_k", "attn_v"}, *const out[] = {"attn_output"}, *const up[] = {"ffn_up"}, *const down[] = {"ffn_down"};
    const struct encoder *e = l->e;
    struct encoder_layer *to = &e->layers[i];
    char name[80];
    float query = 1 / sqrtf((float)(e->hidden / e->heads));
    qa_status status = load_matrix(l, i, qkv, 3, e->hidden, e->hidden, query, &to->qkv);
    if (status == QA_OK)
        status = load_matrix(l, i, out, 1, e->hidden, e->hidden, 1, &to->out);
    snprintf(name, sizeof name, "blk.%zu.attn_output_norm", i);
    if (status == QA_OK)
        status = load_norm(l, name, &to->after_attention);
    if (status == QA_OK)
        status = load_matrix(l, i, up, 1, e->hidden, e->inner, 1, &to->up);
    if (status == QA_OK)
        status = load_matrix(l, i, down, 1, e->inner, e->hidden, 1, &to->down);
    snprintf(name, sizeof name, "blk.%zu.layer_output_norm", i);
    return status == QA_OK ? load_norm(l, name, &to->after_feed_forward) : status;
}

/* The type of every token is the first one: a text has one part. */
static qa_status load_places(const struct loader *l) {
    struct encoder *e = l->e;
    const struct model_gguf_tensor *places = NULL, *types = model_gguf_find_tensor(e->gguf, "token_types.weight");
    qa_status status = find(l, "position_embd.weight", e->hidden, e->positions, &places);
    if (status == QA_OK && types)
        status = find(l, "token_types.weight", e->hidden, (size_t)types->shape[1], &types);
    if (status != QA_OK)
        return status;
    float *type = embed_allocate(e->hidden, sizeof *type);
    e->places = embed_allocate(e->positions * e->hidden, sizeof *e->places);
    if (!type || !e->places) {
        free(type);
        return error_no_memory(l->err, "opening an embedder");
    }
    read_values(l, places, 0, e->positions * e->hidden, e->places);
    if (types)
        read_values(l, types, 0, e->hidden, type);
    for (size_t i = 0; i < e->positions * e->hidden; i++)
        e->places[i] += type[i % e->hidden];
    free(type);
    return QA_OK;
}

static qa_status load_tokens(const struct loader *l) {
    struct encoder *e = l->e;
    const struct model_gguf_tensor *t = model_gguf_find_tensor(e->gguf, "token_embd.weight");
    const struct model_gguf_entry *vocabulary = model_gguf_find(e->gguf, "tokenizer.ggml.tokens");
    if (!vocabulary || vocabulary->type != GGUF_ARRAY || vocabulary->n > INT32_MAX)
        return error_set(l->err, QA_CORRUPT, "the model %s has no list tokenizer.ggml.tokens", e->gguf->file);
    e->vocabulary = (size_t)vocabulary->n;
    if (t && t->shape[1] > e->vocabulary) /* padded to a round number by some trainers */
        e->vocabulary = (size_t)t->shape[1] < SIZE_MAX ? (size_t)t->shape[1] : e->vocabulary;
    return find(l, "token_embd.weight", e->hidden, e->vocabulary, &e->tokens);
}

static qa_status load(struct loader *l) {
    struct encoder *e = l->e;
    qa_status status = check_family(l);
    if (status == QA_OK)
        status = read_numbers(l);
    if (status == QA_OK)
        status = load_tokens(l);
    if (status == QA_OK)
        status = load_places(l);
    if (status == QA_OK)
        status = load_norm(l, "token_embd_norm", &e->first);
    if (status != QA_OK)
        return status;
    e->layers = embed_allocate(e->n_layers, sizeof *e->layers);
    if (!e->layers)
        return error_no_memory(l->err, "opening an embedder");
    for (size_t i = 0; status == QA_OK && i < e->n_layers; i++)
        status = load_layer(l, i);
    return status;
}

qa_status encoder_load(struct model_gguf *gguf, const struct embed_kernels *kernels, enum embed_precision precision, struct encoder *out, qa_error *err) {
    *out = (struct encoder){.kernels = kernels, .gguf = gguf};
    struct loader l = {.e = out, .precision = precision, .err = err};
    qa_status status = load(&l);
    if (status != QA_OK)
        encoder_free(out);
    return status;
}

static void free_norm(struct encoder_norm *n) {
    free(n->gamma);
    free(n->beta);
}

void encoder_free(struct encoder *e) {
    for (size_t i = 0; e->layers && i < e->n_layers; i++) {
        struct encoder_layer *l = &e->layers[i];
        embed_free_matrix(&l->qkv);
        embed_free_matrix(&l->out);
        embed_free_matrix(&l->up);
        embed_free_matrix(&l->down);
        free_norm(&l->after_attention);
        free_norm(&l->after_feed_forward);
    }
    free_norm(&e->first);
    free(e->layers);
    free(e->places);
    model_gguf_close(e->gguf);
    *e = (struct encoder){0};
}
