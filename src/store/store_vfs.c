/* Page checksums, so that a flipped bit on disk is an error and never a wrong answer: neither SQLite's b-trees nor FTS5's
 * segments would notice one inside a text or a posting.
 *
 * A page has 4096 bytes; SQLite is told to leave the last 8 alone (the "reserved bytes" of its file format, so other tools
 * still read the file). There stands XXH3 of the 4088 bytes before, plus the page number times an odd constant: a page in the
 * wrong place is damage too. Little-endian.
 *
 * Only the main file: what is in the -wal has checksums of SQLite's own, and changing bytes on their way there would break
 * them. A page therefore gets its sum when a checkpoint copies it over, and is verified when it is read from there.
 *
 * Whether a file has sums is read from its header (page size 4096, 8 reserved bytes, an application id of ours or none yet);
 * that of another program passes unchanged, and store_open.c refuses it with a better message. Files are handed on to the
 * default VFS of the moment, which is how the tests put theirs below. Without xFetch in the method table SQLite never maps
 * the file. */
#include "store/store_vfs.h"
#include "base/hash.h"
#include "store/store_file.h"
#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>

struct file {
    sqlite3_file base;
    sqlite3_file *real;
    bool main, summed;
    int failed; /* result of the last read that failed */
};

static sqlite3_vfs *below(void) { return sqlite3_vfs_find(NULL); }
static sqlite3_file *real(sqlite3_file *f) { return ((struct file *)f)->real; }

uint64_t store_page_checksum(const void *page, uint64_t number) {
    return hash_bytes(page, STORE_PAGE - STORE_PAGE_RESERVED).lo + number * 0x9E3779B97F4A7C15u;
}

static uint32_t big_endian32(const uint8_t *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }

/* From the first 100 bytes of a database file. */
static bool header_has_sums(const uint8_t *h) {
    uint32_t application = big_endian32(h + 68);
    return h[16] == STORE_PAGE >> 8 && h[17] == 0 && h[20] == STORE_PAGE_RESERVED && store_is_our_application(application);
}

static int close_file(sqlite3_file *f) {
    int rc = real(f)->pMethods->xClose(real(f));
    sqlite3_free(real(f));
    return rc;
}

static int read_file(sqlite3_file *f, void *out, int n, sqlite3_int64 at) {
    struct file *file = (struct file *)f;
    int rc = file->real->pMethods->xRead(file->real, out, n, at);
    if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ)
        file->failed = rc;
    if (file->main && at == 0 && n == STORE_PAGE && rc == SQLITE_OK) /* opened when empty, and made by another process since */
        file->summed = file->summed || header_has_sums(out);
    if (!file->summed || n != STORE_PAGE || at % STORE_PAGE)
        return rc;
    if (rc == SQLITE_IOERR_SHORT_READ) /* SQLite would go on with zeros */
        return SQLITE_IOERR_CORRUPTFS;
    if (rc != SQLITE_OK)
        return rc;
    const uint8_t *sum = (const uint8_t *)out + STORE_PAGE - STORE_PAGE_RESERVED;
    uint64_t want = store_page_checksum(out, (uint64_t)(at / STORE_PAGE) + 1), is = 0;
    for (int i = 7; i >= 0; i--)
        is = is << 8 | sum[i];
    if (is == want)
        return SQLITE_OK;
    file->failed = SQLITE_IOERR_DATA;
    sqlite3_log(SQLITE_IOERR_DATA, "page %lld has the wrong checksum", at / STORE_PAGE + 1);
    return SQLITE_IOERR_DATA;
}

static int write_file(sqlite3_file *f, const void *data, int n, sqlite3_int64 at) {
    struct file *file = (struct file *)f;
    if (file->main && at == 0 && n == STORE_PAGE)
        file->summed = header_has_sums(data);
    if (!file->summed || n != STORE_PAGE || at % STORE_PAGE)
        return file->real->pMethods->xWrite(file->real, data, n, at);
    uint8_t page[STORE_PAGE]; /* a copy: SQLite's buffer is not ours to change */
    memcpy(page, data, STORE_PAGE);
    uint64_t sum = store_page_checksum(page, (uint64_t)(at / STORE_PAGE) + 1);
    for (int i = 0; i < 8; i++)
        page[STORE_PAGE - STORE_PAGE_RESERVED + i] = (uint8_t)(sum >> (8 * i));
    return file->real->pMethods->xWrite(file->real, page, n, at);
}

static int truncate_file(sqlite3_file *f, sqlite3_int64 size) { return real(f)->pMethods->xTruncate(real(f), size); }
static int sync_file(sqlite3_file *f, int flags) { return real(f)->pMethods->xSync(real(f), flags); }
static int file_size(sqlite3_file *f, sqlite3_int64 *size) { return real(f)->pMethods->xFileSize(real(f), size); }
static int lock_file(sqlite3_file *f, int level) { return real(f)->pMethods->xLock(real(f), level); }
static int unlock_file(sqlite3_file *f, int level) { return real(f)->pMethods->xUnlock(real(f), level); }
static int check_reserved(sqlite3_file *f, int *out) { return real(f)->pMethods->xCheckReservedLock(real(f), out); }
static int control(sqlite3_file *f, int op, void *arg) { return real(f)->pMethods->xFileControl(real(f), op, arg); }
static int sector_size(sqlite3_file *f) { return real(f)->pMethods->xSectorSize(real(f)); }
static int characteristics(sqlite3_file *f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); }
static int shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out) {
    return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
}
static int shm_lock(sqlite3_file *f, int at, int n, int flags) { return real(f)->pMethods->xShmLock(real(f), at, n, flags); }
static void shm_barrier(sqlite3_file *f) { real(f)->pMethods->xShmBarrier(real(f)); }
static int shm_unmap(sqlite3_file *f, int erase) { return real(f)->pMethods->xShmUnmap(real(f), erase); }

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = file_size,
    .xLock = lock_file,
    .xUnlock = unlock_file,
    .xCheckReservedLock = check_reserved,
    .xFileControl = control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *out, int flags, int *out_flags) {
    (void)vfs;
    sqlite3_vfs *under = below();
    struct file *file = (struct file *)out;
    *file = (struct file){.main = (flags & SQLITE_OPEN_MAIN_DB) != 0};
    sqlite3_file *opened = sqlite3_malloc(under->szOsFile);
    if (!opened)
        return SQLITE_NOMEM;
    memset(opened, 0, (size_t)under->szOsFile);
    int rc = under->xOpen(under, name, opened, flags, out_flags);
    uint8_t header[100];
    if (rc == SQLITE_OK && file->main) {
        rc = opened->pMethods->xRead(opened, header, sizeof header, 0);
        file->summed = rc == SQLITE_OK && header_has_sums(header);
        if (rc == SQLITE_IOERR_SHORT_READ)
            rc = SQLITE_OK; /* a new file, or one that SQLite will not accept */
    }
    if (rc != SQLITE_OK) {
        if (opened->pMethods)
            opened->pMethods->xClose(opened);
        sqlite3_free(opened);
        return rc;
    }
    file->real = opened;
    file->base.pMethods = &methods;
    return SQLITE_OK;
}

static int delete_file(sqlite3_vfs *v, const char *name, int sync_dir) { (void)v; return below()->xDelete(below(), name,
                                                                                                          sync_dir); }
static int access_file(sqlite3_vfs *v, const char *name, int flags, int *out) { (void)v; return below()->xAccess(below(),
                                                                                                                 name, flags,
                                                                                                                     out); }
static int full_name(sqlite3_vfs *v, const char *name, int n, char *out) { (void)v; return below()->xFullPathname(below(),
                                                                                                                  name, n, out); }
static int randomness(sqlite3_vfs *v, int n, char *out) { (void)v; return below()->xRandomness(below(), n, out); }
static int sleep_for(sqlite3_vfs *v, int us) { (void)v; return below()->xSleep(below(), us); }
static int now(sqlite3_vfs *v, double *out) { (void)v; return below()->xCurrentTime(below(), out); }
static int now64(sqlite3_vfs *v, sqlite3_int64 *out) { (void)v; return below()->xCurrentTimeInt64(below(), out); }
static int last_error(sqlite3_vfs *v, int n, char *out) { (void)v; return below()->xGetLastError(below(), n, out); }

int store_take_read_failure(sqlite3 *db) {
    static const int pointers[] = {SQLITE_FCNTL_FILE_POINTER, SQLITE_FCNTL_JOURNAL_POINTER}; /* the latter is the -wal's when there is one */
    int failed = SQLITE_OK;
    for (size_t i = 0; i < sizeof pointers / sizeof *pointers; i++) {
        sqlite3_file *f = NULL;
        if (sqlite3_file_control(db, "main", pointers[i], &f) != SQLITE_OK || !f || f->pMethods != &methods)
            continue;
        if (failed == SQLITE_OK)
            failed = ((struct file *)f)->failed;
        ((struct file *)f)->failed = SQLITE_OK;
    }
    return failed;
}

int store_register_vfs(void) {
    static sqlite3_vfs vfs = {
        .iVersion = 2,
        .szOsFile = sizeof(struct file),
        .mxPathname = 512, /* what SQLite's own VFS for Unix can take */
        .zName = STORE_VFS,
        .xOpen = open_file,
        .xDelete = delete_file,
        .xAccess = access_file,
        .xFullPathname = full_name,
        .xRandomness = randomness,
        .xSleep = sleep_for,
        .xCurrentTime = now,
        .xCurrentTimeInt64 = now64,
        .xGetLastError = last_error,
    };
    return sqlite3_vfs_find(STORE_VFS) ? SQLITE_OK : sqlite3_vfs_register(&vfs, 0);
}
