/* Requests, repeated where that may help, and the telling of what a server refused. Of a server's body a message shows only what the server itself put into
 * its error message: one line, shortened, and nothing at all when a part of the key is in there. */
#include "base/clock.h"
#include "base/utf8.h"
#include "remote/remote_internal.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MAX_WORDS = 200, MAX_RAW = 1000, TELLING = 8 /* letters and digits of a key in a row */ };

void remote_deadline(const struct remote *r, struct remote_call *call) { call->deadline_ms = clock_timeout_ms() + r->total_ms; }

qa_status remote_post(struct remote *r, struct remote_call *call, struct http_response *out, qa_error *err) {
    const struct http_header headers[] = {
        {"Content-Type", "application/json"},
        {"Accept", call->on_body ? "text/event-stream, application/json" : "application/json"},
        {"Authorization", r->authorization},
    };
    int64_t left = call->deadline_ms - clock_timeout_ms();
    struct http_request request = {
        .url = r->endpoint,
        .headers = headers,
        .n_headers = r->authorization ? 3 : 2,
        .body = call->body,
        .body_len = call->body_len,
        .connect_ms = r->connect_ms,
        .idle_ms = r->idle_ms,
        .total_ms = left > 0 ? (unsigned)left : 1,
        .max_body = call->max_answer,
        .cancel = call->cancel,
        .session = r->session,
        .on_body = call->on_body,
        .user = call->user,
    };
    call->attempts++;
    return http_send(&request, out, err);
}

bool remote_again(struct remote *r, struct remote_call *call, const struct http_response *response, qa_status *status, qa_error *err) {
    unsigned wait;
    bool answered = response->status && (response->status < 200 || response->status > 299);
    if (response->permanent || !http_should_retry(answered ? QA_OK : *status, response->status, response->retry_after_s, call->attempts, r->retries, &wait))
        return false;
    if (clock_timeout_ms() + wait >= call->deadline_ms)
        return false;
    if (call->on_wait) {
        char why[400];
        snprintf(why, sizeof why, "%s %s; trying again in %u s", r->host,
                 response->status == 429 ? "takes no more requests for now" : answered ? "fails for now" : "cannot be reached", (wait + 999) / 1000);
        call->on_wait(call->wait_user, why);
    }
    if (http_wait(wait, call->cancel))
        return true;
    *status = error_set(err, QA_CANCELLED, "cancelled");
    return false;
}

/* ---- The server's words ---- */

static const char *find_words(const json_t *value) {
    const json_t *error = json_object_get(value, "error");
    const json_t *detail = json_object_get(value, "detail");
    const char *found = json_get_string(error, "message");
    if (!found)
        found = json_string_value(error);
    if (!found)
        found = json_get_string(value, "message");
    if (!found)
        found = json_string_value(detail);
    return found ? found : json_get_string(json_array_get(detail, 0), "msg");
}

static bool plain(char c) { return isalnum((unsigned char)c) != 0; }

/* How many letters and digits both go on with alike, whatever stands between them; at most TELLING. */
static size_t alike(const char *a, const char *b) {
    size_t n = 0;
    while (n < TELLING) {
        while (*a && !plain(*a))
            a++;
        while (*b && !plain(*b))
            b++;
        if (!*a || tolower((unsigned char)*a) != tolower((unsigned char)*b))
            break;
        n++, a++, b++;
    }
    return n;
}

/* Servers quote the key that they refuse, some of them shortened, in other letters or with dashes: any part of it of some length counts, and all of a short one. */
static bool tells_key(const struct remote *r, const char *words) {
    size_t letters = 0;
    for (const char *k = r->key ? r->key : ""; *k; k++)
        letters += plain(*k);
    size_t telling = letters < TELLING ? letters : TELLING;
    if (!r->key || !telling)
        return r->key && *r->key && strstr(words, r->key);
    for (const char *k = r->key; *k; k++)
        for (const char *w = plain(*k) ? words : ""; *w; w++)
            if (plain(*w) && alike(k, w) >= telling)
                return true;
    return false;
}

void remote_words(const struct remote *r, const json_t *value, char *out, size_t size) {
    const char *words = find_words(value);
    char start[MAX_RAW];
    snprintf(start, sizeof start, "%s", words ? words : "");
    if (tells_key(r, start))
        start[0] = '\0';
    http_clean(start, strlen(start), out, size < MAX_WORDS ? size : MAX_WORDS);
}

qa_status remote_parse(const struct remote *r, const char *bytes, size_t n, json_t **out, qa_error *err) {
    qa_status status;
    *out = NULL;
    if (utf8_valid_len(bytes, n) == n) {
        status = json_parse(bytes, n, out, err);
    } else {
        struct buf clean;
        buf_init(&clean, n > SIZE_MAX / 4 ? n : n * 3);
        utf8_repair(&clean, bytes, n);
        status = buf_error(&clean, err, "an answer");
        if (status == QA_OK)
            status = json_parse(clean.data, clean.len, out, err);
        buf_free(&clean);
    }
    /* The parser's message would quote what stands there. */
    return status == QA_OK || status == QA_NO_MEMORY ? status : error_set(err, QA_REMOTE, "%s: the answer is not JSON", r->host);
}

static bool context_is_full(const json_t *value, const char *words) {
    const json_t *error = json_object_get(value, "error");
    const char *code = json_get_string(error, "code"), *type = json_get_string(error, "type");
    return (code && !strcmp(code, "context_length_exceeded")) || (type && !strcmp(type, "exceed_context_size_error")) ||
           strcasestr(words, "context length") || strcasestr(words, "context size") || strcasestr(words, "maximum context");
}

qa_status remote_refused(const struct remote *r, const struct remote_call *call, const struct http_response *response, qa_error *err) {
    int s = response->status;
    json_t *value = NULL;
    char words[MAX_WORDS] = "", tried[40] = "";
    if (response->body.len && json_parse(response->body.data, response->body.len, &value, NULL) == QA_OK)
        remote_words(r, value, words, sizeof words);
    bool full = (s == 400 || s == 413) && context_is_full(value, words);
    const char *colon = *words ? ": " : "";
    json_decref(value);
    if (call->attempts > 1)
        snprintf(tried, sizeof tried, ", after %u attempts", call->attempts);
    if (full)
        return error_set(err, QA_TOO_LARGE, "%s: the text does not fit the context of model %.100s%s%s", r->host, r->name, colon, words);
    if (s == 401 || s == 403)
        return error_set(err, QA_REMOTE, "%s: %s (status %d)%s%s", r->host, r->key ? "does not accept the key" : "wants a key, and none is configured", s,
                         colon, words);
    if (s == 404)
        return error_set(err, QA_REMOTE, "%s: knows no model %.100s, or the url is not its (status 404)%s%s", r->host, r->name, colon, words);
    if (s >= 300 && s < 400)
        return error_set(err, QA_REMOTE,
                         "%s: sends to another address (status %d), which is not followed, since it would get the texts and the key: put the address into "
                         "the configuration if it is to be trusted",
                         r->host, s);
    if (s == 429)
        return error_set(err, QA_REMOTE, "%s: takes no more requests for now (status 429%s)%s%s", r->host, tried, colon, words);
    return error_set(err, QA_REMOTE, "%s: answered with status %d%s%s%s", r->host, s, tried, colon, words);
}
