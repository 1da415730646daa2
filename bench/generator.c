/* bench_generator MODEL.gguf THREADS: answers each line of standard input, a conversation as JSON ([{"role", "content"}, ...] or {"messages": ...}), and
 * says on standard output how long the first token took: {"first_token_ms", "prompt_tokens", "reused_tokens"}. The model is loaded once and
 * stays warm, as in a chat. Run by bench/first_token. */
#include "base/json.h"
#include "llm/llm.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGES = 64 };

static bool enough(void *user, const char *text, size_t len) {
    (void)user, (void)text, (void)len;
    return false;
}

static qa_status answer(const struct generator_port *g, const json_t *list) {
    struct generator_message messages[MESSAGES];
    size_t i, n = 0;
    const json_t *m;
    qa_error err = {0};
    struct generator_result result = {0};
    json_array_foreach(list, i, m) {
        const char *role = json_get_string(m, "role");
        if (!role || n == MESSAGES)
            return QA_BAD_INPUT;
        messages[n++] = (struct generator_message){
            .role = strcmp(role, "system") == 0 ? GENERATOR_SYSTEM : strcmp(role, "user") == 0 ? GENERATOR_USER : GENERATOR_ASSISTANT,
            .text = json_get_string(m, "content")};
    }
    const struct generator_request request = {.messages = messages, .n_messages = n, .max_tokens = 16, .piece = enough};
    qa_status status = g->ops->generate(g->self, &request, &result, &err);
    if (status != QA_OK)
        fprintf(stderr, "bench_generator: %s\n", err.message);
    else
        printf("{\"first_token_ms\": %.2f, \"prompt_tokens\": %zu, \"reused_tokens\": %zu}\n", result.first_token_ms, result.prompt_tokens, result.reused_tokens);
    fflush(stdout);
    return status;
}

int main(int argc, char **argv) {
    struct generator_port g;
    qa_error err = {0};
    char *line = NULL;
    size_t size = 0;
    qa_status status = QA_OK;
    if (argc != 3) {
        fputs("usage: bench_generator MODEL.gguf THREADS <conversations\n", stderr);
        return 2;
    }
    const struct llm_options options = {.path = argv[1], .name = "model", .fingerprint = "bench", .trusted = true, .threads = (unsigned)atoi(argv[2])};
    if (llm_open_generator(&options, &g, &err) != QA_OK) {
        fprintf(stderr, "bench_generator: %s\n", err.message);
        return 1;
    }
    for (ssize_t n; status == QA_OK && (n = getline(&line, &size, stdin)) > 0;) {
        json_t *root = NULL;
        status = json_parse(line, (size_t)n, &root, &err);
        if (status == QA_OK)
            status = answer(&g, json_is_object(root) ? json_object_get(root, "messages") : root);
        json_decref(root);
    }
    free(line);
    g.ops->close(g.self);
    return status != QA_OK;
}
