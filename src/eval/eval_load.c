/* Reads a question set: JSON lines. A mistake in a set makes wrong figures, not crashes, so everything that is used is
 * checked, and what would silently measure nothing is an error too. Unknown members are left alone: sets carry notes. */
#include "eval/eval.h"
#include "base/file.h"
#include "base/hash.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SET_MAX_BYTES = 256 << 20, TURNS_MAX = 1000, LIST_MAX = 10000 };

struct reader {
    struct arena *arena;
    const char *path;
    size_t line;
    char place[48]; /* "turns[2]" or "" */
    qa_error *err;
};

static const char *kind_name(const json_t *value) {
    if (!value)
        return "nothing";
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return json_array_size(value) ? "a list" : "an empty list";
    case JSON_STRING: return json_string_length(value) ? "a text" : "an empty text";
    case JSON_INTEGER:
    case JSON_REAL: return "a number";
    case JSON_NULL: return "null";
    default: return json_is_true(value) ? "true" : "false";
    }
}

static qa_status wrong(const struct reader *r, const char *field, const char *expected, const json_t *found) {
    return error_set(r->err, QA_BAD_INPUT, "%s, line %zu: \"%s%s%s\": expected %s, found %s", r->path, r->line, r->place,
                     *r->place ? "." : "", field, expected, kind_name(found));
}

static qa_status no_memory(const struct reader *r) { return arena_error(r->arena, r->err, "reading a question set"); }

static qa_status keep(const struct reader *r, const json_t *text, const char **out) {
    *out = arena_copy(r->arena, json_string_value(text), json_string_length(text));
    return *out ? QA_OK : no_memory(r);
}

static bool filled(const json_t *value) { return json_is_string(value) && json_string_length(value) > 0; }
static bool absent(const json_t *value) { return !value || json_is_null(value); }

static qa_status read_text(const struct reader *r, const json_t *object, const char *field, const char **out) {
    const json_t *value = json_object_get(object, field);
    return filled(value) ? keep(r, value, out) : wrong(r, field, "a text", value);
}

static qa_status read_bool(const struct reader *r, const json_t *object, const char *field, bool *out) {
    const json_t *value = json_object_get(object, field);
    if (absent(value))
        return QA_OK;
    if (!json_is_boolean(value))
        return wrong(r, field, "true or false", value);
    *out = json_is_true(value);
    return QA_OK;
}

/* A list of texts, appended to *out. */
static qa_status read_texts(const struct reader *r, const json_t *list, const char *field, const char *expected,
                            const char ***out, size_t *n) {
    if (!json_is_array(list) || json_array_size(list) > LIST_MAX)
        return wrong(r, field, expected, list);
    const char **texts = arena_grow(r->arena, *out, *n, *n + json_array_size(list), sizeof *texts);
    if (!texts)
        return no_memory(r);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *text = json_array_get(list, i);
        if (!filled(text))
            return wrong(r, field, expected, text);
        qa_status status = keep(r, text, &texts[*n + i]);
        if (status != QA_OK)
            return status;
    }
    *out = texts;
    *n += json_array_size(list);
    return QA_OK;
}

/* ---- Gold ---- */

static qa_status read_graded(const struct reader *r, const json_t *object, const char *field, struct eval_turn *turn) {
    const char *doc;
    json_t *grade;
    turn->docs = arena_array(r->arena, json_object_size(object) + 1, sizeof *turn->docs);
    if (!turn->docs)
        return no_memory(r);
    json_object_foreach((json_t *)object, doc, grade) {
        double value = json_number_value(grade);
        if (!json_is_number(grade) || value < 0)
            return wrong(r, field, "a grade of at least 0 for each document", grade);
        if (!*doc)
            return wrong(r, field, "names of documents", json_object_get(object, doc));
        if (value == 0)
            continue;
        struct eval_gold *gold = &turn->docs[turn->n_docs++];
        *gold = (struct eval_gold){.doc = arena_string(r->arena, doc), .grade = value};
        if (!gold->doc)
            return no_memory(r);
    }
    return QA_OK;
}

static qa_status read_docs(const struct reader *r, const json_t *object, const char *field, struct eval_turn *turn) {
    const json_t *value = json_object_get(object, field);
    const char **names = NULL;
    size_t n = 0;
    if (absent(value))
        return QA_OK;
    if (json_is_object(value))
        return read_graded(r, value, field, turn);
    qa_status status = read_texts(r, value, field, "a list of document names", &names, &n);
    if (status != QA_OK)
        return status;
    turn->docs = arena_array(r->arena, n + 1, sizeof *turn->docs);
    if (!turn->docs)
        return no_memory(r);
    for (size_t i = 0; i < n; i++)
        turn->docs[i] = (struct eval_gold){.doc = names[i], .grade = 1};
    turn->n_docs = n;
    return QA_OK;
}

static qa_status read_quotes(const struct reader *r, const json_t *object, struct eval_turn *turn) {
    const json_t *many = json_object_get(object, "gold_quotes"), *one = json_object_get(object, "gold_quote");
    if (!absent(one) && !json_is_string(one))
        return wrong(r, "gold_quote", "a text", one);
    if (!absent(many))
        return read_texts(r, many, "gold_quotes", "a list of texts", &turn->quotes, &turn->n_quotes);
    if (!filled(one))
        return QA_OK;
    turn->quotes = arena_array(r->arena, 1, sizeof *turn->quotes);
    if (!turn->quotes)
        return no_memory(r);
    turn->n_quotes = 1;
    return keep(r, one, &turn->quotes[0]);
}

static qa_status read_facts(const struct reader *r, const json_t *object, struct eval_turn *turn) {
    static const char expected[] = "a list of facts, each a list of its spellings";
    const json_t *value = json_object_get(object, "key_facts");
    if (absent(value))
        return QA_OK;
    if (!json_is_array(value) || json_array_size(value) > LIST_MAX)
        return wrong(r, "key_facts", expected, value);
    turn->facts = arena_array(r->arena, json_array_size(value) + 1, sizeof *turn->facts);
    if (!turn->facts)
        return no_memory(r);
    for (; turn->n_facts < json_array_size(value); turn->n_facts++) {
        const json_t *spellings = json_array_get(value, turn->n_facts);
        struct eval_fact *fact = &turn->facts[turn->n_facts];
        if (!json_array_size(spellings))
            return wrong(r, "key_facts", expected, spellings);
        qa_status status = read_texts(r, spellings, "key_facts", expected, &fact->spellings, &fact->n);
        if (status != QA_OK)
            return status;
    }
    return QA_OK;
}

static qa_status read_answers(const struct reader *r, const json_t *object, struct eval_turn *turn) {
    const json_t *one = json_object_get(object, "answer"), *many = json_object_get(object, "answers");
    const json_t *yes_no = json_object_get(object, "yes_no");
    qa_status status = QA_OK;
    if (!absent(one) && !json_is_string(one))
        return wrong(r, "answer", "a text", one);
    if (filled(one)) {
        turn->answers = arena_array(r->arena, 1, sizeof *turn->answers);
        if (!turn->answers)
            return no_memory(r);
        status = keep(r, one, &turn->answers[turn->n_answers++]);
    }
    if (status == QA_OK && !absent(many))
        status = read_texts(r, many, "answers", "a list of texts", &turn->answers, &turn->n_answers);
    if (status != QA_OK || absent(yes_no))
        return status;
    const char *word = json_is_string(yes_no) ? json_string_value(yes_no) : "";
    if (strcasecmp(word, "yes") != 0 && strcasecmp(word, "no") != 0 && strcasecmp(word, "none") != 0)
        return wrong(r, "yes_no", "\"yes\", \"no\" or \"none\"", yes_no);
    turn->yes_no = strcasecmp(word, "yes") == 0 ? "yes" : strcasecmp(word, "no") == 0 ? "no" : NULL;
    return QA_OK;
}

static qa_status read_turn(const struct reader *r, const json_t *object, const char *docs_field, bool answerable,
                           struct eval_turn *turn) {
    *turn = (struct eval_turn){.answerable = answerable};
    qa_status status = read_text(r, object, "question", &turn->question);
    if (status == QA_OK)
        status = read_bool(r, object, "answerable", &turn->answerable);
    if (status == QA_OK)
        status = read_docs(r, object, docs_field, turn);
    if (status == QA_OK)
        status = read_quotes(r, object, turn);
    if (status == QA_OK)
        status = read_facts(r, object, turn);
    if (status == QA_OK)
        status = read_answers(r, object, turn);
    if (status == QA_OK && turn->answerable && !turn->n_docs && !turn->n_quotes && !turn->n_facts && !turn->n_answers
        && !turn->yes_no)
        return error_set(r->err, QA_BAD_INPUT,
                         "%s, line %zu: %s%sthe question is answerable, but there is nothing to compare with: expected at least "
                         "one of %s, gold_quote, key_facts, answer, answers, yes_no",
                         r->path, r->line, r->place, *r->place ? ": " : "", docs_field);
    return status;
}

/* ---- Filters: what the set says, as an expression. Sets name documents without folders, so names are compared too ---- */

static void put_value(struct buf *out, const char *s) {
    buf_putc(out, '"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            buf_putc(out, '\\');
        buf_putc(out, *s);
    }
    buf_putc(out, '"');
}

static void put_prefix(struct buf *out, const char *prefix) {
    buf_puts(out, "(path^=");
    put_value(out, prefix);
    if (!strchr(prefix, '/')) {
        buf_puts(out, " or name^=");
        put_value(out, prefix);
    }
    buf_puts(out, ")");
}

static void put_excluded(struct buf *out, const char **docs, size_t n) {
    for (int field = 0; field < 2; field++) {
        buf_puts(out, field ? " or path in (" : "not (name in (");
        for (size_t i = 0; i < n; i++) {
            buf_puts(out, i ? ", " : "");
            put_value(out, docs[i]);
        }
        buf_puts(out, ")");
    }
    buf_puts(out, ")");
}

static qa_status read_filter(const struct reader *r, const json_t *object, struct eval_item *item) {
    enum { FILTER_MAX = 1 << 20 };
    const json_t *filter = json_object_get(object, "filter"), *prefix = json_object_get(filter, "path_prefix"),
                 *exclude = json_object_get(filter, "exclude_docs");
    const char **docs = NULL;
    size_t n = 0;
    if (absent(filter))
        return QA_OK;
    size_t known = (size_t)(prefix != NULL) + (size_t)(exclude != NULL);
    if (!json_is_object(filter) || !known || json_object_size(filter) != known)
        return wrong(r, "filter", "an object with path_prefix, exclude_docs or both, and nothing else", filter);
    if (prefix && !filled(prefix))
        return wrong(r, "filter.path_prefix", "a text", prefix);
    qa_status status = QA_OK;
    if (exclude)
        status = read_texts(r, exclude, "filter.exclude_docs", "a list of document names", &docs, &n);
    if (status != QA_OK)
        return status;
    struct buf out;
    buf_init(&out, FILTER_MAX);
    if (prefix)
        put_prefix(&out, json_string_value(prefix));
    if (prefix && n)
        buf_puts(&out, " and ");
    if (n)
        put_excluded(&out, docs, n);
    status = buf_error(&out, r->err, "reading a question set");
    if (status == QA_OK && out.len && !(item->filter = arena_string(r->arena, out.data)))
        status = no_memory(r);
    buf_free(&out);
    return status;
}

/* ---- Lines ---- */

static qa_status read_history(const struct reader *r, const json_t *object, struct eval_item *item) {
    static const char expected[] = "a list of {\"role\": \"user\" or \"assistant\", \"content\": text}";
    const json_t *list = json_object_get(object, "history");
    if (absent(list))
        return QA_OK;
    if (!json_is_array(list) || json_array_size(list) > LIST_MAX)
        return wrong(r, "history", expected, list);
    item->history = arena_array(r->arena, json_array_size(list) + 1, sizeof *item->history);
    if (!item->history)
        return no_memory(r);
    for (; item->n_history < json_array_size(list); item->n_history++) {
        const json_t *entry = json_array_get(list, item->n_history), *content = json_object_get(entry, "content");
        const char *role = json_get_string(entry, "role");
        qa_message *message = &item->history[item->n_history];
        if (!role || !json_is_string(content) || (strcmp(role, "user") != 0 && strcmp(role, "assistant") != 0))
            return wrong(r, "history", expected, entry);
        message->role = *role == 'u' ? "user" : "assistant";
        qa_status status = keep(r, content, &message->content);
        if (status != QA_OK)
            return status;
    }
    return QA_OK;
}

static qa_status read_turns(struct reader *r, const json_t *turns, bool answerable, struct eval_item *item) {
    size_t n = json_array_size(turns);
    if (!n || n > TURNS_MAX)
        return wrong(r, "turns", "a list of 1 to 1000 turns", turns);
    item->turns = arena_array(r->arena, n, sizeof *item->turns);
    if (!item->turns)
        return no_memory(r);
    for (; item->n_turns < n; item->n_turns++) {
        const json_t *turn = json_array_get(turns, item->n_turns);
        if (!json_is_object(turn))
            return wrong(r, "turns", "a list of objects", turn);
        snprintf(r->place, sizeof r->place, "turns[%zu]", item->n_turns);
        qa_status status = read_turn(r, turn, "gold_docs", answerable, &item->turns[item->n_turns]);
        if (status != QA_OK)
            return status;
    }
    r->place[0] = '\0';
    return QA_OK;
}

/* A single question: the line itself is the turn. */
static qa_status read_single(const struct reader *r, const json_t *object, bool answerable, struct eval_item *item) {
    item->turns = arena_array(r->arena, 1, sizeof *item->turns);
    if (!item->turns)
        return no_memory(r);
    item->n_turns = 1;
    bool relevant = !absent(json_object_get(object, "relevant")) || !json_object_get(object, "gold_docs");
    const char *docs = relevant ? "relevant" : "gold_docs";
    qa_status status = read_turn(r, object, docs, answerable, &item->turns[0]);
    return status == QA_OK ? read_history(r, object, item) : status;
}

static qa_status read_item(struct reader *r, const json_t *object, struct eval_item *item) {
    const json_t *kind = json_object_get(object, "kind"), *turns = json_object_get(object, "turns");
    *item = (struct eval_item){0};
    r->place[0] = '\0';
    if (!json_is_object(object))
        return error_set(r->err, QA_BAD_INPUT, "%s, line %zu: expected an object, found %s", r->path, r->line,
                         kind_name(object));
    qa_status status = read_text(r, object, "id", &item->id);
    if (status == QA_OK && !absent(kind))
        status = read_text(r, object, "kind", &item->kind);
    if (status != QA_OK)
        return status;
    bool answerable = !item->kind || strcmp(item->kind, "unanswerable") != 0;
    if (turns && json_object_get(object, "question"))
        return error_set(r->err, QA_BAD_INPUT,
                         "%s, line %zu: expected \"turns\" (a conversation) or \"question\" (one question), found both",
                         r->path, r->line);
    status = turns ? read_turns(r, turns, answerable, item) : read_single(r, object, answerable, item);
    if (status == QA_OK)
        status = read_bool(r, object, "all_docs_needed", &item->all_docs_needed);
    if (status == QA_OK && !item->kind)
        item->kind = item->turns[0].yes_no ? "yesno" : "question";
    return status == QA_OK ? read_filter(r, object, item) : status;
}

static qa_status read_line(struct reader *r, const char *text, size_t len, json_t *seen, struct eval_item *item) {
    json_t *object = NULL, *first;
    qa_status status = json_parse(text, len, &object, r->err);
    if (status != QA_OK)
        return error_prefix(r->err, status, "%s, line %zu: ", r->path, r->line);
    status = read_item(r, object, item);
    json_decref(object);
    if (status != QA_OK)
        return status;
    if ((first = json_object_get(seen, item->id)) != NULL)
        return error_set(r->err, QA_BAD_INPUT,
                         "%s, line %zu: \"id\": expected an id of its own, found \"%.80s\" again, which line %lld has",
                         r->path, r->line, item->id, (long long)json_integer_value(first));
    if (json_object_set_new_nocheck(seen, item->id, json_integer((json_int_t)r->line)) != 0)
        return error_no_memory(r->err, "reading a question set");
    return QA_OK;
}

static bool blank(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!strchr(" \t\r", s[i]))
            return false;
    return true;
}

qa_status eval_load(struct arena *a, const char *path, struct eval_set *out, qa_error *err) {
    char *text = NULL;
    size_t len = 0, lines = 1, at = 0;
    struct reader r = {.arena = a, .path = path, .err = err};
    *out = (struct eval_set){.name = arena_string(a, file_basename(path))};
    qa_status status = out->name ? file_read(a, path, SET_MAX_BYTES, &text, &len, err) : no_memory(&r);
    if (status != QA_OK)
        return status;
    hash_id("s_", hash_bytes(text, len), out->hash);
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    json_t *seen = json_object();
    if (!seen)
        return error_no_memory(err, "reading a question set");
    if (!(out->items = arena_array(a, lines, sizeof *out->items)))
        status = no_memory(&r);
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        at = 3;
    while (status == QA_OK && at < len) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end ? (size_t)(end - text) - at : len - at;
        r.line++;
        if (!blank(text + at, n)) {
            struct eval_item *item = &out->items[out->n_items];
            if ((status = read_line(&r, text + at, n, seen, item)) == QA_OK) {
                out->n_items++;
                out->n_turns += item->n_turns;
            }
        }
        at += n + 1;
    }
    json_decref(seen);
    if (status == QA_OK && !out->n_items)
        return error_set(err, QA_BAD_INPUT, "%s: the set is empty: expected one JSON object a line", path);
    return status;
}
