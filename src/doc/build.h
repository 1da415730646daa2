/* Inside doc/: what the readers write their blocks with, and the passes that they share. */
#ifndef DOC_BUILD_H
#define DOC_BUILD_H

#include "doc/doc.h"

/* How white space of a block is treated. */
enum doc_style {
    DOC_PROSE,    /* runs of white space become one space, breaks stay */
    DOC_ONE_LINE, /* the same, and breaks are spaces (headings, table rows) */
    DOC_VERBATIM
};

/* A block under construction, and what the tree does not show. */
struct doc_draft {
    struct doc_block block;
    uint64_t first, last; /* the bytes that its text and inner markup touch; first > last: none yet */
    bool fenced;
};

/* Blocks end up in the arena. After a failed allocation nothing more is added and `failed` stays set. */
struct doc_builder {
    struct arena *a;
    const char *bytes; /* the document */
    size_t len, from;  /* what stands before `from` is no text (front matter) */
    bool clean;        /* valid UTF-8 without control characters: copies need no look */
    bool failed;
    struct doc_draft *drafts;
    size_t n_drafts, cap_drafts;

    /* the open block */
    bool open, visible, lossy; /* visible: something beside the prefix was written */
    enum doc_style style;
    struct doc_draft draft;
    struct doc_run *runs;
    size_t n_runs, cap_runs;
    size_t plain_len;
    uint64_t read_to;    /* end of the bytes copied so far */
    char last;           /* last byte written, '\n' at the beginning: white space after it is dropped */
    const char *prefix;  /* written before the first visible byte */
    size_t separators;   /* " | " to write before the next visible byte */
    size_t newlines, spaces; /* verbatim: to write before it */
};
void doc_builder_init(struct doc_builder *b, struct arena *a, const char *bytes, size_t len, size_t from, bool valid); /* UTF-8 */
void doc_begin_block(struct doc_builder *b, enum textmap_unit kind, unsigned level, enum doc_style style);
/* Drops the block if nothing visible was written. Returns it (until the next call) or NULL. */
struct doc_draft *doc_end_block(struct doc_builder *b);
/* Bytes of the document. What is not UTF-8 becomes U+FFFD, control characters vanish. */
void doc_copy(struct doc_builder *b, uint64_t at, size_t n);
void doc_literal(struct doc_builder *b, const char *bytes, size_t n); /* kept as a pointer: static or of the arena */
void doc_space(struct doc_builder *b);  /* a space that does not stand there, unless there is one */
void doc_break(struct doc_builder *b);  /* a line break, unless there is one */
void doc_cell(struct doc_builder *b);   /* the next cell of a row */
void doc_touch(struct doc_builder *b, uint64_t at, size_t n); /* these bytes belong to the block, visible or not */
/* Back to an earlier state of the open block: what was written since is forgotten. Nothing before it may have been
 * trimmed since. */
struct doc_state {
    size_t n_runs, plain_len, separators;
    const char *prefix;
    char last;
    bool visible, lossy;
};
struct doc_state doc_remember(const struct doc_builder *b);
void doc_undo(struct doc_builder *b, const struct doc_state *state);
/* The text of runs, NUL-terminated, in the arena; NULL when out of memory. */
enum { DOC_TITLE_MAX = 300 }; /* bytes */
size_t doc_title_length(const char *title); /* of what is kept of it: whole characters */
char *doc_text(struct arena *a, const char *bytes, const struct doc_run *runs, size_t n_runs, size_t plain_len);

/* Finds start and end of every block and moves them to the tree. */
qa_status doc_finish(struct doc_builder *b, struct doc_tree *out, qa_error *err);

/* ---- Passes of the Markdown reader ---- */

/* Takes front matter off: *body is where the text begins. Fills title, url, metadata and acl of the tree. */
qa_status doc_read_front_matter(struct arena *a, const char *bytes, size_t len, size_t *body, struct doc_tree *out,
                                qa_error *err);

/* What documentation sites write beyond Markdown (MDX, admonitions, tabs), turned into Markdown. Text that differs from
 * the document's bytes has pieces, ascending in both; what lies between them was put in. */
struct doc_piece {
    uint32_t text_at, len;
    uint64_t doc_at;
};
struct doc_dialect {
    const char *text;         /* the byte behind it may be read */
    size_t len;
    uint64_t doc_at;          /* without pieces: where text[0] stands */
    struct doc_piece *pieces; /* NULL: text is as the document has it */
    size_t n_pieces;
    bool mdx;                 /* indentation makes no code blocks */
};
qa_status doc_read_dialect(struct arena *a, const char *bytes, size_t len, size_t body, bool mdx, struct doc_dialect *out,
                           qa_error *err);

/* Bytes of memory and steps that md4c may need for this text, from above. */
void doc_markdown_cost(const struct doc_dialect *d, uint64_t *memory, uint64_t *steps);

/* Both write blocks; Markdown falls back to paragraphs when md4c would need too much time or memory. */
qa_status doc_read_markdown(struct doc_builder *b, const struct doc_dialect *d, qa_error *err);
void doc_read_paragraphs(struct doc_builder *b);

/* ---- HTML inside Markdown ---- */

enum { DOC_TAG_MAX = 16 };
struct doc_html {
    enum { HTML_TEXT, HTML_TAG, HTML_COMMENT, HTML_DECLARATION, HTML_HIDDEN } state;
    char quote;                /* in a tag: the quote that an attribute's value is in */
    char name[DOC_TAG_MAX];    /* of the tag being read, lower case, cut; begins with / when it closes */
    size_t n_name;
    bool name_done, plain_tag; /* plain_tag: nothing but a name so far */
    char hidden[DOC_TAG_MAX];  /* HTML_HIDDEN: the element whose end is waited for */
    size_t tag_from;           /* of this piece: where the tag began, SIZE_MAX: in an earlier piece */
};
/* Where the visible text goes. */
struct doc_html_sink {
    void (*text)(void *user, const char *p, size_t n);
    void (*tag)(void *user, const char *name, size_t n); /* lower case, with / when it closes */
    void *user;
};
/* Feeds a piece of HTML. Tags that HTML does not know and that have no attributes are text: they are
 * placeholders (<bucket>) that somebody forgot to escape. */
void doc_html_feed(struct doc_html *h, const char *p, size_t n, const struct doc_html_sink *sink);

/* Decodes the entity at p (beginning with '&' and ending with ';'): its bytes, static or of the arena; NULL when it is
 * none that we know. *n_out 0: it shows nothing. */
const char *doc_entity(struct arena *a, const char *p, size_t n, size_t *n_out);

/* ---- Lines: \n, \r\n and \r end one ---- */

size_t doc_line_end(const char *bytes, size_t len, size_t from);  /* before the line break */
size_t doc_line_next(const char *bytes, size_t len, size_t from); /* the beginning of the next */
static inline size_t doc_line_after(const char *bytes, size_t len, size_t end) { /* the same, from where this one ends */
    if (end + 1 < len && bytes[end] == '\r' && bytes[end + 1] == '\n')
        end++;
    return end < len ? end + 1 : len;
}
bool doc_is_blank(const char *p, size_t n);

#endif
