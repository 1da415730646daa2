/* The embedder port on our own encoder. Texts are cut into tokens, sorted by length and packed into blocks of about BLOCK tokens; each thread runs whole
 * blocks, so that threads share nothing but the weights and what a block costs does not depend on the others. */
#include "base/vector.h"
#include "embed/encoder.h"
#include "embed/tokenizer.h"
#include <stdio.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BLOCK = 256,             /* tokens: their activations stay in the second-level cache while all weights pass by */
    GROUP = 64 * BLOCK,      /* tokens of a call that are worked on at once, a longer text's aside */
    MAX_THREADS = 64,
    AT_ONCE = 32,            /* texts of a thread in a call: about as many blocks, so that waiting for the last one costs little */
    MAX_ROOM = 64 << 20,     /* floats of the widest activations of a thread: small files can promise huge ones */
};

struct piece { /* of a text, or all of it */
    size_t text, from, n; /* its ids */
    float *out;
};

struct prefix { /* of a side, in tokens; it ends as a word does, so that it can be read apart from the text */
    int32_t *ids;
    size_t n;
};

struct embedder;
struct worker {
    struct embedder *e;
    struct encoder_room room;
    struct encoder_text *texts;
    pthread_t thread;
    bool ready, started;
};
struct embedder {
    struct encoder encoder;
    struct tokenizer *tokenizer;
    struct tokenizer_special special;
    size_t context, rows;
    struct prefix prefixes[EMBEDDER_SIDES];
    char *name, *fingerprint, *about;
    struct worker workers[MAX_THREADS];
    size_t n_workers;
    /* of the call that runs: */
    int32_t *ids;
    struct piece *pieces;
    float *vectors;
    size_t n_ids, room_ids, n_pieces, room_pieces, *blocks, n_blocks;
    atomic_size_t next;
    const atomic_int *cancel;
};

/* ---- One block ---- */

static bool cancelled(const struct embedder *e) { return e->cancel && atomic_load_explicit(e->cancel, memory_order_relaxed); }

static void *work(void *arg) {
    struct worker *w = arg;
    struct embedder *e = w->e;
    for (size_t b; !cancelled(e) && (b = atomic_fetch_add(&e->next, 1)) < e->n_blocks;) {
        size_t from = e->blocks[b], n = e->blocks[b + 1] - from;
        for (size_t i = 0; i < n; i++) {
            const struct piece *p = &e->pieces[from + i];
            w->texts[i] = (struct encoder_text){e->ids + p->from, p->n, p->out};
        }
        encoder_run(&e->encoder, &w->room, w->texts, n);
    }
    return NULL;
}

static qa_status make_ready(struct embedder *e, struct worker *w, qa_error *err) {
    if (w->ready)
        return QA_OK;
    w->e = e;
    encoder_free_room(&w->room);
    free(w->texts);
    w->texts = embed_allocate(e->rows, sizeof *w->texts); /* a text has a token at least */
    if (!w->texts)
        return error_no_memory(err, "embedding");
    qa_status status = encoder_make_room(&e->encoder, e->rows, &w->room, err);
    w->ready = status == QA_OK;
    return status;
}

static qa_status run_blocks(struct embedder *e, qa_error *err) {
    size_t used = e->n_blocks < e->n_workers ? e->n_blocks : e->n_workers;
    qa_status status = make_ready(e, &e->workers[0], err);
    if (status != QA_OK)
        return status;
    atomic_store(&e->next, 0);
    for (size_t i = 1; i < used; i++) {
        struct worker *w = &e->workers[i];
        /* Too little memory for another, or no thread: those that there are do its work. */
        w->started = make_ready(e, w, NULL) == QA_OK && pthread_create(&w->thread, NULL, work, w) == 0;
    }
    work(&e->workers[0]);
    for (size_t i = 1; i < used; i++)
        if (e->workers[i].started)
            pthread_join(e->workers[i].thread, NULL);
    return cancelled(e) ? error_set(err, QA_CANCELLED, "cancelled") : QA_OK;
}

/* ---- Texts to pieces ---- */

static qa_status grow(void **items, size_t *room, size_t n, size_t size, qa_error *err) {
    size_t wanted = *room * 2 > n ? *room * 2 : n, bytes;
    if (n <= *room)
        return QA_OK;
    void *more = __builtin_mul_overflow(wanted, size, &bytes) ? NULL : realloc(*items, bytes);
    if (!more)
        return error_no_memory(err, "embedding");
    *items = more;
    *room = wanted;
    return QA_OK;
}

/* A text that is too long is cut into pieces of nearly the same length, so that each counts the same in the mean. Markers and the side's prefix go around each,
 * from the last piece to the first, since they move what is behind them. */
static qa_status add_text(struct embedder *e, size_t number, const struct prefix *prefix, const struct embedder_text *text, qa_error *err) {
    size_t around = 2 + prefix->n, room = e->context - around;
    qa_status status = grow((void **)&e->ids, &e->room_ids, e->n_ids + text->len, sizeof *e->ids, err);
    if (status != QA_OK)
        return status;
    size_t n = tokenizer_tokens(e->tokenizer, text->text, text->len, text->len, e->ids + e->n_ids, NULL);
    size_t pieces = n > room ? (n + room - 1) / room : 1;
    status = grow((void **)&e->ids, &e->room_ids, e->n_ids + n + around * pieces, sizeof *e->ids, err);
    if (status == QA_OK)
        status = grow((void **)&e->pieces, &e->room_pieces, e->n_pieces + pieces, sizeof *e->pieces, err);
    if (status != QA_OK)
        return status;
    int32_t *ids = e->ids + e->n_ids;
    for (size_t p = pieces; p-- > 0;) {
        size_t from = n * p / pieces, len = n * (p + 1) / pieces - from, at = from + around * p;
        memmove(ids + at + 1 + prefix->n, ids + from, len * sizeof *ids);
        ids[at] = e->special.cls;
        for (size_t i = 0; i < prefix->n; i++)
            ids[at + 1 + i] = prefix->ids[i];
        ids[at + 1 + prefix->n + len] = e->special.sep;
        e->pieces[e->n_pieces + p] = (struct piece){.text = number, .from = e->n_ids + at, .n = len + around};
    }
    e->n_ids += n + around * pieces;
    e->n_pieces += pieces;
    return QA_OK;
}

/* Longest first, so that the last blocks are small ones; then as they came. */
static int by_length(const void *x, const void *y) {
    const struct piece *a = x, *b = y;
    if (a->n != b->n)
        return a->n > b->n ? -1 : 1;
    return a->from < b->from ? -1 : a->from > b->from;
}

static qa_status make_blocks(struct embedder *e, qa_error *err) {
    size_t rows = 0;
    free(e->blocks);
    free(e->vectors);
    e->blocks = embed_allocate(e->n_pieces + 1, sizeof *e->blocks);
    e->vectors = embed_allocate(e->n_pieces, e->encoder.hidden * sizeof *e->vectors);
    if (!e->blocks || !e->vectors)
        return error_no_memory(err, "embedding");
    for (size_t i = 0; i < e->n_pieces; i++)
        e->pieces[i].out = e->vectors + i * e->encoder.hidden;
    qsort(e->pieces, e->n_pieces, sizeof *e->pieces, by_length);
    e->n_blocks = 0;
    for (size_t i = 0; i < e->n_pieces; rows += e->pieces[i++].n)
        if (!i || rows + e->pieces[i].n > e->rows) {
            e->blocks[e->n_blocks++] = i;
            rows = 0;
        }
    e->blocks[e->n_blocks] = e->n_pieces;
    return QA_OK;
}

/* ---- Vectors of texts ---- */

static int by_text(const void *x, const void *y) {
    const struct piece *a = x, *b = y;
    return a->from < b->from ? -1 : a->from > b->from;
}

static qa_status collect(struct embedder *e, size_t n, float *out, qa_error *err) {
    size_t d = e->encoder.hidden;
    memset(out, 0, n * d * sizeof *out);
    qsort(e->pieces, e->n_pieces, sizeof *e->pieces, by_text);
    for (size_t i = 0; i < e->n_pieces; i++) {
        float *v = e->pieces[i].out, *to = out + e->pieces[i].text * d;
        if (!vector_normalise(v, d, 0))
            return error_set(err, QA_CORRUPT, "the model %s gives a text no usable vector", e->name);
        for (size_t k = 0; k < d; k++)
            to[k] += v[k];
    }
    for (size_t i = 0; i < n; i++)
        if (!vector_normalise(out + i * d, d, 0))
            return error_set(err, QA_CORRUPT, "the model %s gives the parts of a text vectors that cancel out", e->name);
    return QA_OK;
}

static qa_status embed(void *self, enum embedder_side side, const struct embedder_text *texts, size_t n, const atomic_int *cancel, float *out,
                       qa_error *err) {
    struct embedder *e = self;
    const struct prefix *prefix = &e->prefixes[side];
    qa_status status = QA_OK;
    e->cancel = cancel;
    for (size_t done = 0, taken; status == QA_OK && done < n; done += taken) {
        e->n_ids = e->n_pieces = 0;
        for (taken = 0; status == QA_OK && done + taken < n && e->n_ids < GROUP; taken++)
            status = add_text(e, taken, prefix, &texts[done + taken], err);
        if (status == QA_OK)
            status = make_blocks(e, err);
        if (status == QA_OK)
            status = run_blocks(e, err);
        if (status == QA_OK)
            status = collect(e, taken, out + done * e->encoder.hidden, err);
    }
    e->cancel = NULL;
    return status;
}

static qa_status count_tokens(void *self, const char *text, size_t len, size_t *out, qa_error *err) {
    const struct embedder *e = self;
    (void)err;
    *out = tokenizer_count(e->tokenizer, text, len);
    return QA_OK;
}

/* ---- */

static void close_embedder(void *self) {
    struct embedder *e = self;
    for (size_t i = 0; i < MAX_THREADS; i++) {
        encoder_free_room(&e->workers[i].room);
        free(e->workers[i].texts);
    }
    encoder_free(&e->encoder);
    tokenizer_close(e->tokenizer);
    free(e->ids);
    free(e->pieces);
    free(e->vectors);
    free(e->blocks);
    free(e->name);
    free(e->fingerprint);
    for (size_t i = 0; i < EMBEDDER_SIDES; i++)
        free(e->prefixes[i].ids);
    free(e->about);
    free(e);
}

static const struct embedder_ops ops = {embed, count_tokens, close_embedder};

static qa_status read_prefix(struct embedder *e, const struct embed_options *o, enum embedder_side side, qa_error *err) {
    struct prefix *p = &e->prefixes[side];
    const char *text = embedder_prefix(&o->prefixes, side);
    size_t len = strlen(text);
    p->ids = embed_allocate(len, sizeof *p->ids);
    if (!p->ids)
        return error_no_memory(err, "opening an embedder");
    p->n = tokenizer_tokens(e->tokenizer, text, len, len, p->ids, NULL);
    if (p->n + 2 >= e->context)
        return error_set(err, QA_BAD_CONFIG, "the model %s: a prefix of %zu tokens leaves no room for text in a context of %zu", o->path, p->n, e->context);
    return QA_OK;
}

static qa_status name_all(struct embedder *e, const struct embed_options *o, qa_error *err) {
    static const char *const precisions[] = {[EMBED_INT8] = "int8", [EMBED_BF16] = "bf16", [EMBED_F32] = "f32"};
    char mark[24];
    embedder_mark_prefixes(&o->prefixes, mark);
    if (!(e->name = strdup(o->name)))
        return error_no_memory(err, "opening an embedder");
    if (asprintf(&e->fingerprint, "%s%s", o->fingerprint, mark) < 0)
        e->fingerprint = NULL;
    if (asprintf(&e->about, "%s, %s", precisions[e->encoder.layers[0].qkv.precision], e->encoder.kernels->name) < 0)
        e->about = NULL;
    return e->fingerprint && e->about ? QA_OK : error_no_memory(err, "opening an embedder");
}

static const struct embed_kernels *find_kernels(const char *name) {
    const struct embed_kernels *all[5];
    size_t n = embed_list_kernels(all);
    for (size_t i = 0; name && i < n; i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return name ? NULL : embed_choose_kernels();
}

static qa_status open_embedder(struct embedder *e, const struct embed_options *o, qa_error *err) {
    struct model_gguf *gguf = NULL;
    const struct embed_kernels *kernels = find_kernels(o->kernels);
    if (!kernels)
        return error_set(err, QA_UNSUPPORTED, "this processor has no %s", o->kernels);
    qa_status status = model_gguf_open(o->path, &gguf, err);
    if (status == QA_OK)
        status = encoder_load(gguf, kernels, o->precision, &e->encoder, err);
    if (status == QA_OK)
        status = tokenizer_open(e->encoder.gguf, &e->tokenizer, err);
    if (status != QA_OK)
        return status;
    uint64_t trained = 0;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    e->special = tokenizer_special(e->tokenizer);
    e->context = e->encoder.positions;
    if (model_gguf_get_uint(e->encoder.gguf, "quaere.context_length", &trained) && trained >= 3 && trained < e->context)
        e->context = (size_t)trained;
    if (o->context >= 3 && o->context < e->context)
        e->context = o->context;
    if (e->context < 3)
        return error_set(err, QA_CORRUPT, "the model %s: a context of %zu tokens leaves no room for text", o->path, e->context);
    e->rows = e->context > BLOCK ? e->context : BLOCK;
    size_t wide = 3 * e->encoder.hidden > e->encoder.inner ? 3 * e->encoder.hidden : e->encoder.inner;
    if (e->rows > MAX_ROOM / wide)
        return error_set(err, QA_TOO_LARGE, "the model %s: a context of %zu tokens with layers of %zu is too large; with a context of %zu it can be used", o->path,
                         e->context, wide, (size_t)MAX_ROOM / wide);
    e->n_workers = o->threads ? o->threads : processors > 0 ? (size_t)processors : 1;
    if (e->n_workers > MAX_THREADS)
        e->n_workers = MAX_THREADS;
    for (size_t side = 0; status == QA_OK && side < EMBEDDER_SIDES; side++)
        status = read_prefix(e, o, (enum embedder_side)side, err);
    return status == QA_OK ? name_all(e, o, err) : status;
}

qa_status embed_open(const struct embed_options *options, struct embedder_port *out, qa_error *err) {
    struct embedder *e = calloc(1, sizeof *e);
    if (!e)
        return error_no_memory(err, "opening an embedder");
    qa_status status = open_embedder(e, options, err);
    if (status != QA_OK) {
        close_embedder(e);
        return status;
    }
    *out = (struct embedder_port){.ops = &ops, .self = e, .name = e->name, .fingerprint = e->fingerprint, .dimensions = e->encoder.hidden,
                                  .context = e->context, .at_once = AT_ONCE * e->n_workers};
    return QA_OK;
}

const char *embed_describe(const struct embedder_port *port) { return port->ops == &ops ? ((const struct embedder *)port->self)->about : NULL; }
