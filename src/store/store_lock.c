/* One writer at a time, by flock on a file beside the index, "<index>-lock", which holds the writer's process id.
 *
 * Why a sidecar: SQLite's own locks are POSIX record locks, and POSIX drops all of a process's locks on a file when any of
 * its descriptors for that file is closed. Opening the database file a second time just to lock it would silently unlock it
 * for SQLite. Why not SQLite's write lock alone: it is held for one transaction; two ingestions would interleave, each
 * undoing the other's view of what changed, and the second would learn nothing but "database is locked".
 *
 * The sidecar is removed at the end. Somebody may have opened it just before, so after locking we look whether the name still
 * leads to the file we locked, and else try again. The system drops the lock of a process that dies; the file it leaves is
 * taken over. */
#include "store/store_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static qa_status say_busy(const struct store_file *f, int fd, qa_error *err) {
    char text[32];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    long process = strtol(text, NULL, 10);
    if (process > 0)
        return error_set(err, QA_BUSY, "another quaere (process %ld) is writing %s; wait for it or stop it", process,
                         f->path);
    return error_set(err, QA_BUSY, "another quaere is writing %s; wait for it or stop it", f->path);
}

/* A lock holds a process id or nothing. Whatever else has its name is somebody's file, and is neither emptied nor removed. */
static qa_status check_ours(const struct store_file *f, int fd, qa_error *err) {
    struct stat st;
    char text[32];
    if (fstat(fd, &st) != 0)
        return error_set_errno(err, errno, "%s", f->lock_path);
    bool ours = S_ISREG(st.st_mode) && st.st_nlink <= 1 && st.st_size < (off_t)sizeof text;
    if (ours) {
        ssize_t n = pread(fd, text, sizeof text - 1, 0);
        text[n > 0 ? n : 0] = '\0';
        ours = text[strspn(text, "0123456789\n")] == '\0';
    }
    return ours ? QA_OK
                : error_set(err, QA_EXISTS, "%s is in the way: a file of that name serves as lock of the index, and this one is something "
                            "else. Move it away, or use another --index", f->lock_path);
}

qa_status store_lock_file(struct store_file *f, qa_error *err) {
    for (int attempt = 0; attempt < 100; attempt++) {
        struct stat locked, named;
        int fd = open(f->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
        if (fd < 0)
            return error_set_errno(err, errno, "%s", f->lock_path);
        qa_status status = check_ours(f, fd, err);
        if (status != QA_OK) {
            close(fd);
            return status;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            status = errno == EWOULDBLOCK ? say_busy(f, fd, err) : error_set_errno(err, errno, "%s", f->lock_path);
            close(fd);
            return status;
        }
        if (fstat(fd, &locked) == 0 && stat(f->lock_path, &named) == 0 && locked.st_dev == named.st_dev &&
            locked.st_ino == named.st_ino) {
            char text[32];
            int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
            /* The number only serves the message of the next process; a full disk must not forbid to read what is there. */
            if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
                errno = 0;
            f->lock = fd;
            return QA_OK;
        }
        close(fd);
    }
    return error_set(err, QA_BUSY, "%s changes hands all the time; try again", f->lock_path);
}

void store_unlock_file(struct store_file *f) {
    if (f->lock >= 0) {
        unlink(f->lock_path);
        close(f->lock);
    }
    f->lock = -1;
}
