/* What is in the index: list, show, index info and check, conversations. */
#include "base/json.h"
#include "cli/cli.h"
#include <stdlib.h>
#include <string.h>

char *cli_json_member(const char *json, const char *name) {
    json_t *root = NULL;
    if (json_parse(json, strlen(json), &root, NULL) != QA_OK)
        return NULL;
    const char *value = json_get_string(root, name);
    char *copy = value ? strdup(value) : NULL;
    json_decref(root);
    return copy;
}

static const char *text_of(const json_t *object, const char *key) {
    const char *s = json_get_string(object, key);
    return s ? s : "";
}
static unsigned long long number_of(const json_t *object, const char *key) {
    return (unsigned long long)json_integer_value(json_object_get(object, key));
}

/* 1 chunk, 1,284 chunks */
static void print_counted(FILE *to, unsigned long long n, const char *what) {
    cli_print_count(to, n);
    fprintf(to, " %s%s", what, n == 1 ? "" : "s");
}

/* Runs a call that yields JSON; prints it, or hands it to `human`. */
static int show_json(struct cli *c, qa_status status, char *json, const qa_error *err, void (*human)(FILE *to, const char *json)) {
    if (status != QA_OK)
        return cli_fail(c, err);
    if (c->json)
        puts(json);
    else
        human(stdout, json);
    qa_text_free(json);
    return 0;
}

/* ---- list ---- */

static void print_list(FILE *to, const char *json) {
    json_t *root = NULL;
    if (json_parse(json, strlen(json), &root, NULL) != QA_OK)
        return;
    size_t i;
    json_t *d;
    json_array_foreach(json_object_get(root, "documents"), i, d) {
        cli_print_line(to, text_of(d, "source"));
        fputc(':', to);
        cli_print_line(to, text_of(d, "path"));
        fprintf(to, "  %s", cli_dim());
        cli_print_line(to, text_of(d, "title"));
        fputs("  ", to);
        print_counted(to, number_of(d, "bytes"), "byte");
        fputs(", ", to);
        print_counted(to, number_of(d, "chunks"), "chunk");
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
        status = show_json(c, s, json, &err, print_list);
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
    cli_print_line(to, text_of(root, "title"));
    fprintf(to, "%s\n%s", cli_plain(), cli_dim());
    cli_print_line(to, text_of(root, "source"));
    fputc(':', to);
    cli_print_line(to, text_of(root, "path"));
    fputs("  ", to);
    print_counted(to, number_of(root, "bytes"), "byte");
    fprintf(to, "%s\n", cli_plain());
    size_t i, k;
    json_t *chunk, *heading;
    json_array_foreach(json_object_get(root, "chunks"), i, chunk) {
        fprintf(to, "\n%s%s  bytes %llu-%llu", cli_dim(), text_of(chunk, "chunk"), number_of(chunk, "start"), number_of(chunk, "end"));
        json_array_foreach(json_object_get(chunk, "heading"), k, heading) {
            fputs(k ? " > " : "  ", to);
            cli_print_line(to, json_string_value(heading));
        }
        fprintf(to, "%s\n", cli_plain());
        cli_print_text(to, text_of(chunk, "plain"), 0, cli_width());
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
        status = show_json(c, s, json, &err, print_document);
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

/* ---- index ---- */

static void print_info(FILE *to, const char *json) {
    json_t *root = NULL;
    if (json_parse(json, strlen(json), &root, NULL) != QA_OK)
        return;
    fprintf(to, "%s", cli_bold());
    cli_print_line(to, text_of(root, "path"));
    fprintf(to, "%s\n", cli_plain());
    print_counted(to, number_of(root, "documents"), "document");
    fputs(" in ", to);
    print_counted(to, number_of(root, "chunks"), "chunk");
    if (number_of(root, "failed"))
        fprintf(to, ", %llu failed", number_of(root, "failed"));
    if (number_of(root, "restricted"))
        fprintf(to, ", %llu with an access rule", number_of(root, "restricted"));
    fputs("\nfile: ", to);
    print_counted(to, number_of(root, "file_bytes") + number_of(root, "wal_bytes"), "byte");
    fprintf(to, ", format %llu, made by quaere ", number_of(root, "format"));
    cli_print_line(to, text_of(root, "created_by"));
    fputc('\n', to);
    size_t i;
    json_t *source;
    json_array_foreach(json_object_get(root, "sources"), i, source) {
        fputs("source ", to);
        cli_print_line(to, text_of(source, "name"));
        fputs(": ", to);
        print_counted(to, number_of(source, "documents"), "document");
        fputs(", ", to);
        print_counted(to, number_of(source, "bytes"), "byte");
        if (number_of(source, "failed"))
            fprintf(to, ", %llu failed", number_of(source, "failed"));
        fprintf(to, "  %s", cli_dim());
        cli_print_line(to, text_of(source, "root"));
        fprintf(to, "%s\n", cli_plain());
    }
    json_decref(root);
}

static int run_index(struct cli *c) {
    qa *q = NULL;
    qa_error err = {0};
    char *json = NULL;
    const char *what = c->arguments[0];
    if (strcmp(what, "info") != 0 && strcmp(what, "check") != 0)
        return cli_usage_error(c, "there is 'index info' and 'index check', not 'index %s'", what);
    int status = cli_open(c, false, &q);
    if (status == 0 && strcmp(what, "info") == 0) {
        qa_status s = qa_index_info(q, &json, &err);
        status = show_json(c, s, json, &err, print_info);
    } else if (status == 0) {
        status = qa_index_check(q, &err) == QA_OK ? 0 : cli_fail(c, &err);
        if (status == 0)
            puts(c->json ? "{\"ok\": true}" : "The index is sound.");
    }
    qa_close(q);
    return status;
}

const struct cli_command cmd_index = {
    .name = "index",
    .arguments = "info|check",
    .summary = "Tell about the index, or verify all of it.",
    .details = "info: what it holds and with what it was made. check: reads everything and compares it: pages, postings, texts, hashes.",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run_index,
};

/* ---- conversations ---- */

void cli_print_conversations(FILE *to, const char *json) {
    json_t *root = NULL;
    if (json_parse(json, strlen(json), &root, NULL) != QA_OK)
        return;
    const json_t *all = json_object_get(root, "conversations");
    size_t i;
    json_t *v;
    json_array_foreach(all, i, v) {
        cli_print_line(to, text_of(v, "id"));
        fprintf(to, "  %s%s, %llu %s%s  ", cli_dim(), text_of(v, "updated"), number_of(v, "turns"),
                number_of(v, "turns") == 1 ? "turn" : "turns", cli_plain());
        cli_print_line(to, text_of(v, "title"));
        fputc('\n', to);
    }
    if (!json_array_size(all))
        fputs("There are no conversations yet.\n", to);
    json_decref(root);
}

void cli_print_conversation(FILE *to, const char *json) {
    json_t *root = NULL;
    if (json_parse(json, strlen(json), &root, NULL) != QA_OK)
        return;
    size_t i;
    json_t *turn;
    json_array_foreach(json_object_get(root, "turns"), i, turn) {
        fprintf(to, "%s> ", cli_bold());
        cli_print_line(to, text_of(turn, "question"));
        fprintf(to, "%s\n", cli_plain());
        cli_print_text(to, text_of(turn, "answer"), 0, cli_width());
        fputc('\n', to);
    }
    json_decref(root);
}

static int run_conversations(struct cli *c) {
    qa *q = NULL;
    qa_error err = {0};
    char *json = NULL;
    const char *what = c->n_arguments ? c->arguments[0] : "list";
    const char *id = c->n_arguments > 1 ? c->arguments[1] : NULL;
    bool listing = strcmp(what, "list") == 0, showing = strcmp(what, "show") == 0;
    if (!listing && !showing && strcmp(what, "delete") != 0)
        return cli_usage_error(c, "there is list, show ID and delete ID, not '%s'", what);
    if (listing ? id != NULL : id == NULL)
        return cli_usage_error(c, listing ? "list takes no id" : "%s wants the id of a conversation; 'quaere conversations' lists them", what);
    int status = cli_open(c, false, &q);
    if (status == 0 && listing) {
        qa_status s = qa_conversations_list(q, 0, &json, &err);
        status = show_json(c, s, json, &err, cli_print_conversations);
    } else if (status == 0 && showing) {
        qa_status s = qa_conversation_get(q, id, &json, &err);
        status = show_json(c, s, json, &err, cli_print_conversation);
    } else if (status == 0) {
        status = qa_conversation_delete(q, id, NULL, &err) == QA_OK ? 0 : cli_fail(c, &err);
        if (status == 0)
            puts(c->json ? "{\"deleted\": true}" : "Deleted.");
    }
    qa_close(q);
    return status;
}

const struct cli_command cmd_conversations = {
    .name = "conversations",
    .arguments = "[list | show ID | delete ID]",
    .summary = "List, show or delete what was said.",
    .details = "ID may be 'last' for the newest one.",
    .max_arguments = 2,
    .run = run_conversations,
};
