/* MDX: imports, JSX tags and comments fall away.
 *
 * Only tags that are components (<Tabs>, <Icon.Home/>, <>) or carry values in braces are taken here; other tags are HTML
 * and left to the HTML reader. A tag may go on over lines. How many bytes are read for tags that never end is bounded by
 * a budget for the document. */
#include "doc/dialect.h"
#include <string.h>

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_name(char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' || c == ':'; }
static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

struct tag {
    size_t name, name_end, end;
    bool braces;
    size_t label, label_end; /* value of label, title ...; equal: none */
};

/* The end of a value in braces that begins at `at`; 0 when it has none. Strings in it are skipped. */
static size_t skip_braces(const char *b, size_t at, size_t end) {
    size_t depth = 0;
    char quote = '\0';
    for (; at < end; at++) {
        char c = b[at];
        if (quote) {
            if (c == '\\')
                at++;
            else if (c == quote)
                quote = '\0';
        } else if (c == '"' || c == '\'' || c == '`') {
            quote = c;
        } else if (c == '{') {
            depth++;
        } else if (c == '}' && --depth == 0) {
            return at + 1;
        }
    }
    return 0;
}

static bool is_label(const char *name, size_t n) {
    static const char *const labels[] = {"label", "title", "header", "summary", "heading"};
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        if (strlen(labels[i]) == n && !memcmp(labels[i], name, n))
            return true;
    return false;
}

static void take_label(const char *b, size_t from, size_t to, struct tag *t) {
    if (to - from >= 2 && b[from] == '{')
        from++, to--;
    if (to - from < 3 || (b[from] != '"' && b[from] != '\'') || b[to - 1] != b[from])
        return;
    if (doc_line_end(b, to, from) != to)
        return;
    t->label = from + 1;
    t->label_end = to - 1;
}

/* Attributes from `at`; true when the tag ends properly. *at: how far was read. */
static bool read_attributes(const char *b, size_t end, size_t *at, struct tag *t) {
    size_t i = *at;
    bool good = false;
    while (i < end) {
        while (i < end && is_space(b[i]))
            i++;
        if (i < end && b[i] == '/')
            i++;
        if (i == end)
            break;
        if (b[i] == '>') {
            t->end = i + 1;
            good = true;
            break;
        }
        if (b[i] == '{') { /* {...properties} */
            size_t after = skip_braces(b, i, end);
            t->braces = true;
            i = after ? after : end;
            continue;
        }
        size_t name = i;
        while (i < end && is_name(b[i]))
            i++;
        if (i == name)
            break;
        size_t name_end = i;
        if (i == end || b[i] != '=')
            continue;
        size_t value = ++i;
        if (i < end && (b[i] == '"' || b[i] == '\'')) {
            const char *close = memchr(b + i + 1, b[i], end - i - 1);
            i = close ? (size_t)(close - b) + 1 : end;
        } else if (i < end && b[i] == '{') {
            size_t after = skip_braces(b, i, end);
            t->braces = true;
            i = after ? after : end;
        } else {
            while (i < end && is_name(b[i]))
                i++;
        }
        if (is_label(b + name, name_end - name))
            take_label(b, value, i, t);
    }
    *at = i;
    return good;
}

static bool read_tag(struct dialect_scan *s, size_t at, struct tag *t) {
    enum { LONGEST_TAG = 16384 };
    size_t end = s->len - at < LONGEST_TAG ? s->len : at + LONGEST_TAG;
    if (end - at > s->tag_budget)
        end = at + s->tag_budget;
    *t = (struct tag){0};
    size_t i = at + 1;
    if (i < end && s->bytes[i] == '/')
        i++;
    t->name = i;
    while (i < end && is_name(s->bytes[i]))
        i++;
    t->name_end = i;
    if (i == end || (t->name == i ? s->bytes[i] != '>' : !is_letter(s->bytes[t->name])) ||
        (!is_space(s->bytes[i]) && s->bytes[i] != '>' && s->bytes[i] != '/'))
        return false;
    if (read_attributes(s->bytes, end, &i, t))
        return true;
    s->tag_budget -= i - at < s->tag_budget ? i - at : s->tag_budget;
    return false;
}

static bool is_component(const struct dialect_scan *s, const struct tag *t) {
    const char *name = s->bytes + t->name;
    size_t n = t->name_end - t->name;
    return !n || (*name >= 'A' && *name <= 'Z') || memchr(name, '.', n) || t->braces;
}

static void put_label(struct dialect_scan *s, const struct tag *t) {
    dialect_put(s, "\n", 1);
    dialect_blank(s);
    dialect_indent(s, 0);
    dialect_copy(s, t->label, t->label_end - t->label);
    dialect_put(s, "\n", 1);
    dialect_blank(s);
    dialect_indent(s, 0);
}

/* A comment or {' '} at `at`; returns its end or 0. */
static size_t skip_expression(struct dialect_scan *s, size_t at) {
    const char *b = s->bytes;
    if (s->len - at >= 5 && !memcmp(b + at, "{' '}", 5))
        return at + 5;
    if (s->len - at >= 5 && !memcmp(b + at, "{\" \"}", 5))
        return at + 5;
    size_t i = at + 1;
    while (i < s->len && (b[i] == ' ' || b[i] == '\t'))
        i++;
    if (s->len - i < 2 || b[i] != '/' || b[i + 1] != '*' || s->no_comment_end)
        return 0;
    const char *close = memmem(b + i + 2, s->len - i - 2, "*/", 2);
    s->no_comment_end = !close;
    if (!close)
        return 0;
    for (i = (size_t)(close - b) + 2; i < s->len && is_space(b[i]);)
        i++;
    return i < s->len && b[i] == '}' ? i + 1 : 0;
}

/* The end of a code span whose backticks begin at `at`, looked for in this line; 0 when it has none. *ticks: the end of
 * the backticks. */
static size_t skip_code(const char *b, size_t at, size_t end, size_t *ticks) {
    *ticks = at;
    while (*ticks < end && b[*ticks] == '`')
        ++*ticks;
    for (size_t i = *ticks, run = 0; i <= end; i++) {
        if (i < end && b[i] == '`') {
            run++;
            continue;
        }
        if (run == *ticks - at)
            return i;
        run = 0;
    }
    return 0;
}

size_t dialect_mdx_line(struct dialect_scan *s, size_t at) {
    const char *b = s->bytes;
    size_t end = doc_line_end(b, s->len, at), from = at;
    size_t code_tries = 64; /* each one that is not closed costs a walk over the line */
    while (at < end) {
        size_t skip = 0, ticks;
        struct tag t = {0};
        if (b[at] == '\\' && at + 1 < end) {
            at += 2;
            continue;
        }
        if (b[at] == '`' && code_tries) {
            size_t after = skip_code(b, at, end, &ticks);
            code_tries -= !after;
            at = after ? after : ticks;
            continue;
        }
        if (b[at] == '{')
            skip = skip_expression(s, at);
        else if (b[at] == '<' && s->tag_budget && read_tag(s, at, &t) && is_component(s, &t))
            skip = t.end;
        if (!skip) {
            at++;
            continue;
        }
        dialect_copy(s, from, at - from);
        s->changed = true;
        if (t.label_end > t.label)
            put_label(s, &t);
        else if (b[at] == '{' && skip == at + 5)
            dialect_put(s, " ", 1);
        from = at = skip;
        if (at > end)
            end = doc_line_end(b, s->len, at);
    }
    dialect_copy(s, from, end - from);
    return end;
}

static bool begins(const char *p, size_t n, const char *word) {
    size_t length = strlen(word);
    return n > length && !memcmp(p, word, length) && !is_name(p[length]);
}

static bool is_import(const char *p, size_t n) {
    static const char *const exports[] = {"const", "let", "var", "function", "default", "class", "async", "{", "*"};
    if (begins(p, n, "import"))
        return memchr(p, '"', n) || memchr(p, '\'', n) || memchr(p, '{', n);
    if (!begins(p, n, "export"))
        return false;
    size_t i = 6;
    while (i < n && p[i] == ' ')
        i++;
    for (size_t k = 0; k < sizeof exports / sizeof *exports; k++)
        if (n - i >= strlen(exports[k]) && !memcmp(p + i, exports[k], strlen(exports[k])))
            return true;
    return false;
}

/* It goes on to a blank line outside of braces; if the braces are never closed, to the first blank line. */
size_t dialect_mdx_import(struct dialect_scan *s, size_t at) {
    if (!is_import(s->bytes + at, doc_line_end(s->bytes, s->len, at) - at))
        return 0;
    long depth = 0;
    size_t from = at, first_blank = 0, end;
    for (; at < s->len && at - from <= s->tag_budget; at = doc_line_after(s->bytes, s->len, end)) {
        end = doc_line_end(s->bytes, s->len, at);
        bool blank = doc_is_blank(s->bytes + at, end - at);
        if (blank && !first_blank)
            first_blank = at;
        if (blank && depth <= 0)
            return at;
        for (size_t i = at; i < end; i++)
            depth += (s->bytes[i] == '{' || s->bytes[i] == '(') - (s->bytes[i] == '}' || s->bytes[i] == ')');
    }
    if (depth <= 0 || !first_blank)
        return at;
    s->tag_budget -= at - from < s->tag_budget ? at - from : s->tag_budget;
    return first_blank;
}
