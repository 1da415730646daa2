#include "base/progress.h"
#include "cli/show_json.h"
#include <stdlib.h>
#include <string.h>

static void print_info(FILE *to, const char *json) {
    json_t *root = NULL;
    if (json_parse(json, strlen(json), &root, NULL) != QA_OK)
        return;
    fprintf(to, "%s", cli_bold());
    cli_print_line(to, cli_text_of(root, "path"));
    fprintf(to, "%s\n", cli_plain());
    cli_print_counted(to, cli_number_of(root, "documents"), "document");
    fputs(" in ", to);
    cli_print_counted(to, cli_number_of(root, "chunks"), "chunk");
    if (cli_number_of(root, "failed"))
        fprintf(to, ", %llu failed", cli_number_of(root, "failed"));
    if (cli_number_of(root, "restricted"))
        fprintf(to, ", %llu with an access rule", cli_number_of(root, "restricted"));
    const json_t *vectors = json_object_get(root, "vectors");
    if (cli_number_of(vectors, "dimensions")) {
        fputs("\nvectors: ", to);
        cli_print_count(to, cli_number_of(vectors, "count"));
        fprintf(to, " of ");
        cli_print_line(to, cli_text_of(vectors, "embedder"));
        fprintf(to, " (%llu dimensions)", cli_number_of(vectors, "dimensions"));
        if (cli_number_of(vectors, "pending"))
            fprintf(to, ", %llu pending", cli_number_of(vectors, "pending"));
    }
    fputs("\nfile: ", to);
    cli_print_counted(to, cli_number_of(root, "file_bytes") + cli_number_of(root, "wal_bytes"), "byte");
    fprintf(to, ", format %llu, made by quaere ", cli_number_of(root, "format"));
    cli_print_line(to, cli_text_of(root, "created_by"));
    fputc('\n', to);
    size_t i;
    json_t *source;
    json_array_foreach(json_object_get(root, "sources"), i, source) {
        fputs("source ", to);
        cli_print_line(to, cli_text_of(source, "name"));
        fputs(": ", to);
        cli_print_counted(to, cli_number_of(source, "documents"), "document");
        fputs(", ", to);
        cli_print_counted(to, cli_number_of(source, "bytes"), "byte");
        if (cli_number_of(source, "failed"))
            fprintf(to, ", %llu failed", cli_number_of(source, "failed"));
        fprintf(to, "  %s", cli_dim());
        cli_print_line(to, cli_text_of(source, "root"));
        fprintf(to, "%s\n", cli_plain());
    }
    json_decref(root);
}

/* The counts of 'ingest --json' that mean something here. What is still pending the index itself says. */
static int print_reembedded(const struct cli *c, qa *q, const qa_ingest_report *r, bool was_stopped) {
    qa_error err = {0};
    char *info = NULL, *text = NULL;
    json_t *root = NULL;
    bool ok = true;
    if (qa_index_info(q, &info, &err) != QA_OK || json_parse(info, strlen(info), &root, &err) != QA_OK) {
        qa_text_free(info);
        return cli_fail(c, &err);
    }
    const json_t *vectors = json_object_get(root, "vectors");
    json_t *o = json_object();
    cli_put_count(o, "embedded", r->embedded, &ok);
    cli_put_count(o, "computed", r->computed, &ok);
    cli_put_count(o, "tokens", r->tokens, &ok);
    json_put(o, "embedding_ms", json_round(r->embedding_ms, 1), &ok);
    json_put(o, "has_vectors", json_boolean(cli_number_of(vectors, "dimensions") > 0), &ok);
    cli_put_count(o, "vectors_pending", cli_number_of(vectors, "pending"), &ok);
    json_put(o, "elapsed_ms", json_round(r->elapsed_ms, 1), &ok);
    json_put(o, "stopped", json_boolean(was_stopped), &ok);
    text = ok ? json_write(o, 2) : NULL;
    if (text)
        puts(text);
    free(text);
    json_decref(o);
    json_decref(root);
    qa_text_free(info);
    return text ? 0 : cli_no_memory(c);
}

static int reembed(struct cli *c, qa *q) {
    struct progress progress;
    qa_ingest_report report = {0};
    qa_error err = {0};
    progress_begin(&progress, c->quiet || c->json);
    cli_on_signal(q);
    qa_status status = qa_index_reembed(q, cli_show_embedding, &progress, &report, &err);
    progress_clear(&progress);
    bool was_stopped = status == QA_CANCELLED;
    int exit_status = status == QA_OK ? 0 : was_stopped ? cli_stopped_status() : cli_fail(c, &err);
    if (was_stopped)
        fputs("quaere index: stopped; 'quaere ingest' goes on with the vectors that are missing\n", stderr);
    cli_on_signal(NULL);
    if (c->json && (status == QA_OK || was_stopped)) {
        int printed = print_reembedded(c, q, &report, was_stopped);
        return printed != 0 ? printed : exit_status;
    }
    if (status == QA_OK) {
        cli_print_counted(stdout, report.embedded, "chunk");
        printf(" got a vector in %.1f s", report.elapsed_ms / 1000);
        cli_print_rate(stdout, &report);
        puts(".");
    }
    return exit_status;
}

static const struct cli_option index_options[] = {
    {"embedder", 0, "MODEL", "for reembed: a name of 'quaere model list' or a GGUF file"},
    {NULL, 0, NULL, NULL},
};

static int run_index(struct cli *c) {
    qa *q = NULL;
    qa_error err = {0};
    char *json = NULL;
    const char *what = c->arguments[0];
    bool info = strcmp(what, "info") == 0, check = strcmp(what, "check") == 0;
    if (!info && !check && strcmp(what, "reembed") != 0)
        return cli_usage_error(c, "there is 'index info', 'index check' and 'index reembed', not 'index %s'", what);
    int status = cli_open(c, false, &q);
    if (status == 0 && info) {
        qa_status s = qa_index_info(q, &json, &err);
        status = cli_show_json(c, s, json, &err, print_info);
    } else if (status == 0 && check) {
        status = qa_index_check(q, &err) == QA_OK ? 0 : cli_fail(c, &err);
        if (status == 0)
            puts(c->json ? "{\"ok\": true}" : "The index is sound.");
    } else if (status == 0) {
        status = reembed(c, q);
    }
    qa_close(q);
    return status;
}

const struct cli_command cmd_index = {
    .name = "index",
    .arguments = "info|check|reembed",
    .summary = "Tell about the index, verify all of it, or make its vectors anew.",
    .details = "info: what it holds and with what it was made. check: reads everything and compares it: pages, postings, texts, vectors, hashes.\n"
               "reembed: forgets all vectors and makes them with the embedder of the configuration; until it is done, words alone are searched.\n"
               "With --json it tells embedded, computed, has_vectors and vectors_pending, as 'quaere ingest' does.",
    .options = index_options,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run_index,
};
