/* Filters as text: recursive descent over the grammar of filter.h, one function a rule. The depth is that of "(" and "not"
 * and is limited, so the stack is too.
 *
 * After an operator any word is a value, also "and", "or", "in" (country=in): the grammar has nothing else there. Where a
 * field must stand those words need quotes. */
#include "port/filter_build.h"
#include "base/utf8.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum kind { END, WORD, QUOTED, OPEN, CLOSE, COMMA, OPERATOR };

struct token {
    enum kind kind;
    size_t at, len;     /* bytes of the source */
    const char *text;   /* WORD and QUOTED: the value, in the arena */
    enum filter_op op;  /* OPERATOR */
};

struct parser {
    struct filter_builder build;
    const char *source;
    size_t len;
    struct token token; /* the one that comes next */
    size_t end;         /* of the token before it */
    size_t depth;
};

enum { SHOWN_BEFORE = 50, SHOWN_AFTER = 25 };

/* The line of the filter around `at` and a caret below. Columns are counted in characters. */
static void draw_caret(const struct parser *p, size_t at, char *out, size_t size) {
    size_t from = at > SHOWN_BEFORE ? utf8_floor(p->source, at - SHOWN_BEFORE) : 0;
    size_t to = p->len - at > SHOWN_AFTER ? utf8_floor(p->source, at + SHOWN_AFTER) : p->len;
    if (to < at)
        to = at;
    size_t n = 0, column = from ? 3 : 0;
    n += (size_t)snprintf(out, size, "\n  %s", from ? "..." : "");
    for (size_t i = from; i < to && n + 1 < size; i++) {
        unsigned char c = (unsigned char)p->source[i];
        out[n++] = c < 0x20 || c == 0x7F ? ' ' : (char)c;
        if (i < at && (c & 0xC0) != 0x80)
            column++;
    }
    snprintf(out + n, size - n, "%s\n  %*s^", to < p->len ? "..." : "", (int)column, "");
}

static qa_status fail(const struct parser *p, size_t at, qa_error *err, const char *format,
                      ...) __attribute__((format(printf, 4, 5)));

static qa_status fail(const struct parser *p, size_t at, qa_error *err, const char *format, ...) {
    char what[240], caret[200];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (n >= (int)sizeof what)
        what[utf8_floor(what, sizeof what - 5)] = '\0';
    size_t character = 1;
    for (size_t i = 0; i < at; i++)
        character += ((unsigned char)p->source[i] & 0xC0) != 0x80;
    draw_caret(p, at, caret, sizeof caret);
    return error_set(err, QA_BAD_FILTER, "filter, character %zu: %s%s", character, what, caret);
}

/* What stands at the token, as a message says it. */
static const char *found(const struct parser *p, char out[48]) {
    const struct token *t = &p->token;
    if (t->kind == END)
        return "the end";
    size_t n = t->len > 36 ? (size_t)filter_shown(p->source + t->at, 36) : t->len;
    const char *quote = t->kind == QUOTED ? "" : "\"";
    snprintf(out, 48, "%s%.*s%s%s", quote, (int)n, p->source + t->at, n < t->len ? "..." : "", quote);
    return out;
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
static bool ends_word(char c) { return c == '\0' || is_space(c) || strchr("(),\"=!^<>", c) != NULL; }

static qa_status read_quoted(struct parser *p, qa_error *err) {
    struct token *t = &p->token;
    size_t end = t->at + 1;
    while (end < p->len && p->source[end] != '"')
        end += p->source[end] == '\\' ? 2 : 1;
    if (end >= p->len)
        return fail(p, t->at, err, "this double quote is never closed");
    char *out = arena_alloc(p->build.arena, end - t->at);
    if (!out)
        return arena_error(p->build.arena, err, "reading a filter");
    for (size_t i = t->at + 1, n = 0; i < end; i++) {
        if (p->source[i] == '\\')
            i++;
        out[n++] = p->source[i];
    }
    t->kind = QUOTED;
    t->text = out;
    t->len = end + 1 - t->at;
    return QA_OK;
}

static qa_status read_word(struct parser *p, qa_error *err) {
    struct token *t = &p->token;
    const char *s = p->source + t->at;
    if (*s == '\'' || strncmp(s, "\u2018", 3) == 0 || strncmp(s, "\u201C", 3) == 0)
        return fail(p, t->at, err, "quote values with double quotes (\")");
    while (!ends_word(s[t->len])) {
        if ((unsigned char)s[t->len] < 0x20 || s[t->len] == 0x7F)
            return fail(p, t->at + t->len, err, "control character 0x%02X outside of quotes",
                        (unsigned)(unsigned char)s[t->len]);
        t->len++;
    }
    t->kind = WORD;
    t->text = arena_copy(p->build.arena, s, t->len);
    return t->text ? QA_OK : arena_error(p->build.arena, err, "reading a filter");
}

static qa_status read_operator(struct parser *p, qa_error *err) {
    static const struct {
        const char *text;
        enum filter_op op;
    } operators[] = {{"!=", FILTER_NE}, {"^=", FILTER_PREFIX}, {"<=", FILTER_LE}, {">=", FILTER_GE},
                     {"=", FILTER_EQ},  {"<", FILTER_LT},      {">", FILTER_GT}};
    struct token *t = &p->token;
    const char *s = p->source + t->at;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        size_t n = strlen(operators[i].text);
        if (strncmp(s, operators[i].text, n) != 0)
            continue;
        if (s[n] == '=')
            return fail(p, t->at, err, "no such operator; write \"%.*s\" for \"%.*s\"", (int)n, s, (int)n + 1, s);
        if (*s == '<' && s[n] == '>')
            return fail(p, t->at, err, "no such operator; write \"!=\" for \"<>\"");
        t->kind = OPERATOR;
        t->op = operators[i].op;
        t->len = n;
        return QA_OK;
    }
    return fail(p, t->at, err, "\"%c\" alone is no operator; did you mean \"%c=\"?", *s, *s);
}

static qa_status advance(struct parser *p, qa_error *err) {
    p->end = p->token.at + p->token.len;
    size_t at = p->end;
    while (is_space(p->source[at]))
        at++;
    p->token = (struct token){.kind = END, .at = at};
    switch (p->source[at]) {
    case '\0': return QA_OK;
    case '(': p->token.kind = OPEN; break;
    case ')': p->token.kind = CLOSE; break;
    case ',': p->token.kind = COMMA; break;
    case '"': return read_quoted(p, err);
    case '=': case '!': case '^': case '<': case '>': return read_operator(p, err);
    default: return read_word(p, err);
    }
    p->token.len = 1;
    return QA_OK;
}

static bool at_keyword(const struct parser *p, const char *keyword) {
    return p->token.kind == WORD && strcasecmp(p->token.text, keyword) == 0;
}

/* Appends the value at the token to the node's values. */
static qa_status parse_value(struct parser *p, const char *where, struct filter_list *values, qa_error *err) {
    char text[48];
    if (p->token.kind != WORD && p->token.kind != QUOTED)
        return fail(p, p->token.at, err, "expected a value %s, found %s", where, found(p, text));
    qa_status status = filter_count_value(&p->build, err);
    if (status == QA_OK)
        status = filter_list_add(&p->build, values, (void *)p->token.text, err);
    if (status == QA_OK)
        status = advance(p, err);
    return status;
}

static qa_status parse_in(struct parser *p, struct filter_list *values, qa_error *err) {
    char text[48];
    if (p->token.kind != OPEN)
        return fail(p, p->token.at, err, "expected \"(\" and a list of values after \"in\", found %s", found(p, text));
    do {
        qa_status status = advance(p, err);
        if (status == QA_OK)
            status = parse_value(p, "in the list", values, err);
        if (status != QA_OK)
            return status;
    } while (p->token.kind == COMMA);
    if (p->token.kind != CLOSE)
        return fail(p, p->token.at, err, "expected \",\" or \")\" after a value of the list, found %s", found(p, text));
    return advance(p, err);
}

static qa_status parse_comparison(struct parser *p, struct filter **out, qa_error *err) {
    char text[48], where[16];
    struct filter *node = NULL;
    struct filter_list values = {0};
    qa_status status = filter_new_node(&p->build, FILTER_EQ, &node, err);
    if (status != QA_OK)
        return status;
    node->field = p->token.text;
    if (!*node->field)
        return fail(p, p->token.at, err, "the name of the field is empty");
    if ((status = advance(p, err)) != QA_OK)
        return status;
    if (p->token.kind == OPERATOR) {
        node->op = p->token.op;
        snprintf(where, sizeof where, "after \"%.*s\"", (int)p->token.len, p->source + p->token.at);
        if ((status = advance(p, err)) == QA_OK)
            status = parse_value(p, where, &values, err);
    } else if (at_keyword(p, "in")) {
        node->op = FILTER_IN;
        if ((status = advance(p, err)) == QA_OK)
            status = parse_in(p, &values, err);
    } else {
        return fail(p, p->token.at, err, "expected =, !=, ^=, <, <=, >, >= or in after the field \"%.*s\", found %s",
                    filter_shown(node->field, 40), node->field, found(p, text));
    }
    if (status != QA_OK)
        return status;
    node->values = (const char **)values.items;
    node->n_values = values.n;
    *out = node;
    return QA_OK;
}

static qa_status parse_expression(struct parser *p, struct filter **out, qa_error *err);

static qa_status parse_parentheses(struct parser *p, struct filter **out, qa_error *err) {
    char text[48];
    size_t open = p->token.at;
    qa_status status = advance(p, err);
    if (status == QA_OK)
        status = parse_expression(p, out, err);
    if (status != QA_OK)
        return status;
    if (p->token.kind == END)
        return fail(p, open, err, "this \"(\" is never closed");
    if (p->token.kind != CLOSE)
        return fail(p, p->token.at, err, "expected \"and\", \"or\" or \")\", found %s", found(p, text));
    return advance(p, err);
}

static qa_status parse_not(struct parser *p, struct filter **out, qa_error *err);

static qa_status parse_factor(struct parser *p, struct filter **out, qa_error *err) {
    char text[48];
    if (p->depth == FILTER_MAX_DEPTH)
        return fail(p, p->token.at, err, "nested deeper than %d levels", FILTER_MAX_DEPTH);
    p->depth++;
    qa_status status;
    if (p->token.kind == OPEN)
        status = parse_parentheses(p, out, err);
    else if (at_keyword(p, "not"))
        status = parse_not(p, out, err);
    else if (at_keyword(p, "and") || at_keyword(p, "or") || at_keyword(p, "in"))
        status = fail(p, p->token.at, err,
                      "expected a field, \"not\" or \"(\", found %s; a field of that name needs double quotes",
                      found(p, text));
    else if (p->token.kind == WORD || p->token.kind == QUOTED)
        status = parse_comparison(p, out, err);
    else
        status = fail(p, p->token.at, err, "expected a field, \"not\" or \"(\", found %s", found(p, text));
    p->depth--;
    return status;
}

static qa_status parse_not(struct parser *p, struct filter **out, qa_error *err) {
    struct filter *node = NULL;
    qa_status status = filter_new_node(&p->build, FILTER_NOT, &node, err);
    if (status == QA_OK && !(node->children = arena_array(p->build.arena, 1, sizeof *node->children)))
        status = arena_error(p->build.arena, err, "reading a filter");
    if (status == QA_OK)
        status = advance(p, err);
    if (status == QA_OK)
        status = parse_factor(p, &node->children[0], err);
    if (status != QA_OK)
        return status;
    node->n_children = 1;
    *out = node;
    return QA_OK;
}

/* One level of precedence: operands joined by a keyword. */
static qa_status parse_chain(struct parser *p, const char *keyword, enum filter_op op,
                             qa_status (*operand)(struct parser *, struct filter **,
                                                  qa_error *), struct filter **out, qa_error *err) {
    struct filter_list list = {0};
    for (;;) {
        struct filter *one = NULL;
        qa_status status = operand(p, &one, err);
        if (status == QA_OK)
            status = filter_list_add(&p->build, &list, one, err);
        if (status != QA_OK)
            return status;
        if (!at_keyword(p, keyword))
            return filter_join(&p->build, op, &list, out, err);
        if ((status = advance(p, err)) != QA_OK)
            return status;
    }
}

static qa_status parse_term(struct parser *p, struct filter **out, qa_error *err) {
    return parse_chain(p, "and", FILTER_AND, parse_factor, out, err);
}

static qa_status parse_expression(struct parser *p, struct filter **out, qa_error *err) {
    return parse_chain(p, "or", FILTER_OR, parse_term, out, err);
}

qa_status filter_parse(struct arena *a, const char *text, struct filter **out, qa_error *err) {
    char shown[48];
    *out = NULL;
    size_t len = strnlen(text, FILTER_MAX_BYTES + 1);
    if (len > FILTER_MAX_BYTES)
        return error_set(err, QA_BAD_FILTER, "the filter is longer than %d bytes", FILTER_MAX_BYTES);
    size_t valid = utf8_valid_len(text, len);
    if (valid < len)
        return error_set(err, QA_BAD_FILTER, "the filter is not valid UTF-8 at byte %zu", valid + 1);
    struct parser p = {.build = {.arena = a}, .source = text, .len = len};
    qa_status status = advance(&p, err);
    if (status != QA_OK || p.token.kind == END)
        return status;
    struct filter *tree = NULL;
    if ((status = parse_expression(&p, &tree, err)) != QA_OK)
        return status;
    if (p.token.kind != END) {
        bool glued = p.token.at == p.end && (p.token.kind == OPERATOR || p.token.kind == QUOTED);
        return fail(&p, p.token.at, err, "expected \"and\", \"or\" or the end, found %s%s", found(&p, shown),
                    glued ? "; a value with such characters needs double quotes" : "");
    }
    *out = tree;
    return QA_OK;
}
