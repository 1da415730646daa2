/* Parsing on getopt_long, with messages of our own. */
#include "cli/cli.h"
#include "base/log.h"
#include "base/nearest.h"
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { OPTIONS_MAX = 48, FIRST_CODE = 256 };

const struct cli_option cli_common_options[] = {
    {"help", 'h', NULL, "show this help"},
    {"config", 0, "FILE", "configuration (default: quaere.yaml found upward from here, then the user's)"},
    {"index", 0, "FILE", "the index (default: QUAERE_INDEX, the configuration, .quaere/index.db beside it)"},
    {"state", 0, "FILE", "conversations (default: QUAERE_STATE, the configuration, a file beside the index)"},
    {"json", 0, NULL, "one JSON document on standard output"},
    {"quiet", 'q', NULL, "no progress, no notices"},
    {"verbose", 'v', NULL, "say more on standard error"},
    {NULL, 0, NULL, NULL},
};

const struct cli_command *cli_find_command(const char *name) {
    for (size_t i = 0; cli_commands[i]; i++)
        if (strcmp(cli_commands[i]->name, name) == 0)
            return cli_commands[i];
    return NULL;
}

int cli_usage_error(const struct cli *c, const char *format, ...) {
    qa_error err = {.status = QA_BAD_USAGE};
    va_list args;
    va_start(args, format);
    vsnprintf(err.message, sizeof err.message, format, args);
    va_end(args);
    cli_print_error_json(c, &err);
    fprintf(stderr, "quaere %s: ", c->command->name);
    cli_print_line(stderr, err.message);
    fprintf(stderr, "\nTry 'quaere %s --help'.\n", c->command->name);
    return 2;
}

static int unknown_option(const struct cli *c, const struct option *known, const char *given) {
    const char *names[OPTIONS_MAX + 1] = {NULL};
    char word[64];
    size_t n = strcspn(given + strspn(given, "-"), "=");
    if (given[0] != '-' || given[1] != '-' || n >= sizeof word)
        return cli_usage_error(c, "unknown option %s", given);
    memcpy(word, given + 2, n);
    word[n] = '\0';
    size_t count = 0;
    for (; known[count].name; count++)
        names[count] = known[count].name;
    const char *near = nearest_word(word, names, count);
    return near ? cli_usage_error(c, "unknown option --%s; did you mean --%s?", word, near)
                : cli_usage_error(c, "unknown option --%s", word);
}

static size_t collect(const struct cli_option *from, struct option *longs, char *shorts, const struct cli_option **all, size_t n) {
    for (; from && from->name && n < OPTIONS_MAX; from++, n++) {
        all[n] = from;
        longs[n] = (struct option){from->name, from->argument ? required_argument : no_argument, NULL, FIRST_CODE + (int)n};
        if (from->letter) {
            size_t at = strlen(shorts);
            shorts[at++] = from->letter;
            if (from->argument)
                shorts[at++] = ':';
            shorts[at] = '\0';
        }
    }
    return n;
}

int cli_parse(const struct cli_command *command, int argc, char **argv, struct cli *c) {
    struct option longs[OPTIONS_MAX + 1] = {{0}};
    const struct cli_option *all[OPTIONS_MAX];
    char shorts[OPTIONS_MAX * 2 + 2] = ":";
    size_t n = collect(command->options, longs, shorts, all, 0);
    n = collect(cli_common_options, longs, shorts, all, n);
    *c = (struct cli){.command = command};
    c->given = calloc((size_t)argc + 1, sizeof *c->given);
    if (!c->given) {
        fputs("quaere: out of memory\n", stderr);
        return 1;
    }
    for (int i = 1; i < argc; i++) /* known before the first error, which is to be told as JSON too */
        c->json = c->json || strcmp(argv[i], "--json") == 0;
    opterr = 0;
    optind = 1;
    for (int code; (code = getopt_long(argc, argv, shorts, longs, NULL)) != -1;) {
        if (code == ':')
            return cli_usage_error(c, "%s wants a value", argv[optind - 1]);
        if (code == '?') {
            const char *given = argv[optind - 1];
            char one[3] = {'-', (char)optopt, '\0'};
            if (optopt >= FIRST_CODE)
                return cli_usage_error(c, "%s takes no value", given);
            return unknown_option(c, longs, optopt > 0 && optopt < FIRST_CODE ? one : given);
        }
        const struct cli_option *option = NULL;
        for (size_t i = 0; i < n; i++)
            if (code == FIRST_CODE + (int)i || code == all[i]->letter) {
                option = all[i];
                break;
            }
        c->given[c->n_given++] = (struct cli_given){option->name, option->argument ? optarg : ""};
    }
    c->arguments = argv + optind;
    c->n_arguments = argc - optind;
    c->json = cli_has(c, "json");
    c->quiet = cli_has(c, "quiet");
    c->verbose = cli_has(c, "verbose");
    log_set_level(c->verbose ? LOG_INFO : c->quiet ? LOG_ERROR : LOG_WARN);
    if (cli_has(c, "help")) {
        cli_print_help(stdout, command);
        return 0;
    }
    if (c->n_arguments < command->min_arguments)
        return cli_usage_error(c, "%s is missing", command->arguments);
    if (command->max_arguments >= 0 && c->n_arguments > command->max_arguments)
        return cli_usage_error(c, !command->max_arguments ? "takes no argument, and there is '%s'"
                                  : strcmp(command->arguments, "QUESTION") == 0
                                      ? "'%s' is one argument too many; put a question of several words in quotes"
                                      : "'%s' is one argument too many",
                               c->arguments[command->max_arguments]);
    return -1;
}

void cli_free(struct cli *c) { free(c->given); }

bool cli_has(const struct cli *c, const char *name) { return cli_value(c, name) != NULL; }

const char *cli_value(const struct cli *c, const char *name) {
    const char *value = NULL;
    for (size_t i = 0; i < c->n_given; i++)
        if (strcmp(c->given[i].name, name) == 0)
            value = c->given[i].value;
    return value;
}

/* The list and the copies of its strings are one allocation. */
const char **cli_values(const struct cli *c, const char *name, bool split, size_t *n) {
    size_t count = 0, bytes = 0;
    for (size_t i = 0; i < c->n_given; i++)
        if (strcmp(c->given[i].name, name) == 0) {
            count++;
            bytes += strlen(c->given[i].value) + 1;
            for (const char *p = c->given[i].value; split && *p; p++)
                count += *p == ',';
        }
    if (n)
        *n = 0;
    const char **list = count ? malloc((count + 1) * sizeof *list + bytes) : NULL;
    if (!list)
        return NULL;
    char *at = (char *)(list + count + 1);
    size_t k = 0;
    for (size_t i = 0; i < c->n_given; i++) {
        if (strcmp(c->given[i].name, name) != 0)
            continue;
        char *rest = strcpy(at, c->given[i].value);
        at += strlen(at) + 1;
        for (char *part; rest && (part = split ? strsep(&rest, ",") : rest) != NULL;) {
            if (!split)
                rest = NULL;
            if (*part)
                list[k++] = part;
        }
    }
    list[k] = NULL;
    if (n)
        *n = k;
    return list;
}

void cli_free_list(const char **list) { free(list); }

bool cli_number(const struct cli *c, const char *name, long min, long max, long *out) {
    const char *text = cli_value(c, name);
    if (!text)
        return true;
    char *end = NULL;
    errno = 0;
    long v = strtol(text, &end, 10);
    if (!*text || *end || errno || v < min || v > max) {
        cli_usage_error(c, "--%s wants a whole number from %ld to %ld, not '%s'", name, min, max, text);
        return false;
    }
    *out = v;
    return true;
}
