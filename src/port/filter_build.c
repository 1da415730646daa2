#include "port/filter_build.h"
#include "base/utf8.h"
#include <string.h>

int filter_shown(const char *s, size_t max) {
    size_t n = strnlen(s, max);
    return (int)(n == max ? utf8_floor(s, n) : n);
}

qa_status filter_new_node(struct filter_builder *b, enum filter_op op, struct filter **out, qa_error *err) {
    if (b->nodes++ == FILTER_MAX_NODES)
        return error_set(err, QA_BAD_FILTER, "the filter has more than %d comparisons and operators", FILTER_MAX_NODES);
    *out = arena_alloc(b->arena, sizeof **out);
    if (!*out)
        return arena_error(b->arena, err, "reading a filter");
    (*out)->op = op;
    return QA_OK;
}

qa_status filter_count_value(struct filter_builder *b, qa_error *err) {
    if (b->values++ == FILTER_MAX_VALUES)
        return error_set(err, QA_BAD_FILTER, "the filter has more than %d values", FILTER_MAX_VALUES);
    return QA_OK;
}

qa_status filter_list_add(struct filter_builder *b, struct filter_list *list, void *item, qa_error *err) {
    if (list->n == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 4;
        void **items = arena_grow(b->arena, list->items, list->n, cap, sizeof *items);
        if (!items)
            return arena_error(b->arena, err, "reading a filter");
        list->items = items;
        list->cap = cap;
    }
    list->items[list->n++] = item;
    return QA_OK;
}

qa_status filter_join(struct filter_builder *b, enum filter_op op, const struct filter_list *list, struct filter **out,
                      qa_error *err) {
    if (list->n == 1) {
        *out = list->items[0];
        return QA_OK;
    }
    qa_status status = filter_new_node(b, op, out, err);
    if (status == QA_OK) {
        (*out)->children = (struct filter **)list->items;
        (*out)->n_children = list->n;
    }
    return status;
}
