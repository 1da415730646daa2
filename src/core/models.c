/* Which models are meant, and opening them. Nothing is loaded before it is needed: a search by words never pays for a language model. */
#include "base/file.h"
#include "base/hash.h"
#include "core/core.h"
#include "llm/llm.h"
#include "model/model.h"
#include "remote/remote.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FINGERPRINT_BLOCK = 1 << 20, KEY_MAX = 4096 };

qa_status core_choose_model(qa *q, const char *option, const char *variable, const struct config_model *configured, struct config_model *out,
                            qa_error *err) {
    const char *text = option ? option : getenv(variable);
    if (!text || (!option && !*text)) {
        *out = *configured;
        return QA_OK;
    }
    return config_read_model(&q->memory, text, ".", out, err);
}

/* ---- Fingerprints ---- */

/* Of the whole file: an edited model must not pass for the one that the vectors are of. 45 MB take some milliseconds. */
static qa_status hash_file(struct arena *a, const char *path, const char **out, qa_error *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, errno, "the model %s", path);
    qa_status status = QA_OK;
    char *block = malloc(FINGERPRINT_BLOCK), id[24] = "";
    struct hash128 sums[2] = {{0, 0}, {0, 0}}; /* so far, of the next block */
    if (!block)
        status = error_no_memory(err, "reading a model");
    for (ssize_t n = 1; status == QA_OK && n > 0;) {
        n = read(fd, block, FINGERPRINT_BLOCK);
        if (n < 0 && errno == EINTR) {
            n = 1;
            continue;
        }
        if (n < 0)
            status = error_set_errno(err, errno, "reading the model %s", path);
        else if (n > 0) {
            sums[1] = hash_bytes(block, (size_t)n);
            sums[0] = hash_bytes(sums, sizeof sums);
        }
    }
    free(block);
    close(fd);
    if (status != QA_OK)
        return status;
    hash_id("file:", sums[0], id);
    *out = arena_string(a, id);
    return *out ? QA_OK : arena_error(a, err, "reading a model");
}

/* ---- Local files ---- */

/* `asked`: somebody named it, so that its absence is an error. *out NULL: not here. */
static qa_status find_local(qa *q, const struct config_model *choice, const char *standard, enum model_role role, struct llm_options *out,
                            bool *here, qa_error *err) {
    struct arena *a = &q->memory;
    struct model_list list = {0};
    bool present = false;
    *here = false;
    *out = (struct llm_options){.context = choice->context, .cancel = &q->cancel};
    if (choice->file) {
        out->path = choice->file;
        out->name = file_basename(choice->file);
        *here = true;
        qa_status checked = model_check(choice->file, err); /* before llama.cpp sees it */
        return checked == QA_OK ? hash_file(a, choice->file, &out->fingerprint, err) : checked;
    }
    qa_status status = model_load_list(a, &list, err);
    if (status != QA_OK)
        return status;
    const struct model_entry *entry = model_find(&list, choice->name ? choice->name : standard);
    if (!entry && choice->name)
        return error_set(err, QA_NOT_FOUND, "there is no model named \"%s\"; quaere model list shows them, and a file of your own is given by its path",
                         choice->name);
    if (!entry)
        return QA_OK;
    if (entry->role != role)
        return error_set(err, QA_BAD_CONFIG, "%s is %s, and %s is wanted here", entry->name,
                         entry->role == MODEL_EMBEDDER ? "an embedder" : "a generator", role == MODEL_EMBEDDER ? "an embedder" : "a generator");
    out->path = model_path(a, entry, &present, err);
    if (!out->path)
        return err ? err->status : QA_NO_MEMORY;
    if (!present && choice->name)
        return error_set(err, QA_NOT_FOUND, "the model %s is not here yet; get it with: quaere model pull %s", entry->name, entry->name);
    const char *sha256 = entry->import ? entry->gguf_sha256 : entry->sha256;
    out->name = entry->name;
    if (role == MODEL_EMBEDDER && !out->context)
        out->context = entry->context; /* what its publisher says; the file's positions may be more */
    *here = present;
    if (!present)
        return QA_OK;
    if (!sha256) { /* placed there by hand */
        status = model_check(out->path, err);
        return status == QA_OK ? hash_file(a, out->path, &out->fingerprint, err) : status;
    }
    out->trusted = true; /* it got its name only when its checksum was right */
    out->fingerprint = arena_printf(a, "sha256:%s", sha256);
    return out->fingerprint ? QA_OK : arena_error(a, err, "opening a model");
}

/* ---- Servers ---- */

static qa_status read_key(struct arena *a, const struct config_model *m, const char **out, qa_error *err) {
    size_t len = 0;
    char *text = NULL;
    if (m->key_env) {
        *out = getenv(m->key_env);
        return *out && **out ? QA_OK : error_set(err, QA_BAD_CONFIG, "the environment variable %s, which should hold the key of %s, is not set", m->key_env, m->url);
    }
    if (!m->key_file)
        return QA_OK;
    qa_status status = file_read(a, m->key_file, KEY_MAX, &text, &len, err);
    if (status != QA_OK)
        return error_prefix(err, status, "the key of %s: ", m->url);
    while (len && strchr(" \t\r\n", text[len - 1]))
        text[--len] = '\0';
    *out = text;
    return len ? QA_OK : error_set(err, QA_BAD_CONFIG, "%s, which should hold the key of %s, is empty", m->key_file, m->url);
}

static qa_status find_remote(qa *q, const struct config_model *m, struct remote_options *out, qa_error *err) {
    *out = (struct remote_options){.url = m->url, .model = m->model, .context = m->context, .dimensions = m->dimensions};
    return read_key(&q->memory, m, &out->key, err);
}

/* ---- */

static qa_status open_embedder(qa *q, const struct config_model *choice, const char *standard, qa_error *err) {
    struct remote_options remote;
    struct llm_options local;
    bool here = false;
    if (choice->none)
        return QA_OK;
    if (choice->url) {
        qa_status status = find_remote(q, choice, &remote, err);
        return status == QA_OK ? remote_open_embedder(&remote, &q->embedder, err) : status;
    }
    qa_status status = find_local(q, choice, standard, MODEL_EMBEDDER, &local, &here, err);
    return status == QA_OK && here ? llm_open_embedder(&local, &q->embedder, err) : status;
}

static qa_status open_generator(qa *q, const struct config_model *choice, qa_error *err) {
    struct remote_options remote;
    struct llm_options local;
    bool here = false;
    if (choice->none)
        return QA_OK;
    if (choice->url) {
        qa_status status = find_remote(q, choice, &remote, err);
        return status == QA_OK ? remote_open_generator(&remote, &q->generator, err) : status;
    }
    qa_status status = find_local(q, choice, CORE_GENERATOR, MODEL_GENERATOR, &local, &here, err);
    return status == QA_OK && here ? llm_open_generator(&local, &q->generator, err) : status;
}

/* What was found out is kept, so that a broken model costs its loading once, but not a cancelled one. */
static qa_status settle(struct core_model *state, qa_status status, const qa_error *said, qa_error *err) {
    state->tried = status != QA_CANCELLED;
    state->why = (qa_error){.status = status};
    return status == QA_OK ? QA_OK : (state->why = *said, error_set(err, status, "%s", said->message));
}

qa_status core_open_embedder(qa *q, const char *made_with, struct embedder_port **out, qa_error *err) {
    struct core_model *state = &q->embedder_state;
    qa_error said = {0};
    *out = NULL;
    if (!state->tried) {
        qa_status status = open_embedder(q, &q->embedder_choice, made_with ? made_with : CORE_EMBEDDER, &said);
        if (settle(state, status, &said, err) != QA_OK)
            return status;
    }
    if (state->why.status != QA_OK)
        return error_set(err, state->why.status, "%s", state->why.message);
    *out = q->embedder.ops ? &q->embedder : NULL;
    return QA_OK;
}

qa_status core_open_generator(qa *q, struct generator_port **out, qa_error *err) {
    struct core_model *state = &q->generator_state;
    qa_error said = {0};
    *out = NULL;
    if (!state->tried) {
        qa_status status = open_generator(q, &q->generator_choice, &said);
        if (settle(state, status, &said, err) != QA_OK)
            return status;
    }
    if (state->why.status != QA_OK)
        return error_set(err, state->why.status, "%s", state->why.message);
    *out = q->generator.ops ? &q->generator : NULL;
    return QA_OK;
}

void core_close_models(qa *q) {
    if (q->embedder.ops)
        q->embedder.ops->close(q->embedder.self);
    if (q->generator.ops)
        q->generator.ops->close(q->generator.self);
}
