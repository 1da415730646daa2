/* Opening a model: cheap looks first, so that the usual mistakes (a folder, a download that is a web page, half a file, the wrong role) get a message of their
 * own; then llama.cpp. A model is mapped, not read, except for the weights that llama.cpp stores anew for speed. */
#include "base/file.h"
#include "llm/llm_internal.h"
#include "llm/llm_trial.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    GGUF_HEADER = 24,           /* "GGUF", u32 version, u64 tensors, u64 entries */
    GGUF_NEWEST = 3,
    LEAST_ROOM_MB = 64          /* beside the weights; a context takes more, and says so itself */
};

bool llm_cancelled(const struct llm_model *m) { return m->cancel && atomic_load(m->cancel); }

static bool must_abort(void *user) { return llm_cancelled(user); }
static bool may_go_on(float progress, void *user) {
    (void)progress;
    return !llm_cancelled(user);
}

/* Megabytes that could be had without others losing theirs, swap included; 0: unknown. */
static uint64_t available_mb(void) {
    char line[128];
    unsigned long long kb, sum = 0;
    FILE *f = fopen("/proc/meminfo", "re");
    if (!f)
        return 0;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %llu kB", &kb) == 1 || sscanf(line, "SwapFree: %llu kB", &kb) == 1)
            sum += kb;
    fclose(f);
    return sum >> 10;
}

/* Asked before, since Linux hands out memory that it does not have and then ends a process; and small requests that fail are where llama.cpp aborts.
 * QA_TOO_LARGE and not QA_NO_MEMORY: this program has all the memory that it needs itself, and can go on without the model. */
static qa_status check_size(const char *path, uint64_t size, qa_error *err) {
    uint64_t available = available_mb(), needed = (size >> 20) + LEAST_ROOM_MB;
    if (!available || needed <= available)
        return QA_OK;
    return error_set(err, QA_TOO_LARGE, "the model %s needs at least %llu MB of memory, and %llu MB are available", path, (unsigned long long)needed,
                     (unsigned long long)available);
}

qa_status llm_check_memory(const char *path, qa_error *err) {
    struct file_stat st;
    return file_stat(path, &st, NULL) == QA_OK && st.is_regular ? check_size(path, st.size, err) : QA_OK;
}

static qa_status look_at_file(const char *path, qa_error *err) {
    struct file_stat st;
    unsigned char head[8] = {0};
    int fd = -1;
    qa_status status = file_open_regular(path, &fd, &st, err);
    if (status != QA_OK)
        return error_prefix(err, status, "the model ");
    ssize_t n = read(fd, head, sizeof head);
    int why = errno;
    close(fd);
    if (n < 0)
        return error_set_errno(err, why, "reading the model %s", path);
    if (n >= 4 && memcmp(head, "GGUF", 4) != 0)
        return error_set(err, QA_CORRUPT, "the model %s is no GGUF file: it begins with the bytes %02x %02x %02x %02x instead of \"GGUF\"", path, head[0],
                         head[1], head[2], head[3]);
    if (st.size < GGUF_HEADER)
        return error_set(err, QA_CORRUPT, "the model %s has %llu bytes; a GGUF file has at least %d", path, (unsigned long long)st.size, GGUF_HEADER);
    uint32_t version = head[4] | (uint32_t)head[5] << 8 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 24;
    if (version > GGUF_NEWEST)
        return error_set(err, QA_BAD_VERSION, "the model %s is GGUF version %u; this program reads up to %d", path, version, GGUF_NEWEST);
    return check_size(path, st.size, err);
}

/* llama.cpp says what was wrong by text alone. */
static qa_status load_error(const struct llm_model *m, const char *doing, qa_error *err) {
    const char *path = m->path, *why = llm_backend_complaint();
    if (llm_cancelled(m))
        return error_set(err, QA_CANCELLED, "loading the model %s was cancelled", path);
    if (strstr(why, "alloc") || strstr(why, "insufficient memory") || strstr(why, strerror(EAGAIN))) /* the last: no thread */
        return error_set(err, QA_TOO_LARGE, "not enough memory for the model %s: %s", path, why);
    return error_set(err, QA_CORRUPT, "llama.cpp cannot %s %s: %s", doing, path, *why ? why : "it gives no reason");
}

/* ---- Roles ---- */

long llm_meta_number(const struct llm_model *m, const char *suffix, long missing) {
    char key[128], value[32];
    snprintf(key, sizeof key, "%s.%s", m->architecture, suffix);
    if (llama_model_meta_val_str(m->model, key, value, sizeof value) < 0)
        return missing;
    return strcmp(value, "true") == 0 ? 1 : strcmp(value, "false") == 0 ? 0 : strtol(value, NULL, 10);
}

/* Encoders say that their attention looks both ways; embedders made from generators say how they pool. */
static qa_status check_role(const struct llm_model *m, enum llm_role role, qa_error *err) {
    const char *path = m->path;
    long pooling = llm_meta_number(m, "pooling_type", LLAMA_POOLING_TYPE_UNSPECIFIED);
    bool both_ways = llm_meta_number(m, "attention.causal", 1) == 0 || !llama_model_has_decoder(m->model);
    if (llama_vocab_type(m->vocab) == LLAMA_VOCAB_TYPE_NONE)
        return error_set(err, QA_CORRUPT, "the model %s has no vocabulary", path);
    if (pooling == LLAMA_POOLING_TYPE_RANK)
        return error_set(err, QA_BAD_CONFIG, "%s is a reranker (architecture %s); neither embedder nor generator", path, m->architecture);
    bool embeds = both_ways || pooling > LLAMA_POOLING_TYPE_NONE;
    bool writes = !embeds && !llama_model_has_encoder(m->model) && !llama_model_is_diffusion(m->model);
    if (role == LLM_EMBEDDER && !embeds)
        return error_set(err, QA_BAD_CONFIG, "%s cannot be the embedder: it writes text (architecture %s, no pooling); name it as generator", path,
                         m->architecture);
    if (role == LLM_GENERATOR && embeds)
        return error_set(err, QA_BAD_CONFIG, "%s cannot be the generator: it is an embedder (architecture %s); name it as embedder", path,
                         m->architecture);
    if (role == LLM_GENERATOR && !writes)
        return error_set(err, QA_UNSUPPORTED, "%s cannot be the generator: models of architecture %s do not write word by word", path, m->architecture);
    return QA_OK;
}

/* ---- */

static size_t choose_context(const struct llm_model *m, size_t wanted, enum llm_role role) {
    int32_t trained = llama_model_n_ctx_train(m->model);
    size_t most = trained > 0 ? (size_t)trained : LLM_DEFAULT_CONTEXT;
    if (role == LLM_EMBEDDER && most > LLM_MAX_EMBEDDER_CONTEXT)
        most = LLM_MAX_EMBEDDER_CONTEXT;
    if (!wanted)
        wanted = role == LLM_GENERATOR ? LLM_DEFAULT_CONTEXT : LLM_MAX_EMBEDDER_CONTEXT;
    return wanted < most ? wanted : most;
}

qa_status llm_make_context(struct llm_model *m, struct llama_context_params params, struct llama_context **out, qa_error *err) {
    params.abort_callback = must_abort;
    params.abort_callback_data = m;
    llm_backend_forget();
    *out = llama_init_from_model(m->model, params);
    return *out ? QA_OK : load_error(m, "make a context for the model", err);
}

/* `trial`: in a child process, where all of the file is read and checked, and nothing is prepared for speed. What was set up when it fails is released by
 * llm_unload, as it always is; *m must not move. */
static qa_status load(struct llm_model *m, const struct llm_options *options, enum llm_role role, bool trial, qa_error *err) {
    *m = (struct llm_model){.cancel = options->cancel, .role = role};
    qa_status status = look_at_file(options->path, err);
    if (status != QA_OK)
        return status;
    m->path = strdup(options->path);
    m->name = strdup(options->name);
    char mark[24];
    embedder_mark_prefixes(&options->prefixes, mark);
    if (!m->path || !m->name || asprintf(&m->fingerprint, "%s%s", options->fingerprint, mark) < 0) {
        m->fingerprint = NULL;
        return error_no_memory(err, "opening a model");
    }
    llm_backend_acquire();
    m->acquired = true;

    struct llama_model_params params = llama_model_default_params();
    params.n_gpu_layers = 0;
    params.load_mode = LLAMA_LOAD_MODE_MMAP;
    params.progress_callback = may_go_on;
    params.progress_callback_user_data = m;
    params.check_tensors = trial;
    params.use_extra_bufts = !trial;
    llm_backend_forget();
    m->model = llama_model_load_from_file(options->path, params);
    if (!m->model)
        return load_error(m, "load the model", err);
    m->vocab = llama_model_get_vocab(m->model);
    if (llama_model_meta_val_str(m->model, "general.architecture", m->architecture, sizeof m->architecture) < 0)
        strcpy(m->architecture, "unknown");
    m->context_tokens = choose_context(m, options->context, role);
    return check_role(m, role, err);
}

static qa_status open_kind(const struct llm_kind *kind, const struct llm_options *options, bool trial, void **out, qa_error *err) {
    struct llm_model *m = calloc(1, kind->size);
    *out = NULL;
    if (!m)
        return error_no_memory(err, kind->doing);
    qa_status status = load(m, options, kind->role, trial, err);
    if (status == QA_OK)
        status = kind->prepare(m, options, err);
    if (status != QA_OK) {
        kind->close(m);
        return status;
    }
    m->cancel = NULL;
    *out = m;
    return QA_OK;
}

static qa_status try_kind(const struct llm_options *options, const void *kind_of_it, qa_error *err) {
    const struct llm_kind *kind = kind_of_it;
    void *self = NULL;
    qa_status status = open_kind(kind, options, true, &self, err);
    if (status != QA_OK)
        return status;
    status = kind->attempt(self, err);
    kind->close(self);
    return status;
}

qa_status llm_open(const struct llm_kind *kind, const struct llm_options *options, void **out, qa_error *err) {
    qa_status status = options->trusted ? QA_OK : llm_trial(options, try_kind, kind, err);
    return status == QA_OK ? open_kind(kind, options, false, out, err) : status;
}

void llm_unload(struct llm_model *m) {
    if (m->model)
        llama_model_free(m->model);
    if (m->acquired)
        llm_backend_release();
    free(m->path);
    free(m->name);
    free(m->fingerprint);
    *m = (struct llm_model){0};
}

qa_status llm_compute_error(const struct llm_model *m, int code, qa_error *err) {
    const char *why = llm_backend_complaint();
    if (code == 2 && llm_cancelled(m))
        return error_set(err, QA_CANCELLED, "cancelled");
    if (code == -2)
        return error_set(err, QA_NO_MEMORY, "not enough memory to compute with the model %s%s%s", m->name, *why ? ": " : "", why);
    return error_set(err, QA_INTERNAL, "llama.cpp cannot compute with the model %s (code %d)%s%s", m->name, code, *why ? ": " : "", why);
}
