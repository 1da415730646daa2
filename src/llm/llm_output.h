/* From tokens to what a reader gets. A token is any bytes: half a character, or what is none; a reader gets whole characters of valid UTF-8. Knows nothing of
 * llama.cpp. */
#ifndef LLM_LLM_OUTPUT_H
#define LLM_LLM_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct llm_output {
    bool (*piece)(void *user, const char *text, size_t len);
    void *user;
    char held[4];                   /* beginning of a character whose rest has not come */
    size_t n_held;
    bool any;                       /* something was handed out, */
    double first_ms;                /* then (clock_mono_ms) for the first time */
};
void llm_output_begin(struct llm_output *o, bool (*piece)(void *user, const char *text, size_t len), void *user);
/* Hands out whole characters, U+FFFD for what is invalid. False: the reader has enough. */
bool llm_output_put(struct llm_output *o, const char *bytes, size_t n);
bool llm_output_end(struct llm_output *o); /* what is held is half a character now */

#endif
