/* Originals, as the store gives them back (docs/store.md): the bytes that a record was read from.
 */
#ifndef CLI_FETCH_H
#define CLI_FETCH_H

#include "cli/client.h"
#include "proto/originals.h"
#include "proto/sha256.h"

/* An original that is read piece after piece. */
struct cli_fetched {
  char id[CK_ORIGINAL_ID + 1]; /* empty: there is none */
  uint64_t bytes;              /* of all of it */
  uint64_t at;                 /* read so far */
  struct ck_buf piece;         /* the last one */
  struct ck_sha256 hash;       /* of what was read */
};

/* Finds the original with this id, or the only one whose id begins so; for "" the newest one of the
 * conversation. CLI_GO_ON, also if there is none; else the exit code after reporting the error. */
int cli_fetch_find(struct cli *c, const char *id, const char *platform, const char *conversation,
                   struct cli_fetched *o);

/* Reads the next piece, of at most `most` bytes, which is empty at the end. Returns CLI_GO_ON, or
 * the exit code after reporting the error: the bytes cannot be read, or, which is seen at the end,
 * they are not those of the id. */
int cli_fetch_next(struct cli *c, struct cli_fetched *o, size_t most);

void cli_fetch_free(struct cli_fetched *o);

#endif
