/* Unpacks a file that is compressed with gzip, zstd or xz, as a stream. libarchive's filters do
 * this, too, but of a file that is cut off they lose what they have unpacked since they last gave a
 * block of 64 or 128 KiB. Here all is given that can be unpacked, and then the place of the fault.
 *
 * Of zstd that is all blocks that are whole, each of at most 128 KiB; of gzip and xz every byte. */
#ifndef CLI_IMPORT_INFLATE_H
#define CLI_IMPORT_INFLATE_H

#include <sys/types.h>

#include "proto/error.h"
#include "proto/text.h"

struct cli_inflate;

/* head: the first bytes of the file. next: the next bytes of the compressed file, valid until it is
 * called again; returns their number, 0 at the end, -1 with the reason. NULL: a file that begins so
 * is compressed with none of them. */
struct cli_inflate *
cli_inflate_new(struct ck_str head,
                ssize_t (*next)(void *self, const char **bytes, struct ck_err *err), void *self);
void cli_inflate_free(struct cli_inflate **z);

/* The next unpacked bytes, valid until the next call: of all gzip members, zstd frames or xz
 * streams that the file has one after another. Returns their number, 0 at the end, -1 with the
 * reason and the place in the compressed file; each further call then does so, too. */
ssize_t cli_inflate_read(struct cli_inflate *z, const char **bytes, struct ck_err *err);

#endif
