/* The command table, and nothing else: each command is a file of its own. */
#include "base/clock.h"
#include "base/nearest.h"
#include "cli/cli.h"
#include <errno.h>
#include <string.h>

const struct cli_command *const cli_commands[] = {
    &cmd_init, &cmd_ingest, &cmd_search, &cmd_ask, &cmd_chat, &cmd_conversations, &cmd_list, &cmd_show, &cmd_index, &cmd_model, &cmd_eval, &cmd_bench, NULL,
};

static int unknown_command(const char *name) {
    const char *names[64] = {NULL};
    size_t n = 0;
    for (; cli_commands[n] && n < 64; n++)
        names[n] = cli_commands[n]->name;
    const char *near = nearest_word(name, names, n);
    fprintf(stderr, near ? "quaere: there is no command '%s'; did you mean '%s'?\n" : "quaere: there is no command '%s'; 'quaere --help' lists them\n",
            name, near);
    return 2;
}

int main(int argc, char **argv) {
    setvbuf(stderr, NULL, _IOLBF, BUFSIZ); /* whole lines, also from a process that is killed; and not a system call a character */
    qa_error wrong = {0};
    if (clock_check(&wrong) != QA_OK) {
        fputs("quaere: ", stderr);
        cli_print_line(stderr, wrong.message);
        fputc('\n', stderr);
        return 2;
    }
    const char *name = argc > 1 ? argv[1] : NULL;
    if (!name) {
        cli_print_help(stderr, NULL);
        return 2;
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        printf("quaere %s\n", qa_version());
        return 0;
    }
    if (strcmp(name, "man") == 0) {
        cli_print_man(stdout);
        return 0;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        const struct cli_command *about = argc > 2 ? cli_find_command(argv[2]) : NULL;
        if (argc > 2 && !about)
            return unknown_command(argv[2]);
        cli_print_help(stdout, about);
        return 0;
    }
    const struct cli_command *command = cli_find_command(name);
    if (!command)
        return unknown_command(name);
    struct cli c = {0};
    int status = cli_parse(command, argc - 1, argv + 1, &c);
    if (status < 0) {
        status = command->run(&c);
        bool lost = ferror(stdout); /* an earlier flush, whose errno is gone */
        if ((fflush(stdout) != 0 || lost) && (status == 0 || status == 3)) {
            fprintf(stderr, "quaere: standard output: %s\n", lost ? "not all of it could be written" : strerror(errno));
            status = 1;
        }
    }
    cli_free(&c);
    return status;
}
