#include "base/progress.h"
#include "cli/show_json.h"
#include "core/bench.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void show(void *user, const char *row, uint64_t done, uint64_t total) { progress_show(user, "Measuring", done, total, "seconds", row); }

static void print_real(FILE *to, const json_t *row, const char *key, int width, int digits, double unit) {
    const json_t *v = json_object_get(row, key);
    if (json_is_number(v))
        fprintf(to, " %*.*f", width, digits, json_number_value(v) / unit);
    else
        fprintf(to, " %*s", width, "-");
}

static void print_head(FILE *to, const json_t *root) {
    const json_t *machine = json_object_get(root, "machine"), *model = json_object_get(root, "model"), *texts = json_object_get(root, "texts");
    double load = json_number_value(json_object_get(machine, "load"));
    unsigned long long processors = cli_number_of(machine, "processors"), count = cli_number_of(texts, "count"), tokens = cli_number_of(texts, "tokens");
    fputs("machine: ", to);
    cli_print_line(to, cli_text_of(machine, "processor"));
    fputs(", ", to);
    cli_print_counted(to, processors, "processor");
    fprintf(to, ", %s\nprogram: %s%s\nmodel: ", cli_text_of(machine, "system"), cli_text_of(root, "program"),
            json_is_true(json_object_get(root, "optimised")) ? "" : ", built without optimisation: these figures say little");
    cli_print_line(to, cli_text_of(model, "name"));
    fprintf(to, ", %llu dimensions\ntexts: ", cli_number_of(model, "dimensions"));
    cli_print_line(to, cli_text_of(texts, "from"));
    fputs(", ", to);
    cli_print_counted(to, count, "text");
    fprintf(to, " of %llu tokens on average; a question of %llu tokens\n", count ? (tokens + count / 2) / count : 0,
            cli_number_of(json_object_get(root, "question"), "tokens"));
    if (load > 0.5 * (double)processors)
        fprintf(to, "busy: other programs ran when this began (load %.1f), so figures are lower than they could be\n", load);
    if (!json_is_null(json_object_get(root, "notice"))) {
        fputs("note: ", to);
        cli_print_line(to, cli_text_of(root, "notice"));
        fputc('\n', to);
    }
}

static void print_rows(FILE *to, const char *json) {
    json_t *root = NULL;
    const json_t *row;
    size_t i;
    if (json_parse(json, strlen(json), &root, NULL) != QA_OK)
        return;
    print_head(to, root);
    fprintf(to, "\n%s%-9s %-18s %7s %9s %9s %12s %9s %9s%s\n", cli_bold(), "precision", "what runs", "threads", "tokens/s", "texts/s", "question, ms", "load, ms",
            "peak, MB", cli_plain());
    json_array_foreach(json_object_get(root, "rows"), i, row) {
        const char *precision = cli_text_of(row, "precision");
        fprintf(to, "%-9s %-18s %7llu", *precision ? precision : "-", cli_text_of(row, "runs"), cli_number_of(row, "threads"));
        print_real(to, row, "tokens_per_second", 9, 0, 1);
        print_real(to, row, "texts_per_second", 9, 1, 1);
        print_real(to, row, "question_ms", 12, 2, 1);
        print_real(to, row, "load_ms", 9, 0, 1);
        print_real(to, row, "peak_bytes", 9, 0, 1e6);
        fputc('\n', to);
    }
    json_decref(root);
}

/* ---- Options ---- */

/* 0, or 2 after a message. */
static int read_precisions(const struct cli *c, struct core_bench *out) {
    static const struct {
        const char *name;
        unsigned bits;
    } known[] = {{"int8", 1u << EMBED_INT8}, {"bf16", 1u << EMBED_BF16}, {"f32", 1u << EMBED_F32}, {"all", 0}};
    const char *text = cli_value(c, "precision");
    for (size_t i = 0; text && i < sizeof known / sizeof *known; i++)
        if (strcmp(text, known[i].name) == 0) {
            out->precisions = known[i].bits;
            return 0;
        }
    return text ? cli_usage_error(c, "--precision wants int8, bf16, f32 or all, not '%s'", text) : 0;
}

static int read_threads(const struct cli *c, struct core_bench *out) {
    const char *text = cli_value(c, "threads");
    for (const char *at = text; at; at = *at ? at + 1 : NULL) {
        char *end = NULL;
        errno = 0;
        long n = strtol(at, &end, 10);
        if (*at < '0' || *at > '9' || (*end && *end != ',') || errno || n < 1 || n > CORE_BENCH_MAX_THREADS)
            return cli_usage_error(c, "--threads wants whole numbers from 1 to %d, such as 2 or 1,2, not '%s'", CORE_BENCH_MAX_THREADS, text);
        if (out->n_threads == CORE_BENCH_MAX_LIST)
            return cli_usage_error(c, "--threads wants at most %d numbers", CORE_BENCH_MAX_LIST);
        out->threads[out->n_threads++] = (size_t)n;
        at = end;
        if (!*at)
            break;
    }
    return 0;
}

static int run(struct cli *c) {
    qa *q = NULL;
    qa_error err = {0};
    char *json = NULL;
    long seconds = 3;
    struct progress progress;
    struct core_bench what = {.model = cli_value(c, "model"), .texts = cli_value(c, "texts"), .llama = cli_has(c, "llama"), .show = show, .user = &progress};
    if (strcmp(c->arguments[0], "embed") != 0)
        return cli_usage_error(c, "there is 'bench embed', not 'bench %s'", c->arguments[0]);
    if (!cli_number(c, "seconds", 1, 600, &seconds))
        return 2;
    int status = read_precisions(c, &what);
    if (status == 0)
        status = read_threads(c, &what);
    if (status == 0 && what.llama && cli_has(c, "precision"))
        status = cli_usage_error(c, "--precision belongs to our own encoder; with --llama the weights are as the file has them");
    if (status == 0)
        status = cli_open(c, false, &q);
    if (status != 0)
        return status;
    what.seconds = (double)seconds;
    progress_begin(&progress, c->quiet || c->json);
    cli_on_signal(q);
    qa_status s = core_bench_embed(q, &what, &json, &err);
    progress_clear(&progress);
    status = s == QA_CANCELLED ? cli_stopped_status() : cli_show_json(c, s, json, &err, print_rows);
    cli_on_signal(NULL);
    qa_close(q);
    return status;
}

static const struct cli_option options[] = {
    {"model", 0, "MODEL", "a name of 'quaere model list', or a GGUF file (default: the embedder in use)"},
    {"texts", 0, "PATH", "a folder or document to take texts from, or a file of texts with a NUL between any two (default: built in)"},
    {"precision", 0, "P", "int8, bf16, f32 or all (default) of our own encoder"},
    {"threads", 0, "N,...", "numbers of threads (default: 1, and all processors)"},
    {"seconds", 0, "S", "of measuring each row (default 3)"},
    {"llama", 0, NULL, "through llama.cpp instead, which runs the models of other families in any case"},
    {NULL, 0, NULL, NULL},
};

const struct cli_command cmd_bench = {
    .name = "bench",
    .arguments = "embed",
    .summary = "Measure how fast models run on this machine.",
    .details = "embed: texts to vectors, in tokens and texts a second (medians over batches), the time of one short question, of loading, and the most memory\n"
               "that the process needed. At most 256 texts are taken, evenly over what there is, the same ones each time; documents are cut as 'quaere ingest' does.\n"
               "The figures of a machine that does other things at the same time are low; what counts are ratios of one run.",
    .example = "  quaere bench embed\n"
               "  quaere bench embed --precision int8 --threads 1,2,4 --texts docs/",
    .options = options,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
