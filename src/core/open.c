#include "core/core.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/version.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *qa_version(void) { return QA_VERSION "+" QA_REVISION; }

/* Without a configuration: $XDG_DATA_HOME/quaere, else ~/.local/share/quaere. */
static char *data_file(struct arena *a, const char *name, qa_error *err) {
    const char *base = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (base && base[0] == '/')
        return arena_printf(a, "%s/quaere/%s", base, name);
    if (home && home[0] == '/')
        return arena_printf(a, "%s/.local/share/quaere/%s", home, name);
    error_set(err, QA_BAD_CONFIG, "no place for %s: there is no quaere.yaml, and neither HOME nor XDG_DATA_HOME is set; give --index FILE", name);
    return NULL;
}

/* Option, environment, configuration, .quaere beside the configuration, the user's data folder. */
static qa_status choose_file(struct qa *q, const char *option, const char *variable, const char *configured, const char *name,
                             char **out, qa_error *err) {
    struct arena *a = &q->memory;
    const char *environment = getenv(variable);
    if (err)
        err->status = QA_OK;
    if (option && !*option)
        return error_set(err, QA_BAD_USAGE, "the path of %s is empty", name);
    if (option || (environment && *environment)) {
        *out = file_absolute(a, option ? option : environment);
    } else if (configured) {
        *out = arena_string(a, configured);
    } else if (q->config->path) {
        char *dir = file_dirname(a, q->config->path);
        *out = dir ? arena_printf(a, "%s/.quaere/%s", dir, name) : NULL;
    } else {
        qa_error why = {0};
        *out = data_file(a, name, &why);
        if (why.status != QA_OK)
            return error_set(err, why.status, "%s", why.message);
    }
    return *out ? QA_OK : error_no_memory(err, "choosing files");
}

qa_status qa_open(const qa_open_options *options, qa **out, qa_error *err) {
    *out = NULL;
    qa_open_options none = {0};
    if (!options)
        options = &none;
    qa *q = calloc(1, sizeof *q);
    if (!q)
        return error_no_memory(err, "opening");
    arena_init(&q->memory, CORE_CONFIG_CEILING);
    q->create = options->create;
    q->from_process_start = options->from_process_start;
    json_watch_memory();
    const char *named = options->config ? options->config : getenv("QUAERE_CONFIG");
    qa_status status = config_load(&q->memory, named && *named ? named : NULL, &q->config, err);
    if (status == QA_OK)
        status = choose_file(q, options->index, "QUAERE_INDEX", q->config->index, "index.db", &q->index_path, err);
    if (status == QA_OK && !options->state && !getenv("QUAERE_STATE") && !q->config->state &&
        (options->index || getenv("QUAERE_INDEX"))) {
        /* an index of one's own keeps its conversations beside it */
        char *dir = file_dirname(&q->memory, q->index_path);
        q->state_path = dir ? arena_printf(&q->memory, "%s/%s.state", dir, file_basename(q->index_path)) : NULL;
        if (!q->state_path)
            status = error_no_memory(err, "opening");
    } else if (status == QA_OK) {
        status = choose_file(q, options->state, "QUAERE_STATE", q->config->state, "state.db", &q->state_path, err);
    }
    if (status == QA_OK)
        status = core_choose_model(q, options->embedder, "QUAERE_EMBEDDER", &q->config->embedder, &q->embedder_choice, err);
    if (status == QA_OK)
        status = core_choose_model(q, options->generator, "QUAERE_GENERATOR", &q->config->generator, &q->generator_choice, err);
    if (status != QA_OK) {
        qa_close(q);
        return status;
    }
    *out = q;
    return QA_OK;
}

void qa_close(qa *q) {
    if (!q)
        return;
    store_close_index(q->reader);
    store_close_index(q->writer);
    store_close_state(q->state);
    core_close_models(q);
    words_free(q->words);
    arena_free(&q->memory);
    free(q);
}

void qa_cancel(qa *q) { atomic_store(&q->cancel, 1); }

double core_elapsed_ms(qa *q, double started) {
    bool whole = q->from_process_start;
    q->from_process_start = false;
    return whole ? clock_since_start_ms() : clock_mono_ms() - started;
}

qa_status core_finish(qa *q, qa_status status) {
    atomic_store(&q->cancel, 0);
    return status;
}

const char *qa_index_path(const qa *q) { return q->index_path; }
const char *qa_state_path(const qa *q) { return q->state_path; }
const char *qa_config_path(const qa *q) { return q->config->path; }

/* Folders that Quaere makes inside a project are none of its version control's business. */
static qa_status make_home(const char *file, qa_error *err) {
    qa_status status = QA_OK;
    struct arena a;
    arena_init(&a, 1 << 20);
    char *dir = file_dirname(&a, file), *ignore = dir ? arena_printf(&a, "%s/.gitignore", dir) : NULL;
    if (!ignore)
        status = error_no_memory(err, "making a folder");
    if (status == QA_OK)
        status = file_make_dirs(dir, err);
    if (status == QA_OK && strcmp(file_basename(dir), ".quaere") == 0 && access(ignore, F_OK) != 0)
        status = file_write_atomic(ignore, "*\n", 2, err);
    arena_free(&a);
    return status;
}

qa_status core_read_index(qa *q, struct index_port *out, qa_error *err) {
    if (!q->reader) {
        qa_status status = store_open_index(q->index_path, STORE_READ, &q->cancel, &q->reader, err);
        if (status == QA_NOT_FOUND)
            return error_set(err, QA_NOT_FOUND, "there is no index at %s yet; make one with: quaere ingest FOLDER", q->index_path);
        if (status != QA_OK)
            return status;
    }
    *out = store_index_port(q->reader);
    return QA_OK;
}

qa_status core_write_index(qa *q, struct index_port *out, qa_error *err) {
    if (!q->writer) {
        if (!q->create && access(q->index_path, F_OK) != 0)
            return error_set(err, QA_NOT_FOUND, "there is no index at %s", q->index_path);
        qa_status status = make_home(q->index_path, err);
        if (status == QA_OK)
            status = store_open_index(q->index_path, STORE_WRITE, &q->cancel, &q->writer, err);
        if (status != QA_OK)
            return status;
    }
    *out = store_index_port(q->writer);
    return QA_OK;
}

qa_status core_open_memory(qa *q, bool create, struct memory_port *out, qa_error *err) {
    *out = (struct memory_port){0};
    if (!q->state) {
        if (!create && access(q->state_path, F_OK) != 0)
            return QA_OK;
        qa_status status = create ? make_home(q->state_path, err) : QA_OK;
        if (status == QA_OK)
            status = store_open_state(q->state_path, STORE_WRITE, &q->state, err);
        if (status != QA_OK)
            return status;
    }
    *out = store_memory_port(q->state);
    return QA_OK;
}

struct words *core_words(qa *q, qa_error *err) {
    if (!q->words && !(q->words = words_new()))
        error_no_memory(err, "reading the question");
    return q->words;
}

void qa_text_free(char *text) { free(text); }
