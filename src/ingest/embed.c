/* Vectors follow the text: a document can be found by its words as soon as it is stored, and this runs after all of them, in this run or in a
 * later one.
 *
 * A batch is read, its texts hashed, and only those computed that no chunk of the index had before: a document that changed in one place costs
 * one chunk, a renamed one nothing, a text that stands in a hundred documents one. */
#include "base/clock.h"
#include "base/hash.h"
#include "ingest/ingest.h"
#include <stdlib.h>
#include <string.h>

enum {
    BATCH = 128,                   /* chunks between two commits, or an embedder's at_once if that is more: a few seconds of a slow one */
    SLICE = 32,                    /* texts that it is asked for at once, likewise: a second of it, so that a person sees it move and can stop it */
    BATCH_MEMORY = 256 << 20,
};
static const double PROGRESS_EVERY_MS = 250;

struct batch {
    struct index_pending *chunks;
    size_t n;
    uint64_t *numbers;
    struct hash128 *keys;
    struct embedder_text *texts;
    float *vectors;                /* by chunk */
    bool *known;
    /* What has to be computed: each text once. */
    struct embedder_text *asked;
    float *answers;
    size_t n_asked, *asked_by;     /* by chunk: which of the asked, where it is not known */
};

/* A title that is also the first heading stands once. */
char *ingest_embedded_text(struct arena *a, const struct index_pending *c, size_t *len) {
    size_t room = c->plain_len + 2;
    const char *before = NULL;
    for (size_t i = 0; i <= c->n_heading; i++)
        room += strlen(i ? c->heading[i - 1] : c->title) + 3;
    char *out = arena_alloc(a, room), *to = out;
    if (!out)
        return NULL;
    for (size_t i = 0; i <= c->n_heading; i++) {
        const char *part = i ? c->heading[i - 1] : c->title;
        if (!*part || (before && strcmp(before, part) == 0))
            continue;
        if (before)
            to = stpcpy(to, " > ");
        to = stpcpy(to, part);
        before = part;
    }
    if (before)
        *to++ = '\n';
    memcpy(to, c->plain, c->plain_len);
    to += c->plain_len;
    *to = '\0';
    *len = (size_t)(to - out);
    return out;
}

static qa_status prepare(struct arena *a, struct batch *b, size_t dimensions, qa_error *err) {
    b->numbers = arena_array(a, b->n, sizeof *b->numbers);
    b->keys = arena_array(a, b->n, sizeof *b->keys);
    b->texts = arena_array(a, b->n, sizeof *b->texts);
    b->known = arena_array(a, b->n, sizeof *b->known);
    b->asked = arena_array(a, b->n, sizeof *b->asked);
    b->asked_by = arena_array(a, b->n, sizeof *b->asked_by);
    b->vectors = arena_array(a, b->n, dimensions * sizeof *b->vectors);
    b->answers = arena_array(a, b->n, dimensions * sizeof *b->answers);
    if (!b->numbers || !b->keys || !b->texts || !b->known || !b->asked || !b->asked_by || !b->vectors || !b->answers)
        return arena_error(a, err, "making vectors");
    for (size_t i = 0; i < b->n; i++) {
        b->numbers[i] = b->chunks[i].chunk;
        b->texts[i].text = ingest_embedded_text(a, &b->chunks[i], &b->texts[i].len);
        if (!b->texts[i].text)
            return arena_error(a, err, "making vectors");
        b->keys[i] = hash_bytes(b->texts[i].text, b->texts[i].len);
    }
    return QA_OK;
}

static void ask_once(struct batch *b) {
    b->n_asked = 0;
    for (size_t i = 0; i < b->n; i++) {
        size_t before = 0;
        if (b->known[i])
            continue;
        while (before < i && (b->known[before] || hash_compare(b->keys[before], b->keys[i]) != 0))
            before++;
        b->asked_by[i] = before < i ? b->asked_by[before] : b->n_asked;
        if (before == i)
            b->asked[b->n_asked++] = b->texts[i];
    }
}

static size_t at_least(size_t n, size_t least) { return n > least ? n : least; }

/* The next chunks without a vector, and the vectors that are known. Nothing is written. */
static qa_status read_batch(const struct ingest_embedding *run, struct arena *a, uint64_t after, struct batch *b, qa_error *err) {
    const struct index_port *index = &run->index;
    qa_status status = index->ops->begin(index->self, err);
    if (status != QA_OK)
        return status;
    status = index->ops->pending_chunks(index->self, after, at_least(run->embedder.at_once, BATCH), a, &b->chunks, &b->n, err);
    if (status == QA_OK && b->n)
        status = prepare(a, b, run->embedder.dimensions, err);
    if (status == QA_OK && b->n)
        status = index->ops->known_vectors(index->self, b->keys, b->n, b->vectors, b->known, err);
    index->ops->rollback(index->self);
    return status;
}

/* ---- What is told ---- */

struct telling {
    const struct ingest_embedding *run;
    const qa_ingest_report *report;
    uint64_t done, total; /* chunks; done: of the batches before */
    uint64_t tokens;      /* of all texts that were computed */
    double shown_ms;
};

static void show(struct telling *t, uint64_t more) {
    uint64_t done = t->done + more;
    qa_ingest_event event = {.kind = QA_INGEST_EMBEDDING, .done = done, .total = t->total > done ? t->total : done, .tokens = t->tokens,
                              .report = t->report};
    t->shown_ms = clock_mono_ms();
    if (t->run->on_event)
        t->run->on_event(&event, t->run->user);
}

static void show_now_and_then(struct telling *t, uint64_t more) {
    if (clock_mono_ms() - t->shown_ms >= PROGRESS_EVERY_MS)
        show(t, more);
}

static bool cancelled(const struct ingest_embedding *run) { return run->cancel && atomic_load_explicit(run->cancel, memory_order_relaxed); }

static qa_status stopped(qa_error *err) {
    return error_set(err, QA_CANCELLED, "stopped before all chunks have their vectors; run it again to go on");
}

/* ---- */

static qa_status compute_slice(struct telling *t, const struct embedder_text *texts, size_t n, float *out, qa_error *err) {
    const struct embedder_port *e = &t->run->embedder;
    qa_status status = e->ops->embed(e->self, EMBEDDER_PASSAGE, texts, n, t->run->cancel, out, err);
    for (size_t i = 0, tokens = 0; status == QA_OK && i < n; i++) {
        status = e->ops->count_tokens(e->self, texts[i].text, texts[i].len, &tokens, err);
        t->tokens += tokens;
    }
    return status;
}

/* Outside any transaction: an embedder may take its time. */
static qa_status compute(struct telling *t, struct batch *b, uint64_t *computed, qa_error *err) {
    const struct ingest_embedding *run = t->run;
    size_t d = run->embedder.dimensions, known = b->n, slice = at_least(run->embedder.at_once, SLICE);
    qa_status status = QA_OK;
    ask_once(b);
    for (size_t i = 0; i < b->n; i++)
        known -= !b->known[i];
    for (size_t at = 0, n; at < b->n_asked && status == QA_OK; at += n) {
        n = b->n_asked - at < slice ? b->n_asked - at : slice;
        if (at)
            show_now_and_then(t, known + at);
        status = cancelled(run) ? stopped(err) : compute_slice(t, b->asked + at, n, b->answers + at * d, err);
    }
    for (size_t i = 0; status == QA_OK && i < b->n; i++)
        if (!b->known[i])
            memcpy(b->vectors + i * d, b->answers + b->asked_by[i] * d, d * sizeof *b->vectors);
    *computed += status == QA_OK ? b->n_asked : 0;
    return status;
}

static qa_status write_batch(const struct ingest_embedding *run, const struct batch *b, qa_error *err) {
    const struct index_port *index = &run->index;
    qa_status status = index->ops->begin(index->self, err);
    if (status != QA_OK)
        return status;
    status = index->ops->put_vectors(index->self, b->numbers, b->keys, b->vectors, b->n, err);
    if (status == QA_OK)
        status = index->ops->commit(index->self, err);
    if (status != QA_OK)
        index->ops->rollback(index->self);
    return status;
}

static qa_status use_space(const struct ingest_embedding *run, qa_error *err) {
    const struct index_port *index = &run->index;
    const struct embedder_port *e = &run->embedder;
    qa_status status = index->ops->begin(index->self, err);
    if (status != QA_OK)
        return status;
    status = index->ops->use_space(index->self, e->name, e->fingerprint, e->dimensions, err);
    if (status == QA_OK)
        status = index->ops->commit(index->self, err);
    if (status != QA_OK)
        index->ops->rollback(index->self);
    return status;
}

/* *n: chunks of this batch, none at the end. The process holds the index's only writer, so what was read is still so when it is written. */
static qa_status step(struct telling *t, struct arena *a, uint64_t *after, size_t *n, uint64_t *computed, qa_error *err) {
    const struct ingest_embedding *run = t->run;
    struct batch b = {0};
    arena_reset(a);
    *n = 0;
    if (cancelled(run))
        return stopped(err);
    qa_status status = read_batch(run, a, *after, &b, err);
    if (status != QA_OK || !b.n)
        return status;
    status = compute(t, &b, computed, err);
    if (status == QA_OK)
        status = write_batch(run, &b, err);
    if (status != QA_OK)
        return status;
    *n = b.n;
    *after = b.chunks[b.n - 1].chunk;
    return QA_OK;
}

qa_status ingest_embed(const struct ingest_embedding *run, qa_ingest_report *report, qa_error *err) {
    struct arena a;
    struct index_space space = {0};
    struct telling telling = {.run = run, .report = report};
    uint64_t after = 0;
    size_t n = 1;
    arena_init(&a, BATCH_MEMORY);
    qa_status status = run->index.ops->vector_space(run->index.self, &a, &space, err);
    telling.total = space.pending;
    if (status == QA_OK && space.fingerprint && strcmp(space.fingerprint, run->embedder.fingerprint) == 0 && !space.pending)
        n = 0;
    if (status == QA_OK && n)
        status = use_space(run, err);
    if (status == QA_OK && n && space.pending)
        show(&telling, 0);
    double began = clock_mono_ms();
    while (status == QA_OK && n) {
        uint64_t computed = 0;
        status = step(&telling, &a, &after, &n, &computed, err);
        if (status != QA_OK)
            break;
        telling.done += n;
        report->embedded += n;
        report->computed += computed;
        report->tokens = telling.tokens;
        report->embedding_ms = clock_mono_ms() - began;
        if (n)
            show_now_and_then(&telling, 0);
    }
    arena_free(&a);
    return status;
}
