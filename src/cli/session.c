/* What commands share around the library: opening, errors, signals, the scope of a question. */
#include "base/json.h"
#include "cli/cli.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static qa *volatile signalled; /* one command, one handle */
static volatile sig_atomic_t stopped;

static void on_signal(int number) {
    stopped = number;
    if (signalled)
        qa_cancel(signalled);
}

void cli_on_signal(qa *q) {
    struct sigaction act = {.sa_handler = q ? on_signal : SIG_DFL};
    sigemptyset(&act.sa_mask);
    if (q) {
        act.sa_flags = SA_RESETHAND; /* the second Ctrl-C ends at once */
        signalled = q;
    }
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    if (!q)
        signalled = NULL;
    stopped = 0;
}
int cli_stopped(void) { return stopped; }
int cli_stopped_status(void) { return stopped == SIGTERM ? 0 : 130; }

void cli_print_error_json(const struct cli *c, const qa_error *err) {
    bool ok = true;
    if (!c->json)
        return;
    json_t *root = json_object(), *inner = json_object();
    json_put(inner, "code", json_string(qa_status_name(err->status)), &ok);
    json_put(inner, "message", json_text0(err->message), &ok);
    json_put(root, "error", inner, &ok);
    char *text = ok ? json_write(root, 2) : NULL;
    puts(text ? text : "{\"error\": {\"code\": \"no_memory\", \"message\": \"out of memory\"}}");
    free(text);
    json_decref(root);
}

int cli_no_memory(const struct cli *c) {
    const qa_error err = {.status = QA_NO_MEMORY, .message = "out of memory"};
    return cli_fail(c, &err);
}

int cli_fail(const struct cli *c, const qa_error *err) {
    cli_print_error_json(c, err);
    fprintf(stderr, "quaere %s: ", c->command->name);
    cli_print_text(stderr, *err->message ? err->message : qa_status_name(err->status), 0, 0); /* it may quote a name from a document */
    return qa_status_exit(err->status);
}

int cli_open(const struct cli *c, bool create, qa **out) {
    qa_error err = {0};
    qa_open_options options = {
        .config = cli_value(c, "config"), .index = cli_value(c, "index"), .state = cli_value(c, "state"), .embedder = cli_value(c, "embedder"),
        .generator = cli_value(c, "generator"), .from_process_start = true, .create = create};
    return qa_open(&options, out, &err) == QA_OK ? 0 : cli_fail(c, &err);
}

enum { HISTORY_MAX = 4 << 20 };

static qa_status read_stream(FILE *from, struct buf *b, const char *name, qa_error *err) {
    char part[8192];
    size_t n;
    while (b->status == QA_OK && (n = fread(part, 1, sizeof part, from)) > 0)
        buf_put(b, part, n);
    if (ferror(from))
        return error_set_errno(err, errno, "%s", name);
    return buf_error(b, err, name);
}

static qa_status read_history(const char *path, struct cli_scope *scope, size_t *n, qa_error *err) {
    qa_status status = QA_OK;
    json_t *list = NULL;
    struct buf text;
    buf_init(&text, HISTORY_MAX);
    FILE *from = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!from) {
        status = error_set_errno(err, errno, "%s", path);
        goto out;
    }
    if ((status = read_stream(from, &text, path, err)) != QA_OK)
        goto out;
    if ((status = json_parse(text.data ? text.data : "", text.len, &list, err)) != QA_OK) {
        error_prefix(err, status, "%s: ", path);
        goto out;
    }
    if (!json_is_array(list)) {
        status = error_set(err, QA_BAD_INPUT, "%s: expected a JSON list of {role, content}", path);
        goto out;
    }
    scope->messages = calloc(json_array_size(list) + 1, sizeof *scope->messages);
    if (!scope->messages) {
        status = error_no_memory(err, "reading the history");
        goto out;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        const char *role = json_get_string(entry, "role"), *content = json_get_string(entry, "content");
        if (!role || !content || (strcmp(role, "user") != 0 && strcmp(role, "assistant") != 0)) {
            status = error_set(err, QA_BAD_INPUT, "%s: entry %zu: expected {\"role\": \"user\" or \"assistant\", \"content\": text}",
                               path, i + 1);
            goto out;
        }
        scope->messages[i] = (qa_message){role, content};
    }
    *n = json_array_size(list);
    scope->parsed = list;
    list = NULL;
out:
    json_decref(list);
    if (from && from != stdin)
        fclose(from);
    buf_free(&text);
    return status;
}

int cli_read_scope(const struct cli *c, qa_question *question, struct cli_scope *scope) {
    qa_error err = {0};
    *scope = (struct cli_scope){0};
    question->filter = cli_value(c, "filter");
    question->collection = cli_value(c, "collection");
    if (cli_has(c, "as")) {
        question->as_caller = true;
        question->groups = scope->groups = cli_values(c, "as", true, &question->n_groups);
    }
    const char *mode = cli_value(c, "mode");
    if (mode) {
        if (strcmp(mode, "hybrid") == 0)
            question->mode = QA_MODE_HYBRID;
        else if (strcmp(mode, "text") == 0)
            question->mode = QA_MODE_TEXT;
        else if (strcmp(mode, "vector") == 0)
            question->mode = QA_MODE_VECTOR;
        else
            return cli_usage_error(c, "--mode is hybrid, text or vector, not '%s'", mode);
    }
    const char *history = cli_value(c, "history");
    if (history) {
        if (read_history(history, scope, &question->n_history, &err) != QA_OK)
            return cli_fail(c, &err);
        question->history = scope->messages;
    }
    return 0;
}

void cli_release_scope(struct cli_scope *scope) {
    cli_free_list(scope->groups);
    free(scope->messages);
    json_decref(scope->parsed);
    *scope = (struct cli_scope){0};
}
