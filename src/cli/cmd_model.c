#include "base/progress.h"
#include "cli/show_json.h"
#include "core/model_files.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static atomic_int cancelled;

static void on_signal(int number) { atomic_store(&cancelled, number); }

static void watch_signals(bool on) {
    struct sigaction act = {.sa_handler = on ? on_signal : SIG_DFL, .sa_flags = on ? (int)SA_RESETHAND : 0}; /* the second Ctrl-C ends at once */
    sigemptyset(&act.sa_mask);
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
}

static bool is_none(const json_t *o, const char *key) { return !json_object_get(o, key) || json_is_null(json_object_get(o, key)); }

/* 491 MB */
static void print_size(FILE *to, unsigned long long bytes) {
    if (bytes < 1000000000)
        fprintf(to, "%llu MB", (bytes + 500000) / 1000000);
    else
        fprintf(to, "%.1f GB", (double)bytes / 1e9);
}

/* ---- list ---- */

static void print_model(FILE *to, const json_t *m) {
    bool present = json_is_true(json_object_get(m, "present"));
    fprintf(to, "%s%s", present ? "* " : "  ", cli_bold());
    cli_print_line(to, cli_text_of(m, "name"));
    fprintf(to, "%s  %s, ", cli_plain(), cli_text_of(m, "role"));
    if (is_none(m, "bytes"))
        fputs("size not known", to);
    else
        print_size(to, cli_number_of(m, "bytes"));
    if (!is_none(m, "dimensions"))
        fprintf(to, ", %llu dimensions", cli_number_of(m, "dimensions"));
    if (!is_none(m, "context"))
        fprintf(to, ", %llu tokens", cli_number_of(m, "context"));
    fputs(", ", to);
    cli_print_line(to, cli_text_of(m, "licence"));
    if (!is_none(m, "memory")) {
        fputs("; needs ", to);
        cli_print_line(to, cli_text_of(m, "memory"));
    }
    fputs("\n    ", to);
    cli_print_line(to, cli_text_of(m, "about"));
    if (!is_none(m, "page")) {
        fprintf(to, "\n    %s", cli_dim());
        cli_print_line(to, cli_text_of(m, "page"));
        fprintf(to, "%s", cli_plain());
    }
    if (!json_is_true(json_object_get(m, "pull")))
        fputs("\n    to be downloaded by hand", to);
    fputc('\n', to);
}

static void print_list(FILE *to, const char *json) {
    json_t *root = NULL, *m;
    size_t i;
    if (json_parse(json, strlen(json), &root, NULL) != QA_OK)
        return;
    json_array_foreach(json_object_get(root, "models"), i, m) print_model(to, m);
    fputs("* is here, in ", to);
    cli_print_line(to, cli_text_of(root, "folder"));
    fputs("\nGet one with: quaere model pull NAME\n", to);
    json_decref(root);
}

/* ---- pull, verify, import ---- */

static void print_pulled(FILE *to, const char *json) {
    json_t *root = NULL;
    if (json_parse(json, strlen(json), &root, NULL) != QA_OK)
        return;
    if (!json_is_true(json_object_get(root, "pulled")))
        fputs("already here: ", to);
    cli_print_line(to, cli_text_of(root, "path"));
    fputc('\n', to);
    json_decref(root);
}

static void print_file(FILE *to, const char *json) {
    json_t *root = NULL;
    if (json_parse(json, strlen(json), &root, NULL) != QA_OK)
        return;
    cli_print_line(to, cli_text_of(root, "path"));
    fputs(is_none(root, "model") ? ": well-formed; " : ": sound; ", to);
    cli_print_line(to, cli_text_of(root, "role"));
    fputs(" of architecture ", to);
    cli_print_line(to, is_none(root, "architecture") ? "unknown" : cli_text_of(root, "architecture"));
    fputs(", ", to);
    cli_print_counted(to, cli_number_of(root, "parameters"), "parameter");
    if (!is_none(root, "weights")) {
        fputs(" mostly ", to);
        cli_print_line(to, cli_text_of(root, "weights"));
    }
    if (!is_none(root, "context"))
        fprintf(to, ", %llu tokens", cli_number_of(root, "context"));
    fprintf(to, "\nSHA-256 %s", cli_text_of(root, "sha256"));
    if (is_none(root, "model"))
        fputs(", which is none of 'quaere model list': the form was checked, the weights can't be\n", to);
    else {
        fputs(", that of ", to);
        cli_print_line(to, cli_text_of(root, "model"));
        fputc('\n', to);
    }
    json_decref(root);
}

struct talk {
    const struct cli *c;
    struct progress progress;
};
static void say(void *user, const char *line) {
    struct talk *t = user;
    progress_clear(&t->progress);
    if (t->c->quiet)
        return;
    for (; *line == ' '; line++) /* cli_print_line folds them */
        fputc(' ', stderr);
    cli_print_line(stderr, line);
    fputc('\n', stderr);
}
static void show(void *user, const char *label, uint64_t done, uint64_t total) {
    struct talk *t = user;
    if (done)
        progress_show(&t->progress, label, done / 1000000, total / 1000000, "MB", NULL);
}

static int run(struct cli *c) {
    char *json = NULL;
    qa_error err = {0};
    qa_status status = QA_OK;
    struct talk talk = {.c = c};
    const struct core_model_progress progress = {.say = say, .show = show, .user = &talk, .cancel = &cancelled};
    const char *what = c->arguments[0], *name = c->n_arguments > 1 ? c->arguments[1] : NULL;
    bool list = strcmp(what, "list") == 0, pull = strcmp(what, "pull") == 0, verify = strcmp(what, "verify") == 0, import = strcmp(what, "import") == 0;
    if (!list && !pull && !verify && !import)
        return cli_usage_error(c, "there is 'model list', 'model pull', 'model import' and 'model verify', not 'model %s'", what);
    if (list == (name != NULL))
        return list ? cli_usage_error(c, "'model list' takes no name, and there is '%s'", name)
                    : cli_usage_error(c, "'model %s' wants %s", what, pull ? "the name of a model" : verify ? "the name of a model, or a file" : "a folder");
    if (cli_has(c, "output") && !import)
        return cli_usage_error(c, "--output belongs to 'model import'");
    if (list) {
        status = core_list_models(&json, &err);
        return cli_show_json(c, status, json, &err, print_list);
    }
    progress_begin(&talk.progress, c->quiet || c->json);
    watch_signals(true);
    if (pull)
        status = core_pull_model(name, &progress, &json, &err);
    else if (verify)
        status = core_verify_model(name, &progress, &json, &err);
    else
        status = core_import_model(name, cli_value(c, "output"), &json, &err);
    watch_signals(false);
    progress_clear(&talk.progress);
    if (status == QA_CANCELLED)
        return atomic_load(&cancelled) == SIGTERM ? 0 : 130;
    return cli_show_json(c, status, json, &err, pull ? print_pulled : print_file);
}

static const struct cli_option options[] = {
    {"output", 'o', "FILE", "for import: the GGUF to write (default: the folder's name in the models folder)"},
    {NULL, 0, NULL, NULL},
};

const struct cli_command cmd_model = {
    .name = "model",
    .arguments = "list|pull NAME|import FOLDER|verify NAME|FILE",
    .summary = "Get, check and convert the models that Quaere runs.",
    .details = "list: the models it knows, what they need, and which are here.\n"
               "pull: downloads one: says first what, from where and how much, goes on where an earlier try stopped, and gives the file its name\n"
               "only when its SHA-256 is right. Nothing that is downloaded is executed.\n"
               "import: turns a sentence-transformers folder (BERT: config.json, model.safetensors, vocab.txt) into a GGUF file.\n"
               "verify: reads a model file whole: checksum and structure. When a model is first used that is done too, and kept until its file changes.\n\n"
               "Models lie in QUAERE_MODELS, else in quaere/models of the user's data folder. docs/models.md tells more.",
    .example = "  quaere model pull all-MiniLM-L6-v2\n"
               "  quaere model import ./my-embedder -o my-embedder.gguf",
    .options = options,
    .min_arguments = 1,
    .max_arguments = 2,
    .run = run,
};
