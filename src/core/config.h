/* quaere.yaml: docs/configuration.md says what each key means; this is what of it the program uses. */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H

#include "embed/embed.h"
#include "ingest/ingest.h"

struct config_source {
    const char *name, *path;         /* path: absolute; what it names need not exist */
    const char *collection, *url;    /* NULL: none */
    const char *const *include, *const *exclude;
    size_t n_include, n_exclude;
    const char *metadata;            /* a JSON object; NULL: none */
    bool has_acl;                    /* access.default is stated; as in struct ingest_run, as are the rules */
    const char *const *acl;
    size_t n_acl;
    const struct ingest_rule *rules;
    size_t n_rules;
    size_t chunk_target;             /* 0: the program's */
    int line;                        /* in the file, for messages */
};

/* A model of the configuration. All NULL and zero: nothing is said, and the program's default holds when it is there. */
struct config_model {
    bool none;                       /* no model, on purpose */
    const char *name;                /* in models.conf */
    const char *file;                /* a GGUF of the user's own; absolute */
    const char *url, *model;         /* an OpenAI-compatible server, and what it calls the model */
    const char *key_env, *key_file;  /* where its key stands; NULL: no key */
    size_t dimensions, context;      /* 0: as the model says */
    const char *query_prefix, *passage_prefix; /* of an embedder; NULL: as models.conf says, "": none */
    enum embed_precision precision;  /* of an embedder that our own encoder runs */
    size_t timeout_seconds;          /* of a server; 0: the usual */
};
/* The same from one text: "none", a name of models.conf, or (with a slash or ".gguf" at its end) a file, relative to `folder`. */
qa_status config_read_model(struct arena *a, const char *text, const char *folder, struct config_model *out, qa_error *err);

struct config {
    const char *path;                /* absolute; NULL: there is no file, and all else is empty */
    const char *index, *state;       /* absolute; NULL: not set */
    const struct config_source *sources;
    size_t n_sources;
    struct config_model embedder, generator;
};

/* Loads `path`, or when it is NULL the first of: quaere.yaml in the working folder and those above it; quaere/quaere.yaml in
 * $XDG_CONFIG_HOME, else in ~/.config. Without any of them *out is empty. All memory is the arena's. QA_NOT_FOUND when a
 * `path` that was given is not there; QA_BAD_CONFIG with "FILE:LINE:COLUMN: ..." for the first thing that is wrong; sections
 * of later versions are warned about in the log. */
qa_status config_load(struct arena *a, const char *path, struct config **out, qa_error *err);
/* The same from bytes; `path` (absolute) is used for messages and for what is relative to it. */
qa_status config_parse(struct arena *a, const char *path, const char *text, size_t len, struct config **out, qa_error *err);

#endif
