/* HTTP requests through libcurl. Blocking; the calling thread waits. Only http and https; redirects are followed only where said; nothing of headers or
 * bodies is logged. Proxies as libcurl takes them from the environment. */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "base/buf.h"
#include <stdatomic.h>

/* Keeps connections open between requests, so that TLS greets once. One thread at a time. NULL when out of memory. */
struct http_session;
struct http_session *http_session_open(void);
void http_session_close(struct http_session *session); /* NULL is fine */

struct http_header {
    const char *name, *value;   /* no CR, LF or NUL inside: QA_BAD_USAGE */
};
struct http_request {
    const char *method;         /* NULL: GET, or POST when there is a body */
    const char *url;
    const struct http_header *headers;
    size_t n_headers;
    const char *body;           /* NULL: none */
    size_t body_len;
    unsigned connect_ms;        /* 0: 10 s */
    unsigned idle_ms;           /* no byte for that long: failed; 0: 60 s */
    unsigned total_ms;          /* 0: no limit */
    size_t max_body;            /* of the response; 0: 16 MiB; more is QA_REMOTE */
    const atomic_int *cancel;   /* may be NULL: QA_CANCELLED within half a second */
    struct http_session *session; /* may be NULL: a connection for this request alone */
    /* With it the body of a response of status 200 to 299 goes here as it comes instead of into response.body; false ends the request, which then
     * counts as done. */
    bool (*on_body)(void *user, const char *bytes, size_t n);
    void *user;
};
struct http_response {
    int status;
    struct buf body;            /* NUL-terminated; with on_body only of a failed status */
    bool permanent;             /* there was no answer, and asking again would bring none: a certificate, a time-out after the request was sent */
    unsigned retry_after_s;     /* 0: not said */
    char content_type[100];     /* "" when not said */
};
/* QA_OK for every status the server answered with: look at it. QA_REMOTE when there was no answer, with host and cause. */
qa_status http_send(const struct http_request *request, struct http_response *out, qa_error *err);
void http_release(struct http_response *response); /* a zeroed one is fine */
/* For messages: host and port of an address, never its user, password, path or query; "?" when it is none. */
void http_host(const char *url, char *out, size_t size);
/* The same with scheme and path, for where the host alone does not tell which address is meant. */
void http_address(const char *url, char *out, size_t size);
/* For messages: what a server said, at most size-1 bytes up to a NUL, whole characters of UTF-8, none that moves a cursor or turns the direction of writing. */
void http_clean(const char *text, size_t n, char *out, size_t size);

/* Is it worth asking again after this (no connection, 408, 429, 500, 502, 503, 504), and after how many milliseconds? Exponential with jitter, or as the server
 * says, at most 30 s; `attempt` from 1, at most `most` attempts. False: no. */
bool http_should_retry(qa_status status, int http_status, unsigned retry_after_s, unsigned attempt, unsigned most, unsigned *wait_ms);
/* Sleeps; false when cancelled meanwhile. */
bool http_wait(unsigned ms, const atomic_int *cancel);

/* Downloads into `path`, going on after what an earlier call for the same address left there when the server says that it is the same file (`path`.from
 * notes what it said, and is gone when the download is complete), following redirects (https stays https); fsynced. What else stands in `path` is
 * overwritten. QA_TOO_LARGE over max bytes. QA_BUSY while another process does the same. `show` may be NULL; total 0: not known. */
qa_status http_download(const char *url, const char *path, uint64_t max, void (*show)(void *user, uint64_t done, uint64_t total), void *user,
                        const atomic_int *cancel, qa_error *err);

#endif
