/* A request whose answer is small enough for memory, or read as it comes. Redirects are answers here: a key goes to the configured server only. */
#include "net/http_transfer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MAX_BODY ((size_t)16 << 20)

struct sink {
    const struct http_request *request;
    struct http_response *out;
    struct transfer *transfer;
    size_t max, seen;
    qa_error *err;
};

static size_t take(char *bytes, size_t size, size_t count, void *user) {
    struct sink *s = user;
    size_t n = size * count;
    long status = 0;
    curl_easy_getinfo(s->transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (n > s->max - s->seen) {
        s->transfer->permanent = true;
        s->transfer->refused = error_set(s->err, QA_REMOTE, "%s: the answer has more than the %zu bytes allowed", s->transfer->host, s->max);
        return CURL_WRITEFUNC_ERROR;
    }
    s->seen += n;
    if (s->request->on_body && status >= 200 && status < 300) {
        s->transfer->enough = !s->request->on_body(s->request->user, bytes, n);
        return s->transfer->enough ? CURL_WRITEFUNC_ERROR : n;
    }
    buf_put(&s->out->body, bytes, n);
    s->transfer->refused = buf_error(&s->out->body, s->err, "an answer");
    return s->transfer->refused == QA_OK ? n : CURL_WRITEFUNC_ERROR;
}

static bool is_token(const char *s) {
    for (const char *c = s; *c; c++)
        if (!((*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '-' || *c == '_'))
            return false;
    return *s;
}

/* Values may be secrets: no message shows one, and the copies are overwritten before they are freed. */
static void free_list(struct curl_slist *list) {
    for (struct curl_slist *l = list; l; l = l->next)
        explicit_bzero(l->data, strlen(l->data));
    curl_slist_free_all(list);
}

static qa_status add_line(struct curl_slist **list, const char *name, const char *value, qa_error *err) {
    char *line = NULL;
    /* "Name:" would remove a header that libcurl makes; "Name;" sends it empty. */
    int n = *value ? asprintf(&line, "%s: %s", name, value) : asprintf(&line, "%s;", name);
    struct curl_slist *longer = n < 0 ? NULL : curl_slist_append(*list, line);
    if (n >= 0) {
        explicit_bzero(line, (size_t)n);
        free(line);
    }
    if (!longer)
        return error_no_memory(err, "a request");
    *list = longer;
    return QA_OK;
}

static qa_status build_headers(const struct http_request *r, struct curl_slist **list, qa_error *err) {
    struct curl_slist *first = curl_slist_append(NULL, "Expect:"); /* no second of waiting for "100 Continue" */
    if (!first)
        return error_no_memory(err, "a request");
    *list = first;
    for (size_t i = 0; i < r->n_headers; i++) {
        const char *name = r->headers[i].name, *value = r->headers[i].value;
        if (!is_token(name))
            return error_set(err, QA_BAD_USAGE, "a header whose name is not one");
        if (value[strcspn(value, "\r\n")])
            return error_set(err, QA_BAD_USAGE, "the value of the header %s holds a line break", name);
        qa_status status = add_line(list, name, value, err);
        if (status != QA_OK)
            return status;
    }
    return QA_OK;
}

static bool set_request(CURL *e, const struct http_request *r, struct curl_slist *headers, struct sink *sink) {
    bool head = r->method && !strcmp(r->method, "HEAD");
    return curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
           (!r->body || (curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len) == CURLE_OK &&
                         curl_easy_setopt(e, CURLOPT_POSTFIELDS, r->body) == CURLE_OK)) &&
           (!head || curl_easy_setopt(e, CURLOPT_NOBODY, 1L) == CURLE_OK) &&
           (!r->method || head || curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method) == CURLE_OK) &&
           curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take) == CURLE_OK && curl_easy_setopt(e, CURLOPT_WRITEDATA, sink) == CURLE_OK;
}

static void read_answer(CURL *e, struct http_response *out) {
    long status = 0;
    curl_off_t after = 0;
    const char *type = NULL;
    curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(e, CURLINFO_RETRY_AFTER, &after);
    curl_easy_getinfo(e, CURLINFO_CONTENT_TYPE, &type);
    out->status = (int)status;
    out->retry_after_s = after > 0 ? (unsigned)after : 0; /* libcurl keeps it below six hours */
    if (type)
        http_clean(type, strlen(type), out->content_type, sizeof out->content_type);
}

qa_status http_send(const struct http_request *request, struct http_response *out, qa_error *err) {
    struct transfer t = {.connect_ms = request->connect_ms, .idle_ms = request->idle_ms, .total_ms = request->total_ms, .cancel = request->cancel};
    struct curl_slist *headers = NULL;
    size_t max = request->max_body ? request->max_body : DEFAULT_MAX_BODY;
    struct sink sink = {.request = request, .out = out, .transfer = &t, .max = max, .err = err};
    *out = (struct http_response){0};
    buf_init(&out->body, max);
    if (request->method && !is_token(request->method))
        return error_set(err, QA_BAD_USAGE, "a method that is none");
    qa_status status = transfer_open(&t, request->url, request->session, 0, err);
    if (status == QA_OK)
        status = build_headers(request, &headers, err);
    if (status == QA_OK && !set_request(t.easy, request, headers, &sink))
        status = error_no_memory(err, "a request");
    if (status == QA_OK) {
        status = transfer_run(&t, err);
        read_answer(t.easy, out);
    }
    if (status == QA_OK) {
        buf_put(&out->body, "", 0); /* NUL-terminated also when nothing came */
        status = buf_error(&out->body, err, "an answer");
    }
    out->permanent = t.permanent;
    transfer_close(&t);
    free_list(headers);
    return status;
}

void http_release(struct http_response *response) { buf_free(&response->body); }
