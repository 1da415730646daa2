/* Filters over document metadata: a small tree, parsed from text or JSON, evaluated by whoever holds the metadata.
 *
 *     expression := term { "or" term } ;  term := factor { "and" factor }
 *     factor     := "not" factor | "(" expression ")" | FIELD op value | FIELD "in" "(" value { "," value } ")"
 *     op         := "=" | "!=" | "^=" | "<" | "<=" | ">" | ">="
 *     value      := bare word | "double quoted", backslash escapes the next character
 *
 * Keywords in any case. Fields: path, source, name (the file name), title, url, collection, and the keys of the metadata, dots
 * reach into objects; a field may be quoted. A list holds when one of its elements does. != is the negation of =. A missing
 * value matches only != and not. Order: both numbers as numbers; both dates (YYYY-MM-DD with optional time) as dates; both
 * dotted versions (optional v) part by part; else no match. docs/filters.md has the details.
 *
 * JSON: {"and": [..]}, {"or": [..]}, {"not": {..}}, {"FIELD": value}, {"FIELD": {"in": [..]}},
 * {"FIELD": {"eq"|"ne"|"prefix"|"lt"|"le"|"gt"|"ge": value}}; several members of one object are joined by and.
 *
 * Limits: 16 KiB of text, nesting 64, 1,000 nodes, 1,000 values. */
#ifndef PORT_FILTER_H
#define PORT_FILTER_H

#include "base/arena.h"
#include "base/json.h"

enum filter_op { FILTER_AND, FILTER_OR, FILTER_NOT, FILTER_EQ, FILTER_NE, FILTER_PREFIX, FILTER_LT, FILTER_LE, FILTER_GT,
                 FILTER_GE, FILTER_IN };

struct filter {
    enum filter_op op;
    const char *field;              /* comparisons */
    const char **values;            /* one, or several for FILTER_IN */
    size_t n_values;
    struct filter **children;       /* and, or: any number; not: one */
    size_t n_children;
};

/* QA_BAD_FILTER with the position and what was expected. An empty text gives NULL: everything matches. */
qa_status filter_parse(struct arena *a, const char *text, struct filter **out, qa_error *err);
qa_status filter_parse_json(struct arena *a, const json_t *value, struct filter **out, qa_error *err);

/* What a filter is asked about. metadata may be NULL. */
struct filter_subject {
    const char *path, *source, *title, *url, *collection;
    const json_t *metadata;
};
bool filter_matches(const struct filter *filter, const struct filter_subject *subject); /* NULL filter: true */
/* Does the filter look at anything but path, name, source, title, url, collection? Then metadata must be loaded. */
bool filter_needs_metadata(const struct filter *filter);

#endif
