/* Files in and out: mapping, and writing that leaves the old file or the new one. */
#include "base/clock.h"
#include "base/file.h"
#include "model/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

qa_status model_map(const char *path, const uint8_t **bytes, size_t *size, qa_error *err) {
    struct file_stat st;
    void *map = NULL;
    int fd = -1;
    qa_status status = file_open_regular(path, &fd, &st, err);
    if (status != QA_OK)
        return status;
    if (st.size && (map = mmap(NULL, (size_t)st.size, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED)
        status = error_set_errno(err, errno, "%s cannot be mapped", path);
    close(fd);
    if (status != QA_OK)
        return status;
    *bytes = map;
    *size = (size_t)st.size;
    return QA_OK;
}

qa_status model_output_begin(struct model_output *o, const char *path, qa_error *err) {
    char unique[32];
    clock_new_id(".", unique);
    *o = (struct model_output){.fd = -1, .path = strdup(path)};
    if (!o->path || asprintf(&o->temporary, "%s%s.part", path, unique) < 0) {
        o->temporary = NULL;
        model_output_drop(o);
        return error_no_memory(err, "writing a model");
    }
    o->fd = open(o->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (o->fd < 0) {
        qa_status status = error_set_errno(err, errno, "cannot create a file beside %s", path);
        model_output_drop(o);
        return status;
    }
    return QA_OK;
}

qa_status model_output_write(struct model_output *o, const void *bytes, size_t n, qa_error *err) {
    for (size_t done = 0; done < n;) {
        ssize_t m = write(o->fd, (const char *)bytes + done, n - done);
        if (m < 0 && errno == EINTR)
            continue;
        if (m < 0)
            return error_set_errno(err, errno, "writing %s after %llu bytes", o->path, (unsigned long long)o->size);
        done += (size_t)m;
        o->size += (uint64_t)m;
    }
    return QA_OK;
}

static qa_status sync_folder_of(const char *path, qa_error *err) {
    qa_status status = QA_OK;
    const char *slash = strrchr(path, '/');
    char *folder = !slash ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (!folder)
        return error_no_memory(err, "writing a model");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        status = error_set_errno(err, errno, "%s", folder);
    if (fd >= 0)
        close(fd);
    free(folder);
    return status;
}

qa_status model_output_commit(struct model_output *o, qa_error *err) {
    if (fsync(o->fd) != 0)
        return error_set_errno(err, errno, "%s", o->path);
    if (rename(o->temporary, o->path) != 0)
        return error_set_errno(err, errno, "%s", o->path);
    free(o->temporary);
    o->temporary = NULL;
    return sync_folder_of(o->path, err);
}

qa_status model_move(const char *from, const char *to, qa_error *err) {
    return rename(from, to) == 0 ? sync_folder_of(to, err) : error_set_errno(err, errno, "%s", to);
}

void model_output_drop(struct model_output *o) {
    if (o->fd >= 0)
        close(o->fd);
    if (o->temporary && o->fd >= 0)
        unlink(o->temporary);
    free(o->temporary);
    free(o->path);
    *o = (struct model_output){.fd = -1};
}
