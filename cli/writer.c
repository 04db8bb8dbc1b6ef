/* Sends the command line's own changesets to the store, numbered and receipted like any producer's,
 * under a producer id of its own. Declared in client.h. */
#include "cli/client.h"

#include <stdlib.h>
#include <string.h>
#include "proto/clock.h"
#include "proto/push.h"

#define PATIENCE_MS 10000
#define ANSWER_MS 2000
#define LONG_PATIENCE_MS 600000 /* some million records */

struct cli_writer {
  struct ck_memory_unacked *unacked;
  struct ck_unacked ops;
  struct ck_push *push;
  bool done;
  char result;
  char reason[sizeof((struct ck_err *)0)->text];
};

static void receipted(void *self, uint64_t number, char result, struct ck_str reason) {
  struct cli_writer *w = self;
  (void)number;
  w->done = true;
  w->result = result;
  struct ck_str shorter = ck_utf8_cut(reason, sizeof w->reason - 1);
  if (shorter.n) memcpy(w->reason, shorter.s, shorter.n);
  w->reason[shorter.n] = '\0';
}

void cli_writer_free(struct cli_writer **writer) {
  struct cli_writer *w = *writer;
  if (!w) return;
  ck_push_free(&w->push);
  ck_memory_unacked_free(&w->unacked);
  free(w);
  *writer = NULL;
}

static int open_writer(struct cli *c) {
  struct ck_err err;
  char producer[96];
  if (c->client->writer) return CLI_GO_ON;
  struct cli_writer *w = ck_zalloc(sizeof *w);
  w->unacked = ck_memory_unacked_new(receipted, w);
  w->ops = ck_memory_unacked_ops(w->unacked);
  if (ck_producer_slot("cli", producer, &err) == 0)
    w->push = ck_push_new(c->settings, producer, &w->ops, 64, &err);
  c->client->writer = w;
  if (w->push) return CLI_GO_ON;
  cli_writer_free(&c->client->writer);
  cli_error(c, NULL, "%s", err.text);
  return CLI_FAILED;
}

/* While the writer works, the store's other threads answer. */
static bool store_answers(struct cli *c) {
  struct ck_err ignored;
  json_t *info = cli_info_of(c, CK_DOOR_SNAPSHOT, ANSWER_MS, &ignored);
  json_decref(info);
  return info;
}

/* Waits for the receipt, for longer than `until` only if the store is there. If it is restarted
 * meanwhile, ck_push sends again. */
static bool wait_for_receipt(struct cli *c, struct cli_writer *w, int64_t patience_ms) {
  int64_t end = ck_boot_ms() + patience_ms, until = ck_boot_ms() + PATIENCE_MS;
  while (!w->done) {
    if (ck_boot_ms() >= end || (ck_boot_ms() >= until && !store_answers(c))) break;
    if (ck_boot_ms() >= until) until += PATIENCE_MS;
    zmq_pollitem_t items[2];
    int wait = ck_push_step(w->push);
    if (w->done || ck_push_usurped(w->push)) break;
    if (c->client->ring) cli_ring_step(c->client->ring);
    int n = ck_push_items(w->push, items);
    zmq_poll(items, n, wait < 0 || wait > 200 ? 200 : wait);
  }
  return w->done;
}

static int write_within(struct cli *c, struct ck_str mutations, int64_t patience_ms, char *result,
                        struct ck_err *err) {
  int rc = open_writer(c);
  if (rc != CLI_GO_ON) return rc;
  struct cli_writer *w = c->client->writer;
  w->done = false;
  ck_memory_unacked_add(w->unacked, mutations);
  if (!wait_for_receipt(c, w, patience_ms)) {
    return cli_fail(
        c, CLI_NOBODY, cli_store_place(c),
        "no receipt from the store, so the change may or may not have been made; look, and"
        " try again");
  }
  *result = w->result;
  if (w->result == 'r') ck_fail(err, "%s", w->reason);
  return CLI_GO_ON;
}

int cli_write(struct cli *c, struct ck_str mutations, char *result, struct ck_err *err) {
  return write_within(c, mutations, PATIENCE_MS, result, err);
}

int cli_write_long(struct cli *c, struct ck_str mutations, char *result, struct ck_err *err) {
  return write_within(c, mutations, LONG_PATIENCE_MS, result, err);
}

int cli_write_row(struct cli *c, enum ck_mutation_kind kind, const struct ck_row *row,
                  const char *where, char *result) {
  struct ck_buf mutations = {0};
  struct ck_err err;
  ck_put_array(&mutations, 1);
  ck_mutation_row(&mutations, kind, row);
  int rc = cli_write(c, ck_buf_view(&mutations), result, &err);
  ck_buf_free(&mutations);
  if (rc != CLI_GO_ON || *result != 'r') return rc;
  cli_error(c, where, "%s", err.text);
  return CLI_FAILED;
}
