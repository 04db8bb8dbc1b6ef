/* The bytes of a block, uncompressed, without ever holding all of them: part after part is read and
 * unpacked as far as it is needed. Bytes that follow those read last continue from there; others
 * begin at the block's beginning again.
 *
 * Memory: a part, and what zstd keeps, which is at most as much as the block's largest original.
 */
#ifndef CK_STORE_UNPACK_H
#define CK_STORE_UNPACK_H

#include "store/database/db.h"

struct unpack;

/* db: the thread's own connection. NULL with the reason. */
struct unpack *unpack_new(sqlite3 *db, struct ck_err *err);
void unpack_free(struct unpack **u);

/* Appends n bytes of the block from `at` on. 0; or -1 with the reason: it is damaged or ends before
 * that, which sets *damaged, or the database cannot be read. */
int unpack_read(struct unpack *u, int64_t block, uint64_t at, size_t n, struct ck_buf *out,
                bool *damaged, struct ck_err *err);

/* Frees the memory that is kept to continue. */
void unpack_rest(struct unpack *u);
/* True if there is such memory. */
bool unpack_continues(const struct unpack *u);

#endif
