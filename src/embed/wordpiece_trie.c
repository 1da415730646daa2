/* The double array of a vocabulary. Tokens are sorted, so that those below a node are neighbours; each node's children get
 * the first place among the free cells where all of them fit. Only so many places are tried before the array grows by a
 * page: a vocabulary made to fit nowhere costs memory, up to the arena's ceiling, and not time. Cells are 12 bytes; 30,522
 * tokens take about 60,000 of them. */
#include "embed/wordpiece.h"
#include <stdlib.h>
#include <string.h>

enum { TRIALS = 128, PAGE = 256 };
#define NOBODY UINT32_MAX       /* parent of a free cell */
#define ITSELF (UINT32_MAX - 1) /* of a root, and of the first cells, which stay empty: a base would be negative there */

struct range { /* tokens [from, to) begin with the same bytes, as many as `depth` */
    uint32_t node;
    size_t from, to, depth;
};
struct maker {
    struct arena *a; /* scratch */
    struct wordpiece_node *nodes;
    uint32_t *next, *previous; /* the free cells, a ring through cell 0 */
    size_t n, room;
};

/* goes_on and the first seven bytes as a number, which is in the order of these wherever two numbers differ. */
static uint64_t order_of(const struct wordpiece_token *t) {
    uint64_t order = t->goes_on;
    for (size_t i = 0; i < 7; i++)
        order = order << 8 | (i < t->len ? (uint8_t)t->text[i] : 0);
    return order;
}

static int compare(const void *x, const void *y) {
    const struct wordpiece_token *a = x, *b = y;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    int order = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);
    if (order != 0)
        return order;
    return a->len != b->len ? (a->len < b->len ? -1 : 1) : a->id < b->id ? -1 : a->id > b->id;
}

/* A page of free cells more. */
static bool grow(struct maker *m) {
    if (m->n + PAGE > m->room) {
        size_t room = m->room ? 2 * m->room : 64 * PAGE;
        m->nodes = arena_grow(m->a, m->nodes, m->n, room, sizeof *m->nodes);
        m->next = arena_grow(m->a, m->next, m->n, room, sizeof *m->next);
        m->previous = arena_grow(m->a, m->previous, m->n, room, sizeof *m->previous);
        if (!m->nodes || !m->next || !m->previous || room > UINT32_MAX / 2)
            return false;
        m->room = room;
    }
    for (size_t i = m->n; i < m->n + PAGE; i++) {
        m->nodes[i] = (struct wordpiece_node){.parent = m->n ? NOBODY : ITSELF, .id = -1};
        if (!m->n)
            continue;
        m->previous[i] = m->previous[0];
        m->next[i] = 0;
        m->next[m->previous[0]] = (uint32_t)i;
        m->previous[0] = (uint32_t)i;
    }
    m->n += PAGE;
    return true;
}

static void take(struct maker *m, uint32_t cell, uint32_t parent) {
    m->next[m->previous[cell]] = m->next[cell];
    m->previous[m->next[cell]] = m->previous[cell];
    m->nodes[cell].parent = parent;
}

static bool fits(const struct maker *m, uint32_t base, const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (m->nodes[base + bytes[i]].parent != NOBODY)
            return false;
    return true;
}

/* The base from which the cells of these bytes, in order, are free; 0: out of memory. */
static uint32_t place(struct maker *m, const uint8_t *bytes, size_t n) {
    uint32_t cell = m->next[0];
    for (unsigned trial = 0; cell && trial < TRIALS; trial++, cell = m->next[cell]) {
        uint32_t base = cell - bytes[0];
        while (base + PAGE > m->n)
            if (!grow(m))
                return 0;
        if (fits(m, base, bytes, n))
            return base;
    }
    uint32_t base = (uint32_t)m->n;
    return grow(m) ? base : 0;
}

/* Gives a node its token and its children, and appends these to `todo`. False: out of memory. */
static bool settle(struct maker *m, const struct wordpiece_token *tokens, struct range r, struct range *todo, size_t *n_todo) {
    uint8_t bytes[256];
    size_t n = 0, from[257];
    for (; r.from < r.to && tokens[r.from].len == r.depth; r.from++)
        m->nodes[r.node].id = tokens[r.from].id;
    for (size_t i = r.from; i < r.to; i++) {
        uint8_t byte = (uint8_t)tokens[i].text[r.depth];
        if (n && bytes[n - 1] == byte)
            continue;
        bytes[n] = byte;
        from[n++] = i;
    }
    from[n] = r.to;
    uint32_t base = n ? place(m, bytes, n) : 0;
    if (n && !base)
        return false;
    m->nodes[r.node].base = base;
    for (size_t i = 0; i < n; i++) {
        take(m, base + bytes[i], r.node);
        todo[(*n_todo)++] = (struct range){base + bytes[i], from[i], from[i + 1], r.depth + 1};
    }
    return true;
}

qa_status wordpiece_make_trie(struct wordpiece_token *tokens, size_t n, struct arena *a, struct wordpiece_node **out,
                              qa_error *err) {
    struct arena scratch;
    arena_init(&scratch, a->ceiling);
    struct maker m = {.a = &scratch};
    struct range *todo = arena_array(&scratch, n + 2, sizeof *todo); /* ranges never overlap, and only the roots' may be empty */
    bool made = todo && grow(&m);
    size_t n_todo = 0, begin = 0;
    for (size_t i = 0; i < n; i++)
        tokens[i].order = order_of(&tokens[i]);
    qsort(tokens, n, sizeof *tokens, compare);
    while (begin < n && !tokens[begin].goes_on)
        begin++;
    if (made) {
        todo[n_todo++] = (struct range){WORDPIECE_BEGIN, 0, begin, 0};
        todo[n_todo++] = (struct range){WORDPIECE_GO_ON, begin, n, 0};
    }
    while (made && n_todo) {
        struct range r = todo[--n_todo];
        made = settle(&m, tokens, r, todo, &n_todo);
    }
    *out = NULL;
    if (made && (*out = arena_array(a, m.n, sizeof **out)))
        memcpy(*out, m.nodes, m.n * sizeof **out);
    qa_status status = *out ? QA_OK : arena_error(made ? a : &scratch, err, "making the vocabulary of an embedder");
    arena_free(&scratch);
    return status;
}
