#include "core/core.h"
#include "base/clock.h"
#include <stdlib.h>
#include <string.h>

struct qa_hits {
    struct arena memory;
    struct core_question question;
    struct search_result found;
    qa_hit *hits;
    double retrieve_ms, total_ms;
    char *json;
};

const char *core_evidence_name(qa_evidence evidence) {
    return evidence == QA_EVIDENCE_STRONG ? "strong" : evidence == QA_EVIDENCE_WEAK ? "weak" : "none";
}

qa_status core_make_hits(struct arena *a, const struct search_result *found, qa_hit **out, qa_error *err) {
    qa_hit *hits = arena_array(a, found->n_hits, sizeof *hits);
    if (!hits)
        return arena_error(a, err, "collecting passages");
    for (size_t i = 0; i < found->n_hits; i++) {
        const struct search_hit *from = &found->hits[i];
        const struct index_passage *p = &from->passage;
        hits[i] = (qa_hit){
            .rank = i + 1,
            .score = from->score,
            .text_score = from->text_score,
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

qa_status qa_search(qa *q, const qa_question *question, qa_hits **out, qa_error *err) {
    struct index_port index = {0};
    *out = NULL;
    qa_hits *h = calloc(1, sizeof *h);
    if (!h)
        return core_finish(q, error_no_memory(err, "searching"));
    arena_init(&h->memory, CORE_REQUEST_CEILING);
    double started = clock_mono_ms();
    struct words *words = core_words(q, err);
    qa_status status = words ? core_read_index(q, &index, err) : QA_NO_MEMORY;
    if (status == QA_OK)
        status = core_prepare(q, &h->memory, question, CORE_HITS_DEFAULT, &h->question, err);
    if (status == QA_OK)
        status = search_run(&index, words, &h->memory, &h->question.search, &h->found, err);
    if (status == QA_OK)
        status = answer_judge(words, &h->memory, &h->found, err);
    if (status == QA_OK)
        status = core_make_hits(&h->memory, &h->found, &h->hits, err);
    if (status != QA_OK) {
        qa_hits_free(h);
        return core_finish(q, status);
    }
    h->retrieve_ms = clock_mono_ms() - started;
    h->total_ms = core_elapsed_ms(q, started);
    *out = h;
    return core_finish(q, QA_OK);
}

void qa_hits_free(qa_hits *h) {
    if (!h)
        return;
    arena_free(&h->memory);
    free(h->json);
    free(h);
}

size_t qa_hits_count(const qa_hits *h) { return h->found.n_hits; }
const qa_hit *qa_hits_get(const qa_hits *h, size_t i) { return i < h->found.n_hits ? &h->hits[i] : NULL; }
qa_evidence qa_hits_evidence(const qa_hits *h) { return h->found.evidence; }

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

json_t *core_hit_json(const qa_hit *h, bool *ok) {
    json_t *o = json_object(), *scores = json_object();
    json_put(scores, "text", json_round(h->text_score, 4), ok);
    json_put(scores, "vector", json_null(), ok);
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
    json_put(timing, "embed", json_null(), &ok);
    json_put(timing, "retrieve", json_round(h->retrieve_ms, 2), &ok);
    json_put(timing, "total", json_round(h->total_ms, 2), &ok);
    json_put(root, "question", json_text0(h->question.search.question), &ok);
    json_put(root, "searched", core_strings_json(h->found.searched, h->found.n_searched, &ok), &ok);
    json_put(root, "evidence", json_string(core_evidence_name(h->found.evidence)), &ok);
    json_put(root, "vectors_pending", json_integer(0), &ok);
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
