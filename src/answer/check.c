/* Does a sentence that a model wrote stand in the passages, and where?
 *
 * A window is a unit with what it needs to be understood (term, lead-in, header, headings). A sentence stands there when the
 * window holds enough of its content words (what stands only beside the unit counts less), every number and identifier, and
 * does not deny what the sentence says:
 *
 *     quote     its words stand in one passage, one after the other
 *     matched   as above
 *     none      else
 *
 * Numbers must stand in the same window, not just in the passage: a small model likes to give the right figure of the
 * wrong thing. Denial is looked for in the windows that come closest: there a "not" within three content words before a
 * word of the sentence, and none in the sentence, is a contradiction.
 *
 * Words are compared as the index compares them: folded and stemmed, stop words aside; numbers as digits, however they
 * are written. It is no proof, and errs: docs/answering.md has how often on 119 sentences that were read. What is cited
 * is copied from the stored bytes. */
#include "answer/answer_internal.h"
#include "base/hash.h"
#include <stdlib.h>
#include <string.h>

static const double MATCHED_FROM = 0.65, BESIDE = 0.7;
static const double CLOSE = 0.05, DENIES_FROM = 0.45, SURE = 0.9; /* of the words that the unit itself holds */
static const double WORTH_CITING = 0.15; /* what a further unit must add */
enum { CITED = 3, WORDS = 384, QUOTE_WORDS = 4 /* a quote has at least so many */, FEW = 3, DENIED = 3 };

struct bits {
    uint64_t w[WORDS / 64];
};
static void set_bit(struct bits *b, size_t i) { b->w[i / 64] |= 1ull << (i % 64); }
static bool has_bit(const struct bits *b, size_t i) { return b->w[i / 64] >> (i % 64) & 1; }

/* ---- The sentence ---- */

struct sentence {
    const char *text;
    uint32_t all[WORDS];       /* every word in order */
    uint32_t content[WORDS];   /* distinct ones that say something */
    uint32_t names[WORDS];     /* exact forms of identifiers that the question does not use */
    struct bits numbers;       /* which content words are numbers */
    struct bits asked;         /* which of them the question has */
    size_t n_all, n_content, n_names;
    bool negated, item, waits, bare, yes, no, question;
    const struct question *of;
};

static uint32_t hash_of(const char *s, size_t n) { return (uint32_t)hash_bytes(s, n).lo; }

static size_t find_hash(const uint32_t *list, size_t n, uint32_t value) {
    size_t i = 0;
    while (i < n && list[i] != value)
        i++;
    return i;
}

static bool is_word(const char *s, size_t n, const char *word) { return strlen(word) == n && strncasecmp(s, word, n) == 0; }

/* not, never, cannot, don't ... */
static bool denies(const char *s, size_t n) {
    static const char *const words[] = {"not",     "no",  "never", "cannot", "without", "unable", "unsupported",
                                        "neither", "nor", "none",  "cant",   "isnt",    "dont",   "doesnt",
                                        "wont",    "avoid", "unsafe", "forbidden", "prohibited", "refrain", NULL};
    for (size_t i = 0; words[i]; i++)
        if (is_word(s, n, words[i]))
            return true;
    if (n > 3 && strncasecmp(s + n - 3, "n't", 3) == 0)
        return true;
    return n > 5 && (s[n - 1] | 32) == 't' && memcmp(s + n - 4, "\xE2\x80\x99", 3) == 0 && (s[n - 5] | 32) == 'n';
}

/* "not more than 5" denies nothing. */
static bool softens(const char *s, size_t n) {
    static const char *const words[] = {"exceed", "more", "less", "only", "necessarily", "just", NULL};
    for (size_t i = 0; words[i]; i++)
        if (n >= strlen(words[i]) && strncasecmp(s, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

static bool is_number(const char *norm, size_t n) {
    bool digit = false;
    for (size_t i = 0; i < n; i++) {
        bool is = norm[i] >= '0' && norm[i] <= '9';
        if (!is && norm[i] != '.' && norm[i] != ',')
            return false;
        digit = digit || is;
    }
    return digit;
}

/* A name that is written in one way only: EnableManagedSpotTraining, max_jobs, ml.g5.4xlarge; not 64KB. */
static bool is_name(const char *s, size_t n) {
    size_t digits = 0;
    bool inner = false;
    for (size_t i = 0; i < n; i++) {
        bool lower_before = i && s[i - 1] >= 'a' && s[i - 1] <= 'z', digit = s[i] >= '0' && s[i] <= '9';
        digits += digit;
        inner = inner || digit || s[i] == '_' || (s[i] >= 'A' && s[i] <= 'Z' && lower_before) ||
                (s[i] == '.' && lower_before && i + 1 < n);
    }
    bool amount = digits && s[0] >= '0' && s[0] <= '9' && n - digits <= 3;
    return inner && !amount && digits < n;
}

static int read_word(void *user, const struct word *word) {
    struct sentence *s = user;
    const char *surface = s->text + word->start;
    size_t n = word->end - word->start;
    if (s->n_all == WORDS)
        return 1;
    if (word->kind == WORD_EXACT) {
        uint32_t h = hash_of(word->norm, word->norm_len);
        if (is_name(surface, n) && answer_find_term(s->of, word) < 0 && find_hash(s->names, s->n_names, h) == s->n_names)
            s->names[s->n_names++] = h;
        return 0;
    }
    uint32_t h = hash_of(word->norm, word->norm_len);
    s->all[s->n_all++] = h;
    s->negated = s->negated || denies(surface, n);
    bool pronoun = is_word(surface, n, "one") || is_word(surface, n, "zero");
    bool number = is_number(word->norm, word->norm_len) && !pronoun;
    if ((word->stop && !number) || find_hash(s->content, s->n_content, h) < s->n_content)
        return 0;
    if (number)
        set_bit(&s->numbers, s->n_content);
    if (answer_find_term(s->of, word) >= 0)
        set_bit(&s->asked, s->n_content);
    s->content[s->n_content++] = h;
    return 0;
}

/* Length of "- ", "* ", "12. " or "3) " at the beginning. The number of an item is none of the text. */
static size_t item_mark(const char *s) {
    size_t digits = strspn(s, "0123456789");
    bool dotted = !digits && (s[0] == '-' || s[0] == '*');
    bool numbered = digits && digits <= 3 && (s[digits] == '.' || s[digits] == ')');
    return (dotted || numbered) && s[digits + 1] == ' ' ? digits + 2 : 0;
}

static struct sentence *read_sentence(struct answer_work *w, const char *sentence) {
    struct sentence *s = arena_alloc(w->a, sizeof *s);
    const char *text = sentence + item_mark(sentence);
    size_t n = strlen(text), word = strcspn(text, " ,.!:;");
    if (!s)
        return NULL;
    s->text = text;
    s->of = &w->question;
    s->item = text > sentence;
    s->yes = is_word(text, word, "yes");
    s->no = is_word(text, word, "no");
    s->bare = (s->yes || s->no) && strspn(text + word, " ,.!:;") == n - word;
    s->waits = n && text[n - 1] == ':';
    s->question = n && text[n - 1] == '?';
    answer_each_word(w->words, text, n, read_word, s);
    return s;
}

/* ---- Windows ---- */

struct window {
    const struct unit *unit;
    struct bits own, side, names;
    double share, own_share;
    bool whole;      /* every number and name is there */
    bool denies;     /* one of the sentence's words */
    bool negative;   /* some word */
};

struct look {
    const struct sentence *s;
    const char *text;
    struct bits *into, *names;
    struct window *window; /* NULL: no denial is looked for */
    unsigned denied;       /* content words that the last "not" still covers */
    bool after_not;
};

static int look_at(void *user, const struct word *word) {
    struct look *l = user;
    const char *surface = l->text + word->start;
    if (word->kind == WORD_EXACT) {
        size_t i = find_hash(l->s->names, l->s->n_names, hash_of(word->norm, word->norm_len));
        if (i < l->s->n_names)
            set_bit(l->names, i);
        return 0;
    }
    size_t i = find_hash(l->s->content, l->s->n_content, hash_of(word->norm, word->norm_len));
    if (i < l->s->n_content)
        set_bit(l->into, i);
    if (!l->window)
        return 0;
    if (denies(surface, word->end - word->start)) {
        l->window->negative = true;
        l->denied = DENIED;
        l->after_not = true;
        return 0;
    }
    if (l->after_not && softens(surface, word->end - word->start))
        l->denied = 0;
    l->after_not = false;
    if (l->denied && !word->stop) {
        l->denied--;
        l->window->denies = l->window->denies || i < l->s->n_content;
    }
    return 0;
}

static void look_in(struct answer_work *w, const char *text, size_t n, const struct sentence *s, struct bits *into,
                    struct window *window, struct bits *names) {
    struct look l = {.s = s, .text = text, .into = into, .names = names, .window = window};
    answer_each_word(w->words, text, n, look_at, &l);
}

static void look_span(struct answer_work *w, const char *plain, struct span span, const struct sentence *s,
                      struct window *v) {
    if (span_is(span))
        look_in(w, plain + span.from, span.to - span.from, s, &v->side, NULL, &v->names);
}

static void rate(const struct sentence *s, struct window *v) {
    double sum = 0, own = 0;
    v->whole = true;
    for (size_t i = 0; i < s->n_content; i++) {
        bool mine = has_bit(&v->own, i), beside = has_bit(&v->side, i);
        sum += mine ? 1 : beside ? BESIDE : 0;
        own += mine;
        v->whole = v->whole && (mine || beside || !has_bit(&s->numbers, i));
    }
    for (size_t i = 0; i < s->n_names; i++)
        v->whole = v->whole && has_bit(&v->names, i);
    v->share = s->n_content ? sum / (double)s->n_content : 0;
    v->own_share = s->n_content ? own / (double)s->n_content : 0;
}

static struct window *read_windows(struct answer_work *w, const struct sentence *s) {
    struct window *list = arena_array(w->a, w->units.n, sizeof *list);
    struct window path = {0};
    size_t passage = SIZE_MAX;
    for (size_t i = 0; list && i < w->units.n; i++) {
        const struct unit *u = &w->units.items[i];
        const struct index_passage *p = passage_of(w, u);
        if (u->passage != passage) {
            passage = u->passage;
            path = (struct window){0};
            look_in(w, p->title, strlen(p->title), s, &path.side, NULL, &path.names);
            for (size_t h = 0; h < p->n_heading; h++)
                look_in(w, p->heading[h], strlen(p->heading[h]), s, &path.side, NULL, &path.names);
        }
        struct window *v = &list[i];
        *v = path;
        v->unit = u;
        look_in(w, p->map.plain + u->text.from, u->text.to - u->text.from, s, &v->own, v, &v->names);
        const struct span beside[] = {u->term, u->lead, u->parent, u->header, u->heading};
        for (size_t k = 0; k < sizeof beside / sizeof *beside; k++)
            look_span(w, p->map.plain, beside[k], s, v);
        rate(s, v);
    }
    return list;
}

/* The windows closest to the sentence: does one of them deny it? All must, where they hold nearly all of its words: then one
 * that does not says it. */
static bool contradicted(const struct sentence *s, const struct window *list, size_t n, const struct window *best) {
    double most = 0;
    bool any = false, all = true, negative = false;
    for (size_t i = 0; i < n; i++)
        most = list[i].own_share > most ? list[i].own_share : most;
    for (size_t i = 0; i < n; i++) {
        if (list[i].unit->passage == best->unit->passage)
            negative = negative || list[i].negative;
        if (list[i].own_share < most - CLOSE)
            continue;
        any = any || list[i].denies;
        all = all && list[i].denies;
    }
    if (s->negated)
        return !negative;
    return most >= DENIES_FROM && (most >= SURE ? all && any : any);
}

/* ---- A quote ---- */

struct walker {
    const struct sentence *s;
    uint32_t starts[WORDS]; /* by how many of the sentence's words in a row: where the first of them began */
    bool open[WORDS];       /* such a row ends at the word before */
    bool cut[WORDS];        /* a "not" stood before the row: without it the row says the opposite */
    const char *text;
    unsigned denied;        /* content words that the last "not" still covers */
    uint32_t from, to;
    bool found;
};

/* All rows that may still become the sentence are carried along; a word opens, continues or ends each. */
static int walk(void *user, const struct word *word) {
    struct walker *k = user;
    size_t n = k->s->n_all;
    if (word->kind == WORD_EXACT)
        return 0;
    uint32_t h = hash_of(word->norm, word->norm_len);
    if (word->start > k->to && memchr(k->text + k->to, '.', word->start - k->to))
        k->denied = 0; /* another sentence */
    for (size_t i = n; i-- > 0;) {
        k->open[i] = (i == 0 || k->open[i - 1]) && k->s->all[i] == h;
        if (k->open[i]) {
            k->starts[i] = i ? k->starts[i - 1] : word->start;
            k->cut[i] = i ? k->cut[i - 1] : k->denied > 0;
        }
    }
    if (denies(k->text + word->start, word->end - word->start))
        k->denied = DENIED + 1;
    else if (k->denied && !word->stop)
        k->denied--;
    k->to = word->end;
    k->found = k->open[n - 1] && !k->cut[n - 1];
    k->from = k->starts[n - 1];
    return k->found;
}

static bool find_quote(struct answer_work *w, const struct index_passage *p, const struct sentence *s, struct walker *k,
                       struct span *out) {
    size_t len = p->map.plain_len < ANSWER_PLAIN_MAX ? p->map.plain_len : ANSWER_PLAIN_MAX;
    if (s->n_all < QUOTE_WORDS)
        return false;
    memset(k, 0, sizeof *k);
    k->s = s;
    k->text = p->map.plain;
    answer_each_word(w->words, p->map.plain, len, walk, k);
    *out = (struct span){k->from, k->to};
    if (k->found && k->to < len && strchr(".!?", p->map.plain[k->to]))
        out->to++; /* the full stop belongs to it */
    return k->found;
}

/* ---- Citations ---- */

static bool cite(struct answer_work *w, size_t passage, struct span s, struct answer_support *out) {
    const struct index_passage *p = &w->found->hits[passage].passage;
    uint64_t from, to;
    if (!textmap_raw(&p->map, s.from, s.to, &from, &to) || from < p->start || to > p->start + p->text_len)
        return false;
    struct answer_citation *c = &out->cited[out->n];
    *c = (struct answer_citation){.rank = passage + 1, .start = from, .end = to, .quote_len = to - from};
    c->quote = arena_copy(w->a, p->text + (from - p->start), to - from);
    c->quote_plain = arena_copy(w->a, p->map.plain + s.from, s.to - s.from);
    out->failed = out->failed || !c->quote || !c->quote_plain;
    out->n++;
    return true;
}

/* The best window's unit, then units of the same passage as long as each adds to what the sentence says. */
static void cite_units(struct answer_work *w, const struct sentence *s, const struct window *list, const struct window *best,
                       struct answer_support *out) {
    struct bits had = {{0}};
    const struct window *next = best;
    bool used[ANSWER_UNITS_MAX * ANSWER_PASSAGES] = {0};
    while (next && out->n < CITED) {
        used[next - list] = true;
        cite(w, next->unit->passage, next->unit->text, out);
        for (size_t i = 0; i < WORDS / 64; i++)
            had.w[i] |= next->own.w[i];
        size_t most = 0;
        next = NULL;
        for (size_t i = 0; i < w->units.n; i++) {
            size_t adds = 0;
            if (used[i] || list[i].unit->passage != best->unit->passage)
                continue;
            for (size_t k = 0; k < s->n_content; k++)
                adds += has_bit(&list[i].own, k) && !has_bit(&had, k);
            if (adds > most && (double)adds >= WORTH_CITING * (double)s->n_content) {
                most = adds;
                next = &list[i];
            }
        }
    }
}

/* Says it nothing but what was asked? */
static bool echoes(const struct sentence *s) {
    for (size_t i = 0; i < s->n_content; i++)
        if (!has_bit(&s->asked, i) || has_bit(&s->numbers, i))
            return false;
    return !s->n_names && !s->yes && !s->no;
}

static bool says_too_little(const struct sentence *s) {
    bool number = false;
    for (size_t i = 0; i < s->n_content; i++)
        number = number || has_bit(&s->numbers, i);
    return s->n_content < FEW && !number && !s->n_names && !s->item;
}

qa_status answer_check(struct answer_work *w, const char *sentence, struct answer_support *out) {
    struct walker *k = arena_alloc(w->a, sizeof *k);
    struct sentence *s = read_sentence(w, sentence);
    const struct window *best = NULL;
    *out = (struct answer_support){.support = QA_SUPPORT_NONE};
    out->cited = arena_array(w->a, CITED, sizeof *out->cited);
    if (!k || !s || !out->cited)
        return QA_NO_MEMORY;
    out->waits = s->waits || (s->bare && (w->question.cues & CUE_YES_NO));
    out->yes = s->yes;
    out->no = s->no;
    out->negated = s->negated;
    if (s->bare || s->question || !s->n_content || (s->waits && (echoes(s) || says_too_little(s))))
        return QA_OK;
    if (s->n_all == WORDS) /* its end was not looked at */
        return QA_OK;
    for (size_t i = 0; i < w->n_passages; i++) {
        struct span quote;
        bool altered = false;
        if (!find_quote(w, &w->found->hits[i].passage, s, k, &quote))
            continue;
        if (answer_is_altered(w, s->text, &w->found->hits[i].passage, &altered) != QA_OK)
            return QA_NO_MEMORY;
        if (!altered && cite(w, i, quote, out)) {
            out->support = QA_SUPPORT_QUOTE;
            return out->failed ? QA_NO_MEMORY : QA_OK;
        }
    }
    if (echoes(s) || says_too_little(s))
        return QA_OK;
    struct window *list = read_windows(w, s);
    if (!list)
        return QA_NO_MEMORY;
    for (size_t i = 0; i < w->units.n; i++)
        if (!best || (list[i].whole && !best->whole) || (list[i].whole == best->whole && list[i].share > best->share))
            best = &list[i];
    bool sound = best && best->whole && best->share >= MATCHED_FROM && !contradicted(s, list, w->units.n, best), altered = false;
    if (sound && answer_is_altered(w, s->text, passage_of(w, best->unit), &altered) != QA_OK)
        return QA_NO_MEMORY;
    if (sound && !altered)
        cite_units(w, s, list, best, out);
    if (out->n)
        out->support = QA_SUPPORT_MATCHED;
    return out->failed ? QA_NO_MEMORY : QA_OK;
}
