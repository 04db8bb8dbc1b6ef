/* Faster writing of the WAL: an SQLite VFS on top of the default one, for the connection that
 * writes.
 *
 * - SQLite makes two small writes for each frame of a commit, its header and its page. This VFS
 *   gathers them into large ones, written before the file is synced, read, truncated or measured. A
 *   failed write is reported by the call that makes it: a later write, or the sync. SQLite then
 *   rolls the transaction back and writes the same places again.
 * - An fdatasync is cheaper if the file's size has not changed. So the WAL is filled with zeroes to
 *   its later size before it is used. SQLite does not take the zeroes after its frames for frames,
 *   because salt and checksum do not match.
 *
 * All other files go to the VFS of sqlite_pages.h, which is on top of the default one.
 */
#ifndef CK_STORE_WAL_FILE_H
#define CK_STORE_WAL_FILE_H

#include <sqlite3.h>

/* Registers the VFS, on top of what is SQLite's default VFS at this call. Returns its name for
 * sqlite3_open_v2. */
const char *wal_file_vfs(void);

/* Fills the WAL of an open connection with zeroes up to `bytes` and syncs it. If there is no room,
 * the WAL is left as it was, which is no error. Returns an SQLite code. Call it while nobody
 * writes. */
int wal_file_grow(sqlite3 *db, sqlite3_int64 bytes);

#endif
