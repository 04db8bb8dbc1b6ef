/* Talking to the store: queries, status, writes. If no ring runs on the data folder, cli_connect
 * starts a private one that lasts as long as the command.
 *
 * Functions returning an int return CLI_GO_ON, or the exit code after reporting the error. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <zmq.h>
#include "cli/cli.h"
#include "cli/ring.h"
#include "proto/doors.h"
#include "proto/wire.h"

struct cli_client {
  bool up_ran; /* `up` ran here when the command connected */
  void *snapshot;
  struct cli_ring *ring; /* the private ring; NULL if a store is already running */
  bool starts_beside;    /* a store, also while another part of the ring runs */
  struct cli_writer *writer;
};

/* Loads the settings, enters the data folder (create: creates it if missing) and connects to the
 * store. parts: the daemons to start privately if no ring is up; 0: none as long as something of
 * the ring runs. */
int cli_connect(struct cli *c, bool create, unsigned parts);
/* The store's doors are on this machine, so its lock tells whether it runs. */
bool cli_store_is_here(const struct cli *c);
/* Reports that the store does not answer, and why. Returns CLI_NOBODY. */
int cli_nobody(const struct cli *c);
/* Closes the connection and stops the private ring. */
void cli_disconnect(struct cli *c);
/* `up` ran here when the command connected, and has ended since. */
bool cli_up_ended(const struct cli *c);

/* Sends one request and waits for the answer, repeating it for up to 6 s while the store is being
 * restarted. On CLI_GO_ON the caller closes frame; answer points into it. */
int cli_ask(struct cli *c, struct ck_message *request, struct ck_message *answer, zmq_msg_t *frame);
/* The same; where: what a PROBLEM is reported about, as in cli_error. */
int cli_ask_about(struct cli *c, const char *where, struct ck_message *request,
                  struct ck_message *answer, zmq_msg_t *frame);

/* One filter of a query (proto/filters.h) with its value: text, or number if text is NULL. */
struct cli_filter {
  const char *name;
  const char *text;
  int64_t number;
};

/* Which rows of a table: those that fit all filters, in the store's order (newest first), at most
 * `limit` from `offset` on. */
struct cli_query {
  const char *table;
  const struct cli_filter *filters;
  size_t count; /* of filters */
  unsigned limit, offset;
};

/* *rows is a JSON array of objects that the caller json_decrefs; NULL or unset on error. */
int cli_query(struct cli *c, const struct cli_query *query, json_t **rows);
/* The same, page after page. *next: where the page begins; NULL: at the first row. It becomes where
 * the next one does; NULL: there are no more rows. The caller frees it, also on error. offset: rows
 * left out of each page. */
int cli_query_next(struct cli *c, const struct cli_query *query, char **next, json_t **rows);
/* Both with filters that are encoded already, as a MessagePack map; for arrays of values. */
int cli_query_packed(struct cli *c, const char *table, struct ck_str filters, unsigned limit,
                     json_t **rows);
int cli_query_packed_next(struct cli *c, const char *table, struct ck_str filters, unsigned limit,
                          char **next, json_t **rows);
/* All pages put together. */
int cli_query_packed_all(struct cli *c, const char *table, struct ck_str filters, json_t **rows);
/* The same with filters as in cli_query. *rows: as there. */
int cli_query_all(struct cli *c, const char *table, const struct cli_filter *filters, size_t count,
                  json_t **rows);
/* The first row whose column equals text; *row is NULL if there is none, else the caller
 * json_decrefs it. */
int cli_query_one(struct cli *c, const char *table, const char *column, const char *text,
                  json_t **row);
/* The store's answer to STATUS, an object that the caller json_decrefs. */
int cli_status_of(struct cli *c, json_t **info);

/* The answer to STATUS at the store's snapshot door or at ingest's door, asked once, as an object
 * that the caller json_decrefs. NULL: none came within ms, the reason is in err. */
json_t *cli_info_of(const struct cli *c, enum ck_door door, int ms, struct ck_err *err);

/* ---- writing ---- */

/* Sends one changeset (an encoded array of mutations) and waits up to 10 s for its receipt. *result
 * is the receipt's: n (new), u (updated), = (unchanged) or r (refused, with the reason in err). */
int cli_write(struct cli *c, struct ck_str mutations, char *result, struct ck_err *err);
/* The same for what takes the store long: waits for 10 minutes, as long as the store answers. */
int cli_write_long(struct cli *c, struct ck_str mutations, char *result, struct ck_err *err);
/* Writes one row by PUT or UPDATE. A refusal is reported with `where` and returns CLI_FAILED. */
int cli_write_row(struct cli *c, enum ck_mutation_kind kind, const struct ck_row *row,
                  const char *where, char *result);
/* Lets a conversation on auto go on that renewd has stopped (pause.c). CLI_GO_ON, also when it is
 * not on auto; a refusal is reported. */
int cli_go_on(struct cli *c, const char *conversation_id);
void cli_writer_free(struct cli_writer **w);

#endif
