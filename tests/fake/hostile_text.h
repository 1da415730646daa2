/* Lines of text for the tokenizer, the same for the same number: tests/unit/test_wordpiece.c knows the checksums of what
 * `tokenizers` makes of them, and tests/full/test_wordpiece_reference.c asks it. First every code point alone and between
 * letters - the surrogates as the invalid bytes they are in UTF-8 - then lines put together at random of what normalising
 * and cutting can get wrong. */
#ifndef HOSTILE_TEXT_H
#define HOSTILE_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum { HOSTILE_CHARACTERS = 2 * 0x110000, HOSTILE_RANDOM = 50000, HOSTILE_MAX = 4096 };

/* Returns the length. Numbers from HOSTILE_CHARACTERS on are random lines. */
size_t hostile_line(uint64_t number, char out[HOSTILE_MAX]);

/* A checksum of ids, text after text; begins as 0. */
uint64_t hostile_sum(uint64_t sum, const int32_t *ids, size_t n);

/* What tokenizers 0.23.3 gives, without markers: of all characters, and of the first HOSTILE_RANDOM random lines. */
enum hostile_vocabulary {
    HOSTILE_UNCASED, HOSTILE_CASED, HOSTILE_LOWER_WITH_ACCENTS, HOSTILE_CAPITALS_WITHOUT, HOSTILE_MINILM, HOSTILE_VOCABULARIES
};
struct hostile_expected {
    const char *what;
    int lower, strip; /* of fake_vocabulary_of_letters; HOSTILE_MINILM: the model's */
    uint64_t characters, random;
};
extern const struct hostile_expected hostile_expected[HOSTILE_VOCABULARIES];

#endif
