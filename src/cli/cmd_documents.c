/* What is in the index: list, show. */
#include "cli/show_json.h"
#include <string.h>

/* ---- list ---- */

static void print_list(FILE *to, const char *json) {
    json_t *root = NULL;
    if (json_parse(json, strlen(json), &root, NULL) != QA_OK)
        return;
    size_t i;
    json_t *d;
    json_array_foreach(json_object_get(root, "documents"), i, d) {
        cli_print_line(to, cli_text_of(d, "source"));
        fputc(':', to);
        cli_print_line(to, cli_text_of(d, "path"));
        fprintf(to, "  %s", cli_dim());
        cli_print_line(to, cli_text_of(d, "title"));
        fputs("  ", to);
        cli_print_counted(to, cli_number_of(d, "bytes"), "byte");
        fputs(", ", to);
        cli_print_counted(to, cli_number_of(d, "chunks"), "chunk");
        fprintf(to, "%s\n", cli_plain());
    }
    json_decref(root);
}

static const struct cli_option list_options[] = {
    {"source", 's', "NAME", "only this source"},
    {NULL, 0, NULL, NULL},
};

static int run_list(struct cli *c) {
    qa *q = NULL;
    qa_error err = {0};
    char *json = NULL;
    int status = cli_open(c, false, &q);
    if (status == 0) {
        qa_status s = qa_documents_list(q, cli_value(c, "source"), c->n_arguments ? c->arguments[0] : NULL, &json, &err);
        status = cli_show_json(c, s, json, &err, print_list);
    }
    qa_close(q);
    return status;
}

const struct cli_command cmd_list = {
    .name = "list",
    .arguments = "[PREFIX]",
    .summary = "List the documents in the index.",
    .options = list_options,
    .example = "  quaere list api/",
    .max_arguments = 1,
    .run = run_list,
};

/* ---- show ---- */

static void print_document(FILE *to, const char *json) {
    json_t *root = NULL;
    if (json_parse(json, strlen(json), &root, NULL) != QA_OK)
        return;
    fprintf(to, "%s", cli_bold());
    cli_print_line(to, cli_text_of(root, "title"));
    fprintf(to, "%s\n%s", cli_plain(), cli_dim());
    cli_print_line(to, cli_text_of(root, "source"));
    fputc(':', to);
    cli_print_line(to, cli_text_of(root, "path"));
    fputs("  ", to);
    cli_print_counted(to, cli_number_of(root, "bytes"), "byte");
    fprintf(to, "%s\n", cli_plain());
    size_t i, k;
    json_t *chunk, *heading;
    json_array_foreach(json_object_get(root, "chunks"), i, chunk) {
        fprintf(to, "\n%s%s  bytes %llu-%llu", cli_dim(), cli_text_of(chunk, "chunk"), cli_number_of(chunk, "start"), cli_number_of(chunk, "end"));
        json_array_foreach(json_object_get(chunk, "heading"), k, heading) {
            fputs(k ? " > " : "  ", to);
            cli_print_line(to, json_string_value(heading));
        }
        fprintf(to, "%s\n", cli_plain());
        cli_print_text(to, cli_text_of(chunk, "plain"), 0, cli_width());
    }
    json_decref(root);
}

static int run_show(struct cli *c) {
    qa *q = NULL;
    qa_error err = {0};
    char *json = NULL;
    int status = cli_open(c, false, &q);
    if (status == 0) {
        qa_status s = qa_document_get(q, c->arguments[0], &json, &err);
        status = cli_show_json(c, s, json, &err, print_document);
    }
    qa_close(q);
    return status;
}

const struct cli_command cmd_show = {
    .name = "show",
    .arguments = "DOCUMENT",
    .summary = "Show a document as it is indexed, chunk by chunk.",
    .details = "DOCUMENT is a path within its source, or SOURCE:PATH when several sources have it.",
    .example = "  quaere show guide:spot.md",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run_show,
};
