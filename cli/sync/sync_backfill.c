/* convkeep sync backfill: asks the store to hand out every record to the mirror once more,
 * alongside new changes, and waits until that is done. */
#include "cli/sync/sync.h"

#include <stdio.h>
#include <string.h>

#include "cli/out.h"
#include "cli/rows.h"
#include "cli/task.h"
#include "cli/time.h"
#include "proto/clock.h"

#define LOOK_MS 200
/* How long to wait without any worker before giving up. */
#define ALONE_MS 10000

static int begin(struct cli *c, const char *name, bool adopt) {
  struct ck_buf mutations = {0};
  struct ck_mutation m = {.kind = adopt ? CK_OP_TAKEOVER : CK_OP_BACKFILL};
  struct ck_err err;
  char result;
  struct ck_str sink = ck_str_of(name);
  if (adopt)
    m.as.takeover = (struct ck_takeover){sink};
  else
    m.as.backfill = (struct ck_backfill){sink};
  ck_put_array(&mutations, 1);
  ck_mutation_encode(&mutations, &m);
  int rc = cli_write(c, ck_buf_view(&mutations), &result, &err);
  ck_buf_free(&mutations);
  if (rc != CLI_GO_ON || result != 'r') return rc;
  cli_error(c, NULL, "%s", err.text);
  return CLI_FAILED;
}

struct wait {
  const char *sink;
  int64_t goal, first; /* versions: the end of the backfill; the mirror's cursor at the start of
                          this command */
  bool adopt;          /* also until every column is compared */
  int64_t left;        /* rows that the repair could not repair */
  int64_t alone_since;
  int64_t dead_letters;
};

static int no_worker(struct cli *c, struct wait *w, const json_t *sync) {
  int64_t now = ck_boot_ms();
  if (cli_member_int(sync, "workers", 0) > 0) w->alone_since = now;
  if (now - w->alone_since < ALONE_MS) return CLI_GO_ON;
  cli_progress_clear();
  return cli_fail(
      c, CLI_NOBODY, NULL,
      "no syncd is running for %s; convkeep up starts one, which continues the backfill", w->sink);
}

/* The takeover has forgotten how earlier comparisons ended, so this one came after it. */
static int64_t left_by_repair(const json_t *sync) {
  const json_t *check = json_object_get(sync, "check");
  bool repaired = strcmp(cli_member(check, "task"), "repair deep") == 0;
  return repaired ? cli_member_int(check, "wrong", 0) : 0;
}

/* CLI_GO_ON: look again. CLI_DONE: the backfill is complete. */
static int look(struct cli *c, struct wait *w) {
  json_t *info;
  int rc = cli_status_of(c, &info);
  if (rc != CLI_GO_ON) return rc;
  const json_t *sync = json_object_get(json_object_get(info, "sync"), w->sink);
  int64_t cursor = cli_member_int(sync, "cursor", 0);
  if (w->goal < 0) w->goal = cli_member_int(info, "version", 0);
  if (w->first < 0) w->first = cursor;
  w->dead_letters = cli_member_int(sync, "dead_letters", 0);
  bool unproven = w->adopt && json_is_true(json_object_get(sync, "unproven"));
  w->left = unproven ? left_by_repair(sync) : 0;
  if (cursor >= w->goal && (!unproven || w->left)) {
    rc = CLI_DONE;
  } else {
    int64_t left = cli_member_int(sync, "backlog", 0), whole = w->goal - w->first;
    cli_progress("filling", (uint64_t)(left < whole ? whole - left : 0), (uint64_t)whole);
    rc = no_worker(c, w, sync);
  }
  json_decref(info);
  return rc;
}

/* Waits for the end, supervising the private ring meanwhile. */
static int await(struct cli *c, struct wait *w) {
  int rc = CLI_GO_ON;
  while (rc == CLI_GO_ON && (rc = look(c, w)) == CLI_GO_ON) {
    struct pollfd fds[CLI_RING_FDS];
    struct cli_ring *ring = c->client->ring;
    if (ring) cli_ring_step(ring);
    poll(fds, ring ? (nfds_t)cli_ring_fds(ring, fds) : 0, LOOK_MS);
  }
  cli_progress_clear();
  return rc;
}

int cli_sync_backfill(struct cli *c, const char *sink, bool adopt) {
  struct wait w = {
      .sink = sink, .goal = -1, .first = -1, .adopt = adopt, .alone_since = ck_boot_ms()};
  int64_t began = ck_boot_ms();
  int rc = cli_connect(c, false, CLI_PART(CLI_STORE) | CLI_PART(CLI_SYNCD));
  if (rc == CLI_GO_ON) rc = begin(c, sink, adopt);
  if (rc == CLI_GO_ON) rc = await(c, &w);
  if (rc != CLI_DONE) return rc;
  if (c->json) {
    json_t *line = json_pack("{s:s, s:I, s:I, s:I, s:I}", "sink", sink, "version",
                             (json_int_t)w.goal, "dead_letters", (json_int_t)w.dead_letters, "left",
                             (json_int_t)w.left, "ms", (json_int_t)(ck_boot_ms() - began));
    cli_json_line(line);
    json_decref(line);
  } else {
    struct ck_buf text = {0};
    ck_buf_printf(&text, "the mirror in %s is filled up to version %lld, in ", sink,
                  (long long)w.goal);
    cli_duration_text(&text, ck_boot_ms() - began);
    if (w.dead_letters)
      ck_buf_printf(&text, "; %lld %s refused (convkeep list dead-letters)",
                    (long long)w.dead_letters,
                    ck_noun((uint64_t)w.dead_letters, "row was", "rows were"));
    ck_buf_text(&text, "\n");
    if (w.left)
      ck_buf_printf(&text,
                    "%lld %s could not be repaired: see logs/syncd.log; it is tried again from"
                    " time to time, and convkeep sync repair --deep --sink %s tries it now\n",
                    (long long)w.left, ck_noun((uint64_t)w.left, "row", "rows"), sink);
    cli_print(&text);
    ck_buf_free(&text);
  }
  return w.left ? CLI_FAILED : CLI_DONE;
}
