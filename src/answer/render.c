/* Writes the chosen units. Every stretch that is taken from a passage gets a citation of the bytes behind it; what is
 * put between them is a separator, an ellipsis or the name of a column. A lead-in or term that was already said is not
 * said again. */
#include "answer/answer_internal.h"
#include "text/sentences.h"
#include <string.h>

enum {
    TEXT_MAX = 256 * 1024,
    CITATIONS_MAX = 64,
    SEGMENTS_MAX = 128,
    LABEL_WORDS = 4,
    LABEL_BYTES = 80,
    LABEL_COLUMNS = 4, /* in tables of more only the columns that the question names are named */
    LINK_MAX = 2048,
    SHORT_ITEM = 8, /* words */
};

struct writer {
    struct answer_work *w;
    struct answer *out;
    struct buf text;
    const struct unit *u;
    const struct index_passage *p;
    const char *plain;
    bool quoted; /* all that was written of this unit has a citation */
    bool failed;
};

/* ---- Citations ---- */

static bool is_emphasis(char c) { return c == '*' || c == '_' || c == '`' || c == '~'; }
static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* Takes in the markup that a quote would otherwise cut in two: "**Note**: ..." and not "Note**: ...". */
static void make_neat(const struct index_passage *p, uint64_t *from, uint64_t *to) {
    const char *s = p->text;
    size_t begin = (size_t)(*from - p->start), end = (size_t)(*to - p->start), i = begin, len = p->text_len;
    while (i && (is_emphasis(s[i - 1]) || s[i - 1] == '['))
        i--;
    if (!i || is_blank(s[i - 1]) || s[i - 1] == '|' || s[i - 1] == '(')
        begin = i;
    int open = 0;
    for (i = begin; i < end; i++)
        open += s[i] == '[' ? 1 : s[i] == ']' && open ? -1 : 0;
    i = end;
    if (open && i + 1 < len && s[i] == ']' && s[i + 1] == '(') {
        size_t stop = len < i + LINK_MAX ? len : i + LINK_MAX;
        while (i < stop && s[i] != ')' && s[i] != '\n')
            i++;
        if (i < stop && s[i] == ')')
            end = ++i;
    }
    while (i < len && is_emphasis(s[i]))
        i++;
    if (i == len || !((s[i] >= '0' && s[i] <= '9') || ((s[i] | 32) >= 'a' && (s[i] | 32) <= 'z') || (unsigned char)s[i] >= 0x80))
        end = i;
    *from = p->start + begin;
    *to = p->start + end;
}

static bool is_one_copy(const struct textmap *m, struct span s) {
    const struct textmap_segment *first = answer_segment(m, s.from);
    return first && !first->literal && first->plain + first->len >= s.to;
}

/* The document's bytes behind a span, and these bytes. A header that is repeated in a later part of its table stands
 * outside the passage's bytes; of it a cell can be quoted that is one copy, since then the plain text is the document's. */
static const char *find_bytes(const struct writer *r, struct span s, uint64_t *from, uint64_t *to) {
    const struct index_passage *p = r->p;
    if (!span_is(s) || !textmap_raw(&p->map, s.from, s.to, from, to))
        return NULL;
    if (*from < p->start || *to > p->start + p->text_len)
        return *to - *from == s.to - s.from && is_one_copy(&p->map, s) ? r->plain + s.from : NULL;
    make_neat(p, from, to);
    return p->text + (*from - p->start);
}

static bool is_cited(const struct writer *r, struct span s) {
    uint64_t from, to;
    const char *bytes = find_bytes(r, s, &from, &to);
    for (size_t i = 0; bytes && i < r->out->n_citations; i++) {
        const struct answer_citation *c = &r->out->citations[i];
        if (c->rank == r->u->passage + 1 && c->start <= from && c->end >= to)
            return true;
    }
    return false;
}

static void cite(struct writer *r, struct span s) {
    struct answer *out = r->out;
    uint64_t from = 0, to = 0;
    const char *bytes = find_bytes(r, s, &from, &to);
    if (!bytes || out->n_citations == CITATIONS_MAX) {
        r->quoted = false;
        return;
    }
    if (is_cited(r, s))
        return;
    struct answer_citation *c = &out->citations[out->n_citations];
    *c = (struct answer_citation){
        .rank = r->u->passage + 1,
        .start = from,
        .end = to,
        .quote = arena_copy(r->w->a, bytes, (size_t)(to - from)),
        .quote_len = (size_t)(to - from),
        .quote_plain = arena_copy(r->w->a, r->plain + s.from, s.to - s.from),
    };
    if (c->quote && c->quote_plain)
        out->n_citations++;
    else
        r->failed = true;
}

/* ---- Text ---- */

/* The next word at or after *at, which moves behind it; false at the end. */
static bool next_word(const char *s, size_t n, size_t *at, size_t *from) {
    size_t i = *at;
    for (size_t blank; i < n && (blank = answer_blank(s + i, n - i));)
        i += blank;
    *from = i;
    while (i < n && !answer_blank(s + i, n - i))
        i++;
    *at = i;
    return i > *from;
}

/* White space of any kind is one space. */
static void put(struct writer *r, struct span s) {
    size_t n = s.to - s.from, at = 0, from;
    for (bool more = false; next_word(r->plain + s.from, n, &at, &from); more = true) {
        if (more)
            buf_putc(&r->text, ' ');
        buf_put(&r->text, r->plain + s.from + from, at - from);
    }
}

static void put_quote(struct writer *r, struct span s) {
    put(r, s);
    cite(r, s);
}

/* ---- The part of a long text that holds most of the question ---- */

struct weighing {
    const struct question *q;
    const struct span *words;
    double *weights;
    size_t n, at;
};
static int weigh_word(void *user, const struct word *word) {
    struct weighing *g = user;
    while (g->at < g->n && g->words[g->at].to <= word->start)
        g->at++;
    int term = answer_find_term(g->q, word);
    if (g->at < g->n && term >= 0)
        g->weights[g->at] += g->q->terms[term].weight;
    return 0;
}

/* The best `most` words in a row; the whole when it has no more. */
static struct span best_window(struct writer *r, struct span s, uint32_t most) {
    uint32_t n = answer_count_words(r->plain + s.from, s.to - s.from);
    struct span *words = n > most ? arena_array(r->w->a, n, sizeof *words) : NULL;
    double *weights = n > most ? arena_array(r->w->a, n, sizeof *weights) : NULL;
    if (n <= most)
        return s;
    if (!words || !weights) {
        r->failed = true;
        return s;
    }
    const char *text = r->plain + s.from;
    uint32_t k = 0;
    for (size_t len = s.to - s.from, at = 0, from; k < n && next_word(text, len, &at, &from);)
        words[k++] = (struct span){(uint32_t)from, (uint32_t)at};
    struct weighing g = {.q = &r->w->question, .words = words, .weights = weights, .n = k};
    words_each(r->w->words, text, s.to - s.from, weigh_word, &g);
    double sum = 0, best = 0;
    uint32_t first = 0, last = 0; /* of several windows that hold most the middle one shows what stands around the words */
    for (uint32_t i = 0; i < k; i++) {
        sum += weights[i] - (i >= most ? weights[i - most] : 0);
        if (i + 1 < most)
            continue;
        uint32_t at = i + 1 - most;
        if (i + 1 == most || sum > best + 1e-9) {
            best = sum;
            first = last = at;
        } else if (sum > best - 1e-9 && at == last + 1) {
            last = at;
        }
    }
    uint32_t at = first + (last - first) / 2;
    return (struct span){s.from + words[at].from, s.from + words[at + most - 1].to};
}

static void put_window(struct writer *r, struct span s, uint32_t most) {
    struct span part = best_window(r, s, most);
    if (part.from > s.from)
        buf_puts(&r->text, "… ");
    put_quote(r, part);
    if (part.to < s.to)
        buf_puts(&r->text, " …");
}

/* ---- Sentences, items, lines of code ---- */

struct span answer_lead_within(const struct answer_work *w, const struct unit *u, uint32_t words) {
    const char *plain = passage_of(w, u)->map.plain;
    struct span lead = span_is(u->parent) ? u->parent : u->lead;
    bool fits = u->kind != AS_SENTENCE && answer_count_words(plain + lead.from, lead.to - lead.from) <= words;
    return fits ? lead : (struct span){0};
}

struct span answer_lead_in(const struct answer_work *w, const struct unit *u) {
    const char *plain = passage_of(w, u)->map.plain;
    struct span lead = answer_lead_within(w, u, ANSWER_LEAD_WORDS);
    bool stops = u->text.to > u->text.from && strchr(".!?", plain[u->text.to - 1]), alone = u->words > SHORT_ITEM && stops;
    bool needed = u->kind == AS_ITEM && u->opens && span_is(lead) && plain[lead.to - 1] == ':' && !alone;
    return needed ? lead : (struct span){0};
}

static void write_prose(struct writer *r) {
    const struct unit *u = r->u;
    struct span lead = answer_lead_in(r->w, u), term = u->kind == AS_LINE ? (struct span){0} : u->term;
    if (span_is(lead) && !is_cited(r, lead)) {
        put_quote(r, lead);
        buf_putc(&r->text, ' ');
    }
    if (span_is(term) && !is_cited(r, term) &&
        !answer_contains(r->plain + u->text.from, u->text.to - u->text.from, r->plain + term.from, term.to - term.from)) {
        put_quote(r, term);
        buf_puts(&r->text, ": ");
    }
    put_window(r, u->text, u->words > ANSWER_CUT_OVER ? ANSWER_CUT_TO : ANSWER_CUT_OVER);
}

/* ---- Table rows ---- */

struct row {
    struct span cells[ANSWER_CELLS_MAX], names[ANSWER_CELLS_MAX];
    size_t n, key; /* the first cell that is not empty */
    bool labels[ANSWER_CELLS_MAX]; /* is the column's name put before the cell? */
};

/* Columns are named in narrow tables, and where the question uses the name. */
static void read_row(struct writer *r, struct row *row) {
    const struct unit *u = r->u;
    size_t n_names = span_is(u->header) ? answer_cells(r->plain, u->header, row->names) : 0;
    row->n = answer_cells(r->plain, u->text, row->cells);
    while (row->key + 1 < row->n && !span_is(row->cells[row->key]))
        row->key++;
    for (size_t i = row->key + 1; i < row->n && row->n <= n_names; i++) {
        struct span name = row->names[i], cell = row->cells[i];
        size_t len = name.to - name.from;
        if (!span_is(name) || !span_is(cell) || len > LABEL_BYTES || answer_count_words(r->plain + name.from, len) > LABEL_WORDS ||
            answer_contains(r->plain + cell.from, cell.to - cell.from, r->plain + name.from, len))
            continue;
        struct term_set terms = answer_terms_in(r->w, r->plain + name.from, len);
        row->labels[i] = row->n <= LABEL_COLUMNS || answer_weight(&r->w->question, &terms) > 0;
    }
}

static void put_label(struct writer *r, const struct row *row, size_t cell) {
    if (row->labels[cell]) {
        put(r, row->names[cell]);
        buf_puts(&r->text, ": ");
    }
}

struct segment { /* a sentence of a cell */
    struct span text;
    size_t cell;
    uint32_t words;
    double weight;
    bool kept;
};

/* Where API references begin another statement without a full stop before it. */
static uint32_t statement_end(const char *plain, uint32_t from, uint32_t to) {
    static const char *const openings[] = {"Valid values:", "Default value:", "Default:", "Type:", "Required:"};
    for (uint32_t at = from + 1; at < to; at++)
        for (size_t i = 0; plain[at - 1] == ' ' && i < sizeof openings / sizeof *openings; i++)
            if (to - at >= strlen(openings[i]) && memcmp(plain + at, openings[i], strlen(openings[i])) == 0)
                return at;
    return to;
}

static size_t cut_cells(struct writer *r, const struct row *row, struct segment *out) {
    size_t n = 0;
    for (size_t cell = row->key + 1; cell < row->n; cell++) {
        struct span s = row->cells[cell];
        for (uint32_t from = s.from; from < s.to && n < SEGMENTS_MAX;) {
            size_t next = s.to - from, stop = sentence_end(r->plain + from, s.to - from, 0, &next);
            uint32_t end = statement_end(r->plain, from, from + (uint32_t)stop);
            if (!stop)
                break;
            struct span text = answer_trim(r->plain, (struct span){from, end});
            from = end < from + stop ? end : from + (uint32_t)next;
            if (!span_is(text))
                continue;
            struct term_set terms = answer_terms_in(r->w, r->plain + text.from, text.to - text.from);
            bool says_default = answer_contains(r->plain + text.from, text.to - text.from, "default", 7);
            out[n] = (struct segment){.text = text, .cell = cell};
            out[n].words = answer_count_words(r->plain + text.from, text.to - text.from);
            out[n].weight = answer_weight(&r->w->question, &terms) + (says_default ? 0.5 : 0) - 0.01 * (double)n;
            n++;
        }
    }
    return n;
}

/* The key cell and the sentences that hold most of the question. */
static void write_long_row(struct writer *r, const struct row *row) {
    struct segment *segments = arena_array(r->w->a, SEGMENTS_MAX, sizeof *segments);
    if (!segments) {
        r->failed = true;
        return;
    }
    size_t n = cut_cells(r, row, segments), last = SIZE_MAX;
    struct span key = row->cells[row->key];
    put_window(r, key, ANSWER_CUT_TO);
    uint32_t words = answer_count_words(r->plain + key.from, key.to - key.from);
    bool any = false;
    for (size_t round = 0; round < n; round++) {
        size_t best = n;
        for (size_t i = 0; i < n; i++)
            if (!segments[i].kept && (!any || words + segments[i].words <= ANSWER_CUT_TO) &&
                (best == n || segments[i].weight > segments[best].weight))
                best = i;
        if (best == n)
            break;
        segments[best].kept = any = true;
        words += segments[best].words;
    }
    for (size_t i = 0; i < n; i++) {
        if (!segments[i].kept)
            continue;
        bool new_cell = last == SIZE_MAX || segments[last].cell != segments[i].cell;
        bool gap = last == SIZE_MAX ? i > 0 : i > last + 1;
        buf_puts(&r->text, new_cell ? " | " : " ");
        if (new_cell)
            put_label(r, row, segments[i].cell);
        if (gap)
            buf_puts(&r->text, "… ");
        put_window(r, segments[i].text, ANSWER_CUT_TO);
        last = i;
    }
    if (last + 1 < n)
        buf_puts(&r->text, " …");
}

/* The header row as a whole, or the names that were said. Not citing it costs nothing when none was said. */
static void cite_header(struct writer *r, const struct row *row) {
    uint64_t from, to;
    struct span header = r->u->header;
    if (find_bytes(r, header, &from, &to)) {
        cite(r, header);
        return;
    }
    for (size_t i = 0; i < row->n; i++)
        if (row->labels[i])
            cite(r, row->names[i]);
}

static void write_row(struct writer *r) {
    struct row row = {0};
    read_row(r, &row);
    if (r->u->words > ANSWER_CUT_TO) {
        write_long_row(r, &row);
    } else {
        for (size_t i = row.key; i < row.n; i++) {
            if (!span_is(row.cells[i]))
                continue;
            buf_puts(&r->text, i > row.key ? " | " : "");
            put_label(r, &row, i);
            put(r, row.cells[i]);
        }
        cite(r, r->u->text);
    }
    cite_header(r, &row);
}

/* ---- The answer ---- */

static void write_unit(struct writer *r, const struct unit *u) {
    struct answer *out = r->out;
    if (out->n_sentences) {
        bool apart = u->kind == AS_ROW || u->kind == AS_LINE || r->u->kind == AS_ROW || r->u->kind == AS_LINE;
        buf_putc(&r->text, apart ? '\n' : ' ');
    }
    r->u = u;
    r->p = passage_of(r->w, u);
    r->plain = r->p->map.plain;
    r->quoted = true;
    struct answer_sentence *s = &out->sentences[out->n_sentences];
    *s = (struct answer_sentence){.start = r->text.len, .n_citations = 1};
    s->citations = arena_array(r->w->a, 1, sizeof *s->citations);
    if (!s->citations) {
        r->failed = true;
        return;
    }
    s->citations[0] = u->passage + 1;
    if (u->kind == AS_ROW)
        write_row(r);
    else
        write_prose(r);
    answer_put_marker(&r->text, u->passage + 1);
    s->end = r->text.len;
    s->support = r->quoted ? QA_SUPPORT_QUOTE : QA_SUPPORT_MATCHED;
    out->n_sentences++;
}

qa_status answer_render(struct answer_work *w, struct answer *out, qa_error *err) {
    struct writer r = {.w = w, .out = out};
    bool written[ANSWER_PASSAGES] = {0};
    out->sentences = arena_array(w->a, ANSWER_CHOSEN, sizeof *out->sentences);
    out->citations = arena_array(w->a, CITATIONS_MAX, sizeof *out->citations);
    if (!out->sentences || !out->citations)
        return arena_error(w->a, err, "writing the answer");
    buf_init(&r.text, TEXT_MAX);
    for (size_t i = 0; i < w->n_chosen; i++) {
        size_t passage = w->chosen[i]->passage;
        if (written[passage])
            continue;
        written[passage] = true;
        for (const struct unit *after = NULL, *next;; after = next) { /* this passage's units in the order of the text */
            next = NULL;
            for (size_t k = i; k < w->n_chosen; k++) {
                const struct unit *u = w->chosen[k];
                if (u->passage == passage && (!after || u > after) && (!next || u < next))
                    next = u;
            }
            if (!next)
                break;
            write_unit(&r, next);
        }
    }
    out->text = r.failed ? NULL : arena_copy(w->a, r.text.data, r.text.len);
    qa_status status = buf_error(&r.text, err, "the answer");
    buf_free(&r.text);
    return status == QA_OK && !out->text ? arena_error(w->a, err, "writing the answer") : status;
}
