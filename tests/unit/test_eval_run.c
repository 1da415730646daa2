// The way from a set to run.jsonl, metrics.json, the page and a comparison, against a system that is written down here.
// wrap: qa_search,qa_hits_free,qa_hits_count,qa_hits_get,qa_ask,qa_answer_free,qa_answer_text,qa_answer_short,qa_answer_refused,qa_answer_reason,qa_answer_citation_count,qa_answer_citation

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/file.h"
#include "eval/eval.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct arena arena = {.ceiling = 64 << 20};
static char folder[256], set_path[300], out_path[300];

/* ---- The system ---- */

static struct {
    struct buf asked;         /* every question as it came in, a line each */
    const char *fail_at;      /* the question that fails */
    bool good;                /* finds a.md first, else b.md */
    const char *refuse;       /* the question that is refused */
} fake;

static void note(const char *verb, const qa_question *q) {
    buf_printf(&fake.asked, "%s %s k=%zu mode=%d forget=%d filter=%s [", verb, q->text, q->k, (int)q->mode, q->forget, q->filter ? q->filter : "-");
    for (size_t i = 0; i < q->n_history; i++)
        buf_printf(&fake.asked, "%s%c:%s", i ? "|" : "", q->history[i].role[0], q->history[i].content);
    buf_puts(&fake.asked, "]\n");
}

static const char *heading[] = {"Top", "<b>Sub</b>"};
static qa_hit hits[3] = {
    {.rank = 1, .document = "docs/a.md", .title = "A", .text = "the quote \xFF stands here", .plain = "the quote stands here <script>", .heading = heading, .n_heading = 2},
    {.rank = 2, .document = "docs/a.md", .title = "A", .text = "again", .plain = "again"},
    {.rank = 3, .document = "docs/b.md", .title = "B", .text = "other", .plain = "other"},
};

qa_status __wrap_qa_search(qa *q, const qa_question *question, qa_hits **out, qa_error *err) {
    note("search", question);
    *out = (qa_hits *)q;
    return fake.fail_at && strcmp(fake.fail_at, question->text) == 0 ? error_set(err, QA_BAD_FILTER, "no") : QA_OK;
}
void __wrap_qa_hits_free(qa_hits *h) { (void)h; }
size_t __wrap_qa_hits_count(const qa_hits *h) {
    (void)h;
    return 3;
}
const qa_hit *__wrap_qa_hits_get(const qa_hits *h, size_t i) {
    (void)h;
    return &hits[fake.good ? i : 2 - i];
}

static bool refused;
static char answer_text[200];
qa_status __wrap_qa_ask(qa *q, const qa_question *question, qa_answer **out, qa_error *err) {
    (void)err;
    note("ask", question);
    refused = fake.refuse && strcmp(fake.refuse, question->text) == 0;
    snprintf(answer_text, sizeof answer_text, refused ? "I do not know." : "Answer to %s: five & <i>more</i> [1].", question->text);
    *out = (qa_answer *)q;
    return QA_OK;
}
void __wrap_qa_answer_free(qa_answer *a) {
    (void)a;
    memset(answer_text, 'x', 10); /* whoever kept a pointer will be seen */
}
const char *__wrap_qa_answer_text(const qa_answer *a) { return a ? answer_text : NULL; }
const char *__wrap_qa_answer_short(const qa_answer *a) { return a && !refused ? "five" : NULL; }
bool __wrap_qa_answer_refused(const qa_answer *a) { return a && refused; }
const char *__wrap_qa_answer_reason(const qa_answer *a) { return a && refused ? "nothing speaks of it" : NULL; }
size_t __wrap_qa_answer_citation_count(const qa_answer *a) { return a && !refused ? 1 : 0; }
const qa_citation *__wrap_qa_answer_citation(const qa_answer *a, size_t i) {
    static const qa_citation one = {.n = 1, .document = "docs/a.md", .quote = "the quote"};
    return a && i == 0 ? &one : NULL;
}

/* ---- Set and folder ---- */

static const char SET[] =
    "{\"id\": \"c1\", \"kind\": \"followup\", \"turns\": ["
    "{\"question\": \"q1\", \"gold_docs\": [\"a.md\"], \"gold_quote\": \"the quote\", \"key_facts\": [[\"five\"], [\"<six>\"]]},"
    "{\"question\": \"q2\", \"gold_docs\": [\"a.md\"], \"standalone\": \"SECRET\"}]}\n"
    "{\"id\": \"c2\", \"kind\": \"filter\", \"question\": \"q3\", \"relevant\": [\"b.md\"], \"answer\": \"GOLD\", \"filter\": {\"path_prefix\": \"d/\"},"
    " \"history\": [{\"role\": \"user\", \"content\": \"h1\"}]}\n"
    "{\"id\": \"c3\", \"kind\": \"unanswerable\", \"question\": \"q4\"}\n";

static void write_file(const char *path, const char *text) {
    assert_int_equal(file_write_atomic(path, text, strlen(text), NULL), QA_OK);
}

static char *read_out(const char *name) {
    char *text = NULL;
    size_t len;
    qa_error err = {0};
    if (file_read(&arena, file_join(&arena, out_path, name), 1 << 24, &text, &len, &err) != QA_OK)
        fail_msg("%s", err.message);
    return text;
}

static int set_up(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/eval_run_XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(set_path, sizeof set_path, "%s/set.jsonl", folder);
    snprintf(out_path, sizeof out_path, "%s/out", folder);
    memset(&fake, 0, sizeof fake);
    buf_init(&fake.asked, 1 << 20);
    fake.good = true;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    static const char *const names[] = {"run.jsonl", "run.jsonl.partial", "metrics.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(file_join(&arena, out_path, names[i]));
    rmdir(out_path);
    unlink(set_path);
    buf_free(&fake.asked);
    arena_free(&arena);
    return rmdir(folder);
}

static qa *const handle = (qa *)&fake;

static void run_set(const char *text, bool answers, struct eval_set *set, struct eval_run *run) {
    struct eval_options options = {.mode = QA_MODE_TEXT, .answers = answers, .out = out_path};
    qa_error err = {0};
    write_file(set_path, text);
    if (eval_load(&arena, set_path, set, &err) != QA_OK || eval_run(handle, set, &options, &arena, run, &err) != QA_OK)
        fail_msg("%s", err.message);
}

/* ---- Running ---- */

static void the_system_sees_questions_alone(void **state) {
    (void)state;
    struct eval_set set;
    struct eval_run run;
    run_set(SET, true, &set, &run);
    assert_string_equal(fake.asked.data,
                        "search q1 k=100 mode=1 forget=1 filter=- []\n"
                        "ask q1 k=0 mode=1 forget=1 filter=- []\n"
                        "search q2 k=100 mode=1 forget=1 filter=- [u:q1|a:Answer to q1: five & <i>more</i> [1].]\n"
                        "ask q2 k=0 mode=1 forget=1 filter=- [u:q1|a:Answer to q1: five & <i>more</i> [1].]\n"
                        "search q3 k=100 mode=1 forget=1 filter=(path^=\"d/\") [u:h1]\n"
                        "ask q3 k=0 mode=1 forget=1 filter=(path^=\"d/\") [u:h1]\n"
                        "search q4 k=100 mode=1 forget=1 filter=- []\n"
                        "ask q4 k=0 mode=1 forget=1 filter=- []\n");
}

static void retrieval_has_a_history_of_questions(void **state) {
    (void)state;
    struct eval_set set;
    struct eval_run run;
    run_set(SET, false, &set, &run);
    assert_non_null(strstr(fake.asked.data, "search q2 k=100 mode=1 forget=1 filter=- [u:q1]\n"));
    assert_null(strstr(fake.asked.data, "ask "));
    assert_null(strstr(read_out("run.jsonl"), "\"refused\""));
    assert_true(isnan(run.results[0].score.values[EVAL_FACTS]));
}

static void run_lines_are_the_contract(void **state) {
    (void)state;
    struct eval_set set;
    struct eval_run run;
    fake.refuse = "q4";
    run_set(SET, true, &set, &run);
    const char *lines = read_out("run.jsonl");
    const char first[] = "{\"id\":\"c1#1\",\"hits\":[{\"doc\":\"docs/a.md\",\"text\":\"the quote \uFFFD stands here\"},{\"doc\":\"docs/a.md\",\"text\":\"again\"},"
                         "{\"doc\":\"docs/b.md\",\"text\":\"other\"}],\"answer\":\"Answer to q1: five & <i>more</i> [1].\",\"short_answer\":\"five\","
                         "\"citations\":[{\"doc\":\"docs/a.md\",\"quote\":\"the quote\"}],\"refused\":false}\n{\"id\":\"c1#2\"";
    assert_memory_equal(lines, first, strlen(first));
    const char last[] = "\"answer\":\"I do not know.\",\"short_answer\":null,\"citations\":[],\"refused\":true}\n";
    assert_string_equal(lines + strlen(lines) - strlen(last), last);
}

static void a_failure_names_the_turn_and_keeps_the_earlier_run(void **state) {
    (void)state;
    struct eval_set set;
    struct eval_run run;
    qa_error err = {0};
    run_set(SET, false, &set, &run);
    const char *before = read_out("run.jsonl");
    fake.fail_at = "q2";
    struct eval_options options = {.out = out_path};
    assert_int_equal(eval_run(handle, &set, &options, &arena, &run, &err), QA_BAD_FILTER);
    assert_string_equal(err.message, "c1#2: no");
    assert_string_equal(read_out("run.jsonl"), before);
    assert_int_equal(access(file_join(&arena, out_path, "run.jsonl.partial"), F_OK), -1);
}

static size_t last_done, last_total;
static void on_turn(void *user, size_t done, size_t total) {
    assert_ptr_equal(user, &fake);
    assert_int_equal(done, last_done + 1);
    last_done = done;
    last_total = total;
}

static void hits_asked_for_and_progress(void **state) {
    (void)state;
    struct eval_set set;
    struct eval_run run;
    write_file(set_path, SET);
    assert_int_equal(eval_load(&arena, set_path, &set, NULL), QA_OK);
    struct eval_options options = {.k = 5000, .on_turn = on_turn, .user = &fake};
    last_done = 0;
    assert_int_equal(eval_run(handle, &set, &options, &arena, &run, NULL), QA_OK);
    assert_int_equal(run.k, 1000);
    assert_int_equal(last_done, 4);
    assert_int_equal(last_total, 4);
    assert_int_equal(access(out_path, F_OK), -1); /* no --out, no folder */
}

/* ---- Summary ---- */

static struct eval_summary summary_of(const struct eval_set *set, const struct eval_run *run) {
    struct eval_summary s;
    assert_int_equal(eval_summarise(set, run, &arena, &s, NULL), QA_OK);
    return s;
}

static void figures_overall_and_by_kind(void **state) {
    (void)state;
    struct eval_set set;
    struct eval_run run;
    fake.refuse = "q4";
    run_set(SET, true, &set, &run);
    struct eval_summary s = summary_of(&set, &run);
    assert_int_equal(s.all.conversations, 3);
    assert_int_equal(s.all.turns, 4);
    assert_int_equal(s.n_kinds, 3);
    assert_string_equal(s.kinds[1].kind, "filter");
    assert_int_equal(s.kinds[0].turns, 2);
    assert_int_equal(s.kinds[0].conversations, 1);
    assert_true(fabs(s.all.values[EVAL_DOC_1].value - 2.0 / 3) < 1e-9); /* q1, q2 of the three answerable */
    assert_int_equal(s.all.values[EVAL_DOC_1].n, 3);
    assert_true(s.kinds[0].values[EVAL_DOC_1].value == 1 && s.kinds[1].values[EVAL_DOC_1].value == 0);
    assert_true(isnan(s.kinds[2].values[EVAL_DOC_1].value));
    assert_true(s.all.values[EVAL_FACTS].value == 0.5);
    assert_true(s.all.values[EVAL_REFUSAL_RECALL].value == 1 && s.all.values[EVAL_FALSE_REFUSALS].value == 0);
    assert_false(isnan(s.all.values[EVAL_DOC_1].interval.low));
    assert_true(isnan(s.kinds[1].values[EVAL_DOC_1].interval.low)); /* a single conversation */
    assert_int_equal(s.all.values[EVAL_LATENCY_P50].n, 4);
}

static void metrics_json(void **state) {
    (void)state;
    struct eval_set set;
    struct eval_run run;
    run_set(SET, false, &set, &run);
    struct eval_summary s = summary_of(&set, &run);
    json_t *root = eval_summary_json(&set, &run, &s), *overall = json_object_get(json_object_get(root, "overall"), "metrics");
    assert_non_null(root);
    assert_string_equal(json_get_string(root, "mode"), "text");
    assert_int_equal(json_object_size(overall), EVAL_METRICS);
    assert_true(json_is_null(json_object_get(json_object_get(overall, "fact_recall"), "value")));
    assert_true(json_real_value(json_object_get(json_object_get(overall, "doc_recall@5"), "value")) == 1);
    assert_int_equal(json_array_size(json_object_get(root, "per_turn")), 4);
    assert_non_null(json_object_get(json_object_get(json_object_get(root, "by_kind"), "unanswerable"), "metrics"));
    json_decref(root);
}

/* ---- Comparison ---- */

static void keep_as_earlier(const struct eval_set *set, const struct eval_run *run) {
    struct eval_summary s = summary_of(set, run);
    json_t *root = eval_summary_json(set, run, &s);
    char *text = json_write(root, 2);
    write_file(file_join(&arena, out_path, "metrics.json"), text);
    free(text);
    json_decref(root);
}

static void differences_and_changed_turns(void **state) {
    (void)state;
    struct eval_set set;
    struct eval_run run;
    struct eval_comparison c;
    fake.good = false;
    fake.refuse = "q1";
    run_set(SET, true, &set, &run);
    keep_as_earlier(&set, &run);
    fake.good = true;
    fake.refuse = "q2";
    run_set(SET, true, &set, &run);
    qa_error err = {0};
    if (eval_compare(out_path, &set, &run, &arena, &c, &err) != QA_OK)
        fail_msg("%s", err.message);
    assert_true(c.same_set);
    assert_int_equal(c.common, 3);
    assert_int_equal(c.only_before + c.only_now, 0);
    assert_true(fabs(c.before[EVAL_DOC_1].value - 1.0 / 3) < 1e-9);
    assert_true(fabs(c.now[EVAL_DOC_1].value - 2.0 / 3) < 1e-9);
    assert_true(fabs(c.difference[EVAL_DOC_1].value - 1.0 / 3) < 1e-9);
    assert_false(isnan(c.difference[EVAL_DOC_1].interval.low));
    assert_int_equal(c.n_changes, 2);
    assert_string_equal(c.changes[0].id, "c1#1");
    assert_string_equal(c.changes[0].what, "fact_recall 0 -> 0.5, citation_recall 0 -> 1, no longer refused");
    assert_int_equal(c.changes[0].direction, 1);
    assert_string_equal(c.changes[1].what, "citation_recall 1 -> 0, now refused");
    assert_int_equal(c.changes[1].direction, -1);
    json_t *json = eval_comparison_json(&c);
    assert_non_null(json);
    assert_string_equal(json_get_string(json_array_get(json_object_get(json, "changes"), 1), "direction"), "worse");
    json_decref(json);
}

/* Ranks of thirds and sixths do not survive six decimals; the comparison must not see that. */
static void a_run_does_not_differ_from_itself(void **state) {
    (void)state;
    struct eval_set set;
    struct eval_run run;
    struct eval_comparison c;
    run_set(SET, true, &set, &run);
    for (size_t i = 0; i < run.n; i++)
        run.results[i].score.values[EVAL_MRR_10] = 1.0 / (3 + (double)i);
    keep_as_earlier(&set, &run);
    assert_int_equal(eval_compare(out_path, &set, &run, &arena, &c, NULL), QA_OK);
    assert_true(c.difference[EVAL_MRR_10].value == 0 && c.difference[EVAL_MRR_10].interval.low == 0 && c.difference[EVAL_MRR_10].interval.high == 0);
    assert_int_equal(c.n_changes, 0);
}

static void only_the_same_questions_are_compared(void **state) {
    (void)state;
    struct eval_set set;
    struct eval_run run;
    struct eval_comparison c;
    run_set(SET, false, &set, &run);
    keep_as_earlier(&set, &run);
    run_set("{\"id\": \"c2\", \"question\": \"q3\", \"relevant\": [\"b.md\"]}\n"
            "{\"id\": \"c3\", \"question\": \"another\", \"relevant\": [\"b.md\"]}\n"
            "{\"id\": \"c1\", \"question\": \"q1\", \"relevant\": [\"b.md\"]}\n", /* has lost a turn */
            false, &set, &run);
    assert_int_equal(eval_compare(out_path, &set, &run, &arena, &c, NULL), QA_OK);
    assert_false(c.same_set);
    assert_int_equal(c.common, 1);
    assert_int_equal(c.only_before, 2);
    assert_int_equal(c.only_now, 2);
}

static void what_is_no_earlier_run_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *text;
        qa_status status;
        const char *message;
    } rows[] = {
        {"{", QA_BAD_INPUT, "not JSON"},
        {"{}", QA_BAD_INPUT, "\"format\" or \"per_turn\" is missing"},
        {"{\"format\": 2, \"per_turn\": []}", QA_BAD_VERSION, "format 2, and this program reads format 1"},
        {"{\"format\": 1, \"per_turn\": [{\"id\": \"x\"}]}", QA_BAD_INPUT, "has no id, conversation or question"},
        {"{\"format\": 1, \"per_turn\": []}", QA_BAD_INPUT, "nothing to compare"},
    };
    struct eval_set set;
    struct eval_run run;
    struct eval_comparison c;
    run_set(SET, false, &set, &run);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        qa_error err = {0};
        write_file(file_join(&arena, out_path, "metrics.json"), rows[i].text);
        assert_int_equal(eval_compare(out_path, &set, &run, &arena, &c, &err), rows[i].status);
        if (!strstr(err.message, rows[i].message) || !strstr(err.message, out_path))
            fail_msg("%s", err.message);
    }
}

/* ---- The page ---- */

static void the_page_shows_failures_escaped(void **state) {
    (void)state;
    struct eval_set set;
    struct eval_run run;
    struct buf html;
    run_set(SET, true, &set, &run);
    struct eval_summary s = summary_of(&set, &run);
    assert_true(eval_failed(&run.results[0]));  /* a fact is missed */
    assert_false(eval_failed(&run.results[1]));
    assert_true(eval_failed(&run.results[2]));  /* the short answer is another */
    assert_true(eval_failed(&run.results[3]));  /* should have been refused */
    buf_init(&html, 1 << 20);
    assert_int_equal(eval_report(&set, &run, &s, NULL, &html, NULL), QA_OK);
    static const char *const there[] = {"Failures: 3 of 4 turns", "<q>&lt;six&gt;</q>", "the quote stands here &lt;script&gt;", "Top &gt; &lt;b&gt;Sub&lt;/b&gt;",
                                        "five &amp; &lt;i&gt;more&lt;/i&gt; [1].", "facts missed", "answered, and should have been refused",
                                        "filter (path^=&quot;d/&quot;)", "docs/a.md (gold)"};
    for (size_t i = 0; i < sizeof there / sizeof *there; i++)
        if (!strstr(html.data, there[i]))
            fail_msg("not on the page: %s", there[i]);
    assert_null(strstr(html.data, "<script"));
    assert_null(strstr(html.data, "<i>"));
    assert_null(strstr(html.data, "SECRET"));
    buf_free(&html);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_system_sees_questions_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(retrieval_has_a_history_of_questions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(run_lines_are_the_contract, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failure_names_the_turn_and_keeps_the_earlier_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hits_asked_for_and_progress, set_up, tear_down),
        cmocka_unit_test_setup_teardown(figures_overall_and_by_kind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(metrics_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(differences_and_changed_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_run_does_not_differ_from_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_the_same_questions_are_compared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_earlier_run_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_page_shows_failures_escaped, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
