/* How a chunk's plain text arises from the document's bytes: one short program that is stored instead of the text.
 *
 * Keeping the map and not the text has two uses: nothing verbatim is stored twice, and a quote can only be what stands in the
 * document, since both directions come from the same list.
 *
 * Byte layout: a sequence of operations, each a varint v whose low 2 bits tell the kind and whose rest is n.
 *     0  copy     n bytes of the document; a zigzag varint follows: their offset minus the end of the copy before
 *                 (for the first, minus the chunk's start). n >= 1.
 *     1  literal  n bytes follow, 1 <= n <= 4096: text that does not stand there as such (line breaks, cell separators,
 *                 a decoded entity, U+FFFD)
 *     2  mark     a unit of kind n (enum textmap_unit) begins here and runs to the next mark
 *     3  reserved: an error
 * A copy always holds whole UTF-8 characters, and what is not valid UTF-8 is never copied. Copies may go backwards: the header
 * of a table is repeated in each chunk of it. */
#ifndef BASE_TEXTMAP_H
#define BASE_TEXTMAP_H

#include "base/arena.h"
#include "base/buf.h"

enum textmap_unit {
    UNIT_PARAGRAPH = 0,
    UNIT_HEADING,      /* a heading inside the chunk (small sections are merged) */
    UNIT_ITEM,         /* a list item; its plain text starts with "- " or "1. " */
    UNIT_TABLE_HEAD,   /* the header row; cells joined by " | " */
    UNIT_TABLE_ROW,
    UNIT_CODE,         /* a code block, lines as they stand */
    UNIT_QUOTE,        /* a paragraph in a block quote or an admonition */
    UNIT_TERM,         /* reserved for definition lists */
    UNIT_KINDS
};

/* Writer. Neighbouring copies and literals are joined. */
struct textmap_writer {
    struct buf ops;      /* the program, finished after textmap_finish */
    struct buf plain;    /* the text it yields, built alongside */
    uint64_t cursor;     /* end of the copy before; starts at the chunk's start */
    uint64_t copy_at, copy_len; /* pending copy */
    struct buf literal;         /* pending literal */
};
void textmap_begin(struct textmap_writer *w, uint64_t chunk_start, size_t max_plain);
void textmap_copy(struct textmap_writer *w, const char *document, uint64_t at, uint64_t n);
void textmap_literal(struct textmap_writer *w, const char *bytes, size_t n);
void textmap_mark(struct textmap_writer *w, enum textmap_unit kind);
qa_status textmap_finish(struct textmap_writer *w, qa_error *err); /* w->ops and w->plain are the result */
void textmap_free(struct textmap_writer *w);

/* The span of document bytes that the copies touch: [*lo, *hi), 0,0 when there are none. QA_CORRUPT if malformed or if a copy
 * lies outside [0, document_len). */
qa_status textmap_extent(const uint8_t *map, size_t n, uint64_t chunk_start, uint64_t document_len, uint64_t *lo,
                         uint64_t *hi, qa_error *err);

struct textmap_segment { /* plain bytes [plain, plain+len) come from document bytes [raw, raw+len), or are literal */
    uint32_t plain, len;
    uint64_t raw;
    bool literal;
};
struct textmap_mark {
    uint32_t plain; /* where the unit starts */
    enum textmap_unit kind;
};
struct textmap { /* a decoded map, in the arena */
    const char *plain; /* NUL-terminated */
    size_t plain_len;
    struct textmap_segment *segments;
    size_t n_segments;
    struct textmap_mark *marks;
    size_t n_marks;
};
/* Decodes. `bytes` are the document's bytes from offset `bytes_at`, covering the extent. */
qa_status textmap_decode(struct arena *a, const uint8_t *map, size_t n, uint64_t chunk_start, const char *bytes,
                         uint64_t bytes_at, size_t bytes_len, struct textmap *out, qa_error *err);
/* The document bytes behind plain [from, to): from the first to the last copied byte in it. False if it is all literal, if the
 * copies run backwards inside it, or if it goes from a table's header on to a row: then no one span says it. */
bool textmap_raw(const struct textmap *m, size_t from, size_t to, uint64_t *raw_from, uint64_t *raw_to);

#endif
