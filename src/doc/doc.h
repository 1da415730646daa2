/* Readers: from a document's bytes to one tree of blocks, whatever the format; and from blocks to chunks.
 *
 * Everything lives in the caller's arena, whose ceiling bounds what a hostile document may cost. Positions are byte offsets into the
 * bytes handed in. Nothing recurses over the depth of the input. */
#ifndef DOC_DOC_H
#define DOC_DOC_H

#include "base/arena.h"
#include "base/json.h"
#include "base/textmap.h"

/* A run of a block's visible text: a stretch of the document's bytes, or literal bytes that stand for something there (a decoded
 * entity, a line break, U+FFFD for bytes that are not UTF-8, a cell separator). */
struct doc_run {
    uint64_t at;         /* offset in the document; of a literal: about where it stands */
    uint32_t len;        /* bytes */
    const char *literal; /* NULL: copied */
};

struct doc_block {
    enum textmap_unit kind;
    unsigned level;       /* UNIT_HEADING: 1 to 6 */
    uint64_t start, end;  /* bytes of the document with their markup: whole lines; blocks do not overlap and ascend */
    struct doc_run *runs;
    size_t n_runs;
    size_t plain_len;     /* sum of the runs' lengths */
    struct doc_block *table; /* UNIT_TABLE_ROW: the block of its header row */
    bool joins;           /* goes on with the block before (next paragraph of the same item, next row of the same table) */
    bool leads;           /* says what the block after it is: ends in a colon, or is a short line in bold */
    bool lossy;
};

struct doc_tree {
    const char *bytes;
    size_t len;
    const char *title;    /* front matter, else the first heading of the highest level, else NULL */
    const char *url;      /* front matter `url`, `permalink` or `canonical_url` when absolute; else NULL */
    json_t *metadata;     /* an object: front matter without title, acl (owned: json_decref by doc_tree_release) */
    const char **acl;     /* front matter `acl`: groups; NULL when it has none, which is not the same as an empty list */
    size_t n_acl;
    struct doc_block *blocks;
    size_t n_blocks;
};
void doc_tree_release(struct doc_tree *tree); /* what the arena does not hold */

/* Is a file of this name read, and by what? Only the name is looked at. */
bool doc_can_read(const char *path);

/* Reads a document by its name's extension: .md .markdown .mdown .mkd .mdx, .txt as paragraphs. Hostile content comes out as text,
 * not as an error: QA_BAD_INPUT for what is no text at all (NUL bytes in more than a few places, mostly not UTF-8), QA_TOO_LARGE
 * and QA_NO_MEMORY for the arena's ceiling; QA_BAD_CONFIG when it says who may see it in a way that cannot be understood. */
qa_status doc_read(struct arena *a, const char *path, const char *bytes, size_t len, struct doc_tree *out, qa_error *err);

struct doc_chunk {
    uint64_t start, end;  /* bytes of the document, whole lines where it fits */
    const char *plain;
    size_t plain_len;
    const uint8_t *map;   /* base/textmap.h; relative to start */
    size_t map_len;
    const char **heading; /* path, outermost first; a merged chunk has the path that its parts share */
    size_t n_heading;
    bool lossy;
};

struct doc_chunk_options {
    size_t target;        /* plain characters (not bytes) that a chunk is filled to; 0: 1000. Not tokens: see docs/encoder.md */
};
/* Whole blocks are packed up to the target under one heading; a section shorter than half of it is merged with its neighbours of the
 * same parent. A single paragraph over the target is split at sentences, a table at rows (its header is repeated in the map of every
 * part), code at blank lines, then lines; what has no such place, at a word, at last at a character. Every visible character of the
 * document is in some chunk. */
qa_status doc_make_chunks(struct arena *a, const struct doc_tree *tree, const struct doc_chunk_options *options,
                          struct doc_chunk **out, size_t *n, qa_error *err);

#endif
