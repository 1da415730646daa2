#include "core/core.h"
#include "base/clock.h"
#include <stdlib.h>
#include <string.h>

struct qa_answer {
    struct arena memory;
    struct core_question question;
    struct search_result found;
    struct answer answer;
    qa_hit *sources;
    qa_sentence *sentences;
    qa_citation *citations;
    char conversation[32], turn[32];
    bool kept;
    char warning[600];
    double retrieve_ms, total_ms;
    char *json;
};

static qa_status make_public(qa_answer *x, qa_error *err) {
    struct arena *a = &x->memory;
    x->sentences = arena_array(a, x->answer.n_sentences, sizeof *x->sentences);
    x->citations = arena_array(a, x->answer.n_citations, sizeof *x->citations);
    if (!x->sentences || !x->citations)
        return arena_error(a, err, "writing the answer");
    for (size_t i = 0; i < x->answer.n_sentences; i++) {
        const struct answer_sentence *s = &x->answer.sentences[i];
        x->sentences[i] = (qa_sentence){s->start, s->end, s->support, s->citations, s->n_citations};
    }
    for (size_t i = 0; i < x->answer.n_citations; i++) {
        const struct answer_citation *c = &x->answer.citations[i];
        const qa_hit *source = &x->sources[c->rank - 1];
        x->citations[i] = (qa_citation){
            .n = c->rank,
            .chunk = source->chunk,
            .source = source->source,
            .document = source->document,
            .url = source->url,
            .heading = source->heading,
            .n_heading = source->n_heading,
            .quote = c->quote,
            .quote_plain = c->quote_plain,
            .start = c->start,
            .end = c->end,
        };
    }
    return QA_OK;
}

static json_t *turn_record(const qa_answer *x, bool *ok) {
    json_t *o = json_object(), *chunks = json_array();
    for (size_t i = 0; i < x->found.n_hits; i++) {
        json_t *hit = json_object();
        json_put(hit, "chunk", json_text0(x->sources[i].chunk), ok);
        json_put(hit, "score", json_round(x->sources[i].score, 4), ok);
        json_add(chunks, hit, ok);
    }
    json_put(o, "searched", core_strings_json(x->found.searched, x->found.n_searched, ok), ok);
    json_put(o, "evidence", json_string(core_evidence_name(x->found.evidence)), ok);
    json_put(o, "mode", json_string("extractive"), ok);
    json_put(o, "hits", chunks, ok);
    json_put(o, "version", json_string(qa_version()), ok);
    return o;
}

/* Keeps the turn. Failure costs the memory of the turn, not the answer. */
static void keep(qa *q, qa_answer *x, bool forget) {
    struct memory_port memory = {0};
    qa_error err = {0};
    bool ok = true;
    if (forget)
        return;
    clock_new_id("t_", x->turn);
    if (x->question.conversation)
        snprintf(x->conversation, sizeof x->conversation, "%s", x->question.conversation);
    else
        clock_new_id("v_", x->conversation);
    json_t *record = turn_record(x, &ok);
    char *text = ok ? json_write(record, 0) : NULL;
    json_decref(record);
    struct memory_turn turn = {.id = x->turn,
                               .question = x->question.search.question,
                               .answer = x->answer.text,
                               .refused = x->answer.refused,
                               .record = text,
                               .created_ms = clock_now_ms()};
    qa_status status = text ? core_open_memory(q, true, &memory, &err) : error_no_memory(&err, "keeping the turn");
    if (status == QA_OK)
        status = memory.ops->append_turn(memory.self, x->conversation, &turn, &err);
    free(text);
    x->kept = status == QA_OK;
    if (!x->kept)
        snprintf(x->warning, sizeof x->warning, "this turn was not kept: %s", err.message);
}

qa_status qa_ask(qa *q, const qa_question *question, qa_answer **out, qa_error *err) {
    struct index_port index = {0};
    *out = NULL;
    qa_answer *x = calloc(1, sizeof *x);
    if (!x)
        return core_finish(q, error_no_memory(err, "answering"));
    arena_init(&x->memory, CORE_REQUEST_CEILING);
    double started = clock_mono_ms();
    struct words *words = core_words(q, err);
    qa_status status = words ? core_read_index(q, &index, err) : QA_NO_MEMORY;
    if (status == QA_OK)
        status = core_prepare(q, &x->memory, question, CORE_SOURCES_DEFAULT, &x->question, err);
    if (status == QA_OK)
        status = search_run(&index, words, &x->memory, &x->question.search, &x->found, err);
    x->retrieve_ms = clock_mono_ms() - started;
    if (status == QA_OK)
        status = answer_extract(words, &x->memory, &x->found, &x->answer, err);
    if (status == QA_OK)
        status = core_make_hits(&x->memory, &x->found, &x->sources, err);
    if (status == QA_OK)
        status = make_public(x, err);
    if (status != QA_OK) {
        qa_answer_free(x);
        return core_finish(q, status);
    }
    keep(q, x, question->forget);
    x->total_ms = core_elapsed_ms(q, started);
    *out = x;
    return core_finish(q, QA_OK);
}

void qa_answer_free(qa_answer *x) {
    if (!x)
        return;
    arena_free(&x->memory);
    free(x->json);
    free(x);
}

const char *qa_answer_text(const qa_answer *x) { return x->answer.text; }
const char *qa_answer_short(const qa_answer *x) { return x->answer.short_answer; }
bool qa_answer_refused(const qa_answer *x) { return x->answer.refused; }
const char *qa_answer_reason(const qa_answer *x) { return x->answer.reason; }
const char *qa_answer_warning(const qa_answer *x) { return x->warning[0] ? x->warning : NULL; }
const char *qa_answer_conversation(const qa_answer *x) { return x->kept ? x->conversation : NULL; }
const char *qa_answer_turn(const qa_answer *x) { return x->kept ? x->turn : NULL; }
size_t qa_answer_sentence_count(const qa_answer *x) { return x->answer.n_sentences; }
const qa_sentence *qa_answer_sentence(const qa_answer *x, size_t i) { return i < x->answer.n_sentences ? &x->sentences[i] : NULL; }
size_t qa_answer_citation_count(const qa_answer *x) { return x->answer.n_citations; }
const qa_citation *qa_answer_citation(const qa_answer *x, size_t i) { return i < x->answer.n_citations ? &x->citations[i] : NULL; }
size_t qa_answer_source_count(const qa_answer *x) { return x->found.n_hits; }
const qa_hit *qa_answer_source(const qa_answer *x, size_t i) { return i < x->found.n_hits ? &x->sources[i] : NULL; }
double qa_answer_total_ms(const qa_answer *x) { return x->total_ms; }

static json_t *sentence_json(const qa_sentence *s, bool *ok) {
    static const char *const names[] = {"none", "matched", "quote"};
    json_t *o = json_object(), *numbers = json_array();
    for (size_t i = 0; i < s->n_citations; i++)
        json_add(numbers, json_integer((json_int_t)s->citations[i]), ok);
    json_put(o, "start", json_integer((json_int_t)s->start), ok);
    json_put(o, "end", json_integer((json_int_t)s->end), ok);
    json_put(o, "support", json_string(names[s->support]), ok);
    json_put(o, "citations", numbers, ok);
    return o;
}

static json_t *citation_json(const qa_citation *c, bool *ok) {
    json_t *o = json_object();
    json_put(o, "n", json_integer((json_int_t)c->n), ok);
    json_put(o, "chunk", json_text0(c->chunk), ok);
    json_put(o, "source", json_text0(c->source), ok);
    json_put(o, "document", json_text0(c->document), ok);
    json_put(o, "heading", core_strings_json(c->heading, c->n_heading, ok), ok);
    json_put(o, "url", json_text0(c->url), ok);
    json_put(o, "quote", json_text(c->quote, c->end - c->start), ok);
    json_put(o, "quote_plain", json_text0(c->quote_plain), ok);
    json_put(o, "start", json_integer((json_int_t)c->start), ok);
    json_put(o, "end", json_integer((json_int_t)c->end), ok);
    return o;
}

const char *qa_answer_json(qa_answer *x) {
    if (x->json)
        return x->json;
    bool ok = true;
    json_t *root = json_object(), *sentences = json_array(), *citations = json_array(), *sources = json_array();
    json_t *model = json_object(), *timing = json_object(), *tokens = json_object();
    for (size_t i = 0; i < x->answer.n_sentences; i++)
        json_add(sentences, sentence_json(&x->sentences[i], &ok), &ok);
    for (size_t i = 0; i < x->answer.n_citations; i++)
        json_add(citations, citation_json(&x->citations[i], &ok), &ok);
    for (size_t i = 0; i < x->found.n_hits; i++)
        json_add(sources, core_hit_json(&x->sources[i], &ok), &ok);
    json_put(model, "generator", json_null(), &ok);
    json_put(model, "embedder", json_null(), &ok);
    json_put(timing, "retrieve", json_round(x->retrieve_ms, 2), &ok);
    json_put(timing, "first_token", json_null(), &ok);
    json_put(timing, "total", json_round(x->total_ms, 2), &ok);
    json_put(tokens, "prompt", json_integer(0), &ok);
    json_put(tokens, "reused", json_integer(0), &ok);
    json_put(tokens, "generated", json_integer(0), &ok);
    json_put(root, "question", json_text0(x->question.search.question), &ok);
    json_put(root, "standalone", json_text0(x->found.searched[x->found.n_searched - 1]), &ok);
    json_put(root, "answer", json_text0(x->answer.text), &ok);
    json_put(root, "short_answer", json_text0(x->answer.short_answer), &ok);
    json_put(root, "refused", json_boolean(x->answer.refused), &ok);
    json_put(root, "reason", json_text0(x->answer.reason), &ok);
    json_put(root, "evidence", json_string(core_evidence_name(x->found.evidence)), &ok);
    json_put(root, "sentences", sentences, &ok);
    json_put(root, "citations", citations, &ok);
    json_put(root, "sources", sources, &ok);
    json_put(root, "conversation", json_text0(qa_answer_conversation(x)), &ok);
    json_put(root, "turn", json_text0(qa_answer_turn(x)), &ok);
    json_put(root, "model", model, &ok);
    json_put(root, "mode", json_string("extractive"), &ok);
    json_put(root, "timing_ms", timing, &ok);
    json_put(root, "tokens", tokens, &ok);
    x->json = ok ? json_write(root, 2) : NULL;
    json_decref(root);
    return x->json;
}
