/* quaere.yaml: whatever the bytes, a configuration that keeps the rules of access, or a message that names the file. */
#include "base/log.h"
#include "core/config.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena a;
    struct config *config = NULL;
    qa_error err = {0};
    log_set_level(LOG_ERROR);
    arena_init(&a, 16 << 20);
    qa_status status = config_parse(&a, "/p/quaere.yaml", (const char *)data, size, &config, &err);
    if ((status == QA_OK) != (config != NULL) || (status != QA_OK && !strstr(err.message, "/p/quaere.yaml")))
        abort();
    bool ruled = false, unstated = false;
    for (size_t i = 0; config && i < config->n_sources; i++) {
        const struct config_source *s = &config->sources[i];
        if (!s->name || !s->path || s->path[0] != '/' || (s->has_acl && !s->n_acl))
            abort();
        ruled |= s->n_rules || (s->has_acl && strcmp(s->acl[0], "public") != 0);
        unstated |= !s->has_acl;
    }
    if (ruled && unstated)
        abort();
    arena_free(&a);
    return 0;
}
