/* The Nth call that could fail does, for N from 1 on until a run meets no failure.
 *
 *     // wrap: malloc,calloc,realloc,write,fsync,rename      in the test's first five lines: the linker sends these calls here
 *     #define SWEEP_ALLOCATING                               before including this: the wrappers of these calls
 *     #define SWEEP_WRITING
 *
 *     static void attempt(void *user) {
 *         sweep_arm();
 *         ... what is tested; calls of the kind that is swept are counted, one fails ...
 *         bool met = sweep_disarm();
 *         ... what must hold, whether it met a failure or not ...
 *     }
 *     unsigned points = sweep_all(SWEEP_MEMORY, false, 1, attempt, NULL);
 *
 * Only calls of the program's own objects are wrapped; fault/vfs_fault.h does the same for SQLite's memory and files. Counting is safe from several
 * threads; which of two threads meets the failure is not said. */
#ifndef SWEEP_H
#define SWEEP_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum sweep_kind { SWEEP_MEMORY = 1, SWEEP_SYSTEM = 2, SWEEP_BOTH = 3 };

static struct {
    enum sweep_kind kind;
    unsigned at;  /* 0: never */
    bool on;      /* and all calls after that one */
    atomic_bool armed;
    atomic_uint calls, met;
    atomic_uint library; /* allocations of SQLite, of which not each is a point: vfs_fault.h */
} sweep;

static inline bool sweep_fails(enum sweep_kind of) {
    if (!atomic_load(&sweep.armed) || !(sweep.kind & of))
        return false;
    unsigned call = atomic_fetch_add(&sweep.calls, 1) + 1;
    if (!sweep.at || (sweep.on ? call < sweep.at : call != sweep.at))
        return false;
    atomic_fetch_add(&sweep.met, 1);
    return true;
}

static inline void sweep_arm(void) {
    atomic_store(&sweep.calls, 0);
    atomic_store(&sweep.met, 0);
    atomic_store(&sweep.library, 0);
    atomic_store(&sweep.armed, true);
}
static inline bool sweep_disarm(void) {
    atomic_store(&sweep.armed, false);
    return atomic_load(&sweep.met) != 0;
}
static inline const char *sweep_name(void) {
    static const char *const names[] = {"", "allocation", "call to the system", "call"};
    return names[sweep.kind];
}

/* Returns how many points there were to fail at. Every `step`th is tried: failures from there on need not be tried at each. */
static inline unsigned sweep_all(enum sweep_kind kind, bool on, unsigned step, void (*attempt)(void *user), void *user) {
    sweep.kind = kind;
    sweep.on = on;
    for (sweep.at = 1;; sweep.at += step) {
        attempt(user);
        if (!sweep_disarm())
            return sweep.at - 1;
        if (sweep.at > 100000)
            abort();
    }
}

/* ---- Wrappers ---- */

#define SWEEP_WRAP(type, name, parameters, arguments, kind, number, failure)                                                           \
    type __real_##name parameters;                                                                                                     \
    type __wrap_##name parameters;                                                                                                     \
    type __wrap_##name parameters {                                                                                                    \
        if (sweep_fails(kind)) {                                                                                                       \
            errno = (number);                                                                                                          \
            return failure;                                                                                                            \
        }                                                                                                                              \
        return __real_##name arguments;                                                                                                \
    }

#ifdef SWEEP_ALLOCATING
SWEEP_WRAP(void *, malloc, (size_t n), (n), SWEEP_MEMORY, ENOMEM, NULL)
SWEEP_WRAP(void *, calloc, (size_t n, size_t size), (n, size), SWEEP_MEMORY, ENOMEM, NULL)
SWEEP_WRAP(void *, realloc, (void *p, size_t n), (p, n), SWEEP_MEMORY, ENOMEM, NULL)
#endif

#ifdef SWEEP_ALLOCATING_MORE
SWEEP_WRAP(void *, reallocarray, (void *p, size_t n, size_t size), (p, n, size), SWEEP_MEMORY, ENOMEM, NULL)
SWEEP_WRAP(char *, strdup, (const char *s), (s), SWEEP_MEMORY, ENOMEM, NULL)
SWEEP_WRAP(char *, strndup, (const char *s, size_t n), (s, n), SWEEP_MEMORY, ENOMEM, NULL)
#endif

#ifdef SWEEP_READING
SWEEP_WRAP(char *, realpath, (const char *path, char *out), (path, out), SWEEP_SYSTEM, EIO, NULL)
SWEEP_WRAP(DIR *, opendir, (const char *path), (path), SWEEP_SYSTEM, EMFILE, NULL)
SWEEP_WRAP(struct dirent *, readdir64, (DIR *dir), (dir), SWEEP_SYSTEM, EIO, NULL)
SWEEP_WRAP(int, fstat64, (int fd, struct stat *st), (fd, st), SWEEP_SYSTEM, EIO, -1)
SWEEP_WRAP(int, stat64, (const char *path, struct stat *st), (path, st), SWEEP_SYSTEM, EIO, -1)
SWEEP_WRAP(ssize_t, read, (int fd, void *to, size_t n), (fd, to, n), SWEEP_SYSTEM, EIO, -1)

int __real_open64(const char *path, int flags, ...), __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    if (sweep_fails(SWEEP_SYSTEM)) {
        errno = EMFILE;
        return -1;
    }
    return __real_open64(path, flags, mode);
}
#endif

#ifdef SWEEP_WRITING
SWEEP_WRAP(int, fsync, (int fd), (fd), SWEEP_SYSTEM, EIO, -1)
SWEEP_WRAP(int, rename, (const char *from, const char *to), (from, to), SWEEP_SYSTEM, EACCES, -1)

/* A disk writes part of what it was given, or nothing. */
ssize_t __real_write(int fd, const void *bytes, size_t n), __wrap_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n) {
    if (sweep_fails(SWEEP_SYSTEM)) {
        errno = ENOSPC;
        return -1;
    }
    return __real_write(fd, bytes, atomic_load(&sweep.armed) && n > 3 ? 3 : n);
}
#endif

#endif
