/* What a written sentence may not change, however many words it shares with a passage: what stands in back-quotes, a number's sign and unit and what it
 * counts, which of two opposites is said, and whether something is destroyed. Overlap of words does not see these; each rule here only refuses.
 *
 * The lists are general English and no product's. They cannot be complete: the check stays a filter and no proof (docs/answering.md). */
#include "answer/answer_internal.h"
#include "base/hash.h"
#include <stdlib.h>
#include <string.h>

enum { PASSAGE_WORDS = 8192, NUMBERS = 1024, COUNTED = 3, SURFACE = 64, LEAST_REST = 4 };

static const char *const opposites[][2] = {
    {"new", "old"},           {"before", "after"},       {"enable", "disable"},     {"enabled", "disabled"},   {"allow", "deny"},
    {"allowed", "denied"},    {"start", "stop"},         {"minimum", "maximum"},    {"min", "max"},            {"public", "private"},
    {"increase", "decrease"}, {"above", "below"},        {"always", "never"},       {"first", "last"},         {"include", "exclude"},
    {"optional", "required"}, {"encrypt", "decrypt"},    {"inbound", "outbound"},   {"open", "closed"},        {"read", "write"},
    {"attach", "detach"},     {"upload", "download"},    {"earlier", "later"},      {"internal", "external"},  {"grant", "revoke"},
};
static const char *const destroying[] = {"delete",  "deletes",   "remove",    "removes", "drop",  "destroy",   "erase",
                                         "wipe",    "terminate", "overwrite", "revoke",  "purge", "uninstall", "disable"};
static const char *const prefixes[] = {"un", "in", "im", "non", "dis", "ir", "il"};
static const char *const units[][4] = {
    {"second", "seconds", "sec", "s"}, {"millisecond", "milliseconds", "ms", "ms"}, {"minute", "minutes", "min", "mins"},
    {"hour", "hours", "hr", "hrs"},    {"day", "days", "day", "days"},              {"week", "weeks", "week", "weeks"},
    {"month", "months", "mo", "mo"},   {"year", "years", "yr", "yrs"},              {"byte", "bytes", "b", "b"},
    {"kb", "kib", "kilobytes", "kilobyte"}, {"mb", "mib", "megabytes", "megabyte"}, {"gb", "gib", "gigabytes", "gigabyte"},
    {"tb", "tib", "terabytes", "terabyte"}, {"percent", "%", "percent", "percentage"},
};

struct amount {
    uint64_t number; /* hash of its normal form */
    int unit;        /* of `units`; -1: none behind it */
    bool minus;
    uint64_t counted[COUNTED]; /* the words right behind it, up to one without content: what there are so many of, and its adjectives */
    size_t n_counted;
};
struct text {
    const char *bytes;
    uint64_t *words;         /* surfaces in lower case, sorted once read */
    struct amount *amounts;
    size_t n_words, n_amounts;
    size_t number_end;       /* a number, or a word that it counts, ended here, and more may follow; 0: none */
};

/* In lower case; what is longer than SURFACE is cut, alike on both sides. */
static size_t lower(const char *s, size_t n, char out[SURFACE]) {
    size_t len = n < SURFACE ? n : SURFACE;
    for (size_t i = 0; i < len; i++)
        out[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] | 32) : s[i];
    return len;
}

static int find_unit(const char *s, size_t n) {
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        for (size_t k = 0; k < 4; k++)
            if (strlen(units[i][k]) == n && memcmp(units[i][k], s, n) == 0)
                return (int)i;
    return -1;
}

static bool is_amount(const char *norm, size_t n) {
    for (size_t i = 0; i < n; i++)
        if ((norm[i] < '0' || norm[i] > '9') && norm[i] != '.' && norm[i] != ',')
            return false;
    return n > 0;
}

/* A dash right before a number is a sign when nothing of a word stands before it: not in "1-30" or "t-30". */
static bool is_minus(const char *bytes, size_t at) {
    return at && bytes[at - 1] == '-' && (at == 1 || strchr(" (\t\n|=:`", bytes[at - 2]));
}

static int read_word(void *user, const struct word *word) {
    struct text *t = user;
    char surface[SURFACE];
    const char *from = t->bytes + word->start;
    size_t n = lower(from, word->end - word->start, surface);
    if (word->kind == WORD_EXACT || t->n_words == PASSAGE_WORDS)
        return 0;
    t->words[t->n_words++] = hash_bytes(surface, n).lo;
    bool amount = is_amount(word->norm, word->norm_len);
    struct amount *last = t->number_end ? &t->amounts[t->n_amounts - 1] : NULL;
    bool follows = last && !amount && (word->start == t->number_end || (word->start == t->number_end + 1 && strchr(" -\n", t->bytes[t->number_end])));
    t->number_end = 0;
    if (follows && !last->n_counted)
        last->unit = find_unit(surface, n);
    if (follows && !word->stop && last->n_counted < COUNTED) {
        last->counted[last->n_counted++] = hash_bytes(word->norm, word->norm_len).lo;
        t->number_end = word->end;
    }
    if (amount && t->n_amounts < NUMBERS) {
        int unit = t->bytes[word->end] == '%' ? find_unit("%", 1) : -1;
        t->amounts[t->n_amounts++] = (struct amount){.number = hash_bytes(word->norm, word->norm_len).lo, .unit = unit, .minus = is_minus(t->bytes, word->start)};
        t->number_end = unit < 0 ? word->end : 0;
    }
    return 0;
}

static int by_value(const void *x, const void *y) {
    const uint64_t *a = x, *b = y;
    return *a < *b ? -1 : *a > *b;
}

static bool has_hash(const struct text *t, uint64_t h) { return t->n_words && bsearch(&h, t->words, t->n_words, sizeof h, by_value); }
static bool has_word(const struct text *t, const char *s, size_t n) { return has_hash(t, hash_bytes(s, n).lo); }

/* Room for what one text may hold; NULL words: no memory. */
static struct text make_text(struct arena *a) {
    return (struct text){.words = arena_array(a, PASSAGE_WORDS, sizeof(uint64_t)), .amounts = arena_array(a, NUMBERS, sizeof(struct amount))};
}

static void read_text(struct answer_work *w, struct text *t, const char *bytes, size_t n) {
    t->bytes = bytes;
    t->number_end = 0;
    answer_each_word(w->words, bytes, n, read_word, t);
}

/* ---- The rules ---- */

/* Each stretch in back-quotes, white space folded. */
static bool alters_code(struct arena *a, const char *sentence, const char *plain, size_t n) {
    char *folded = NULL;
    for (const char *open = strchr(sentence, '`'); open;) {
        const char *close = strchr(open + 1, '`');
        if (!close)
            return false;
        size_t len = (size_t)(close - open - 1), at = 0;
        char *code = len ? arena_alloc(a, len + 1) : NULL;
        for (size_t i = 0; code && i < len; i++)
            if (!(open[1 + i] == ' ' && (!at || code[at - 1] == ' ')))
                code[at++] = open[1 + i];
        while (at && code[at - 1] == ' ')
            at--;
        if (at && !folded) {
            size_t m = 0;
            if (!(folded = arena_alloc(a, n + 1)))
                return true;
            for (size_t i = 0; i < n; i++) {
                char c = strchr("\t\n\r", plain[i]) ? ' ' : plain[i];
                if (!(c == ' ' && m && folded[m - 1] == ' '))
                    folded[m++] = c;
            }
            n = m;
        }
        if (len && !code)
            return true;
        if (at && !memmem(folded, n, code, at))
            return true;
        open = strchr(close + 1, '`');
    }
    return false;
}

static bool count_alike(const struct amount *a, const struct amount *b) {
    bool alike = !a->n_counted || !b->n_counted || (a->unit >= 0 && a->unit == b->unit);
    for (size_t i = 0; i < a->n_counted; i++)
        for (size_t k = 0; k < b->n_counted; k++)
            alike = alike || a->counted[i] == b->counted[k];
    return alike;
}

/* A number that the passage has only with other signs, only with other units, or only of other things. */
static bool alters_amounts(const struct text *said, const struct text *source) {
    for (size_t i = 0; i < said->n_amounts; i++) {
        const struct amount *a = &said->amounts[i];
        bool found = false, alike = false, same_sign = false, same_unit = a->unit < 0, other_unit = false;
        for (size_t k = 0; k < source->n_amounts; k++) {
            const struct amount *b = &source->amounts[k];
            if (b->number != a->number)
                continue;
            found = true;
            alike = alike || count_alike(a, b);
            same_sign = same_sign || a->minus == b->minus;
            same_unit = same_unit || a->unit == b->unit;
            other_unit = other_unit || b->unit >= 0;
        }
        if (found && (!alike || !same_sign || (!same_unit && other_unit)))
            return true;
    }
    return false;
}

struct judged {
    const struct text *source;
    const char *bytes;
    bool altered;
};

static bool one_of(const char *s, size_t n, const char *word) { return strlen(word) == n && memcmp(s, word, n) == 0; }

static int judge_word(void *user, const struct word *word) {
    struct judged *j = user;
    char s[SURFACE];
    size_t n = lower(j->bytes + word->start, word->end - word->start, s);
    if (word->kind == WORD_EXACT || has_word(j->source, s, n))
        return 0;
    for (size_t i = 0; i < sizeof destroying / sizeof *destroying; i++)
        j->altered = j->altered || one_of(s, n, destroying[i]);
    for (size_t i = 0; i < sizeof opposites / sizeof *opposites; i++)
        for (int side = 0; side < 2; side++)
            j->altered = j->altered || (one_of(s, n, opposites[i][side]) && has_word(j->source, opposites[i][!side], strlen(opposites[i][!side])));
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        size_t p = strlen(prefixes[i]);
        char with[SURFACE + 4];
        if (n >= p + LEAST_REST && memcmp(s, prefixes[i], p) == 0)
            j->altered = j->altered || has_word(j->source, s + p, n - p);
        if (n < LEAST_REST || n + p > SURFACE)
            continue;
        memcpy(with, prefixes[i], p);
        memcpy(with + p, s, n);
        j->altered = j->altered || has_word(j->source, with, p + n);
    }
    return j->altered;
}

qa_status answer_is_altered(struct answer_work *w, const char *sentence, const struct index_passage *p, bool *out) {
    struct text said = make_text(w->a), source = make_text(w->a);
    size_t len = p->map.plain_len < ANSWER_PLAIN_MAX ? p->map.plain_len : ANSWER_PLAIN_MAX;
    if (!said.words || !said.amounts || !source.words || !source.amounts)
        return QA_NO_MEMORY;
    read_text(w, &source, p->title, strlen(p->title));
    for (size_t i = 0; i < p->n_heading; i++)
        read_text(w, &source, p->heading[i], strlen(p->heading[i]));
    read_text(w, &source, p->map.plain, len);
    read_text(w, &said, sentence, strlen(sentence));
    qsort(source.words, source.n_words, sizeof *source.words, by_value);
    struct judged j = {.source = &source, .bytes = sentence};
    answer_each_word(w->words, sentence, strlen(sentence), judge_word, &j);
    *out = j.altered || alters_amounts(&said, &source) || alters_code(w->a, sentence, p->map.plain, len);
    return QA_OK;
}
