/* models.conf: the one that is compiled in (cmake/models.cmake makes model_builtin of it), then the user's, which wins by name. */
#include "base/file.h"
#include "base/nearest.h"
#include "model/builtin.h"
#include "model/internal.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE = 1 << 20, MAX_ENTRIES = 1000, MAX_SOURCES = 16, MAX_PARTS = 64, MAX_NAME = 64, MAX_LINE = 2000 };

struct reader {
    struct arena *a;
    const char *file;
    size_t line;
    struct model_entry *entries; /* MAX_ENTRIES */
    size_t n, first;             /* first: of this file */
    struct model_source sources[MAX_SOURCES]; /* of the entry that is being read */
    size_t n_sources, n_parts;
    qa_error *err;
};

static const char *const keys[] = {"model",  "role", "about",  "licence",     "dimensions",   "context",        "bytes",  "sha256",
                                   "memory", "page", "import", "gguf_sha256", "query_prefix", "passage_prefix", "source", "part"};

static qa_status wrong(const struct reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static qa_status wrong(const struct reader *r, const char *format, ...) {
    char what[400];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return error_set(r->err, QA_BAD_CONFIG, "%s:%zu: %s", r->file, r->line, what);
}
static qa_status no_memory(const struct reader *r) { return arena_error(r->a, r->err, r->file); }

/* ---- What a value may be ---- */

/* A file is named after it. */
static bool is_name(const char *s) {
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return n && n <= MAX_NAME && !s[n] && isalnum((unsigned char)s[0]);
}
static bool is_sha256(const char *s) { return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64; }
static bool is_url(const char *s) {
    size_t n = strncmp(s, "https://", 8) == 0 ? 8 : strncmp(s, "http://", 7) == 0 ? 7 : 0;
    for (const char *p = s; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7F)
            return false;
    return n && isalnum((unsigned char)s[n]);
}
/* Only a name and an exact version: nothing that a package client could take for an option, an address or a folder. */
static bool is_package(const char *s, const char *between, bool scope) {
    const char *name = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (scope && *s == '@') {
        size_t n = strspn(s + 1, name);
        if (!n || s[1 + n] != '/')
            return false;
        s += n + 2;
    }
    size_t n = strspn(s, name);
    if (!n || !isalnum((unsigned char)s[0]) || strncmp(s + n, between, strlen(between)) != 0)
        return false;
    s += n + strlen(between);
    n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+_-");
    return n && !s[n] && isdigit((unsigned char)s[0]);
}

static qa_status read_number(const struct reader *r, const char *key, const char *value, uint64_t max, uint64_t *out) {
    char *end = NULL;
    errno = 0;
    unsigned long long v = strtoull(value, &end, 10);
    if (!isdigit((unsigned char)value[0]) || *end || errno || !v || v > max)
        return wrong(r, "%s wants a whole number from 1 to %llu, not \"%.40s\"", key, (unsigned long long)max, value);
    *out = v;
    return QA_OK;
}

/* ---- Sources ---- */

/* KIND WHAT [INSIDE]; a part is added to the source before it, each field a list with spaces between. */
static qa_status read_source(struct reader *r, char *value, bool part) {
    char *rest = value, *kind = strsep(&rest, " \t"), *what = rest ? rest + strspn(rest, " \t") : NULL;
    rest = what;
    what = rest ? strsep(&rest, " \t") : NULL;
    char *inside = rest ? rest + strspn(rest, " \t") : NULL;
    if (inside && !*inside)
        inside = NULL;
    if (!what || !*what)
        return wrong(r, "%s wants a kind (url, pypi, npm) and an address or package", part ? "part" : "source");
    bool url = strcmp(kind, "url") == 0, pypi = strcmp(kind, "pypi") == 0, npm = strcmp(kind, "npm") == 0;
    if (!url && !pypi && !npm)
        return wrong(r, "unknown kind of source \"%.40s\"; there are url, pypi and npm", kind);
    if (url && (!is_url(what) || inside))
        return wrong(r, "what follows \"%s url\" is no http or https address", part ? "part" : "source"); /* not told again: it may hold a password */
    if (pypi && !is_package(what, "==", false))
        return wrong(r, "\"%.100s\" must be a package and its exact version: name==1.0.0", what);
    if (npm && !is_package(what, "@", true))
        return wrong(r, "\"%.100s\" must be a package and its exact version: name@1.0.0", what);
    if (!url && (!inside || strpbrk(inside, " \t")))
        return wrong(r, "after the package comes the path of the file within it, without spaces");
    if (!part) {
        if (r->n_sources == MAX_SOURCES)
            return wrong(r, "more than %d sources", MAX_SOURCES);
        struct model_source *s = &r->sources[r->n_sources++];
        *s = (struct model_source){arena_string(r->a, kind), arena_string(r->a, what), arena_string(r->a, inside)};
        r->n_parts = 1;
        return s->kind && s->what && (s->inside || !inside) ? QA_OK : no_memory(r);
    }
    struct model_source *s = r->n_sources ? &r->sources[r->n_sources - 1] : NULL;
    if (!s || strcmp(s->kind, kind) != 0)
        return wrong(r, "a part goes on with a source of the same kind above it");
    if (++r->n_parts > MAX_PARTS)
        return wrong(r, "more than %d parts", MAX_PARTS);
    s->what = arena_printf(r->a, "%s %s", s->what, what);
    s->inside = inside ? arena_printf(r->a, "%s %s", s->inside, inside) : NULL;
    return s->what && (s->inside || !inside) ? QA_OK : no_memory(r);
}

/* ---- Entries ---- */

static qa_status end_entry(struct reader *r) {
    struct model_entry *e = r->n > r->first ? &r->entries[r->n - 1] : NULL;
    if (!e)
        return QA_OK;
    if (!e->licence || !e->about)
        return wrong(r, "the entry %s ends here and has no %s", e->name, e->licence ? "about" : "licence");
    if (e->role == MODEL_EMBEDDER && !e->dimensions)
        return wrong(r, "the embedder %s ends here and has no dimensions", e->name);
    if (e->role == MODEL_GENERATOR && (e->query_prefix || e->passage_prefix))
        return wrong(r, "the generator %s ends here and has a prefix; only an embedder has", e->name);
    if (r->n_sources && !e->sha256)
        return wrong(r, "the entry %s has a source and no sha256: what is fetched could not be checked", e->name);
    if (r->n_sources && !e->bytes)
        return wrong(r, "the entry %s has a source and no bytes", e->name);
    for (size_t i = 0; e->import && i < r->n_sources; i++) {
        const struct model_source *s = &r->sources[i];
        const char *folder = s->inside ? s->inside : s->what;
        if (strchr(s->what, ' ') || folder[strlen(folder) - 1] != '/')
            return wrong(r, "%s is imported, so each of its sources is one folder, ending in /", e->name);
    }
    for (size_t i = 0; !e->import && i < r->n_sources; i++) {
        const char *file = r->sources[i].inside ? r->sources[i].inside : r->sources[i].what;
        if (file[strlen(file) - 1] == '/')
            return wrong(r, "a source of %s is a folder, and only \"import yes\" makes a file of one", e->name);
    }
    struct model_source *sources = arena_array(r->a, r->n_sources + 1, sizeof *sources);
    if (!sources)
        return no_memory(r);
    memcpy(sources, r->sources, r->n_sources * sizeof *sources);
    e->sources = sources;
    e->n_sources = r->n_sources;
    return QA_OK;
}

static qa_status begin_entry(struct reader *r, const char *name) {
    if (!is_name(name))
        return wrong(r, "\"%.80s\" cannot be the name of a model: letters, digits, . _ - and at most %d of them", name, MAX_NAME);
    for (size_t i = r->first; i < r->n; i++)
        if (strcmp(r->entries[i].name, name) == 0)
            return wrong(r, "the model %s is there twice", name);
    if (r->n == MAX_ENTRIES)
        return wrong(r, "more than %d models", MAX_ENTRIES);
    r->entries[r->n] = (struct model_entry){.name = arena_string(r->a, name)};
    r->n_sources = 0;
    return r->entries[r->n++].name ? QA_OK : no_memory(r);
}

static qa_status take_text(struct reader *r, const char *value, const char **out) {
    *out = arena_string(r->a, value);
    return *out ? QA_OK : no_memory(r);
}

static qa_status take_sha256(struct reader *r, const char *key, const char *value, const char **out) {
    return is_sha256(value) ? take_text(r, value, out) : wrong(r, "%s wants 64 lower-case hexadecimal digits, not \"%.80s\"", key, value);
}

/* In quotes, as in JSON: a space at its end counts. */
static qa_status take_prefix(struct reader *r, const char *key, const char *value, const char **out) {
    json_t *text = NULL;
    qa_status status = *value == '"' ? json_parse(value, strlen(value), &text, NULL) : QA_BAD_INPUT;
    if (status == QA_OK && json_string_length(text) <= MODEL_MAX_PREFIX)
        status = take_text(r, json_string_value(text), out);
    else
        status = status == QA_NO_MEMORY ? no_memory(r) : wrong(r, "%s wants a text in quotes, such as \"query: \", of at most %d bytes", key, MODEL_MAX_PREFIX);
    json_decref(text);
    return status;
}

static qa_status read_key(struct reader *r, const char *key, char *value) {
    struct model_entry *e = r->n > r->first ? &r->entries[r->n - 1] : NULL;
    uint64_t v = 0;
    qa_status status = QA_OK;
    if (!*value)
        return wrong(r, "%.40s has no value", key);
    if (strcmp(key, "model") == 0)
        return (status = end_entry(r)) == QA_OK ? begin_entry(r, value) : status;
    if (!e)
        return wrong(r, "\"%.40s\" stands before the first \"model NAME\"", key);
    if (strcmp(key, "role") == 0) {
        e->role = strcmp(value, "embedder") == 0 ? MODEL_EMBEDDER : MODEL_GENERATOR;
        return e->role == MODEL_EMBEDDER || strcmp(value, "generator") == 0 ? QA_OK
                                                                           : wrong(r, "role is embedder or generator, not \"%.40s\"", value);
    }
    if (strcmp(key, "about") == 0)
        return take_text(r, value, &e->about);
    if (strcmp(key, "licence") == 0)
        return take_text(r, value, &e->licence);
    if (strcmp(key, "memory") == 0)
        return take_text(r, value, &e->memory);
    if (strcmp(key, "page") == 0)
        return is_url(value) ? take_text(r, value, &e->page) : wrong(r, "what follows \"page\" is no http or https address");
    if (strcmp(key, "sha256") == 0)
        return take_sha256(r, key, value, &e->sha256);
    if (strcmp(key, "gguf_sha256") == 0)
        return take_sha256(r, key, value, &e->gguf_sha256);
    if (strcmp(key, "query_prefix") == 0)
        return take_prefix(r, key, value, &e->query_prefix);
    if (strcmp(key, "passage_prefix") == 0)
        return take_prefix(r, key, value, &e->passage_prefix);
    if (strcmp(key, "import") == 0) {
        e->import = strcmp(value, "yes") == 0;
        return e->import || strcmp(value, "no") == 0 ? QA_OK : wrong(r, "import is yes or no, not \"%.40s\"", value);
    }
    if (strcmp(key, "bytes") == 0)
        return read_number(r, key, value, (uint64_t)1 << 50, &e->bytes);
    if (strcmp(key, "dimensions") == 0 || strcmp(key, "context") == 0) {
        status = read_number(r, key, value, 1 << 24, &v);
        *(*key == 'd' ? &e->dimensions : &e->context) = v;
        return status;
    }
    if (strcmp(key, "source") == 0 || strcmp(key, "part") == 0)
        return read_source(r, value, *key == 'p');
    const char *near = nearest_word(key, keys, sizeof keys / sizeof *keys);
    return near ? wrong(r, "unknown key \"%.40s\"; did you mean \"%s\"?", key, near) : wrong(r, "unknown key \"%.40s\"; its top says which there are", key);
}

static qa_status read_file(struct reader *r, const char *file, const char *text, size_t len) {
    char line[MAX_LINE];
    r->file = file;
    r->line = 0;
    r->first = r->n;
    for (const char *at = text, *end = text + len; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((newline ? newline : end) - at);
        r->line++;
        if (n >= sizeof line || memchr(at, '\0', n))
            return wrong(r, "a line of more than %d bytes, or one with a NUL in it", MAX_LINE - 1);
        memcpy(line, at, n);
        at += n + (newline != NULL);
        while (n && strchr(" \t\r", line[n - 1]))
            n--;
        line[n] = '\0';
        char *key = line + strspn(line, " \t");
        if (!*key || *key == '#')
            continue;
        char *value = key + strcspn(key, " \t");
        if (*value)
            *value++ = '\0';
        qa_status status = read_key(r, key, value + strspn(value, " \t"));
        if (status != QA_OK)
            return status;
    }
    r->line++;
    return end_entry(r);
}

/* Entries of the file just read take the place of earlier ones of their names. */
static void merge(struct reader *r) {
    size_t kept = r->first;
    for (size_t i = r->first; i < r->n; i++) {
        size_t k = 0;
        while (k < r->first && strcmp(r->entries[k].name, r->entries[i].name) != 0)
            k++;
        r->entries[k < r->first ? k : kept++] = r->entries[i];
    }
    r->n = kept;
}

qa_status model_parse_list(struct arena *a, const char *file, const char *text, size_t len, struct model_list *list, qa_error *err) {
    struct reader r = {.a = a, .err = err};
    r.entries = arena_array(a, MAX_ENTRIES, sizeof *r.entries);
    if (!r.entries)
        return arena_error(a, err, "the list of models");
    if (list->n)
        memcpy(r.entries, list->entries, list->n * sizeof *r.entries);
    r.n = list->n;
    qa_status status = read_file(&r, file, text, len);
    if (status != QA_OK)
        return status;
    merge(&r);
    *list = (struct model_list){r.entries, r.n};
    return QA_OK;
}

qa_status model_load_list(struct arena *a, struct model_list *out, qa_error *err) {
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    bool xdg = base && base[0] == '/';
    char *text = NULL;
    size_t len = 0;
    qa_error inner = {0};
    *out = (struct model_list){0};
    qa_status status = model_parse_list(a, "models.conf", (const char *)model_builtin, model_builtin_size, out, err);
    if (status != QA_OK || (!xdg && !(home && home[0] == '/')))
        return status;
    char *path = arena_printf(a, xdg ? "%s/quaere/models.conf" : "%s/.config/quaere/models.conf", xdg ? base : home);
    if (!path)
        return arena_error(a, err, "the list of models");
    status = file_read(a, path, MAX_FILE, &text, &len, &inner);
    if (status == QA_NOT_FOUND)
        return QA_OK;
    return status == QA_OK ? model_parse_list(a, path, text, len, out, err) : error_set(err, status, "%s", inner.message);
}

const struct model_entry *model_find(const struct model_list *list, const char *name) {
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->entries[i].name, name) == 0)
            return &list->entries[i];
    return NULL;
}

const char *model_sha256(const struct model_entry *e) { return e->import ? e->gguf_sha256 : e->sha256; }

const struct model_entry *model_find_sha256(const struct model_list *list, const char *sha256) {
    for (size_t i = 0; i < list->n; i++) {
        const char *its = model_sha256(&list->entries[i]);
        if (its && strcmp(its, sha256) == 0)
            return &list->entries[i];
    }
    return NULL;
}

/* ---- Places ---- */

qa_status model_folder(struct arena *a, const char **out, qa_error *err) {
    const char *own = getenv("QUAERE_MODELS"), *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (own && *own)
        *out = file_absolute(a, own);
    else if (data && data[0] == '/')
        *out = arena_printf(a, "%s/quaere/models", data);
    else if (home && home[0] == '/')
        *out = arena_printf(a, "%s/.local/share/quaere/models", home);
    else
        return error_set(err, QA_BAD_CONFIG, "there is no place for models: neither QUAERE_MODELS nor XDG_DATA_HOME nor HOME is set");
    return *out ? QA_OK : arena_error(a, err, "the models folder");
}

qa_status model_path(struct arena *a, const struct model_entry *entry, const char **out, bool *present, qa_error *err) {
    struct file_stat st;
    const char *folder = NULL;
    *out = NULL;
    qa_status status = model_folder(a, &folder, err);
    if (status != QA_OK)
        return status;
    *out = arena_printf(a, "%s/%s.gguf", folder, entry->name);
    if (present)
        *present = *out && file_stat(*out, &st, NULL) == QA_OK && st.is_regular;
    return *out ? QA_OK : arena_error(a, err, "the models folder");
}
