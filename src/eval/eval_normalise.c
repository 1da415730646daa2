/* The normal forms in which texts are compared. Each is written as the regular expressions of docs/evaluation.md would do
 * it, pass after pass, since other programs that score the same run do it with those. */
#include "eval/eval.h"
#include "base/utf8.h"
#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <unictype.h>

static bool is_space(uint32_t cp) { return cp == 0 || (cp >= 0x1C && cp <= 0x1F) || uc_is_property_white_space(cp); }
static bool is_word(uint32_t cp) { return cp == '_' || uc_is_alnum(cp); }

/* Lower case, white space to single spaces, none at the ends; at most `words` words (0: all). Lower case may take more bytes
 * (2 to 3) and so may invalid ones (1 to 3). */
static char *fold(struct arena *a, const char *s, size_t n, size_t words) {
    char *out = n > SIZE_MAX / 4 ? NULL : arena_alloc(a, n * 3 + 1);
    size_t len = 0;
    bool gap = false;
    for (size_t i = 0; out && i < n;) {
        uint32_t cp;
        i += utf8_get(s + i, n - i, &cp);
        if (is_space(cp)) {
            gap = len > 0;
            continue;
        }
        if (gap) {
            if (words && --words == 0)
                break;
            out[len++] = ' ';
        }
        gap = false;
        len += utf8_put(out + len, uc_tolower(cp));
    }
    if (out)
        out[len] = '\0';
    return out;
}

/* ---- Quotes ---- */

static size_t drop_backslashes(char *s, size_t n) {
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t cp = 0;
        if (s[i] == '\\' && i + 1 < n) {
            utf8_get(s + i + 1, n - i - 1, &cp);
            if (!uc_is_alnum(cp))
                i++;
        }
        s[len++] = s[i];
    }
    return len;
}

/* [text](url) becomes text. The next ']' and ')' are remembered, so that a row of '[' costs no more than its length. */
static size_t drop_links(char *s, size_t n) {
    size_t len = 0, close = 0, end = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '[') {
            close = close > i ? close : i + 1;
            while (close < n && s[close] != ']')
                close++;
            if (close + 1 < n && s[close + 1] == '(') {
                end = end > close + 2 ? end : close + 2;
                while (end < n && s[end] != ')')
                    end++;
                if (end < n) {
                    memmove(s + len, s + i + 1, close - i - 1);
                    len += close - i - 1;
                    i = end;
                    continue;
                }
            }
        }
        s[len++] = s[i];
    }
    return len;
}

static size_t drop_anchors_and_marks(char *s, size_t n) {
    static const char open[] = "<a name=", shut[] = "></a>";
    size_t len = 0, end = 0;
    for (size_t i = 0; i < n; i++) {
        if (n - i > sizeof open && memcmp(s + i, open, sizeof open - 1) == 0) {
            end = end > i ? end : i;
            while (end < n && s[end] != '>')
                end++;
            if (n - end >= sizeof shut - 1 && memcmp(s + end, shut, sizeof shut - 1) == 0) {
                i = end + sizeof shut - 2;
                continue;
            }
        }
        if (s[i] != '*' && s[i] != '`' && s[i] != '|')
            s[len++] = s[i];
    }
    return len;
}

char *eval_normal_quote(struct arena *a, const char *s, size_t n) {
    char *copy = arena_copy(a, s, n);
    if (!copy)
        return NULL;
    n = drop_backslashes(copy, n);
    n = drop_links(copy, n);
    n = drop_anchors_and_marks(copy, n);
    return fold(a, copy, n, 0);
}

size_t eval_prefix_bytes(const char *s, size_t n, size_t characters, size_t *taken) {
    size_t i = 0;
    for (*taken = 0; i < n && *taken < characters; (*taken)++) {
        uint32_t cp;
        i += utf8_get(s + i, n - i, &cp);
    }
    return i;
}

/* ---- Answers and facts ---- */

/* can’t with the apostrophe of typographers is can't. Shorter by two bytes, so in place. */
static char *plain_apostrophes(char *s) {
    size_t len = 0;
    for (size_t i = 0; s && s[i]; i++) {
        bool curly = strncmp(s + i, "\u2019", 3) == 0;
        s[len++] = curly ? '\'' : s[i];
        i += curly ? 2 : 0;
    }
    if (s)
        s[len] = '\0';
    return s;
}

char *eval_normal_answer(struct arena *a, const char *s) {
    size_t n = strlen(s), len = 0;
    char *copy = arena_copy(a, s, n);
    for (size_t i = 0; copy && i < n; i++) {
        size_t digits = s[i] == '[' ? strspn(s + i + 1, "0123456789") : 0;
        if (digits && s[i + 1 + digits] == ']')
            i += digits + 1;
        else
            copy[len++] = s[i];
    }
    return copy ? plain_apostrophes(fold(a, copy, len, EVAL_ANSWER_WORDS)) : NULL;
}

char *eval_normal_spelling(struct arena *a, const char *s) { return plain_apostrophes(fold(a, s, strlen(s), 0)); }

static uint32_t character_before(const char *start, const char *at) {
    uint32_t cp;
    const char *p = at - 1;
    while (p > start && ((unsigned char)*p & 0xC0) == 0x80)
        p--;
    utf8_get(p, (size_t)(at - p), &cp);
    return cp;
}

/* An end of a spelling that is itself no letter, digit or "_" ("no,", "40%", "--user") is its own boundary. "n't" is the end
 * of a word by nature, so nothing is asked before it. */
bool eval_states(const char *answer, const char *spelling) {
    size_t n = strlen(spelling), end = strlen(answer);
    uint32_t first, cp;
    if (!n)
        return false;
    utf8_get(spelling, n, &first);
    bool bound_left = is_word(first) && strncmp(spelling, "n't", 3) != 0;
    bool bound_right = is_word(character_before(spelling, spelling + n));
    for (const char *at = answer; (at = strstr(at, spelling)) != NULL; at++) {
        size_t after = (size_t)(at - answer) + n;
        if (bound_left && at > answer && is_word(character_before(answer, at)))
            continue;
        if (!bound_right || after == end)
            return true;
        utf8_get(answer + after, end - after, &cp);
        if (!is_word(cp))
            return true;
    }
    return false;
}

/* ---- SQuAD: lower case, ASCII punctuation away, the articles away, white space single ---- */

static bool is_article(const char *s, size_t n) {
    return (n == 1 && *s == 'a') || (n == 2 && memcmp(s, "an", 2) == 0) || (n == 3 && memcmp(s, "the", 3) == 0);
}

char *eval_normal_squad(struct arena *a, const char *s) {
    char *text = fold(a, s, strlen(s), 0);
    size_t n = 0, len = 0;
    if (!text)
        return NULL;
    for (size_t i = 0; text[i]; i++)
        if (!strchr("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", text[i]))
            text[n++] = text[i];
    for (size_t i = 0; i < n;) {
        size_t end = i;
        uint32_t cp = 0;
        size_t step = utf8_get(text + i, n - i, &cp);
        while (end < n && is_word(cp)) {
            end += step;
            step = end < n ? utf8_get(text + end, n - end, &cp) : 0;
        }
        if (end == i) { /* no word begins here */
            memmove(text + len, text + i, step);
            len += step;
            i += step;
        } else if (is_article(text + i, end - i)) {
            text[len++] = ' ';
            i = end;
        } else {
            memmove(text + len, text + i, end - i);
            len += end - i;
            i = end;
        }
    }
    return fold(a, text, len, 0);
}
