/* A sentence-transformers folder of the BERT family as a GGUF of llama.cpp's architecture `bert`.
 *
 * Matrices become 16-bit floats (measured on all-MiniLM-L6-v2 against sentence-transformers in 32 bits: cosine at least 0.999997 either way, half the
 * bytes); positions, token types, norms and biases stay 32 bits, as llama.cpp wants them. The bytes depend on the folder's content alone: no name, no
 * date, an order of tensors of our own. What llama.cpp would compute otherwise than sentence-transformers is refused, not guessed. */
#include "base/file.h"
#include "base/half.h"
#include "model/internal.h"
#include "model/safetensors.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_MEMORY = 256 << 20, MAX_HEAD = 512 << 20, MAX_HIDDEN = 16384, MAX_LAYERS = 512, MAX_VOCABULARY = 4 << 20, MAX_POSITIONS = 1 << 20,
    MAX_NAME = 64, CHUNK = 16384
};
enum { POOLING_MEAN = 1, POOLING_CLS = 2, POOLING_LAST = 3, FILE_F16 = 1 }; /* llama.cpp's */

const struct model_folder_file model_folder_files[] = {
    {"model.safetensors", 0, true},          {"config.json", 1 << 20, true},        {"modules.json", 1 << 20, false},
    {"1_Pooling/config.json", 1 << 20, false}, {"sentence_bert_config.json", 1 << 20, false}, {"tokenizer_config.json", 1 << 20, false},
    {"tokenizer.json", MODEL_MAX_TEXT, false}, {"vocab.txt", MODEL_MAX_TEXT, false},
};
const size_t model_n_folder_files = sizeof model_folder_files / sizeof *model_folder_files;

struct planned { /* a tensor of the new file */
    char name[MAX_NAME];
    const struct safetensors_tensor *from;
    bool half;
};
struct import {
    struct arena a;
    const char *folder;
    struct safetensors *weights;
    bool *used;               /* by index in weights */
    uint64_t hidden, layers, heads, inner, positions, vocabulary, types, context; /* context 0: not said */
    double epsilon;
    unsigned pooling;
    struct planned *plan;
    size_t n_plan;
    qa_error *err;
};

qa_status model_read_json(const char *folder, const char *name, bool needed, json_t **out, qa_error *err) {
    struct arena a;
    char *text = NULL;
    size_t len = 0;
    qa_error inner = {0};
    arena_init(&a, 2 * MODEL_MAX_TEXT);
    *out = NULL;
    char *path = file_join(&a, folder, name);
    qa_status status = path ? file_read(&a, path, MODEL_MAX_TEXT, &text, &len, &inner) : arena_error(&a, &inner, name);
    if (status == QA_OK && (status = json_parse(text, len, out, &inner)) == QA_BAD_INPUT)
        status = error_set(&inner, QA_CORRUPT, "%s: %s", path, inner.message);
    if (status == QA_OK && !json_is_object(*out) && !json_is_array(*out)) {
        json_decref(*out);
        *out = NULL;
        status = error_set(&inner, QA_CORRUPT, "%s: neither a JSON object nor a list", path);
    }
    arena_free(&a);
    if (status == QA_NOT_FOUND && !needed)
        return QA_OK;
    if (status == QA_NOT_FOUND)
        return error_set(err, status, "%s: there is no %s in it, as a sentence-transformers folder has", folder, name);
    return status == QA_OK ? QA_OK : error_set(err, status, "%s", inner.message);
}

/* ---- Configuration ---- */

static qa_status get_number(const struct import *m, const json_t *config, const char *key, uint64_t max, uint64_t *out) {
    const json_t *v = json_object_get(config, key);
    if (!json_is_integer(v) || json_integer_value(v) < 1 || (uint64_t)json_integer_value(v) > max)
        return error_set(m->err, QA_CORRUPT, "%s/config.json: \"%s\" must be a whole number from 1 to %llu", m->folder, key, (unsigned long long)max);
    *out = (uint64_t)json_integer_value(v);
    return QA_OK;
}

/* A text that must be one of a few for llama.cpp to compute the same; absent is fine. */
static qa_status expect(const struct import *m, const json_t *config, const char *key, const char *const *good) {
    const char *v = json_get_string(config, key);
    for (size_t i = 0; v && good[i]; i++)
        if (strcmp(v, good[i]) == 0)
            return QA_OK;
    return v ? error_set(m->err, QA_UNSUPPORTED, "%s/config.json: \"%s\" is %.60s, and only %s can be imported", m->folder, key, v, good[0]) : QA_OK;
}

static qa_status read_config(struct import *m) {
    static const char *const types[] = {"bert", NULL}, *const positions[] = {"absolute", NULL},
                      *const activations[] = {"gelu", "gelu_new", "gelu_pytorch_tanh", NULL};
    json_t *config = NULL;
    qa_status status = model_read_json(m->folder, "config.json", true, &config, m->err);
    if (status != QA_OK)
        return status;
    const json_t *epsilon = json_object_get(config, "layer_norm_eps");
    if ((status = expect(m, config, "model_type", types)) != QA_OK || (status = expect(m, config, "position_embedding_type", positions)) != QA_OK ||
        (status = expect(m, config, "hidden_act", activations)) != QA_OK ||
        (status = get_number(m, config, "hidden_size", MAX_HIDDEN, &m->hidden)) != QA_OK ||
        (status = get_number(m, config, "num_hidden_layers", MAX_LAYERS, &m->layers)) != QA_OK ||
        (status = get_number(m, config, "num_attention_heads", m->hidden, &m->heads)) != QA_OK ||
        (status = get_number(m, config, "intermediate_size", 16 * MAX_HIDDEN, &m->inner)) != QA_OK ||
        (status = get_number(m, config, "max_position_embeddings", MAX_POSITIONS, &m->positions)) != QA_OK ||
        (status = get_number(m, config, "vocab_size", MAX_VOCABULARY, &m->vocabulary)) != QA_OK ||
        (status = get_number(m, config, "type_vocab_size", 64, &m->types)) != QA_OK)
        goto out;
    m->epsilon = epsilon ? json_number_value(epsilon) : 1e-12; /* 0 of what is no number */
    if (m->hidden % m->heads != 0)
        status = error_set(m->err, QA_CORRUPT, "%s/config.json: hidden_size %llu is no multiple of num_attention_heads %llu", m->folder,
                           (unsigned long long)m->hidden, (unsigned long long)m->heads);
    else if (!(m->epsilon > 0 && m->epsilon < 1))
        status = error_set(m->err, QA_CORRUPT, "%s/config.json: \"layer_norm_eps\" must be a number between 0 and 1", m->folder);
out:
    json_decref(config);
    return status;
}

static qa_status read_pooling(struct import *m, const char *name) {
    static const struct {
        const char *key, *name;
        unsigned type;
    } modes[] = {{"pooling_mode_mean_tokens", "mean", POOLING_MEAN}, {"pooling_mode_cls_token", "cls", POOLING_CLS},
                 {"pooling_mode_lasttoken", "lasttoken", POOLING_LAST}, {"pooling_mode_max_tokens", "max", 0},
                 {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", 0}, {"pooling_mode_weightedmean_tokens", "weightedmean", 0}};
    json_t *config = NULL;
    size_t set = 0;
    char *file = arena_printf(&m->a, "%s/config.json", name);
    if (!file)
        return arena_error(&m->a, m->err, m->folder);
    qa_status status = model_read_json(m->folder, file, true, &config, m->err);
    if (status != QA_OK)
        return status;
    const char *mode = json_get_string(config, "pooling_mode");
    m->pooling = 0;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (json_is_true(json_object_get(config, modes[i].key)) || (mode && strcmp(mode, modes[i].name) == 0)) {
            m->pooling = modes[i].type;
            set++;
        }
    json_decref(config);
    if (set != 1 || !m->pooling)
        return error_set(m->err, QA_UNSUPPORTED, "%s/%s: tokens are pooled in another way than by their mean, the first or the last", m->folder, file);
    return QA_OK;
}

static qa_status read_modules(struct import *m) {
    json_t *modules = NULL, *module;
    size_t i;
    qa_status status = model_read_json(m->folder, "modules.json", false, &modules, m->err);
    m->pooling = POOLING_MEAN; /* what sentence-transformers does without a word about it */
    json_array_foreach(modules, i, module) {
        const char *type = json_get_string(module, "type"), *path = json_get_string(module, "path");
        const char *dot = type ? strrchr(type, '.') : NULL, *kind = dot ? dot + 1 : type;
        if (status != QA_OK)
            break;
        if (!kind || (strcmp(kind, "Transformer") != 0 && strcmp(kind, "Pooling") != 0 && strcmp(kind, "Normalize") != 0))
            status = error_set(m->err, QA_UNSUPPORTED, "%s/modules.json: a module %.60s; only Transformer, Pooling and Normalize can be imported",
                               m->folder, kind ? kind : "without a type");
        else if (strcmp(kind, "Transformer") == 0 && path && *path)
            status = error_set(m->err, QA_UNSUPPORTED, "%s/modules.json: the transformer lies in the folder %.60s; import that layout by hand", m->folder,
                               path);
        else if (strcmp(kind, "Pooling") == 0 && (!path || !*path || strchr(path, '/') || *path == '.'))
            status = error_set(m->err, QA_CORRUPT, "%s/modules.json: the pooling's path %.60s is no plain name", m->folder, path ? path : "(none)");
        else if (strcmp(kind, "Pooling") == 0)
            status = read_pooling(m, path);
    }
    json_decref(modules);
    return status;
}

static qa_status read_limit(struct import *m) {
    json_t *config = NULL;
    qa_status status = model_read_json(m->folder, "sentence_bert_config.json", false, &config, m->err);
    const json_t *limit = json_object_get(config, "max_seq_length");
    json_int_t n = json_integer_value(limit);
    m->context = (uint64_t)n;
    if (status == QA_OK && json_is_true(json_object_get(config, "do_lower_case")))
        status = error_set(m->err, QA_UNSUPPORTED, "%s/sentence_bert_config.json: \"do_lower_case\" is true, which llama.cpp does not do", m->folder);
    else if (status == QA_OK && limit && !json_is_null(limit) && (n < 1 || (uint64_t)n > m->positions))
        status = error_set(m->err, QA_CORRUPT, "%s/sentence_bert_config.json: \"max_seq_length\" must be a whole number from 1 to %llu, the positions of config.json",
                           m->folder, (unsigned long long)m->positions);
    json_decref(config);
    return status;
}

/* ---- Weights ---- */

/* By today's name, with or without the model's own prefix, or by the names of norms of the first releases. */
static const struct safetensors_tensor *find_weight(const struct import *m, const char *name) {
    static const char *const prefixes[] = {"", "bert.", "model."};
    static const struct {
        const char *now, *then;
    } ends[] = {{"LayerNorm.weight", "LayerNorm.gamma"}, {"LayerNorm.bias", "LayerNorm.beta"}};
    const struct safetensors_tensor *t = NULL;
    char full[2 * MAX_NAME + 64];
    for (size_t i = 0; !t && i < sizeof prefixes / sizeof *prefixes; i++) {
        snprintf(full, sizeof full, "%s%s", prefixes[i], name);
        t = model_find_safetensor(m->weights, full);
        size_t len = strlen(full);
        for (size_t k = 0; !t && k < sizeof ends / sizeof *ends; k++) {
            size_t n = strlen(ends[k].now);
            if (len < n || strcmp(full + len - n, ends[k].now) != 0)
                continue;
            snprintf(full + len - n, sizeof full - (len - n), "%s", ends[k].then);
            t = model_find_safetensor(m->weights, full);
            snprintf(full, sizeof full, "%s%s", prefixes[i], name);
        }
    }
    return t;
}

/* columns 0: a vector of `rows`. */
static qa_status plan(struct import *m, const char *from, const char *to, uint64_t rows, uint64_t columns, bool half) {
    const struct safetensors_tensor *t = find_weight(m, from);
    struct planned *p = &m->plan[m->n_plan++];
    if (!t)
        return error_set(m->err, QA_CORRUPT, "%s: there is no tensor %s", m->weights->file, from);
    bool fits = columns ? t->n_dims == 2 && t->shape[0] == rows && t->shape[1] == columns : t->n_dims == 1 && t->shape[0] == rows;
    if (!fits)
        return error_set(m->err, QA_CORRUPT, "%s: the tensor %s is %llu x %llu (%u dimensions), and config.json asks for %llu x %llu", m->weights->file,
                         t->name, (unsigned long long)(t->n_dims ? t->shape[0] : 1), (unsigned long long)(t->n_dims > 1 ? t->shape[1] : 1), t->n_dims,
                         (unsigned long long)rows, (unsigned long long)(columns ? columns : 1));
    if (t->type == SAFETENSORS_OTHER)
        return error_set(m->err, QA_UNSUPPORTED, "%s: the tensor %s is of type %s; only F32, F16 and BF16 can be imported", m->weights->file, t->name,
                         t->type_name);
    m->used[t - m->weights->tensors] = true;
    p->from = t;
    p->half = half;
    snprintf(p->name, sizeof p->name, "%s", to);
    return QA_OK;
}

/* Weight and bias of one place. */
static qa_status plan_pair(struct import *m, const char *from, const char *to, uint64_t rows, uint64_t columns) {
    char source[128], target[MAX_NAME];
    snprintf(source, sizeof source, "%s.weight", from);
    snprintf(target, sizeof target, "%s.weight", to);
    qa_status status = plan(m, source, target, rows, columns, columns != 0);
    snprintf(source, sizeof source, "%s.bias", from);
    snprintf(target, sizeof target, "%s.bias", to);
    return status == QA_OK ? plan(m, source, target, rows, 0, false) : status;
}

static qa_status plan_layer(struct import *m, unsigned layer) {
    const struct {
        const char *from, *to;
        uint64_t rows, columns;
    } parts[] = {
        {"attention.self.query", "attn_q", m->hidden, m->hidden},        {"attention.self.key", "attn_k", m->hidden, m->hidden},
        {"attention.self.value", "attn_v", m->hidden, m->hidden},        {"attention.output.dense", "attn_output", m->hidden, m->hidden},
        {"attention.output.LayerNorm", "attn_output_norm", m->hidden, 0}, {"intermediate.dense", "ffn_up", m->inner, m->hidden},
        {"output.dense", "ffn_down", m->hidden, m->inner},               {"output.LayerNorm", "layer_output_norm", m->hidden, 0},
    };
    qa_status status = QA_OK;
    for (size_t i = 0; status == QA_OK && i < sizeof parts / sizeof *parts; i++) {
        char from[100], to[48];
        snprintf(from, sizeof from, "encoder.layer.%u.%s", layer, parts[i].from);
        snprintf(to, sizeof to, "blk.%u.%s", layer, parts[i].to);
        status = plan_pair(m, from, to, parts[i].rows, parts[i].columns);
    }
    return status;
}

/* A tensor that is left over would mean something else is computed than was trained; heads for training are no part of the vector. */
static qa_status check_unused(const struct import *m) {
    static const char *const heads[] = {"pooler.", "cls.", "embeddings.position_ids", "embeddings.token_type_ids"};
    for (size_t i = 0; i < m->weights->n; i++) {
        const char *name = m->weights->tensors[i].name;
        bool known = m->used[i];
        name += strncmp(name, "bert.", 5) == 0 ? 5 : strncmp(name, "model.", 6) == 0 ? 6 : 0;
        for (size_t k = 0; !known && k < sizeof heads / sizeof *heads; k++)
            known = strncmp(name, heads[k], strlen(heads[k])) == 0;
        if (!known)
            return error_set(m->err, QA_UNSUPPORTED, "%s: the tensor %.80s does not belong to BERT: this is another architecture", m->weights->file,
                             m->weights->tensors[i].name);
    }
    return QA_OK;
}

static qa_status plan_all(struct import *m) {
    char *path = file_join(&m->a, m->folder, "model.safetensors");
    qa_status status = path ? model_open_safetensors(path, &m->weights, m->err) : arena_error(&m->a, m->err, m->folder);
    if (status != QA_OK)
        return status;
    m->used = arena_array(&m->a, m->weights->n + 1, sizeof *m->used);
    m->plan = arena_array(&m->a, 5 + 16 * m->layers, sizeof *m->plan);
    if (!m->used || !m->plan)
        return arena_error(&m->a, m->err, m->folder);
    if ((status = plan(m, "embeddings.word_embeddings.weight", "token_embd.weight", m->vocabulary, m->hidden, true)) != QA_OK ||
        (status = plan(m, "embeddings.position_embeddings.weight", "position_embd.weight", m->positions, m->hidden, false)) != QA_OK ||
        (status = plan(m, "embeddings.token_type_embeddings.weight", "token_types.weight", m->types, m->hidden, false)) != QA_OK ||
        (status = plan_pair(m, "embeddings.LayerNorm", "token_embd_norm", m->hidden, 0)) != QA_OK)
        return status;
    for (unsigned i = 0; i < m->layers; i++)
        if ((status = plan_layer(m, i)) != QA_OK)
            return status;
    return check_unused(m);
}

/* ---- Writing ---- */

static void describe(const struct import *m, struct model_gguf_writer *w) {
    model_gguf_put_string(w, "general.architecture", "bert");
    model_gguf_put_string(w, "general.type", "model");
    model_gguf_put_uint(w, "general.file_type", FILE_F16);
    model_gguf_put_uint(w, "general.quantization_version", 2);
    model_gguf_put_uint(w, "bert.block_count", (uint32_t)m->layers);
    model_gguf_put_uint(w, "bert.context_length", (uint32_t)m->positions);
    model_gguf_put_uint(w, "bert.embedding_length", (uint32_t)m->hidden);
    model_gguf_put_uint(w, "bert.feed_forward_length", (uint32_t)m->inner);
    model_gguf_put_uint(w, "bert.attention.head_count", (uint32_t)m->heads);
    model_gguf_put_float(w, "bert.attention.layer_norm_epsilon", (float)m->epsilon);
    model_gguf_put_bool(w, "bert.attention.causal", false);
    model_gguf_put_uint(w, "bert.pooling_type", m->pooling);
    model_gguf_put_uint(w, "tokenizer.ggml.token_type_count", (uint32_t)m->types);
    if (m->context)
        model_gguf_put_uint(w, "quaere.context_length", (uint32_t)m->context); /* what it was trained for; positions may be more */
    for (size_t i = 0; i < m->n_plan; i++) {
        const struct planned *p = &m->plan[i];
        uint64_t shape[2] = {p->from->shape[p->from->n_dims - 1], p->from->shape[0]};
        model_gguf_put_tensor(w, p->name, p->half ? MODEL_TENSOR_F16 : MODEL_TENSOR_F32, p->from->n_dims, shape, p->from->elements * (p->half ? 2 : 4));
    }
}

static float get_value(const struct safetensors_tensor *t, uint64_t i) {
    const uint8_t *p = t->data + i * (t->type == SAFETENSORS_F32 ? 4 : 2);
    uint32_t bits = (uint32_t)p[0] | (uint32_t)p[1] << 8;
    float v;
    if (t->type == SAFETENSORS_F16)
        return half_to_float(bits);
    bits = t->type == SAFETENSORS_BF16 ? bits << 16 : bits | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static qa_status write_tensor(const struct import *m, const struct planned *p, struct model_output *o, uint8_t *part) {
    static const char zeros[64];
    const size_t width = p->half ? 2 : 4;
    qa_status status = QA_OK;
    for (uint64_t i = 0; status == QA_OK && i < p->from->elements;) {
        size_t n = 0;
        for (; n < CHUNK && i < p->from->elements; n++, i++) {
            float v = get_value(p->from, i);
            uint32_t bits;
            memcpy(&bits, &v, sizeof bits);
            if (p->half)
                bits = half_from_float(v);
            if (!isfinite(v) || (p->half && (bits & 0x7C00) == 0x7C00))
                return error_set(m->err, QA_CORRUPT, "%s: the tensor %s holds %g at %llu: no weight of a model", m->weights->file, p->from->name,
                                 (double)v, (unsigned long long)i);
            for (size_t k = 0; k < width; k++)
                part[n * width + k] = (uint8_t)(bits >> 8 * k);
        }
        status = model_output_write(o, part, n * width, m->err);
    }
    return status == QA_OK ? model_output_write(o, zeros, model_gguf_padding(p->from->elements * width), m->err) : status;
}

static qa_status write_file(const struct import *m, const struct model_gguf_writer *w, const char *path) {
    struct model_output o = {.fd = -1};
    struct buf head;
    buf_init(&head, MAX_HEAD);
    uint8_t *part = malloc(4 * CHUNK);
    qa_status status = part ? model_gguf_write_head(w, &head, m->err) : error_no_memory(m->err, "writing a model");
    if (status == QA_OK)
        status = model_output_begin(&o, path, m->err);
    if (status == QA_OK)
        status = model_output_write(&o, head.data, head.len, m->err);
    for (size_t i = 0; status == QA_OK && i < m->n_plan; i++)
        status = write_tensor(m, &m->plan[i], &o, part);
    if (status == QA_OK)
        status = model_output_commit(&o, m->err);
    model_output_drop(&o);
    buf_free(&head);
    free(part);
    return status;
}

qa_status model_import(const char *folder, const char *out_path, qa_error *err) {
    struct model_gguf_writer w;
    struct import m = {.folder = folder, .err = err};
    struct file_stat st;
    qa_status status = file_stat(folder, &st, err);
    if (status != QA_OK)
        return status;
    if (!st.is_dir)
        return error_set(err, QA_BAD_USAGE, "%s: not a folder; a sentence-transformers folder is wanted (config.json, model.safetensors, vocab.txt)", folder);
    arena_init(&m.a, MAX_MEMORY);
    model_gguf_begin(&w);
    if ((status = read_config(&m)) == QA_OK && (status = read_modules(&m)) == QA_OK && (status = read_limit(&m)) == QA_OK &&
        (status = plan_all(&m)) == QA_OK) {
        describe(&m, &w);
        if ((status = model_put_vocabulary(&w, folder, m.vocabulary, err)) == QA_OK)
            status = write_file(&m, &w, out_path);
    }
    model_close_safetensors(m.weights);
    model_gguf_end(&w);
    arena_free(&m.a);
    return status;
}
