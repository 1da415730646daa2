#include "base/file.h"
#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void from_stat(const struct stat *st, struct file_stat *out) {
    *out = (struct file_stat){
        .size = (uint64_t)st->st_size,
        .mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
        .ctime_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec,
        .device = st->st_dev,
        .inode = st->st_ino,
        .is_dir = S_ISDIR(st->st_mode),
        .is_regular = S_ISREG(st->st_mode),
    };
}

qa_status file_stat(const char *path, struct file_stat *out, qa_error *err) {
    struct stat st;
    if (stat(path, &st) != 0)
        return error_set_errno(err, errno, "%s", path);
    from_stat(&st, out);
    return QA_OK;
}

qa_status file_open_regular(const char *path, int *fd, struct file_stat *out, qa_error *err) {
    qa_status status = QA_OK;
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0)
        return error_set_errno(err, errno, "%s", path);
    if (fstat(*fd, &st) != 0)
        status = error_set_errno(err, errno, "%s", path);
    else if (!S_ISREG(st.st_mode))
        status = error_set(err, QA_IO, "%s: not a regular file", path);
    if (status != QA_OK) {
        close(*fd);
        *fd = -1;
        return status;
    }
    from_stat(&st, out);
    return QA_OK;
}

/* One attempt. *changed: what was read is not one version of the file. */
static qa_status read_once(struct arena *a, const char *path, size_t max, char **data, size_t *len, bool *changed,
                           qa_error *err) {
    struct stat st;
    struct file_stat before, after;
    size_t got = 0;
    char *p = NULL;
    int fd = -1;
    qa_status status = file_open_regular(path, &fd, &before, err);
    if (status != QA_OK)
        return status;
    if (before.size > max) {
        status = error_set(err, QA_TOO_LARGE, "%s: %llu bytes, and the limit for one file is %zu", path,
                           (unsigned long long)before.size, max);
        goto out;
    }
    p = arena_alloc(a, before.size + 1);
    if (!p) {
        status = arena_error(a, err, path);
        goto out;
    }
    while (got < before.size) {
        ssize_t n = read(fd, p + got, before.size - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            status = error_set_errno(err, errno, "%s", path);
            goto out;
        }
        if (n == 0)
            break;
        got += (size_t)n;
    }
    if (fstat(fd, &st) != 0) {
        status = error_set_errno(err, errno, "%s", path);
        goto out;
    }
    from_stat(&st, &after);
    *changed = got != before.size || after.size != before.size || after.mtime_ns != before.mtime_ns;
    *data = p;
    *len = got;
out:
    close(fd);
    return status;
}

qa_status file_read(struct arena *a, const char *path, size_t max, char **data, size_t *len, qa_error *err) {
    for (int attempt = 0; attempt < 3; attempt++) {
        bool changed = false;
        qa_status status = read_once(a, path, max, data, len, &changed, err);
        if (status != QA_OK || !changed)
            return status;
    }
    return error_set(err, QA_IO, "%s: changed while it was being read", path);
}

static qa_status sync_dir_of(const char *path, qa_error *err) {
    qa_status status = QA_OK;
    char *copy = strdup(path);
    if (!copy)
        return error_no_memory(err, "writing a file");
    char *slash = strrchr(copy, '/');
    const char *dir = !slash ? "." : slash == copy ? "/" : (*slash = '\0', copy);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        status = error_set_errno(err, errno, "%s", dir);
    if (fd >= 0)
        close(fd);
    free(copy);
    return status;
}

qa_status file_write_atomic(const char *path, const void *data, size_t len, qa_error *err) {
    qa_status status = QA_OK;
    char *temporary = NULL;
    int fd = -1;
    char unique[32];
    clock_new_id(".", unique);
    if (asprintf(&temporary, "%s%s", path, unique) < 0)
        return error_no_memory(err, "writing a file");
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        status = error_set_errno(err, errno, "cannot create a file beside %s", path);
        free(temporary);
        return status;
    }
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, (const char *)data + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            status = error_set_errno(err, errno, "%s", path);
            goto out;
        }
        done += (size_t)n;
    }
    if (fsync(fd) != 0) {
        status = error_set_errno(err, errno, "%s", path);
        goto out;
    }
    if (rename(temporary, path) != 0) {
        status = error_set_errno(err, errno, "%s", path);
        goto out;
    }
    close(fd);
    free(temporary);
    return sync_dir_of(path, err);
out:
    close(fd);
    unlink(temporary);
    free(temporary);
    return status;
}

qa_status file_make_dirs(const char *dir, qa_error *err) {
    qa_status status = QA_OK;
    char *copy = strdup(dir);
    if (!copy)
        return error_no_memory(err, "making a folder");
    for (char *p = copy; status == QA_OK && *p;) {
        p += strspn(p, "/");
        p += strcspn(p, "/");
        char saved = *p;
        *p = '\0';
        struct stat st;
        if (mkdir(copy, 0777) != 0 && (errno != EEXIST || stat(copy, &st) != 0 || !S_ISDIR(st.st_mode)))
            status = error_set_errno(err, errno == EEXIST ? ENOTDIR : errno, "cannot make the folder %s", copy);
        *p = saved;
    }
    free(copy);
    return status;
}

char *file_join(struct arena *a, const char *dir, const char *name) {
    if (name[0] == '/' || !dir[0])
        return arena_string(a, name);
    return arena_printf(a, dir[strlen(dir) - 1] == '/' ? "%s%s" : "%s/%s", dir, name);
}

char *file_dirname(struct arena *a, const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash)
        return arena_string(a, ".");
    return arena_copy(a, path, slash == path ? 1 : (size_t)(slash - path));
}

const char *file_basename(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *file_absolute(struct arena *a, const char *path) {
    const char *from = path;
    if (path[0] != '/') {
        char *cwd = getcwd(NULL, 0);
        if (!cwd)
            return NULL;
        from = file_join(a, cwd, path);
        free(cwd);
        if (!from)
            return NULL;
    }
    char *out = arena_alloc(a, strlen(from) + 2);
    if (!out)
        return NULL;
    size_t n = 0;
    while (*from) {
        while (*from == '/')
            from++;
        size_t part = strcspn(from, "/");
        if (part == 2 && from[0] == '.' && from[1] == '.') {
            while (n && out[--n] != '/') {
            }
        } else if (part && !(part == 1 && from[0] == '.')) {
            out[n++] = '/';
            memcpy(out + n, from, part);
            n += part;
        }
        from += part;
    }
    if (!n)
        out[n++] = '/';
    out[n] = '\0';
    return out;
}
