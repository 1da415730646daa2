/* Inside src/llm/: what opening, embedding and generating share. */
#ifndef LLM_LLM_INTERNAL_H
#define LLM_LLM_INTERNAL_H

#include "llm/llm.h"
#include <llama.h>

enum {
    LLM_DEFAULT_CONTEXT = 4096,
    LLM_MAX_EMBEDDER_CONTEXT = 2048, /* attention without a cache costs its square in memory; longer texts are cut in pieces anyway */
    LLM_BATCH = 256,                 /* tokens of a prompt in one go, at most (llm_generate.c); 512 were not faster */
    LLM_MAX_THREADS = 64,
    LLM_MAX_GENERATION_THREADS = 8,  /* a single token is bound by memory, and more threads only wait for each other */
    LLM_MAX_EMBEDDING_THREADS = 16,  /* each has a context of its own */
    LLM_MAX_TEXT = 16 << 20,         /* bytes of one text */
    LLM_MAX_PIECE = 1 << 16          /* bytes of one token's text; a real vocabulary has some hundred at most */
};

/* ---- llm_backend.c: llama.cpp as a whole ---- */

/* Counts users; the first one sets llama.cpp up and takes its log over. */
void llm_backend_acquire(void);
void llm_backend_release(void);
/* What llama.cpp complained of first, on this thread, since llm_backend_forget; "" when it did not. Printable. */
void llm_backend_forget(void);
const char *llm_backend_complaint(void);
/* ---- llm_threads.c ---- */

unsigned llm_processors(void);      /* that this process may use, 1 to LLM_MAX_THREADS */
unsigned llm_free_processors(void); /* of these, those that nothing else uses now; at least 1 */

/* ---- llm_load.c: a model, and contexts to compute with it ---- */

enum llm_role { LLM_EMBEDDER, LLM_GENERATOR };

struct llm_model {
    struct llama_model *model;
    const struct llama_vocab *vocab;
    char *path, *name, *fingerprint;
    char architecture[64];
    enum llm_role role;
    size_t context_tokens;
    const atomic_int *cancel;       /* of the call that runs; looked at between the operations of a computation */
    bool acquired;
};
/* What uses a model: a struct that begins with its struct llm_model. */
struct llm_kind {
    enum llm_role role;
    size_t size;
    const char *doing;              /* for messages: "opening an embedder" */
    qa_status (*prepare)(void *self, const struct llm_options *options, qa_error *err); /* the model is loaded and context_tokens set */
    qa_status (*attempt)(void *self, qa_error *err);                                    /* computes once, in the trial */
    void (*close)(void *self);                                                          /* also when `prepare` failed; calls llm_unload */
};
/* Tries the file in a child process unless it is trusted; then loads it into a new struct of that kind. */
qa_status llm_open(const struct llm_kind *kind, const struct llm_options *options, void **out, qa_error *err);
void llm_unload(struct llm_model *m);
/* A context that looks at m->cancel. With all the memory it will need: what does not fit is found here and not in the middle of an answer. */
qa_status llm_make_context(struct llm_model *m, struct llama_context_params params, struct llama_context **out, qa_error *err);
/* <architecture>.<suffix> of the file's metadata; true is 1, false 0. */
long llm_meta_number(const struct llm_model *m, const char *suffix, long missing);
bool llm_cancelled(const struct llm_model *m);
/* What a return value of llama_decode or llama_encode other than 0 means. */
qa_status llm_compute_error(const struct llm_model *m, int code, qa_error *err);

/* ---- llm_batch.c: tokens on their way into a computation, all of one sequence ---- */

struct llm_batch {
    struct llama_batch tokens;
    llama_seq_id sequence;          /* what all of tokens.seq_id point at: the struct must not move */
    size_t room;
};
qa_status llm_batch_make(struct llm_batch *b, size_t room, qa_error *err); /* *b: zeroed before, or of an earlier try */
void llm_batch_add(struct llm_batch *b, llama_token token, size_t position, bool wanted); /* wanted: its result is asked for */
void llm_batch_free(struct llm_batch *b);

/* ---- llm_tokens.c ---- */

struct llm_tokens {
    llama_token *items;
    size_t n, cap;
};
/* Appends the tokens of a text, without markers. `control`: names of control tokens in it become these tokens; else, to a generator, none does. */
qa_status llm_tokenize(const struct llm_model *m, const char *text, size_t len, bool control, struct llm_tokens *out, qa_error *err);
qa_status llm_tokens_add(struct llm_tokens *t, llama_token token, qa_error *err);
void llm_tokens_free(struct llm_tokens *t);

/* ---- llm_prompt.c ---- */

struct llm_prompt {
    const char *form;               /* the model's own template or the name of one of llama.cpp's */
};
void llm_prompt_open(struct llm_prompt *p, const struct llm_model *m);
/* Sets out->n and turns->n to 0 first. turns: how many tokens stand before the text of each user message but a first one. */
qa_status llm_prompt_build(const struct llm_prompt *p, const struct llm_model *m, const struct generator_message *messages, size_t n,
                           struct llm_tokens *out, struct llm_tokens *turns, qa_error *err);

#endif
