/* Asking the store. Where no ring runs on the folder, a store of our own answers for as long as the
 * command lasts. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <zmq.h>
#include "cli/cli.h"
#include "cli/ring.h"
#include "proto/wire.h"

struct cli_client {
  void *snapshot;
  struct cli_ring *ring; /* the private parts, NULL when somebody else's store answers */
  struct cli_writer *writer;
};

/* Loads, enters the folder (create: makes it where it is missing) and opens the way to the store;
 * parts: what to start privately where no ring is up. CLI_GO_ON, or the exit code after saying why.
 */
int cli_connect(struct cli *c, bool create, unsigned parts);
/* Ends what cli_connect made. */
void cli_disconnect(struct cli *c);
/* Waits until the private parts are ready. CLI_GO_ON or the exit code. Does nothing where there are
 * none. */
int cli_await_parts(struct cli *c);

/* One question. CLI_GO_ON: frame is the caller's to close and answer points into it. Else the exit
 * code, and the reason was said. */
int cli_ask(struct cli *c, struct ck_message *request, struct ck_message *answer, zmq_msg_t *frame);

/* One filter of a query. text NULL: `number` is meant. */
struct cli_filter {
  const char *column;
  const char *text;
  int64_t number;
};

/* The rows as JSON text each, in the store's order: a JSON array. *rows is the caller's
 * (json_decref). CLI_GO_ON or the exit code. */
int cli_query(struct cli *c, const char *table, const struct cli_filter *filters, size_t count,
              unsigned limit, unsigned offset, json_t **rows);
/* All rows, page by page. */
int cli_query_all(struct cli *c, const char *table, const struct cli_filter *filters, size_t count,
                  json_t **rows);
/* The first row that one text filter finds: *row is NULL where there is none. */
int cli_query_one(struct cli *c, const char *table, const char *column, const char *text,
                  json_t **row);
/* STATUS. */
int cli_status_of(struct cli *c, json_t **info);

/* Any MessagePack value as JSON; NULL where it is none (a peer's fault). */
json_t *cli_json_of(struct ck_str value);

/* ---- writing ---- */

/* Sends one changeset (an encoded array of mutations) and waits for its receipt. *result: n u = or
 * r, with the reason in err. CLI_GO_ON, or the exit code after saying why. */
int cli_write(struct cli *c, struct ck_str mutations, char *result, struct ck_err *err);
/* One row as PUT or UPDATE. A refusal is said under `where` and CLI_FAILED. */
int cli_write_row(struct cli *c, enum ck_mutation_kind kind, const struct ck_row *row,
                  const char *where, char *result);
void cli_writer_free(struct cli_writer **w);

#endif
