/* One run of ingest_source: what its parts share.
 *
 * The calling thread lists, writes and tells; other threads turn a slot's item into a record. Between next and done a slot
 * belongs to one of them alone; the run, the rules and what is known are only read meanwhile. */
#ifndef INGEST_RUN_H
#define INGEST_RUN_H

#include "ingest/batch.h"
#include "ingest/known.h"
#include "ingest/record.h"

enum outcome {
    OUT_FAILED,    /* error says why */
    OUT_VANISHED,  /* listed, but not there to read: the next run will tell */
    OUT_SKIPPED,   /* of a type that is not read */
    OUT_UNCHANGED,
    OUT_DELETED,
    OUT_EMPTIED,   /* a file that had bytes has none: as good as gone, until the listing tells whether all of them are like this */
    OUT_ALIKE,     /* a new path with the bytes of a known document: moved, if that one turns out to be gone */
    OUT_TOO_BIG,   /* over a slot's share of memory: to be worked on alone */
    OUT_RECORD     /* record is to be written */
};

struct slot {
    struct arena arena;
    struct document_item item;
    bool live;                    /* item is to be released */
    struct known_source *source;  /* NULL: no document */
    size_t row;                   /* what is known of the path, or KNOWN_NONE */
    size_t from;                  /* the row it may have moved from */
    bool again;                   /* this run has shown the path before */
    bool counts;                  /* as seen, once it is done */
    enum outcome outcome;
    struct index_document_record record;
    struct hash128 hash;
    size_t bytes;
    bool own_access;              /* restricted by itself, in a source that states no default */
    qa_error error;
};

enum { RUN_KEEP_MEMORY = 1 << 20 }; /* of a slot's arena, when its document is done */

/* Items that wait for the end of the listing. */
struct aside {
    struct aside_item {
        struct document_item item;
        struct hash128 hash;
    } *items;
    size_t n, cap, at;
};

struct run_state {
    const struct ingest_run *run;
    struct record_rules rules;
    struct batch batch;
    struct known_source **sources;
    size_t n_sources, cap_sources;
    struct slot *slots;
    unsigned threads, window;
    size_t max_bytes, share, alone; /* arena ceilings: of a slot, and of one document alone */
    bool had_failures;            /* some document's last ingestion failed: success must be noted */
    bool write_failed;            /* an open transaction may hold part of a document */
    struct hash_set failed;       /* paths whose failure this run has noted */
    uint64_t listed, own_access, narrowed;
    struct arena aside_arena;
    struct aside alike, emptied;  /* by their outcomes */
    struct aside *aside;          /* the one that is worked on now; NULL: the listing */
};

/* Any thread: reads and parses the slot's item, sets outcome. */
void run_work(void *state, void *slot);
/* Calling thread: writes what became of it. */
qa_status run_done(void *state, void *slot, qa_error *err);
/* Before a document of `source` is written. */
qa_status run_begin_write(struct run_state *s, struct known_source *source, qa_error *err);
/* Narrows the access of a document that is in the index, or may be, and that this run does not read (narrow.c). `known` NULL: the run has
 * written it itself. */
qa_status run_narrow(struct run_state *s, struct known_source *source, const struct index_known *known, const struct document_item *item,
                     qa_error *err);
/* The same for all that the index goes on holding although the listing does not show it, or shows it empty. */
qa_status run_narrow_kept(struct run_state *s, struct known_source *source, qa_error *err);

#endif
