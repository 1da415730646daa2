/* What the files of the tokenizer share: the tables of characters, and a tokenizer as it lies in memory. */
#ifndef EMBED_WORDPIECE_H
#define EMBED_WORDPIECE_H

#include "embed/tokenizer.h"

enum {
    WORDPIECE_MAX_CHARS = 100,                      /* of a word, after normalising; a longer one is [UNK] */
    WORDPIECE_MAX_BYTES = 4 * WORDPIECE_MAX_CHARS,
    WORDPIECE_PAGES = 0x110000 / 256
};

/* ---- Tables (wordpiece_tables.c): characters from U+0080 on ---- */

struct wordpiece_range {
    uint32_t first, last;
};
struct wordpiece_class {
    uint32_t first, last;
    uint8_t class;
};
struct wordpiece_steps {
    uint32_t first, last, step, to; /* first + i becomes to + i, for i in steps of 1 or 2 */
};
#define WORDPIECE_TABLE(type, name)         \
    extern const type wordpiece_##name[];   \
    extern const size_t wordpiece_n_##name;
WORDPIECE_TABLE(struct wordpiece_range, dropped)       /* control characters, U+FFFD */
WORDPIECE_TABLE(struct wordpiece_range, space)
WORDPIECE_TABLE(struct wordpiece_range, punctuation)   /* after normalising; each is a word */
WORDPIECE_TABLE(struct wordpiece_range, han)           /* before normalising; each is a word */
WORDPIECE_TABLE(struct wordpiece_range, marks)         /* dropped with the accents */
WORDPIECE_TABLE(struct wordpiece_range, starter_marks) /* of these, those that canonical ordering does not move others across */
WORDPIECE_TABLE(struct wordpiece_class, classes)       /* combining classes of marks that stay */
WORDPIECE_TABLE(uint32_t, strip)                       /* pairs: a character, what is left of it without accents; no Hangul */
WORDPIECE_TABLE(uint32_t, strip_more)                  /* fours: a character, the two that are left, a third or 0 */
WORDPIECE_TABLE(struct wordpiece_steps, lower)         /* U+0130 gets U+0307 behind it, besides */
#undef WORDPIECE_TABLE

/* ---- Characters (wordpiece_chars.c) ---- */

/* What becomes of a character, by its code: one of these, or WORDPIECE_MAPPED + an index into the mappings. */
enum wordpiece_code {
    WORDPIECE_LETTER, /* part of a word, as it is */
    WORDPIECE_DROP,
    WORDPIECE_DROP_STARTER,
    WORDPIECE_SPACE,
    WORDPIECE_ALONE,  /* punctuation, Han: a word of its own */
    WORDPIECE_HANGUL, /* a syllable that falls into its letters */
    WORDPIECE_MAPPED
};
struct wordpiece_mapping {
    uint8_t n;
    bool alone;
    bool sorted; /* some of `to` have a combining class */
    uint32_t to[3];
};
struct wordpiece_chars {
    const uint16_t *pages[WORDPIECE_PAGES]; /* codes, by character >> 8 */
    struct wordpiece_mapping *mappings;
    size_t n_mappings;
};
/* In the arena. False: out of memory. */
bool wordpiece_make_chars(struct wordpiece_chars *c, struct arena *a, bool lower, bool strip);
uint8_t wordpiece_combining_class(uint32_t cp); /* as the table has it; 0: none */

/* ---- Vocabulary (wordpiece_vocabulary.c, wordpiece_trie.c) ---- */

/* A double array: the child of node p by byte b is node base[p] + b, if that one's parent is p. Two roots: 0 for the
 * beginning of a word, 1 for going on. No base lies within 256 of the end, so that a step needs no other check. */
struct wordpiece_node {
    uint32_t base, parent;
    int32_t id; /* of the token that ends here; -1: none does */
};
enum { WORDPIECE_BEGIN = 0, WORDPIECE_GO_ON = 1 };

struct wordpiece_token {
    const char *text; /* without "##" */
    uint16_t len;
    bool goes_on;
    int32_t id;
    uint64_t order; /* of what it begins with; wordpiece_make_trie's own */
};
/* Sorts the tokens; of equal ones the last id counts. */
qa_status wordpiece_make_trie(struct wordpiece_token *tokens, size_t n, struct arena *a, struct wordpiece_node **out,
                              qa_error *err);

struct tokenizer {
    const struct wordpiece_node *nodes;
    struct tokenizer_special special;
    uint8_t fold[256];        /* ASCII that is part of a word: what it becomes; else 0 */
    int32_t ascii_alone[128]; /* the id of an ASCII mark of punctuation; -1: it is none */
    bool lower, strip;
    struct wordpiece_chars chars;
    struct arena arena;       /* holds all of this but itself */
};

/* The longest beginning of the bytes that is a token. Returns its length, 0: none. */
static inline size_t wordpiece_longest(const struct wordpiece_node *nodes, uint32_t root, const uint8_t *bytes, size_t n,
                                       int32_t *id) {
    uint32_t node = root;
    size_t longest = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t child = nodes[node].base + bytes[i];
        if (nodes[child].parent != node)
            break;
        node = child;
        if (nodes[node].id >= 0) {
            longest = i + 1;
            *id = nodes[node].id;
        }
    }
    return longest;
}

#endif
