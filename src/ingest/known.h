/* What the index knew of a source when the run began, and what of it the listing has shown so far. Made on the calling
 * thread; `rows` and `by_hash` are then read by all threads, `listed` belongs to the calling thread. */
#ifndef INGEST_KNOWN_H
#define INGEST_KNOWN_H

#include "ingest/hash_set.h"
#include "ingest/ingest.h"

enum known_state {
    KNOWN_UNSEEN = 0,
    KNOWN_LISTED,
    KNOWN_KEPT,  /* below a folder that could not be listed */
    KNOWN_MOVED,
    KNOWN_EMPTIED,
    KNOWN_FORGOTTEN,
};

struct known_source {
    char *name;
    struct arena arena;
    struct index_known *rows; /* sorted by path */
    size_t n;
    uint32_t *by_hash;        /* rows sorted by hash, then path */
    uint8_t *state;           /* enum known_state, by row */
    uint32_t *taken;          /* by place in by_hash, at the first of equal ones: how many of them are no candidates any more */
    struct hash_set written;  /* streams: paths that this run has shown already */
    qa_error refused;         /* status QA_OK: may be written. Else each document of it fails with this */
    bool ruled;               /* access rules keep somebody out */
    bool noted;               /* root and that are on record */
    bool to_note;             /* they have to be, even if no document is written */
};

qa_status known_load(struct index_port index, const char *source, struct known_source *out, qa_error *err);
void known_free(struct known_source *k);

#define KNOWN_NONE SIZE_MAX
size_t known_find(const struct known_source *k, const char *path);
bool known_has_hash(const struct known_source *k, struct hash128 hash);
/* Takes the first unseen row by path that has these bytes: it moved. */
size_t known_take_moved(struct known_source *k, struct hash128 hash);
/* `folder` ends in '/' and could not be listed. */
void known_keep_below(struct known_source *k, const char *folder);

#endif
