/* Patterns over paths, as in a .gitignore: the ignore files, --include and --exclude, and the path rules of access all speak
 * this one language.
 *
 *     name        at any depth, a file or a folder          *.md        * and ? and [a-z] never match a slash
 *     name/       a folder                                  \# \!       the character itself
 *     a/b  /a     from where the pattern stands             !name       takes back what an earlier line left out
 *
 * A double star between slashes stands for any number of folders, also none; after the last slash for all that is inside. */
#ifndef INGEST_GLOB_H
#define INGEST_GLOB_H

#include "base/arena.h"

#define GLOB_MAX_SEGMENTS 2048 /* a path of PATH_MAX bytes has no more */

struct glob {
    const char **segments; /* between the slashes; NULL stands for a double star */
    size_t n;
    bool *literal;         /* by segment: no special character */
    bool negated, folder_only, anchored;
};

/* A path cut at its slashes: what matching looks at. The strings point into `text`. */
struct glob_path {
    char *text;
    const char **segments;
    size_t n, cap;
    size_t text_cap;
};

/* Compiles one line. *out is NULL for a line that says nothing (blank, comment, lone "/"). The line need not end in NUL. */
qa_status glob_compile(struct arena *a, const char *line, size_t len, struct glob **out, qa_error *err);
/* Does it match these segments as a whole? */
bool glob_matches(const struct glob *g, const char *const *segments, size_t n, bool folder);
/* Does it match the path of a file, or a folder above it? */
bool glob_covers(const struct glob *g, const struct glob_path *path);

/* Cuts a copy of `path`; the memory is used again by the next call. */
qa_status glob_cut(struct glob_path *p, const char *path, qa_error *err);
void glob_path_free(struct glob_path *p);

#endif
