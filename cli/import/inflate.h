/* Unpacks a file that is compressed with gzip or zstd, as a stream. libarchive's filters do this,
 * too, but of a file that is cut off they lose what they have unpacked since they last gave a block
 * of 64 or 128 KiB. Here all is given that can be unpacked, and then the place of the fault.
 *
 * Of zstd that is all blocks that are whole, each of at most 128 KiB; of gzip every byte. */
#ifndef CLI_IMPORT_INFLATE_H
#define CLI_IMPORT_INFLATE_H

#include <sys/types.h>

#include "proto/error.h"
#include "proto/text.h"

struct cli_inflate;

/* True if a file that begins so is compressed with one of the two. */
bool cli_inflate_is(struct ck_str head);

/* head: as above. next: the next bytes of the compressed file, valid until it is called again;
 * returns their number, 0 at the end, -1 with the reason. */
struct cli_inflate *
cli_inflate_new(struct ck_str head,
                ssize_t (*next)(void *self, const char **bytes, struct ck_err *err), void *self);
void cli_inflate_free(struct cli_inflate **z);

/* The next unpacked bytes, valid until the next call: of all gzip members, or zstd frames, that the
 * file has one after another. Returns their number, 0 at the end, -1 with the reason and the place
 * in the compressed file; each further call then does so, too. */
ssize_t cli_inflate_read(struct cli_inflate *z, const char **bytes, struct ck_err *err);

#endif
