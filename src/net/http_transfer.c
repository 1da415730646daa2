/* libcurl's multi interface drives a single transfer: between its steps the caller's cancel flag and the time-outs are looked at, at least ten times a
 * second. The progress callback of the easy interface comes once a second when nothing moves, which is too rare; CURLOPT_LOW_SPEED_TIME counts
 * whole seconds. */
#include "net/http_transfer.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "base/version.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LOOK_MS = 100, DEFAULT_CONNECT_MS = 10 * 1000, DEFAULT_IDLE_MS = 60 * 1000 };

struct http_session {
    CURLM *multi;
};

/* A once that may be tried again after it failed for want of memory. */
static bool start_curl(void) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static bool started;
    pthread_mutex_lock(&lock);
    started = started || curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    bool ok = started;
    pthread_mutex_unlock(&lock);
    return ok;
}

void http_clean(const char *text, size_t n, char *out, size_t size) {
    size_t at = 0;
    for (size_t i = 0, len; i < n && text[i]; i += len) {
        uint32_t cp;
        char c[4];
        len = utf8_get(text + i, n - i, &cp);
        bool control = cp < 0x20 || (cp >= 0x7F && cp < 0xA0) || (cp >= 0x200B && cp <= 0x200F) || (cp >= 0x2028 && cp <= 0x202E) ||
                       (cp >= 0x2066 && cp <= 0x2069);
        size_t bytes = utf8_put(c, control ? ' ' : cp);
        if (control && (at == 0 || out[at - 1] == ' '))
            continue;
        if (at + bytes >= size)
            break;
        memcpy(out + at, c, bytes);
        at += bytes;
    }
    while (at && out[at - 1] == ' ')
        at--;
    out[at] = '\0';
}

/* Appends a part of an address; "" when it has none. */
static void put_part(CURLU *parts, CURLUPart which, const char *before, const char *after, char *out, size_t size) {
    char *part = NULL;
    size_t n = strlen(out);
    if (curl_url_get(parts, which, &part, 0) == CURLUE_OK) {
        snprintf(out + n, size - n, "%s", before);
        n = strlen(out);
        http_clean(part, strlen(part), out + n, size - n);
        n = strlen(out);
        snprintf(out + n, size - n, "%s", after);
    }
    curl_free(part);
}

static void put_address(const char *url, bool whole, char *out, size_t size) {
    CURLU *parts = start_curl() ? curl_url() : NULL;
    bool good = parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK;
    snprintf(out, size, "%s", good ? "" : "?");
    if (good && whole)
        put_part(parts, CURLUPART_SCHEME, "", "://", out, size);
    if (good) {
        put_part(parts, CURLUPART_HOST, "", "", out, size);
        put_part(parts, CURLUPART_PORT, ":", "", out, size);
    }
    if (good && whole)
        put_part(parts, CURLUPART_PATH, "", "", out, size);
    curl_url_cleanup(parts);
}

void http_host(const char *url, char *out, size_t size) { put_address(url, false, out, size); }
void http_address(const char *url, char *out, size_t size) { put_address(url, true, out, size); }

struct http_session *http_session_open(void) {
    struct http_session *session = start_curl() ? malloc(sizeof *session) : NULL;
    if (!session)
        return NULL;
    session->multi = curl_multi_init();
    if (!session->multi || curl_multi_setopt(session->multi, CURLMOPT_MAXCONNECTS, 2L) != CURLM_OK) {
        http_session_close(session);
        return NULL;
    }
    return session;
}

void http_session_close(struct http_session *session) {
    if (!session)
        return;
    curl_multi_cleanup(session->multi);
    free(session);
}

/* The command line's reading of the environment; the library has none. */
static bool set_authorities(CURL *easy) {
    const char *bundle = getenv("CURL_CA_BUNDLE"), *folder = NULL;
    if (!bundle || !*bundle) {
        bundle = getenv("SSL_CERT_FILE");
        folder = getenv("SSL_CERT_DIR");
    }
    return (!bundle || !*bundle || curl_easy_setopt(easy, CURLOPT_CAINFO, bundle) == CURLE_OK) &&
           (!folder || !*folder || curl_easy_setopt(easy, CURLOPT_CAPATH, folder) == CURLE_OK);
}

qa_status transfer_open(struct transfer *t, const char *url, struct http_session *session, long redirects, qa_error *err) {
    if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
        return error_set(err, QA_BAD_USAGE, "not an address of http or https");
    http_host(url, t->host, sizeof t->host);
    if (!strcmp(t->host, "?"))
        return error_set(err, QA_BAD_USAGE, "an address that cannot be read: it should look like https://example.org/v1");
    t->own_multi = !session;
    t->multi = session ? session->multi : curl_multi_init();
    t->easy = t->multi ? curl_easy_init() : NULL;
    if (!t->easy)
        return error_no_memory(err, "a request");
    /* From https only to https: whoever sits between could otherwise take over at the redirect. */
    const char *onward = !strncasecmp(url, "https:", 6) ? "https" : "http,https";
    CURL *e = t->easy;
    bool ok = curl_easy_setopt(e, CURLOPT_URL, url) == CURLE_OK && curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, onward) == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, redirects ? 1L : 0L) == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_MAXREDIRS, redirects) == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_UNRESTRICTED_AUTH, 0L) == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK && curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK && /* a cancelled request does not wait for a name server */
              curl_easy_setopt(e, CURLOPT_USERAGENT, "quaere/" QA_VERSION) == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->cause) == CURLE_OK && set_authorities(e);
    return ok ? QA_OK : error_no_memory(err, "a request");
}

static bool cancelled(const struct transfer *t) { return t->cancel && atomic_load(t->cancel); }

/* What grows while anything happens on the wire. */
static int64_t activity(CURL *easy, bool *connected) {
    curl_off_t ready = 0, down = 0, up = 0;
    long headers = 0, request = 0;
    curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
    curl_easy_getinfo(easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
    curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &up);
    curl_easy_getinfo(easy, CURLINFO_HEADER_SIZE, &headers);
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request);
    *connected = ready > 0;
    return down + up + headers + request;
}

/* "300 s", "250 ms"; what is left of many seconds is that many. */
static const char *span(unsigned ms, char out[24]) {
    bool seconds = ms >= 10000 || ms % 1000 == 0;
    snprintf(out, 24, seconds ? "%u s" : "%u ms", seconds ? (ms + 500) / 1000 : ms);
    return out;
}

static qa_status explain(struct transfer *t, CURLcode code, qa_error *err) {
    char cause[200], time[24];
    long number = 0;
    http_clean(t->cause, sizeof t->cause, cause, sizeof cause);
    switch (code) {
    case CURLE_OUT_OF_MEMORY:
        return error_no_memory(err, "a request");
    case CURLE_URL_MALFORMAT:
        t->permanent = true;
        return error_set(err, QA_BAD_USAGE, "an address that cannot be read: it should look like https://example.org/v1");
    case CURLE_COULDNT_CONNECT:
        curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &number);
        return error_set(err, QA_REMOTE, "%s: no connection: %s", t->host, number ? strerrordesc_np((int)number) : "the server cannot be reached");
    case CURLE_COULDNT_RESOLVE_HOST:
        return error_set(err, QA_REMOTE, "%s: no connection: the name is not known, or there is no network", t->host);
    case CURLE_COULDNT_RESOLVE_PROXY:
        return error_set(err, QA_REMOTE, "%s: no connection: the name of the proxy is not known", t->host);
    case CURLE_OPERATION_TIMEDOUT:
        return error_set(err, QA_REMOTE, "%s: no connection within %s", t->host, span(t->connect_ms, time));
    case CURLE_GOT_NOTHING:
        return error_set(err, QA_REMOTE, "%s: closed the connection without an answer", t->host);
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return error_set(err, QA_REMOTE, "%s: the connection broke off%s%s", t->host, *cause ? ": " : "", cause);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        t->permanent = true;
        return error_set(err, QA_REMOTE, "%s: not trusted: %s (CURL_CA_BUNDLE names a file with other authorities)", t->host,
                         *cause ? cause : curl_easy_strerror(code));
    case CURLE_TOO_MANY_REDIRECTS:
        t->permanent = true;
        return error_set(err, QA_REMOTE, "%s: redirects too often", t->host);
    case CURLE_UNSUPPORTED_PROTOCOL: /* of a redirect, or version 0.9 of HTTP, which is any bytes at all */
        t->permanent = true;
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &number);
        if (number < 300)
            return error_set(err, QA_REMOTE, "%s: what answers there does not speak HTTP", t->host);
        return error_set(err, QA_REMOTE, "%s: redirects to an address that is not followed (only https, or http from http)", t->host);
    default:
        return error_set(err, QA_REMOTE, "%s: %s", t->host, *cause ? cause : curl_easy_strerror(code));
    }
}

static qa_status ended(struct transfer *t, qa_error *err) {
    CURLcode code = CURLE_OK;
    int left = 0;
    bool connected;
    for (CURLMsg *m; (m = curl_multi_info_read(t->multi, &left)) != NULL;)
        if (m->msg == CURLMSG_DONE && m->easy_handle == t->easy)
            code = m->data.result;
    activity(t->easy, &connected);
    t->connected |= connected;
    if (t->refused != QA_OK)
        return t->refused;
    return code == CURLE_OK || t->enough ? QA_OK : explain(t, code, err);
}

static qa_status drive(struct transfer *t, qa_error *err) {
    int64_t started = clock_timeout_ms(), moved = started, before = -1;
    for (;;) {
        int running = 0;
        char time[24];
        CURLMcode code = curl_multi_perform(t->multi, &running);
        if (code != CURLM_OK)
            return code == CURLM_OUT_OF_MEMORY ? error_no_memory(err, "a request") : error_set(err, QA_INTERNAL, "libcurl: %s", curl_multi_strerror(code));
        if (cancelled(t))
            return error_set(err, QA_CANCELLED, "cancelled");
        if (!running)
            return ended(t, err);
        int64_t now = clock_timeout_ms(), count = activity(t->easy, &t->connected), wait = LOOK_MS;
        if (count != before || !t->connected) /* until it is connected, libcurl watches the clock */
            moved = now;
        before = count;
        int64_t idle_left = moved + t->idle_ms - now, total_left = t->total_ms ? started + t->total_ms - now : wait;
        if (idle_left <= 0 || total_left <= 0) {
            t->permanent = true; /* a slow server that is asked again only has more to do */
            return idle_left <= 0 ? error_set(err, QA_REMOTE, "%s: nothing came for %s", t->host, span(t->idle_ms, time))
                                  : error_set(err, QA_REMOTE, "%s: not done within %s", t->host, span(t->total_ms, time));
        }
        wait = idle_left < wait ? idle_left : wait;
        wait = total_left < wait ? total_left : wait;
        curl_multi_poll(t->multi, NULL, 0, (int)wait, NULL);
    }
}

qa_status transfer_run(struct transfer *t, qa_error *err) {
    t->connect_ms = t->connect_ms ? t->connect_ms : DEFAULT_CONNECT_MS;
    t->idle_ms = t->idle_ms ? t->idle_ms : DEFAULT_IDLE_MS;
    if (cancelled(t))
        return error_set(err, QA_CANCELLED, "cancelled");
    if (curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)t->connect_ms) != CURLE_OK ||
        curl_multi_add_handle(t->multi, t->easy) != CURLM_OK)
        return error_no_memory(err, "a request");
    qa_status status = drive(t, err);
    curl_multi_remove_handle(t->multi, t->easy);
    return status;
}

void transfer_close(struct transfer *t) {
    curl_easy_cleanup(t->easy);
    if (t->own_multi)
        curl_multi_cleanup(t->multi);
    t->easy = NULL;
    t->multi = NULL;
}
