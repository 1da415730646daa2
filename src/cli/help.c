/* --help and the man page, from the command table. */
#include "cli/cli.h"
#include <ctype.h>
#include <string.h>

static const char about[] = "Answers questions from documentation, with citations you can check.";

static void print_options(FILE *to, const struct cli_option *options) {
    for (; options && options->name; options++) {
        char left[64];
        snprintf(left, sizeof left, "%c%c%s--%s%s%s", options->letter ? '-' : ' ', options->letter ? options->letter : ' ',
                 options->letter ? ", " : "  ", options->name, options->argument ? " " : "", options->argument ? options->argument : "");
        fprintf(to, strlen(left) > 26 ? "  %s\n%29s%s\n" : "  %-26s %s%s\n", left, "", options->help);
    }
}

void cli_print_help(FILE *to, const struct cli_command *command) {
    if (!command) {
        fprintf(to, "quaere %s: %s\n\nUsage: quaere COMMAND [OPTIONS] [ARGUMENTS]\n\n", qa_version(), about);
        for (size_t i = 0; cli_commands[i]; i++)
            fprintf(to, "  %-14s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
        fputs("\nStart with:\n  quaere ingest docs/\n  quaere ask \"how do I ...?\"\n\n'quaere COMMAND --help' tells about one of them.\n", to);
        return;
    }
    fprintf(to, "Usage: quaere %s [OPTIONS]%s%s\n\n%s\n", command->name, *command->arguments ? " " : "", command->arguments, command->summary);
    if (command->details)
        fprintf(to, "\n%s\n", command->details);
    if (command->options && command->options->name) {
        fputs("\nOptions:\n", to);
        print_options(to, command->options);
    }
    fputs("\nCommon options:\n", to);
    print_options(to, cli_common_options);
    if (command->example)
        fprintf(to, "\nExample:\n%s\n", command->example);
}

/* Text for roff: backslashes, dashes, and a dot or quote that begins a line. */
static void roff(FILE *to, const char *text) {
    bool start = true;
    for (; *text; text++) {
        if (start && (*text == '.' || *text == '\''))
            fputs("\\&", to);
        if (*text == '\\')
            fputs("\\e", to);
        else if (*text == '-')
            fputs("\\-", to);
        else
            fputc(*text, to);
        start = *text == '\n';
    }
}

static void roff_paragraphs(FILE *to, const char *text) {
    while (text && *text) {
        const char *blank = strstr(text, "\n\n");
        size_t n = blank ? (size_t)(blank - text) : strlen(text);
        char part[2048];
        n = n < sizeof part ? n : sizeof part - 1;
        memcpy(part, text, n);
        part[n] = '\0';
        fputs(".PP\n", to);
        roff(to, part);
        fputc('\n', to);
        text = blank ? blank + 2 : NULL;
    }
}

static void roff_options(FILE *to, const struct cli_option *options) {
    for (; options && options->name; options++) {
        fputs(".TP\n", to);
        if (options->letter)
            fprintf(to, "\\fB\\-%c\\fR, ", options->letter);
        fputs("\\fB\\-\\-", to);
        roff(to, options->name);
        fputs("\\fR", to);
        if (options->argument) {
            fputs(" \\fI", to);
            roff(to, options->argument);
            fputs("\\fR", to);
        }
        fputc('\n', to);
        roff(to, options->help);
        fputc('\n', to);
    }
}

void cli_print_man(FILE *to) {
    fprintf(to, ".TH QUAERE 1 \"\" \"quaere\" \"User Commands\"\n.SH NAME\nquaere \\- ask documentation questions\n.SH SYNOPSIS\n"
                ".B quaere\n\\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]\n.SH DESCRIPTION\n");
    roff(to, about);
    fputs("\nEverything works on this machine alone. Nothing is fetched but by model pull, and nothing sent but to a server that the configuration names.\n.SH COMMANDS\n", to);
    for (size_t i = 0; cli_commands[i]; i++) {
        const struct cli_command *command = cli_commands[i];
        fputs(".SS \"quaere ", to);
        roff(to, command->name);
        fputs(*command->arguments ? " " : "", to);
        roff(to, command->arguments);
        fputs("\"\n", to);
        roff(to, command->summary);
        fputc('\n', to);
        roff_paragraphs(to, command->details);
        roff_options(to, command->options);
        if (command->example) {
            fputs(".PP\n.nf\n", to);
            roff(to, command->example);
            fputs("\n.fi\n", to);
        }
    }
    fputs(".SH COMMON OPTIONS\n", to);
    roff_options(to, cli_common_options);
    fputs(".SH EXIT STATUS\n.TP\n0\ndone\n.TP\n1\nfailed\n.TP\n2\nwrong usage\n.TP\n3\nthe question was refused (ask)\n.TP\n4\n"
          "done in part: more documents failed than \\-\\-max\\-failures allows\n.SH ENVIRONMENT\n"
          ".TP\nQUAERE_CONFIG, QUAERE_INDEX, QUAERE_STATE\nlike the options of that name\n"
          ".TP\nQUAERE_CLOCK, QUAERE_SEED\na fixed time (2026\\-01\\-31T12:00:00Z) and fixed ids, for outputs that compare byte for byte\n",
          to);
}
