/* Embeddings in requests of at most 64 texts and about 100 KB. A text over the configured context is cut into pieces between words, by the estimate of tokens.c,
 * and gets the mean of their vectors. Many servers refuse an empty string: text of white space only is sent as a full stop. */
#include "base/vector.h"
#include "remote/remote_internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_LENGTH 1e-20
enum { MAX_TEXTS = 64, MAX_BYTES = 100 << 10, ROOM_FOR_ANSWER = 64 << 10, BYTES_A_NUMBER = 32 };

struct piece {
    const char *text;
    size_t len, owner; /* which text it is of */
};

struct remote_embedder {
    struct remote remote;
    const char *prefixes[EMBEDDER_SIDES];
    const char *prefix; /* of the call that runs */
    float *vector;      /* room for one, once the dimensions are known */
    struct piece batch[MAX_TEXTS];
    size_t n, bytes;
    bool seen[MAX_TEXTS];
};

static qa_status wrong(const struct remote_embedder *e, const char *what, qa_error *err) {
    return error_set(err, QA_REMOTE, "%s: the answer makes no sense: %s", e->remote.host, what);
}

/* ---- Reading ---- */

static qa_status check_dimensions(struct remote_embedder *e, size_t got, qa_error *err) {
    struct remote *r = &e->remote;
    if (got == 0 || got > EMBEDDER_MAX_DIMENSIONS)
        return error_set(err, QA_REMOTE, "%s: model %.100s answered with a vector of %zu numbers; 1 to %d are possible", r->host, r->name, got,
                         EMBEDDER_MAX_DIMENSIONS);
    if (r->dimensions && got != r->dimensions)
        return error_set(err, QA_REMOTE,
                         "%s: model %.100s answered with a vector of %zu dimensions, and it is to have %zu: is it the model that is meant, and do its configured "
                         "dimensions fit?",
                         r->host, r->name, got, r->dimensions);
    r->dimensions = got;
    return QA_OK;
}

/* Adds the vector, made one long, to sum (which may be NULL: only looked at). */
static qa_status read_vector(struct remote_embedder *e, const json_t *values, float *sum, qa_error *err) {
    if (!json_is_array(values))
        return wrong(e, "an embedding is not a list", err);
    qa_status status = check_dimensions(e, json_array_size(values), err);
    size_t n = json_array_size(values);
    if (status == QA_OK && !e->vector && !(e->vector = arena_array(&e->remote.memory, n, sizeof *e->vector)))
        status = arena_error(&e->remote.memory, err, "a server's model");
    if (status != QA_OK)
        return status;
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(values, i);
        if (!json_is_number(value))
            return wrong(e, "an embedding holds something else than numbers", err);
        e->vector[i] = (float)json_number_value(value);
        if (!isfinite(e->vector[i]))
            return wrong(e, "an embedding holds a number that is too large", err);
    }
    if (!vector_normalise(e->vector, n, LEAST_LENGTH))
        return wrong(e, "an embedding is zero in all dimensions", err);
    for (size_t i = 0; i < n && sum; i++)
        sum[i] += e->vector[i];
    return QA_OK;
}

/* Vectors may come in any order when they have an index; without one they come in that of the texts. */
static qa_status read_vectors(struct remote_embedder *e, const json_t *value, float *out, qa_error *err) {
    const json_t *data = json_object_get(value, "data"), *error = json_object_get(value, "error");
    if (error && !json_is_null(error)) {
        char words[200];
        remote_words(&e->remote, value, words, sizeof words);
        return error_set(err, QA_REMOTE, "%s: failed%s%s", e->remote.host, *words ? ": " : "", words);
    }
    if (!json_is_array(data))
        return wrong(e, "it has no list named data", err);
    if (json_array_size(data) != e->n)
        return error_set(err, QA_REMOTE, "%s: answered with %zu vectors for %zu texts", e->remote.host, json_array_size(data), e->n);
    memset(e->seen, 0, sizeof e->seen);
    for (size_t i = 0; i < e->n; i++) {
        const json_t *item = json_array_get(data, i), *index = json_object_get(item, "index");
        json_int_t at = index ? json_integer_value(index) : (json_int_t)i;
        if (index && !json_is_integer(index))
            return wrong(e, "an index is not a number", err);
        if (at < 0 || at >= (json_int_t)e->n || e->seen[at])
            return error_set(err, QA_REMOTE, "%s: the answer makes no sense: index %lld comes twice or is not one of %zu texts", e->remote.host, (long long)at,
                             e->n);
        e->seen[at] = true;
        qa_status status = read_vector(e, json_object_get(item, "embedding"), out ? out + e->batch[at].owner * e->remote.dimensions : NULL, err);
        if (status != QA_OK)
            return status;
    }
    return QA_OK;
}

/* ---- Asking ---- */

/* One input: prefix and piece. */
static json_t *join(const struct remote_embedder *e, const struct piece *p) {
    struct buf joined;
    buf_init(&joined, EMBEDDER_MAX_PREFIX + p->len);
    buf_puts(&joined, e->prefix);
    buf_put(&joined, p->text, p->len);
    json_t *value = joined.status == QA_OK ? json_text(joined.data, joined.len) : NULL;
    buf_free(&joined);
    return value;
}

static char *build(const struct remote_embedder *e) {
    json_t *body = json_object(), *input = json_array();
    bool ok = body && input;
    for (size_t i = 0; i < e->n; i++)
        json_add(input, join(e, &e->batch[i]), &ok);
    json_put(body, "model", json_text0(e->remote.name), &ok);
    json_put(body, "input", input, &ok);
    char *text = ok ? json_write(body, 0) : NULL;
    json_decref(body);
    return text;
}

/* Sends the batch and empties it. */
static qa_status flush(struct remote_embedder *e, const atomic_int *cancel, float *out, qa_error *err) {
    size_t most = e->remote.dimensions ? e->remote.dimensions : EMBEDDER_MAX_DIMENSIONS;
    struct remote_call call = {.max_answer = ROOM_FOR_ANSWER + e->n * most * BYTES_A_NUMBER, .cancel = cancel};
    qa_status status = QA_OK;
    char *body = build(e);
    if (!body)
        return error_no_memory(err, "a request");
    call.body = body;
    call.body_len = strlen(body);
    remote_deadline(&e->remote, &call);
    for (bool again = true; again;) {
        struct http_response response = {0};
        json_t *value = NULL;
        again = false;
        status = remote_post(&e->remote, &call, &response, err);
        bool good = status == QA_OK && response.status >= 200 && response.status <= 299;
        if (status == QA_OK && !good)
            status = remote_refused(&e->remote, &call, &response, err);
        if (good)
            status = remote_parse(&e->remote, response.body.data, response.body.len, &value, err);
        if (good && status == QA_OK)
            status = read_vectors(e, value, out, err);
        else if (!good && status == QA_REMOTE)
            again = remote_again(&e->remote, &call, &response, &status, err);
        json_decref(value);
        http_release(&response);
    }
    free(body);
    e->n = e->bytes = 0;
    return status;
}

static bool blank(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (!strchr(" \t\r\n\f\v", text[i]) || !text[i])
            return false;
    return true;
}

static qa_status add(struct remote_embedder *e, struct piece p, const atomic_int *cancel, float *out, qa_error *err) {
    size_t bytes = strlen(e->prefix) + p.len;
    if (e->n && (e->n == MAX_TEXTS || e->bytes + bytes > MAX_BYTES)) {
        qa_status status = flush(e, cancel, out, err);
        if (status != QA_OK)
            return status;
    }
    e->batch[e->n++] = p;
    e->bytes += bytes;
    return QA_OK;
}

/* Without the markers, which are counted with the text. */
static size_t tokens_of(const char *prefix) {
    size_t taken;
    return remote_tokens(prefix, strlen(prefix), SIZE_MAX, &taken) - remote_tokens("", 0, SIZE_MAX, &taken);
}

static qa_status add_text(struct remote_embedder *e, struct embedder_text text, size_t owner, const atomic_int *cancel, float *out, qa_error *err) {
    if (blank(text.text, text.len))
        return add(e, (struct piece){".", 1, owner}, cancel, out, err);
    qa_status status = QA_OK;
    size_t lead = tokens_of(e->prefix);
    for (size_t at = 0; at < text.len && status == QA_OK;) {
        size_t n = text.len - at;
        if (e->remote.context)
            remote_tokens(text.text + at, text.len - at, e->remote.context - lead, &n);
        if (n == text.len || !blank(text.text + at, n))
            status = add(e, (struct piece){text.text + at, n, owner}, cancel, out, err);
        at += n;
    }
    return status;
}

static qa_status embed(void *self, enum embedder_side side, const struct embedder_text *texts, size_t n, const atomic_int *cancel, float *out,
                       qa_error *err) {
    struct remote_embedder *e = self;
    size_t dimensions = e->remote.dimensions;
    qa_status status = QA_OK;
    e->prefix = e->prefixes[side];
    e->n = e->bytes = 0;
    memset(out, 0, n * dimensions * sizeof *out);
    for (size_t i = 0; i < n && status == QA_OK; i++)
        status = add_text(e, texts[i], i, cancel, out, err);
    if (status == QA_OK && e->n)
        status = flush(e, cancel, out, err);
    for (size_t i = 0; i < n && status == QA_OK; i++)
        if (!vector_normalise(out + i * dimensions, dimensions, EMBEDDER_LEAST_MEAN))
            return error_set(err, QA_REMOTE, "%s: the vectors of the pieces of one text cancel each other out", e->remote.host);
    return status;
}

static void close_embedder(void *self) {
    struct remote_embedder *e = self;
    remote_end(&e->remote);
    free(e);
}

static const struct embedder_ops ops = {.embed = embed, .count_tokens = remote_count_tokens, .close = close_embedder};

/* Dimensions that nobody configured are those of the vector of one short text. */
static qa_status ask_dimensions(struct remote_embedder *e, const atomic_int *cancel, qa_error *err) {
    e->batch[0] = (struct piece){"dimensions", strlen("dimensions"), 0};
    e->n = 1;
    return flush(e, cancel, NULL, err);
}

static qa_status take_prefix(struct remote_embedder *e, const struct embedder_prefixes *given, enum embedder_side side, qa_error *err) {
    const char *text = embedder_prefix(given, side);
    if (e->remote.context && tokens_of(text) >= e->remote.context)
        return error_set(err, QA_BAD_CONFIG, "model %.100s: a prefix of about %zu tokens leaves no room for text in a context of %zu", e->remote.name,
                         tokens_of(text), e->remote.context);
    e->prefixes[side] = arena_string(&e->remote.memory, text);
    return e->prefixes[side] ? QA_OK : arena_error(&e->remote.memory, err, "a server's model");
}

qa_status remote_open_embedder(const struct remote_options *options, struct embedder_port *out, qa_error *err) {
    struct remote_embedder *e = calloc(1, sizeof *e);
    *out = (struct embedder_port){0};
    if (!e)
        return error_no_memory(err, "a server's model");
    e->prefix = "";
    qa_status status = remote_start(&e->remote, options, "embeddings", err);
    for (int side = 0; status == QA_OK && side < EMBEDDER_SIDES; side++)
        status = take_prefix(e, &options->prefixes, (enum embedder_side)side, err);
    if (status == QA_OK && options->dimensions > EMBEDDER_MAX_DIMENSIONS)
        status = error_set(err, QA_BAD_CONFIG, "model %.100s: %zu dimensions are configured, and %d are the most possible", e->remote.name,
                           options->dimensions, EMBEDDER_MAX_DIMENSIONS);
    if (status == QA_OK && !options->dimensions)
        status = ask_dimensions(e, options->cancel, err);
    if (status == QA_OK)
        status = remote_set_fingerprint(&e->remote, options, err);
    if (status != QA_OK) {
        close_embedder(e);
        return status;
    }
    *out = (struct embedder_port){.ops = &ops, .self = e, .name = e->remote.name, .fingerprint = e->remote.fingerprint,
                                  .dimensions = e->remote.dimensions, .context = e->remote.context};
    return QA_OK;
}
