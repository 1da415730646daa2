/* The documents port of a folder. Reading goes by path alone and shares nothing, so that any thread may do it. */
#include "base/file.h"
#include "ingest/walk.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct ingest_folder {
    char *root;
    bool complete;
    struct walk_list list;
    size_t at;
};

static const char *name_at(const struct ingest_folder *f, uint32_t at) { return f->list.names.data + at; }

static qa_status next(void *self, struct arena *a, struct document_item *out, bool *more, qa_error *err) {
    struct ingest_folder *f = self;
    *more = f->at < f->list.n;
    if (!*more)
        return QA_OK;
    struct walk_entry *e = &f->list.entries[f->at];
    bool failed = e->bytes == WALK_FAILED;
    *out = (struct document_item){.bytes = failed ? 0 : e->bytes, .handle = failed ? e : NULL};
    out->path = arena_printf(a, "%s%s", failed ? "" : name_at(f, e->folder), name_at(f, e->name));
    if (!out->path)
        return arena_error(a, err, "listing files");
    f->at++;
    return QA_OK;
}

static qa_status read_document(void *self, const struct document_item *item, struct arena *a, size_t max, char **bytes, size_t *len,
                               qa_error *err) {
    const struct ingest_folder *f = self;
    const struct walk_entry *failed = item->handle;
    if (failed)
        return error_set(err, QA_IO, "%s", name_at(f, failed->folder));
    char *path = file_join(a, f->root, item->path);
    return path ? file_read(a, path, max, bytes, len, err) : arena_error(a, err, "reading a file");
}

static void release(void *self, struct document_item *item) { (void)self, (void)item; }

static const struct documents_ops folder_ops = {.next = next, .read = read_document, .release = release};

/* The listing of a single file. */
static qa_status list_one(const struct ingest_folder_options *options, struct ingest_folder *f, qa_error *err) {
    struct file_stat st = {0};
    struct arena a;
    uint32_t folder = 0, name = 0;
    arena_init(&a, 1 << 20);
    char *path = file_join(&a, f->root, options->only);
    qa_status status = path ? file_stat(path, &st, err) : arena_error(&a, err, "reading a file");
    if (status == QA_OK && !doc_can_read(options->only)) {
        f->list.skipped++;
        if (options->notice)
            options->notice(options->user, options->only, "files of this type are not read");
    } else if (status == QA_OK) {
        f->list.documents++;
        f->list.bytes += st.size;
        status = walk_add_string(&f->list, "", &folder, err);
        if (status == QA_OK)
            status = walk_add_string(&f->list, options->only, &name, err);
        if (status == QA_OK)
            status = walk_add_entry(&f->list, folder, name, st.size, err);
    }
    arena_free(&a);
    return status;
}

qa_status ingest_open_folder(const struct ingest_folder_options *options, struct ingest_folder **out, qa_error *err) {
    qa_status status = QA_OK;
    *out = NULL;
    struct ingest_folder *f = calloc(1, sizeof *f);
    if (!f)
        return error_no_memory(err, "listing files");
    f->complete = !options->only;
    buf_init(&f->list.names, UINT32_MAX);
    f->root = realpath(options->root, NULL);
    if (!f->root && errno == ENOENT && options->missing_ok)
        f->root = strdup(options->root); /* empty */
    else if (!f->root)
        status = error_set_errno(err, errno, "cannot read the folder %s", options->root);
    else
        status = options->only ? list_one(options, f, err) : walk_folder(options, f->root, &f->list, err);
    if (status == QA_OK && !f->root)
        status = error_no_memory(err, "listing files");
    if (status != QA_OK) {
        ingest_close_folder(f);
        return status;
    }
    *out = f;
    return QA_OK;
}

struct documents_port ingest_folder_port(struct ingest_folder *f) {
    return (struct documents_port){.ops = &folder_ops, .self = f, .complete = f->complete};
}

uint64_t ingest_folder_skipped(const struct ingest_folder *f) { return f->list.skipped; }
uint64_t ingest_folder_total(const struct ingest_folder *f) { return f->list.documents; }
uint64_t ingest_folder_total_bytes(const struct ingest_folder *f) { return f->list.bytes; }

void ingest_close_folder(struct ingest_folder *f) {
    if (!f)
        return;
    walk_free(&f->list);
    free(f->root);
    free(f);
}
