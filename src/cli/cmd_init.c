#include "base/json.h"
#include "cli/cli.h"
#include "core/init.h"
#include <stdlib.h>

static const struct cli_option options[] = {
    {"dry-run", 'n', NULL, "show what would be written"},
    {NULL, 0, NULL, NULL},
};

static int run(struct cli *c) {
    qa_error err = {0};
    struct buf report;
    buf_init(&report, 1 << 20);
    int status = core_init(c->n_arguments ? c->arguments[0] : NULL, cli_has(c, "dry-run"), &report, &err) == QA_OK ? 0 : cli_fail(c, &err);
    bool ok = true;
    json_t *o = json_object();
    json_put(o, "written", json_boolean(!cli_has(c, "dry-run")), &ok);
    json_put(o, "report", json_text0(report.data ? report.data : ""), &ok);
    char *text = ok ? json_write(o, 2) : NULL;
    if (status == 0 && c->json)
        status = text ? (puts(text), 0) : cli_no_memory(c);
    else if (status == 0 && report.data)
        fputs(report.data, stdout);
    free(text);
    json_decref(o);
    buf_free(&report);
    return status;
}

const struct cli_command cmd_init = {
    .name = "init",
    .arguments = "[PATH]",
    .summary = "Look at a folder and write a first quaere.yaml.",
    .details = "An existing quaere.yaml is never overwritten. 'quaere ingest' without a path then reads its sources.",
    .example = "  cd my-project && quaere init && quaere ingest",
    .options = options,
    .max_arguments = 1,
    .run = run,
};
