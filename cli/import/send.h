/* Sends one file to ingest's door in pieces, and waits for what came of it.
 *
 *   OPEN, PIECE 1 ──► MORE 1 ──► PIECE 2 ──► … ──► PIECE n, last ──► IMPORTED
 *
 * Attachments go in the same way, with ATTACH for PIECE.
 *
 * MORE 0 may arrive in between: it only reports how many observations were accepted and receipted.
 *
 * If the connection to ingest is lost, as when it is restarted, the file is sent again from the
 * start; what was accepted before counts as unchanged, so nothing is stored twice. An ingest that
 * is only silent is waited for.
 */
#ifndef CLI_IMPORT_SEND_H
#define CLI_IMPORT_SEND_H

#include "cli/client.h"
#include "cli/import/source.h"

#define CLI_PIECE (256u << 10) /* bytes sent at a time */

/* What came of a file; the texts belong to it. */
struct cli_sent {
  char *format; /* "" if it is unknown */
  char *error;  /* NULL: read to its end */
  uint64_t added, updated, unchanged;
  uint64_t failed;  /* counts the file itself if it has an error */
  uint64_t waiting; /* taken, without a receipt: the store is away */
  bool damaged;     /* the error says why it could not be read to its end */
  bool skipped;     /* the error says which file without messages it is; it does not count */
  json_t *failures; /* [{"place", "reason"}] */
  json_t *notes;    /* {kind: count}: what went in and should be known */
  unsigned resent;  /* how often it was sent again because ingest was lost */
};

/* What is sent, a piece at a time. */
struct cli_pieces {
  const char *name;
  off_t size; /* in bytes; 0: unknown */
  int fd;     /* to wait on, when next says so */
  bool attachments;
  bool again;     /* they are originals of the store */
  uint64_t first; /* they are one original of a log: the number of its first element; else 0 */
  void *self;
  /* Appends the next piece to raw, as one MessagePack value. at: how many bytes went before; 0: it
   * begins, perhaps again. Returns how many this has, 0 at the end or if *wait is set (nothing is
   * there for now), -1 with the reason in err. */
  ssize_t (*next)(void *self, off_t at, struct ck_buf *raw, bool *wait, struct ck_err *err);
};

/* Sends all pieces, as cli_send does. */
int cli_send_pieces(struct cli *c, const struct cli_pieces *pieces, bool wait,
                    struct cli_sent *sent);

/* Sends the source from its beginning. wait: waits for every receipt, also while the store is away.
 * bytes: room for CLI_PIECE. Returns CLI_GO_ON with what came of it; CLI_FAILED or CLI_NOBODY after
 * reporting why it was not sent completely. Free *sent in either case. A signal (SIGINT, SIGTERM),
 * once cli_catch_signals was called, gives up. */
int cli_send(struct cli *c, struct cli_source *source, bool wait, char *bytes,
             struct cli_sent *sent);
void cli_sent_free(struct cli_sent *sent);

void cli_catch_signals(void);
bool cli_interrupted(void);

#endif
