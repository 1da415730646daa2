#include "base/utf8.h"
#include "cli/cli.h"
#include <stdlib.h>
#include <string.h>

static const struct cli_option options[] = {
    {"count", 'k', "N", "passages (default 10)"},
    CLI_SCOPE_OPTIONS,
    {"explain", 0, "DOCUMENT", "why this document is not there, or where it is"},
    {"full", 0, NULL, "whole passages, not their first lines"},
    {NULL, 0, NULL, NULL},
};

static void print_hit(const struct cli *c, const qa_hit *h) {
    printf("%s%zu. ", cli_bold(), h->rank);
    if (!h->n_heading || strcmp(h->heading[0], h->title) != 0) {
        cli_print_line(stdout, h->title);
        fputs(h->n_heading ? " > " : "", stdout);
    }
    for (size_t i = 0; i < h->n_heading; i++) {
        cli_print_line(stdout, h->heading[i]);
        fputs(i + 1 < h->n_heading ? " > " : "", stdout);
    }
    printf("%s\n   %s", cli_plain(), cli_dim());
    cli_print_line(stdout, h->source);
    fputc(':', stdout);
    cli_print_line(stdout, h->document);
    printf("  bytes %llu-%llu  score %.2f%s\n", (unsigned long long)h->start, (unsigned long long)h->end, h->score, cli_plain());
    if (cli_has(c, "full")) {
        cli_print_text(stdout, h->plain, 3, cli_width());
    } else {
        char start[321];
        size_t n = strlen(h->plain);
        bool cut = n > 240;
        if (cut)
            for (n = 240; n > 200 && h->plain[n] != ' '; n--) {
            }
        n = utf8_floor(h->plain, n); /* scripts without spaces */
        snprintf(start, sizeof start, "%.*s%s", (int)n, h->plain, cut ? " ..." : "");
        fputs("   ", stdout);
        cli_print_line(stdout, start);
        fputc('\n', stdout);
    }
}

static int explain(struct cli *c, qa *q, const qa_question *question, const char *document) {
    qa_error err = {0};
    char *json = NULL;
    if (qa_explain(q, question, document, &json, &err) != QA_OK)
        return cli_fail(c, &err);
    if (c->json) {
        puts(json);
    } else {
        char *text = cli_json_member(json, "explanation");
        cli_print_text(stdout, text ? text : json, 0, cli_width());
        free(text);
    }
    qa_text_free(json);
    return 0;
}

static int run(struct cli *c) {
    qa *q = NULL;
    qa_hits *hits = NULL;
    qa_error err = {0};
    struct cli_scope scope;
    qa_question question = {.text = c->arguments[0]};
    long k = 10;
    if (!cli_number(c, "count", 1, 1000, &k))
        return 2;
    question.k = (size_t)k;
    int status = cli_read_scope(c, &question, &scope);
    if (status == 0)
        status = cli_open(c, false, &q);
    const char *document = cli_value(c, "explain");
    if (status == 0 && document) {
        status = explain(c, q, &question, document);
    } else if (status == 0) {
        if (qa_search(q, &question, &hits, &err) != QA_OK) {
            status = cli_fail(c, &err);
        } else if (c->json) {
            const char *json = qa_hits_json(hits);
            if (json)
                puts(json);
            else
                status = cli_no_memory(c);
        } else {
            for (size_t i = 0; i < qa_hits_count(hits); i++)
                print_hit(c, qa_hits_get(hits, i));
            if (!qa_hits_count(hits))
                puts("Nothing found: no document in scope holds a word of the question that says what it is about.");
            else if (qa_hits_evidence(hits) == QA_EVIDENCE_NONE)
                puts("These are the closest passages, but they hardly speak of what was asked.");
        }
    }
    if (hits && qa_hits_warning(hits) && !c->quiet)
        cli_print_text(stderr, qa_hits_warning(hits), 0, 0);
    qa_hits_free(hits);
    qa_close(q);
    cli_release_scope(&scope);
    return status;
}

const struct cli_command cmd_search = {
    .name = "search",
    .arguments = "QUESTION",
    .summary = "Find the passages that speak of a question.",
    .details = "Passages come best first. Identifiers are found whole and by their parts.",
    .example = "  quaere search 'default of max_concurrent_jobs'\n  quaere search -k 3 --filter 'path^=api/' --json 'rate limits'\n"
               "  quaere search --explain billing.md 'when is the invoice sent?'",
    .options = options,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
