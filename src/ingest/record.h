/* What is stored of a document besides its bytes and chunks: title, URL, metadata, access; and the hash that tells whether
 * any of it has to be made anew. */
#ifndef INGEST_RECORD_H
#define INGEST_RECORD_H

#include "ingest/glob.h"
#include "ingest/ingest.h"

/* Raised when readers, chunker or what is made here change what is stored for the same bytes: then every document is read
 * again. */
#define RECORD_VERSION "1"

/* A run's rules, made ready once and read by all threads. */
struct record_rules {
    struct arena arena;
    struct glob **globs;      /* by rule of the run */
    char *metadata;           /* of the run, as text; malloc'd */
    struct hash128 base;      /* of all that is the same for every document of the run */
};
qa_status record_prepare(const struct ingest_run *run, struct record_rules *out, qa_error *err);
void record_release(struct record_rules *rules);

/* What the source says about access to this path, perhaps in `scratch`; *out is NULL when it says nothing. */
qa_status record_access(const struct ingest_run *run, const struct record_rules *rules, const char *path, struct ingest_rule *scratch,
                        const struct ingest_rule **out, qa_error *err);

/* Hash of all but the bytes and the path, so that a moved document keeps it. */
qa_status record_settings(const struct record_rules *rules, const struct document_item *item, const struct ingest_rule *access,
                          struct arena *a, struct hash128 *out, qa_error *err);

/* Fills who may see it: those whom the item's own list names, else the front matter's (tree NULL: nobody could read it), else `access`.
 * QA_BAD_CONFIG when that cannot be meant. */
qa_status record_fill_access(const struct document_item *item, const struct ingest_rule *access, const struct doc_tree *tree,
                             struct arena *a, struct index_document_record *out, qa_error *err);

/* Fills title, url, metadata and access of `out` from item, document and run. */
qa_status record_fill(const struct ingest_run *run, const struct document_item *item, const struct ingest_rule *access,
                      const struct doc_tree *tree, struct arena *a, struct index_document_record *out, qa_error *err);

#endif
