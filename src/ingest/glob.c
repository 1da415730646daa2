/* Segments are matched one by one with fnmatch(3), which knows classes and escapes and never sees a slash; only the double
 * star is ours. Both loops keep a single place to go back to, so that no pattern takes more than the product of the two
 * lengths. */
#include "ingest/glob.h"
#include "ingest/ingest.h"
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Blanks at the end do not count unless a backslash stands before them. */
static size_t trimmed(const char *line, size_t len) {
    size_t end = 0;
    for (size_t i = 0; i < len; i++) {
        if (line[i] == '\\' && i + 1 < len)
            end = ++i + 1;
        else if (line[i] != ' ')
            end = i + 1;
    }
    return end;
}

static size_t count_slashes(const char *s, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += s[i] == '/';
    return count;
}

qa_status glob_compile(struct arena *a, const char *line, size_t len, struct glob **out, qa_error *err) {
    struct glob g = {0};
    *out = NULL;
    if (len && line[len - 1] == '\r')
        len--;
    len = trimmed(line, len);
    if (!len || line[0] == '#' || memchr(line, '\0', len))
        return QA_OK;
    if (line[0] == '!') {
        g.negated = true;
        line++, len--;
    }
    if (len && line[len - 1] == '/') {
        g.folder_only = true;
        len--;
    }
    g.anchored = len && memchr(line, '/', len);
    if (len && line[0] == '/')
        line++, len--;
    if (!len)
        return QA_OK;
    size_t cap = count_slashes(line, len) + 1;
    if (cap > GLOB_MAX_SEGMENTS)
        return QA_OK; /* no path is that deep */
    struct glob *made = arena_alloc(a, sizeof *made);
    g.segments = arena_array(a, cap, sizeof *g.segments);
    g.literal = arena_array(a, cap, sizeof *g.literal);
    if (!made || !g.segments || !g.literal)
        return arena_error(a, err, "reading patterns");
    for (size_t from = 0; from <= len;) {
        const char *slash = memchr(line + from, '/', len - from);
        size_t n = slash ? (size_t)(slash - line) - from : len - from;
        char *segment = arena_copy(a, line + from, n);
        if (!segment)
            return arena_error(a, err, "reading patterns");
        bool stars = g.anchored && strcmp(segment, "**") == 0;
        if (!(stars && g.n && !g.segments[g.n - 1])) { /* two in a row say no more than one */
            g.segments[g.n] = stars ? NULL : segment;
            g.literal[g.n] = !segment[strcspn(segment, "*?[\\")];
            g.n++;
        }
        from += n + 1;
    }
    *made = g;
    *out = made;
    return QA_OK;
}

static bool segment_matches(const struct glob *g, size_t i, const char *name) {
    return g->literal[i] ? strcmp(g->segments[i], name) == 0 : fnmatch(g->segments[i], name, 0) == 0;
}

bool glob_matches(const struct glob *g, const char *const *segments, size_t n, bool folder) {
    if (!n || (g->folder_only && !folder))
        return false;
    if (!g->anchored)
        return segment_matches(g, 0, segments[n - 1]);
    size_t at = 0, i = 0, star = SIZE_MAX, mark = 0;
    while (i < n) {
        if (at < g->n && !g->segments[at]) {
            if (at + 1 == g->n)
                return true; /* all that is inside, but not the folder itself: i < n */
            star = at++;
            mark = i;
        } else if (at < g->n && segment_matches(g, at, segments[i])) {
            at++, i++;
        } else if (star != SIZE_MAX) {
            at = star + 1;
            i = ++mark;
        } else {
            return false;
        }
    }
    return at == g->n;
}

bool glob_covers(const struct glob *g, const struct glob_path *path) {
    for (size_t n = 1; n <= path->n; n++)
        if (glob_matches(g, path->segments, n, n < path->n))
            return true;
    return false;
}

qa_status glob_cut(struct glob_path *p, const char *path, qa_error *err) {
    size_t len = strlen(path), need = count_slashes(path, len) + 1;
    if (len + 1 > p->text_cap) {
        char *text = realloc(p->text, len + 256);
        if (!text)
            return error_no_memory(err, "matching paths");
        p->text = text;
        p->text_cap = len + 256;
    }
    if (need > p->cap) {
        const char **segments = realloc(p->segments, (need + 16) * sizeof *segments);
        if (!segments)
            return error_no_memory(err, "matching paths");
        p->segments = segments;
        p->cap = need + 16;
    }
    memcpy(p->text, path, len + 1);
    p->n = 0;
    for (char *at = p->text; *at;) {
        p->segments[p->n++] = at;
        char *slash = strchr(at, '/');
        if (!slash)
            break;
        *slash = '\0';
        at = slash + 1;
    }
    return QA_OK;
}

void glob_path_free(struct glob_path *p) {
    free(p->text);
    free(p->segments);
    *p = (struct glob_path){0};
}

qa_status ingest_check_glob(const char *glob, qa_error *err) {
    struct arena a;
    struct glob *g = NULL;
    arena_init(&a, 1 << 20);
    qa_status status = strlen(glob) < PATH_MAX ? glob_compile(&a, glob, strlen(glob), &g, err) : QA_OK;
    if (status == QA_OK && (!g || g->negated))
        status = error_set(err, QA_BAD_USAGE, "\"%.100s\" is no pattern for paths: write it like \"*.md\", \"drafts/\" or \"guide/**/draft-*\", without a "
                           "leading '!' or '#'", glob);
    arena_free(&a);
    return status;
}
