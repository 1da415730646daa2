/* From tokens to what a reader gets: whole characters, and an end to repetition. Knows nothing of llama.cpp. */
#ifndef LLM_LLM_OUTPUT_H
#define LLM_LLM_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LLM_LOOP_PERIOD = 128,          /* tokens of the longest phrase whose repetition is seen */
    LLM_LOOP_TOKENS = 64,           /* and that many tokens, */
    LLM_LOOP_TIMES = 4              /* that many times over, make a loop: no table and no list of a document does that */
};
struct llm_output {
    bool (*piece)(void *user, const char *text, size_t len);
    void *user;
    char held[4];                   /* beginning of a character whose rest has not come */
    size_t n_held;
    bool any;                       /* something was handed out */
    int32_t recent[LLM_LOOP_PERIOD]; /* ring of the last tokens */
    size_t n_tokens;
    uint32_t run[LLM_LOOP_PERIOD + 1]; /* by period: how many tokens in a row equalled the one a period before */
};
void llm_output_begin(struct llm_output *o, bool (*piece)(void *user, const char *text, size_t len), void *user);
/* Hands out whole characters, U+FFFD for what is invalid. False: the reader has enough. */
bool llm_output_put(struct llm_output *o, const char *bytes, size_t n);
bool llm_output_end(struct llm_output *o); /* what is held is half a character now */
/* True when the tokens so far end in nothing but repetition. */
bool llm_output_loops(struct llm_output *o, int32_t token);

#endif
