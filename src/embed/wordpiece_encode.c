/* Text to tokens, one word after the other. ASCII words - all but some of English - take a short way: folded into a buffer,
 * their offsets their places. All others are gathered character by character: cleaned, decomposed, accents dropped, lower
 * case, as the code of each says.
 *
 * Nothing is kept but one word of at most 100 characters; what comes after the hundredth is only counted, since such a word
 * is [UNK] whatever it holds. Marks that stay are put into canonical order within it, by insertion: a hostile run of marks
 * costs at most 100 steps each.
 *
 * Spans keep the order of the text when marks change theirs: the nth character of a word has the nth place. */
#include "base/utf8.h"
#include "embed/wordpiece.h"
#include <string.h>

struct word { /* read by the long way */
    size_t n;              /* characters, also those that are not kept */
    size_t run;            /* what stands before this is not moved any more */
    size_t from, to;       /* bytes of the text */
    uint32_t cp[WORDPIECE_MAX_CHARS];
    uint8_t class[WORDPIECE_MAX_CHARS];
    struct tokenizer_span span[WORDPIECE_MAX_CHARS];
};
struct run {
    const struct tokenizer *t;
    const uint8_t *text;
    size_t len, at;
    int32_t *ids;                 /* NULL: only counted */
    struct tokenizer_span *spans; /* may be NULL */
    size_t n, max;
};
struct pieces {
    size_t n;
    int32_t id[WORDPIECE_MAX_CHARS];
    uint16_t end[WORDPIECE_MAX_CHARS]; /* bytes of the word */
};

static inline void put(struct run *r, int32_t id, size_t start, size_t end) {
    if (r->n == r->max)
        return;
    if (r->ids)
        r->ids[r->n] = id;
    if (r->spans)
        r->spans[r->n] = (struct tokenizer_span){start, end};
    r->n++;
}

/* The longest token that begins the word, the longest that goes on from there, and so on. False: it cannot be spelt. */
static bool cut(const struct tokenizer *t, const uint8_t *word, size_t n, struct pieces *p) {
    uint32_t root = WORDPIECE_BEGIN;
    p->n = 0;
    for (size_t at = 0; at < n; root = WORDPIECE_GO_ON) {
        size_t len = wordpiece_longest(t->nodes, root, word + at, n - at, &p->id[p->n]);
        if (!len)
            return false;
        at += len;
        p->end[p->n++] = (uint16_t)at;
    }
    return true;
}

/* ---- The long way ---- */

static void add(struct word *w, uint32_t cp, uint8_t class, struct tokenizer_span span) {
    if (w->n == 0)
        w->from = span.start;
    w->to = span.end;
    if (w->n >= WORDPIECE_MAX_CHARS) {
        w->n = WORDPIECE_MAX_CHARS + 1;
        return;
    }
    size_t at = w->n; /* a letter's class is 0: nothing goes before it */
    for (; class && at > w->run && w->class[at - 1] > class; at--) {
        w->cp[at] = w->cp[at - 1];
        w->class[at] = w->class[at - 1];
    }
    w->cp[at] = cp;
    w->class[at] = class;
    w->span[w->n++] = span;
}

static void add_hangul(struct word *w, uint32_t cp, struct tokenizer_span span) {
    uint32_t i = cp - 0xAC00;
    add(w, 0x1100 + i / 588, 0, span);
    add(w, 0x1161 + i % 588 / 28, 0, span);
    if (i % 28)
        add(w, 0x11A7 + i % 28, 0, span);
}

/* Puts the tokens of the word, and begins another. */
static void finish(struct run *r, struct word *w) {
    uint8_t bytes[WORDPIECE_MAX_BYTES];
    uint8_t number[WORDPIECE_MAX_BYTES + 1]; /* of the character that begins here */
    struct pieces p;
    size_t len = 0, begin = 0;
    if (w->n && w->n <= WORDPIECE_MAX_CHARS) {
        for (size_t i = 0; i < w->n; i++) {
            number[len] = (uint8_t)i;
            len += utf8_put((char *)bytes + len, w->cp[i]);
        }
        number[len] = (uint8_t)w->n;
        if (cut(r->t, bytes, len, &p))
            for (size_t i = 0; i < p.n; begin = p.end[i++])
                put(r, p.id[i], w->span[number[begin]].start, w->span[number[p.end[i]] - 1].end);
        else
            put(r, r->t->special.unk, w->from, w->to);
    } else if (w->n) {
        put(r, r->t->special.unk, w->from, w->to);
    }
    w->n = w->run = 0;
}

static void add_mapped(struct run *r, struct word *w, const struct wordpiece_mapping *m, struct tokenizer_span span) {
    if (m->alone)
        finish(r, w);
    for (size_t i = 0; i < m->n; i++)
        add(w, m->to[i], m->sorted ? wordpiece_combining_class(m->to[i]) : 0, span);
    if (m->alone)
        finish(r, w);
}

/* Until a word has ended, and with it whatever ended it. */
static void read_word(struct run *r) {
    struct word w;
    w.n = w.run = 0;
    for (bool ended = false; !ended && r->at < r->len;) {
        uint32_t cp;
        struct tokenizer_span span = {.start = r->at};
        r->at += utf8_get((const char *)r->text + r->at, r->len - r->at, &cp);
        span.end = r->at;
        uint16_t code = r->t->chars.pages[cp >> 8][cp & 255];
        switch (code) {
        case WORDPIECE_LETTER:
            add(&w, cp, 0, span);
            break;
        case WORDPIECE_DROP:
            break;
        case WORDPIECE_DROP_STARTER:
            w.run = w.n;
            break;
        case WORDPIECE_SPACE:
            ended = true;
            break;
        case WORDPIECE_ALONE:
            finish(r, &w);
            add(&w, cp, 0, span);
            ended = true;
            break;
        case WORDPIECE_HANGUL:
            add_hangul(&w, cp, span);
            break;
        default: {
            const struct wordpiece_mapping *m = &r->t->chars.mappings[code - WORDPIECE_MAPPED];
            add_mapped(r, &w, m, span);
            ended = m->alone;
        }
        }
    }
    finish(r, &w);
}

/* ---- The short way ---- */

/* False: the word goes on with something that is not ASCII or is to be dropped, or is too long. */
static bool read_ascii_word(struct run *r) {
    const struct tokenizer *t = r->t;
    uint8_t word[WORDPIECE_MAX_CHARS], c = 0;
    size_t from = r->at, most = r->len - from < WORDPIECE_MAX_CHARS ? r->len - from : WORDPIECE_MAX_CHARS, n = 0, begin = 0;
    for (; n < most && (c = t->fold[r->text[from + n]]); n++)
        word[n] = c;
    if (from + n < r->len) {
        uint8_t next = r->text[from + n];
        if (next >= 0x80 || t->fold[next] || t->chars.pages[0][next] == WORDPIECE_DROP)
            return false;
    }
    r->at = from + n;
    int32_t id = -1;
    if (wordpiece_longest(t->nodes, WORDPIECE_BEGIN, word, n, &id) == n) {
        put(r, id, from, from + n);
        return true;
    }
    struct pieces p;
    if (cut(t, word, n, &p))
        for (size_t i = 0; i < p.n; begin = p.end[i++])
            put(r, p.id[i], from + begin, from + p.end[i]);
    else
        put(r, t->special.unk, from, from + n);
    return true;
}

static size_t run_all(struct run *r) {
    const struct tokenizer *t = r->t;
    while (r->at < r->len && r->n < r->max) {
        uint8_t c = r->text[r->at];
        if (t->fold[c] && read_ascii_word(r))
            continue;
        if (c < 0x80 && t->ascii_alone[c] >= 0) {
            put(r, t->ascii_alone[c], r->at, r->at + 1);
            r->at++;
        } else if (c == ' ' || c == '\n') {
            r->at++;
        } else {
            read_word(r);
        }
    }
    return r->n;
}

size_t tokenizer_tokens(const struct tokenizer *t, const char *text, size_t len, size_t max, int32_t *ids,
                        struct tokenizer_span *spans) {
    struct run r = {.t = t, .text = (const uint8_t *)text, .len = len, .ids = ids, .spans = spans, .max = max};
    return run_all(&r);
}

size_t tokenizer_encode(const struct tokenizer *t, const char *text, size_t len, size_t max, int32_t *ids,
                        struct tokenizer_span *spans) {
    if (max < 2)
        return 0;
    size_t n = tokenizer_tokens(t, text, len, max - 2, ids + 1, spans ? spans + 1 : NULL);
    ids[0] = t->special.cls;
    ids[n + 1] = t->special.sep;
    if (spans) {
        spans[0] = (struct tokenizer_span){0, 0};
        spans[n + 1] = (struct tokenizer_span){n ? spans[n].end : 0, n ? spans[n].end : 0};
    }
    return n + 2;
}

size_t tokenizer_count(const struct tokenizer *t, const char *text, size_t len) {
    return tokenizer_tokens(t, text, len, SIZE_MAX, NULL, NULL) + 2;
}
