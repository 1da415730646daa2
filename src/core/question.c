/* What a caller hands in, checked and made ready for the search. */
#include "core/core.h"
#include <stdlib.h>
#include <string.h>

/* Questions of the history, oldest first; an answer belongs to the question before it. */
static qa_status take_history(struct arena *a, const qa_question *question, struct core_question *out, qa_error *err) {
    const char **earlier = arena_array(a, question->n_history + 1, sizeof *earlier);
    out->turns = arena_array(a, question->n_history + 1, sizeof *out->turns);
    if (!earlier || !out->turns)
        return arena_error(a, err, "reading the history");
    for (size_t i = 0; i < question->n_history; i++) {
        const qa_message *m = &question->history[i];
        if (!m->role || !m->content)
            return error_set(err, QA_BAD_INPUT, "message %zu of the history has no %s", i + 1, m->role ? "content" : "role");
        if (strcmp(m->role, "user") == 0) {
            earlier[out->search.n_earlier++] = m->content;
            out->turns[out->n_turns++] = (struct answer_turn){m->content, NULL};
        } else if (strcmp(m->role, "assistant") == 0 && out->n_turns) {
            out->turns[out->n_turns - 1].answer = m->content;
        }
    }
    out->search.earlier = earlier;
    return QA_OK;
}

/* Was it said in this conversation that older turns are left out? Each record hands that on, so the newest knows. A
 * record that cannot be read costs no more than saying it again. */
static qa_status was_told(const struct memory_turn *newest, bool *told, qa_error *err) {
    json_t *record = NULL;
    qa_error said = {0};
    if (newest->record && json_parse(newest->record, strlen(newest->record), &record, &said) == QA_NO_MEMORY)
        return error_set(err, QA_NO_MEMORY, "%s", said.message);
    *told = json_is_true(json_object_get(record, "told_dropped"));
    json_decref(record);
    return QA_OK;
}

static qa_status take_conversation(qa *q, struct arena *a, const char *id, struct core_question *out, qa_error *err) {
    struct memory_port memory = {0};
    struct memory_turn *turns = NULL;
    size_t n = 0;
    qa_status status = core_open_memory(q, false, &memory, err);
    if (status == QA_OK)
        status = core_find_conversation(&memory, a, &id, err);
    if (status == QA_OK)
        status = memory.ops->load_turns(memory.self, id, CORE_EARLIER_TURNS + 1, a, &turns, &n, err);
    if (status == QA_OK && n)
        status = was_told(&turns[n - 1], &out->told_dropped, err);
    if (status != QA_OK)
        return status;
    out->older_turns = n > CORE_EARLIER_TURNS;
    if (out->older_turns) {
        turns++;
        n--;
    }
    const char **earlier = arena_array(a, n + 1, sizeof *earlier);
    out->turns = arena_array(a, n + 1, sizeof *out->turns);
    if (!earlier || !out->turns)
        return arena_error(a, err, "reading the conversation");
    for (size_t i = 0; i < n; i++) {
        earlier[i] = turns[i].question;
        out->turns[i] = (struct answer_turn){turns[i].question, turns[i].refused ? NULL : turns[i].answer};
    }
    out->search.earlier = earlier;
    out->search.n_earlier = out->n_turns = n;
    out->conversation = id;
    return QA_OK;
}

static qa_status take_filter(struct arena *a, const qa_question *question, struct filter **out, qa_error *err) {
    if (question->filter && question->filter_json)
        return error_set(err, QA_BAD_USAGE, "a filter is given as text or as JSON, not both");
    if (!question->filter_json)
        return question->filter ? filter_parse(a, question->filter, out, err) : QA_OK;
    json_t *value = NULL;
    qa_status status = json_parse(question->filter_json, strlen(question->filter_json), &value, err);
    if (status != QA_OK)
        return error_prefix(err, error_set(err, QA_BAD_FILTER, "%s", err ? err->message : ""), "filter: ");
    status = filter_parse_json(a, value, out, err);
    json_decref(value);
    return status;
}

qa_status core_prepare(qa *q, struct arena *a, const qa_question *question, size_t default_k, struct core_question *out,
                       qa_error *err) {
    *out = (struct core_question){0};
    struct filter *filter = NULL;
    if (!question || !question->text)
        return error_set(err, QA_BAD_USAGE, "there is no question");
    if (question->k > CORE_HITS_MAX)
        return error_set(err, QA_BAD_USAGE, "%zu passages are too many; %d is the most", question->k, CORE_HITS_MAX);
    if (question->n_history && question->conversation)
        return error_set(err, QA_BAD_USAGE, "give a history or a conversation, not both");
    qa_status status = take_filter(a, question, &filter, err);
    if (status == QA_OK)
        status = question->conversation ? take_conversation(q, a, question->conversation, out, err)
                                        : take_history(a, question, out, err);
    if (status != QA_OK)
        return status;
    out->caller = (struct caller){.owner = !question->as_caller && !question->n_groups,
                                  .signed_in = question->n_groups > 0,
                                  .groups = question->groups,
                                  .n_groups = question->n_groups};
    if (!(out->search.question = arena_string(a, question->text))) /* it is part of the result, which outlives the call */
        return arena_error(a, err, "reading the question");
    out->search.mode = question->mode;
    out->search.cancel = &q->cancel;
    out->search.k = question->k ? question->k : default_k;
    out->search.scope = (struct index_scope){.caller = &out->caller, .filter = filter, .collection = question->collection};
    return QA_OK;
}

qa_status qa_filter_check(const char *filter, qa_error *err) {
    struct arena a;
    struct filter *parsed = NULL;
    arena_init(&a, CORE_CONFIG_CEILING);
    qa_status status = filter_parse(&a, filter, &parsed, err);
    arena_free(&a);
    return status;
}
