/* libfyaml stops at 64 levels of nesting, so that the conversion may recurse. Aliases are refused, not expanded: no bomb can
 * grow.
 *
 * It can refuse duplicate keys itself, but compares each with all others: minutes for a megabyte of them. So it is told to
 * let them pass, and they are found here by sorting. */
#include "core/config_yaml.h"
#include "base/utf8.h"
#include <libfyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_YAML = 1 << 20 };

struct reader {
    struct arena *a;
    const char *file;
    qa_error *err;
};

qa_status yaml_error(const char *file, const struct yaml_node *at, qa_error *err, const char *format, ...) {
    char message[sizeof err->message];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return error_set(err, QA_BAD_CONFIG, "%s:%d:%d: %s", file, at->line, at->column, message);
}

const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key) {
    for (size_t i = 0; map && map->kind == YAML_MAP && i < map->n; i++)
        if (strcmp(map->children[i].key, key) == 0)
            return &map->children[i];
    return NULL;
}

static void set_place(struct yaml_node *out, struct fy_node *node) {
    struct fy_token *token = fy_node_get_scalar_token(node);
    const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;
    if (mark) {
        out->line = mark->line + 1;
        out->column = mark->column + 1;
    }
}

/* The text of a scalar; NULL with the error set. */
static char *take_text(const struct reader *r, struct fy_node *node, const struct yaml_node *at) {
    size_t n = 0;
    const char *text = fy_node_get_scalar(node, &n);
    if (!text)
        n = 0;
    if (n && memchr(text, '\0', n)) {
        yaml_error(r->file, at, r->err, "a NUL character is not allowed");
        return NULL;
    }
    char *copy = arena_copy(r->a, text, n);
    if (!copy)
        arena_error(r->a, r->err, r->file);
    return copy;
}

static qa_status convert(const struct reader *r, struct fy_node *node, struct yaml_node *out);

static qa_status convert_list(const struct reader *r, struct fy_node *node, struct yaml_node *out) {
    void *at = NULL;
    struct fy_node *item = NULL;
    qa_status status = QA_OK;
    int n = fy_node_sequence_item_count(node);
    out->kind = YAML_LIST;
    out->children = n < 0 ? NULL : arena_array(r->a, (size_t)n, sizeof *out->children);
    if (!out->children)
        return arena_error(r->a, r->err, r->file);
    while (status == QA_OK && out->n < (size_t)n && (item = fy_node_sequence_iterate(node, &at))) {
        struct yaml_node *child = &out->children[out->n++];
        *child = (struct yaml_node){.line = out->line, .column = out->column};
        status = convert(r, item, child);
        if (out->n == 1 && !out->key) /* a list by itself begins where its first item does */
            out->line = child->line, out->column = child->column;
    }
    return status;
}

static int by_key(const void *pa, const void *pb) {
    const struct yaml_node *a = *(const struct yaml_node *const *)pa, *b = *(const struct yaml_node *const *)pb;
    int order = strcmp(a->key, b->key);
    return order ? order : a < b ? -1 : a > b;
}

static qa_status check_duplicates(const struct reader *r, const struct yaml_node *map) {
    const struct yaml_node **sorted = arena_array(r->a, map->n, sizeof *sorted), *found = NULL;
    if (!sorted)
        return arena_error(r->a, r->err, r->file);
    for (size_t i = 0; i < map->n; i++)
        sorted[i] = &map->children[i];
    if (map->n)
        qsort(sorted, map->n, sizeof *sorted, by_key);
    for (size_t i = 1; i < map->n; i++)
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0 && (!found || sorted[i] < found))
            found = sorted[i];
    return found ? yaml_error(r->file, found, r->err, "duplicate key \"%.60s\"", found->key) : QA_OK;
}

static qa_status convert_map(const struct reader *r, struct fy_node *node, struct yaml_node *out) {
    void *at = NULL;
    struct fy_node_pair *pair = NULL;
    qa_status status = QA_OK;
    int n = fy_node_mapping_item_count(node);
    out->kind = YAML_MAP;
    out->children = n < 0 ? NULL : arena_array(r->a, (size_t)n, sizeof *out->children);
    if (!out->children)
        return arena_error(r->a, r->err, r->file);
    while (status == QA_OK && out->n < (size_t)n && (pair = fy_node_mapping_iterate(node, &at))) {
        struct yaml_node *child = &out->children[out->n++];
        struct fy_node *key = fy_node_pair_key(pair);
        *child = (struct yaml_node){.line = out->line, .column = out->column};
        if (!key || !fy_node_is_scalar(key) || fy_node_is_alias(key))
            return yaml_error(r->file, child, r->err, "a key must be a plain word");
        set_place(child, key);
        child->key = take_text(r, key, child);
        if (!child->key)
            return r->err->status;
        if (out->n == 1 && !out->key)
            out->line = child->line, out->column = child->column;
        status = convert(r, fy_node_pair_value(pair), child);
    }
    return status == QA_OK ? check_duplicates(r, out) : status;
}

static qa_status convert(const struct reader *r, struct fy_node *node, struct yaml_node *out) {
    if (!node)
        return QA_OK;
    if (!out->key)
        set_place(out, node);
    if (fy_node_is_alias(node) || fy_node_get_anchor(node))
        return yaml_error(r->file, out, r->err, "anchors (&name) and aliases (*name) are not read here; write it out");
    if (fy_node_is_sequence(node))
        return convert_list(r, node, out);
    if (fy_node_is_mapping(node))
        return convert_map(r, node, out);
    out->quoted = fy_node_get_style(node) != FYNS_PLAIN;
    out->text = take_text(r, node, out);
    if (!out->text)
        return r->err->status;
    bool null = !out->quoted && (!out->text[0] || strcmp(out->text, "~") == 0 || strcmp(out->text, "null") == 0 ||
                                 strcmp(out->text, "Null") == 0 || strcmp(out->text, "NULL") == 0);
    out->kind = null ? YAML_NULL : YAML_TEXT;
    return QA_OK;
}

/* What libfyaml found wrong: its first error. */
static qa_status parse_error(const char *file, struct fy_diag *diag, qa_error *err) {
    void *at = NULL;
    const struct fy_diag_error *e = fy_diag_errors_iterate(diag, &at);
    if (!e || !e->msg)
        return error_set(err, QA_BAD_CONFIG, "%s: cannot be read as YAML", file);
    return error_set(err, QA_BAD_CONFIG, "%s:%d:%d: %s", file, e->line, e->column, e->msg);
}

static bool has_errors(struct fy_diag *diag) {
    void *at = NULL;
    return fy_diag_errors_iterate(diag, &at) != NULL;
}

static qa_status check_bytes(const char *file, const char *text, size_t len, qa_error *err) {
    if (len > MAX_YAML)
        return error_set(err, QA_BAD_CONFIG, "%s has %zu bytes, and %d are the most", file, len, MAX_YAML);
    size_t good = utf8_valid_len(text, len);
    const char *nul = memchr(text, '\0', len);
    if (nul && (size_t)(nul - text) < good)
        good = (size_t)(nul - text);
    if (good == len)
        return QA_OK;
    int line = 1, column = 1;
    for (size_t i = 0; i < good; i++)
        if (text[i] == '\n')
            line++, column = 1;
        else
            column++;
    return error_set(err, QA_BAD_CONFIG, "%s:%d:%d: %s", file, line, column,
                     text[good] ? "not valid UTF-8" : "a NUL byte is not allowed");
}

qa_status yaml_parse(struct arena *a, const char *file, const char *text, size_t len, struct yaml_node **out, qa_error *err) {
    qa_error unused = {0};
    struct reader r = {.a = a, .file = file, .err = err ? err : &unused};
    struct fy_diag_cfg diag_cfg;
    struct fy_document *document = NULL, *second = NULL;
    struct fy_parser *parser = NULL;
    *out = NULL;
    qa_status status = check_bytes(file, text, len, err);
    if (status != QA_OK)
        return status;
    *out = arena_alloc(a, sizeof **out);
    if (!*out)
        return arena_error(a, err, file);
    (*out)->line = (*out)->column = 1;
    size_t blank = 0;
    while (blank < len && strchr(" \t\r\n", text[blank]))
        blank++;
    if (blank == len)
        return QA_OK;
    fy_diag_cfg_default(&diag_cfg);
    diag_cfg.fp = NULL;
    struct fy_diag *diag = fy_diag_create(&diag_cfg);
    if (!diag)
        return error_no_memory(err, "reading YAML");
    fy_diag_set_collect_errors(diag, true);
    struct fy_parse_cfg cfg = {.search_path = "", .flags = FYPCF_QUIET | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE | FYPCF_ALLOW_DUPLICATE_KEYS, .diag = diag};
    parser = fy_parser_create(&cfg);
    if (!parser || fy_parser_set_string(parser, text, len) != 0) {
        status = error_no_memory(err, "reading YAML");
        goto out;
    }
    document = fy_parse_load_document(parser);
    if (document && fy_document_root(document))
        status = convert(&r, fy_document_root(document), *out);
    if (status == QA_OK && document)
        second = fy_parse_load_document(parser);
    if (status == QA_OK && second)
        status = error_set(err, QA_BAD_CONFIG, "%s: a second document begins after \"---\"; only one is read", file);
    else if (status == QA_OK && has_errors(diag))
        status = parse_error(file, diag, err);
out:
    if (second)
        fy_parse_document_destroy(parser, second);
    if (document)
        fy_parse_document_destroy(parser, document);
    if (parser)
        fy_parser_destroy(parser);
    fy_diag_destroy(diag);
    return status;
}
