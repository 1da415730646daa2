/* `quaere bench embed`: how fast an embedder is on this machine. Opens no index. */
#ifndef CORE_BENCH_H
#define CORE_BENCH_H

#include "core/core.h"

enum { CORE_BENCH_MAX_THREADS = 64, CORE_BENCH_MAX_LIST = 16 };

struct core_bench {
    const char *model;          /* a name or a file; NULL: the one in use, else the program's default */
    const char *texts;          /* a folder or a document, cut as ingest does; a file with a NUL between any two texts; NULL: built in */
    unsigned precisions;        /* bits 1 << enum embed_precision; 0: all that this processor computes differently */
    bool llama;                 /* through llama.cpp, as models of other families always are */
    size_t threads[CORE_BENCH_MAX_LIST], n_threads; /* 1 to CORE_BENCH_MAX_THREADS each; none: 1 and all processors */
    double seconds;             /* of measuring each row, at least three batches; a row starts and warms up in addition */
    void (*show)(void *user, const char *row, uint64_t done, uint64_t total); /* seconds, about; NULL: nobody looks */
    void *user;
};

/* Malloc'd (qa_text_free): {"machine": {"processor", "processors", "system", "load"}, "program", "optimised", "model": {"name", "path", "dimensions", "context"},
 * "texts": {"from", "count", "tokens"}, "question": {"text", "tokens"}, "seconds", "notice": of another family, else null,
 * "rows": [{"precision", "runs": what ran, e.g. "int8, avx2", "threads", "tokens_per_second", "texts_per_second", "batches", "question_ms", "load_ms",
 * "peak_bytes"}]}. Times are medians. What cannot be measured is null: all times when QUAERE_CLOCK stands still.
 * QA_BAD_USAGE: precisions of a model that only llama.cpp runs. */
qa_status core_bench_embed(qa *q, const struct core_bench *what, char **json, qa_error *err);

/* The texts that are measured, at most CORE_BENCH_TEXTS, evenly over what there is: the same ones each time. In the arena. */
enum { CORE_BENCH_TEXTS = 256 };
qa_status core_bench_texts(const char *from, const atomic_int *cancel, struct arena *a, struct embedder_text **out, size_t *n, qa_error *err);

#endif
