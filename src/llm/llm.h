/* Local models through llama.cpp: the only folder that includes llama.h.
 *
 * Whoever opens a file lets the bounded reader of src/model/ look at it first. `trusted` says that its SHA-256 is one of the manifest's, or that it was tried
 * before: other files are first loaded in a child process, since llama.cpp is known to abort on some hostile ones. */
#ifndef LLM_LLM_H
#define LLM_LLM_H

#include "port/embedder.h"
#include "port/generator.h"

struct llm_options {
    const char *path;        /* of the GGUF */
    const char *name;        /* for people */
    const char *fingerprint; /* identifies the file */
    bool trusted;
    unsigned trial_seconds;  /* 0: 30, and more for a large file */
    unsigned threads;        /* 0: processors this process may use */
    struct embedder_prefixes prefixes; /* of an embedder */
    size_t context;          /* tokens wanted; 0: 4096 for a generator; never more than the model was trained for */
    const atomic_int *cancel; /* of the loading; may be NULL */
};
/* QA_NOT_FOUND, QA_CORRUPT (broken or foreign file: names file and reason), QA_BAD_CONFIG (wrong role), QA_TOO_LARGE (this machine has not the memory for it; the
 * program can go on without), QA_NO_MEMORY, QA_BUSY (trying it took too long). Close through the port. */
qa_status llm_open_embedder(const struct llm_options *options, struct embedder_port *out, qa_error *err);
qa_status llm_open_generator(const struct llm_options *options, struct generator_port *out, qa_error *err);
/* QA_TOO_LARGE when a file certainly does not fit: said from its size, before anybody reads it whole for its checksum. QA_OK also when it is not there. */
qa_status llm_check_memory(const char *path, qa_error *err);
/* Of llama.cpp; what it made of a file says nothing of what another one would. */
const char *llm_version(void);

#endif
