/* The inside of an open index, shared by the files of src/store/ only. */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include "store/store_file.h"
#include "store/store_rank.h"
#include "store/store_vectors.h"
#include "text/words.h"

enum { STORE_BLOCK_CHUNKS = 1024, STORE_ENTRY = 8, STORE_MAX_BLOCKS = 65536 };
#define STORE_SEPARATOR "\x1F" /* between the parts of a heading path and between groups */

struct store_entry { /* of chunk_blocks */
    uint32_t document;
    uint16_t head_words, body_words;
};

/* chunk_blocks in memory. A slot is a place in `entries`; slots go up with chunk numbers. */
struct store_directory {
    size_t blocks, cap;
    uint32_t *numbers; /* of the blocks, ascending */
    struct store_entry *entries;
    struct store_rank_totals totals;
    bool loaded;
    int64_t version; /* PRAGMA data_version when it was loaded */
};

/* A posting of the term at hand, and what it adds. */
struct store_match {
    uint32_t slot;
    double part;
};

/* Memory of a search, kept from one to the next. */
struct store_search {
    struct index_term *terms;
    size_t n_terms;
    double *scores;       /* by slot */
    uint64_t *allowed;    /* bits by slot; in use when `scoped` */
    struct store_match *matches;
    size_t slots, n_matches;
    size_t block, last;   /* block and slot of the last match: they come in ascending order */
    uint64_t df;
    bool seen;            /* the term stands in some chunk in scope */
    unsigned since_look;
    bool scoped;
    bool count_only;      /* document frequencies, no scores */
};

/* Block of the chunk directory being written; flushed when another is needed and before commit. */
struct store_tail {
    bool held, dirty;
    uint64_t number;
    uint8_t entries[STORE_BLOCK_CHUNKS * STORE_ENTRY];
};

struct store_index {
    struct store_file file; /* first: it does not move while open */
    struct words *words;    /* made when first needed: readers never tokenise */
    struct store_directory directory;
    struct store_search search;
    struct store_tail tail;
    struct store_vectors vectors;
    struct arena scratch;   /* emptied for each chunk */
    struct buf head;
    unsigned reads;         /* nesting of snapshots */
    bool writing, broken;   /* between begin and commit; a statement failed there */
    uint64_t next_document, next_chunk;
    uint32_t counted[2];    /* words of the columns FTS5 tokenised last */
    unsigned n_counted;
};

/* Slots of store_file's statements. */
enum {
    SQL_BEGIN_READ, SQL_END_READ, SQL_BEGIN_WRITE, SQL_COMMIT, SQL_DATA_VERSION, SQL_BLOCKS, SQL_MATCH, SQL_RULED,
    SQL_SCOPE, SQL_SCOPE_METADATA, SQL_CHUNK, SQL_DOCUMENT, SQL_EACH, SQL_FIND, SQL_STATISTICS, SQL_KNOWN, SQL_META,
    SQL_SET_META, SQL_SOURCE, SQL_ADD_SOURCE, SQL_OLD, SQL_OLD_CHUNKS, SQL_DELETE_CHUNKS, SQL_DELETE_CONTENT,
    SQL_DELETE_DOCUMENT, SQL_PUT_DOCUMENT, SQL_PUT_CONTENT, SQL_PUT_CHUNK, SQL_PUT_POSTING, SQL_DELETE_POSTING,
    SQL_GET_BLOCK, SQL_PUT_BLOCK, SQL_DELETE_BLOCK, SQL_NOTE, SQL_UNNOTE, SQL_FIND_NOTE, SQL_LIST_NOTES, SQL_GET_SOURCE, SQL_PUT_SOURCE,
    SQL_LIST_SOURCES, SQL_SET_ACCESS, SQL_CHECK_CHUNKS, SQL_SPACE, SQL_CACHE_SIZE, SQL_PUT_FACT, SQL_VECTOR_HEADS, SQL_VECTOR, SQL_KNOWN_VECTOR, SQL_PUT_VECTOR,
    SQL_SPARE_VECTORS, SQL_DELETE_VECTORS, SQL_DELETE_SPARES, SQL_GET_VECTOR_BLOCK, SQL_PUT_VECTOR_BLOCK, SQL_DELETE_VECTOR_BLOCK,
    SQL_CHECK_VECTORS, SQL_INDEX_SLOTS
};
_Static_assert((int)SQL_INDEX_SLOTS <= (int)STORE_SLOTS, "more statements than slots");

/* One state of the index for all reads until the end; nests, also inside begin and commit. */
qa_status store_begin_read(struct store_index *s, qa_error *err);
void store_end_read(struct store_index *s);

/* next_document and next_chunk from the file; between begin and commit the handle's own are ahead of it. */
qa_status store_load_counters(struct store_index *s, qa_error *err);

qa_status store_load_directory(struct store_index *s, qa_error *err);
/* False: no such chunk. */
bool store_find_slot(const struct store_directory *d, uint64_t chunk, size_t *near, size_t *slot);
uint64_t store_chunk_at(const struct store_directory *d, size_t slot);
void store_free_directory(struct store_directory *d);
struct store_entry store_decode_entry(const uint8_t *p);
void store_encode_entry(struct store_entry e, uint8_t *p);

/* Room for a search of the directory: scores at 0, bits of `allowed` as they were. */
qa_status store_reserve_search(struct store_index *s, qa_error *err);
/* Sets search->allowed from the scope. */
qa_status store_apply_scope(struct store_index *s, const struct index_scope *scope, qa_error *err);
bool store_scope_is_open(const struct index_scope *scope);
/* Groups as stored, split in the arena. */
qa_status store_split(struct arena *a, const char *joined, const char ***out, size_t *n, qa_error *err);
/* A row with these columns as a document; strings in the arena. */
#define STORE_DOCUMENT_COLUMNS                                                                                                        \
    "d.id, s.name, d.path, d.title, d.url, d.collection, d.metadata, d.restricted, d.groups, d.hash, d.bytes, d.chunks, "             \
    "d.ingested_ms, d.first_chunk"
#define STORE_DOCUMENTS "documents AS d JOIN sources AS s ON s.id = d.source"
qa_status store_get_document(struct store_index *s, sqlite3_stmt *st, struct arena *a, struct index_document *out,
                             uint64_t *first_chunk, qa_error *err);
/* Caller, collection and filter, for one document. */
/* Metadata must be a JSON object; QA_CORRUPT. */
qa_status store_check_metadata(struct store_index *s, const struct index_document *d, qa_error *err);
qa_status store_may_see(struct store_index *s, const struct index_scope *scope, const struct index_document *d, bool *may,
                        qa_error *err);

/* What is indexed as the head of a chunk; heading as stored (joined, may be NULL). Into s->head. */
qa_status store_make_head(struct store_index *s, const char *title, const char *heading, const char *path, qa_error *err);
/* Calls each for every word that is indexed. A non-zero return ends it. */
int store_each_word(struct words *w, const char *text, size_t n, int (*each)(void *user, const struct word *word),
                    void *user);
/* Does the word take a place of its own? As FTS5 counts: a token at the place of the one before does, when there is none
 * before. */
static inline bool store_takes_place(const struct word *word, uint32_t places) {
    return word->kind != WORD_EXACT || places == 0;
}
qa_status store_need_words(struct store_index *s, qa_error *err);
/* Bytes of one document, read through one blob handle for all documents of a call. */
qa_status store_read_content(struct store_index *s, sqlite3_blob **blob, uint64_t document, uint64_t at, char *to, size_t n,
                             qa_error *err);
/* Into the arena; NULL when the column is and may be. */
qa_status store_copy_text(struct store_index *s, sqlite3_stmt *st, int i, bool null_ok, struct arena *a, const char **out,
                          qa_error *err);
qa_status store_get_hash(struct store_index *s, sqlite3_stmt *st, int i, struct hash128 *out, qa_error *err);
/* The function behind quaere_collect, of store_search.c. */
void store_collect(const Fts5ExtensionApi *api, Fts5Context *context, sqlite3_context *out, int n, sqlite3_value **values);

qa_status store_text_candidates(void *self, struct index_term *terms, size_t n_terms, const struct index_scope *scope,
                                size_t k, struct arena *a, struct index_candidate **out, size_t *n, uint64_t *total, qa_error *err);
qa_status store_vector_space(void *self, struct arena *a, struct index_space *out, qa_error *err);
qa_status store_count_pending(void *self, const struct index_scope *scope, uint64_t *out, qa_error *err);
qa_status store_vector_candidates(void *self, const float *query, const struct index_scope *scope, size_t k, struct arena *a,
                                  struct index_candidate **out, size_t *n, qa_error *err);
qa_status store_vector_scores(void *self, const float *query, const uint64_t *chunks, size_t n, double *out, qa_error *err);
qa_status store_load_passages(void *self, const uint64_t *chunks, size_t n, struct arena *a, struct index_passage *out,
                              qa_error *err);
qa_status store_each_document(void *self, const struct index_scope *scope,
                              int (*each)(void *user, const struct index_document *d), void *user, qa_error *err);
qa_status store_find_document(void *self, const struct index_scope *scope, const char *source, const char *path,
                              struct arena *a, struct index_document *out, uint64_t **chunks, size_t *n_chunks, qa_error *err);
qa_status store_statistics(void *self, struct index_statistics *out, qa_error *err);
qa_status store_list_sources(void *self, struct arena *a, struct index_source **out, size_t *n, qa_error *err);
qa_status store_begin(void *self, qa_error *err);
qa_status store_commit(void *self, qa_error *err);
void store_rollback(void *self);
qa_status store_known_documents(void *self, const char *source, struct arena *a, struct index_known **out, size_t *n,
                                qa_error *err);
qa_status store_put_document(void *self, const struct index_document_record *record, qa_error *err);
qa_status store_move_document(void *self, const char *source, const char *from, const struct index_document_record *to,
                              qa_error *err);
qa_status store_forget_document(void *self, const char *source, const char *path, qa_error *err);
qa_status store_note_failure(void *self, const char *source, const char *path, const char *cause, qa_error *err);
qa_status store_find_failure(void *self, const char *source, const char *path, struct arena *a, const char **cause,
                             qa_error *err);
qa_status store_list_failures(void *self, const char *source, struct arena *a, const char ***out, size_t *n, qa_error *err);
qa_status store_set_access(void *self, const char *source, const char *path, bool restricted, const char *const *groups, size_t n_groups,
                           qa_error *err);
qa_status store_get_source(void *self, const char *source, struct arena *a, struct index_source *out, qa_error *err);
qa_status store_put_source(void *self, const struct index_source *source, qa_error *err);
qa_status store_use_space(void *self, const char *name, const char *fingerprint, size_t dimensions, qa_error *err);
qa_status store_drop_vectors(void *self, qa_error *err);
qa_status store_pending_chunks(void *self, uint64_t after, size_t limit, struct arena *a, struct index_pending **out, size_t *n,
                               qa_error *err);
qa_status store_known_vectors(void *self, const struct hash128 *keys, size_t n, float *out, bool *found, qa_error *err);
qa_status store_put_vectors(void *self, const uint64_t *chunks, const struct hash128 *keys, const float *vectors, size_t n,
                            qa_error *err);

#endif
