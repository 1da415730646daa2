#include "core/core.h"
#include "base/clock.h"
#include <stdlib.h>
#include <string.h>

struct qa_answer {
    struct qa_hits h;
    struct answer answer;
    struct answer_generation generation;
    const struct generator_port *generator; /* the one that was asked; NULL: none */
    const qa_stream *stream;                /* during the call */
    qa_sentence *sentences;
    qa_citation *citations;
    char conversation[32], turn[32];
    bool kept;
    char warning[1300];
    double first_token_ms, total_ms;
    char *json;
};

/* Warnings add up. */
static void warn(qa_answer *x, const char *text) {
    size_t n = strlen(x->warning);
    if (text && *text)
        snprintf(x->warning + n, sizeof x->warning - n, "%s%s", n ? "\n" : "", text);
}

static qa_status make_public(qa_answer *x, qa_error *err) {
    struct arena *a = &x->h.memory;
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
        const qa_hit *source = &x->h.hits[c->rank - 1];
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

static const char *mode_of(const qa_answer *x) { return x->answer.generated ? "generated" : "extractive"; }

/* How the model was asked, and how it ended. */
static json_t *generation_json(const struct answer_generation *g, bool *ok) {
    json_t *o = json_object();
    json_put(o, "end", json_string(g->end), ok);
    json_put(o, "seed", json_integer(g->seed), ok);
    json_put(o, "temperature", json_integer(0), ok);
    json_put(o, "max_tokens", json_integer((json_int_t)g->max_tokens), ok);
    json_put(o, "prompt_tokens", json_integer((json_int_t)g->result.prompt_tokens), ok);
    json_put(o, "reused_tokens", json_integer((json_int_t)g->result.reused_tokens), ok);
    json_put(o, "generated_tokens", json_integer((json_int_t)g->result.generated_tokens), ok);
    return o;
}

/* Everything that is needed to tell how the answer arose. */
static json_t *turn_record(const qa_answer *x, bool *ok) {
    static const char *const roles[] = {"system", "user", "assistant"};
    json_t *o = json_object(), *chunks = json_array();
    for (size_t i = 0; i < x->h.found.n_hits; i++) {
        json_t *hit = json_object();
        json_put(hit, "chunk", json_text0(x->h.hits[i].chunk), ok);
        json_put(hit, "score", json_round(x->h.hits[i].score, 4), ok);
        json_add(chunks, hit, ok);
    }
    json_put(o, "searched", core_strings_json(x->h.found.searched, x->h.found.n_searched, ok), ok);
    json_put(o, "evidence", json_string(core_evidence_name(x->h.found.evidence)), ok);
    json_put(o, "mode", json_string(mode_of(x)), ok);
    json_put(o, "hits", chunks, ok);
    if (x->h.embedder)
        json_put(o, "embedder", json_text0(x->h.embedder), ok);
    if (x->generator) {
        json_t *prompt = json_array();
        for (size_t i = 0; i < x->generation.n_messages; i++) {
            json_t *m = json_object();
            json_put(m, "role", json_string(roles[x->generation.messages[i].role]), ok);
            json_put(m, "content", json_text0(x->generation.messages[i].text), ok);
            json_add(prompt, m, ok);
        }
        json_put(o, "generator", json_text0(x->generator->name), ok);
        json_put(o, "generator_fingerprint", json_text0(x->generator->fingerprint), ok);
        json_put(o, "prompt", prompt, ok);
        json_put(o, "generation", generation_json(&x->generation, ok), ok);
        json_put(o, "stopped", json_boolean(x->generation.stopped), ok);
        json_put(o, "discarded", json_boolean(x->generation.discarded), ok); /* what it wrote stands nowhere */
        json_put(o, "dropped_turns", json_integer((json_int_t)x->generation.dropped_turns), ok);
    }
    if (x->h.question.told_dropped)
        json_put(o, "told_dropped", json_true(), ok); /* question.c reads it */
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
    if (x->h.question.conversation)
        snprintf(x->conversation, sizeof x->conversation, "%s", x->h.question.conversation);
    else
        clock_new_id("v_", x->conversation);
    json_t *record = turn_record(x, &ok);
    char *text = ok ? json_write(record, 0) : NULL;
    json_decref(record);
    struct memory_turn turn = {.id = x->turn,
                               .question = x->h.question.search.question,
                               .answer = x->answer.text,
                               .refused = x->answer.refused,
                               .record = text,
                               .created_ms = clock_now_ms()};
    qa_status status = text ? core_open_memory(q, true, &memory, &err) : error_no_memory(&err, "keeping the turn");
    if (status == QA_OK)
        status = memory.ops->append_turn(memory.self, x->conversation, &turn, &err);
    free(text);
    x->kept = status == QA_OK;
    if (!x->kept) {
        char said[600];
        snprintf(said, sizeof said, "this turn was not kept: %s", err.message);
        warn(x, said);
    }
}

static void pass_token(void *user, const char *text, size_t len) {
    const qa_answer *x = user;
    x->stream->on_token(text, len, x->stream->user);
}

static void pass_sentence(void *user, const char *text, const struct answer_sentence *s) {
    const qa_answer *x = user;
    const qa_sentence told = {s->start, s->end, s->support, s->citations, s->n_citations};
    x->stream->on_sentence(text, &told, x->stream->user);
}

static void pass_wait(void *user, const char *why) {
    const qa_answer *x = user;
    if (x->stream && x->stream->on_wait)
        x->stream->on_wait(why, x->stream->user);
}

/* That the model no longer sees all of a conversation is said once in it: it is so from then on, and what can be done
 * about it does not change. A history that a caller sends has no such memory: there it is said each time. */
static void warn_of_dropped_turns(qa_answer *x) {
    struct core_question *question = &x->h.question;
    size_t told = question->n_turns - x->generation.dropped_turns;
    char text[200];
    if (question->told_dropped || (!x->generation.dropped_turns && !question->older_turns))
        return;
    if (told)
        snprintf(text, sizeof text, "older turns of this conversation no longer reach the model, which is told the last %zu: "
                 "name again what matters of them", told);
    else
        snprintf(text, sizeof text, "the turns of this conversation are too long to reach the model: "
                 "name again what matters of them");
    warn(x, text);
    question->told_dropped = true;
}

/* A generator that cannot be opened costs the words, not the answer. */
static qa_status generate(qa *q, qa_answer *x, double started, qa_error *err) {
    struct generator_port *generator = NULL;
    qa_error said = {0};
    if (!q->generator.ops && !q->generator_choice.none)
        pass_wait(x, "opening the language model");
    qa_status status = core_open_generator(q, &generator, &said);
    if (status == QA_CANCELLED || status == QA_NO_MEMORY)
        return error_set(err, status, "%s", said.message);
    if (status != QA_OK) {
        char text[600];
        snprintf(text, sizeof text, "answered with sentences of the documents: %s", said.message);
        warn(x, text);
    }
    if (!generator)
        return QA_OK;
    double before = clock_mono_ms() - started;
    char wait[300];
    snprintf(wait, sizeof wait, "%s reads the passages", generator->name);
    pass_wait(x, wait);
    x->generator = generator;
    x->generation = (struct answer_generation){.generator = *generator,
                                               .turns = x->h.question.turns,
                                               .n_turns = x->h.question.n_turns,
                                               .cancel = &q->cancel,
                                               .on_token = x->stream && x->stream->on_token ? pass_token : NULL,
                                               .on_sentence = x->stream && x->stream->on_sentence ? pass_sentence : NULL,
                                               .on_wait = pass_wait,
                                               .user = x};
    status = answer_generate(q->words, &x->h.memory, &x->h.found, &x->generation, &x->answer, err);
    if (x->generation.result.first_token_ms > 0)
        x->first_token_ms = before + x->generation.result.first_token_ms;
    warn(x, x->generation.notice);
    if (status == QA_OK && x->generation.n_messages)
        warn_of_dropped_turns(x);
    return status;
}

/* An extractive answer and a refusal are told like a written one. */
static qa_status tell_whole(qa_answer *x, qa_error *err) {
    struct arena *a = &x->h.memory;
    size_t at = 0;
    if (!x->stream || !x->stream->on_sentence || x->answer.generated)
        return QA_OK;
    for (size_t i = 0; i < x->answer.n_sentences; i++) {
        const struct answer_sentence *s = &x->answer.sentences[i];
        const char *text = arena_copy(a, x->answer.text + at, s->end - at);
        if (!text)
            return arena_error(a, err, "telling the answer");
        pass_sentence(x, text, s);
        at = s->end;
    }
    return QA_OK;
}

static qa_status ask(qa *q, const qa_question *question, qa_answer *x, double started, qa_error *err) {
    qa_status status = core_find(q, question, CORE_SOURCES_DEFAULT, &x->h, err);
    if (status == QA_OK)
        status = answer_extract(q->words, &x->h.memory, &x->h.found, &x->answer, err);
    if (status != QA_OK)
        return status;
    warn(x, x->h.warning);
    if (x->stream && x->stream->on_sources) {
        x->h.total_ms = clock_mono_ms() - started;
        x->stream->on_sources(&x->h, x->stream->user);
    }
    if (!x->answer.refused && !question->extractive)
        status = generate(q, x, started, err);
    if (status == QA_OK)
        status = tell_whole(x, err);
    return status == QA_OK ? make_public(x, err) : status;
}

qa_status qa_ask(qa *q, const qa_question *question, qa_answer **out, qa_error *err) {
    *out = NULL;
    qa_answer *x = calloc(1, sizeof *x);
    if (!x)
        return core_finish(q, error_no_memory(err, "answering"));
    double started = clock_mono_ms();
    x->stream = question ? question->stream : NULL;
    qa_status status = ask(q, question, x, started, err);
    if (status != QA_OK) {
        qa_answer_free(x);
        return core_finish(q, status);
    }
    keep(q, x, question->forget);
    x->stream = NULL;
    x->total_ms = core_elapsed_ms(q, started);
    *out = x;
    return core_finish(q, QA_OK);
}

void qa_answer_free(qa_answer *x) {
    if (!x)
        return;
    core_release_hits(&x->h);
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
size_t qa_answer_source_count(const qa_answer *x) { return x->h.found.n_hits; }
const qa_hit *qa_answer_source(const qa_answer *x, size_t i) { return i < x->h.found.n_hits ? &x->h.hits[i] : NULL; }
bool qa_answer_generated(const qa_answer *x) { return x->answer.generated; }
bool qa_answer_stopped(const qa_answer *x) { return x->generation.stopped; }
double qa_answer_first_token_ms(const qa_answer *x) { return x->first_token_ms; }
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
    for (size_t i = 0; i < x->h.found.n_hits; i++)
        json_add(sources, core_hit_json(&x->h.hits[i], &ok), &ok);
    json_put(model, "generator", json_text0(x->answer.generated ? x->generator->name : NULL), &ok);
    json_put(model, "embedder", json_text0(x->h.embedder), &ok);
    json_put(timing, "retrieve", json_round(x->h.retrieve_ms, 2), &ok);
    json_put(timing, "first_token", x->first_token_ms > 0 ? json_round(x->first_token_ms, 2) : json_null(), &ok);
    json_put(timing, "total", json_round(x->total_ms, 2), &ok);
    json_put(tokens, "prompt", json_integer((json_int_t)x->generation.result.prompt_tokens), &ok);
    json_put(tokens, "reused", json_integer((json_int_t)x->generation.result.reused_tokens), &ok);
    json_put(tokens, "generated", json_integer((json_int_t)x->generation.result.generated_tokens), &ok);
    json_put(root, "question", json_text0(x->h.question.search.question), &ok);
    json_put(root, "standalone", json_text0(x->h.found.searched[x->h.found.n_searched - 1]), &ok);
    json_put(root, "answer", json_text0(x->answer.text), &ok);
    json_put(root, "short_answer", json_text0(x->answer.short_answer), &ok);
    json_put(root, "refused", json_boolean(x->answer.refused), &ok);
    json_put(root, "reason", json_text0(x->answer.reason), &ok);
    json_put(root, "evidence", json_string(core_evidence_name(x->h.found.evidence)), &ok);
    json_put(root, "sentences", sentences, &ok);
    json_put(root, "citations", citations, &ok);
    json_put(root, "sources", sources, &ok);
    json_put(root, "conversation", json_text0(qa_answer_conversation(x)), &ok);
    json_put(root, "turn", json_text0(qa_answer_turn(x)), &ok);
    json_put(root, "model", model, &ok);
    json_put(root, "mode", json_string(mode_of(x)), &ok);
    if (x->warning[0])
        json_put(root, "warning", json_text0(x->warning), &ok);
    if (x->generation.stopped)
        json_put(root, "stopped", json_true(), &ok);
    if (x->generation.dropped_turns)
        json_put(root, "dropped_turns", json_integer((json_int_t)x->generation.dropped_turns), &ok);
    json_put(root, "timing_ms", timing, &ok);
    json_put(root, "tokens", tokens, &ok);
    x->json = ok ? json_write(root, 2) : NULL;
    json_decref(root);
    return x->json;
}
