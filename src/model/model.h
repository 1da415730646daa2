/* Model files: what is known of them (models.conf), where they lie, how they get there, what is inside.
 *
 * models.conf at the top of the repository is compiled in; a file of the same form in the user's configuration folder (quaere/models.conf) adds to it
 * and wins by name. Its form stands at its top. */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "base/arena.h"
#include "base/file.h"
#include "base/sha256.h"
#include <stdatomic.h>

enum { MODEL_MAX_PREFIX = 1000 }; /* bytes */
enum model_role { MODEL_EMBEDDER, MODEL_GENERATOR };

struct model_source {
    const char *kind;            /* "url", "pypi", "npm" */
    const char *what;            /* the address, or the package with its pinned version; several parts are separated by spaces */
    const char *inside;          /* the file or folder within; parts joined in order; NULL: the thing itself */
};
struct model_entry {
    const char *name, *licence, *about;
    enum model_role role;
    size_t dimensions, context;  /* dimensions 0 for generators */
    const char *sha256;          /* of the file as downloaded (joined, unpacked; of the safetensors where it has to be imported), lower-case hex */
    uint64_t bytes;
    const char *memory;          /* what it needs, for people; NULL */
    const char *page;            /* address where a person reads about it and downloads it by hand; NULL */
    bool import;                 /* a sentence-transformers folder, to be turned into GGUF after the download */
    const char *gguf_sha256;     /* then: of the GGUF that import writes; NULL: not known */
    const char *query_prefix, *passage_prefix; /* of an embedder: what stands before each text; NULL: nothing */
    const struct model_source *sources; /* in the order they are tried: the publisher's page first */
    size_t n_sources;            /* 0: it has to be downloaded by hand */
};
struct model_list {
    const struct model_entry *entries;
    size_t n;
};
qa_status model_load_list(struct arena *a, struct model_list *out, qa_error *err);
/* Adds what `text` (in the form of models.conf) says to the list, or replaces entries of it by name. QA_BAD_CONFIG with "FILE:LINE: ...". */
qa_status model_parse_list(struct arena *a, const char *file, const char *text, size_t len, struct model_list *list, qa_error *err);
const struct model_entry *model_find(const struct model_list *list, const char *name);
const struct model_entry *model_find_sha256(const struct model_list *list, const char *sha256); /* NULL: none has that file */
const char *model_sha256(const struct model_entry *entry);                                    /* of its GGUF; NULL: not known */

/* Where models lie: $QUAERE_MODELS, else quaere/models in $XDG_DATA_HOME, else in ~/.local/share. */
qa_status model_folder(struct arena *a, const char **out, qa_error *err);
/* The file of an entry: <folder>/<name>.gguf. *present (may be NULL): it is there. */
qa_status model_path(struct arena *a, const struct model_entry *entry, const char **out, bool *present, qa_error *err);

struct model_progress {
    void (*say)(void *user, const char *line);   /* what will be downloaded, from where, how much; each step */
    void (*show)(void *user, const char *label, uint64_t done, uint64_t total);
    void *user;
    const atomic_int *cancel;
};
/* Brings an entry's file into the folder: says what and from where first, tries the sources in order, goes on with what an earlier try left, checks the
 * SHA-256 and only then gives the file its name. Nothing fetched is ever executed. When a file is there it is only compared. */
qa_status model_pull(const struct model_entry *entry, const struct model_progress *progress, qa_error *err);

/* What is known of one state of a file; kept in a stamp (model_stamp.c), so that it is found out once. */
struct model_identity {
    char sha256[SHA256_HEX];
    char tried[40];              /* the version of llama.cpp that could use the file; "": none did */
    struct file_stat stat;       /* the state */
};
/* From the file's stamp; without one its structure is checked and it is read whole. */
qa_status model_identify(const char *path, const atomic_int *cancel, struct model_identity *out, qa_error *err);
/* The same of the file of an entry: QA_CORRUPT, with both sums and what to do, when it is another one. */
qa_status model_identify_entry(const struct model_entry *entry, const char *path, const atomic_int *cancel, struct model_identity *out, qa_error *err);
void model_note_trial(const char *path, struct model_identity *id, const char *version); /* that version could use it */

/* Reads the whole file, whatever its stamp says: SHA-256, and the GGUF structure; and tells what it holds, all in the arena. */
struct model_file {
    const char *path, *sha256, *architecture, *name; /* name: as the file calls itself; NULL */
    uint64_t bytes;
    size_t tensors, layers, dimensions, context;     /* 0: not said */
    uint64_t parameters;
    const char *weights;                             /* the type that most of the weights are of: "Q4_K" */
    bool embedder;                                   /* it says how tokens are pooled */
};
qa_status model_inspect(struct arena *a, const char *path, const struct model_progress *progress, struct model_file *out, qa_error *err);
/* The same of the file of an entry. QA_CORRUPT names the file and both values, QA_NOT_FOUND says how to get it. */
qa_status model_verify(struct arena *a, const struct model_entry *entry, const struct model_progress *progress, struct model_file *out, qa_error *err);
/* The structure alone, which takes milliseconds: before a file is handed to llama.cpp, which is known to abort on some hostile ones. */
qa_status model_check(const char *path, qa_error *err);
/* sentence-transformers folder (config.json, vocab.txt or tokenizer.json, model.safetensors, 1_Pooling/config.json, modules.json) to a GGUF that
 * llama.cpp and src/embed/ read; deterministic bytes. */
qa_status model_import(const char *folder, const char *out_path, qa_error *err);

#endif
