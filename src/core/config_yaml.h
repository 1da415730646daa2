/* YAML as a plain tree in an arena, each node with its place, so that a message can point at it. The only part of core that
 * sees libfyaml. */
#ifndef CORE_CONFIG_YAML_H
#define CORE_CONFIG_YAML_H

#include "base/arena.h"

enum yaml_kind { YAML_NULL, YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_node {
    enum yaml_kind kind;
    const char *text;       /* YAML_TEXT */
    bool quoted;
    int line, column;       /* from 1 */
    const char *key;        /* of a child of a map */
    struct yaml_node *children;
    size_t n;
};

/* QA_BAD_CONFIG as "FILE:LINE:COLUMN: ..." for what is not one YAML document of at most 1 MiB in UTF-8 without duplicate
 * keys, anchors and aliases. An empty file is YAML_NULL. */
qa_status yaml_parse(struct arena *a, const char *file, const char *text, size_t len, struct yaml_node **out, qa_error *err);
const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key); /* NULL: not there, or no map */
/* Sets "FILE:LINE:COLUMN: ..." */
qa_status yaml_error(const char *file, const struct yaml_node *at, qa_error *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
