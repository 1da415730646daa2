/* Inside the dialect pass: the text being made, and the tags of MDX. */
#ifndef DOC_DIALECT_H
#define DOC_DIALECT_H

#include "doc/build.h"

enum { DIALECT_DEPTH = 4 };

/* An admonition or a tab that is open. */
struct dialect_box {
    bool indented; /* ends with its indentation (MkDocs); else with a line of colons */
    bool quoted;   /* its lines get "> " */
    size_t column; /* of its first line's mark */
};

/* The pass runs twice with the same input: first to count, then, when text and pieces are there, to write. */
struct dialect_scan {
    const char *bytes;
    size_t len;
    bool mdx;
    char *text; /* NULL: count */
    struct doc_piece *pieces;
    size_t text_len, n_pieces;
    size_t last_text, last_doc; /* ends of the last piece */
    bool changed;               /* something differs from the document */

    struct dialect_box boxes[DIALECT_DEPTH];
    size_t n_boxes;
    size_t closers;         /* lines of colons that are still to come */
    char fence;             /* in a fenced code block: its character */
    size_t fence_len;
    bool fence_quoted;
    bool in_list;           /* lines indented by four and more belong to an item: they are no code */
    bool row_before;        /* the line before has a | */
    bool block_start;       /* an import may stand here: nothing but blank lines and imports before */
    size_t tag_budget;      /* bytes that may still be read in vain for the end of a tag */
    bool no_comment_end;
};
void dialect_copy(struct dialect_scan *s, size_t at, size_t n);
void dialect_put(struct dialect_scan *s, const char *text, size_t n);
void dialect_indent(struct dialect_scan *s, size_t columns); /* what the open boxes put before a line indented so far */
void dialect_blank(struct dialect_scan *s);                  /* an empty line */

struct dialect_line {
    size_t from, first, end, next; /* first: its first byte that is no space */
    size_t columns;                /* indentation */
};
/* Is this a delimiter row that md4c would not take? */
bool dialect_is_delimiter(const char *p, size_t n);
void dialect_delimiter(struct dialect_scan *s, const struct dialect_line *l);

/* Copies MDX from `at` to the end of its line, or, when a tag or comment goes on over lines, to the end of the line where
 * it ends. Returns that line end. */
size_t dialect_mdx_line(struct dialect_scan *s, size_t at);
/* Is an import or export at `at`? Then where it ends, else 0. */
size_t dialect_mdx_import(struct dialect_scan *s, size_t at);

/* The name of an admonition as people read it ("Note"), NULL when it is none. */
const char *dialect_admonition(const char *name, size_t n);

#endif
