/* Which paths the ignore files of git and of Quaere leave out. A level is what one folder adds; levels hang on their parents
 * like the folders they come from. A level lives in the arena of the folder being walked and dies with it. */
#ifndef INGEST_IGNORE_H
#define INGEST_IGNORE_H

#include "ingest/glob.h"

struct ignore_level {
    const struct ignore_level *parent;
    size_t depth;              /* segments of the folder's path: patterns see what comes after them */
    struct glob **git, **own;  /* .gitignore (for the topmost level .git/info/exclude before it), .quaereignore */
    size_t n_git, n_own;
};

/* Reads the ignore files of `folder` (a path that can be opened). *out is `parent` itself when there are none. A file that
 * cannot be read is an error: leaving its patterns out would let in what somebody wanted kept out. */
qa_status ignore_read(struct arena *a, const char *folder, const struct ignore_level *parent, size_t depth, bool with_exclude,
                      const struct ignore_level **out, qa_error *err);

/* The levels of the folders above `root` up to the top of its git work tree, if it is in one. `above` gets root's path below
 * that top, "" at the top or without git. When git itself ignores the root (someone names a build folder on purpose),
 * nothing above it counts. */
qa_status ignore_read_above(struct arena *a, const char *root, const struct ignore_level **out, const char **above, qa_error *err);

/* The deepest level that says something decides, in it the last line; .quaereignore before git. */
bool ignore_leaves_out(const struct ignore_level *level, const struct glob_path *path, bool folder);

#endif
