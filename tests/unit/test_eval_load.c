#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "eval/eval.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct arena arena = {.ceiling = 16 << 20};
static char folder[256], path[300];

static int make(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/eval_load_XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/set.jsonl", folder);
    return 0;
}

static int clean(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static int reset(void **state) {
    (void)state;
    arena_free(&arena);
    return 0;
}

static qa_status load(const char *text, struct eval_set *set, qa_error *err) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    *err = (qa_error){0};
    return eval_load(&arena, path, set, err);
}

static struct eval_set good(const char *text) {
    struct eval_set set;
    qa_error err;
    if (load(text, &set, &err) != QA_OK)
        fail_msg("%s", err.message);
    return set;
}

static void conversations(void **state) {
    (void)state;
    struct eval_set set = good(
        "\xEF\xBB\xBF{\"id\": \"c1\", \"kind\": \"followup\", \"note\": \"free\", \"turns\": ["
        "{\"question\": \"q1\", \"answerable\": true, \"gold_docs\": [\"a.md\", \"b.md\"], \"gold_quote\": \"x\", \"key_facts\": [[\"5\", \"five\"], [\"y\"]]},"
        "{\"question\": \"q2\", \"gold_docs\": [\"a.md\"], \"gold_quote\": \"first\", \"gold_quotes\": [\"first\", \"second\"], \"standalone\": \"s\"}],"
        "\"all_docs_needed\": true}\r\n"
        "\n"
        "{\"id\": \"c2\", \"kind\": \"unanswerable\", \"turns\": [{\"question\": \"q3\", \"gold_docs\": [], \"gold_quote\": \"\", \"key_facts\": []}]}");
    assert_string_equal(set.name, "set.jsonl");
    assert_int_equal(set.n_items, 2);
    assert_int_equal(set.n_turns, 3);
    const struct eval_item *c = &set.items[0];
    assert_string_equal(c->id, "c1");
    assert_string_equal(c->kind, "followup");
    assert_true(c->all_docs_needed);
    assert_null(c->filter);
    assert_int_equal(c->turns[0].n_docs, 2);
    assert_string_equal(c->turns[0].docs[1].doc, "b.md");
    assert_true(c->turns[0].docs[1].grade == 1);
    assert_int_equal(c->turns[0].n_facts, 2);
    assert_string_equal(c->turns[0].facts[0].spellings[1], "five");
    assert_int_equal(c->turns[0].n_quotes, 1);
    assert_int_equal(c->turns[1].n_quotes, 2); /* gold_quotes go before gold_quote */
    assert_true(c->turns[1].answerable);
    assert_false(set.items[1].turns[0].answerable); /* by its kind */
    assert_false(set.items[1].all_docs_needed);
}

static void single_questions(void **state) {
    (void)state;
    struct eval_set set = good(
        "{\"id\": \"s1\", \"question\": \"q\", \"relevant\": {\"a.md\": 2, \"b.md\": 0, \"c.md\": 0.5}, \"answer\": \"x\", \"answers\": [\"y\"], \"yes_no\": \"none\"}\n"
        "{\"id\": \"s2\", \"question\": \"q\", \"relevant\": [\"d/a.md\"], \"yes_no\": \"Yes\","
        " \"history\": [{\"role\": \"user\", \"content\": \"h\"}, {\"role\": \"assistant\", \"content\": \"\"}]}\n"
        "{\"id\": \"s3\", \"question\": \"q\", \"relevant\": null, \"kind\": \"unanswerable\", \"answer\": null}\n");
    const struct eval_turn *t = &set.items[0].turns[0];
    assert_int_equal(t->n_docs, 2); /* grade 0 is not relevant */
    assert_true(t->docs[0].grade == 2 && t->docs[1].grade == 0.5);
    assert_int_equal(t->n_answers, 2);
    assert_null(t->yes_no);
    assert_string_equal(set.items[0].kind, "question");
    assert_string_equal(set.items[1].kind, "yesno");
    assert_string_equal(set.items[1].turns[0].yes_no, "yes");
    assert_int_equal(set.items[1].n_history, 2);
    assert_string_equal(set.items[1].history[1].role, "assistant");
    assert_false(set.items[2].turns[0].answerable);
}

static void filters_become_expressions(void **state) {
    (void)state;
    static const struct {
        const char *filter, *expression;
    } rows[] = {
        {"{\"path_prefix\": \"ecr-\"}", "(path^=\"ecr-\" or name^=\"ecr-\")"},
        {"{\"path_prefix\": \"docs/a\\\"b\\\\\"}", "(path^=\"docs/a\\\"b\\\\\")"},
        {"{\"exclude_docs\": [\"a.md\", \"b \\\"c\\\".md\"]}",
         "not (name in (\"a.md\", \"b \\\"c\\\".md\") or path in (\"a.md\", \"b \\\"c\\\".md\"))"},
        {"{\"exclude_docs\": [\"a.md\"], \"path_prefix\": \"d/\"}", "(path^=\"d/\") and not (name in (\"a.md\") or path in (\"a.md\"))"},
        {"{\"exclude_docs\": []}", NULL},
        {"null", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char line[400];
        snprintf(line, sizeof line, "{\"id\": \"i\", \"question\": \"q\", \"answer\": \"x\", \"filter\": %s}", rows[i].filter);
        struct eval_set set = good(line);
        if (rows[i].expression)
            assert_string_equal(set.items[0].filter, rows[i].expression);
        else
            assert_null(set.items[0].filter);
    }
}

static void the_hash_is_of_the_bytes(void **state) {
    (void)state;
    struct eval_set a = good("{\"id\": \"i\", \"question\": \"q\", \"answer\": \"x\"}"), b = good("{\"id\": \"i\", \"question\": \"q\", \"answer\": \"x\"}\n");
    assert_string_not_equal(a.hash, b.hash);
}

static void mistakes_are_named(void **state) {
    (void)state;
    static const struct {
        const char *text, *message; /* after the path */
    } rows[] = {
        {"", ": the set is empty: expected one JSON object a line"},
        {" \n\r\n", ": the set is empty: expected one JSON object a line"},
        {"\n{\"id\": 1}", ", line 2: \"id\": expected a text, found a number"},
        {"{\"id\": \"\"}", ", line 1: \"id\": expected a text, found an empty text"},
        {"[1]", ", line 1: expected an object, found a list"},
        {"{\"id\": \"i\"", ", line 1: not JSON at line 1, column 10: '}' expected near end of file"},
        {"{\"id\": \"i\", \"kind\": 3}", ", line 1: \"kind\": expected a text, found a number"},
        {"{\"id\": \"i\"}", ", line 1: \"question\": expected a text, found nothing"},
        {"{\"id\": \"i\", \"turns\": []}", ", line 1: \"turns\": expected a list of 1 to 1000 turns, found an empty list"},
        {"{\"id\": \"i\", \"turns\": {}}", ", line 1: \"turns\": expected a list of 1 to 1000 turns, found an object"},
        {"{\"id\": \"i\", \"turns\": [\"q\"]}", ", line 1: \"turns\": expected a list of objects, found a text"},
        {"{\"id\": \"i\", \"turns\": [{}], \"question\": \"q\"}", ", line 1: expected \"turns\" (a conversation) or \"question\" (one question), found both"},
        {"{\"id\": \"i\", \"turns\": [{\"question\": \"a\", \"answerable\": false}, {\"question\": null}]}",
         ", line 1: \"turns[1].question\": expected a text, found null"},
        {"{\"id\": \"i\", \"turns\": [{\"question\": \"a\", \"answerable\": \"yes\"}]}",
         ", line 1: \"turns[0].answerable\": expected true or false, found a text"},
        {"{\"id\": \"i\", \"turns\": [{\"question\": \"a\", \"gold_doc\": [\"a.md\"]}]}",
         ", line 1: turns[0]: the question is answerable, but there is nothing to compare with: expected at least one of gold_docs, gold_quote, "
         "key_facts, answer, answers, yes_no"},
        {"{\"id\": \"i\", \"question\": \"a\", \"relevant\": []}",
         ", line 1: the question is answerable, but there is nothing to compare with: expected at least one of relevant, gold_quote, "
         "key_facts, answer, answers, yes_no"},
        {"{\"id\": \"i\", \"question\": \"q\", \"relevant\": \"a.md\"}", ", line 1: \"relevant\": expected a list of document names, found a text"},
        {"{\"id\": \"i\", \"question\": \"q\", \"relevant\": [1]}", ", line 1: \"relevant\": expected a list of document names, found a number"},
        {"{\"id\": \"i\", \"question\": \"q\", \"relevant\": {\"a\": -1}}",
         ", line 1: \"relevant\": expected a grade of at least 0 for each document, found a number"},
        {"{\"id\": \"i\", \"question\": \"q\", \"relevant\": {\"a\": \"1\"}}",
         ", line 1: \"relevant\": expected a grade of at least 0 for each document, found a text"},
        {"{\"id\": \"i\", \"question\": \"q\", \"gold_quote\": [\"a\"]}", ", line 1: \"gold_quote\": expected a text, found a list"},
        {"{\"id\": \"i\", \"question\": \"q\", \"gold_quotes\": \"a\"}", ", line 1: \"gold_quotes\": expected a list of texts, found a text"},
        {"{\"id\": \"i\", \"question\": \"q\", \"key_facts\": [\"a\"]}",
         ", line 1: \"key_facts\": expected a list of facts, each a list of its spellings, found a text"},
        {"{\"id\": \"i\", \"question\": \"q\", \"key_facts\": [[]]}",
         ", line 1: \"key_facts\": expected a list of facts, each a list of its spellings, found an empty list"},
        {"{\"id\": \"i\", \"question\": \"q\", \"answer\": 5}", ", line 1: \"answer\": expected a text, found a number"},
        {"{\"id\": \"i\", \"question\": \"q\", \"answer\": \"x\", \"yes_no\": true}",
         ", line 1: \"yes_no\": expected \"yes\", \"no\" or \"none\", found true"},
        {"{\"id\": \"i\", \"question\": \"q\", \"answer\": \"x\", \"history\": [{\"role\": \"system\", \"content\": \"x\"}]}",
         ", line 1: \"history\": expected a list of {\"role\": \"user\" or \"assistant\", \"content\": text}, found an object"},
        {"{\"id\": \"i\", \"question\": \"q\", \"answer\": \"x\", \"filter\": {\"prefix\": \"x\"}}",
         ", line 1: \"filter\": expected an object with path_prefix, exclude_docs or both, and nothing else, found an object"},
        {"{\"id\": \"i\", \"question\": \"q\", \"answer\": \"x\", \"filter\": {\"path_prefix\": [\"x\"]}}",
         ", line 1: \"filter.path_prefix\": expected a text, found a list"},
        {"{\"id\": \"i\", \"question\": \"q\", \"answer\": \"x\", \"filter\": {\"exclude_docs\": \"x\"}}",
         ", line 1: \"filter.exclude_docs\": expected a list of document names, found a text"},
        {"{\"id\": \"i\", \"question\": \"q\", \"answer\": \"x\", \"all_docs_needed\": 1}", ", line 1: \"all_docs_needed\": expected true or false, found a number"},
        {"{\"id\": \"i\", \"question\": \"q\", \"answer\": \"x\"}\n\n{\"id\": \"i\", \"question\": \"r\", \"answer\": \"y\"}",
         ", line 3: \"id\": expected an id of its own, found \"i\" again, which line 1 has"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct eval_set set;
        qa_error err;
        assert_int_equal(load(rows[i].text, &set, &err), QA_BAD_INPUT);
        assert_memory_equal(err.message, path, strlen(path));
        assert_string_equal(err.message + strlen(path), rows[i].message);
    }
}

static void a_missing_file_is_not_an_empty_set(void **state) {
    (void)state;
    struct eval_set set;
    qa_error err = {0};
    unlink(path);
    assert_int_equal(eval_load(&arena, path, &set, &err), QA_NOT_FOUND);
    assert_non_null(strstr(err.message, path));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(conversations, reset),
        cmocka_unit_test_teardown(single_questions, reset),
        cmocka_unit_test_teardown(filters_become_expressions, reset),
        cmocka_unit_test_teardown(the_hash_is_of_the_bytes, reset),
        cmocka_unit_test_teardown(mistakes_are_named, reset),
        cmocka_unit_test_teardown(a_missing_file_is_not_an_empty_set, reset),
    };
    return cmocka_run_group_tests(tests, make, clean);
}
