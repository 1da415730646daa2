#include "cli/show_json.h"
#include <string.h>

void cli_print_conversations(FILE *to, const char *json) {
    json_t *root = NULL;
    if (json_parse(json, strlen(json), &root, NULL) != QA_OK)
        return;
    const json_t *all = json_object_get(root, "conversations");
    size_t i;
    json_t *v;
    json_array_foreach(all, i, v) {
        cli_print_line(to, cli_text_of(v, "id"));
        fprintf(to, "  %s%s, %llu %s%s  ", cli_dim(), cli_text_of(v, "updated"), cli_number_of(v, "turns"),
                cli_number_of(v, "turns") == 1 ? "turn" : "turns", cli_plain());
        cli_print_line(to, cli_text_of(v, "title"));
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
        cli_print_line(to, cli_text_of(turn, "question"));
        fprintf(to, "%s\n", cli_plain());
        cli_print_text(to, cli_text_of(turn, "answer"), 0, cli_width());
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
        status = cli_show_json(c, s, json, &err, cli_print_conversations);
    } else if (status == 0 && showing) {
        qa_status s = qa_conversation_get(q, id, &json, &err);
        status = cli_show_json(c, s, json, &err, cli_print_conversation);
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
