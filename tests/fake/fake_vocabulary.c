#include "fake/fake_vocabulary.h"
#include "base/utf8.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void need(bool holds) {
    if (!holds)
        abort();
}

void fake_vocabulary_make(struct fake_vocabulary *v, const char *const *tokens, size_t n, enum fake_setting lower,
                          enum fake_setting strip) {
    struct model_gguf_writer w;
    qa_error err = {0};
    if (n == 0)
        while (tokens[n])
            n++;
    model_gguf_begin(&w);
    model_gguf_put_string(&w, "tokenizer.ggml.model", "bert");
    model_gguf_put_array(&w, "tokenizer.ggml.tokens", GGUF_STRING, n);
    for (size_t i = 0; i < n; i++) {
        char begins[600];
        if (tokens[i][0] == '[' && tokens[i][1])
            model_gguf_put_item(&w, tokens[i], strlen(tokens[i]));
        else if (strncmp(tokens[i], "##", 2) == 0)
            model_gguf_put_item(&w, tokens[i] + 2, strlen(tokens[i]) - 2);
        else
            model_gguf_put_item(&w, begins, (size_t)snprintf(begins, sizeof begins, "\xE2\x96\x81%s", tokens[i]));
    }
    model_gguf_put_array(&w, "tokenizer.ggml.token_type", GGUF_I32, n);
    for (size_t i = 0; i < n; i++)
        model_gguf_put_int(&w, tokens[i][0] == '[' && tokens[i][1] ? 3 : 1);
    if (lower)
        model_gguf_put_bool(&w, "tokenizer.ggml.normalizer.lowercase", lower == FAKE_YES);
    if (strip)
        model_gguf_put_bool(&w, "tokenizer.ggml.normalizer.strip_accents", strip == FAKE_YES);
    buf_init(&v->bytes, 64 << 20);
    need(model_gguf_write_head(&w, &v->bytes, &err) == QA_OK);
    model_gguf_end(&w);
    need(model_gguf_parse("vocabulary.gguf", v->bytes.data, v->bytes.len, &v->g, &err) == QA_OK);
}

static bool has_token(uint32_t cp) {
    return cp > 0 && (cp < 0xD800 || cp > 0xDFFF) && (cp < 0x30000 || (cp >= 0xE0000 && cp < 0xE0200));
}

void fake_vocabulary_of_letters(struct fake_vocabulary *v, enum fake_setting lower, enum fake_setting strip) {
    enum { MOST = 2 * 0x30200, WIDTH = 8 };
    static const char *const named[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    const char **tokens = calloc(MOST + 5, sizeof *tokens);
    char *text = calloc(MOST, WIDTH), *at = text;
    size_t n = 0;
    need(tokens && text);
    for (; n < 5; n++)
        tokens[n] = named[n];
    for (uint32_t cp = 0; cp < 0x110000; cp++)
        for (int goes_on = 0; goes_on < 2 && has_token(cp); goes_on++, at += WIDTH) {
            memcpy(at, "##", 2);
            tokens[n++] = goes_on ? at : at + 2;
            utf8_put(at + 2, cp);
        }
    need(n <= MOST + 5);
    fake_vocabulary_make(v, tokens, n, lower, strip);
    free(tokens);
    free(text);
}

void fake_vocabulary_free(struct fake_vocabulary *v) {
    model_gguf_close(v->g);
    buf_free(&v->bytes);
}
