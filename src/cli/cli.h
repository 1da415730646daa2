/* The command line: one table of commands, each with a table of its options. --help, the man page and the parser all read these tables,
 * so they cannot disagree. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <quaere.h>
#include <stdio.h>

struct cli_option {
    const char *name;     /* without the dashes */
    char letter;          /* 0: none */
    const char *argument; /* what its value is called in the help; NULL: a switch */
    const char *help;
};

struct cli;
struct cli_command {
    const char *name;
    const char *arguments; /* shown after the name in the help */
    const char *summary;   /* one line */
    const char *details;   /* paragraphs for --help and the man page */
    const char *example;   /* lines of a shell */
    const struct cli_option *options; /* ended by a NULL name; the common ones come on top */
    int min_arguments, max_arguments; /* -1: any number */
    int (*run)(struct cli *c);
};
extern const struct cli_command *const cli_commands[]; /* ended by NULL */
extern const struct cli_option cli_common_options[];
const struct cli_command *cli_find_command(const char *name);

/* One parsed call. */
struct cli_given {
    const char *name, *value;
};
struct cli {
    const struct cli_command *command;
    char **arguments;
    int n_arguments;
    struct cli_given *given; /* options in the order of the call */
    size_t n_given;
    bool json, quiet, verbose;
};
/* The exit status when the call is already answered (help, wrong usage), else -1. */
int cli_parse(const struct cli_command *command, int argc, char **argv, struct cli *c);
void cli_free(struct cli *c);

bool cli_has(const struct cli *c, const char *name);
const char *cli_value(const struct cli *c, const char *name); /* the last one given; NULL: none */
/* Values of a repeatable option, also split at commas when `split`. A NULL-terminated array, freed by cli_free_list; *n may be NULL.
 * NULL when none was given or memory is out. */
const char **cli_values(const struct cli *c, const char *name, bool split, size_t *n);
void cli_free_list(const char **list);
/* A whole number in [min, max]; a bad one prints the usage error and returns false. Absent: *out stays. */
bool cli_number(const struct cli *c, const char *name, long min, long max, long *out);
int cli_usage_error(const struct cli *c, const char *format, ...) __attribute__((format(printf, 2, 3))); /* returns 2 */

/* Opens with the common options. On failure prints the error and returns its exit status, else 0. */
int cli_open(const struct cli *c, bool create, qa **out);
/* Prints an error (JSON on standard output with --json) and returns its exit status. */
int cli_fail(const struct cli *c, const qa_error *err);
int cli_no_memory(const struct cli *c);
/* The error object of the contract on standard output, when --json was given. */
void cli_print_error_json(const struct cli *c, const qa_error *err);
/* SIGINT and SIGTERM stop `q`'s running call; NULL: the default again. cli_stopped: 0, or the signal that came. */
void cli_on_signal(qa *q);
int cli_stopped(void);
/* What to exit with after QA_CANCELLED: 0 for SIGTERM (a clean stop), 130 for Ctrl-C. */
int cli_stopped_status(void);

void cli_print_help(FILE *to, const struct cli_command *command); /* NULL: the program */
void cli_print_man(FILE *to);

/* Text from documents on its way to a terminal: control characters (escape sequences above all) are replaced. */
void cli_print_text(FILE *to, const char *text, size_t indent, size_t width); /* width 0: no wrapping */
void cli_print_line(FILE *to, const char *text);                              /* in one line, white space folded */
size_t cli_width(void);
const char *cli_bold(void), *cli_dim(void), *cli_plain(void); /* escape sequences, or "" when standard output is no terminal */
void cli_print_count(FILE *to, unsigned long long n);         /* 1,284 */

/* Options that several commands share. */
#define CLI_SCOPE_OPTIONS                                                                                                     \
    {"filter", 0, "EXPR", "only documents whose metadata match, e.g. 'path^=docs/ and lang=en' (see docs/filters.md)"},        \
        {"as", 0, "GROUP,...", "as a caller with these groups; '' for a caller with none"},                                    \
        {"collection", 0, "NAME", "only this set of sources"}, {"mode", 0, "MODE", "hybrid (default), text or vector"},        \
        {"history", 0, "FILE", "earlier messages, a JSON list of {role, content}; - for standard input"},                      \
        {"embedder", 0, "MODEL", "a name of 'quaere model list', a GGUF file, or none"}
#define CLI_GENERATOR_OPTION {"generator", 0, "MODEL", "what writes the answer: a name of 'quaere model list', a GGUF file, or none"}
struct cli_scope { /* holds what the question points to */
    const char **groups;
    qa_message *messages;
    void *parsed;
};
/* Fills the question from the scope options; 0, or the exit status after a message. Always release. */
int cli_read_scope(const struct cli *c, qa_question *question, struct cli_scope *scope);
void cli_release_scope(struct cli_scope *scope);

/* Words as they come, wrapped like cli_print_text. */
struct cli_flow {
    FILE *to;
    size_t width, used; /* columns of the line so far */
    bool space;         /* before the next word */
};
void cli_flow_text(struct cli_flow *f, const char *text);
void cli_flow_end(struct cli_flow *f); /* ends the line */
/* A line on a terminal that says what is waited for, replaced by the next and gone with cli_clear_wait, which goes before anything is printed. */
void cli_show_wait(const char *what, void *user);
void cli_clear_wait(void);
/* QA_INGEST_EMBEDDING on a line of progress (user: struct progress), and the rate of all of it: " (11,600 tokens/s)". */
void cli_show_embedding(const qa_ingest_event *e, void *user);
void cli_print_rate(FILE *to, const qa_ingest_report *r);

void cli_print_answer(FILE *to, const qa_answer *answer);
/* The two parts of it: nothing but the words, and what stands below them. */
void cli_print_below(FILE *to, const qa_answer *answer);
void cli_print_sources(FILE *to, const qa_hits *hits);
void cli_show_sources(qa_hits *hits, void *user); /* the same on standard output, for a stream: nothing where nothing answers */
const char *cli_source_title(const qa_hit *h);    /* the last heading */
void cli_print_conversations(FILE *to, const char *json);
void cli_print_conversation(FILE *to, const char *json);
char *cli_json_member(const char *json, const char *name); /* a string member, malloc'd; NULL if it is none */

extern const struct cli_command cmd_init, cmd_ingest, cmd_search, cmd_ask, cmd_chat, cmd_eval, cmd_list, cmd_show, cmd_conversations, cmd_index, cmd_model,
    cmd_bench;

#endif
