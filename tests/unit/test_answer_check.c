/* Where a sentence stands in the passages, on sentences made by hand that are far from any threshold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "answer/answer_internal.h"
#include "unit/answer_fixture.h"

static int set_up(void **state) {
    struct fixture *f = test_calloc(1, sizeof *f);
    fixture_begin(f);
    fixture_passage(f);
    fixture_block(f, UNIT_HEADING, "Session limits");
    fixture_block(f, UNIT_PARAGRAPH, "A notebook session ends after **12 hours** by default. The limit is set with `max_session_hours` and must not exceed 48. "
                                     "Sessions of guests cannot be extended.");
    fixture_close(f, "Sessions", 1);
    fixture_hidden(f, "\nThis stands in the document and in no passage of it.\n");
    fixture_passage(f);
    fixture_block(f, UNIT_PARAGRAPH, "Available instances are listed below.");
    fixture_block(f, UNIT_TABLE_HEAD, "| Instance | GPUs | Memory |");
    fixture_block(f, UNIT_TABLE_ROW, "| ml.g4dn.xlarge | 1 | 16 GB |");
    fixture_block(f, UNIT_TABLE_ROW, "| ml.g5.12xlarge | 4 | 192 GB |");
    fixture_close(f, "Instances", 0.8);
    fixture_passage(f);
    fixture_block(f, UNIT_PARAGRAPH, "To delete a domain, do the following:");
    fixture_block(f, UNIT_ITEM, "1. Open the administration console.");
    fixture_block(f, UNIT_ITEM, "2. Remove all user profiles that belong to it.");
    fixture_block(f, UNIT_PARAGRAPH, "Do not delete the bucket while jobs run. Keep the archive of all logs.");
    fixture_close(f, "Domains", 0.6);
    fixture_passage(f);
    fixture_block(f, UNIT_PARAGRAPH, "A cluster has up to 40 nodes. The archive is kept for twenty-four months. Each queue holds two hundred jobs. "
                                     "The quota of a tenant is 1000 requests.");
    fixture_close(f, "Clusters", 0.5);
    fixture_passage(f);
    fixture_block(f, UNIT_PARAGRAPH, "To rotate the keys run `keytool rotate` on the server. The old key stays valid for 30 days. It is safe to rotate them twice.");
    fixture_close(f, "Keys", 0.4);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    fixture_end(f);
    test_free(f);
    return 0;
}

static struct answer_support check(struct fixture *f, const char *question, const char *sentence) {
    struct answer_work work;
    struct answer_support out;
    fixture_ask(f, question, NULL);
    assert_int_equal(answer_prepare(f->words, &f->a, &f->found, &work, &f->err), QA_OK);
    assert_int_equal(answer_check(&work, sentence, &out), QA_OK);
    return out;
}

static const char limit[] = "when does a session end?", memory[] = "how much memory does an instance have?", deleting[] = "how do I delete a domain?",
                  extending[] = "can I extend guests?", clusters[] = "what are the limits of a cluster?", keys[] = "how do I rotate the keys?";

static void test_support(void **state) {
    const qa_support NONE = QA_SUPPORT_NONE, MATCHED = QA_SUPPORT_MATCHED, QUOTE = QA_SUPPORT_QUOTE;
    const struct {
        const char *what, *question, *sentence;
        qa_support support;
        size_t rank;       /* of all that is cited */
        const char *quote; /* the first citation; NULL: not looked at */
    } rows[] = {
        /* quotes */
        {"word for word", limit, "A notebook session ends after 12 hours by default.", QUOTE, 1, "A notebook session ends after **12 hours** by default."},
        {"in other letters and marks", limit, "a notebook session ends after `12` hours, by default", QUOTE, 1, NULL},
        {"a part of one", limit, "ends after 12 hours by default", QUOTE, 1, "ends after **12 hours** by default."},
        {"two in a row", limit, "A notebook session ends after 12 hours by default. The limit is set with `max_session_hours` and must not exceed 48.", QUOTE, 1, NULL},
        {"a number written as a word", memory, "ml.g5.12xlarge four 192 GB", QUOTE, 2, NULL},
        {"a number written as digits", clusters, "Each queue holds 200 jobs.", QUOTE, 4, "Each queue holds two hundred jobs."},
        {"two words for one number", clusters, "The archive is kept for 24 months.", QUOTE, 4, NULL},
        {"two words without a hyphen", clusters, "The archive is kept for twenty four months.", QUOTE, 4, NULL},
        {"tens", clusters, "A cluster has up to forty nodes.", QUOTE, 4, "A cluster has up to 40 nodes."},
        {"in another order with a number as a word", clusters, "Up to forty nodes are what a cluster has.", MATCHED, 4, NULL},
        {"an item", deleting, "- Open the administration console.", QUOTE, 3, "Open the administration console."},
        {"an item with another number", deleting, "7. Remove all user profiles that belong to it.", QUOTE, 3, "Remove all user profiles that belong to it."},
        {"a row", memory, "ml.g5.12xlarge 4 192 GB", QUOTE, 2, "ml.g5.12xlarge | 4 | 192 GB"},
        /* the same in other words */
        {"in another order", limit, "By default, after 12 hours a notebook session ends.", MATCHED, 1, "A notebook session ends after **12 hours** by default."},
        {"with words of the heading", limit, "The session limit is set with max_session_hours.", MATCHED, 1, NULL},
        {"a row as a sentence", memory, "The instance ml.g5.12xlarge has 4 GPUs with a memory of 192 GB.", MATCHED, 2, "ml.g5.12xlarge | 4 | 192 GB"},
        {"what is denied is denied", limit, "The sessions that guests have cannot be extended.", MATCHED, 1, "Sessions of guests cannot be extended."},
        {"a limit is no denial", limit, "With max_session_hours the limit is set, which must not exceed 48.", MATCHED, 1, NULL},
        /* nothing */
        {"another subject", limit, "Cats sleep all day long in warm places.", NONE, 0, NULL},
        {"a part of a number", clusters, "The archive is kept for twenty months.", NONE, 0, NULL},
        {"the other part of it", clusters, "The archive is kept for four months.", NONE, 0, NULL},
        {"another number as a word", clusters, "A cluster has up to fifty nodes.", NONE, 0, NULL},
        {"a hundred of two hundred", clusters, "Each queue holds a hundred jobs.", NONE, 0, NULL},
        {"hundreds are no hundred", clusters, "Each queue holds hundreds of jobs, and 100.", NONE, 0, NULL},
        {"another number", limit, "A notebook session ends after 13 hours by default.", NONE, 0, NULL},
        {"a number of another sentence", limit, "A notebook session ends after 48 hours by default.", NONE, 0, NULL},
        {"a number of another row", memory, "The instance ml.g4dn.xlarge has 4 GPUs with a memory of 192 GB.", NONE, 0, NULL},
        {"another identifier", limit, "The limit is set with `max_session_minutes` and must not exceed 48.", NONE, 0, NULL},
        {"an identifier of another row", memory, "ml.g5.24xlarge has 4 GPUs with a memory of 192 GB.", NONE, 0, NULL},
        {"what is denied is affirmed", limit, "Sessions of guests can be extended.", NONE, 0, NULL},
        {"a quote that lacks its not", deleting, "Delete the bucket while jobs run.", NONE, 0, NULL},
        {"the whole of it", deleting, "Do not delete the bucket while jobs run.", QUOTE, 3, "Do not delete the bucket while jobs run."},
        {"the sentence behind a not", deleting, "Keep the archive of all logs.", QUOTE, 3, "Keep the archive of all logs."},
        {"what is affirmed is denied", memory, "Available instances are not listed below.", NONE, 0, NULL},
        {"what the document says elsewhere", limit, "This stands in the document and in no passage of it.", NONE, 0, NULL},
        {"the question itself", limit, "A session does end.", NONE, 0, NULL},
        /* what a sentence may not change, and its twin that changes nothing */
        {"a command", keys, "On the server run `keytool  rotate` to rotate the keys.", MATCHED, 5, NULL},
        {"a command and another", keys, "On the server run `keytool rotate; rm -rf /` to rotate the keys.", NONE, 0, NULL},
        {"another command of the same program", keys, "On the server run `keytool delete` to rotate the keys.", NONE, 0, NULL},
        {"a command with another option", keys, "On the server run `keytool rotate --force` to rotate the keys.", NONE, 0, NULL},
        {"a command as somebody else", keys, "To rotate the keys run `sudo keytool rotate` on the server.", NONE, 0, NULL},
        {"a command that is to be avoided", keys, "To rotate the keys avoid `keytool rotate` on the server.", NONE, 0, NULL},
        {"an amount in another unit", keys, "The old key stays valid for 30 minutes.", NONE, 0, NULL},
        {"an amount with its unit", keys, "For 30 days the old key stays valid.", MATCHED, 5, NULL},
        {"a number of other things", clusters, "A cluster has up to 40 jobs in each queue.", NONE, 0, NULL},
        {"a number of the same things", clusters, "Up to 40 nodes are what a cluster has.", MATCHED, 4, NULL},
        {"a number without its things", clusters, "The quota of requests of a tenant is 1000.", MATCHED, 4, NULL},
        {"an amount with a sign", keys, "The old key stays valid for -30 days.", NONE, 0, NULL},
        {"a word with a denying prefix", keys, "For 30 days the old key stays invalid.", NONE, 0, NULL},
        {"a word that lost its opposite", keys, "It is unsafe to rotate them twice.", NONE, 0, NULL},
        {"the opposite of a word", keys, "For 30 days the new key stays valid.", NONE, 0, NULL},
        {"a deed that nothing speaks of", keys, "To rotate the keys run `keytool rotate` on the server and delete the old key.", NONE, 0, NULL},
        {"a deed that it speaks of", deleting, "All user profiles that belong to it are what you remove.", MATCHED, 3, NULL},
        {"a question", limit, "Does a notebook session end after 12 hours by default?", NONE, 0, NULL},
        {"function words", limit, "It is what it is, and so on.", NONE, 0, NULL},
        {"a single word", limit, "Sessions.", NONE, 0, NULL},
        {"marks", limit, "...", NONE, 0, NULL},
        {"nothing", limit, "", NONE, 0, NULL},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct answer_support s = check(f, rows[i].question, rows[i].sentence);
        if (s.support != rows[i].support || (s.n == 0) != (s.support == QA_SUPPORT_NONE))
            fail_msg("%s: support %d with %zu citations, not %d", rows[i].what, s.support, s.n, rows[i].support);
        for (size_t k = 0; k < s.n; k++) {
            const struct answer_citation *c = &s.cited[k];
            const struct index_passage *p = &f->hits[c->rank - 1].passage;
            if (c->rank != rows[i].rank || c->start < p->start || c->end > p->end || c->quote_len != c->end - c->start ||
                memcmp(f->bytes + c->start, c->quote, c->quote_len) != 0 || !strstr(p->map.plain, c->quote_plain))
                fail_msg("%s: cites [%zu] %s", rows[i].what, c->rank, c->quote);
        }
        if (rows[i].quote && strcmp(s.cited[0].quote, rows[i].quote) != 0)
            fail_msg("%s: cites %s, not %s", rows[i].what, s.cited[0].quote, rows[i].quote);
    }
}

/* A sentence made of two of a passage cites both. */
static void test_several_citations(void **state) {
    struct answer_support s = check(*state, limit, "By default a notebook session ends after 12 hours; sessions of guests cannot be extended.");
    assert_int_equal(s.support, QA_SUPPORT_MATCHED);
    assert_int_equal(s.n, 2);
    assert_true(s.cited[0].start != s.cited[1].start);
}

static void test_waiting(void **state) {
    static const struct {
        const char *question, *sentence;
        bool waits, yes, no, negated;
    } rows[] = {
        {extending, "No.", true, false, true, true},
        {extending, "Yes!", true, true, false, false},
        {extending, "No, sessions of guests cannot be extended.", false, false, true, true},
        {extending, "Nothing.", false, false, false, false},
        {limit, "Yes.", false, true, false, false}, /* nobody asked */
        {deleting, "Do this:", true, false, false, false},
        {deleting, "Don\xE2\x80\x99t do this:", true, false, false, true},
        {deleting, "Open the console", false, false, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct answer_support s = check(*state, rows[i].question, rows[i].sentence);
        if (s.waits != rows[i].waits || s.yes != rows[i].yes || s.no != rows[i].no || s.negated != rows[i].negated)
            fail_msg("%s: waits %d yes %d no %d negated %d", rows[i].sentence, s.waits, s.yes, s.no, s.negated);
    }
}

/* Texts that are meant to be bad: nothing is supported, nothing takes long. */
static void test_hostile(void **state) {
    static char text[60000];
    struct fixture *f = *state;
    memset(text, 'a', sizeof text - 1);
    assert_int_equal(check(f, limit, text).support, QA_SUPPORT_NONE);
    for (size_t i = 0; i + 1 < sizeof text; i++)
        text[i] = i % 2 ? ' ' : (char)('0' + i / 2 % 10);
    assert_int_equal(check(f, limit, text).support, QA_SUPPORT_NONE);
    for (size_t i = 0; i + 8 < sizeof text; i += 8)
        memcpy(text + i, "session ", 8);
    check(f, limit, text);
    size_t quote = (size_t)sprintf(text, "A notebook session ends after 12 hours by default"); /* and more than is looked at */
    for (size_t i = quote; i + 9 < sizeof text; i += 9)
        memcpy(text + i, " session ", 9);
    assert_int_equal(check(f, limit, text).support, QA_SUPPORT_NONE);
    memset(text, '[', sizeof text - 1);
    assert_int_equal(check(f, limit, text).support, QA_SUPPORT_NONE);
    assert_int_equal(check(f, limit, "\xEF\xBF\xBD\xEF\xBF\xBD \xEF\xBF\xBD").support, QA_SUPPORT_NONE);
}

/* Nothing was found: nothing is supported. */
static void test_no_passages(void **state) {
    struct fixture *f = *state;
    f->found.n_hits = 0;
    assert_int_equal(check(f, limit, "A notebook session ends after 12 hours by default.").support, QA_SUPPORT_NONE);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(test_support), TEST(test_several_citations), TEST(test_waiting), TEST(test_hostile), TEST(test_no_passages)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
