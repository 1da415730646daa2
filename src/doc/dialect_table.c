/* Delimiter rows of tables: md4c wants three characters in each column, GitHub one (| - | :-: |). The missing dashes are
 * put in. */
#include "doc/dialect.h"
#include <string.h>

bool dialect_is_delimiter(const char *p, size_t n) {
    bool shorter = false, pipe = false;
    size_t column = 0;
    for (size_t i = 0; i <= n; i++) {
        if (i < n && (p[i] == '-' || p[i] == ':')) {
            column++;
            continue;
        }
        shorter |= column > 0 && column < 3;
        column = 0;
        if (i < n && !strchr("| \t>", p[i]))
            return false;
        pipe |= i < n && p[i] == '|';
    }
    return shorter && pipe;
}

void dialect_delimiter(struct dialect_scan *s, const struct dialect_line *l) {
    const char *b = s->bytes;
    size_t from = s->n_boxes ? l->first : l->from;
    if (s->n_boxes)
        dialect_indent(s, l->columns);
    for (size_t at = l->first; at < l->end;) {
        size_t n = 0, dash = l->end;
        for (; at + n < l->end && (b[at + n] == '-' || b[at + n] == ':'); n++)
            dash = dash == l->end && b[at + n] == '-' ? at + n : dash;
        if (n > 0 && n < 3 && dash < l->end) {
            dialect_copy(s, from, dash + 1 - from);
            dialect_put(s, "--", 3 - n);
            from = dash + 1;
        }
        at += n ? n : 1;
    }
    dialect_copy(s, from, l->next - from);
}
