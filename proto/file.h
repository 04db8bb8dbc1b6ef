/* Opening and reading regular files. A FIFO, device, socket or folder of that name is refused, so
 * no call here waits for somebody at the other end. */
#ifndef CK_PROTO_FILE_H
#define CK_PROTO_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "proto/error.h"
#include "proto/text.h"

/* Opens the file as openat does, with O_CLOEXEC, and with mode 0600 where it makes it; dir may be
 * AT_FDCWD. Never waits. For writing, a symbolic link is not followed, and a file with a second
 * name is refused (EMLINK), because that one may be anywhere; for reading, O_NOFOLLOW says the
 * former. Returns a descriptor that the caller closes; or -1 with errno, and in err (which may be
 * NULL) the reason without the name. EINVAL: it is not a regular file. */
int ck_open_file(int dir, const char *name, int flags, struct ck_err *err);

/* For a file that a library is going to open by itself: 0 when there is a regular file of that name
 * or none; else -1 with the reason, without the name. A symbolic link is not followed, and a file
 * with a second name is refused. */
int ck_no_other_kind(int dir, const char *name, struct ck_err *err);

/* Why the file of that name could not be written, without the name: for a full disk and a place
 * that cannot be written also which folder, and what a person can do. error: an errno, which is
 * kept. why: what is known otherwise. Returns -1. */
int ck_fail_write(struct ck_err *err, const char *name, int error, const char *why);

/* True while the name, itself no symbolic link, is that of the file or folder that fd has open.
 * False once it was removed, renamed or replaced; then errno is ENOENT, or that of stat. */
bool ck_has_name(int fd, const char *name);

/* Whether what is read from this file or folder may be trusted: it must belong to the caller or to
 * root, and nobody else may write to it. 0; or -1 with the reason, which says what to do, without
 * the name. */
int ck_check_owner(int fd, struct ck_err *err);

/* Gives the file that fd has open, and that is to take the place of a person's file of that name,
 * the owner, group and mode of that one; dir may be AT_FDCWD. A group that the caller may not give
 * gets no rights instead. If there is no such file, nothing is done. 0; or -1 with errno, and in
 * err the reason, without the name. EPERM: it belongs to another user. */
int ck_take_place(int fd, int dir, const char *name, struct ck_err *err);

/* Reads the whole file into b, which is cleared first. flags: O_NOFOLLOW or 0; dir may be AT_FDCWD.
 * 0; or -1 with errno, and in err (which may be NULL) the reason without the name. ENOENT: there is
 * no such file. EFBIG: it has more than `most` bytes (SIZE_MAX: no limit), of which b holds the
 * first `most`. Unless the file grows meanwhile, b is allocated once, so that a secret leaves no
 * copy in freed memory. */
int ck_read_file(int dir, const char *name, int flags, size_t most, struct ck_buf *b,
                 struct ck_err *err);

/* The same for settings and secrets: follows symbolic links, and checks whose the file is
 * (ck_check_owner; errno is then EPERM). */
int ck_read_own_file(const char *name, size_t most, struct ck_buf *b, struct ck_err *err);

/* ---- all bytes, however many calls it takes ---- */

/* Writes them all. 0, or -1 with errno. */
int ck_write_all(int fd, struct ck_str bytes);
/* The same from offset `at` of the file on. */
int ck_pwrite_all(int fd, struct ck_str bytes, off_t at);
/* Reads n bytes from offset `at` on. Returns how many: fewer only at the end of the file; or -1
 * with errno. */
ssize_t ck_pread_all(int fd, char *bytes, size_t n, off_t at);

/* The absolute path, with symbolic links left alone, on the heap; the caller frees. When the
 * working directory has no name any more (it was removed), the path as given. */
char *ck_absolute(const char *path);

#endif
