/* Opening and reading what is to be a regular file, and nothing else that may have its name. */
#ifndef CK_PROTO_FILE_H
#define CK_PROTO_FILE_H

#include <stdbool.h>

#include "proto/error.h"
#include "proto/text.h"

/* As openat with O_CLOEXEC and, where it makes the file, mode 0600; dir may be AT_FDCWD. Never
 * waits: a FIFO has nobody at its other end, a device does as it likes. -1 with errno, EINVAL where
 * it is no regular file, and in err (may be NULL) the reason without the name. The caller closes.
 */
int ck_open_file(int dir, const char *name, int flags, struct ck_err *err);

/* The same question for what another library opens: 0 where a regular file has the name, or
 * nothing; else -1 with the reason, without the name. */
int ck_no_other_kind(int dir, const char *name, struct ck_err *err);

/* The whole file into b, which is cleared first. flags: O_NOFOLLOW or 0; dir may be AT_FDCWD. Waits
 * for the disk only. 0, or -1 with errno and, in err (may be NULL), the reason without the name.
 * ENOENT: there is none. EFBIG: it has more than `most` bytes (SIZE_MAX: no limit), and b holds the
 * first `most`. b grows once where the file keeps its size, so a secret leaves no copy behind. */
int ck_read_file(int dir, const char *name, int flags, size_t most, struct ck_buf *b,
                 struct ck_err *err);

/* The path as it is from the root, links left alone; on the heap. Where the working directory has
 * no name (it was removed), the path as it came. */
char *ck_absolute(const char *path);

#endif
