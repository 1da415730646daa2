/* One transfer with everything that all requests of Quaere have in common; http_send.c and http_download.c set what they differ in. */
#ifndef NET_HTTP_TRANSFER_H
#define NET_HTTP_TRANSFER_H

#include "net/http.h"
#include <curl/curl.h>

struct transfer {
    CURL *easy;
    CURLM *multi;
    bool own_multi;
    char host[200];          /* for messages */
    unsigned connect_ms, idle_ms, total_ms;
    const atomic_int *cancel;
    /* Set by the write callback before it refuses bytes. */
    bool enough;             /* on purpose: the transfer counts as done */
    qa_status refused;       /* else why, with the message in the caller's error */
    bool permanent;          /* out: asking again would not help */
    bool connected;          /* out: the request was, or could have been, sent */
    char cause[CURL_ERROR_SIZE];
};

/* Sets t up for url; `redirects`: how many are followed. The caller then sets its own options on t->easy. */
qa_status transfer_open(struct transfer *t, const char *url, struct http_session *session, long redirects, qa_error *err);
qa_status transfer_run(struct transfer *t, qa_error *err);
void transfer_close(struct transfer *t); /* a zeroed one is fine */

#endif
