/* An index port in memory, complete enough to test ingest, search and answers: BM25 over the words of text/words.h with
 * title, heading path and file name counted twice; vectors as the floats they came as; filter and caller inside every read;
 * transactions that roll back. Small and slow.
 *
 * One thread at a time. All functions cope with allocations that fail (fault tests), and hand out nothing then. */
#ifndef FAKE_INDEX_H
#define FAKE_INDEX_H

#include "base/buf.h"
#include "port/index.h"

struct fake_index;
struct fake_index *fake_index_new(void); /* NULL when out of memory */
void fake_index_free(struct fake_index *f);
struct index_port fake_index_port(struct fake_index *f);

/* What is committed, as text: embedder, documents by source and path with all that was stored, failures, roots. */
void fake_index_dump(const struct fake_index *f, struct buf *out);
size_t fake_index_count(const struct fake_index *f); /* documents committed */
/* One committed document, or NULL. The record lives until the next write. */
const struct index_document_record *fake_index_find(const struct fake_index *f, const char *source, const char *path);
/* The cause noted for a path, or NULL. */
const char *fake_index_failure(const struct fake_index *f, const char *source, const char *path);

/* Puts one Markdown-like text without any reader: paragraphs separated by blank lines become chunks, copied whole. heading
 * may be NULL; groups NULL: everyone; else `n_groups` of them (0: nobody). Commits. */
qa_status fake_index_add(struct fake_index *f, const char *source, const char *path, const char *title, const char *heading,
                         const char *text,
                         const char *const *groups, size_t n_groups, const char *metadata, qa_error *err);

struct fake_index_counts {
    unsigned begins, commits, rollbacks, puts, moves, forgets, accesses;
};
struct fake_index_counts fake_index_counts(const struct fake_index *f);
/* The nth put, move, forget or set_access from now fails with QA_IO (0: none), as does the nth commit. */
void fake_index_fail(struct fake_index *f, unsigned nth_write, unsigned nth_commit);

#endif
