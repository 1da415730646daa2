/* Cutting blocks that are longer than a chunk should be. Pieces of a block follow each other without a gap. */
#include "doc/chunk.h"
#include "base/utf8.h"
#include "text/sentences.h"
#include <string.h>

size_t chunk_count_chars(const char *p, size_t n) {
    enum { BLOCK = 64 }; /* of a fixed length: vector code */
    size_t chars = 0;
    for (; n >= BLOCK; p += BLOCK, n -= BLOCK) {
        unsigned char some = 0;
        for (int i = 0; i < BLOCK; i++)
            some = (unsigned char)(some + ((signed char)p[i] >= -64));
        chars += some;
    }
    for (size_t i = 0; i < n; i++)
        chars += (signed char)p[i] >= -64; /* not a continuation byte */
    return chars;
}

/* The offset after `chars` characters from `from`, len when there are not so many. */
static size_t advance(const char *p, size_t len, size_t from, size_t chars) {
    while (from < len && (chars || ((unsigned char)p[from] & 0xC0) == 0x80)) {
        if (((unsigned char)p[from] & 0xC0) != 0x80) {
            if (!chars)
                break;
            chars--;
        }
        from++;
    }
    return from;
}

/* The offset after the last `what` in [from, to), from when there is none. */
static size_t after_last(const char *p, size_t from, size_t to, const char *what) {
    size_t n = strlen(what);
    for (size_t at = to; at >= from + n; at--)
        if (!memcmp(p + at - n, what, n))
            return at;
    return from;
}

static size_t after_sentences(const char *p, size_t from, size_t to, size_t len) {
    size_t look = to + 16 < len ? to + 16 : len; /* never to the end of a text without any */
    size_t cut = from;
    for (size_t at = from, next; at < to; at = next) {
        size_t end = sentence_end(p, look, at, &next);
        if (end == at || end > to || (next >= look && look < len))
            break;
        cut = next;
        if (next >= look)
            break;
    }
    return cut;
}

/* Where the piece that begins at `from` ends. */
static size_t find_cut(const char *p, size_t len, size_t from, size_t limit, bool code) {
    size_t to = advance(p, len, from, limit), quarter = from + (to - from) / 4, cut;
    if (to == len)
        return len;
    if (code) {
        cut = after_last(p, quarter, to, "\n\n");
        if (cut == quarter)
            cut = after_last(p, from, to, "\n");
        if (cut > from)
            return cut;
    } else if ((cut = after_sentences(p, from, to, len)) > from) {
        return cut;
    } else if ((cut = after_last(p, quarter, to, "\n")) > quarter) {
        return cut;
    }
    cut = after_last(p, quarter, to, " ");
    return cut > quarter ? cut : to > from ? to : advance(p, len, from, 1);
}

/* The text of a piece: where it stands when it is one stretch, else a copy. */
static const char *text_of(struct chunker *c, const struct chunk_piece *piece) {
    const struct doc_block *b = &c->tree->blocks[piece->block];
    const struct doc_run *r = &b->runs[piece->run];
    if (r->len - piece->into >= piece->len)
        return (r->literal ? r->literal : c->tree->bytes + r->at) + piece->into;
    char *text = arena_alloc(c->a, piece->len);
    for (size_t at = 0, into = piece->into; text && at < piece->len; r++, into = 0) {
        size_t n = r->len - into < piece->len - at ? r->len - into : piece->len - at;
        memcpy(text + at, (r->literal ? r->literal : c->tree->bytes + r->at) + into, n);
        at += n;
    }
    return text;
}

/* Adds to c->cuts where the pieces of `text` end. */
static bool find_cuts(struct chunker *c, const char *text, size_t len, size_t limit, bool code, size_t *n) {
    *n = 0;
    for (size_t from = 0; from < len; (*n)++) {
        if (*n == c->cap_cuts) {
            size_t cap = c->cap_cuts ? c->cap_cuts * 2 : 16;
            uint32_t *grown = arena_grow(c->a, c->cuts, c->cap_cuts, cap, sizeof *grown);
            if (!grown)
                return false;
            c->cuts = grown;
            c->cap_cuts = cap;
        }
        from = find_cut(text, len, from, limit, code);
        c->cuts[*n] = (uint32_t)from;
    }
    return true;
}

/* Into smaller ones of at most `limit` characters, in the arena. */
static struct chunk_piece *cut_piece(struct chunker *c, const struct chunk_piece *whole, size_t limit, size_t *n) {
    const struct doc_block *b = &c->tree->blocks[whole->block];
    const char *text = text_of(c, whole);
    if (!text || !find_cuts(c, text, whole->len, limit, b->kind == UNIT_CODE, n))
        return NULL;
    struct chunk_piece *pieces = arena_array(c->a, *n, sizeof *pieces);
    uint32_t run = whole->run, into = whole->into, from = 0;
    for (size_t i = 0; pieces && i < *n; i++) {
        uint32_t to = c->cuts[i];
        pieces[i] = (struct chunk_piece){.block = whole->block, .run = run, .into = into, .len = to - from,
                                         .chars = (uint32_t)chunk_count_chars(text + from, to - from),
                                         .first = whole->first && from == 0, .last = whole->last && to == whole->len};
        into += to - from;
        while (into && into >= b->runs[run].len && run + 1 < b->n_runs)
            into -= b->runs[run++].len;
        from = to;
    }
    return pieces;
}

static bool make_room(struct chunker *c, size_t more) {
    if (c->cap_pieces - c->n_pieces >= more)
        return true;
    size_t cap = c->cap_pieces ? c->cap_pieces * 2 : 64;
    if (cap < c->n_pieces + more)
        cap = c->n_pieces + more;
    struct chunk_piece *grown = arena_grow(c->a, c->pieces, c->n_pieces, cap, sizeof *grown);
    if (!grown)
        return false;
    c->pieces = grown;
    c->cap_pieces = cap;
    return true;
}

bool chunk_cut_block(struct chunker *c, size_t block) {
    const struct doc_block *b = &c->tree->blocks[block];
    size_t chars = 0;
    for (size_t i = 0; i < b->n_runs; i++)
        chars += chunk_count_chars(b->runs[i].literal ? b->runs[i].literal : c->tree->bytes + b->runs[i].at, b->runs[i].len);
    struct chunk_piece whole = {
        .block = (uint32_t)block, .len = (uint32_t)b->plain_len, .chars = (uint32_t)chars, .first = true, .last = true};
    if (chars <= c->target) {
        if (!make_room(c, 1))
            return false;
        c->pieces[c->n_pieces++] = whole;
        return true;
    }
    /* about equal parts instead of full ones and a rest */
    size_t parts = (chars + c->target - 1) / c->target, each = chars / parts + chars / parts / 8 + 1, n;
    struct chunk_piece *pieces = cut_piece(c, &whole, each < c->target ? each : c->target, &n);
    if (!pieces || !make_room(c, n))
        return false;
    memcpy(c->pieces + c->n_pieces, pieces, n * sizeof *pieces);
    c->n_pieces += n;
    return true;
}
