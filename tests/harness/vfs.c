/* The simulated disk; see vfs.h. */
#include "tests/harness/vfs.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/text.h"

#define SECTOR 512
#define FILES 64
#define TRACKED \
  (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL)

/* A write at `at`; data NULL: a truncation to `at` bytes. */
struct change {
  sqlite3_int64 at;
  char *data;
  size_t n;
  bool torn, doomed; /* torn: the cut interrupted it; doomed: its sync failed */
};

/* One path. */
struct disk {
  char *path;
  bool present;         /* exists now */
  bool kept;            /* existed at the last sync of the folder */
  struct ck_buf synced; /* its content at its last sync */
  struct change *changes;
  size_t count, cap; /* of changes: the writes since the last sync */
};

struct file {
  sqlite3_file base;
  struct disk *disk;  /* NULL: a temporary file, not tracked */
  bool syncs_folder;  /* the next sync also syncs the folder: SQLite's unix VFS does so at the
                         first sync of a journal that it created */
  sqlite3_file *real; /* stored after this struct */
};

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER; /* guards all variables below */
static sqlite3_vfs shim, *real_vfs;
static uint64_t (*chance)(uint64_t);
static struct disk disks[FILES];
static int disk_count;
static _Atomic bool off;
static struct {
  enum vfs_fault kind;
  unsigned left, more;
  bool came;
} fault;

/* ---- faults ---- */

/* Whether this operation is the one that must fail. */
static bool strikes(enum vfs_fault kind) {
  if (fault.kind != kind) return false;
  if (fault.left > 1) {
    --fault.left;
    return false;
  }
  if (fault.came && fault.more == 0) return false;
  if (fault.came && fault.more != UINT32_MAX) --fault.more;
  fault.came = true;
  return true;
}

void vfs_fail(enum vfs_fault kind, unsigned nth, unsigned more) {
  pthread_mutex_lock(&one_at_a_time);
  fault.kind = kind;
  fault.left = nth;
  fault.more = more;
  fault.came = false;
  pthread_mutex_unlock(&one_at_a_time);
}

bool vfs_failed(void) {
  pthread_mutex_lock(&one_at_a_time);
  bool came = fault.came;
  pthread_mutex_unlock(&one_at_a_time);
  return came;
}

void vfs_heal(void) { vfs_fail(VFS_NONE, 0, 0); }

static bool cut_now(void) {
  if (strikes(VFS_CUT)) off = true;
  return off;
}

/* ---- tracked files ---- */

static void load(struct disk *d) {
  char piece[65536];
  ssize_t n;
  int fd = open(d->path, O_RDONLY | O_CLOEXEC);
  ck_buf_clear(&d->synced);
  d->present = d->kept = fd >= 0;
  while (fd >= 0 && (n = read(fd, piece, sizeof piece)) > 0)
    ck_buf_add(&d->synced, piece, (size_t)n);
  if (fd >= 0) close(fd);
}

static struct disk *disk_of(const char *path) {
  for (int i = 0; i < disk_count; ++i)
    if (strcmp(disks[i].path, path) == 0) return &disks[i];
  if (disk_count == FILES) abort();
  struct disk *d = &disks[disk_count++];
  *d = (struct disk){.path = ck_strdup(path)};
  load(d);
  return d;
}

static struct change *add(struct disk *d, sqlite3_int64 at, const void *data, size_t n) {
  if (d->count == d->cap) {
    d->cap = d->cap ? d->cap * 2 : 64;
    d->changes = ck_realloc(d->changes, d->cap * sizeof *d->changes);
  }
  struct change *c = &d->changes[d->count++];
  *c = (struct change){.at = at, .n = n};
  if (!data) return c;
  c->data = ck_alloc(n ? n : 1);
  memcpy(c->data, data, n);
  return c;
}

static void reach(struct ck_buf *file, size_t size) {
  if (file->len >= size) return;
  memset(ck_buf_room(file, size - file->len), 0, size - file->len);
  file->len = size;
}

static void put(struct ck_buf *file, size_t at, const char *data, size_t n) {
  reach(file, at + n);
  memcpy(file->data + at, data, n);
}

static void take_over(struct ck_buf *file, const struct change *c) {
  if (c->data)
    put(file, (size_t)c->at, c->data, c->n);
  else if (file->len > (size_t)c->at)
    file->len = (size_t)c->at;
}

static void forget_changes(struct disk *d, bool doomed_too) {
  size_t kept = 0;
  for (size_t i = 0; i < d->count; ++i) {
    if (d->changes[i].doomed && !doomed_too)
      d->changes[kept++] = d->changes[i];
    else
      free(d->changes[i].data);
  }
  d->count = kept;
}

static void sync_content(struct disk *d) {
  for (size_t i = 0; i < d->count; ++i)
    if (!d->changes[i].doomed) take_over(&d->synced, &d->changes[i]);
  forget_changes(d, false);
  d->kept |= d->present;
}

static void sync_folder(void) {
  for (int i = 0; i < disk_count; ++i) disks[i].kept = disks[i].present;
}

/* ---- files ---- */

#define THE_FILE(f) struct file *f = (struct file *)base
#define ALONE(call) \
  pthread_mutex_lock(&one_at_a_time); \
  int rc = call; \
  pthread_mutex_unlock(&one_at_a_time); \
  return rc;

static int f_close(sqlite3_file *base) {
  THE_FILE(f);
  return f->real->pMethods ? f->real->pMethods->xClose(f->real) : SQLITE_OK;
}

static int f_read_alone(sqlite3_file *base, void *to, int n, sqlite3_int64 at) {
  THE_FILE(f);
  if (off) return SQLITE_IOERR_READ;
  if (f->disk && strikes(VFS_READ)) return SQLITE_IOERR_READ;
  if (f->disk && strikes(VFS_SHORT_READ)) {
    memset(to, 0, (size_t)n);
    return SQLITE_IOERR_SHORT_READ;
  }
  return f->real->pMethods->xRead(f->real, to, n, at);
}

static int f_read(sqlite3_file *base, void *to, int n, sqlite3_int64 at) {
  ALONE(f_read_alone(base, to, n, at))
}

static int f_write_alone(sqlite3_file *base, const void *from, int n, sqlite3_int64 at) {
  THE_FILE(f);
  if (off) return SQLITE_IOERR_WRITE;
  if (!f->disk) return f->real->pMethods->xWrite(f->real, from, n, at);
  bool full = strikes(VFS_FULL);
  if (!full && strikes(VFS_WRITE)) return SQLITE_IOERR_WRITE;
  if (cut_now()) {
    add(f->disk, at, from, (size_t)n)->torn = true;
    return SQLITE_IOERR_WRITE;
  }
  if (full) n /= 2;
  add(f->disk, at, from, (size_t)n);
  int rc = f->real->pMethods->xWrite(f->real, from, n, at);
  return full ? SQLITE_FULL : rc;
}

static int f_write(sqlite3_file *base, const void *from, int n, sqlite3_int64 at) {
  ALONE(f_write_alone(base, from, n, at))
}

static int f_truncate_alone(sqlite3_file *base, sqlite3_int64 size) {
  THE_FILE(f);
  if (off) return SQLITE_IOERR_TRUNCATE;
  if (f->disk) {
    bool cut = cut_now();
    add(f->disk, size, NULL, 0)->torn = cut;
    if (cut) return SQLITE_IOERR_TRUNCATE;
  }
  return f->real->pMethods->xTruncate(f->real, size);
}

static int f_truncate(sqlite3_file *base, sqlite3_int64 size) {
  ALONE(f_truncate_alone(base, size))
}

/* Never syncs the real file: the simulation does not need it. */
static int f_sync_alone(sqlite3_file *base, int flags) {
  (void)flags;
  THE_FILE(f);
  if (off) return SQLITE_IOERR;
  if (!f->disk) return SQLITE_OK;
  if (cut_now()) return SQLITE_IOERR;
  if (strikes(VFS_CUT_SYNC)) {
    off = true;
    if (chance(2)) sync_content(f->disk);
    return SQLITE_IOERR;
  }
  if (strikes(VFS_FSYNC)) {
    for (size_t i = 0; i < f->disk->count; ++i) f->disk->changes[i].doomed = true;
    return SQLITE_IOERR_FSYNC;
  }
  sync_content(f->disk);
  if (f->syncs_folder) sync_folder();
  f->syncs_folder = false;
  return SQLITE_OK;
}

static int f_sync(sqlite3_file *base, int flags) { ALONE(f_sync_alone(base, flags)) }

static int f_size(sqlite3_file *base, sqlite3_int64 *size) {
  THE_FILE(f);
  return off ? SQLITE_IOERR_FSTAT : f->real->pMethods->xFileSize(f->real, size);
}
static int f_lock(sqlite3_file *base, int level) {
  THE_FILE(f);
  return f->real->pMethods->xLock(f->real, level);
}
static int f_unlock(sqlite3_file *base, int level) {
  THE_FILE(f);
  return f->real->pMethods->xUnlock(f->real, level);
}
static int f_reserved(sqlite3_file *base, int *held) {
  THE_FILE(f);
  return f->real->pMethods->xCheckReservedLock(f->real, held);
}
static int f_control(sqlite3_file *base, int op, void *arg) {
  THE_FILE(f);
  /* Preallocation would write to the file without passing through this VFS. */
  if (op == SQLITE_FCNTL_SIZE_HINT || op == SQLITE_FCNTL_CHUNK_SIZE) return SQLITE_OK;
  return f->real->pMethods->xFileControl(f->real, op, arg);
}
static int f_sector(sqlite3_file *base) {
  THE_FILE(f);
  return f->real->pMethods->xSectorSize(f->real);
}
static int f_device(sqlite3_file *base) {
  THE_FILE(f);
  return f->real->pMethods->xDeviceCharacteristics(f->real);
}
static int f_shm_map(sqlite3_file *base, int page, int size, int extend, void volatile **to) {
  THE_FILE(f);
  return f->real->pMethods->xShmMap(f->real, page, size, extend, to);
}
static int f_shm_lock(sqlite3_file *base, int at, int n, int flags) {
  THE_FILE(f);
  return f->real->pMethods->xShmLock(f->real, at, n, flags);
}
static void f_shm_barrier(sqlite3_file *base) {
  THE_FILE(f);
  f->real->pMethods->xShmBarrier(f->real);
}
static int f_shm_unmap(sqlite3_file *base, int gone) {
  THE_FILE(f);
  return f->real->pMethods->xShmUnmap(f->real, gone);
}

static const sqlite3_io_methods methods = {
    2,          f_close,       f_read,      f_write,   f_truncate, f_sync,   f_size,
    f_lock,     f_unlock,      f_reserved,  f_control, f_sector,   f_device, f_shm_map,
    f_shm_lock, f_shm_barrier, f_shm_unmap, NULL,      NULL};

/* ---- names ---- */

static int v_open_alone(sqlite3_vfs *v, const char *path, sqlite3_file *base, int flags, int *out) {
  (void)v;
  THE_FILE(f);
  *f = (struct file){.real = (sqlite3_file *)(f + 1)};
  if (off) return SQLITE_CANTOPEN;
  if (path && (flags & TRACKED)) f->disk = disk_of(path);
  bool made = f->disk && !f->disk->present && (flags & SQLITE_OPEN_CREATE);
  int rc = real_vfs->xOpen(real_vfs, path, f->real, flags, out);
  if (rc != SQLITE_OK) return rc;
  if (made) {
    f->disk->present = true;
    f->syncs_folder = !(flags & SQLITE_OPEN_MAIN_DB);
  }
  base->pMethods = &methods;
  return SQLITE_OK;
}

static int v_open(sqlite3_vfs *v, const char *path, sqlite3_file *base, int flags, int *out) {
  ALONE(v_open_alone(v, path, base, flags, out))
}

/* Until the folder is synced, a removed file may come back; its content is then an unsynced
 * truncation. */
static int v_delete_alone(sqlite3_vfs *v, const char *path, int sync) {
  (void)v;
  if (off || cut_now()) return SQLITE_IOERR_DELETE;
  struct disk *d = disk_of(path);
  int rc = real_vfs->xDelete(real_vfs, path, 0);
  if (rc != SQLITE_OK) return rc;
  d->present = false;
  add(d, 0, NULL, 0);
  if (sync) sync_folder();
  return SQLITE_OK;
}

static int v_delete(sqlite3_vfs *v, const char *path, int sync) {
  ALONE(v_delete_alone(v, path, sync))
}

static int v_access(sqlite3_vfs *v, const char *path, int flags, int *out) {
  (void)v;
  return off ? SQLITE_IOERR_ACCESS : real_vfs->xAccess(real_vfs, path, flags, out);
}

void vfs_install(uint64_t (*below)(uint64_t)) {
  chance = below;
  if (real_vfs) return;
  real_vfs = sqlite3_vfs_find(NULL);
  shim = *real_vfs;
  shim.pNext = NULL;
  shim.zName = "power";
  shim.szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile;
  shim.xOpen = v_open;
  shim.xDelete = v_delete;
  shim.xAccess = v_access;
  sqlite3_vfs_register(&shim, 1);
}

/* ---- restoring the power ---- */

static bool one_in(uint64_t n) { return chance(n) == 0; }

static void tear(struct ck_buf *file, const struct change *c) {
  for (size_t i = 0; i < c->n;) {
    size_t n = SECTOR - ((size_t)c->at + i) % SECTOR;
    if (n > c->n - i) n = c->n - i;
    if (one_in(2)) put(file, (size_t)c->at + i, c->data + i, n);
    i += n;
  }
}

/* Applies a change whole, or partly, or only its effect on the file's size, or not at all. */
static void perhaps(struct ck_buf *file, const struct change *c, uint64_t most) {
  if (one_in(most)) {
    if (c->data && one_in(4)) reach(file, (size_t)c->at + c->n);
  } else if (c->data && one_in(8)) {
    tear(file, c);
  } else {
    take_over(file, c);
  }
}

static void survive(struct disk *d, enum vfs_survives what) {
  static const uint64_t odds[] = {2, 2, 10, 100};
  uint64_t most = odds[chance(4)];
  for (size_t i = 0; i < d->count && what != VFS_SYNCED_ONLY; ++i) {
    const struct change *c = &d->changes[i];
    if (c->doomed) continue;
    if (c->torn && c->data)
      tear(&d->synced, c);
    else if (what == VFS_SOME)
      perhaps(&d->synced, c, most);
    else
      take_over(&d->synced, c);
  }
}

static bool is_there(const struct disk *d, enum vfs_survives what) {
  if (d->present == d->kept) return d->present;
  return what == VFS_SYNCED_ONLY ? d->kept : what == VFS_ALL ? d->present : one_in(2);
}

static void write_out(const struct disk *d) {
  int fd = open(d->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  for (size_t done = 0; fd >= 0 && done < d->synced.len;) {
    ssize_t n = write(fd, d->synced.data + done, d->synced.len - done);
    if (n <= 0) abort();
    done += (size_t)n;
  }
  if (fd < 0) abort();
  close(fd);
}

void vfs_power_on(enum vfs_survives what) {
  for (int i = 0; i < disk_count; ++i) {
    struct disk *d = &disks[i];
    survive(d, what);
    if (is_there(d, what))
      write_out(d);
    else
      unlink(d->path);
    forget_changes(d, true);
    free(d->changes);
    ck_buf_free(&d->synced);
    free(d->path);
  }
  disk_count = 0;
  off = false;
  fault.kind = VFS_NONE;
}
