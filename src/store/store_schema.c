/* The two file formats, index version 3 and state version 1. Both are SQLite files with pages of 4096 bytes, checksummed as store_vfs.c says.
 *
 * INDEX (rebuildable)
 *   meta             created_by (text); next_document, next_chunk: numbers never given out before, so that a number held from
 *                    an earlier search can miss but never lead to another text
 *   sources          a name, the root it was made from; ruled: 1 when its default or its rules keep somebody out, so that a run that
 *                    does not say who may see is refused (new in version 2)
 *   documents        hash, settings: 16 bytes, big-endian hi then lo; settings 0: access was changed without reading it. groups: names joined by U+001F, '' for none. ruled: 1
 *                    when an access rule applies (restricted or any group), so that the few such documents have an index of
 *                    their own. first_chunk, chunks: its chunk numbers are contiguous
 *   contents         the document's bytes as they are
 *   chunks           bytes [start, end) of the document; heading: the path joined by U+001F, NULL for none; map:
 *                    base/textmap.h; tokens: 0
 *   chunk_blocks     block b holds chunks 1024 b to 1024 b + 1023, 8 bytes each, little-endian: document (4; 0: no such
 *                    chunk), words in the head (2), words in the body (2), both cut at 65535. It is all that ranking needs of
 *                    a chunk, read in one go instead of a lookup for each match; FTS5's own table of sizes is switched off
 *                    instead (columnsize = 0)
 *   postings         FTS5 without content (the text is the map applied to the bytes). rowid = chunk; head: title, heading
 *                    path, path without extension; body: the plain text. store_tokens.c makes the words
 *   failures         documents that could not be read, and why
 *   vectors, vector_blocks   since version 3: store_vectors.h. meta has from then on chunks and vectors, how many there are in
 *                    all, and embedder, fingerprint, dimensions once an embedder was used
 *
 * STATE (what people made)
 *   conversations, turns: as in port/memory.h; ordinal counts the turns of one conversation from 1
 *
 * A new version appends a step to the list and brings `objects` to what the steps yield; the tests compare the two. The statements of
 * an earlier version stay in its step as they are. */
#include "store/store_schema.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define META "CREATE TABLE meta(key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID"
#define SOURCES_1 "CREATE TABLE sources(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, root TEXT)"
#define SOURCES "CREATE TABLE sources(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, root TEXT, ruled INTEGER NOT NULL DEFAULT 0)"
#define DOCUMENTS                                                                                                                     \
    "CREATE TABLE documents(id INTEGER PRIMARY KEY, source INTEGER NOT NULL REFERENCES sources, path TEXT NOT NULL, "                 \
    "title TEXT NOT NULL, url TEXT, collection TEXT, restricted INTEGER NOT NULL, groups TEXT NOT NULL, ruled INTEGER NOT NULL, "     \
    "hash BLOB NOT NULL, settings BLOB NOT NULL, bytes INTEGER NOT NULL, first_chunk INTEGER NOT NULL, chunks INTEGER NOT NULL, "     \
    "ingested_ms INTEGER NOT NULL, metadata TEXT NOT NULL, UNIQUE(source, path))"
#define DOCUMENTS_RULED "CREATE INDEX documents_ruled ON documents(id) WHERE ruled = 1"
#define CONTENTS "CREATE TABLE contents(document INTEGER PRIMARY KEY REFERENCES documents, bytes BLOB NOT NULL)"
#define CHUNKS                                                                                                                        \
    "CREATE TABLE chunks(id INTEGER PRIMARY KEY, document INTEGER NOT NULL, ordinal INTEGER NOT NULL, start INTEGER NOT NULL, "       \
    "end INTEGER NOT NULL, heading TEXT, map BLOB NOT NULL, lossy INTEGER NOT NULL, tokens INTEGER NOT NULL)"
#define CHUNK_BLOCKS "CREATE TABLE chunk_blocks(block INTEGER PRIMARY KEY, entries BLOB NOT NULL)"
#define POSTINGS                                                                                                                      \
    "CREATE VIRTUAL TABLE postings USING fts5(head, body, content='', columnsize=0, detail=full, tokenize='quaere_words')"
#define FAILURES                                                                                                                      \
    "CREATE TABLE failures(source TEXT NOT NULL, path TEXT NOT NULL, cause TEXT NOT NULL, noted_ms INTEGER NOT NULL, "                \
    "PRIMARY KEY(source, path)) WITHOUT ROWID"

static const char *const index_1[] = {
    META, SOURCES_1, DOCUMENTS, DOCUMENTS_RULED, CONTENTS, CHUNKS, CHUNK_BLOCKS, POSTINGS, FAILURES,
    /* Postings are gathered in memory up to hashsize before a segment is written, and segments are merged when 8 of a level
     * exist. Against FTS5's defaults (1 MiB, 4) loading 1,284 files takes .60 s instead of .75, 29,151 files 11.2 s instead
     * of 13.9; searching is the same. An 'optimize' at the end would make searching a tenth quicker and cost 1.5 s on the
     * latter; it is left out. detail=column would save a seventh of the file, but without content it does not tell how often
     * a word occurs. */
    "INSERT INTO postings(postings, rank) VALUES('hashsize', 16777216)",
    "INSERT INTO postings(postings, rank) VALUES('automerge', 8)",
    "INSERT INTO meta VALUES('created_by', ''), ('next_document', 1), ('next_chunk', 1)",
};

/* Version 1 did not note who is kept out. Where every document is for some only, a default was stated most likely. */
static const char *const index_2[] = {
    "ALTER TABLE sources ADD COLUMN ruled INTEGER NOT NULL DEFAULT 0",
    "UPDATE sources SET ruled = 1 WHERE EXISTS(SELECT 1 FROM documents WHERE source = sources.id) "
    "AND NOT EXISTS(SELECT 1 FROM documents WHERE source = sources.id AND ruled = 0)",
};

#define VECTORS                                                                                                                       \
    "CREATE TABLE vectors(chunk INTEGER PRIMARY KEY, key BLOB NOT NULL, sum INTEGER NOT NULL, halves BLOB NOT NULL)"
#define VECTORS_KEY "CREATE INDEX vectors_key ON vectors(key)"
/* The codes last: what stands before them is read without their pages. */
#define VECTOR_BLOCKS                                                                                                                 \
    "CREATE TABLE vector_blocks(block INTEGER PRIMARY KEY, valid BLOB NOT NULL, sum INTEGER NOT NULL, codes BLOB NOT NULL)"

static const char *const index_3[] = {
    VECTORS, VECTORS_KEY, VECTOR_BLOCKS,
    "INSERT INTO meta SELECT 'chunks', coalesce(sum(chunks), 0) FROM documents",
    "INSERT INTO meta VALUES('vectors', 0)",
};
static const struct store_step index_steps[] = {{index_1, COUNT(index_1)}, {index_2, COUNT(index_2)}, {index_3, COUNT(index_3)}};

static const struct store_object index_objects[] = {
    {"table", "meta", "meta", META},
    {"table", "sources", "sources", SOURCES},
    {"index", "sqlite_autoindex_sources_1", "sources", NULL},
    {"table", "documents", "documents", DOCUMENTS},
    {"index", "sqlite_autoindex_documents_1", "documents", NULL},
    {"index", "documents_ruled", "documents", DOCUMENTS_RULED},
    {"table", "contents", "contents", CONTENTS},
    {"table", "chunks", "chunks", CHUNKS},
    {"table", "chunk_blocks", "chunk_blocks", CHUNK_BLOCKS},
    {"table", "postings", "postings", POSTINGS},
    {"table", "postings_data", "postings_data", STORE_TABLE_OF_MODULE},
    {"table", "postings_idx", "postings_idx", STORE_TABLE_OF_MODULE},
    {"table", "postings_config", "postings_config", STORE_TABLE_OF_MODULE},
    {"table", "failures", "failures", FAILURES},
    {"table", "vectors", "vectors", VECTORS},
    {"index", "vectors_key", "vectors", VECTORS_KEY},
    {"table", "vector_blocks", "vector_blocks", VECTOR_BLOCKS},
};

#define CONVERSATIONS                                                                                                                 \
    "CREATE TABLE conversations(id TEXT PRIMARY KEY, title TEXT NOT NULL, turns INTEGER NOT NULL, created_ms INTEGER NOT NULL, "      \
    "updated_ms INTEGER NOT NULL) WITHOUT ROWID"
#define TURNS                                                                                                                         \
    "CREATE TABLE turns(conversation TEXT NOT NULL REFERENCES conversations, ordinal INTEGER NOT NULL, id TEXT NOT NULL UNIQUE, "     \
    "question TEXT NOT NULL, answer TEXT NOT NULL, refused INTEGER NOT NULL, record TEXT NOT NULL, created_ms INTEGER NOT NULL, "     \
    "UNIQUE(conversation, ordinal))"

static const char *const state_1[] = {CONVERSATIONS, TURNS};
static const struct store_step state_steps[] = {{state_1, COUNT(state_1)}};

static const struct store_object state_objects[] = {
    {"table", "conversations", "conversations", CONVERSATIONS},
    {"table", "turns", "turns", TURNS},
    {"index", "sqlite_autoindex_turns_1", "turns", NULL},
    {"index", "sqlite_autoindex_turns_2", "turns", NULL},
};

const struct store_kind store_index_kind = {
    .name = "index",
    .missing = "; make one with: quaere ingest FOLDER",
    .advice = "It was left as it is; an index can always be made again: move it away and run quaere ingest",
    .application = STORE_INDEX_APPLICATION,
    .steps = index_steps,
    .n_steps = COUNT(index_steps),
    .objects = index_objects,
    .n_objects = COUNT(index_objects),
    .one_writer = true,
    .prepare = store_register_words,
};

const struct store_kind store_state_kind = {
    .name = "state file",
    .private = true,
    .missing = "; the first question makes one",
    .advice = "It was left as it is; restore it from a backup, or move it away to begin without the earlier conversations",
    .application = STORE_STATE_APPLICATION,
    .steps = state_steps,
    .n_steps = COUNT(state_steps),
    .objects = state_objects,
    .n_objects = COUNT(state_objects),
};
