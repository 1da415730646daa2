/* Text to tokens. llama.cpp's tokenizers differ in what they survive: some split by std::regex, which recurses over the length of its input, some throw
 * on invalid UTF-8. So they only get valid UTF-8, in slices; a slice ends before a space where there is one, which is where tokens end too. */
#include "base/buf.h"
#include "base/utf8.h"
#include "llm/llm_internal.h"
#include <stdlib.h>

enum {
    SLICE = 4096,
    SLICE_LOOK_BACK = 512,
    SLACK = 16 /* tokens that a tokenizer may add to what the bytes give, such as a leading space */
};

static qa_status reserve(struct llm_tokens *t, size_t more, qa_error *err) {
    if (more <= t->cap - t->n)
        return QA_OK;
    size_t cap = t->n + more > 2 * t->cap ? t->n + more : 2 * t->cap;
    llama_token *grown = realloc(t->items, cap * sizeof *grown);
    if (!grown)
        return error_no_memory(err, "reading text as tokens");
    t->items = grown;
    t->cap = cap;
    return QA_OK;
}

qa_status llm_tokens_add(struct llm_tokens *t, llama_token token, qa_error *err) {
    qa_status status = reserve(t, 1, err);
    if (status == QA_OK)
        t->items[t->n++] = token;
    return status;
}

void llm_tokens_free(struct llm_tokens *t) {
    free(t->items);
    *t = (struct llm_tokens){0};
}

static qa_status add_slice(const struct llm_model *m, const char *text, size_t len, bool control, struct llm_tokens *out, qa_error *err) {
    qa_status status = reserve(out, len + SLACK, err);
    if (status != QA_OK)
        return status;
    int32_t n = llama_tokenize(m->vocab, text, (int32_t)len, out->items + out->n, (int32_t)(out->cap - out->n), false, control);
    if (n < 0 && n != INT32_MIN) {
        if ((status = reserve(out, (size_t)-n, err)) != QA_OK)
            return status;
        n = llama_tokenize(m->vocab, text, (int32_t)len, out->items + out->n, (int32_t)(out->cap - out->n), false, control);
    }
    if (n < 0)
        return error_set(err, QA_INTERNAL, "the tokenizer of %s cannot read a text of %zu bytes", m->name, len);
    out->n += (size_t)n;
    return QA_OK;
}

static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

static size_t slice_len(const char *text, size_t len) {
    if (len <= SLICE)
        return len;
    for (size_t n = SLICE; n > SLICE - SLICE_LOOK_BACK; n--)
        if (is_space(text[n]) && !is_space(text[n - 1]))
            return n;
    return utf8_floor(text, SLICE);
}

/* Generators are known that list control tokens as ordinary words; llama.cpp then finds them in any text. Character by character there are none to find.
 * Embedders are left alone: they have nothing to obey, and their mark for an unknown word is such a token. */
static qa_status add_letters(const struct llm_model *m, const char *text, size_t len, struct llm_tokens *out, qa_error *err) {
    qa_status status = QA_OK;
    for (size_t at = 0, n; status == QA_OK && at < len; at += n) {
        uint32_t cp;
        n = utf8_get(text + at, len - at, &cp);
        status = add_slice(m, text + at, n, false, out, err);
    }
    return status;
}

static bool has_control(const struct llm_model *m, const struct llm_tokens *t, size_t from) {
    for (size_t i = from; i < t->n; i++)
        if (llama_vocab_is_control(m->vocab, t->items[i]) || llama_vocab_is_eog(m->vocab, t->items[i]))
            return true;
    return false;
}

qa_status llm_tokenize(const struct llm_model *m, const char *text, size_t len, bool control, struct llm_tokens *out, qa_error *err) {
    if (len > LLM_MAX_TEXT)
        return error_set(err, QA_TOO_LARGE, "a text of %zu bytes for %s; at most %d are read", len, m->name, LLM_MAX_TEXT);
    qa_status status = QA_OK;
    struct buf fixed;
    buf_init(&fixed, 3 * (size_t)LLM_MAX_TEXT);
    if (utf8_valid_len(text, len) < len) {
        utf8_repair(&fixed, text, len);
        status = buf_error(&fixed, err, "reading text as tokens");
        text = fixed.data;
        len = fixed.len;
    }
    for (size_t at = 0, n; status == QA_OK && at < len; at += n) {
        size_t before = out->n;
        n = slice_len(text + at, len - at);
        status = add_slice(m, text + at, n, control, out, err);
        if (status == QA_OK && !control && m->role == LLM_GENERATOR && has_control(m, out, before)) {
            out->n = before;
            status = add_letters(m, text + at, n, out, err);
        }
    }
    buf_free(&fixed);
    return status;
}
