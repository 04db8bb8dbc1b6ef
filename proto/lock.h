/* Lock files: one process at a time holds a name, and the kernel releases it when that process
 * ends, however it ends. The file contains the process's id, for people and scripts, unless the
 * disk was full. */
#ifndef CK_PROTO_LOCK_H
#define CK_PROTO_LOCK_H

#include <stdbool.h>

#include "proto/error.h"

/* Makes the file if it is missing, and locks it without waiting. 0: locked, and *fd holds the
 * lock until ck_unlock_file or the end of the process. 1: another process holds it. -1: it cannot
 * be opened or locked, and err (which may be NULL) says why, with the path. *fd is -1 unless
 * locked. */
int ck_lock_file(const char *path, int *fd, struct ck_err *err);

/* Removes the file and closes fd, which ends the lock. */
void ck_unlock_file(const char *path, int fd);

/* True when no process holds the lock, or there is no such file. Holds the lock itself for a
 * moment, so ck_lock_file in another process may return 1 meanwhile. */
bool ck_lock_is_free(const char *path);

/* A lock that processes hold in turn: its file stays when nobody holds it. */

/* Opens the file. make: if it is missing, too. Returns a descriptor that the caller closes, which
 * also ends the lock; or -1 with errno, and in err (which may be NULL) the reason with the path. */
int ck_turn_open(const char *path, bool make, struct ck_err *err);
/* Locks it without waiting; false if another process holds it. */
bool ck_turn_try(int fd);
/* Locks it, waiting for the other process. */
void ck_turn_wait(int fd);
void ck_turn_end(int fd);

#endif
