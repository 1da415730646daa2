#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "unit/answer_fixture.h"

enum { BLOCKS = 12 };
struct block {
    enum textmap_unit kind;
    const char *raw;
};
#define P(text) {UNIT_PARAGRAPH, text}
#define I(text) {UNIT_ITEM, text}
#define H(text) {UNIT_HEADING, text}
#define C(text) {UNIT_CODE, text}
#define HEAD(text) {UNIT_TABLE_HEAD, text}
#define ROW(text) {UNIT_TABLE_ROW, text}

// What must hold of every answer, whatever was asked.
static void check_sound(const char *what, const struct fixture *f) {
    const struct answer *x = &f->answer;
    size_t at = 0;
    for (size_t i = 0; i < x->n_sentences; i++) {
        const struct answer_sentence *s = &x->sentences[i];
        char marker[16];
        int n = snprintf(marker, sizeof marker, " [%zu]", s->citations[0]);
        if (s->start < at || s->end <= s->start || s->end > strlen(x->text) || strncmp(x->text + s->end - n, marker, n) != 0)
            fail_msg("%s: sentence %zu is [%zu, %zu) of: %s", what, i, s->start, s->end, x->text);
        for (size_t k = 0; k < s->n_citations; k++) {
            bool cited = false;
            for (size_t c = 0; c < x->n_citations; c++)
                cited = cited || x->citations[c].rank == s->citations[k];
            if (!cited)
                fail_msg("%s: nothing is cited for [%zu]", what, s->citations[k]);
        }
        at = s->end;
    }
    for (size_t i = 0; i < x->n_citations; i++) {
        const struct answer_citation *c = &x->citations[i];
        const struct index_passage *p = &f->hits[c->rank - 1].passage;
        if (c->end > f->len || c->quote_len != c->end - c->start || memcmp(f->bytes + c->start, c->quote, c->quote_len) != 0)
            fail_msg("%s: the quote is not bytes [%llu, %llu): %s", what, (unsigned long long)c->start, (unsigned long long)c->end, c->quote);
        if (!strstr(p->map.plain, c->quote_plain))
            fail_msg("%s: not in the passage: %s", what, c->quote_plain);
    }
}

static void run(struct fixture *f, const char *what) {
    if (answer_extract(f->words, &f->a, &f->found, &f->answer, &f->err) != QA_OK)
        fail_msg("%s: %s", what, f->err.message);
    check_sound(what, f);
}

// One passage, one question: how the answer begins.
static void wording(void **state) {
    (void)state;
    static const struct {
        const char *what, *question;
        struct block blocks[BLOCKS];
        const char *answer, *quote; // the beginning of the answer; the first citation's quote (NULL: not looked at)
    } rows[] = {
        {"the sentence with the question's words", "how long is a presigned URL valid?",
         {P("Notebooks are nice things to have. The presigned URL is valid for 5 minutes. Then you go home and sleep well.")},
         "The presigned URL is valid for 5 minutes. [1]", "The presigned URL is valid for 5 minutes."},
        {"a number is wanted: the sentence with one wins", "how many subnets does the endpoint need?",
         {P("The endpoint needs subnets of your network. The endpoint needs two subnets there.")}, "The endpoint needs two subnets there. [1]", NULL},
        {"five and 5 are the same word", "why 5 nodes?", {P("A cluster is round and red indeed. It has five nodes at home today.")}, "It has five nodes", NULL},
        {"markup at the edges of a quote is taken in", "what is a widget made of?",
         {P("**Widgets** are made of `steel`. Other things are made otherwise.")}, "Widgets are made of steel. [1]", "**Widgets** are made of `steel`."},
        {"escapes vanish from the text and stay in the quote", "which version has widgets?", {P("Widgets came with version 2\\.98\\.0 of it\\.")},
         "Widgets came with version 2.98.0 of it. [1]", "Widgets came with version 2\\.98\\.0 of it\\."},
        {"a row is said with the names of its columns", "how many GPUs has ml.g5?",
         {P("Sizes follow."), HEAD("| Type | GPUs | Memory |"), ROW("| ml.g4 | 1 | 16 |"), ROW("| ml.g5 | 4 | 32 |")},
         "ml.g5 | GPUs: 4 | Memory: 32 [1]", "ml.g5 | 4 | 32"},
        {"a column that repeats its name is not named", "what is the limit of ml.g5?",
         {HEAD("| Type | Limit |"), ROW("| ml.g5 | Limit is 7 |")}, "ml.g5 | Limit is 7 [1]", NULL},
        {"an empty cell is left out", "what about ml.g5?", {HEAD("| Type | GPUs | Memory |"), ROW("| ml.g5 |  | 32 |")}, "ml.g5 | Memory: 32 [1]", NULL},
        {"short items take their lead-in along, once", "recordio images",
         {P("Accepted are:"), I("- recordio images"), I("- images of recordio"), I("- old recordio images")},
         "Accepted are: recordio images [1] images of recordio [1] old recordio images [1]", "Accepted are:"},
        {"an item under an item is led by it", "recordio images",
         {P("Accepted are:"), I("- For trees:"), I("  - recordio images"), I("  - images of recordio"), I("  - old recordio images")},
         "For trees: recordio images [1] images of recordio [1]", "For trees:"},
        {"a full sentence needs no lead-in", "how are spot instances billed?",
         {P("Know this of instances:"), I("- Spot instances are billed by the second when they run for longer than that.")},
         "Spot instances are billed by the second when they run for longer than that. [1]", NULL},
        {"a term names what follows", "what is NumberOfThings for?",
         {P("`NumberOfThings`  \nHow many of them there will be in the end.")}, "NumberOfThings: How many of them there will be in the end. [1]", "`NumberOfThings`"},
        {"a term that is said is not said again", "what does MaxDepth hold?", {P("MaxDepth  \nThe maxdepth parameter holds the depth of trees.")},
         "The maxdepth parameter holds the depth of trees. [1]", NULL},
        {"\"Note\" is no term", "is rain wet?", {P("Note  \nRain is wet in all of the places.")}, "Rain is wet in all of the places. [1]", NULL},
        {"a line of code", "how do I call fit_model?", {P("Do it so:"), C("import widgets\nwidgets.fit_model(depth=3)\n\n")}, "widgets.fit_model(depth=3) [1]", NULL},
        {"a heading is context, not an answer", "what about spot training?",
         {H("Spot training"), P("It saves up to 90 percent of the cost here.")}, "It saves up to 90 percent of the cost here. [1]", NULL},
        {"the links under Topics are no answer", "how does tuning work?",
         {P("Topics"), I("- How tuning works"), P("A search over the parameters, that is what tuning does.")}, "A search over the parameters", NULL},
        {"a sentence that sends on loses to one that says", "where are logs kept?",
         {P("For more information about where logs are kept, see the logs page. The logs are kept in the folder named var.")},
         "The logs are kept in the folder named var. [1]", NULL},
        {"white space of any kind is one space", "what is blue?", {P("The sky\xC2\xA0 is \n blue\xE2\x80\xA8 over all of us here.")},
         "The sky is blue over all of us here. [1]", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;
        fixture_begin(&f);
        fixture_passage(&f);
        for (size_t b = 0; b < BLOCKS && rows[i].blocks[b].raw; b++)
            fixture_block(&f, rows[i].blocks[b].kind, rows[i].blocks[b].raw);
        fixture_close(&f, "Title", 1);
        fixture_ask(&f, rows[i].question, NULL);
        run(&f, rows[i].what);
        const struct answer *x = &f.answer;
        const struct answer_sentence *best = x->sentences;
        for (size_t k = 0; k < x->n_sentences && strncmp(x->text + best->start, rows[i].answer, strlen(rows[i].answer)) != 0; k++)
            best = &x->sentences[k];
        if (x->refused || !best || strncmp(x->text + best->start, rows[i].answer, strlen(rows[i].answer)) != 0)
            fail_msg("%s: %s", rows[i].what, x->text);
        bool quoted = !rows[i].quote;
        for (size_t k = 0; k < x->n_citations; k++)
            quoted = quoted || strcmp(x->citations[k].quote, rows[i].quote) == 0;
        if (!quoted)
            fail_msg("%s: the first quote is %s", rows[i].what, x->citations[0].quote);
        fixture_end(&f);
    }
}

static void header_of_a_row_is_cited(void **state) {
    (void)state;
    struct fixture f;
    fixture_begin(&f);
    fixture_passage(&f);
    fixture_block(&f, UNIT_TABLE_HEAD, "| Type | GPUs |");
    fixture_block(&f, UNIT_TABLE_ROW, "| ml.g5 | 4 |");
    fixture_close(&f, "Sizes", 1);
    fixture_ask(&f, "how many GPUs has ml.g5?", NULL);
    run(&f, "header");
    assert_int_equal(f.answer.n_citations, 2);
    assert_string_equal(f.answer.citations[0].quote, "ml.g5 | 4");
    assert_string_equal(f.answer.citations[1].quote, "Type | GPUs");
    assert_int_equal(f.answer.sentences[0].support, QA_SUPPORT_QUOTE);
    fixture_end(&f);
}

// The map of a later part of a table repeats the header, whose bytes stand before the part.
static void repeated_header_is_cited_by_cell(void **state) {
    (void)state;
    struct fixture f;
    fixture_begin(&f);
    fixture_hidden(&f, "| Type | GPUs |\n|---|---|\n| ml.g4 | 1 |\n");
    fixture_passage(&f);
    textmap_mark(&f.w, UNIT_TABLE_HEAD);
    textmap_copy(&f.w, f.bytes, 2, 4);
    textmap_literal(&f.w, " | ", 3);
    textmap_copy(&f.w, f.bytes, 9, 4);
    f.marked = true;
    fixture_block(&f, UNIT_TABLE_ROW, "| ml.g5 | 4 |");
    fixture_close(&f, "Sizes", 1);
    fixture_ask(&f, "how many GPUs has ml.g5?", NULL);
    run(&f, "repeated header");
    assert_string_equal(f.answer.text, "ml.g5 | GPUs: 4 [1]");
    assert_int_equal(f.answer.n_citations, 2);
    assert_string_equal(f.answer.citations[1].quote, "GPUs");
    assert_int_equal(f.answer.citations[1].start, 9);
    assert_int_equal(f.answer.sentences[0].support, QA_SUPPORT_QUOTE);
    fixture_end(&f);
}

// AWS guides leave the header row empty and write it as the first row.
static void first_row_under_an_empty_header_names_columns(void **state) {
    (void)state;
    struct fixture f;
    fixture_begin(&f);
    fixture_passage(&f);
    fixture_hidden(&f, "|  |  |\n| --- | --- |\n");
    fixture_block(&f, UNIT_TABLE_ROW, "| Type | GPUs |");
    fixture_block(&f, UNIT_TABLE_ROW, "| ml.g5 | 4 |");
    fixture_close(&f, "Sizes", 1);
    fixture_ask(&f, "how many GPUs has ml.g5?", NULL);
    run(&f, "first row");
    assert_string_equal(f.answer.text, "ml.g5 | GPUs: 4 [1]");
    fixture_end(&f);
}

static void long_texts_are_cut(void **state) {
    (void)state;
    struct fixture f;
    char text[4096] = "";
    fixture_begin(&f);
    fixture_passage(&f);
    for (int i = 0; i < 40; i++)
        strcat(text, "alpha beta ");
    strcat(text, "the gizmo costs nothing ");
    for (int i = 0; i < 40; i++)
        strcat(text, "gamma delta ");
    strcat(text, "end.");
    fixture_block(&f, UNIT_PARAGRAPH, text);
    fixture_close(&f, "T", 1);
    fixture_passage(&f);
    fixture_block(&f, UNIT_TABLE_HEAD, "| Field | Description |");
    strcpy(text, "| gizmo_depth | How deep a thing may be is written here at some length. Another remark that says little about anything follows it. "
                 "Then there is a word on shapes and on colours of things in the world, and on many other things that are of no use to anyone who "
                 "reads this, be it by day or by night. The gizmo depth is 7 by default. Some more words to "
                 "fill the cell until it has more than forty five words in all. |");
    fixture_block(&f, UNIT_TABLE_ROW, text);
    fixture_close(&f, "T", 0.5);
    fixture_ask(&f, "what is the default gizmo depth?", NULL);
    run(&f, "long");
    assert_non_null(strstr(f.answer.text, "gizmo_depth | Description: How deep"));
    assert_non_null(strstr(f.answer.text, "follows it. … The gizmo depth is 7 by default. … [2]"));
    assert_null(strstr(f.answer.text, "shapes and on"));
    fixture_ask(&f, "does the gizmo cost nothing?", NULL);
    run(&f, "long sentence");
    assert_non_null(strstr(f.answer.text, "… beta alpha"));
    assert_non_null(strstr(f.answer.text, "beta the gizmo costs nothing gamma"));
    assert_non_null(strstr(f.answer.text, " … [1]"));
    assert_null(strstr(f.answer.text, "end."));
    fixture_end(&f);
}

static void passages_keep_their_order_and_are_not_repeated(void **state) {
    (void)state;
    struct fixture f;
    fixture_begin(&f);
    fixture_passage(&f);
    fixture_block(&f, UNIT_PARAGRAPH, "Widgets like tea in the morning. The widget limit is 10 in each account. Widgets sleep at night.");
    fixture_close(&f, "A", 1);
    fixture_passage(&f);
    fixture_block(&f, UNIT_PARAGRAPH, "The widget limit is 10 in each account. The widget limit of an account can be raised by asking for it.");
    fixture_close(&f, "B", 0.9);
    fixture_ask(&f, "what is the widget limit of an account?", NULL);
    run(&f, "order");
    const char *first = strstr(f.answer.text, "The widget limit is 10");
    assert_ptr_equal(first, f.answer.text + (strncmp(f.answer.text, "Widgets like", 12) == 0 ? f.answer.sentences[1].start : 0));
    assert_null(strstr(first + 1, "The widget limit is 10"));
    assert_non_null(strstr(f.answer.text, "can be raised by asking for it. [2]"));
    fixture_end(&f);
}

static void earlier_questions_help(void **state) {
    (void)state;
    struct fixture f;
    fixture_begin(&f);
    fixture_passage(&f);
    fixture_block(&f, UNIT_PARAGRAPH, "Volumes of sheep grow by 3 metres a day. Volumes of notebooks grow by 5 metres a day.");
    fixture_close(&f, "T", 1);
    fixture_ask(&f, "and volumes?", "how do notebooks grow?");
    run(&f, "earlier");
    const char *notebooks = strstr(f.answer.text, "Volumes of notebooks");
    assert_non_null(notebooks);
    fixture_ask(&f, "and volumes?", "how do sheep grow?");
    assert_int_equal(answer_judge(f.words, &f.a, &f.found, &f.err), QA_OK);
    fixture_end(&f);
}

static void what_has_no_bytes_is_not_cited(void **state) {
    (void)state;
    struct fixture f;
    fixture_begin(&f);
    fixture_passage(&f);
    textmap_mark(&f.w, UNIT_PARAGRAPH);
    textmap_literal(&f.w, "The widget limit is 10.", 23);
    f.marked = true;
    fixture_block(&f, UNIT_PARAGRAPH, "A widget of steel has its limits too.");
    fixture_close(&f, "T", 1);
    fixture_ask(&f, "what is the widget limit?", NULL);
    run(&f, "literal");
    assert_string_equal(f.answer.text, "A widget of steel has its limits too. [1]");
    fixture_end(&f);
}

static void refusals(void **state) {
    (void)state;
    static const struct {
        const char *what, *question, *text; // text NULL: nothing was found
        double gap;
        size_t chunks;
        const char *reason;
    } rows[] = {
        {"an empty index", "what is a widget?", NULL, 0, 0, "the index is empty; ingest documents first"},
        {"no hit", "what is a widget?", NULL, 0, 7, "no document that was searched contains \"widget\""},
        {"stop words only", "what is it?", NULL, 0, 7, "the question has no word that says what it is about"},
        {"a name that is nowhere", "does it read Avro files?", "It reads files of many kinds.", 0.1, 7, "none of the closest passages mentions \"Avro\""},
        {"an identifier that is nowhere", "set IdleTimeoutInSeconds of endpoints", "Endpoints have a timeout in seconds.", 0.1, 7,
         "none of the closest passages mentions \"IdleTimeoutInSeconds\""},
        {"a price without an amount", "how much does the widget store cost?", "The widget store has a cost.", 0.1, 7,
         "the question asks for a price, and no passage found names an amount of money"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;
        fixture_begin(&f);
        if (rows[i].text) {
            fixture_passage(&f);
            fixture_block(&f, UNIT_PARAGRAPH, rows[i].text);
            fixture_close(&f, "T", 1);
        }
        f.found.gap = rows[i].gap;
        f.found.total_chunks = rows[i].chunks;
        fixture_ask(&f, rows[i].question, NULL);
        run(&f, rows[i].what);
        if (!f.answer.refused || !f.answer.reason || strcmp(f.answer.reason, rows[i].reason) != 0 || f.found.evidence != QA_EVIDENCE_NONE)
            fail_msg("%s: %s / %s", rows[i].what, f.answer.text, f.answer.reason ? f.answer.reason : "-");
        assert_int_equal(f.answer.n_sentences + f.answer.n_citations, 0);
        assert_null(f.answer.short_answer);
        fixture_end(&f);
    }
}

static void evidence(void **state) {
    (void)state;
    static const struct {
        const char *what, *question, *text, *title;
        double gap;
        qa_evidence evidence;
    } rows[] = {
        {"all words and a clear first", "widget limit of an account", "The widget limit of an account is 10.", "T", 0.3, QA_EVIDENCE_STRONG},
        {"half of the words", "how deep are blue lakes in winter", "Some lakes are blue.", "T", 0.2, QA_EVIDENCE_WEAK},
        {"a missing name outweighs", "widget limit of Frobnicators", "The widget limit of an account is 10.", "T", 0.1, QA_EVIDENCE_NONE},
        {"the same name in the title", "widget limit of Frobnicators", "The widget limit of an account is 10.", "Frobnicators", 0.3, QA_EVIDENCE_STRONG},
        {"a capital at the beginning names nothing", "Frobnicators: widget limit", "The widget limit of an account is 10.", "T", 0.3, QA_EVIDENCE_STRONG},
        {"foreign words over one half", "zzip zzap zzop widget", "The widget of an account is 10.", "T", 0.3, QA_EVIDENCE_NONE},
        {"foreign words up to one half", "zzip zzap limit widget", "The widget limit is 10.", "T", 0.3, QA_EVIDENCE_STRONG},
        {"a price that is there", "what is the price of a widget?", "The price of a widget is $5 a day.", "T", 0.3, QA_EVIDENCE_STRONG},
        {"a price that is not", "what is the price of a widget?", "The price of a widget is high.", "T", 0.3, QA_EVIDENCE_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;
        fixture_begin(&f);
        fixture_passage(&f);
        fixture_block(&f, UNIT_PARAGRAPH, rows[i].text);
        fixture_close(&f, rows[i].title, 1);
        f.found.gap = rows[i].gap;
        fixture_ask(&f, rows[i].question, NULL);
        assert_int_equal(answer_judge(f.words, &f.a, &f.found, &f.err), QA_OK);
        if (f.found.evidence != rows[i].evidence)
            fail_msg("%s: %d", rows[i].what, f.found.evidence);
        fixture_end(&f);
    }
}

// Passages that no reader would make, and what they may cost: a generous bound on the arena, in place of time.
static void hostile_passages_are_bounded(void **state) {
    (void)state;
    enum { SIZE = 1 << 20 };
    static const char *const fillers[] = {"a", "a b ", "a. B ", "| ", "a:\n", "\n", ". ", "1 - ", "\xF0\x9F\x98\x80", "x | "};
    static const enum textmap_unit kinds[] = {UNIT_PARAGRAPH, UNIT_TABLE_ROW, UNIT_ITEM, UNIT_CODE, UNIT_TABLE_HEAD};
    char *bytes = malloc(SIZE + 8);
    assert_non_null(bytes);
    for (size_t i = 0; i < sizeof fillers / sizeof *fillers; i++) {
        size_t n = strlen(fillers[i]), len = 0;
        for (; len + n <= SIZE; len += n)
            memcpy(bytes + len, fillers[i], n);
        bytes[len] = '\0';
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            struct fixture f;
            struct textmap_segment segment = {.len = (uint32_t)len};
            struct textmap_mark marks[4096];
            for (size_t m = 0; m < 4096; m++) // half of them empty
                marks[m] = (struct textmap_mark){(uint32_t)(m / 2 * n), kinds[m % 3 ? k : 0]};
            fixture_begin(&f);
            for (size_t p = 0; p < FIXTURE_PASSAGES; p++) {
                f.hits[p].score = 1;
                f.hits[p].passage = (struct index_passage){.title = "T", .text = bytes, .text_len = len, .end = len, .path = "a.md"};
                f.hits[p].passage.map = (struct textmap){bytes, len, &segment, 1, marks, p % 2 ? 4096 : 1};
            }
            f.found.n_hits = FIXTURE_PASSAGES;
            fixture_ask(&f, "a b 1 x how many?", NULL);
            assert_int_equal(answer_extract(f.words, &f.a, &f.found, &f.answer, &f.err), QA_OK);
            assert_true(f.a.used < 16 << 20);
            fixture_end(&f);
        }
    }
    free(bytes);
}

// Memory runs out at every place once: an error that says so, and no crash.
static void every_ceiling_is_an_error(void **state) {
    (void)state;
    struct fixture f;
    fixture_begin(&f);
    fixture_passage(&f);
    fixture_block(&f, UNIT_PARAGRAPH, "The widget limit is 10. It can be raised:");
    fixture_block(&f, UNIT_ITEM, "- by asking");
    fixture_block(&f, UNIT_TABLE_HEAD, "| Widget | Limit |");
    fixture_block(&f, UNIT_TABLE_ROW, "| small | 7 |");
    fixture_close(&f, "T", 1);
    fixture_ask(&f, "what is the widget limit?", NULL);
    size_t before = f.a.used, step = 97, failures = 0;
    qa_status status = QA_NO_MEMORY;
    for (size_t ceiling = before; status != QA_OK && ceiling < before + (1 << 20); ceiling += step) {
        struct arena a = {.ceiling = ceiling - before};
        f.err = (qa_error){0};
        status = answer_extract(f.words, &a, &f.found, &f.answer, &f.err);
        assert_true(status == QA_OK || (f.err.status == status && f.err.message[0]));
        failures += status != QA_OK;
        arena_free(&a);
    }
    assert_int_equal(status, QA_OK);
    assert_true(failures > 10);
    fixture_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wording),
        cmocka_unit_test(header_of_a_row_is_cited),
        cmocka_unit_test(repeated_header_is_cited_by_cell),
        cmocka_unit_test(first_row_under_an_empty_header_names_columns),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(passages_keep_their_order_and_are_not_repeated),
        cmocka_unit_test(earlier_questions_help),
        cmocka_unit_test(what_has_no_bytes_is_not_cited),
        cmocka_unit_test(refusals),
        cmocka_unit_test(evidence),
        cmocka_unit_test(hostile_passages_are_bounded),
        cmocka_unit_test(every_ceiling_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
