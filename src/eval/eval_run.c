/* Asks a set's questions, one after the other in their order, and measures each answer at once; hits are not kept, run.jsonl
 * has them.
 *
 * What the system is given of a turn: the question, the filter, the questions before it and, when answers are asked for, its
 * own answers to them. Gold fields, standalone forms and reference answers stay here. run.jsonl is written beside its name
 * and renamed at the end, so that a run that was stopped leaves the earlier one. */
#include "base/clock.h"
#include "base/file.h"
#include "base/utf8.h"
#include "eval/eval.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SCRATCH_MAX = 256 << 20, SNIPPET_CHARACTERS = 300, CITATIONS_MAX = 1000 };

struct runner {
    qa *q;
    const struct eval_options *options;
    size_t k;
    struct arena *arena;   /* results */
    struct arena scratch;  /* one turn */
    FILE *file;            /* run.jsonl, or NULL */
    char *path, *partial;
    qa_error *err;
};

/* One conversation on its way. */
struct dialogue {
    const struct eval_item *item;
    qa_message *messages;
    size_t n;
};

static qa_status no_memory(struct runner *r) { return arena_error(r->arena, r->err, "running a question set"); }

/* ---- run.jsonl ---- */

static qa_status open_file(struct runner *r) {
    const char *dir = r->options->out;
    qa_status status = file_make_dirs(dir, r->err);
    if (status != QA_OK)
        return status;
    r->path = file_join(r->arena, dir, "run.jsonl");
    r->partial = r->path ? arena_printf(r->arena, "%s.partial", r->path) : NULL;
    if (!r->partial)
        return no_memory(r);
    r->file = fopen(r->partial, "we");
    return r->file ? QA_OK : error_set_errno(r->err, errno, "%s", r->partial);
}

static qa_status close_file(struct runner *r, qa_status status) {
    if (!r->file)
        return status;
    bool failed = fclose(r->file) != 0 && status == QA_OK;
    if (failed)
        status = error_set_errno(r->err, errno, "%s", r->partial);
    else if (status == QA_OK && rename(r->partial, r->path) != 0)
        status = error_set_errno(r->err, errno, "%s", r->path);
    if (status != QA_OK)
        unlink(r->partial);
    r->file = NULL;
    return status;
}

static json_t *line_json(const struct eval_result *result, const struct eval_seen *seen) {
    bool ok = true;
    json_t *line = json_object(), *hits = json_array();
    json_put(line, "id", json_text0(result->id), &ok);
    for (size_t i = 0; i < seen->n_hits; i++) {
        json_t *hit = json_object();
        json_put(hit, "doc", json_text0(seen->hits[i].doc), &ok);
        json_put(hit, "text", json_text0(seen->hits[i].text), &ok);
        json_add(hits, hit, &ok);
    }
    json_put(line, "hits", hits, &ok);
    if (seen->answered) {
        json_t *citations = json_array();
        for (size_t i = 0; i < seen->n_citations; i++) {
            json_t *citation = json_object();
            json_put(citation, "doc", json_text0(seen->citations[i].doc), &ok);
            json_put(citation, "quote", json_text0(seen->citations[i].text), &ok);
            json_add(citations, citation, &ok);
        }
        json_put(line, "answer", json_text0(seen->answer), &ok);
        json_put(line, "short_answer", json_text0(seen->short_answer), &ok);
        json_put(line, "citations", citations, &ok);
        json_put(line, "refused", json_boolean(seen->refused), &ok);
    }
    if (!ok) {
        json_decref(line);
        line = NULL;
    }
    return line;
}

static qa_status write_line(struct runner *r, const struct eval_result *result, const struct eval_seen *seen) {
    json_t *line = r->file ? line_json(result, seen) : NULL;
    if (!r->file)
        return QA_OK;
    char *text = line ? json_write(line, 0) : NULL;
    qa_status status = QA_OK;
    if (!text)
        status = error_no_memory(r->err, "writing run.jsonl");
    else if (fputs(text, r->file) < 0 || fputc('\n', r->file) == EOF)
        status = error_set_errno(r->err, errno, "%s", r->partial);
    free(text);
    json_decref(line);
    return status;
}

/* ---- What is kept of a turn ---- */

static const char *joined_heading(struct runner *r, const qa_hit *hit) {
    struct buf out;
    buf_init(&out, 4096);
    if (!hit->n_heading)
        buf_puts(&out, hit->title ? hit->title : "");
    for (size_t i = 0; i < hit->n_heading; i++) {
        buf_puts(&out, i ? " > " : "");
        buf_puts(&out, hit->heading[i]);
    }
    const char *text = arena_string(r->arena, out.data ? out.data : "");
    buf_free(&out);
    return text;
}

/* The first EVAL_TOP documents, each with the passage that brought it there. */
static qa_status keep_top(struct runner *r, const qa_hits *hits, struct eval_result *result) {
    for (size_t i = 0; i < qa_hits_count(hits) && result->n_top < EVAL_TOP; i++) {
        const qa_hit *hit = qa_hits_get(hits, i);
        size_t j = 0, taken;
        while (j < result->n_top && strcmp(result->top[j].doc, hit->document) != 0)
            j++;
        if (j < result->n_top)
            continue;
        size_t len = strlen(hit->plain), cut = eval_prefix_bytes(hit->plain, len, SNIPPET_CHARACTERS, &taken);
        struct eval_found *found = &result->top[result->n_top++];
        found->doc = arena_string(r->arena, hit->document);
        found->heading = joined_heading(r, hit);
        found->snippet = arena_printf(r->arena, "%.*s%s", (int)cut, hit->plain, cut < len ? " ..." : "");
        found->gold = eval_is_gold(result->turn, hit->document);
        if (!found->doc || !found->heading || !found->snippet)
            return no_memory(r);
    }
    return QA_OK;
}

static qa_status keep_answer(struct runner *r, const qa_answer *answer, struct eval_result *result) {
    result->answer = arena_string(r->arena, qa_answer_text(answer));
    result->short_answer = arena_string(r->arena, qa_answer_short(answer));
    result->reason = arena_string(r->arena, qa_answer_reason(answer));
    bool full = !result->answer || (qa_answer_short(answer) && !result->short_answer)
        || (qa_answer_reason(answer) && !result->reason);
    return full ? no_memory(r) : QA_OK;
}

/* ---- One turn ---- */

static qa_status see_hits(struct runner *r, const qa_hits *hits, struct eval_seen *seen) {
    seen->n_hits = qa_hits_count(hits);
    struct eval_passage *list = arena_array(&r->scratch, seen->n_hits + 1, sizeof *list);
    if (!list)
        return arena_error(&r->scratch, r->err, "running a question set");
    for (size_t i = 0; i < seen->n_hits; i++)
        list[i] = (struct eval_passage){qa_hits_get(hits, i)->document, qa_hits_get(hits, i)->text};
    seen->hits = list;
    return QA_OK;
}

static qa_status see_answer(struct runner *r, const qa_answer *answer, struct eval_seen *seen) {
    size_t n = qa_answer_citation_count(answer);
    n = n < CITATIONS_MAX ? n : CITATIONS_MAX;
    struct eval_passage *list = arena_array(&r->scratch, n + 1, sizeof *list);
    if (!list)
        return arena_error(&r->scratch, r->err, "running a question set");
    for (size_t i = 0; i < n; i++)
        list[i] = (struct eval_passage){qa_answer_citation(answer, i)->document, qa_answer_citation(answer, i)->quote};
    seen->answered = true;
    seen->refused = qa_answer_refused(answer);
    seen->answer = qa_answer_text(answer);
    seen->short_answer = qa_answer_short(answer);
    seen->citations = list;
    seen->n_citations = n;
    return QA_OK;
}

static qa_status measure(struct runner *r, const struct eval_seen *seen, struct eval_result *result) {
    result->fact_found = arena_array(r->arena, result->turn->n_facts + 1, sizeof *result->fact_found);
    if (!result->fact_found)
        return no_memory(r);
    qa_status status = eval_measure(result->turn, result->item->all_docs_needed, seen, &r->scratch, &result->score,
                                    result->fact_found, r->err);
    return status == QA_OK ? write_line(r, result, seen) : status;
}

static qa_status run_turn(struct runner *r, const struct dialogue *d, struct eval_result *result) {
    qa_question question = {.text = result->turn->question, .k = r->k, .filter = d->item->filter, .mode = r->options->mode,
                            .history = d->messages, .n_history = d->n, .forget = true};
    qa_hits *hits = NULL;
    qa_answer *answer = NULL;
    struct eval_seen seen = {0};
    double start = clock_mono_ms();
    arena_reset(&r->scratch);
    qa_status status = qa_search(r->q, &question, &hits, r->err);
    result->ms = clock_mono_ms() - start;
    if (status == QA_OK)
        status = see_hits(r, hits, &seen);
    if (status == QA_OK)
        status = keep_top(r, hits, result);
    if (status == QA_OK && r->options->answers) {
        question.k = 0;
        question.extractive = r->options->extractive;
        start = clock_mono_ms();
        status = qa_ask(r->q, &question, &answer, r->err);
        result->ms = clock_mono_ms() - start;
        if (status == QA_OK)
            status = see_answer(r, answer, &seen);
        if (status == QA_OK)
            status = keep_answer(r, answer, result);
    }
    if (status == QA_OK)
        status = measure(r, &seen, result);
    qa_answer_free(answer);
    qa_hits_free(hits);
    return status;
}

static qa_status run_item(struct runner *r, const struct eval_item *item, size_t total, struct eval_run *out) {
    struct dialogue d = {.item = item, .n = item->n_history};
    d.messages = arena_array(r->arena, item->n_history + 2 * item->n_turns, sizeof *d.messages);
    if (!d.messages)
        return no_memory(r);
    if (item->n_history)
        memcpy(d.messages, item->history, item->n_history * sizeof *d.messages);
    for (size_t t = 0; t < item->n_turns; t++) {
        struct eval_result *result = &out->results[out->n];
        *result = (struct eval_result){.item = item, .turn = &item->turns[t]};
        if (!(result->id = arena_printf(r->arena, "%s#%zu", item->id, t + 1)))
            return no_memory(r);
        qa_status status = run_turn(r, &d, result);
        if (status != QA_OK)
            return error_prefix(r->err, status, "%s: ", result->id);
        out->n++;
        d.messages[d.n++] = (qa_message){"user", result->turn->question};
        if (r->options->answers)
            d.messages[d.n++] = (qa_message){"assistant", result->answer};
        if (r->options->on_turn)
            r->options->on_turn(r->options->user, out->n, total);
    }
    return QA_OK;
}

qa_status eval_run(qa *q, const struct eval_set *set, const struct eval_options *options, struct arena *a,
                   struct eval_run *out,
                   qa_error *err) {
    size_t k = options->k < EVAL_MIN_HITS ? EVAL_MIN_HITS : options->k > EVAL_MAX_HITS ? EVAL_MAX_HITS : options->k;
    struct runner r = {.q = q, .options = options, .k = k, .arena = a, .err = err};
    arena_init(&r.scratch, SCRATCH_MAX);
    *out = (struct eval_run){.answers = options->answers, .mode = options->mode, .k = k};
    out->results = arena_array(a, set->n_turns, sizeof *out->results);
    qa_status status = out->results ? QA_OK : no_memory(&r);
    if (status == QA_OK && options->out)
        status = open_file(&r);
    for (size_t i = 0; status == QA_OK && i < set->n_items; i++)
        status = run_item(&r, &set->items[i], set->n_turns, out);
    status = close_file(&r, status);
    arena_free(&r.scratch);
    return status;
}
