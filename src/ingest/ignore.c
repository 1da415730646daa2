#include "ingest/ignore.h"
#include "base/file.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_IGNORE_FILE = 1 << 20 };

/* Adds the patterns of one file, if it is there. */
static qa_status read_patterns(struct arena *a, const char *folder, const char *name, struct glob ***globs, size_t *n,
                               qa_error *err) {
    char *data = NULL;
    size_t len = 0, lines = 1;
    char *path = file_join(a, folder, name);
    if (!path)
        return arena_error(a, err, "reading ignore files");
    if (access(path, F_OK) != 0)
        return QA_OK;
    qa_status status = file_read(a, path, MAX_IGNORE_FILE, &data, &len, err);
    if (status == QA_NOT_FOUND)
        return QA_OK;
    if (status != QA_OK)
        return status;
    if (len >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0)
        data += 3, len -= 3;
    for (size_t i = 0; i < len; i++)
        lines += data[i] == '\n';
    struct glob **grown = arena_grow(a, *globs, *n, *n + lines, sizeof *grown);
    if (!grown)
        return arena_error(a, err, "reading ignore files");
    *globs = grown;
    for (size_t from = 0; from < len;) {
        const char *newline = memchr(data + from, '\n', len - from);
        size_t line = newline ? (size_t)(newline - data) - from : len - from;
        struct glob *g = NULL;
        if ((status = glob_compile(a, data + from, line, &g, err)) != QA_OK)
            return status;
        if (g)
            grown[(*n)++] = g;
        from += line + 1;
    }
    return QA_OK;
}

qa_status ignore_read(struct arena *a, const char *folder, const struct ignore_level *parent, size_t depth, bool with_exclude,
                      const struct ignore_level **out, qa_error *err) {
    struct ignore_level level = {.parent = parent, .depth = depth};
    *out = parent;
    qa_status status = QA_OK;
    if (with_exclude)
        status = read_patterns(a, folder, ".git/info/exclude", &level.git, &level.n_git, err);
    if (status == QA_OK)
        status = read_patterns(a, folder, ".gitignore", &level.git, &level.n_git, err);
    if (status == QA_OK)
        status = read_patterns(a, folder, ".quaereignore", &level.own, &level.n_own, err);
    if (status != QA_OK || !(level.n_git + level.n_own))
        return status;
    struct ignore_level *made = arena_alloc(a, sizeof *made);
    if (!made)
        return arena_error(a, err, "reading ignore files");
    *made = level;
    *out = made;
    return QA_OK;
}

/* 1: leaves it out, -1: takes it back, 0: says nothing. */
static int verdict(struct glob *const *globs, size_t n_globs, const struct ignore_level *level, const struct glob_path *path,
                   bool folder) {
    for (size_t i = n_globs; i-- > 0;)
        if (glob_matches(globs[i], path->segments + level->depth, path->n - level->depth, folder))
            return globs[i]->negated ? -1 : 1;
    return 0;
}

bool ignore_leaves_out(const struct ignore_level *deepest, const struct glob_path *path, bool folder) {
    for (const struct ignore_level *level = deepest; level; level = level->parent) {
        int said = verdict(level->own, level->n_own, level, path, folder);
        if (said)
            return said > 0;
    }
    for (const struct ignore_level *level = deepest; level; level = level->parent) {
        int said = verdict(level->git, level->n_git, level, path, folder);
        if (said)
            return said > 0;
    }
    return false;
}

/* The length of the part of `root` (absolute) that is the top of a git work tree; 0 when it is in none. */
static size_t find_top(const char *root) {
    char git[PATH_MAX + 8];
    for (size_t n = strlen(root); n > 0 && n < PATH_MAX;) {
        snprintf(git, sizeof git, "%.*s/.git", (int)n, root);
        if (access(git, F_OK) == 0)
            return n;
        while (n > 0 && root[n - 1] != '/')
            n--;
        while (n > 0 && root[n - 1] == '/')
            n--;
    }
    return 0;
}

qa_status ignore_read_above(struct arena *a, const char *root, const struct ignore_level **out, const char **above, qa_error *err) {
    qa_status status = QA_OK;
    const struct ignore_level *level = NULL;
    struct glob_path path = {0};
    size_t top = find_top(root), len = strlen(root), depth = 0;
    *out = NULL;
    *above = "";
    if (!top || top == len)
        return QA_OK; /* at the top the walk itself reads what is there */
    const char *below = root + top + (root[top] == '/');
    for (size_t n = top; n < len; depth++) {
        char *folder = arena_copy(a, root, n);
        size_t next = n + (root[n] == '/');
        next += strcspn(root + next, "/");
        char *child = arena_copy(a, below, next - (size_t)(below - root));
        if (!folder || !child) {
            status = arena_error(a, err, "reading ignore files");
            goto out;
        }
        if ((status = ignore_read(a, folder, level, depth, n == top, &level, err)) != QA_OK ||
            (status = glob_cut(&path, child, err)) != QA_OK)
            goto out;
        if (ignore_leaves_out(level, &path, true))
            goto out;
        n = next;
    }
    *out = level;
    *above = below;
out:
    glob_path_free(&path);
    return status;
}
