/* A listing of a folder: paths in order of their bytes, compact, since a folder may hold a million files. */
#ifndef INGEST_WALK_H
#define INGEST_WALK_H

#include "base/buf.h"
#include "ingest/ingest.h"

#define WALK_FAILED UINT64_MAX

struct walk_entry {
    uint32_t folder, name; /* offsets in `names`; path = folder (ends in '/', or "") + name. Failed: message, path */
    uint64_t bytes;        /* WALK_FAILED: a place that could not be read; its path may end in '/' */
};
struct walk_list {
    struct walk_entry *entries;
    size_t n, cap;
    struct buf names; /* strings, each with its NUL */
    uint64_t skipped, documents, bytes;
};
/* `root` is absolute with its links resolved. */
qa_status walk_folder(const struct ingest_folder_options *options, const char *root, struct walk_list *out, qa_error *err);
void walk_free(struct walk_list *list);

/* Appends a copy of `s` to names / an entry. */
qa_status walk_add_string(struct walk_list *list, const char *s, uint32_t *at, qa_error *err);
qa_status walk_add_entry(struct walk_list *list, uint32_t folder, uint32_t name, uint64_t bytes, qa_error *err);

#endif
