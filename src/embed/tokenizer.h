/* Texts to the token ids of a BERT-family model: WordPiece, with the same ids as Hugging Face's `tokenizers` gives
 * (BertNormalizer, BertPreTokenizer, WordPiece; tests/full/test_wordpiece_reference.c asks it).
 *
 *     struct tokenizer *t;
 *     qa_status status = tokenizer_open(gguf, &t, err);
 *     size_t n = tokenizer_encode(t, text, len, 256, ids, NULL);     // [CLS] ... [SEP]
 *
 * A tokenizer is not changed by use: any number of threads may share one. Nothing but tokenizer_open can fail or
 * allocates, and the time is proportional to the bytes of the text, whatever they are.
 *
 * No text becomes a control token: "[SEP]" in a document is three ordinary words. (`tokenizers` does find control tokens in
 * text, unless its encode_special_tokens is set.) A word that the vocabulary cannot spell, or of more than 100 characters,
 * is one [UNK].
 *
 * Invalid UTF-8 is read as U+FFFD, which BertNormalizer drops like a control character: "a\xFFb" is the word "ab". NUL
 * likewise. */
#ifndef EMBED_TOKENIZER_H
#define EMBED_TOKENIZER_H

#include "model/gguf.h"

struct tokenizer;
struct tokenizer_span { /* bytes of the text; of a word without its tail of dropped characters */
    size_t start, end;
};
struct tokenizer_special {
    int32_t cls, sep, unk;
    int32_t pad, mask; /* -1: the model has none */
};

/* Copies what it needs of the file. Text is put into lower case when tokenizer.ggml.normalizer.lowercase says so; where a
 * file does not say, when no token of its vocabulary holds an ASCII capital: it could not spell a text with one. Accents are
 * dropped when ...normalizer.strip_accents says so, else together with lower case. QA_UNSUPPORTED: another kind of
 * tokenizer; QA_CORRUPT: a vocabulary that cannot be used; QA_NO_MEMORY. */
qa_status tokenizer_open(const struct model_gguf *g, struct tokenizer **out, qa_error *err);
void tokenizer_close(struct tokenizer *t); /* NULL is fine */
struct tokenizer_special tokenizer_special(const struct tokenizer *t);

/* The first `max` tokens of a text, without markers, into ids and, unless NULL, spans, each of room for max. Returns how
 * many: never more than len. Spans are in order; they overlap only where one character of the text became several (a
 * Hangul syllable is two or three), which all have its bytes. */
size_t tokenizer_tokens(const struct tokenizer *t, const char *text, size_t len, size_t max, int32_t *ids,
                        struct tokenizer_span *spans);
/* The same between [CLS] and [SEP], at most `max` (2 or more) with these, as `tokenizers` truncates. The markers' spans are
 * empty. */
size_t tokenizer_encode(const struct tokenizer *t, const char *text, size_t len, size_t max, int32_t *ids,
                        struct tokenizer_span *spans);
/* How many tokenizer_encode would give without a limit. */
size_t tokenizer_count(const struct tokenizer *t, const char *text, size_t len);

#endif
