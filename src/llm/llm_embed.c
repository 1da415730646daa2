/* Texts to vectors through llama.cpp: each text is one computation on one thread, and several threads, each with a context of its own, take texts in turn.
 *
 * Measured against it: several texts in one computation (attention then runs over all pairs of their tokens: at 280 tokens a text, two together were a
 * quarter slower, four took twice as long; and sums fall on other lanes, so that a vector depended in its last bits on its neighbours), and several
 * threads in one computation (llm_threads.c). This way the same text gives the same bytes, whatever its neighbours and the number of threads. */
#include "llm/llm_internal.h"
#include "llm/llm_trial.h"
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_MARKERS = 4 };

struct embedder;
struct worker {
    struct embedder *e;
    struct llama_context *context;  /* NULL: not needed so far */
    struct llm_batch batch;
    struct llm_tokens tokens;
    float *piece;
    pthread_t thread;
    bool started;
    size_t failed_at;               /* text of `err` */
    qa_status status;
    qa_error err;
};
struct embedder {
    struct llm_model m;
    llama_token front[MAX_MARKERS], back[MAX_MARKERS]; /* go around each piece */
    size_t n_front, n_back, dimensions;
    struct worker *workers;
    size_t n_workers;
    /* of the call that runs: */
    const struct embedder_text *texts;
    size_t n_texts;
    float *out;
    atomic_size_t next;
    atomic_bool stop;
};

static qa_status open_worker(struct embedder *e, struct worker *w, qa_error *err) {
    if (w->context)
        return QA_OK;
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = params.n_batch = params.n_ubatch = (uint32_t)e->m.context_tokens; /* attention both ways needs all of a text at once */
    params.n_threads = params.n_threads_batch = 1;
    params.embeddings = true;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_AUTO; /* a fifth faster at 280 tokens */
    if (llm_meta_number(&e->m, "pooling_type", LLAMA_POOLING_TYPE_UNSPECIFIED) <= LLAMA_POOLING_TYPE_NONE)
        params.pooling_type = LLAMA_POOLING_TYPE_MEAN; /* the file does not say; the usual one */
    w->e = e;
    if (!w->piece && !(w->piece = malloc(e->dimensions * sizeof *w->piece)))
        return error_no_memory(err, "opening an embedder");
    qa_status status = w->batch.room ? QA_OK : llm_batch_make(&w->batch, e->m.context_tokens, err);
    return status == QA_OK ? llm_make_context(&e->m, params, &w->context, err) : status;
}

static void close_worker(struct worker *w) {
    if (w->context)
        llama_free(w->context);
    llm_batch_free(&w->batch);
    llm_tokens_free(&w->tokens);
    free(w->piece);
}

/* What goes around a text, by showing the tokenizer one: each family has its own rules. */
static qa_status find_markers(struct embedder *e, qa_error *err) {
    llama_token marked[32];
    struct llm_tokens plain = {0};
    bool found = false;
    qa_status status = llm_tokenize(&e->m, "a", 1, false, &plain, err);
    int32_t n = llama_tokenize(e->m.vocab, "a", 1, marked, (int32_t)(sizeof marked / sizeof *marked), true, false);
    for (size_t front = 0; plain.n && n > 0 && !found && front + plain.n <= (size_t)n; front++) {
        size_t back = (size_t)n - front - plain.n;
        if (front > MAX_MARKERS || back > MAX_MARKERS || memcmp(marked + front, plain.items, plain.n * sizeof *marked) != 0)
            continue;
        memcpy(e->front, marked, front * sizeof *marked);
        memcpy(e->back, marked + front + plain.n, back * sizeof *marked);
        e->n_front = front;
        e->n_back = back;
        found = true;
    }
    llm_tokens_free(&plain);
    if (status == QA_OK && !found)
        return error_set(err, QA_CORRUPT, "the model %s: its vocabulary cannot be used", e->m.path);
    if (status == QA_OK && e->m.context_tokens <= e->n_front + e->n_back)
        return error_set(err, QA_CORRUPT, "the model %s: a context of %zu tokens leaves no room for text", e->m.path, e->m.context_tokens);
    return status;
}

/* One piece of text to w->piece. */
static qa_status compute(struct worker *w, const llama_token *tokens, size_t n, qa_error *err) {
    const struct embedder *e = w->e;
    const struct {
        const llama_token *items;
        size_t n;
    } parts[] = {{e->front, e->n_front}, {tokens, n}, {e->back, e->n_back}};
    w->batch.tokens.n_tokens = 0;
    for (size_t part = 0; part < sizeof parts / sizeof *parts; part++)
        for (size_t i = 0; i < parts[part].n; i++)
            llm_batch_add(&w->batch, parts[part].items[i], (size_t)w->batch.tokens.n_tokens, true);
    if (!w->batch.tokens.n_tokens)
        return error_set(err, QA_BAD_INPUT, "the model %s makes no token of a text, so it has no vector", e->m.name);
    llama_memory_t memory = llama_get_memory(w->context); /* embedders made from generators have one */
    llm_backend_forget();
    if (memory)
        llama_memory_clear(memory, false);
    int code = memory ? llama_decode(w->context, w->batch.tokens) : llama_encode(w->context, w->batch.tokens);
    if (code != 0)
        return llm_compute_error(&e->m, code, err);
    const float *vector = llama_get_embeddings_seq(w->context, 0);
    if (!vector)
        return error_set(err, QA_INTERNAL, "llama.cpp gives no vector of the model %s", e->m.name);
    memcpy(w->piece, vector, e->dimensions * sizeof *vector);
    return QA_OK;
}

static bool normalise(float *v, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)v[i] * v[i];
    if (!(sum > 0) || !isfinite(sum))
        return false;
    double scale = 1 / sqrt(sum);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)(v[i] * scale);
    return true;
}

/* A text that is too long is cut into pieces of nearly the same length, so that each counts the same in the mean. */
static qa_status embed_one(struct worker *w, const struct embedder_text *text, float *out, qa_error *err) {
    const struct embedder *e = w->e;
    w->tokens.n = 0;
    qa_status status = llm_tokenize(&e->m, text->text, text->len, false, &w->tokens, err);
    if (status != QA_OK)
        return status;
    size_t room = e->m.context_tokens - e->n_front - e->n_back;
    size_t n = w->tokens.n, pieces = n > room ? (n + room - 1) / room : 1;
    memset(out, 0, e->dimensions * sizeof *out);
    for (size_t p = 0; p < pieces; p++) {
        size_t from = n * p / pieces, to = n * (p + 1) / pieces;
        if ((status = compute(w, n ? w->tokens.items + from : NULL, to - from, err)) != QA_OK)
            return status;
        if (!normalise(w->piece, e->dimensions))
            return error_set(err, QA_CORRUPT, "the model %s gives a text of %zu bytes no usable vector", e->m.name, text->len);
        for (size_t i = 0; i < e->dimensions; i++)
            out[i] += w->piece[i];
    }
    if (!normalise(out, e->dimensions))
        return error_set(err, QA_CORRUPT, "the model %s gives the parts of a text of %zu bytes vectors that cancel out", e->m.name, text->len);
    return QA_OK;
}

/* Texts are taken in order, and one that was taken is finished: so the failure of the first text that fails is always among those seen. */
static void *run_worker(void *arg) {
    struct worker *w = arg;
    struct embedder *e = w->e;
    w->status = QA_OK;
    for (size_t i; !atomic_load(&e->stop) && (i = atomic_fetch_add(&e->next, 1)) < e->n_texts;) {
        w->failed_at = i;
        w->status = llm_cancelled(&e->m) ? error_set(&w->err, QA_CANCELLED, "cancelled")
                                         : embed_one(w, &e->texts[i], e->out + i * e->dimensions, &w->err);
        if (w->status != QA_OK) {
            atomic_store(&e->stop, true);
            break;
        }
    }
    return NULL;
}

static qa_status embed(void *self, enum embedder_side side, const struct embedder_text *texts, size_t n, const atomic_int *cancel, float *out,
                       qa_error *err) {
    struct embedder *e = self;
    (void)side; /* a GGUF does not say what its model wants to be told of it */
    e->m.cancel = cancel;
    e->texts = texts;
    e->n_texts = n;
    e->out = out;
    atomic_store(&e->next, 0);
    atomic_store(&e->stop, false);
    size_t used = n < e->n_workers ? n : e->n_workers;
    for (size_t i = 1; i < used; i++) {
        struct worker *w = &e->workers[i];
        /* Too little memory for another context, or no thread: those that there are do its work. */
        w->started = open_worker(e, w, NULL) == QA_OK && pthread_create(&w->thread, NULL, run_worker, w) == 0;
    }
    const struct worker *first = &e->workers[0];
    if (used)
        run_worker(&e->workers[0]);
    for (size_t i = 1; i < used; i++) {
        struct worker *w = &e->workers[i];
        if (!w->started)
            continue;
        pthread_join(w->thread, NULL);
        if (w->status != QA_OK && (first->status == QA_OK || w->failed_at < first->failed_at))
            first = w;
    }
    e->m.cancel = NULL;
    return !used || first->status == QA_OK ? QA_OK : error_set(err, first->status, "%s", first->err.message);
}

static qa_status count_tokens(void *self, const char *text, size_t len, size_t *out, qa_error *err) {
    struct embedder *e = self;
    struct llm_tokens *tokens = &e->workers[0].tokens;
    tokens->n = 0;
    qa_status status = llm_tokenize(&e->m, text, len, false, tokens, err);
    *out = tokens->n + e->n_front + e->n_back;
    return status;
}

static void close_embedder(void *self) {
    struct embedder *e = self;
    for (size_t i = 0; e->workers && i < e->n_workers; i++)
        close_worker(&e->workers[i]);
    free(e->workers);
    llm_unload(&e->m);
    free(e);
}

static const struct embedder_ops ops = {embed, count_tokens, close_embedder};

static qa_status open_embedder(const struct llm_options *options, bool trial, struct embedder_port *out, qa_error *err) {
    struct embedder *e = calloc(1, sizeof *e);
    if (!e)
        return error_no_memory(err, "opening an embedder");
    qa_status status = llm_load(&e->m, options, LLM_EMBEDDER, trial, err);
    if (status == QA_OK)
        status = find_markers(e, err);
    if (status == QA_OK) {
        int32_t dimensions = llama_model_n_embd_out(e->m.model);
        e->dimensions = dimensions > 0 ? (size_t)dimensions : 0;
        size_t threads = options->threads ? options->threads : llm_processors();
        e->n_workers = threads < LLM_MAX_EMBEDDING_THREADS ? threads : LLM_MAX_EMBEDDING_THREADS;
        e->workers = calloc(e->n_workers, sizeof *e->workers);
        if (!e->dimensions || e->dimensions > EMBEDDER_MAX_DIMENSIONS)
            status = error_set(err, QA_CORRUPT, "the model %s has vectors of %d dimensions; from 1 to %d can be kept", options->path, dimensions,
                               EMBEDDER_MAX_DIMENSIONS);
        else
            status = e->workers ? open_worker(e, &e->workers[0], err) : error_no_memory(err, "opening an embedder");
    }
    if (status != QA_OK) {
        close_embedder(e);
        return status;
    }
    e->m.cancel = NULL;
    *out = (struct embedder_port){.ops = &ops, .self = e, .name = e->m.name, .fingerprint = e->m.fingerprint, .dimensions = e->dimensions,
                                  .context = e->m.context_tokens};
    return QA_OK;
}

static qa_status attempt(const struct llm_options *options, qa_error *err) {
    struct embedder_port port = {0};
    qa_status status = open_embedder(options, true, &port, err);
    if (status != QA_OK)
        return status;
    const struct embedder_text text = {"trial", 5};
    float *out = malloc(port.dimensions * sizeof *out);
    status = out ? embed(port.self, EMBEDDER_PASSAGE, &text, 1, NULL, out, err) : error_no_memory(err, "trying an embedder");
    free(out);
    close_embedder(port.self);
    return status;
}

qa_status llm_open_embedder(const struct llm_options *options, struct embedder_port *out, qa_error *err) {
    qa_status status = options->trusted ? QA_OK : llm_trial(options, attempt, err);
    return status == QA_OK ? open_embedder(options, false, out, err) : status;
}
