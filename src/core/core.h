/* The parts wired together behind quaere.h. */
#ifndef CORE_CORE_H
#define CORE_CORE_H

#include "answer/answer.h"
#include "core/config.h"
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

struct qa {
    struct arena memory;          /* paths and configuration; lives as long as the handle */
    struct config *config;        /* never NULL; empty when there is no file */
    char *index_path, *state_path;
    bool create, from_process_start;
    struct store_index *reader, *writer;
    struct store_state *state;
    struct words *words;
    atomic_int cancel;
};

/* The index for reading, opened at the first use; QA_NOT_FOUND says how to make one. */
qa_status core_read_index(qa *q, struct index_port *out, qa_error *err);
qa_status core_write_index(qa *q, struct index_port *out, qa_error *err);
/* The conversations. For reading, *out is NULL when there is no file yet. */
qa_status core_open_memory(qa *q, bool create, struct memory_port *out, qa_error *err);
/* Makes the id of the newest conversation of "last". QA_NOT_FOUND. */
qa_status core_find_conversation(const struct memory_port *memory, struct arena *a, const char **id, qa_error *err);
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
};
qa_status core_prepare(qa *q, struct arena *a, const qa_question *question, size_t default_k, struct core_question *out,
                       qa_error *err);

/* Hits of the search as the public structs. */
qa_status core_make_hits(struct arena *a, const struct search_result *found, qa_hit **out, qa_error *err);
json_t *core_hit_json(const qa_hit *hit, bool *ok);
json_t *core_strings_json(const char *const *strings, size_t n, bool *ok);
const char *core_evidence_name(qa_evidence evidence);
/* JSON as it was stored. It was valid then; what has been damaged since becomes an empty object. Out of memory: NULL and *ok false. */
json_t *core_stored_json(const char *text, bool *ok);
/* Ends a JSON call: *out gets the text, the value is released. */
qa_status core_json_result(json_t *value, bool ok, char **out, qa_error *err);

#endif
