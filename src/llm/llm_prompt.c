/* A conversation in the model's own form.
 *
 * llama_chat_apply_template would paste texts and markers into one string, and then a document that says "<|im_end|>" could end the turn. So it is
 * applied to place holders; what stands between them is the model's form and is read with control tokens, the texts are read without. The price: no token
 * spans a border of form and text, and vocabularies that put a space before everything (SPM) get one at each border.
 *
 * Templates are not run (they are programs): llama.cpp knows those in use by their markers. For others ChatML is taken, and the log says so. */
#include "base/buf.h"
#include "base/log.h"
#include "llm/llm_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_MESSAGES = 4096, MAX_FORM = 4 << 20, HOLDER_BYTES = 24 };
static const char fallback[] = "chatml";

static const char *role_name(enum generator_role role) {
    return role == GENERATOR_SYSTEM ? "system" : role == GENERATOR_USER ? "user" : "assistant";
}

/* \x1A (substitute) stands in no template, and no template trims it away. */
static void write_holder(char out[HOLDER_BYTES], size_t i) { snprintf(out, HOLDER_BYTES, "\x1A%zu\x1A", i); }

/* The form with its place holders; malloc'd. *out NULL: llama.cpp does not know this template. */
static qa_status apply(const char *form, const struct generator_message *messages, size_t n, char **out, qa_error *err) {
    qa_status status = QA_OK;
    struct llama_chat_message *chat = calloc(n, sizeof *chat);
    char(*holders)[HOLDER_BYTES] = calloc(n, sizeof *holders);
    *out = NULL;
    if (!chat || !holders) {
        status = error_no_memory(err, "writing the prompt");
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        write_holder(holders[i], i);
        chat[i] = (struct llama_chat_message){role_name(messages[i].role), holders[i]};
    }
    int32_t size = llama_chat_apply_template(form, chat, n, true, NULL, 0);
    if (size <= 0)
        goto done;
    if (size > MAX_FORM) {
        status = error_set(err, QA_TOO_LARGE, "the model's form of the conversation has %d bytes; at most %d", size, MAX_FORM);
        goto done;
    }
    *out = malloc((size_t)size + 1);
    if (!*out) {
        status = error_no_memory(err, "writing the prompt");
        goto done;
    }
    llama_chat_apply_template(form, chat, n, true, *out, size);
    (*out)[size] = '\0';
done:
    free(chat);
    free(holders);
    return status;
}

/* Every holder once and in order, so that no text is lost? */
static bool is_complete(const char *form, size_t n) {
    size_t seen = 0;
    for (const char *at = form; (at = strchr(at, '\x1A')); seen++) {
        char holder[HOLDER_BYTES];
        write_holder(holder, seen);
        if (seen >= n || strncmp(at, holder, strlen(holder)) != 0)
            return false;
        at += strlen(holder);
    }
    return seen == n;
}

/* As `apply`, but never NULL: falls back where the template is unknown or has no place for one of the messages. */
static qa_status apply_any(const char *form, const struct generator_message *messages, size_t n, char **out, qa_error *err) {
    qa_status status = apply(form, messages, n, out, err);
    if (status != QA_OK || (*out && is_complete(*out, n)))
        return status;
    free(*out);
    status = apply(fallback, messages, n, out, err);
    if (status == QA_OK && (!*out || !is_complete(*out, n))) {
        free(*out);
        *out = NULL;
        status = error_set(err, QA_INTERNAL, "llama.cpp cannot write a conversation as ChatML");
    }
    return status;
}

void llm_prompt_open(struct llm_prompt *p, const struct llm_model *m) {
    static const struct generator_message sample[] = {{GENERATOR_SYSTEM, ""}, {GENERATOR_USER, ""}, {GENERATOR_ASSISTANT, ""}, {GENERATOR_USER, ""}};
    const size_t n = sizeof sample / sizeof *sample;
    const char *own = llama_model_chat_template(m->model, NULL);
    char *form = NULL;
    p->form = own ? own : fallback;
    if (own && apply(own, sample, n, &form, NULL) == QA_OK && !(form && is_complete(form, n)))
        p->form = NULL;
    free(form);
    if (!own)
        log_line(LOG_WARN, "the model %s has no chat template; using ChatML", m->name);
    else if (!p->form) {
        log_line(LOG_WARN, "the chat template of the model %s is not one that llama.cpp knows; using ChatML", m->name);
        p->form = fallback;
    }
}

qa_status llm_prompt_build(const struct llm_prompt *p, const struct llm_model *m, const struct generator_message *messages, size_t n,
                           struct llm_tokens *out, struct llm_tokens *turns, qa_error *err) {
    out->n = turns->n = 0;
    if (!n || n > MAX_MESSAGES)
        return error_set(err, QA_TOO_LARGE, "a conversation of %zu messages; from 1 to %d can be written as a prompt", n, MAX_MESSAGES);
    char *form = NULL;
    qa_status status = apply_any(p->form, messages, n, &form, err);
    llama_token bos = llama_vocab_bos(m->vocab);
    bool add_bos = llama_vocab_get_add_bos(m->vocab) && bos != LLAMA_TOKEN_NULL;
    if (status == QA_OK && add_bos)
        status = llm_tokens_add(out, bos, err);
    const char *at = form;
    for (size_t i = 0; status == QA_OK && i <= n; i++) {
        char holder[HOLDER_BYTES];
        write_holder(holder, i);
        const char *end = i < n ? strstr(at, holder) : at + strlen(at);
        status = llm_tokenize(m, at, (size_t)(end - at), true, out, err);
        if (i == 0 && add_bos && out->n > 1 && out->items[1] == bos) /* the template wrote it too */
            memmove(out->items + 1, out->items + 2, (--out->n - 1) * sizeof *out->items);
        if (status == QA_OK && i && i < n && messages[i].role == GENERATOR_USER)
            status = llm_tokens_add(turns, (llama_token)out->n, err);
        if (status == QA_OK && i < n) {
            status = llm_tokenize(m, messages[i].text, strlen(messages[i].text), false, out, err);
            at = end + strlen(holder);
        }
    }
    free(form);
    return status;
}
