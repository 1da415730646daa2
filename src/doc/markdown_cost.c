/* What md4c may cost, before it is called: it allocates by itself, outside any arena, and cannot be stopped in between.
 *
 * From above, by what was measured of md4c 0.4.8: up to 60 bytes of memory for a mark in a paragraph (only the largest
 * paragraph counts), 50 for a line, 25 for an opened list or quote. For every line a step for every open list (if it is
 * blank) and 20 for every column of the widest table (if it is a short row: cells that are not there are reported too).
 * Everything else in it is linear. */
#include "doc/build.h"
#include <string.h>

void doc_markdown_cost(const struct doc_dialect *d, uint64_t *memory, uint64_t *steps) {
    static const bool mark[256] = {['\\'] = 1, ['*'] = 1, ['_'] = 1, ['~'] = 1, ['`'] = 1, ['&'] = 1, [';'] = 1,
                                   ['<'] = 1,  ['>'] = 1, ['['] = 1, ['!'] = 1, [']'] = 1, ['|'] = 1, ['\0'] = 1};
    enum { CELL = 20 };
    uint64_t marks = 0, most = 0, lines = 0, opened = 0, depth = 0, widest = 0;
    for (size_t at = 0; at < d->len;) {
        size_t line_end = doc_line_end(d->text, d->len, at), columns = 0, bullets = 0, i = at;
        for (; i < line_end; i++) { /* the marks of lists and quotes that the line begins with */
            char c = d->text[i];
            if (c == ' ')
                columns++;
            else if (c == '\t')
                columns += 4;
            else if (c == '-' || c == '+' || c == '*' || c == '.' || c == ')')
                bullets += i + 1 == line_end || d->text[i + 1] == ' ' || d->text[i + 1] == '\t';
            else if (c == '>')
                opened++;
            else if (c < '0' || c > '9')
                break;
        }
        if (bullets && columns / 2 + bullets > depth)
            depth = columns / 2 + bullets;
        opened += bullets;
        if (i == line_end && !bullets)
            marks = 0;
        uint64_t pipes = 0;
        bool delimiter = at < line_end && strchr("-|: \t>", d->text[at]); /* nothing but these so far */
        for (i = at; i < line_end; i++)
            marks += mark[(unsigned char)d->text[i]];
        for (i = at; i < line_end && delimiter; i++) {
            delimiter = strchr("-|: \t>", d->text[i]) != NULL;
            pipes += d->text[i] == '|';
        }
        if (delimiter && pipes > widest)
            widest = pipes;
        most = marks > most ? marks : most;
        lines++;
        at = doc_line_after(d->text, d->len, line_end);
    }
    *memory = most * 60 + lines * 50 + opened * 25;
    *steps = lines * (depth + widest * CELL);
}
