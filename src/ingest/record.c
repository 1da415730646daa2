#include "ingest/record.h"
#include "base/file.h"
#include "base/utf8.h"
#include "ingest/url.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_GROUPS = 256, MAX_GROUP_NAME = 200 };

qa_status ingest_check_acl(const char *const *words, size_t n, qa_error *err) {
    if (n > MAX_GROUPS)
        return error_set(err, QA_BAD_USAGE, "%zu groups may see this, and %d are the most that can be named", n, MAX_GROUPS);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(words[i]);
        if (!len || len > MAX_GROUP_NAME)
            return error_set(err, QA_BAD_USAGE, "a group has a name of 1 to %d bytes, not of %zu", MAX_GROUP_NAME, len);
        for (size_t c = 0; c < len; c++)
            if ((unsigned char)words[i][c] < 0x20 || words[i][c] == 0x7F)
                return error_set(err, QA_BAD_USAGE, "the name of a group has a control character at byte %zu", c);
        if (utf8_valid_len(words[i], len) != len)
            return error_set(err, QA_BAD_USAGE, "the name of a group is not valid UTF-8");
        if (n > 1 && (strcmp(words[i], "public") == 0 || strcmp(words[i], "nobody") == 0))
            return error_set(err, QA_BAD_USAGE, "\"%s\" stands alone: it cannot be combined with groups", words[i]);
    }
    return QA_OK;
}

bool ingest_keeps_out(bool has_acl, const char *const *acl, size_t n_acl, size_t n_rules) {
    return n_rules || (has_acl && !(n_acl == 1 && strcmp(acl[0], "public") == 0));
}

qa_status record_prepare(const struct ingest_run *run, struct record_rules *out, qa_error *err) {
    char chunking[64];
    *out = (struct record_rules){0};
    arena_init(&out->arena, 16 << 20);
    qa_status status = run->has_acl ? ingest_check_acl(run->acl, run->n_acl, err) : QA_OK;
    if (status == QA_OK && run->url_rule)
        status = ingest_check_url_rule(run->url_rule, err);
    if (status != QA_OK)
        return status;
    out->globs = arena_array(&out->arena, run->n_rules, sizeof *out->globs);
    if (!out->globs)
        return arena_error(&out->arena, err, "access rules");
    for (size_t i = 0; i < run->n_rules; i++) {
        const struct ingest_rule *rule = &run->rules[i];
        if ((status = ingest_check_glob(rule->glob, err)) != QA_OK ||
            (status = ingest_check_acl(rule->acl, rule->n_acl, err)) != QA_OK ||
            (status = glob_compile(&out->arena, rule->glob, strlen(rule->glob), &out->globs[i], err)) != QA_OK)
            return status;
    }
    if (run->metadata) {
        if (!json_is_object(run->metadata))
            return error_set(err, QA_BAD_USAGE, "metadata for every document must be a JSON object");
        out->metadata = json_write(run->metadata, 0);
        if (!out->metadata)
            return error_no_memory(err, "preparing metadata");
    }
    snprintf(chunking, sizeof chunking, "%zu 0", run->chunking.target);
    const char *parts[] = {RECORD_VERSION, chunking, run->collection ? run->collection : "", run->url_rule ? run->url_rule : "",
                           out->metadata ? out->metadata : ""};
    size_t lens[5];
    for (size_t i = 0; i < 5; i++)
        lens[i] = strlen(parts[i]);
    out->base = hash_parts(parts, lens, 5);
    return QA_OK;
}

void record_release(struct record_rules *rules) {
    free(rules->metadata);
    arena_free(&rules->arena);
    *rules = (struct record_rules){0};
}

qa_status record_access(const struct ingest_run *run, const struct record_rules *rules, const char *path, struct ingest_rule *scratch,
                        const struct ingest_rule **out, qa_error *err) {
    struct glob_path cut = {0};
    qa_status status = run->n_rules ? glob_cut(&cut, path, err) : QA_OK;
    *out = NULL;
    for (size_t i = 0; status == QA_OK && !*out && i < run->n_rules; i++)
        if (glob_covers(rules->globs[i], &cut))
            *out = &run->rules[i];
    glob_path_free(&cut);
    if (!*out && run->has_acl) {
        *scratch = (struct ingest_rule){.acl = run->acl, .n_acl = run->n_acl};
        *out = scratch;
    }
    return status;
}

/* ---- The hash of the settings ---- */

struct parts {
    const char **text;
    size_t *lens, n;
};

static void add_part(struct parts *p, const char *s, size_t len) {
    p->text[p->n] = s ? s : "";
    p->lens[p->n++] = s ? len : 0;
}
/* Absent, and empty, and a list's length are told apart. */
static void add_text(struct parts *p, const char *s) {
    add_part(p, s ? "1" : "0", 1);
    add_part(p, s, s ? strlen(s) : 0);
}
static void add_list(struct parts *p, bool there, const char *const *words, size_t n) {
    add_part(p, there ? "1" : "0", 1);
    for (size_t i = 0; i < n; i++)
        add_text(p, words[i]);
    add_part(p, "end", 3);
}

qa_status record_settings(const struct record_rules *rules, const struct document_item *item, const struct ingest_rule *access,
                          struct arena *a, struct hash128 *out, qa_error *err) {
    size_t n = 16 + 2 * (item->n_acl + (access ? access->n_acl : 0));
    struct parts p = {.text = arena_array(a, n, sizeof *p.text), .lens = arena_array(a, n, sizeof *p.lens)};
    char *metadata = item->metadata ? json_write(item->metadata, 0) : NULL;
    qa_status status = QA_OK;
    if (!p.text || !p.lens)
        status = arena_error(a, err, "reading a document");
    else if (item->metadata && !metadata)
        status = error_no_memory(err, "reading metadata");
    else {
        add_part(&p, (const char *)&rules->base, sizeof rules->base);
        add_list(&p, access != NULL, access ? access->acl : NULL, access ? access->n_acl : 0);
        add_text(&p, item->title);
        add_text(&p, item->url);
        add_list(&p, item->has_acl, item->acl, item->n_acl);
        add_text(&p, metadata);
        *out = hash_parts(p.text, p.lens, p.n);
    }
    free(metadata);
    return status;
}

/* ---- Filling ---- */

static bool is_word(const char *s, size_t n, const char *word) { return n == strlen(word) && strncasecmp(s, word, n) == 0; }

/* "guide/spot-training_jobs.md" -> "Spot training jobs"; the folder's name when the file's says nothing ("guide/index.md" ->
 * "Guide"). */
static char *title_from_path(struct arena *a, const char *path) {
    const char *base = file_basename(path), *dot = strrchr(base, '.');
    size_t n = dot && dot > base ? (size_t)(dot - base) : strlen(base);
    if (base > path && (is_word(base, n, "index") || is_word(base, n, "readme"))) {
        const char *end = base - 1;
        for (base = end; base > path && base[-1] != '/';)
            base--;
        n = (size_t)(end - base);
    }
    char *title = arena_copy(a, base, n);
    if (!title)
        return NULL;
    bool blanks = false;
    for (size_t i = 0; i < n; i++) {
        if (title[i] == '-' || title[i] == '_')
            title[i] = ' ';
        blanks |= title[i] == ' ';
    }
    while (n > 1 && title[n - 1] == ' ')
        title[--n] = '\0';
    while (*title == ' ' && title[1])
        title++;
    if (blanks || islower((unsigned char)title[0]))
        title[0] = (char)toupper((unsigned char)title[0]);
    return title;
}

qa_status record_fill_access(const struct document_item *item, const struct ingest_rule *access, const struct doc_tree *tree,
                             struct arena *a, struct index_document_record *out, qa_error *err) {
    const char *const *words = NULL;
    size_t n = 0, kept = 0;
    bool said = true;
    if (item->has_acl)
        words = item->acl, n = item->n_acl;
    else if (tree && tree->acl)
        words = tree->acl, n = tree->n_acl;
    else if (access)
        words = access->acl, n = access->n_acl;
    else
        said = false;
    out->restricted = said && !(n == 1 && strcmp(words[0], "public") == 0);
    if (!out->restricted)
        return QA_OK;
    qa_status status = ingest_check_acl(words, n, err);
    if (status != QA_OK) {
        if (err)
            err->status = QA_BAD_CONFIG; /* it is the document that says so */
        return error_prefix(err, QA_BAD_CONFIG, "access: ");
    }
    const char **groups = arena_array(a, n, sizeof *groups);
    if (!groups)
        return arena_error(a, err, "reading a document");
    for (size_t i = 0; i < n; i++) {
        bool again = n == 1 && strcmp(words[i], "nobody") == 0;
        for (size_t j = 0; !again && j < kept; j++)
            again = strcmp(groups[j], words[i]) == 0;
        if (!again && !(groups[kept++] = arena_string(a, words[i])))
            return arena_error(a, err, "reading a document");
    }
    out->groups = groups;
    out->n_groups = kept;
    return QA_OK;
}

/* The run's members, under those of the front matter, under the line's own. */
static qa_status fill_metadata(const struct ingest_run *run, const struct document_item *item, const struct doc_tree *tree,
                               struct arena *a,
                               struct index_document_record *out, qa_error *err) {
    qa_status status = QA_OK;
    json_t *all = run->metadata ? json_deep_copy(run->metadata) : json_object();
    char *text = NULL;
    if (!all || (tree->metadata && json_object_update(all, tree->metadata) != 0) ||
        (item->metadata && json_object_update(all, item->metadata) != 0) || !(text = json_write(all, 0)))
        status = error_no_memory(err, "reading metadata");
    else if (!(out->metadata = arena_string(a, text)))
        status = arena_error(a, err, "reading metadata");
    free(text);
    json_decref(all);
    return status;
}

qa_status record_fill(const struct ingest_run *run, const struct document_item *item, const struct ingest_rule *access,
                      const struct doc_tree *tree, struct arena *a, struct index_document_record *out, qa_error *err) {
    out->title = item->title && item->title[0]   ? item->title
                 : tree->title && tree->title[0] ? tree->title
                                                 : title_from_path(a, item->path);
    out->url = item->url ? item->url : tree->url ? tree->url : run->url_rule ? url_make(a, run->url_rule, item->path) : NULL;
    if (!out->title || (!out->url && run->url_rule))
        return arena_error(a, err, "reading a document");
    qa_status status = record_fill_access(item, access, tree, a, out, err);
    return status == QA_OK ? fill_metadata(run, item, tree, a, out, err) : status;
}
