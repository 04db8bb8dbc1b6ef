/* See wal_file.h. Methods of the file (f_…), then of the VFS. */
#include "store/database/wal_file.h"

#include <stdlib.h>
#include <string.h>

#include "proto/sqlite_pages.h"
#include "proto/text.h"

/* 31 frames. SQLite's unix VFS writes less than 128 KiB at once; it would report a larger write as
 * a full disk. */
#define GATHERED 127720

struct wal_file {
  sqlite3_file base;
  char *bytes; /* gathered, for [at, at + n); NULL until the first write */
  sqlite3_int64 at;
  int n;
  sqlite3_file *real; /* the default VFS's file, which follows this struct in memory */
};

static sqlite3_vfs vfs, *under, *of; /* of: the default one, below `under` */

#define WAL_FILE(w) struct wal_file *w = (struct wal_file *)base

/* Bytes that cannot be written are forgotten: SQLite, told of the failure, rolls back. */
static int flush(struct wal_file *w) {
  int n = w->n;
  w->n = 0;
  return n ? w->real->pMethods->xWrite(w->real, w->bytes, n, w->at) : SQLITE_OK;
}

static int f_close(sqlite3_file *base) {
  WAL_FILE(w);
  int rc = flush(w);
  free(w->bytes);
  w->bytes = NULL;
  int closed = w->real->pMethods->xClose(w->real);
  return rc ? rc : closed;
}

static int f_read(sqlite3_file *base, void *to, int n, sqlite3_int64 at) {
  WAL_FILE(w);
  int rc = flush(w);
  return rc ? rc : w->real->pMethods->xRead(w->real, to, n, at);
}

static int f_write(sqlite3_file *base, const void *from, int n, sqlite3_int64 at) {
  WAL_FILE(w);
  bool follows = w->n == 0 || at == w->at + w->n;
  int rc = !follows || w->n + n > GATHERED ? flush(w) : SQLITE_OK;
  if (rc) return rc;
  if (n > GATHERED) return w->real->pMethods->xWrite(w->real, from, n, at);
  if (!w->bytes) w->bytes = ck_alloc(GATHERED);
  if (w->n == 0) w->at = at;
  memcpy(w->bytes + w->n, from, (size_t)n);
  w->n += n;
  return SQLITE_OK;
}

static int f_truncate(sqlite3_file *base, sqlite3_int64 size) {
  WAL_FILE(w);
  int rc = flush(w);
  return rc ? rc : w->real->pMethods->xTruncate(w->real, size);
}

static int f_sync(sqlite3_file *base, int flags) {
  WAL_FILE(w);
  int rc = flush(w);
  return rc ? rc : w->real->pMethods->xSync(w->real, flags);
}

static int f_size(sqlite3_file *base, sqlite3_int64 *size) {
  WAL_FILE(w);
  int rc = flush(w);
  return rc ? rc : w->real->pMethods->xFileSize(w->real, size);
}

static int f_lock(sqlite3_file *base, int level) {
  WAL_FILE(w);
  return w->real->pMethods->xLock(w->real, level);
}

static int f_unlock(sqlite3_file *base, int level) {
  WAL_FILE(w);
  return w->real->pMethods->xUnlock(w->real, level);
}

static int f_reserved(sqlite3_file *base, int *held) {
  WAL_FILE(w);
  return w->real->pMethods->xCheckReservedLock(w->real, held);
}

static int f_control(sqlite3_file *base, int op, void *arg) {
  WAL_FILE(w);
  return w->real->pMethods->xFileControl(w->real, op, arg);
}

static int f_sector(sqlite3_file *base) {
  WAL_FILE(w);
  return w->real->pMethods->xSectorSize(w->real);
}

static int f_device(sqlite3_file *base) {
  WAL_FILE(w);
  return w->real->pMethods->xDeviceCharacteristics(w->real);
}

/* Version 1, without shared memory and mapping: SQLite wants them of the database file only. */
static const sqlite3_io_methods methods = {1,         f_close,  f_read,   f_write,  f_truncate,
                                           f_sync,    f_size,   f_lock,   f_unlock, f_reserved,
                                           f_control, f_sector, f_device, NULL,     NULL,
                                           NULL,      NULL,     NULL,     NULL};

static int v_open(sqlite3_vfs *v, const char *path, sqlite3_file *base, int flags, int *out) {
  (void)v;
  if (!(flags & SQLITE_OPEN_WAL)) return under->xOpen(under, path, base, flags, out);
  WAL_FILE(w);
  *w = (struct wal_file){.real = (sqlite3_file *)(w + 1)};
  int rc = under->xOpen(under, path, w->real, flags, out);
  if (w->real->pMethods) base->pMethods = &methods;
  return rc;
}

const char *wal_file_vfs(void) {
  sqlite3_vfs *now = sqlite3_vfs_find(NULL);
  if (now == of) return vfs.zName;
  if (under) sqlite3_vfs_unregister(&vfs);
  of = now;
  under = sqlite3_vfs_find(ck_sqlite_pages_vfs());
  vfs = *under;
  vfs.pNext = NULL;
  vfs.zName = "convkeep-wal";
  vfs.szOsFile = (int)sizeof(struct wal_file) + under->szOsFile;
  vfs.xOpen = v_open;
  sqlite3_vfs_register(&vfs, 0);
  return vfs.zName;
}

int wal_file_grow(sqlite3 *db, sqlite3_int64 bytes) {
  static const char zeroes[64 << 10];
  sqlite3_file *wal = NULL;
  sqlite3_int64 size, at;
  int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
  if (rc || !wal || !wal->pMethods || (rc = wal->pMethods->xFileSize(wal, &size)) || size >= bytes)
    return rc;
  for (at = size; at < bytes && rc == SQLITE_OK; at += (sqlite3_int64)sizeof zeroes)
    rc = wal->pMethods->xWrite(wal, zeroes, (int)sizeof zeroes, at);
  if (rc == SQLITE_OK) return wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
  return wal->pMethods->xTruncate(wal, size);
}
