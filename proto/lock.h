/* Locks on what they protect: a file or a folder is held by one process at a time (flock), whatever
 * becomes of its name, and the kernel releases it when that process ends, however it ends.
 *
 * SQLite's own locks of a file end when its process closes any descriptor of that file. So the lock
 * of a database is taken before its first connection is opened, and ended after the last is closed.
 */
#ifndef CK_PROTO_LOCK_H
#define CK_PROTO_LOCK_H

#include <stdbool.h>

#include "proto/error.h"
#include "proto/places.h"

/* A lock that this process holds; fd: -1 if it holds none. */
struct ck_lock {
  int fd;
  bool made; /* the file was missing, and was made to be locked */
  char path[CK_PLACE_MAX];
};

/* 0: locked, until ck_lock_end or the end of the process. 1: another process holds it, and went on
 * to for 200 ms. -1: it cannot be opened or locked, and err (which may be NULL) says why, with
 * the path. l->fd is -1 unless locked. A symbolic link is not followed. path: below CK_PLACE_MAX
 * bytes. */

/* Makes the file, empty, if it is missing. */
int ck_lock_file(struct ck_lock *l, const char *path, struct ck_err *err);
int ck_lock_folder(struct ck_lock *l, const char *path, struct ck_err *err);

/* True while the path is still that of what is locked. If not, other processes can lock what has
 * the name now, and the holder must stop writing. */
bool ck_lock_has_name(const struct ck_lock *l);

/* The caller has renamed what `next` holds to the path of l: l holds that from now on. */
void ck_lock_replace(struct ck_lock *l, struct ck_lock *next);

/* Ends the lock. A file that was made to be locked, and is still empty, is removed. Does nothing if
 * l holds none. */
void ck_lock_end(struct ck_lock *l);

/* True when no process holds the file or folder, or there is none. Holds the lock itself for a
 * moment. Not for a database that this process has open. */
bool ck_lock_is_free(const char *path);

/* ---- pid files ----
 *
 * For people and scripts; nothing depends on them, so a full disk is no error. */

/* Writes this process's id into the file. 0; -1: the file cannot be opened, and err says why, with
 * the path. */
int ck_pid_write(const char *path, struct ck_err *err);

/* Takes a number that no other running process has, for a name that many may have: the first k from
 * 0, below CK_INSTANCES_MAX, whose file BEFORE k AFTER is not locked; it then has this process's
 * id. 0: *k. 1: all are taken. -1 with the reason. */
int ck_number_take(struct ck_lock *l, const char *before, const char *after, int *k,
                   struct ck_err *err);

/* ---- locks that processes hold in turn ---- */

/* Opens the file, which stays when nobody holds it. make: if it is missing, too. Returns a
 * descriptor that the caller closes, which also ends the lock; or -1 with errno, and in err (which
 * may be NULL) the reason with the path. */
int ck_turn_open(const char *path, bool make, struct ck_err *err);
/* Locks it without waiting; false if another process holds it. */
bool ck_turn_try(int fd);
/* Locks it, waiting for the other process. */
void ck_turn_wait(int fd);
void ck_turn_end(int fd);

#endif
