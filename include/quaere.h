/* quaere.h - ask documentation questions and get answers with citations that can be checked.
 *
 *     qa *q = NULL;
 *     qa_error err = {0};
 *     qa_open_options where = {.index = "docs.db", .state = "state.db", .create = true};
 *     if (qa_open(&where, &q, &err) != QA_OK) { fprintf(stderr, "%s\n", err.message); return 1; }
 *
 *     const char *paths[] = {"docs"};
 *     qa_ingest_options what = {.paths = paths, .n_paths = 1};
 *     qa_ingest_report report = {0};
 *     qa_ingest(q, &what, &report, &err);
 *
 *     qa_question question = {.text = "how long is a presigned URL valid?"};
 *     qa_answer *answer = NULL;
 *     if (qa_ask(q, &question, &answer, &err) == QA_OK) {
 *         puts(qa_answer_text(answer));
 *         qa_answer_free(answer);
 *     }
 *     qa_close(q);
 *
 * Strings are UTF-8 and end in NUL. Offsets are bytes. Times are milliseconds. Option structs may be zeroed: zero is
 * the default of every member. Nothing passed in is kept after the call returns; what a call hands out belongs to the
 * caller and is released by the function named with it.
 *
 * Errors: functions that can fail return a qa_status and take a qa_error last, which may be NULL. On failure nothing
 * is handed out and the error holds the code and a message for a person.
 *
 * JSON is read and written with jansson, whose allocator qa_open replaces by one that is safe when memory is out (json_set_alloc_funcs).
 *
 * Threads: one qa is used by one thread at a time, except qa_cancel, which any thread or signal handler may call.
 * Several qa, in one process or many, may read one index at once while one of them ingests; a second one that ingests
 * gets QA_BUSY. */
#ifndef QUAERE_H
#define QUAERE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QA_API __attribute__((visibility("default")))

/* ---- Status and errors ---------------------------------------------------------------------------------------- */

typedef enum qa_status {
    QA_OK = 0,
    QA_BAD_USAGE,    /* the call makes no sense as it stands: an unknown option, a missing argument */
    QA_BAD_INPUT,    /* data that was handed in is malformed: a question set, a JSON line */
    QA_BAD_FILTER,   /* a filter expression does not parse */
    QA_BAD_CONFIG,   /* quaere.yaml says something impossible */
    QA_NOT_FOUND,    /* no such file, document, conversation */
    QA_EXISTS,       /* would overwrite */
    QA_IO,           /* the operating system refused to read or write */
    QA_NO_MEMORY,    /* the machine, or a stated ceiling, has no more memory */
    QA_TOO_LARGE,    /* over a stated limit that guards against hostile input */
    QA_BUSY,         /* somebody else writes the index now */
    QA_CORRUPT,      /* a stored file is damaged or is not ours; it was left as it is */
    QA_BAD_VERSION,  /* a stored file was written by a newer program */
    QA_UNSUPPORTED,  /* a thing this build cannot do */
    QA_CANCELLED,    /* qa_cancel was called; what was reported done is safe */
    QA_REMOTE,       /* a service that Quaere was told to use refused, failed or answered nonsense */
    QA_INTERNAL,     /* a defect in Quaere */
    QA_STATUS_COUNT
} qa_status;

typedef struct qa_error {
    qa_status status;
    char message[500]; /* one line or a few, no trailing newline; names the place and both values */
} qa_error;

QA_API const char *qa_version(void);
/* The stable name used in JSON ("bad_filter"), the exit status of the CLI and the HTTP status of a code. */
QA_API const char *qa_status_name(qa_status status);
QA_API int qa_status_exit(qa_status status);
QA_API int qa_status_http(qa_status status);

/* ---- Open and close ------------------------------------------------------------------------------------------- */

typedef struct qa qa;

typedef struct qa_open_options {
    const char *config; /* quaere.yaml; NULL: found upward from the working folder, else in the user's configuration
                           folder, else none */
    const char *index;  /* NULL: QUAERE_INDEX, the configuration, else .quaere/index.db beside it, else the user's data
                           folder */
    const char *state;  /* the same with QUAERE_STATE and state.db */
    const char *embedder, *generator; /* a name of models.conf, a GGUF file, or "none"; NULL: QUAERE_EMBEDDER and QUAERE_GENERATOR,
                           the configuration, else the program's defaults where they have been pulled */
    bool from_process_start; /* the first call's times count from the start of the process: for commands, which are one call */
    bool create;        /* make a missing index instead of answering QA_NOT_FOUND; needed to ingest */
} qa_open_options;

/* Opens nothing twice and writes nothing until something is ingested or asked: the files are opened when first
 * needed. QA_BAD_CONFIG when the configuration does not parse. Release with qa_close (NULL is fine). */
QA_API qa_status qa_open(const qa_open_options *options, qa **out, qa_error *err);
QA_API void qa_close(qa *q);

/* Asks the running call of `q` to stop soon; it returns QA_CANCELLED. Safe in a signal handler. The request stays
 * until that call has seen it. */
QA_API void qa_cancel(qa *q);

/* The files in use, for messages. Valid until qa_close. config is NULL when there is none. */
QA_API const char *qa_index_path(const qa *q);
QA_API const char *qa_state_path(const qa *q);
QA_API const char *qa_config_path(const qa *q);

/* ---- Ingest --------------------------------------------------------------------------------------------------- */

typedef enum qa_prune {
    QA_PRUNE_GUARDED = 0, /* forget documents that are gone, unless the root is missing or empty or more than half vanished */
    QA_PRUNE_FORCE,       /* forget them whatever the share */
    QA_PRUNE_NEVER
} qa_prune;

typedef enum qa_ingest_event_kind {
    QA_INGEST_PROGRESS, /* counts moved; comes a few times a second at most */
    QA_INGEST_ADDED,    /* the next five: one document, safe on disk when reported (or would be, in a dry run) */
    QA_INGEST_CHANGED,
    QA_INGEST_MOVED,
    QA_INGEST_FORGOTTEN,
    QA_INGEST_FAILED, /* this document could not be read; an earlier version of it stays */
    QA_INGEST_EMBEDDING, /* chunks get their vectors: done and total count chunks; first with done 0, then a few times a second at most */
    QA_INGEST_NOTICE  /* something a person should know: pruning withheld, a file skipped for its size */
} qa_ingest_event_kind;

typedef struct qa_ingest_report {
    uint64_t seen;      /* documents found in the sources */
    uint64_t added, changed, moved, unchanged, forgotten, failed;
    uint64_t skipped;   /* files of a type that is not read */
    uint64_t withheld;  /* documents that are gone but were kept by the guard */
    uint64_t chunks;    /* chunks written */
    uint64_t bytes;     /* bytes of documents read */
    uint64_t total_documents, total_chunks; /* what the index holds afterwards */
    uint64_t embedded;  /* chunks that got a vector; the same text is computed once */
    uint64_t computed;  /* texts whose vectors had to be computed for that */
    uint64_t tokens;    /* of these texts, as the embedder counts them, its markers included */
    uint64_t vectors_pending; /* chunks that still have none */
    bool has_vectors;   /* the index holds vectors of some embedder */
    double elapsed_ms;
    double embedding_ms; /* of these: the vectors, once the embedder is open */
} qa_ingest_report;

typedef struct qa_ingest_event {
    qa_ingest_event_kind kind;
    const char *source; /* NULL for QA_INGEST_PROGRESS, and where none is known yet: listing notices, lines that do not parse */
    const char *path;   /* relative to the source; of a line that does not parse, which one; NULL: the source as a whole */
    const char *message; /* why it failed, the old path of a moved document, the text of a notice; else NULL */
    uint64_t done, total; /* documents handled and found so far (total may still grow) */
    uint64_t done_bytes, total_bytes;
    uint64_t tokens;    /* QA_INGEST_EMBEDDING: of the texts that were computed so far */
    const qa_ingest_report *report; /* the counts so far */
} qa_ingest_event;

typedef struct qa_ingest_options {
    const char *const *paths; /* files and folders; none and no jsonl: every source of the configuration */
    size_t n_paths;
    const char *jsonl;        /* a file of JSON lines, "-" for standard input; see docs/ingest.md */
    const char *source;       /* the name of the source; NULL: from the path. With several paths QA_BAD_USAGE */
    const char *const *include, *const *exclude; /* globs over the path within the source */
    size_t n_include, n_exclude;
    const char *const *meta;  /* "key=value" for every document of this run */
    size_t n_meta;
    const char *const *acl;   /* groups that may see the documents of this run; none: everyone */
    size_t n_acl;
    const char *collection;
    qa_prune prune;
    bool dry_run;             /* tell what would be done, write nothing */
    bool no_embed;            /* no vectors now; a later run makes them */
    unsigned jobs;            /* readers; 0: one for each processor, 8 at most */
    /* Called on the thread that called qa_ingest, between documents; it may call qa_cancel and nothing else of this
     * API. The event and its strings are valid during the call. */
    void (*on_event)(const qa_ingest_event *event, void *user);
    void *user;
} qa_ingest_options;

/* `options` may not be NULL. Brings the index up to date with the sources: unchanged documents (by the hash of their bytes) are skipped, changed
 * ones replaced, gone ones forgotten, renamed ones moved. A document that fails is counted and reported, never an error
 * of the run. `report` is filled also when the call fails or is cancelled: what it counts is safe on disk. A run that was
 * stopped, in whatever way, is continued by running it again. */
QA_API qa_status qa_ingest(qa *q, const qa_ingest_options *options, qa_ingest_report *report, qa_error *err);

/* ---- Questions ------------------------------------------------------------------------------------------------ */

typedef struct qa_message {
    const char *role; /* "user" or "assistant" */
    const char *content;
} qa_message;

typedef enum qa_mode {
    QA_MODE_HYBRID, /* the best that the index allows: words alone as long as it has no vectors */
    QA_MODE_TEXT,   /* words alone */
    QA_MODE_VECTOR  /* QA_UNSUPPORTED when the index has no vectors */
} qa_mode;

typedef struct qa_question {
    const char *text;
    size_t k;             /* passages wanted; 0: 5 for ask, 10 for search; at most 1000 */
    const char *filter;   /* docs/filters.md; NULL or "": everything */
    const char *filter_json; /* the same as JSON; not both */
    const char *collection;
    qa_mode mode;
    const char *const *groups; /* see as a member of these groups only; NULL: as the owner of the machine, who sees all */
    size_t n_groups;
    bool as_caller;       /* apply access rules although groups is empty: a caller of no group */
    const qa_message *history; /* earlier turns, oldest first; not with a conversation */
    size_t n_history;
    const char *conversation; /* ask only: go on with this conversation; NULL: begin one */
    bool forget;          /* ask only: leave no trace in the state file */
    bool extractive;      /* ask only: verbatim sentences of the documents, no language model */
    const struct qa_stream *stream; /* ask only: what to tell while the answer arises; NULL: nothing */
} qa_question;

typedef enum qa_evidence { QA_EVIDENCE_NONE, QA_EVIDENCE_WEAK, QA_EVIDENCE_STRONG } qa_evidence;

/* A passage found: a chunk of a document. */
typedef struct qa_hit {
    size_t rank;          /* from 1 */
    double score;         /* orders the hits of one search, in [0, 1]; means nothing across searches */
    double text_score;    /* raw BM25; NAN: not found by its words, or asked as a member of groups: it tells of words in documents that are hidden */
    double vector_score;  /* raw cosine; NAN: no vector */
    const char *chunk;    /* "c_..." */
    const char *source, *document, *title;
    const char *url;      /* NULL when unknown */
    const char *const *heading; /* path of headings, outermost first */
    size_t n_heading;
    const char *text;     /* the stored bytes [start, end) of the document */
    const char *plain;    /* what a person would see of them */
    uint64_t start, end;
    bool lossy;           /* the bytes were not valid UTF-8; U+FFFD stands for the rest */
    const char *metadata; /* a JSON object */
} qa_hit;

typedef struct qa_hits qa_hits;

/* Ranked passages for a question. QA_BAD_FILTER, QA_NOT_FOUND (no index). Release with qa_hits_free. */
QA_API qa_status qa_search(qa *q, const qa_question *question, qa_hits **out, qa_error *err);
QA_API void qa_hits_free(qa_hits *hits);
QA_API size_t qa_hits_count(const qa_hits *hits);
QA_API const qa_hit *qa_hits_get(const qa_hits *hits, size_t i); /* NULL past the end; valid until qa_hits_free */
QA_API qa_evidence qa_hits_evidence(const qa_hits *hits);
/* Something a person should know, such as vectors that could not be used; NULL when all went well. Valid until qa_hits_free. */
QA_API const char *qa_hits_warning(const qa_hits *hits);
/* The search JSON of the contract. Valid until qa_hits_free; NULL only when memory is out. */
QA_API const char *qa_hits_json(qa_hits *hits);

/* For the owner of the machine alone: it tells what a caller may not see, so its result goes to nobody else. Why `document` (a path, or source:path) is not among the first hits, or where it is: as JSON, with a member
 * "explanation" for a person. Release with qa_text_free. */
QA_API qa_status qa_explain(qa *q, const qa_question *question, const char *document, char **json, qa_error *err);
QA_API void qa_text_free(char *text);

typedef enum qa_support { QA_SUPPORT_NONE, QA_SUPPORT_MATCHED, QA_SUPPORT_QUOTE } qa_support;

typedef struct qa_sentence {
    uint64_t start, end;  /* bytes of the answer text, marker included */
    qa_support support;
    const size_t *citations; /* values of qa_citation.n */
    size_t n_citations;
} qa_sentence;

typedef struct qa_citation {
    size_t n;             /* the rank of the passage among the sources; as in the marker [n] */
    const char *chunk, *source, *document, *url;
    const char *const *heading;
    size_t n_heading;
    const char *quote;       /* stored bytes [start, end) of the document */
    const char *quote_plain; /* the same as a person sees it */
    uint64_t start, end;
} qa_citation;

/* What a question may tell on the way: first the sources, then the words. All callbacks run on the thread that called qa_ask, and may call qa_cancel and nothing else
 * of this API but accessors of what they are given, which is valid during the call. Each may be NULL. */
typedef struct qa_stream {
    void (*on_sources)(qa_hits *hits, void *user);
    /* A sentence whose citations have been checked. It is never taken back. `text` with its markers, as it will stand in the answer, white space before it
     * included. */
    void (*on_sentence)(const char *text, const qa_sentence *sentence, void *user);
    void (*on_token)(const char *text, size_t len, void *user); /* what the model writes, unchecked, as it writes it */
    /* What is waited for now, in words for a person: "NAME reads the passages". Over when something else is called, or qa_ask returns. */
    void (*on_wait)(const char *what, void *user);
    void *user;
} qa_stream;

typedef struct qa_answer qa_answer;

/* Answers a question from the index. QA_OK also when the answer is a refusal: see qa_answer_refused. The turn is kept in
 * the state file; when that cannot be written the answer is given all the same and qa_answer_warning says so.
 * QA_NOT_FOUND: no index, or no such conversation. Release with qa_answer_free. */
QA_API qa_status qa_ask(qa *q, const qa_question *question, qa_answer **out, qa_error *err);
QA_API void qa_answer_free(qa_answer *answer);
QA_API const char *qa_answer_text(const qa_answer *answer);
QA_API const char *qa_answer_short(const qa_answer *answer); /* shortest span that answers; NULL when none is plain */
QA_API bool qa_answer_refused(const qa_answer *answer);
QA_API const char *qa_answer_reason(const qa_answer *answer); /* why it refused; else NULL */
QA_API const char *qa_answer_warning(const qa_answer *answer); /* NULL when all went well */
QA_API const char *qa_answer_conversation(const qa_answer *answer); /* NULL when nothing was kept */
QA_API const char *qa_answer_turn(const qa_answer *answer);
QA_API size_t qa_answer_sentence_count(const qa_answer *answer);
QA_API const qa_sentence *qa_answer_sentence(const qa_answer *answer, size_t i);
QA_API size_t qa_answer_citation_count(const qa_answer *answer);
QA_API const qa_citation *qa_answer_citation(const qa_answer *answer, size_t i);
QA_API size_t qa_answer_source_count(const qa_answer *answer);
QA_API const qa_hit *qa_answer_source(const qa_answer *answer, size_t i);
QA_API bool qa_answer_generated(const qa_answer *answer); /* written by a language model; else verbatim sentences or a refusal */
QA_API bool qa_answer_stopped(const qa_answer *answer);   /* qa_cancel came while it was written: it holds what was said until then */
QA_API double qa_answer_first_token_ms(const qa_answer *answer); /* from the beginning of the call; 0 when no model was asked */
QA_API double qa_answer_total_ms(const qa_answer *answer); /* of the call; see from_process_start */
QA_API const char *qa_answer_json(qa_answer *answer); /* the ask JSON of the contract */

/* ---- Conversations -------------------------------------------------------------------------------------------- */

/* JSON: {"conversations": [{"id", "title", "turns", "created", "updated"}]}, newest first; limit 0: all. */
QA_API qa_status qa_conversations_list(qa *q, size_t limit, char **json, qa_error *err);
/* JSON: {"id", "turns": [{"turn", "question", "answer", "created", ...}]}. `id` may be "last". */
QA_API qa_status qa_conversation_get(qa *q, const char *id, char **json, qa_error *err);
/* `id` may be "last". The id that was deleted goes to deleted[64] when that is not NULL. */
QA_API qa_status qa_conversation_delete(qa *q, const char *id, char *deleted, qa_error *err);
/* QA_OK, or QA_BAD_FILTER with what is wrong: before a filter is kept for later questions. */
QA_API qa_status qa_filter_check(const char *filter, qa_error *err);

/* ---- Documents and care of the index -------------------------------------------------------------------------- */

/* JSON: {"documents": [{"source", "path", "title", "url", "bytes", "chunks", "ingested", "acl", "metadata"}]}, by
 * source and path. `prefix` NULL: all. */
QA_API qa_status qa_documents_list(qa *q, const char *source, const char *prefix, char **json, qa_error *err);
/* JSON of one document with its chunks and stored text. `document`: a path, or source:path when ambiguous. */
QA_API qa_status qa_document_get(qa *q, const char *document, char **json, qa_error *err);
/* JSON: what the index holds, with what it was made. */
QA_API qa_status qa_index_info(qa *q, char **json, qa_error *err);
/* Forgets all vectors and makes them with the embedder in use; words alone are searched until it is done. on_event gets QA_INGEST_EMBEDDING, as in qa_ingest; it and
 * report may be NULL. QA_NOT_FOUND: no embedder; QA_BAD_USAGE: none is to be used. Cancelled, it is continued by the next qa_ingest. */
QA_API qa_status qa_index_reembed(qa *q, void (*on_event)(const qa_ingest_event *event, void *user), void *user, qa_ingest_report *report,
                                  qa_error *err);
/* Reads everything and verifies it: QA_CORRUPT with the first damage found. Writes nothing. */
QA_API qa_status qa_index_check(qa *q, qa_error *err);

#endif
