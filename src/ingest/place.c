/* Roots are compared as resolved paths, so that a link and its target are one folder. */
#include "base/file.h"
#include "base/utf8.h"
#include "ingest/ingest.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_SOURCE_NAME = 200 };

qa_status ingest_check_source_name(const char *name, qa_error *err) {
    size_t n = strlen(name);
    bool fine = n > 0 && n <= MAX_SOURCE_NAME && utf8_valid_len(name, n) == n && name[0] != ' ' && name[n - 1] != ' ';
    for (size_t i = 0; fine && i < n; i++)
        fine = (unsigned char)name[i] >= 0x20 && name[i] != 0x7F && name[i] != '/' && name[i] != ':';
    if (fine)
        return QA_OK;
    return error_set(err, QA_BAD_USAGE, "\"%.*s\" cannot name a source: 1 to %d bytes of text without '/', ':', control characters and blanks "
                     "at the ends", utf8_valid_len(name, n) == n ? 60 : 0, name, MAX_SOURCE_NAME);
}

/* A folder's name, changed as little as makes it a source's. */
static char *default_name(struct arena *a, const char *root) {
    const char *base = file_basename(root);
    size_t n = strlen(base), from = 0;
    char *name = arena_string(a, n ? base : "root");
    if (!name || !n)
        return name;
    if (n > MAX_SOURCE_NAME)
        name[n = utf8_floor(name, MAX_SOURCE_NAME)] = '\0';
    if (utf8_valid_len(name, n) != n)
        for (size_t i = 0; i < n; i++)
            name[i] = (unsigned char)name[i] < 0x80 ? name[i] : '-';
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7F || name[i] == ':')
            name[i] = '-';
    while (n > 1 && name[n - 1] == ' ')
        name[--n] = '\0';
    while (name[from] == ' ' && from + 1 < n)
        from++;
    return name[from] == ' ' ? arena_string(a, "root") : name + from;
}

static bool same(const char *x, const char *y) { return strcmp(x, y) == 0; }

/* Does `path` lie below `root`? Gives what follows. */
static const char *below(const char *path, const char *root) {
    size_t n = strlen(root);
    if (strncmp(path, root, n) != 0)
        return NULL;
    if (n && root[n - 1] == '/')
        return path[n] ? path + n : NULL;
    return path[n] == '/' ? path + n + 1 : NULL;
}

static bool is_stream(const struct ingest_root *r) { return same(r->root, INGEST_STREAM); }

/* The folder of a path resolved, its last part as it stands: what is asked for may be a link to a file, or may not be
 * there. */
static qa_status resolve_parent(struct arena *a, const char *path, char **out, qa_error *err) {
    char resolved[PATH_MAX];
    char *absolute = file_absolute(a, path);
    char *dir = absolute ? file_dirname(a, absolute) : NULL;
    if (!dir)
        return arena_error(a, err, "finding a source");
    *out = file_join(a, realpath(dir, resolved) ? resolved : dir, file_basename(absolute));
    return *out ? QA_OK : arena_error(a, err, "finding a source");
}

static qa_status name_mismatch(const struct ingest_root *known, const char *source, qa_error *err) {
    return error_set(err, QA_BAD_USAGE, "%s is already the source \"%s\"; it cannot also be \"%s\". Leave --source out to bring it up to date",
                     known->root, known->source, source);
}

static qa_status place_file(struct arena *a, const char *file, const char *source, const struct ingest_root *known, size_t n,
                            struct ingest_place *out, qa_error *err) {
    for (size_t i = 0; i < n; i++) {
        const char *rest = is_stream(&known[i]) ? NULL : below(file, known[i].root);
        if (!rest)
            continue;
        if (source && !same(source, known[i].source))
            return name_mismatch(&known[i], source, err);
        out->source = arena_string(a, known[i].source);
        out->root = arena_string(a, known[i].root);
        out->only = arena_string(a, rest);
        return out->source && out->root && out->only ? QA_OK : arena_error(a, err, "finding a source");
    }
    out->root = file_dirname(a, file);
    out->only = arena_string(a, file_basename(file));
    return out->root && out->only ? QA_OK : arena_error(a, err, "finding a source");
}

/* out->root is set: does it go together with what is known? Sets out->source. */
static qa_status check_root(struct arena *a, const char *source, const struct ingest_root *known, size_t n,
                            struct ingest_place *out,
                            qa_error *err) {
    struct stat st;
    for (size_t i = 0; i < n; i++) {
        if (is_stream(&known[i]))
            continue;
        if (same(known[i].root, out->root)) {
            if (source && !same(source, known[i].source))
                return name_mismatch(&known[i], source, err);
            out->source = arena_string(a, known[i].source);
            return out->source ? QA_OK : arena_error(a, err, "finding a source");
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (is_stream(&known[i]))
            continue;
        if (below(out->root, known[i].root))
            return error_set(err, QA_BAD_USAGE, "%s lies inside %s, which is the source \"%s\": its documents are there already. Ingest %s to bring "
                             "them up to date, or use another --index", out->root, known[i].root, known[i].source, known[i].root);
        if (below(known[i].root, out->root) && (!source || !same(source, known[i].source)))
            return error_set(err, QA_BAD_USAGE, "%s contains %s, which is the source \"%s\": its documents would be there twice. Ingest other folders, "
                             "or use another --index", out->root, known[i].root, known[i].source);
    }
    out->source = source ? arena_string(a, source) : default_name(a, out->root);
    if (!out->source)
        return arena_error(a, err, "finding a source");
    for (size_t i = 0; i < n; i++) {
        if (!same(known[i].source, out->source))
            continue;
        if (is_stream(&known[i]))
            return error_set(err, QA_BAD_USAGE, "the source \"%s\" was made from JSON lines and cannot also be the folder %s: give another name "
                             "with --source", out->source, out->root);
        if (stat(known[i].root, &st) == 0 || errno != ENOENT)
            return error_set(err, QA_BAD_USAGE, "the source \"%s\" is the folder %s; %s needs another name, with --source",
                             out->source, known[i].root,
                             out->root);
        out->moved_from = arena_string(a, known[i].root);
        if (!out->moved_from)
            return arena_error(a, err, "finding a source");
    }
    return QA_OK;
}

qa_status ingest_find_place(struct arena *a, const char *path, const char *source, const struct ingest_root *known, size_t n_known,
                            struct ingest_place *out, qa_error *err) {
    char resolved[PATH_MAX];
    char *there = NULL;
    struct stat st;
    *out = (struct ingest_place){0};
    qa_status status = source ? ingest_check_source_name(source, err) : QA_OK;
    if (status != QA_OK || (status = resolve_parent(a, path, &there, err)) != QA_OK)
        return status;
    if (stat(path, &st) != 0) {
        int why = errno;
        for (size_t i = 0; why == ENOENT && i < n_known; i++)
            if (!is_stream(&known[i]) && same(known[i].root, there)) {
                out->missing = true;
                out->root = there;
                return check_root(a, source, known, n_known, out, err);
            }
        return error_set_errno(err, why, "cannot ingest %s", path);
    }
    if (S_ISREG(st.st_mode)) {
        if ((status = place_file(a, there, source, known, n_known, out, err)) != QA_OK || out->source)
            return status;
    } else if (!S_ISDIR(st.st_mode)) {
        return error_set(err, QA_BAD_USAGE, "%s is neither a file nor a folder", path);
    } else if (!realpath(path, resolved)) {
        return error_set_errno(err, errno, "cannot ingest %s", path);
    } else if (!(out->root = arena_string(a, resolved))) {
        return arena_error(a, err, "finding a source");
    }
    return check_root(a, source, known, n_known, out, err);
}
