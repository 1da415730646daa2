/* A passage into units, with what each needs to be understood: the sentences of paragraphs, quotes and list items, the
 * rows of tables, the lines of code. Headings are context only; so are terms: short lines without an end stop before a
 * hard line break, as API references write them.
 *
 * The map's marks give the kinds. */
#include "answer/answer_internal.h"
#include "base/utf8.h"
#include "text/sentences.h"
#include <string.h>

enum { TERM_MAX = 80, DEPTH_MAX = 16, LINE_SEARCH = 4096 };

struct cutter {
    struct arena *a;
    const struct index_passage *p;
    size_t passage, room; /* units that may still be added */
    struct unit_list *out;
    bool failed;

    struct span heading, header;
    struct span lead;     /* the last sentence of the last paragraph */
    struct span term;     /* of the last paragraph */
    struct span open[DEPTH_MAX]; /* the items that the present one lies under: the last sentence of each */
    size_t depth;
};

size_t answer_blank(const char *s, size_t n) {
    if (n && (*s == ' ' || (*s >= '\t' && *s <= '\r')))
        return 1;
    if (n >= 2 && memcmp(s, "\xC2\xA0", 2) == 0)
        return 2;
    return n >= 3 && (memcmp(s, "\xE2\x80\xA8", 3) == 0 || memcmp(s, "\xE2\x80\xA9", 3) == 0) ? 3 : 0;
}

/* Length of the white space before s[n]. */
static size_t blank_before(const char *s, size_t n) {
    for (size_t len = 1; len <= 3 && len <= n; len++)
        if (answer_blank(s + n - len, len) == len)
            return len;
    return 0;
}

struct span answer_trim(const char *plain, struct span s) {
    for (size_t n; s.from < s.to && (n = answer_blank(plain + s.from, s.to - s.from));)
        s.from += (uint32_t)n;
    for (size_t n; s.to > s.from && (n = blank_before(plain + s.from, s.to - s.from));)
        s.to -= (uint32_t)n;
    return s;
}

uint32_t answer_count_words(const char *s, size_t n) {
    uint32_t words = 0;
    bool inside = false;
    for (size_t i = 0; i < n;) {
        size_t blank = answer_blank(s + i, n - i);
        words += !blank && !inside;
        inside = !blank;
        i += blank ? blank : 1;
    }
    return words;
}

bool answer_contains(const char *s, size_t n, const char *part, size_t len) {
    for (size_t i = 0; len && i + len <= n; i++)
        if (strncasecmp(s + i, part, len) == 0)
            return true;
    return false;
}

static bool has_letter_or_digit(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        if ((s[i] >= '0' && s[i] <= '9') || ((s[i] | 32) >= 'a' && (s[i] | 32) <= 'z') || (unsigned char)s[i] >= 0x80)
            return true;
    return false;
}

static bool says(const char *plain, struct span s, const char *word) {
    if (span_is(s) && plain[s.to - 1] == ':')
        s.to--;
    return s.to - s.from == strlen(word) && strncasecmp(plain + s.from, word, s.to - s.from) == 0;
}

static void add(struct cutter *c, enum unit_kind kind, struct span text, struct unit with) {
    const char *plain = c->p->map.plain;
    text = answer_trim(plain, text);
    if (c->failed || !c->room || !has_letter_or_digit(plain + text.from, text.to - text.from) || says(plain, text, "topics") ||
        says(plain, with.lead, "topics"))
        return;
    struct unit_list *l = c->out;
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 64;
        struct unit *grown = arena_grow(c->a, l->items, l->n, cap, sizeof *grown);
        if (!grown) {
            c->failed = true;
            return;
        }
        l->items = grown;
        l->cap = cap;
    }
    with.passage = c->passage;
    with.kind = kind;
    with.text = text;
    with.heading = c->heading;
    with.words = answer_count_words(plain + text.from, text.to - text.from);
    l->items[l->n++] = with;
    c->room--;
}

const struct textmap_segment *answer_segment(const struct textmap *m, size_t at) {
    size_t lo = 0, hi = m->n_segments;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (m->segments[mid].plain + m->segments[mid].len <= at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < m->n_segments ? &m->segments[lo] : NULL;
}

/* Is the line break at `at` one that the author asked for? Breaks that are copied stand in a text whose lines mean
 * nothing. */
static bool is_hard_break(const struct textmap *m, size_t at) {
    const struct textmap_segment *s = answer_segment(m, at);
    return s && s->literal;
}

static bool is_term(const char *plain, struct span line) {
    return span_is(line) && line.to - line.from <= TERM_MAX && !strchr(".!?:;,", plain[line.to - 1]);
}

/* "Note" names nothing. */
static bool is_label(const char *plain, struct span s) {
    static const char *const labels[] = {"note", "important", "tip", "warning", "caution", "topics"};
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        if (says(plain, s, labels[i]))
            return true;
    return false;
}

/* The sentences of a block of prose. *term is what its short lines name, also for what follows the block; returns the
 * last sentence. */
static struct span cut_prose(struct cutter *c, enum unit_kind kind, struct span block, struct span *term, struct unit with) {
    const char *plain = c->p->map.plain;
    struct span last = {0};
    bool first = true;
    for (uint32_t from = block.from; from < block.to && c->room && !c->failed;) {
        const char *newline = plain + from;
        uint32_t end = block.to;
        while ((newline = memchr(newline, '\n', (size_t)(plain + block.to - newline)))) {
            if (is_hard_break(&c->p->map, (size_t)(newline - plain))) {
                end = (uint32_t)(newline - plain);
                break;
            }
            newline++;
        }
        struct span line = answer_trim(plain, (struct span){from, end});
        from = end + 1;
        if (end < block.to && is_term(plain, line)) {
            *term = is_label(plain, line) ? (struct span){0} : line;
            continue;
        }
        for (size_t at = 0, n = line.to - line.from; at < n && c->room && !c->failed;) {
            size_t next = n, stop = sentence_end(plain + line.from, n, at, &next);
            struct span sentence = {(uint32_t)(line.from + at), (uint32_t)(line.from + stop)};
            if (stop <= at)
                break;
            with.term = *term;
            with.opens = first;
            add(c, kind, sentence, with);
            last = answer_trim(plain, sentence);
            first = false;
            at = next > stop ? next : stop;
        }
    }
    return last;
}

/* Where the line of the document that holds this plain byte begins, in the passage's bytes; SIZE_MAX when it is not
 * among them. */
static size_t line_of(const struct index_passage *p, uint32_t at) {
    uint64_t raw, end;
    if (!textmap_raw(&p->map, at, at + 1, &raw, &end) || raw < p->start || raw >= p->start + p->text_len)
        return SIZE_MAX;
    size_t i = (size_t)(raw - p->start), stop = i > LINE_SEARCH ? i - LINE_SEARCH : 0;
    while (i > stop && p->text[i - 1] != '\n' && p->text[i - 1] != '\r')
        i--;
    return i;
}

/* Then a paragraph behind a list item still belongs to it. */
static bool is_indented(const struct index_passage *p, uint32_t at) {
    size_t line = line_of(p, at);
    return line != SIZE_MAX && (p->text[line] == ' ' || p->text[line] == '\t');
}

/* The first row of a table whose header row is empty says what a header says: before it stands the line of dashes. */
static bool is_first_row(const struct index_passage *p, uint32_t at) {
    size_t line = line_of(p, at), dashes = 0;
    if (line == SIZE_MAX || !line)
        return false;
    size_t i = line - 1;
    i -= i && p->text[i] == '\n' && p->text[i - 1] == '\r';
    for (; i && line - i < LINE_SEARCH && p->text[i - 1] != '\n' && p->text[i - 1] != '\r'; i--) {
        if (!strchr("|-: ", p->text[i - 1]))
            return false;
        dashes += p->text[i - 1] == '-';
    }
    return dashes > 0;
}

/* Length of "- ", "12. " or "- [x] " at the beginning of an item, and how many spaces stand before it: two for each
 * level of nesting. */
static uint32_t bullet(const char *s, size_t n, unsigned *depth) {
    size_t i = 0;
    while (i < n && s[i] == ' ')
        i++;
    *depth = (unsigned)i / 2;
    size_t digits = i;
    while (i < n && s[i] >= '0' && s[i] <= '9')
        i++;
    bool numbered = i > digits && i + 1 < n && s[i] == '.' && s[i + 1] == ' ';
    bool dotted = i == digits && i + 1 < n && s[i] == '-' && s[i + 1] == ' ';
    if (!numbered && !dotted)
        return 0;
    bool box = i + 6 < n && s[i + 2] == '[' && (s[i + 3] == ' ' || s[i + 3] == 'x') && s[i + 4] == ']' && s[i + 5] == ' ';
    return (uint32_t)(i + (box ? 6 : 2));
}

static struct span parent_of(const struct cutter *c) { return c->depth ? c->open[c->depth - 1] : (struct span){0}; }

static void cut_item(struct cutter *c, struct span block) {
    unsigned depth = 0;
    block.from += bullet(c->p->map.plain + block.from, block.to - block.from, &depth);
    if (c->depth > depth)
        c->depth = depth;
    struct unit with = {.lead = c->lead, .parent = parent_of(c)};
    struct span term = {0}, last = cut_prose(c, AS_ITEM, block, &term, with);
    while (c->depth < depth && c->depth + 1 < DEPTH_MAX) /* the chunk begins inside a list */
        c->open[c->depth++] = (struct span){0};
    if (c->depth < DEPTH_MAX)
        c->open[c->depth++] = last;
}

static void cut_paragraph(struct cutter *c, struct span block) {
    bool of_item = c->depth && is_indented(c->p, block.from);
    struct unit with = {0};
    if (of_item) {
        with.lead = c->lead;
        with.parent = parent_of(c);
    } else {
        c->depth = 0;
    }
    c->term = (struct span){0};
    struct span last = cut_prose(c, AS_SENTENCE, block, &c->term, with);
    if (of_item)
        c->open[c->depth - 1] = last;
    else
        c->lead = last;
}

static void cut_code(struct cutter *c, struct span block) {
    const char *plain = c->p->map.plain;
    struct unit with = {.lead = c->lead, .term = c->term, .parent = parent_of(c)};
    for (uint32_t from = block.from; from < block.to && c->room && !c->failed;) {
        const char *newline = memchr(plain + from, '\n', block.to - from);
        uint32_t end = newline ? (uint32_t)(newline - plain) : block.to;
        add(c, AS_LINE, (struct span){from, end}, with);
        from = end + 1;
    }
}

static void cut_block(struct cutter *c, enum textmap_unit kind, struct span block) {
    struct span trimmed = answer_trim(c->p->map.plain, block);
    if (!span_is(trimmed))
        return;
    switch (kind) {
    case UNIT_HEADING:
        c->heading = trimmed;
        c->lead = c->term = (struct span){0};
        c->depth = 0;
        break;
    case UNIT_ITEM:
        cut_item(c, (struct span){block.from, trimmed.to}); /* its leading spaces tell its depth */
        break;
    case UNIT_TABLE_HEAD:
        c->header = trimmed;
        break;
    case UNIT_TABLE_ROW:
        if (!span_is(c->header) && is_first_row(c->p, trimmed.from))
            c->header = trimmed;
        else
            add(c, AS_ROW, trimmed, (struct unit){.lead = c->lead, .term = c->term, .header = c->header});
        break;
    case UNIT_CODE:
        cut_code(c, trimmed);
        break;
    default:
        cut_paragraph(c, trimmed);
    }
    if (kind != UNIT_TABLE_HEAD && kind != UNIT_TABLE_ROW)
        c->header = (struct span){0};
}

qa_status answer_cut(struct arena *a, const struct index_passage *p, size_t passage, struct unit_list *out, qa_error *err) {
    const struct textmap *m = &p->map;
    struct cutter c = {.a = a, .p = p, .passage = passage, .room = ANSWER_UNITS_MAX, .out = out};
    uint32_t len = (uint32_t)utf8_floor(m->plain, m->plain_len < ANSWER_PLAIN_MAX ? m->plain_len : ANSWER_PLAIN_MAX);
    uint32_t first = m->n_marks && m->marks[0].plain < len ? m->marks[0].plain : len;
    cut_block(&c, UNIT_PARAGRAPH, (struct span){0, first}); /* what no mark covers */
    for (size_t i = 0; i < m->n_marks && m->marks[i].plain < len && c.room && !c.failed; i++) {
        uint32_t end = i + 1 < m->n_marks && m->marks[i + 1].plain < len ? m->marks[i + 1].plain : len;
        cut_block(&c, m->marks[i].kind, (struct span){m->marks[i].plain, end});
    }
    return c.failed ? arena_error(a, err, "reading a passage") : QA_OK;
}

size_t answer_cells(const char *plain, struct span row, struct span cells[ANSWER_CELLS_MAX]) {
    size_t n = 0;
    uint32_t from = row.from, at = row.from;
    while (at < row.to && n + 1 < ANSWER_CELLS_MAX) {
        bool edge = at == row.from || plain[at - 1] == ' ';
        if (plain[at] == '|' && edge && (at + 1 == row.to || plain[at + 1] == ' ')) {
            cells[n++] = answer_trim(plain, (struct span){from, at});
            from = at + 1;
        }
        at++;
    }
    cells[n++] = answer_trim(plain, (struct span){from, row.to});
    return n;
}
