/* A WordPiece vocabulary as llama.cpp wants it: a token that begins a word gets U+2581 in front, one that goes on with a word loses its "##", and
 * control tokens stay as they are. Ids without a token are filled with [PADn], marked unused. */
#include "base/file.h"
#include "base/utf8.h"
#include "model/internal.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_MEMORY = 512 << 20, LONGEST_WORD = 100 /* of BERT */, NORMAL = 1, CONTROL = 3, USER_DEFINED = 4, UNUSED = 5 }; /* llama.cpp's token types */

struct token {
    const char *text;
    size_t len;
    int32_t type;
};
struct vocabulary {
    struct arena *a;
    const char *folder;
    struct token *tokens;
    uint64_t n;
    json_t *tokenizer, *config; /* tokenizer.json, tokenizer_config.json; NULL: not there */
    qa_error *err;
};

static qa_status put_token(struct vocabulary *v, const char *file, uint64_t id, const char *text, size_t len) {
    if (id >= v->n)
        return error_set(v->err, QA_CORRUPT, "%s/%s: a token has the number %llu, and config.json says that there are %llu", v->folder, file,
                         (unsigned long long)id, (unsigned long long)v->n);
    if (utf8_valid_len(text, len) != len)
        return error_set(v->err, QA_CORRUPT, "%s/%s: token %llu is not valid UTF-8", v->folder, file, (unsigned long long)id);
    v->tokens[id] = (struct token){text, len, NORMAL};
    return QA_OK;
}

/* One token a line; the number of the line is its id. */
static qa_status read_lines(struct vocabulary *v, const char *text, size_t len) {
    uint64_t id = 0;
    for (const char *at = text, *end = text + len; at < end; id++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((newline ? newline : end) - at);
        size_t shown = n && at[n - 1] == '\r' ? n - 1 : n;
        qa_status status = put_token(v, "vocab.txt", id, at, shown);
        if (status != QA_OK)
            return status;
        at += n + 1;
    }
    return QA_OK;
}

static qa_status read_vocabulary(struct vocabulary *v) {
    char *text = NULL;
    size_t len = 0;
    const char *word;
    json_t *id;
    char *path = file_join(v->a, v->folder, "vocab.txt");
    if (!path)
        return arena_error(v->a, v->err, v->folder);
    qa_status status = file_read(v->a, path, MODEL_MAX_TEXT, &text, &len, v->err);
    if (status == QA_OK)
        return read_lines(v, text, len);
    json_t *words = json_object_get(json_object_get(v->tokenizer, "model"), "vocab");
    if (status != QA_NOT_FOUND || !json_is_object(words))
        return status;
    json_object_foreach(words, word, id) {
        if (!json_is_integer(id) || json_integer_value(id) < 0)
            return error_set(v->err, QA_CORRUPT, "%s/tokenizer.json: the token %.40s has no number", v->folder, word);
        if ((status = put_token(v, "tokenizer.json", (uint64_t)json_integer_value(id), word, strlen(word))) != QA_OK)
            return status;
    }
    return QA_OK;
}

/* The token that plays a part, by the name that the configuration gives it. */
static qa_status find_special(const struct vocabulary *v, const char *key, const char *standard, uint32_t *out) {
    const json_t *value = json_object_get(v->config, key);
    const char *name = json_is_object(value) ? json_get_string(value, "content") : json_string_value(value);
    name = name ? name : standard;
    for (uint64_t i = 0; i < v->n; i++)
        if (v->tokens[i].text && v->tokens[i].len == strlen(name) && memcmp(v->tokens[i].text, name, v->tokens[i].len) == 0) {
            v->tokens[i].type = CONTROL;
            *out = (uint32_t)i;
            return QA_OK;
        }
    return error_set(v->err, QA_CORRUPT, "%s: the vocabulary has no token %.40s (%s)", v->folder, name, key);
}

static void mark_added(const struct vocabulary *v) {
    size_t i;
    json_t *added;
    json_array_foreach(json_object_get(v->tokenizer, "added_tokens"), i, added) {
        json_int_t id = json_integer_value(json_object_get(added, "id"));
        if (id >= 0 && (uint64_t)id < v->n && v->tokens[id].text)
            v->tokens[id].type = json_is_true(json_object_get(added, "special")) ? CONTROL : USER_DEFINED;
    }
}

/* What is done to a text before it is cut into words. llama.cpp does it one way; a tokenizer that does it otherwise would get other vectors. */
static qa_status read_normalizer(const struct vocabulary *v, bool *lower, int *strip) {
    const json_t *n = json_object_get(v->tokenizer, "normalizer");
    const json_t *lowercase = NULL, *accents = NULL, *chinese = NULL, *clean = NULL;
    if (json_is_object(n)) {
        const char *type = json_get_string(n, "type");
        if (!type || strcmp(type, "BertNormalizer") != 0)
            return error_set(v->err, QA_UNSUPPORTED, "%s/tokenizer.json: the normalizer is %.40s; only BertNormalizer can be imported", v->folder,
                             type ? type : "none that has a type");
        lowercase = json_object_get(n, "lowercase");
        accents = json_object_get(n, "strip_accents");
        chinese = json_object_get(n, "handle_chinese_chars");
        clean = json_object_get(n, "clean_text");
    } else {
        lowercase = json_object_get(v->config, "do_lower_case");
        accents = json_object_get(v->config, "strip_accents");
        chinese = json_object_get(v->config, "tokenize_chinese_chars");
        clean = json_object_get(v->config, "clean_text");
    }
    if (json_is_false(chinese))
        return error_set(v->err, QA_UNSUPPORTED, "%s: the tokenizer keeps Chinese characters in words, which llama.cpp does not", v->folder);
    if (json_is_false(clean))
        return error_set(v->err, QA_UNSUPPORTED, "%s: the tokenizer keeps control characters (clean_text is false), which llama.cpp does not", v->folder);
    *lower = !json_is_false(lowercase);
    *strip = json_is_boolean(accents) ? json_is_true(accents) : -1;
    return QA_OK;
}

/* How a text is cut into words, and which word is too long to be looked up. */
static qa_status check_words(const struct vocabulary *v) {
    const json_t *cutter = json_object_get(v->tokenizer, "pre_tokenizer"), *longest = json_object_get(json_object_get(v->tokenizer, "model"), "max_input_chars_per_word");
    const char *type = json_get_string(cutter, "type");
    if (cutter && (!type || strcmp(type, "BertPreTokenizer") != 0))
        return error_set(v->err, QA_UNSUPPORTED, "%s/tokenizer.json: the pre-tokenizer is %.40s; only BertPreTokenizer can be imported", v->folder,
                         type ? type : "none that has a type");
    if (longest && json_integer_value(longest) != LONGEST_WORD)
        return error_set(v->err, QA_UNSUPPORTED, "%s/tokenizer.json: \"max_input_chars_per_word\" must be %d to be imported", v->folder, LONGEST_WORD);
    return QA_OK;
}

static qa_status check_tokenizer(const struct vocabulary *v) {
    const json_t *model = json_object_get(v->tokenizer, "model");
    const char *type = json_get_string(model, "type"), *prefix = json_get_string(model, "continuing_subword_prefix");
    if ((type && strcmp(type, "WordPiece") != 0) || (prefix && strcmp(prefix, "##") != 0))
        return error_set(v->err, QA_UNSUPPORTED, "%s/tokenizer.json: a tokenizer of type %.40s%s; only WordPiece with ## can be imported", v->folder,
                         type ? type : "unknown", prefix && strcmp(prefix, "##") != 0 ? " with another prefix" : "");
    return check_words(v);
}

static void put_tokens(struct model_gguf_writer *w, const struct vocabulary *v) {
    static const char word_start[] = "\xE2\x96\x81";
    model_gguf_put_array(w, "tokenizer.ggml.tokens", GGUF_STRING, v->n);
    for (uint64_t i = 0; i < v->n; i++) {
        const struct token *t = &v->tokens[i];
        char pad[32];
        if (!t->text) {
            int n = snprintf(pad, sizeof pad, "[PAD%llu]", (unsigned long long)i);
            model_gguf_put_item(w, pad, (size_t)n);
        } else if (t->type == CONTROL) {
            model_gguf_put_item(w, t->text, t->len);
        } else if (t->len >= 2 && memcmp(t->text, "##", 2) == 0) {
            model_gguf_put_item(w, t->text + 2, t->len - 2);
        } else {
            char *word = arena_alloc(v->a, t->len + sizeof word_start);
            if (!word) {
                w->entries.status = QA_NO_MEMORY;
                return;
            }
            memcpy(word, word_start, sizeof word_start - 1);
            memcpy(word + sizeof word_start - 1, t->text, t->len);
            model_gguf_put_item(w, word, t->len + sizeof word_start - 1);
        }
    }
    model_gguf_put_array(w, "tokenizer.ggml.token_type", GGUF_I32, v->n);
    for (uint64_t i = 0; i < v->n; i++)
        model_gguf_put_int(w, v->tokens[i].text ? v->tokens[i].type : UNUSED);
}

static qa_status put_all(struct model_gguf_writer *w, struct vocabulary *v) {
    uint32_t cls = 0, sep = 0, unk = 0, pad = 0, mask = 0;
    bool lower = true;
    int strip = -1;
    qa_status status = check_tokenizer(v);
    if (status == QA_OK)
        status = read_vocabulary(v);
    if (status != QA_OK)
        return status;
    mark_added(v);
    if ((status = find_special(v, "cls_token", "[CLS]", &cls)) != QA_OK || (status = find_special(v, "sep_token", "[SEP]", &sep)) != QA_OK ||
        (status = find_special(v, "unk_token", "[UNK]", &unk)) != QA_OK || (status = find_special(v, "pad_token", "[PAD]", &pad)) != QA_OK ||
        (status = find_special(v, "mask_token", "[MASK]", &mask)) != QA_OK || (status = read_normalizer(v, &lower, &strip)) != QA_OK)
        return status;
    model_gguf_put_string(w, "tokenizer.ggml.model", "bert");
    put_tokens(w, v);
    model_gguf_put_uint(w, "tokenizer.ggml.bos_token_id", cls);
    model_gguf_put_uint(w, "tokenizer.ggml.unknown_token_id", unk);
    model_gguf_put_uint(w, "tokenizer.ggml.seperator_token_id", sep); /* spelt so by the format */
    model_gguf_put_uint(w, "tokenizer.ggml.padding_token_id", pad);
    model_gguf_put_uint(w, "tokenizer.ggml.cls_token_id", cls);
    model_gguf_put_uint(w, "tokenizer.ggml.mask_token_id", mask);
    model_gguf_put_bool(w, "tokenizer.ggml.normalizer.lowercase", lower);
    if (strip >= 0)
        model_gguf_put_bool(w, "tokenizer.ggml.normalizer.strip_accents", strip);
    return QA_OK;
}

qa_status model_put_vocabulary(struct model_gguf_writer *w, const char *folder, uint64_t n_vocab, qa_error *err) {
    struct arena a;
    arena_init(&a, MAX_MEMORY);
    struct vocabulary v = {.a = &a, .folder = folder, .n = n_vocab, .err = err};
    v.tokens = arena_array(&a, n_vocab, sizeof *v.tokens);
    qa_status status = v.tokens ? QA_OK : arena_error(&a, err, "reading a vocabulary");
    if (status == QA_OK)
        status = model_read_json(folder, "tokenizer.json", false, &v.tokenizer, err);
    if (status == QA_OK)
        status = model_read_json(folder, "tokenizer_config.json", false, &v.config, err);
    if (status == QA_OK)
        status = put_all(w, &v);
    json_decref(v.tokenizer);
    json_decref(v.config);
    arena_free(&a);
    return status;
}
