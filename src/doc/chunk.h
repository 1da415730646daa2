/* Inside the chunker: sections are packed (chunk.c), long blocks are cut into pieces (chunk_cut.c), ranges of pieces are
 * written (chunk_write.c). */
#ifndef DOC_CHUNK_H
#define DOC_CHUNK_H

#include "doc/doc.h"

/* A block or a part of one, the smallest thing that a chunk is made of. */
struct chunk_piece {
    uint32_t block;
    uint32_t run, into; /* where its text begins: in this run, after so many bytes */
    uint32_t len;       /* bytes of plain text */
    uint32_t chars;
    bool first, last;   /* of its block */
};

/* A heading with all that is below it; number 0 is the document. Levels grow downwards, so nesting is at most 6. */
struct chunk_section {
    size_t head;       /* block; SIZE_MAX: the document */
    size_t from, end;  /* blocks, head and subsections included */
    size_t parent;
    unsigned level;
    const char *title; /* of the path; made when first wanted */
};

struct chunker {
    struct arena *a;
    const struct doc_tree *tree;
    size_t target;

    struct chunk_piece *pieces;
    size_t n_pieces, cap_pieces;
    size_t *first_piece;     /* of each block, and one past the last */
    size_t *chars_before;    /* characters of all blocks before each, separators included; one past the last */
    size_t *section_of;      /* of each block */
    struct chunk_section *sections;
    size_t n_sections;

    uint32_t *cuts;          /* scratch of cutting */
    size_t cap_cuts;

    struct doc_chunk *chunks;
    size_t n_chunks, cap_chunks;
    uint64_t written; /* end of the chunk before */
    uint64_t waiting; /* start of pieces after it that were nothing but white space; UINT64_MAX: none */
};

enum { CHUNK_LONG_HEADING = 200 }; /* bytes; a longer one is cut in the path and stands in the text too */

size_t chunk_count_chars(const char *p, size_t n);
/* Cuts block number `block` into pieces of at most about `target` characters, added to c->pieces. */
bool chunk_cut_block(struct chunker *c, size_t block);

/* Writes pieces [from, to) as one chunk. */
qa_status chunk_write(struct chunker *c, const struct chunk_piece *from, const struct chunk_piece *to, qa_error *err);
/* Pieces at the beginning that only tell the path: headings of sections that the rest lies in. */
size_t chunk_count_path(const struct chunker *c, const struct chunk_piece *from, const struct chunk_piece *to);
/* Characters that repeating the header of the piece's table costs; 0 when it is not repeated. */
size_t chunk_header_chars(const struct chunker *c, const struct chunk_piece *p);
bool chunk_leads(const struct chunker *c, const struct chunk_piece *p); /* should not be the last of a chunk */

#endif
