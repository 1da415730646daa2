/* What the index holds, as JSON; and why a document is not where it was expected. */
#include "core/core.h"
#include "base/clock.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* "source:path" or "path". The source is NULL when none is named; a path may hold a colon itself, so the store is asked for the whole first. */
static qa_status find(const struct index_port *index, const struct index_scope *scope, const char *document, struct arena *a,
                      struct index_document *out, uint64_t **chunks, size_t *n_chunks, qa_error *err) {
    qa_status status = index->ops->find_document(index->self, scope, NULL, document, a, out, chunks, n_chunks, err);
    const char *colon = strchr(document, ':');
    if (status != QA_NOT_FOUND || !colon)
        return status;
    char *source = arena_copy(a, document, (size_t)(colon - document));
    if (!source)
        return arena_error(a, err, "looking for a document");
    return index->ops->find_document(index->self, scope, source, colon + 1, a, out, chunks, n_chunks, err);
}

static json_t *document_json(const struct index_document *d, bool *ok) {
    char when[32], hash[40];
    json_t *o = json_object();
    clock_format(d->ingested_ms, when);
    snprintf(hash, sizeof hash, "%016llx%016llx", (unsigned long long)d->hash.hi, (unsigned long long)d->hash.lo);
    json_put(o, "source", json_text0(d->source), ok);
    json_put(o, "path", json_text0(d->path), ok);
    json_put(o, "title", json_text0(d->title), ok);
    json_put(o, "url", json_text0(d->url), ok);
    json_put(o, "collection", json_text0(d->collection), ok);
    json_put(o, "bytes", json_integer((json_int_t)d->bytes), ok);
    json_put(o, "chunks", json_integer((json_int_t)d->chunks), ok);
    json_put(o, "ingested", json_string(when), ok);
    json_put(o, "hash", json_string(hash), ok);
    json_put(o, "acl", d->restricted ? core_strings_json(d->groups, d->n_groups, ok) : json_null(), ok);
    json_put(o, "metadata", core_stored_json(d->metadata, ok), ok);
    return o;
}

struct listing {
    json_t *items;
    const char *source, *prefix;
    bool ok;
};

static int list_one(void *user, const struct index_document *d) {
    struct listing *l = user;
    if ((l->source && strcmp(l->source, d->source) != 0) || (l->prefix && strncmp(d->path, l->prefix, strlen(l->prefix)) != 0))
        return 0;
    json_add(l->items, document_json(d, &l->ok), &l->ok);
    return l->ok ? 0 : 1;
}

/* An empty list of a source that does not exist is a slip of the finger. */
static qa_status check_source(const struct index_port *index, const char *source, qa_error *err) {
    struct arena a;
    struct index_source *known = NULL;
    size_t n = 0;
    bool found = false;
    arena_init(&a, CORE_REQUEST_CEILING);
    qa_status status = index->ops->list_sources(index->self, &a, &known, &n, err);
    for (size_t i = 0; i < n; i++)
        found = found || strcmp(known[i].source, source) == 0;
    if (status == QA_OK && !found)
        status = error_set(err, QA_NOT_FOUND, "there is no source \"%s\"; 'quaere index info' lists them", source);
    arena_free(&a);
    return status;
}

qa_status qa_documents_list(qa *q, const char *source, const char *prefix, char **json, qa_error *err) {
    struct index_port index = {0};
    struct index_scope scope = {0};
    *json = NULL;
    qa_status status = core_read_index(q, &index, err);
    if (status != QA_OK)
        return core_finish(q, status);
    struct listing l = {.items = json_array(), .source = source, .prefix = prefix, .ok = true};
    json_t *root = json_object();
    status = index.ops->each_document(index.self, &scope, list_one, &l, err);
    if (status == QA_OK && source && !json_array_size(l.items))
        status = check_source(&index, source, err);
    json_put(root, "documents", l.items, &l.ok);
    if (status == QA_OK)
        status = core_json_result(root, l.ok, json, err);
    else
        json_decref(root);
    return core_finish(q, status);
}

static qa_status get(qa *q, struct arena *a, const char *document, char **json, qa_error *err) {
    struct index_port index = {0};
    struct index_scope scope = {0};
    struct index_document d = {0};
    struct index_passage *passages = NULL;
    uint64_t *chunks = NULL;
    size_t n = 0;
    bool ok = true;
    qa_status status = core_read_index(q, &index, err);
    if (status == QA_OK)
        status = find(&index, &scope, document, a, &d, &chunks, &n, err);
    if (status != QA_OK)
        return status;
    passages = arena_array(a, n, sizeof *passages);
    if (!passages)
        return arena_error(a, err, "showing a document");
    status = index.ops->load_passages(index.self, chunks, n, a, passages, err);
    if (status != QA_OK)
        return status;
    json_t *root = document_json(&d, &ok), *items = json_array();
    for (size_t i = 0; i < n; i++) {
        const struct index_passage *p = &passages[i];
        json_t *o = json_object();
        json_put(o, "chunk", json_text0(p->chunk), &ok);
        json_put(o, "heading", core_strings_json(p->heading, p->n_heading, &ok), &ok);
        json_put(o, "start", json_integer((json_int_t)p->start), &ok);
        json_put(o, "end", json_integer((json_int_t)p->end), &ok);
        json_put(o, "text", json_text(p->text, p->text_len), &ok);
        json_put(o, "plain", json_text(p->map.plain, p->map.plain_len), &ok);
        json_add(items, o, &ok);
    }
    json_object_del(root, "chunks");
    json_put(root, "chunks", items, &ok);
    return core_json_result(root, ok, json, err);
}

qa_status qa_document_get(qa *q, const char *document, char **json, qa_error *err) {
    struct arena a;
    *json = NULL;
    arena_init(&a, CORE_REQUEST_CEILING);
    qa_status status = get(q, &a, document, json, err);
    arena_free(&a);
    return core_finish(q, status);
}

qa_status qa_index_info(qa *q, char **json, qa_error *err) {
    struct index_port index = {0};
    json_t *info = NULL;
    *json = NULL;
    qa_status status = core_read_index(q, &index, err);
    if (status == QA_OK)
        status = store_index_info(q->reader, &info, err);
    if (status == QA_OK)
        status = core_json_result(info, true, json, err);
    return core_finish(q, status);
}

qa_status qa_index_check(qa *q, qa_error *err) {
    struct index_port index = {0};
    qa_status status = core_read_index(q, &index, err);
    return core_finish(q, status == QA_OK ? store_check_index(q->reader, err) : status);
}

/* ---- Explain ---- */

static qa_status explained(struct arena *a, json_t *root, const char *state, char *text, bool ok, char **json, qa_error *err) {
    json_put(root, "state", json_string(state), &ok);
    json_put(root, "explanation", json_text0(text), &ok);
    if (!text)
        ok = false;
    if (!ok) {
        json_decref(root);
        return arena_error(a, err, "explaining");
    }
    return core_json_result(root, true, json, err);
}

static char *join_words(struct arena *a, const char *const *words, size_t n) {
    char *all = arena_string(a, n ? words[0] : "none");
    for (size_t i = 1; all && i < n; i++)
        all = arena_printf(a, "%s, %s", all, words[i]);
    return all;
}

/* Not in the index at all: was it tried? */
static qa_status explain_absent(const struct index_port *index, struct arena *a, const char *document, json_t *root, char **json,
                                qa_error *err) {
    const char *cause = NULL, *colon = strchr(document, ':');
    char *source = colon ? arena_copy(a, document, (size_t)(colon - document)) : NULL;
    qa_status status = index->ops->find_failure(index->self, NULL, document, a, &cause, err);
    if (status == QA_OK && !cause && source)
        status = index->ops->find_failure(index->self, source, colon + 1, a, &cause, err);
    if (status != QA_OK) {
        json_decref(root);
        return status;
    }
    if (cause)
        return explained(a, root, "failed", arena_printf(a, "%s could not be ingested: %s", document, cause), true, json, err);
    return explained(a, root, "not_ingested",
                     arena_printf(a, "%s is not in the index. 'quaere list' shows what is. Left out are hidden files, those that ignore files "
                                     "or --exclude name, and types that are not read.", document), true, json, err);
}

static qa_status explain_ranked(struct arena *a, const struct search_place *place, const char *document, json_t *root, char **json,
                                qa_error *err) {
    bool ok = true;
    char *matched = join_words(a, place->matched, place->n_matched), *missing = join_words(a, place->missing, place->n_missing);
    json_put(root, "matched", core_strings_json(place->matched, place->n_matched, &ok), &ok);
    json_put(root, "missing", core_strings_json(place->missing, place->n_missing, &ok), &ok);
    if (!place->found)
        return explained(a, root, "no_match",
                         arena_printf(a, "%s is in the index, but holds no word that was searched (%s).", document,
                                      missing ? missing : ""), ok, json, err);
    json_put(root, "rank", json_integer((json_int_t)place->rank), &ok);
    json_put(root, "score", json_round(place->score, 4), &ok);
    json_put(root, "text_score", isnan(place->text_score) ? json_null() : json_round(place->text_score, 4), &ok);
    json_put(root, "vector_score", isnan(place->vector_score) ? json_null() : json_round(place->vector_score, 4), &ok);
    json_put(root, "chunk", json_text0(place->best.chunk), &ok);
    return explained(a, root, "ranked",
                     arena_printf(a, "%s is ranked %zu (its best passage; score %.3f). It holds: %s.%s%s%s", document, place->rank, place->score,
                                  matched ? matched : "", place->n_missing ? " It lacks: " : "", place->n_missing && missing ? missing : "",
                                  place->n_missing ? "." : ""), ok, json, err);
}

static qa_status explain(qa *q, struct qa_hits *h, const qa_question *question, const char *document, char **json, qa_error *err) {
    struct index_port index = {0};
    struct arena *a = &h->memory;
    struct index_document d = {0}, visible = {0};
    struct search_place place = {0};
    uint64_t *chunks = NULL;
    size_t n = 0;
    bool ok = true;
    qa_status status = core_begin_search(q, question, CORE_HITS_DEFAULT, h, &index, err);
    if (status != QA_OK)
        return status;
    const struct search_request *request = &h->question.search;
    json_t *root = json_object();
    json_put(root, "document", json_text0(document), &ok);
    struct index_scope everything = {0};
    status = find(&index, &everything, document, a, &d, &chunks, &n, err);
    if (status == QA_NOT_FOUND)
        return explain_absent(&index, a, document, root, json, err);
    if (status == QA_OK) {
        if (!caller_may_see(&h->question.caller, d.restricted, d.groups, d.n_groups))
            return explained(a, root, "hidden", arena_printf(a, "%s is in the index, but hidden from this caller: it is for %s.", document,
                             d.n_groups ? join_words(a, d.groups, d.n_groups) : "nobody"), ok, json, err);
        status = index.ops->find_document(index.self, &request->scope, d.source, d.path, a, &visible, &chunks, &n, err);
        if (status == QA_NOT_FOUND)
            return explained(a, root, "filtered", arena_printf(a, "%s is in the index, but outside the filter or collection.", document),
                             ok, json, err);
    }
    if (status == QA_OK)
        status = search_find_document(&index, q->words, a, request, d.document, &place, err);
    if (status == QA_OK)
        return explain_ranked(a, &place, document, root, json, err);
    json_decref(root);
    return status;
}

qa_status qa_explain(qa *q, const qa_question *question, const char *document, char **json, qa_error *err) {
    struct qa_hits h = {0};
    *json = NULL;
    qa_status status = explain(q, &h, question, document, json, err);
    core_release_hits(&h);
    return core_finish(q, status);
}
