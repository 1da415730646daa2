/* Where blocks begin and end in the document.
 *
 * md4c tells where text stands, never where a block begins. From the text: a block begins with the line of its first
 * text, a fenced one with its fence, and ends with the line of its last. Lines without text that touch a block (the
 * underline of a heading, the delimiter row of a table, a closing fence, the end of a link that is broken over lines)
 * belong to it, to the one before rather than to the one after. What is set off by blank lines and shows nothing (rules,
 * comments, link definitions) belongs to none.
 *
 * Every byte between two blocks is looked at a bounded number of times. */
#include "doc/build.h"
#include <string.h>

static bool is_newline(char c) { return c == '\n' || c == '\r'; }

/* In windows: a search for each of two line ends would go over the whole rest of a document that has only one of them. */
size_t doc_line_end(const char *bytes, size_t len, size_t from) {
    enum { SHORT = 16, WINDOW = 128 };
    for (size_t near = len - from < SHORT ? len : from + SHORT; from < near; from++)
        if (is_newline(bytes[from]))
            return from;
    while (from < len) {
        size_t n = len - from < WINDOW ? len - from : WINDOW;
        const char *newline = memchr(bytes + from, '\n', n);
        const char *cr = memchr(bytes + from, '\r', newline ? (size_t)(newline - bytes) - from : n);
        if (cr || newline)
            return (size_t)((cr ? cr : newline) - bytes);
        from += n;
    }
    return len;
}

size_t doc_line_next(const char *bytes, size_t len, size_t from) {
    return doc_line_after(bytes, len, doc_line_end(bytes, len, from));
}

/* Nothing but white space and marks of quotes. */
bool doc_is_blank(const char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i] != ' ' && p[i] != '\t' && p[i] != '>' && p[i] != '\r' && p[i] != '\n')
            return false;
    return true;
}

/* The beginning of the line that holds byte `at`, not before `floor`. */
static size_t line_start(const char *bytes, size_t at, size_t floor) {
    while (at > floor && !is_newline(bytes[at - 1]))
        at--;
    return at;
}

/* The beginning of the line before the one that begins at `at`; at itself when there is none after `floor`. */
static size_t line_before(const char *bytes, size_t at, size_t floor) {
    size_t end = at;
    if (end > floor && bytes[end - 1] == '\n')
        end--;
    if (end > floor && bytes[end - 1] == '\r')
        end--;
    return end == at ? at : line_start(bytes, end, floor);
}

static bool has_fence(const char *p, size_t n) {
    return memmem(p, n, "```", 3) || memmem(p, n, "~~~", 3);
}

static size_t find_start(const struct doc_builder *b, const struct doc_draft *d, size_t floor) {
    size_t start = line_start(b->bytes, d->first, floor);
    if (!d->fenced)
        return start;
    for (size_t at = start, before; (before = line_before(b->bytes, at, floor)) != at; at = before) {
        if (doc_is_blank(b->bytes + before, at - before))
            continue;
        return has_fence(b->bytes + before, at - before) ? before : start;
    }
    return start;
}

static size_t find_end(const struct doc_builder *b, const struct doc_draft *d, size_t ceiling) {
    size_t end = doc_line_end(b->bytes, ceiling, d->last < ceiling ? d->last : ceiling);
    size_t next = doc_line_after(b->bytes, ceiling, end);
    if (d->fenced) {
        size_t at = next;
        while (at < ceiling && doc_is_blank(b->bytes + at, doc_line_end(b->bytes, ceiling, at) - at))
            at = doc_line_next(b->bytes, ceiling, at);
        size_t close = at < ceiling ? doc_line_end(b->bytes, ceiling, at) : at;
        if (has_fence(b->bytes + at, close - at)) {
            end = close;
            next = doc_line_next(b->bytes, ceiling, at);
        }
    }
    while (next < ceiling) {
        size_t stop = doc_line_end(b->bytes, ceiling, next);
        if (doc_is_blank(b->bytes + next, stop - next))
            break;
        end = stop;
        next = doc_line_after(b->bytes, ceiling, stop);
    }
    return end;
}

static bool is_table(enum textmap_unit kind) { return kind == UNIT_TABLE_HEAD || kind == UNIT_TABLE_ROW; }

qa_status doc_finish(struct doc_builder *b, struct doc_tree *out, qa_error *err) {
    if (b->failed)
        return arena_error(b->a, err, "reading the document");
    out->blocks = arena_array(b->a, b->n_drafts, sizeof *out->blocks);
    if (!out->blocks)
        return arena_error(b->a, err, "reading the document");
    out->n_blocks = b->n_drafts;

    size_t floor = b->from;
    for (size_t i = 0; i < b->n_drafts; i++) {
        struct doc_draft *d = &b->drafts[i];
        d->block.start = d->first < floor ? floor : find_start(b, d, floor);
        floor = d->last > floor ? d->last : floor;
    }
    struct doc_block *head = NULL;
    size_t before = b->from;
    for (size_t i = 0; i < b->n_drafts; i++) {
        struct doc_draft *d = &b->drafts[i];
        size_t ceiling = i + 1 < b->n_drafts ? b->drafts[i + 1].block.start : b->len;
        d->block.end = find_end(b, d, ceiling);
        for (size_t at = d->block.start, above; (above = line_before(b->bytes, at, before)) != at; at = above) {
            if (doc_is_blank(b->bytes + above, at - above))
                break;
            d->block.start = above;
        }
        before = d->block.end;
        out->blocks[i] = d->block;
        if (d->block.kind == UNIT_TABLE_HEAD)
            head = &out->blocks[i];
        else if (d->block.kind == UNIT_TABLE_ROW)
            out->blocks[i].table = d->block.joins ? head : NULL;
        if (!is_table(d->block.kind) || (d->block.kind == UNIT_TABLE_ROW && !d->block.joins))
            head = NULL;
    }
    return QA_OK;
}
