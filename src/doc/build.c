/* Building blocks out of runs.
 *
 * The runs of the open block collect in one array that is used again for the next, and are copied to the arena in exactly
 * their number: an escaped document has hundreds of runs a block. Where a block begins and ends in the document is found
 * afterwards (bounds.c), when it is known where its neighbours are. */
#include "doc/build.h"
#include "base/utf8.h"
#include <string.h>

enum { MAX_RUN = 1 << 30 };

static const bool SPACE[256] = {[' '] = 1, ['\t'] = 1, ['\n'] = 1, ['\r'] = 1, ['\f'] = 1, ['\v'] = 1};
static bool is_space(char c) { return SPACE[(unsigned char)c]; }
static bool is_control(unsigned char c) { return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F; }

/* In blocks of a fixed length, which compilers turn into vector code. */
static bool has_controls(const char *p, size_t n) {
    enum { BLOCK = 64 };
    while (n >= BLOCK) {
        unsigned char found = 0;
        for (int i = 0; i < BLOCK; i++) {
            unsigned char c = (unsigned char)p[i];
            found |= (unsigned char)(((c < 0x20) & (c != '\t') & (c != '\n') & (c != '\r')) | (c == 0x7F));
        }
        if (found)
            return true;
        p += BLOCK;
        n -= BLOCK;
    }
    for (size_t i = 0; i < n; i++)
        if (is_control((unsigned char)p[i]))
            return true;
    return false;
}

void doc_builder_init(struct doc_builder *b, struct arena *a, const char *bytes, size_t len, size_t from, bool valid) {
    *b = (struct doc_builder){.a = a, .bytes = bytes, .len = len, .from = from};
    b->clean = valid && !has_controls(bytes, len);
}

/* ---- Runs ---- */

/* A literal's place is where the block's bytes have been read to. */
static void add_run(struct doc_builder *b, uint64_t at, const char *literal, size_t n) {
    if (b->failed || !n)
        return;
    if (!literal) {
        b->read_to = at + n;
        doc_touch(b, at, n);
    } else if (at < b->read_to) {
        at = b->read_to;
    }
    if (b->n_runs && !literal) {
        struct doc_run *before = &b->runs[b->n_runs - 1];
        if (!before->literal && before->at + before->len == at && before->len + n <= MAX_RUN) {
            before->len += (uint32_t)n;
            b->plain_len += n;
            return;
        }
    }
    if (b->n_runs == b->cap_runs) {
        size_t cap = b->cap_runs ? b->cap_runs * 2 : 64;
        struct doc_run *grown = arena_grow(b->a, b->runs, b->n_runs, cap, sizeof *grown);
        if (!grown) {
            b->failed = true;
            return;
        }
        b->runs = grown;
        b->cap_runs = cap;
    }
    b->runs[b->n_runs++] = (struct doc_run){.at = at, .len = (uint32_t)n, .literal = literal};
    b->plain_len += n;
}

static void trim(struct doc_builder *b) {
    while (b->n_runs) {
        struct doc_run *r = &b->runs[b->n_runs - 1];
        const char *p = r->literal ? r->literal : b->bytes + r->at;
        while (r->len && is_space(p[r->len - 1])) {
            r->len--;
            b->plain_len--;
        }
        if (r->len) {
            b->last = p[r->len - 1];
            return;
        }
        b->n_runs--;
    }
    b->last = '\n';
}

static const char SPACES[] = "                                                                ";
static const char NEWLINES[] = "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n";

static void add_literals(struct doc_builder *b, const char *of, size_t size, size_t n) {
    for (; n && !b->failed; n -= n < size ? n : size)
        add_run(b, 0, of, n < size ? n : size);
}

/* Everything that waits for a visible byte. `at`: where it stands, UINT64_MAX for a literal. */
static void before_visible(struct doc_builder *b, uint64_t at) {
    if (b->prefix) {
        add_run(b, 0, b->prefix, strlen(b->prefix));
        b->prefix = NULL;
        b->last = '\n'; /* no space after it */
    }
    if (b->separators) {
        trim(b);
        for (; b->separators && !b->failed; b->separators--) {
            size_t first = !b->n_runs;
            add_run(b, 0, &" | "[first], 3 - first);
        }
        b->last = '\n';
    }
    if (!b->newlines && !b->spaces)
        return;
    if (!b->visible)
        b->newlines = 0; /* empty lines before the first say nothing; its indentation does */
    /* copied when they stand there as such, so that a code block is one run */
    if (b->newlines && b->n_runs && !b->runs[b->n_runs - 1].literal) {
        uint64_t end = b->runs[b->n_runs - 1].at + b->runs[b->n_runs - 1].len;
        while (b->newlines && end < b->len && b->bytes[end] == '\n') {
            add_run(b, end++, NULL, 1);
            b->newlines--;
        }
    }
    add_literals(b, NEWLINES, sizeof NEWLINES - 1, b->newlines);
    bool stand_there = at != UINT64_MAX && b->spaces <= at;
    for (size_t i = 1; stand_there && i <= b->spaces; i++)
        stand_there = b->bytes[at - i] == ' ';
    if (stand_there)
        add_run(b, at - b->spaces, NULL, b->spaces);
    else
        add_literals(b, SPACES, sizeof SPACES - 1, b->spaces);
    b->newlines = b->spaces = 0;
}

static void add_visible(struct doc_builder *b, uint64_t at, const char *literal, size_t n) {
    if (!n)
        return;
    if (b->prefix || b->separators || b->newlines || b->spaces)
        before_visible(b, literal ? UINT64_MAX : at);
    add_run(b, at, literal, n);
    b->last = literal ? literal[n - 1] : b->bytes[at + n - 1];
    b->visible = true;
}

/* White space collapses as a browser does it. */
static void add_prose(struct doc_builder *b, uint64_t at, const char *literal, size_t n) {
    const char *p = literal ? literal : b->bytes + at;
    size_t from = 0, i = 0;
    while (i < n) {
        if (!is_space(p[i]) || (p[i] == ' ' && i > from && i + 1 < n && !is_space(p[i + 1]))) {
            i++;
            continue;
        }
        bool keep = i > from ? true : b->visible && !is_space(b->last) && !b->separators;
        size_t end = i + (keep && p[i] == ' '); /* the one space that may stay */
        add_visible(b, at + from, literal ? literal + from : NULL, end - from);
        if (keep && p[i] != ' ')
            add_visible(b, 0, " ", 1);
        while (i < n && is_space(p[i]))
            i++;
        from = i;
    }
    add_visible(b, at + from, literal ? literal + from : NULL, n - from);
}

static void add_valid(struct doc_builder *b, uint64_t at, const char *literal, size_t n) {
    if (b->style == DOC_VERBATIM)
        add_visible(b, at, literal, n);
    else
        add_prose(b, at, literal, n);
}

void doc_copy(struct doc_builder *b, uint64_t at, size_t n) {
    if (!b->open || !n)
        return;
    doc_touch(b, at, n);
    if (b->clean) {
        add_valid(b, at, NULL, n);
        return;
    }
    for (size_t valid = 0; n && !b->failed;) {
        const char *p = b->bytes + at;
        size_t good = 0;
        if (!valid)
            valid = utf8_valid_len(p, n);
        while (good < valid && !is_control((unsigned char)p[good]))
            good++;
        if (good) {
            add_valid(b, at, NULL, good);
        } else if (valid) {
            if (*p == '\0') {
                b->lossy = true;
                add_valid(b, 0, UTF8_REPLACEMENT, 3);
            }
            good = 1;
        } else {
            uint32_t cp;
            good = utf8_get(p, n, &cp);
            b->lossy = true;
            add_valid(b, 0, UTF8_REPLACEMENT, 3);
        }
        at += good;
        b->read_to = at;
        n -= good;
        valid -= good < valid ? good : valid;
    }
}

void doc_literal(struct doc_builder *b, const char *bytes, size_t n) {
    if (b->open)
        add_valid(b, 0, bytes, n);
}

void doc_space(struct doc_builder *b) {
    if (b->open && b->visible && !b->separators && !is_space(b->last))
        add_visible(b, 0, " ", 1);
}

void doc_break(struct doc_builder *b) {
    if (!b->open)
        return;
    if (b->style == DOC_VERBATIM) {
        b->newlines++;
        b->spaces = 0;
    } else if (b->style == DOC_ONE_LINE) {
        doc_space(b);
    } else if (b->visible && b->last != '\n') {
        trim(b);
        add_visible(b, 0, "\n", 1);
    }
}

void doc_cell(struct doc_builder *b) { b->separators++; }

void doc_touch(struct doc_builder *b, uint64_t at, size_t n) {
    if (!b->open || !n)
        return;
    if (at < b->draft.first)
        b->read_to = b->draft.first = at;
    if (at + n > b->draft.last)
        b->draft.last = at + n;
}

struct doc_state doc_remember(const struct doc_builder *b) {
    return (struct doc_state){b->n_runs, b->plain_len, b->separators, b->prefix, b->last, b->visible, b->lossy};
}

void doc_undo(struct doc_builder *b, const struct doc_state *state) {
    size_t more = b->plain_len - state->plain_len;
    for (size_t i = state->n_runs; i < b->n_runs; i++)
        more -= b->runs[i].len;
    if (state->n_runs && more && b->n_runs >= state->n_runs) /* the last run before had grown */
        b->runs[state->n_runs - 1].len -= (uint32_t)more;
    b->n_runs = state->n_runs;
    b->plain_len = state->plain_len;
    b->separators = state->separators;
    b->prefix = state->prefix;
    b->last = state->last;
    b->visible = state->visible;
    b->lossy = state->lossy;
}

/* ---- Blocks ---- */

void doc_begin_block(struct doc_builder *b, enum textmap_unit kind, unsigned level, enum doc_style style) {
    b->open = true;
    b->visible = b->lossy = false;
    b->style = style;
    b->draft = (struct doc_draft){.block = {.kind = kind, .level = level}, .first = UINT64_MAX};
    b->n_runs = b->plain_len = 0;
    b->last = '\n';
    b->prefix = NULL;
    b->separators = b->newlines = b->spaces = 0;
}

struct doc_draft *doc_end_block(struct doc_builder *b) {
    if (!b->open)
        return NULL;
    b->open = false;
    trim(b);
    if (b->failed || !b->visible || !b->n_runs || b->draft.first > b->draft.last)
        return NULL;
    if (b->n_drafts == b->cap_drafts) {
        size_t cap = b->cap_drafts ? b->cap_drafts * 2 : 32;
        struct doc_draft *grown = arena_grow(b->a, b->drafts, b->n_drafts, cap, sizeof *grown);
        if (!grown) {
            b->failed = true;
            return NULL;
        }
        b->drafts = grown;
        b->cap_drafts = cap;
    }
    struct doc_run *runs = arena_array(b->a, b->n_runs, sizeof *runs);
    if (!runs) {
        b->failed = true;
        return NULL;
    }
    memcpy(runs, b->runs, b->n_runs * sizeof *runs);
    struct doc_draft *d = &b->drafts[b->n_drafts++];
    *d = b->draft;
    d->block.runs = runs;
    d->block.n_runs = b->n_runs;
    d->block.plain_len = b->plain_len;
    d->block.lossy = b->lossy;
    return d;
}

char *doc_text(struct arena *a, const char *bytes, const struct doc_run *runs, size_t n_runs, size_t plain_len) {
    char *text = arena_alloc(a, plain_len + 1);
    size_t at = 0;
    for (size_t i = 0; text && i < n_runs; i++) {
        memcpy(text + at, runs[i].literal ? runs[i].literal : bytes + runs[i].at, runs[i].len);
        at += runs[i].len;
    }
    return text;
}
