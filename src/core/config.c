/* Everything is checked here, once, against what the file may say; an unknown key is an error, since a misspelt access rule
 * that is silently ignored shows documents to people who may not see them. */
#include "core/config.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/nearest.h"
#include "core/config_yaml.h"
#include "port/embedder.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { MAX_FILE = (1 << 20) + 1, MIN_TARGET = 100, MAX_TARGET = 20000 };

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct loader {
    struct arena *a;
    const char *file, *folder;
    qa_error *err;
};

#define FAIL(l, node, ...) yaml_error((l)->file, (node), (l)->err, __VA_ARGS__)

static qa_status no_memory(const struct loader *l) { return arena_error(l->a, l->err, l->file); }

/* ---- Keys ---- */

static qa_status unknown_key(const struct loader *l, const struct yaml_node *at, const char *where, const char *const *known,
                             size_t n) {
    const char *near = nearest_word(at->key, known, n);
    char list[300] = "";
    if (near)
        return FAIL(l, at, "unknown key \"%.60s\"%s; did you mean \"%s\"?", at->key, where, near);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(list);
        snprintf(list + len, sizeof list - len, "%s%s", i ? ", " : "", known[i]);
    }
    return FAIL(l, at, "unknown key \"%.60s\"%s; there are: %s", at->key, where, list);
}

/* `map` must be a map with these keys only. */
static qa_status check_keys(const struct loader *l, const struct yaml_node *map, const char *what, const char *where,
                            const char *const *known,
                            size_t n) {
    if (map->kind != YAML_MAP)
        return FAIL(l, map, "%s must be a map of keys and values", what);
    for (size_t i = 0; i < map->n; i++) {
        size_t k = 0;
        while (k < n && strcmp(map->children[i].key, known[k]) != 0)
            k++;
        if (k == n)
            return unknown_key(l, &map->children[i], where, known, n);
    }
    return QA_OK;
}

/* ---- Values ---- */

static qa_status get_text(const struct loader *l, const struct yaml_node *map, const char *key, const char **out) {
    const struct yaml_node *node = yaml_get(map, key);
    *out = NULL;
    if (!node)
        return QA_OK;
    if (node->kind != YAML_TEXT || !node->text[0])
        return FAIL(l, node, "\"%s\" must be a text", key);
    *out = node->text;
    return QA_OK;
}

/* A list of texts, or a single one. */
static qa_status take_texts(const struct loader *l, const struct yaml_node *node, const char *what, const char *const **out,
                            size_t *n) {
    bool single = node->kind == YAML_TEXT;
    if (!single && node->kind != YAML_LIST)
        return FAIL(l, node, "\"%s\" must be a list of texts", what);
    const struct yaml_node *items = single ? node : node->children;
    *n = single ? 1 : node->n;
    const char **texts = arena_array(l->a, *n, sizeof *texts);
    if (!texts)
        return no_memory(l);
    for (size_t i = 0; i < *n; i++) {
        if (items[i].kind != YAML_TEXT || !items[i].text[0])
            return FAIL(l, &items[i], "\"%s\" must be a list of texts", what);
        texts[i] = items[i].text;
    }
    *out = texts;
    return QA_OK;
}

static qa_status get_path(const struct loader *l, const struct yaml_node *map, const char *key, const char **out) {
    const char *text = NULL;
    *out = NULL;
    qa_status status = get_text(l, map, key, &text);
    if (status != QA_OK || !text)
        return status;
    if (text[0] == '~' && (text[1] == '/' || !text[1]))
        return FAIL(l, yaml_get(map, key), "\"%s\": write the folder out, \"~\" is not expanded here", key);
    char *joined = file_join(l->a, l->folder, text);
    *out = joined ? file_absolute(l->a, joined) : NULL;
    return *out ? QA_OK : no_memory(l);
}

/* Puts the place before what a check of ingest said. */
static qa_status place(const struct loader *l, const struct yaml_node *at, qa_status status, const qa_error *said) {
    return status == QA_OK ? QA_OK : status == QA_BAD_USAGE ? FAIL(l, at, "%s", said->message) : error_set(l->err, status, "%s", said->message);
}

static qa_status get_globs(const struct loader *l, const struct yaml_node *map, const char *key, const char *const **out,
                           size_t *n) {
    const struct yaml_node *node = yaml_get(map, key);
    qa_error said = {0};
    qa_status status = node ? take_texts(l, node, key, out, n) : QA_OK;
    for (size_t i = 0; status == QA_OK && i < *n; i++)
        status = place(l, node->kind == YAML_LIST ? &node->children[i] : node, ingest_check_glob((*out)[i], &said), &said);
    return status;
}

/* A number only when writing it again gives the same characters: 1.10 is a version, 007 a name. */
static json_t *scalar(const struct yaml_node *node) {
    char again[64];
    char *end = NULL;
    const char *text = node->text;
    if (node->quoted || strlen(text) > 30)
        return json_text0(text);
    if (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0)
        return json_boolean(strcasecmp(text, "true") == 0);
    errno = 0;
    long long whole = strtoll(text, &end, 10);
    snprintf(again, sizeof again, "%lld", whole);
    if (errno == 0 && !*end && strcmp(again, text) == 0)
        return json_integer(whole);
    double real = strtod(text, &end);
    snprintf(again, sizeof again, "%.15g", real);
    if (!*end && isfinite(real) && strcmp(again, text) == 0)
        return json_real(real);
    return json_text0(text);
}

/* Nesting is at most 64 (config_yaml.c). */
static json_t *to_json(const struct yaml_node *node) {
    bool good = true;
    if (node->kind == YAML_NULL)
        return json_null();
    if (node->kind == YAML_TEXT)
        return scalar(node);
    json_t *value = node->kind == YAML_LIST ? json_array() : json_object();
    for (size_t i = 0; value && i < node->n; i++) {
        if (node->kind == YAML_LIST)
            json_add(value, to_json(&node->children[i]), &good);
        else
            json_put(value, node->children[i].key, to_json(&node->children[i]), &good);
    }
    if (good)
        return value;
    json_decref(value);
    return NULL;
}

static qa_status get_metadata(const struct loader *l, const struct yaml_node *map, const char **out) {
    const struct yaml_node *node = yaml_get(map, "metadata");
    if (!node)
        return QA_OK;
    if (node->kind != YAML_MAP)
        return FAIL(l, node, "\"metadata\" must be a map of keys and values");
    json_t *value = to_json(node);
    char *text = value ? json_write(value, 0) : NULL;
    qa_status status = text ? QA_OK : error_no_memory(l->err, "reading the configuration");
    if (status == QA_OK && !(*out = arena_string(l->a, text)))
        status = no_memory(l);
    free(text);
    json_decref(value);
    return status;
}

/* ---- Access ---- */

static qa_status take_acl(const struct loader *l, const struct yaml_node *node, const char *what, const char *const **out,
                          size_t *n) {
    qa_error said = {0};
    qa_status status = take_texts(l, node, what, out, n);
    if (status == QA_OK && !*n)
        return FAIL(l, node, "\"%s\" is an empty list; to show it to nobody, write nobody", what);
    return status == QA_OK ? place(l, node, ingest_check_acl(*out, *n, &said), &said) : status;
}

static qa_status take_rule(const struct loader *l, const struct yaml_node *node, struct ingest_rule *out) {
    static const char *const keys[] = {"path", "groups"};
    qa_error said = {0};
    qa_status status = check_keys(l, node, "a rule of access", " in a rule of access", keys, COUNT(keys));
    const struct yaml_node *groups = yaml_get(node, "groups");
    if (status == QA_OK && (!yaml_get(node, "path") || !groups))
        return FAIL(l, node, "a rule of access needs \"path\" and \"groups\"");
    if (status == QA_OK)
        status = get_text(l, node, "path", &out->glob);
    if (status == QA_OK)
        status = place(l, yaml_get(node, "path"), ingest_check_glob(out->glob, &said), &said);
    return status == QA_OK ? take_acl(l, groups, "groups", &out->acl, &out->n_acl) : status;
}

static qa_status get_access(const struct loader *l, const struct yaml_node *map, struct config_source *out) {
    static const char *const keys[] = {"default", "rules"};
    const struct yaml_node *access = yaml_get(map, "access");
    if (!access)
        return QA_OK;
    qa_status status = check_keys(l, access, "\"access\"", " in access", keys, COUNT(keys));
    const struct yaml_node *standard = yaml_get(access, "default"), *rules = yaml_get(access, "rules");
    if (status == QA_OK && standard) {
        out->has_acl = true;
        status = take_acl(l, standard, "default", &out->acl, &out->n_acl);
    }
    if (status != QA_OK || !rules)
        return status;
    if (rules->kind != YAML_LIST)
        return FAIL(l, rules, "\"rules\" must be a list of rules, each with \"path\" and \"groups\"");
    struct ingest_rule *made = arena_array(l->a, rules->n, sizeof *made);
    if (!made)
        return no_memory(l);
    for (size_t i = 0; status == QA_OK && i < rules->n; i++)
        status = take_rule(l, &rules->children[i], &made[i]);
    out->rules = made;
    out->n_rules = rules->n;
    return status;
}

/* ---- Sources ---- */

static qa_status get_chunk(const struct loader *l, const struct yaml_node *map, size_t *out) {
    static const char *const keys[] = {"target"};
    const struct yaml_node *chunk = yaml_get(map, "chunk"), *target = yaml_get(chunk, "target");
    if (!chunk)
        return QA_OK;
    qa_status status = check_keys(l, chunk, "\"chunk\"", " in chunk", keys, COUNT(keys));
    if (status != QA_OK || !target)
        return status;
    bool number = target->kind == YAML_TEXT && !target->quoted && target->text[0] && strlen(target->text) <= 9 &&
                  strspn(target->text, "0123456789") == strlen(target->text);
    long value = number ? strtol(target->text, NULL, 10) : 0;
    if (value < MIN_TARGET || value > MAX_TARGET)
        return FAIL(l, target, "\"target\" must be a whole number of characters from %d to %d", MIN_TARGET, MAX_TARGET);
    *out = (size_t)value;
    return QA_OK;
}

static qa_status take_source(const struct loader *l, const struct yaml_node *node, struct config_source *out) {
    static const char *const keys[] = {"name", "path", "collection", "include", "exclude", "metadata", "access", "url", "chunk"};
    qa_error said = {0};
    out->line = node->line;
    qa_status status = check_keys(l, node, "a source", " in a source", keys, COUNT(keys));
    if (status == QA_OK && (!yaml_get(node, "name") || !yaml_get(node, "path")))
        return FAIL(l, node, "a source needs \"name\" and \"path\"");
    if (status != QA_OK || (status = get_text(l, node, "name", &out->name)) != QA_OK ||
        (status = place(l, yaml_get(node, "name"), ingest_check_source_name(out->name, &said), &said)) != QA_OK ||
        (status = get_path(l, node, "path", &out->path)) != QA_OK ||
        (status = get_text(l, node, "collection", &out->collection)) != QA_OK ||
        (status = get_globs(l, node, "include", &out->include, &out->n_include)) != QA_OK ||
        (status = get_globs(l, node, "exclude", &out->exclude, &out->n_exclude)) != QA_OK ||
        (status = get_metadata(l, node, &out->metadata)) != QA_OK || (status = get_access(l, node, out)) != QA_OK ||
        (status = get_text(l, node, "url", &out->url)) != QA_OK || (status = get_chunk(l, node, &out->chunk_target)) != QA_OK)
        return status;
    return out->url ? place(l, yaml_get(node, "url"), ingest_check_url_rule(out->url, &said), &said) : QA_OK;
}

static bool lies_in(const char *path, const char *folder) {
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && (!path[n] || path[n] == '/' || folder[n - 1] == '/');
}

/* One source against those before it. */
static qa_status check_pair(const struct loader *l, const struct yaml_node *node, const struct config_source *before,
                            const struct config_source *now) {
    if (strcmp(before->name, now->name) == 0)
        return FAIL(l, node, "two sources are named \"%s\"; the other is in line %d", now->name, before->line);
    if (lies_in(now->path, before->path) || lies_in(before->path, now->path))
        return FAIL(l, node, "the sources \"%s\" (%s) and \"%s\" (%s) overlap: a document would be there twice",
                    before->name, before->path, now->name,
                    now->path);
    return QA_OK;
}

static qa_status take_sources(const struct loader *l, const struct yaml_node *root, struct config *out) {
    enum { MAX_SOURCES = 1000 };
    const struct yaml_node *list = yaml_get(root, "sources");
    const struct config_source *ruled = NULL;
    qa_status status = QA_OK;
    if (!list)
        return QA_OK;
    if (list->kind == YAML_NULL)
        return QA_OK;
    if (list->kind != YAML_LIST)
        return FAIL(l, list, "\"sources\" must be a list; begin each source with \"- name:\"");
    if (list->n > MAX_SOURCES)
        return FAIL(l, list, "%zu sources, and %d are the most", list->n, MAX_SOURCES);
    struct config_source *sources = arena_array(l->a, list->n, sizeof *sources);
    if (!sources)
        return no_memory(l);
    for (size_t i = 0; i < list->n; i++) {
        if ((status = take_source(l, &list->children[i], &sources[i])) != QA_OK)
            return status;
        for (size_t j = 0; j < i; j++)
            if ((status = check_pair(l, &list->children[i], &sources[j], &sources[i])) != QA_OK)
                return status;
        if (!ruled && ingest_keeps_out(sources[i].has_acl, sources[i].acl, sources[i].n_acl, sources[i].n_rules))
            ruled = &sources[i];
    }
    for (size_t i = 0; ruled && i < list->n; i++)
        if (!sources[i].has_acl)
            return FAIL(l, &list->children[i], "the source \"%s\" must state who may see it (access: default: public, signed-in, nobody or a list of "
                        "groups), since there are access rules (source \"%s\")", sources[i].name, ruled->name);
    out->sources = sources;
    out->n_sources = list->n;
    return QA_OK;
}

/* ---- Models ---- */

qa_status config_read_model(struct arena *a, const char *text, const char *folder, struct config_model *out, qa_error *err) {
    size_t n = strlen(text);
    *out = (struct config_model){.none = strcmp(text, "none") == 0};
    if (out->none)
        return QA_OK;
    if (!n)
        return error_set(err, QA_BAD_USAGE, "the name of a model is empty; write none for no model");
    if (strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0) /* not told again: it may hold a password */
        return error_set(err, QA_BAD_USAGE, "a server is named in quaere.yaml, with the model to ask it for: models: {generator: {url: ADDRESS, model: NAME}}, or "
                         "embedder: the same way; an address alone is not enough");
    if (!strchr(text, '/') && (n < 5 || strcmp(text + n - 5, ".gguf") != 0)) {
        out->name = arena_string(a, text);
        return out->name ? QA_OK : arena_error(a, err, "reading the name of a model");
    }
    char *joined = file_join(a, folder, text);
    out->file = joined ? file_absolute(a, joined) : NULL;
    return out->file ? QA_OK : arena_error(a, err, "reading the name of a model");
}

static qa_status get_count(const struct loader *l, const struct yaml_node *map, const char *key, long most, size_t *out) {
    const struct yaml_node *node = yaml_get(map, key);
    if (!node)
        return QA_OK;
    bool number = node->kind == YAML_TEXT && !node->quoted && node->text[0] && strlen(node->text) <= 9 &&
                  strspn(node->text, "0123456789") == strlen(node->text);
    long value = number ? strtol(node->text, NULL, 10) : 0;
    if (value < 1 || value > most)
        return FAIL(l, node, "\"%s\" must be a whole number from 1 to %ld", key, most);
    *out = (size_t)value;
    return QA_OK;
}

/* Put before texts for an embedder; an empty one is none, where models.conf has one. */
static qa_status get_prefix(const struct loader *l, const struct yaml_node *map, const char *role, const char *key, const char **out) {
    const struct yaml_node *node = yaml_get(map, key);
    if (!node)
        return QA_OK;
    if (strcmp(role, "embedder") != 0)
        return FAIL(l, node, "\"%s\" is for an embedder; a generator has none", key);
    if (node->kind != YAML_TEXT || strlen(node->text) > EMBEDDER_MAX_PREFIX)
        return FAIL(l, node, "\"%s\" must be a text of at most %d bytes, in quotes if a space ends it", key, EMBEDDER_MAX_PREFIX);
    *out = node->text;
    return QA_OK;
}

static qa_status get_precision(const struct loader *l, const struct yaml_node *map, const char *role, enum embed_precision *out) {
    static const char *const names[] = {[EMBED_INT8] = "int8", [EMBED_BF16] = "bf16", [EMBED_F32] = "f32"};
    const struct yaml_node *node = yaml_get(map, "precision");
    if (!node)
        return QA_OK;
    if (strcmp(role, "embedder") != 0 || yaml_get(map, "url"))
        return FAIL(l, node, "\"precision\" is for an embedder on this machine");
    for (size_t i = 0; node->kind == YAML_TEXT && i < COUNT(names); i++)
        if (strcmp(node->text, names[i]) == 0) {
            *out = (enum embed_precision)i;
            return QA_OK;
        }
    return FAIL(l, node, "\"precision\" must be int8, bf16 or f32");
}

/* Where a server is, or a name or file with settings. */
static qa_status take_model_map(const struct loader *l, const struct yaml_node *node, const char *key, struct config_model *out) {
    enum { MAX_CONTEXT = 10000000, MAX_TIMEOUT = 24 * 60 * 60 };
    static const char *const keys[] = {"url", "model", "key_env", "key_file", "dimensions", "context", "query_prefix", "passage_prefix", "precision",
                                       "timeout_seconds"};
    qa_status status = check_keys(l, node, key, " in a model", keys, COUNT(keys));
    if (status != QA_OK || (status = get_text(l, node, "url", &out->url)) != QA_OK || (status = get_text(l, node, "model", &out->model)) != QA_OK ||
        (status = get_text(l, node, "key_env", &out->key_env)) != QA_OK || (status = get_path(l, node, "key_file", &out->key_file)) != QA_OK ||
        (status = get_count(l, node, "dimensions", EMBEDDER_MAX_DIMENSIONS, &out->dimensions)) != QA_OK ||
        (status = get_count(l, node, "context", MAX_CONTEXT, &out->context)) != QA_OK ||
        (status = get_prefix(l, node, key, "query_prefix", &out->query_prefix)) != QA_OK ||
        (status = get_prefix(l, node, key, "passage_prefix", &out->passage_prefix)) != QA_OK ||
        (status = get_precision(l, node, key, &out->precision)) != QA_OK ||
        (status = get_count(l, node, "timeout_seconds", MAX_TIMEOUT, &out->timeout_seconds)) != QA_OK)
        return status;
    if (!out->model)
        return FAIL(l, node, "\"%s\" needs \"model\": a name of models.conf or a file, or with \"url\" what the server calls it", key);
    if (!out->url) {
        struct config_model named = {0};
        qa_error said = {0};
        if (out->key_env || out->key_file)
            return FAIL(l, node, "\"%s\" has a key but no \"url\"", key);
        status = place(l, yaml_get(node, "model"), config_read_model(l->a, out->model, l->folder, &named, &said), &said);
        named.context = out->context;
        named.query_prefix = out->query_prefix;
        named.passage_prefix = out->passage_prefix;
        named.precision = out->precision;
        if (out->dimensions)
            return FAIL(l, node, "\"dimensions\" goes with \"url\"; a local model says its own");
        if (out->timeout_seconds)
            return FAIL(l, yaml_get(node, "timeout_seconds"), "\"timeout_seconds\" goes with \"url\"; nothing times out on this machine");
        *out = named;
        return status;
    }
    if (strncmp(out->url, "http://", 7) != 0 && strncmp(out->url, "https://", 8) != 0)
        return FAIL(l, yaml_get(node, "url"), "\"url\" must begin with http:// or https://, such as http://127.0.0.1:8081/v1");
    if (out->key_env && out->key_file)
        return FAIL(l, node, "give \"key_env\" or \"key_file\", not both");
    return QA_OK;
}

static qa_status get_model(const struct loader *l, const struct yaml_node *map, const char *key, struct config_model *out) {
    const struct yaml_node *node = yaml_get(map, key);
    qa_error said = {0};
    if (!node)
        return QA_OK;
    if (node->kind == YAML_MAP)
        return take_model_map(l, node, key, out);
    if (node->kind != YAML_TEXT || !node->text[0])
        return FAIL(l, node, "\"%s\" must be a name of models.conf, a file, none, or a map with \"url\" and \"model\"", key);
    return place(l, node, config_read_model(l->a, node->text, l->folder, out, &said), &said);
}

static qa_status take_models(const struct loader *l, const struct yaml_node *root, struct config *out) {
    static const char *const keys[] = {"embedder", "generator"};
    const struct yaml_node *models = yaml_get(root, "models");
    if (!models || models->kind == YAML_NULL)
        return QA_OK;
    qa_status status = check_keys(l, models, "\"models\"", " in models", keys, COUNT(keys));
    if (status == QA_OK)
        status = get_model(l, models, "embedder", &out->embedder);
    return status == QA_OK ? get_model(l, models, "generator", &out->generator) : status;
}

qa_status config_parse(struct arena *a, const char *path, const char *text, size_t len, struct config **out, qa_error *err) {
    static const char *const keys[] = {"index", "state", "sources", "models", "backends", "server"};
    static const char *const later[] = {"backends", "server"};
    qa_error unused = {0};
    struct loader l = {.a = a, .file = path, .folder = file_dirname(a, path), .err = err ? err : &unused};
    struct yaml_node *root = NULL;
    struct config *config = arena_alloc(a, sizeof *config);
    *out = NULL;
    if (!config || !l.folder || !(config->path = arena_string(a, path)))
        return no_memory(&l);
    qa_status status = yaml_parse(a, path, text, len, &root, l.err);
    if (status == QA_OK && root->kind != YAML_NULL) {
        if ((status = check_keys(&l, root, "the configuration", "", keys, COUNT(keys))) == QA_OK &&
            (status = get_path(&l, root, "index", &config->index)) == QA_OK &&
            (status = get_path(&l, root, "state", &config->state)) == QA_OK && (status = take_models(&l, root, config)) == QA_OK)
            status = take_sources(&l, root, config);
    }
    for (size_t i = 0; status == QA_OK && i < COUNT(later); i++) {
        const struct yaml_node *node = yaml_get(root, later[i]);
        if (node)
            log_line(LOG_WARN, "%s:%d:%d: \"%s\" is not supported by this version and was ignored", path, node->line,
                     node->column, later[i]);
    }
    *out = status == QA_OK ? config : NULL;
    return status;
}

/* ---- Finding the file ---- */

/* The first that is there of quaere.yaml in the working folder and above, and in the user's folder; NULL: none. */
static qa_status find_file(struct arena *a, const char **out, qa_error *err) {
    *out = NULL;
    char *dir = file_absolute(a, ".");
    if (!dir)
        return error_no_memory(err, "finding the configuration");
    for (;;) {
        char *path = file_join(a, dir, "quaere.yaml");
        if (!path)
            return arena_error(a, err, "finding the configuration");
        if (access(path, F_OK) == 0) {
            *out = path;
            return QA_OK;
        }
        if (strcmp(dir, "/") == 0)
            break;
        if (!(dir = file_dirname(a, dir)))
            return arena_error(a, err, "finding the configuration");
    }
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    bool xdg = base && base[0] == '/';
    if (!xdg && !(home && home[0] == '/'))
        return QA_OK;
    char *path = arena_printf(a, xdg ? "%s/quaere/quaere.yaml" : "%s/.config/quaere/quaere.yaml", xdg ? base : home);
    if (!path)
        return arena_error(a, err, "finding the configuration");
    if (access(path, F_OK) == 0)
        *out = path;
    return QA_OK;
}

qa_status config_load(struct arena *a, const char *path, struct config **out, qa_error *err) {
    char *text = NULL;
    size_t len = 0;
    qa_status status = QA_OK;
    *out = NULL;
    if (path) {
        path = file_absolute(a, path);
        if (!path)
            return error_no_memory(err, "finding the configuration");
    } else if ((status = find_file(a, &path, err)) != QA_OK) {
        return status;
    }
    if (!path) {
        *out = arena_alloc(a, sizeof **out);
        return *out ? QA_OK : arena_error(a, err, "finding the configuration");
    }
    if ((status = file_read(a, path, MAX_FILE, &text, &len, err)) != QA_OK)
        return error_prefix(err, status, "the configuration ");
    return config_parse(a, path, text, len, out, err);
}
