/* A download that goes on where it stopped. Beside `path`, for as long as it is incomplete, lies `path`.from: the address and, on a second line, what the
 * server said the file is (its strong ETag, else Last-Modified). Only with both unchanged is the rest asked for, by Range and If-Range, so that two
 * versions are never joined; without such a word from the server the download begins anew. Trying the end of the file against the
 * server's was rejected: equal ends do not make equal files. A connection that breaks off is made again while each attempt brings bytes. */
#include "base/clock.h"
#include "base/file.h"
#include "net/http_transfer.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ATTEMPTS = 4, REDIRECTS = 10, SHOW_EVERY_MS = 100, MAX_NOTE = 16 << 10, MAX_VALIDATOR = 500 };

struct download {
    const char *url, *path;
    char *note;             /* path of the `.from` file */
    uint64_t max;
    void (*show)(void *user, uint64_t done, uint64_t total);
    void *user;
    int fd;
    uint64_t have;          /* bytes in the file */
    char validator[MAX_VALIDATOR]; /* of those; "" unknown */
    bool complete;
    /* Of the answer that comes in now: */
    struct transfer *transfer;
    int status;
    char etag[MAX_VALIDATOR], modified[100];
    uint64_t length, from, total; /* Content-Length; of Content-Range */
    bool has_length, has_range, begun;
    int64_t shown_ms;
    qa_error *err;
};

/* ---- Headers ---- */

static void keep(char *out, size_t size, const char *value, size_t n) {
    out[0] = '\0';
    if (n < size && !memchr(value, '\0', n)) {
        memcpy(out, value, n);
        out[n] = '\0';
    }
}

static bool digits(const char **at, uint64_t *out) {
    *out = 0;
    const char *s = *at;
    for (; *s >= '0' && *s <= '9'; s++)
        if (__builtin_mul_overflow(*out, 10, out) || __builtin_add_overflow(*out, (uint64_t)(*s - '0'), out))
            return false;
    bool some = s > *at;
    *at = s;
    return some;
}

/* "bytes 500-999/1000", or "bytes *" and "/1000" with status 416 */
static void read_range(struct download *d, const char *value) {
    uint64_t last = 0;
    if (strncasecmp(value, "bytes ", 6) != 0)
        return;
    value += 6;
    if (*value == '*') {
        value++;
    } else {
        if (!digits(&value, &d->from) || *value++ != '-' || !digits(&value, &last))
            return;
        d->total = last + 1;
    }
    if (*value++ == '/')
        d->has_range = *value == '*' || digits(&value, &d->total);
}

static size_t on_header(char *line, size_t size, size_t count, void *user) {
    struct download *d = user;
    size_t n = size * count;
    char text[MAX_VALIDATOR + 40];
    if (n >= 5 && !memcmp(line, "HTTP/", 5)) { /* the next answer of a chain of redirects */
        d->etag[0] = d->modified[0] = '\0';
        d->has_length = d->has_range = false;
        d->from = d->total = d->length = 0;
    }
    keep(text, sizeof text, line, n);
    char *value = strchr(text, ':');
    if (!value)
        return n;
    *value++ = '\0';
    value += strspn(value, " \t");
    value[strcspn(value, "\r\n")] = '\0';
    size_t len = strlen(value);
    const char *number = value;
    if (!strcasecmp(text, "etag") && len > 2 && *value == '"')
        keep(d->etag, sizeof d->etag, value, len); /* a weak one, W/"...", says nothing about bytes */
    else if (!strcasecmp(text, "last-modified"))
        keep(d->modified, sizeof d->modified, value, len);
    else if (!strcasecmp(text, "content-length"))
        d->has_length = digits(&number, &d->length);
    else if (!strcasecmp(text, "content-range"))
        read_range(d, value);
    return n;
}

/* ---- The two files ---- */

/* Empties the file. From here on nothing is known about what it holds. */
static qa_status empty(struct download *d, qa_error *err) {
    d->have = 0;
    d->validator[0] = '\0';
    if (unlink(d->note) != 0 && errno != ENOENT)
        return error_set_errno(err, errno, "%s", d->note);
    if (ftruncate(d->fd, 0) != 0 || lseek(d->fd, 0, SEEK_SET) != 0)
        return error_set_errno(err, errno, "%s", d->path);
    return QA_OK;
}

static void read_note(struct download *d, struct arena *a) {
    char *text = NULL;
    size_t len = 0, n = strlen(d->url);
    struct stat st;
    if (file_read(a, d->note, MAX_NOTE, &text, &len, NULL) != QA_OK || len <= n || strncmp(text, d->url, n) != 0 || text[n] != '\n')
        return;
    keep(d->validator, sizeof d->validator, text + n + 1, strcspn(text + n + 1, "\n"));
    if (d->validator[0] && fstat(d->fd, &st) == 0)
        d->have = (uint64_t)st.st_size;
}

static qa_status write_note(const struct download *d, qa_error *err) {
    char *text = NULL;
    int n = asprintf(&text, "%s\n%s\n", d->url, d->validator);
    if (n < 0)
        return error_no_memory(err, "a download");
    qa_status status = file_write_atomic(d->note, text, (size_t)n, err);
    free(text);
    return status;
}

/* ---- The body ---- */

static qa_status too_large(struct download *d, uint64_t size, qa_error *err) {
    d->transfer->permanent = true;
    return error_set(err, QA_TOO_LARGE, "%s: the file has %s%" PRIu64 " bytes, and %" PRIu64 " are allowed", d->transfer->host,
                     size > d->max ? "" : "more than ", size > d->max ? size : d->max, d->max);
}

/* Is it the rest of what is there? Some servers send a part of another version in spite of If-Range. */
static bool is_rest(const struct download *d) {
    const char *said = d->validator[0] == '"' ? d->etag : d->modified;
    return d->status == 206 && d->has_range && d->from == d->have && (!d->have || !said[0] || !strcmp(said, d->validator));
}

/* Decides by the headers what the bytes are that follow them. */
static qa_status begin(struct download *d, qa_error *err) {
    d->begun = true;
    if (d->status == 200) {
        qa_status status = empty(d, err);
        if (status != QA_OK)
            return status;
        if (d->has_length && d->length > d->max)
            return too_large(d, d->length, err);
        d->total = d->has_length ? d->length : 0;
        memcpy(d->validator, d->etag[0] ? d->etag : d->modified, d->etag[0] ? sizeof d->etag : sizeof d->modified);
        return d->validator[0] ? write_note(d, err) : QA_OK;
    }
    if (d->total > d->max)
        return too_large(d, d->total, err);
    return lseek(d->fd, (off_t)d->have, SEEK_SET) < 0 ? error_set_errno(err, errno, "%s", d->path) : QA_OK;
}

static void show(struct download *d, bool last) {
    int64_t now = clock_timeout_ms();
    if (!d->show || (!last && now - d->shown_ms < SHOW_EVERY_MS))
        return;
    d->shown_ms = now;
    d->show(d->user, d->have, d->total);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user) {
    struct download *d = user;
    size_t n = size * count;
    qa_status status = QA_OK;
    if (!d->begun) {
        long code = 0;
        curl_easy_getinfo(d->transfer->easy, CURLINFO_RESPONSE_CODE, &code);
        d->status = (int)code;
        if (d->status != 200 && !is_rest(d)) { /* what a refusal says at length is not read */
            d->transfer->enough = true;
            return CURL_WRITEFUNC_ERROR;
        }
        status = begin(d, d->err);
    }
    if (status == QA_OK && n > d->max - d->have)
        status = too_large(d, 0, d->err);
    for (size_t done = 0; status == QA_OK && done < n;) {
        ssize_t w = write(d->fd, bytes + done, n - done);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0) {
            status = error_set_errno(d->err, errno, "%s", d->path);
            break;
        }
        done += (size_t)w;
        d->have += (uint64_t)w;
    }
    d->transfer->refused = status;
    if (status != QA_OK)
        return CURL_WRITEFUNC_ERROR;
    show(d, false);
    return n;
}

/* ---- One attempt, and all of them ---- */

static qa_status add_header(struct curl_slist **list, const char *name, const char *value, qa_error *err) {
    char *line = NULL;
    struct curl_slist *longer = asprintf(&line, "%s: %s", name, value) < 0 ? NULL : curl_slist_append(*list, line);
    free(line);
    if (!longer)
        return error_no_memory(err, "a download");
    *list = longer;
    return QA_OK;
}

static qa_status judge(struct download *d, qa_error *err) {
    const char *host = d->transfer->host;
    if (d->status == 416 && d->has_range && d->total == d->have) { /* everything was there before */
        d->complete = true;
        return QA_OK;
    }
    if (d->status == 416 || (d->status == 206 && !d->begun && !is_rest(d))) { /* the next attempt asks for all */
        qa_status status = empty(d, err);
        return status != QA_OK ? status : error_set(err, QA_REMOTE, "%s: did not send the part of the file that was asked for", host);
    }
    if (d->status != 200 && d->status != 206)
        return error_set(err, QA_REMOTE, "%s: answered with status %d instead of the file", host, d->status);
    qa_status status = d->begun ? QA_OK : begin(d, err); /* an empty file has headers only */
    if (status == QA_OK && d->total && d->have != d->total)
        status = error_set(err, QA_REMOTE, "%s: sent %" PRIu64 " of the file's %" PRIu64 " bytes", host, d->have, d->total);
    d->complete = status == QA_OK;
    return status;
}

static qa_status attempt(struct download *d, struct transfer *t, unsigned *retry_after_s, qa_error *err) {
    struct curl_slist *headers = NULL;
    char range[40];
    d->transfer = t;
    d->err = err;
    d->status = 0;
    d->begun = false;
    qa_status status = transfer_open(t, d->url, NULL, REDIRECTS, err);
    if (status == QA_OK && d->have && d->validator[0]) {
        snprintf(range, sizeof range, "bytes=%" PRIu64 "-", d->have);
        status = add_header(&headers, "Range", range, err);
        if (status == QA_OK)
            status = add_header(&headers, "If-Range", d->validator, err);
    } else if (status == QA_OK) {
        status = empty(d, err);
    }
    if (status == QA_OK && (curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, headers) != CURLE_OK ||
                            curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header) != CURLE_OK ||
                            curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, d) != CURLE_OK ||
                            curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body) != CURLE_OK ||
                            curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, d) != CURLE_OK))
        status = error_no_memory(err, "a download");
    if (status == QA_OK)
        status = transfer_run(t, err);
    if (status == QA_OK) {
        long code = 0;
        curl_off_t after = 0;
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &code);
        curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &after);
        *retry_after_s = after > 0 ? (unsigned)after : 0;
        d->status = (int)code;
        status = judge(d, err);
    }
    curl_slist_free_all(headers);
    return status;
}

static qa_status run(struct download *d, const atomic_int *cancel, qa_error *err) {
    unsigned wait_ms = 0;
    for (unsigned tried = 1;; tried++) {
        struct transfer t = {.cancel = cancel};
        unsigned after = 0;
        uint64_t before = d->have;
        qa_status status = attempt(d, &t, &after, err);
        bool permanent = t.permanent && d->have <= before, answered = d->status && d->status != 200 && d->status != 206 && d->status != 416;
        transfer_close(&t);
        if (status == QA_OK)
            return QA_OK;
        if (d->have > before)
            tried = 1;
        if (permanent || !http_should_retry(answered && status == QA_REMOTE ? QA_OK : status, d->status, after, tried, ATTEMPTS, &wait_ms))
            return status;
        if (!http_wait(wait_ms, cancel))
            return error_set(err, QA_CANCELLED, "cancelled");
    }
}

qa_status http_download(const char *url, const char *path, uint64_t max, void (*on_show)(void *user, uint64_t done, uint64_t total), void *user,
                        const atomic_int *cancel, qa_error *err) {
    struct download d = {.url = url, .path = path, .max = max, .show = on_show, .user = user, .fd = -1};
    struct arena a = {.ceiling = 4 * MAX_NOTE};
    qa_status status = QA_OK;
    if (url[strcspn(url, "\r\n")])
        return error_set(err, QA_BAD_USAGE, "an address that holds a line break");
    d.note = arena_printf(&a, "%s.from", path);
    if (!d.note) {
        status = arena_error(&a, err, "a download");
        goto out;
    }
    d.fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
    if (d.fd < 0) {
        status = error_set_errno(err, errno, "%s", path);
        goto out;
    }
    if (flock(d.fd, LOCK_EX | LOCK_NB) != 0) {
        status = errno == EWOULDBLOCK ? error_set(err, QA_BUSY, "%s: another process downloads it now", path) : error_set_errno(err, errno, "%s", path);
        goto out;
    }
    read_note(&d, &a);
    if (d.have > max)
        d.have = 0;
    status = run(&d, cancel, err);
    if (status == QA_OK && fsync(d.fd) != 0)
        status = error_set_errno(err, errno, "%s", path);
    if (status == QA_TOO_LARGE)
        empty(&d, NULL); /* it will never be wanted: gives the room back */
    if (status == QA_OK) {
        unlink(d.note);
        show(&d, true);
    }
out:
    if (d.fd >= 0)
        close(d.fd);
    arena_free(&a);
    return status;
}
