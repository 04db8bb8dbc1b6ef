/* The WAL as a file: an SQLite VFS over the default one, for the connection that writes.
 *
 * SQLite writes each frame of a commit by two small writes, the frame's header and its page. Here
 * they are collected and written at once, at the latest before the file is synced. What is read,
 * truncated or measured sees all that was written. A failure is told by the call that writes: a
 * later write, or the sync, after which SQLite rolls the transaction back and writes the same
 * places again.
 *
 * An fdatasync is cheaper where it has no new size of the file to note down, so the WAL is made as
 * large as it will be before it is used. SQLite takes the zeroes behind its frames for what they
 * are: no frame, by salt and checksum. All files but the WAL are the default VFS's own.
 */
#ifndef CK_STORE_WAL_FILE_H
#define CK_STORE_WAL_FILE_H

#include <sqlite3.h>

/* The VFS's name for sqlite3_open_v2. It stands on what is SQLite's default VFS at this call. */
const char *wal_file_vfs(void);

/* Fills the WAL of an open connection with zeroes up to `bytes`, and syncs it. Where there is no
 * room it is left as it was, which is no error. An SQLite code. Only while nobody writes. */
int wal_file_grow(sqlite3 *db, sqlite3_int64 bytes);

#endif
