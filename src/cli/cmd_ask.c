#include "base/json.h"
#include "cli/cli.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cli_option options[] = {
    {"conversation", 'c', "ID", "go on with this conversation; 'last' is the newest"},
    {"extractive", 0, NULL, "answer with sentences of the documents, without a language model"},
    CLI_GENERATOR_OPTION,
    {"stream", 0, NULL, "sources first, then each sentence when it has been checked (on a terminal always); with --json one event a line"},
    {"raw", 0, NULL, "with --stream --json: also what the model writes, unchecked, as events named token"},
    {"count", 'k', "N", "passages to answer from (default 5)"},
    CLI_SCOPE_OPTIONS,
    {"forget", 0, NULL, "keep nothing of this question"},
    {NULL, 0, NULL, NULL},
};

/* The passage behind the quotes that follow. */
static void print_cited(FILE *to, const qa_citation *cite) {
    fprintf(to, "\n[%zu] %s", cite->n, cli_bold());
    for (size_t h = 0; h < cite->n_heading; h++) {
        cli_print_line(to, cite->heading[h]);
        fputs(h + 1 < cite->n_heading ? " > " : "", to);
    }
    fprintf(to, "%s%s%s", cite->n_heading ? "  " : "", cli_plain(), cli_dim());
    cli_print_line(to, cite->url ? cite->url : cite->document);
    fprintf(to, "%s\n", cli_plain());
}

const char *cli_source_title(const qa_hit *h) { return h->n_heading ? h->heading[h->n_heading - 1] : h->title; }

void cli_print_below(FILE *to, const qa_answer *answer) {
    size_t width = cli_width();
    if (qa_answer_stopped(answer))
        fputs("(stopped)\n", to);
    if (qa_answer_refused(answer)) {
        fputs("Why: ", to);
        cli_print_text(to, qa_answer_reason(answer), 0, width - 5);
        if (qa_answer_source_count(answer))
            fputs("The closest passages:\n", to);
        for (size_t i = 0; i < qa_answer_source_count(answer) && i < 3; i++) {
            const qa_hit *h = qa_answer_source(answer, i);
            fputs("  - ", to);
            cli_print_line(to, cli_source_title(h));
            fprintf(to, " %s(", cli_dim());
            cli_print_line(to, h->document);
            fprintf(to, ")%s\n", cli_plain());
        }
        return;
    }
    for (size_t i = 0; i < qa_answer_citation_count(answer); i++) {
        const qa_citation *cite = qa_answer_citation(answer, i);
        if (i == 0 || qa_answer_citation(answer, i - 1)->n != cite->n)
            print_cited(to, cite);
        cli_print_text(to, cite->quote_plain, 4, width);
        fprintf(to, "    %sbytes %llu-%llu%s\n", cli_dim(), (unsigned long long)cite->start, (unsigned long long)cite->end, cli_plain());
    }
}

void cli_print_answer(FILE *to, const qa_answer *answer) {
    cli_print_text(to, qa_answer_text(answer), 0, cli_width());
    cli_print_below(to, answer);
}

void cli_print_sources(FILE *to, const qa_hits *hits) {
    for (size_t i = 0; i < qa_hits_count(hits); i++) {
        const qa_hit *h = qa_hits_get(hits, i);
        fprintf(to, "%s[%zu] ", cli_dim(), h->rank);
        cli_print_line(to, cli_source_title(h));
        fputs("  ", to);
        cli_print_line(to, h->url ? h->url : h->document);
        fprintf(to, "%s\n", cli_plain());
    }
    fputc('\n', to);
    fflush(to);
}

/* ---- Streams ---- */

struct stream {
    struct cli_flow flow;
    bool any;
};

void cli_show_sources(qa_hits *hits, void *user) {
    (void)user;
    if (qa_hits_evidence(hits) != QA_EVIDENCE_NONE)
        cli_print_sources(stdout, hits);
}

static void show_sentence(const char *text, const qa_sentence *sentence, void *user) {
    struct stream *s = user;
    (void)sentence;
    cli_clear_wait();
    s->any = true;
    cli_flow_text(&s->flow, text);
}

/* One line: {"event": NAME, "data": VALUE}. Takes the value. */
static void print_event(const char *name, json_t *data) {
    bool ok = true;
    json_t *line = json_object();
    json_put(line, "event", json_string(name), &ok);
    json_put(line, "data", data, &ok);
    char *text = ok ? json_write(line, 0) : NULL;
    puts(text ? text : "{\"event\":\"error\",\"data\":{\"error\":{\"code\":\"no_memory\",\"message\":\"out of memory\"}}}");
    fflush(stdout);
    free(text);
    json_decref(line);
}

static json_t *parsed(const char *text) {
    json_t *value = NULL;
    return text && json_parse(text, strlen(text), &value, NULL) == QA_OK ? value : NULL;
}

static void tell_sources(qa_hits *hits, void *user) {
    (void)user;
    print_event("sources", parsed(qa_hits_json(hits)));
}

static void tell_sentence(const char *text, const qa_sentence *sentence, void *user) {
    static const char *const names[] = {"none", "matched", "quote"};
    bool ok = true;
    json_t *data = json_object(), *numbers = json_array();
    (void)user;
    for (size_t i = 0; i < sentence->n_citations; i++)
        json_add(numbers, json_integer((json_int_t)sentence->citations[i]), &ok);
    json_put(data, "text", json_text0(text), &ok);
    json_put(data, "support", json_string(names[sentence->support]), &ok);
    json_put(data, "citations", numbers, &ok);
    print_event("sentence", data);
}

static void tell_token(const char *text, size_t len, void *user) {
    bool ok = true;
    json_t *data = json_object();
    (void)user;
    json_put(data, "text", json_text(text, len), &ok);
    print_event("token", data);
}

static int fail_in_stream(const struct cli *c, const qa_error *err) {
    bool ok = true;
    json_t *data = json_object(), *inner = json_object();
    json_put(inner, "code", json_string(qa_status_name(err->status)), &ok);
    json_put(inner, "message", json_text0(err->message), &ok);
    json_put(data, "error", inner, &ok);
    print_event("error", data);
    fprintf(stderr, "quaere %s: ", c->command->name);
    cli_print_text(stderr, err->message, 0, 0);
    return qa_status_exit(err->status);
}

/* ---- */

static void print_next(const qa_answer *answer) {
    printf("\n%s%.0f ms; go on with: quaere ask -c ", cli_dim(), qa_answer_total_ms(answer));
    cli_print_line(stdout, qa_answer_conversation(answer));
    printf(" \"...\"%s\n", cli_plain());
}

static int show(const struct cli *c, qa_answer *answer, struct stream *stream, bool streamed) {
    if (c->json && streamed) {
        print_event("done", parsed(qa_answer_json(answer)));
    } else if (c->json) {
        const char *json = qa_answer_json(answer);
        if (!json)
            return cli_no_memory(c);
        puts(json);
    } else {
        if (streamed && stream->any) {
            cli_flow_end(&stream->flow);
            cli_print_below(stdout, answer);
        } else {
            cli_print_answer(stdout, answer);
        }
        if (!c->quiet && qa_answer_conversation(answer))
            print_next(answer);
    }
    if (qa_answer_warning(answer) && !c->quiet)
        cli_print_text(stderr, qa_answer_warning(answer), 0, 0);
    return qa_answer_stopped(answer) ? cli_stopped_status() : qa_answer_refused(answer) ? 3 : 0;
}

static int run(struct cli *c) {
    qa *q = NULL;
    qa_answer *answer = NULL;
    qa_error err = {0};
    struct cli_scope scope;
    bool streamed = cli_has(c, "stream") || (!c->json && isatty(STDOUT_FILENO) == 1), events = streamed && c->json;
    struct stream stream = {.flow = {.to = stdout, .width = cli_width()}};
    qa_stream told = {.user = &stream, .on_sources = events ? tell_sources : cli_show_sources, .on_sentence = events ? tell_sentence : show_sentence,
                      .on_token = events && cli_has(c, "raw") ? tell_token : NULL, .on_wait = events || c->quiet ? NULL : cli_show_wait};
    qa_question question = {.text = c->arguments[0], .conversation = cli_value(c, "conversation"), .forget = cli_has(c, "forget"),
                            .extractive = cli_has(c, "extractive"), .stream = streamed ? &told : NULL};
    long k = 5;
    if (cli_has(c, "raw") && !events)
        return cli_usage_error(c, "--raw goes with --stream --json");
    if (!cli_number(c, "count", 1, 100, &k))
        return 2;
    question.k = (size_t)k;
    int status = cli_read_scope(c, &question, &scope);
    if (status == 0)
        status = cli_open(c, false, &q);
    if (status == 0) {
        cli_on_signal(q);
        qa_status asked = qa_ask(q, &question, &answer, &err);
        cli_clear_wait();
        status = asked == QA_OK ? show(c, answer, &stream, streamed) : asked == QA_CANCELLED ? cli_stopped_status() :
                 events ? fail_in_stream(c, &err) : cli_fail(c, &err);
        cli_on_signal(NULL);
    }
    qa_answer_free(answer);
    qa_close(q);
    cli_release_scope(&scope);
    return status;
}

const struct cli_command cmd_ask = {
    .name = "ask",
    .arguments = "QUESTION",
    .summary = "Answer one question, with citations.",
    .details = "With a language model (quaere model pull) the answer is written, and each of its sentences checked against the documents before it is\n"
               "shown; without one, or with --extractive, it is made of sentences that stand there. Either way every source is named, with the exact\n"
               "words and their place.\n\n"
               "When the documents do not answer, it says so (exit status 3) and shows what comes closest.",
    .example = "  quaere ask 'how long is a presigned URL valid?'\n  quaere ask -c last 'and for GPU instances?'",
    .options = options,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
