/* A WordPiece vocabulary out of a GGUF, where U+2581 stands before a token that begins a word, and nothing where WordPiece
 * writes "##" (the counterpart is model/model_import_vocabulary.c). One thing cannot be told apart in that form, "##" before
 * a U+2581 and more: it is read as the beginning of a word, as llama.cpp does. A vocabulary that holds both has two equal
 * tokens; the later one counts, as it does in Hugging Face's reading of a vocab.txt.
 *
 * Control and unused tokens do not enter the trie, so no text can become one. */
#include "base/utf8.h"
#include "embed/wordpiece.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_MEMORY = 1 << 30, NORMAL = 1, USER_DEFINED = 4 }; /* llama.cpp's token types */

struct reader {
    const struct model_gguf *g;
    struct wordpiece_token *tokens; /* scratch */
    size_t n, n_ids;
    bool capitals;                  /* some token holds one */
    struct tokenizer_special named; /* tokens that are called [CLS] ...; -1: none is */
    qa_error *err;
};

static qa_status read_token(struct reader *r, const char *text, size_t len, int32_t type, int32_t id) {
    static const char names[][8] = {"[CLS]", "[SEP]", "[UNK]", "[PAD]", "[MASK]"};
    int32_t *const named[] = {&r->named.cls, &r->named.sep, &r->named.unk, &r->named.pad, &r->named.mask};
    bool begins = len >= 3 && memcmp(text, "\xE2\x96\x81", 3) == 0;
    if (utf8_valid_len(text, len) != len)
        return error_set(r->err, QA_CORRUPT, "%s: token %d of the vocabulary is not valid UTF-8", r->g->file, id);
    if (begins && len > 3)
        text += 3, len -= 3;
    else
        begins = false; /* U+2581 and nothing else: "##" and this character, since no token is empty */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (*named[i] < 0 && len == strlen(names[i]) && memcmp(text, names[i], len) == 0)
            *named[i] = id;
    if ((type != NORMAL && type != USER_DEFINED) || len > WORDPIECE_MAX_BYTES)
        return QA_OK;
    for (size_t i = 0; i < len && text[0] != '['; i++) /* "[unused1]", "[CLS]": never lower case */
        r->capitals = r->capitals || (text[i] >= 'A' && text[i] <= 'Z');
    if (len)
        r->tokens[r->n++] = (struct wordpiece_token){.text = text, .len = (uint16_t)len, .goes_on = !begins, .id = id};
    return QA_OK;
}

static qa_status read_tokens(struct reader *r, struct arena *scratch) {
    const struct model_gguf_entry *tokens = model_gguf_find(r->g, "tokenizer.ggml.tokens");
    const struct model_gguf_entry *types = model_gguf_find(r->g, "tokenizer.ggml.token_type");
    const uint8_t *at = NULL;
    const char *text;
    size_t len;
    if (!tokens || tokens->type != GGUF_ARRAY || tokens->item != GGUF_STRING || tokens->n == 0 || tokens->n > INT32_MAX)
        return error_set(r->err, QA_CORRUPT, "%s: there is no vocabulary in it (tokenizer.ggml.tokens)", r->g->file);
    if (types && (types->type != GGUF_ARRAY || types->item != GGUF_I32 || types->n != tokens->n))
        return error_set(r->err, QA_CORRUPT,
                         "%s: the vocabulary has %llu tokens, and tokenizer.ggml.token_type has %llu, or is not I32", r->g->file, (unsigned long long)tokens->n, (unsigned long long)types->n);
    r->n_ids = (size_t)tokens->n;
    if (!(r->tokens = arena_array(scratch, r->n_ids, sizeof *r->tokens)))
        return arena_error(scratch, r->err, "reading the vocabulary of an embedder");
    qa_status status = QA_OK;
    for (int32_t id = 0; status == QA_OK && model_gguf_next_string(tokens, &at, &text, &len); id++) {
        int32_t type = NORMAL;
        if (types)
            memcpy(&type, types->bytes + 4 * (size_t)id, 4);
        status = read_token(r, text, len, type, id);
    }
    return status;
}

/* By the first of the keys that is there, else by its name. */
static qa_status find_special(const struct reader *r, const char *const keys[2], const char *name, bool needed,
                              int32_t named, int32_t *out) {
    uint64_t id;
    *out = named;
    for (size_t i = 0; i < 2 && keys[i]; i++)
        if (model_gguf_get_uint(r->g, keys[i], &id)) {
            if (id >= r->n_ids)
                return error_set(r->err, QA_CORRUPT, "%s: %s is %llu, and the vocabulary has %zu tokens", r->g->file, keys[i],
                                 (unsigned long long)id, r->n_ids);
            *out = (int32_t)id;
            return QA_OK;
        }
    if (needed && named < 0)
        return error_set(r->err, QA_CORRUPT, "%s: neither %s nor a token called %s is in it", r->g->file, keys[0], name);
    return QA_OK;
}

static qa_status find_specials(const struct reader *r, struct tokenizer_special *out) {
    static const char *const cls[2] = {"tokenizer.ggml.cls_token_id", "tokenizer.ggml.bos_token_id"};
    /* The format spells its own key wrong. */
    static const char *const sep[2] = {"tokenizer.ggml.seperator_token_id", "tokenizer.ggml.separator_token_id"};
    static const char *const unk[2] = {"tokenizer.ggml.unknown_token_id"}, *const pad[2] = {"tokenizer.ggml.padding_token_id"};
    static const char *const mask[2] = {"tokenizer.ggml.mask_token_id"};
    qa_status status = find_special(r, cls, "[CLS]", true, r->named.cls, &out->cls);
    if (status == QA_OK)
        status = find_special(r, sep, "[SEP]", true, r->named.sep, &out->sep);
    if (status == QA_OK)
        status = find_special(r, unk, "[UNK]", true, r->named.unk, &out->unk);
    if (status == QA_OK)
        status = find_special(r, pad, "[PAD]", false, r->named.pad, &out->pad);
    return status == QA_OK ? find_special(r, mask, "[MASK]", false, r->named.mask, &out->mask) : status;
}

/* The short ways for ASCII, from what has been made for all characters. */
static void make_ascii(struct tokenizer *t) {
    for (size_t c = 0; c < 0x80; c++) {
        uint16_t code = t->chars.pages[0][c];
        uint8_t byte = (uint8_t)c;
        t->ascii_alone[c] = -1;
        if (code == WORDPIECE_LETTER)
            t->fold[c] = byte;
        else if (code >= WORDPIECE_MAPPED)
            t->fold[c] = (uint8_t)t->chars.mappings[code - WORDPIECE_MAPPED].to[0];
        else if (code == WORDPIECE_ALONE && !wordpiece_longest(t->nodes, WORDPIECE_BEGIN, &byte, 1, &t->ascii_alone[c]))
            t->ascii_alone[c] = t->special.unk;
    }
}

static qa_status make(struct tokenizer *t, struct reader *r, struct arena *scratch) {
    const char *model = NULL;
    size_t len = 0;
    struct wordpiece_node *nodes = NULL;
    if (!model_gguf_get_string(r->g, "tokenizer.ggml.model", &model, &len) || len != 4 || memcmp(model, "bert", 4) != 0)
        return error_set(r->err, QA_UNSUPPORTED, "%s: its tokenizer is \"%.*s\", and only WordPiece (\"bert\") can be used",
                         r->g->file, (int)(len < 40 ? len : 40), model ? model : "");
    qa_status status = read_tokens(r, scratch);
    if (status == QA_OK)
        status = find_specials(r, &t->special);
    if (status == QA_OK)
        status = wordpiece_make_trie(r->tokens, r->n, &t->arena, &nodes, r->err);
    if (status != QA_OK)
        return status;
    t->nodes = nodes;
    t->lower = !r->capitals;
    model_gguf_get_bool(r->g, "tokenizer.ggml.normalizer.lowercase", &t->lower);
    t->strip = t->lower;
    model_gguf_get_bool(r->g, "tokenizer.ggml.normalizer.strip_accents", &t->strip);
    if (!wordpiece_make_chars(&t->chars, &t->arena, t->lower, t->strip))
        return arena_error(&t->arena, r->err, "opening the tokenizer of an embedder");
    make_ascii(t);
    return QA_OK;
}

qa_status tokenizer_open(const struct model_gguf *g, struct tokenizer **out, qa_error *err) {
    struct reader r = {.g = g, .named = {-1, -1, -1, -1, -1}, .err = err};
    struct arena scratch;
    struct tokenizer *t = calloc(1, sizeof *t);
    *out = NULL;
    if (!t)
        return error_no_memory(err, "opening the tokenizer of an embedder");
    arena_init(&scratch, MAX_MEMORY);
    arena_init(&t->arena, MAX_MEMORY);
    qa_status status = make(t, &r, &scratch);
    arena_free(&scratch);
    if (status == QA_OK)
        *out = t;
    else
        tokenizer_close(t);
    return status;
}

void tokenizer_close(struct tokenizer *t) {
    if (t)
        arena_free(&t->arena);
    free(t);
}

struct tokenizer_special tokenizer_special(const struct tokenizer *t) { return t->special; }
