/* A conversation on the terminal. Lines come from libedit on a terminal, else plainly from standard input, so that a chat
 * can be scripted. The conversation is in the state file after every turn: leaving in whatever way loses nothing. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/utf8.h"
#include "cli/cli.h"
#include <editline/readline.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1 << 20 }; /* many times a question: what is longer is no text, and the library says so of what is shorter */

static const struct cli_option options[] = {
    {"conversation", 'c', "ID", "go on with this conversation; 'last' is the newest"},
    {"count", 'k', "N", "passages to answer from (default 5)"},
    {"extractive", 0, NULL, "answer with sentences of the documents, without a language model"},
    CLI_GENERATOR_OPTION,
    CLI_SCOPE_OPTIONS,
    {NULL, 0, NULL, NULL},
};

struct chat {
    struct cli *c;
    qa *q;
    qa_question question;
    char conversation[64];
    char *filter;
    qa_answer *last;
    struct cli_flow flow;
    bool terminal, failed;
};

/* Ctrl-C at the prompt. libedit would read on after the signal, so keys are read here: one that does not come ends the
 * line. */
static volatile sig_atomic_t interrupted;
static void on_interrupt(int number) { interrupted = number; }

static int read_key(FILE *from) {
    char bytes[4] = "";
    uint32_t key;
    size_t n = 0, whole = 1;
    while (n < whole) {
        ssize_t got = read(fileno(from), bytes + n, 1);
        if (got == 0 || (got < 0 && (errno != EINTR || interrupted)))
            return -1;
        unsigned char first = (unsigned char)bytes[0];
        if (got > 0 && n++ == 0)
            whole = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    }
    utf8_get(bytes, n, &key);
    return (int)key;
}

/* The first Ctrl-C throws away what was typed, a second one leaves, as in other programs that one talks to. */
static char *next_typed(void) {
    for (bool again = false;; again = true) {
        struct sigaction act = {.sa_handler = on_interrupt};
        sigemptyset(&act.sa_mask);
        interrupted = 0;
        sigaction(SIGINT, &act, NULL);
        char *line = readline("> ");
        signal(SIGINT, SIG_DFL);
        if (line && !interrupted)
            return line;
        free(line);
        putchar('\n'); /* behind what the terminal shows of the key */
        if (!interrupted || again)
            return NULL;
        puts("(Ctrl-D, or Ctrl-C once more, leaves.)");
    }
}

static void show_help(void) {
    puts("Ask a question, or:\n"
         "  /sources         the passages behind the last answer\n"
         "  /filter EXPR     only documents that match; /filter alone lifts it\n"
         "  /list            earlier conversations\n"
         "  /resume ID       go on with one of them ('last': the newest)\n"
         "  /delete ID       delete one\n"
         "  /new             begin a new conversation\n"
         "  /quit            leave (also Ctrl-D); the conversation is kept\n"
         "Ctrl-C stops an answer.");
}

/* On a terminal a person sees what went wrong and goes on; a script is told by the exit status. */
static void show_error(struct chat *chat, const qa_error *err) {
    cli_print_text(stderr, err->message, 0, 0);
    chat->failed = !chat->terminal;
}

/* NULL: the end, or what cannot be a line of text, which is told. */
static char *read_line(struct chat *chat) {
    qa_error err = {0};
    struct buf line;
    int byte = EOF;
    buf_init(&line, LINE_MAX_BYTES);
    buf_puts(&line, "");
    while (line.status == QA_OK && (byte = getc(stdin)) != EOF && byte != '\n' && byte)
        buf_put(&line, &(char){(char)byte}, 1);
    if (buf_error(&line, &err, "reading a question") == QA_OK && byte == 0)
        error_set(&err, QA_BAD_INPUT, "the input is no text: a line of it holds a NUL byte");
    else if (err.status == QA_OK && ferror(stdin))
        error_set(&err, QA_IO, "the input cannot be read: %s", strerror(errno));
    while (line.len && line.data[line.len - 1] == '\r')
        line.data[--line.len] = '\0';
    bool some = err.status == QA_OK && (byte != EOF || line.len);
    char *text = some ? strdup(line.data) : NULL;
    if (some && !text)
        error_no_memory(&err, "reading a question");
    if (err.status != QA_OK)
        show_error(chat, &err);
    buf_free(&line);
    return text;
}

static char *next_line(struct chat *chat) {
    if (chat->terminal)
        return next_typed();
    return read_line(chat);
}

static void set_conversation(struct chat *chat, const char *id) {
    snprintf(chat->conversation, sizeof chat->conversation, "%s", id ? id : "");
    chat->question.conversation = chat->conversation[0] ? chat->conversation : NULL;
}

static bool resume(struct chat *chat, const char *id) {
    qa_error err = {0};
    char *json = NULL;
    if (qa_conversation_get(chat->q, id, &json, &err) != QA_OK) {
        show_error(chat, &err);
        return false;
    }
    char *full = cli_json_member(json, "id");
    set_conversation(chat, full);
    cli_print_conversation(stdout, json);
    free(full);
    qa_text_free(json);
    return true;
}

static void list(struct chat *chat) {
    qa_error err = {0};
    char *json = NULL;
    if (qa_conversations_list(chat->q, 20, &json, &err) != QA_OK) {
        show_error(chat, &err);
        return;
    }
    cli_print_conversations(stdout, json);
    qa_text_free(json);
}

static void show_sources(const struct chat *chat) {
    if (!chat->last) {
        puts("There is no answer yet.");
        return;
    }
    for (size_t i = 0; i < qa_answer_source_count(chat->last); i++) {
        const qa_hit *h = qa_answer_source(chat->last, i);
        printf("%s[%zu] ", cli_bold(), h->rank);
        cli_print_line(stdout, cli_source_title(h));
        printf("%s %s", cli_plain(), cli_dim());
        cli_print_line(stdout, h->url ? h->url : h->document);
        printf("%s\n", cli_plain());
        cli_print_text(stdout, h->plain, 4, cli_width());
    }
}

/* A line that begins with '/'. True: go on. */
static bool command(struct chat *chat, char *line) {
    char *argument = line + strcspn(line, " ");
    if (*argument)
        *argument++ = '\0';
    argument += strspn(argument, " ");
    qa_error err = {0};
    char deleted[64] = "";
    if (strcmp(line, "/quit") == 0 || strcmp(line, "/exit") == 0 || strcmp(line, "/q") == 0)
        return false;
    if (strcmp(line, "/help") == 0 || strcmp(line, "/?") == 0) {
        show_help();
    } else if (strcmp(line, "/sources") == 0) {
        show_sources(chat);
    } else if (strcmp(line, "/new") == 0) {
        set_conversation(chat, NULL);
        puts("A new conversation.");
    } else if (strcmp(line, "/list") == 0) {
        list(chat);
    } else if (strcmp(line, "/resume") == 0) {
        resume(chat, *argument ? argument : "last");
    } else if (strcmp(line, "/delete") == 0) {
        if (!*argument)
            puts("/delete wants the id of a conversation; /list shows them.");
        else if (qa_conversation_delete(chat->q, argument, deleted, &err) != QA_OK)
            show_error(chat, &err);
        else
            puts("Deleted.");
        if (strcmp(deleted, chat->conversation) == 0)
            set_conversation(chat, NULL);
    } else if (strcmp(line, "/filter") == 0) {
        char *fresh = *argument ? strdup(argument) : NULL;
        if (*argument && !fresh) {
            puts("Out of memory.");
        } else if (fresh && qa_filter_check(fresh, &err) != QA_OK) {
            show_error(chat, &err);
            free(fresh);
        } else {
            free(chat->filter);
            chat->question.filter = chat->filter = fresh;
            puts(fresh ? "Set." : "No filter.");
        }
    } else {
        fputs("There is no command ", stdout);
        cli_print_line(stdout, line);
        puts(".");
        show_help();
    }
    return true;
}

/* Every turn is in the state file already; libedit has put the terminal back before it passes the signal on. */
static void leave(int number) {
    (void)number;
    _exit(0);
}

static void show_sentence(const char *text, const qa_sentence *sentence, void *user) {
    struct chat *chat = user;
    (void)sentence;
    cli_clear_wait();
    cli_flow_text(&chat->flow, text);
}

/* Ctrl-C stops the answer, not the chat; what was said until then is kept. */
static void answer(struct chat *chat, const char *text) {
    qa_error err = {0};
    qa_answer *fresh = NULL;
    const qa_stream stream = {
        .on_sources = chat->terminal ? cli_show_sources : NULL, .on_sentence = show_sentence,
        .on_wait = chat->terminal && !chat->c->quiet ? cli_show_wait : NULL, .user = chat};
    chat->question.text = text;
    chat->question.stream = &stream;
    chat->flow = (struct cli_flow){.to = stdout, .width = cli_width()};
    cli_on_signal(chat->q);
    qa_status status = qa_ask(chat->q, &chat->question, &fresh, &err);
    cli_clear_wait();
    bool terminated = cli_stopped() == SIGTERM;
    cli_on_signal(NULL);
    signal(SIGTERM, leave);
    chat->question.stream = NULL;
    cli_flow_end(&chat->flow);
    if (status == QA_CANCELLED) {
        puts(chat->terminal ? "\n(stopped)" : "(stopped)"); /* the terminal shows ^C */
    } else if (status != QA_OK) {
        show_error(chat, &err);
    } else {
        qa_answer_free(chat->last);
        chat->last = fresh;
        if (qa_answer_refused(fresh))
            cli_print_text(stdout, qa_answer_text(fresh), 0, cli_width());
        cli_print_below(stdout, fresh);
        if (qa_answer_warning(fresh))
            cli_print_text(stderr, qa_answer_warning(fresh), 0, 0);
        if (qa_answer_conversation(fresh))
            set_conversation(chat, qa_answer_conversation(fresh));
        putchar('\n');
    }
    if (terminated) {
        fflush(stdout);
        leave(SIGTERM);
    }
}

/* libedit drops every key that the locale's character set does not know, and in the C locale that is all but ASCII. */
static void prepare_terminal(void) {
    if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
    rl_getc_function = read_key; /* libedit looks at it when it starts */
    using_history();
}

static int run(struct cli *c) {
    struct chat chat = {.c = c, .question.extractive = cli_has(c, "extractive"), .terminal = isatty(STDIN_FILENO) == 1};
    struct cli_scope scope;
    long k = 5;
    if (c->json)
        return cli_usage_error(c, "--json does not go with a conversation on the terminal; use quaere ask --json -c last");
    if (!cli_number(c, "count", 1, 100, &k))
        return 2;
    int status = cli_read_scope(c, &chat.question, &scope);
    chat.question.k = (size_t)k;
    if (chat.question.filter && !(chat.question.filter = chat.filter = strdup(chat.question.filter)))
        status = cli_no_memory(c);
    if (status == 0)
        status = cli_open(c, false, &chat.q);
    if (status == 0 && cli_has(c, "conversation") && !resume(&chat, cli_value(c, "conversation")))
        status = 1;
    if (status == 0) {
        if (chat.terminal && !c->quiet)
            printf("Ask about your documents. /help lists commands, Ctrl-D leaves.\n");
        if (chat.terminal)
            prepare_terminal();
        signal(SIGTERM, leave);
        for (char *line; (line = next_line(&chat)) != NULL; free(line)) {
            char *text = line + strspn(line, " \t");
            if (!*text)
                continue;
            if (chat.terminal)
                add_history(text);
            else
                fputs("> ", stdout), cli_print_line(stdout, text), putchar('\n');
            if (*text == '/' ? !command(&chat, text) : (answer(&chat, text), false)) {
                free(line);
                break;
            }
            fflush(stdout);
        }
        if (chat.conversation[0] && !c->quiet) {
            fputs("Kept; go on with: quaere chat -c ", stdout);
            cli_print_line(stdout, chat.conversation);
            putchar('\n');
        }
        status = chat.failed ? 1 : 0;
    }
    qa_answer_free(chat.last);
    free(chat.filter);
    qa_close(chat.q);
    cli_release_scope(&scope);
    return status;
}

const struct cli_command cmd_chat = {
    .name = "chat",
    .arguments = "",
    .summary = "Hold a conversation on the terminal.",
    .details = "A follow-up such as \"and for GPU instances?\" is understood from the questions before it. Every turn is kept at once; /list,\n"
               "/resume and /delete look after earlier conversations.",
    .example = "  quaere chat\n  quaere chat -c last",
    .options = options,
    .min_arguments = 0,
    .max_arguments = 0,
    .run = run,
};
