/* `quaere model`: the list, and model files. Opens no index. Results are JSON, malloc'd (qa_text_free). */
#ifndef CORE_MODEL_FILES_H
#define CORE_MODEL_FILES_H

#include "base/error.h"
#include <stdatomic.h>

/* Calls come on the calling thread. */
struct core_model_progress {
    void (*say)(void *user, const char *line);
    void (*show)(void *user, const char *label, uint64_t done, uint64_t total);
    void *user;
    const atomic_int *cancel;
};

/* {"folder", "models": [{"name", "role", "about", "licence", "dimensions", "context", "bytes", "memory", "page", "pull", "present", "path"}]} */
qa_status core_list_models(char **json, qa_error *err);
/* {"name", "path", "bytes", "sha256", "pulled": false when it was there}. QA_NOT_FOUND with the nearest name. */
qa_status core_pull_model(const char *name, const struct core_model_progress *progress, char **json, qa_error *err);
/* `what`: a name of the list, or a file. {"path", "bytes", "sha256", "model": the name in the list or null, "name", "architecture", "role",
 * "parameters", "weights", "tensors", "layers", "dimensions", "context"}; QA_CORRUPT with what is wrong. */
qa_status core_verify_model(const char *what, const struct core_model_progress *progress, char **json, qa_error *err);
/* out NULL: FOLDER's name with .gguf in the models folder; an existing file is QA_EXISTS. As core_verify_model. */
qa_status core_import_model(const char *folder, const char *out, char **json, qa_error *err);

#endif
