/* Filters as JSON, for programs: the same tree as from text. A message names the place as a path of members, since a
 * program's JSON has no columns that a person would count. */
#include "port/filter_build.h"
#include <stdlib.h>
#include <string.h>

/* Where we are: linked through the stack, outermost last. */
struct place {
    const struct place *parent;
    const char *member; /* NULL: an element of a list */
    size_t index;
};

struct parser {
    struct filter_builder build;
    size_t bytes; /* of fields and values */
};

static void write_place(const struct place *place, struct buf *out) {
    if (place->parent)
        write_place(place->parent, out);
    if (!place->member)
        buf_printf(out, "[%zu]", place->index);
    else
        buf_printf(out, "%s%.*s", out->len ? "." : "", filter_shown(place->member, 40), place->member);
}

static const char *kind_name(const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "a list";
    case JSON_STRING: return "a string";
    case JSON_INTEGER:
    case JSON_REAL: return "a number";
    case JSON_NULL: return "null";
    default: return "true or false";
    }
}

static qa_status fail(const struct place *place, qa_error *err, const char *what, const json_t *found) {
    struct buf at; /* what does not fit is left out from the inside */
    buf_init(&at, 160);
    if (place)
        write_place(place, &at);
    qa_status status = error_set(err, QA_BAD_FILTER, "filter%s%s: %s%s%s", place ? ", at " : "", at.data ? at.data : "",
                                 what, found ? ", found " : "", found ? kind_name(found) : "");
    buf_free(&at);
    return status;
}

/* A real as the shortest of 15 or 17 digits that gives it back. jansson writes it, since printf would follow the locale. */
static qa_status real_text(struct parser *p, const json_t *value, const char **out, qa_error *err) {
    for (int digits = 15; digits <= 17; digits += 2) {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
        json_t *back = NULL;
        if (text)
            json_parse(text, strlen(text), &back, NULL);
        bool same = back && json_real_value(back) == json_real_value(value);
        bool failed = !back;
        json_decref(back);
        *out = same || digits == 17 ? arena_string(p->build.arena, text) : NULL;
        free(text);
        if (failed)
            return error_no_memory(err, "reading a filter");
        if (same)
            break;
    }
    return *out ? QA_OK : arena_error(p->build.arena, err, "reading a filter");
}

static qa_status keep_string(struct parser *p, const struct place *place, const char *s, size_t n, const char **out,
                             qa_error *err) {
    if (memchr(s, '\0', n))
        return fail(place, err, "a NUL character cannot stand in a filter", NULL);
    if (n > FILTER_MAX_BYTES - p->bytes)
        return error_set(err, QA_BAD_FILTER, "the fields and values of the filter are longer than %d bytes",
                         FILTER_MAX_BYTES);
    p->bytes += n;
    *out = arena_copy(p->build.arena, s, n);
    return *out ? QA_OK : arena_error(p->build.arena, err, "reading a filter");
}

static qa_status parse_value(struct parser *p, const struct place *place, const json_t *value, struct filter_list *values,
                             qa_error *err) {
    const char *text = NULL;
    qa_status status = filter_count_value(&p->build, err);
    if (status != QA_OK)
        return status;
    if (json_is_string(value)) {
        status = keep_string(p, place, json_string_value(value), json_string_length(value), &text, err);
    } else if (json_is_integer(value)) {
        text = arena_printf(p->build.arena, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        status = text ? QA_OK : arena_error(p->build.arena, err, "reading a filter");
    } else if (json_is_real(value)) {
        status = real_text(p, value, &text, err);
    } else if (json_is_boolean(value)) {
        text = json_is_true(value) ? "true" : "false";
    } else {
        status = fail(place, err, "expected a string, a number, true or false", value);
    }
    return status == QA_OK ? filter_list_add(&p->build, values, (void *)text, err) : status;
}

static qa_status add_comparison(struct parser *p, const struct place *place, const char *field, enum filter_op op,
                                const json_t *value, struct filter_list *list, qa_error *err) {
    struct filter *node = NULL;
    struct filter_list values = {0};
    qa_status status = filter_new_node(&p->build, op, &node, err);
    if (op != FILTER_IN) {
        if (status == QA_OK)
            status = parse_value(p, place, value, &values, err);
    } else if (!json_is_array(value)) {
        status = status == QA_OK ? fail(place, err, "expected a list of values", value) : status;
    } else if (!json_array_size(value)) {
        status = status == QA_OK ? fail(place, err, "the list of values is empty", NULL) : status;
    }
    for (size_t i = 0; status == QA_OK && op == FILTER_IN && i < json_array_size(value); i++)
        status = parse_value(p, &(struct place){.parent = place, .index = i}, json_array_get(value, i), &values, err);
    if (status != QA_OK)
        return status;
    node->field = field;
    node->values = (const char **)values.items;
    node->n_values = values.n;
    return filter_list_add(&p->build, list, node, err);
}

/* {"FIELD": value} or {"FIELD": {"ge": value, ...}}: appends one node for each operator. */
static qa_status parse_field(struct parser *p, const struct place *place, const json_t *value, struct filter_list *list,
                             qa_error *err) {
    static const struct {
        const char *name;
        enum filter_op op;
    } operators[] = {{"eq", FILTER_EQ}, {"ne", FILTER_NE}, {"prefix", FILTER_PREFIX}, {"lt", FILTER_LT}, {"le", FILTER_LE},
                     {"gt", FILTER_GT}, {"ge", FILTER_GE}, {"in", FILTER_IN}};
    const char *field = NULL, *name;
    json_t *operand;
    if (!*place->member)
        return fail(place->parent, err, "the name of a field is empty", NULL);
    qa_status status = keep_string(p, place, place->member, strlen(place->member), &field, err);
    if (status != QA_OK)
        return status;
    if (json_is_array(value))
        return fail(place, err, "expected a value or an object; write {\"in\": [...]} for a list", value);
    if (!json_is_object(value))
        return add_comparison(p, place, field, FILTER_EQ, value, list, err);
    if (!json_object_size(value))
        return fail(place, err, "expected an operator (eq, ne, prefix, lt, le, gt, ge, in), found an empty object", NULL);
    json_object_foreach((json_t *)value, name, operand) {
        size_t i = 0, n = sizeof operators / sizeof *operators;
        while (i < n && strcmp(operators[i].name, name) != 0)
            i++;
        struct place here = {.parent = place, .member = name};
        if (i == n)
            return fail(&here, err, "no such operator; they are eq, ne, prefix, lt, le, gt, ge, in", NULL);
        if ((status = add_comparison(p, &here, field, operators[i].op, operand, list, err)) != QA_OK)
            return status;
    }
    return QA_OK;
}

static qa_status parse_object(struct parser *p, const struct place *place, size_t depth, const json_t *value,
                              struct filter **out, qa_error *err);

static qa_status parse_list(struct parser *p, const struct place *place, size_t depth, enum filter_op op,
                            const json_t *value, struct filter **out, qa_error *err) {
    struct filter_list list = {0};
    if (!json_is_array(value))
        return fail(place, err, "expected a list of filters", value);
    if (!json_array_size(value))
        return fail(place, err, "the list of filters is empty", NULL);
    for (size_t i = 0; i < json_array_size(value); i++) {
        struct filter *one = NULL;
        struct place here = {.parent = place, .index = i};
        qa_status status = parse_object(p, &here, depth + 1, json_array_get(value, i), &one, err);
        if (status == QA_OK)
            status = filter_list_add(&p->build, &list, one, err);
        if (status != QA_OK)
            return status;
    }
    return filter_join(&p->build, op, &list, out, err);
}

static qa_status parse_not(struct parser *p, const struct place *place, size_t depth, const json_t *value,
                           struct filter **out, qa_error *err) {
    struct filter *node = NULL;
    qa_status status = filter_new_node(&p->build, FILTER_NOT, &node, err);
    if (status == QA_OK && !(node->children = arena_array(p->build.arena, 1, sizeof *node->children)))
        status = arena_error(p->build.arena, err, "reading a filter");
    if (status == QA_OK)
        status = parse_object(p, place, depth + 1, value, &node->children[0], err);
    if (status != QA_OK)
        return status;
    node->n_children = 1;
    *out = node;
    return QA_OK;
}

/* The members of one object, joined by and. */
static qa_status parse_object(struct parser *p, const struct place *place, size_t depth, const json_t *value,
                              struct filter **out, qa_error *err) {
    struct filter_list list = {0};
    const char *key;
    json_t *member;
    if (depth > FILTER_MAX_DEPTH)
        return error_set(err, QA_BAD_FILTER, "the filter is nested deeper than %d levels", FILTER_MAX_DEPTH);
    if (!json_is_object(value))
        return fail(place, err, "expected an object like {\"lang\": \"en\"} or {\"and\": [...]}", value);
    if (!json_object_size(value))
        return fail(place, err, "the object is empty", NULL);
    json_object_foreach((json_t *)value, key, member) {
        struct place here = {.parent = place, .member = key};
        struct filter *one = NULL;
        qa_status status;
        if (strcmp(key, "and") == 0)
            status = parse_list(p, &here, depth, FILTER_AND, member, &one, err);
        else if (strcmp(key, "or") == 0)
            status = parse_list(p, &here, depth, FILTER_OR, member, &one, err);
        else if (strcmp(key, "not") == 0)
            status = parse_not(p, &here, depth, member, &one, err);
        else
            status = parse_field(p, &here, member, &list, err);
        if (status == QA_OK && one)
            status = filter_list_add(&p->build, &list, one, err);
        if (status != QA_OK)
            return status;
    }
    return filter_join(&p->build, FILTER_AND, &list, out, err);
}

qa_status filter_parse_json(struct arena *a, const json_t *value, struct filter **out, qa_error *err) {
    *out = NULL;
    if (!value || json_is_null(value) || (json_is_object(value) && !json_object_size(value)))
        return QA_OK;
    struct parser p = {.build = {.arena = a}};
    struct filter *tree = NULL;
    qa_status status = parse_object(&p, NULL, 1, value, &tree, err);
    if (status == QA_OK)
        *out = tree;
    return status;
}
