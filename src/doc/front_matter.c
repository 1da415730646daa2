/* Front matter: YAML between lines of ---, TOML between lines of +++ (taken off, not read).
 *
 * libfyaml reads the YAML; it limits nesting to 64 itself. Aliases are not expanded: an alias becomes its name with the
 * *, so that no bomb grows. What does not parse stays in the document as text, with one exception: where groups are named
 * (`acl`, in whatever spelling) and cannot be understood - broken YAML, TOML, no closing fence, more than is read - the document is
 * refused, because the alternative is to show it to everyone. */
#include "doc/build.h"
#include <libfyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FRONT_MATTER = 64 << 10 };

/* The line at `from` is the fence of three `c`. */
static bool is_fence(const char *bytes, size_t len, size_t from, char c) {
    size_t end = doc_line_end(bytes, len, from);
    while (end > from && (bytes[end - 1] == ' ' || bytes[end - 1] == '\t'))
        end--;
    return end - from == 3 && bytes[from] == c && bytes[from + 1] == c && bytes[from + 2] == c;
}

/* [*from, *to) is what stands between the fences, *body what comes after. Without a closing fence *to is as far as one was looked for,
 * and *body 0; *body is 0 too when blank lines stand before it, which makes it no front matter. False: there is no opening fence. */
static bool find(const char *bytes, size_t len, size_t *from, size_t *to, size_t *body, char *fence) {
    size_t at = len >= 3 && !memcmp(bytes, "\xEF\xBB\xBF", 3) ? 3 : 0;
    size_t top = at;
    while (at < len && (bytes[at] == '\n' || bytes[at] == '\r' || bytes[at] == ' ' || bytes[at] == '\t'))
        at++;
    *fence = at < len ? bytes[at] : '\0';
    if ((*fence != '-' && *fence != '+') || !is_fence(bytes, len, at, *fence))
        return false;
    bool at_top = at == top;
    *body = 0;
    *from = doc_line_next(bytes, len, at);
    size_t limit = len - *from < MAX_FRONT_MATTER ? len : *from + MAX_FRONT_MATTER;
    for (at = *from; at < limit; at = doc_line_next(bytes, len, at)) {
        if (is_fence(bytes, len, at, *fence) || (*fence == '-' && is_fence(bytes, len, at, '.'))) {
            *to = at;
            *body = at_top ? doc_line_next(bytes, len, at) : 0;
            return true;
        }
    }
    *to = limit;
    return true;
}

/* ---- YAML to JSON ---- */

/* A number only when writing it again gives the same characters: 1.10 is a version, 007 a name. */
static json_t *scalar(struct fy_node *node) {
    size_t n = 0;
    const char *text = fy_node_get_scalar(node, &n);
    if (!text)
        return json_null();
    enum fy_node_style style = fy_node_get_style(node);
    if (style == FYNS_ALIAS) {
        char *name = NULL;
        int length = asprintf(&name, "*%.*s", (int)n, text);
        json_t *value = length < 0 ? NULL : json_text(name, (size_t)length);
        if (length >= 0)
            free(name);
        return value;
    }
    if (style != FYNS_PLAIN || n >= 32)
        return json_text(text, n);
    char word[32], again[64];
    memcpy(word, text, n);
    word[n] = '\0';
    if (!n || !strcmp(word, "~") || !strcasecmp(word, "null"))
        return json_null();
    if (!strcasecmp(word, "true") || !strcasecmp(word, "false"))
        return json_boolean(!strcasecmp(word, "true"));
    long long whole = strtoll(word, NULL, 10);
    snprintf(again, sizeof again, "%lld", whole);
    if (!strcmp(again, word))
        return json_integer(whole);
    double real = strtod(word, NULL);
    snprintf(again, sizeof again, "%.15g", real);
    if (!strcmp(again, word) && strspn(word, "-.0123456789") == n)
        return json_real(real);
    return json_text(text, n);
}

/* NULL with *malformed for what JSON has not; else memory is out. */
static json_t *convert(struct fy_node *node, int depth, bool *malformed) {
    if (!node)
        return json_null();
    if (depth > JSON_MAX_DEPTH) {
        *malformed = true;
        return NULL;
    }
    void *at = NULL;
    bool good = true;
    if (fy_node_get_type(node) == FYNT_SCALAR)
        return scalar(node);
    if (fy_node_get_type(node) == FYNT_SEQUENCE) {
        json_t *array = json_array();
        for (struct fy_node *item; good && (item = fy_node_sequence_iterate(node, &at));)
            json_add(array, convert(item, depth + 1, malformed), &good);
        if (good && array)
            return array;
        json_decref(array);
        return NULL;
    }
    json_t *object = json_object();
    for (struct fy_node_pair *pair; good && (pair = fy_node_mapping_iterate(node, &at));) {
        json_t *key = convert(fy_node_pair_key(pair), JSON_MAX_DEPTH, malformed);
        char *name = !key || json_is_string(key) ? NULL : json_write(key, 0);
        const char *k = json_is_string(key) ? json_string_value(key) : name;
        if (k && json_object_get(object, k))
            *malformed = true;
        if (k && !*malformed)
            json_put(object, k, convert(fy_node_pair_value(pair), depth + 1, malformed), &good);
        good = good && k && !*malformed;
        free(name);
        json_decref(key);
    }
    if (good && object)
        return object;
    json_decref(object);
    return NULL;
}

/* Without a place of its own for messages libfyaml prints them. */
static void discard(struct fy_diag *diag, void *user, const char *text, size_t n) {
    (void)diag, (void)user, (void)text, (void)n;
}

/* *out NULL: no mapping that can be read. Duplicate keys are found by convert(): libfyaml compares every key with every
 * other. */
static qa_status parse(const char *text, size_t n, json_t **out, qa_error *err) {
    struct fy_diag_cfg quiet;
    bool malformed = false;
    *out = NULL;
    fy_diag_cfg_default(&quiet);
    quiet.fp = NULL;
    quiet.output_fn = discard;
    struct fy_diag *diag = fy_diag_create(&quiet);
    if (!diag)
        return error_no_memory(err, "reading front matter");
    const struct fy_parse_cfg configuration = {.flags = FYPCF_QUIET | FYPCF_ALLOW_DUPLICATE_KEYS | FYPCF_JSON_NONE, .diag = diag};
    struct fy_document *yaml = fy_document_build_from_string(&configuration, text, n);
    struct fy_node *root = yaml ? fy_document_root(yaml) : NULL;
    bool mapping = root && fy_node_get_type(root) == FYNT_MAPPING;
    if (mapping)
        *out = convert(root, 0, &malformed);
    if (yaml)
        fy_document_destroy(yaml);
    fy_diag_destroy(diag);
    return mapping && !*out && !malformed ? error_no_memory(err, "reading front matter") : QA_OK;
}

/* ---- What the tree wants of it ---- */

static bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; }

/* Something like a key of that name, however it is written: acl: "ACL" : acl = ? acl */
static bool names_groups(const char *p, size_t n) {
    for (size_t at = 0; at + 3 <= n; at++) {
        if (strncasecmp(p + at, "acl", 3) != 0 || (at && is_word(p[at - 1])) || (at + 3 < n && is_word(p[at + 3])))
            continue;
        size_t after = at + 3;
        while (after < n && strchr(" \t\r\n\"'", p[after]))
            after++;
        if (after < n && (p[after] == ':' || p[after] == '='))
            return true;
    }
    return false;
}

static qa_status bad_groups(qa_error *err, const char *why) {
    return error_set(err, QA_BAD_CONFIG,
                     "the front matter names groups (acl), but %s; write acl: [group, other] or remove it", why);
}

static qa_status take_groups(struct arena *a, const json_t *value, struct doc_tree *out, qa_error *err) {
    size_t n = json_is_array(value) ? json_array_size(value) : json_is_string(value) ? 1 : 0;
    if (!n && !json_is_array(value) && !json_is_null(value))
        return bad_groups(err, "not as a list of names");
    const char **groups = arena_array(a, n, sizeof *groups);
    if (!groups)
        return arena_error(a, err, "reading front matter");
    for (size_t i = 0; i < n; i++) {
        const json_t *group = json_is_array(value) ? json_array_get(value, i) : value;
        if (!json_is_string(group) || !*json_string_value(group))
            return bad_groups(err, "one of them is no name");
        groups[i] = arena_string(a, json_string_value(group));
        if (!groups[i])
            return arena_error(a, err, "reading front matter");
    }
    out->acl = groups;
    out->n_acl = n;
    return QA_OK;
}

static bool is_absolute(const char *url) {
    return url && (!strncasecmp(url, "https://", 8) || !strncasecmp(url, "http://", 7));
}

/* Groups that only another reader would find: under another spelling of the key, or brought in by a merge. */
static qa_status refuse_hidden_groups(const json_t *object, const char *text, size_t n, qa_error *err) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        if (strcasecmp(key, "acl") == 0 && strcmp(key, "acl") != 0)
            return bad_groups(err, "not in lower case");
        if (strcmp(key, "<<") == 0 && names_groups(text, n))
            return bad_groups(err, "beside a merge key (<<), which is not read");
    }
    return QA_OK;
}

static qa_status take_members(struct arena *a, json_t *object, struct doc_tree *out, qa_error *err) {
    json_t *acl = json_object_get(object, "acl");
    qa_status status = acl ? take_groups(a, acl, out, err) : QA_OK;
    if (status != QA_OK)
        return status;
    json_object_del(object, "acl");
    static const char *const urls[] = {"url", "permalink", "canonical_url"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls && !out->url; i++) {
        const char *url = json_get_string(object, urls[i]);
        if (is_absolute(url) && !(out->url = arena_string(a, url)))
            return arena_error(a, err, "reading front matter");
    }
    const char *title = json_get_string(object, "title");
    if (title && *title) {
        out->title = arena_copy(a, title, doc_title_length(title));
        if (!out->title)
            return arena_error(a, err, "reading front matter");
        json_object_del(object, "title");
    }
    return QA_OK;
}

qa_status doc_read_front_matter(struct arena *a, const char *bytes, size_t len, size_t *body, struct doc_tree *out,
                                qa_error *err) {
    size_t from, to, after;
    char fence;
    *body = 0;
    out->metadata = json_object();
    if (!out->metadata)
        return error_no_memory(err, "reading front matter");
    if (!find(bytes, len, &from, &to, &after, &fence))
        return QA_OK;
    if (!after || fence == '+') {
        *body = after;
        return names_groups(bytes + from, to - from)
                   ? bad_groups(err, fence == '+' ? "as TOML, which is not read" : "it does not begin at the top of the file, or has no end within the 64 KiB that are read") : QA_OK;
    }
    json_t *object;
    qa_status status = parse(bytes + from, to - from, &object, err);
    if (status != QA_OK)
        return status;
    if (!object) {
        if (doc_is_blank(bytes + from, to - from))
            *body = after;
        return names_groups(bytes + from, to - from) ? bad_groups(err, "is not YAML that can be read") : QA_OK;
    }
    json_decref(out->metadata);
    out->metadata = object;
    *body = after;
    status = refuse_hidden_groups(object, bytes + from, to - from, err);
    return status == QA_OK ? take_members(a, object, out, err) : status;
}
