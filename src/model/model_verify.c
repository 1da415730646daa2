/* Looking at model files: checksums against the list, structure, and what a file says of itself. */
#include "base/utf8.h"
#include "model/internal.h"
#include <stdio.h>
#include <string.h>

enum { MAX_SAID = 200 };

/* A GGUF may be sound and hold no model: a vocabulary alone, or nothing. */
static qa_status open_model(const char *path, struct model_gguf **out, qa_error *err) {
    const char *architecture = NULL;
    size_t len = 0;
    qa_status status = model_gguf_open(path, out, err);
    if (status == QA_OK && (!model_gguf_get_string(*out, "general.architecture", &architecture, &len) || !len || !(*out)->n_tensors)) {
        status = error_set(err, QA_CORRUPT, "%s: a GGUF that holds no model: it has %s", path, (*out)->n_tensors ? "no general.architecture" : "no tensors");
        model_gguf_close(*out);
        *out = NULL;
    }
    return status;
}

qa_status model_check(const char *path, qa_error *err) {
    struct model_gguf *g = NULL;
    qa_status status = open_model(path, &g, err);
    model_gguf_close(g);
    return status;
}

/* ---- The file of an entry ---- */

static qa_status advise(const struct model_entry *e, qa_status status, qa_error *err) {
    qa_error why = err ? *err : (qa_error){0};
    if (status != QA_CORRUPT && status != QA_BAD_VERSION && status != QA_TOO_LARGE)
        return status;
    if (e->n_sources)
        return error_set(err, status, "%s. Remove it and run: quaere model pull %s", why.message, e->name);
    return e->page ? error_set(err, status, "%s. Download it again from %s", why.message, e->page) : status;
}

static qa_status compare(const struct model_entry *e, const char *path, const char *sha256, qa_error *err) {
    const char *wanted = model_sha256(e);
    if (!wanted || strcmp(sha256, wanted) == 0)
        return QA_OK;
    return error_set(err, QA_CORRUPT, "%s: its SHA-256 is %s, and %s has %s", path, sha256, e->name, wanted);
}

qa_status model_identify_entry(const struct model_entry *entry, const char *path, const atomic_int *cancel, struct model_identity *out, qa_error *err) {
    qa_status status = model_identify(path, cancel, out, err);
    if (status == QA_OK)
        status = compare(entry, path, out->sha256, err);
    return status == QA_OK ? QA_OK : advise(entry, status, err);
}

qa_status model_verify(struct arena *a, const struct model_entry *entry, const struct model_progress *progress, struct model_file *out, qa_error *err) {
    bool present = false;
    const char *path = NULL;
    qa_status status = model_path(a, entry, &path, &present, err);
    if (status == QA_OK && !present)
        return error_set(err, QA_NOT_FOUND, "%s is not here (%s); get it with: quaere model pull %s", entry->name, path, entry->name);
    if (status == QA_OK)
        status = model_inspect(a, path, progress, out, err);
    if (status == QA_OK)
        status = compare(entry, path, out->sha256, err);
    return status == QA_OK ? QA_OK : advise(entry, status, err);
}

/* ---- What a file says ---- */

static const char *said(struct arena *a, const struct model_gguf *g, const char *key) {
    const char *text = NULL;
    size_t len = 0;
    if (!model_gguf_get_string(g, key, &text, &len) || utf8_valid_len(text, len) != len || memchr(text, 0, len))
        return NULL;
    return arena_copy(a, text, len > MAX_SAID ? utf8_floor(text, MAX_SAID) : len);
}

/* A number under the architecture's own prefix. */
static size_t said_number(const struct model_gguf *g, const char *architecture, const char *key) {
    char full[MAX_SAID + 64];
    uint64_t v = 0;
    snprintf(full, sizeof full, "%s.%s", architecture, key);
    return model_gguf_get_uint(g, full, &v) ? (size_t)v : 0;
}

static void count_weights(const struct model_gguf *g, struct model_file *out) {
    uint64_t sums[64] = {0}, most = 0;
    for (size_t i = 0; i < g->n_tensors; i++) {
        const struct model_gguf_tensor *t = &g->tensors[i];
        out->parameters += t->elements; /* each is in the file, so they cannot overflow together */
        if (t->type >= sizeof sums / sizeof *sums)
            continue;
        sums[t->type] += t->elements;
        if (sums[t->type] > most) {
            most = sums[t->type];
            out->weights = model_tensor_type_name(t->type);
        }
    }
}

qa_status model_inspect(struct arena *a, const char *path, const struct model_progress *progress, struct model_file *out, qa_error *err) {
    struct model_gguf *g = NULL;
    struct model_identity identity;
    uint64_t pooling = 0;
    *out = (struct model_file){0};
    qa_status status = model_identify_anew(path, progress, &identity, err);
    if (status == QA_OK)
        status = open_model(path, &g, err);
    if (status != QA_OK)
        return status;
    out->path = arena_string(a, path);
    out->sha256 = arena_string(a, identity.sha256);
    out->bytes = g->size;
    out->tensors = g->n_tensors;
    out->name = said(a, g, "general.name");
    out->architecture = said(a, g, "general.architecture");
    if (out->architecture) {
        char key[MAX_SAID + 64];
        out->layers = said_number(g, out->architecture, "block_count");
        out->dimensions = said_number(g, out->architecture, "embedding_length");
        out->context = said_number(g, out->architecture, "context_length");
        snprintf(key, sizeof key, "%s.pooling_type", out->architecture);
        out->embedder = model_gguf_get_uint(g, key, &pooling) && pooling != 0;
    }
    if (model_gguf_get_uint(g, "quaere.context_length", &pooling))
        out->context = (size_t)pooling;
    count_weights(g, out);
    model_gguf_close(g);
    return out->path && out->sha256 ? QA_OK : arena_error(a, err, path);
}
