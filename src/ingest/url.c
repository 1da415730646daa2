#include "ingest/url.h"
#include "base/buf.h"
#include "base/file.h"
#include "ingest/ingest.h"
#include <string.h>
#include <strings.h>

enum { MAX_URL = 64 << 10 };

bool url_is_absolute(const char *url) {
    size_t scheme = strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");
    if (!scheme || strncmp(url + scheme, "://", 3) != 0 || !url[scheme + 3])
        return false;
    for (const char *c = url; *c; c++)
        if ((unsigned char)*c <= 0x20 || *c == 0x7F || strchr("\"<>\\`", *c))
            return false;
    return true;
}

static void put_escaped(struct buf *out, const char *s, size_t n) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/!$'()*+,;=:@";
    for (size_t i = 0; i < n; i++) {
        if (s[i] && strchr(plain, s[i]))
            buf_putc(out, s[i]);
        else
            buf_printf(out, "%%%02X", (unsigned char)s[i]);
    }
}

static size_t without_extension(const char *path) {
    const char *base = file_basename(path), *dot = strrchr(base, '.');
    return dot && dot > base ? (size_t)(dot - path) : strlen(path);
}

static void put_page(struct buf *out, const char *path) {
    size_t n = without_extension(path);
    const char *base = file_basename(path);
    size_t name = n - (size_t)(base - path);
    if ((name == 5 && strncasecmp(base, "index", 5) == 0) || (name == 6 && strncasecmp(base, "readme", 6) == 0))
        n = base > path ? (size_t)(base - path) - 1 : 0;
    put_escaped(out, path, n);
}

/* One placeholder; its length in *n. With out NULL only tells whether it is one. */
static bool put_place(struct buf *out, const char *at, const char *path, size_t *n) {
    static const char *const names[] = {"{path}", "{path_without_extension}", "{name}", "{page}"};
    size_t i = 0;
    while (i < sizeof names / sizeof *names && strncmp(at, names[i], strlen(names[i])) != 0)
        i++;
    if (i == sizeof names / sizeof *names)
        return false;
    *n = strlen(names[i]);
    if (!out)
        return true;
    if (i == 0)
        put_escaped(out, path, strlen(path));
    else if (i == 1)
        put_escaped(out, path, without_extension(path));
    else if (i == 2)
        put_escaped(out, file_basename(path), strlen(file_basename(path)));
    else
        put_page(out, path);
    return true;
}

char *url_make(struct arena *a, const char *rule, const char *path) {
    struct buf out;
    size_t n = 0;
    buf_init(&out, MAX_URL);
    for (const char *at = rule; *at;) {
        size_t before = out.len;
        if (*at != '{' || !put_place(&out, at, path, &n)) {
            buf_putc(&out, *at++);
            continue;
        }
        at += n;
        if (out.len == before && before && out.data[before - 1] == '/' && *at == '/')
            at++; /* {page} of the topmost index is empty: no double slash */
    }
    char *url = out.status == QA_OK ? arena_copy(a, out.data ? out.data : "", out.len) : NULL;
    buf_free(&out);
    return url;
}

qa_status ingest_check_url_rule(const char *rule, qa_error *err) {
    bool places = false;
    size_t n = 0;
    for (const char *at = strpbrk(rule, "{}"); at; at = strpbrk(at, "{}")) {
        if (*at == '}' || !put_place(NULL, at, "", &n))
            return error_set(err, QA_BAD_USAGE, "URL rule \"%.200s\": \"%.30s\" is not one of {path}, {path_without_extension}, {name}, {page}", rule, at);
        places = true;
        at += n;
    }
    if (!places)
        return error_set(err, QA_BAD_USAGE, "URL rule \"%.200s\" gives every document the same URL: say where the path goes, as in "
                         "https://docs.example.com/{path_without_extension}", rule);
    if (!url_is_absolute(rule) || strlen(rule) > 2000)
        return error_set(err, QA_BAD_USAGE, "URL rule \"%.200s\" is no absolute URL, such as https://docs.example.com/{path}", rule);
    return QA_OK;
}
