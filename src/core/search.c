#include "core/core.h"
#include "base/clock.h"
#include "base/nearest.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *core_evidence_name(qa_evidence evidence) {
    return evidence == QA_EVIDENCE_STRONG ? "strong" : evidence == QA_EVIDENCE_WEAK ? "weak" : "none";
}

/* The raw BM25 is made of how many chunks hold a word, those among them that a caller may not see: only the owner is told. */
static qa_status make_hits(struct arena *a, const struct search_result *found, bool owner, qa_hit **out, qa_error *err) {
    qa_hit *hits = arena_array(a, found->n_hits, sizeof *hits);
    if (!hits)
        return arena_error(a, err, "collecting passages");
    for (size_t i = 0; i < found->n_hits; i++) {
        const struct search_hit *from = &found->hits[i];
        const struct index_passage *p = &from->passage;
        hits[i] = (qa_hit){
            .rank = i + 1,
            .score = from->score,
            .text_score = owner ? from->text_score : NAN,
            .vector_score = from->vector_score,
            .chunk = p->chunk,
            .source = p->source,
            .document = p->path,
            .title = p->title,
            .url = p->url,
            .heading = p->heading,
            .n_heading = p->n_heading,
            .text = p->text,
            .plain = p->map.plain,
            .start = p->start,
            .end = p->end,
            .lossy = p->lossy,
            .metadata = p->metadata,
        };
    }
    *out = hits;
    return QA_OK;
}

/* Chunks without a vector; for a caller those that the caller may see. */
static qa_status count_pending(const struct index_port *index, const struct index_space *space, struct qa_hits *h, qa_error *err) {
    const struct index_scope scope = {.caller = &h->question.caller};
    h->pending = space->dimensions ? space->pending : 0;
    return h->pending && !scope.caller->owner ? index->ops->count_pending(index->self, &scope, &h->pending, err) : QA_OK;
}

/* Without an embedder ever, words alone are what the index is for; with one, vectors are on their way. */
static qa_status tell_no_vectors(qa *q, const struct index_space *space, struct qa_hits *h, qa_error *err) {
    struct embedder_port *embedder = NULL;
    bool begun = space->dimensions && space->pending;
    if (h->question.search.mode != QA_MODE_VECTOR) {
        if (begun)
            snprintf(h->warning, sizeof h->warning, "searched by words alone: no chunk has its vector yet; quaere ingest makes them");
        return QA_OK;
    }
    if (begun)
        return error_set(err, QA_UNSUPPORTED, "the index %s has no vectors yet; make them with: quaere ingest", q->index_path);
    if (core_open_embedder(q, NULL, &embedder, NULL) == QA_OK && embedder)
        return error_set(err, QA_UNSUPPORTED, "the index %s has no vectors; make them with: quaere index reembed", q->index_path);
    return error_set(err, QA_UNSUPPORTED, "the index %s has no vectors; make them with: quaere model pull %s, then quaere index reembed", q->index_path,
                     CORE_EMBEDDER);
}

/* The embedder of the index's vectors, when the question may use them. What stands in the way is a warning, and the reason of the failure only when vectors alone were
 * asked for. */
static qa_status choose_embedder(qa *q, const struct index_port *index, struct qa_hits *h, qa_error *err) {
    struct search_request *request = &h->question.search;
    struct embedder_port *embedder = NULL;
    struct index_space space = {0};
    qa_error said = {0};
    if (request->mode == QA_MODE_TEXT)
        return QA_OK;
    qa_status status = index->ops->vector_space(index->self, &h->memory, &space, err);
    if (status == QA_OK)
        status = count_pending(index, &space, h, err);
    if (status != QA_OK)
        return status;
    if (!space.vectors)
        return tell_no_vectors(q, &space, h, err);
    status = core_open_embedder(q, space.name, &embedder, &said);
    if (status == QA_OK && !embedder && q->embedder_choice.none)
        return request->mode == QA_MODE_VECTOR ? error_set(err, QA_BAD_USAGE, "a search by vectors needs an embedder, and none is set") : QA_OK;
    if (status == QA_OK && (!embedder || strcmp(space.fingerprint, embedder->fingerprint) != 0 || space.dimensions != embedder->dimensions))
        status = core_other_embedder(&space, embedder, &said);
    if (status == QA_OK) {
        request->embedder = embedder;
        request->pending = space.pending > 0;
        h->embedder = embedder->name;
        return QA_OK;
    }
    if (request->mode == QA_MODE_VECTOR || status == QA_CANCELLED || status == QA_NO_MEMORY)
        return error_set(err, status, "%s", said.message);
    snprintf(h->warning, sizeof h->warning, "searched by words alone: %s", said.message);
    return QA_OK;
}

qa_status core_begin_search(qa *q, const qa_question *question, size_t default_k, struct qa_hits *h, struct index_port *index, qa_error *err) {
    arena_init(&h->memory, CORE_REQUEST_CEILING);
    qa_status status = core_words(q, err) ? core_read_index(q, index, err) : QA_NO_MEMORY;
    if (status == QA_OK)
        status = core_prepare(q, &h->memory, question, default_k, &h->question, err);
    return status == QA_OK ? choose_embedder(q, index, h, err) : status;
}

/* ---- A collection that is none ---- */

enum { NAMES_MAX = 100 };

struct names {
    struct arena *a;
    const char *wanted, *list[NAMES_MAX];
    size_t n;
    bool found;
};

static int note_name(void *user, const struct index_document *d) {
    struct names *s = user;
    const char *name = d->collection;
    if (!name)
        return 0;
    s->found = strcmp(name, s->wanted) == 0;
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->list[i], name) == 0)
            return s->found;
    if (s->n < NAMES_MAX && (s->list[s->n] = arena_string(s->a, name)))
        s->n++;
    return s->found;
}

/* Looked at when nothing was found, since it reads all documents: only those that the caller may see, so that a name tells nothing of others. */
static qa_status check_collection(const struct index_port *index, struct arena *a, const struct index_scope *scope, qa_error *err) {
    struct names names = {.a = a, .wanted = scope->collection};
    const struct index_scope all = {.caller = scope->caller};
    qa_status status = index->ops->each_document(index->self, &all, note_name, &names, err);
    if (status != QA_OK || names.found)
        return status;
    const char *near = nearest_word(scope->collection, names.list, names.n);
    return near ? error_set(err, QA_NOT_FOUND, "there is no collection \"%.80s\" in the index; did you mean \"%.80s\"?", scope->collection, near)
                : error_set(err, QA_NOT_FOUND, "there is no collection \"%.80s\" in the index; collections are named in quaere.yaml or with quaere ingest "
                            "--collection", scope->collection);
}

qa_status core_find(qa *q, const qa_question *question, size_t default_k, struct qa_hits *h, qa_error *err) {
    struct index_port index = {0};
    double started = clock_mono_ms();
    qa_status status = core_begin_search(q, question, default_k, h, &index, err);
    if (status == QA_OK)
        status = search_run(&index, q->words, &h->memory, &h->question.search, &h->found, err);
    if (status == QA_OK && !h->found.n_hits && h->question.search.scope.collection)
        status = check_collection(&index, &h->memory, &h->question.search.scope, err);
    if (status == QA_OK && !h->found.query)
        h->embedder = NULL;
    if (status == QA_OK && h->found.notice)
        snprintf(h->warning, sizeof h->warning, "%s", h->found.notice);
    if (status == QA_OK)
        status = make_hits(&h->memory, &h->found, h->question.caller.owner, &h->hits, err);
    h->retrieve_ms = clock_mono_ms() - started;
    return status;
}

void core_release_hits(struct qa_hits *h) {
    arena_free(&h->memory);
    free(h->json);
    h->json = NULL;
}

qa_status qa_search(qa *q, const qa_question *question, qa_hits **out, qa_error *err) {
    *out = NULL;
    qa_hits *h = calloc(1, sizeof *h);
    if (!h)
        return core_finish(q, error_no_memory(err, "searching"));
    double started = clock_mono_ms();
    qa_status status = core_find(q, question, CORE_HITS_DEFAULT, h, err);
    if (status == QA_OK)
        status = answer_judge(q->words, &h->memory, &h->found, err);
    if (status != QA_OK) {
        qa_hits_free(h);
        return core_finish(q, status);
    }
    h->total_ms = core_elapsed_ms(q, started);
    *out = h;
    return core_finish(q, QA_OK);
}

void qa_hits_free(qa_hits *h) {
    if (!h)
        return;
    core_release_hits(h);
    free(h);
}

size_t qa_hits_count(const qa_hits *h) { return h->found.n_hits; }
const qa_hit *qa_hits_get(const qa_hits *h, size_t i) { return i < h->found.n_hits ? &h->hits[i] : NULL; }
qa_evidence qa_hits_evidence(const qa_hits *h) { return h->found.evidence; }
const char *qa_hits_warning(const qa_hits *h) { return h->warning[0] ? h->warning : NULL; }

json_t *core_strings_json(const char *const *strings, size_t n, bool *ok) {
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_add(list, json_text0(strings[i]), ok);
    return list;
}

json_t *core_stored_json(const char *text, bool *ok) {
    json_t *value = NULL;
    qa_status status = text ? json_parse(text, strlen(text), &value, NULL) : QA_BAD_INPUT;
    if (status == QA_NO_MEMORY)
        *ok = false;
    return status == QA_OK || !*ok ? value : json_object();
}

static json_t *raw_score(double score) { return isnan(score) ? json_null() : json_round(score, 4); }

json_t *core_hit_json(const qa_hit *h, bool *ok) {
    json_t *o = json_object(), *scores = json_object();
    json_put(scores, "text", raw_score(h->text_score), ok);
    json_put(scores, "vector", raw_score(h->vector_score), ok);
    json_put(o, "rank", json_integer((json_int_t)h->rank), ok);
    json_put(o, "score", json_round(h->score, 4), ok);
    json_put(o, "scores", scores, ok);
    json_put(o, "source", json_text0(h->source), ok);
    json_put(o, "document", json_text0(h->document), ok);
    json_put(o, "title", json_text0(h->title), ok);
    json_put(o, "heading", core_strings_json(h->heading, h->n_heading, ok), ok);
    json_put(o, "url", json_text0(h->url), ok);
    json_put(o, "text", json_text(h->text, h->end - h->start), ok);
    json_put(o, "plain", json_text0(h->plain), ok);
    json_put(o, "start", json_integer((json_int_t)h->start), ok);
    json_put(o, "end", json_integer((json_int_t)h->end), ok);
    if (h->lossy)
        json_put(o, "lossy", json_true(), ok);
    json_put(o, "chunk", json_text0(h->chunk), ok);
    json_put(o, "metadata", core_stored_json(h->metadata, ok), ok);
    return o;
}

const char *qa_hits_json(qa_hits *h) {
    if (h->json)
        return h->json;
    bool ok = true;
    json_t *root = json_object(), *hits = json_array(), *timing = json_object();
    for (size_t i = 0; i < h->found.n_hits; i++)
        json_add(hits, core_hit_json(&h->hits[i], &ok), &ok);
    json_put(timing, "embed", h->embedder ? json_round(h->found.embed_ms, 2) : json_null(), &ok);
    json_put(timing, "retrieve", json_round(h->retrieve_ms, 2), &ok);
    json_put(timing, "total", json_round(h->total_ms, 2), &ok);
    json_put(root, "question", json_text0(h->question.search.question), &ok);
    json_put(root, "searched", core_strings_json(h->found.searched, h->found.n_searched, &ok), &ok);
    json_put(root, "evidence", json_string(core_evidence_name(h->found.evidence)), &ok);
    json_put(root, "vectors_pending", json_integer((json_int_t)h->pending), &ok);
    if (h->warning[0])
        json_put(root, "warning", json_text0(h->warning), &ok);
    json_put(root, "hits", hits, &ok);
    json_put(root, "timing_ms", timing, &ok);
    h->json = ok ? json_write(root, 2) : NULL;
    json_decref(root);
    return h->json;
}

qa_status core_json_result(json_t *value, bool ok, char **out, qa_error *err) {
    *out = ok ? json_write(value, 2) : NULL;
    json_decref(value);
    return *out ? QA_OK : error_no_memory(err, "writing JSON");
}
