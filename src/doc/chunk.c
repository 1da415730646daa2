/* Which blocks go together.
 *
 * A section is its heading, its own text and its subsections. If all of it fits, it is one item of its parent; items that
 * follow each other are put together while they fit and one of the two is short. What does not fit is taken apart: its
 * own text is filled into chunks block by block, its subsections are treated the same way. So a chunk never takes parts
 * of two sections unless it holds one of them whole.
 *
 * Headings without text wait for the text that comes next. */
#include "doc/chunk.h"
#include <string.h>

/* ---- Sections ---- */

static bool find_sections(struct chunker *c) {
    const struct doc_tree *t = c->tree;
    size_t n = 1;
    for (size_t i = 0; i < t->n_blocks; i++)
        n += t->blocks[i].kind == UNIT_HEADING;
    c->sections = arena_array(c->a, n, sizeof *c->sections);
    c->section_of = arena_array(c->a, t->n_blocks, sizeof *c->section_of);
    if (!c->sections || !c->section_of)
        return false;
    c->sections[0] = (struct chunk_section){.head = SIZE_MAX, .end = t->n_blocks};
    c->n_sections = 1;
    size_t open = 0;
    for (size_t i = 0; i < t->n_blocks; i++) {
        const struct doc_block *b = &t->blocks[i];
        if (b->kind == UNIT_HEADING) {
            for (; open && c->sections[open].level >= b->level; open = c->sections[open].parent)
                c->sections[open].end = i;
            c->sections[c->n_sections] =
                (struct chunk_section){.head = i, .from = i, .end = t->n_blocks, .parent = open, .level = b->level};
            open = c->n_sections++;
        }
        c->section_of[i] = open;
    }
    return true;
}

static bool cut_blocks(struct chunker *c) {
    size_t n = c->tree->n_blocks;
    c->first_piece = arena_array(c->a, n + 1, sizeof *c->first_piece);
    c->chars_before = arena_array(c->a, n + 1, sizeof *c->chars_before);
    if (!c->first_piece || !c->chars_before)
        return false;
    for (size_t i = 0; i < n; i++) {
        c->first_piece[i] = c->n_pieces;
        if (!chunk_cut_block(c, i))
            return false;
        size_t chars = 2;
        for (size_t k = c->first_piece[i]; k < c->n_pieces; k++)
            chars += c->pieces[k].chars;
        c->chars_before[i + 1] = c->chars_before[i] + chars;
    }
    c->first_piece[n] = c->n_pieces;
    return true;
}

/* ---- Filling ---- */

/* The cut between a full chunk and a short rest is moved back, so that both get about half. */
static const struct chunk_piece *balance(const struct chunker *c, const struct chunk_piece *from, const struct chunk_piece *cut,
                                         const struct chunk_piece *to) {
    size_t left = 0, right = 0, best_longer;
    for (const struct chunk_piece *p = from; p < cut; p++)
        left += p->chars;
    for (const struct chunk_piece *p = cut; p < to; p++)
        right += p->chars;
    const struct chunk_piece *best = cut;
    best_longer = left;
    for (const struct chunk_piece *p = cut; p > from + 1 && right < left;) {
        p--;
        left -= p->chars;
        right += p->chars;
        size_t longer = left > right + chunk_header_chars(c, p) ? left : right + chunk_header_chars(c, p);
        if (longer < best_longer && !chunk_leads(c, p - 1)) {
            best_longer = longer;
            best = p;
        }
    }
    return best;
}

/* Fills chunks with blocks [lo, hi). One chunk is held back until it is known how long the one after it is. */
static qa_status fill(struct chunker *c, size_t lo, size_t hi, qa_error *err) {
    const struct chunk_piece *from = c->pieces + c->first_piece[lo], *to = c->pieces + c->first_piece[hi];
    const struct chunk_piece *held = NULL, *start = from, *p = from + chunk_count_path(c, from, to);
    qa_status status = QA_OK;
    size_t size = 0;
    bool headings = true; /* nothing else so far: the text after them comes along even if it is a little too much */
    for (; p < to && status == QA_OK; p++) {
        size_t header = size ? 0 : chunk_header_chars(c, p);
        if (!size || size + p->chars + 2 <= c->target || (headings && size <= c->target / 2)) {
            size += p->chars + 2 + header;
            headings = headings && c->tree->blocks[p->block].kind == UNIT_HEADING;
            continue;
        }
        const struct chunk_piece *cut = p;
        while (cut > start + 1 && chunk_leads(c, cut - 1))
            cut--;
        if (chunk_leads(c, cut - 1))
            cut = p;
        if (held)
            status = chunk_write(c, held, start, err);
        held = start;
        start = cut;
        p = cut - 1;
        size = 0;
        headings = true;
    }
    if (status != QA_OK)
        return status;
    if (held && size < c->target / 3)
        start = balance(c, held, start, to);
    if (held)
        status = chunk_write(c, held, start, err);
    return status == QA_OK ? chunk_write(c, start, to, err) : status;
}

/* ---- Putting together ---- */

struct group {
    size_t done; /* blocks before this are written */
    size_t end, size;
    bool text;   /* there is more in it than headings */
};

static bool only_headings(const struct chunker *c, size_t lo, size_t hi) {
    while (lo < hi && c->tree->blocks[lo].kind == UNIT_HEADING)
        lo++;
    return lo == hi;
}

static qa_status flush(struct chunker *c, struct group *g, qa_error *err) {
    qa_status status = QA_OK;
    if (g->text) {
        status = fill(c, g->done, g->end, err);
        g->done = g->end;
        g->size = 0;
        g->text = false;
    }
    return status;
}

/* Takes blocks [g->end, end) as one item. */
static qa_status take(struct chunker *c, struct group *g, size_t end, size_t size, qa_error *err) {
    qa_status status = QA_OK;
    size_t shorter = size < g->size ? size : g->size;
    if (g->size && (g->size + size > c->target || shorter >= c->target / 2))
        status = flush(c, g, err);
    g->text = g->text || !only_headings(c, g->end, end);
    g->end = end;
    g->size += size;
    return status;
}

/* A section whose text does not fit into one chunk. Calls itself for subsections: six levels at most. */
static qa_status take_apart(struct chunker *c, struct group *g, size_t section, qa_error *err) {
    const struct chunk_section *s = &c->sections[section];
    size_t next = section + 1, body = s->head == SIZE_MAX ? 0 : s->head + 1;
    size_t body_end = next < c->n_sections && c->sections[next].from < s->end ? c->sections[next].from : s->end;
    qa_status status = flush(c, g, err);
    if (status == QA_OK)
        status = take(c, g, body_end, c->chars_before[body_end] - c->chars_before[body], err);
    while (status == QA_OK && next < c->n_sections && c->sections[next].from < s->end) {
        const struct chunk_section *sub = &c->sections[next];
        size_t size = c->chars_before[sub->end] - c->chars_before[sub->from];
        status = size > c->target ? take_apart(c, g, next, err) : take(c, g, sub->end, size, err);
        size_t end = sub->end;
        while (next < c->n_sections && c->sections[next].from < end)
            next++;
    }
    return status == QA_OK ? flush(c, g, err) : status;
}

qa_status doc_make_chunks(struct arena *a, const struct doc_tree *tree, const struct doc_chunk_options *options,
                          struct doc_chunk **out, size_t *n, qa_error *err) {
    struct chunker c = {
        .a = a,
        .tree = tree,
        .target = options->target ? options->target : 1000,
        .waiting = UINT64_MAX,
    };
    struct group g = {0};
    *out = NULL;
    *n = 0;
    if (!tree->n_blocks)
        return QA_OK;
    if (!find_sections(&c) || !cut_blocks(&c))
        return arena_error(a, err, "cutting the document into passages");
    qa_status status = take_apart(&c, &g, 0, err);
    if (status == QA_OK && g.done < tree->n_blocks) /* headings at the end, with nothing under them */
        status = fill(&c, g.done, tree->n_blocks, err);
    *out = c.chunks;
    *n = c.n_chunks;
    return status;
}
