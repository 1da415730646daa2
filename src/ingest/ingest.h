/* From a source of documents to the index. */
#ifndef INGEST_INGEST_H
#define INGEST_INGEST_H

#include "doc/doc.h"
#include "port/documents.h"
#include "port/embedder.h"
#include "port/index.h"
#include <stdatomic.h>

/* Two things stand in a listing that are no documents, so that their failure is reported and prunes nothing; `read` says why:
 * a path that ends in '/' is a folder that could not be listed, and what the index holds below it is kept;
 * a NULL path is a place that holds no document (a line that does not parse), and title names it. */

/* ---- Where documents come from ---- */

/* A folder as a source, or one file of it. Ignore files of git (.gitignore in every folder, also in those above up to the
 * top of the work tree; .git/info/exclude) and .quaereignore are obeyed, hidden files and folders are left out. Symbolic
 * links are followed, except those that lead out of the root, to anything hidden or back into a folder being read, and a folder is read through
 * links once at most: else a notice. Sorted by path bytes. Files that no reader takes are counted as skipped. The whole
 * listing is made on opening. */
struct ingest_folder_options {
    const char *root;
    const char *only;             /* just this file of it, whatever the ignore files say; NULL: all */
    bool no_links;                /* symbolic links are not followed: where access rules go by path, a link is a second path */
    bool missing_ok;              /* a root that is not there is an empty one */
    const char *const *include, *const *exclude; /* patterns as in ignore files; a file must match some include, if there are any */
    size_t n_include, n_exclude;
    void (*notice)(void *user, const char *path, const char *message); /* during ingest_open_folder; may be NULL */
    void *user;
    const atomic_int *cancel;     /* may be NULL */
};
struct ingest_folder;
qa_status ingest_open_folder(const struct ingest_folder_options *options, struct ingest_folder **out, qa_error *err);
struct documents_port ingest_folder_port(struct ingest_folder *f);
uint64_t ingest_folder_skipped(const struct ingest_folder *f);
uint64_t ingest_folder_total(const struct ingest_folder *f); /* documents found; known after open */
uint64_t ingest_folder_total_bytes(const struct ingest_folder *f);
void ingest_close_folder(struct ingest_folder *f);

/* JSON lines, one document each: {"source", "path", "title"?, "url"?, "acl"?, "metadata"?, "content" or "file", "deleted"?};
 * path "-" is standard input. Lines may come from somebody who may read less than we do: a `file` is one below the folder of the file of
 * lines, also when links are resolved, and standard input has no such folder. A line that cannot be used is a failure named by its number,
 * the others go on. Content whose path has no readable extension is read as Markdown. */
struct ingest_jsonl;
qa_status ingest_open_jsonl(const char *path, const atomic_int *cancel, struct ingest_jsonl **out, qa_error *err);
struct documents_port ingest_jsonl_port(struct ingest_jsonl *j);
void ingest_close_jsonl(struct ingest_jsonl *j);

/* ---- Which source a path belongs to ---- */

#define INGEST_STREAM "jsonl" /* stands for the root of a source that was made of JSON lines */

struct ingest_root {
    const char *source, *root; /* root: an absolute folder, or INGEST_STREAM */
};
struct ingest_place {
    const char *source;
    const char *root;       /* absolute, links resolved */
    const char *only;       /* the path is a file: its path within the root; else NULL */
    bool missing;           /* a root that the index knows, but that is not there now */
    const char *moved_from; /* the root that this source had, which is gone; NULL: none */
};
/* Finds source and root of a path of the command line or the configuration, given what the index knows. A file belongs to
 * the known root that it lies in, else to its own folder. `source` NULL: named after the folder. QA_NOT_FOUND when there is
 * no such path; QA_BAD_USAGE when one root lies inside another, one root has two names, or one name two roots. */
qa_status ingest_find_place(struct arena *a, const char *path, const char *source, const struct ingest_root *known, size_t n_known,
                            struct ingest_place *out, qa_error *err);

/* Checks of what people write; QA_BAD_USAGE with what is allowed. */
qa_status ingest_check_source_name(const char *name, qa_error *err);
qa_status ingest_check_url_rule(const char *rule, qa_error *err);
qa_status ingest_check_acl(const char *const *words, size_t n, qa_error *err);
qa_status ingest_check_glob(const char *glob, qa_error *err);

/* Does what a source says about access, its default and its rules by path, keep anybody out? */
bool ingest_keeps_out(bool has_acl, const char *const *acl, size_t n_acl, size_t n_rules);

/* ---- Ingesting ---- */

struct ingest_rule { /* who may see the documents whose path (or a folder above) matches */
    const char *glob;
    const char *const *acl;
    size_t n_acl;
};

struct ingest_run {
    struct index_port index;
    struct documents_port documents;
    const char *source;           /* NULL: a stream whose lines name theirs */
    const char *root;             /* what the source is made from; NULL: a stream */
    const char *collection;
    const json_t *metadata;       /* an object for every document; NULL: none. Front matter wins over it, a line's own over both */
    /* Who may see: "public" alone is everyone, "nobody" alone or no word is nobody, else groups, "signed-in" among them. A
     * line's own list wins over front matter, that over the first rule that matches, that over the default. */
    bool has_acl;                 /* the source states its default */
    const char *const *acl;
    size_t n_acl;
    const struct ingest_rule *rules;
    size_t n_rules;
    /* "https://docs.example.com/{page}": {path}, {path_without_extension}, {name}, {page} (without extension, and index or
     * README stand for their folder). NULL: none. */
    const char *url_rule;
    qa_prune prune;
    bool dry_run;
    unsigned jobs;                /* 0: pipeline_default_threads() */
    size_t max_bytes;             /* of one document; 0: 64 MiB */
    size_t max_memory;            /* for one document that is worked on alone; 0: 1 GiB */
    struct doc_chunk_options chunking; /* count_tokens is called from several threads */
    uint64_t total, total_bytes;  /* for progress; 0 unknown */
    void (*on_event)(const qa_ingest_event *event, void *user);
    void *user;
    const atomic_int *cancel;
};
/* Adds to *report (several sources, one report), also on failure: what it counts is committed. Moves and pruning happen only
 * when the listing is complete and was read to its end. */
qa_status ingest_source(const struct ingest_run *run, qa_ingest_report *report, qa_error *err);

/* ---- Vectors ---- */

struct ingest_embedding {
    struct index_port index;
    struct embedder_port embedder;
    void (*on_event)(const qa_ingest_event *event, void *user); /* QA_INGEST_EMBEDDING; NULL: none */
    void *user;
    const atomic_int *cancel;
};
/* Gives every chunk that has none its vector, and commits every few seconds, so that a stopped run goes on where it was. Adds to report. QA_BAD_CONFIG
 * when the index holds vectors of another embedder. */
qa_status ingest_embed(const struct ingest_embedding *run, qa_ingest_report *report, qa_error *err);
/* What the vector of a chunk is made of: title and headings in one line, then the text as a person sees it. NULL when the arena is full. */
char *ingest_embedded_text(struct arena *a, const struct index_pending *chunk, size_t *len);

#endif
