/* The files in an archive, one after another, as import reads them: zip, tar, 7z, and single files
 * compressed with gzip, zstd, bzip2 or xz. A member that is such a file itself (but for 7z) is
 * opened in turn, so only files that are none are handed over.
 *
 * Everything is streamed: no member is written to the disk, so its name leads nowhere, and memory
 * does not grow with its size. A member that unpacks to more than CLI_ARCHIVE_RATIO times what was
 * read of the archive for it, and to more than CLI_ARCHIVE_FREE bytes, is refused. After
 * all members together have unpacked to that ratio, and to more than CLI_ARCHIVE_FREE_ALL, nothing
 * more is read.
 */
#ifndef CLI_IMPORT_ARCHIVE_H
#define CLI_IMPORT_ARCHIVE_H

#include <sys/types.h>

#include "proto/error.h"
#include "proto/text.h"

#define CLI_ARCHIVE_DEPTH 6 /* archives inside each other; a compressed file is one */
#define CLI_ARCHIVE_RATIO 250
#define CLI_ARCHIVE_FREE (INT64_C(256) << 20)
#define CLI_ARCHIVE_FREE_ALL (INT64_C(1) << 30)
#define CLI_ARCHIVE_NAME 4096 /* bytes of a member's name; longer ones are cut */

/* The first bytes of a file, by which it is recognised; all but a tar file by the first 16. */
#define CLI_ARCHIVE_HEAD 512
#define CLI_ARCHIVE_LITTLE 16

/* True if these first bytes of a file begin something that can be opened. */
bool cli_archive_is(struct ck_str head);

struct cli_archive;

/* fd: a regular file, read from its beginning; it stays the caller's. opens: whether a member of
 * that name is opened if it turns out to be an archive itself; NULL: all are. */
struct cli_archive *cli_archive_new(int fd, bool (*opens)(const char *name));
void cli_archive_free(struct cli_archive **a);

/* Goes to the next file. 1: there is one, and *name is its path through the archives, such as
 * "inner.zip: data/conversations.json", UTF-8, valid until the next call; "" if the whole is only a
 * compressed file. 0: there is no more. -1 with the reason: *name cannot be read, or the archive
 * from here on; then the next call returns 0 or goes on. */
int cli_archive_next(struct cli_archive *a, const char **name, struct ck_err *err);

/* The first CLI_ARCHIVE_HEAD bytes of the current file, or all of them, before anything of it was
 * read; valid until the next call. */
struct ck_str cli_archive_head(const struct cli_archive *a);

/* Reads on in the current file. Returns the number of bytes, 0 at its end, -1 with the reason. */
ssize_t cli_archive_read(struct cli_archive *a, char *bytes, size_t n, struct ck_err *err);

/* Goes back to the beginning of the current file. 0, or -1 with the reason. */
int cli_archive_rewind(struct cli_archive *a, struct ck_err *err);
/* Goes back to before the first file. 0, or -1 with the reason. */
int cli_archive_restart(struct cli_archive *a, struct ck_err *err);

#endif
