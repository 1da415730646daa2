#include "fake/fake_bert.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char fake_bert_config[] = "{\"model_type\": \"bert\", \"hidden_act\": \"gelu\", \"hidden_size\": 4, \"num_hidden_layers\": 1, \"num_attention_heads\": 2, "
                                "\"intermediate_size\": 8, \"max_position_embeddings\": 5, \"vocab_size\": 7, \"type_vocab_size\": 2, \"layer_norm_eps\": 1e-12}";
const char fake_bert_vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\n";

static const struct {
    const char *name;
    unsigned rows, columns;
} tensors[BERT_TENSORS] = {
    {"embeddings.word_embeddings.weight", BERT_VOCABULARY, BERT_HIDDEN},
    {"embeddings.position_embeddings.weight", BERT_POSITIONS, BERT_HIDDEN},
    {"embeddings.token_type_embeddings.weight", BERT_TYPES, BERT_HIDDEN},
    {"embeddings.LayerNorm.weight", BERT_HIDDEN, 0},
    {"embeddings.LayerNorm.bias", BERT_HIDDEN, 0},
    {"encoder.layer.0.attention.self.query.weight", BERT_HIDDEN, BERT_HIDDEN},
    {"encoder.layer.0.attention.self.query.bias", BERT_HIDDEN, 0},
    {"encoder.layer.0.attention.self.key.weight", BERT_HIDDEN, BERT_HIDDEN},
    {"encoder.layer.0.attention.self.key.bias", BERT_HIDDEN, 0},
    {"encoder.layer.0.attention.self.value.weight", BERT_HIDDEN, BERT_HIDDEN},
    {"encoder.layer.0.attention.self.value.bias", BERT_HIDDEN, 0},
    {"encoder.layer.0.attention.output.dense.weight", BERT_HIDDEN, BERT_HIDDEN},
    {"encoder.layer.0.attention.output.dense.bias", BERT_HIDDEN, 0},
    {"encoder.layer.0.attention.output.LayerNorm.weight", BERT_HIDDEN, 0},
    {"encoder.layer.0.attention.output.LayerNorm.bias", BERT_HIDDEN, 0},
    {"encoder.layer.0.intermediate.dense.weight", BERT_INNER, BERT_HIDDEN},
    {"encoder.layer.0.intermediate.dense.bias", BERT_INNER, 0},
    {"encoder.layer.0.output.dense.weight", BERT_HIDDEN, BERT_INNER},
    {"encoder.layer.0.output.dense.bias", BERT_HIDDEN, 0},
    {"encoder.layer.0.output.LayerNorm.weight", BERT_HIDDEN, 0},
    {"encoder.layer.0.output.LayerNorm.bias", BERT_HIDDEN, 0},
};

/* Normal numbers only, cut off: what these tests compare is far coarser. */
static uint16_t to_half(float v) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    int exponent = (int)(bits >> 23 & 0xFF) - 112;
    return exponent <= 0 ? 0 : (uint16_t)((bits >> 16 & 0x8000) | (uint32_t)exponent << 10 | (bits >> 13 & 0x3FF));
}

static size_t put_value(unsigned char *to, const char *dtype, float v) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    if (strcmp(dtype, "F16") == 0)
        bits = to_half(v);
    else if (strcmp(dtype, "BF16") == 0)
        bits >>= 16;
    size_t width = strcmp(dtype, "F32") == 0 ? 4 : 2;
    for (size_t i = 0; i < width; i++)
        to[i] = (unsigned char)(bits >> 8 * i);
    return width;
}

static void put_name(char *to, size_t size, const struct fake_bert *how, const char *name) {
    const char *last = strstr(name, "LayerNorm.");
    if (how->old_norms && last)
        snprintf(to, size, "%s%.*sLayerNorm.%s", how->prefix ? how->prefix : "", (int)(last - name), name, strstr(last, "weight") ? "gamma" : "beta");
    else
        snprintf(to, size, "%s%s", how->prefix ? how->prefix : "", name);
}

static void make_weights(const struct fake_tree *t, const char *folder, const struct fake_bert *how) {
    static unsigned char data[8192];
    static char header[8192];
    char path[300], name[200];
    const char *dtype = how->dtype ? how->dtype : "F32";
    size_t size = 0;
    int n = snprintf(header, sizeof header, "{\"__metadata__\": {\"format\": \"pt\"}");
    for (unsigned i = 0; i < BERT_TENSORS; i++) {
        size_t begin = size, elements = tensors[i].rows * (tensors[i].columns ? tensors[i].columns : 1);
        if (how->omit && strcmp(how->omit, tensors[i].name) == 0)
            continue;
        for (unsigned k = 0; k < elements; k++)
            size += put_value(data + size, dtype,
                              how->infinite && strcmp(how->infinite, tensors[i].name) == 0 && k + 1 == elements ? INFINITY
                                                                                                               : (float)i + 0.001F * (float)k);
        put_name(name, sizeof name, how, tensors[i].name);
        n += snprintf(header + n, sizeof header - (size_t)n, ", \"%s\": {\"dtype\": \"%s\", \"shape\": [%u", name, dtype, tensors[i].rows);
        if (tensors[i].columns)
            n += snprintf(header + n, sizeof header - (size_t)n, ", %u", tensors[i].columns);
        n += snprintf(header + n, sizeof header - (size_t)n, "], \"data_offsets\": [%zu, %zu]}", begin, size);
    }
    if (how->extra) {
        n += snprintf(header + n, sizeof header - (size_t)n, ", \"%s\": {\"dtype\": \"I64\", \"shape\": [1], \"data_offsets\": [%zu, %zu]}", how->extra, size,
                      size + 8);
        size += 8;
    }
    n += snprintf(header + n, sizeof header - (size_t)n, "}");
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    fake_tree_put(t, path, "");
    FILE *f = fopen(fake_tree_path(t, path), "wb");
    unsigned char length[8] = {(unsigned char)n, (unsigned char)(n >> 8)};
    if (!f || fwrite(length, 1, 8, f) != 8 || fwrite(header, 1, (size_t)n, f) != (size_t)n || fwrite(data, 1, size, f) != size || fclose(f) != 0)
        abort();
}

void fake_bert_make(const struct fake_tree *t, const char *folder, const struct fake_bert *how) {
    const struct {
        const char *name, *content;
    } files[] = {
        {"config.json", fake_bert_config},
        {"vocab.txt", fake_bert_vocabulary},
        {"modules.json", "[{\"path\": \"\", \"type\": \"sentence_transformers.models.Transformer\"}, {\"path\": \"1_Pooling\", \"type\": "
                         "\"sentence_transformers.models.Pooling\"}, {\"path\": \"2_Normalize\", \"type\": \"sentence_transformers.models.Normalize\"}]"},
        {"1_Pooling/config.json", "{\"pooling_mode_cls_token\": false, \"pooling_mode_mean_tokens\": true}"},
        {"tokenizer_config.json", "{\"do_lower_case\": true, \"cls_token\": {\"content\": \"[CLS]\"}}"},
        {"sentence_bert_config.json", "{\"max_seq_length\": 3, \"do_lower_case\": false}"},
    };
    char path[300];
    make_weights(t, folder, how);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        fake_tree_put(t, path, files[i].content);
    }
}
