/* From pieces to a chunk: its text, its map, its span, its path. */
#include "doc/chunk.h"
#include "base/utf8.h"
#include <string.h>

static const struct doc_block *block_of(const struct chunker *c, const struct chunk_piece *p) {
    return &c->tree->blocks[p->block];
}

bool chunk_leads(const struct chunker *c, const struct chunk_piece *p) {
    enum { SHORT_ITEM = 120 };
    const struct doc_block *b = block_of(c, p);
    if (!p->last)
        return false;
    if (b->leads || b->kind == UNIT_HEADING || b->kind == UNIT_TABLE_HEAD)
        return true;
    /* "4. Import the modules." and its code */
    return b->kind == UNIT_ITEM && b->plain_len < SHORT_ITEM && p->block + 1 < c->tree->n_blocks && b[1].joins &&
           b[1].kind == UNIT_CODE;
}

size_t chunk_header_chars(const struct chunker *c, const struct chunk_piece *p) {
    const struct doc_block *b = block_of(c, p);
    if (b->kind != UNIT_TABLE_ROW || !b->table || !p->first)
        return 0;
    size_t head = (size_t)(b->table - c->tree->blocks), chars = c->chars_before[head + 1] - c->chars_before[head];
    return chars <= c->target / 3 ? chars : 0;
}

/* ---- Path ---- */

size_t chunk_count_path(const struct chunker *c, const struct chunk_piece *from, const struct chunk_piece *to) {
    size_t n = 0;
    for (const struct chunk_piece *p = from; p + 1 < to; p++, n++) {
        const struct doc_block *b = block_of(c, p);
        if (b->kind != UNIT_HEADING || !p->first || !p->last || b->plain_len > CHUNK_LONG_HEADING)
            break;
        if (c->sections[c->section_of[p->block]].end <= to[-1].block)
            break;
    }
    return n;
}

/* The section that all of [from, to) lies in. */
static size_t common_section(const struct chunker *c, const struct chunk_piece *from, const struct chunk_piece *to) {
    size_t s = c->section_of[from->block];
    while (c->sections[s].end <= to[-1].block)
        s = c->sections[s].parent;
    /* a chunk that begins with a heading is under it only if the heading belongs to its path */
    if (block_of(c, from)->kind == UNIT_HEADING && from->first && c->sections[s].head == from->block && s &&
        block_of(c, from)->plain_len <= CHUNK_LONG_HEADING)
        s = c->sections[s].parent;
    return s;
}

static const char *title_of(struct chunker *c, struct chunk_section *s) {
    if (s->title)
        return s->title;
    const struct doc_block *b = &c->tree->blocks[s->head];
    char *title = arena_alloc(c->a, (b->plain_len < CHUNK_LONG_HEADING ? b->plain_len : CHUNK_LONG_HEADING) + 1);
    size_t n = 0;
    for (size_t i = 0; title && i < b->n_runs && n < CHUNK_LONG_HEADING; i++) {
        const char *p = b->runs[i].literal ? b->runs[i].literal : c->tree->bytes + b->runs[i].at;
        size_t room = CHUNK_LONG_HEADING - n, take = b->runs[i].len <= room ? b->runs[i].len : utf8_floor(p, room);
        memcpy(title + n, p, take);
        n += take;
        if (take < b->runs[i].len)
            break;
    }
    s->title = title;
    return title;
}

static qa_status set_path(struct chunker *c, size_t section, struct doc_chunk *out, qa_error *err) {
    size_t n = 0;
    for (size_t s = section; s; s = c->sections[s].parent)
        n++;
    out->heading = arena_array(c->a, n, sizeof *out->heading);
    if (!out->heading)
        return arena_error(c->a, err, "cutting the document into passages");
    out->n_heading = n;
    for (size_t s = section; s; s = c->sections[s].parent)
        if (!(out->heading[--n] = title_of(c, &c->sections[s])))
            return arena_error(c->a, err, "cutting the document into passages");
    return QA_OK;
}

/* ---- Text ---- */

/* White space at either end of the chunk is left out; `skip`: still nothing but white space so far. */
static void write_runs(struct textmap_writer *w, const char *bytes, const struct doc_run *r, size_t into, size_t len,
                       bool *skip) {
    for (; len; r++, into = 0) {
        size_t n = r->len - into < len ? r->len - into : len;
        const char *p = (r->literal ? r->literal : bytes + r->at) + into;
        len -= n;
        size_t lead = 0;
        while (*skip && lead < n && (p[lead] == '\n' || p[lead] == '\r'))
            lead++;
        *skip = *skip && lead == n;
        if (r->literal)
            textmap_literal(w, p + lead, n - lead);
        else
            textmap_copy(w, bytes, r->at + into + lead, n - lead);
    }
}

/* The run that holds the last byte of a piece, and how much of it the piece reaches into. */
static size_t last_run(const struct doc_block *b, const struct chunk_piece *p, size_t *end) {
    size_t run = p->run, left = p->len + (size_t)p->into;
    for (; left > b->runs[run].len; run++)
        left -= b->runs[run].len;
    *end = left;
    return run;
}

/* How many bytes of white space the piece ends with. */
static size_t trailing_space(const struct chunker *c, const struct chunk_piece *p) {
    const struct doc_block *b = block_of(c, p);
    size_t end, run = last_run(b, p, &end);
    size_t n = 0;
    while (n < p->len) {
        if (!end) {
            end = b->runs[--run].len;
            continue;
        }
        const struct doc_run *r = &b->runs[run];
        char ch = (r->literal ? r->literal : c->tree->bytes + r->at)[end - 1];
        if (ch != ' ' && ch != '\n' && ch != '\t' && ch != '\r')
            break;
        n++;
        end--;
    }
    return n;
}

static bool is_row(enum textmap_unit k) { return k == UNIT_TABLE_ROW || k == UNIT_TABLE_HEAD; }

static const char *separator(const struct doc_block *before, const struct doc_block *b) {
    bool close = (before->kind == UNIT_ITEM && b->kind == UNIT_ITEM) ||
                 (is_row(before->kind) && b->kind == UNIT_TABLE_ROW && before->table == b->table) ||
                 (before->kind == UNIT_TABLE_HEAD && b->table == before);
    return close ? "\n" : "\n\n";
}

static void write_text(struct chunker *c, struct textmap_writer *w, const struct chunk_piece *from, const struct chunk_piece *to) {
    const char *bytes = c->tree->bytes;
    const struct doc_block *before = NULL;
    if (chunk_header_chars(c, from)) {
        bool keep = false;
        before = block_of(c, from)->table;
        textmap_mark(w, UNIT_TABLE_HEAD);
        write_runs(w, bytes, before->runs, 0, before->plain_len, &keep);
    }
    bool skip = !from->first; /* line breaks between it and the chunk before */
    while (to > from + 1 && trailing_space(c, to - 1) == to[-1].len)
        to--;
    for (const struct chunk_piece *p = from; p < to; p++) {
        const struct doc_block *b = block_of(c, p);
        bool goes_on = p > from && p[-1].block == p->block;
        if (!goes_on) {
            if (before)
                textmap_literal(w, separator(before, b), strlen(separator(before, b)));
            textmap_mark(w, b->kind);
        }
        write_runs(w, bytes, b->runs + p->run, p->into, p->len - (p + 1 == to ? trailing_space(c, p) : 0), &skip);
        before = b;
    }
}

/* ---- Span ---- */

/* Where the text of a piece begins in the document. */
static uint64_t raw_start(const struct chunker *c, const struct chunk_piece *p) {
    const struct doc_block *b = block_of(c, p);
    const struct doc_run *r = &b->runs[p->run];
    return p->first ? b->start : r->at + (r->literal ? 0 : p->into);
}

/* And where it ends. A literal counts by its place only. */
static uint64_t raw_end(const struct chunker *c, const struct chunk_piece *p) {
    const struct doc_block *b = block_of(c, p);
    size_t end;
    const struct doc_run *r = &b->runs[last_run(b, p, &end)];
    return p->last ? b->end : r->at + (r->literal ? 0 : end);
}

/* ---- Chunks ---- */

static struct doc_chunk *add_chunk(struct chunker *c) {
    if (c->n_chunks == c->cap_chunks) {
        size_t cap = c->cap_chunks ? c->cap_chunks * 2 : 16;
        struct doc_chunk *grown = arena_grow(c->a, c->chunks, c->n_chunks, cap, sizeof *grown);
        if (!grown)
            return NULL;
        c->chunks = grown;
        c->cap_chunks = cap;
    }
    return &c->chunks[c->n_chunks];
}

qa_status chunk_write(struct chunker *c, const struct chunk_piece *from, const struct chunk_piece *to, qa_error *err) {
    if (from == to)
        return QA_OK;
    const struct chunk_piece *text = from + chunk_count_path(c, from, to);
    struct doc_chunk *out = add_chunk(c);
    if (!out)
        return arena_error(c->a, err, "cutting the document into passages");
    *out = (struct doc_chunk){0};
    size_t most = 16;
    for (const struct chunk_piece *p = text; p < to; p++) {
        most += p->len + 2;
        out->lossy |= block_of(c, p)->lossy;
    }
    if (chunk_header_chars(c, text))
        most += block_of(c, text)->table->plain_len;

    struct textmap_writer w;
    uint64_t start = c->waiting < raw_start(c, from) ? c->waiting : raw_start(c, from);
    out->start = start > c->written ? start : c->written;
    textmap_begin(&w, out->start, most);
    write_text(c, &w, text, to);
    qa_status status = textmap_finish(&w, err);
    if (status == QA_OK) {
        out->plain = arena_copy(c->a, w.plain.data, w.plain.len);
        out->plain_len = w.plain.len;
        out->map = (const uint8_t *)arena_copy(c->a, w.ops.data, w.ops.len);
        out->map_len = w.ops.len;
        out->end = raw_end(c, to - 1);
        if (out->end < out->start)
            out->end = out->start;
        if (!out->plain || !out->map)
            status = arena_error(c->a, err, "cutting the document into passages");
        if (status == QA_OK)
            status = set_path(c, common_section(c, text, to), out, err);
        if (status == QA_OK && out->plain_len) {
            c->written = out->end;
            c->waiting = UINT64_MAX;
            c->n_chunks++;
        } else if (out->start < c->waiting) {
            c->waiting = out->start;
        }
    }
    textmap_free(&w);
    return status;
}
