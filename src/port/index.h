/* The index: documents, chunks, postings, vectors. A table of functions; src/store/ implements it on SQLite, the tests in
 * memory. Filter and caller go into every read: what a caller may not see never comes out, in no form.
 *
 * Ids are the implementation's own: chunk and document numbers are valid while the index is open and nothing is written.
 * A handle is used by one thread at a time. Everything handed out lives in the arena that was passed. */
#ifndef PORT_INDEX_H
#define PORT_INDEX_H

#include "base/hash.h"
#include "base/textmap.h"
#include "port/caller.h"
#include "port/filter.h"

/* Who may look where. */
struct index_scope {
    const struct caller *caller;   /* NULL: the owner */
    const struct filter *filter;   /* NULL: everything */
    const char *collection;        /* NULL: all */
};

/* A text query is a set of weighted terms in the normal form of text/words.h. */
struct index_term {
    const char *norm;
    size_t len;
    double weight;    /* multiplies its idf */
    uint64_t df;      /* filled by text_candidates: chunks that hold it in the whole index */
    bool seen;        /* filled likewise: some chunk in scope holds it. The only one of the three that may be told to a caller who is not the owner */
    double idf;       /* filled likewise: ln(1 + (N - df + .5) / (df + .5)). It decides the order whoever asks (docs/search.md) */
};
struct index_candidate {
    uint64_t chunk, document;
    double score;     /* BM25 as the implementation computes it, or the cosine; larger is better. A BM25 is made of idf, and so for the owner's eyes alone */
};

struct index_passage {
    uint64_t chunk_number, document_number;
    const char *chunk;             /* "c_..." stable across runs: made of source, path, span and bytes */
    const char *source, *path, *title, *url, *collection;
    const char **heading;
    size_t n_heading;
    const char *text;              /* the stored bytes [start, end); may be invalid UTF-8 when lossy */
    size_t text_len;
    uint64_t start, end;
    struct textmap map;            /* plain text, units, offsets */
    bool lossy;
    const char *metadata;          /* JSON object */
};

struct index_document {            /* as listed */
    uint64_t document;
    const char *source, *path, *title, *url, *collection;
    const char *metadata;          /* JSON object */
    bool restricted;
    const char **groups;
    size_t n_groups;
    struct hash128 hash;
    uint64_t bytes, chunks;
    int64_t ingested_ms;
};

struct index_statistics {
    uint64_t documents, chunks, bytes, sources;
    uint64_t failed;               /* documents whose last ingestion failed */
    uint64_t restricted;           /* documents with an access rule */
};

struct index_source {
    const char *source;
    const char *root;              /* what it was made from, an absolute folder or "jsonl", so that two roots do not share a name unnoticed */
    bool ruled;                    /* its default or its rules keep somebody out, as the last run that said so had them */
};

/* ---- Vectors ---- */

/* The one embedder whose vectors an index holds. */
struct index_space {
    const char *name, *fingerprint; /* as in port/embedder.h; NULL: no embedder was used yet */
    size_t dimensions;              /* 0 then */
    uint64_t vectors, pending;      /* chunks that have one, and that have none yet */
};
struct index_pending {              /* a chunk without a vector, and what its vector is made of */
    uint64_t chunk;
    const char *title;
    const char **heading;
    size_t n_heading;
    const char *plain;
    size_t plain_len;
};

/* ---- What ingest writes ---- */

struct index_chunk_record {
    uint64_t start, end;
    const char *plain;             /* indexed now, not stored */
    size_t plain_len;
    const uint8_t *map;
    size_t map_len;
    const char *const *heading;
    size_t n_heading;
    bool lossy;
};
struct index_document_record {
    const char *source, *path, *title, *url, *collection;
    const char *metadata;          /* JSON object */
    bool restricted;
    const char *const *groups;
    size_t n_groups;
    struct hash128 hash;           /* of the bytes */
    struct hash128 settings;       /* of all else that decides what is stored: reader version, chunk size, metadata, access */
    const char *bytes;             /* stored as they are */
    size_t len;
    const struct index_chunk_record *chunks;
    size_t n_chunks;
};
/* What the index knows of a document of a source: enough to decide what changed. */
struct index_known {
    const char *path;
    uint64_t document;
    struct hash128 hash, settings;
    uint64_t bytes;
    bool ruled;                    /* not for everyone */
};

struct index_ops {
    /* -- reading -- */
    /* The best k chunks in scope for the terms, best first; ties by chunk number. Fills df, idf and *total (chunks in the index). k = 0 asks for
     * these alone. */
    qa_status (*text_candidates)(void *self, struct index_term *terms, size_t n_terms, const struct index_scope *scope, size_t k,
                                 struct arena *a, struct index_candidate **out, size_t *n, uint64_t *total, qa_error *err);
    /* What embedder the vectors are of, and how many there are. */
    qa_status (*vector_space)(void *self, struct arena *a, struct index_space *out, qa_error *err);
    /* How many chunks in scope have no vector yet: what a caller may be told, where `pending` above counts those of everyone. */
    qa_status (*count_pending)(void *self, const struct index_scope *scope, uint64_t *out, qa_error *err);
    /* The best k chunks in scope that have a vector, by cosine with `query` (unit length, the dimensions that vector_space or use_space told on
     * this handle), best first; ties by chunk number. QA_BUSY when these have changed since. */
    qa_status (*vector_candidates)(void *self, const float *query, const struct index_scope *scope, size_t k, struct arena *a,
                                   struct index_candidate **out, size_t *n, qa_error *err);
    /* The cosine of each of these chunks; NAN for one that has no vector. Scope is not looked at: the chunks are ones that were found in it. */
    qa_status (*vector_scores)(void *self, const float *query, const uint64_t *chunks, size_t n, double *out, qa_error *err);
    /* The passages of these chunks, in that order. QA_BUSY when one is gone because somebody wrote since it was found. */
    qa_status (*load_passages)(void *self, const uint64_t *chunks, size_t n, struct arena *a, struct index_passage *out,
                               qa_error *err);
    /* Documents in scope by source, path. `each` non-zero ends it. Strings live during the call. */
    qa_status (*each_document)(void *self, const struct index_scope *scope, int (*each)(void *user, const struct index_document *d),
                               void *user, qa_error *err);
    /* One document and its chunk numbers; QA_NOT_FOUND. source NULL: any, QA_BAD_USAGE when several sources have that path. */
    qa_status (*find_document)(void *self, const struct index_scope *scope, const char *source, const char *path, struct arena *a,
                               struct index_document *out, uint64_t **chunks, size_t *n_chunks, qa_error *err);
    qa_status (*statistics)(void *self, struct index_statistics *out, qa_error *err);
    /* Sources by name. root NULL: never noted. */
    qa_status (*list_sources)(void *self, struct arena *a, struct index_source **out, size_t *n, qa_error *err);

    /* -- writing: between begin and commit; a failed or absent commit leaves what was before begin. On a handle for reading, begin holds one
     * state of the index for all reads until rollback -- */
    qa_status (*begin)(void *self, qa_error *err);
    qa_status (*commit)(void *self, qa_error *err);   /* durable when it returns */
    void (*rollback)(void *self);
    qa_status (*known_documents)(void *self, const char *source, struct arena *a, struct index_known **out, size_t *n, qa_error *err);
    qa_status (*put_document)(void *self, const struct index_document_record *record, qa_error *err); /* replaces */
    qa_status (*move_document)(void *self, const char *source, const char *from, const struct index_document_record *to,
                               qa_error *err); /* the same bytes and chunks under a new path: `to` is complete */
    qa_status (*forget_document)(void *self, const char *source, const char *path, qa_error *err); /* absent: QA_OK */
    /* Says anew who may see a document, and leaves all else of it alone. Its settings become those of no run, so that the next one that can
     * read it makes it anew. QA_NOT_FOUND. */
    qa_status (*set_access)(void *self, const char *source, const char *path, bool restricted, const char *const *groups, size_t n_groups,
                            qa_error *err);
    /* Remembers that a document failed, or (cause NULL) that it no longer does. */
    qa_status (*note_failure)(void *self, const char *source, const char *path, const char *cause, qa_error *err);
    /* The cause noted, in the arena; NULL when there is none. source NULL: of any source. */
    qa_status (*find_failure)(void *self, const char *source, const char *path, struct arena *a, const char **cause,
                              qa_error *err);
    /* Paths of a source that have a failure noted, ascending. */
    qa_status (*list_failures)(void *self, const char *source, struct arena *a, const char ***out, size_t *n, qa_error *err);
    /* What is noted of a source; root NULL: nothing yet. */
    qa_status (*get_source)(void *self, const char *source, struct arena *a, struct index_source *out, qa_error *err);
    qa_status (*put_source)(void *self, const struct index_source *source, qa_error *err);
    /* Says whose vectors will be put. QA_BAD_CONFIG when the index holds those of another embedder: names both and what to do. */
    qa_status (*use_space)(void *self, const char *name, const char *fingerprint, size_t dimensions, qa_error *err);
    /* Forgets all vectors and whose they were. */
    qa_status (*drop_vectors)(void *self, qa_error *err);
    /* Up to `limit` chunks without a vector whose numbers are larger than `after`, ascending. */
    qa_status (*pending_chunks)(void *self, uint64_t after, size_t limit, struct arena *a, struct index_pending **out, size_t *n, qa_error *err);
    /* Vectors that are known by the hash of their text: of chunks in the index, and of chunks of documents that were replaced or moved, which are
     * kept until nothing is pending. found[i] says whether out + i * dimensions was filled; these are as vector_space or use_space told them. */
    qa_status (*known_vectors)(void *self, const struct hash128 *keys, size_t n, float *out, bool *found, qa_error *err);
    /* Stores unit vectors of chunks, under the hashes of their texts. They are rounded to 16 bits, so that storing what known_vectors gave changes
     * no bit. QA_BAD_INPUT, and nothing is stored, when a chunk does not exist or a vector has not the length 1 (.99 to 1.01). */
    qa_status (*put_vectors)(void *self, const uint64_t *chunks, const struct hash128 *keys, const float *vectors, size_t n, qa_error *err);
};

struct index_port {
    const struct index_ops *ops;
    void *self;
};

#endif
