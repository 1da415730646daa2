/* The parts wired together behind quaere.h. */
#ifndef CORE_CORE_H
#define CORE_CORE_H

#include "answer/answer.h"
#include "core/config.h"
#include "port/embedder.h"
#include "port/generator.h"
#include "store/store.h"
#include <stdatomic.h>

enum {
    CORE_REQUEST_CEILING = 256 << 20, /* memory of one question, its passages included */
    CORE_CONFIG_CEILING = 16 << 20,
    CORE_HITS_DEFAULT = 10,
    CORE_SOURCES_DEFAULT = 5,
    CORE_HITS_MAX = 1000,
    CORE_EARLIER_TURNS = 8, /* turns of a conversation that are looked at */
};
#define CORE_EMBEDDER "all-MiniLM-L6-v2" /* where nothing else is said, and they have been pulled */
#define CORE_GENERATOR "qwen2.5-coder-0.5b-instruct"

/* A model in use, or why there is none. */
struct core_model {
    bool tried;
    qa_error why;                 /* QA_OK, or why it cannot be opened although it was asked for */
};

struct qa {
    struct arena memory;          /* paths and configuration; lives as long as the handle */
    struct config *config;        /* never NULL; empty when there is no file */
    char *index_path, *state_path;
    bool create, from_process_start;
    struct store_index *reader, *writer;
    struct store_state *state;
    struct words *words;
    struct config_model embedder_choice, generator_choice; /* option, environment, configuration */
    struct core_model embedder_state, generator_state;
    struct embedder_port embedder;   /* ops NULL: not open */
    struct generator_port generator;
    atomic_int cancel;
};

/* The index for reading, opened at the first use; QA_NOT_FOUND says how to make one. */
qa_status core_read_index(qa *q, struct index_port *out, qa_error *err);
qa_status core_write_index(qa *q, struct index_port *out, qa_error *err);
/* The conversations. For reading, *out is NULL when there is no file yet. */
qa_status core_open_memory(qa *q, bool create, struct memory_port *out, qa_error *err);
/* Makes the id of the newest conversation of "last". QA_NOT_FOUND. */
qa_status core_find_conversation(const struct memory_port *memory, struct arena *a, const char **id, qa_error *err);
/* The models, opened at the first use; *out stays NULL when none was asked for and the default has not been pulled, or "none" was. `made_with`: the embedder whose
 * vectors the index holds, which comes before the program's default; NULL: none. A failure is told again at each call. */
qa_status core_open_embedder(qa *q, const char *made_with, struct embedder_port **out, qa_error *err);
qa_status core_open_generator(qa *q, struct generator_port **out, qa_error *err);
/* The file of an embedder, and how to open it, all in the arena; nothing is opened. `model`: a name or a file; NULL: the one in use, else the program's default.
 * QA_BAD_CONFIG for one that does not run on this machine. */
struct llm_options;
qa_status core_find_embedder(qa *q, struct arena *a, const char *model, struct llm_options *out, qa_error *err);
/* The error of an index whose vectors are not those of `embedder` (NULL: there is none), with what to do about it. */
qa_status core_other_embedder(const struct index_space *space, const struct embedder_port *embedder, qa_error *err);
/* Option, environment variable, configuration. */
qa_status core_choose_model(qa *q, const char *option, const char *variable, const struct config_model *configured, struct config_model *out,
                            qa_error *err);
void core_close_models(qa *q);
struct words *core_words(qa *q, qa_error *err);
/* Milliseconds since `started` (clock_mono_ms), or since the process started for the first call of a handle opened that way. */
double core_elapsed_ms(qa *q, double started);
/* Called at the end of each public call: a cancel that came during it has been seen. */
qa_status core_finish(qa *q, qa_status status);

/* A question made ready: its scope parsed, its history loaded. */
struct core_question {
    struct search_request search;
    struct caller caller;
    const char *conversation; /* NULL: none yet */
    struct answer_turn *turns; /* what was asked and answered before, oldest first */
    size_t n_turns;
    bool older_turns;         /* the conversation has more than these */
    bool told_dropped;        /* a person was told in it that older turns are left out */
};
qa_status core_prepare(qa *q, struct arena *a, const qa_question *question, size_t default_k, struct core_question *out,
                       qa_error *err);

struct qa_hits {
    struct arena memory;
    struct core_question question;
    struct search_result found;
    qa_hit *hits;
    const char *embedder;       /* whose vectors were searched; NULL: words alone */
    uint64_t pending;           /* chunks that have no vector yet; of a caller who is not the owner, those that the caller may see */
    char warning[600];
    double retrieve_ms, total_ms;
    char *json;
};
/* Makes `h`, which is zeroed, ready to search: its arena, its question, the embedder. Release it with core_release_hits whatever comes back. */
qa_status core_begin_search(qa *q, const qa_question *question, size_t default_k, struct qa_hits *h, struct index_port *index, qa_error *err);
/* The same, and finds the passages for a question into `h`. The evidence is not judged yet. */
qa_status core_find(qa *q, const qa_question *question, size_t default_k, struct qa_hits *h, qa_error *err);
void core_release_hits(struct qa_hits *h);
json_t *core_hit_json(const qa_hit *hit, bool *ok);
json_t *core_strings_json(const char *const *strings, size_t n, bool *ok);
const char *core_evidence_name(qa_evidence evidence);
/* JSON as it was stored. It was valid then; what has been damaged since becomes an empty object. Out of memory: NULL and *ok false. */
json_t *core_stored_json(const char *text, bool *ok);
/* Ends a JSON call: *out gets the text, the value is released. */
qa_status core_json_result(json_t *value, bool ok, char **out, qa_error *err);

#endif
