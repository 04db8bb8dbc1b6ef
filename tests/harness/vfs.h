/* A disk that can lose its power, for SQLite within the test's own process: an SQLite VFS over the
 * ordinary one. It lets everything through and remembers each file as it was when it was last
 * synced, and every write since. After a cut nothing works any more; when the power is back, the
 * files hold what was synced and, of the rest, whatever chance leaves: nothing, all, or some in any
 * order, torn at borders of 512 bytes. A file that was made or removed and whose folder was not
 * synced may be there or not. It also fails on demand.
 *
 * Several threads may use it; a fault is asked for and a power cut mended with all connections
 * closed. shm and locks are the ordinary VFS's.
 */
#ifndef CK_TESTS_HARNESS_VFS_H
#define CK_TESTS_HARNESS_VFS_H

#include <stdbool.h>
#include <stdint.h>

enum vfs_fault {
  VFS_NONE,
  VFS_CUT,        /* at a write, a truncation, a sync, a removal: the power goes */
  VFS_CUT_SYNC,   /* at a sync: the power goes in front of it or behind it */
  VFS_FULL,       /* a write says that the disk is full, after half of it */
  VFS_WRITE,      /* a write fails */
  VFS_READ,       /* a read fails */
  VFS_SHORT_READ, /* a read gives nothing but zeroes, as behind the file's end */
  VFS_FSYNC /* a sync fails; what it was to sync is lost at the next cut, whatever is synced later
             */
};

/* Becomes SQLite's default VFS. below(n): chance, 0 … n - 1. */
void vfs_install(uint64_t (*below)(uint64_t n));
/* The nth operation of that kind from now on fails, and `more` after it (UINT32_MAX: all, until
 * vfs_heal). */
void vfs_fail(enum vfs_fault fault, unsigned nth, unsigned more);
/* False when that moment has not come so far. */
bool vfs_failed(void);
void vfs_heal(void);

enum vfs_survives { VFS_SYNCED_ONLY, VFS_ALL, VFS_SOME };
/* The power is back: writes into the files what survived, and forgets the fault. */
void vfs_power_on(enum vfs_survives what);

#endif
