/* Which form an answer has is seen from its first character, not from its Content-Type, which proxies and small servers get wrong: no event begins with a
 * brace. Of an answer only choice 0 is looked at, and of that only `content`: reasoning (`reasoning_content`, `reasoning`) and tool calls are passed over. */
#include "remote/chat.h"
#include "base/clock.h"
#include "base/utf8.h"
#include <string.h>

enum { MAX_EVENT = 1 << 20, MAX_DOCUMENT = 8 << 20, SLICE = 256 };

static bool on_event(void *user, const char *type, const char *data, size_t len);

void chat_start(struct chat *c, const struct remote *remote, const struct generator_request *request, struct generator_result *result, double started_ms) {
    c->remote = remote;
    c->request = request;
    c->result = result;
    c->started_ms = started_ms;
    c->form = CHAT_UNKNOWN;
    sse_init(&c->sse, MAX_EVENT, on_event, c);
    buf_init(&c->document, MAX_DOCUMENT);
    repeat_begin(&c->repeat, &repeat_bytes);
    c->handed_out = c->finished = c->full = c->done = false;
    c->end = GENERATOR_DONE;
    c->status = QA_OK;
    c->err = (qa_error){0};
}

void chat_free(struct chat *c) {
    sse_free(&c->sse);
    buf_free(&c->document);
}

static void wrong(struct chat *c, const char *what) {
    c->status = error_set(&c->err, QA_REMOTE, "%s: the answer makes no sense: %s", c->remote->host, what);
}

/* In slices, so that a whole answer in one document can be stopped and watched like one that streams. */
static void hand_out(struct chat *c, const char *text, size_t len) {
    while (len && !c->done) {
        size_t n = len > SLICE ? utf8_floor(text, SLICE) : len;
        if (!c->handed_out)
            c->result->first_token_ms = clock_mono_ms() - c->started_ms;
        c->handed_out = true;
        if (!c->request->piece(c->request->user, text, n)) {
            c->end = GENERATOR_STOPPED;
            c->done = true;
        } else if (repeat_add_text(&c->repeat, text, n)) {
            c->end = GENERATOR_LOOPED;
            c->done = true;
        }
        text += n;
        len -= n;
    }
}

static size_t count(const json_t *object, const char *key) {
    json_int_t n = json_integer_value(json_object_get(object, key));
    return n > 0 ? (size_t)n : 0;
}

static void read_usage(struct chat *c, const json_t *usage) {
    if (!json_is_object(usage))
        return;
    c->result->prompt_tokens = count(usage, "prompt_tokens");
    c->result->generated_tokens = count(usage, "completion_tokens");
    c->result->reused_tokens = count(json_object_get(usage, "prompt_tokens_details"), "cached_tokens");
}

static void read_reason(struct chat *c, const json_t *reason) {
    const char *why = json_string_value(reason);
    if (reason && !json_is_null(reason) && !why) {
        wrong(c, "finish_reason is not a string");
    } else if (why && !strcmp(why, "content_filter")) {
        c->status = error_set(&c->err, QA_REMOTE, "%s: withheld the answer (content_filter)", c->remote->host);
    } else if (why) {
        c->finished = true;
        c->full = !strcmp(why, "length");
    }
}

/* One event, or the whole document; `holder` is where a choice has its content: "delta" or "message". */
static void read_answer(struct chat *c, const json_t *value, const char *holder) {
    const json_t *error = json_object_get(value, "error"), *choices = json_object_get(value, "choices");
    if (!json_is_object(value)) {
        wrong(c, "it is not an object");
        return;
    }
    if (error && !json_is_null(error)) {
        char words[200];
        remote_words(c->remote, value, words, sizeof words);
        c->status = error_set(&c->err, QA_REMOTE, "%s: failed while answering%s%s", c->remote->host, *words ? ": " : "", words);
        return;
    }
    read_usage(c, json_object_get(value, "usage"));
    if (choices && !json_is_array(choices) && !json_is_null(choices)) {
        wrong(c, "choices is not a list");
        return;
    }
    for (size_t i = 0; i < json_array_size(choices) && c->status == QA_OK && !c->done; i++) {
        const json_t *choice = json_array_get(choices, i), *index = json_object_get(choice, "index");
        const json_t *message = json_object_get(choice, holder), *content = json_object_get(message, "content");
        if (!json_is_object(choice) || (message && !json_is_object(message) && !json_is_null(message))) {
            wrong(c, "a choice is not an object");
            return;
        }
        if (json_integer_value(index) != 0)
            continue;
        if (content && !json_is_string(content) && !json_is_null(content)) {
            wrong(c, "content is not a string");
            return;
        }
        hand_out(c, content ? json_string_value(content) : NULL, json_string_length(content));
        read_reason(c, json_object_get(choice, "finish_reason"));
    }
}

static bool on_event(void *user, const char *type, const char *data, size_t len) {
    struct chat *c = user;
    json_t *value = NULL;
    (void)type; /* some say "error" there; the data says it too */
    if (len == 6 && !memcmp(data, "[DONE]", 6)) {
        c->done = c->finished = true;
        return false;
    }
    if (len == 0)
        return true;
    c->status = remote_parse(c->remote, data, len, &value, &c->err);
    if (c->status == QA_OK)
        read_answer(c, value, "delta");
    json_decref(value);
    return c->status == QA_OK && !c->done;
}

bool chat_feed(void *chat, const char *bytes, size_t n) {
    struct chat *c = chat;
    if (c->form == CHAT_UNKNOWN) {
        size_t skip = 0;
        while (skip < n && strchr(" \t\r\n\xEF\xBB\xBF", bytes[skip]) && bytes[skip])
            skip++;
        if (skip == n)
            return true;
        bytes += skip;
        n -= skip;
        if (bytes[0] == '<') {
            wrong(c, "it is a web page; does the url have the version at its end, such as /v1?");
            return false;
        }
        c->form = bytes[0] == '{' || bytes[0] == '[' ? CHAT_DOCUMENT : CHAT_EVENTS;
        if (c->form == CHAT_EVENTS && !memchr(":deir", bytes[0], 5)) { /* a comment, data, event, id, retry */
            wrong(c, "it is neither JSON nor a stream of events");
            return false;
        }
    }
    if (c->form == CHAT_EVENTS) {
        qa_error err = {0};
        qa_status status = sse_feed(&c->sse, bytes, n, &err);
        if (status == QA_REMOTE)
            wrong(c, err.message);
        else if (status != QA_OK)
            c->status = error_set(&c->err, status, "%s", err.message);
    } else {
        buf_put(&c->document, bytes, n);
        if (c->document.status == QA_TOO_LARGE)
            wrong(c, "it is larger than 8 MiB");
        else
            c->status = buf_error(&c->document, &c->err, "an answer");
    }
    return c->status == QA_OK && !c->done;
}

qa_status chat_finish(struct chat *c, bool *broken, qa_error *err) {
    *broken = false;
    if (c->status == QA_OK && c->form == CHAT_DOCUMENT) {
        json_t *value = NULL;
        c->status = remote_parse(c->remote, c->document.data, c->document.len, &value, &c->err);
        if (c->status == QA_OK && json_array_size(json_object_get(value, "choices")) == 0 && !json_object_get(value, "error"))
            wrong(c, "it has no choices");
        if (c->status == QA_OK)
            read_answer(c, value, "message");
        c->finished = true;
        json_decref(value);
    }
    if (c->status != QA_OK)
        return error_set(err, c->status, "%s", c->err.message);
    c->result->end = c->end != GENERATOR_DONE ? c->end : c->full ? GENERATOR_FULL : GENERATOR_DONE;
    if (c->done || c->finished)
        return QA_OK;
    *broken = true;
    return error_set(err, QA_REMOTE, "%s: the stream broke off %s", c->remote->host, c->handed_out ? "in the middle of the answer" : "before the answer began");
}
