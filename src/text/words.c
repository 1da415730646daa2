/* A run of word characters is collected with the class of each character, then folded once for the whole and once for each part.
 * Runs are cut at 256 characters: nobody asks for longer words, and base64 must not cost. ASCII takes the short way everywhere.
 *
 * The stems of recent words are kept in a small direct-mapped cache: text repeats itself.
 *
 * Folding: compatibility decomposition, marks dropped, simple lower case: "Café" and "ﬁle" are found as cafe and file. */
#include "text/words.h"
#include "base/hash.h"
#include "base/utf8.h"
#include <libstemmer.h>
#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>

enum { RUN_MAX = 256, CACHE_SLOTS = 8192, CACHE_KEY = 23 };

enum class { OTHER, LOWER, UPPER, LETTER, DIGIT, CONNECTOR, MARK, ALONE };

struct cached_stem {
    uint8_t key_len, stem_len, stop;
    char key[CACHE_KEY], stem[CACHE_KEY];
};

struct words {
    struct sb_stemmer *stemmer;
    struct cached_stem cache[CACHE_SLOTS];
    uint32_t cp[RUN_MAX], at[RUN_MAX + 1]; /* the run: characters, offsets; at[n] is its end */
    uint8_t class[RUN_MAX];
    char norm[WORD_MAX + 8];  /* the stem under construction */
    char exact[WORD_MAX + 8]; /* '=' and the folded characters so far */
    size_t exact_len;
};

struct words *words_new(void) {
    struct words *w = calloc(1, sizeof *w);
    if (w && !(w->stemmer = sb_stemmer_new("english", NULL))) {
        free(w);
        w = NULL;
    }
    return w;
}

void words_free(struct words *w) {
    if (w)
        sb_stemmer_delete(w->stemmer);
    free(w);
}

/* Scripts written without spaces: each character stands alone. */
static bool stands_alone(uint32_t cp) {
    return (cp >= 0x0E00 && cp <= 0x0EFF) || (cp >= 0x1000 && cp <= 0x109F) || (cp >= 0x1780 && cp <= 0x17FF) ||
           (cp >= 0x3040 && cp <= 0x30FF) || (cp >= 0x3400 && cp <= 0x9FFF) || (cp >= 0xF900 && cp <= 0xFAFF) ||
           (cp >= 0x20000 && cp <= 0x3FFFF);
}

static enum class classify(uint32_t cp) {
    if (cp < 0x80) {
        if (cp >= 'a' && cp <= 'z')
            return LOWER;
        if (cp >= 'A' && cp <= 'Z')
            return UPPER;
        if (cp >= '0' && cp <= '9')
            return DIGIT;
        return cp == '_' || cp == '-' || cp == '.' || cp == '\'' ? CONNECTOR : OTHER;
    }
    if (cp == 0x2019 || cp == 0x2010 || cp == 0x2011) /* apostrophe, hyphens */
        return CONNECTOR;
    uc_general_category_t category = uc_general_category(cp);
    if (uc_is_general_category(cp, UC_CATEGORY_M))
        return MARK;
    if (uc_is_general_category(cp, UC_CATEGORY_L))
        return stands_alone(cp) ? ALONE : category.bitmask == UC_CATEGORY_MASK_Lu ? UPPER
               : category.bitmask == UC_CATEGORY_MASK_Ll                         ? LOWER
                                                                                 : LETTER;
    return uc_is_general_category(cp, UC_CATEGORY_N) ? DIGIT : OTHER;
}

static bool in_word(enum class c) { return c == LOWER || c == UPPER || c == LETTER || c == DIGIT || c == MARK; }
static bool is_apostrophe(uint32_t cp) { return cp == '\'' || cp == 0x2019; }

/* Folds one character onto norm and exact; false when they are full. */
static bool fold(struct words *w, size_t *n, uint32_t cp) {
    if (cp < 0x80) {
        char c = (char)(cp >= 'A' && cp <= 'Z' ? cp + 32 : cp);
        if (*n >= WORD_MAX)
            return false;
        w->norm[(*n)++] = c;
        if (w->exact_len < WORD_MAX)
            w->exact[w->exact_len++] = c;
        return true;
    }
    ucs4_t pending[64]; /* a stack; the longest decomposition has 18 characters */
    size_t depth = 1;
    pending[0] = cp;
    while (depth) {
        ucs4_t c = pending[--depth], parts[UC_DECOMPOSITION_MAX_LENGTH];
        int tag, k = uc_decomposition(c, &tag, parts);
        if (k > 0 && depth + (size_t)k <= 64) {
            while (k > 0)
                pending[depth++] = parts[--k];
            continue;
        }
        if (uc_is_general_category(c, UC_CATEGORY_M) || c == ' ')
            continue;
        char bytes[4];
        size_t len = utf8_put(bytes, uc_tolower(c));
        if (*n + len > WORD_MAX)
            return false;
        memcpy(w->norm + *n, bytes, len);
        *n += len;
        if (w->exact_len + len <= WORD_MAX) {
            memcpy(w->exact + w->exact_len, bytes, len);
            w->exact_len += len;
        }
    }
    return true;
}

/* Stems norm in place unless it holds a digit, and tells whether it was a stop word. Nothing but the n bytes decides: the cache knows no more. */
static size_t stem(struct words *w, size_t n, bool *stop) {
    struct cached_stem *slot = &w->cache[hash_bytes(w->norm, n).lo % CACHE_SLOTS];
    if (n <= CACHE_KEY && slot->key_len == n && memcmp(slot->key, w->norm, n) == 0) {
        memcpy(w->norm, slot->stem, slot->stem_len);
        *stop = slot->stop;
        return slot->stem_len;
    }
    *stop = words_is_stop(w->norm, n);
    bool digit = false;
    for (size_t i = 0; i < n && !digit; i++)
        digit = w->norm[i] >= '0' && w->norm[i] <= '9';
    const sb_symbol *out = !digit && n > 2 ? sb_stemmer_stem(w->stemmer, (const sb_symbol *)w->norm, (int)n) : NULL;
    int len = out ? sb_stemmer_length(w->stemmer) : (int)n; /* a stemmer out of memory: the unstemmed word is still a word */
    if (len <= 0 || len > WORD_MAX)
        out = NULL, len = (int)n;
    if (n <= CACHE_KEY && len <= CACHE_KEY) {
        slot->key_len = (uint8_t)n;
        slot->stem_len = (uint8_t)len;
        slot->stop = *stop;
        memcpy(slot->key, w->norm, n);
        memcpy(slot->stem, out ? (const char *)out : w->norm, (size_t)len);
    }
    if (out)
        memcpy(w->norm, out, (size_t)len);
    return (size_t)len;
}

typedef int each_word(void *user, const struct word *word);

/* Hands out the stem of characters [from, to) of the run; onto `exact` go its folded characters. */
static int hand_out(struct words *w, size_t from, size_t to, enum word_kind kind, bool *stop, each_word *each, void *user) {
    size_t n = 0;
    for (size_t i = from; i < to; i++)
        if (!is_apostrophe(w->cp[i]) && !fold(w, &n, w->cp[i]))
            break;
    *stop = false;
    if (!n)
        return 0;
    n = stem(w, n, stop);
    w->norm[n] = '\0';
    struct word word = {.start = w->at[from], .end = w->at[to], .norm = w->norm, .norm_len = (uint32_t)n, .kind = kind, .stop = *stop};
    return each(user, &word);
}

static int hand_out_exact(struct words *w, size_t to, bool stop, each_word *each, void *user) {
    if (w->exact_len < 2)
        return 0;
    w->exact[w->exact_len] = '\0';
    struct word word = {.start = w->at[0], .end = w->at[to], .norm = w->exact, .norm_len = (uint32_t)w->exact_len, .kind = WORD_EXACT,
                        .stop = stop};
    return each(user, &word);
}

static void begin_exact(struct words *w) {
    w->exact[0] = '=';
    w->exact_len = 1;
}

/* Does a new part begin at character i (i > 0)? Case changes: aB, 2B before a lower case, ABc splits before B. */
static bool part_begins(const struct words *w, size_t i, size_t to) {
    enum class before = w->class[i - 1], here = w->class[i];
    if (before == CONNECTOR || here != UPPER)
        return false;
    bool lower_next = i + 1 < to && w->class[i + 1] == LOWER;
    return before == LOWER || (lower_next && (before == UPPER || before == DIGIT));
}

static bool connects(const struct words *w, size_t i) { return w->class[i] == CONNECTOR && !is_apostrophe(w->cp[i]); }

static int hand_out_run(struct words *w, size_t n, each_word *each, void *user) {
    /* possessive: the word without its 's; plural of an acronym (APIs, GPUs): without its s, which is no part of its own either */
    if (n > 2 && is_apostrophe(w->cp[n - 2]) && (w->cp[n - 1] | 32) == 's')
        n -= 2;
    else if (n > 2 && w->cp[n - 1] == 's' && w->class[n - 2] == UPPER && w->class[n - 3] == UPPER)
        n -= 1;
    bool divided = false, stop_word = false;
    for (size_t i = 1; i < n && !divided; i++)
        divided = connects(w, i) || part_begins(w, i, n);
    begin_exact(w);
    if (!divided) {
        int stop = hand_out(w, 0, n, WORD_STEM, &stop_word, each, user);
        return stop ? stop : hand_out_exact(w, n, stop_word, each, user);
    }
    /* the exact form needs all parts folded, and comes after the first of them */
    for (size_t i = 0, ignored = 0; i < n; i++, ignored = 0)
        if (w->class[i] != CONNECTOR && !fold(w, &ignored, w->cp[i]))
            break;
    char whole[WORD_MAX + 8];
    size_t whole_len = w->exact_len;
    memcpy(whole, w->exact, whole_len);
    int stop = 0;
    bool first = true;
    for (size_t from = 0, i = 1; !stop && i <= n; i++) {
        if (i < n && !connects(w, i) && !part_begins(w, i, n))
            continue;
        if (i > from) {
            begin_exact(w);
            stop = hand_out(w, from, i, WORD_PART, &stop_word, each, user);
            if (first && !stop) {
                memcpy(w->exact, whole, whole_len);
                w->exact_len = whole_len;
                stop = hand_out_exact(w, n, false, each, user);
                first = false;
            }
        }
        from = i < n && connects(w, i) ? i + 1 : i;
    }
    return stop;
}

int words_each(struct words *w, const char *text, size_t len, each_word *each, void *user) {
    size_t i = 0, n = 0;
    int stop = 0;
    while (i < len && !stop) {
        uint32_t cp, next_cp;
        size_t size = utf8_get(text + i, len - i, &cp);
        enum class c = classify(cp);
        bool joins = in_word(c) && !(c == MARK && n == 0);
        if (c == CONNECTOR && n && i + size < len && w->class[n - 1] != CONNECTOR) {
            /* inner connectors only: something must follow; an apostrophe wants a letter */
            utf8_get(text + i + size, len - i - size, &next_cp);
            enum class next = classify(next_cp);
            joins = is_apostrophe(cp) ? in_word(next) && next != DIGIT : in_word(next) && next != MARK;
            if (cp == '_' && next == CONNECTOR) /* a__b is one identifier */
                joins = next_cp == '_';
        } else if (c == CONNECTOR && n && cp == '_' && w->cp[n - 1] == '_' && i + size < len) {
            utf8_get(text + i + size, len - i - size, &next_cp);
            joins = in_word(classify(next_cp)) || next_cp == '_';
        } else if (c == CONNECTOR) {
            joins = false;
        }
        if ((!joins || n == RUN_MAX) && n) {
            while (n && w->class[n - 1] == CONNECTOR)
                n--;
            stop = hand_out_run(w, n, each, user);
            n = 0;
            if (stop)
                break;
            joins = joins && in_word(c) && c != MARK; /* where a run was cut, the next begins as any other */
        }
        if (joins || c == ALONE) {
            w->cp[n] = cp;
            w->class[n] = (uint8_t)c;
            w->at[n] = (uint32_t)i;
            w->at[++n] = (uint32_t)(i + size);
            if (c == ALONE) {
                bool ignored;
                begin_exact(w);
                stop = hand_out(w, 0, 1, WORD_STEM, &ignored, each, user);
                n = 0;
            }
        }
        i += size;
    }
    while (n && w->class[n - 1] == CONNECTOR)
        n--;
    return n && !stop ? hand_out_run(w, n, each, user) : stop;
}

struct list {
    struct arena *a;
    struct word *words;
    size_t n, cap;
};

static int append(void *user, const struct word *word) {
    struct list *l = user;
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 32;
        struct word *grown = arena_grow(l->a, l->words, l->n, cap, sizeof *grown);
        if (!grown)
            return -1;
        l->words = grown;
        l->cap = cap;
    }
    char *norm = arena_copy(l->a, word->norm, word->norm_len);
    if (!norm)
        return -1;
    l->words[l->n] = *word;
    l->words[l->n++].norm = norm;
    return 0;
}

qa_status words_list(struct words *w, struct arena *a, const char *text, size_t len, struct word **out, size_t *n, qa_error *err) {
    struct list l = {.a = a};
    *out = NULL;
    *n = 0;
    if (words_each(w, text, len, append, &l) != 0)
        return arena_error(a, err, "splitting text into words");
    *out = l.words;
    *n = l.n;
    return QA_OK;
}
