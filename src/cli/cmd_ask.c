#include "cli/cli.h"
#include <string.h>

static const struct cli_option options[] = {
    {"conversation", 'c', "ID", "go on with this conversation; 'last' is the newest"},
    {"extractive", 0, NULL, "answer with sentences of the documents, without a language model (this version always does)"},
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

void cli_print_answer(FILE *to, const qa_answer *answer, bool sources) {
    size_t width = cli_width();
    cli_print_text(to, qa_answer_text(answer), 0, width);
    if (qa_answer_refused(answer)) {
        fputs("Why: ", to);
        cli_print_text(to, qa_answer_reason(answer), 0, width - 5);
        if (qa_answer_source_count(answer))
            fputs("The closest passages:\n", to);
        for (size_t i = 0; i < qa_answer_source_count(answer) && i < 3; i++) {
            const qa_hit *h = qa_answer_source(answer, i);
            fputs("  - ", to);
            cli_print_line(to, h->n_heading ? h->heading[h->n_heading - 1] : h->title);
            fprintf(to, " %s(", cli_dim());
            cli_print_line(to, h->document);
            fprintf(to, ")%s\n", cli_plain());
        }
        return;
    }
    if (!sources)
        return;
    for (size_t i = 0; i < qa_answer_citation_count(answer); i++) {
        const qa_citation *cite = qa_answer_citation(answer, i);
        if (i == 0 || qa_answer_citation(answer, i - 1)->n != cite->n)
            print_cited(to, cite);
        cli_print_text(to, cite->quote_plain, 4, width);
        fprintf(to, "    %sbytes %llu-%llu%s\n", cli_dim(), (unsigned long long)cite->start, (unsigned long long)cite->end, cli_plain());
    }
}

static void print_next(const qa_answer *answer) {
    printf("\n%s%.0f ms; go on with: quaere ask -c ", cli_dim(), qa_answer_total_ms(answer));
    cli_print_line(stdout, qa_answer_conversation(answer));
    printf(" \"...\"%s\n", cli_plain());
}

static int run(struct cli *c) {
    qa *q = NULL;
    qa_answer *answer = NULL;
    qa_error err = {0};
    struct cli_scope scope;
    qa_question question = {.text = c->arguments[0], .conversation = cli_value(c, "conversation"), .forget = cli_has(c, "forget")};
    long k = 5;
    if (!cli_number(c, "count", 1, 100, &k))
        return 2;
    question.k = (size_t)k;
    int status = cli_read_scope(c, &question, &scope);
    if (status == 0)
        status = cli_open(c, false, &q);
    if (status == 0 && qa_ask(q, &question, &answer, &err) != QA_OK)
        status = cli_fail(c, &err);
    if (status == 0) {
        if (c->json) {
            const char *json = qa_answer_json(answer);
            if (json)
                puts(json);
            else
                status = cli_no_memory(c);
        } else {
            cli_print_answer(stdout, answer, true);
            if (!c->quiet && qa_answer_conversation(answer))
                print_next(answer);
        }
        if (qa_answer_warning(answer) && !c->quiet)
            cli_print_text(stderr, qa_answer_warning(answer), 0, 0);
        if (status == 0)
            status = qa_answer_refused(answer) ? 3 : 0;
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
    .details = "The answer is made of sentences that stand in the documents, each with its source, the exact words and their place.\n"
               "When the documents do not answer, it says so (exit status 3) and shows what comes closest.",
    .example = "  quaere ask 'how long is a presigned URL valid?'\n  quaere ask -c last 'and for GPU instances?'",
    .options = options,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
