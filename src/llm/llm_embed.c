/* Texts to vectors through llama.cpp: each text is one computation on one thread, and several threads, each with a context of its own, take texts in turn.
 *
 * Measured against it: several texts in one computation (attention then runs over all pairs of their tokens: at 280 tokens a text, two together were a
 * quarter slower, four took twice as long; and sums fall on other lanes, so that a vector depended in its last bits on its neighbours), and several
 * threads in one computation (llm_threads.c). This way the same text gives the same bytes, whatever its neighbours and the number of threads. */
#include "base/buf.h"
#include "base/vector.h"
#include "llm/llm_internal.h"
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
    struct buf joined;              /* prefix and text */
    float *piece;
    pthread_t thread;
    bool started;
    size_t failed_at;               /* text of `err` */
    qa_status status;
    qa_error err;
};
struct prefix {
    char *text;                     /* NULL: none */
    struct llm_tokens tokens;       /* of it alone */
};
struct embedder {
    struct llm_model m;
    llama_token front[MAX_MARKERS], back[MAX_MARKERS]; /* go around each piece */
    size_t n_front, n_back, dimensions;
    struct prefix prefixes[EMBEDDER_SIDES];
    struct worker *workers;
    size_t n_workers;
    /* of the call that runs: */
    const struct prefix *prefix;
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
    w->joined.max = LLM_MAX_TEXT + EMBEDDER_MAX_PREFIX;
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
    buf_free(&w->joined);
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

/* The first `lead` of w->tokens and those from `from` to `to`, to w->piece. */
static qa_status compute(struct worker *w, size_t lead, size_t from, size_t to, qa_error *err) {
    const struct embedder *e = w->e;
    const llama_token *tokens = w->tokens.items;
    const struct {
        const llama_token *items;
        size_t n;
    } parts[] = {{e->front, e->n_front}, {tokens, lead}, {tokens ? tokens + from : NULL, to - from}, {e->back, e->n_back}};
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

/* The tokens of prefix and text to w->tokens; the first *lead of them are the prefix's. Read together, as the model was trained: apart they may give others at
 * the seam. */
static qa_status read_text(struct worker *w, const struct embedder_text *text, size_t *lead, qa_error *err) {
    const struct prefix *p = w->e->prefix;
    *lead = w->tokens.n = 0;
    if (!p->text || text->len > LLM_MAX_TEXT)
        return llm_tokenize(&w->e->m, text->text, text->len, false, &w->tokens, err);
    buf_reset(&w->joined);
    buf_puts(&w->joined, p->text);
    buf_put(&w->joined, text->text, text->len);
    qa_status status = buf_error(&w->joined, err, "reading a text");
    if (status == QA_OK)
        status = llm_tokenize(&w->e->m, w->joined.data, w->joined.len, false, &w->tokens, err);
    while (*lead < p->tokens.n && *lead < w->tokens.n && w->tokens.items[*lead] == p->tokens.items[*lead])
        ++*lead;
    return status;
}

/* A text that is too long is cut into pieces of nearly the same length, so that each counts the same in the mean. Each begins with the prefix. */
static qa_status embed_one(struct worker *w, const struct embedder_text *text, float *out, qa_error *err) {
    const struct embedder *e = w->e;
    size_t lead = 0;
    qa_status status = read_text(w, text, &lead, err);
    if (status != QA_OK)
        return status;
    size_t room = e->m.context_tokens - e->n_front - e->n_back - lead;
    size_t n = w->tokens.n - lead, pieces = n > room ? (n + room - 1) / room : 1;
    memset(out, 0, e->dimensions * sizeof *out);
    for (size_t p = 0; p < pieces; p++) {
        if ((status = compute(w, lead, lead + n * p / pieces, lead + n * (p + 1) / pieces, err)) != QA_OK)
            return status;
        if (!vector_normalise(w->piece, e->dimensions, 0))
            return error_set(err, QA_CORRUPT, "the model %s gives a text of %zu bytes no usable vector", e->m.name, text->len);
        for (size_t i = 0; i < e->dimensions; i++)
            out[i] += w->piece[i];
    }
    if (!vector_normalise(out, e->dimensions, EMBEDDER_LEAST_MEAN))
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
    e->m.cancel = cancel;
    e->prefix = &e->prefixes[side];
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
    for (size_t i = 0; i < EMBEDDER_SIDES; i++) {
        free(e->prefixes[i].text);
        llm_tokens_free(&e->prefixes[i].tokens);
    }
    llm_unload(&e->m);
    free(e);
}

static const struct embedder_ops ops = {embed, count_tokens, close_embedder};

static qa_status prepare_prefix(struct embedder *e, const struct embedder_prefixes *given, enum embedder_side side, qa_error *err) {
    struct prefix *p = &e->prefixes[side];
    const char *text = embedder_prefix(given, side);
    size_t len = strlen(text);
    if (!len)
        return QA_OK;
    if (!(p->text = strdup(text)))
        return error_no_memory(err, "opening an embedder");
    while (len && text[len - 1] == ' ') /* which some vocabularies make a part of the word after it */
        len--;
    qa_status status = llm_tokenize(&e->m, text, len, false, &p->tokens, err);
    if (status == QA_OK && e->n_front + e->n_back + p->tokens.n >= e->m.context_tokens)
        return error_set(err, QA_BAD_CONFIG, "the model %s: a prefix of %zu tokens leaves no room for text in a context of %zu", e->m.path, p->tokens.n,
                         e->m.context_tokens);
    return status;
}

static qa_status prepare(void *self, const struct llm_options *options, qa_error *err) {
    struct embedder *e = self;
    int32_t dimensions = llama_model_n_embd_out(e->m.model);
    qa_status status = find_markers(e, err);
    for (int side = 0; status == QA_OK && side < EMBEDDER_SIDES; side++)
        status = prepare_prefix(e, &options->prefixes, (enum embedder_side)side, err);
    if (status != QA_OK)
        return status;
    e->dimensions = dimensions > 0 ? (size_t)dimensions : 0;
    if (!e->dimensions || e->dimensions > EMBEDDER_MAX_DIMENSIONS)
        return error_set(err, QA_CORRUPT, "the model %s has vectors of %d dimensions; from 1 to %d can be kept", options->path, dimensions,
                         EMBEDDER_MAX_DIMENSIONS);
    size_t threads = options->threads ? options->threads : llm_processors();
    e->n_workers = threads < LLM_MAX_EMBEDDING_THREADS ? threads : LLM_MAX_EMBEDDING_THREADS;
    e->workers = calloc(e->n_workers, sizeof *e->workers);
    return e->workers ? open_worker(e, &e->workers[0], err) : error_no_memory(err, "opening an embedder");
}

static qa_status attempt(void *self, qa_error *err) {
    const struct embedder *e = self;
    const struct embedder_text text = {"trial", 5};
    float *out = malloc(e->dimensions * sizeof *out);
    qa_status status = out ? embed(self, EMBEDDER_PASSAGE, &text, 1, NULL, out, err) : error_no_memory(err, "trying an embedder");
    free(out);
    return status;
}

qa_status llm_open_embedder(const struct llm_options *options, struct embedder_port *out, qa_error *err) {
    static const struct llm_kind kind = {LLM_EMBEDDER, sizeof(struct embedder), "opening an embedder", prepare, attempt, close_embedder};
    void *self = NULL;
    qa_status status = llm_open(&kind, options, &self, err);
    if (status != QA_OK)
        return status;
    struct embedder *e = self;
    *out = (struct embedder_port){.ops = &ops, .self = e, .name = e->m.name, .fingerprint = e->m.fingerprint, .dimensions = e->dimensions,
                                  .context = e->m.context_tokens};
    return QA_OK;
}
