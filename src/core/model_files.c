#include "core/model_files.h"
#include "base/file.h"
#include "base/json.h"
#include "base/nearest.h"
#include "model/model.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_MEMORY = 16 << 20 };

static json_t *count(uint64_t n) { return n ? json_integer((json_int_t)n) : json_null(); }

static const char *role_name(bool embedder) { return embedder ? "embedder" : "generator"; }

static qa_status take_json(json_t *o, bool ok, char **json, qa_error *err) {
    *json = ok ? json_write(o, 2) : NULL;
    json_decref(o);
    return *json ? QA_OK : error_no_memory(err, "the result");
}

/* ---- List ---- */

static json_t *describe(const struct model_entry *e, const char *path, bool present, bool *ok) {
    json_t *o = json_object();
    json_put(o, "name", json_text0(e->name), ok);
    json_put(o, "role", json_string(role_name(e->role == MODEL_EMBEDDER)), ok);
    json_put(o, "about", json_text0(e->about), ok);
    json_put(o, "licence", json_text0(e->licence), ok);
    json_put(o, "dimensions", count(e->dimensions), ok);
    json_put(o, "context", count(e->context), ok);
    json_put(o, "bytes", count(e->bytes), ok);
    json_put(o, "memory", json_text0(e->memory), ok);
    json_put(o, "page", json_text0(e->page), ok);
    json_put(o, "pull", json_boolean(e->n_sources != 0), ok);
    json_put(o, "present", json_boolean(present), ok);
    json_put(o, "path", json_text0(path), ok);
    return o;
}

qa_status core_list_models(char **json, qa_error *err) {
    struct arena a;
    struct model_list list = {0};
    bool ok = true;
    *json = NULL;
    arena_init(&a, MAX_MEMORY);
    const char *folder = NULL;
    qa_status status = model_load_list(&a, &list, err);
    if (status == QA_OK)
        status = model_folder(&a, &folder, err);
    json_t *o = json_object(), *models = json_array();
    json_put(o, "folder", json_text0(folder), &ok);
    for (size_t i = 0; status == QA_OK && i < list.n; i++) {
        const char *path = NULL;
        bool present = false;
        status = model_path(&a, &list.entries[i], &path, &present, err);
        if (status == QA_OK)
            json_add(models, describe(&list.entries[i], path, present, &ok), &ok);
    }
    json_put(o, "models", models, &ok);
    if (status == QA_OK)
        status = take_json(o, ok, json, err);
    else
        json_decref(o);
    arena_free(&a);
    return status;
}

static qa_status find(struct arena *a, const char *name, const struct model_entry **out, qa_error *err) {
    struct model_list list = {0};
    qa_status status = model_load_list(a, &list, err);
    if (status != QA_OK)
        return status;
    *out = model_find(&list, name);
    if (*out)
        return QA_OK;
    const char **names = arena_array(a, list.n + 1, sizeof *names);
    if (!names)
        return arena_error(a, err, "the list of models");
    for (size_t i = 0; i < list.n; i++)
        names[i] = list.entries[i].name;
    const char *near = nearest_word(name, names, list.n);
    return near ? error_set(err, QA_NOT_FOUND, "there is no model %.80s; did you mean %s?", name, near)
                : error_set(err, QA_NOT_FOUND, "there is no model %.80s; 'quaere model list' shows them", name);
}

/* ---- Pull ---- */

static struct model_progress forward(const struct core_model_progress *p) {
    return (struct model_progress){.say = p->say, .show = p->show, .user = p->user, .cancel = p->cancel};
}

qa_status core_pull_model(const char *name, const struct core_model_progress *progress, char **json, qa_error *err) {
    struct arena a;
    const struct model_entry *entry = NULL;
    const struct model_progress inner = forward(progress);
    struct file_stat st = {0};
    bool ok = true, present = false;
    const char *path = NULL;
    *json = NULL;
    arena_init(&a, MAX_MEMORY);
    qa_status status = find(&a, name, &entry, err);
    if (status == QA_OK)
        status = model_path(&a, entry, &path, &present, err);
    if (status == QA_OK)
        status = model_pull(entry, &inner, err);
    if (status == QA_OK)
        status = file_stat(path, &st, err);
    if (status == QA_OK) {
        json_t *o = json_object();
        json_put(o, "name", json_text0(entry->name), &ok);
        json_put(o, "path", json_text0(path), &ok);
        json_put(o, "bytes", count(st.size), &ok);
        json_put(o, "sha256", json_text0(model_sha256(entry)), &ok);
        json_put(o, "pulled", json_boolean(!present), &ok);
        status = take_json(o, ok, json, err);
    }
    arena_free(&a);
    return status;
}

/* ---- Verify, import ---- */

static qa_status tell_file(struct arena *a, const struct model_file *f, char **json, qa_error *err) {
    struct model_list list = {0};
    bool ok = true;
    qa_status status = model_load_list(a, &list, err);
    if (status != QA_OK)
        return status;
    const struct model_entry *known = model_find_sha256(&list, f->sha256);
    json_t *o = json_object();
    json_put(o, "path", json_text0(f->path), &ok);
    json_put(o, "bytes", count(f->bytes), &ok);
    json_put(o, "sha256", json_text0(f->sha256), &ok);
    json_put(o, "model", json_text0(known ? known->name : NULL), &ok);
    json_put(o, "name", json_text0(f->name), &ok);
    json_put(o, "architecture", json_text0(f->architecture), &ok);
    json_put(o, "role", json_string(role_name(f->embedder)), &ok);
    json_put(o, "parameters", count(f->parameters), &ok);
    json_put(o, "weights", json_text0(f->weights), &ok);
    json_put(o, "tensors", count(f->tensors), &ok);
    json_put(o, "layers", count(f->layers), &ok);
    json_put(o, "dimensions", count(f->dimensions), &ok);
    json_put(o, "context", count(f->context), &ok);
    return take_json(o, ok, json, err);
}

qa_status core_verify_model(const char *what, const struct core_model_progress *progress, char **json, qa_error *err) {
    struct arena a;
    const struct model_entry *entry = NULL;
    const struct model_progress inner = forward(progress);
    struct model_file f;
    *json = NULL;
    arena_init(&a, MAX_MEMORY);
    bool file = strchr(what, '/') || access(what, F_OK) == 0;
    qa_status status = file ? model_inspect(&a, what, &inner, &f, err) : find(&a, what, &entry, err);
    if (status == QA_OK && !file)
        status = model_verify(&a, entry, &inner, &f, err);
    if (status == QA_OK)
        status = tell_file(&a, &f, json, err);
    arena_free(&a);
    return status;
}

/* The folder's last name is what people call the model. */
static qa_status name_output(struct arena *a, const char *folder, const char **out, qa_error *err) {
    const char *models = NULL;
    qa_status status = model_folder(a, &models, err);
    if (status != QA_OK)
        return status;
    char *whole = file_absolute(a, folder);
    const char *name = whole ? file_basename(whole) : NULL;
    *out = name ? arena_printf(a, "%s/%s.gguf", models, *name ? name : "model") : NULL;
    if (!*out)
        return arena_error(a, err, "importing");
    return file_make_dirs(models, err);
}

qa_status core_import_model(const char *folder, const char *out, char **json, qa_error *err) {
    struct arena a;
    struct model_file f;
    *json = NULL;
    arena_init(&a, MAX_MEMORY);
    qa_status status = out ? QA_OK : name_output(&a, folder, &out, err);
    if (status == QA_OK && access(out, F_OK) == 0)
        status = error_set(err, QA_EXISTS, "%s is there already; remove it, or give another file with --output", out);
    if (status == QA_OK)
        status = model_import(folder, out, err);
    if (status == QA_OK)
        status = model_inspect(&a, out, NULL, &f, err);
    if (status == QA_OK)
        status = tell_file(&a, &f, json, err);
    arena_free(&a);
    return status;
}
