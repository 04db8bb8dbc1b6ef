/* What a disk has done to the WAL.
 *
 * SQLite compares the checksums of the WAL when it opens a database after a kill, and takes the
 * first frame that differs for the end: all commits after it are lost, although they had receipts,
 * and it says nothing. It cannot know better, because a power cut leaves such an end, too, of a
 * commit that had no receipt.
 *
 * But if one bit was turned, the checksum nearly always fits again with that bit alone, and then it
 * is turned back. (It adds words up, so for the upper bits of a word several places may fit; then
 * it is not known which it was.) And of a power cut no whole commit is left after the torn one.
 */
#ifndef CK_STORE_WAL_MEND_H
#define CK_STORE_WAL_MEND_H

#include <stdbool.h>

#include "proto/error.h"

/* Looks at the WAL beside artifact.db, up to its first frame of another time, and turns back a bit.
 * True: commits are lost, and why says where. Call it under the store's lock, before SQLite opens
 * the database. A WAL that cannot be read or written stays as it is. */
bool wal_mend(struct ck_err *why);

#endif
