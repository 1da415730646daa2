/* A default VFS whose calls are points of a sweep (fault/sweep.h, SWEEP_SYSTEM); it lies below the store's own VFS. SQLite's memory likewise.
 *
 *     vfs_fault_install();          once, before anything is opened
 *     vfs_fault_install_memory();   once, before SQLite is used at all
 *     vfs_fault_crash = true;       the process ends at the point instead; a write is done by half
 *     vfs_fault_unlocked = f;       f is called where a handle holds no lock on its file and is about to take one
 *
 * fsync is not passed on: the process dies here, not the machine, and the tests shall be quick. */
#ifndef VFS_FAULT_H
#define VFS_FAULT_H

#include "fault/sweep.h"
#include <sqlite3.h>
#include <string.h>

static bool vfs_fault_crash;
static void (*vfs_fault_unlocked)(void);
static sqlite3_vfs *vfs_fault_under;
enum { VFS_FAULT_EXIT = 77 };

static int vfs_fault_or(int error) {
    if (!sweep_fails(SWEEP_SYSTEM))
        return SQLITE_OK;
    if (vfs_fault_crash)
        _exit(VFS_FAULT_EXIT);
    return error;
}

struct vfs_fault_file {
    sqlite3_file base;
    sqlite3_file *real;
};
#define REAL(f) (((struct vfs_fault_file *)(f))->real)
#define TRY(error)                                                                                                                     \
    do {                                                                                                                               \
        int try_rc_ = vfs_fault_or(error);                                                                                             \
        if (try_rc_ != SQLITE_OK)                                                                                                      \
            return try_rc_;                                                                                                            \
    } while (0)

static int vfs_fault_close(sqlite3_file *f) {
    int rc = REAL(f)->pMethods->xClose(REAL(f));
    sqlite3_free(REAL(f));
    return rc;
}
static int vfs_fault_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at) {
    TRY(SQLITE_IOERR_READ);
    return REAL(f)->pMethods->xRead(REAL(f), to, n, at);
}
static int vfs_fault_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at) {
    if (sweep_fails(SWEEP_SYSTEM)) {
        REAL(f)->pMethods->xWrite(REAL(f), from, n / 2, at);
        if (vfs_fault_crash)
            _exit(VFS_FAULT_EXIT);
        return sweep.at % 2 ? SQLITE_IOERR_WRITE : SQLITE_FULL;
    }
    return REAL(f)->pMethods->xWrite(REAL(f), from, n, at);
}
static int vfs_fault_truncate(sqlite3_file *f, sqlite3_int64 n) {
    TRY(SQLITE_IOERR_TRUNCATE);
    return REAL(f)->pMethods->xTruncate(REAL(f), n);
}
static int vfs_fault_sync(sqlite3_file *f, int flags) {
    (void)f, (void)flags;
    TRY(SQLITE_IOERR_FSYNC);
    return SQLITE_OK;
}
static int vfs_fault_size(sqlite3_file *f, sqlite3_int64 *n) {
    TRY(SQLITE_IOERR_FSTAT);
    return REAL(f)->pMethods->xFileSize(REAL(f), n);
}
static int vfs_fault_lock(sqlite3_file *f, int level) {
    if (level == SQLITE_LOCK_SHARED && vfs_fault_unlocked)
        vfs_fault_unlocked();
    TRY(SQLITE_IOERR_LOCK);
    return REAL(f)->pMethods->xLock(REAL(f), level);
}
static int vfs_fault_unlock(sqlite3_file *f, int level) { return REAL(f)->pMethods->xUnlock(REAL(f), level); }
static int vfs_fault_reserved(sqlite3_file *f, int *out) { return REAL(f)->pMethods->xCheckReservedLock(REAL(f), out); }
static int vfs_fault_control(sqlite3_file *f, int op, void *arg) { return REAL(f)->pMethods->xFileControl(REAL(f), op, arg); }
static int vfs_fault_sector(sqlite3_file *f) { return REAL(f)->pMethods->xSectorSize(REAL(f)); }
static int vfs_fault_device(sqlite3_file *f) { return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f)); }
static int vfs_fault_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out) {
    TRY(SQLITE_IOERR_SHMMAP);
    return REAL(f)->pMethods->xShmMap(REAL(f), page, size, extend, out);
}
static int vfs_fault_shm_lock(sqlite3_file *f, int at, int n, int flags) {
    if (flags & SQLITE_SHM_LOCK)
        TRY(SQLITE_IOERR_SHMLOCK);
    return REAL(f)->pMethods->xShmLock(REAL(f), at, n, flags);
}
static void vfs_fault_barrier(sqlite3_file *f) { REAL(f)->pMethods->xShmBarrier(REAL(f)); }
static int vfs_fault_shm_unmap(sqlite3_file *f, int erase) { return REAL(f)->pMethods->xShmUnmap(REAL(f), erase); }

static const sqlite3_io_methods vfs_fault_methods = {
    .iVersion = 2, .xClose = vfs_fault_close, .xRead = vfs_fault_read, .xWrite = vfs_fault_write, .xTruncate = vfs_fault_truncate,
    .xSync = vfs_fault_sync, .xFileSize = vfs_fault_size, .xLock = vfs_fault_lock, .xUnlock = vfs_fault_unlock,
    .xCheckReservedLock = vfs_fault_reserved, .xFileControl = vfs_fault_control, .xSectorSize = vfs_fault_sector,
    .xDeviceCharacteristics = vfs_fault_device, .xShmMap = vfs_fault_shm_map, .xShmLock = vfs_fault_shm_lock,
    .xShmBarrier = vfs_fault_barrier, .xShmUnmap = vfs_fault_shm_unmap,
};

static int vfs_fault_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out) {
    (void)v;
    f->pMethods = NULL;
    TRY(SQLITE_CANTOPEN);
    sqlite3_file *under = sqlite3_malloc(vfs_fault_under->szOsFile);
    if (!under)
        return SQLITE_NOMEM;
    memset(under, 0, (size_t)vfs_fault_under->szOsFile);
    int rc = vfs_fault_under->xOpen(vfs_fault_under, name, under, flags, out);
    if (rc != SQLITE_OK) {
        if (under->pMethods)
            under->pMethods->xClose(under);
        sqlite3_free(under);
        return rc;
    }
    ((struct vfs_fault_file *)f)->real = under;
    f->pMethods = &vfs_fault_methods;
    return SQLITE_OK;
}
static int vfs_fault_delete(sqlite3_vfs *v, const char *name, int sync_dir) {
    (void)v, (void)sync_dir;
    TRY(SQLITE_IOERR_DELETE);
    return vfs_fault_under->xDelete(vfs_fault_under, name, 0);
}
static int vfs_fault_access(sqlite3_vfs *v, const char *name, int flags, int *out) {
    (void)v;
    TRY(SQLITE_IOERR_ACCESS);
    return vfs_fault_under->xAccess(vfs_fault_under, name, flags, out);
}

static sqlite3_mem_methods vfs_fault_memory;

/* SQLite allocates for each word that it parses, and its own tests fail every one of these. Here every third is a point, beside each of Quaere's; all of them with
 * QA_FULL=1. From the first failure of a lasting one on all fail. */
static unsigned vfs_fault_every = 3;
static inline bool vfs_fault_no_memory(void) {
    if (!atomic_load(&sweep.armed) || (!(sweep.on && atomic_load(&sweep.met)) && atomic_fetch_add(&sweep.library, 1) % vfs_fault_every))
        return false;
    return sweep_fails(SWEEP_MEMORY);
}
static void *vfs_fault_malloc(int n) { return vfs_fault_no_memory() ? NULL : vfs_fault_memory.xMalloc(n); }
static void *vfs_fault_realloc(void *p, int n) { return vfs_fault_no_memory() ? NULL : vfs_fault_memory.xRealloc(p, n); }

static inline bool vfs_fault_install_memory(void) {
    const char *full = getenv("QA_FULL");
    vfs_fault_every = full && strcmp(full, "1") == 0 ? 1 : vfs_fault_every;
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &vfs_fault_memory) != SQLITE_OK)
        return false;
    sqlite3_mem_methods methods = vfs_fault_memory;
    methods.xMalloc = vfs_fault_malloc;
    methods.xRealloc = vfs_fault_realloc;
    return sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK;
}

static inline void vfs_fault_install(void) {
    static sqlite3_vfs vfs;
    vfs_fault_under = sqlite3_vfs_find(NULL);
    vfs = *vfs_fault_under;
    vfs.zName = "fault";
    vfs.szOsFile = sizeof(struct vfs_fault_file);
    vfs.iVersion = 2;
    vfs.xOpen = vfs_fault_open;
    vfs.xDelete = vfs_fault_delete;
    vfs.xAccess = vfs_fault_access;
    sqlite3_vfs_register(&vfs, 1);
}

#undef REAL
#undef TRY
#endif
