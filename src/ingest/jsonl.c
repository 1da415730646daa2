/* The documents port of JSON lines. One thread reads and parses lines; an item's handle is the parsed line, which holds the
 * content until release, so that what is read is never copied.
 *
 * A line that cannot be used comes out as a failure: with its path when it has a sound one, else without (ingest.h). */
#include "base/file.h"
#include "base/utf8.h"
#include "ingest/ingest.h"
#include "ingest/url.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_LINE = 96 << 20, READ_BLOCK = 64 << 10, WAIT_MS = 200, MAX_PATH = 4000, MAX_TITLE = 4000 };

struct ingest_jsonl {
    int fd;
    char *name;         /* for messages */
    char *folder;       /* that files are relative to, links resolved; NULL: standard input, which has none */
    uint64_t line_number;
    struct buf line;
    enum { LINE_USED, LINE_BEGUN, LINE_WHOLE } state; /* of line; used: take begins another */
    char block[READ_BLOCK];
    size_t at, len;
    bool ended;
    const atomic_int *cancel; /* NULL: none */
};

struct line {           /* the handle of an item */
    json_t *value;      /* NULL: it did not parse */
    const char *content;
    size_t content_len;
    const char *file;   /* in value */
    const char *place;  /* "line 7" */
    qa_error failure;   /* status QA_OK: none */
};

/* ---- Lines ---- */

/* A stream may be silent for hours: it is waited for in short steps, so that a cancel is seen. */
static qa_status refill(struct ingest_jsonl *j, qa_error *err) {
    struct pollfd ready = {.fd = j->fd, .events = POLLIN};
    ssize_t n;
    do {
        if (j->cancel && atomic_load(j->cancel))
            return error_set(err, QA_CANCELLED, "stopped while waiting for %s", j->name);
        n = poll(&ready, 1, WAIT_MS);
        if (n > 0)
            n = read(j->fd, j->block, sizeof j->block);
        else if (n == 0)
            n = -1, errno = EINTR;
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return error_set_errno(err, errno, "reading %s after line %llu", j->name, (unsigned long long)j->line_number);
    j->at = 0;
    j->len = (size_t)n;
    j->ended = n == 0;
    return QA_OK;
}

/* Moves into j->line what the block, which is not empty, has of it. */
static void take(struct ingest_jsonl *j) {
    if (j->state == LINE_USED) {
        buf_reset(&j->line);
        if (j->line.cap > (1 << 20))
            buf_free(&j->line);
    }
    const char *from = j->block + j->at, *newline = memchr(from, '\n', j->len - j->at);
    size_t n = newline ? (size_t)(newline - from) : j->len - j->at;
    buf_put(&j->line, from, n);
    j->at += n + (newline != NULL);
    j->line_number += newline != NULL;
    j->state = newline ? LINE_WHOLE : LINE_BEGUN;
}

/* The next line into j->line, whose sticky status says when it is too long; such a line is read to its end all the same. */
static qa_status next_line(struct ingest_jsonl *j, bool *more, qa_error *err) {
    while (j->state != LINE_WHOLE) {
        if (j->at == j->len) {
            qa_status status = j->ended ? QA_OK : refill(j, err);
            if (status != QA_OK)
                return status;
            if (j->ended)
                break;
        }
        take(j);
    }
    *more = j->state != LINE_USED;
    j->line_number += j->state == LINE_BEGUN; /* the last one, without its newline */
    j->state = LINE_USED;
    if (*more && j->line.status == QA_NO_MEMORY)
        return error_no_memory(err, "reading JSON lines");
    return QA_OK;
}

static bool is_blank(const struct buf *line) {
    for (size_t i = 0; i < line->len; i++)
        if (!strchr(" \t\r", line->data[i]))
            return false;
    return line->status == QA_OK;
}

/* ---- Members ---- */

static qa_status check_path(const char *path, qa_error *err) {
    if (!path[0])
        return error_set(err, QA_BAD_INPUT, "\"path\" is empty");
    if (strlen(path) > MAX_PATH)
        return error_set(err, QA_BAD_INPUT, "\"path\" has %zu bytes, and %d are the most", strlen(path), MAX_PATH);
    if (path[0] == '/')
        return error_set(err, QA_BAD_INPUT, "\"path\" must be relative to the source, not \"%.200s\"", path);
    for (const char *c = path; *c; c++)
        if (*c == '\\' || (unsigned char)*c < 0x20 || *c == 0x7F)
            return error_set(err, QA_BAD_INPUT, "\"path\" has a %s at byte %zu: write '/' between its parts and nothing else that is special",
                             *c == '\\' ? "backslash" : "control character", (size_t)(c - path));
    for (const char *part = path;; part++) {
        size_t n = strcspn(part, "/");
        if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.'))
            return error_set(err, QA_BAD_INPUT, "\"path\" is \"%.200s\": write it without empty parts, \".\" and \"..\"", path);
        part += n;
        if (!*part)
            return QA_OK;
    }
}

static qa_status get_text(const json_t *object, const char *key, size_t max, const char **out, qa_error *err) {
    const json_t *value = json_object_get(object, key);
    *out = NULL;
    if (!value || json_is_null(value))
        return QA_OK;
    if (!json_is_string(value))
        return error_set(err, QA_BAD_INPUT, "\"%s\" must be a string", key);
    if (json_string_length(value) > max)
        return error_set(err, QA_BAD_INPUT, "\"%s\" has %zu bytes, and %zu are the most", key, json_string_length(value), max);
    *out = json_string_value(value);
    return QA_OK;
}

/* What the command line calls wrong usage is something else in a line. */
static qa_status misused(qa_error *err, qa_status status, const char *key) {
    err->status = status;
    return error_prefix(err, status, "\"%s\": ", key);
}

/* QA_BAD_CONFIG, as of front matter that is not clear about it: who may see the document is not known. */
static qa_status get_acl(const json_t *object, struct arena *a, struct document_item *out, qa_error *err) {
    const json_t *value = json_object_get(object, "acl");
    if (!value || json_is_null(value))
        return QA_OK;
    if (!json_is_array(value) && !json_is_string(value))
        return error_set(err, QA_BAD_CONFIG, "\"acl\" must be a list of groups");
    size_t n = json_is_string(value) ? 1 : json_array_size(value);
    const char **words = arena_array(a, n, sizeof *words);
    if (!words)
        return arena_error(a, err, "reading JSON lines");
    for (size_t i = 0; i < n; i++) {
        words[i] = json_string_value(json_is_string(value) ? value : json_array_get(value, i));
        if (!words[i])
            return error_set(err, QA_BAD_CONFIG, "\"acl\" must be a list of groups, and its element %zu is no string", i + 1);
    }
    if (ingest_check_acl(words, n, err) != QA_OK)
        return misused(err, QA_BAD_CONFIG, "acl");
    out->has_acl = true;
    out->acl = words;
    out->n_acl = n;
    return QA_OK;
}

static qa_status check_members(const json_t *object, qa_error *err) {
    static const char *const known[] = {"source", "path", "title", "url", "acl", "metadata", "content", "file", "deleted"};
    void *at = json_object_iter((json_t *)(uintptr_t)object);
    for (; at; at = json_object_iter_next((json_t *)(uintptr_t)object, at)) {
        const char *key = json_object_iter_key(at);
        size_t i = 0;
        while (i < sizeof known / sizeof *known && strcmp(key, known[i]) != 0)
            i++;
        if (i == sizeof known / sizeof *known)
            return error_set(err, QA_BAD_INPUT, "unknown member \"%.60s\"; what describes a document goes into \"metadata\"", key);
    }
    return QA_OK;
}

/* Whoever writes the lines may be allowed to read less than we are. What links make of it is seen when it is read. */
static qa_status check_file(const struct ingest_jsonl *j, const char *file, qa_error *err) {
    if (!j->folder)
        return error_set(err, QA_BAD_INPUT, "\"file\" stands only in a file of lines, as what lies beside it; for standard input give \"content\"");
    if (!file[0])
        return error_set(err, QA_BAD_INPUT, "\"file\" is empty");
    if (file[0] == '/')
        return error_set(err, QA_BAD_INPUT, "\"file\" must be relative to the folder of the lines, not \"%.200s\"", file);
    for (const char *part = file;; part++) {
        size_t n = strcspn(part, "/");
        if (n == 2 && part[0] == '.' && part[1] == '.')
            return error_set(err, QA_BAD_INPUT, "\"file\" must lie in the folder of the lines, so there is no \"..\" in it as in \"%.200s\"", file);
        part += n;
        if (!*part)
            return QA_OK;
    }
}

/* Everything but the path. Access first: a line that fails for something else has still said it. */
static qa_status get_members(const struct ingest_jsonl *j, const json_t *object, struct arena *a, struct line *line, struct document_item *out,
                             qa_error *err) {
    qa_status status;
    const json_t *content = json_object_get(object, "content"), *deleted = json_object_get(object, "deleted");
    json_t *metadata = json_object_get(object, "metadata");
    if ((status = get_acl(object, a, out, err)) != QA_OK || (status = check_members(object, err)) != QA_OK ||
        (status = get_text(object, "title", MAX_TITLE, &out->title, err)) != QA_OK ||
        (status = get_text(object, "url", MAX_PATH, &out->url, err)) != QA_OK ||
        (status = get_text(object, "file", MAX_PATH, &line->file, err)) != QA_OK ||
        (line->file && (status = check_file(j, line->file, err)) != QA_OK))
        return status;
    if (out->url && !url_is_absolute(out->url))
        return error_set(err, QA_BAD_INPUT, "\"url\" must be absolute, such as https://example.com/page");
    if (metadata && !json_is_null(metadata) && !json_is_object(metadata))
        return error_set(err, QA_BAD_INPUT, "\"metadata\" must be an object");
    if (metadata && json_is_object(metadata))
        out->metadata = metadata;
    if (deleted && !json_is_boolean(deleted) && !json_is_null(deleted))
        return error_set(err, QA_BAD_INPUT, "\"deleted\" must be true or false");
    out->deleted = json_is_true(deleted);
    if (content && !json_is_null(content) && !json_is_string(content))
        return error_set(err, QA_BAD_INPUT, "\"content\" must be a string");
    line->content = json_string_value(content);
    line->content_len = json_string_length(content);
    if (!out->deleted && !line->content == !line->file)
        return error_set(err, QA_BAD_INPUT, "%s", line->file ? "\"content\" and \"file\" are given: one of them says what the document is"
                                                             : "neither \"content\" nor \"file\" says what the document is");
    out->bytes = line->content_len;
    return QA_OK;
}

static qa_status get_identity(const json_t *object, struct document_item *out, qa_error *err) {
    const char *path = NULL, *source = NULL;
    if (!json_is_object(object))
        return error_set(err, QA_BAD_INPUT, "not an object");
    qa_status status = get_text(object, "source", MAX_PATH, &source, err);
    if (status == QA_OK && source && ingest_check_source_name(source, err) != QA_OK)
        status = misused(err, QA_BAD_INPUT, "source");
    if (status == QA_OK)
        status = get_text(object, "path", MAX_PATH + 1, &path, err);
    if (status == QA_OK)
        status = path ? check_path(path, err) : error_set(err, QA_BAD_INPUT, "\"path\" is missing");
    if (status == QA_OK) {
        out->path = path;
        out->source = source;
    }
    return status;
}

/* ---- The port ---- */

/* The parser counts lines too, and sees only one: its "line 1" beside ours would mislead. */
static void drop_parser_line(char *message) {
    static const char said[] = "line 1, ";
    char *at = strstr(message, said);
    if (at)
        memmove(at, at + sizeof said - 1, strlen(at + sizeof said - 1) + 1);
}

static qa_status next(void *self, struct arena *a, struct document_item *out, bool *more, qa_error *err) {
    struct ingest_jsonl *j = self;
    qa_status status;
    *out = (struct document_item){0};
    do {
        status = next_line(j, more, err);
        if (status != QA_OK || !*more)
            return status;
    } while (is_blank(&j->line));
    struct line *line = arena_alloc(a, sizeof *line);
    if (!line || !(out->title = arena_printf(a, "line %llu", (unsigned long long)j->line_number)))
        return arena_error(a, err, "reading JSON lines");
    line->place = out->title;
    out->handle = line;
    if (j->line.status != QA_OK)
        status = error_set(&line->failure, QA_TOO_LARGE, "longer than %d MiB", MAX_LINE >> 20);
    else {
        size_t bom = j->line_number == 1 && j->line.len >= 3 && memcmp(j->line.data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
        status = json_parse(j->line.data + bom, j->line.len - bom, &line->value, &line->failure);
        drop_parser_line(line->failure.message);
    }
    if (status == QA_OK)
        status = get_identity(line->value, out, &line->failure);
    if (status == QA_OK) {
        out->title = NULL;
        status = get_members(j, line->value, a, line, out, &line->failure);
    }
    if (status == QA_NO_MEMORY) {
        json_decref(line->value);
        return error_set(err, status, "%s", line->failure.message);
    }
    if (status != QA_OK) {
        error_prefix(&line->failure, status, "%s of %s: ", line->place, j->name);
        out->deleted = false;
    }
    return QA_OK;
}

static bool lies_in(const char *path, const char *folder) {
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && (!path[n] || path[n] == '/' || folder[n - 1] == '/');
}

/* The file that a line names. Somebody who changes the folder at this very moment may still win between the look and the reading: lines that
 * are not trusted at all belong into a folder that their writer cannot write to. */
static qa_status read_named(const struct ingest_jsonl *j, const struct line *line, struct arena *a, size_t max, char **bytes, size_t *len,
                            qa_error *err) {
    char *path = file_join(a, j->folder, line->file);
    if (!path)
        return arena_error(a, err, "reading a file");
    char *resolved = realpath(path, NULL);
    qa_status status;
    if (!resolved)
        status = errno == ENOENT ? error_set(err, QA_IO, "there is no file %s", line->file) /* it was promised */
                                 : error_set_errno(err, errno, "\"file\": %s", line->file);
    else if (!lies_in(resolved, j->folder))
        status = error_set(err, QA_BAD_INPUT, "\"file\" must lie in the folder of the lines, and %s is a link that leads out of it", line->file);
    else
        status = file_read(a, resolved, max, bytes, len, err);
    free(resolved);
    if (status == QA_NOT_FOUND)
        status = error_set(err, QA_IO, "there is no file %s", line->file);
    return status == QA_OK ? QA_OK : error_prefix(err, status, "%s of %s: ", line->place, j->name);
}

static qa_status read_document(void *self, const struct document_item *item, struct arena *a, size_t max, char **bytes, size_t *len,
                               qa_error *err) {
    const struct ingest_jsonl *j = self;
    const struct line *line = item->handle;
    if (line->failure.status != QA_OK)
        return error_set(err, line->failure.status, "%s", line->failure.message);
    if (line->file) {
        if (!doc_can_read(item->path) && !doc_can_read(line->file))
            return error_set(err, QA_UNSUPPORTED, "%s: files of this type are not read", line->file);
        return read_named(j, line, a, max, bytes, len, err);
    }
    if (line->content_len > max)
        return error_set(err, QA_TOO_LARGE, "\"content\" has %zu MiB, and the limit for one document is %zu MiB",
                         line->content_len >> 20, max >> 20);
    *bytes = (char *)(uintptr_t)line->content;
    *len = line->content_len;
    return QA_OK;
}

static void release(void *self, struct document_item *item) {
    (void)self;
    const struct line *line = item->handle;
    if (line)
        json_decref(line->value);
    item->handle = NULL;
}

/* Only a whole line counts, and none that next would pass over: writers flush in the middle of lines. What fails here fails in next again. */
static bool ready(void *self) {
    struct ingest_jsonl *j = self;
    struct pollfd now = {.fd = j->fd, .events = POLLIN};
    for (;;) {
        if (j->state == LINE_WHOLE && !is_blank(&j->line))
            return true;
        if (j->state == LINE_WHOLE)
            j->state = LINE_USED;
        if (j->at == j->len) {
            if (j->ended)
                return true;
            if (poll(&now, 1, 0) <= 0)
                return false;
            if (refill(j, NULL) != QA_OK || j->ended)
                return true;
        }
        take(j);
    }
}

static const struct documents_ops jsonl_ops = {.next = next, .ready = ready, .read = read_document, .release = release};

qa_status ingest_open_jsonl(const char *path, const atomic_int *cancel, struct ingest_jsonl **out, qa_error *err) {
    qa_status status = QA_OK;
    struct stat st;
    *out = NULL;
    bool standard = strcmp(path, "-") == 0;
    struct ingest_jsonl *j = malloc(sizeof *j);
    if (!j)
        return error_no_memory(err, "reading JSON lines");
    *j = (struct ingest_jsonl){.fd = -1, .cancel = cancel};
    buf_init(&j->line, MAX_LINE);
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    j->name = strdup(standard ? "standard input" : path);
    if (!j->name || !folder)
        status = error_no_memory(err, "reading JSON lines");
    else if (standard)
        j->fd = STDIN_FILENO;
    else if ((j->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)) < 0 || fstat(j->fd, &st) != 0)
        status = error_set_errno(err, errno, "cannot read %s", path);
    else if (S_ISDIR(st.st_mode))
        status = error_set(err, QA_BAD_USAGE, "%s is a folder; --jsonl reads a file of JSON lines, or - for standard input", path);
    else if (!(j->folder = realpath(folder, NULL)))
        status = error_set_errno(err, errno, "cannot read the folder %s", folder);
    free(folder);
    if (status != QA_OK) {
        ingest_close_jsonl(j);
        return status;
    }
    *out = j;
    return QA_OK;
}

struct documents_port ingest_jsonl_port(struct ingest_jsonl *j) {
    return (struct documents_port){.ops = &jsonl_ops, .self = j, .complete = false};
}

void ingest_close_jsonl(struct ingest_jsonl *j) {
    if (!j)
        return;
    if (j->fd > STDIN_FILENO)
        close(j->fd);
    buf_free(&j->line);
    free(j->name);
    free(j->folder);
    free(j);
}
