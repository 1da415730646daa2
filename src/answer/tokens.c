/* Words as they are written, and patterns over them. A regular expression would do the same less legibly: what is looked
 * for are sequences of words, and one table row a sequence says what a person would say. Patterns are constants of this
 * folder; only their elements recurse. */
#include "answer/answer_internal.h"
#include <string.h>

enum { GAP = 5 };

/* What may stand right behind a number: "64KB", "60s". */
static const char *const glued_units[] = {"ms", "s",  "sec", "min", "h",   "d",   "b",    "kb",   "mb",  "gb",
                                          "tb", "pb", "kib", "mib", "gib", "tib", "gbps", "mbps", "mhz", "ghz"};

static bool is_in(const char *const *list, size_t n, const char *s, size_t len) {
    for (size_t i = 0; i < n; i++)
        if (strncasecmp(list[i], s, len) == 0 && list[i][len] == '\0')
            return true;
    return false;
}
#define IS_IN(list, s, len) is_in(list, sizeof(list) / sizeof *(list), s, len)

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* General punctuation (U+2000 to U+203F), three bytes long: no part of a word. */
static bool is_wide_mark(const char *s, size_t n) {
    return n >= 3 && (unsigned char)s[0] == 0xE2 && (unsigned char)s[1] == 0x80;
}
static size_t apostrophe(const char *s, size_t n) {
    if (n && *s == '\'')
        return 1;
    return is_wide_mark(s, n) && (unsigned char)s[2] == 0x99 ? 3 : 0;
}
static bool in_word(const char *s, size_t n) {
    return n && (is_digit(*s) || is_letter(*s) || *s == '_' || ((unsigned char)*s >= 0x80 && !is_wide_mark(s, n)));
}

/* Length of the number at s: digits, "," between groups of three, dots between digits, an exponent. */
static size_t number_length(const char *s, size_t n, size_t *dots) {
    size_t i = 0;
    *dots = 0;
    while (i < n && is_digit(s[i])) {
        while (i < n && is_digit(s[i]))
            i++;
        bool group = i + 3 < n && s[i] == ',' && is_digit(s[i + 1]) && is_digit(s[i + 2]) && is_digit(s[i + 3]);
        bool dot = i + 1 < n && s[i] == '.' && is_digit(s[i + 1]);
        if (!group && !dot)
            break;
        *dots += dot;
        i++;
    }
    size_t e = i;
    if (i && e < n && (s[e] | 32) == 'e') {
        e += 1 + (e + 1 < n && (s[e + 1] == '-' || s[e + 1] == '+'));
        size_t digits = e;
        while (e < n && is_digit(s[e]))
            e++;
        if (e > digits && !in_word(s + e, n - e))
            i = e;
    }
    return i;
}

/* The end of the word at s, and of the token if that is only its number. */
static size_t token_length(const char *s, size_t n, enum token_kind *kind) {
    size_t i = 0, dots = 0, number = number_length(s, n, &dots), glued;
    *kind = TOKEN_WORD;
    if (number) {
        *kind = dots > 1 ? TOKEN_VERSION : TOKEN_NUMBER;
        if (!in_word(s + number, n - number) && !(number + 1 < n && s[number] == '-' && (is_digit(s[number + 1]))))
            return number;
        for (glued = number; glued < n && is_letter(s[glued]); glued++)
            ;
        if (glued > number && !in_word(s + glued, n - glued) && IS_IN(glued_units, s + number, glued - number))
            return number;
        *kind = TOKEN_WORD;
    }
    if (n > 2 && s[0] == '-' && s[1] == '-') /* an option of a command */
        i = 2;
    while (i < n) {
        size_t mark = apostrophe(s + i, n - i);
        if (in_word(s + i, n - i))
            i++;
        else if (i && (s[i] == '.' || s[i] == '-' || s[i] == '+') && in_word(s + i + 1, n - i - 1))
            i++;
        else if (i && mark && in_word(s + i + mark, n - i - mark))
            i += mark;
        else
            break;
    }
    size_t k = s[0] == 'v' && n > 1 ? 1 : 0, version = k ? number_length(s + 1, n - 1, &dots) : 0;
    if (k && version + 1 == i && dots)
        *kind = TOKEN_VERSION;
    if (answer_is_number_word(s, i))
        *kind = TOKEN_NUMBER;
    return i;
}

static const char *lower(struct arena *a, const char *s, size_t n) {
    char *out = arena_alloc(a, n + 1);
    size_t at = 0;
    for (size_t i = 0; out && i < n;) {
        size_t mark = apostrophe(s + i, n - i);
        if (mark && n > 1) {
            i += mark;
            continue;
        }
        out[at++] = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] + 32 : s[i]);
        i++;
    }
    return out;
}

qa_status answer_tokens(struct arena *a, const char *text, size_t len, struct tokens *out, qa_error *err) {
    size_t cap = len / 2 + 1 < ANSWER_LEXED_MAX ? len / 2 + 1 : ANSWER_LEXED_MAX;
    *out = (struct tokens){.text = text, .items = arena_array(a, cap, sizeof *out->items)};
    if (!out->items)
        return arena_error(a, err, "reading a sentence");
    for (size_t i = 0; i < len && out->n < cap;) {
        enum token_kind kind = TOKEN_MARK;
        size_t n = 1;
        if (is_space(text[i])) {
            i++;
            continue;
        }
        if (in_word(text + i, len - i) || (text[i] == '-' && i + 2 < len && text[i + 1] == '-' && is_letter(text[i + 2])))
            n = token_length(text + i, len - i, &kind);
        else if (is_wide_mark(text + i, len - i))
            n = 3;
        else if (text[i] == '-' && i && !is_space(text[i - 1])) { /* the hyphen behind a number */
            i++;
            continue;
        }
        struct token *t = &out->items[out->n];
        *t = (struct token){lower(a, text + i, n), (uint32_t)i, (uint32_t)(i + n), kind};
        if (!t->s)
            return arena_error(a, err, "reading a sentence");
        out->n++;
        i += n;
    }
    return QA_OK;
}

/* ---- Patterns ---- */

static const char *element_end(const char *p) {
    while (*p && *p != ' ')
        p++;
    return p;
}

static bool takes(const char *p, const char *end, const struct token *t) {
    if (*p == '#')
        return t->kind == TOKEN_NUMBER || t->kind == TOKEN_VERSION ? true : (p + 1 < end && takes(p + 2, end, t));
    while (p < end) {
        const char *s = t->s;
        while (p < end && *p != '|' && *p != '*' && *p == *s)
            p++, s++;
        if ((p == end || *p == '|') ? *s == '\0' : *p == '*')
            return true;
        while (p < end && *p != '|')
            p++;
        p += p < end;
    }
    return false;
}

static bool matches(const struct tokens *t, size_t i, const char *p, size_t *after) {
    while (*p == ' ')
        p++;
    if (!*p) {
        *after = i;
        return true;
    }
    const char *end = element_end(p);
    if (end - p == 1 && *p == '$')
        return i == t->n && matches(t, i, end, after);
    bool any = end - p == 3 && p[0] == '.', gap = end - p == 1 && *p == '~';
    if (any || gap) {
        for (size_t n = 0; i + n <= t->n && (any || n <= GAP); n++)
            if (matches(t, i + n, end, after))
                return true;
        return false;
    }
    bool optional = *p == '[';
    if (i < t->n && takes(p + optional, end, &t->items[i]) && matches(t, i + 1, end, after))
        return true;
    return optional && matches(t, i, end, after);
}

bool answer_find(const struct tokens *t, const char *pattern, size_t from, size_t *first, size_t *after) {
    size_t ignored;
    bool anchored = pattern[0] == '^';
    if (anchored && from)
        return false;
    for (size_t i = from; i <= t->n; i++) {
        if (matches(t, i, pattern + anchored, after ? after : &ignored)) {
            if (first)
                *first = i;
            return true;
        }
        if (anchored)
            break;
    }
    return false;
}

bool answer_find_any(const struct tokens *t, const char *const *patterns) {
    for (; *patterns; patterns++)
        if (answer_find(t, *patterns, 0, NULL, NULL))
            return true;
    return false;
}
