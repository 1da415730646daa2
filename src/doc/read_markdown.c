/* Markdown by md4c: its events become blocks.
 *
 * md4c's text pointers lie inside the text it was given, which is what leads back to the document; characters that it
 * makes up (line breaks, indentation of code) point elsewhere and become literals. It allocates by itself, outside any
 * arena, and walks the open lists for every blank line; what that may come to is estimated before it is called. */
#include "doc/build.h"
#include "base/utf8.h"
#include <md4c.h>
#include <stdio.h>
#include <string.h>

enum { DEEPEST_INDENT = 8 };

struct level {
    enum { QUOTE, LIST, ITEM } kind;
    bool ordered;      /* LIST */
    bool fresh;        /* ITEM: no text so far */
    char task;         /* ITEM: the character in the box, 0: no box */
    uint64_t number;   /* LIST: of the next item */
};

struct reader {
    struct doc_builder *b;
    const struct doc_dialect *d;
    size_t piece; /* where the last text lay */
    struct level *levels;
    size_t n_levels, cap_levels, n_lists;
    struct doc_html html;
    bool html_block;
    bool hidden; /* inside of <script> or <style> between inline tags */
    bool fenced;
    bool table_head, table_headed; /* in the head of a table; its head was kept */
    size_t n_cells;
    unsigned strong, images;
    bool outside_strong; /* some text of the block is not bold */
    size_t soft_run;     /* the run of a soft break, and what came after it */
    enum { NO_SOFT, SOFT, SOFT_STRONG, SOFT_STRONG_END } soft;
    struct doc_state image, image_before; /* where this image's text begins; the same of the one before */
    bool image_follows;  /* nothing stands between that one and what comes */
};

/* ---- Text ---- */

/* [p, p + n) is of the document: its offset. *part: how much of it from p on. UINT64_MAX: it is not of the document. */
static uint64_t locate(struct reader *r, const char *p, size_t n, size_t *part) {
    const struct doc_dialect *d = r->d;
    *part = n;
    if (p < d->text || p >= d->text + d->len)
        return UINT64_MAX;
    size_t at = (size_t)(p - d->text);
    if (!d->pieces)
        return d->doc_at + at;
    /* the last piece that begins at or before `at`; text comes in order, nearly always */
    size_t i = r->piece < d->n_pieces && d->pieces[r->piece].text_at <= at ? r->piece : 0;
    if (i + 1 < d->n_pieces && d->pieces[i + 1].text_at <= at) {
        size_t hi = d->n_pieces;
        while (hi - i > 1) {
            size_t mid = i + (hi - i) / 2;
            if (d->pieces[mid].text_at <= at)
                i = mid;
            else
                hi = mid;
        }
    }
    r->piece = i;
    if (i >= d->n_pieces || d->pieces[i].text_at > at) {
        size_t until = d->n_pieces ? d->pieces[0].text_at : d->len;
        *part = until - at < n ? until - at : n;
        return UINT64_MAX;
    }
    size_t into = at - d->pieces[i].text_at;
    if (into < d->pieces[i].len) {
        *part = d->pieces[i].len - into < n ? d->pieces[i].len - into : n;
        return d->pieces[i].doc_at + into;
    }
    size_t until = i + 1 < d->n_pieces ? d->pieces[i + 1].text_at : d->len;
    *part = until - at < n ? until - at : n;
    return UINT64_MAX;
}

static void put(struct reader *r, const char *p, size_t n) {
    while (n) {
        size_t part;
        uint64_t at = locate(r, p, n, &part);
        if (at == UINT64_MAX)
            doc_literal(r->b, p, part);
        else
            doc_copy(r->b, at, part);
        p += part;
        n -= part;
    }
}

/* These bytes show nothing, but belong to the block. */
static void touch(struct reader *r, const char *p, size_t n) {
    while (n) {
        size_t part;
        uint64_t at = locate(r, p, n, &part);
        if (at != UINT64_MAX)
            doc_touch(r->b, at, part);
        p += part;
        n -= part;
    }
}

static void put_entity(struct reader *r, const char *p, size_t n) {
    size_t length;
    const char *text = doc_entity(r->b->a, p, n, &length);
    if (!text) {
        put(r, p, n);
        return;
    }
    touch(r, p, n);
    doc_literal(r->b, text, length);
}

/* Text of HTML: entities are still in it. */
static void put_html_text(void *user, const char *p, size_t n) {
    struct reader *r = user;
    while (n) {
        const char *amp = memchr(p, '&', n);
        size_t plain = amp ? (size_t)(amp - p) : n;
        put(r, p, plain);
        p += plain;
        n -= plain;
        if (!amp)
            break;
        size_t most = n < 12 ? n : 12;
        const char *end = memchr(p, ';', most);
        size_t length = end ? (size_t)(end - p) + 1 : 1;
        put_entity(r, p, length);
        p += length;
        n -= length;
    }
}

static bool breaks(const char *name, size_t n) {
    static const char *const breaking[] = {
        "br", "p",  "div", "li", "tr", "ul", "ol",    "dl",      "dt",      "dd",      "hr",      "h1",         "h2",
        "h3", "h4", "h5",  "h6", "pre", "table", "summary", "details", "section", "article", "blockquote", "figure", "figcaption",
    };
    for (size_t i = 0; i < sizeof breaking / sizeof *breaking; i++)
        if (strlen(breaking[i]) == n && !memcmp(breaking[i], name, n))
            return true;
    return false;
}

static void see_tag(void *user, const char *name, size_t n) {
    struct reader *r = user;
    bool closes = n && *name == '/';
    const char *word = name + closes;
    size_t length = n - closes;
    bool cell = length == 2 && word[0] == 't' && (word[1] == 'd' || word[1] == 'h');
    if (r->images)
        doc_space(r->b);
    else if (cell && closes && r->b->visible && r->b->style == DOC_PROSE && !r->b->separators)
        doc_cell(r->b);
    else if (length == 2 && word[0] == 't' && word[1] == 'r')
        r->b->separators = 0;
    if (cell || r->images || !breaks(word, length))
        return;
    if (r->b->style != DOC_ONE_LINE || !r->b->separators)
        doc_break(r->b);
    if (!closes && length == 2 && word[0] == 'l' && word[1] == 'i')
        doc_literal(r->b, "- ", 2);
}

/* ---- Blocks ---- */

static bool innermost(const struct reader *r, int kind) { return r->n_levels && (int)r->levels[r->n_levels - 1].kind == kind; }

/* "  - ", "12. ", "- [x] " */
static const char *item_prefix(struct reader *r) {
    struct level *item = &r->levels[r->n_levels - 1], *list = r->n_levels > 1 ? item - 1 : item;
    size_t indent = r->n_lists ? r->n_lists - 1 : 0;
    const char *box = !item->task ? "" : item->task == ' ' ? "[ ] " : "[x] ";
    if (indent > DEEPEST_INDENT)
        indent = DEEPEST_INDENT;
    static const char bullet[] = "                - ";
    if (!list->ordered && !item->task)
        return bullet + (DEEPEST_INDENT - indent) * 2;
    char *prefix = list->ordered ? arena_printf(r->b->a, "%.*s%llu. %s", (int)indent * 2, bullet,
                                                (unsigned long long)list->number - 1, box)
                                 : arena_printf(r->b->a, "%.*s- %s", (int)indent * 2, bullet, box);
    r->b->failed |= !prefix;
    return prefix;
}

static void begin(struct reader *r, enum textmap_unit kind, unsigned level, enum doc_style style) {
    bool fresh = innermost(r, ITEM) && r->levels[r->n_levels - 1].fresh;
    bool joins = innermost(r, ITEM) && !fresh;
    const char *prefix = NULL;
    if (kind == UNIT_PARAGRAPH || (kind == UNIT_HEADING && r->n_levels)) {
        kind = fresh ? UNIT_ITEM : innermost(r, QUOTE) ? UNIT_QUOTE : UNIT_PARAGRAPH;
        level = 0; /* in a list or quote it heads no section */
        if (fresh)
            prefix = item_prefix(r);
    }
    doc_begin_block(r->b, kind, level, style);
    r->b->prefix = prefix;
    r->b->draft.block.joins = joins;
    r->outside_strong = false;
    r->image_follows = false;
    r->soft = NO_SOFT;
    r->html_block = r->hidden = false;
    r->html = (struct doc_html){0};
}

/* [text]{#anchor} at the end of a heading is for machines: removed when it is braces with # . : or a comment in them. */
static void drop_anchor(struct doc_builder *b) {
    if (!b->n_runs)
        return;
    struct doc_run *r = &b->runs[b->n_runs - 1];
    const char *p = r->literal ? r->literal : b->bytes + r->at;
    size_t n = r->len;
    while (n && p[n - 1] == ' ')
        n--;
    if (!n || p[n - 1] != '}')
        return;
    const char *open = memrchr(p, '{', n);
    if (!open || open + 2 >= p + n || !strchr("#.:", open[1]))
        return;
    b->plain_len -= r->len - (size_t)(open - p);
    r->len = (uint32_t)(open - p);
    if (!r->len)
        b->n_runs--;
}

/* Does the block say what comes next? */
static bool leads(const struct reader *r, const struct doc_draft *d) {
    const struct doc_run *last = &d->block.runs[d->block.n_runs - 1];
    const char *p = last->literal ? last->literal : r->b->bytes + last->at;
    bool bold = !r->outside_strong && d->block.plain_len < 200 && d->block.kind == UNIT_PARAGRAPH;
    return bold || p[last->len - 1] == ':' || (last->len >= 3 && !memcmp(p + last->len - 3, "\xEF\xBC\x9A", 3));
}

static void end(struct reader *r) {
    struct doc_builder *b = r->b;
    if (!b->open)
        return;
    enum textmap_unit kind = b->draft.block.kind;
    if (kind == UNIT_HEADING)
        drop_anchor(b);
    struct doc_draft *d = doc_end_block(b);
    if (!d)
        return;
    d->fenced = r->fenced && kind == UNIT_CODE;
    d->block.leads = kind != UNIT_CODE && kind != UNIT_TABLE_ROW && leads(r, d);
    if (r->n_levels && r->levels[r->n_levels - 1].kind == ITEM)
        r->levels[r->n_levels - 1].fresh = false;
    if (kind == UNIT_TABLE_HEAD)
        r->table_headed = true;
}

static bool push(struct reader *r, struct level level) {
    if (r->n_levels == r->cap_levels) {
        size_t cap = r->cap_levels ? r->cap_levels * 2 : 32;
        struct level *grown = arena_grow(r->b->a, r->levels, r->n_levels, cap, sizeof *grown);
        if (!grown) {
            r->b->failed = true;
            return false;
        }
        r->levels = grown;
        r->cap_levels = cap;
    }
    r->levels[r->n_levels++] = level;
    return true;
}

static void enter_item(struct reader *r, const MD_BLOCK_LI_DETAIL *detail) {
    if (r->n_levels)
        r->levels[r->n_levels - 1].number++;
    push(r, (struct level){.kind = ITEM, .fresh = true, .task = detail->is_task ? detail->task_mark : '\0'});
}

static int enter_block(MD_BLOCKTYPE type, void *detail, void *user) {
    struct reader *r = user;
    if (type != MD_BLOCK_TH && type != MD_BLOCK_TD)
        end(r);
    switch (type) {
    case MD_BLOCK_QUOTE:
        push(r, (struct level){.kind = QUOTE});
        break;
    case MD_BLOCK_UL:
        r->n_lists++;
        push(r, (struct level){.kind = LIST});
        break;
    case MD_BLOCK_OL:
        r->n_lists++;
        push(r, (struct level){.kind = LIST, .ordered = true, .number = ((MD_BLOCK_OL_DETAIL *)detail)->start});
        break;
    case MD_BLOCK_LI:
        enter_item(r, detail);
        break;
    case MD_BLOCK_H:
        begin(r, UNIT_HEADING, ((MD_BLOCK_H_DETAIL *)detail)->level, DOC_ONE_LINE);
        break;
    case MD_BLOCK_CODE:
        r->fenced = ((MD_BLOCK_CODE_DETAIL *)detail)->fence_char != 0;
        begin(r, UNIT_CODE, 0, DOC_VERBATIM);
        break;
    case MD_BLOCK_P:
    case MD_BLOCK_HTML:
        begin(r, UNIT_PARAGRAPH, 0, DOC_PROSE);
        r->html_block = r->outside_strong = type == MD_BLOCK_HTML;
        break;
    case MD_BLOCK_THEAD:
        r->table_head = true;
        r->table_headed = false;
        break;
    case MD_BLOCK_TR:
        begin(r, r->table_head ? UNIT_TABLE_HEAD : UNIT_TABLE_ROW, 0, DOC_ONE_LINE);
        r->b->draft.block.joins = r->table_headed;
        r->n_cells = 0;
        break;
    case MD_BLOCK_TH:
    case MD_BLOCK_TD:
        if (r->n_cells++)
            doc_cell(r->b);
        r->hidden = false;
        r->html.state = HTML_TEXT;
        break;
    default:
        break;
    }
    return r->b->failed ? -1 : 0;
}

static int leave_block(MD_BLOCKTYPE type, void *detail, void *user) {
    struct reader *r = user;
    (void)detail;
    if (type == MD_BLOCK_TH || type == MD_BLOCK_TD)
        return r->b->failed ? -1 : 0;
    end(r);
    if (type == MD_BLOCK_THEAD)
        r->table_head = false;
    if (type == MD_BLOCK_UL || type == MD_BLOCK_OL)
        r->n_lists--;
    if (type == MD_BLOCK_QUOTE || type == MD_BLOCK_LI || type == MD_BLOCK_UL || type == MD_BLOCK_OL)
        r->n_levels--;
    return r->b->failed ? -1 : 0;
}

/* ---- Spans ---- */

/* For an item of a tight list md4c reports no paragraph. */
static void open_paragraph(struct reader *r) {
    if (!r->b->open)
        begin(r, UNIT_PARAGRAPH, 0, DOC_PROSE);
}

static int enter_span(MD_SPANTYPE type, void *detail, void *user) {
    struct reader *r = user;
    (void)detail;
    open_paragraph(r);
    if (type == MD_SPAN_STRONG)
        r->strong++;
    r->soft = r->soft == SOFT && type == MD_SPAN_STRONG ? SOFT_STRONG : NO_SOFT;
    if (type == MD_SPAN_IMG && !r->images++) {
        if (r->image_follows)
            doc_space(r->b);
        r->image = doc_remember(r->b);
    }
    return 0;
}

static const char *run_text(const struct doc_builder *b, size_t i) {
    return b->runs[i].literal ? b->runs[i].literal : b->bytes + b->runs[i].at;
}

/* "[Image NOT FOUND]" is what the export of AWS's documentation puts where an image has no text. */
static bool is_no_text(const struct reader *r) {
    static const char none[] = "[Image NOT FOUND]";
    const struct doc_builder *b = r->b;
    size_t at = 0, n = b->plain_len - r->image.plain_len, run = r->image.n_runs;
    /* what had waited for the first visible byte was written with it */
    size_t waited = (r->image.prefix && !b->prefix) + r->image.separators - b->separators;
    for (; waited && run < b->n_runs; waited--)
        n -= b->runs[run++].len;
    if (n != sizeof none - 1)
        return false;
    for (; run < b->n_runs; at += b->runs[run++].len)
        if (b->runs[run].len > n - at || memcmp(run_text(b, run), none + at, b->runs[run].len))
            return false;
    return at == n;
}

/* Some documents hold every image twice; its text is wanted once. */
static bool is_repeated(const struct reader *r) {
    const struct doc_builder *b = r->b;
    size_t i = r->image.n_runs, k = r->image_before.n_runs;
    if (!r->image_follows || b->plain_len - r->image.plain_len != r->image.plain_len - 1 - r->image_before.plain_len)
        return false;
    for (; i < b->n_runs; i++, k++)
        if (b->runs[i].len != b->runs[k].len || memcmp(run_text(b, i), run_text(b, k), b->runs[i].len))
            return false;
    return true;
}

static void leave_image(struct reader *r) {
    struct doc_builder *b = r->b;
    if (b->failed)
        return;
    if (is_no_text(r) || is_repeated(r)) {
        doc_undo(b, &r->image);
        return;
    }
    r->image_follows = b->plain_len > r->image.plain_len;
    r->image_before = r->image;
}

static int leave_span(MD_SPANTYPE type, void *detail, void *user) {
    struct reader *r = user;
    (void)detail;
    if (type == MD_SPAN_STRONG)
        r->strong--;
    r->soft = r->soft == SOFT_STRONG && type == MD_SPAN_STRONG ? SOFT_STRONG_END : NO_SOFT;
    if (type == MD_SPAN_IMG && !--r->images)
        leave_image(r);
    return 0;
}

static void put_code(struct reader *r, const char *p, size_t n) {
    size_t part;
    bool made_up = locate(r, p, n, &part) == UINT64_MAX && part == n;
    if (made_up && n == 1 && *p == '\n')
        doc_break(r->b);
    else if (made_up && strspn(p, " ") >= n)
        r->b->spaces += n;
    else
        put(r, p, n);
}

static void put_html(struct reader *r, const char *p, size_t n) {
    const struct doc_html_sink sink = {put_html_text, see_tag, r};
    touch(r, p, n);
    doc_html_feed(&r->html, p, n, &sink);
    if (!r->html_block && r->html.state != HTML_HIDDEN)
        r->html.state = HTML_TEXT; /* between lines of a paragraph md4c hands over whole tags */
    r->hidden = !r->html_block && r->html.state == HTML_HIDDEN;
}

static void put_soft_break(struct reader *r) {
    size_t runs = r->b->n_runs;
    doc_space(r->b);
    r->soft = r->b->n_runs > runs && r->b->style == DOC_PROSE ? SOFT : NO_SOFT;
    r->soft_run = runs;
}

/* A bold line ("Note", "Warning") that ends in a hard break begins with one too: it is the title of what follows. */
static void put_hard_break(struct reader *r) {
    if (r->soft == SOFT_STRONG_END && r->soft_run < r->b->n_runs && r->b->runs[r->soft_run].literal)
        r->b->runs[r->soft_run].literal = "\n";
    r->soft = NO_SOFT;
    if (r->images)
        doc_space(r->b);
    else
        doc_break(r->b);
}

static int text(MD_TEXTTYPE type, const MD_CHAR *p, MD_SIZE n, void *user) {
    struct reader *r = user;
    const char *all = r->d->text, *stop = all + r->d->len;
    if (p >= all && p < stop && n > (size_t)(stop - p))
        n = (MD_SIZE)(stop - p); /* md4c was seen to hand out a byte beyond its input */
    open_paragraph(r);
    if (r->hidden && type != MD_TEXT_HTML) {
        touch(r, p, n);
        return 0;
    }
    if (!r->images && type != MD_TEXT_SOFTBR)
        r->image_follows = false;
    if (!r->strong && type != MD_TEXT_SOFTBR && type != MD_TEXT_BR && type != MD_TEXT_HTML)
        r->outside_strong |= !doc_is_blank(p, n);
    if (type != MD_TEXT_SOFTBR && type != MD_TEXT_BR && r->soft != SOFT_STRONG)
        r->soft = NO_SOFT;
    switch (type) {
    case MD_TEXT_NULLCHAR:
        r->b->lossy = true;
        doc_literal(r->b, UTF8_REPLACEMENT, 3);
        break;
    case MD_TEXT_BR:
        put_hard_break(r);
        break;
    case MD_TEXT_SOFTBR:
        put_soft_break(r);
        break;
    case MD_TEXT_ENTITY:
        put_entity(r, p, n);
        break;
    case MD_TEXT_HTML:
        put_html(r, p, n);
        break;
    default:
        if (r->b->style == DOC_VERBATIM)
            put_code(r, p, n);
        else
            put(r, p, n);
        break;
    }
    return r->b->failed ? -1 : 0;
}

qa_status doc_read_markdown(struct doc_builder *b, const struct doc_dialect *d, qa_error *err) {
    const uint64_t most_memory = b->a->ceiling / 2, most_steps = 200 * 1000 * 1000;
    uint64_t memory, steps;
    doc_markdown_cost(d, &memory, &steps);
    if (memory > most_memory || steps > most_steps) {
        doc_read_paragraphs(b);
        return QA_OK;
    }
    const MD_PARSER parser = {
        .flags = MD_FLAG_TABLES | MD_FLAG_STRIKETHROUGH | MD_FLAG_TASKLISTS | (d->mdx ? MD_FLAG_NOINDENTEDCODEBLOCKS : 0),
        .enter_block = enter_block,
        .leave_block = leave_block,
        .enter_span = enter_span,
        .leave_span = leave_span,
        .text = text,
    };
    struct reader r = {.b = b, .d = d};
    if (md_parse(d->text, (MD_SIZE)d->len, &parser, &r) != 0 && !b->failed)
        return error_no_memory(err, "reading Markdown");
    return QA_OK;
}
