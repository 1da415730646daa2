// What must hold for every document whatever it says. Used by the property test and the fuzz targets.
#ifndef UNIT_DOC_CHECK_H
#define UNIT_DOC_CHECK_H

#include "base/utf8.h"
#include "doc/doc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOC_REQUIRE(what)                                                          \
    do {                                                                           \
        if (!(what)) {                                                             \
            snprintf(why, why_size, "line %d: %s (%zu)", __LINE__, #what, number); \
            return false;                                                          \
        }                                                                          \
    } while (0)

static const char *doc_check_run(const struct doc_tree *t, const struct doc_run *r) { return r->literal ? r->literal : t->bytes + r->at; }

static inline bool doc_check_text(const char *p, size_t n) { return utf8_valid_len(p, n) == n && !memchr(p, '\0', n); }

// Blocks ascend and do not overlap; their text is UTF-8 and lies in the document.
static inline bool doc_check_tree(const struct doc_tree *t, char *why, size_t why_size) {
    size_t number = 0;
    uint64_t end = 0;
    DOC_REQUIRE(json_is_object(t->metadata));
    DOC_REQUIRE(!t->title || doc_check_text(t->title, strlen(t->title)));
    for (number = 0; number < t->n_blocks; number++) {
        const struct doc_block *b = &t->blocks[number];
        size_t sum = 0;
        DOC_REQUIRE(b->start >= end && b->end >= b->start && b->end <= t->len);
        DOC_REQUIRE(b->n_runs > 0 && b->kind < UNIT_KINDS);
        DOC_REQUIRE((b->kind == UNIT_HEADING) == (b->level > 0) && b->level <= 6);
        DOC_REQUIRE(!b->table || (b->kind == UNIT_TABLE_ROW && b->table < b && b->table->kind == UNIT_TABLE_HEAD));
        for (size_t i = 0; i < b->n_runs; i++) {
            const struct doc_run *r = &b->runs[i];
            DOC_REQUIRE(r->len > 0);
            DOC_REQUIRE(r->literal || (r->at >= b->start && r->at + r->len <= b->end));
            DOC_REQUIRE(doc_check_text(doc_check_run(t, r), r->len));
            sum += r->len;
        }
        DOC_REQUIRE(sum == b->plain_len);
        end = b->end;
    }
    return true;
}

static inline size_t doc_check_solid(char *out, size_t at, const char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!strchr(" \t\n\r", p[i]))
            out[at++] = p[i];
    return at;
}

// The text without white space of the blocks (those headings left out that only stand in a path) and of the chunks (without repeated
// headers of tables) is the same. `in_text` has a 1 for each byte of the document that some chunk copies.
static inline bool doc_check_same_text(const struct doc_tree *t, const struct doc_chunk *chunks, size_t n, const char *in_text,
                                       const size_t *repeated, char *why, size_t why_size) {
    size_t all = 1, number = 0, want_len = 0, got_len = 0, chunk = 0;
    for (size_t i = 0; i < t->n_blocks; i++)
        all += t->blocks[i].plain_len;
    for (size_t i = 0; i < n; i++)
        all += chunks[i].plain_len;
    char *want = malloc(all), *got = malloc(all);
    bool heading_lost = false;
    for (size_t i = 0; want && i < t->n_blocks; i++) {
        const struct doc_block *b = &t->blocks[i];
        bool hidden = b->kind == UNIT_HEADING && b->plain_len <= 200;
        char text[256] = "";
        size_t text_len = 0;
        while (chunk + 1 < n && chunks[chunk + 1].start <= b->start)
            chunk++;
        for (size_t k = 0; k < b->n_runs; k++) {
            hidden = hidden && (b->runs[k].literal || !in_text[b->runs[k].at]);
            if (text_len + b->runs[k].len < sizeof text) {
                memcpy(text + text_len, doc_check_run(t, &b->runs[k]), b->runs[k].len);
                text_len += b->runs[k].len;
            }
        }
        if (hidden) {
            bool in_path = false;
            for (size_t k = 0; n && k < chunks[chunk].n_heading; k++)
                in_path |= strlen(chunks[chunk].heading[k]) == text_len && !memcmp(chunks[chunk].heading[k], text, text_len);
            bool literal = true;
            for (size_t k = 0; k < b->n_runs; k++)
                literal &= b->runs[k].literal != NULL;
            heading_lost |= !in_path && !literal;
            if (in_path)
                continue;
        }
        for (size_t k = 0; k < b->n_runs; k++)
            want_len = doc_check_solid(want, want_len, doc_check_run(t, &b->runs[k]), b->runs[k].len);
    }
    for (size_t i = 0; got && i < n; i++)
        got_len = doc_check_solid(got, got_len, chunks[i].plain + repeated[i], chunks[i].plain_len - repeated[i]);
    bool same = want && got && want_len == got_len && !memcmp(want, got, got_len);
    for (number = 0; want && got && number < want_len && number < got_len && want[number] == got[number];)
        number++;
    free(want);
    free(got);
    DOC_REQUIRE(!heading_lost);
    DOC_REQUIRE(same);
    return true;
}

// Does the chunk begin with a row, and before it stands the whole header of its table again?
static inline bool doc_check_repeats(const struct doc_tree *t, const struct doc_chunk *c, const struct textmap *m) {
    size_t row = 0, at = 0;
    while (row < t->n_blocks && t->blocks[row].end <= c->start)
        row++;
    const struct doc_block *head = row < t->n_blocks ? t->blocks[row].table : NULL;
    if (!head || m->marks[0].kind != UNIT_TABLE_HEAD || m->n_marks < 2 || m->marks[1].plain != head->plain_len + 1)
        return false;
    for (size_t i = 0; i < head->n_runs; at += head->runs[i++].len)
        if (memcmp(m->plain + at, doc_check_run(t, &head->runs[i]), head->runs[i].len) != 0)
            return false;
    return true;
}

// Does the chunk end with a heading (no very long ones) whose text stands in the next?
static inline bool doc_check_loses_text(const struct doc_tree *t, const struct doc_chunk *c, size_t target) {
    size_t last = t->n_blocks;
    for (size_t i = 0; i < t->n_blocks && t->blocks[i].start < c->end; i++)
        if (t->blocks[i].end > c->start)
            last = i;
    size_t headings = 0;
    for (size_t i = last; i < t->n_blocks && t->blocks[i].kind == UNIT_HEADING; i--)
        headings += t->blocks[i].plain_len + 2;
    if (last + 1 >= t->n_blocks || !headings || headings > target / 2 || t->blocks[last].end > c->end)
        return false;
    return t->blocks[last + 1].kind != UNIT_HEADING || t->blocks[last + 1].level > t->blocks[last].level;
}

static inline bool doc_check_chunks(struct arena *a, const struct doc_tree *t, const struct doc_chunk *chunks, size_t n,
                                    const struct doc_chunk_options *o, char *why, size_t why_size) {
    size_t number = 0, target = o->target ? o->target : 1000;
    uint64_t end = 0;
    char *in_text = arena_alloc(a, t->len + 1);
    size_t *repeated = arena_array(a, n, sizeof *repeated);
    DOC_REQUIRE(in_text && repeated);
    DOC_REQUIRE((n > 0) == (t->n_blocks > 0));
    for (number = 0; number < n; number++) {
        const struct doc_chunk *c = &chunks[number];
        struct textmap m;
        uint64_t lo, hi;
        DOC_REQUIRE(c->start >= end && c->end >= c->start && c->end <= t->len);
        DOC_REQUIRE(c->plain_len > 0 && c->plain_len == strlen(c->plain));
        DOC_REQUIRE(!strchr("\r\n", c->plain[0]) && !strchr(" \t\r\n", c->plain[c->plain_len - 1]));
        DOC_REQUIRE(textmap_extent(c->map, c->map_len, c->start, t->len, &lo, &hi, NULL) == QA_OK && hi <= c->end);
        DOC_REQUIRE(textmap_decode(a, c->map, c->map_len, c->start, t->bytes, 0, t->len, &m, NULL) == QA_OK);
        DOC_REQUIRE(m.plain_len == c->plain_len && !memcmp(m.plain, c->plain, c->plain_len));
        DOC_REQUIRE(m.n_marks > 0 && m.marks[0].plain == 0);
        if (doc_check_repeats(t, c, &m))
            repeated[number] = m.marks[1].plain;
        DOC_REQUIRE(!doc_check_loses_text(t, c, target));
        for (size_t i = 0; i < m.n_segments; i++) {
            const struct textmap_segment *s = &m.segments[i];
            if (s->literal)
                continue;
            DOC_REQUIRE(s->raw >= c->start || s->plain < repeated[number]);
            for (size_t k = 0; k < s->len && s->plain >= repeated[number]; k++) {
                DOC_REQUIRE(!in_text[s->raw + k]); // in one chunk only
                in_text[s->raw + k] = 1;
            }
        }
        size_t chars = 0;
        for (size_t i = 0; i < c->plain_len; i++)
            chars += ((unsigned char)c->plain[i] & 0xC0) != 0x80;
        DOC_REQUIRE(chars <= target + target / 2 + 32);
        for (size_t i = 0; i < c->n_heading; i++)
            DOC_REQUIRE(doc_check_text(c->heading[i], strlen(c->heading[i])));
        end = c->end;
    }
    return doc_check_same_text(t, chunks, n, in_text, repeated, why, why_size);
}

// Reads and cuts; false and `why` when something does not hold. Refusing a document is fine.
static inline bool doc_check(const char *path, const char *bytes, size_t len, const struct doc_chunk_options *o, char *why, size_t why_size) {
    struct arena a, scratch;
    struct doc_tree tree;
    struct doc_chunk *chunks;
    size_t n;
    bool good = true;
    arena_init(&a, (size_t)64 << 20);
    arena_init(&scratch, (size_t)256 << 20);
    snprintf(why, why_size, "?");
    if (doc_read(&a, path, bytes, len, &tree, NULL) == QA_OK) {
        good = doc_check_tree(&tree, why, why_size);
        if (good && doc_make_chunks(&a, &tree, o, &chunks, &n, NULL) == QA_OK)
            good = doc_check_chunks(&scratch, &tree, chunks, n, o, why, why_size);
        doc_tree_release(&tree);
    }
    arena_free(&scratch);
    arena_free(&a);
    return good;
}

#endif
