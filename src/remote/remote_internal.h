/* What generator and embedder share: address, key, one connection kept open, and how a server's refusals are told to people. */
#ifndef REMOTE_REMOTE_INTERNAL_H
#define REMOTE_REMOTE_INTERNAL_H

#include "base/arena.h"
#include "base/json.h"
#include "net/http.h"
#include "remote/remote.h"

struct remote {
    struct arena memory;       /* all strings below */
    const char *name;          /* the model */
    const char *fingerprint;
    const char *endpoint;      /* the full address; may hold a secret in its query: not for messages */
    const char *key;           /* NULL: none */
    char *authorization;       /* "Bearer ..."; overwritten on closing */
    char host[200];            /* for messages */
    struct http_session *session;
    size_t context, dimensions;
    unsigned retries, idle_ms, total_ms, connect_ms;
};
/* `resource` is what follows the base: "chat/completions". */
qa_status remote_start(struct remote *r, const struct remote_options *options, const char *resource, qa_error *err);
void remote_end(struct remote *r); /* a zeroed one is fine */
/* "remote URL MODEL", with dimensions and prefixes when there are any; no secret of the address in it. */
qa_status remote_set_fingerprint(struct remote *r, const struct remote_options *options, qa_error *err);

struct remote_call {
    const char *body;
    size_t body_len, max_answer;
    const atomic_int *cancel;
    bool (*on_body)(void *user, const char *bytes, size_t n); /* may be NULL */
    void (*on_wait)(void *user, const char *why); /* before the pause between two attempts; may be NULL */
    void *user, *wait_user;
    int64_t deadline_ms; /* set by remote_deadline */
    unsigned attempts;   /* made so far */
};
void remote_deadline(const struct remote *r, struct remote_call *call);
/* One request. QA_OK with every status. */
qa_status remote_post(struct remote *r, struct remote_call *call, struct http_response *out, qa_error *err);
/* After a failure: true when it waited and the call may be made again. False: the error stands; QA_CANCELLED replaces it. */
bool remote_again(struct remote *r, struct remote_call *call, const struct http_response *response, qa_status *status, qa_error *err);

/* A status other than 200 to 299 as an error: with the server's own words when it has some. */
qa_status remote_refused(const struct remote *r, const struct remote_call *call, const struct http_response *response, qa_error *err);
/* The words of an error in JSON, as {"error": {"message": ...}} and its relatives have them: short, without controls. "" when there are none, or
 * when a part of the key is among them. */
void remote_words(const struct remote *r, const json_t *value, char *out, size_t size);
/* JSON of a server: bytes that are not UTF-8 are replaced first. QA_REMOTE without a word of the content. */
qa_status remote_parse(const struct remote *r, const char *bytes, size_t n, json_t **out, qa_error *err);

/* Tokens of a text, on the high side; see tokens.c for the rule. Stops at the last place between words before it would be more than `most` (at least one
 * character is taken); *taken bytes were counted. */
size_t remote_tokens(const char *text, size_t len, size_t most, size_t *taken);
/* The same for the ports. */
qa_status remote_count_tokens(void *self, const char *text, size_t len, size_t *out, qa_error *err);

#endif
