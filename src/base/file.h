/* Files: read with a limit, write so that a reader sees the old or the new content and a crash loses neither. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/arena.h"
#include <sys/types.h>

struct file_stat {
    uint64_t size;
    int64_t mtime_ns, ctime_ns;
    uint64_t device, inode;
    bool is_dir, is_regular;
};
qa_status file_stat(const char *path, struct file_stat *out, qa_error *err);
/* Opens for reading what must be a regular file, and never waits for a FIFO or a device. QA_IO for these and for a folder. */
qa_status file_open_regular(const char *path, int *fd, struct file_stat *out, qa_error *err);

/* Reads a regular file whole into the arena (NUL appended). Never blocks on a FIFO or device. QA_TOO_LARGE over max. A file that
 * changes while it is read is read again, up to three times; then QA_IO "changed while it was being read". */
qa_status file_read(struct arena *a, const char *path, size_t max, char **data, size_t *len, qa_error *err);

/* Writes to a temporary name beside it, fsyncs, renames, fsyncs the folder. */
qa_status file_write_atomic(const char *path, const void *data, size_t len, qa_error *err);
qa_status file_make_dirs(const char *dir, qa_error *err); /* like mkdir -p, mode 0777 less umask */
char *file_join(struct arena *a, const char *dir, const char *name);
char *file_dirname(struct arena *a, const char *path);
char *file_absolute(struct arena *a, const char *path); /* lexical: no link is resolved, "." and ".." are folded; NULL when out of memory */
const char *file_basename(const char *path);

#endif
