/* Simulates power cuts and I/O errors for SQLite in the test's own process: an SQLite VFS on top of
 * the default one.
 *
 * It passes everything through, and remembers each file's content at its last sync and every write
 * since. After a power cut every operation fails. When the power is back, the files hold what was
 * synced, plus a random choice of the later writes: none, all, or some of them, in any order, torn
 * at multiples of 512 bytes. A file created or removed since the last sync of its folder may exist
 * or not.
 *
 * Several threads may use it, but vfs_fail and vfs_power_on need all connections closed. Shared
 * memory and locks are those of the default VFS.
 */
#ifndef CK_TESTS_HARNESS_VFS_H
#define CK_TESTS_HARNESS_VFS_H

#include <stdbool.h>
#include <stdint.h>

enum vfs_fault {
  VFS_NONE,
  VFS_CUT,        /* the power fails at a write, truncation, sync or removal */
  VFS_CUT_SYNC,   /* the power fails just before or just after a sync */
  VFS_FULL,       /* a write fails, after half of it, because the disk is full */
  VFS_WRITE,      /* a write fails */
  VFS_READ,       /* a read fails */
  VFS_SHORT_READ, /* a read returns only zeroes, as after the end of the file */
  VFS_FSYNC       /* a sync fails; its data is lost at the next cut, even after later syncs */
};

/* Installs it as SQLite's default VFS. below(n): a random number from 0 to n - 1. */
void vfs_install(uint64_t (*below)(uint64_t n));
/* Makes the nth operation of that kind from now on fail, and `more` operations after it
 * (UINT32_MAX: all, until vfs_heal). */
void vfs_fail(enum vfs_fault fault, unsigned nth, unsigned more);
/* Whether the requested fault has happened. */
bool vfs_failed(void);
/* Ends the fault. */
void vfs_heal(void);

enum vfs_survives { VFS_SYNCED_ONLY, VFS_ALL, VFS_SOME };
/* Restores the power: writes to the files what survived, and ends the fault. */
void vfs_power_on(enum vfs_survives what);

#endif
