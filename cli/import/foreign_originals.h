/* The originals of a convkeep database (docs/store.md): what its records were read from, unpacked
 * from its blocks, as files that ingest reads like any other. So nothing that the database says of
 * them is believed: neither a hash, nor what was read from them. */
#ifndef CLI_IMPORT_FOREIGN_ORIGINALS_H
#define CLI_IMPORT_FOREIGN_ORIGINALS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/error.h"

struct foreign_originals;

/* Opens the database file, a private copy. NULL if it has none; err then says why it cannot be
 * read, or is "". */
struct foreign_originals *foreign_originals_open(const char *file, struct ck_err *err);
void foreign_originals_free(struct foreign_originals **o);

/* Writes the next of them into the empty file `to`, each followed by a line feed: conversations of
 * one reader, some 64 MiB together, or a larger one alone; or one that may be of a log; or, in
 * their order, all of a file of a log whose lines depend on those before them. *count: how many.
 * *first: of the last kind, the number of its first element; else 0. 1; 0: there are no more; -1
 * with the reason: after these, one cannot be read, and the next call goes on with the next. */
int foreign_originals_next(struct foreign_originals *o, int to, uint64_t *count, uint64_t *first,
                           struct ck_err *err);

#endif
