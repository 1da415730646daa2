/* A VFS that lays a checksum into every page of the main file. See store_vfs.c. */
#ifndef STORE_VFS_H
#define STORE_VFS_H

#include <sqlite3.h>
#include <stdint.h>

enum { STORE_PAGE = 4096, STORE_PAGE_RESERVED = 8 };
#define STORE_VFS "quaere"

/* Registers it; may be called any number of times from any thread. An SQLite result code. */
int store_register_vfs(void);
/* Why a read of the file or its -wal failed last, and forgets it: PRAGMA integrity_check reports a page that could not be had like one that is
 * damaged. SQLITE_OK: none failed. */
int store_take_read_failure(sqlite3 *db);
/* What belongs in the last 8 bytes of page `number` (from 1), little-endian. */
uint64_t store_page_checksum(const void *page, uint64_t number);

#endif
