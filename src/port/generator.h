/* Writes text after a conversation. src/llm/ implements it on llama.cpp, src/remote/ on an OpenAI-compatible server, the tests on scripts.
 *
 * A generator is used by one thread at a time; it may use several itself. */
#ifndef PORT_GENERATOR_H
#define PORT_GENERATOR_H

#include "base/error.h"
#include <stdatomic.h>

enum generator_role { GENERATOR_SYSTEM, GENERATOR_USER, GENERATOR_ASSISTANT };

struct generator_message {
    enum generator_role role;
    const char *text;      /* never interpreted: no text of it becomes a control token */
};

struct generator_request {
    const struct generator_message *messages; /* an optional system message, then user and assistant in turn, user last */
    size_t n_messages;
    size_t max_tokens;     /* of the answer; generation ends there with GENERATOR_FULL */
    uint32_t seed;
    float temperature;     /* 0: always the likeliest token */
    /* Each piece of text as it comes, on the calling thread: whole characters of valid UTF-8 (what is invalid arrives as U+FFFD). False: enough, end with
     * GENERATOR_STOPPED. */
    bool (*piece)(void *user, const char *text, size_t len);
    /* Something is waited for longer than usual, in words for a person: "api.example takes no more requests for now; trying again in 4 s". May be NULL. */
    void (*waiting)(void *user, const char *why);
    void *user;
    const atomic_int *cancel; /* may be NULL; looked at for every token, also while the prompt is read: QA_CANCELLED */
};

enum generator_end {
    GENERATOR_DONE,        /* the model said that it is done */
    GENERATOR_FULL,        /* max_tokens */
    GENERATOR_STOPPED,     /* piece said so */
    GENERATOR_LOOPED       /* it only repeated itself */
};

struct generator_result {
    enum generator_end end;
    size_t prompt_tokens, reused_tokens, generated_tokens; /* 0 where the other side does not say */
    double first_token_ms; /* from the call to the first piece; 0 when there was none */
};

struct generator_ops {
    /* Failures after the first piece leave what was handed to piece as it is. QA_TOO_LARGE: prompt and max_tokens do not fit the context. */
    qa_status (*generate)(void *self, const struct generator_request *request, struct generator_result *out, qa_error *err);
    /* Tokens of a text alone, without a template; an estimate (on the high side) where the tokenizer is elsewhere. */
    qa_status (*count_tokens)(void *self, const char *text, size_t len, size_t *out, qa_error *err);
    void (*close)(void *self);
};

struct generator_port {
    const struct generator_ops *ops;
    void *self;
    const char *name;        /* "qwen2.5-coder-0.5b-instruct" */
    const char *fingerprint; /* as in port/embedder.h */
    size_t context;          /* tokens of prompt and answer together; 0: unknown */
};

#endif
