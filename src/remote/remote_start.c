#include "base/hash.h"
#include "net/http.h"
#include "remote/remote_internal.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { DEFAULT_RETRIES = 4, DEFAULT_TOTAL_MS = 10 * 60 * 1000, MOST_CONNECT_MS = 10 * 1000, MEMORY = 64 << 10, MAX_FINGERPRINT = 200 };

/* An address in its parts: everything before and after user and password, and the query apart. */
struct parts {
    int scheme, base, query; /* lengths */
    const char *at_scheme, *at_base, *at_query;
};

static bool split(const char *url, struct parts *p) {
    size_t scheme = !strncasecmp(url, "http://", 7) ? 7 : !strncasecmp(url, "https://", 8) ? 8 : 0;
    size_t len = strcspn(url, "#"), base = strcspn(url, "?#");
    if (!scheme || len > 2000)
        return false;
    size_t authority = strcspn(url + scheme, "/?#");
    const char *host = url + scheme, *user = memrchr(host, '@', authority);
    if (user)
        host = user + 1;
    while (base > scheme && url[base - 1] == '/')
        base--;
    size_t skip = (size_t)(host - url);
    *p = (struct parts){.scheme = (int)scheme, .at_scheme = url, .at_base = host, .base = base > skip ? (int)(base - skip) : 0,
                        .at_query = url + strcspn(url, "?#")};
    p->query = (int)(len - (size_t)(p->at_query - url));
    return p->base > 0;
}

static bool printable(const char *s) {
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || (unsigned char)*s >= 0x7F)
            return false;
    return true;
}

/* Fits a header and a message: no controls, and ASCII as HTTP wants it. */
static qa_status check(const struct remote_options *o, struct parts *p, qa_error *err) {
    if (!o->model || !*o->model)
        return error_set(err, QA_BAD_CONFIG, "a server was named without the name of the model to ask it for");
    if (!o->url || !printable(o->url) || !split(o->url, p))
        return error_set(err, QA_BAD_CONFIG, "model %.100s: its url is not an address such as http://127.0.0.1:8080/v1", o->model);
    if (o->key && !printable(o->key))
        return error_set(err, QA_BAD_CONFIG,
                         "model %.100s: its key holds a control character or one outside ASCII (a line break at the end?); it is not sent", o->model);
    return QA_OK;
}

qa_status remote_set_fingerprint(struct remote *r, const struct remote_options *o, qa_error *err) {
    struct parts p;
    char dimensions[24] = "", mark[24];
    split(o->url, &p); /* remote_start looked at it */
    if (r->dimensions)
        snprintf(dimensions, sizeof dimensions, " %zu", r->dimensions);
    embedder_mark_prefixes(&o->prefixes, mark);
    char *full = arena_printf(&r->memory, "remote %.*s%.*s %s%s%s", p.scheme, p.at_scheme, p.base, p.at_base, r->name, dimensions, mark);
    if (full && (strlen(full) > MAX_FINGERPRINT || !printable(full))) {
        char id[24];
        hash_id("remote ", hash_bytes(full, strlen(full)), id);
        full = arena_string(&r->memory, id);
    }
    r->fingerprint = full;
    return full ? QA_OK : arena_error(&r->memory, err, "a server's model");
}

qa_status remote_start(struct remote *r, const struct remote_options *o, const char *resource, qa_error *err) {
    struct parts p = {0};
    *r = (struct remote){.memory.ceiling = MEMORY, .context = o->context, .dimensions = o->dimensions};
    qa_status status = check(o, &p, err);
    if (status != QA_OK)
        return status;
    r->retries = o->retries ? o->retries : DEFAULT_RETRIES;
    r->total_ms = o->total_ms ? o->total_ms : DEFAULT_TOTAL_MS;
    unsigned half = (r->total_ms + 1) / 2;
    r->idle_ms = o->idle_ms ? o->idle_ms : half;
    r->connect_ms = o->connect_ms ? o->connect_ms : half < MOST_CONNECT_MS ? half : MOST_CONNECT_MS;
    int before = (int)(p.at_base - o->url);
    r->name = arena_string(&r->memory, o->model);
    r->endpoint = arena_printf(&r->memory, "%.*s%.*s/%s%.*s", before, o->url, p.base, p.at_base, resource, p.query, p.at_query);
    bool ok = r->name && r->endpoint;
    if (o->key && *o->key) {
        r->authorization = arena_printf(&r->memory, "Bearer %s", o->key);
        r->key = r->authorization ? r->authorization + strlen("Bearer ") : NULL;
        ok = ok && r->key;
    }
    if (!ok)
        return arena_error(&r->memory, err, "a server's model");
    http_host(r->endpoint, r->host, sizeof r->host);
    if (!strcmp(r->host, "?"))
        return error_set(err, QA_BAD_CONFIG, "model %.100s: its url is not an address such as http://127.0.0.1:8080/v1", r->name);
    r->session = http_session_open();
    return r->session ? remote_set_fingerprint(r, o, err) : error_no_memory(err, "a server's model");
}

void remote_end(struct remote *r) {
    if (r->authorization)
        explicit_bzero(r->authorization, strlen(r->authorization));
    http_session_close(r->session);
    arena_free(&r->memory);
    *r = (struct remote){0};
}
