/* Lock files: one process at a time holds a name, and the kernel lets go of it when that process
 * ends, however it ends. The file holds the process's id, for people and for scripts,
 * unless the disk was full.
 */
#ifndef CK_PROTO_LOCK_H
#define CK_PROTO_LOCK_H

#include <stdbool.h>

#include "proto/error.h"

/* Makes the file where it is missing and locks it, without waiting. 0: locked, and *fd holds the
 * lock until ck_unlock_file or the process's end. 1: another process holds it. -1: it cannot be
 * opened or locked, and err (may be NULL) says why, with the path. */
int ck_lock_file(const char *path, int *fd, struct ck_err *err);

/* Removes the file and closes fd, which ends the lock. */
void ck_unlock_file(const char *path, int fd);

/* True when no process holds the lock, also where there is no such file. Takes the lock for that
 * moment, so ck_lock_file in another process may fail meanwhile. */
bool ck_lock_is_free(const char *path);

#endif
