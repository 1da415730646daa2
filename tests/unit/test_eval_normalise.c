#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "eval/eval.h"
#include <string.h>

static struct arena arena = {.ceiling = 16 << 20};

static int reset(void **state) {
    (void)state;
    arena_free(&arena);
    return 0;
}

struct row {
    const char *what, *from, *to;
};

static void quotes(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"backslash before punctuation", "v2\\.98\\.0 one\\-to\\-one max\\_length", "v2.98.0 one-to-one max_length"},
        {"backslash before a letter stays", "c:\\dir", "c:\\dir"},
        {"a doubled backslash is one", "a\\\\.b", "a\\.b"},
        {"a backslash at the end stays", "a\\", "a\\"},
        {"links", "see [the guide](https://x.y/z) and [b](c)", "see the guide and b"},
        {"brackets that are no link", "[0, 1] [a] (b) [c", "[0, 1] [a] (b) [c"},
        {"a link that is never closed", "[a](b", "[a](b"},
        {"escaped brackets are unescaped before links are looked for", "range: \\[`0.0`, `1.0`\\]", "range: [0.0, 1.0]"},
        {"anchors", "a<a name=\"x-1\"></a>b <a href=x></a>", "ab <a href=x></a>"},
        {"an anchor with content stays", "<a name=x>y</a>", "<a name=x>y</a>"},
        {"emphasis, code, cells", "| **A** | `b*c` |", "a bc"},
        {"all white space", " a\t\nb\xC2\xA0 c ", "a b c"},
        {"lower case beyond ASCII", "ÄÖ ΣΑ", "äö σα"},
        {"lower case that is longer", "Ⱥ", "ⱥ"},
        {"invalid UTF-8", "a\xFF" "b", "a\uFFFD" "b"},
        {"nothing", "", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("  %s\n", rows[i].what);
        assert_string_equal(eval_normal_quote(&arena, rows[i].from, strlen(rows[i].from)), rows[i].to);
    }
}

static void many_open_brackets_cost_little(void **state) {
    (void)state;
    enum { N = 1 << 20 };
    char *text = arena_alloc(&arena, N + 1);
    memset(text, '[', N);
    assert_int_equal(strlen(eval_normal_quote(&arena, text, N)), N);
    for (size_t i = 0; i + 2 < N; i += 3)
        memcpy(text + i, "[](", 3);
    assert_non_null(eval_normal_quote(&arena, text, N));
    for (size_t i = 0; i + 8 < N; i += 8)
        memcpy(text + i, "<a name=", 8);
    assert_non_null(eval_normal_quote(&arena, text, N));
}

static void answers(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"markers", "It is 5 minutes [1]. Or[12] not [a] [ 2].", "it is 5 minutes . or not [a] [ 2]."},
        {"white space", "a\n\n b", "a b"},
        {"the apostrophe of typographers", "It can\u2019t", "it can't"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("  %s\n", rows[i].what);
        assert_string_equal(eval_normal_answer(&arena, rows[i].from), rows[i].to);
    }
}

static void answers_end_after_120_words(void **state) {
    (void)state;
    char text[1000] = "";
    for (int i = 0; i < 119; i++)
        strcat(text, "a [1] ");
    strcat(text, "last beyond");
    const char *normal = eval_normal_answer(&arena, text);
    assert_non_null(strstr(normal, " last"));
    assert_null(strstr(normal, "beyond"));
}

static void facts(void **state) {
    (void)state;
    static const struct {
        const char *what, *spelling, *answer;
        bool yes;
    } rows[] = {
        {"a word", "NCCL", "such as nccl and Gloo", true},
        {"not inside a word", "VPC", "in different VPCs", false},
        {"not at the end of a word", "port", "an import", false},
        {"underscore joins words", "length", "max_length", false},
        {"a dot does not", "2.98", "version 2.98.0", true},
        {"nor do other scripts' quotes", "five", "»five«", true},
        {"letters of other scripts join", "ber", "über", false},
        {"digits join", "5", "15 minutes", false},
        {"a later place counts", "5", "15 or 5", true},
        {"at both ends of the answer", "yes", "Yes", true},
        {"white space inside", "5  minutes", "for 5\nminutes.", true},
        {"white space at its end asks for a boundary", "no ", "no.", true},
        {"and for no more", "no ", "note", false},
        {"punctuation at its end is its own boundary", "no,", "No,because", true},
        {"but not at its start", "no,", "casino, really", false},
        {"a sign at the end", "40%", "up to 40% less", true},
        {"the number before it is bounded", "40%", "140%", false},
        {"dashes at the start", "--user", "without the--user flag", true},
        {"n't ends a word", "n't", "It doesn't.", true},
        {"typographic n't", "n't", "It doesn\u2019t.", true},
        {"n't is bounded at its end", "n't", "n'ts", false},
        {"a symbol", "\u221E", "it is \u221E.", true},
        {"nothing states nothing", " ", "anything", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (eval_states(eval_normal_answer(&arena, rows[i].answer), eval_normal_spelling(&arena, rows[i].spelling)) != rows[i].yes)
            fail_msg("%s: %s in %s", rows[i].what, rows[i].spelling, rows[i].answer);
}

static void squad(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"case, punctuation, articles, white space", " The  quick, brown-fox; an A! ", "quick brownfox"},
        {"articles inside words stay", "theory a1 panda", "theory a1 panda"},
        {"punctuation goes before articles", "a.n the-a", "thea"},
        {"an article beside other punctuation", "the\u2014end", "\u2014end"},
        {"numbers", "1,000.5 %", "10005"},
        {"only articles", "the a", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("  %s\n", rows[i].what);
        assert_string_equal(eval_normal_squad(&arena, rows[i].from), rows[i].to);
    }
}

static void characters_are_not_bytes(void **state) {
    (void)state;
    size_t taken;
    assert_int_equal(eval_prefix_bytes("äöü", 6, 2, &taken), 4);
    assert_int_equal(taken, 2);
    assert_int_equal(eval_prefix_bytes("äöü", 6, 9, &taken), 6);
    assert_int_equal(taken, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(quotes, reset),
        cmocka_unit_test_teardown(many_open_brackets_cost_little, reset),
        cmocka_unit_test_teardown(answers, reset),
        cmocka_unit_test_teardown(answers_end_after_120_words, reset),
        cmocka_unit_test_teardown(facts, reset),
        cmocka_unit_test_teardown(squad, reset),
        cmocka_unit_test_teardown(characters_are_not_bytes, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
