/* An explicit stack of folders, each read whole, closed and sorted before anything in it is looked at: no descriptor stays
 * open, whatever the depth, and what changes in a folder meanwhile shows as a name that is not there.
 *
 * Names of folders sort as if they ended in '/', which makes the order of the walk the order of the full paths.
 *
 * Links: a folder is read once through its own path, and once at most through links, so that links which point to each other
 * cannot multiply it. */
#include "ingest/walk.h"
#include "base/file.h"
#include "base/utf8.h"
#include "ingest/hash_set.h"
#include "ingest/ignore.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_FRAMES = PATH_MAX / 2 + 1, MAX_PATTERN_BYTES = 64 << 20 };

enum kind { KIND_FILE, KIND_FOLDER, KIND_OTHER };
struct name {
    size_t at; /* in the frame's names */
    enum kind kind;
    bool link;
};
struct frame {
    struct arena arena; /* of its ignore level */
    const struct ignore_level *ignore;
    struct buf text;
    struct name *names;
    size_t n, cap, at;
    size_t path_len;    /* of its path within the root, with the '/' at the end */
    uint32_t folder;    /* the same in the list */
    bool listed;        /* `folder` is set: only folders that hold a document are */
    bool through_link;
    struct hash128 id;
};

struct walk {
    const struct ingest_folder_options *options;
    struct walk_list *list;
    const char *root;
    size_t root_len;
    struct arena arena; /* patterns of the options and of the folders above */
    struct glob **include, **exclude;
    const char *above;  /* the root's path within its git work tree */
    size_t above_depth;
    struct frame *frames;
    size_t n_frames, cap_frames;
    struct hash_set linked;
    struct buf path;    /* within the root, of what is being looked at */
    struct buf full;    /* the same to open it, or with `above` to match it */
    struct glob_path cut;
};

qa_status walk_add_string(struct walk_list *list, const char *s, uint32_t *at, qa_error *err) {
    *at = (uint32_t)list->names.len;
    buf_put(&list->names, s, strlen(s) + 1);
    return buf_error(&list->names, err, "the list of file names");
}

qa_status walk_add_entry(struct walk_list *list, uint32_t folder, uint32_t name, uint64_t bytes, qa_error *err) {
    if (list->n == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 256;
        struct walk_entry *grown = reallocarray(list->entries, cap, sizeof *grown);
        if (!grown)
            return error_no_memory(err, "listing files");
        list->entries = grown;
        list->cap = cap;
    }
    list->entries[list->n++] = (struct walk_entry){.folder = folder, .name = name, .bytes = bytes};
    return QA_OK;
}

void walk_free(struct walk_list *list) {
    free(list->entries);
    buf_free(&list->names);
    *list = (struct walk_list){0};
}

static struct frame *top(struct walk *w) { return &w->frames[w->n_frames - 1]; }

static void notice(struct walk *w, const char *message) {
    if (w->options->notice)
        w->options->notice(w->options->user, w->path.data, message);
}

/* Bytes that are not UTF-8, and control characters, as \xNN: a name that can be printed. */
static void put_printable(struct buf *out, const char *s) {
    for (size_t n = strlen(s); n;) {
        uint32_t cp;
        size_t len = utf8_get(s, n, &cp);
        if ((cp == 0xFFFD && utf8_valid_len(s, len) != len) || cp < 0x20 || cp == 0x7F)
            for (size_t i = 0; i < len; i++)
                buf_printf(out, "\\x%02X", (unsigned char)s[i]);
        else
            buf_put(out, s, len);
        s += len, n -= len;
    }
}

/* The place at w->path could not be read. */
static qa_status add_failure(struct walk *w, bool folder, const char *message, qa_error *err) {
    uint32_t path = 0, why = 0;
    struct buf printable;
    buf_init(&printable, 5 * PATH_MAX);
    put_printable(&printable, w->path.data);
    if (folder && printable.len && printable.data[printable.len - 1] != '/')
        buf_putc(&printable, '/');
    qa_status status = buf_error(&printable, err, "naming a file");
    if (status == QA_OK)
        status = walk_add_string(w->list, printable.data, &path, err);
    if (status == QA_OK)
        status = walk_add_string(w->list, message, &why, err);
    if (status == QA_OK)
        status = walk_add_entry(w->list, why, path, WALK_FAILED, err);
    buf_free(&printable);
    return status;
}

static qa_status set_full(struct walk *w, qa_error *err) {
    buf_reset(&w->full);
    buf_puts(&w->full, w->root);
    if (w->path.len) {
        if (w->root_len > 1)
            buf_putc(&w->full, '/');
        buf_put(&w->full, w->path.data, w->path.len);
    }
    return buf_error(&w->full, err, "a path");
}

static qa_status set_path(struct walk *w, size_t keep, const char *name, bool folder, qa_error *err) {
    w->path.len = keep;
    buf_puts(&w->path, name);
    if (folder)
        buf_putc(&w->path, '/');
    return buf_error(&w->path, err, "a path");
}

static struct hash128 identity(const struct stat *st) {
    uint64_t id[2] = {st->st_dev, st->st_ino};
    return hash_bytes(id, sizeof id);
}

/* ---- Reading one folder ---- */

static _Thread_local const char *sort_text; /* qsort has no argument for it */

static int by_path(const void *pa, const void *pb) {
    const struct name *a = pa, *b = pb;
    const char *x = sort_text + a->at, *y = sort_text + b->at;
    while (*x && *x == *y)
        x++, y++;
    unsigned char cx = *x ? (unsigned char)*x : a->kind == KIND_FOLDER ? '/' : 0;
    unsigned char cy = *y ? (unsigned char)*y : b->kind == KIND_FOLDER ? '/' : 0;
    return cx < cy ? -1 : cx > cy;
}

static enum kind kind_of(mode_t mode) { return S_ISREG(mode) ? KIND_FILE : S_ISDIR(mode) ? KIND_FOLDER : KIND_OTHER; }

static qa_status add_name(struct frame *f, DIR *dir, const struct dirent *entry, qa_error *err) {
    struct name name = {.at = f->text.len, .kind = KIND_OTHER, .link = entry->d_type == DT_LNK};
    struct stat st;
    if (entry->d_type == DT_REG || entry->d_type == DT_DIR)
        name.kind = entry->d_type == DT_REG ? KIND_FILE : KIND_FOLDER;
    else if (entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN) {
        if (entry->d_type == DT_UNKNOWN && fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            name.link = S_ISLNK(st.st_mode);
        if (fstatat(dirfd(dir), entry->d_name, &st, 0) == 0)
            name.kind = kind_of(st.st_mode);
        else if (!name.link)
            return QA_OK; /* gone meanwhile */
    }
    if (f->n == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 64;
        struct name *grown = reallocarray(f->names, cap, sizeof *grown);
        if (!grown)
            return error_no_memory(err, "listing files");
        f->names = grown;
        f->cap = cap;
    }
    buf_put(&f->text, entry->d_name, strlen(entry->d_name) + 1);
    f->names[f->n++] = name;
    return buf_error(&f->text, err, "the names in a folder");
}

/* Lists w->full into f. *why is the error number when it cannot be listed, or not to its end. */
static qa_status read_folder(struct walk *w, struct frame *f, int *why, qa_error *err) {
    qa_status status = QA_OK;
    struct stat st;
    DIR *dir = opendir(w->full.data);
    *why = 0;
    if (!dir || fstat(dirfd(dir), &st) != 0) {
        *why = errno;
        goto out;
    }
    f->id = identity(&st);
    while (status == QA_OK) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry)
            break;
        if (entry->d_name[0] != '.') /* hidden, itself, above */
            status = add_name(f, dir, entry, err);
    }
    *why = status == QA_OK ? errno : 0;
    if (f->n) {
        sort_text = f->text.data;
        qsort(f->names, f->n, sizeof *f->names, by_path);
    }
out:
    if (dir)
        closedir(dir);
    return status;
}

static void pop(struct walk *w) {
    struct frame *f = top(w);
    arena_free(&f->arena);
    buf_free(&f->text);
    free(f->names);
    w->n_frames--;
}

static size_t count_slashes(const char *s) {
    size_t n = 0;
    for (; *s; s++)
        n += *s == '/';
    return n;
}

/* Enters the folder at w->path. */
static qa_status push(struct walk *w, bool through_link, qa_error *err) {
    qa_status status = QA_OK;
    qa_error cause = {0};
    int why = 0;
    if (w->n_frames == MAX_FRAMES)
        return add_failure(w, true, "folders are nested too deeply", err);
    if (w->n_frames == w->cap_frames) {
        size_t cap = w->cap_frames ? w->cap_frames * 2 : 16;
        struct frame *grown = reallocarray(w->frames, cap, sizeof *grown);
        if (!grown)
            return error_no_memory(err, "listing files");
        w->frames = grown;
        w->cap_frames = cap;
    }
    const struct frame *parent = w->n_frames ? top(w) : NULL;
    const struct ignore_level *ignore = parent ? parent->ignore : NULL;
    bool first = !parent;
    struct frame *f = &w->frames[w->n_frames++];
    *f = (struct frame){.path_len = w->path.len, .through_link = through_link};
    arena_init(&f->arena, MAX_PATTERN_BYTES);
    buf_init(&f->text, UINT32_MAX);
    if (first)
        status = ignore_read_above(&w->arena, w->root, &ignore, &w->above, err);
    if (status != QA_OK || (status = set_full(w, err)) != QA_OK || (status = read_folder(w, f, &why, err)) != QA_OK)
        return status;
    if (why && first)
        return error_set_errno(err, why, "cannot read the folder %s", w->root);
    if (why == ENOENT || why == ENOTDIR) { /* gone since its parent was listed */
        pop(w);
        return QA_OK;
    }
    if (why) {
        error_set_errno(&cause, why, "cannot read the folder %s", w->full.data);
        pop(w);
        return add_failure(w, true, cause.message, err);
    }
    if (first && w->above[0])
        w->above_depth = 1 + count_slashes(w->above);
    status = ignore_read(&f->arena, w->full.data, ignore, w->above_depth + count_slashes(w->path.data), first && !w->above_depth,
                         &f->ignore, &cause);
    if (status == QA_OK)
        return QA_OK;
    if (status == QA_NO_MEMORY || first)
        return error_prefix(err, error_set(err, status, "%s", cause.message), "an ignore file cannot be used: ");
    pop(w);
    return add_failure(w, true, cause.message, err);
}

/* ---- Deciding ---- */

static bool any_matches(struct glob *const *globs, size_t n, const struct glob_path *path, bool folder, bool above) {
    for (size_t i = 0; i < n; i++)
        if (above ? glob_covers(globs[i], path) : glob_matches(globs[i], path->segments, path->n, folder))
            return true;
    return false;
}

/* Is the file or folder at w->path (no '/' at its end) wanted? */
static qa_status wanted(struct walk *w, bool folder, bool *yes, qa_error *err) {
    qa_status status = QA_OK;
    *yes = true;
    if (w->options->n_exclude || (w->options->n_include && !folder)) {
        if ((status = glob_cut(&w->cut, w->path.data, err)) != QA_OK)
            return status;
        *yes = !any_matches(w->exclude, w->options->n_exclude, &w->cut, folder, false) &&
               (folder || !w->options->n_include || any_matches(w->include, w->options->n_include, &w->cut, false, true));
    }
    if (!*yes || !top(w)->ignore)
        return QA_OK;
    buf_reset(&w->full);
    buf_printf(&w->full, "%s%s%s", w->above, w->above[0] ? "/" : "", w->path.data);
    if ((status = buf_error(&w->full, err, "a path")) == QA_OK && (status = glob_cut(&w->cut, w->full.data, err)) == QA_OK)
        *yes = !ignore_leaves_out(top(w)->ignore, &w->cut, folder);
    return status;
}

/* May the link at w->path be followed? */
static qa_status follow(struct walk *w, bool folder, bool *yes, qa_error *err) {
    char target[PATH_MAX];
    struct stat st;
    *yes = false;
    qa_status status = set_full(w, err);
    if (status != QA_OK)
        return status;
    if (!realpath(w->full.data, target) || stat(target, &st) != 0) {
        if (errno == ENOMEM)
            return error_no_memory(err, "following a link");
        notice(w, errno == ELOOP ? "a symbolic link that leads to itself was not followed" : "a symbolic link leads nowhere");
        return QA_OK;
    }
    if (strncmp(target, w->root, w->root_len) != 0 || (w->root_len > 1 && target[w->root_len] && target[w->root_len] != '/')) {
        notice(w, "a symbolic link that leads out of the folder was not followed");
        return QA_OK;
    }
    if (strstr(target + w->root_len, "/.")) {
        notice(w, "a symbolic link that leads to something hidden was not followed");
        return QA_OK;
    }
    if (w->options->no_links) {
        notice(w, "a symbolic link was not followed, since the access rules of this source go by path");
        return QA_OK;
    }
    if (folder) {
        struct hash128 id = identity(&st);
        for (size_t i = 0; i < w->n_frames; i++)
            if (w->frames[i].id.hi == id.hi && w->frames[i].id.lo == id.lo) {
                notice(w, "a symbolic link that leads back into a folder around it was not followed");
                return QA_OK;
            }
    }
    *yes = true;
    return QA_OK;
}

static qa_status enter(struct walk *w, const struct name *name, bool through_link, qa_error *err) {
    qa_status status = QA_OK;
    if (through_link) {
        bool fresh;
        struct stat st;
        if ((status = set_full(w, err)) != QA_OK)
            return status;
        if (stat(w->full.data, &st) != 0)
            return QA_OK; /* gone meanwhile */
        if ((status = hash_set_add(&w->linked, identity(&st), &fresh, err)) != QA_OK)
            return status;
        if (!fresh) {
            notice(w, name->link ? "another symbolic link already led to this folder" : "a symbolic link already led to this folder");
            return QA_OK;
        }
    }
    buf_putc(&w->path, '/');
    status = buf_error(&w->path, err, "a path");
    return status == QA_OK ? push(w, through_link, err) : status;
}

static qa_status add_file(struct walk *w, qa_error *err) {
    struct frame *f = top(w);
    struct stat st;
    uint32_t name = 0;
    qa_status status = set_full(w, err);
    if (status != QA_OK)
        return status;
    uint64_t bytes = 0;
    if (stat(w->full.data, &st) == 0)
        bytes = (uint64_t)st.st_size;
    else if (errno == ENOENT || errno == ENOTDIR)
        return QA_OK; /* gone meanwhile; of other errors reading will tell */
    if (!f->listed) {
        char saved = w->path.data[f->path_len];
        w->path.data[f->path_len] = '\0';
        status = walk_add_string(w->list, w->path.data, &f->folder, err);
        w->path.data[f->path_len] = saved;
        f->listed = true;
    }
    if (status == QA_OK)
        status = walk_add_string(w->list, w->path.data + f->path_len, &name, err);
    if (status == QA_OK)
        status = walk_add_entry(w->list, f->folder, name, bytes, err);
    w->list->documents++;
    w->list->bytes += bytes;
    return status;
}

static qa_status look_at(struct walk *w, const struct name *name, qa_error *err) {
    struct frame *f = top(w);
    const char *text = f->text.data + name->at;
    bool folder = name->kind == KIND_FOLDER, yes = true;
    qa_status status = set_path(w, f->path_len, text, false, err);
    if (status == QA_OK)
        status = wanted(w, folder, &yes, err);
    if (status != QA_OK || !yes)
        return status;
    if (name->link && (folder || name->kind == KIND_OTHER || doc_can_read(text))) {
        if ((status = follow(w, folder, &yes, err)) != QA_OK || !yes)
            return status;
    }
    if (!folder && (name->kind == KIND_OTHER || !doc_can_read(text))) {
        w->list->skipped++;
        return QA_OK;
    }
    size_t len = strlen(text);
    if (utf8_valid_len(text, len) != len)
        return add_failure(w, folder, "the name is not valid UTF-8; rename it to have it read", err);
    return folder ? enter(w, name, name->link || f->through_link, err) : add_file(w, err);
}

static qa_status compile(struct walk *w, const char *const *lines, size_t n, struct glob ***out, qa_error *err) {
    struct glob **globs = arena_array(&w->arena, n, sizeof *globs);
    if (!globs)
        return arena_error(&w->arena, err, "reading patterns");
    *out = globs;
    for (size_t i = 0; i < n; i++) {
        qa_status status = ingest_check_glob(lines[i], err);
        if (status == QA_OK)
            status = glob_compile(&w->arena, lines[i], strlen(lines[i]), &globs[i], err);
        if (status != QA_OK)
            return status;
    }
    return QA_OK;
}

qa_status walk_folder(const struct ingest_folder_options *options, const char *root, struct walk_list *out, qa_error *err) {
    struct walk w = {.options = options, .list = out, .root = root, .root_len = strlen(root), .above = ""};
    arena_init(&w.arena, MAX_PATTERN_BYTES);
    buf_init(&w.path, 2 * PATH_MAX);
    buf_init(&w.full, 4 * PATH_MAX);
    buf_put(&w.path, "", 0);
    qa_status status = buf_error(&w.path, err, "a path");
    if (status == QA_OK)
        status = compile(&w, options->include, options->n_include, &w.include, err);
    if (status == QA_OK)
        status = compile(&w, options->exclude, options->n_exclude, &w.exclude, err);
    if (status == QA_OK)
        status = push(&w, false, err);
    while (status == QA_OK && w.n_frames) {
        struct frame *f = top(&w);
        if (options->cancel && atomic_load(options->cancel))
            status = error_set(err, QA_CANCELLED, "stopped while listing %s", root);
        else if (f->at == f->n)
            pop(&w);
        else {
            struct name name = f->names[f->at++];
            status = look_at(&w, &name, err);
        }
    }
    while (w.n_frames)
        pop(&w);
    free(w.frames);
    hash_set_free(&w.linked);
    glob_path_free(&w.cut);
    buf_free(&w.path);
    buf_free(&w.full);
    arena_free(&w.arena);
    return status;
}
