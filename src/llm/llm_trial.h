/* Trying a file in a child process. */
#ifndef LLM_LLM_TRIAL_H
#define LLM_LLM_TRIAL_H

#include "llm/llm.h"

/* Runs `attempt` in a child process and returns what it returned; a crash or an abort there is QA_CORRUPT, more time than it may take QA_BUSY. */
qa_status llm_trial(const struct llm_options *options, qa_status (*attempt)(const struct llm_options *options, const void *user, qa_error *err),
                    const void *user, qa_error *err);

/* Called with the text when llama.cpp is about to abort the process. NULL: the text goes to the log. */
void llm_backend_on_abort(void (*hook)(const char *message));

#endif
