/* The two SQLite files behind the index and memory ports. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "port/index.h"
#include "port/memory.h"
#include <stdatomic.h>

struct store_index;
enum store_mode {
    STORE_READ,   /* the file must exist and is never changed */
    STORE_WRITE   /* created or upgraded if need be; QA_BUSY with the process id when another writer has it */
};
/* `cancel` (may be NULL) is looked at during long statements: QA_CANCELLED. */
qa_status store_open_index(const char *path, enum store_mode mode, const atomic_int *cancel, struct store_index **out, qa_error *err);
void store_close_index(struct store_index *s);
struct index_port store_index_port(struct store_index *s);
/* Verifies everything: SQLite's own check, foreign keys, the postings against the chunks, each map against its bytes, each hash,
 * the vectors against their codes. */
qa_status store_check_index(struct store_index *s, qa_error *err);
/* {"format": 3, "created_by": ..., "sources": [...], "vectors": {...}, sizes ...} for `index info`. */
qa_status store_index_info(struct store_index *s, json_t **out, qa_error *err);

struct store_state;
qa_status store_open_state(const char *path, enum store_mode mode, struct store_state **out, qa_error *err);
void store_close_state(struct store_state *s);
struct memory_port store_memory_port(struct store_state *s);

#endif
