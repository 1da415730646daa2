/* Where sentences end, by rules: see the header for them. Unicode's own segmentation (UAX 29) breaks after "e.g." before
 * a capital and knows no abbreviations, so it would be corrected at nearly every place where it matters. */
#include "text/sentences.h"
#include "base/utf8.h"
#include <string.h>
#include <unictype.h>

enum { NAME_MAX = 64 /* bytes of a word that are looked at */, CLOSERS_MAX = 16 /* of quotes and brackets behind a stop */ };

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }

/* Words that a full stop belongs to; those of the second list end sentences as well, except before a number ("No. 5"). */
static const char *const STRONG[] = {
    "e.g", "i.e", "eg", "ie",  "vs", "cf",  "dr",     "mr", "mrs",  "ms",   "prof", "sr",  "jr",   "nos", "fig",   "figs",
    "eq",  "ch",  "vol", "pp", "eds", "est", "approx", "ca", "incl", "excl", "resp", "ver", "dept", "viz", "esp", "a.k.a",
};
static const char *const WEAK[] = {
    "etc", "no", "al", "max", "min", "inc", "ltd", "co", "corp", "u.s", "a.m", "p.m", "ref", "refs", "sec", "st", "ed",
};

static bool is_one_of(const char *const *list, size_t n_list, const char *word, size_t n) {
    for (size_t i = 0; i < n_list; i++)
        if ((word[0] | 32) == list[i][0] && strlen(list[i]) == n && !strncasecmp(list[i], word, n))
            return true;
    return false;
}

/* The closing quotes and brackets after a full stop, from `at`. */
static size_t skip_closers(const char *text, size_t len, size_t at) {
    static const char *const wide[] = {"\xE2\x80\x9D", "\xE2\x80\x99", "\xC2\xBB", "\xE2\x80\xBA"};
    while (at < len && text[at]) {
        size_t n = strchr(")]}\"'*_", text[at]) ? 1 : 0;
        for (size_t i = 0; !n && (unsigned char)text[at] >= 0xC2 && i < sizeof wide / sizeof *wide; i++)
            if (len - at >= strlen(wide[i]) && !memcmp(text + at, wide[i], strlen(wide[i])))
                n = strlen(wide[i]);
        if (!n)
            break;
        at += n;
    }
    return at;
}

static size_t skip_space(const char *text, size_t len, size_t at, bool *blank_line) {
    size_t lines = 0;
    for (; at < len && is_space(text[at]); at++)
        lines += text[at] == '\n';
    *blank_line = lines > 1;
    return at;
}

/* The word before the full stop at `at`, without opening brackets. */
static size_t word_before(const char *text, size_t from, size_t at) {
    size_t word = at;
    while (word > from && !is_space(text[word - 1]) && at - word < 16)
        word--;
    while (word < at && (text[word] == '(' || text[word] == '[' || text[word] == '"' || text[word] == '\''))
        word++;
    return word;
}

/* Behind the opening quotes and brackets at `at`; *code: a back-quote was among them. */
static size_t skip_openers(const char *text, size_t len, size_t at, bool *code) {
    static const char *const openers[] = {"(", "[", "\"", "'", "*", "_", "`", "\xE2\x80\x9C", "\xE2\x80\x98"};
    *code = false;
    for (bool opens = true; opens && at < len;) {
        opens = false;
        for (size_t i = 0; !opens && i < sizeof openers / sizeof *openers; i++) {
            size_t n = strlen(openers[i]);
            opens = n <= len - at && memcmp(text + at, openers[i], n) == 0;
            at += opens ? n : 0;
            *code = *code || (opens && *openers[i] == '`');
        }
    }
    return at;
}

static bool is_small(char c) { return c >= 'a' && c <= 'z'; }
static bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_alnum(char c) { return is_small(c) || is_capital(c) || is_digit(c); }

/* A word in lower case that can only be a name in code: a digit, an underscore, an inner capital or dot, or "()".
 * Abbreviations (e.g., a.m.) have inner dots too. Words in which letters stand on both sides of '/' or '-' are common
 * English. */
static bool is_code_name(const char *text, size_t len, size_t at) {
    size_t end = at;
    bool code = false;
    while (end < len && !is_space(text[end]) && end - at < NAME_MAX)
        end++;
    for (size_t i = at; i < end; i++) {
        char before = i > at ? text[i - 1] : ' ', after = i + 1 < end ? text[i + 1] : ' ';
        code = code || is_digit(text[i]) || (text[i] == '_' && is_alnum(before) && is_alnum(after)) ||
               (text[i] == '.' && is_alnum(before) && is_alnum(after)) || (is_capital(text[i]) && is_small(before)) ||
               (text[i] == '(' && is_alnum(before) && after == ')');
    }
    while (end > at && !is_alnum(text[end - 1]))
        end--;
    size_t n = end - at;
    return code && !is_one_of(STRONG, sizeof STRONG / sizeof *STRONG, text + at, n) &&
           !is_one_of(WEAK, sizeof WEAK / sizeof *WEAK, text + at, n);
}

/* Does something that begins a sentence stand at `at`? Lower case does not, but for code. */
static bool may_begin(const char *text, size_t len, size_t at) {
    uint32_t cp;
    bool code;
    at = skip_openers(text, len, at, &code);
    if (at >= len || code)
        return true;
    utf8_get(text + at, len - at, &cp);
    return !uc_is_general_category(cp, UC_LOWERCASE_LETTER) || is_code_name(text, len, at);
}

bool sentence_is_open(const char *text, size_t len, size_t next) {
    bool code;
    size_t at = skip_openers(text, len, next, &code);
    if (at == len)
        return true;
    if (code || !is_small(text[at]))
        return false;
    while (at < len && !is_space(text[at]))
        at++;
    return at == len;
}

static bool period_ends(const char *text, size_t len, size_t from, size_t at, size_t following) {
    size_t word = word_before(text, from, at), n = at - word;
    if (!may_begin(text, len, following))
        return false;
    /* an initial; "option A. Then" is rarer than "J. Smith" */
    if (n == 1 && text[word] >= 'A' && text[word] <= 'Z' && word > from)
        return false;
    if (n <= 3 && word == from) { /* "1." of an item */
        size_t digits = 0;
        while (digits < n && is_digit(text[word + digits]))
            digits++;
        if (digits == n)
            return n == 0;
    }
    if (!n || n > 6)
        return true;
    if (is_one_of(STRONG, sizeof STRONG / sizeof *STRONG, text + word, n))
        return false;
    return !(is_digit(text[following]) && is_one_of(WEAK, sizeof WEAK / sizeof *WEAK, text + word, n));
}

static bool is_ideographic_stop(const char *p, size_t n) {
    return n >= 3 && (!memcmp(p, "\xE3\x80\x82", 3) || !memcmp(p, "\xEF\xBC\x81", 3) || !memcmp(p, "\xEF\xBC\x9F", 3) ||
                      !memcmp(p, "\xEF\xBD\xA1", 3));
}

size_t sentence_end(const char *text, size_t len, size_t from, size_t *next) {
    bool blank_line;
    size_t at = skip_space(text, len, from, &blank_line);
    size_t begin = at, solid = at; /* solid: after the last byte that is no space */
    if (at == len) {
        *next = len;
        return from;
    }
    while (at < len) {
        char c = text[at];
        if (is_space(c)) {
            size_t after = skip_space(text, len, at, &blank_line);
            if (blank_line) {
                *next = after;
                return solid;
            }
            at = after;
            continue;
        }
        if ((unsigned char)c >= 0xE3 && is_ideographic_stop(text + at, len - at)) {
            static const char *const closers[] = {"\xE3\x80\x8D", "\xE3\x80\x8F", "\xEF\xBC\x89"};
            solid = at + 3;
            for (size_t i = 0; i < 3 && len - solid >= 3; i++)
                if (!memcmp(text + solid, closers[i], 3))
                    solid += 3;
            *next = skip_space(text, len, solid, &blank_line);
            return solid;
        }
        at++;
        solid = at;
        if (c != '.' && c != '!' && c != '?')
            continue;
        size_t stop = at - 1;
        while (at < len && (text[at] == '.' || text[at] == '!' || text[at] == '?'))
            at++;
        bool run = at - stop > 1;
        at = solid = skip_closers(text, len, at);
        if (at == len || !is_space(text[at]))
            continue;
        size_t following = skip_space(text, len, at, &blank_line);
        bool ends = blank_line || following == len;
        if (!ends)
            ends = c == '.' && !run ? period_ends(text, len, begin, stop, following) : may_begin(text, len, following);
        if (ends) {
            *next = following;
            return solid;
        }
    }
    *next = len;
    return solid;
}

bool sentence_is_stopped(const char *text, size_t len) {
    while (len && is_space(text[len - 1]))
        len--;
    for (size_t back = 0; back < len && back < CLOSERS_MAX; back++) {
        size_t stop = len - back;
        char c = text[stop - 1];
        bool stops = c == '.' || c == '!' || c == '?' || (stop >= 3 && is_ideographic_stop(text + stop - 3, 3));
        if (stops && skip_closers(text, len, stop) == len)
            return true;
    }
    return false;
}
