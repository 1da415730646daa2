/* What the two parsers of filters share: nodes, counted against the limits of filter.h. */
#ifndef PORT_FILTER_BUILD_H
#define PORT_FILTER_BUILD_H

#include "port/filter.h"

enum { FILTER_MAX_BYTES = 16 * 1024, FILTER_MAX_DEPTH = 64, FILTER_MAX_NODES = 1000, FILTER_MAX_VALUES = 1000 };

struct filter_builder {
    struct arena *arena;
    size_t nodes, values;
};

/* How many bytes of s a message shows: at most max, whole characters. For "%.*s". */
int filter_shown(const char *s, size_t max);

/* A growing array of pointers; the old copies stay in the arena, which the limits keep small. */
struct filter_list {
    void **items;
    size_t n, cap;
};

qa_status filter_new_node(struct filter_builder *b, enum filter_op op, struct filter **out, qa_error *err);
qa_status filter_count_value(struct filter_builder *b, qa_error *err);
qa_status filter_list_add(struct filter_builder *b, struct filter_list *list, void *item, qa_error *err);
/* The only item itself, or a node that joins them (FILTER_AND, FILTER_OR). */
qa_status filter_join(struct filter_builder *b, enum filter_op op, const struct filter_list *list, struct filter **out,
                      qa_error *err);

#endif
