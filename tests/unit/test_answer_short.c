// short_answer: each rule, and each reason to give none.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "unit/answer_fixture.h"

static void short_answers(void **state) {
    (void)state;
    static const struct {
        const char *what, *question, *head, *text; // head: text is a row of a table with this header
        const char *answer;
    } rows[] = {
        {"yes", "Can I deploy variants of a model to one endpoint?", NULL, "You can deploy variants of a model to one endpoint.", "yes"},
        {"no", "Does the widget support nested trees?", NULL, "The widget doesn't support nested trees.", "no"},
        {"only: neither", "Does the widget support nested trees?", NULL, "The widget supports only nested trees.", NULL},
        {"not only: neither", "Does the widget support nested trees?", NULL, "The widget does not only support nested trees.", NULL},
        {"a no about much else", "Does the widget support trees?", NULL,
         "The widget and its trees were never a thing that sleepy gardeners in distant windy countries cannot support from afar.", NULL},
        {"a question is no answer", "Does the widget support trees?", NULL, "Does the widget support trees?", NULL},
        {"an alternative is not yes or no", "Does the widget support trees or lists?", NULL, "The widget supports trees and lists.", NULL},
        {"a column of yes and no", "Is the widget limit adjustable?", "| Limit | Adjustable |", "| Widget limit | No |", "no"},
        {"that column of another row", "Is the widget limit adjustable?", "| Limit | Adjustable |", "| Limit of distant gizmo farms of gardeners | Yes |", NULL},

        {"a default", "what is the default depth of trees?", NULL, "The depth of trees; the default is 300 for all.", "300"},
        {"a default with a unit", "default timeout of a widget?", NULL, "The timeout of a widget defaults to 60 seconds.", "60 seconds"},
        {"a default word", "default mode of a widget?", NULL, "The mode of a widget (default value: \"linear\") is kept.", "linear"},
        {"a described default", "default mode of a widget?", NULL, "The default mode of a widget is the one set before.", NULL},

        {"a version", "which version of Python does the widget need?", NULL, "The widget needs Python version 3.8 or later.", "3.8 or later"},
        {"two versions", "which version of Python does the widget need?", NULL, "The widget needs Python version 3.8 and 3.9 of it.", NULL},
        {"the version of the question", "what changed in version 2.1 of widgets?", NULL, "Version 2.1 of widgets changed much.", NULL},

        {"a time", "how long is the URL valid?", NULL, "The URL is valid for 5 minutes after that.", "5 minutes"},
        {"a hyphened time", "how long is the URL valid?", NULL, "The valid URL has a 5-minute span.", "5-minute"},
        {"two times", "how long is the URL valid?", NULL, "The URL is valid for 5 minutes or 2 days.", NULL},
        {"the same time twice", "how long is the URL valid?", NULL, "The URL is valid for 5 minutes, really 5 minutes.", "5 minutes"},
        {"the time of the question", "how long after 5 minutes is the URL valid?", NULL, "After 5 minutes the URL is not valid.", NULL},

        {"a limit among numbers", "maximum number of widgets in a box?", NULL, "A box of 3 sides holds a maximum of 12 widgets.", "12"},
        {"a counted noun among numbers", "how many languages does the widget know?", NULL, "Since 2019 the widget knows 62 languages.", "62"},
        {"another noun", "how many languages does the widget know?", NULL, "The widget knows languages and 62 dances.", NULL},
        {"a count is not a measure", "maximum number of widgets in a box?", NULL, "Widgets in a box have a maximum of 32 characters.", NULL},
        {"a number in a name", "what is the size of a widget?", NULL, "The size of a widget is in size_2/a of it.", NULL},
        {"one is a pronoun", "what number does the widget take?", NULL, "One of the things that the widget does take is a number.", NULL},
        {"with scale and unit", "what size may a widget have?", NULL, "A widget may have a size of 2.5 million bytes there.", "2.5 million bytes"},
        {"a number in two words", "what size may a widget have?", NULL, "A widget may have a size of two hundred bytes there.", "two hundred bytes"},
        {"a hyphened number in words", "how long is the URL valid?", NULL, "The URL is valid for twenty-four hours.", "twenty-four hours"},
        {"a cell under a named column", "what is the limit of widgets?", "| Thing | Limit | Year |", "| Widgets | 500 a box | 1999 |", "500 a box"},
        {"the one numeric cell", "what number of GPUs has ml.g5?", "| Type | Cards | Colour |", "| ml.g5 | 4 | red |", "4"},
        {"a row about something else", "what is the limit of gizmos?", "| Thing | Limit |", "| Widgets of other kinds | 500 |", NULL},

        {"an identifier", "which parameter sets the depth of trees?", NULL, "The depth of trees is set by max_tree_depth alone.", "max_tree_depth"},
        {"two identifiers", "which parameter sets the depth of trees?", NULL, "The depth of trees is set by max_tree_depth and min_tree_depth.", NULL},
        {"a product is no identifier", "which API sets the depth of trees?", NULL, "GreenTrees sets the depth of trees.", NULL},
        {"code is", "which API sets the depth of trees?", NULL, "`SetDepth` sets the depth of trees.", "SetDepth"},
        {"an option", "which flag sets the depth of trees?", NULL, "The depth of trees is set by --depth-limit alone.", "--depth-limit"},

        {"a comparison", "compare the default depth of trees", NULL, "The depth of trees; the default is 300 for all.", NULL},
        {"two questions", "what is the default and how is it set?", NULL, "The default is 300.", NULL},
        {"too little of the question", "how long is a blue gizmo in wintry distant gardens valid?", NULL, "It is valid for 5 minutes.", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;
        fixture_begin(&f);
        fixture_passage(&f);
        if (rows[i].head)
            fixture_block(&f, UNIT_TABLE_HEAD, rows[i].head);
        fixture_block(&f, rows[i].head ? UNIT_TABLE_ROW : UNIT_PARAGRAPH, rows[i].text);
        fixture_close(&f, "T", 1);
        f.found.gap = 1;
        fixture_ask(&f, rows[i].question, NULL);
        assert_int_equal(answer_extract(f.words, &f.a, &f.found, &f.answer, &f.err), QA_OK);
        const char *got = f.answer.short_answer;
        if (f.answer.refused || !got != !rows[i].answer || (got && strcmp(got, rows[i].answer) != 0))
            fail_msg("%s: %s (%s)", rows[i].what, got ? got : "none", f.answer.text);
        if (got && strcmp(got, "yes") != 0 && strcmp(got, "no") != 0 && !strstr(f.bytes, got))
            fail_msg("%s: %s is not in the document", rows[i].what, got);
        fixture_end(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(short_answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
