#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/buf.h"
#include "port/filter.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct arena arena = {.ceiling = 16 << 20};

static int reset(void **state) {
    (void)state;
    arena_free(&arena);
    return 0;
}

/* ---- A printer, to compare trees: as text (parses again), or with every node in brackets (shows the structure) ---- */

static const char *operator_text(enum filter_op op) {
    static const char *const text[] = {[FILTER_EQ] = "=", [FILTER_NE] = "!=", [FILTER_PREFIX] = "^=", [FILTER_LT] = "<",
                                       [FILTER_LE] = "<=", [FILTER_GT] = ">", [FILTER_GE] = ">="};
    return text[op];
}

static void print_quoted(struct buf *out, const char *s) {
    buf_putc(out, '"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            buf_putc(out, '\\');
        buf_putc(out, *s);
    }
    buf_putc(out, '"');
}

static void print_tree(struct buf *out, const struct filter *f) {
    if (f->op == FILTER_NOT) {
        buf_puts(out, "not (");
        print_tree(out, f->children[0]);
        buf_putc(out, ')');
    } else if (f->op == FILTER_AND || f->op == FILTER_OR) {
        for (size_t i = 0; i < f->n_children; i++) {
            buf_puts(out, i == 0 ? "(" : f->op == FILTER_AND ? ") and (" : ") or (");
            print_tree(out, f->children[i]);
        }
        buf_putc(out, ')');
    } else {
        print_quoted(out, f->field);
        buf_puts(out, f->op == FILTER_IN ? " in (" : operator_text(f->op));
        for (size_t i = 0; i < f->n_values; i++) {
            buf_puts(out, i ? "," : "");
            print_quoted(out, f->values[i]);
        }
        buf_puts(out, f->op == FILTER_IN ? ")" : "");
    }
}

static char *printed(const struct filter *f) {
    struct buf out;
    buf_init(&out, 1 << 20);
    if (f)
        print_tree(&out, f);
    else
        buf_puts(&out, "everything");
    char *text = arena_string(&arena, out.data);
    buf_free(&out);
    return text;
}

static struct filter *parse(const char *text) {
    struct filter *f = NULL;
    qa_error err = {0};
    if (filter_parse(&arena, text, &f, &err) != QA_OK)
        fail_msg("%s\n%s", text, err.message);
    return f;
}

static json_t *json(const char *text) {
    json_t *value = NULL;
    qa_error err = {0};
    if (json_parse(text, strlen(text), &value, &err) != QA_OK)
        fail_msg("%s: %s", text, err.message);
    return value;
}

/* ---- Syntax ---- */

static void text_becomes_the_tree(void **state) {
    (void)state;
    static const struct {
        const char *what, *text, *tree;
    } rows[] = {
        {"empty", "", "everything"},
        {"white space only", " \t\r\n", "everything"},
        {"one comparison", "lang=en", "\"lang\"=\"en\""},
        {"space around the operator", " lang != en ", "\"lang\"!=\"en\""},
        {"two-character operators are not split", "a<=1 and b>=2 and c^=3", "(\"a\"<=\"1\") and (\"b\">=\"2\") and (\"c\"^=\"3\")"},
        {"and binds closer than or", "a=1 or b=2 and c=3", "(\"a\"=\"1\") or ((\"b\"=\"2\") and (\"c\"=\"3\"))"},
        {"not binds closest", "not a=1 and b=2", "(not (\"a\"=\"1\")) and (\"b\"=\"2\")"},
        {"not of not", "not not a=1", "not (not (\"a\"=\"1\"))"},
        {"parentheses", "(a=1 or b=2) and c=3", "((\"a\"=\"1\") or (\"b\"=\"2\")) and (\"c\"=\"3\")"},
        {"superfluous parentheses", "((a=1))", "\"a\"=\"1\""},
        {"keywords in any case", "NOT a=1 Or b In (2)", "(not (\"a\"=\"1\")) or (\"b\" in (\"2\"))"},
        {"a list", "tag in (old, \"to do\",new)", "\"tag\" in (\"old\",\"to do\",\"new\")"},
        {"a keyword as a value", "country=in and lang in (or, not)", "(\"country\"=\"in\") and (\"lang\" in (\"or\",\"not\"))"},
        {"a quoted keyword as a field", "\"and\"=1", "\"and\"=\"1\""},
        {"backslash in quotes", "a=\"x\\\"y\\\\z\\n\"", "\"a\"=\"x\\\"y\\\\zn\""},
        {"backslash outside of quotes", "a=c:\\x", "\"a\"=\"c:\\\\x\""},
        {"an empty value", "a=\"\"", "\"a\"=\"\""},
        {"operators inside quotes", "a=\"(b=1, <2)\"", "\"a\"=\"(b=1, <2)\""},
        {"nothing between value and parenthesis", "(a=1)and(b=2)", "(\"a\"=\"1\") and (\"b\"=\"2\")"},
        {"letters beyond ASCII", "straße=groß", "\"straße\"=\"groß\""},
        {"the example of the contract", "path^=docs/ and lang=en and version>=2 and not (tag=draft or tag in (old, \"to do\"))",
         "(\"path\"^=\"docs/\") and (\"lang\"=\"en\") and (\"version\">=\"2\") and (not ((\"tag\"=\"draft\") or (\"tag\" in (\"old\",\"to do\"))))"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("  %s\n", rows[i].what);
        assert_string_equal(printed(parse(rows[i].text)), rows[i].tree);
    }
}

static void messages_name_place_and_expectation(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"lang en", "filter, character 6: expected =, !=, ^=, <, <=, >, >= or in after the field \"lang\", found \"en\"\n"
                    "  lang en\n"
                    "       ^"},
        {"lang=", "filter, character 6: expected a value after \"=\", found the end\n  lang=\n       ^"},
        {"groß>= )", "filter, character 8: expected a value after \">=\", found \")\"\n  groß>= )\n         ^"},
        {"a=1 b=2", "filter, character 5: expected \"and\", \"or\" or the end, found \"b\"\n  a=1 b=2\n      ^"},
        {"u=x?y=1", "filter, character 6: expected \"and\", \"or\" or the end, found \"=\"; a value with such characters needs double quotes\n"
                    "  u=x?y=1\n       ^"},
        {"a=1)", "filter, character 4: expected \"and\", \"or\" or the end, found \")\"\n  a=1)\n     ^"},
        {"b=2 and (a=1", "filter, character 9: this \"(\" is never closed\n  b=2 and (a=1\n          ^"},
        {"(a=1 b", "filter, character 6: expected \"and\", \"or\" or \")\", found \"b\"\n  (a=1 b\n       ^"},
        {"a=1 and", "filter, character 8: expected a field, \"not\" or \"(\", found the end\n  a=1 and\n         ^"},
        {"or=1", "filter, character 1: expected a field, \"not\" or \"(\", found \"or\"; a field of that name needs double quotes\n"
                 "  or=1\n  ^"},
        {"a=\"x", "filter, character 3: this double quote is never closed\n  a=\"x\n    ^"},
        {"a=\"x\\", "filter, character 3: this double quote is never closed\n  a=\"x\\\n    ^"},
        {"a='x'", "filter, character 3: quote values with double quotes (\")\n  a='x'\n    ^"},
        {"a=“x”", "filter, character 3: quote values with double quotes (\")\n  a=“x”\n    ^"},
        {"a==1", "filter, character 2: no such operator; write \"=\" for \"==\"\n  a==1\n   ^"},
        {"a<>1", "filter, character 2: no such operator; write \"!=\" for \"<>\"\n  a<>1\n   ^"},
        {"!a=1", "filter, character 1: \"!\" alone is no operator; did you mean \"!=\"?\n  !a=1\n  ^"},
        {"a in 1", "filter, character 6: expected \"(\" and a list of values after \"in\", found \"1\"\n  a in 1\n       ^"},
        {"a in ()", "filter, character 7: expected a value in the list, found \")\"\n  a in ()\n        ^"},
        {"a in (1 2)", "filter, character 9: expected \",\" or \")\" after a value of the list, found \"2\"\n  a in (1 2)\n          ^"},
        {"\"\"=1", "filter, character 1: the name of the field is empty\n  \"\"=1\n  ^"},
        {"a\x01=1", "filter, character 2: control character 0x01 outside of quotes\n  a =1\n   ^"},
        {"a=\xFF", "the filter is not valid UTF-8 at byte 3"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=1 bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb=2",
         "filter, character 60: expected \"and\", \"or\" or the end, found \"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb...\"\n"
         "  ...aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=1 bbbbbbbbbbbbbbbbbbbbbbbbb...\n"
         "                                                       ^"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct filter *f = (struct filter *)1;
        qa_error err = {0};
        assert_int_equal(filter_parse(&arena, rows[i].text, &f, &err), QA_BAD_FILTER);
        assert_string_equal(err.message, rows[i].message);
        assert_null(f);
    }
}

static char *repeat(const char *part, size_t n, const char *tail) {
    struct buf out;
    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < n; i++)
        buf_puts(&out, part);
    buf_puts(&out, tail);
    char *text = arena_string(&arena, out.data);
    buf_free(&out);
    return text;
}

static char *wrapped(const char *open, size_t n, const char *inner, const char *close) {
    char *tail = arena_printf(&arena, "%s%s", inner, repeat(close, n, ""));
    return repeat(open, n, tail);
}

static void limits_hold_and_one_less_is_fine(void **state) {
    (void)state;
    qa_error err = {0};
    struct filter *f;
    parse(wrapped("(", 63, "a=1", ")"));
    assert_int_equal(filter_parse(&arena, wrapped("(", 64, "a=1", ")"), &f, &err), QA_BAD_FILTER);
    assert_non_null(strstr(err.message, "nested deeper than 64 levels"));
    parse(repeat("not ", 63, "a=1"));
    assert_int_equal(filter_parse(&arena, repeat("not ", 64, "a=1"), &f, &err), QA_BAD_FILTER);
    parse(repeat("a=1 or ", 998, "a=1")); /* and the "or" itself */
    assert_int_equal(filter_parse(&arena, repeat("a=1 or ", 999, "a=1"), &f, &err), QA_BAD_FILTER);
    assert_string_equal(err.message, "the filter has more than 1000 comparisons and operators");
    parse(arena_printf(&arena, "a in (%s)", repeat("1,", 999, "1")));
    assert_int_equal(filter_parse(&arena, arena_printf(&arena, "a in (%s)", repeat("1,", 1000, "1")), &f, &err), QA_BAD_FILTER);
    assert_string_equal(err.message, "the filter has more than 1000 values");
    parse(repeat("x", 16 * 1024 - 2, "=1"));
    assert_int_equal(filter_parse(&arena, repeat("x", 16 * 1024 - 1, "=1"), &f, &err), QA_BAD_FILTER);
    assert_string_equal(err.message, "the filter is longer than 16384 bytes");
}

/* ---- Any tree, printed, parses to itself ---- */

static uint64_t seed = 20260131;
static unsigned below(unsigned n) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed % n);
}

static const char *random_string(bool may_be_empty) {
    static const char *const parts[] = {"a", "B", "1", ".", " ", "\"", "\\", "(", ")", ",", "=", "!", "^", "<", ">", "é", "漢", "and", "not", "\t", "'"};
    char text[64] = "";
    for (unsigned n = below(6) + (may_be_empty ? 0 : 1); n > 0; n--)
        strcat(text, parts[below(sizeof parts / sizeof *parts)]);
    return arena_string(&arena, text);
}

static struct filter *random_tree(unsigned depth) {
    struct filter *f = arena_alloc(&arena, sizeof *f);
    f->op = (enum filter_op)(depth ? below(FILTER_IN + 1) : FILTER_EQ + below(FILTER_IN + 1 - FILTER_EQ));
    if (f->op <= FILTER_NOT) {
        f->n_children = f->op == FILTER_NOT ? 1 : 2 + below(3);
        f->children = arena_array(&arena, f->n_children, sizeof *f->children);
        for (size_t i = 0; i < f->n_children; i++)
            f->children[i] = random_tree(depth - 1);
        return f;
    }
    f->field = random_string(false);
    f->n_values = f->op == FILTER_IN ? 1 + below(4) : 1;
    f->values = arena_array(&arena, f->n_values, sizeof *f->values);
    for (size_t i = 0; i < f->n_values; i++)
        f->values[i] = random_string(true);
    return f;
}

static void assert_same_tree(const struct filter *a, const struct filter *b) {
    assert_int_equal(a->op, b->op);
    assert_int_equal(a->n_children, b->n_children);
    assert_int_equal(a->n_values, b->n_values);
    if (a->field)
        assert_string_equal(a->field, b->field);
    for (size_t i = 0; i < a->n_values; i++)
        assert_string_equal(a->values[i], b->values[i]);
    for (size_t i = 0; i < a->n_children; i++)
        assert_same_tree(a->children[i], b->children[i]);
}

static void printed_trees_parse_to_themselves(void **state) {
    (void)state;
    for (int i = 0; i < 2000; i++) {
        arena_reset(&arena);
        struct filter *tree = random_tree(4), *back = NULL;
        char *text = printed(tree);
        if (strlen(text) > 16 * 1024)
            continue;
        qa_error err = {0};
        if (filter_parse(&arena, text, &back, &err) != QA_OK)
            fail_msg("%s\n%s", text, err.message);
        assert_same_tree(tree, back);
    }
}

/* ---- JSON ---- */

static void json_becomes_the_tree(void **state) {
    (void)state;
    static const struct {
        const char *what, *json, *tree;
    } rows[] = {
        {"null", "null", "everything"},
        {"empty object", "{}", "everything"},
        {"a value", "{\"lang\": \"en\"}", "\"lang\"=\"en\""},
        {"numbers and truth values become text", "{\"x\": {\"in\": [1, -2.5, 0.1, 1e30, true, false]}}",
         "\"x\" in (\"1\",\"-2.5\",\"0.1\",\"1e30\",\"true\",\"false\")"},
        {"a real that 15 digits do not hold", "{\"x\": 0.30000000000000004}", "\"x\"=\"0.30000000000000004\""},
        {"every operator, joined by and", "{\"v\": {\"eq\": 1, \"ne\": 2, \"prefix\": \"3\", \"lt\": 4, \"le\": 5, \"gt\": 6, \"ge\": 7}}",
         "(\"v\"=\"1\") and (\"v\"!=\"2\") and (\"v\"^=\"3\") and (\"v\"<\"4\") and (\"v\"<=\"5\") and (\"v\">\"6\") and (\"v\">=\"7\")"},
        {"members are joined by and, in their order", "{\"b\": 1, \"not\": {\"a\": 2}}", "(\"b\"=\"1\") and (not (\"a\"=\"2\"))"},
        {"and, or", "{\"or\": [{\"and\": [{\"a\": 1}, {\"b\": 2}]}, {\"c\": 3}]}", "((\"a\"=\"1\") and (\"b\"=\"2\")) or (\"c\"=\"3\")"},
        {"a list of one is its element", "{\"and\": [{\"path\": {\"prefix\": \"docs/\"}}]}", "\"path\"^=\"docs/\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("  %s\n", rows[i].what);
        struct filter *f = NULL;
        qa_error err = {0};
        json_t *value = json(rows[i].json);
        qa_status status = filter_parse_json(&arena, value, &f, &err);
        json_decref(value); /* the tree must not need it */
        assert_string_equal(err.message, "");
        assert_int_equal(status, QA_OK);
        assert_string_equal(printed(f), rows[i].tree);
    }
}

static void json_messages_name_the_member(void **state) {
    (void)state;
    static const struct {
        const char *json, *message;
    } rows[] = {
        {"[]", "filter: expected an object like {\"lang\": \"en\"} or {\"and\": [...]}, found a list"},
        {"{\"and\": {\"a\": 1}}", "filter, at and: expected a list of filters, found an object"},
        {"{\"or\": []}", "filter, at or: the list of filters is empty"},
        {"{\"and\": [{\"a\": 1}, {}]}", "filter, at and[1]: the object is empty"},
        {"{\"not\": [1]}", "filter, at not: expected an object like {\"lang\": \"en\"} or {\"and\": [...]}, found a list"},
        {"{\"and\": [{\"or\": [{\"lang\": {\"is\": 1}}]}]}", "filter, at and[0].or[0].lang.is: no such operator; they are eq, ne, prefix, lt, le, gt, ge, in"},
        {"{\"a\": [1, 2]}", "filter, at a: expected a value or an object; write {\"in\": [...]} for a list, found a list"},
        {"{\"a\": null}", "filter, at a: expected a string, a number, true or false, found null"},
        {"{\"a\": {}}", "filter, at a: expected an operator (eq, ne, prefix, lt, le, gt, ge, in), found an empty object"},
        {"{\"a\": {\"in\": \"x\"}}", "filter, at a.in: expected a list of values, found a string"},
        {"{\"a\": {\"in\": []}}", "filter, at a.in: the list of values is empty"},
        {"{\"a\": {\"in\": [1, {}]}}", "filter, at a.in[1]: expected a string, a number, true or false, found an object"},
        {"{\"\": 1}", "filter: the name of a field is empty"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct filter *f = (struct filter *)1;
        qa_error err = {0};
        json_t *value = json(rows[i].json);
        assert_int_equal(filter_parse_json(&arena, value, &f, &err), QA_BAD_FILTER);
        json_decref(value);
        assert_string_equal(err.message, rows[i].message);
        assert_null(f);
    }
}

static qa_status parse_json_value(json_t *value, qa_error *err) {
    struct filter *f = NULL;
    qa_status status = filter_parse_json(&arena, value, &f, err);
    json_decref(value);
    return status;
}

static void json_limits(void **state) {
    (void)state;
    qa_error err = {0};
    for (int depth = 64; depth <= 65; depth++) { /* built by hand: json_parse has a limit of its own */
        json_t *value = json_pack("{s:i}", "a", 1);
        for (int i = 1; i < depth; i++)
            value = json_pack("{s:o}", "not", value);
        assert_int_equal(parse_json_value(value, &err), depth == 64 ? QA_OK : QA_BAD_FILTER);
    }
    assert_string_equal(err.message, "the filter is nested deeper than 64 levels");
    json_t *many = json_array();
    for (int i = 0; i < 1001; i++)
        json_array_append_new(many, json_integer(i));
    assert_int_equal(parse_json_value(json_pack("{s:{s:o}}", "a", "in", many), &err), QA_BAD_FILTER);
    assert_string_equal(err.message, "the filter has more than 1000 values");
    assert_int_equal(parse_json_value(json_pack("{s:s}", "a", repeat("x", 16 * 1024, "")), &err), QA_BAD_FILTER);
    assert_string_equal(err.message, "the fields and values of the filter are longer than 16384 bytes");
    assert_int_equal(parse_json_value(json_pack("{s:s#}", "a", "x\0y", 3), &err), QA_BAD_FILTER);
    assert_string_equal(err.message, "filter, at a: a NUL character cannot stand in a filter");
}

/* ---- Meaning ---- */

static const char METADATA[] =
    "{\"lang\": \"en\", \"n\": 2, \"half\": 0.5, \"big\": 9007199254740993, \"text2\": \"2.0\", \"release\": \"v1.10.0\", \"plain\": \"1.10\","
    " \"day\": \"2024-02-29\", \"moment\": \"2024-02-29T23:30:00-02:00\", \"draft\": true, \"none\": null, \"tags\": [\"old\", \"blue\"], \"empty\": [],"
    " \"sizes\": [1, 10], \"owner\": {\"name\": \"Ada\", \"team\": {\"id\": 7}}, \"a.b\": \"dotted\", \"a\": {\"b\": \"nested\", \"c\": \"x\"},"
    " \"people\": [{\"name\": \"Bo\"}, {\"name\": \"Cy\"}], \"blank\": \"\"}";

static void filters_match_what_they_say(void **state) {
    (void)state;
    static const struct {
        const char *filter;
        bool yes;
    } rows[] = {
        {"", true},
        /* what is not metadata */
        {"path=docs/spot.md", true}, {"path^=docs/", true}, {"path^=spot", false}, {"name=spot.md", true}, {"source=guide", true},
        {"title=Spot", true}, {"url!=x", true}, {"url^=\"\"", false}, {"collection=main", true},
        /* text is exact */
        {"lang=en", true}, {"lang=EN", false}, {"lang^=e", true}, {"lang^=enx", false}, {"blank=\"\"", true}, {"lang in (de, en)", true},
        {"lang in (de, fr)", false}, {"text2=2", false}, {"text2=2.0", true},
        /* JSON numbers and truth values */
        {"n=2", true}, {"n=2.0", true}, {"n=2e0", true}, {"n=two", false}, {"n!=2.00", false}, {"half=.5", false}, {"half=0.50", true},
        {"n^=2", true}, {"draft=true", true}, {"draft=1", false}, {"n=0x2", false}, {"n=+2", true},
        {"big=9007199254740993", true}, {"big=9007199254740992", false}, {"big>9007199254740992", true},
        {"n<1e999", false},
        /* order */
        {"n<10", true}, {"n>10", false}, {"text2<10", true}, {"n>=2", true}, {"n>2", false}, {"half<=0.5", true}, {"n<abc", false}, {"n>=abc", false},
        {"lang<zz", false}, {"lang>aa", false},
        {"plain<1.9", true}, {"plain<v1.9", false}, {"plain>v1.9", true}, {"plain<1.9.0", false},
        {"release>1.9", true}, {"release>=1.10", true}, {"release<=1.10", true}, {"release>1.10", false}, {"release<2", true},
        {"release<1.10.0.1", true}, {"release>=1.010", true}, {"release<1.99999999999999999999999999", true}, {"release<2.x", false},
        {"release<1.11-rc1", false},
        {"day<2024-03-01", true}, {"day>2024-02-28", true}, {"day<2024-02-30", false}, {"day<=2024-02-29T00:00", true},
        {"day>=2024-02-29T23:59", true}, {"day<2024-02-29T12:00", false}, {"day>2023", false},
        {"moment<2024-03-01", false}, {"moment>=2024-03-01", true}, {"moment<2024-03-01T01:31Z", true}, {"moment<2024-03-01T01:30:00Z", false},
        {"moment<=\"2024-03-01 02:30+01:00\"", true}, {"moment>2024-03-01T01:29:59.9Z", true}, {"moment<2024-03-01T25:00", false},
        {"moment<2024-03-01T02:00:00X", false},
        /* lists: one element is enough, so that != wants none */
        {"tags=blue", true}, {"tags=red", false}, {"tags!=red", true}, {"tags!=blue", false}, {"tags in (red, old)", true}, {"tags^=bl", true},
        {"sizes>5", true}, {"sizes>50", false}, {"empty=x", false}, {"empty!=x", true},
        /* missing values */
        {"nothing=x", false}, {"nothing!=x", true}, {"not nothing=x", true}, {"nothing<1", false}, {"not nothing<1", true}, {"nothing^=\"\"", false},
        {"nothing in (x)", false}, {"none=null", false}, {"none!=null", true},
        /* dots */
        {"owner.name=Ada", true}, {"owner.team.id>=7", true}, {"owner.team=7", false}, {"owner=Ada", false}, {"owner!=Ada", true},
        {"a.b=dotted", true}, {"a.b=nested", false}, {"a.c=x", true}, {"people.name=Cy", true}, {"people.name!=Bo", false}, {"owner.=Ada", false},
        {"lang.x=en", false},
        /* together */
        {"lang=en and n=3", false}, {"lang=en or n=3", true}, {"not (lang=de or n=3)", true}, {"lang=de or n=2 and draft=true", true},
    };
    json_t *metadata = json(METADATA);
    struct filter_subject subject = {.path = "docs/spot.md", .source = "guide", .title = "Spot", .collection = "main", .metadata = metadata};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (filter_matches(parse(rows[i].filter), &subject) != rows[i].yes)
            fail_msg("%s: expected %s", rows[i].filter, rows[i].yes ? "yes" : "no");
    json_decref(metadata);
}

static void subjects_may_lack_everything(void **state) {
    (void)state;
    struct filter_subject nothing = {0}, top = {.path = "spot.md"};
    assert_true(filter_matches(NULL, &nothing));
    assert_false(filter_matches(parse("name=spot.md"), &nothing));
    assert_true(filter_matches(parse("lang!=en and path!=x"), &nothing));
    assert_true(filter_matches(parse("name=spot.md"), &top));
}

static void metadata_is_needed_only_for_its_keys(void **state) {
    (void)state;
    assert_false(filter_needs_metadata(NULL));
    assert_false(filter_needs_metadata(parse("path=a and not (name=b or source in (c)) or title=d or url=e or collection=f")));
    assert_true(filter_needs_metadata(parse("path=a and not (name=b or lang=c)")));
    assert_true(filter_needs_metadata(parse("Path=a")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(text_becomes_the_tree, reset),
        cmocka_unit_test_teardown(messages_name_place_and_expectation, reset),
        cmocka_unit_test_teardown(limits_hold_and_one_less_is_fine, reset),
        cmocka_unit_test_teardown(printed_trees_parse_to_themselves, reset),
        cmocka_unit_test_teardown(json_becomes_the_tree, reset),
        cmocka_unit_test_teardown(json_messages_name_the_member, reset),
        cmocka_unit_test_teardown(json_limits, reset),
        cmocka_unit_test_teardown(filters_match_what_they_say, reset),
        cmocka_unit_test_teardown(subjects_may_lack_everything, reset),
        cmocka_unit_test_teardown(metadata_is_needed_only_for_its_keys, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
