/* Texts to measure an embedder with. Those that are built in are made, not written: words of documentation in sentences, some of them names, by a fixed sequence of
 * numbers; so that the figures of two machines compare, and lengths vary as those of chunks do. */
#include "base/file.h"
#include "core/bench.h"
#include <stdlib.h>
#include <string.h>

enum {
    LIST_MAX = 256 << 20,     /* bytes of a file of texts */
    DOCUMENT_MAX = 64 << 20,  /* as ingest */
    DOCUMENT_MEMORY = 512 << 20,
    SENTENCES_LEAST = 6, SENTENCES_SPREAD = 8, WORDS_LEAST = 7, WORDS_SPREAD = 12,
};

struct texts {
    struct arena *a;
    struct embedder_text *items; /* of CORE_BENCH_TEXTS */
    size_t n;
};

static qa_status add(struct texts *t, const char *text, size_t len, qa_error *err) {
    const char *copy = arena_copy(t->a, text, len);
    if (!copy)
        return arena_error(t->a, err, "reading texts");
    t->items[t->n++] = (struct embedder_text){.text = copy, .len = len};
    return QA_OK;
}

/* ---- Built in ---- */

static const char *const words[] = {
    "the", "a", "of", "to", "in", "for", "with", "and", "when", "that", "is", "are", "can", "must", "each", "before", "after", "without", "service", "container",
    "instance", "model", "training", "endpoint", "request", "response", "configuration", "default", "value", "limit", "timeout", "permission", "role", "policy",
    "bucket", "file", "folder", "image", "network", "volume", "version", "command", "option", "parameter", "user", "group", "account", "region", "cluster", "job",
    "data", "batch", "cost", "error", "message", "log", "metric", "alarm", "key", "token", "create", "delete", "update", "start", "stop", "deploy", "configure",
    "specify", "use", "run", "read", "write", "send", "receive", "check", "allow", "deny", "restart", "new", "existing", "available", "required", "optional",
    "multiple", "same", "maximum", "minimum", "automatic", "public", "private", "encrypted", "`max_wait_seconds`", "`--restart`", "CreateTrainingJob", "HTTP 404",
    "/opt/ml/model", "1,024", "3.5 GB", "us-east-1", "JSON", "SDK for Python",
};

static uint32_t draw(uint64_t *state, uint32_t below) { /* Knuth's MMIX generator; its upper bits */
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((*state >> 33) % below);
}

static qa_status make(struct texts *t, qa_error *err) {
    enum { LONGEST = (SENTENCES_LEAST + SENTENCES_SPREAD) * (WORDS_LEAST + WORDS_SPREAD) * 20 };
    char text[LONGEST];
    uint64_t state = 2023;
    qa_status status = QA_OK;
    while (status == QA_OK && t->n < CORE_BENCH_TEXTS) {
        char *to = text;
        for (uint32_t left = SENTENCES_LEAST + draw(&state, SENTENCES_SPREAD); left; left--) {
            for (uint32_t w = WORDS_LEAST + draw(&state, WORDS_SPREAD); w; w--) {
                to = stpcpy(to, words[draw(&state, sizeof words / sizeof *words)]);
                to = stpcpy(to, w > 1 ? " " : left > 1 ? ". " : ".");
            }
        }
        status = add(t, text, (size_t)(to - text), err);
    }
    return status;
}

/* ---- Files ---- */

/* The i-th of n that lie evenly over `all`. */
static size_t spread(size_t i, size_t n, size_t all) { return (size_t)((uint64_t)i * all / n); }

static qa_status read_list(const char *path, struct texts *t, qa_error *err) {
    struct arena file;
    char *bytes = NULL;
    size_t len = 0, count = 0;
    arena_init(&file, (size_t)LIST_MAX + (1 << 20));
    qa_status status = file_read(&file, path, LIST_MAX, &bytes, &len, err);
    for (size_t at = 0; status == QA_OK && at < len; at += strlen(bytes + at) + 1)
        count += bytes[at] != '\0';
    size_t wanted = count < CORE_BENCH_TEXTS ? count : CORE_BENCH_TEXTS;
    for (size_t at = 0, i = 0; status == QA_OK && t->n < wanted; at += strlen(bytes + at) + 1)
        if (bytes[at] && i++ == spread(t->n, wanted, count))
            status = add(t, bytes + at, strlen(bytes + at), err);
    arena_free(&file);
    return status;
}

/* At most `most` chunks of a document, as ingest embeds them. One that cannot be read has none, as in ingest, where that is told. */
static qa_status add_document(struct texts *t, const struct documents_port *documents, const struct document_item *item, size_t most, qa_error *err) {
    struct arena a;
    struct doc_tree tree = {0};
    struct doc_chunk *chunks = NULL;
    const struct doc_chunk_options usual = {0};
    char *bytes = NULL;
    size_t len = 0, n = 0;
    arena_init(&a, DOCUMENT_MEMORY);
    bool read = documents->ops->read(documents->self, item, &a, DOCUMENT_MAX, &bytes, &len, NULL) == QA_OK && doc_read(&a, item->path, bytes, len, &tree, NULL) == QA_OK &&
                doc_make_chunks(&a, &tree, &usual, &chunks, &n, NULL) == QA_OK;
    size_t wanted = read ? n < most ? n : most : 0;
    qa_status status = QA_OK;
    for (size_t i = 0; status == QA_OK && i < wanted; i++) {
        const struct doc_chunk *c = &chunks[spread(i, wanted, n)];
        const struct index_pending chunk = {.title = tree.title ? tree.title : "", .heading = c->heading, .n_heading = c->n_heading, .plain = c->plain,
                                            .plain_len = c->plain_len};
        size_t text_len = 0;
        char *text = ingest_embedded_text(&a, &chunk, &text_len);
        status = text ? add(t, text, text_len, err) : arena_error(&a, err, "reading texts");
    }
    doc_tree_release(&tree);
    arena_free(&a);
    return status;
}

static qa_status read_documents(const struct ingest_folder_options *from, struct texts *t, qa_error *err) {
    struct ingest_folder *folder = NULL;
    struct arena a;
    bool more = true;
    qa_status status = ingest_open_folder(from, &folder, err);
    if (status != QA_OK)
        return status;
    struct documents_port documents = ingest_folder_port(folder);
    size_t all = (size_t)ingest_folder_total(folder), wanted = all < CORE_BENCH_TEXTS ? all : CORE_BENCH_TEXTS, taken = 0;
    arena_init(&a, 1 << 20); /* of one item */
    for (size_t i = 0; status == QA_OK && more && taken < wanted; i++) {
        struct document_item item = {0};
        arena_reset(&a);
        status = documents.ops->next(documents.self, &a, &item, &more, err);
        if (status != QA_OK || !more)
            continue;
        if (i == spread(taken, wanted, all)) {
            /* What short documents leave over goes to those behind them. */
            size_t room = CORE_BENCH_TEXTS - t->n, behind = wanted - taken++;
            status = add_document(t, &documents, &item, (room + behind - 1) / behind, err);
        }
        documents.ops->release(documents.self, &item);
        if (from->cancel && atomic_load(from->cancel))
            status = error_set(err, QA_CANCELLED, "cancelled");
    }
    arena_free(&a);
    ingest_close_folder(folder);
    return status;
}

qa_status core_bench_texts(const char *from, const atomic_int *cancel, struct arena *a, struct embedder_text **out, size_t *n, qa_error *err) {
    struct texts t = {.a = a, .items = arena_array(a, CORE_BENCH_TEXTS, sizeof *t.items)};
    struct ingest_place place = {0};
    struct file_stat st = {0};
    if (!t.items)
        return arena_error(a, err, "reading texts");
    qa_status status = from ? file_stat(from, &st, err) : make(&t, err);
    if (from && status == QA_OK && !st.is_dir && !doc_can_read(from))
        status = read_list(from, &t, err);
    else if (from && status == QA_OK)
        status = ingest_find_place(a, from, "texts", NULL, 0, &place, err);
    if (status == QA_OK && place.root) {
        const struct ingest_folder_options options = {.root = place.root, .only = place.only, .cancel = cancel};
        status = read_documents(&options, &t, err);
    }
    if (status == QA_OK && !t.n)
        return error_set(err, QA_BAD_INPUT, "%s holds no text: a folder with documents is wanted, or a file of texts with a NUL between any two", from);
    *out = t.items;
    *n = t.n;
    return status;
}
