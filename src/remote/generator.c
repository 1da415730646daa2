/* Chat completions. Servers differ in what they put up with, so a parameter that one refuses by name (status 400 or 422) is left out from then on, or, for
 * max_tokens, sent under its newer name: max_completion_tokens. */
#include "base/clock.h"
#include "remote/chat.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_ANSWER = 64 << 20, PER_MESSAGE = 4 };
enum { NEWER_LIMIT = 1, NO_TEMPERATURE = 2, NO_SEED = 4, NO_STREAM_OPTIONS = 8 };

struct remote_generator {
    struct remote remote;
    unsigned manners; /* what this server wants otherwise */
    struct chat chat;
};

static qa_status build(const struct remote_generator *g, const struct generator_request *r, unsigned manners, char **out, qa_error *err) {
    static const char *const roles[] = {[GENERATOR_SYSTEM] = "system", [GENERATOR_USER] = "user", [GENERATOR_ASSISTANT] = "assistant"};
    json_t *body = json_object(), *messages = json_array();
    bool ok = body && messages;
    for (size_t i = 0; i < r->n_messages && ok; i++) {
        json_t *message = json_object();
        json_put(message, "role", json_string(roles[r->messages[i].role]), &ok);
        json_put(message, "content", json_text0(r->messages[i].text), &ok);
        json_add(messages, message, &ok);
    }
    json_put(body, "model", json_text0(g->remote.name), &ok);
    json_put(body, "messages", messages, &ok);
    json_put(body, "stream", json_true(), &ok);
    if (!(manners & NO_STREAM_OPTIONS))
        json_put(body, "stream_options", json_pack("{s:b}", "include_usage", 1), &ok);
    json_put(body, manners & NEWER_LIMIT ? "max_completion_tokens" : "max_tokens", json_integer((json_int_t)r->max_tokens), &ok);
    if (!(manners & NO_TEMPERATURE))
        json_put(body, "temperature", json_round(r->temperature, 4), &ok);
    if (!(manners & NO_SEED))
        json_put(body, "seed", json_integer(r->seed), &ok);
    *out = ok ? json_write(body, 0) : NULL;
    json_decref(body);
    return *out ? QA_OK : error_no_memory(err, "a request");
}

/* What the server's refusal names, or 0. */
static unsigned learn(const struct http_response *response, unsigned manners) {
    static const struct {
        const char *name;
        unsigned manner;
    } known[] = {
        {"max_completion_tokens", NEWER_LIMIT}, {"stream_options", NO_STREAM_OPTIONS}, {"temperature", NO_TEMPERATURE}, {"seed", NO_SEED}};
    if ((response->status != 400 && response->status != 422) || !response->body.data)
        return 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!(manners & known[i].manner) && strstr(response->body.data, known[i].name))
            return known[i].manner;
    return 0;
}

/* The estimate is too high, five times in some languages: what is over at a sixth of it does not fit. For the rest the server has the last word. */
static qa_status check_room(const struct remote_generator *g, const struct generator_request *r, qa_error *err) {
    size_t tokens = 0, taken;
    for (size_t i = 0; i < r->n_messages; i++)
        tokens += remote_tokens(r->messages[i].text, strlen(r->messages[i].text), SIZE_MAX, &taken) + PER_MESSAGE;
    if (g->remote.context && (r->max_tokens > g->remote.context || tokens / 6 > g->remote.context - r->max_tokens))
        return error_set(err, QA_TOO_LARGE, "a prompt of about %zu tokens and %zu for the answer do not fit the %zu of model %.100s", tokens, r->max_tokens,
                         g->remote.context, g->remote.name);
    return QA_OK;
}

static qa_status attempt(struct remote_generator *g, const struct generator_request *request, struct remote_call *call, struct generator_result *out,
                         double started_ms, struct http_response *response, bool *again, qa_error *err) {
    struct chat *c = &g->chat;
    bool broken = false;
    *again = false;
    *out = (struct generator_result){0};
    chat_start(c, &g->remote, request, out, started_ms);
    qa_status status = remote_post(&g->remote, call, response, err);
    if (status == QA_OK && (response->status < 200 || response->status > 299)) {
        status = remote_refused(&g->remote, call, response, err);
        *again = true;
    } else if (status == QA_OK) {
        status = chat_finish(c, &broken, err);
        *again = broken;
    } else if (status == QA_REMOTE && c->finished) { /* all was said before the connection broke */
        status = chat_finish(c, &broken, err);
    } else if (status == QA_REMOTE && c->handed_out) {
        error_prefix(err, status, "the stream broke off in the middle of the answer: ");
    } else {
        *again = status == QA_REMOTE;
    }
    *again = *again && !c->handed_out;
    chat_free(c);
    return status;
}

static qa_status generate(void *self, const struct generator_request *request, struct generator_result *out, qa_error *err) {
    struct remote_generator *g = self;
    unsigned manners = g->manners;
    double started_ms = clock_mono_ms();
    struct remote_call call = {.max_answer = MAX_ANSWER, .cancel = request->cancel, .on_body = chat_feed, .user = &g->chat,
                               .on_wait = request->waiting, .wait_user = request->user};
    *out = (struct generator_result){0};
    qa_status status = check_room(g, request, err);
    if (status != QA_OK)
        return status;
    remote_deadline(&g->remote, &call);
    for (bool again = true; again;) {
        struct http_response response = {0};
        char *body = NULL;
        status = build(g, request, manners, &body, err);
        if (status != QA_OK)
            return status;
        call.body = body;
        call.body_len = strlen(body);
        status = attempt(g, request, &call, out, started_ms, &response, &again, err);
        free(body);
        unsigned learnt = again ? learn(&response, manners) : 0;
        if (learnt)
            manners |= learnt;
        else
            again = again && remote_again(&g->remote, &call, &response, &status, err);
        http_release(&response);
    }
    if (status == QA_OK)
        g->manners = manners;
    return status;
}

static void close_generator(void *self) {
    struct remote_generator *g = self;
    remote_end(&g->remote);
    free(g);
}

static const struct generator_ops ops = {.generate = generate, .count_tokens = remote_count_tokens, .close = close_generator};

qa_status remote_open_generator(const struct remote_options *options, struct generator_port *out, qa_error *err) {
    struct remote_options plain = *options;
    struct remote_generator *g = calloc(1, sizeof *g);
    *out = (struct generator_port){0};
    if (!g)
        return error_no_memory(err, "a server's model");
    plain.dimensions = 0; /* of embedders */
    qa_status status = remote_start(&g->remote, &plain, "chat/completions", err);
    if (status != QA_OK) {
        close_generator(g);
        return status;
    }
    *out = (struct generator_port){.ops = &ops, .self = g, .name = g->remote.name, .fingerprint = g->remote.fingerprint, .context = g->remote.context};
    return QA_OK;
}
