/* From the tables to one code for each character: pages of 256, those that are all alike shared. About 300 KB, made in a
 * millisecond; looking a character up is then two loads, where searching the tables would be some thirty steps. */
#include "embed/wordpiece.h"
#include <string.h>

enum { MAX_MAPPINGS = 8192 }; /* there are some 3,600 */

struct maker {
    struct wordpiece_chars *c;
    struct arena *a;
    uint16_t *alike[WORDPIECE_MAPPED];    /* a page of one code */
    bool owned[WORDPIECE_PAGES], lower, failed;
};

static uint16_t code_of(const struct wordpiece_chars *c, uint32_t cp) { return c->pages[cp >> 8][cp & 255]; }

static uint16_t *page_alike(struct maker *m, enum wordpiece_code code) {
    if (!m->alike[code] && (m->alike[code] = arena_array(m->a, 256, sizeof **m->alike)))
        for (size_t i = 0; i < 256; i++)
            m->alike[code][i] = (uint16_t)code;
    m->failed = m->failed || !m->alike[code];
    return m->alike[code];
}

static void set(struct maker *m, uint32_t cp, uint16_t code) {
    uint32_t number = cp >> 8;
    if (m->failed)
        return;
    if (!m->owned[number]) {
        uint16_t *own = arena_array(m->a, 256, sizeof *own);
        if (!own) {
            m->failed = true;
            return;
        }
        memcpy(own, m->c->pages[number], 256 * sizeof *own);
        m->c->pages[number] = own;
        m->owned[number] = true;
    }
    ((uint16_t *)m->c->pages[number])[cp & 255] = code; /* our own page */
}

static void set_range(struct maker *m, uint32_t first, uint32_t last, enum wordpiece_code code) {
    for (uint32_t cp = first; cp <= last && !m->failed; cp++)
        if ((cp & 255) == 0 && last - cp >= 255 && !m->owned[cp >> 8] && page_alike(m, code)) {
            m->c->pages[cp >> 8] = m->alike[code];
            cp += 255;
        } else {
            set(m, cp, (uint16_t)code);
        }
}

static void set_ranges(struct maker *m, const struct wordpiece_range *ranges, size_t n, enum wordpiece_code code) {
    for (size_t i = 0; i < n; i++)
        set_range(m, ranges[i].first, ranges[i].last, code);
}

static void set_ascii(struct maker *m) {
    for (uint32_t c = 0; c < 0x80; c++) {
        bool letter = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
        set(m, c, letter ? WORDPIECE_LETTER : space ? WORDPIECE_SPACE : c < 0x20 || c == 0x7F ? WORDPIECE_DROP : WORDPIECE_ALONE);
    }
}

static uint32_t lower_of(uint32_t cp) {
    size_t low = 0, high = wordpiece_n_lower;
    if (cp < 0x80)
        return cp >= 'A' && cp <= 'Z' ? cp + 32 : cp;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (wordpiece_lower[mid].last < cp)
            low = mid + 1;
        else
            high = mid;
    }
    const struct wordpiece_steps *s = &wordpiece_lower[low];
    return low < wordpiece_n_lower && cp >= s->first && (cp - s->first) % s->step == 0 ? s->to + (cp - s->first) : cp;
}

/* `to` are the characters that are left of it, before lower case. What it has become decides whether it is a word of its
 * own: Han becomes Han. */
static void map(struct maker *m, uint32_t cp, const uint32_t *to, size_t n) {
    struct wordpiece_chars *c = m->c;
    if (m->failed || c->n_mappings == MAX_MAPPINGS) {
        m->failed = true;
        return;
    }
    struct wordpiece_mapping *mapping = &c->mappings[c->n_mappings];
    mapping->n = (uint8_t)n;
    mapping->alone = n == 1 && code_of(c, to[0]) == WORDPIECE_ALONE;
    for (size_t i = 0; i < n; i++) {
        mapping->to[i] = m->lower ? lower_of(to[i]) : to[i];
        mapping->sorted = mapping->sorted || wordpiece_combining_class(to[i]);
    }
    set(m, cp, (uint16_t)(WORDPIECE_MAPPED + c->n_mappings++));
}

static void map_accents(struct maker *m) {
    set_ranges(m, wordpiece_marks, wordpiece_n_marks, WORDPIECE_DROP);
    set_ranges(m, wordpiece_starter_marks, wordpiece_n_starter_marks, WORDPIECE_DROP_STARTER);
    set_range(m, 0xAC00, 0xD7A3, WORDPIECE_HANGUL);
    for (size_t i = 0; i < wordpiece_n_strip; i += 2)
        map(m, wordpiece_strip[i], &wordpiece_strip[i + 1], 1);
    for (size_t i = 0; i < wordpiece_n_strip_more; i += 4)
        map(m, wordpiece_strip_more[i], &wordpiece_strip_more[i + 1], wordpiece_strip_more[i + 3] ? 3 : 2);
    for (size_t i = 0; i < wordpiece_n_classes; i++)
        for (uint32_t cp = wordpiece_classes[i].first; cp <= wordpiece_classes[i].last; cp++)
            map(m, cp, &cp, 1);
}

static void map_capitals(struct maker *m) {
    static const uint32_t dotted[] = {'i', 0x307};
    for (uint32_t c = 'A'; c <= 'Z'; c++)
        map(m, c, &c, 1);
    for (size_t i = 0; i < wordpiece_n_lower; i++)
        for (uint32_t cp = wordpiece_lower[i].first; cp <= wordpiece_lower[i].last; cp += wordpiece_lower[i].step)
            if (code_of(m->c, cp) == WORDPIECE_LETTER) {
                if (cp == 0x130)
                    map(m, cp, dotted, 2);
                else
                    map(m, cp, &cp, 1);
            }
}

uint8_t wordpiece_combining_class(uint32_t cp) {
    size_t low = 0, high = wordpiece_n_classes;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (wordpiece_classes[mid].last < cp)
            low = mid + 1;
        else
            high = mid;
    }
    return low < wordpiece_n_classes && cp >= wordpiece_classes[low].first ? wordpiece_classes[low].class : 0;
}

bool wordpiece_make_chars(struct wordpiece_chars *c, struct arena *a, bool lower, bool strip) {
    struct maker m = {.c = c, .a = a, .lower = lower};
    const uint16_t *letters = page_alike(&m, WORDPIECE_LETTER);
    c->n_mappings = 0;
    if (!letters || !(c->mappings = arena_array(a, MAX_MAPPINGS, sizeof *c->mappings)))
        return false;
    for (size_t i = 0; i < WORDPIECE_PAGES; i++)
        c->pages[i] = letters;
    set_ascii(&m);
    set_ranges(&m, wordpiece_dropped, wordpiece_n_dropped, WORDPIECE_DROP);
    set_ranges(&m, wordpiece_space, wordpiece_n_space, WORDPIECE_SPACE);
    set_ranges(&m, wordpiece_punctuation, wordpiece_n_punctuation, WORDPIECE_ALONE);
    set_ranges(&m, wordpiece_han, wordpiece_n_han, WORDPIECE_ALONE);
    if (strip)
        map_accents(&m);
    if (lower)
        map_capitals(&m);
    return !m.failed;
}
